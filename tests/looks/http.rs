//! Addresses that answer over HTTP.

use std::net::TcpListener;
use std::time::Duration;

use interrupt_callback::run::threads::{HTTP_STACK, spawn};

use super::{LONG, SHORT, judged, seen, what};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, nobody};

fn good() -> (Option<bool>, String) {
    (Some(true), String::new())
}

fn bad(why: &str) -> (Option<bool>, String) {
    (Some(false), why.to_owned())
}

#[test]
fn answers_are_judged() {
    let body = ["x".repeat(50_000), "all is well".to_owned()].concat();
    let fake = FakeHttp::start(move |asked| match asked.path.as_str() {
        "/204" => Answer::status(204, ""),
        "/moved" => Answer::Say(302, vec!["location: /nowhere"], Vec::new()),
        "/503" => Answer::status(503, "all is well"),
        "/long" => Answer::ok(&body),
        "/far" => Answer::ok(&["x".repeat(64 * 1024), "late".to_owned()].concat()),
        _ => Answer::Say(200, vec!["X-Role: standby", "X-Role: primary of two"], b"fine".to_vec()),
    });
    for (path, more, want) in [
        ("/", "", good()),
        ("/204", "", good()),
        ("/moved", "", good()),
        ("/moved", "status = \"200-299\"\n", bad("HTTP 302")),
        ("/503", "", bad("HTTP 503")),
        ("/503", "status = [503]\ncontains = \"well\"\n", good()),
        ("/", "contains = \"fine\"\nheader = \"x-role: primary\"\n", good()),
        ("/", "header = \"X-Role\"\n", good()),
        ("/", "header = \"X-Role: third\"\n", bad("the header X-Role has another value")),
        ("/", "header = \"X-Rank: third\"\n", bad("the header X-Rank is missing")),
        ("/", "contains = \"Fine\"\n", bad("the answer does not contain the text")),
        ("/long", "contains = \"all is well\"\n", good()),
        ("/far", "", good()),
        ("/far", "contains = \"late\"\n", bad("the answer does not contain the text")),
        ("/", "method = \"HEAD\"\nmax_latency = \"2m\"\n", good()),
    ] {
        let lines = format!("http = \"{}\"\n{more}", fake.url(path));
        assert_eq!(judged(&lines, LONG), want, "{lines}");
    }
}

#[test]
fn the_request_is_what_the_file_says_and_shown_is_nothing_of_it() {
    let fake = FakeHttp::start(|_| Answer::status(500, "planted-hook-token"));
    let lines = format!(
        "http = \"{}\"\nmethod = \"PUT\"\nheaders = {{ X-Key = \"{}\" }}\n",
        fake.url(&format!("/a?token={}", SECRETS[2])),
        SECRETS[0]
    );
    let (good, detail) = judged(&lines, LONG);
    assert_eq!((good, detail.as_str()), (Some(false), "HTTP 500"));
    let asked = fake.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("PUT", "/a?token=planted-hook-token"));
    assert_eq!(asked[0].header("x-key"), Some(SECRETS[0]));
    assert_eq!(asked.len(), 1, "nothing is tried twice");
}

#[test]
fn a_slow_answer_is_bad() {
    let fake = FakeHttp::start(|_| {
        std::thread::park_timeout(Duration::from_millis(60));
        Answer::ok("")
    });
    let (good, detail) = judged(&format!("http = \"{}\"\nmax_latency = \"20ms\"\n", fake.url("/")), LONG);
    assert!(good == Some(false) && detail.starts_with("it took ") && detail.ends_with(" ms"), "{detail}");
}

#[test]
fn one_that_misbehaves_ends_at_the_deadline() {
    for (answer, want) in [
        (Answer::Hang, "no answer in time"),
        (Answer::Drip, "no answer in time"),
        (Answer::Drop, "the answer is not HTTP or broke off"),
        (Answer::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), "the answer is not HTTP or broke off"),
        (
            Answer::Raw([b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'a'; 40_000]].concat()),
            "the answer is not HTTP or broke off",
        ),
    ] {
        let said = answer.clone();
        let fake = FakeHttp::start(move |_| said.clone());
        let outcome = seen(&what(&format!("http = \"{}\"\n", fake.url("/"))), SHORT);
        assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), want), "{answer:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let lines = format!("http = \"http://{}\"\n", listener.local_addr().unwrap());
    assert_eq!(judged(&lines, SHORT), bad("no answer in time"), "it takes no request");
    assert_eq!(judged(&format!("http = \"http://{}\"\n", nobody()), SHORT), bad("no connection"));
}

/// A gigabyte is announced, and sent as long as somebody reads.
#[test]
fn of_a_huge_answer_little_is_read() {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn("fake", HTTP_STACK, move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        drop(stream.read(&mut [0; 4096]));
        let mut sent = 0_u64;
        let mut piece = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n".to_vec();
        while sent < 1_000_000_000 && stream.write_all(&piece).is_ok() {
            sent += piece.len() as u64;
            piece = vec![b'x'; 64 * 1024];
        }
        sent
    })
    .unwrap();
    assert_eq!(judged(&format!("http = \"http://{address}\"\n"), LONG), good());
    let sent = server.join().unwrap();
    // Buffers of both systems hold some megabytes.
    assert!(sent < 100_000_000, "{sent}");
}
