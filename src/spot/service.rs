//! What a cloud's metadata service is asked, and what its answers mean. A cloud is data and one pure function.

use std::time::Duration;

use crate::alert::channel::http;
use crate::clock::Wall;
use crate::config::plan::Cloud;
use crate::event::{Kind, Severity};
use crate::fetch::Answer;
use crate::spot::identity::ITEMS;
use crate::spot::{alicloud, aws, azure, google, huawei, tencent, volcengine};

/// Characters of an unexpected answer that are shown.
const EXCERPT: usize = 80;

/// What a person can do when the answers are not those of the configured cloud.
pub const WRONG_CLOUD: &str = "is `provider` right? until it is, no notice is heard";

/// The same when the service itself has trouble.
pub const BUSY: &str = "the service is out of order or asked too often; it is asked again";

/// The same when an answer is not of the form that is known.
pub const UNLIKE: &str = "a proxy or a portal may answer in its place, or the cloud has changed the form";

/// Why nothing is known yet.
pub const UNREAD: &str = "the instance id could not be read yet";

/// One cloud's metadata service.
pub struct Service {
    /// Whose it is.
    pub cloud: Cloud,
    /// Scheme and host; `[spot] endpoint` replaces it.
    pub base: &'static str,
    /// From one poll to the next, unless the configuration says otherwise.
    pub interval: Duration,
    /// Sent with every request.
    pub header: Option<(&'static str, &'static str)>,
    /// What every answer of this service carries, in lower case; an answer without it comes from somebody else.
    pub proof: Option<(&'static str, &'static str)>,
    /// What is asked for, the most urgent first.
    pub topics: &'static [Topic],
    /// How tokens are had, where there are any.
    pub token: Option<TokenRules>,
    /// A JSON document with the identity, where there is one.
    pub document: Option<Document>,
    /// Paths of the identity, item by item, in the order of [`crate::spot::identity::Identity`]; empty where there
    /// is none. That of the instance must exist: without it this is not that cloud.
    pub items: [&'static str; ITEMS],
    /// The first answer may take this long.
    pub first: Option<Duration>,
    /// What a person can look at when there is no answer at all.
    pub silence: &'static str,
}

/// One document of a metadata service that can hold notices.
pub struct Topic {
    /// What it usually announces.
    pub kind: Kind,
    /// Its path.
    pub path: &'static str,
    /// Whether the service holds the request until the document changes.
    pub waits: bool,
    /// What an answer means for the machine of this name in its cloud.
    pub classify: fn(&Answer, &str) -> Reading,
}

/// A JSON document with the identity.
pub struct Document {
    /// Its path.
    pub path: &'static str,
    /// Where the items stand, in the order of [`crate::spot::identity::Identity`]; [`NOWHERE`] if it lacks one.
    pub keys: [&'static str; ITEMS],
}

/// The place of an item that a document does not have. No path of [`crate::keepalive::leaf::walk`] looks like this.
pub const NOWHERE: &str = "\n";

/// How a session token is asked for and shown.
pub struct TokenRules {
    /// Path of the `PUT`.
    pub path: &'static str,
    /// Header that names the wanted life in seconds.
    pub ttl_header: &'static str,
    /// Header that shows the token.
    pub header: &'static str,
}

/// What one look at a topic has found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Nothing is announced but this; nothing at all if it is empty.
    Notices(Vec<Notice>),
    /// Nothing can be said.
    Unknown(Why),
    /// The service wants a token, or a newer one.
    NeedToken,
}

/// An announcement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Interrupt, rebalance or maintenance.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The cloud's own id of it; empty where there is never more than one at a time.
    pub key: String,
    /// What the cloud will do: `release`. Empty if it does not say.
    pub action: &'static str,
    /// When, if it says so.
    pub deadline: Option<Wall>,
    /// How long before it is usually announced; said where there is no deadline.
    pub lead: Option<Duration>,
    /// What the cloud says about it; may be empty.
    pub about: String,
    /// It has not begun and is about this machine only, so that this machine may agree to it.
    pub may_agree: bool,
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
            Cloud::Aws => &aws::SERVICE,
            Cloud::GoogleCloud => &google::SERVICE,
            Cloud::Azure => &azure::SERVICE,
            Cloud::HuaweiCloud => &huawei::SERVICE,
            Cloud::Volcengine => &volcengine::SERVICE,
        }
    }

    /// Whether `answer` carries what every answer of this service carries.
    pub fn proves(&self, answer: &Answer) -> bool {
        self.proof.is_none_or(|(name, value)| answer.header(name) == Some(value))
    }
}

impl Topic {
    /// The last part of its path, for people.
    pub fn name(&self) -> &'static str {
        item_name(self.path)
    }
}

impl Notice {
    /// The usual notice of `kind`.
    pub fn new(kind: Kind, action: &'static str, raw: &str) -> Notice {
        Notice {
            kind,
            severity: kind.severity(),
            key: String::new(),
            action,
            deadline: None,
            lead: None,
            about: String::new(),
            may_agree: false,
            raw: raw.to_owned(),
        }
    }
}

impl Reading {
    /// Nothing is announced.
    pub const QUIET: Reading = Reading::Notices(Vec::new());

    /// One thing is announced.
    pub fn one(notice: Notice) -> Reading {
        Reading::Notices(vec![notice])
    }

    /// Nothing can be said because `item` answers something odd.
    pub fn odd(item: &str, answer: &Answer) -> Reading {
        let (text, hint) = match answer.status {
            401 | 403 => return Reading::NeedToken,
            200 => ([item, " answers 200 with ", &excerpt(&answer.body)].concat(), UNLIKE),
            status => (answers(item, status), if is_busy(status) { BUSY } else { UNLIKE }),
        };
        Reading::Unknown(Why { text, hint })
    }
}

/// The last part of a path without its query.
pub fn item_name(path: &'static str) -> &'static str {
    let plain = path.split('?').next().unwrap_or_default();
    plain.rsplit('/').next().unwrap_or_default()
}

/// The time when an answer was given, by its own account.
pub fn date_of(answer: &Answer) -> Option<Wall> {
    http::date(answer.header("date")?)
}

/// The rule of clouds where 404 means that nothing is announced and 200 carries a bare time.
pub fn bare_time(answer: &Answer, action: &'static str, parse: fn(&str) -> Option<Wall>) -> Reading {
    const ITEM: &str = "termination-time";
    if answer.status == 404 {
        return Reading::QUIET;
    }
    let text = text_of(&answer.body);
    match parse(text).filter(|_| answer.status == 200) {
        Some(deadline) => {
            Reading::one(Notice { deadline: Some(deadline), ..Notice::new(Kind::Interrupt, action, text) })
        }
        None => Reading::odd(ITEM, answer),
    }
}

/// Whether a service that answers so has trouble, and may be the right one.
pub fn is_busy(status: u16) -> bool {
    status >= 500 || status == 429
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
