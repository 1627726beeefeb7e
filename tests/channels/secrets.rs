//! Nothing that the program prints shows a secret, whatever the log holds and whatever the services answer.

#![cfg(feature = "email")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bots::daemon::services;
use super::email::fake::{FakeSmtp, Say, say};
use super::presets::{ROWS, config, live};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};

/// What a service says that takes it.
fn content(asked: &Asked) -> Answer {
    let row = asked.path.split('/').nth(1).and_then(|first| first.strip_prefix("to-"));
    match row.and_then(|row| ROWS.iter().find(|(name, _)| *name == row)) {
        Some((name, _)) => live::content(name),
        None => Answer::ok(r#"{"code":0,"errcode":0,"errmsg":"","ok":true}"#),
    }
}

/// What one says that shows all it was told: path, headers, body.
fn echo(asked: &Asked) -> Answer {
    let mut said = asked.path.clone();
    for (name, value) in &asked.headers {
        said += &format!(" {name}: {value}");
    }
    said += &asked.text();
    let quoted = serde_json::Value::String(said).to_string();
    Answer::status(
        400,
        &format!(
            r#"{{"code":19021,"errcode":310000,"error_code":400,"msg":{quoted},"errmsg":{quoted},"description":{quoted}}}"#
        ),
    )
}

/// A channel of every kind.
fn file(fake: &FakeHttp, mail: &FakeSmtp) -> String {
    let mut text = format!(
        "name = \"vps\"\nlanguage = \"en\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\n",
        SECRETS[0]
    );
    for (alert, ..) in services(fake) {
        text += &alert;
    }
    for (name, _) in ROWS {
        text += &config(name, &fake.url(&["/to-", name].concat()), SECRETS[2]);
    }
    text += &format!(
        "[alert.webhook]\nurl = \"{}\"\nheaders = {{ X-Key = \"{}\" }}\n[alert.command]\nargv = [\"true\"]\n[alert.log]\n\
         [alert.email]\nserver = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nuser = \"me@example.com\"\n\
         password = \"{}\"\nto = [\"a@b\"]\n",
        fake.url(&format!("/hook/{}", SECRETS[2])),
        SECRETS[1],
        mail.port(),
        SECRETS[1],
    );
    text
}

#[test]
fn no_channel_shows_a_secret_at_any_level() {
    let fake = FakeHttp::start(content);
    let mail = FakeSmtp::start(|command| match command {
        command if command.starts_with("EHLO") => Say::Offer("AUTH PLAIN"),
        command if command.starts_with("AUTH") => say(&["535 not ", command, " nor ", SECRETS[1]].concat()),
        _ => Say::Usual,
    });
    let dir = TempDir::new();
    let mut daemon = Daemon::start_with(dir.path(), &file(&fake, &mail), |command| {
        command.env("RUST_LOG", "trace,ureq=trace,ureq_proto=trace,rustls=trace");
    });
    daemon.ready();
    let all = ROWS.len() + 4 + 1;
    let mut said = String::new();
    for (script, count) in [(content as fn(&Asked) -> Answer, all), (echo, 2 * all)] {
        fake.set(script);
        assert!(daemon.ask(&["simulate", "offline"]).status.success());
        fake.posts(count);
        // Each command's output is searched, too.
        said += &String::from_utf8_lossy(&daemon.ask(&["test"]).stdout);
        said += &daemon.status().to_string();
        daemon.ask(&["status"]);
    }
    wait_for("a refused login", || mail.heard().iter().any(|heard| heard.starts_with("AUTH PLAIN ")).then_some(()));
    assert!(daemon.stop().success());
    let text = said + &daemon.output();
    assert!(text.contains("***"), "something was hidden: {text}");
    for secret in SECRETS {
        for hidden in [STANDARD.encode(secret), STANDARD.encode(["\0me@example.com\0", secret].concat())] {
            assert!(!text.contains(hidden.trim_end_matches('=')), "{secret} in {text}");
        }
    }
}
