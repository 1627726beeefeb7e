//! What is answered, made whole before it is sent.

use crate::clock::Wall;
use crate::zone::Zone;

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `Content-Type`; empty for an answer without a body.
    pub kind: &'static str,
    /// Further headers. No value holds a control character. One that [`DEFAULTS`] names takes its place.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// A secret in the path or the header was wrong: it counts against its sender.
    pub denied: bool,
}

/// Headers of every answer. Pages may bring styles of their own and pictures from here, but neither scripts nor anything
/// from elsewhere; nobody may put them into a frame; nothing of them is kept or passed on.
pub const DEFAULTS: [(&str, &str); 4] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
];

impl Response {
    /// A body of some kind.
    pub fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, kind, headers: Vec::new(), body: body.into(), denied: false }
    }

    /// No body.
    pub fn empty(status: u16) -> Response {
        Response::new(status, "", Vec::new())
    }

    /// Plain text.
    pub fn text(status: u16, text: &str) -> Response {
        Response::new(status, "text/plain; charset=utf-8", text)
    }

    /// JSON that is written already.
    pub fn json(status: u16, json: impl Into<Vec<u8>>) -> Response {
        Response::new(status, "application/json", json)
    }

    /// Nothing is there.
    pub fn not_found() -> Response {
        Response::text(404, "not found\n")
    }

    /// The daemon cannot answer yet.
    pub fn starting() -> Response {
        Response::text(503, "starting\n").with("Retry-After", "1")
    }

    /// With one header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Status line and headers, with the empty line. `keep`: the connection stays open after it. The length is that of
    /// the body, whether it is sent or not.
    pub fn head(&self, keep: bool, now: Wall) -> Vec<u8> {
        let mut text = ["HTTP/1.1 ", &self.status.to_string(), " ", reason(self.status), "\r\n"].concat();
        if now.is_set() {
            line(&mut text, "Date", &date(now));
        }
        if !self.kind.is_empty() {
            line(&mut text, "Content-Type", self.kind);
        }
        // These two have no body by themselves (RFC 9110, 8.6).
        if !matches!(self.status, 204 | 304) {
            line(&mut text, "Content-Length", &self.body.len().to_string());
        }
        for (name, value) in &self.headers {
            // What would begin another line is left out.
            if !value.bytes().any(|byte| byte.is_ascii_control()) {
                line(&mut text, name, value);
            }
        }
        for (name, value) in DEFAULTS {
            if !self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                line(&mut text, name, value);
            }
        }
        line(&mut text, "Connection", if keep { "keep-alive" } else { "close" });
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        text.push_str(part);
    }
}

/// Words for people who look at the wire; nobody else reads them.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        0..400 => "Done",
        _ => "Error",
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn date(wall: Wall) -> String {
    const DAYS: &str = "MonTueWedThuFriSatSun";
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = |names: &'static str, index: usize| names.get(index * 3..index * 3 + 3).unwrap_or_default();
    let zone = Zone::utc();
    // 2026-11-21 10:00:00 +00:00
    let text = zone.human(wall);
    let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    // 1970 began on a Thursday.
    let day = (zone.local(wall).0 + 3).rem_euclid(7) as usize;
    let month = piece(5, 7).parse().map_or(0, |month: usize| month.saturating_sub(1));
    [name(DAYS, day), ", ", piece(8, 10), " ", name(MONTHS, month), " ", piece(0, 4), " ", piece(11, 19), " GMT"]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (secs, want) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        ] {
            assert_eq!(date(Wall(secs * 1000)), want);
        }
    }

    #[test]
    fn heads() {
        let head = |response: &Response, keep| String::from_utf8(response.head(keep, Wall(0))).unwrap();
        let text = head(&Response::text(200, "yes\n"), true);
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n")
        );
        assert!(text.ends_with("\r\nConnection: keep-alive\r\n\r\n"), "{text}");
        assert!(!text.contains("Date:") && !text.contains("Server:"), "{text}");
        for (name, value) in DEFAULTS {
            assert!(text.contains(&format!("{name}: {value}\r\n")), "{text}");
        }
        let text = head(&Response::empty(200).with("Location", "/a\r\nSet-Cookie: b"), true);
        assert!(!text.contains("Cookie"), "{text}");
        let text = head(&Response::empty(204).with("cache-control", "max-age=60"), false);
        assert!(text.contains("cache-control: max-age=60\r\n") && !text.contains("no-store"), "{text}");
        assert!(!text.contains("\nContent-Length") && !text.contains("\nContent-Type"), "{text}");
    }
}
