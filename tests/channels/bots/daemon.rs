//! The real binary against a fake of each service.

use std::process::Command;

use serde_json::Value;

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir};

const TOKEN: &str = SECRETS[2];

fn config(alert: &str) -> String {
    let key = SECRETS[0];
    format!("name = \"vps\"\nlanguage = \"en\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{key}\"\n{alert}")
}

/// The `[alert]` section of each bot at `fake`, the path it asks for, and what is a success there.
pub fn services(fake: &FakeHttp) -> [(String, String, &'static str); 4] {
    let hook = format!("/open-apis/bot/v2/hook/{TOKEN}");
    let robot = format!("/robot/send?access_token={TOKEN}");
    let group = format!("/cgi-bin/webhook/send?key={TOKEN}");
    let secret = SECRETS[1];
    [
        (
            format!("[alert.feishu]\nwebhook = \"{}\"\nsecret = \"{secret}\"\nstyle = \"card\"\n", fake.url(&hook)),
            hook,
            r#"{"code":0}"#,
        ),
        (
            format!("[alert.dingtalk]\nwebhook = \"{}\"\nsecret = \"SEC{secret}\"\n", fake.url(&robot)),
            robot + "&timestamp=",
            r#"{"errcode":0,"errmsg":"ok"}"#,
        ),
        (format!("[alert.wecom]\nwebhook = \"{}\"\n", fake.url(&group)), group, r#"{"errcode":0,"errmsg":"ok"}"#),
        (
            format!("[alert.telegram]\ntoken = \"42:{TOKEN}\"\nchat_id = -42\nserver = \"{}\"\n", fake.url("/")),
            format!("/bot42:{TOKEN}/sendMessage"),
            r#"{"ok":true,"result":{"message_id":1}}"#,
        ),
    ]
}

#[test]
fn each_bot_is_told_and_tested() {
    let fake = FakeHttp::start(|_| Answer::status(404, ""));
    for (alert, path, success) in services(&fake) {
        let before = fake.asked().len();
        fake.set(move |_| Answer::ok(success));
        let dir = TempDir::new();
        let mut daemon = Daemon::start(dir.path(), &config(&alert));
        daemon.ready();
        let output = daemon.ask(&["test"]);
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(0));
        assert!(daemon.ask(&["simulate", "offline"]).status.success());
        let told = &fake.posts(before + 2)[before..];
        for (asked, words) in told.iter().zip(["test message from vps@", "is offline"]) {
            println!("{} {}", asked.path, asked.text());
            assert!(asked.path.starts_with(&path), "{}", asked.path);
            assert!(asked.text().contains("[TEST]") && asked.text().contains(words), "{}", asked.text());
            assert_eq!(asked.header("content-type"), Some("application/json; charset=utf-8"));
        }
        // A refusal under status 200 is told with its cause.
        let refusal = [
            ("/open-apis", r#"{"code":19024,"msg":"Key Words Not Found"}"#),
            ("/robot", r#"{"errcode":300005,"errmsg":"token is not exist"}"#),
            ("/cgi-bin", r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
            ("/bot", r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#),
        ];
        fake.set(move |asked| Answer::ok(refusal.iter().find(|(path, _)| asked.path.starts_with(path)).unwrap().1));
        let output = daemon.ask(&["test"]);
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains(": refused until somebody mends it: 127.0.0.1: code "), "{said}");
        daemon.stop();
    }
}

/// The stamp in seconds that a signed request carries.
fn stamp(asked: &Asked) -> i64 {
    match asked.path.split_once("&timestamp=") {
        Some((_, rest)) => rest.split('&').next().unwrap().parse::<i64>().unwrap() / 1000,
        None => asked.json()["timestamp"].as_str().unwrap().parse().unwrap(),
    }
}

#[test]
fn a_clock_two_hours_off_is_made_up_for() {
    let now = interrupt_callback::clock::now().wall.secs();
    let server = now + 7200;
    let at = format!("@{server}");
    let date =
        Command::new("date").env("LC_ALL", "C").args(["-u", "-d", &at, "+%a, %d %b %Y %T GMT"]).output().unwrap();
    let date: &'static str = format!("date: {}", String::from_utf8(date.stdout).unwrap().trim()).leak();
    let refusals = [
        r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}"#,
        r#"{"errcode":310000,"errmsg":"invalid timestamp"}"#,
    ];
    let fake = FakeHttp::start(|_| Answer::status(404, ""));
    for ((alert, _, success), refusal) in services(&fake).into_iter().zip(refusals) {
        let before = fake.asked().len();
        fake.set(move |asked| {
            let body = if (stamp(asked) - server).abs() < 3600 { success } else { refusal };
            Answer::Say(200, vec![date], body.into())
        });
        let dir = TempDir::new();
        let mut daemon = Daemon::start(dir.path(), &config(&alert));
        daemon.ready();
        assert!(daemon.ask(&["simulate", "offline"]).status.success());
        let told = &fake.posts(before + 2)[before..];
        let stamps: Vec<i64> = told.iter().map(|asked| stamp(asked) - now).collect();
        println!("{stamps:?}");
        // The second is signed afresh; half an hour is more than any test takes.
        assert!(stamps[0].abs() < 1800 && (stamps[1] - 7200).abs() < 1800, "{stamps:?}");
        let output = daemon.ask(&["test"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("not now") && said.contains("the clock of this host is wrong"), "{said}");
        daemon.stop();
    }
}

#[test]
fn a_telegram_group_that_moved_is_followed() {
    let fake = FakeHttp::start(|asked| {
        if asked.json()["chat_id"] == "-42" {
            Answer::status(
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-10042}}"#,
            )
        } else {
            Answer::ok(r#"{"ok":true,"result":{}}"#)
        }
    });
    let dir = TempDir::new();
    let [.., (alert, ..)] = services(&fake);
    let mut daemon = Daemon::start(dir.path(), &config(&alert));
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let line = daemon.wait_line("it goes on as -10042");
    println!("{line}");
    let chats: Vec<Value> = fake.posts(2).iter().map(|asked| asked.json()["chat_id"].clone()).collect();
    assert_eq!(chats, ["-42", "-10042"]);
    // From now on it goes there at once.
    assert!(daemon.ask(&["simulate", "interrupt"]).status.success());
    assert_eq!(fake.posts(3)[2].json()["chat_id"], "-10042");
}
