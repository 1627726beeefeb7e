//! The HTTP client starts no thread and leaves none behind. Alone in its process, so that threads can be counted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use crate::common::alone;
use interrupt_callback::fetch::{Fetch, Limits, Request};
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::{HTTP_STACK, spawn};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn requests_start_no_threads() {
    if !alone("fetch_threads::requests_start_no_threads") {
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    spawn("fake", HTTP_STACK, move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let n = stream.read(&mut head).unwrap();
            if head[..n].starts_with(b"PUT") {
                // It hangs until the client gives up.
                while matches!(stream.read(&mut head), Ok(n) if n > 0) {}
            } else {
                let body = threads().to_string();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        }
    })
    .unwrap();
    let limits = Limits { connect: Duration::from_secs(5), total: Duration::from_secs(20), body: 64, proxy: true };
    let fetch = Fetch::new(limits, Arc::new(Resolver::default()));
    let before = threads();
    for _ in 0..20 {
        let request = Request { method: "GET", url: &url, headers: &[], body: None };
        let seen = String::from_utf8(fetch.send(&request).unwrap().body).unwrap();
        assert_eq!(seen, before.to_string(), "while a request was under way");
    }
    let hang = Request { method: "PUT", url: &url, headers: &[], body: None };
    fetch.send_within(&hang, Duration::from_millis(100)).unwrap_err();
    drop(fetch);
    assert_eq!(threads(), before);
}
