//! What is answered, made whole before it is sent.

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `Content-Type`; empty for an answer without a body.
    pub kind: &'static str,
    /// Further headers. No value holds a control character.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// A secret in the path or the header was wrong: it counts against its sender.
    pub denied: bool,
}

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
}
