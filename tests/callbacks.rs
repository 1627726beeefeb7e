//! Callbacks of a real daemon: what they are given, what they may not do, and what becomes of them.

mod enemies;
mod faults;
mod order;
mod stops;

use std::fs;
use std::path::Path;

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use interrupt_callback::clock::{self, Wall};
use interrupt_callback::zone::Zone;
use serde_json::Value;

/// A server that listens somewhere, and a webhook.
fn head(hook: &FakeHttp) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\nnum = 2\n\
         [alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n",
        SECRETS[0],
        hook.url("/hook")
    )
}

fn hook() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok(""))
}

/// The messages of `kind` that came, once there are `count`.
fn told(hook: &FakeHttp, kind: &str, count: usize) -> Vec<Value> {
    hook.wait(count, |asked| asked.path == "/hook" && asked.json()["kind"] == kind).iter().map(Asked::json).collect()
}

/// How many events of `kind` were told, each by itself or among others.
fn count(hook: &FakeHttp, kind: &str) -> usize {
    let mut count = 0;
    for message in hook.asked().iter().filter(|asked| asked.path == "/hook").map(Asked::json) {
        let members = message["members"].as_array().cloned().unwrap_or_else(|| vec![message]);
        count += members.iter().filter(|event| event["kind"] == kind).count();
    }
    count
}

/// The text of a file once it ends with `end`.
fn file(path: &Path, end: &str) -> String {
    wait_for("a file", || fs::read_to_string(path).ok().filter(|text| text.ends_with(end)))
}

/// Whether no such process runs.
fn gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Err(_) => true,
        Ok(stat) => stat.contains(") Z "),
    }
}

/// An Alibaba instance that is told to go in 290 s once `notice` is true.
fn alibaba(notice: bool) -> impl FnMut(&Asked) -> Answer + Send {
    let time = Zone::utc().rfc3339(Wall(clock::wall().0 + 290_000)).replace("+00:00", "Z");
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", _) => Answer::ok("token"),
        ("GET", "/latest/dynamic/instance-identity/document") => Answer::ok(
            r#"{"instance-id":"i-abc","zone-id":"z","region-id":"r","private-ipv4":"10.0.0.1","instance-type":"t"}"#,
        ),
        ("GET", path) if notice && path.ends_with("/spot/termination-time") => Answer::ok(&time),
        _ => Answer::status(404, ""),
    }
}

#[test]
fn a_notice_saves_calls_and_tells_at_the_same_moment() {
    let (cloud, hook) = (FakeHttp::start(alibaba(false)), hook());
    let dir = TempDir::new();
    let failing = std::sync::atomic::AtomicBool::new(true);
    let api = FakeHttp::start(move |_| {
        let first = failing.swap(false, std::sync::atomic::Ordering::SeqCst);
        if first { Answer::status(503, "later") } else { Answer::ok("") }
    });
    let saved = dir.join("saved");
    let config = format!(
        "name = \"web-1\"\nprovider = \"AliCloud\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n[alert.hook]\nkind = \"webhook\"\n\
         url = \"{}\"\n[[callback]]\nname = \"save\"\non = [\"interrupt\"]\nenv = {{ OUT = {saved:?}, KEY = \"{}\" }}\n\
         shell = \"env | sort > $OUT.env; cat > $OUT.json; pwd; echo key is $KEY; echo x >> $OUT.runs\"\n\
         [[callback]]\nname = \"call\"\non = [\"interrupt\"]\nurl = \"{}\"\nbody = {{ who = \"{{host}}\", what = \"{{kind}}\" }}\n",
        cloud.url(""),
        hook.url("/hook"),
        SECRETS[0],
        api.url("/replace/{host}"),
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    wait_for("a quiet cloud", || (daemon.status()["spot"]["state"] == "quiet").then_some(()));
    cloud.set(alibaba(true));
    let alert = told(&hook, "interrupt", 1).remove(0);
    let done = told(&hook, "callback.done", 2);
    for (name, result) in ["save", "call"].iter().zip([", /", ""]) {
        let event = done.iter().find(|done| done["facts"]["callback"] == **name).unwrap();
        assert_eq!((&event["incident"], &event["severity"]), (&alert["incident"], &Value::from("info")), "{result}");
        assert_eq!(event["facts"]["cause"], format!("interrupt web-1@{}", daemon.name()));
        assert!(event["title"].as_str().unwrap().ends_with(&format!("callback done: {name}")), "{event}");
    }
    let save = done.iter().find(|done| done["facts"]["callback"] == "save").unwrap();
    assert_eq!(save["facts"]["output"], "/ key is ***");

    // What the program was given: the event, the variables, and no others.
    let json: Value = serde_json::from_str(&fs::read_to_string(saved.with_extension("json")).unwrap()).unwrap();
    assert_eq!((&json["id"], &json["facts"]["instance"]), (&alert["id"], &Value::from("i-abc")));
    let env = fs::read_to_string(saved.with_extension("env")).unwrap();
    let value = |name: &str| env.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    assert_eq!((&*value("IC_EVENT"), &*value("IC_INSTANCE_ID"), &*value("IC_TEST")), ("interrupt", "i-abc", ""));
    assert_eq!(value("IC_HOST"), format!("web-1@{}", daemon.name()));
    assert_eq!(value("IC_DEADLINE"), alert["facts"]["deadline"].as_str().unwrap());
    let left: u64 = value("IC_SECONDS_LEFT").parse().unwrap();
    let limit: u64 = value("IC_TIME_LIMIT").parse().unwrap();
    assert!((200..=290).contains(&left) && limit + 9 <= left, "{left} {limit}");
    for line in env.lines().filter(|line| line.contains('=')) {
        let name = line.split('=').next().unwrap();
        let ours = name.starts_with("IC_") || ["PATH", "OUT", "KEY", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
        assert!(ours || !name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{line}");
    }

    // The request was tried again.
    let calls = api.posts(2);
    assert_eq!(calls[1].path, format!("/replace/web-1%40{}", daemon.name()));
    assert_eq!(calls[1].json(), serde_json::json!({"who": format!("web-1@{}", daemon.name()), "what": "interrupt"}));

    // Figures of each step, and nothing of it again after a restart.
    for step in [
        "callback save: starts ",
        "callback call: starts ",
        "callback save: exit code 0 after ",
        "callback call: called after ",
    ] {
        let output = daemon.output();
        let line = output.lines().find(|line| line.contains(step)).unwrap_or_else(|| panic!("{step}\n{output}"));
        println!("{line}");
        assert!(line.contains(" ms"), "{line}");
    }
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    let polls = cloud.asked().len();
    cloud.wait(polls + 6, |_| true);
    assert_eq!(daemon.status()["spot"]["state"], "notice");
    assert_eq!(fs::read_to_string(saved.with_extension("runs")).unwrap(), "x\n");
    assert!(!daemon.output().contains("callback save"), "{}", daemon.output());
}

#[test]
fn a_hung_channel_holds_up_no_callback() {
    let hook = FakeHttp::start(|_| Answer::Hang);
    let dir = TempDir::new();
    let out = dir.join("out");
    let config = head(&hook)
        + &format!(
            "[[callback]]\non = [\"interrupt\"]\nsimulate = true\nshell = \"echo $IC_TEST >> {}\"\n",
            out.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "interrupt"]).status.success());
    assert_eq!(file(&out, "\n"), "1\n");
    let status = daemon.status();
    wait_for("the result", || daemon.status()["callbacks"][0]["last"]["good"].as_bool().filter(|good| *good));
    assert_eq!(status["callbacks"][0]["name"], "callback-1");
    let table = String::from_utf8(daemon.ask(&["status"]).stdout).unwrap();
    assert!(table.contains("callback-1  ready  0        exit code 0, "), "{table}");
}

#[test]
fn an_exercise_starts_only_what_is_marked() {
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    let callback = |name: &str, more: &str| {
        format!(
            "[[callback]]\nname = \"{name}\"\non = [\"interrupt\"]\nshell = \"echo {name} >> {}\"\n{more}\n",
            out.display()
        )
    };
    let config = head(&hook) + &callback("real", "") + &callback("marked", "simulate = true");
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "interrupt"]).status.success());
    daemon.wait_line("callback real: not started for interrupt");
    let done = told(&hook, "callback.done", 1).remove(0);
    assert_eq!((&done["test"], &done["facts"]["callback"]), (&Value::from(true), &Value::from("marked")));
    assert_eq!(file(&out, "\n"), "marked\n");
}
