//! The program itself, against a service that answers as each of them does.

use super::{ROWS, config};
use crate::common::daemon::{Daemon, command};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, TempDir};

/// What the services answer when all is well.
pub fn content(row: &str) -> Answer {
    match row {
        "slack" => Answer::ok("ok"),
        "matrix" => Answer::ok(r#"{"event_id":"$1"}"#),
        "bark" | "pushplus" => Answer::ok(r#"{"code":200}"#),
        "discord" | "ntfy" | "gotify" => Answer::ok(r#"{"id":"1"}"#),
        "pushover" => Answer::ok(r#"{"status":1}"#),
        "serverchan" => Answer::ok(r#"{"code":0}"#),
        "letserverrun" => Answer::status(201, ""),
        "healthchecks" => Answer::ok("OK"),
        _ => Answer::status(202, ""),
    }
}

/// Runs `test` for every row against one service, which answers each as `say` wants, and returns what it prints.
fn tested(say: impl Fn(&'static str) -> Answer + Send + 'static) -> (FakeHttp, String, bool) {
    let service = FakeHttp::start(move |asked| {
        let row = asked.path.split('/').nth(1).unwrap_or_default();
        let row = row.strip_prefix("to-").and_then(|row| ROWS.iter().find(|(name, _)| *name == row));
        row.map_or_else(|| Answer::status(500, "asked for nothing"), |(name, _)| say(name))
    });
    let dir = TempDir::new();
    let mut text = String::new();
    for (name, _) in ROWS {
        text += &config(name, &service.url(&["/to-", name].concat()), SECRETS[2]);
    }
    let file = dir.join("config.toml");
    std::fs::write(&file, text).unwrap();
    let output = command().args(["test", "--config"]).arg(&file).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!printed.contains(SECRETS[2]), "a secret is shown");
    (service, printed, output.status.success())
}

#[test]
fn the_program_tells_every_service() {
    let (service, printed, all) = tested(content);
    assert!(all, "{printed}");
    for (name, _) in ROWS {
        assert!(printed.contains(&format!("{name}: delivered")), "{name} in {printed}");
        let asked = service.asked();
        let asked = asked.iter().find(|asked| asked.path.starts_with(&format!("/to-{name}/"))).unwrap();
        assert_eq!(asked.method, if *name == "matrix" { "PUT" } else { "POST" });
        assert!(asked.header("user-agent").unwrap().starts_with("interrupt-callback/"));
    }
}

#[test]
fn the_program_does_not_take_a_login_page_for_a_success() {
    let (_, printed, all) = tested(|_| Answer::ok("<html>please log in</html>"));
    assert!(!all, "{printed}");
    assert_eq!(
        printed.matches(": not now: 127.0.0.1: the answer is not of this service").count(),
        ROWS.len(),
        "{printed}"
    );
}

#[test]
fn a_digest_is_taken_apart_for_who_keeps_incidents() {
    let duty = FakeHttp::start(|_| Answer::status(202, ""));
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(
        dir.path(),
        &format!(
            "[keepalive]\nhold = 0\ngrace = \"200ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\nnum = 2\n{}[alert.webhook]\nurl = \"{}\"\n",
            SECRETS[0],
            config("pagerduty", &duty.url(""), SECRETS[2]),
            hook.url("/")
        ),
    );
    let address = daemon.ready();
    for name in ["one", "two", "three"] {
        let mut beater = crate::common::beat::Beater::new(address, SECRETS[0], name);
        beater.period = 1.0;
        beater.beat().unwrap();
    }
    assert_eq!(hook.posts(1)[0].json()["kind"], "digest", "told together elsewhere");
    let mut told: Vec<String> = Vec::new();
    for asked in duty.posts(3) {
        let json = asked.json();
        assert_eq!(json["event_action"], "trigger", "{json}");
        told.push(json["payload"]["source"].as_str().unwrap().to_owned());
    }
    told.sort();
    assert_eq!(told, ["one", "three", "two"]);
    assert!(daemon.stop().success());
}
