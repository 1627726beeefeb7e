//! The state that another version of the program left: what was recorded of 0.1.0 is in `upgrade/`.
//!
//! It was left by a kill with `gone` and `late` offline, `back` back again, `up` silenced, everything told to channel
//! `a`, and to channel `b` all but the return of `back` and the silence of `late`.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::fs;
use std::path::Path;

use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use interrupt_callback::clock;

/// Wall time in milliseconds at which the recording was made.
const RECORDED: i64 = 1_795_287_140_000;
/// Digits of a wall time in milliseconds, from 2001 to 2286.
const DIGITS: usize = 13;
/// How long ago it is to have been made, in milliseconds: too long for a series of restarts.
const AGO: i64 = 1_200_000;

/// Copies the recording to `to`, as if it had been made [`AGO`].
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::write(to, shifted(&fs::read_to_string(from).unwrap())).unwrap();
        }
    }
}

fn shifted(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        match digits.parse::<i64>() {
            Ok(time) if digits.len() == DIGITS => out.push_str(&(time - RECORDED + clock::wall().0 - AGO).to_string()),
            _ => out.push_str(&digits),
        }
        digits.clear();
        out.push(letter);
    }
    out.pop();
    out
}

fn recorded(dir: &TempDir) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/state-0.1.0"), &dir.join("state"));
}

fn config(hook: &FakeHttp) -> String {
    let server = format!("[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\nnum = 2\n", SECRETS[0]);
    let channel =
        |name: &str| format!("[alert.{name}]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url(&format!("/{name}")));
    ["name = \"vps\"\n[keepalive]\ngrace = 1\n", &server, &channel("a"), &channel("b")].concat()
}

/// What was told: path, kind, subject, incident; each member by itself.
fn told(hook: &FakeHttp) -> Vec<String> {
    let mut told = Vec::new();
    for asked in hook.asked() {
        let message = asked.json();
        for event in message["members"].as_array().cloned().unwrap_or_else(|| vec![message.clone()]) {
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            told.push([asked.path.clone(), word("kind"), word("subject"), word("incident")].join(" "));
        }
    }
    told.sort();
    told
}

/// The hosts of `status`, each with its state.
fn hosts(daemon: &Daemon) -> Vec<(String, String)> {
    let status = daemon.status();
    let word = |host: &serde_json::Value, key: &str| host[key].as_str().unwrap_or_default().to_owned();
    let mut hosts: Vec<_> =
        status["hosts"].as_array().unwrap().iter().map(|host| (word(host, "name"), word(host, "state"))).collect();
    hosts.sort();
    hosts
}

#[test]
fn the_state_of_the_version_before_is_taken_over_whole() {
    let (hook, dir) = (FakeHttp::start(|_| Answer::ok("")), TempDir::new());
    recorded(&dir);
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    let address = daemon.ready();
    let waiting = ["/b offline late 829b421c999db944", "/b online back 3a2189f7c23dd726"];
    wait_for("what waited", || (told(&hook).len() >= waiting.len()).then_some(()));
    assert_eq!(told(&hook), waiting);
    let known = [("back", "up"), ("gone", "offline"), ("late", "offline"), ("up", "up")];
    assert_eq!(hosts(&daemon), known.map(|(name, state)| (name.to_owned(), state.to_owned())));
    let table = String::from_utf8(daemon.ask(&["status"]).stdout).unwrap();
    assert!(table.contains("silenced: up until "), "{table}");
    let history = String::from_utf8(daemon.ask(&["history"]).stdout).unwrap();
    for name in ["gone", "late", "back"] {
        assert!(history.contains(name), "{history}");
    }

    // The outage ends for everyone who was told of it, with all of its length.
    let mut gone = Beater::new(address, SECRETS[0], "gone");
    (gone.run, gone.seq) = ("run of gone".into(), 5);
    gone.period = 3600.0;
    gone.beat().unwrap();
    let ends = hook.wait(2, |asked| asked.tells("online", "gone"));
    let mut paths: Vec<&str> = ends.iter().map(|end| &*end.path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/a", "/b"]);
    for end in ends {
        assert_eq!(end.json()["incident"], "d14ecdd924c6da78", "{end:?}");
        assert!(end.json()["facts"]["duration"].as_f64().unwrap() >= 1200.0, "{end:?}");
    }
    let before = told(&hook);
    assert!(daemon.stop().success());
    assert!(!daemon.output().contains("damaged"), "{}", daemon.output());

    // What this version makes of it is its own state.
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    assert_eq!(hosts(&daemon).len(), 4);
    assert!(daemon.stop().success());
    assert!(!daemon.output().contains("damaged"), "{}", daemon.output());
    assert_eq!(told(&hook), before, "told once");
}

#[test]
fn what_a_later_version_left_is_set_aside_and_told() {
    let (hook, dir) = (FakeHttp::start(|_| Answer::ok("")), TempDir::new());
    recorded(&dir);
    let state = dir.join("state");
    let event = state.join("outbox/0000000000000006.json");
    fs::write(&event, fs::read_to_string(&event).unwrap().replace("\"kind\":\"offline\"", "\"kind\":\"of.tomorrow\""))
        .unwrap();
    for name in [
        "incidents.json",
        "incidents.json.old",
        "history.json",
        "history.json.old",
        "silences.json",
        "silences.json.old",
        "callbacks.json",
        "hosts/44.json",
    ] {
        fs::write(state.join(name), "{\"v\":9,\"seq\":5,\"json\":[{}]}").unwrap();
    }
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    let line = daemon.output().lines().find(|line| line.contains("damaged and set aside")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("{}", daemon.output()));
    for name in [
        "outbox/0000000000000006.json",
        "incidents.json",
        "history.json",
        "silences.json",
        "callbacks.json",
        "hosts/44.json",
    ] {
        assert!(line.contains(name), "{name}: {line}");
    }
    hook.wait(2, |asked| asked.tells("state.damaged", &format!("vps@{}", daemon.name())));
    assert!(state.join("incidents.json.bad").exists() && !state.join("outbox/0000000000000006.json").exists());
    let names: Vec<String> = hosts(&daemon).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["back", "late", "up"], "what can be read is kept");
    assert!(daemon.stop().success());
}
