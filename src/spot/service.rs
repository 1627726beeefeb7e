//! What a cloud's metadata service is asked, and what its answers mean. A cloud is data and one pure function.

use crate::clock::Wall;
use crate::config::plan::Cloud;
use crate::fetch::Answer;
use crate::spot::{alicloud, tencent};

/// Characters of an unexpected answer that are shown.
const EXCERPT: usize = 40;

/// What a person can do when the answers are not those of the configured cloud.
pub const WRONG_CLOUD: &str = "is `provider` right? until it is, no notice is heard";

/// One cloud's metadata service.
pub struct Service {
    /// Whose it is.
    pub cloud: Cloud,
    /// Scheme and host; `[spot] endpoint` replaces it.
    pub base: &'static str,
    /// Path of the item that says when the instance goes.
    pub notice: &'static str,
    /// What the answer of `notice` means.
    pub classify: fn(&Answer) -> Reading,
    /// How tokens are had, where there are any.
    pub token: Option<TokenRules>,
    /// Path of a JSON document with the whole identity, where there is one.
    pub document: Option<&'static str>,
    /// Paths of the identity, item by item.
    pub items: Items,
    /// What a person can look at when there is no answer at all.
    pub silence: &'static str,
}

/// How a session token is asked for and shown.
pub struct TokenRules {
    /// Path of the `PUT`.
    pub path: &'static str,
    /// Header that names the wanted life in seconds.
    pub ttl_header: &'static str,
    /// Header that shows the token.
    pub header: &'static str,
}

/// Paths of the items that make up an identity.
pub struct Items {
    /// Instance id. It must exist: without it this is not that cloud.
    pub instance: &'static str,
    /// Region.
    pub region: &'static str,
    /// Zone.
    pub zone: &'static str,
    /// Instance type.
    pub instance_type: &'static str,
    /// Private IPv4 address.
    pub address: &'static str,
}

/// What one poll has found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Nothing is announced.
    Quiet,
    /// The instance will go.
    Notice(Notice),
    /// Neither can be said.
    Unknown(Why),
    /// The service wants a token, or a newer one.
    NeedToken,
}

/// An announcement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What the cloud will do: `release`.
    pub action: &'static str,
    /// When, if it says so.
    pub deadline: Option<Wall>,
    /// The answer as it stood, for the log.
    pub raw: String,
}

/// Why nothing can be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// In one line.
    pub text: String,
    /// What a person can do; may be empty.
    pub hint: &'static str,
}

impl Service {
    /// The service of `cloud`.
    pub fn of(cloud: Cloud) -> &'static Service {
        match cloud {
            Cloud::AliCloud => &alicloud::SERVICE,
            Cloud::TencentCloud => &tencent::SERVICE,
        }
    }
}

/// The rule of clouds where 404 means that nothing is announced and 200 carries a bare time.
pub fn bare_time(answer: &Answer, action: &'static str, parse: fn(&str) -> Option<Wall>) -> Reading {
    match answer.status {
        404 => Reading::Quiet,
        401 | 403 => Reading::NeedToken,
        200 => {
            let text = text_of(&answer.body);
            match parse(text) {
                Some(deadline) => Reading::Notice(Notice { action, deadline: Some(deadline), raw: text.to_owned() }),
                None => {
                    let text = ["termination-time answers 200 with ", &excerpt(&answer.body), ", not a time"].concat();
                    Reading::Unknown(Why { text, hint: "" })
                }
            }
        }
        status => Reading::Unknown(Why { text: answers("termination-time", status), hint: "" }),
    }
}

/// That `item` was answered with `status`.
pub fn answers(item: &str, status: u16) -> String {
    [item, " answers ", &status.to_string()].concat()
}

/// A body as text without the white space around it; empty if it is not UTF-8.
pub fn text_of(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap_or_default().trim_ascii()
}

/// The beginning of a body in quotes, fit for a log line and an alert.
pub fn excerpt(body: &[u8]) -> String {
    let shown = body.trim_ascii();
    let mut text = String::from("\"");
    for byte in shown.iter().take(EXCERPT) {
        text.push(if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' });
    }
    text.push_str(if shown.len() > EXCERPT { "…\"" } else { "\"" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_harmless() {
        assert_eq!(excerpt(b" none\n"), "\"none\"");
        assert_eq!(excerpt(b""), "\"\"");
        assert_eq!(excerpt(b"a\x1b[31m\xe6\x97\xb6"), "\"a.[31m...\"");
        assert_eq!(excerpt(&[b'x'; 9999]).chars().count(), EXCERPT + 3);
    }
}
