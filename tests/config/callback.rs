//! `[[callback]]`.

use std::path::Path;
use std::time::Duration;

use interrupt_callback::config::plan::{Act, Language, Method, Reported};
use interrupt_callback::event::{Kind, Severity};

use super::{good, lines};

const HEAD: &str = "[[callback]]\non = [\"interrupt\"]\n";

#[test]
fn a_program_with_everything() {
    let plan = good(
        "language = \"zh\"\n[[callback]]\nname = \"save\"\non = [\"interrupt\", \"callback.failed\"]\nhosts = [\"web*\"]\n\
         min_severity = \"warning\"\nrun = [\"save\", \"--all\", \"$(x)\"]\ndir = \"/srv\"\nuser = \"34:35\"\n\
         env = { A = \"b\", K = { env = \"KEY_IN_ENV\" } }\npass = [\"HOME\", \"UNSET\"]\ntimeout = \"90s\"\nreport = \"failure\"\n\
         cooldown = \"5m\"\non_stop = \"kill\"\nsimulate = true\n",
    );
    let [save] = &plan.callbacks[..] else { panic!("{plan:?}") };
    assert_eq!((&*save.name, &save.on[..]), ("save", &[Kind::Interrupt, Kind::CallbackFailed][..]));
    assert_eq!((&save.hosts[..], save.min_severity), (&["web*".to_owned()][..], Severity::Warning));
    assert_eq!((save.timeout, save.cooldown), (Some(Duration::from_secs(90)), Duration::from_secs(300)));
    assert_eq!((save.report, save.simulate, save.language), (Reported::Failure, true, Language::Zh));
    let Act::Run(run) = &save.act else { panic!("{save:?}") };
    assert_eq!((&run.argv[..], &*run.dir), (&["save", "--all", "$(x)"].map(str::to_owned)[..], Path::new("/srv")));
    let user = run.user.as_ref().unwrap();
    assert_eq!((user.uid, user.gid, run.outlives), (34, 35, false));
    let env: Vec<(&str, &str)> = run.env.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    assert_eq!(env, [("A", "b"), ("K", "a-key-of-enough-bytes")]);
    let pass: Vec<(&str, &str)> = run.pass.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    assert_eq!(pass, [("HOME", "/home/u")]);
    assert!(!format!("{plan:?}").contains("a-key-of-enough-bytes"));
}

#[test]
fn defaults() {
    let plan = good(&format!("{HEAD}shell = \"a b\"\n{HEAD}url = \"http://127.0.0.1/x\"\nafter = \"callback-1\""));
    let [line, call] = &plan.callbacks[..] else { panic!("{plan:?}") };
    let Act::Run(run) = &line.act else { panic!("{line:?}") };
    assert_eq!(run.argv, ["/bin/sh", "-c", "a b"]);
    assert_eq!((&*run.dir, run.user.is_none(), run.outlives), (Path::new("/"), true, true));
    assert_eq!((line.timeout, line.cooldown, line.report), (None, Duration::ZERO, Reported::Always));
    assert_eq!((&*line.name, &*call.name, call.after.as_deref()), ("callback-1", "callback-2", Some("callback-1")));
    let Act::Call { hook, retries } = &call.act else { panic!("{call:?}") };
    assert_eq!((hook.method, *retries, hook.body.is_none()), (Method::Post, None, true));
    assert!(plan.idle().is_some(), "callbacks alone hear of nothing");
}

#[test]
fn keys_of_requests() {
    assert_eq!(lines(&[HEAD, "shell = \"x\"\nok = \"200\""].concat()), ["c.toml:4: callback.ok: goes with url"]);
    // The request's own reader asks for some keys again: each is named once.
    let told = lines(&[HEAD, "url = \"http://127.0.0.1\"\nxyzxyz = 1"].concat()).concat();
    for key in ["url", "method", "headers", "body", "ok", "wait"] {
        let list = told.split_once("keys here are ").expect("a list").1.split(", ");
        assert_eq!(list.filter(|name| *name == key).count(), 1, "{told}");
    }
}

#[test]
fn what_can_be_wrong() {
    for (text, want) in [
        ("on = []\nrun = [\"x\"]", "2: callback.on: is empty: nothing would ever start it"),
        (
            "on = [\"interupt\"]\nrun = [\"x\"]",
            "2: callback.on: \"interupt\" is not known; did you mean \"interrupt\"?",
        ),
        ("run = [\"x\"]", "1: callback.on: missing; write on = [\"interrupt\"]"),
        (
            "on = [\"test\"]",
            "1: callback.run: missing; write run = [\"/path/to/program\", …], shell = \"…\" or url = \"…\"",
        ),
        ("on = [\"test\"]\nrun = [\"x\"]\nshell = \"x\"", "1: callback: has more than one of run, shell and url"),
        ("on = [\"test\"]\nrun = []", "3: callback.run: names no program"),
        ("on = [\"test\"]\nrun = [\"x\", \"\\u0000\"]", "3: callback.run: holds a zero byte"),
        ("on = [\"test\"]\nrun = \"x\"", "3: callback.run: must be a list, not text"),
        ("on = [\"test\"]\nshell = \" \"", "3: callback.shell: is empty"),
        ("on = [\"test\"]\nshell = \"a\\u0000\"", "3: callback.shell: holds a zero byte"),
        ("on = [\"test\"]\nshell = \"x\"\nretries = 3", "4: callback.retries: goes with url"),
        ("on = [\"test\"]\nurl = \"http://127.0.0.1\"\nuser = \"root\"", "4: callback.user: goes with run or shell"),
        (
            "on = [\"test\"]\nurl = \"http://127.0.0.1\"\nretries = 1001",
            "4: callback.retries: 1001 is out of range; it goes from 0 to 1000",
        ),
        ("on = [\"test\"]\nurl = \"127.0.0.1\"", "3: callback.url: must begin with http:// or https://"),
        ("on = [\"test\"]\nshell = \"x\"\ndir = \"srv\"", "4: callback.dir: must be an absolute path"),
        (
            "on = [\"test\"]\nshell = \"x\"\nuser = \"no-such-user\"",
            "4: callback.user: \"no-such-user\" is not in /etc/passwd; write its numbers: \"1000:1000\"",
        ),
        ("on = [\"test\"]\nshell = \"x\"\nenv = { A-B = \"x\" }", "4: callback.env.A-B: is no name of a variable"),
        (
            "on = [\"test\"]\nshell = \"x\"\nenv = { IC_X = \"x\" }",
            "4: callback.env.IC_X: begins with IC_, as what the program sets itself",
        ),
        ("on = [\"test\"]\nshell = \"x\"\nenv = { A = \"\\u0000\" }", "4: callback.env.A: holds a zero byte"),
        ("on = [\"test\"]\nshell = \"x\"\npass = [\"NOTIFY_SOCKET\"]", "4: callback.pass: concerns the daemon alone"),
        ("on = [\"test\"]\nshell = \"x\"\npass = [\"1\"]", "4: callback.pass: is no name of a variable"),
        (
            "on = [\"test\"]\nshell = \"x\"\ntimeout = \"2d\"",
            "4: callback.timeout: \"2d\" is out of range; it goes from 1s to 1d",
        ),
        (
            "on = [\"test\"]\nshell = \"x\"\nreport = \"no\"",
            "4: callback.report: \"no\" is not known; known are always, failure, never",
        ),
        (
            "on = [\"test\"]\nshell = \"x\"\non_stop = \"stay\"",
            "4: callback.on_stop: \"stay\" is not known; known are leave, kill",
        ),
        (
            "on = [\"test\"]\nshell = \"x\"\nname = \"a b\"",
            "4: callback.name: a callback's name has 1 to 32 letters, digits, - and _",
        ),
        (
            "on = [\"test\"]\nshell = \"x\"\nafter = \"b\"",
            "4: callback.after: \"b\" is not known; known are callback-1",
        ),
        (
            "on = [\"test\"]\nshell = \"x\"\nafter = \"callback-1\"",
            "4: callback.after: waits for itself, by way of \"callback-1\"",
        ),
    ] {
        assert_eq!(lines(&format!("[[callback]]\n{text}")), [format!("c.toml:{want}")], "{text}");
    }
    let named = |name: &str, after: &str| format!("{HEAD}name = \"{name}\"\nafter = \"{after}\"\nshell = \"x\"\n");
    assert_eq!(
        lines(&[named("a", "c"), named("b", "a"), named("c", "b"), named("d", "c")].concat()),
        ["c", "a", "b"]
            .iter()
            .enumerate()
            .map(|(n, by)| { format!("c.toml:{}: callback.after: waits for itself, by way of \"{by}\"", 5 * n + 4) })
            .collect::<Vec<_>>(),
        "and d is told of none of it"
    );
    let twice = format!(
        "{HEAD}shell = \"x\"\nname = \"callback-2\"\n{HEAD}shell = \"x\"\n{HEAD}shell = \"x\"\nname = \"callback-2\"\n"
    );
    assert_eq!(lines(&twice), ["c.toml:11: callback.name: another callback is called \"callback-2\" too"]);
    let many = format!("{HEAD}shell = \"x\"\n").repeat(33);
    assert_eq!(lines(&many), ["c.toml:1: callback: has 33 entries, at most 32 are allowed"]);
}

#[test]
fn what_is_unwise() {
    let warned = |text: &str| good(text).warnings;
    assert_eq!(
        warned(&format!("{HEAD}run = [\"/nonexistent/x\"]")),
        ["c.toml:3: callback.run: there is no \"/nonexistent/x\" on this machine"]
    );
    let other = format!("[[callback]]\non = [\"offline\"]\nshell = \"x\"\n{HEAD}shell = \"x\"\nafter = \"callback-1\"");
    assert_eq!(
        warned(&other),
        ["c.toml:7: callback.after: \"callback-1\" has no kind of event in common with it: it never waits"]
    );
}
