//! `ic://user:key@host:port`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::secret::Secret;

/// The port of the protocol, as in the original program.
pub const DEFAULT_PORT: u16 = 9080;
/// The user of `keepalive.server.key`.
pub const DEFAULT_USER: &str = "default";
/// Bytes of a user's name.
const MAX_USER: usize = 64;
/// Bytes of a host name (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// A heartbeat server's address with the user and the key to beat with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uri {
    /// `default` unless the server gave this host a user of its own.
    pub user: String,
    /// The key, percent-decoded.
    pub key: Secret,
    /// The key as it stands in the file, percent-encoded where the original program's URL parser would do so
    /// (protocol 1 sends it like that).
    pub key_as_written: Secret,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// What is wrong with a URI. The texts repeat nothing of it, since it holds a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UriError {
    /// It does not begin with `ic://`.
    Scheme,
    /// It holds a control character.
    Control,
    /// There is no host.
    NoHost,
    /// The host cannot be one.
    BadHost,
    /// An IPv6 address without brackets, or with a broken one.
    Ipv6,
    /// The port is no number from 1 to 65535.
    Port,
    /// `/`, `?` or `#` stands in the key, so that what comes before looks like the host.
    RawKey,
    /// The user's name is empty, too long or holds control characters.
    User,
    /// The key, once decoded, is not UTF-8.
    KeyText,
}

impl UriError {
    /// What is wrong.
    pub fn text(self) -> &'static str {
        match self {
            UriError::Scheme => "must look like ic://default:KEY@HOST:9080",
            UriError::Control => "holds a control character",
            UriError::NoHost => "has no host; it must look like ic://default:KEY@HOST:9080",
            UriError::BadHost => "has a host that is neither a name nor an address",
            UriError::Ipv6 => "has a broken IPv6 address; it goes in brackets: ic://default:KEY@[2001:db8::1]:9080",
            UriError::Port => "has no port number from 1 to 65535 after the host",
            UriError::RawKey => "has a / ? or # in user or key; write %2F %3F %23",
            UriError::User => "has a user that is empty, longer than 64 bytes or holds control characters",
            UriError::KeyText => "has a key that is not UTF-8 once its percent signs are decoded",
        }
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for UriError {}

impl Uri {
    /// Reads `ic://user:key@host:port`. User (`default`), key (empty) and port ([`DEFAULT_PORT`]) may be missing; path,
    /// query and fragment are ignored, as the original program ignores them.
    ///
    /// # Errors
    /// When it cannot be beaten to.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        let (scheme, rest) = text.trim_ascii().split_once("://").ok_or(UriError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("ic") {
            return Err(UriError::Scheme);
        }
        if rest.chars().any(char::is_control) {
            return Err(UriError::Control);
        }
        let (authority, ignored) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // Nobody writes an @ into a path that is ignored: the slash was meant to be part of the key.
        if ignored.contains('@') {
            return Err(UriError::RawKey);
        }
        let (userinfo, address) = match authority.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo), address),
            None => (None, authority),
        };
        let (host, port) = host_port(address)?;
        let (user, key) = match userinfo.map(|userinfo| userinfo.split_once(':').unwrap_or((userinfo, ""))) {
            Some((user, key)) => (decode(user).filter(|user| user_is_valid(user)).ok_or(UriError::User)?, key),
            None => (DEFAULT_USER.to_owned(), ""),
        };
        Ok(Uri {
            user,
            key: Secret::new(decode(key).ok_or(UriError::KeyText)?),
            key_as_written: Secret::new(encode_userinfo(key)),
            host: host.to_owned(),
            port,
        })
    }

    /// The URI without its key, for logs: `ic://user@host:port`.
    pub fn label(&self) -> String {
        let (before, after) = if self.host.contains(':') { ("@[", "]:") } else { ("@", ":") };
        ["ic://", &encode_userinfo(&self.user), before, &self.host, after, &self.port.to_string()].concat()
    }
}

/// Whether a user may have this name: 1 to 64 bytes without control characters.
pub fn user_is_valid(user: &str) -> bool {
    (1..=MAX_USER).contains(&user.len()) && !user.chars().any(char::is_control)
}

fn host_port(address: &str) -> Result<(&str, u16), UriError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UriError::Ipv6)?;
            host.parse::<Ipv6Addr>().map_err(|_| UriError::Ipv6)?;
            (host, if port.is_empty() { port } else { port.strip_prefix(':').ok_or(UriError::Port)? })
        }
        None if address.parse::<Ipv6Addr>().is_ok() || address.matches(':').count() > 1 => return Err(UriError::Ipv6),
        None => {
            let (host, port) = address.split_once(':').unwrap_or((address, ""));
            check_host(host)?;
            (host, port)
        }
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port {
        "" => Ok((host, DEFAULT_PORT)),
        _ => match port.parse() {
            Ok(port) if digits && port != 0 => Ok((host, port)),
            _ => Err(UriError::Port),
        },
    }
}

/// A name of letters, digits, `-`, `.` and `_`, or an IPv4 address.
fn check_host(host: &str) -> Result<(), UriError> {
    if host.is_empty() {
        return Err(UriError::NoHost);
    }
    let name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    // Only an address can end in a number: no top-level domain does.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit());
    if !name || host.len() > MAX_HOST || (numeric && host.parse::<Ipv4Addr>().is_err()) {
        return Err(UriError::BadHost);
    }
    Ok(())
}

/// Percent-encodes as the WHATWG URL standard does in user and password
/// (<https://url.spec.whatwg.org/#userinfo-percent-encode-set>), which is what the original program's clients send.
/// A percent sign is left alone, so text that is encoded already stays as it is.
pub fn encode_userinfo(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let kept = (b'!'..=b'~').contains(&byte) && !b"\"#/:;<=>?@[\\]^`{|}".contains(&byte);
        if kept {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// Percent-decodes; what is no `%` with two hexadecimal digits stays as it is. `None` if the result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String, String, String, u16) {
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (uri.user, uri.key.reveal().into(), uri.key_as_written.reveal().into(), uri.host, uri.port)
    }

    #[test]
    fn good_ones() {
        for (text, user, key, written, host, port) in [
            ("ic://default:hello@172.16.101.10:9080", "default", "hello", "hello", "172.16.101.10", 9080),
            ("IC://default:hello@vps", "default", "hello", "hello", "vps", 9080),
            (" ic://vps\n", "default", "", "", "vps", 9080),
            ("ic://default@vps:", "default", "", "", "vps", 9080),
            ("ic://nas:k@vps:1", "nas", "k", "k", "vps", 1),
            ("ic://my%20nas:k@vps:65535", "my nas", "k", "k", "vps", 65535),
            ("ic://default:k@[2001:db8::1]:7000", "default", "k", "k", "2001:db8::1", 7000),
            ("ic://default:k@[::1]", "default", "k", "k", "::1", 9080),
            ("ic://default:k@vps:9080/path?query#fragment", "default", "k", "k", "vps", 9080),
            ("ic://default:a:b@vps", "default", "a:b", "a%3Ab", "vps", 9080),
            ("ic://default:a@b@vps", "default", "a@b", "a%40b", "vps", 9080),
            ("ic://default:密@vps", "default", "密", "%E5%AF%86", "vps", 9080),
            ("ic://default:;=@vps", "default", ";=", "%3B%3D", "vps", 9080),
            ("ic://default:a%40b@vps", "default", "a@b", "a%40b", "vps", 9080),
            ("ic://default:100%@vps", "default", "100%", "100%", "vps", 9080),
            ("ic://default:%zz%4@vps", "default", "%zz%4", "%zz%4", "vps", 9080),
            ("ic://default:a%2Fb%23%3f@vps", "default", "a/b#?", "a%2Fb%23%3f", "vps", 9080),
        ] {
            let want = (user.into(), key.into(), written.into(), host.into(), port);
            assert_eq!(parsed(text), want, "{text}");
        }
    }

    #[test]
    fn what_the_original_leaves_alone() {
        let kept = "azAZ09!$%&'()*+,-._~";
        assert_eq!(encode_userinfo(kept), kept);
        assert_eq!(
            encode_userinfo(" \":;<=>@[\\]^{|}`/?#\u{7f}"),
            "%20%22%3A%3B%3C%3D%3E%40%5B%5C%5D%5E%7B%7C%7D%60%2F%3F%23%7F"
        );
    }

    #[test]
    fn bad_ones() {
        for (text, want) in [
            ("", UriError::Scheme),
            ("172.16.101.10:9080", UriError::Scheme),
            ("http://default:hello@vps", UriError::Scheme),
            ("ic:/vps", UriError::Scheme),
            ("ic://", UriError::NoHost),
            ("ic://default:hello@", UriError::NoHost),
            ("ic://default:hello@:9080", UriError::NoHost),
            ("ic:///path", UriError::NoHost),
            ("ic://:hello@vps", UriError::User),
            ("ic://@vps", UriError::User),
            ("ic://%0a:k@vps", UriError::User),
            ("ic://default:%ff@vps", UriError::KeyText),
            ("ic://default:k@vps:0", UriError::Port),
            ("ic://default:k@vps:65536", UriError::Port),
            ("ic://default:k@vps:+80", UriError::Port),
            ("ic://default:k@vps:x", UriError::Port),
            ("ic://default:k@[::1]x", UriError::Port),
            ("ic://default:k@[::1", UriError::Ipv6),
            ("ic://default:k@[vps]", UriError::Ipv6),
            ("ic://default:k@fd00::1", UriError::Ipv6),
            ("ic://default:k@fd00::1:9080", UriError::Ipv6),
            ("ic://default:k@a b", UriError::BadHost),
            ("ic://default:k@1.2.3", UriError::BadHost),
            ("ic://default:k@1.2.3.256", UriError::BadHost),
            ("ic://default:k@...", UriError::BadHost),
            ("ic://default:k@v%70s", UriError::BadHost),
            ("ic://default:se/cret@vps:9080", UriError::RawKey),
            ("ic://default:12/cret@vps:9080", UriError::RawKey),
            ("ic://default:a@b/cret@vps:9080", UriError::RawKey),
            ("ic://default:se#cret@vps:9080", UriError::RawKey),
            ("ic://default:se?cret@vps:9080", UriError::RawKey),
            ("ic://default:k@v\nps", UriError::Control),
        ] {
            assert_eq!(Uri::parse(text), Err(want), "{text:?}");
        }
        assert_eq!(Uri::parse(&format!("ic://{}:k@vps", "u".repeat(65))), Err(UriError::User));
        assert_eq!(Uri::parse(&format!("ic://{}", "h".repeat(254))), Err(UriError::BadHost));
    }

    #[test]
    fn a_label_has_no_key() {
        let label = |text| Uri::parse(text).unwrap().label();
        assert_eq!(label("ic://default:hunter2@vps"), "ic://default@vps:9080");
        assert_eq!(label("ic://a%40b:hunter2@[::1]:7"), "ic://a%40b@[::1]:7");
        let uri = Uri::parse("ic://default:hunter2@vps").unwrap();
        assert!(!format!("{uri:?}").contains("hunter2"));
    }
}
