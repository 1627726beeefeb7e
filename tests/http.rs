//! The HTTP listener of the real binary.

#![cfg(feature = "status")]
#![allow(clippy::disallowed_methods, reason = "tests start threads, read clocks and dial")]
#![allow(clippy::print_stdout, reason = "a test shows what it measured and skipped")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abuse;
mod figures;
mod guess;
mod load;
mod reload;
mod slow;

use std::net::SocketAddr;

use crate::common::TempDir;
use crate::common::ask::{Asker, ask, get};
use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, run};

const TOKEN: &str = "planted-key-0123456789";

fn tokens(rest: &str) -> String {
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n{rest}\n[[http.token]]\nname = \"grafana\"\ntoken = \"{TOKEN}\"\n\
         scopes = [\"read\"]\n"
    )
}

/// A server with so many hosts that have long names, open to this machine.
fn crowd(dir: &TempDir, count: usize) -> (Daemon, SocketAddr) {
    let config =
        format!("[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{TOKEN}\"\n[http]\nlisten = \"127.0.0.1:0\"\n");
    let mut daemon = Daemon::start(dir.path(), &config);
    let web = daemon.ready_web();
    let server = daemon.status()["server"]["addresses"][0].as_str().unwrap().parse().unwrap();
    for number in 0..count {
        let mut beater = Beater::new(server, TOKEN, &format!("{number}-{}", "x".repeat(110)));
        let mut report = beater.report();
        report["data"] = serde_json::json!({"note": "y".repeat(200)});
        beater.say(&report).unwrap();
    }
    (daemon, web)
}

#[test]
fn this_machine_reads_without_a_token() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let web = daemon.ready_web();
    let mut asker = Asker::new(web);
    let reply = asker.ask("GET", "/healthz", &[], b"");
    assert_eq!((reply.status, &*reply.text()), (200, "ok\n"));
    assert!(reply.header("date").is_some() && reply.header("server").is_none(), "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    // The same connection.
    let reply = asker.ask("GET", "/api/status", &[], b"");
    assert_eq!((reply.status, &reply.json()["name"]), (200, &daemon.status()["name"]));
    let head = asker.ask("HEAD", "/healthz", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("3"), 0));
    let other = asker.ask("POST", "/healthz", &[], b"x");
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(asker.ask("GET", "/nothing", &[], b"").status, 404);
    // What changes something is not open.
    assert_eq!(asker.ask("POST", "/event/generic", &[], b"{}").status, 401);
    // A name that leads here by somebody else's will, and what a proxy passes on.
    for (name, value, status) in [
        ("Host", "evil.example.com", 401),
        ("Host", "127.0.0.1.example.com:80", 401),
        ("Host", "localhost:9081", 200),
        ("Host", "[::1]:9081", 200),
        ("X-Forwarded-For", "192.0.2.1", 401),
    ] {
        assert_eq!(asker.ask("GET", "/api/status", &[(name, value)], b"").status, status, "{name}: {value}");
    }
    // A page of another site could measure it, a person who follows a link from there may look.
    for (kind, status) in [("image", 401), ("document", 200)] {
        let headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", kind)];
        assert_eq!(asker.ask("GET", "/api/status", &headers, b"").status, status, "{kind}");
    }
    // Such a page may not ping.
    let elsewhere = [("Sec-Fetch-Site", "cross-site")];
    assert_eq!(asker.ask("GET", "/healthz", &elsewhere, b"").status, 200);
    assert_eq!(asker.ask("GET", "/ping/x", &elsewhere, b"").status, 403);
    assert!(daemon.stop().success());
}

#[test]
fn tokens_open_what_their_scopes_say() {
    let dir = TempDir::new();
    let basic = "[http.basic]\nuser = \"me\"\npassword = \"planted-sign-secret\"";
    let mut daemon = Daemon::start(dir.path(), &tokens(basic));
    let web = daemon.ready_web();
    assert_eq!(get(web, "/healthz", "").status, 200);
    let refused = get(web, "/api/status", "");
    assert_eq!(refused.status, 401);
    let asks: Vec<_> = refused.headers.iter().filter(|(name, _)| name == "WWW-Authenticate").collect();
    assert_eq!(asks.len(), 2, "{asks:?}");
    assert_eq!(get(web, "/api/status", TOKEN).status, 200);
    assert_eq!(get(web, "/api/status", "planted-hook-token").status, 401);
    // bWU6… is me:planted-sign-secret.
    for (value, status) in [
        ("bEaReR planted-key-0123456789", 200),
        ("Basic bWU6cGxhbnRlZC1zaWduLXNlY3JldA==", 200),
        ("basic bWU6cGxhbnRlZC1zaWduLXNlY3JldA==", 200),
        ("Basic bWU6d3Jvbmc=", 401),
        ("Basic", 401),
        ("Digest planted-key-0123456789", 401),
    ] {
        let reply = ask(web, "GET", "/api/status", &[("Authorization", value)], b"");
        assert_eq!(reply.status, status, "{value}");
    }
    assert_eq!(get(web, &format!("/api/status?token={TOKEN}"), "").status, 401, "not in the query");
    let reply = ask(web, "POST", "/event/generic", &[("Authorization", &format!("Bearer {TOKEN}"))], b"{}");
    assert_eq!((reply.status, &*reply.text()), (403, "this token lacks the scope \"message\"\n"));
    assert!(daemon.stop().success());
}

#[test]
fn who_may_reach_it_must_have_a_token() {
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    std::fs::write(&file, "[http]\nlisten = [\"127.0.0.1\", \"192.0.2.1:80\"]\n").unwrap();
    let output = run(&["--config", file.to_str().unwrap(), "check"]);
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("192.0.2.1:80 is reached by other machines: add [[http.token]]"), "{text}");
}
