//! What HTTP channels share: verdicts by status, `Retry-After`, dates, and what of an address may be shown.

use std::time::Duration;

use crate::alert::Verdict;
use crate::alert::clean::quoted;
use crate::clock::Wall;
use crate::fetch::{Answer, FetchError};
use crate::spot::timestamp;

/// Bytes of a service's own words that a reason quotes.
pub const MAX_QUOTE: usize = 256;
/// Shortest part of an address, in bytes, that is taken for a token.
pub const MIN_TOKEN: usize = 6;
/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// What every request says it comes from.
pub const USER_AGENT: &str = concat!("interrupt-callback/", env!("CARGO_PKG_VERSION"));

/// A request that is ready to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ready {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// Absolute URL; it is a secret.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What to send.
    pub body: Option<Vec<u8>>,
    /// The time in its signature, if there is one.
    pub signed: Option<Wall>,
    /// What must not be quoted, the longest first.
    pub secrets: Vec<String>,
}

/// The service's own time. A gateway whose clock was never set says nothing of it.
pub fn date_of(answer: &Answer) -> Option<Wall> {
    answer.header("date").and_then(date).filter(|date| date.is_set())
}

/// The verdict when there was no whole answer; `sent` if there was a connection.
///
/// A certificate that is refused is no reason to park a channel, whatever is wrong with it: the own clock may be set in
/// a minute, the server's certificate renewed tonight, and a foreign one or an unknown issuer is also what a captive
/// portal shows until somebody logs in. A proxy that refuses user and password waits for a person, as with HTTP 407.
pub fn unanswered(error: FetchError, host: &str, sent: bool) -> Verdict {
    let why = [host, ": ", error.text()].concat();
    match error {
        FetchError::BadUrl | FetchError::ProxyLogin => Verdict::Broken(why),
        _ => Verdict::Retry { why, after: None, channel: true, answered: false, sent },
    }
}

/// The verdict of a status other than 2xx; `None` for 2xx. `now` serves a `Retry-After` that names a date.
///
/// Trouble at the other end backs the channel off. What a person must mend parks it. A message that is too large
/// is given up. Any other refusal (400, 422, …) is this message's alone, and it is tried again, because a template
/// or a relay that somebody mends within a day would otherwise cost every alert until then.
pub fn refusal(answer: &Answer, now: Wall, host: &str, secrets: &[String]) -> Option<Verdict> {
    let status = answer.status;
    if (200..300).contains(&status) {
        return None;
    }
    let why = [host, ": HTTP ", &status.to_string()].concat();
    if (300..400).contains(&status) {
        return Some(Verdict::Broken(why + ": redirects; is the address right?"));
    }
    let why = with_words(why, &answer.body, secrets);
    Some(match status {
        401 | 402 | 403 | 404 | 405 | 407 | 410 => Verdict::Broken(why),
        413 | 414 | 431 => Verdict::GiveUp(why),
        _ => {
            let channel = matches!(status, 408 | 425 | 429 | 500..);
            let after = if channel { retry_after(answer, now) } else { None };
            Verdict::Retry { why, after, channel, answered: true, sent: true }
        }
    })
}

/// `why` followed by what the service says, unless that is a page or nothing.
pub fn with_words(why: String, body: &[u8], secrets: &[String]) -> String {
    let said = quoted(&String::from_utf8_lossy(body), MAX_QUOTE, secrets);
    if said.is_empty() || said.starts_with('<') { why } else { [&why, ": ", &said].concat() }
}

/// How long the service wants to be left alone: seconds, also with decimals, or a date.
pub fn retry_after(answer: &Answer, now: Wall) -> Option<Duration> {
    let wish = answer.header("retry-after").or_else(|| answer.header("x-ogw-ratelimit-reset"))?.trim();
    let whole = wish.split('.').next().filter(|whole| whole.bytes().all(|b| b.is_ascii_digit()));
    let wait = match whole.and_then(|whole| whole.parse().ok()) {
        Some(secs) => Duration::from_secs(secs),
        None => {
            // The same clock wrote both dates, if there are two.
            let now = answer.header("date").and_then(date).unwrap_or(now);
            Duration::from_millis(u64::try_from(date(wish)?.0.saturating_sub(now.0)).unwrap_or(0))
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Reads a date of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
pub fn date(text: &str) -> Option<Wall> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = text.get(8..11).and_then(|name| MONTHS.find(name)).filter(|at| at % 3 == 0)?;
    // As the form that the clouds use, which is checked strictly.
    let plain = [text.get(12..16)?, "-", &(101 + month / 3).to_string()[1..], "-", text.get(5..7)?, text.get(16..25)?];
    let marks = (text.get(3..5), text.get(7..8), text.get(11..12), text.get(25..));
    (marks == (Some(", "), Some(" "), Some(" "), Some(" GMT"))).then(|| timestamp::naive(&plain.concat(), 0)).flatten()
}

/// The host name in `url`, which may be shown; all else of it may not.
pub fn host_of(url: &str) -> &str {
    let host = authority(url).rsplit('@').next().unwrap_or("");
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    }
}

/// What of `url` must not be quoted, the longest first: all of it, its path, user and password, the last part of the
/// path, values of the query, and whatever else is long enough to be a token.
pub fn secrets_of(url: &str) -> Vec<String> {
    let (_, rest) = split_scheme(url);
    let authority = authority(url);
    let path = rest.get(authority.len()..).unwrap_or("");
    let (way, query) = path.split_once(['?', '#']).unwrap_or((path, ""));
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let mut secrets = Vec::new();
    let mut add = |part: &str| secrets.push(part.to_owned());
    for part in [url, path, login, way.trim_end_matches('/').rsplit('/').next().unwrap_or("")] {
        add(part);
    }
    for part in login.split(':') {
        add(part);
    }
    for pair in query.split(['&', '#']) {
        add(pair.split_once('=').map_or(pair, |(_, value)| value));
    }
    for part in path.split(|c: char| "/?&=#@:;,{}".contains(c)) {
        if part.len() >= MIN_TOKEN {
            add(part);
        }
    }
    // Services repeat what they have understood.
    for place in 0..secrets.len() {
        if secrets[place].contains('%') {
            secrets.push(decoded(&secrets[place]));
        }
    }
    longest_first(secrets)
}

/// `text` with its `%XX` as the bytes that they stand for.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend_from_slice(&["%", part].concat().into_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The order in which secrets are to be hidden, so that none leaves the rest of a longer one.
pub fn longest_first(secrets: Vec<String>) -> Vec<String> {
    let mut sorted: Vec<String> = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let at = sorted.iter().position(|other| other.len() < secret.len()).unwrap_or(sorted.len());
        sorted.insert(at, secret);
    }
    sorted
}

fn authority(url: &str) -> &str {
    let (_, rest) = split_scheme(url);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

fn split_scheme(url: &str) -> (&str, &str) {
    url.split_once("://").unwrap_or(("", url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_795_226_400_000);

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn every_status_has_its_verdict() {
        for (status, class) in [
            (200, "delivered"),
            (204, "delivered"),
            (301, "broken"),
            (302, "broken"),
            (400, "message"),
            (401, "broken"),
            (403, "broken"),
            (404, "broken"),
            (408, "channel"),
            (409, "message"),
            (410, "broken"),
            (413, "given up"),
            (418, "message"),
            (422, "message"),
            (425, "channel"),
            (429, "channel"),
            (500, "channel"),
            (503, "channel"),
            (599, "channel"),
        ] {
            let got = match refusal(&answer(status, &[], ""), NOW, "h", &[]) {
                None | Some(Verdict::Delivered) => "delivered",
                Some(Verdict::Retry { channel: true, answered: true, .. }) => "channel",
                Some(Verdict::Retry { channel: false, answered: true, .. }) => "message",
                Some(Verdict::Retry { answered: false, .. }) => "silent",
                Some(Verdict::Broken(_)) => "broken",
                Some(Verdict::GiveUp(_)) => "given up",
            };
            assert_eq!(got, class, "{status}");
        }
    }

    #[test]
    fn a_reason_quotes_the_service_but_no_secret() {
        let secrets = secrets_of("https://example.com/hook/token-1?key=second-token");
        let said = "no\r\nsuch token-1 / second-token at https://example.com/hook/token-1?key=second-token";
        let verdict = refusal(&answer(404, &[], said), NOW, "example.com", &secrets);
        assert_eq!(verdict, Some(Verdict::Broken("example.com: HTTP 404: no  such *** / *** at ***".to_owned())));
        let page = refusal(&answer(404, &[], "<html>login</html>"), NOW, "example.com", &secrets);
        assert_eq!(page, Some(Verdict::Broken("example.com: HTTP 404".to_owned())));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (wish, secs) in [
            ("65", Some(65)),
            (" 0 ", Some(0)),
            ("1.5", Some(1)),
            ("Sat, 21 Nov 2026 02:01:00 GMT", Some(60)),
            ("Sat, 21 Nov 2026 01:00:00 GMT", Some(0)),
            ("99999999999999", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let got = retry_after(&answer(429, &[("retry-after", wish)], ""), NOW);
            assert_eq!(got, secs.map(Duration::from_secs), "{wish}");
        }
        let headers = [("retry-after", "Sat, 21 Nov 2026 02:01:00 GMT"), ("date", "Sat, 21 Nov 2026 02:00:30 GMT")];
        assert_eq!(retry_after(&answer(429, &headers, ""), Wall(0)), Some(Duration::from_secs(30)));
        let gateway = answer(429, &[("x-ogw-ratelimit-reset", "7")], "");
        assert_eq!(retry_after(&gateway, NOW), Some(Duration::from_secs(7)));
    }

    #[test]
    fn dates() {
        for (text, secs) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Sat, 21 Nov 2026 02:00:00 GMT", Some(1_795_226_400)),
            ("Sat, 21 Nov 2026 24:00:00 GMT", None),
            ("Sat, 00 Nov 2026 02:00:00 GMT", None),
            ("Sat, 21 Nov 2026 02:00:00 CET", None),
            ("Sat, 21 Nov 2026 02:00 GMT", None),
            ("Sat, 21 Nov 99999999999999999999 02:00:00 GMT", None),
            ("Sat, +1 Nov 2026 02:00:00 GMT", None),
            ("", None),
        ] {
            assert_eq!(date(text), secs.map(|secs: i64| Wall(secs * 1000)), "{text}");
        }
    }

    #[test]
    fn whatever_may_be_a_secret_is_one() {
        let secrets = secrets_of("https://bob:pw1@example.com:80/services/T0/x9z/?key=abc&wait=yes#frag");
        for secret in ["bob", "pw1", "bob:pw1", "services", "x9z", "abc", "yes", "frag"] {
            assert!(secrets.iter().any(|known| known == secret), "{secret}");
        }
        let secrets_in_code = secrets_of("https://h/x?key=a%2Bb%3d%zz%e5%a4%b1&sig=%2");
        for secret in ["a%2Bb%3d%zz%e5%a4%b1", "a+b=%zz失", "%2"] {
            assert!(secrets_in_code.iter().any(|known| known == secret), "{secret} in {secrets_in_code:?}");
        }
        assert!(secrets.is_sorted_by_key(|secret| std::cmp::Reverse(secret.len())));
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        for (url, host) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/abc", "open.feishu.cn"),
            ("http://user:pass@example.com:8080/x", "example.com"),
            ("http://[2001:db8::1]:80/x", "2001:db8::1"),
            ("http://example.com?key=secret@home", "example.com"),
            ("example.com/x", "example.com"),
            ("", ""),
        ] {
            assert_eq!(host_of(url), host, "{url}");
            assert!(secrets_of(url).iter().all(|secret| secret.len() < 3 || !host.contains(secret.as_str())), "{url}");
        }
    }
}
