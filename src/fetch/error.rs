//! Why there is no answer, in words for somebody who can do something about it.

use std::error::Error;
use std::{fmt, io};

#[cfg(feature = "tls")]
use super::tls;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchError {
    /// The name has no address, or none in time.
    Resolve,
    /// No connection: refused, no route, no network.
    Connect,
    /// A deadline passed.
    Timeout,
    /// The proxy has no address, or takes no connection.
    NoProxy,
    /// The proxy does not let through.
    Proxy,
    /// The proxy wants to know who this is, or does not believe it.
    ProxyLogin,
    /// TLS failed.
    Tls(TlsError),
    /// The answer is not HTTP, or broke off.
    Protocol,
    /// The body is larger than the limit.
    TooLarge,
    /// The URL cannot be used.
    BadUrl,
}

/// What was wrong with TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsError {
    /// By the own clock the certificate has expired.
    Expired,
    /// By the own clock it is not valid yet.
    NotYetValid,
    /// No trusted root vouches for it.
    Issuer,
    /// It is for another name.
    Name,
    /// It is not made for a server.
    Unfit,
    /// What speaks there is not TLS.
    Plain,
    /// Anything else, such as no version in common.
    Other,
}

impl FetchError {
    /// In a few words.
    pub const fn text(self) -> &'static str {
        match self {
            FetchError::Resolve => "the name does not resolve",
            FetchError::Connect => "no connection",
            FetchError::Timeout => "no answer in time",
            FetchError::NoProxy => "the proxy cannot be reached",
            FetchError::Proxy => "the proxy does not let through",
            FetchError::ProxyLogin => "the proxy refuses user and password",
            FetchError::Tls(TlsError::Expired) => "the certificate has expired; is the clock right?",
            FetchError::Tls(TlsError::NotYetValid) => "the certificate is not valid yet; is the clock right?",
            FetchError::Tls(TlsError::Issuer) => "unknown issuer of the certificate; ca_file can name one",
            FetchError::Tls(TlsError::Name) => "the certificate is for another name",
            FetchError::Tls(TlsError::Unfit) => "the certificate is not for a server; was it made with CA:FALSE?",
            FetchError::Tls(TlsError::Plain) => "no TLS at the other end; is the port right?",
            FetchError::Tls(TlsError::Other) => "TLS failed",
            FetchError::Protocol => "the answer is not HTTP or broke off",
            FetchError::TooLarge => "the answer is too large",
            FetchError::BadUrl => "the URL cannot be used",
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Error for FetchError {}

/// What the caller can do about an error of the library.
pub fn kind_of(error: &ureq::Error) -> FetchError {
    match error {
        ureq::Error::HostNotFound => FetchError::Resolve,
        ureq::Error::Timeout(_) => FetchError::Timeout,
        ureq::Error::Io(error) => kind_of_io(error),
        ureq::Error::ConnectionFailed | ureq::Error::InvalidProxyUrl => FetchError::Connect,
        // The status is there only as a part of this text: "proxy server responded 407/407".
        ureq::Error::ConnectProxyFailed(why) if why.ends_with("/407") => FetchError::ProxyLogin,
        ureq::Error::ConnectProxyFailed(_) => FetchError::Proxy,
        ureq::Error::Tls(_) => FetchError::Tls(TlsError::Other),
        ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::TlsRequired => FetchError::BadUrl,
        ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge,
        _ => FetchError::Protocol,
    }
}

/// What was wrong with TLS, if that is what `error` or anything behind it tells.
#[cfg(feature = "tls")]
pub fn tls_error(error: &(dyn Error + 'static)) -> Option<TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return Some(tls::kind_of(error));
        }
        // Of an I/O error that holds another, the source is that other's source.
        let inner = error.downcast_ref().and_then(io::Error::get_ref);
        next = inner.map_or_else(|| error.source(), |inner| Some(inner as &(dyn Error + 'static)));
    }
    None
}

fn kind_of_io(error: &io::Error) -> FetchError {
    use io::ErrorKind as E;
    #[cfg(feature = "tls")]
    if let Some(what) = tls_error(error) {
        return FetchError::Tls(what);
    }
    match error.kind() {
        E::TimedOut | E::WouldBlock => FetchError::Timeout,
        E::InvalidData
        | E::UnexpectedEof
        | E::ConnectionReset
        | E::ConnectionAborted
        | E::BrokenPipe
        | E::WriteZero => FetchError::Protocol,
        // Refused, unreachable, forbidden, no descriptor left.
        _ => FetchError::Connect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::words::words;
    use crate::config::plan::Language;

    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        use io::ErrorKind as E;
        let io = |kind: E| ureq::Error::Io(kind.into());
        let table = [
            (ureq::Error::HostNotFound, FetchError::Resolve),
            (io(E::ConnectionRefused), FetchError::Connect),
            (io(E::NetworkUnreachable), FetchError::Connect),
            (io(E::HostUnreachable), FetchError::Connect),
            (io(E::PermissionDenied), FetchError::Connect),
            (ureq::Error::Io(io::Error::from_raw_os_error(24)), FetchError::Connect),
            (ureq::Error::ConnectProxyFailed("http://u:p@proxy".to_owned()), FetchError::Proxy),
            (ureq::Error::ConnectProxyFailed("proxy server responded 407/407".to_owned()), FetchError::ProxyLogin),
            (ureq::Error::Timeout(ureq::Timeout::Global), FetchError::Timeout),
            (ureq::Error::Timeout(ureq::Timeout::Connect), FetchError::Timeout),
            (io(E::TimedOut), FetchError::Timeout),
            (ureq::Error::Tls("bad name"), FetchError::Tls(TlsError::Other)),
            (io(E::UnexpectedEof), FetchError::Protocol),
            (io(E::ConnectionReset), FetchError::Protocol),
            (ureq::Error::LargeResponseHeader(2, 1), FetchError::Protocol),
            (ureq::Error::BodyExceedsLimit(1), FetchError::TooLarge),
            (ureq::Error::BadUri("https://open.example/secret".to_owned()), FetchError::BadUrl),
            (ureq::Error::TlsRequired, FetchError::BadUrl),
        ];
        for (error, want) in table {
            assert_eq!(kind_of(&error), want, "{error:?}");
            let text = want.to_string();
            assert!(!text.contains("://") && !text.contains('\n') && text.len() < 60, "{text}");
        }
    }

    #[test]
    fn every_reason_has_its_words() {
        use FetchError as E;
        use TlsError as T;
        let tls = [T::Expired, T::NotYetValid, T::Issuer, T::Name, T::Unfit, T::Plain, T::Other].map(E::Tls);
        let others =
            [E::Resolve, E::Connect, E::Timeout, E::NoProxy, E::Proxy, E::ProxyLogin, E::Protocol, E::TooLarge];
        let texts: Vec<&str> = [&tls[..], &others, &[E::BadUrl]].concat().into_iter().map(E::text).collect();
        for (n, text) in texts.iter().enumerate() {
            let why = ["open.example: ", text].concat();
            assert_ne!(words(Language::Zh).phrase(&why), why);
            assert!(!texts[..n].contains(text), "{text}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_was_wrong_is_found_behind_other_errors() {
        let expired = || rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, expired()));
        assert_eq!(tls_error(&expired()), Some(TlsError::Expired));
        assert_eq!(tls_error(&wrapped), Some(TlsError::Expired));
        for other in [
            io::Error::other("rustls"),
            io::ErrorKind::InvalidData.into(),
            io::Error::other(wrapped.kind().to_string()),
        ] {
            assert_eq!(tls_error(&other), None);
        }
    }
}
