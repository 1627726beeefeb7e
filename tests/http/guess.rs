//! Who guesses tokens.

use super::{TOKEN, tokens};
use crate::common::TempDir;
use crate::common::ask::{Asker, get};
use crate::common::daemon::Daemon;

#[test]
fn who_guesses_is_stopped_and_others_are_not() {
    let dir = TempDir::new();
    let basic = "[http.basic]\nuser = \"me\"\npassword = \"planted-sign-secret\"";
    let mut daemon = Daemon::start(dir.path(), &tokens(basic));
    let web = daemon.ready_web();
    let bearer = format!("Bearer {TOKEN}");
    let ask = |source: u8, value: &str| {
        let reply = Asker::from([127, 0, 0, source], web).ask("GET", "/api/status", &[("Authorization", value)], b"");
        (reply.status, reply.header("retry-after").map(|value| value.parse::<u64>().unwrap()))
    };
    for number in 0..10 {
        let value = if number % 2 == 0 { format!("Bearer guess-{number}") } else { "Basic bWU6d3Jvbmc=".to_owned() };
        assert_eq!(ask(2, &value).0, 401, "{number}");
    }
    for value in ["Bearer guess", &bearer] {
        let (status, after) = ask(2, value);
        assert_eq!(status, 429, "{value}: right or wrong, nobody learns it");
        assert!(after.is_some_and(|after| (1..=61).contains(&after)), "{after:?}");
    }
    assert_eq!(ask(3, &bearer).0, 200, "another source");
    assert_eq!(Asker::from([127, 0, 0, 2], web).ask("GET", "/healthz", &[], b"").status, 200);
    // Who shows none only did not know.
    for _ in 0..30 {
        assert_eq!(get(web, "/api/status", "").status, 401);
    }
    assert_eq!(get(web, "/api/status", TOKEN).status, 200);
    // The eleventh ends a connection that is kept.
    let mut asker = Asker::from([127, 0, 0, 4], web);
    for number in 0..10 {
        assert_eq!(asker.ask("GET", "/metrics", &[("Authorization", "Bearer x")], b"").status, 401, "{number}");
    }
    assert_eq!(asker.ask("GET", "/metrics", &[("Authorization", "Bearer x")], b"").status, 429);
    assert!(asker.is_closed());
    let output = daemon.output();
    let lines: Vec<&str> = output.lines().filter(|line| line.contains("wrong token or password")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].ends_with("from 127.0.0.2"), "{output}");
    assert!(!output.contains("guess"), "{output}");
    assert!(daemon.stop().success());
}

/// Many sources with a few guesses each do not shut out who is known.
#[test]
fn guesses_from_everywhere_do_not_shut_out_who_is_known() {
    let dir = TempDir::new();
    let ping = "[[http.ping]]\nname = \"cron\"\nperiod = \"1d\"\ntoken = \"planted-hook-token\"\n";
    let mut daemon = Daemon::start(dir.path(), &tokens(ping));
    let web = daemon.ready_web();
    assert_eq!(get(web, "/metrics", TOKEN).status, 200);
    let mut last = 0;
    for number in 0..320_u32 {
        let source = [127, 0, 2, u8::try_from(1 + number / 8).unwrap()];
        last = Asker::from(source, web).ask("GET", "/metrics", &[("Authorization", "Bearer guess")], b"").status;
    }
    assert_eq!(last, 429, "all strangers together have their number");
    let bearer = format!("Bearer {TOKEN}");
    let stranger = Asker::from([127, 0, 3, 1], web).ask("GET", "/metrics", &[("Authorization", &bearer)], b"").status;
    assert_eq!(stranger, 429);
    // Heartbeats of those that were never seen here come in all the same.
    let ping = Asker::from([127, 0, 3, 2], web).ask("GET", "/ping/planted-hook-token", &[], b"");
    assert_eq!(ping.status, 200, "{ping:?}");
    assert_eq!(get(web, "/metrics", TOKEN).status, 200);
    let output = daemon.output();
    assert_eq!(output.matches("wrong token or password").count(), 1, "{output}");
}
