//! `send` and `test`: what people and scripts tell through the channels by hand.

#![expect(clippy::print_stdout, reason = "a test shows what was told")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use interrupt_callback::control::{self, AskError};

use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, command, run};
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for, wait_within};

const KEY: &str = SECRETS[0];

/// A server whose channels are these webhooks, each with more keys.
fn config(hooks: &[(&str, &FakeHttp, &str)]) -> String {
    let mut text = format!(
        "[keepalive]\ngrace = \"200ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 1\n"
    );
    for (name, hook, more) in hooks {
        let url = hook.url(&format!("/{}", SECRETS[2]));
        text += &format!("[alert.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\n{more}\n");
    }
    text
}

/// A file for commands without a daemon.
fn file(dir: &TempDir, config: &str) -> String {
    let path = dir.join("config.toml");
    let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", dir.join("state"), dir.join("run/control"));
    std::fs::write(&path, dirs + config).unwrap();
    path.to_str().unwrap().to_owned()
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs `args` and checks the exit code; returns all that was printed.
fn says(daemon: &Daemon, args: &[&str], code: i32) -> String {
    let output = daemon.ask(args);
    let text = printed(&output);
    println!("{args:?}: {:?} {text}", output.status.code());
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn messages(hook: &FakeHttp) -> Vec<Asked> {
    hook.asked().into_iter().filter(|asked| asked.json()["kind"] == "message").collect()
}

fn queued(daemon: &Daemon, name: &str) -> u64 {
    let status = daemon.status();
    let channel = status["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == name).unwrap();
    channel["queued"].as_u64().unwrap()
}

#[test]
fn what_a_script_says_arrives_and_its_lines_stay_lines() {
    let (one, two) = (FakeHttp::start(|_| Answer::ok("")), FakeHttp::start(|_| Answer::ok("")));
    let dir = TempDir::new();
    let config = config(&[("one", &one, "prefix = \"[demo]\""), ("two", &two, "min_severity = \"warning\"")]);
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let text = says(&daemon, &["send", "backup failed", "exit code 12\n\n@all \"quoted\" </b> ${x} \u{202e}end"], 0);
    assert_eq!(text, "one: delivered\n");
    let told = one.posts(1)[0].json();
    assert_eq!((told["kind"].as_str(), told["severity"].as_str()), (Some("message"), Some("info")));
    let name = daemon.name();
    assert_eq!(told["title"], format!("[demo] {name}: backup failed"));
    let shown = told["text"].as_str().unwrap();
    assert!(shown.starts_with("exit code 12\n \n@all \"quoted\" </b> ${x} \u{FFFD}end\nTime: "), "{shown}");
    assert_eq!(told["facts"]["headline"], "backup failed");
    // By severity and by name.
    assert_eq!(says(&daemon, &["send", "--severity", "warning", "both"], 0).lines().count(), 2);
    assert_eq!(says(&daemon, &["send", "--channel", "two", "only two"], 0), "two: delivered\n");
    assert_eq!((messages(&one).len(), messages(&two).len()), (2, 2));
    let text = says(&daemon, &["send", "--channel", "tow", "nobody"], 1);
    assert!(text.contains("there is no channel \"tow\""), "{text}");
    assert_eq!((messages(&one).len(), messages(&two).len()), (2, 2));
    assert!(!printed(&daemon.ask(&["history"])).contains("message"));
}

#[test]
fn standard_input_is_read_to_its_end_and_cut() {
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&[("one", &hook, "")]));
    daemon.ready();
    let mut child = command()
        .args(["--config", dir.join("config.toml").to_str().unwrap(), "send", "log", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // More than a pipe holds: whoever writes it is not left hanging, nor killed.
    for line in 0..100_000 {
        writeln!(input, "line {line}").unwrap();
    }
    input.write_all(&[0xff, b'\n']).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    let told = hook.posts(1)[0].json();
    let text = told["text"].as_str().unwrap();
    println!("{} bytes, {} lines", text.len(), text.lines().count());
    assert!(text.starts_with("line 0\nline 1\n") && text.contains("…\nTime: "), "{text}");
    assert!(text.len() < 9000);
}

#[test]
fn what_a_channel_does_not_take_is_queued_and_told_after_a_restart_and_only_there() {
    let (down, other) = (FakeHttp::start(|_| Answer::status(503, "")), FakeHttp::start(|_| Answer::ok("")));
    let dir = TempDir::new();
    let config = config(&[("down", &down, ""), ("other", &other, "")]);
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let text = says(&daemon, &["send", "--channel", "down", "--wait", "500ms", "later"], 75);
    assert!(text.starts_with("down: queued") && text.contains("HTTP 503"), "{text}");
    let text = says(&daemon, &["send", "--wait", "0", "both"], 75);
    println!("{text}");
    daemon.kill();
    down.set(|_| Answer::ok(""));
    let before = down.asked().len();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    wait_for("an empty queue", || (queued(&daemon, "down") + queued(&daemon, "other") == 0).then_some(()));
    let told: Vec<_> = down.asked()[before..].iter().map(|asked| asked.json()["facts"]["headline"].clone()).collect();
    assert_eq!(told, ["later", "both"]);
    let there: Vec<_> = other.asked().iter().map(|asked| asked.json()["facts"]["headline"].clone()).collect();
    assert!(!there.contains(&"later".into()) && there.contains(&"both".into()), "{there:?}");
}

#[test]
fn a_message_that_is_never_taken_is_refused_with_the_reason() {
    let hook = FakeHttp::start(|_| Answer::status(413, "too much"));
    let gone = FakeHttp::start(|_| Answer::status(404, "no such hook"));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&[("one", &hook, ""), ("gone", &gone, "")]));
    daemon.ready();
    let text = says(&daemon, &["send", "--channel", "one", "hello"], 1);
    assert!(text.starts_with("one: refused: 127.0.0.1: HTTP 413: too much"), "{text}");
    // Only a person mends it: nobody waits for that.
    let text = says(&daemon, &["send", "--channel", "gone", "--wait", "1h", "hello"], 75);
    assert!(text.starts_with("gone: queued until somebody mends it: "), "{text}");
}

#[test]
fn without_a_daemon_it_goes_directly_through_all_at_once() {
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let hangs = FakeHttp::start(|_| Answer::Hang);
    let dir = TempDir::new();
    let config = config(&[("a", &hangs, "timeout = \"2s\""), ("b", &hook, "quiet = \"00:00-23:59\"")]);
    let file = file(&dir, &config);
    let output = run(&["--config", &file, "send", "hello", "one\ntwo"]);
    let text = printed(&output);
    println!("{text}");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("a: not now: 127.0.0.1: no answer in time") && text.contains("b: delivered"), "{text}");
    assert!(hook.posts(1)[0].json()["text"].as_str().unwrap().starts_with("one\ntwo\n"));
    assert_eq!(run(&["--config", &file, "send", "--channel", "b", "hello"]).status.code(), Some(0));
    let output = run(&["--config", &file, "send", "--channel", "c", "hello"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!dir.join("state").exists(), "nothing is kept");
}

/// Spawns `send`, to be waited for. It reads a copy of the file, which a start of the daemon writes anew.
fn sending(dir: &Path, args: &[&str]) -> std::process::Child {
    let file = dir.join("send.toml");
    if !file.exists() {
        std::fs::copy(dir.join("config.toml"), &file).unwrap();
    }
    let mut command: Command = command();
    command.arg("--config").arg(file).arg("send").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_daemon_that_is_stopped_and_started_meanwhile_tells_it_once() {
    for hard in [false, true] {
        let hook = FakeHttp::start(|_| Answer::status(503, ""));
        let dir = TempDir::new();
        let config = config(&[("one", &hook, "")]);
        let mut daemon = Daemon::start(dir.path(), &config);
        daemon.ready();
        let mut child = sending(dir.path(), &["--wait", "60", "hello"]);
        hook.posts(1);
        if hard {
            daemon.kill();
        } else {
            daemon.stop();
        }
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
        hook.set(|_| Answer::ok(""));
        let before = hook.asked().len();
        let mut daemon = Daemon::start(dir.path(), &config);
        daemon.ready();
        let status = wait_for("the command's end", || child.try_wait().unwrap());
        assert!(status.success(), "{status}");
        assert_eq!(hook.asked().len(), before + 1);
        let ids: Vec<_> = hook.asked().iter().map(|asked| asked.json()["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn many_senders_while_the_daemon_comes_and_goes_lose_nothing() {
    for hard in [false, true] {
        let hook = FakeHttp::start(|_| Answer::ok(""));
        let dir = TempDir::new();
        let config = config(&[("one", &hook, "")]);
        let mut daemon = Daemon::start(dir.path(), &config);
        daemon.ready();
        let mut children = Vec::new();
        for n in 0..32 {
            children.push(sending(dir.path(), &["--wait", "60", &format!("message {n}")]));
            // What three power cuts interrupt is taken for what caused them.
            if n % 8 == 5 && (!hard || n == 5) {
                if hard {
                    daemon.kill();
                } else {
                    assert!(daemon.stop().success());
                }
                daemon = Daemon::start(dir.path(), &config);
                daemon.ready();
            }
        }
        for child in children {
            let output = child.wait_with_output().unwrap();
            println!("hard {hard}: {:?} {}", output.status.code(), printed(&output).trim());
            assert!(output.status.success(), "{output:?}");
        }
        for n in 0..32 {
            let headline = format!("message {n}");
            let told: Vec<Asked> =
                messages(&hook).into_iter().filter(|asked| asked.json()["facts"]["headline"] == *headline).collect();
            // What was told and not yet saved as told when the power went is told again, under its id.
            assert!(told.len() == 1 || hard && told.len() > 1, "{headline}: {told:#?}");
            assert!(told.iter().all(|asked| asked.json()["id"] == told[0].json()["id"]), "{told:#?}");
        }
    }
}

#[test]
fn a_loop_of_messages_does_not_push_out_what_happens() {
    const MOST: usize = 500;
    let hook = FakeHttp::start(|_| Answer::status(503, ""));
    let dir = TempDir::new();
    let config = config(&[("one", &hook, "")]);
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    let vanish = |name: &str| {
        let mut beater = Beater::new(server, KEY, name);
        beater.period = 0.2;
        beater.beat().unwrap();
    };
    vanish("before");
    wait_for("the first", || (queued(&daemon, "one") == 1).then_some(()));
    let socket = dir.join("run/control");
    let send = |n: usize| {
        let said =
            format!(r#"{{"id":"{:016x}","severity":"critical","channels":[],"title":"again","body":""}}"#, 1000 + n);
        control::ask(&socket, &format!("send {said}"))
    };
    for n in 0..MOST {
        let answer = send(n);
        assert!(matches!(answer, Ok((control::UNDECIDED, _))), "{n}: {answer:?}");
    }
    for n in MOST..MOST + 3 {
        let answer = send(n);
        assert!(matches!(&answer, Err(AskError::Refused(why)) if why.contains("too many messages")), "{answer:?}");
    }
    // What it has, it has: asked again it is not told again.
    assert!(matches!(send(7), Ok((control::UNDECIDED, _))));
    let text = says(&daemon, &["send", "one more"], 1);
    assert!(text.contains("too many messages"), "{text}");
    vanish("after");
    wait_for("both with the messages", || (queued(&daemon, "one") == MOST as u64 + 2).then_some(()));
    wait_for("all on the disk", || {
        let files = std::fs::read_dir(dir.join("state/outbox")).unwrap().flatten();
        (files.filter(|file| file.path().extension().is_some_and(|end| end == "json")).count() == MOST + 2)
            .then_some(())
    });
    daemon.stop();
    hook.set(|_| Answer::ok(""));
    let before = hook.asked().len();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    wait_within(std::time::Duration::from_secs(60), "an empty queue", || (queued(&daemon, "one") == 0).then_some(()));
    let told = hook.asked().split_off(before);
    assert_eq!(told.len(), MOST + 2);
    let first: Vec<_> = told[..2].iter().map(|asked| asked.json()["subject"].clone()).collect();
    assert_eq!(first, ["before", "after"], "what happened goes first");
}

/// The time of day, some minutes from now.
fn clock(minutes: i64) -> String {
    let output = Command::new("date").args(["-u", "-d", &format!("{minutes} minutes"), "+%H:%M"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn quiet_hours_hold_back_what_is_not_critical_until_they_end() {
    let (quiet, loud) = (FakeHttp::start(|_| Answer::ok("")), FakeHttp::start(|_| Answer::ok("")));
    let dir = TempDir::new();
    let hours = format!("quiet = \"{}-{}\"", clock(-60), clock(60));
    let with = config(&[("quiet", &quiet, &hours), ("loud", &loud, "")]);
    let mut daemon = Daemon::start(dir.path(), &with);
    let server = daemon.ready();
    for n in 0..3 {
        let text = says(&daemon, &["send", &format!("night {n}")], 75);
        assert!(text.contains("loud: delivered") && text.contains("quiet: quiet hours hold it back until "), "{text}");
    }
    assert!(says(&daemon, &["send", "--severity", "critical", "fire"], 0).contains("quiet: delivered"));
    let mut beater = Beater::new(server, KEY, "nas");
    beater.period = 0.2;
    beater.beat().unwrap();
    quiet.wait(1, |asked| asked.tells("offline", "nas"));
    beater.beat().unwrap();
    quiet.wait(1, |asked| asked.tells("online", "nas"));
    let status = daemon.status();
    let channel = &status["channels"][1];
    assert_eq!((channel["name"].as_str(), channel["held"].as_u64()), (Some("quiet"), Some(3)), "{status}");
    assert_eq!((channel["state"].as_str(), channel["until"].is_string()), (Some("ok"), true), "{status}");
    let text = printed(&daemon.ask(&["status"]));
    assert!(text.contains("quiet hours hold back 3 until "), "{text}");
    assert!(!quiet.asked().iter().any(|asked| asked.text().contains("night")));
    // They are kept through a restart, and told together once the night is over.
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &with);
    daemon.ready();
    assert_eq!(queued(&daemon, "quiet"), 3);
    let file = dir.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let over = format!("quiet = \"{}-{}\"", clock(-60), clock(-1));
    std::fs::write(&file, text.replace(&hours, &over)).unwrap();
    says(&daemon, &["reload"], 0);
    let digest = quiet.wait(1, |asked| asked.text().contains("night"));
    println!("{}", digest[0].text());
    assert_eq!(digest[0].json()["members"].as_array().map(Vec::len), Some(3));
    wait_for("an empty queue", || (queued(&daemon, "quiet") == 0).then_some(()));
    let nights = quiet.asked().iter().filter(|asked| asked.text().contains("night")).count();
    assert_eq!(nights, 1);
}

fn feishu(hook: &FakeHttp, more: &str) -> String {
    let url = hook.url(&format!("/open-apis/bot/v2/hook/{}", SECRETS[2]));
    let server = "[keepalive.server]\nlisten = \"127.0.0.1:0\"\n";
    format!("{server}[alert.feishu]\nwebhook = \"{url}\"\nsecret = \"{}\"\n{more}", SECRETS[1])
}

#[test]
fn a_test_says_what_the_service_said_and_what_is_likely_to_be_wrong() {
    let format = "+date: %a, %d %b %Y %H:%M:%S GMT";
    let output = Command::new("date").args(["-u", "-d", "2 hours", format]).env("LC_ALL", "C").output().unwrap();
    let date = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let date: &'static str = date.leak();
    for (answer, more, wants) in [
        (
            Answer::ok(r#"{"code":19024,"msg":"Key Words Not Found"}"#),
            "prefix = \"[demo]\"",
            ["code 19024: Key Words Not Found", "prefix = \"[demo]\": it must hold one of the bot's keywords"],
        ),
        (
            Answer::Say(200, vec![date], br#"{"code":19021,"msg":"sign match fail"}"#.to_vec()),
            "",
            ["answered HTTP 200: {\"code\":19021", "clock is 2 h behind that of the service"],
        ),
        (Answer::status(404, "gone"), "", ["HTTP 404", "was the bot removed"]),
        (Answer::ok(r#"{"code":19022,"msg":"Ip Not Allowed"}"#), "", ["19022", "put on its list"]),
    ] {
        let hook = FakeHttp::start(move |_| answer.clone());
        let dir = TempDir::new();
        let file = file(&dir, &feishu(&hook, more));
        let output = run(&["--config", &file, "test"]);
        let text = printed(&output);
        println!("{text}");
        assert_eq!(output.status.code(), Some(1), "{text}");
        for want in wants {
            assert!(text.contains(want), "{want}: {text}");
        }
    }
}

#[test]
fn a_test_uses_the_words_of_any_kind() {
    let hook = FakeHttp::feishu();
    let dir = TempDir::new();
    let file = file(&dir, &feishu(&hook, "language = \"en\"\nonly = [\"interrupt\"]"));
    for (kind, want) in [("offline", " is offline"), ("interrupt", "will be reclaimed in "), ("digest", " alerts: ")] {
        let output = run(&["--config", &file, "test", "--kind", kind]);
        let text = printed(&output);
        println!("{text}");
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.starts_with("feishu: delivered\n  the service answered HTTP 200: "), "{text}");
        assert_eq!(text.contains("in earnest it is not told here"), kind == "offline", "{text}");
        let told = hook.asked().last().unwrap().text();
        assert!(told.contains("[TEST] ") && told.contains(want), "{told}");
    }
}

#[test]
fn a_service_that_keeps_incidents_is_tested_with_one() {
    let service = FakeHttp::start(|_| Answer::status(202, r#"{"status":"success"}"#));
    let dir = TempDir::new();
    let section =
        format!("[alert.pagerduty]\nserver = \"{}\"\nrouting_key = \"{}\"\n", service.url(""), "0".repeat(32));
    let file = file(&dir, &section);
    let output = run(&["--config", &file, "test", "--kind", "digest"]);
    let text = printed(&output);
    println!("{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(service.asked().len(), 1);
}
