//! Which callback starts when, and for whom.

use std::fs;

use serde_json::json;

use super::{file, head, hook, told};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::Answer;
use crate::common::{SECRETS, TempDir, wait_for};

#[test]
fn one_after_the_other_and_rests() {
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    let callback = |name: &str, more: &str| {
        format!(
            "[[callback]]\nname = \"{name}\"\non = [\"offline\", \"online\"]\nsimulate = true\nreport = \"never\"\n\
             shell = \"echo {name} $IC_EVENT >> {}; test {name} != a\"\n{more}\n",
            out.display()
        )
    };
    let config = head(&hook) + &callback("b", "after = \"a\"") + &callback("a", "cooldown = \"1h\"");
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    assert_eq!(file(&out, "b offline\n"), "a offline\nb offline\n", "it failed, and the other follows all the same");
    assert!(daemon.ask(&["simulate", "online"]).status.success());
    told(&hook, "online", 1);
    wait_for("one that waits", || (daemon.status()["callbacks"][1]["waiting"] == 1).then_some(()));
    let table = String::from_utf8(daemon.ask(&["status"]).stdout).unwrap();
    assert!(table.contains("a         rests  1"), "{table}");
    // A reload without the rest; what runs or waits stays.
    let file_of = dir.join("config.toml");
    let changed = fs::read_to_string(&file_of).unwrap().replace("cooldown = \"1h\"", "cooldown = \"1s\"");
    fs::write(&file_of, changed).unwrap();
    let said = String::from_utf8(daemon.ask(&["reload"]).stdout).unwrap();
    assert!(said.contains("callback a") && !said.contains("callback b"), "{said}");
    assert_eq!(daemon.status()["callbacks"][1]["waiting"], 1, "the rest that has begun is kept");
    assert!(!hook.asked().iter().any(|asked| asked.text().contains("callback.")), "never told");
    // An interrupt rests for nobody.
    let named = "on = [\"offline\", \"online\"]";
    let changed = fs::read_to_string(&file_of).unwrap().replace(named, "on = [\"offline\", \"online\", \"interrupt\"]");
    fs::write(&file_of, changed).unwrap();
    assert!(daemon.ask(&["reload"]).status.success());
    assert!(daemon.ask(&["simulate", "interrupt"]).status.success());
    let text = file(&out, "b interrupt\n");
    assert!(text.starts_with("a offline\nb offline\na interrupt\n"), "{text}");
}

#[test]
fn a_notice_that_its_host_tells_starts_callbacks_at_once_and_is_not_told() {
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"drain\"\non = [\"interrupt\", \"interrupt.withdrawn\"]\nhosts = [\"web*\"]\n\
             shell = \"echo $IC_EVENT $IC_HOST $IC_INSTANCE_ID >> {}\"\n",
            out.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    let mut host = Beater::new(server, SECRETS[0], "web-1");
    host.beat().unwrap();
    let notice = |kind: &str, id: u64, delivered: bool| {
        json!({"id": format!("{id:016x}"), "incident": "00000000000000aa", "kind": kind, "severity": "critical",
            "age": 1, "left": 300, "told": true, "delivered": delivered, "facts": [["instance", "i-7"]]})
    };
    for _ in 0..3 {
        let mut report = host.report();
        report["data"] = json!({"notices": [notice("interrupt", 1, true)]});
        host.say(&report).unwrap();
    }
    assert_eq!(file(&out, "\n"), "interrupt web-1 i-7\n");
    let done = told(&hook, "callback.done", 1).remove(0);
    assert_eq!((&done["incident"], &done["facts"]["cause"]), (&json!("00000000000000aa"), &json!("interrupt web-1")));
    let mut report = host.report();
    report["data"] = json!({"notices": [notice("interrupt", 1, true), notice("interrupt.withdrawn", 2, true)]});
    host.say(&report).unwrap();
    assert_eq!(file(&out, "withdrawn web-1 i-7\n").lines().count(), 2);
    told(&hook, "callback.done", 2);
    assert!(!hook.asked().iter().any(|asked| asked.tells("interrupt", "web-1")), "its host told it");
}

#[test]
fn a_failed_callback_starts_one_more_and_no_chain() {
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    let line = |name: &str| format!("echo {name} $IC_CALLBACK $IC_EXIT_CODE >> {}; exit 4", out.display());
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"first\"\non = [\"offline\"]\nsimulate = true\nshell = \"{}\"\n\
             [[callback]]\nname = \"mend\"\non = [\"callback.failed\"]\nsimulate = true\nshell = \"{}\"\n",
            line("first"),
            line("mend")
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let failed = told(&hook, "callback.failed", 2);
    assert_eq!(failed[1]["facts"]["cause"], format!("callback.failed vps@{}", daemon.name()));
    // Something that comes after it has been heard.
    assert!(daemon.ask(&["simulate", "online"]).status.success());
    told(&hook, "online", 1);
    assert_eq!(file(&out, "\n"), "first\nmend first 4\n");
}

#[test]
fn requests_end_with_their_retries_or_with_what_a_person_must_mend() {
    let (hook, dir) = (hook(), TempDir::new());
    hook.set(|asked| match &*asked.path {
        "/busy" => Answer::status(503, "planted-hook-token"),
        "/gone" => Answer::status(404, "no such thing"),
        "/hang" => Answer::Hang,
        _ => Answer::ok(""),
    });
    let mut config = head(&hook);
    for (path, more) in [("/busy", "retries = 1"), ("/gone", ""), ("/hang", "timeout = 1")] {
        let name = &path[1..];
        let url = hook.url(path);
        config += &format!(
            "[[callback]]\nname = \"{name}\"\non = [\"offline\"]\nsimulate = true\nurl = \"{url}\"\nheaders = {{ K = \"{}\" }}\n{more}\n",
            SECRETS[2]
        );
    }
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let failed = told(&hook, "callback.failed", 3);
    for (name, why) in [
        ("busy", "127.0.0.1: HTTP 503: ***"),
        ("gone", "127.0.0.1: HTTP 404: no such thing"),
        ("hang", "127.0.0.1: no answer in time"),
    ] {
        let event = failed.iter().find(|event| event["facts"]["callback"] == name).unwrap();
        assert_eq!(event["facts"]["reason"], why);
    }
    let asked = hook.asked();
    for (path, count) in [("/busy", 2), ("/gone", 1), ("/hang", 1)] {
        assert_eq!(asked.iter().filter(|asked| asked.path == path).count(), count, "{path}");
    }
}

#[test]
fn a_reload_lets_runs_finish() {
    let (hook, dir) = (hook(), TempDir::new());
    let go = dir.join("go");
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"old\"\non = [\"offline\"]\nsimulate = true\nshell = \"until test -e {}; do sleep 0.05; done; echo old\"\n",
            go.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    daemon.wait_line("callback old: starts");
    let file_of = dir.join("config.toml");
    let changed = fs::read_to_string(&file_of).unwrap().replace("name = \"old\"", "name = \"new\"");
    fs::write(&file_of, changed).unwrap();
    let said = String::from_utf8(daemon.ask(&["reload"]).stdout).unwrap();
    assert!(said.contains("callback new; callback old gone"), "{said}");
    fs::write(&go, "").unwrap();
    let done = told(&hook, "callback.done", 1).remove(0);
    assert_eq!((&done["facts"]["callback"], &done["facts"]["output"]), (&json!("old"), &json!("old")));
    let broken = fs::read_to_string(&file_of).unwrap() + "after = \"nobody\"\n";
    fs::write(&file_of, broken).unwrap();
    assert_eq!(daemon.ask(&["reload"]).status.code(), Some(78));
    assert_eq!(daemon.status()["callbacks"][0]["name"], "new");
}
