//! What hosts are short of, by what they say of themselves.

use serde_json::{Value, json};

use super::{channel, hook, names, only, reload, standing, state, told};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir, wait_for};

const KEY: &str = SECRETS[0];

fn server(more: &str) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"500ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 1\n{more}"
    )
}

fn beat(beater: &mut Beater, readings: &Value) {
    let mut report = beater.report();
    report["data"] = json!({ "res": readings });
    beater.say(&report).unwrap();
}

#[test]
fn a_server_checks_what_its_hosts_say_and_knows_nothing_of_those_that_are_down() {
    let (hook, dir) = (hook(), TempDir::new());
    let limits = [&*only(&["memory", "disk"]), "disks = []\nhosts = [\"n*\", \"quiet\", \"self\"]\n"].concat();
    let config = server(&[&*limits, &channel(&hook)].concat());
    let mut daemon = Daemon::start(dir.path(), &config);
    let address = daemon.ready();
    let beater = |name: &str| Beater::new(address, KEY, name);
    let [mut nas, mut own, mut other, mut quiet, mut next] = ["nas", "self", "other", "quiet", "next"].map(beater);
    let short = json!({"mem": 99, "disk": 97, "at": "/srv", "load": 1e9, "temp": "hot"});
    assert!(daemon.ask(&["silence", "quiet"]).status.success());
    // One that checks itself, one that is silenced and one that is not asked for, before one that is told.
    beat(&mut own, &json!({"mem": 99, "disk": 99, "chk": true}));
    beat(&mut other, &short);
    beat(&mut quiet, &short);
    beat(&mut nas, &short);
    let high = hook.wait(2, |asked| asked.tells("resource.high", "nas"));
    println!("{}", high[0].text());
    let server_name = format!("vps@{}", daemon.name());
    assert!(high.iter().all(|asked| asked.json()["facts"]["server"] == *server_name));
    assert_eq!(state(&daemon, "quiet", "memory").as_deref(), Some("high"), "whoever asks sees it");
    assert_eq!(state(&daemon, "self", "memory"), None);
    assert_eq!(state(&daemon, "other", "memory"), None);
    assert!(names(&hook).iter().all(|name| name.contains(" nas ")), "{:?}", names(&hook));
    assert!(daemon.ask(&["unsilence", "quiet"]).status.success());
    hook.wait(2, |asked| asked.tells("resource.high", "quiet"));
    // Its host is down: that is not normal. And nobody is told anything new, also after a crash.
    nas.period = 0.3;
    beat(&mut nas, &short);
    hook.wait(1, |asked| asked.tells("offline", "nas"));
    let unknown = || wait_for("it is unknown", || (state(&daemon, "nas", "disk /srv")? == "unknown").then_some(()));
    unknown();
    assert!(standing(&daemon, "nas", "disk /srv").unwrap()["value"].is_null());
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    let address = daemon.ready();
    for beater in [&mut nas, &mut next] {
        beater.server = address;
    }
    wait_for("it is unknown still", || (state(&daemon, "nas", "disk /srv")? == "unknown").then_some(()));
    // Another one is told, so that a look has been made since.
    beat(&mut next, &short);
    hook.wait(2, |asked| asked.tells("resource.high", "next"));
    let before = names(&hook);
    assert_eq!(before.iter().filter(|name| name.contains(" nas ")).count(), 2, "{before:?}");
    // Fresh readings end it; one says nothing of the memory, so that stays unknown.
    nas.period = 30.0;
    beat(&mut nas, &json!({"disk": 20, "at": "/"}));
    let normal = hook.wait(1, |asked| asked.tells("resource.normal", "nas"));
    assert_eq!(normal[0].json()["facts"]["resource"], "disk /srv");
    assert!(normal[0].json()["facts"]["duration"].is_number());
    assert_eq!(state(&daemon, "nas", "memory").as_deref(), Some("unknown"));
    // A host that is forgotten takes its incidents along.
    assert!(daemon.ask(&["forget", "nas"]).status.success());
    wait_for("it is forgotten", || state(&daemon, "nas", "memory").is_none().then_some(()));
    let told = told(&hook);
    let of_nas: Vec<&str> = told.iter().map(|(name, _)| &**name).filter(|name| name.contains(" nas ")).collect();
    let (memory, disk) = ("resource.high nas memory", "resource.high nas disk /srv");
    assert_eq!(of_nas, [memory, disk, "resource.normal nas disk /srv"]);
}

#[test]
fn a_host_without_channels_is_told_by_its_server_once() {
    let (hook, dirs) = (hook(), [TempDir::new(), TempDir::new()]);
    let limits = [&*only(&["memory"]), "memory = { high = 1, clear = 0 }\ndisks = []\n"].concat();
    let mut daemon = Daemon::start(dirs[0].path(), &server(&[&*limits, &channel(&hook)].concat()));
    let address = daemon.ready();
    let vps = format!("vps@{}", daemon.name());
    hook.wait(1, |asked| asked.tells("resource.high", &vps));
    let client = |memory: &str| {
        let uri = format!("[keepalive]\nperiod = 0.5\n[keepalive.client]\nuri = \"ic://default:{KEY}@{address}\"\n");
        ["name = \"nas\"\n", &uri, &only(&["memory"]), memory].concat()
    };
    let mut nas = Daemon::start(dirs[1].path(), &client("memory = { high = 1, clear = 0 }\n"));
    nas.wait_line("ready");
    let me = format!("nas@{}", nas.name());
    let high = hook.wait(1, |asked| asked.tells("resource.high", &me));
    nas.kill();
    let mut nas = Daemon::start(dirs[1].path(), &client("memory = { high = 1, clear = 0 }\n"));
    nas.wait_line("ready");
    wait_for("a look", || (state(&nas, &me, "memory")? == "high").then_some(()));
    reload(dirs[1].path(), &client("memory = { high = 100, clear = 99 }\n"));
    let normal = hook.wait(1, |asked| asked.tells("resource.normal", &me));
    assert_eq!(high[0].json()["incident"], normal[0].json()["incident"]);
    println!("{}\n{}", high[0].text(), normal[0].text());
    let of_nas = names(&hook).into_iter().filter(|name| name.contains(&me)).collect::<Vec<_>>();
    assert_eq!(of_nas, [format!("resource.high {me} memory"), format!("resource.normal {me} memory")]);
    assert_eq!(state(&daemon, &me, "memory"), None, "it checks itself");
}
