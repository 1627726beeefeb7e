//! One HTTP exchange with a deadline, without redirects, with a bounded body and errors that show no address.
//!
//! Webhook addresses are secrets, so nothing here formats a URL, and no error of the HTTP library leaves this file.

#[cfg(feature = "tls")]
mod crypto;
mod dial;
mod error;
pub mod link;
pub mod roots;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ureq::SendBody;
use ureq::http;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, NextTimeout};
use ureq::{Agent, AsSendBody, Body, Proxy, ProxyProtocol};

use crate::clock;
use crate::fetch::dial::Dial;
use crate::fetch::error::kind_of;
pub use crate::fetch::error::{FetchError, TlsError};
use crate::fetch::roots::CaFile;
use crate::resolve::{Resolver, WAIT};
use crate::secret::Secret;

/// Bytes of status line and headers that are read.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes that are sent in one write.
const OUTPUT: usize = 8 * 1024;
/// Bytes that are read of a body at a time.
const CHUNK: usize = 4 * 1024;

/// Who may be asked, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the connection.
    pub connect: Duration,
    /// For the whole exchange.
    pub total: Duration,
    /// Bytes of body that are read; what lies beyond is an error.
    pub body: u64,
    /// Whether proxies of the environment apply.
    pub proxy: bool,
}

/// How to get there, in place of the usual way.
#[derive(Clone, Copy, Default, Debug)]
pub struct Way<'a> {
    /// A proxy that [`proxy_is_usable`] took, or `""` for none, in place of those of the environment.
    pub proxy: Option<&'a Secret>,
    /// Who is trusted, in place of the usual roots.
    pub ca: Option<&'a CaFile>,
    /// Everybody is trusted.
    pub insecure: bool,
    /// Takes the certificate that the other end shows, as DER.
    pub shown: Option<&'a Shown>,
}

/// A certificate, once one was shown.
pub type Shown = Arc<OnceLock<Vec<u8>>>;

/// An HTTP client. Clones share one agent and are cheap; no connection is kept between requests.
#[derive(Clone)]
pub struct Fetch {
    limits: Limits,
    agent: Agent,
    connected: Arc<AtomicBool>,
    resolver: Arc<Resolver>,
    #[cfg(feature = "tls")]
    ca: Option<CaFile>,
}

/// A request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT`.
    pub method: &'a str,
    /// Absolute URL.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What to send.
    pub body: Option<&'a [u8]>,
}

/// An answer of any status.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, and values that are text.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetch")
    }
}

/// Shows neither path nor headers, which may be secret.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, host_of(self.url))
    }
}

impl Fetch {
    /// A client with `limits`.
    pub fn new(limits: Limits, resolver: Arc<Resolver>) -> Fetch {
        Fetch::by(Way::default(), limits, resolver)
    }

    /// One that goes another way.
    ///
    /// # Panics
    /// With a proxy that was not checked.
    pub fn by(way: Way<'_>, limits: Limits, resolver: Arc<Resolver>) -> Fetch {
        let proxy = match way.proxy.map(Secret::reveal) {
            Some("") => None,
            Some(proxy) => Some(Proxy::new(proxy).expect("it was checked with the configuration")),
            None if limits.proxy => proxy_of_environment(),
            None => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .timeout_global(Some(limits.total))
            .timeout_connect(Some(limits.connect))
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(MAX_HEAD)
            .output_buffer_size(OUTPUT)
            .user_agent(concat!("interrupt-callback/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build();
        let connected = Arc::new(AtomicBool::new(false));
        let dial = Dial { resolver: Arc::clone(&resolver), connected: Arc::clone(&connected) };
        let chain = ().chain(ConnectProxyConnector::default()).chain(dial);
        #[cfg(feature = "tls")]
        let chain = chain.chain(tls::Secure {
            ca: way.ca.cloned(),
            own: OnceLock::new(),
            insecure: way.insecure,
            shown: way.shown.cloned(),
            connected: Arc::clone(&connected),
        });
        let agent = Agent::with_parts(config, chain, Names(Arc::clone(&resolver)));
        Fetch {
            limits,
            agent,
            connected,
            resolver,
            #[cfg(feature = "tls")]
            ca: way.ca.cloned(),
        }
    }

    /// Whether the last request, of whichever clone, got as far as a connection: without one nobody saw it.
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Makes one request.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn send(&self, request: &Request<'_>) -> Result<Answer, FetchError> {
        self.send_within(request, self.limits.total)
    }

    /// Makes one request in `total` at most, if that is less than the client's own limit.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub fn send_within(&self, request: &Request<'_>, total: Duration) -> Result<Answer, FetchError> {
        self.exchange(request, total, false)
    }

    /// As [`Fetch::send`], but what lies beyond the limit of a body is left unread, and is no error.
    ///
    /// # Errors
    /// When there is no answer up to there.
    pub fn glance(&self, request: &Request<'_>) -> Result<Answer, FetchError> {
        self.exchange(request, self.limits.total, true)
    }

    fn exchange(&self, request: &Request<'_>, total: Duration, cut: bool) -> Result<Answer, FetchError> {
        self.connected.store(false, Ordering::Relaxed);
        let (mut bytes, mut nothing) = (request.body.unwrap_or_default(), ());
        let body = if request.body.is_some() { bytes.as_body() } else { nothing.as_body() };
        let mut prepared = prepare(request, body)?;
        if total < self.limits.total {
            prepared = self.agent.configure_request(prepared).timeout_global(Some(total)).build();
        }
        let proxied = self.agent.config().proxy().is_some_and(|proxy| !proxy.is_no_proxy(prepared.uri()));
        let answer = self.agent.run(prepared).map_err(|error| self.say(&error, proxied))?;
        let (head, body) = answer.into_parts();
        let mut headers = Vec::new();
        for (name, value) in &head.headers {
            if let Ok(value) = value.to_str() {
                headers.push((name.as_str().to_owned(), value.to_owned()));
            }
        }
        Ok(Answer { status: head.status.as_u16(), headers, body: read(body, self.limits.body, cut)? })
    }

    fn say(&self, error: &ureq::Error, proxied: bool) -> FetchError {
        let kind = kind_of(error);
        if matches!(kind, FetchError::Proxy | FetchError::ProxyLogin) {
            // It was seen no further than there.
            self.connected.store(false, Ordering::Relaxed);
        }
        match kind {
            // What is beyond the proxy is the proxy's to look up and to dial.
            FetchError::Resolve | FetchError::Connect if proxied => FetchError::NoProxy,
            kind => kind,
        }
    }
}

/// The part of `url` that may be shown: host and port, without scheme, user, path and query.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether the library can use `proxy`.
pub fn proxy_is_usable(proxy: &str) -> bool {
    Proxy::new(proxy).is_ok_and(|proxy| speaks(&proxy))
}

/// Whether `der` is a certificate that can vouch for others.
pub fn root_is_usable(der: &[u8]) -> bool {
    #[cfg(feature = "tls")]
    return tls::usable(der);
    #[cfg(not(feature = "tls"))]
    return !der.is_empty();
}

fn proxy_of_environment() -> Option<Proxy> {
    let proxy = Proxy::try_from_env()?;
    if speaks(&proxy) {
        return Some(proxy);
    }
    // It needs code this binary does not have; the library would go nowhere with one.
    log::warn!("the proxy of the environment is not used: only HTTP proxies are");
    None
}

fn speaks(proxy: &Proxy) -> bool {
    let tls = cfg!(feature = "tls") && proxy.protocol() == ProxyProtocol::Https;
    tls || proxy.protocol() == ProxyProtocol::Http
}

fn prepare<'a>(request: &Request<'_>, body: SendBody<'a>) -> Result<http::Request<SendBody<'a>>, FetchError> {
    let uri: http::Uri = request.url.parse().map_err(|_| FetchError::BadUrl)?;
    let scheme = uri.scheme_str();
    let known = scheme == Some("http") || cfg!(feature = "tls") && scheme == Some("https");
    if !known || uri.host().is_none_or(str::is_empty) {
        return Err(FetchError::BadUrl);
    }
    let mut builder = http::Request::builder().method(request.method).uri(uri);
    for (name, value) in request.headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).map_err(|_| FetchError::BadUrl)
}

/// Reads a body of at most `limit` bytes, or with `cut` that much of it. The deadline of the exchange applies.
fn read(body: Body, limit: u64, cut: bool) -> Result<Vec<u8>, FetchError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut reader = body.into_reader();
    let mut whole = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(whole),
            Ok(n) if n > limit.saturating_sub(whole.len()) => {
                whole.extend_from_slice(&chunk[..limit.saturating_sub(whole.len())]);
                return if cut { Ok(whole) } else { Err(FetchError::TooLarge) };
            }
            Ok(n) => whole.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(kind_of(&error.into())),
        }
    }
}

/// The shared resolver in the shape the library asks for; its own one starts bare threads.
#[derive(Debug)]
struct Names(Arc<Resolver>);

impl UreqResolver for Names {
    fn resolve(
        &self,
        uri: &http::Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let (begun, left) = (clock::tick(), *timeout.after);
        let found = self.0.lookup_within(bare, port, WAIT.min(left)).map_err(|_| ureq::Error::HostNotFound)?;
        // With nothing left the library would still give the connection a second.
        if clock::tick().since(begun) >= left {
            return Err(ureq::Error::Timeout(timeout.reason));
        }
        let mut addresses = self.empty();
        // The array has room for 16 and the resolver keeps no more.
        found.into_iter().take(16).for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_a_url_is_shown() {
        for (url, host) in [
            ("https://open.example/open-apis/bot/v2/hook/secret", "open.example"),
            ("https://user:pass@open.example:8443?token=1", "open.example:8443"),
            ("http://a@b@[::1]:80#x", "[::1]:80"),
            ("http://evil\\secret", "evil"),
            ("open.example/secret", "open.example"),
            ("", ""),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}
