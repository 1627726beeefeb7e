//! A request cut out of what arrives.
//!
//! Strict: where two readers can understand a stream differently, one can be played off against the other (request
//! smuggling, RFC 9112, 11.2). So nothing is mended: lines end in CRLF, a body has one length or is chunked, and what
//! is unclear is refused, after which the connection is closed. Pure, and whatever the pieces are in which a stream
//! arrives, it is understood the same way.

use httparse::{EMPTY_HEADER, Status};

pub use chunks::Chunks;

mod chunks;
#[cfg(test)]
mod tests;

/// Bytes of a request line and headers together.
pub const MAX_HEAD: usize = 8 * 1024;
/// Headers of a request.
pub const MAX_HEADERS: usize = 64;
/// Bytes of a body.
pub const MAX_BODY: usize = 64 * 1024;
/// Where agents report: once, whatever comes of it. A longer body is read to its end there, and cut to [`MAX_BODY`].
const REPORTS: &str = "/agent/jobs/";
/// Bytes of such a body.
pub const MAX_CUT: usize = 16 * 1024 * 1024;

/// Why a request is not taken: the status of the answer, and words for it.
pub type Refused = (u16, &'static str);

const BAD_LINE: Refused = (400, "a line does not end in CRLF");
const BAD_BYTE: Refused = (400, "a byte that no request has");
const BAD_HEAD: Refused = (400, "malformed request");
const BAD_LENGTH: Refused = (400, "malformed length");
const TOO_LARGE: Refused = (413, "the body has more than 64 KiB");
const HEAD_TOO_LARGE: Refused = (431, "the headers have more than 8 KiB, or are more than 64");

/// How far a request has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// More must come.
    More,
    /// It is whole.
    Whole,
    /// It is not taken, and what follows it cannot be understood either.
    Refused(Refused),
}

/// What the headers say of the request itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Bytes of the body as it is sent; `None` if it comes in chunks.
    pub length: Option<usize>,
    /// The connection may be used for another request.
    pub keep: bool,
    /// The body comes once this side has said that it wants it.
    pub expects: bool,
}

/// A request that is whole, borrowed from its [`Reader`].
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// `GET` and the like.
    pub method: &'a str,
    /// Begins with a slash.
    pub target: &'a str,
    /// Names as they came, values without spaces around them.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, without chunks; it may be cut.
    pub body: &'a [u8],
}

/// One connection's requests, one after the other.
#[derive(Default)]
pub struct Reader {
    /// What came and is not understood yet.
    rest: Vec<u8>,
    /// Bytes of it that cannot be the end of the head.
    looked: usize,
    /// Request line and headers, with the empty line.
    head: Vec<u8>,
    frame: Option<Frame>,
    chunks: Chunks,
    body: Vec<u8>,
    /// Bytes of the body that came and are not kept.
    cut: usize,
}

impl Reader {
    /// Takes in what came. The caller pushes little at a time, and only while [`Reader::step`] wants more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// Whether nothing has come of the request yet.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.frame.is_none()
    }

    /// What the headers say, once all of them are there.
    pub fn frame(&self) -> Option<Frame> {
        self.frame
    }

    /// Whether the client may be waiting for a word before it sends the body.
    pub fn awaits_word(&self) -> bool {
        self.frame.is_some_and(|frame| frame.expects) && self.rest.is_empty() && self.body.is_empty()
    }

    /// Goes as far as what has come allows.
    pub fn step(&mut self) -> Step {
        match self.go() {
            Ok(true) => Step::Whole,
            Ok(false) => Step::More,
            Err(refused) => Step::Refused(refused),
        }
    }

    fn go(&mut self) -> Result<bool, Refused> {
        let frame = match self.frame {
            Some(frame) => frame,
            None => {
                let Some(end) = self.end_of_head()? else { return Ok(false) };
                let rest = self.rest.split_off(end);
                self.head = std::mem::replace(&mut self.rest, rest);
                let frame = with_head(&self.head, &mut |raw, minor| frame(raw, minor))?;
                *self.frame.insert(frame)
            }
        };
        match frame.length {
            None => {
                let (taken, whole) = self.chunks.take(&self.rest, &mut self.body)?;
                self.rest.drain(..taken);
                Ok(whole)
            }
            Some(length) => {
                let missing = length - self.body.len() - self.cut;
                let taken = missing.min(self.rest.len());
                let kept = taken.min(MAX_BODY - self.body.len());
                self.body.extend(self.rest.drain(..taken).take(kept));
                self.cut += taken - kept;
                Ok(taken == missing)
            }
        }
    }

    /// Where the head ends.
    fn end_of_head(&mut self) -> Result<Option<usize>, Refused> {
        while let Some(byte) = self.rest.get(self.looked) {
            let after_cr = self.looked > 0 && self.rest[self.looked - 1] == b'\r';
            if after_cr != (*byte == b'\n') {
                return Err(BAD_LINE);
            }
            if *byte == 0 {
                return Err(BAD_BYTE);
            }
            self.looked += 1;
            if self.rest[..self.looked].ends_with(b"\r\n\r\n") {
                return Ok(Some(self.looked));
            }
            if self.looked == MAX_HEAD {
                return Err(HEAD_TOO_LARGE);
            }
        }
        Ok(None)
    }

    /// Gives `take` the request, which is whole.
    pub fn with(&self, take: &mut dyn FnMut(&Raw<'_>)) {
        // It was understood before.
        let _ = with_head(&self.head, &mut |raw, _| {
            take(&Raw { body: &self.body, ..*raw });
            Ok(())
        });
    }

    /// Goes on to the next request.
    pub fn go_on(&mut self) {
        *self = Reader { rest: std::mem::take(&mut self.rest), ..Reader::default() };
    }
}

/// Reads request line and headers; `take` gets them with the minor version.
fn with_head<T>(head: &[u8], take: &mut dyn FnMut(&Raw<'_>, u8) -> Result<T, Refused>) -> Result<T, Refused> {
    let mut found = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut found);
    match request.parse(head) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(BAD_HEAD),
        Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LARGE),
        Err(httparse::Error::Version) => return Err((505, "only HTTP/1.0 and HTTP/1.1 are spoken here")),
        Err(_) => return Err(BAD_HEAD),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(BAD_HEAD);
    };
    let mut headers = [("", &[][..]); MAX_HEADERS];
    for (place, header) in headers.iter_mut().zip(&*request.headers) {
        *place = (header.name, header.value.trim_ascii());
    }
    let headers = headers.get(..request.headers.len()).unwrap_or_default();
    take(&Raw { method, target, headers, body: &[] }, minor)
}

/// Judges what the headers say of the request itself.
fn frame(raw: &Raw<'_>, minor: u8) -> Result<Frame, Refused> {
    // Other forms are for proxies (RFC 9112, 3.2).
    if !raw.target.starts_with('/') || !raw.target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err((400, "the target must be a path"));
    }
    let new = minor == 1;
    let (mut length, mut chunked, mut host) = (None, false, false);
    let (mut close, mut alive, mut expects) = (false, false, false);
    for (name, value) in raw.headers {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            if length.replace(decimal(value)?).is_some() {
                return Err(BAD_LENGTH);
            }
        } else if is("transfer-encoding") {
            if chunked || !new {
                return Err(BAD_LENGTH);
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err((501, "the only transfer coding is chunked"));
            }
            chunked = true;
        } else if is("host") {
            if std::mem::replace(&mut host, true) {
                return Err((400, "more than one host"));
            }
        } else if is("connection") {
            for word in value.split(|byte| *byte == b',') {
                close |= word.trim_ascii().eq_ignore_ascii_case(b"close");
                alive |= word.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        } else if is("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err((417, "nothing but 100-continue can be expected"));
            }
            // An old client does not know the word that it would get.
            expects = new;
        }
    }
    if chunked && length.is_some() {
        return Err(BAD_LENGTH);
    }
    if new && !host {
        return Err((400, "no host"));
    }
    let length = if chunked { None } else { Some(length.unwrap_or(0)) };
    let most = if raw.target.starts_with(REPORTS) { MAX_CUT } else { MAX_BODY };
    if length.is_some_and(|length| length > most) {
        return Err(TOO_LARGE);
    }
    Ok(Frame { length, keep: !close && (new || alive), expects: expects && length != Some(0) })
}

/// Nothing but digits: no sign, no space, no list.
fn decimal(value: &[u8]) -> Result<usize, Refused> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(BAD_LENGTH);
    }
    let digit = |number: usize, byte: &u8| number.saturating_mul(10).saturating_add(usize::from(byte - b'0'));
    Ok(value.iter().fold(0, digit))
}
