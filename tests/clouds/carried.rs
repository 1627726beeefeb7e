//! What a cloud announces to a host without channels, and what becomes of it when the configuration changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use interrupt_callback::clock;
use serde_json::Value;

use super::mock::Kind;
use super::{COMES, Cloud, GOES, answer, hook, script};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for, wait_within};

/// Blindness is told after a minute.
const LONG: Duration = Duration::from_secs(120);

fn watcher(dir: &TempDir, hook: &FakeHttp) -> Daemon {
    let config = format!(
        "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n",
        SECRETS[0],
        hook.url("/hook")
    );
    Daemon::start(dir.path(), &config)
}

fn mute(cloud: &Cloud, name: &str, port: u16, more: &str) -> String {
    format!(
        "name = \"web\"\nprovider = \"{name}\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n{more}\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"ic://default:{}@127.0.0.1:{port}\"\n",
        cloud.http.url(""),
        SECRETS[0]
    )
}

/// Has `daemon` follow `config` from now on.
fn reload(daemon: &Daemon, dir: &TempDir, config: &str) {
    let (state, control) = (dir.join("state"), dir.join("run/control"));
    let dirs = format!("state_dir = {state:?}\ncontrol = {control:?}\n");
    std::fs::write(dir.join("config.toml"), dirs + config).unwrap();
    let output = daemon.ask(&["reload"]);
    assert!(output.status.success(), "{output:?}");
}

/// The first incident of this kind in the history: whether it has ended.
fn ended(daemon: &Daemon, kind: &str) -> Option<bool> {
    let output = daemon.ask(&["history", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Value = serde_json::from_str(&text).unwrap();
    let row = rows.as_array()?.iter().find(|row| row["kind"] == kind)?.clone();
    Some(!row["ended"].is_null())
}

#[test]
#[ignore = "long: it waits until a notice counts as withdrawn"]
fn the_server_tells_of_a_host_without_channels_and_of_its_end() {
    std::thread::scope(|scope| {
        for (name, kind, begin, fact) in [
            ("AWS", Kind::Rebalance, "rebalance", "instance"),
            ("AWS", Kind::Maintenance, "maintenance", "deadline"),
            ("GoogleCloud", Kind::Maintenance, "maintenance", "lead"),
            ("Azure", Kind::Maintenance, "maintenance", "action"),
            ("GoogleCloud", Kind::Interrupt, "interrupt", "lead"),
        ] {
            scope.spawn(move || {
                let (a, b, hook, cloud) = (TempDir::new(), TempDir::new(), hook(), Cloud::start(script(name, kind)));
                let mut vps = watcher(&a, &hook);
                let port = vps.ready().port();
                let mut web = Daemon::start(b.path(), &mute(&cloud, name, port, ""));
                web.wait_line("(vps@");
                wait_for("quiet", || (web.status()["spot"]["state"] == "quiet").then_some(()));
                cloud.set(COMES);
                let told = hook.posts(1).remove(0).json();
                println!("{name}: {told:#}");
                assert_eq!(told["kind"], begin);
                assert!(told["subject"].as_str().unwrap().starts_with("web@") && !told["facts"][fact].is_null());
                assert!(told["facts"]["server"].as_str().unwrap().starts_with("vps@"), "{told:#}");
                wait_for("the history", || (ended(&vps, begin) == Some(false)).then_some(()));
                cloud.set(GOES);
                let over = hook.posts(2).remove(1).json();
                println!("{name}: {over:#}");
                assert_eq!(over["incident"], told["incident"]);
                assert!(!over["facts"]["duration"].is_null(), "{over:#}");
                wait_for("the history", || (ended(&vps, begin) == Some(true)).then_some(()));
                assert_eq!(hook.asked().len(), 2, "each once");
            });
        }
    });
}

#[test]
#[ignore = "long: blindness is told after 60 s"]
fn the_server_tells_that_a_host_without_channels_is_blind() {
    let (a, b, hook, cloud) = (TempDir::new(), TempDir::new(), hook(), Cloud::start(script("AWS", Kind::Interrupt)));
    let mut vps = watcher(&a, &hook);
    let port = vps.ready().port();
    let script = script("AWS", Kind::Interrupt);
    cloud.http.set(|_| Answer::status(500, "broken"));
    let _web = Daemon::start(b.path(), &mute(&cloud, "AWS", port, ""));
    let told = wait_within(LONG, "the alert", || hook.asked().first().map(Asked::json));
    println!("{told:#}");
    assert!(told["kind"] == "blind" && told["subject"].as_str().unwrap().starts_with("web@"));
    assert!(!told["facts"]["hint"].is_null());
    cloud.http.set(move |asked| answer(&script, asked, 0, Duration::ZERO));
    let over = hook.posts(2).remove(1).json();
    assert!(over["kind"] == "seeing" && over["incident"] == told["incident"], "{over:#}");
}

#[test]
fn what_is_switched_off_ends_in_every_history_and_nobody_is_told() {
    let (a, b, hook) = (TempDir::new(), TempDir::new(), hook());
    let cloud = Cloud::start(script("AWS", Kind::Rebalance));
    cloud.set(COMES);
    let mut vps = watcher(&a, &hook);
    let port = vps.ready().port();
    let mut web = Daemon::start(b.path(), &mute(&cloud, "AWS", port, ""));
    web.wait_line("ready");
    hook.posts(1);
    assert_eq!((ended(&vps, "rebalance"), ended(&web, "rebalance")), (Some(false), Some(false)));
    reload(&web, &b, &mute(&cloud, "AWS", port, "rebalance = false"));
    for daemon in [&web, &vps] {
        wait_for("its end", || (ended(daemon, "rebalance") == Some(true)).then_some(()));
    }
    wait_for("quiet", || (web.status()["spot"]["state"] == "quiet").then_some(()));
    // Without a provider, too.
    reload(&web, &b, &mute(&cloud, "AWS", port, ""));
    hook.posts(2);
    let with = mute(&cloud, "AWS", port, "");
    let without = format!("name = \"web\"\n{}", &with[with.find("[keepalive]").unwrap()..]);
    reload(&web, &b, &without);
    let open = |daemon: &Daemon| String::from_utf8(daemon.ask(&["history"]).stdout).unwrap().contains("lasts");
    for daemon in [&web, &vps] {
        wait_for("its end", || (!open(daemon)).then_some(()));
    }
    assert_eq!(hook.asked().len(), 2, "{:#?}", hook.asked());
}

#[test]
fn a_request_that_is_held_delays_neither_a_reload_nor_the_end() {
    let (hook, dir, script) = (hook(), TempDir::new(), script("GoogleCloud", Kind::Interrupt));
    let held = Arc::new(Mutex::new(0));
    let inside = Arc::clone(&held);
    // It holds for ever what it is asked to hold.
    let service = move || {
        let (script, held) = (script.clone(), Arc::clone(&inside));
        FakeHttp::start(move |asked: &Asked| {
            if asked.path.contains("wait_for_change=true") {
                *held.lock().unwrap() += 1;
                return Answer::Hang;
            }
            answer(&script, asked, 0, COMES.saturating_sub(Duration::from_secs(1)))
        })
    };
    let config = |http: &FakeHttp| {
        format!(
            "provider = \"GoogleCloud\"\n[spot]\nmaintenance = false\nendpoint = \"{}\"\n[alert.webhook]\nurl = \"{}\"\n",
            http.url(""),
            hook.url("/hook")
        )
    };
    let is_held = |n: usize| wait_for("a held request", || (*held.lock().unwrap() >= n).then_some(()));
    let (one, two) = (service(), service());
    let mut daemon = Daemon::start(dir.path(), &config(&one));
    daemon.wait_line("ready");
    is_held(1);
    reload(&daemon, &dir, &config(&two));
    is_held(2);
    assert!(!two.asked().is_empty(), "the second is asked while the first holds a request for ever");
    let begun = clock::tick();
    assert!(daemon.stop().success());
    println!("ended after {:?}", clock::tick().since(begun));
    assert_eq!(hook.asked().len(), 0);
}
