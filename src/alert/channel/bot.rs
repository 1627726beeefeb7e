//! Bots of chat services: what their requests share, and the verdict that hides in an answer of status 200.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::compose::{Composed, Markup, Room, Style, Unit, compose};
use super::http::{self, Ready, host_of, longest_first, secrets_of};
use super::template::percent;
use super::{ChannelState, dingtalk, feishu, telegram, wecom};
use crate::alert::clean::quoted;
use crate::alert::json::Head;
use crate::alert::{Form, Message, Verdict};
use crate::clock::{Now, Wall, millis};
use crate::config::plan::{BotPlan, BotService, ChannelPlan, Mention};
use crate::event::{Kind, Phase, Severity};
use crate::fetch::Answer;
use crate::json::{Scalar, pick};
use crate::zone::Zone;

/// Signatures that are an hour off are refused; some minutes less tell a wrong clock from a wrong secret.
const SIGNATURE_WINDOW: Duration = Duration::from_secs(55 * 60);
/// When a signature with the service's own time is tried, and a chat under its new id.
const AGAIN: Duration = Duration::from_secs(1);
/// Parts of addresses that are no secrets, and words of the services' own texts.
const PUBLIC: [&str; 8] =
    ["webhook", "send", "robot", "cgi-bin", "open-apis", "sendMessage", "access_token", "timestamp"];
/// Bytes of a body for a service that takes 20,000 bytes of JSON, in which each byte may become two. The rest is room
/// for the title and for mentions.
pub const ROOM: Room = Room { unit: Unit::Bytes, max: 7500 };

/// A message on its way to a bot.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The channel.
    pub plan: &'a ChannelPlan,
    /// What of it only bots have.
    pub bot: &'a BotPlan,
    /// What is told.
    pub message: &'a Message,
    /// When.
    pub now: &'a Now,
    /// Local time.
    pub zone: &'a Zone,
}

impl<'a> Told<'a> {
    /// Title and body in one, with at most `max` of them.
    pub fn joined(&self, markup: Markup, max: Room) -> Composed {
        self.composed(&Style { markup, title: max, body: max, joined: true, newline: "\n" })
    }

    /// Title and body.
    pub fn composed(&self, style: &Style) -> Composed {
        compose(self.plan, style, self.message, self.now, self.zone)
    }

    /// Whom to mention: nobody in what can wait.
    pub fn at(&self) -> &'a [Mention] {
        if Tone::of(self.message).is_loud() { &self.bot.at } else { &[] }
    }

    /// What follows a text in Markdown: the mentions, each written by `add`, after `gap`.
    pub fn mentions(&self, gap: &str, add: fn(&mut String, &Mention)) -> String {
        let mut text = String::new();
        for mention in self.at() {
            text.push_str(if text.is_empty() { gap } else { " " });
            add(&mut text, mention);
        }
        text
    }
}

/// How a message sounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Act now.
    Critical,
    /// Look today.
    Warning,
    /// Something is over.
    Over,
    /// Good to know.
    Info,
    /// Somebody wants to see whether it arrives, and how.
    Test,
}

impl Tone {
    /// That of `message`.
    pub fn of(message: &Message) -> Tone {
        let head = Head::of(message);
        if message.form == Form::Over || message.members.iter().all(|event| event.kind.phase() == Phase::End) {
            Tone::Over
        } else if head.kind == Kind::Test.name() {
            Tone::Test
        } else {
            match head.severity {
                Severity::Critical => Tone::Critical,
                Severity::Warning => Tone::Warning,
                Severity::Info => Tone::Info,
            }
        }
    }

    /// Whether people may be disturbed for it.
    pub fn is_loud(self) -> bool {
        !matches!(self, Tone::Over | Tone::Info)
    }
}

/// The request that tells a message.
pub fn prepare(told: &Told<'_>, state: &ChannelState) -> Ready {
    let bot = told.bot;
    let time = state.server_time(told.now);
    let signed = (!bot.secret.is_empty()).then_some(time);
    let mut url = bot.url.reveal().to_owned();
    let mut sign = String::new();
    let body = match bot.service {
        BotService::Feishu => {
            let stamp = time.secs().to_string();
            // The text is the key, and nothing is signed.
            sign = hmac(&[&stamp, "\n", bot.secret.reveal()].concat(), "");
            feishu::body(told, signed.map(|_| (&*sign, &*stamp)))
        }
        BotService::Dingtalk => {
            if signed.is_some() {
                let stamp = time.0.to_string();
                sign = hmac(bot.secret.reveal(), &[&stamp, "\n", bot.secret.reveal()].concat());
                url = [&url, "&timestamp=", &stamp, "&sign=", &percent(&sign)].concat();
            }
            dingtalk::body(told)
        }
        BotService::Wecom => wecom::body(told),
        BotService::Telegram => telegram::body(told, state.chat.as_deref().unwrap_or(&bot.chat)),
    };
    let mut secrets = secrets_of(&url);
    secrets.retain(|secret| !PUBLIC.contains(&secret.as_str()));
    secrets.extend([bot.secret.reveal().to_owned(), sign]);
    let headers = [("Content-Type", "application/json; charset=utf-8"), ("User-Agent", http::USER_AGENT)];
    Ready {
        method: "POST",
        url,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: Some(body),
        signed,
        secrets: longest_first(secrets),
    }
}

/// `base64(HMAC-SHA256(key, data))`.
fn hmac(key: &str, data: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(data.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What a code means.
#[derive(Clone, Copy)]
enum Means {
    /// The service wants to be left alone, at least for so many seconds.
    Busy(u64),
    /// Somebody must mend something.
    Mend(&'static str),
    /// It does not take this message.
    Unfit,
    /// It does not take the signature.
    Sign,
    /// It does not take the time of the signature.
    Clock,
}

const NO_BOT: &str = " (the bot was removed, or the address is wrong)";
const NO_ADDRESS: &str = " (this address is not on the bot's list)";
const NO_KEYWORD: &str = " (the bot wants a keyword: put it into prefix)";
const NO_MEMBER: &str = " (let the bot into the chat again)";
const NO_CHAT: &str = " (chat_id is wrong, or nobody has spoken to the bot there)";

/// What a code means: the code, what the text must hold in small letters, and the meaning.
type Code = (i64, &'static str, Means);

/// Feishu's codes. Of each service the first that fits counts.
static FEISHU: [Code; 10] = [
    (9499, "too many", Means::Busy(0)),
    (9499, "", Means::Unfit),
    (11220, "", Means::Busy(0)),
    // Load: so says the service itself.
    (11232, "", Means::Busy(60)),
    (19001, "", Means::Mend(NO_BOT)),
    (19002, "", Means::Unfit),
    (19021, "", Means::Sign),
    (19022, "", Means::Mend(NO_ADDRESS)),
    (19024, "", Means::Mend(NO_KEYWORD)),
    (230_020, "", Means::Busy(0)),
];

static DINGTALK: [Code; 15] = [
    (-1, "", Means::Busy(0)),
    // The status is what stands beside the code of a robot that is held back.
    (1111, "", Means::Busy(60)),
    (130_101, "", Means::Busy(60)),
    (90030, "", Means::Busy(1800)),
    (300_005, "", Means::Mend(NO_BOT)),
    (310_000, "keyword", Means::Mend(NO_KEYWORD)),
    (310_000, "关键词", Means::Mend(NO_KEYWORD)),
    (310_000, "invalid timestamp", Means::Clock),
    (310_000, "签名过期", Means::Clock),
    (310_000, "sign", Means::Sign),
    (310_000, "签名", Means::Sign),
    (310_000, "whitelist", Means::Mend(NO_ADDRESS)),
    (310_000, "白名单", Means::Mend(NO_ADDRESS)),
    (310_000, "", Means::Mend(" (look at the robot's security settings)")),
    (40035, "", Means::Unfit),
];

static WECOM: [Code; 4] = [
    (-1, "", Means::Busy(0)),
    (45009, "", Means::Busy(60)),
    (93000, "", Means::Mend(NO_BOT)),
    (40058, "", Means::Unfit),
];

static TELEGRAM: [Code; 14] = [
    (429, "", Means::Busy(1)),
    (401, "", Means::Mend(" (token is wrong)")),
    (404, "", Means::Mend(" (token or server is wrong)")),
    (403, "blocked", Means::Mend(" (this person has blocked the bot)")),
    (403, "deactivated", Means::Mend(" (this account is gone)")),
    (403, "initiate", Means::Mend(" (this person must write to the bot first)")),
    (403, "bots", Means::Mend(NO_CHAT)),
    (403, "", Means::Mend(NO_MEMBER)),
    (400, "chat not found", Means::Mend(NO_CHAT)),
    (400, "peer_id_invalid", Means::Mend(NO_CHAT)),
    (400, "group chat was de", Means::Mend(" (the group is gone)")),
    (400, "rights to send", Means::Mend(" (let the bot write in the chat)")),
    (400, "thread not found", Means::Mend(" (thread is wrong)")),
    (400, "too long", Means::Unfit),
];

fn codes(service: BotService) -> &'static [Code] {
    match service {
        BotService::Feishu => &FEISHU,
        BotService::Dingtalk => &DINGTALK,
        BotService::Wecom => &WECOM,
        BotService::Telegram => &TELEGRAM,
    }
}

/// The verdict of `answer`. Errors come with status 200 as well as others, so that the body decides where it can.
pub fn verdict(bot: &BotPlan, answer: &Answer, now: Wall, told: &Ready) -> Verdict {
    let host = host_of(&told.url);
    let refused = http::refusal(answer, now, host, &told.secrets);
    let Some((code, text, wait)) = read(bot.service, &answer.body) else {
        let why = [host, ": the answer is not of this service; a login page of the network?"].concat();
        return refused.unwrap_or(Verdict::Retry { why, after: None, channel: true, answered: false, sent: true });
    };
    // What follows changes each time, and a reason is compared with the last one.
    let text = text.split("hint:").next().unwrap_or_default().trim_end_matches([' ', ',']);
    let why = |hint: &str| {
        [host, ": code ", &code.to_string(), ": ", &quoted(text, http::MAX_QUOTE, &told.secrets), hint].concat()
    };
    let retry =
        |hint: &str, channel, after| Verdict::Retry { why: why(hint), after, channel, answered: true, sent: true };
    if let Some(chat) = moved(bot, answer) {
        let hint = [" (it goes on as ", &chat.to_string(), ": write that into chat_id)"].concat();
        return retry(&hint, true, Some(AGAIN));
    }
    if code == 0 {
        return refused.unwrap_or(Verdict::Delivered);
    }
    let small = text.to_ascii_lowercase();
    let fits = |(known, part, _): &&Code| *known == code && small.contains(part);
    let Some((_, _, means)) = codes(bot.service).iter().find(fits) else {
        // Not known: gateways of the services answer 404, 429 and 5xx with codes of their own.
        return refused.unwrap_or_else(|| retry("", false, None));
    };
    match (*means, told.signed) {
        (Means::Busy(least), _) => {
            let wish = http::retry_after(answer, now).unwrap_or_default();
            let after = wish.max(Duration::from_secs(least.max(wait)));
            retry("", true, (!after.is_zero()).then_some(after))
        }
        (Means::Mend(hint), _) => Verdict::Broken(why(hint)),
        (Means::Unfit, _) => Verdict::GiveUp(why("")),
        (Means::Sign | Means::Clock, None) => Verdict::Broken(why(" (the bot wants a signature: set secret)")),
        (Means::Clock, Some(_)) => retry(" (the clock of this host is wrong)", true, Some(AGAIN)),
        (Means::Sign, Some(signed)) if clock_was_wrong(answer, signed) => {
            retry(" (the clock of this host is wrong)", true, Some(AGAIN))
        }
        (Means::Sign, Some(_)) => Verdict::Broken(why(" (the secret is wrong)")),
    }
}

/// Code, text, and how many seconds to wait, of an answer of `service`. Code 0 is a success.
fn read(service: BotService, body: &[u8]) -> Option<(i64, String, u64)> {
    use BotService as S;
    use Scalar::{Flag, Int, Null, Text};
    let keys = match service {
        S::Feishu => ["code", "StatusCode", "msg", "wait"],
        S::Dingtalk | S::Wecom => ["errcode", "status", "errmsg", "wait"],
        S::Telegram => ["error_code", "ok", "description", "parameters/retry_after"],
    };
    let reply = pick(body, &keys)?;
    let [code, other, text, wait] = reply.as_slice() else { return None };
    let code = match (service, code, other) {
        (S::Telegram, _, Some(Flag(true))) => 0,
        (S::Telegram, Some(Int(code)), _) if *code != 0 => *code,
        (S::Telegram, ..) => return None,
        // Older deployments send nothing else. If both are there, the code decides.
        (S::Feishu, None | Some(Null), Some(Int(status))) => *status,
        (S::Dingtalk | S::Wecom, None | Some(Null | Int(0)), Some(Int(status))) if *status != 0 => *status,
        (_, Some(Int(code)), _) => *code,
        _ => return None,
    };
    let text = if let Some(Text(text)) = text { text.clone() } else { String::new() };
    let wait = if let Some(Int(wait)) = wait { u64::try_from(*wait).unwrap_or(0) } else { 0 };
    Some((code, text, wait))
}

/// The id that the chat has now, if the service says so.
pub fn moved(bot: &BotPlan, answer: &Answer) -> Option<i64> {
    if bot.service != BotService::Telegram || answer.status == 200 {
        return None;
    }
    match pick(&answer.body, &["parameters/migrate_to_chat_id"])?.first() {
        Some(Some(Scalar::Int(chat))) => Some(*chat),
        _ => None,
    }
}

/// Whether a signature of time `signed` was refused for its time: it is far from that of the service. If that is not
/// known, whether the own clock was never set.
fn clock_was_wrong(answer: &Answer, signed: Wall) -> bool {
    match http::date_of(answer) {
        Some(date) => date.0.abs_diff(signed.0) > millis(SIGNATURE_WINDOW).unsigned_abs(),
        None => !signed.is_set(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feishu(secs: i64, secret: &str) -> String {
        hmac(&[&secs.to_string(), "\n", secret].concat(), "")
    }

    fn dingtalk(stamp: i64, secret: &str) -> String {
        hmac(secret, &[&stamp.to_string(), "\n", secret].concat())
    }

    #[test]
    fn signatures_match_the_known_ones() {
        let hundred = "x".repeat(100);
        for (secs, secret, sign) in [
            (1_726_063_290, "Oh, you saw me.", "EG8eZFIOxDlxx0DqlxsEz8YgjXexLF4nmD4seu2WG14="),
            (1_700_000_000, "mysecret", "Jp33/xXhCipDEpjyHvEyc7mRSyXWHbNz6J8+C3qQKNo="),
            (1_599_360_473, "demo", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="),
            (1_700_000_000, "SECRET", "9st/5TeJu7lS2mv/qJq3skcz1M5+oBrSVM/mQRjuq8Q="),
            (1_700_000_000, "", "DaBQacIHB6FCKocfPme7o5BIrwne87ibBLj7EYGUds0="),
            (1_700_000_000, "密钥🔑", "Yz8CQcIt+linL8cacWM8WVjCila7BX02+2exX+BAvzI="),
            (1_700_000_000, &hundred, "IpC0RacoRNaRBizkx0LfRi8KVlnp+xEWFAGZ5lf5po4="),
            (1_700_000_010, "demo", "+YO6mm6a/+zxs+vb3m2ISk3ZUYbKmIUQDM87+MsA1W0="),
        ] {
            assert_eq!(feishu(secs, secret), sign, "{secret}");
        }
        for (stamp, secret, sign) in [
            (1_599_360_473_000, "SECdemo", "tGWkA5eQOQNCNPDgphtxIoNLO+/gD8Lcb705KQoRzeY="),
            (1_700_000_000_000, "SECRET", "Orf+fj1NyYtycFhdVppF7CLGXKV/+TxlE8arDerFdmM="),
            (1_700_000_000_123, "SEC0123456789abcdef", "V9VP5gL2WDsEZvZQHnbd9k4n+p56ibcLMh+WKMZRQas="),
            (1_700_000_000_001, "SECdemo", "PTs+dsurGspsy8LSQV/Ud2CTvBpozdeoue2U2fgKqxI="),
        ] {
            assert_eq!(dingtalk(stamp, secret), sign, "{secret}");
        }
        // Each service's text in the other's place.
        assert_eq!(dingtalk(1_599_360_473, "demo"), "DkEDUyVoOOJ539qBvUgMyzkzIdRWlf4e/V3Rq+ONJnQ=");
        assert_ne!(feishu(1_599_360_473, "demo"), dingtalk(1_599_360_473, "demo"));
        assert_eq!(feishu(1_700_000_000_000, "SECRET"), "66A6kF5wcDxPv3LIoWPeDx4qJSSiM4TIpp0NrWVl4hw=");
        assert_ne!(dingtalk(1_700_000_000_000, "SECRET"), feishu(1_700_000_000_000, "SECRET"));
    }
}
