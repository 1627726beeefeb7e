//! Real daemons that beat and watch: silences, goodbyes, notices, restarts.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]

use std::time::{Duration, Instant};

use crate::common::beat::{Beater, old};
use crate::common::daemon::Daemon;
use crate::common::http::{Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use serde_json::{Value, json};

const KEY: &str = SECRETS[0];

fn server(feishu: Option<&FakeHttp>, more: &str) -> String {
    let alert = feishu.map_or(String::new(), |feishu| {
        let url = feishu.url(&format!("/open-apis/bot/v2/hook/{}", SECRETS[2]));
        format!("[alert.feishu]\nwebhook = \"{url}\"\nsecret = \"{}\"\nlanguage = \"en\"\n", SECRETS[1])
    });
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"300ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 2\n{more}\n{alert}"
    )
}

fn client(port: u16, more: &str) -> String {
    format!(
        "name = \"nas\"\n[keepalive]\nperiod = 0.4\n[keepalive.client]\nuri = \"ic://default:{KEY}@127.0.0.1:{port}\"\n{more}"
    )
}

/// The text of a Feishu post: title and paragraphs.
fn text(asked: &Asked) -> String {
    let post = &asked.json()["content"]["post"];
    let language = post.as_object().unwrap().values().next().unwrap();
    let mut text = language["title"].as_str().unwrap().to_owned();
    for paragraph in language["content"].as_array().unwrap() {
        for part in paragraph.as_array().unwrap() {
            text.push('\n');
            text.push_str(part["text"].as_str().unwrap_or_default());
        }
    }
    text
}

fn host<'a>(status: &'a Value, part: &str) -> Option<&'a Value> {
    status["hosts"].as_array()?.iter().find(|host| host["name"].as_str().unwrap().contains(part))
}

#[test]
fn a_stopped_client_is_told_offline_and_online_with_the_duration() {
    let feishu = FakeHttp::feishu();
    let (a, b) = (TempDir::new(), TempDir::new());
    let mut watcher = Daemon::start(a.path(), &server(Some(&feishu), ""));
    let port = watcher.ready().port();
    let mut nas = Daemon::start(b.path(), &client(port, ""));
    nas.wait_line("beating to");
    wait_for("the first beat", || host(&watcher.status(), "nas@").cloned());
    let before = Instant::now();
    nas.signal("STOP");
    let offline = feishu.posts(1);
    // The last beat may have left right before the signal: num × period + grace from there.
    let silent = offline[0].at - before;
    assert!(silent >= Duration::from_millis(2 * 400 + 300 - 400), "told after {silent:?}");
    assert!(text(&offline[0]).contains("offline"), "{}", text(&offline[0]));
    let status = watcher.status();
    assert_eq!(host(&status, "nas@").unwrap()["state"], "offline", "{status}");
    assert_eq!(watcher.ask(&["status"]).status.code(), Some(1));
    wait_for("three seconds of silence", || (before.elapsed() > Duration::from_secs(3)).then_some(()));
    nas.signal("CONT");
    let online = &feishu.posts(2)[1];
    let line = watcher.wait_line("online: nas@");
    println!("told: {}\n{line}", text(online));
    let gone = online.at - before;
    let told = text(online);
    let seconds: u64 = told.split(" s").next().unwrap().rsplit(' ').next().unwrap().parse().expect(&told);
    assert!(seconds.abs_diff(gone.as_secs()) <= 1, "{told} against {gone:?}");
    assert_eq!(watcher.ask(&["status"]).status.code(), Some(0));
    assert!(nas.stop().success());
    wait_for("the goodbye", || (host(&watcher.status(), "nas@")?["state"] == "stopped").then_some(()));
    assert_eq!(host(&watcher.status(), "nas@").unwrap()["state"], "stopped");
    assert_eq!(feishu.posts(2).len(), 2, "a goodbye is not told");
}

#[test]
fn a_restart_of_the_server_tells_the_dead_once_and_keeps_told_outages() {
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let config = server(Some(&feishu), "");
    let mut watcher = Daemon::start(dir.path(), &config);
    let address = watcher.ready();
    let beater = |address, name: &str| {
        let mut beater = Beater::new(address, KEY, name);
        beater.period = 0.5;
        beater
    };
    let mut living = beater(address, "living");
    living.period = 10.0;
    beater(address, "told").beat().unwrap();
    living.beat().unwrap();
    assert!(text(&feishu.posts(1)[0]).contains("told is offline"));
    wait_for("the state on disk", || (watcher.status()["channels"][0]["queued"] == 0).then_some(()));
    beater(address, "dead").beat().unwrap();
    living.beat().unwrap();
    watcher.stop();
    for round in 0..2 {
        let mut watcher = Daemon::start(dir.path(), &config);
        living.server = watcher.ready();
        living.beat().unwrap();
        if round == 0 {
            let told = feishu.posts(2);
            assert!(text(&told[1]).contains("dead is offline"), "{}", text(&told[1]));
            wait_for("the verdict on disk", || (watcher.status()["channels"][0]["queued"] == 0).then_some(()));
        }
        assert_eq!(host(&watcher.status(), "living").unwrap()["state"], "up");
        watcher.kill();
    }
    let mut watcher = Daemon::start(dir.path(), &config);
    let mut told = beater(watcher.ready(), "told");
    told.run = "another run".into();
    told.beat().unwrap();
    let posts = feishu.wait(1, |asked| text(asked).contains("told is back"));
    println!("{}", text(&posts[0]));
    let all: Vec<String> = feishu.asked().iter().map(text).collect();
    for (word, count) in [("told is offline", 1), ("dead is offline", 1), ("told is back", 1), ("living", 0)] {
        assert_eq!(all.iter().filter(|text| text.contains(word)).count(), count, "{word}: {all:#?}");
    }
    living.server = watcher.ready_address();
    assert!(living.beat().is_ok());
}

fn notice(told: bool, delivered: bool) -> Value {
    json!({"notices": [{
        "id": "00000000000000aa", "incident": "00000000000000bb", "kind": "interrupt", "severity": "critical",
        "age": 40.0, "left": 260.0, "told": told, "delivered": delivered, "facts": [["instance", "i-bp67acfmxazb4ph"]],
    }]})
}

#[test]
fn the_server_tells_for_a_host_without_channels_and_after_its_death() {
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(Some(&feishu), ""));
    let address = watcher.ready();
    let mut mute = Beater::new(address, KEY, "mute");
    for _ in 0..3 {
        let mut report = mute.report();
        report["data"] = notice(false, false);
        mute.say(&report).unwrap();
    }
    let told = text(&feishu.posts(1)[0]);
    assert!(told.contains("mute") && told.contains("i-bp67acfmxazb4ph"), "{told}");
    let mut dying = Beater::new(address, KEY, "dying");
    dying.period = 0.5;
    let mut report = dying.report();
    report["data"] = notice(true, false);
    report["data"]["notices"][0]["id"] = "00000000000000cc".into();
    report["data"]["notices"][0]["incident"] = "00000000000000dd".into();
    dying.say(&report).unwrap();
    let posts = feishu.posts(3);
    let told: Vec<String> = posts.iter().map(text).filter(|text| text.contains("dying")).collect();
    println!("{told:#?}");
    assert!(told[0].contains("reclaimed in"), "the notice first: {told:#?}");
    assert!(told[1].contains("as announced"), "then the silence: {told:#?}");
    assert_eq!(feishu.asked().iter().filter(|asked| text(asked).contains("mute")).count(), 1);
}

#[test]
fn the_original_wire_format_is_accepted_when_allowed_and_refused_with_a_hint_when_not() {
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(Some(&feishu), "auth = \"permissive\""));
    let address = watcher.ready();
    let answer = old(address, KEY, "cli@vm");
    let parsed: Value = serde_json::from_str(&answer).expect(&answer);
    assert_eq!((parsed["msg"].as_str(), parsed.get("key")), (Some("see you next period"), None), "{answer}");
    assert!(!answer.ends_with('\n'));
    assert_eq!(old(address, "wrong", "cli@vm"), "unauthorized");
    assert_eq!(crate::common::beat::raw(address, b"nonsense\n"), "invalid message");
    let status = watcher.status();
    assert_eq!(host(&status, "cli@vm").unwrap()["protocol"], 1);
    let mut new = Beater::new(address, KEY, "cli@vm");
    new.beat().unwrap();
    assert_eq!(old(address, KEY, "cli@vm"), "unauthorized", "once seen with protocol 2");
    drop(watcher);
    let dir = TempDir::new();
    let mut watcher = Daemon::start(dir.path(), &server(Some(&feishu), ""));
    let address = watcher.ready();
    for _ in 0..3 {
        assert_eq!(old(address, KEY, "old@vm"), "unauthorized");
    }
    assert_eq!(old(address, "wrong", "stranger"), "unauthorized");
    let posts = feishu.wait(1, |asked| text(asked).contains("permissive"));
    println!("{}", text(&posts[0]));
    assert_eq!(watcher.status()["hosts"], json!([]));
    assert_eq!(feishu.asked().iter().filter(|asked| text(asked).contains("permissive")).count(), 1);
}

#[test]
fn the_client_speaks_the_original_protocol_byte_for_byte() {
    use std::io::{Read, Write};
    let fake = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = fake.local_addr().unwrap().port();
    let dir = TempDir::new();
    let config = format!(
        "name = \"cli\"\n[keepalive]\nperiod = 0.3\n[keepalive.client]\nuri = \"ic://default:;key=@127.0.0.1:{port}\"\nprotocol = 1\n"
    );
    let mut client = Daemon::start(dir.path(), &config);
    for _ in 0..2 {
        let (mut stream, _) = fake.accept().unwrap();
        let mut bytes = [0; 2048];
        let len = stream.read(&mut bytes).unwrap();
        let line = std::str::from_utf8(&bytes[..len]).unwrap();
        let name = client.name();
        assert_eq!(
            line,
            format!("{{\"key\":\"%3Bkey%3D\",\"name\":\"cli@{name}\",\"msg\":\"I am active\"}}\n"),
            "one write"
        );
        stream.write_all(br#"{"key":"%3Bkey%3D","name":"old@server","msg":"see you next period"}"#).unwrap();
    }
    let line = client.wait_line("old@server");
    assert!(line.contains("beating to"), "{line}");
    assert!(!client.output().contains("%3Bkey"), "the answer holds the key");
}

#[test]
fn forget_and_leave_take_hosts_off() {
    let (a, b) = (TempDir::new(), TempDir::new());
    let mut watcher = Daemon::start(a.path(), &server(None, ""));
    let address = watcher.ready();
    for name in ["web-1", "web-2", "db-1"] {
        Beater::new(address, KEY, name).beat().unwrap();
    }
    let output = watcher.ask(&["forget", "web-*"]);
    assert!(output.status.success(), "{output:?}");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(watcher.status()["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(watcher.ask(&["forget", "nobody"]).status.code(), Some(1));
    let mut nas = Daemon::start(b.path(), &client(address.port(), ""));
    nas.wait_line("beating to");
    wait_for("the host", || host(&watcher.status(), "nas@").map(|_| ()));
    let output = nas.ask(&["leave"]);
    assert!(output.status.success(), "{output:?}");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(host(&watcher.status(), "nas@").is_none());
    nas.stop();
    assert!(host(&watcher.status(), "nas@").is_none(), "no goodbye after the goodbye");
    let output = nas.ask(&["leave"]);
    assert!(output.status.success(), "without a daemon too: {output:?}");
    assert!(host(&watcher.status(), "nas@").is_none());
}

#[test]
fn a_user_of_one_host_speaks_for_no_other_and_that_is_told_once() {
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let users = "[keepalive.server.users.nas]\nkey = \"the new key of the nas\"\nold_key = \"the old key of the nas\"\nhost = \"nas@home\"\n";
    let mut watcher = Daemon::start(dir.path(), &server(Some(&feishu), users));
    let address = watcher.ready();
    let beater = |user: &str, key: &str, name: &str| {
        let mut beater = Beater::new(address, key, name);
        beater.user = user.into();
        // Its daemon was started anew with the other key.
        beater.age = 0.5;
        beater
    };
    for (user, key) in [("default", KEY), ("nas", "the old key of the nas")] {
        let mut nas = beater(user, key, "nas@home");
        nas.run = format!("run of {user}");
        assert_eq!(nas.beat().unwrap()["ok"], true);
    }
    let mut nas = beater("nas", "the new key of the nas", "nas@home");
    assert_eq!(nas.beat().unwrap()["ok"], true);
    let mut other = beater("nas", "the new key of the nas", "nas@work");
    let mut thief = beater("default", KEY, "nas@home");
    for _ in 0..3 {
        assert_eq!(other.beat().unwrap()["err"], "name-taken");
        assert_eq!(thief.beat().unwrap()["err"], "name-taken");
    }
    let told: Vec<String> = feishu.posts(2).iter().map(text).collect();
    println!("{told:#?}");
    assert!(told.iter().any(|text| text.contains("the user nas may only beat for nas@home")), "{told:#?}");
    assert!(told.iter().any(|text| text.contains("its name belongs to user nas at 127.0.0.1")), "{told:#?}");
    assert_eq!(nas.beat().unwrap()["ok"], true);
    assert_eq!(watcher.status()["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(feishu.asked().len(), 2);
}
