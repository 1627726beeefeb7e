//! `[agent]` and `[[job]]`.

use std::path::Path;
use std::time::Duration;

use interrupt_callback::agent::allow::{Answer, Shape};
use interrupt_callback::config::plan::Method;
use interrupt_callback::jobs::run::{Notify, On, Terms};
use interrupt_callback::jobs::{Overlap, Task, Where};

use super::{good, lines};

/// A client whose user is its own.
const CLIENT: &str = "[keepalive.client]\nuri = \"ic://nas:a-long-enough-key@vps\"\n";
/// A server with a user that is bound to a host.
const SERVER: &str = "[keepalive.server]\nkey = \"a-long-enough-key\"\n[keepalive.server.users.nas]\n\
                      key = \"another-long-key\"\nhost = \"nas@home\"\n";

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn an_agent_with_everything() {
    let plan = good(&format!(
        "{CLIENT}[agent]\nserver = \"vps@osaka\"\nmost = 2\ntimeout = \"90s\"\nurls = [\"http://127.0.0.1:80/hooks/\"]\n\
         [agent.queue]\nurl = \"http://10.0.0.1/q/\"\ntoken = {{ env = \"KEY_IN_ENV\" }}\nevery = 3\n\
         [[agent.shortcut]]\nmessage = \"restart web\"\nrun = [\"systemctl\", \"restart\", \"web\"]\n\
         [[agent.shortcut]]\nmessage = \"free\"\nshell = \"free -m | head -2\"\ndir = \"/srv\"\ntimeout = 5\n\
         [[agent.command]]\nprefix = \"free\"\n\
         [[agent.command]]\nprefix = \"ls\"\nrun = [\"/bin/ls\", \"--\"]\nwords = [\"/srv/*\"]\noptions = true\n\
         [[agent.command]]\nprefix = \"deploy\"\nrun = [\"bash\", \"-e\", \"/opt/deploy.sh\"]\n\
         [[agent.template]]\nname = \"backup\"\nrun = [\"b\", \"{{what}}{{what}}\", \"--to={{where_to}}\", \"{{}}\"]\n\
         parameters = [\"what\", {{ name = \"where_to\", words = [\"/mnt/*\"] }}]\n"
    ));
    assert_eq!(plan.warnings, [""; 0]);
    let agent = plan.agent.unwrap();
    assert_eq!((agent.server.as_deref(), agent.most, agent.allow.timeout), (Some("vps@osaka"), 2, secs(90)));
    let queue = agent.queue.as_ref().unwrap();
    assert_eq!((queue.url.reveal(), queue.token.reveal()), ("http://10.0.0.1/q", "a-key-of-enough-bytes"));
    assert_eq!(queue.every, secs(3));
    assert!(!format!("{agent:?}").contains("a-key-of-enough-bytes"));
    let runs = |message: &str| match agent.allow.answer(message) {
        Answer::Run(start) => (start.argv.join(" "), start.dir, start.timeout),
        other => panic!("{message}: {other:?}"),
    };
    assert_eq!(runs("restart web"), ("systemctl restart web".to_owned(), None, secs(90)));
    assert_eq!(runs("free"), ("/bin/sh -c free -m | head -2".to_owned(), Some(Path::new("/srv").into()), secs(5)));
    assert_eq!(runs("free x").0, "free x");
    assert_eq!(runs("ls /srv/a").0, "/bin/ls -- /srv/a");
    assert_eq!(runs("deploy v1").0, "bash -e /opt/deploy.sh v1");
    assert_eq!(runs("backup db /mnt/a").0, "b dbdb --to=/mnt/a {}");
    assert!(matches!(agent.allow.answer("backup db /etc"), Answer::Refuse(_)));
    assert!(matches!(agent.allow.answer("url http://127.0.0.1:80/hooks/x"), Answer::Call(..)));
    assert!(matches!(agent.allow.entries[3].shape, Shape::Command { options: true, .. }));
}

#[test]
fn what_an_agent_is_unless_told_otherwise() {
    let agent = good("[agent]\n").agent.unwrap();
    assert_eq!((agent.server, agent.most, agent.allow.timeout), (None, 4, secs(3600)));
    assert!(agent.queue.is_none() && agent.allow.entries.is_empty() && agent.allow.urls.is_empty());
    let queue = good("[agent.queue]\nurl = \"http://10.0.0.1\"\ntoken = \"t\"").agent.unwrap().queue.unwrap();
    assert_eq!(queue.every, secs(10));
    assert!(good("").agent.is_none() && good("").jobs.is_empty());
    assert!(good("[agent]\n").idle().is_some(), "nobody asks it");
    assert!(good("[agent.queue]\nurl = \"http://10.0.0.1\"\ntoken = \"t\"").idle().is_none());
}

#[test]
fn what_is_unwise_in_an_agent() {
    let shortcut = "[[agent.shortcut]]\nmessage = \"x\"\nrun = [\"x\"]\n";
    for (text, want) in [
        (
            format!("[agent]\n{shortcut}"),
            "c.toml:1: agent: names no server and has no queue: nothing will ask it to run anything",
        ),
        (
            format!("{CLIENT}[agent]\nserver = \"vps\""),
            "c.toml:3: agent: lists nothing that may run: write [[agent.shortcut]], [[agent.command]] or \
             [[agent.template]]",
        ),
        (
            format!("[keepalive.client]\nuri = \"ic://vps\"\n[agent]\nserver = \"vps\"\n{shortcut}"),
            "c.toml:4: agent.server: has no effect: jobs only travel over a user key of this host's own; give it a user \
             in [keepalive.server.users] of that server, with host, and write uri = \"ic://USER:KEY@HOST\"",
        ),
    ] {
        assert_eq!(good(&text).warnings, [want], "{text}");
    }
    let many: String =
        (0..64).map(|n| format!("[[agent.shortcut]]\nmessage = \"{n}{}\"\nrun = [\"x\"]\n", "x".repeat(40))).collect();
    let told = good(&format!("{CLIENT}[agent]\nserver = \"vps\"\n{many}")).warnings;
    assert!(matches!(&told[..], [line] if line.starts_with("c.toml:3: agent: lists more than a heartbeat can name")));
}

const SHELL: &str = "would make what comes over the network a program for a shell; name a script in run, \
                     or write a whole line in an [[agent.shortcut]]";
const READ: &str = "a parameter cannot be a part of what a shell reads or what is started; hand it to a script, \
                    behind its name";

/// A kind of entry, what stands in it, and what is told of it.
const ENTRIES: &[(&str, &str, &str)] = &[
    ("shortcut", "run = [\"x\"]", "1: agent.shortcut.message: missing; write message = \"restart web\""),
    (
        "shortcut",
        "message = \"x\"",
        "1: agent.shortcut.run: missing; write run = [\"/path/to/program\", …] or shell = \"…\"",
    ),
    ("shortcut", "message = \"x\"\nrun = [\"x\"]\nshell = \"x\"", "1: agent.shortcut: has both run and shell"),
    ("shortcut", "message = \"x\"\nrun = []", "3: agent.shortcut.run: names no program"),
    ("shortcut", "message = \"x\"\nshell = \" \"", "3: agent.shortcut.shell: is empty"),
    (
        "shortcut",
        "message = \" x\"\nrun = [\"x\"]",
        "2: agent.shortcut.message: is empty, or begins or ends with a blank",
    ),
    ("shortcut", "message = \"a\\tb\"\nrun = [\"x\"]", "2: agent.shortcut.message: holds a control character"),
    (
        "shortcut",
        "message = \"help\"\nrun = [\"x\"]",
        "2: agent.shortcut.message: \"help\" is answered with the list of what may run",
    ),
    ("shortcut", "message = \"x\"\nrun = [\"x\"]\ndir = \"y\"", "4: agent.shortcut.dir: must be an absolute path"),
    (
        "shortcut",
        "message = \"x\"\nrun = [\"x\"]\ntimeout = 0",
        "4: agent.shortcut.timeout: 0 is out of range; it goes from 1s to 30d",
    ),
    (
        "shortcut",
        "message = \"x\"\nrun = [\"x\"]\nwords = []",
        "4: agent.shortcut.words: unknown key; keys here are message, run, shell, dir, timeout",
    ),
    (
        "shortcut",
        "message = \"x\"\nrun = [\"x\"]\n[[agent.shortcut]]\nmessage = \"x\"\nrun = [\"x\"]",
        "5: agent.shortcut.message: another shortcut has the message \"x\" too",
    ),
    ("command", "run = [\"x\"]", "1: agent.command.prefix: missing; write prefix = \"df\""),
    ("command", "prefix = \"df -h\"", "2: agent.command.prefix: must be one word"),
    ("command", "prefix = \"\"", "2: agent.command.prefix: must be one word"),
    ("command", "prefix = \"all\"", "2: agent.command.prefix: \"all\" has a meaning of its own"),
    ("command", "prefix = \"url\"", "2: agent.command.prefix: \"url\" has a meaning of its own"),
    (
        "command",
        "prefix = \"x\"\nshell = \"x\"",
        "3: agent.command.shell: goes with an [[agent.shortcut]] alone: what comes over the network never gets into a shell line",
    ),
    ("command", "prefix = \"x\"\nwords = [\"\"]", "3: agent.command.words: an empty pattern matches nothing"),
    ("command", "prefix = \"sh\"", "1: agent.command: SHELL"),
    ("command", "prefix = \"x\"\nrun = [\"/bin/bash\", \"-c\"]", "1: agent.command: SHELL"),
    ("command", "prefix = \"x\"\nrun = [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]", "1: agent.command: SHELL"),
    ("command", "prefix = \"x\"\nrun = [\"sudo\", \"sh\", \"-ec\"]", "1: agent.command: SHELL"),
    ("command", "prefix = \"x\"\nrun = [\"env\"]", "1: agent.command: SHELL"),
    ("command", "prefix = \"x\"\nrun = [\"sh\", \"/x.sh\"]\noptions = true", "1: agent.command: SHELL"),
    (
        "command",
        "prefix = \"x\"\n[[agent.template]]\nname = \"x\"\nrun = [\"y\", \"{a}\"]\nparameters = [\"a\"]",
        "4: agent.template.name: another command or template is called \"x\" too",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\"]",
        "1: agent.template.parameters: missing; write parameters = [\"what\"], or make it an [[agent.shortcut]]",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\"]\nparameters = []",
        "4: agent.template.parameters: is empty; make it an [[agent.shortcut]]",
    ),
    (
        "template",
        "name = \"x\"\nparameters = [\"a\"]",
        "1: agent.template.run: missing; write run = [\"/path/to/program\", \"{what}\"]",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\"]\nparameters = [\"a\"]",
        "3: agent.template.run: the parameter \"a\" does not occur in it",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"{a}\"]\nparameters = [\"a\"]",
        "3: agent.template.run: a parameter cannot be the program",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\", \"{where}{wher}\"]\nparameters = [\"where\"]",
        "3: agent.template.run: \"wher\" is not known; did you mean \"where\"?",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\", \"{a}\"]\nparameters = [\"a\", \"a\"]",
        "4: agent.template.parameters: another parameter is called \"a\" too",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\", \"{a}\"]\nparameters = [\"A b\"]",
        "4: agent.template.parameters: a parameter's name has small letters and _",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"x\", \"{a}\"]\nparameters = [{ name = \"a\", word = 1 }]",
        "4: agent.template.parameters.word: unknown key; did you mean \"words\"?",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"sh\", \"-c\", \"echo {a}\"]\nparameters = [\"a\"]",
        "3: agent.template.run: READ",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"bash\", \"-eu\", \"-o\", \"pipefail\", \"-c\", \"echo {a}\"]\nparameters = [\"a\"]",
        "3: agent.template.run: READ",
    ),
    (
        "template",
        "name = \"x\"\nrun = [\"busybox\", \"sh\", \"{a}\"]\nparameters = [\"a\"]",
        "3: agent.template.run: READ",
    ),
    ("template", "name = \"x\"\nrun = [\"sudo\", \"{a}\"]\nparameters = [\"a\"]", "3: agent.template.run: READ"),
];

/// What is wrong with the section itself.
const AGENTS: &[(&str, &str)] = &[
    ("[agent]\nserver = \"\"", "2: agent.server: a server's name has 1 to 128 bytes and no control characters"),
    ("[agent]\nmost = 17", "2: agent.most: 17 is out of range; it goes from 1 to 16"),
    ("[agent]\nurls = [\"ftp://h/\"]", "2: agent.urls: must begin with http:// or https://"),
    (
        "[agent]\nurls = [\"http://10.0.0.1\"]",
        "2: agent.urls: needs a / behind the host: without it other hosts would begin the same",
    ),
    (
        "[agent]\nurls = [\"http://10.0.0.1?x=/\"]",
        "2: agent.urls: needs a / behind the host: without it other hosts would begin the same",
    ),
    ("[agent]\nurls = [\"http://10.0.0.1/\", \"http://10.0.0.1/\"]", "2: agent.urls: is named twice"),
    (
        "[agent]\nurls = [\"http://10.0.0.1/ü\"]",
        "2: agent.urls: holds characters that no request has; write them with percent signs",
    ),
    ("[agent.queue]\nurl = \"http://10.0.0.1\"", "1: agent.queue.token: missing"),
    (
        "[agent.queue]\nurl = \"http://10.0.0.1\"\ntoken = \"a b\"",
        "3: agent.queue.token: must be 1 to 256 ASCII characters without blanks",
    ),
    (
        "[agent.queue]\nurl = \"http://10.0.0.1\"\ntoken = \"t\"\nevery = \"3m\"",
        "4: agent.queue.every: \"3m\" is out of range; it goes from 1s to 150s",
    ),
    (
        "[agent]\nshell = \"x\"",
        "2: agent.shell: unknown key; keys here are server, queue, most, timeout, urls, shortcut, command, template",
    ),
];

#[test]
fn what_can_be_wrong_in_an_agent() {
    for (kind, text, want) in ENTRIES {
        let text = format!("[[agent.{kind}]]\n{text}");
        let want = want.replace("SHELL", SHELL).replace("READ", READ);
        assert_eq!(lines(&text), [format!("c.toml:{want}")], "{text}");
    }
    let script =
        "[[agent.template]]\nname = \"x\"\nrun = [\"sh\", \"-c\", \"echo $1\", \"--\", \"{a}\"]\nparameters = [\"a\"]";
    assert_eq!(lines(script), [""; 0]);
    for (text, want) in AGENTS {
        assert_eq!(lines(text), [format!("c.toml:{want}")], "{text}");
    }
}

#[test]
fn a_job_with_everything() {
    let plan = good(&format!(
        "{SERVER}[[job]]\nname = \"backup\"\ncron = \" 30 2 * * * \"\nmessage = \"backup db\"\non = \"any:nas*\"\n\
         prepare = [\"mount\"]\nstart_within = \"1h\"\ntimeout = \"2h\"\nretries = 3\nretry_every = 5\noverlap = \"kill\"\n\
         notify = \"always\"\ncatch_up = \"6h\"\nidempotent = true\nfailover = true\non_lost = \"finish\"\n"
    ));
    assert_eq!(plan.warnings, [""; 0]);
    let [job] = &plan.jobs[..] else { panic!("{:?}", plan.jobs) };
    assert_eq!((&*job.name, job.cron.as_ref().unwrap().0.as_str()), ("backup", "30 2 * * *"));
    assert_eq!(job.what, Task::Message("backup db".to_owned()));
    assert_eq!(job.on, Where::One(On::Any("nas*".to_owned())));
    assert_eq!((&job.prepare[..], job.overlap), (&["mount".to_owned()][..], Overlap::Kill));
    assert_eq!(job.catch_up, Some(secs(6 * 3600)));
    let terms = Terms {
        start_within: secs(3600),
        timeout: Some(secs(7200)),
        retries: 3,
        retry_every: secs(5),
        idempotent: true,
        failover: true,
        finish: true,
        notify: Notify::Always,
    };
    assert_eq!(job.terms, terms);
}

#[test]
fn what_a_job_is_unless_told_otherwise() {
    let on = |on: &str| {
        let plan = good(&format!("{SERVER}[[job]]\nname = \"x\"\nmessage = \"x\"\non = \"{on}\"\n"));
        (plan.jobs[0].on.clone(), plan.warnings.len())
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(on("any"), (Where::One(On::Any(text("*"))), 0));
    assert_eq!(on("all"), (Where::All(text("*")), 0));
    assert_eq!(on("all:n?s*"), (Where::All(text("n?s*")), 0));
    assert_eq!(on("nas@home"), (Where::One(On::Host(text("nas@home"))), 0));
    assert_eq!(on("vps"), (Where::One(On::Host(text("vps"))), 1));
    assert_eq!(on("any:web*"), (Where::One(On::Any(text("web*"))), 1));
    for name in ["any", "any:web*", "all", "all:x", "nas@home"] {
        assert_eq!(on(name).0.text(), name);
    }

    let plan = good("[[job]]\nname = \"ping\"\nurl = \"http://127.0.0.1/{job}\"\nmethod = \"PUT\"\n");
    let [job] = &plan.jobs[..] else { panic!("{:?}", plan.jobs) };
    let Task::Url(hook) = &job.what else { panic!("{job:?}") };
    assert_eq!((hook.url.reveal(), hook.method), ("http://127.0.0.1/{job}", Method::Put));
    assert_eq!((job.terms, job.overlap, job.catch_up), (Terms::default(), Overlap::Skip, None));
    assert!(job.cron.is_none() && job.prepare.is_empty() && plan.warnings.is_empty());
    assert_eq!(plan.idle(), None, "a server without hosts calls it too");

    let plan = good(&format!("{SERVER}[[job]]\nname = \"x\"\non = \"nas@home\"\nurl = \"http://127.0.0.1/a b\"\n"));
    assert_eq!(plan.jobs[0].what, Task::Message(text("url http://127.0.0.1/a%20b")));
}

#[test]
fn what_is_unwise_in_a_job() {
    let told = good(&format!("{SERVER}[[job]]\nname = \"x\"\nmessage = \"x\"\non = \"vps\"\n")).warnings;
    let want =
        "c.toml:9: job.on: no user in [keepalive.server.users] is bound to this host (host = \"…\"): it gets no jobs";
    assert_eq!(told, [want]);
}

const HOST: &str = "goes with a job that runs on a host: write on = \"any\", \"all\" or its name";
const CALL: &str = "goes with a url that this server calls itself, so without on and message";

/// What stands in a job, and what is told of it.
const JOBS: &[(&str, &str)] = &[
    ("message = \"x\"\non = \"any\"", "6: job.name: missing; write name = \"backup\""),
    ("name = \"a b\"\nmessage = \"x\"\non = \"any\"", "7: job.name: a job's name has 1 to 32 letters, digits, - and _"),
    (
        "name = \"every-1\"\nmessage = \"x\"\non = \"any\"",
        "7: job.name: looks like the name of a schedule that was added by hand, or like the id of a run",
    ),
    (
        "name = \"0123456789abcdef\"\nmessage = \"x\"\non = \"any\"",
        "7: job.name: looks like the name of a schedule that was added by hand, or like the id of a run",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\n[[job]]\nname = \"x\"\nmessage = \"x\"\non = \"any\"",
        "11: job.name: another job is called \"x\" too",
    ),
    (
        "name = \"x\"\non = \"any\"",
        "6: job.message: missing; write message = \"…\" as the host's [agent] lists it, or url = \"…\"",
    ),
    ("name = \"x\"\nmessage = \"x\"", "6: job.on: missing; write on = \"any\", \"all\" or the name of a host"),
    ("name = \"x\"\nmessage = \"x\"\nurl = \"http://127.0.0.1\"\non = \"any\"", "6: job: has both message and url"),
    ("name = \"x\"\nmessage = \" \"\non = \"any\"", "8: job.message: is empty"),
    ("name = \"x\"\nmessage = \"a\\nb\"\non = \"any\"", "8: job.message: holds a control character"),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"web*\"",
        "9: job.on: \"web*\" is a pattern; write \"any:web*\" or \"all:web*\"",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any:\"",
        "9: job.on: a host's name has 1 to 128 bytes and no control characters",
    ),
    ("name = \"x\"\nmessage = \"x\"\non = \"any\"\nmethod = \"GET\"", "10: job.method: CALL"),
    ("name = \"x\"\nurl = \"http://127.0.0.1\"\non = \"any\"\nbody = \"x\"", "10: job.body: CALL"),
    ("name = \"x\"\nurl = \"http://127.0.0.1\"\nprepare = [\"x\"]", "9: job.prepare: HOST"),
    ("name = \"x\"\nurl = \"http://127.0.0.1\"\non_lost = \"kill\"", "9: job.on_lost: HOST"),
    ("name = \"x\"\nurl = \"127.0.0.1\"", "8: job.url: must begin with http:// or https://"),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\ncron = \"61 * * * *\"",
        "10: job.cron: the minute \"61\" goes from 0 to 59",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\ncron = \"0 0 30 2 *\"",
        "10: job.cron: names a date that never comes",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\ncatch_up = \"1h\"",
        "10: job.catch_up: goes with cron: what runs by hand alone is never missed",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"all\"\nfailover = true",
        "10: job.failover: needs on = \"any\": otherwise there is no host that it could move to",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"nas@home\"\nfailover = true",
        "10: job.failover: needs on = \"any\": otherwise there is no host that it could move to",
    ),
    (
        "name = \"x\"\nurl = \"http://127.0.0.1/x\"\non = \"any\"\nfailover = true",
        "10: job.failover: needs idempotent = true for a url: a call that is under way may have been heard, and is repeated",
    ),
    (
        "name = \"x\"\nmessage = \" url http://127.0.0.1/x\"\non = \"any\"\nfailover = true",
        "10: job.failover: needs idempotent = true for a url: a call that is under way may have been heard, and is repeated",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nfailover = true\non_lost = \"finish\"",
        "11: job.on_lost: \"finish\" needs failover = true and idempotent = true: it may run on two hosts at the same time",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nprepare = [\"a\", \"b\", \"c\", \"d\", \"e\"]",
        "10: job.prepare: has 5 entries, at most 4 are allowed",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nretries = 1001",
        "10: job.retries: 1001 is out of range; it goes from 0 to 1000",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nstart_within = 0",
        "10: job.start_within: 0 is out of range; it goes from 1s to 30d",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\noverlap = \"kil\"",
        "10: job.overlap: \"kil\" is not known; did you mean \"kill\"?",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nnotify = \"no\"",
        "10: job.notify: \"no\" is not known; known are failure, always, never",
    ),
    (
        "name = \"x\"\nmessage = \"x\"\non = \"any\"\nmesage = \"x\"",
        "10: job.mesage: unknown key; did you mean \"message\"?",
    ),
];

#[test]
fn what_can_be_wrong_in_a_job() {
    for (text, want) in JOBS {
        let text = format!("{SERVER}[[job]]\n{text}");
        let want = want.replace("HOST", HOST).replace("CALL", CALL);
        assert_eq!(lines(&text), [format!("c.toml:{want}")], "{text}");
    }
    assert_eq!(
        lines("[[job]]\nname = \"x\"\nmessage = \"x\"\non = \"any\""),
        ["c.toml:4: job.on: needs [keepalive.server]: hosts get their jobs in the answers to their beats"]
    );
    let many: String = (0..257).map(|_| "[[job]]\n").collect();
    assert_eq!(lines(&many), ["c.toml:1: job: has 257 entries, at most 256 are allowed"]);
}
