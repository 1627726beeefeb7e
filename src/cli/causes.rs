//! What is likely to be wrong with a channel, as far as this machine can tell.

use std::net::IpAddr;
use std::time::Duration;

use crate::alert::message::span;
use crate::config::plan::Language;

/// A difference of clocks that is worth a word, in milliseconds: signatures are good for an hour, but nobody knows how the
/// next hour goes.
const SKEW: i64 = 60_000;

/// What is known besides the service's own words.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// Why it did not take the message; empty if it did.
    pub why: &'a str,
    /// How far this clock is ahead of that of the service, in milliseconds.
    pub ahead: Option<i64>,
    /// This clock was never set.
    pub unset: bool,
    /// The first words of every message.
    pub prefix: &'a str,
    /// A proxy that is in use, without user and password, and what names it: a variable, or nothing for the channel.
    pub proxy: Option<(String, &'static str)>,
    /// What is sent can be read on the way.
    pub plain: bool,
}

/// What to say of it, a line each.
pub fn causes(known: &Known<'_>) -> Vec<String> {
    let why = known.why.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let mut lines = Vec::new();
    let off = known.ahead.filter(|ahead| ahead.saturating_abs() > SKEW);
    if known.unset {
        lines.push("this machine's clock was never set: signatures and TLS fail until it is".to_owned());
    } else if let Some(ahead) = off {
        // To the nearest minute: the header has whole seconds, and the answer was under way.
        let minutes = ahead.unsigned_abs().saturating_add(30_000) / 60_000;
        let apart = span(Language::En, Duration::from_secs(60 * minutes));
        let side = if ahead > 0 { " ahead of" } else { " behind" };
        lines.push(["this machine's clock is ", &apart, side, " that of the service"].concat());
    } else if says(&["sign"]) && known.ahead.is_some() {
        lines.push("this machine's clock is right, so the secret in the file is not that of the bot".to_owned());
    }
    if says(&["keyword", "key word", "关键词"]) {
        lines.push(match known.prefix {
            "" => "prefix is empty: one of the bot's keywords belongs there".to_owned(),
            prefix => {
                ["every message begins with prefix = \"", prefix, "\": it must hold one of the bot's keywords"].concat()
            }
        });
    }
    let listed = says(&["whitelist", "white list", "not allow", "not on the bot's list", "白名单"]);
    // What comes first is the name of the service, which may be an address.
    let said = known.why.split_once(": ").map_or(known.why, |(_, said)| said);
    if let Some(address) = address_in(said).filter(|_| listed || says(&[" ip"])) {
        lines.push(["the service saw ", &address.to_string(), ": that is the address to put on its list"].concat());
    } else if listed {
        lines.push(
            "the address to put on its list is the one that this machine has outside, such as that of its router"
                .to_owned(),
        );
    }
    if says(&["does not resolve"]) {
        lines.push("is the name spelt right, and does this machine's resolver (/etc/resolv.conf) answer?".to_owned());
    }
    let removed =
        ["http 404", "http 410", "token invalid", "token is not exist", "invalid webhook", "chat not found", "kicked"];
    // A reason that ends in brackets says itself what to do.
    let guess = !known.why.ends_with(')');
    if guess && says(&removed) {
        lines.push("nothing is at that address: was the bot removed, or the address cut?".to_owned());
    }
    if guess && says(&["http 401", "http 403"]) {
        lines.push("the token or the secret is wrong, or has expired".to_owned());
    }
    if let Some((proxy, from)) = known.proxy.as_ref().filter(|_| !why.is_empty()) {
        lines.push(match *from {
            "" => ["it goes through the proxy ", proxy, " of this channel"].concat(),
            from => ["it goes through the proxy ", proxy, " of ", from, ", unless NO_PROXY excepts it"].concat(),
        });
    }
    if known.plain {
        lines.push("it goes over plain http through a public network: everyone on the way can read it".to_owned());
    }
    lines
}

/// The first address that a text names.
fn address_in(text: &str) -> Option<IpAddr> {
    let of_address = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    text.split(|c| !of_address(c)).find_map(|word| word.trim_matches([':', '.']).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_likely_cause() {
        let two_hours =
            Known { ahead: Some(-2 * 3_600_000), why: "h: code 19021: sign match fail", ..Known::default() };
        let right = Known { ahead: Some(1500), ..two_hours.clone() };
        let why = |why| Known { why, ahead: Some(0), ..Known::default() };
        let own = Known { proxy: Some(("10.0.0.1".to_owned(), "")), ..why("h: the proxy cannot be reached") };
        let proxied = Known { proxy: Some(("10.0.0.1:3128".to_owned(), "HTTPS_PROXY")), ..why("h: no connection") };
        for (known, want) in [
            (two_hours.clone(), "clock is 2 h behind"),
            (Known { ahead: Some(7_500_000), why: "", ..two_hours.clone() }, "clock is 2 h 5 min ahead of"),
            (right, "the secret in the file"),
            (Known { unset: true, ..two_hours }, "never set"),
            (why("code 19024: Key Words Not Found"), "prefix is empty"),
            (Known { prefix: "[ic]", ..why("310000: keywords not in content") }, "prefix = \"[ic]\""),
            (why("errcode 60020: not allow to access from your ip, from ip: 203.0.113.9, more"), "saw 203.0.113.9:"),
            (why("310000: ip 2001:db8::7 not in whitelist"), "saw 2001:db8::7:"),
            (why("19022: Ip Not Allowed"), "has outside"),
            (why("192.0.2.1: code 19022: Ip Not Allowed"), "has outside"),
            (why("h: the name does not resolve"), "resolver"),
            (why("h: HTTP 404: no such hook"), "removed"),
            (why("19001: param invalid: incoming webhook access token invalid"), "removed"),
            (why("h: HTTP 401"), "token"),
            (proxied, "proxy 10.0.0.1:3128 of HTTPS_PROXY"),
            (own, "it goes through the proxy 10.0.0.1 of this channel"),
            (Known { plain: true, ..why("") }, "plain http"),
        ] {
            let lines = causes(&known);
            assert!(lines.len() == 1 && lines[0].contains(want), "{known:?}: {lines:?}");
        }
        let hinted = "h: HTTP 403: M_FORBIDDEN (invite the user of the token into the room)";
        for nothing in ["", "h: no connection", "h: HTTP 500", hinted] {
            assert_eq!(causes(&why(nothing)), [""; 0]);
        }
    }

    #[test]
    fn an_address_is_found_among_words() {
        for (text, want) in [
            ("from ip: 1.2.3.4.", Some("1.2.3.4")),
            ("h.example:443 dead beef 12:30", None),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("", None),
        ] {
            assert_eq!(address_in(text).map(|address| address.to_string()).as_deref(), want, "{text}");
        }
    }
}
