//! Requests that nobody sends who means well, and more of them than anybody needs.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{TOKEN, tokens};
use crate::common::ask::{Asker, dial, get};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir};

const KEY: &str = SECRETS[1];

fn open() -> (TempDir, Daemon, SocketAddr) {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let web = daemon.ready_web();
    (dir, daemon, web)
}

/// What follows in the stream must never be taken for a request of its own.
#[test]
fn nothing_can_be_smuggled() {
    let (_dir, mut daemon, web) = open();
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let shapes = [
        ("two lengths", 400, "Content-Length: 0\r\nContent-Length: 40".to_owned()),
        ("the same twice", 400, "Content-Length: 0\r\nContent-Length: 0".into()),
        ("length and chunks", 400, "Content-Length: 5\r\nTransfer-Encoding: chunked".into()),
        ("chunks and length", 400, "Transfer-Encoding: chunked\r\nContent-Length: 5".into()),
        ("sign", 400, "Content-Length: +0".into()),
        ("hexadecimal", 400, "Content-Length: 0x0".into()),
        ("list", 400, "Content-Length: 0, 0".into()),
        ("space before the colon", 400, "Content-Length : 0".into()),
        ("another coding", 501, "Transfer-Encoding: identity".into()),
        ("two codings", 501, "Transfer-Encoding: chunked, chunked".into()),
        ("folded", 400, "X: y\r\n Content-Length: 0".into()),
        ("bare LF", 400, "X: y\nContent-Length: 0".into()),
        ("bare CR", 400, "X: y\rContent-Length: 0".into()),
        ("NUL", 400, "X: y\0".into()),
        ("two hosts", 400, "Host: b".into()),
        ("too long", 431, format!("X: {}", "x".repeat(9000))),
        ("1 MiB", 431, format!("X: {}", "x".repeat(1 << 20))),
        ("too many", 431, vec!["X: y"; 70].join("\r\n")),
        ("body too large", 413, "Content-Length: 65537".into()),
    ];
    for (what, status, headers) in shapes {
        let mut asker = Asker::new(web);
        asker.send(format!("POST /healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{smuggled}").as_bytes());
        let reply = asker.reply("POST").unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!((reply.status, reply.header("connection")), (status, Some("close")), "{what}: {reply:?}");
        assert!(asker.is_closed(), "{what}");
    }
    // A TLS client that was sent to the wrong port learns it at once.
    let mut asker = Asker::new(web);
    asker.send(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
    assert_eq!(asker.reply("GET").unwrap().status, 400);
    assert_eq!(get(web, "/healthz", "").status, 200);
    assert!(daemon.stop().success());
}

#[test]
fn paths_lead_nowhere_else() {
    let (_dir, _daemon, web) = open();
    for path in [
        "/../etc/passwd",
        "/badge/../../etc/passwd",
        "/badge/%2e%2e/%2e%2e/etc/passwd",
        "/ping/..",
        "//healthz",
        "/healthz/",
        "/healthz/.",
        "/HEALTHZ",
        "/%68ealthz",
        "/\\..\\healthz",
        "/api/status/",
        "/metrics%00",
        "/metrics;a",
        "/api//status",
    ] {
        assert_eq!(get(web, path, "").status, 404, "{path}");
    }
    assert_eq!(get(web, "/healthz?a=/../b", "").status, 200);
}

#[test]
fn requests_may_be_sent_ahead_and_in_pieces() {
    let (_dir, _daemon, web) = open();
    let mut asker = Asker::new(web);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    asker.send([one("/healthz"), one("/nothing"), one("/healthz")].concat().as_bytes());
    let answers: Vec<u16> = (0..3).map(|_| asker.reply("GET").unwrap().status).collect();
    assert_eq!(answers, [200, 404, 200]);
    let chunked = "POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for byte in [chunked, &one("/healthz")].concat().bytes() {
        asker.send(&[byte]);
    }
    assert_eq!([asker.reply("POST").unwrap().status, asker.reply("GET").unwrap().status], [404, 200]);
    // What curl does with a larger body.
    asker.send(b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(asker.one("POST").unwrap().status, 100);
    asker.send(b"abc");
    assert_eq!(asker.one("POST").unwrap().status, 404);
    let mut old = Asker::new(web);
    old.send(b"GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(old.reply("GET").unwrap().text(), "ok\n");
    assert!(old.is_closed());
}

#[test]
fn a_connection_has_its_number_of_requests() {
    let (_dir, _daemon, web) = open();
    let mut asker = Asker::new(web);
    for number in 1..=100 {
        let reply = asker.ask("GET", "/healthz", &[], b"");
        let want = if number == 100 { "close" } else { "keep-alive" };
        assert_eq!((reply.status, reply.header("connection")), (200, Some(want)), "request {number}");
    }
    assert!(asker.is_closed());
}

#[test]
fn a_thousand_connections_hurt_neither_a_known_client_nor_a_heartbeat() {
    let dir = TempDir::new();
    let beats = format!("[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n");
    let mut daemon = Daemon::start(dir.path(), &format!("{beats}{}", tokens("")));
    let web = daemon.ready_web();
    let server = daemon.status()["server"]["addresses"][0].as_str().unwrap().parse().unwrap();
    let mut nas = Beater::new(server, KEY, "nas");
    nas.period = 1.0;
    nas.beat().unwrap();
    let bearer = format!("Bearer {TOKEN}");
    let mut kept = Asker::new(web);
    assert_eq!(kept.ask("GET", "/metrics", &[("Authorization", &bearer)], b"").status, 200);
    let (threads, memory) = (daemon.proc_status("Threads"), daemon.proc_status("VmRSS"));
    let mut held: Vec<TcpStream> = Vec::new();
    let start = Instant::now();
    for stranger in 0..1000_u32 {
        let Ok(mut stream) = dial([127, 0, 1, u8::try_from(stranger / 5).unwrap()], web) else { break };
        match stranger % 3 {
            0 => drop(stream.write_all(b"GET / HT")),
            1 => drop(stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nx")),
            _ => {}
        }
        held.push(stream);
        if stranger % 50 == 49 {
            nas.beat().unwrap();
            assert_eq!(kept.ask("GET", "/metrics", &[("Authorization", &bearer)], b"").status, 200, "{stranger}");
            assert_eq!(get(web, "/metrics", TOKEN).status, 200, "a new connection, {stranger}");
            kept = Asker::new(web);
        }
    }
    let most = daemon.proc_status("Threads");
    let grown = daemon.proc_status("VmHWM").saturating_sub(memory);
    let (count, took) = (held.len(), start.elapsed());
    println!("{count} connections in {took:?}, threads {threads} -> {most}, peak growth {grown} kB of {memory} kB");
    assert!(most <= threads + 48, "threads are bounded: {most}");
    assert!(took > Duration::ZERO && daemon.status()["hosts"][0]["state"] == "up");
    drop(held);
    assert_eq!(get(web, "/healthz", "").status, 200);
    assert!(!daemon.output().contains("offline"), "{}", daemon.output());
    assert!(daemon.stop().success());
}

/// Whoever got an answer and does not hang up holds no place.
#[test]
fn strangers_who_stay_hold_up_no_other_stranger() {
    let (_dir, mut daemon, web) = open();
    let mut staying = Vec::new();
    for number in 0..200 {
        let mut asker = Asker::from([127, 0, 1, 1 + number % 100], web);
        let reply = asker.ask("GET", "/healthz", &[("Connection", "close")], b"");
        assert_eq!(reply.status, 200, "{number}");
        // The answer comes before the place is free, the end of the stream after it.
        assert!(asker.is_closed(), "{number}");
        staying.push(asker);
    }
    assert!(daemon.stop().success());
}

/// Programs that talk to it can tell that from a daemon that is gone.
#[test]
fn for_whom_there_is_no_place_is_told_so() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &tokens(""));
    let web = daemon.ready_web();
    assert_eq!(get(web, "/metrics", TOKEN).status, 200);
    let held: Vec<Asker> = (0..40)
        .map(|_| {
            let mut asker = Asker::new(web);
            asker.send(b"GET / HT");
            asker
        })
        .collect();
    let mut late = Asker::new(web);
    let reply = late.reply("GET").unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!(late.is_closed());
    drop(held);
    assert!(daemon.stop().success());
}
