//! What all sources speak: an [`Event`] says what happened to whom, when, and which facts belong to it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::clock::{Boot, Now, Tick, Wall};

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

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Id::parse(&text).ok_or_else(|| D::Error::custom("an id is 16 hexadecimal digits"))
    }
}

/// How much an event matters. `critical`: act now; `warning`: look today; `info`: good to know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look today.
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// All severities, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name in files and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Whether an event begins something that ends, ends it, or stands alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Begins an incident; an end with the same incident id follows one day.
    Begin,
    /// Ends the incident of the same id.
    End,
    /// Neither.
    Single,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident, $phase:ident;)*) => {
        /// What happened. The names are those of `only = […]`, of JSON and of `simulate`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$variant),*];

            /// Its name in files and JSON.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// How much it matters unless its source says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Kind::$variant => Severity::$severity,)* }
            }

            /// Its place in an incident.
            pub fn phase(self) -> Phase {
                match self { $(Kind::$variant => Phase::$phase,)* }
            }
        }
    };
}

kinds! {
    /// The cloud will reclaim this instance.
    Interrupt = "interrupt", Critical, Begin;
    /// The cloud took its notice back.
    InterruptWithdrawn = "interrupt.withdrawn", Info, End;
    /// A host fell silent.
    Offline = "offline", Critical, Begin;
    /// A silent host is back.
    Online = "online", Info, End;
    /// A host said goodbye.
    Stopped = "stopped", Info, Begin;
    /// A host fell silent as its cloud had announced.
    Reclaimed = "reclaimed", Info, Begin;
    /// A silent host was taken off the roster.
    Forgotten = "forgotten", Info, End;
    /// The metadata service gives no good answer: a notice could be missed.
    Blind = "blind", Warning, Begin;
    /// The metadata service answers again.
    Seeing = "seeing", Info, End;
    /// A heartbeat was refused: old protocol, name taken, roster full.
    Refused = "refused", Warning, Single;
    /// A channel refuses alerts for a reason that a person must mend.
    ChannelBroken = "channel.broken", Warning, Begin;
    /// A parked channel takes alerts again.
    ChannelMended = "channel.mended", Info, End;
    /// Alerts were given up or dropped.
    Lost = "lost", Warning, Single;
    /// The state directory cannot be written.
    StateUnwritable = "state.unwritable", Warning, Begin;
    /// The state directory can be written again.
    StateWritable = "state.writable", Info, End;
    /// A state file was damaged and set aside.
    StateDamaged = "state.damaged", Warning, Single;
    /// Somebody asked whether alerts arrive.
    Test = "test", Info, Single;
}

impl Kind {
    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// When something happened, kept so that its wall time can be worked out later by a clock that is right by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// The boot that `tick` belongs to.
    pub boot: Boot,
    /// Time on that boot's clock.
    pub tick: Tick,
    /// What the wall clock made of it when this was written; used once the boot is over.
    pub wall: Wall,
    /// Known only roughly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub about: bool,
}

impl Moment {
    /// `tick` of this boot.
    pub fn at(tick: Tick, now: &Now) -> Moment {
        let wall = Wall(now.wall.0.saturating_sub(now.tick.0.saturating_sub(tick.0)));
        Moment { boot: now.boot, tick, wall, about: false }
    }

    /// A moment that came as wall time, such as a deadline named by a cloud.
    pub fn at_wall(wall: Wall, now: &Now) -> Moment {
        let tick = Tick(now.tick.0.saturating_sub(now.wall.0.saturating_sub(wall.0)));
        Moment { boot: now.boot, tick, wall, about: false }
    }

    /// The wall time as far as it is known now; `None` if the clock of that boot was never set.
    pub fn wall(&self, now: &Now) -> Option<Wall> {
        let wall = if self.boot == now.boot {
            Wall(now.wall.0.saturating_sub(now.tick.0.saturating_sub(self.tick.0)))
        } else {
            self.wall
        };
        wall.is_set().then_some(wall)
    }

    /// The same moment on this boot's clock; negative if it lies before this boot. `None` if it happened in an
    /// earlier boot and one of the wall clocks was not set.
    pub fn tick(&self, now: &Now) -> Option<Tick> {
        if self.boot == now.boot {
            return Some(self.tick);
        }
        (self.wall.is_set() && now.wall.is_set())
            .then(|| Tick(now.tick.0.saturating_sub(now.wall.0.saturating_sub(self.wall.0))))
    }

    /// The same moment with the wall time that is known now, to be saved for later boots.
    pub fn refreshed(self, now: &Now) -> Moment {
        if self.boot == now.boot { Moment { about: self.about, ..Moment::at(self.tick, now) } } else { self }
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The name of a fact.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum Field {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Field] = &[$(Field::$variant),*];

            /// Its name in JSON and templates.
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }
        }
    };
}

fields! {
    /// Cloud that gave the notice.
    Provider = "provider";
    /// Instance id.
    Instance = "instance";
    /// Region.
    Region = "region";
    /// Zone.
    Zone = "zone";
    /// Instance type.
    InstanceType = "instance_type";
    /// Address of the host.
    Address = "address";
    /// When the instance goes.
    Deadline = "deadline";
    /// What the cloud will do: `release`, `stop`, ….
    Action = "action";
    /// The deadline before it was changed.
    OldDeadline = "old_deadline";
    /// The last beat that was heard.
    LastBeat = "last_beat";
    /// How long it lasted.
    Duration = "duration";
    /// Since when.
    Since = "since";
    /// Who noticed it.
    Server = "server";
    /// Why.
    Reason = "reason";
    /// When it wants to be back.
    BackBy = "back_by";
    /// What a person can do.
    Hint = "hint";
    /// The alert channel concerned.
    Channel = "channel";
    /// How many.
    Count = "count";
    /// File or folder concerned.
    Path = "path";
    /// The URI of a heartbeat server, without its key.
    Monitor = "monitor";
}

/// A fact's value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fact {
    /// Text as it is.
    #[serde(rename = "text")]
    Text(String),
    /// A count.
    #[serde(rename = "number")]
    Number(i64),
    /// A span of time.
    #[serde(rename = "ms")]
    Span(#[serde(with = "span")] Duration),
    /// A point in time.
    #[serde(rename = "time")]
    Time(Moment),
}

mod span {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(crate::clock::millis(*d))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

/// Something that people may be told. Its id is the same at every attempt and after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }

    #[test]
    fn wall_time_follows_the_clock_until_the_boot_is_over() {
        let early = Now { tick: Tick(1000), wall: Wall(0), boot: Boot(7) };
        let moment = Moment::at(Tick(1000), &early);
        assert_eq!(moment.wall(&early), None);
        assert_eq!(moment.wall(&NOW), Some(Wall(1_800_000_001_000)));
        let next_boot = Now { tick: Tick(5), wall: Wall(1_800_000_160_000), boot: Boot(8) };
        assert_eq!(moment.wall(&next_boot), None);
        assert_eq!(moment.refreshed(&NOW).wall(&next_boot), Some(Wall(1_800_000_001_000)));
        assert_eq!(moment.refreshed(&NOW).tick(&next_boot), Some(Tick(5 - 159_000)));
    }

    #[test]
    fn ids_do_not_run_together() {
        assert_ne!(Id::of(&[b"ab", b"c"]), Id::of(&[b"a", b"bc"]));
        assert_eq!(Id::parse("00000000000000ff"), Some(Id(255)));
        assert_eq!(Id::parse("+0000000000000ff"), None);
    }
}
