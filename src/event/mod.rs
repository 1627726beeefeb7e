//! What all sources speak: an [`Event`] says what happened to whom, when, and which facts belong to it.

mod kind;
mod moment;

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::json::{self, Writer};
pub use kind::{Field, Kind, Phase, Severity};
pub use moment::Moment;

/// Identifies an event or an incident: 64 bits, written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub u64);

impl Id {
    /// The first 64 bits of the SHA-256 of `parts`, each preceded by its length as 4 bytes, big-endian.
    pub fn of(parts: &[&[u8]]) -> Id {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Id(digest.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }

    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Id> {
        (text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u64::from_str_radix(text, 16).ok().map(Id))
            .flatten()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A fact's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// Text as it is.
    Text(String),
    /// A count.
    Number(i64),
    /// A span of time.
    Span(Duration),
    /// A point in time.
    Time(Moment),
}

/// Something that people may be told. Its id is the same at every attempt and after a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// One per message.
    pub id: Id,
    /// Shared by a beginning, its changes and its end.
    pub incident: Id,
    /// What happened.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// To whom: a host, a channel, a folder.
    pub subject: String,
    /// When it happened, not when it is told.
    pub at: Moment,
    /// What else is known, in the order in which it is shown.
    pub facts: Vec<(Field, Fact)>,
    /// Part of an exercise; marked as such wherever it is shown.
    pub test: bool,
    /// Events with the same one came together and go out in one message.
    pub group: Option<Id>,
}

impl Event {
    /// An event of `kind` with its usual severity and no facts. Its id is made of incident, kind and `at`.
    pub fn new(kind: Kind, incident: Id, subject: impl Into<String>, at: Moment) -> Event {
        let id = Id::of(&[
            b"event",
            &incident.0.to_be_bytes(),
            kind.name().as_bytes(),
            &at.boot.0.to_be_bytes(),
            &at.tick.0.to_be_bytes(),
        ]);
        Event {
            id,
            incident,
            kind,
            severity: kind.severity(),
            subject: subject.into(),
            at,
            facts: Vec::new(),
            test: false,
            group: None,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, field: Field, fact: Fact) -> Event {
        self.facts.push((field, fact));
        self
    }

    /// Adds text; nothing if it is empty.
    #[must_use]
    pub fn with_text(self, field: Field, text: impl Into<String>) -> Event {
        let text = text.into();
        if text.is_empty() { self } else { self.with(field, Fact::Text(text)) }
    }

    /// The value of `field`.
    pub fn fact(&self, field: Field) -> Option<&Fact> {
        self.facts.iter().find(|(name, _)| *name == field).map(|(_, fact)| fact)
    }
}

/// As state; see [`crate::json`].
impl Event {
    /// Writes it.
    pub fn write(&self, out: &mut Writer) {
        out.open('{').key("id").text(&self.id.to_string()).key("incident").text(&self.incident.to_string());
        out.key("kind").text(self.kind.name()).key("severity").text(self.severity.name());
        out.key("subject").text(&self.subject).key("at");
        self.at.write(out);
        out.key("test").flag(self.test);
        if let Some(group) = self.group {
            out.key("group").text(&group.to_string());
        }
        out.key("facts").open('[');
        for (field, fact) in &self.facts {
            out.open('[').text(field.name());
            match fact {
                Fact::Text(text) => {
                    out.text("text").text(text);
                }
                Fact::Number(number) => {
                    out.text("number").int(*number);
                }
                Fact::Span(span) => {
                    out.text("ms").int(crate::clock::millis(*span));
                }
                Fact::Time(moment) => moment.write(out.text("time")),
            }
            out.close(']');
        }
        out.close(']').close('}');
    }

    /// Reads what [`Event::write`] wrote. Facts that another version knew are left out.
    pub fn read(value: &Value) -> Option<Event> {
        let fact = |value: &Value| {
            let [field, shape, value] = value.as_array()?.as_slice() else { return None };
            let fact = match shape.as_str()? {
                "text" => Fact::Text(value.as_str()?.to_owned()),
                "number" => Fact::Number(value.as_i64()?),
                "ms" => Fact::Span(Duration::from_millis(value.as_u64()?)),
                _ => Fact::Time(Moment::read(value)?),
            };
            Some((Field::parse(field.as_str()?)?, fact))
        };
        let mut facts = Vec::new();
        for value in json::list(value, "facts") {
            if let Some(fact) = fact(value) {
                facts.push(fact);
            }
        }
        Some(Event {
            id: Id::parse(json::text(value, "id")?)?,
            incident: Id::parse(json::text(value, "incident")?)?,
            kind: Kind::parse(json::text(value, "kind")?)?,
            severity: Severity::parse(json::text(value, "severity")?)?,
            subject: json::text(value, "subject")?.to_owned(),
            at: Moment::read(value.get("at")?)?,
            facts,
            test: json::flag(value, "test"),
            group: json::text(value, "group").and_then(Id::parse),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Now, Tick, Wall};

    const NOW: Now = Now { tick: Tick(60_000), wall: Wall(1_800_000_060_000), boot: Boot(7) };

    #[test]
    fn names_are_unique_and_parse() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn an_event_survives_json() {
        let event = Event::new(Kind::Offline, Id(5), "nas@home", Moment::at(Tick(30_000), &NOW))
            .with(Field::Duration, Fact::Span(Duration::from_millis(1500)))
            .with(Field::LastBeat, Fact::Time(Moment::at(Tick(1), &NOW)));
        let mut out = Writer::default();
        event.write(&mut out);
        let text = out.into_string();
        assert_eq!(Event::read(&json::read(text.as_bytes()).unwrap()), Some(event), "{text}");
    }

    #[test]
    fn ids_do_not_run_together() {
        assert_ne!(Id::of(&[b"ab", b"c"]), Id::of(&[b"a", b"bc"]));
        assert_eq!(Id::parse("00000000000000ff"), Some(Id(255)));
        assert_eq!(Id::parse("+0000000000000ff"), None);
    }
}
