//! Requests over HTTP: however a stream is cut, it says the same, and what it says keeps its bounds.

#![no_main]

mod edit;

use std::sync::OnceLock;

use interrupt_callback::http::parse::{MAX_BODY, MAX_HEAD, MAX_HEADERS, Reader, Step};
use interrupt_callback::http::{auth, route};
use libfuzzer_sys::fuzz_target;

/// Streams that are understood.
fn streams() -> &'static [Vec<u8>] {
    static STREAMS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    STREAMS.get_or_init(|| {
        [
            "GET /badge/nas@home.svg?a=b&token=c%20d HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n",
            "POST /event/generic HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET / \
             HTTP/1.0\r\n\r\n",
            "PUT /agent/jobs/1/fail HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n{\"result\":\"",
            "PUT /ping/x/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nHEAD \
             /metrics HTTP/1.1\r\nHost: [::1]:9081\r\nAuthorization: Bearer x\r\n\r\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    })
}

/// Method, target and body of each request, and the status of the refusal that ended it.
type Understood = (Vec<(String, String, Vec<u8>)>, Option<u16>);

fn understood<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Understood {
    let (mut reader, mut requests) = (Reader::default(), Vec::new());
    loop {
        match reader.step() {
            Step::Refused((status, _)) => return (requests, Some(status)),
            Step::Whole => {
                reader.with(&mut |raw| {
                    assert!(raw.target.starts_with('/') && raw.target.len() <= MAX_HEAD);
                    assert!(raw.body.len() <= MAX_BODY && raw.headers.len() <= MAX_HEADERS);
                    for (name, value) in raw.headers {
                        assert!(!name.is_empty() && !name.contains([' ', ':', '\r', '\n']));
                        assert!(!value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
                    }
                    let (path, query) = raw.target.split_once('?').unwrap_or((raw.target, ""));
                    route::find(raw.method, path);
                    auth::query(query, "token");
                    requests.push((raw.method.to_owned(), raw.target.to_owned(), raw.body.to_vec()));
                });
                reader.go_on();
            }
            Step::More => match pieces.next() {
                Some(piece) => reader.push(piece),
                None => return (requests, None),
            },
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([how, cut], bytes)) = bytes.split_first_chunk::<2>() else { return };
    let stream = if how & 1 == 0 { bytes.to_vec() } else { edit::edited(streams(), bytes) };
    let whole = understood([&*stream].into_iter());
    assert_eq!(understood(stream.chunks(1)), whole);
    assert_eq!(understood(stream.chunks(usize::from(*cut) + 2)), whole);
    let (a, b) = stream.split_at(stream.len() * usize::from(*cut) / 256);
    assert_eq!(understood([a, b].into_iter()), whole);
});
