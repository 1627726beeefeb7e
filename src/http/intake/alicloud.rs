//! What CloudMonitor of Alibaba Cloud sends when it will take an instance back, in every form that it has: the short one
//! of its debugger, the full one of system events, event subscriptions as JSON, in the query or as a form, EventBridge. One
//! reader for all: it looks at places, not at forms. Pure.

use crate::clock::Wall;
use crate::http::auth::decoded;
use crate::keepalive::leaf::{Leaf, walk};
use crate::spot::timestamp;

/// The event.
const NAME: &str = "Instance:PreemptibleInstanceInterruption";
/// How deep texts that hold JSON again are looked into: a form holds an alert that holds the event as it came.
const MAX_DEPTH: usize = 3;
/// Texts that hold JSON again.
const MAX_INNER: usize = 8;
/// Bytes of the id of an instance, and of other words.
const MAX_WORD: usize = 64;

/// What was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// An instance will be taken back.
    Interrupt(Interrupt),
    /// Something else, such as another event or the end of one.
    Other,
}

/// What it says of that.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Interrupt {
    /// Which instance.
    pub instance: String,
    /// What will be done, in this program's words; may be empty.
    pub action: String,
    /// Where it is; may be empty.
    pub region: String,
    /// When it was decided.
    pub at: Option<Wall>,
}

/// Reads the body of a `POST`: JSON, or a form. `None` if it is neither.
pub fn body(bytes: &[u8]) -> Option<Sent> {
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let mut seen = Seen::default();
        return if seen.json("", bytes) { seen.finish() } else { None };
    }
    form(std::str::from_utf8(bytes).ok()?)
}

/// Reads a form, or the query of a `GET`: a parameter for each key, or all of it as `data`. `None` if it is none.
pub fn form(text: &str) -> Option<Sent> {
    let mut seen = Seen::default();
    for pair in text.trim().split('&') {
        let (key, value) = pair.split_once('=')?;
        seen.take(&decoded(key)?, Leaf::Text(&decoded(value)?));
    }
    seen.finish()
}

#[derive(Default)]
struct Seen {
    interrupt: bool,
    over: bool,
    instance: String,
    /// The same, at the end of the name of a resource.
    resource: String,
    action: String,
    region: String,
    /// When, and how well that is known.
    at: Option<(u8, Wall)>,
    /// JSON in texts, and where it stood.
    inner: Vec<(String, String)>,
}

impl Seen {
    fn json(&mut self, prefix: &str, bytes: &[u8]) -> bool {
        walk(bytes, &mut |path, leaf| {
            if !path.is_empty() {
                self.take(&[prefix, path].concat(), leaf);
            }
            true
        })
    }

    /// What stands at `path`.
    fn take(&mut self, path: &str, leaf: Leaf<'_>) {
        let mut bare = path;
        while let Some(rest) = bare.strip_prefix("data/") {
            bare = rest;
        }
        match (bare, leaf) {
            ("name" | "eventName" | "type" | "alert/eventName" | "alert/meta/sysEventMeta/name", Leaf::Text(text)) => {
                self.interrupt |= text.strip_prefix("ecs:").unwrap_or(text) == NAME;
            }
            ("alert/alertStatus", Leaf::Text(text)) => self.over |= text != "TRIGGERED",
            ("status" | "alert/meta/sysEventMeta/status", Leaf::Text(text)) => self.over |= text != "Normal",
            ("regionId" | "alert/meta/sysEventMeta/regionId" | "aliyunregionid", Leaf::Text(text)) => {
                first(&mut self.region, text);
            }
            ("resourceId" | "alert/arn" | "alert/meta/sysEventMeta/resourceId" | "subject", Leaf::Text(text)) => {
                first(&mut self.resource, text.rsplit_once("instance/").map_or("", |(_, id)| id));
            }
            ("eventTime" | "alert/meta/sysEventMeta/eventTime", Leaf::Text(text)) => self.when(2, moment(text)),
            ("alert/timestamp", leaf) => self.when(1, millis(leaf)),
            ("time", Leaf::Text(text)) if !text.bytes().all(|b| b.is_ascii_digit()) => self.when(1, moment(text)),
            ("time", leaf) => self.when(0, millis(leaf)),
            (
                "data"
                | "alert"
                | "content"
                | "Content"
                | "alert/eventRawContent"
                | "alert/eventContentMap"
                | "alert/meta",
                Leaf::Text(text),
            ) if text.trim_start().starts_with('{') && self.inner.len() < MAX_INNER => {
                self.inner.push(([path, "/"].concat(), text.to_owned()));
            }
            (_, Leaf::Text(text)) => {
                let holder = ["content", "Content", "alert/eventContentMap", "alert/eventRawContent"];
                let (place, key) = bare.rsplit_once('/').unwrap_or(("", bare));
                // EventBridge has them without anything around them.
                if holder.contains(&place) || (place.is_empty() && bare != path) {
                    match key {
                        "instanceId" => first(&mut self.instance, text),
                        "action" => first(&mut self.action, text),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn when(&mut self, rank: u8, at: Option<Wall>) {
        if let Some(at) = at
            && self.at.is_none_or(|(known, _)| known < rank)
        {
            self.at = Some((rank, at));
        }
    }

    /// `None` if it is the event, and does not say which instance.
    fn finish(mut self) -> Option<Sent> {
        for _ in 0..MAX_DEPTH {
            for (prefix, text) in std::mem::take(&mut self.inner) {
                // What is no JSON there is of no use, and does no harm.
                self.json(&prefix, text.as_bytes());
            }
        }
        if !self.interrupt || self.over {
            return Some(Sent::Other);
        }
        let instance = if self.instance.is_empty() { self.resource } else { self.instance };
        if instance.is_empty() {
            return None;
        }
        let action = if self.action == "delete" { "release".to_owned() } else { self.action };
        Some(Sent::Interrupt(Interrupt { instance, action, region: self.region, at: self.at.map(|(_, at)| at) }))
    }
}

/// A word, if there is none yet. What is none is left out.
fn first(slot: &mut String, text: &str) {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if slot.is_empty() && text.len() <= MAX_WORD && text.bytes().all(word) {
        text.clone_into(slot);
    }
}

/// Milliseconds since 1970, as a number or, in a form, as text.
fn millis(leaf: Leaf<'_>) -> Option<Wall> {
    let number = match leaf {
        Leaf::Count(number) => i64::try_from(number).ok()?,
        Leaf::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    // To the year 9999, and nothing that was meant as seconds.
    (100_000_000_000..253_402_300_800_000).contains(&number).then_some(Wall(number))
}

/// `20260501T180200.000+0800`, and the same with `-` and `:`, without the fraction, with `Z`.
fn moment(text: &str) -> Option<Wall> {
    let (date, time) = text.split_once('T')?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone_at);
    let time = time.split('.').next().unwrap_or_default();
    let part = |text: &str, at: usize, len: usize| text.get(at..at + len).map(str::to_owned);
    let date = if date.len() == 8 {
        [part(date, 0, 4)?, part(date, 4, 2)?, part(date, 6, 2)?].join("-")
    } else {
        date.to_owned()
    };
    let time = if time.len() == 6 {
        [part(time, 0, 2)?, part(time, 2, 2)?, part(time, 4, 2)?].join(":")
    } else {
        time.to_owned()
    };
    let zone = if zone.len() == 5 { [part(zone, 0, 3)?, part(zone, 3, 2)?].join(":") } else { zone.to_owned() };
    timestamp::any(&[date.as_str(), "T", &time, &zone].concat())
}

#[cfg(test)]
mod tests;
