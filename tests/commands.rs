//! What users type and what the daemon answers: silences, history, key rotation, and the signs that it lives.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Output;

use crate::common::beat::{Beater, old};
use crate::common::daemon::{Daemon, run};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, SOON, TempDir, wait_for};
use serde_json::Value;

const KEY: &str = SECRETS[0];
const OLD_KEY: &str = SECRETS[1];

fn server(more: &str) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"200ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 2\n{more}\n"
    )
}

fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn host<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["hosts"].as_array().unwrap().iter().find(|host| host["name"] == name).unwrap()
}

#[test]
fn silences_are_said_shown_kept_and_taken_back() {
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(""));
    let address = watcher.ready();
    for name in ["web-1@lan", "web-2@lan", "nas@home"] {
        Beater::new(address, KEY, name).beat().unwrap();
    }
    let ask = |watcher: &Daemon, line: &str| said(&watcher.ask(&line.split(' ').collect::<Vec<_>>()));

    let (code, text) = ask(&watcher, "silence nas@home --for 2h");
    assert!(code == 0 && text.starts_with("nas@home: silenced until 20") && text.ends_with("+00:00\n"), "{text}");
    assert_eq!(
        ask(&watcher, "silence new@home"),
        (0, "new@home: silenced until unsilence; it is not on the roster\n".into())
    );
    assert_eq!(ask(&watcher, "silence db*"), (0, "db*: silenced until unsilence; no host matches now\n".into()));
    let healthy = "silenced until it has been down and is back";
    assert_eq!(
        ask(&watcher, "silence web-*@lan --until-healthy"),
        (0, format!("web-1@lan: {healthy}\nweb-2@lan: {healthy}\n"))
    );
    let (code, text) = ask(&watcher, "silence x* --until-healthy");
    assert!(code == 1 && text.contains("no host matches \"x*\""), "{text}");

    let status = watcher.status();
    println!("{status}");
    let globs: Vec<&str> = status["silences"].as_array().unwrap().iter().map(|s| s["glob"].as_str().unwrap()).collect();
    assert_eq!(globs, ["nas@home", "new@home", "db*", "web-1@lan", "web-2@lan"]);
    assert!(status["silences"][0]["until"].is_string() && status["silences"][3]["until_healthy"] == true, "{status}");
    assert_eq!(host(&status, "nas@home")["silenced"], true);
    let (_, table) = ask(&watcher, "status");
    assert!(table.contains("silenced: new@home until unsilence") && table.contains("  silenced\n"), "{table}");

    assert!(watcher.stop().success());
    let mut watcher = Daemon::start(dir.path(), &server(""));
    watcher.ready();
    assert_eq!(watcher.status()["silences"], status["silences"], "the same ends after a restart");

    assert_eq!(ask(&watcher, "unsilence web-1@lan"), (0, "web-1@lan: no longer silenced\n".into()));
    assert_eq!(ask(&watcher, "unsilence *"), (0, "*: no longer silenced\n".into()));
    assert_eq!(watcher.status()["silences"].as_array().unwrap().len(), 0);
    let (code, text) = ask(&watcher, "unsilence nas@home");
    assert!(code == 1 && text.contains("no silence is called \"nas@home\""), "{text}");
}

#[test]
fn windows_are_shown() {
    let dir = TempDir::new();
    let config = server("") + "[[window]]\ntime = \"0:00-24:00\"\nhosts = [\"web*\"]\n";
    let mut watcher = Daemon::start(dir.path(), &config);
    let address = watcher.ready();
    for name in ["web-1@lan", "nas@home"] {
        Beater::new(address, KEY, name).beat().unwrap();
    }
    let status = watcher.status();
    assert_eq!(
        (&host(&status, "web-1@lan")["window"], &host(&status, "nas@home")["window"]),
        (&true.into(), &Value::Null)
    );
    let (_, table) = said(&watcher.ask(&["status"]));
    assert!(table.contains("  in a window\n"), "{table}");
}

#[test]
#[ignore = "long: it waits for a server that doubts itself"]
fn why_a_silence_is_not_told_is_shown() {
    let dir = TempDir::new();
    let config = server("expect = [\"printer@office\"]").replace("grace =", "period = 1\ngrace =");
    let mut watcher = Daemon::start(dir.path(), &config);
    let address = watcher.ready();
    let (_, table) = said(&watcher.ask(&["status"]));
    assert!(table.contains("no host has been heard of yet"), "{table}");
    watcher.wait_line("offline: printer@office");
    let status = wait_for("that it is told", || {
        Some(watcher.status()).filter(|status| host(status, "printer@office")["told"].is_string())
    });
    println!("{status}");
    let printer = host(&status, "printer@office");
    assert!(printer["last_beat"].is_null() && printer["address"].is_null(), "{printer}");
    assert!(status["held"].is_null(), "{status}");
    for name in ["web-1@lan", "web-2@lan", "nas@home"] {
        let mut beater = Beater::new(address, KEY, name);
        beater.period = 3.0;
        beater.beat().unwrap();
    }
    watcher.wait_line("held back for a while");
    let status = wait_for("a host that is held back", || {
        Some(watcher.status()).filter(|status| status["held"]["hosts"].as_u64().is_some_and(|hosts| hosts > 0))
    });
    println!("{status}");
    assert!(status["held"]["until"].is_string(), "{status}");
    assert!(status["hosts"].as_array().unwrap().iter().any(|host| host["held"] == true), "{status}");
    let (_, table) = said(&watcher.ask(&["status"]));
    println!("{table}");
    assert!(table.contains("held back: ") && table.contains("  not told yet\n"), "{table}");
    assert!(table.contains("printer@office  offline  never "), "{table}");
}

#[test]
fn the_history_is_kept() {
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(""));
    let mut nas = Beater::new(watcher.ready(), KEY, "nas@home");
    nas.period = 0.2;
    assert_eq!(said(&watcher.ask(&["history", "--json"])), (0, "[]\n".into()));
    assert_eq!(said(&watcher.ask(&["history"])), (0, "no incidents yet\n".into()));
    assert_eq!(said(&watcher.ask(&["history", "x*"])), (0, "no incidents of \"x*\"\n".into()));
    nas.beat().unwrap();
    watcher.wait_line("offline: nas@home");
    watcher.ask(&["simulate", "offline"]);
    watcher.wait_line("TEST offline");
    let history = |watcher: &Daemon, args: &[&str]| -> Value {
        let output = watcher.ask(&[&["history", "--json"], args].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let open = history(&watcher, &[]);
    assert_eq!(open.as_array().unwrap().len(), 1, "an exercise does not count: {open}");
    assert_eq!((&open[0]["kind"], &open[0]["lasts"]), (&"offline".into(), &true.into()), "{open}");
    nas.period = 30.0;
    nas.beat().unwrap();
    watcher.wait_line("online: nas@home");
    let ended = wait_for("the end", || Some(history(&watcher, &["nas*"])).filter(|ended| ended[0]["lasts"] == false));
    assert_eq!(ended[0]["incident"], open[0]["incident"]);
    assert!(ended[0]["duration"].as_f64().unwrap() >= 0.2 && ended[0]["ended"].is_string(), "{ended}");
    assert_eq!(history(&watcher, &["web*"]), Value::Array(Vec::new()));
    let (_, table) = said(&watcher.ask(&["history"]));
    println!("{table}");
    assert!(table.starts_with("KIND     SUBJECT   BEGAN"), "{table}");

    assert!(watcher.stop().success());
    let mut watcher = Daemon::start(dir.path(), &server(""));
    watcher.ready();
    assert_eq!(history(&watcher, &[]), ended, "the same after a restart");
    assert!(watcher.stop().success());
    let file = dir.join("state/history.json");
    assert!(fs::metadata(&file).unwrap().len() < 64 * 1024);
    for file in [&file, &dir.join("state/history.json.old")] {
        fs::write(file, "{\"seq\":1,\"json\":\"[").unwrap();
    }
    let mut watcher = Daemon::start(dir.path(), &server(""));
    watcher.ready();
    wait_for("the damage in the history", || {
        let all = history(&watcher, &[]);
        let kinds: Vec<&str> = all.as_array()?.iter().filter_map(|incident| incident["kind"].as_str()).collect();
        assert!(!kinds.contains(&"offline"), "what was damaged is gone: {all}");
        kinds.contains(&"state.damaged").then_some(())
    });
    assert!(dir.join("state/history.json.bad").exists());
}

#[test]
fn an_old_key_is_taken_and_shown() {
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(&format!("old_key = \"{OLD_KEY}\"\nauth = \"permissive\"")));
    let address = watcher.ready();
    Beater::new(address, KEY, "new").beat().unwrap();
    let mut late = Beater::new(address, OLD_KEY, "late");
    late.beat().unwrap();
    assert!(Beater::new(address, "neither-of-the-two-keys", "x").beat().unwrap_err().contains("denied"));
    assert!(old(address, OLD_KEY, "original").contains("see you next period"));
    assert_eq!(old(address, "neither-of-the-two-keys", "original"), "unauthorized");
    let status = watcher.status();
    let uses = |status: &Value, name: &str| host(status, name)["old_key"] == true;
    assert!(!uses(&status, "new") && uses(&status, "late") && uses(&status, "original"), "{status}");
    let (_, table) = said(&watcher.ask(&["status"]));
    println!("{table}");
    assert!(table.contains("  old key\n") && table.contains("  old key, key in clear\n"), "{table}");

    assert!(watcher.stop().success());
    let mut watcher = Daemon::start(dir.path(), &server(&format!("old_key = \"{OLD_KEY}\"")));
    let address = watcher.ready();
    assert!(uses(&watcher.status(), "late"), "remembered over a restart");
    let mut late_again = Beater::new(address, KEY, "late");
    late_again.seq = late.seq;
    late_again.beat().unwrap();
    assert!(!uses(&watcher.status(), "late"), "it has changed over");
}

#[test]
fn the_watchers_watcher_is_asked_while_the_watchdog_turns() {
    let upstream = FakeHttp::start(|_| Answer::ok("OK"));
    let dir = TempDir::new();
    let url = upstream.url(&format!("/ping/{}", SECRETS[2]));
    let config = server("") + &format!("[keepalive.upstream]\nurl = \"{url}\"\nperiod = 1\n");
    let mut watcher = Daemon::start(dir.path(), &config);
    watcher.ready();
    let pings = upstream.wait(3, |asked| asked.path.starts_with("/ping/"));
    assert!(pings.iter().all(|asked| asked.method == "GET" && asked.body.is_empty()), "{pings:?}");
    assert!(
        pings[2].at - pings[0].at >= std::time::Duration::from_millis(1900),
        "no more than one a period: {pings:?}"
    );
    upstream.set(|_| Answer::status(404, "not found"));
    watcher.wait_line("upstream: 127.0.0.1:");
    let before = upstream.asked().len();
    upstream.wait(before + 2, |_| true);
    upstream.set(|_| Answer::ok("OK"));
    watcher.wait_line("answers again");
    let output = watcher.output();
    assert_eq!(output.matches("HTTP 404").count(), 1, "said once: {output}");
}

#[test]
fn the_service_manager_sees_that_the_watchdog_turns() {
    let nowhere = format!("name = \"nas\"\n[keepalive.client]\nuri = \"ic://default:{KEY}@127.0.0.1:1\"\n");
    for config in [server(""), nowhere] {
        let dir = TempDir::new();
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let mut daemon = Daemon::start_with(dir.path(), &config, |command| {
            command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
        });
        daemon.wait_line("ready");
        let mut signs = 0;
        while signs < 5 {
            let mut bytes = [0; 256];
            let len = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error} after {signs} signs"));
            signs += usize::from(&bytes[..len] == b"WATCHDOG=1");
        }
        if config.contains("ic://") {
            let (code, text) = said(&daemon.ask(&["silence", "nas"]));
            assert!(code == 1 && text.contains("this daemon watches nobody"), "{text}");
        }
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_bad_file_is_told_by_reload_itself() {
    let dir = TempDir::new();
    let file = dir.join("bad.toml");
    fs::write(&file, "[keepalive.server]\nnmu = 3\nkey = \"a-key-of-enough-bytes\"\n").unwrap();
    let (code, text) = said(&run(&["reload", "-c", file.to_str().unwrap()]));
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("bad.toml:2: keepalive.server.nmu: unknown key; did you mean \"num\"?"), "{text}");
    fs::write(&file, format!("control = {:?}\n{}", dir.join("none"), server(""))).unwrap();
    for command in ["reload", "history", "unsilence x", "silence x", "note x"] {
        let args: Vec<&str> = command.split(' ').chain(["-c", file.to_str().unwrap()]).collect();
        let (code, text) = said(&run(&args));
        assert!(code == 1 && text.contains("no daemon answers"), "{command}: {code} {text}");
    }
}
