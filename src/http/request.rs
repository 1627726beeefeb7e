//! A request, read whole.

use std::net::IpAddr;

use crate::http::Scopes;

/// What is asked. All texts are as they were sent: nothing is decoded.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `HEAD`, `POST`, `PUT`, …
    pub method: &'a str,
    /// From the first slash to the question mark.
    pub path: &'a str,
    /// What follows the question mark; may be empty.
    pub query: &'a str,
    /// Names in any case, and values without spaces around them.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body; see [`Request::is_cut`].
    pub body: &'a [u8],
    /// Who asks: the other end of the connection.
    pub peer: IpAddr,
    /// What its token or password opens.
    pub scopes: Scopes,
    /// How its token is called, or the user; empty for nobody.
    pub who: &'a str,
}

impl<'a> Request<'a> {
    /// The value of the first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.1).ok()
    }

    /// Whether the body is only the beginning of what was sent.
    pub fn is_cut(&self) -> bool {
        let sent = self.header("content-length").and_then(|length| length.parse::<usize>().ok());
        sent.is_some_and(|sent| sent > self.body.len())
    }

    /// What the path holds behind `prefix`.
    pub fn below(&self, prefix: &str) -> Option<&'a str> {
        self.path.strip_prefix(prefix)
    }
}
