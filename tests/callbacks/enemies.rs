//! Programs that do not do as they should, and strangers who choose their words.

use std::fs;

use serde_json::json;

use super::common::beat::Beater;
use super::common::daemon::Daemon;
use super::common::{SECRETS, TempDir, wait_for};
use super::{count, file, gone, head, hook, told};

#[test]
fn whatever_a_program_does_it_is_dead_at_its_limit_and_told() {
    let (hook, dir) = (hook(), TempDir::new());
    let pids = dir.join("pids");
    let programs = [
        // Forks a sleeping grandchild and waits for it.
        ("forks", format!("sleep 1000 & echo $! >> {}; wait", pids.display())),
        // Ends at once, but not what it leaves behind.
        ("leaves", format!("sleep 1001 & echo $! >> {}; exit 0", pids.display())),
        ("prints", "head -c 256M /dev/zero | tr '\\\\0' x".to_owned()),
        ("prints-on", "yes".to_owned()),
        ("ignores", format!("trap '' TERM; echo $$ >> {}; while :; do sleep 1; done", pids.display())),
        ("sleeps", "exec sleep 1002".to_owned()),
        ("stops", format!("echo $$ >> {}; kill -STOP $$", pids.display())),
    ];
    let mut config = head(&hook);
    for (name, line) in &programs {
        let time = if *name == "prints" { 60 } else { 2 };
        config += &format!(
            "[[callback]]\nname = \"{name}\"\non = [\"offline\"]\nhosts = [\"victim\"]\ntimeout = {time}\nshell = \"{line}\"\n"
        );
    }
    config += "[[callback]]\nname = \"missing\"\non = [\"offline\"]\nhosts = [\"victim\"]\nrun = [\"/nonexistent/program\"]\n";
    config += "[[callback]]\nname = \"nowhere\"\non = [\"offline\"]\nhosts = [\"victim\"]\nrun = [\"true\"]\ndir = \"/nonexistent\"\n";
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    let before = daemon.proc_status("VmHWM");
    let host = |name: &str| {
        let mut host = Beater::new(server, SECRETS[0], name);
        host.period = 0.5;
        host.beat().unwrap();
    };
    host("victim");
    daemon.wait_line("callback sleeps: starts");
    // Silences are still found while all that runs.
    host("other");
    wait_for("the other's silence", || hook.asked().iter().any(|asked| asked.tells("offline", "other")).then_some(()));
    wait_for("seven failures", || (count(&hook, "callback.failed") == 7).then_some(()));
    wait_for("two successes", || (count(&hook, "callback.done") == 2).then_some(()));
    let status = daemon.status();
    let of = |name: &str| {
        let found = status["callbacks"].as_array().unwrap().iter().find(|callback| callback["name"] == name);
        found.unwrap()["last"].clone()
    };
    for name in ["forks", "prints-on", "ignores", "sleeps", "stops"] {
        assert_eq!(of(name)["result"], "not done in time, killed", "{name}");
    }
    assert_eq!(of("leaves")["result"], "exit code 0");
    assert!(of("missing")["result"].as_str().unwrap().starts_with("/nonexistent/program: "), "{}", of("missing"));
    assert!(of("nowhere")["result"].as_str().unwrap().starts_with("/nonexistent: "), "{}", of("nowhere"));
    for output in ["output", "output_end"] {
        assert_eq!(of("prints")[output], "x".repeat(4096));
    }
    assert_eq!(of("prints")["output_dropped"], (256 << 20) - 2 * 4096);
    let pids = fs::read_to_string(&pids).unwrap();
    assert_eq!(pids.lines().count(), 4);
    for pid in pids.lines() {
        wait_for("the end of all", || gone(pid).then_some(()));
    }
    let grown = daemon.proc_status("VmHWM") - before;
    println!("peak memory grew by {grown} kB over {before} kB");
    assert!(grown < 8 * 1024, "{grown} kB");
}

/// Who chooses his words so that somebody else's shell might run them.
const HOSTILE: [&str; 9] = [
    "a; touch CANARY",
    "$(touch CANARY)",
    "`touch CANARY`",
    "--help",
    "-rf",
    "a' ; touch CANARY #",
    "a\" && touch CANARY || \"",
    "| touch CANARY",
    "{title}%s%n${IC_TITLE}",
];

#[test]
fn words_of_strangers_stay_words() {
    let (hook, dir) = (hook(), TempDir::new());
    let (out, canary) = (dir.join("out"), dir.join("canary"));
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"line\"\non = [\"interrupt\"]\nenv = {{ OUT = {out:?} }}\n\
             shell = \"printf '%s|%s|' \\\"$IC_HOST\\\" \\\"$IC_INSTANCE_ID\\\" >> \\\"$OUT\\\"; cat >> \\\"$OUT\\\"\"\n\
             [[callback]]\nname = \"words\"\non = [\"interrupt\"]\nrun = [\"env\"]\n\
             [[callback]]\nname = \"call\"\non = [\"interrupt\"]\nurl = \"{}\"\nheaders = {{ X-Who = \"{{host}}\" }}\nbody = \"{{instance}}\"\n",
            hook.url("/call?who={host}"),
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    for (number, words) in HOSTILE.iter().enumerate() {
        let words = words.replace("CANARY", canary.to_str().unwrap());
        let mut host = Beater::new(server, SECRETS[0], &words.replace(['"', '\\'], "'"));
        host.run = format!("run {number}");
        host.beat().unwrap();
        let mut report = host.report();
        let nasty = format!("{words}\n{words}\r\0{words}");
        report["data"] = json!({"notices": [{"id": format!("{:016x}", number + 1), "incident": format!("{:016x}", number + 100),
            "kind": "interrupt", "severity": "critical", "age": 0, "left": 600, "told": false,
            "facts": [["instance", nasty], ["action", nasty]]}]});
        host.say(&report).unwrap();
    }
    told(&hook, "callback.done", 3 * HOSTILE.len());
    let text = file(&out, "\n");
    for words in HOSTILE {
        let words = words.replace("CANARY", canary.to_str().unwrap()).replace(['"', '\\'], "'");
        assert!(text.contains(&format!("{words}|")), "{words}\n{text}");
    }
    assert_eq!(text.lines().count(), HOSTILE.len(), "nobody can begin a line: {text}");
    let calls = hook.wait(HOSTILE.len(), |asked| asked.path.starts_with("/call?who="));
    for call in calls {
        assert!(call.header("x-who").is_some() && call.headers.len() < 12, "{call:?}");
        assert!(!call.path.contains([' ', '$', '`', ';', '"']), "{call:?}");
    }
    assert!(!canary.exists(), "something was run");
}
