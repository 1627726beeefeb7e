//! A connection for a protocol of lines: dialled, ended and encrypted as those of the HTTP client are.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::OnceLock;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::Resolver as _;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, Transport};

use super::dial::Dial;
#[cfg(feature = "tls")]
use super::tls::Secure;
use super::{Fetch, FetchError, Names, TlsError, kind_of};
use crate::clock::{self, Tick};

/// Bytes of a line. SMTP allows 512 (RFC 5321, 4.5.3.1.5); some servers say more.
pub const MAX_LINE: usize = 2 * 1024;

/// A connection, all of whose reading and writing has one end.
pub struct Link {
    stream: Box<dyn Transport>,
    /// Host and port, in the form that the library wants.
    uri: Uri,
    fetch: Fetch,
    names: Names,
    end: Tick,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Fetch {
    /// Connects to `host`, a name or an IP literal without brackets, in plain text and without a proxy. The client's
    /// own limits of time hold.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn link(&self, host: &str, port: u16) -> Result<Link, FetchError> {
        let end = clock::tick() + self.limits.total;
        let bracketed = if host.contains(':') { ["[", host, "]"].concat() } else { host.to_owned() };
        let uri: Uri =
            ["https://", &bracketed, ":", &port.to_string(), "/"].concat().parse().map_err(|_| FetchError::BadUrl)?;
        let config = self.agent.config();
        let names = Names(Arc::clone(&self.resolver));
        let left = || NextTimeout { after: end.since(clock::tick()).into(), ..NextTimeout::default() };
        let addrs = names.resolve(&uri, config, left()).map_err(|error| kind_of(&error))?;
        let mut timeout = left();
        timeout.after = timeout.after.min(self.limits.connect.into());
        let dial = Dial { resolver: Arc::clone(&self.resolver), connected: Arc::clone(&self.connected) };
        let details = ConnectionDetails { addrs, ..details(&uri, config, &names, timeout) };
        let dialled = Connector::<()>::connect(&dial, &details, None).map_err(|error| kind_of(&error))?;
        let stream: Box<dyn Transport> = Box::new(dialled.ok_or(FetchError::Connect)?);
        Ok(Link { stream, uri, fetch: self.clone(), names, end })
    }
}

impl Link {
    /// Begins TLS; the other end must have a certificate for the host.
    ///
    /// # Errors
    /// When TLS fails, or is not in this binary.
    pub fn encrypt(mut self) -> Result<Link, FetchError> {
        let details = details(&self.uri, self.fetch.agent.config(), &self.names, self.left()?);
        self.stream = wrap(&self.fetch, &details, self.stream)?;
        Ok(self)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// When they cannot be sent in time.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = self.left()?;
            let output = self.stream.buffers().output();
            let (part, after) = rest.split_at(rest.len().min(output.len()));
            output[..part.len()].copy_from_slice(part);
            self.stream.transmit_output(part.len(), left).map_err(|error| kind_of(&error))?;
            rest = after;
        }
        Ok(())
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// When none comes in time, or one longer than [`MAX_LINE`].
    pub fn line(&mut self) -> Result<String, FetchError> {
        let mut line = Vec::new();
        loop {
            let left = self.left()?;
            if self.stream.buffers().input().is_empty()
                && !self.stream.await_input(left).map_err(|error| kind_of(&error))?
            {
                return Err(FetchError::Protocol);
            }
            let buffers = self.stream.buffers();
            let input = buffers.input();
            let end = input.iter().position(|byte| *byte == b'\n');
            let part = &input[..end.unwrap_or(input.len())];
            if part.len() > MAX_LINE - line.len() {
                return Err(FetchError::Protocol);
            }
            line.extend_from_slice(part);
            let read = part.len() + usize::from(end.is_some());
            buffers.input_consume(read);
            if end.is_some() {
                let text = String::from_utf8_lossy(&line);
                return Ok(text.strip_suffix('\r').unwrap_or(&text).to_owned());
            }
        }
    }

    /// Whether the other end has said more than was read.
    pub fn has_more(&mut self) -> bool {
        !self.stream.buffers().input().is_empty()
    }

    /// The end comes in `wait` at the latest.
    pub fn hurry(&mut self, wait: Duration) {
        self.end = self.end.min(clock::tick() + wait);
    }

    fn left(&self) -> Result<NextTimeout, FetchError> {
        let left = self.end.since(clock::tick());
        if left.is_zero() {
            return Err(FetchError::Timeout);
        }
        Ok(NextTimeout { after: left.into(), ..NextTimeout::default() })
    }
}

/// What a connector of the library wants to know, without addresses.
fn details<'a>(uri: &'a Uri, config: &'a Config, names: &'a Names, timeout: NextTimeout) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri,
        addrs: names.empty(),
        config,
        request_level: false,
        resolver: names,
        // Its clock stands still: what was dialled ends by the program's own.
        now: Instant::AlreadyHappened,
        timeout,
        current_time: Arc::new(|| Instant::AlreadyHappened),
        run_connector: Arc::new(|_| Err(ureq::Error::ConnectionFailed)),
        register_shutdown: Arc::new(|_| Ok(())),
    }
}

#[cfg(feature = "tls")]
fn wrap(
    fetch: &Fetch,
    details: &ConnectionDetails<'_>,
    stream: Box<dyn Transport>,
) -> Result<Box<dyn Transport>, FetchError> {
    let (own, connected) = (OnceLock::new(), Arc::clone(&fetch.connected));
    let secure = Secure { ca: fetch.ca.clone(), own, insecure: false, shown: None, connected };
    let stream = secure.connect(details, Some(stream)).map_err(|error| kind_of(&error))?;
    Ok(Box::new(stream.ok_or(FetchError::Tls(TlsError::Other))?))
}

#[cfg(not(feature = "tls"))]
fn wrap(_: &Fetch, _: &ConnectionDetails<'_>, _: Box<dyn Transport>) -> Result<Box<dyn Transport>, FetchError> {
    Err(FetchError::Tls(TlsError::Other))
}
