//! Shapes of requests, whole and in pieces.

use super::*;

/// What a stream of requests comes to: method, target and body of each, and why the last one was refused.
type Understood = (Vec<(String, String, Vec<u8>)>, Option<u16>);

fn understood(pieces: &mut dyn Iterator<Item = &[u8]>) -> Understood {
    let (mut reader, mut requests) = (Reader::default(), Vec::new());
    loop {
        match reader.step() {
            Step::Refused((status, _)) => return (requests, Some(status)),
            Step::Whole => {
                reader.with(&mut |raw| {
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

fn whole(text: &str) -> Understood {
    understood(&mut [text.as_bytes()].into_iter())
}

fn status(text: &str) -> Option<u16> {
    whole(text).1
}

const STREAMS: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a?b=c HTTP/1.0\r\n\r\n",
    "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00a\r\n0123456789\r\n0\r\n\r\nGET /2 \
     HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\nPUT /2 HTTP/1.1\r\nHost: a\r\nX: \t y \r\n\r\n",
    "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGARBAGE\n",
];

#[test]
fn however_it_is_cut_a_stream_says_the_same() {
    let mut seen = Vec::new();
    for text in STREAMS {
        let want = whole(text);
        seen.push((want.0.len(), want.1));
        for cut in 0..=text.len() {
            let (a, b) = text.as_bytes().split_at(cut);
            assert_eq!(understood(&mut [a, b].into_iter()), want, "{text:?} cut at {cut}");
        }
        assert_eq!(understood(&mut text.as_bytes().chunks(1)), want, "{text:?} byte by byte");
    }
    assert_eq!(seen, [(1, None), (1, None), (2, None), (2, None), (2, None), (1, Some(400))]);
    assert_eq!(whole(STREAMS[3]).0[0].2, b"hello0123456789");
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let with = |headers: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    let chunked = "Transfer-Encoding: chunked";
    for (headers, want) in [
        (format!("Content-Length: 3\r\n{chunked}"), 400),
        (format!("{chunked}\r\nContent-Length: 3"), 400),
        ("Content-Length: 3\r\nContent-Length: 4".into(), 400),
        ("Content-Length: 3\r\nContent-Length: 3".into(), 400),
        ("Content-Length: 3, 3".into(), 400),
        ("Content-Length: +3".into(), 400),
        ("Content-Length: -3".into(), 400),
        ("Content-Length: 0x3".into(), 400),
        ("Content-Length: 3 3".into(), 400),
        ("Content-Length:".into(), 400),
        ("Content-Length: ３".into(), 400),
        ("Content-Length: 18446744073709551617".into(), 413),
        ("Content-Length: 65537".into(), 413),
        ("Content-Length : 3".into(), 400),
        (format!("{chunked}\r\n{chunked}"), 400),
        ("Transfer-Encoding: gzip, chunked".into(), 501),
        ("Transfer-Encoding: chunked, identity".into(), 501),
        ("Transfer-Encoding: xchunked".into(), 501),
        ("Transfer-Encoding: \u{b}chunked".into(), 400),
        ("Transfer-Encoding:".into(), 501),
        ("Transfer-Encoding : chunked".into(), 400),
        ("Transfer-Encoding\t: chunked".into(), 400),
        ("X: a\r\n Content-Length: 3".into(), 400),
        ("X: a\r\n\tb".into(), 400),
        ("X: a\nContent-Length: 3".into(), 400),
        ("X: a\rContent-Length: 3".into(), 400),
        ("X: a\0b".into(), 400),
        ("X: a\u{7f}b".into(), 400),
        (": a".into(), 400),
        ("no colon".into(), 400),
        ("Host: b".into(), 400),
        ("Expect: 200-ok".into(), 417),
    ] {
        assert_eq!(status(&with(&headers)), Some(want), "{headers:?}");
    }
    assert_eq!(status(&with("Content-Length: 0")), None);
    assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(400));
}

#[test]
fn request_lines() {
    for (line, want) in [
        ("GET / HTTP/1.1", None),
        ("GET  / HTTP/1.1", Some(400)),
        ("GET /  HTTP/1.1", Some(505)),
        (" GET / HTTP/1.1", Some(400)),
        ("GET / HTTP/1.1 ", Some(400)),
        ("GET /\tHTTP/1.1", Some(400)),
        ("GET / HTTP/1.2", Some(505)),
        ("GET / HTTP/2.0", Some(505)),
        ("GET / http/1.1", Some(505)),
        ("GET /", Some(400)),
        ("G(T / HTTP/1.1", Some(400)),
        ("GET http://a/ HTTP/1.1", Some(400)),
        ("CONNECT a:80 HTTP/1.1", Some(400)),
        ("OPTIONS * HTTP/1.1", Some(400)),
        ("GET /é HTTP/1.1", Some(400)),
        ("GET a HTTP/1.1", Some(400)),
        ("\r\nGET / HTTP/1.1", None),
        ("\r\n\r\nGET / HTTP/1.1", Some(400)),
    ] {
        assert_eq!(status(&format!("{line}\r\nHost: a\r\n\r\n")), want, "{line:?}");
    }
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), Some(400), "no host");
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), None);
}

#[test]
fn chunks_are_taken_as_they_must_be_written() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let large = format!("10000\r\n{}\r\n", "x".repeat(65536));
    for (body, want) in [
        ("0\r\n\r\n", None),
        ("1\r\nx\r\n0\r\n\r\n", None),
        ("A\r\n0123456789\r\n0\r\n\r\n", None),
        (&*large, None),
        (&format!("{large}1\r\nx"), Some(413)),
        ("10001\r\n", Some(413)),
        ("1000000\r\n", Some(413)),
        ("1;x=y\r\nx\r\n", Some(400)),
        ("1 \r\nx\r\n", Some(400)),
        (" 1\r\nx\r\n", Some(400)),
        ("-1\r\nx\r\n", Some(400)),
        ("+1\r\nx\r\n", Some(400)),
        ("0x1\r\nx\r\n", Some(400)),
        ("1\nx\r\n", Some(400)),
        ("1\r\nxx\r\n", Some(400)),
        ("1\r\nx\n", Some(400)),
        ("\r\n", Some(400)),
        ("0\r\nX: y\r\n\r\n", Some(400)),
        ("0\r\n\n", Some(400)),
    ] {
        assert_eq!(status(&format!("{head}{body}")), want, "{:?}", &body[..body.len().min(40)]);
    }
}

#[test]
fn limits() {
    let head = |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - 32));
    assert_eq!(head(MAX_HEAD).len(), MAX_HEAD);
    assert_eq!(status(&head(MAX_HEAD)), None);
    assert_eq!(status(&head(MAX_HEAD + 1)), Some(431));
    assert_eq!(status(&"x".repeat(MAX_HEAD)), Some(431));
    let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    assert_eq!(status(&many(MAX_HEADERS)), None);
    assert_eq!(status(&many(MAX_HEADERS + 1)), Some(431));
    let body = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MAX_BODY}\r\n\r\n{}", "x".repeat(MAX_BODY));
    assert_eq!(whole(&body).0[0].2.len(), MAX_BODY);
}

#[test]
fn connections_are_kept_and_words_are_awaited_as_the_headers_say() {
    let frame = |text: &str| {
        let mut reader = Reader::default();
        reader.push(text.as_bytes());
        reader.step();
        (reader.frame().unwrap().keep, reader.awaits_word())
    };
    for (line, headers, want) in [
        ("1.1", "", (true, false)),
        ("1.1", "Connection: close\r\n", (false, false)),
        ("1.1", "Connection: x, Close\r\n", (false, false)),
        ("1.0", "", (false, false)),
        ("1.0", "Connection: Keep-Alive\r\n", (true, false)),
        ("1.1", "Expect: 100-Continue\r\nContent-Length: 2\r\n", (true, true)),
        ("1.1", "Expect: 100-continue\r\n", (true, false)),
        ("1.0", "Expect: 100-continue\r\nContent-Length: 2\r\n", (false, false)),
    ] {
        assert_eq!(frame(&format!("POST / HTTP/{line}\r\nHost: a\r\n{headers}\r\n")), want, "{line} {headers:?}");
    }
    let sent = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nx";
    assert_eq!(frame(sent), (true, false), "the body comes unasked");
}

/// An agent reports once: what it says is read to its end, and the next request is understood.
#[test]
fn a_report_that_is_too_long_is_cut() {
    let report = |target: &str, length: usize| {
        let head = format!("PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        [head, "x".repeat(length), "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()].concat()
    };
    for length in [MAX_BODY, MAX_BODY + 1, 3 * MAX_BODY] {
        let text = report("/agent/jobs/1/fail", length);
        for size in [4096, 1000, text.len()] {
            let (requests, refused) = understood(&mut text.as_bytes().chunks(size));
            let targets: Vec<&str> = requests.iter().map(|(_, target, _)| &**target).collect();
            assert_eq!((targets, refused), (vec!["/agent/jobs/1/fail", "/2"], None), "{length}");
            assert_eq!((requests[0].2.len(), requests[1].2.len()), (MAX_BODY, 0));
        }
    }
    let head = |target: &str, length: usize| status(&report(target, 0).replace(": 0", &format!(": {length}")));
    assert_eq!(head("/agent/jobs/1/fail", MAX_CUT + 1), Some(413));
    assert_eq!(head("/agent/job/add", MAX_BODY + 1), Some(413));
}
