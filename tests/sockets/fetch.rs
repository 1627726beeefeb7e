//! The HTTP client against servers that misbehave.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::fake::{Fake, PATIENCE, answer, drip, until_closed};
use crate::common::nobody;
use interrupt_callback::clock;
#[cfg(feature = "tls")]
use interrupt_callback::fetch::TlsError;
use interrupt_callback::fetch::{Answer, Fetch, FetchError, Limits, Request, Way};
use interrupt_callback::resolve::Resolver;
#[cfg(feature = "tls")]
use interrupt_callback::run::threads::{HTTP_STACK, spawn};
use interrupt_callback::secret::Secret;

const TOTAL: Duration = Duration::from_millis(600);

fn client(total: Duration) -> Fetch {
    let limits = Limits { connect: Duration::from_millis(500), total, body: 64 * 1024, proxy: false };
    Fetch::new(limits, Arc::new(Resolver::default()))
}

fn get(url: &str, total: Duration) -> Result<Answer, FetchError> {
    client(total).send(&Request { method: "GET", url, headers: &[], body: None })
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_whole_exchange() {
    let fake = Fake::start(|_, stream| {
        let text = b"HTTP/1.1 200 OK\r\nDate: Fri, 01 May 2026 18:02:00 GMT\r\ncontent-length: 3\r\n\r\nabc";
        drop(stream.write_all(text));
    });
    let request = Request { method: "PUT", url: &fake.url("/x?y=1"), headers: &[("X-Own", "1")], body: Some(b"") };
    let reply = client(LONG).send(&request).unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"abc".as_slice()));
    assert_eq!(reply.header("date"), Some("Fri, 01 May 2026 18:02:00 GMT"));
    let head = fake.requests.recv_timeout(PATIENCE).unwrap().to_lowercase();
    assert!(head.starts_with("put /x?y=1 http/1.1\r\n"), "{head}");
    for line in ["content-length: 0\r\n", "x-own: 1\r\n", "user-agent: interrupt-callback/"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    for absent in ["x-forwarded-for", "gzip", "expect"] {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
}

/// Runs the test above with proxies in the environment, all of which lead nowhere.
#[test]
fn proxies_of_the_environment_do_not_apply() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "sockets::fetch::a_whole_exchange"]);
    for name in ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        again.env(name, "http://127.0.0.1:1");
    }
    let done = again.output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

/// What the name says, in a process of its own whose environment names the proxy.
#[test]
fn a_proxy_that_drips_ends_at_the_deadline() {
    if std::env::var_os("DRIPPING").is_some() {
        let limits = Limits { connect: LONG, total: TOTAL, body: 1, proxy: true };
        let fetch = Fetch::new(limits, Arc::new(Resolver::default()));
        let request = Request { method: "GET", url: "http://192.0.2.1/", headers: &[], body: None };
        assert_eq!(fetch.send(&request).unwrap_err(), FetchError::Timeout);
        return;
    }
    let proxy = Fake::start(|_, stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
        drip(stream, b"x", Duration::from_millis(50));
    });
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "sockets::fetch::a_proxy_that_drips_ends_at_the_deadline"]).env("DRIPPING", "1");
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY"] {
        again.env_remove(name);
    }
    let began = clock::tick();
    let done = again.env("HTTP_PROXY", proxy.base()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
    let took = clock::tick().since(began);
    assert!(took >= TOTAL && took < LONG, "{took:?}");
    assert!(proxy.requests.try_recv().unwrap().starts_with("CONNECT 192.0.2.1:80 "));
}

/// A proxy that lets through.
#[test]
fn a_proxy_is_used() {
    if std::env::var_os("PROXIED").is_some() {
        let limits = Limits { connect: LONG, total: LONG, body: 64, proxy: true };
        let fetch = Fetch::new(limits, Arc::new(Resolver::default()));
        let request = Request { method: "GET", url: "http://192.0.2.1/x", headers: &[], body: None };
        assert_eq!(fetch.send(&request).unwrap().body, b"through");
        return;
    }
    let proxy = Fake::start(|_, stream| {
        drop(stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n"));
        let mut head = [0; 4096];
        let read = std::io::Read::read(stream, &mut head).unwrap();
        assert!(head[..read].starts_with(b"GET /x HTTP/1.1\r\n"));
        answer(stream, 200, "through");
    });
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "sockets::fetch::a_proxy_is_used"]).env("PROXIED", "1");
    for name in ["all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"] {
        again.env_remove(name);
    }
    let done = again.env("ALL_PROXY", proxy.base()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn every_status_is_an_answer_and_redirects_are_not_followed() {
    for status in [200, 204, 301, 302, 303, 307, 308, 401, 403, 404, 405, 429, 500, 503] {
        for method in ["GET", "POST"] {
            let fake = Fake::start(move |_, stream| {
                let location = "location: http://127.0.0.1:1/elsewhere";
                let text = format!("HTTP/1.1 {status} X\r\n{location}\r\ncontent-length: 0\r\n\r\n");
                drop(stream.write_all(text.as_bytes()));
            });
            let url = fake.url("/");
            let body = (method == "POST").then_some(b"{}".as_slice());
            let reply = client(LONG).send(&Request { method, url: &url, headers: &[], body }).unwrap();
            assert_eq!(reply.status, status);
            assert_eq!(fake.requests.try_iter().count(), 1);
        }
    }
}

#[test]
fn what_hangs_or_drips_ends_at_the_deadline() {
    let drips: [(&str, &'static [u8], &'static [u8]); 5] = [
        ("silence", b"", b""),
        ("a slow head", b"HTTP/1.1 200 OK\r\n", b"x"),
        ("headers without end", b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        ("a slow body", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", b"x"),
        ("a slow chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e8;", b"x"),
    ];
    for (name, start, piece) in drips {
        let fake = Fake::start(move |_, stream| {
            drop(stream.write_all(start));
            drip(stream, piece, Duration::from_millis(50));
        });
        let began = clock::tick();
        assert_eq!(get(&fake.url("/"), TOTAL).unwrap_err(), FetchError::Timeout, "{name}");
        assert!(clock::tick().since(began) + Duration::from_millis(5) >= TOTAL, "{name}: not before the deadline");
    }
}

/// Whoever tries again must know whether the first attempt may have been seen.
#[test]
fn without_a_connection_nobody_saw_the_request() {
    let closed = nobody();
    let fake = Fake::start(|_, _| {});
    let client = client(TOTAL);
    assert!(!client.connected());
    for (url, connected) in [
        (fake.url("/"), true),
        (format!("http://{closed}/"), false),
        ("http://nobody.invalid/".to_owned(), false),
        (fake.url("/"), true),
        ("no address".to_owned(), false),
    ] {
        let error = client.send(&Request { method: "GET", url: &url, headers: &[], body: None }).unwrap_err();
        assert_eq!(client.connected(), connected, "{url}: {error}");
    }
}

#[test]
fn a_shorter_deadline_for_one_request() {
    let fake = Fake::start(|_, stream| until_closed(stream));
    let request = Request { method: "GET", url: &fake.url("/"), headers: &[], body: None };
    assert_eq!(client(LONG * 60).send_within(&request, TOTAL).unwrap_err(), FetchError::Timeout);
}

#[test]
fn garbage_and_floods_are_errors() {
    let big = 1024 * 1024;
    let cases: Vec<(&str, Vec<u8>, FetchError)> = vec![
        ("nothing", Vec::new(), FetchError::Protocol),
        ("not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), FetchError::Protocol),
        ("binary", vec![0; 4096], FetchError::Protocol),
        ("1 MiB without a line", vec![b'a'; big], FetchError::Protocol),
        ("a long header", [b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'b'; big]].concat(), FetchError::Protocol),
        ("many headers", [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(50_000)].concat(), FetchError::Protocol),
        ("a cut body", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec(), FetchError::Protocol),
        ("a lying length", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_vec(), FetchError::Protocol),
        ("a bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(), FetchError::Protocol),
        ("100 without end", b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), FetchError::Protocol),
        (
            "a body of 1 MiB",
            [b"HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n".to_vec(), vec![b'x'; big]].concat(),
            FetchError::TooLarge,
        ),
        (
            "a body of 1 MiB without length",
            [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; big]].concat(),
            FetchError::TooLarge,
        ),
    ];
    for (name, bytes, want) in cases {
        let fake = Fake::start(move |_, stream| drop(stream.write_all(&bytes)));
        assert_eq!(get(&fake.url("/"), LONG).unwrap_err(), want, "{name}");
    }
}

/// Answers cut, doubled and garbled at random places are errors or answers, never a panic.
#[test]
fn garbled_answers() {
    let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = move |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % sides as u64) as usize
    };
    let fake = Fake::start(move |_, stream| {
        let mut bytes = whole.to_vec();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len());
            match roll(4) {
                0 => bytes.truncate(at + 1),
                1 => bytes[at] = roll(256) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                return;
            }
        }
        drop(stream.write_all(&bytes));
    });
    let (url, fetch) = (fake.url("/"), client(LONG));
    let request = Request { method: "GET", url: &url, headers: &[], body: None };
    let answers = (0..500).filter(|_| fetch.send(&request).is_ok()).count();
    assert!((1..500).contains(&answers), "{answers}");
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let fake = Fake::start(|_, stream| answer(stream, 200, &"x".repeat(64 * 1024)));
    assert_eq!(get(&fake.url("/"), LONG).unwrap().body.len(), 64 * 1024);
}

#[test]
fn nobody_there() {
    let addr = nobody();
    assert_eq!(get(&format!("http://{addr}/"), LONG).unwrap_err(), FetchError::Connect);
    assert_eq!(
        get(&format!("https://{addr}/"), LONG).unwrap_err(),
        if cfg!(feature = "tls") { FetchError::Connect } else { FetchError::BadUrl }
    );
}

#[test]
fn a_name_that_does_not_resolve() {
    fn nowhere(_: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    let limits = Limits { connect: LONG, total: LONG, body: 1, proxy: false };
    let fetch = Fetch::new(limits, Arc::new(Resolver::asking(nowhere)));
    let request = Request { method: "GET", url: "http://metadata.example/", headers: &[], body: None };
    assert_eq!(fetch.send(&request).unwrap_err(), FetchError::Resolve);
}

#[test]
fn urls_that_cannot_be_used() {
    for url in ["", "/", "127.0.0.1", "ftp://127.0.0.1/", "http://", "http:///x", "http://a b/", "http://[::1/"] {
        assert_eq!(get(url, LONG).unwrap_err(), FetchError::BadUrl, "{url}");
    }
    let header = Request { method: "GET", url: "http://127.0.0.1:1/", headers: &[("a", "b\nc")], body: None };
    assert_eq!(client(LONG).send(&header).unwrap_err(), FetchError::BadUrl);
    let method = Request { method: "G T", ..header };
    assert_eq!(client(LONG).send(&method).unwrap_err(), FetchError::BadUrl);
}

/// What a proxy or a handshake stops was seen by nobody who could act on it.
#[test]
fn a_proxy_that_refuses() {
    let limits = Limits { connect: LONG, total: LONG, body: 64, proxy: false };
    for (status, want) in [
        (407, FetchError::ProxyLogin),
        (403, FetchError::Proxy),
        (502, FetchError::Proxy),
        (204, FetchError::Proxy),
        (302, FetchError::Proxy),
    ] {
        let proxy = Fake::start(move |_, stream| answer(stream, status, "<html>"));
        let through = Secret::new(format!("http://me:pass%40word@{}", proxy.addr));
        let way = Way { proxy: Some(&through), ca: None, ..Way::default() };
        let fetch = Fetch::by(way, limits, Arc::new(Resolver::default()));
        let request = Request { method: "POST", url: "http://192.0.2.1/secret", headers: &[], body: Some(b"{}") };
        assert_eq!(fetch.send(&request).unwrap_err(), want, "{status}");
        assert!(!fetch.connected(), "{status}");
        let head = proxy.requests.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with("CONNECT 192.0.2.1:80 HTTP/1.1\r\n") && !head.contains("secret"), "{head}");
        assert!(head.contains("\r\nProxy-Authorization: Basic bWU6cGFzc0B3b3Jk\r\n"), "{head}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn plain_http_behind_https_is_a_tls_failure() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let server = spawn("plain", HTTP_STACK, move || {
        let mut stream = listener.accept().unwrap().0;
        answer(&mut stream, 400, "plain");
        until_closed(&mut stream);
    });
    let (client, url) = (client(LONG), format!("https://{addr}/"));
    let error = client.send(&Request { method: "GET", url: &url, headers: &[], body: None }).unwrap_err();
    assert_eq!(error, FetchError::Tls(TlsError::Plain));
    assert!(!client.connected(), "nobody saw the request");
    server.unwrap().join().unwrap();
}

/// Two addresses of one name, at one port: 127.0.0.2 takes connections and says nothing, 127.0.0.1 answers.
#[test]
fn an_address_that_says_nothing_is_passed_over() {
    fn two(_: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()])
    }
    let good = Fake::start(|_, stream| answer(stream, 200, "here"));
    let silent = TcpListener::bind(("127.0.0.2", good.addr.port())).unwrap();
    silent.set_nonblocking(true).unwrap();
    let limits = Limits { connect: LONG, total: TOTAL, body: 64, proxy: false };
    let fetch = Fetch::new(limits, Arc::new(Resolver::asking(two)));
    let url = format!("http://name.test:{}/", good.addr.port());
    let get = || fetch.send(&Request { method: "GET", url: &url, headers: &[], body: None });
    assert_eq!(get().unwrap_err(), FetchError::Timeout, "nothing is known yet");
    for _ in 0..5 {
        assert_eq!(get().unwrap().body, b"here");
    }
    let mut calls = 0;
    while silent.accept().is_ok() {
        calls += 1;
    }
    assert_eq!(calls, 1, "only the first request went there");
}

/// An address that refuses costs nothing, not even at the first time.
#[test]
fn an_address_that_refuses_is_followed_by_the_next() {
    fn two(_: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec![[127, 0, 0, 2].into(), std::net::Ipv6Addr::LOCALHOST.into(), [127, 0, 0, 1].into()])
    }
    let good = Fake::start(|_, stream| answer(stream, 200, "here"));
    let resolver = Arc::new(Resolver::asking(two));
    let limits = Limits { connect: LONG, total: LONG, body: 64, proxy: false };
    let fetch = Fetch::new(limits, Arc::clone(&resolver));
    let url = format!("http://name.test:{}/", good.addr.port());
    for _ in 0..4 {
        let request = Request { method: "GET", url: &url, headers: &[], body: None };
        assert_eq!(fetch.send(&request).unwrap().body, b"here");
    }
    let addresses = resolver.lookup("name.test", good.addr.port()).unwrap();
    assert_eq!(resolver.passive().choose(&addresses, clock::tick()).addresses[0], good.addr);
}

/// A black hole: its queue of connections is full, so the kernel drops what comes.
#[test]
fn an_address_that_takes_no_connection_leaves_time_for_the_next() {
    fn two(_: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()])
    }
    let good = Fake::start(|_, stream| answer(stream, 200, "here"));
    let hole = TcpListener::bind(("127.0.0.2", good.addr.port())).unwrap();
    rustix::net::listen(&hole, 0).unwrap();
    let at = hole.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&at, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue never fills");
    }
    let total = Duration::from_secs(2);
    let limits = Limits { connect: total, total, body: 64, proxy: false };
    let fetch = Fetch::new(limits, Arc::new(Resolver::asking(two)));
    let url = format!("http://name.test:{}/", good.addr.port());
    for first in [true, false] {
        let began = clock::tick();
        let request = Request { method: "GET", url: &url, headers: &[], body: None };
        assert_eq!(fetch.send(&request).unwrap().body, b"here", "first: {first}");
        let took = clock::tick().since(began);
        println!("{took:?}");
        assert!(!first || took >= total / 3, "the hole was tried first");
    }
}
