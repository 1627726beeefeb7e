//! Addresses of channels: `http://` and `https://`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an HTTP address says, as far as a check needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpUrl {
    /// `https`, not `http`.
    pub tls: bool,
    /// The host is this machine or in a private network, as far as its name tells.
    pub private: bool,
    /// Where path and query begin.
    pub path_at: usize,
    /// The address, with percent signs for what may not stand in it (a browser would do the same).
    pub text: String,
}

/// Reads an address. Texts of errors do not repeat it: addresses of bots are secrets.
///
/// # Errors
/// When it is no usable HTTP address.
pub fn parse(text: &str) -> Result<HttpUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("must begin with http:// or https://")?;
    let tls = scheme.eq_ignore_ascii_case("https");
    if !tls && !scheme.eq_ignore_ascii_case("http") {
        return Err("must begin with http:// or https://");
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("may not hold user and password; where there are headers, they go there");
    }
    let (host, port) = split_port(authority)?;
    if port == Some(0) {
        return Err("port 0 cannot be reached");
    }
    let private = is_private(host)?;
    let start = text.len() - rest.len() + authority.len();
    Ok(HttpUrl { tls, private, path_at: start, text: format!("{}{}", &text[..start], encode(path)) })
}

/// Reads the address of a proxy, `http://[user:password@]host:port`. True if a password would go to it over a public
/// network.
///
/// # Errors
/// When it is none that this program can use.
pub fn proxy(text: &str) -> Result<bool, &'static str> {
    const SHAPE: &str = "must be http://host:port or http://user:password@host:port; in user and password write / as \
                         %2F, @ as %40, : as %3A, % as %25";
    let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
    if scheme.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("socks")) {
        return Err("SOCKS is not spoken; name an HTTP proxy, http://host:port");
    }
    if scheme.eq_ignore_ascii_case("https") {
        return Err("must begin with http://: what goes to the proxy itself is not encrypted, what goes through it is");
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let odd = |c: char| c.is_control() || !c.is_ascii() || " /?#@[]\\".contains(c);
    if !scheme.eq_ignore_ascii_case("http") || place.contains(['/', '?', '#']) || login.contains(odd) {
        return Err(SHAPE);
    }
    match split_port(place)? {
        (_, None) => Err("has no port; write http://host:port"),
        (_, Some(0)) => Err("port 0 cannot be reached"),
        (host, Some(_)) => Ok(!is_private(host)? && login.contains(':')),
    }
}

/// Host without brackets, and port.
///
/// # Errors
/// When there is no host, or garbage where the port should be.
pub fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a bracket is missing after the IPv6 address")?;
            host.parse::<Ipv6Addr>().map_err(|_| "holds no IPv6 address between the brackets")?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("")).ok_or("holds garbage after the host")?)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    let port =
        if port.is_empty() { None } else { Some(port.parse().map_err(|_| "has no port number after the host")?) };
    Ok((host, port))
}

/// Whether `host` is this machine or in a private network: by address, or by the names that are never public.
///
/// # Errors
/// When it is no host.
pub fn is_private(host: &str) -> Result<bool, &'static str> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(match ip {
            IpAddr::V4(ip) => private_v4(ip),
            IpAddr::V6(ip) => ip
                .to_ipv4_mapped()
                .map_or_else(|| ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(), private_v4),
        });
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
        return Err("has a host with characters that a host name cannot have");
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let special = [".localhost", ".local", ".lan", ".internal", ".home.arpa"];
    Ok(!host.contains('.') || special.iter().any(|suffix| host.ends_with(suffix)))
}

fn private_v4(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10 is the carriers' and the overlay networks' range (RFC 6598).
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
}

/// Percent-encodes what may not stand in path and query; braces stay, for fields.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte > b'~' || matches!(byte, b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|') {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        for (text, tls, private) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", true, false),
            ("HTTPS://example.com", true, false),
            ("http://127.0.0.1:8080/x?y=z", false, true),
            ("http://[::1]:8080", false, true),
            ("http://[2001:db8::1]/", false, false),
            ("http://[fd00::1]/", false, true),
            ("http://10.0.0.1", false, true),
            ("http://100.100.1.1", false, true),
            ("http://100.128.1.1", false, false),
            ("http://8.8.8.8", false, false),
            ("http://localhost", false, true),
            ("http://ntfy/topic", false, true),
            ("http://nas.lan:80/x", false, true),
            ("http://push.example.com/x", false, false),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.tls, url.private), (tls, private), "{text}");
            assert_eq!(url.text, text);
        }
    }

    #[test]
    fn what_a_browser_would_encode() {
        let url = parse("https://h/密 {title}?a=\"b|c\"%20").unwrap();
        assert_eq!(url.text, "https://h/%E5%AF%86%20{title}?a=%22b%7Cc%22%20");
        assert_eq!(&url.text[url.path_at..url.path_at + 1], "/");
    }

    #[test]
    fn proxies() {
        let shape = |text| proxy(text).is_err_and(|why| why.starts_with("must be http://host:port"));
        for (text, open) in [
            ("http://proxy.lan:3128", false),
            ("HTTP://127.0.0.1:8080/", false),
            ("http://[::1]:8080", false),
            ("http://me:p%40ss%2F@10.0.0.1:3128", false),
            ("http://proxy.example.com:3128", false),
            ("http://me:secret@proxy.example.com:3128", true),
        ] {
            assert_eq!(proxy(text), Ok(open), "{text}");
        }
        for text in
            ["", "proxy:3128", "ftp://proxy:1", "http://h:1/path", "http://h:1?x", "http://a@b@h:1", "http://a/b:c@h:1"]
        {
            assert!(shape(text), "{text}: {:?}", proxy(text));
        }
        for (text, want) in [
            ("socks5://127.0.0.1:1080", "SOCKS is not spoken; name an HTTP proxy, http://host:port"),
            ("SOCKS://127.0.0.1:1080", "SOCKS is not spoken; name an HTTP proxy, http://host:port"),
            ("http://proxy", "has no port; write http://host:port"),
            ("http://proxy:0", "port 0 cannot be reached"),
            ("http://:3128", "has no host"),
            ("http://proxy:x", "has no port number after the host"),
            ("http://a b:1", "has a host with characters that a host name cannot have"),
        ] {
            assert_eq!(proxy(text), Err(want), "{text}");
        }
        assert!(proxy("https://proxy:3128").is_err_and(|why| why.starts_with("must begin with http://")));
    }

    #[test]
    fn bad_ones() {
        for (text, want) in [
            ("", "must begin with http:// or https://"),
            ("open.feishu.cn/x", "must begin with http:// or https://"),
            ("ftp://x", "must begin with http:// or https://"),
            (" https://x", "must begin with http:// or https://"),
            ("https://", "has no host"),
            ("https:///x", "has no host"),
            ("https://:80/x", "has no host"),
            ("https://u:p@h/x", "may not hold user and password; where there are headers, they go there"),
            ("https://h:x/", "has no port number after the host"),
            ("https://h:65536/", "has no port number after the host"),
            ("https://h:0/", "port 0 cannot be reached"),
            ("https://[::1/", "a bracket is missing after the IPv6 address"),
            ("https://[zz]/", "holds no IPv6 address between the brackets"),
            ("https://[::1]x/", "holds garbage after the host"),
            ("https://{host}/", "has a host with characters that a host name cannot have"),
            ("https://a b/", "has a host with characters that a host name cannot have"),
            ("https://h/a\nb", "holds a control character"),
        ] {
            assert_eq!(parse(text), Err(want), "{text:?}");
        }
    }
}
