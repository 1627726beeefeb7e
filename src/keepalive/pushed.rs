//! Reclaims that a cloud announces from outside, by instance. The instance's own daemon may say the same, before or after,
//! and clouds repeat themselves: people are told once. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Moment};
use crate::json::{self, Writer};

/// Name of the small state.
pub const STATE_NAME: &str = "pushed";
/// Two announcements of one instance so close together are the same.
pub const SAME: Duration = Duration::from_secs(15 * 60);
/// How long before it Alibaba Cloud announces a reclaim.
pub const NOTICE: Duration = Duration::from_secs(5 * 60);
/// For so long an announcement is remembered: those that do not say when it was are repeated no later.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// For so long the instance's own notice, which says more and is told by the instance itself, is waited for.
const HOLD: Duration = Duration::from_secs(15);
/// Announcements that are remembered.
const MAX_ENTRIES: usize = 256;

/// The instance that an event is about; empty if it does not say.
pub fn instance(event: &Event) -> &str {
    match event.fact(Field::Instance) {
        Some(Fact::Text(instance)) => instance,
        _ => "",
    }
}

/// How far an announcement got.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// It waits for the instance's own notice.
    Held(Box<Event>),
    /// It was told; once the instance's own notice came too, with that one's id.
    Told(Option<Id>),
    /// The instance's own notice came first.
    Own,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    instance: String,
    /// When the cloud said so.
    at: Moment,
    /// When it was heard here.
    heard: Moment,
    incident: Id,
    state: State,
}

impl Entry {
    /// Whether an announcement of `at` is this one; without a time it is, as long as this one is remembered.
    fn is_of(&self, instance: &str, at: Option<Tick>, now: &Now) -> bool {
        let near = |at: Tick| {
            let own = self.at.tick(now).unwrap_or(now.tick);
            own.since(at).max(at.since(own)) <= SAME
        };
        self.instance == instance && at.is_none_or(near)
    }
}

/// What was announced lately, the oldest first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Pushed {
    entries: Vec<Entry>,
}

impl Pushed {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there was such an announcement; `at`: when the cloud said so, if it says when.
    pub fn knows(&self, instance: &str, at: Option<Tick>, now: &Now) -> bool {
        self.entries.iter().any(|entry| entry.is_of(instance, at, now))
    }

    /// Remembers `event`, which is to wait (`hold`) or is told now. `false` if too many wait.
    pub fn add(&mut self, event: &Event, hold: bool, now: &Now) -> bool {
        let state = if hold { State::Held(Box::new(event.clone())) } else { State::Told(None) };
        self.put(event, state, now)
    }

    /// Remembers the instance's own notice.
    pub fn add_own(&mut self, event: &Event, now: &Now) {
        self.put(event, State::Own, now);
    }

    fn put(&mut self, event: &Event, state: State, now: &Now) -> bool {
        let old = |entry: &Entry| entry.heard.tick(now).is_some_and(|heard| now.tick.since(heard) > KEPT);
        self.entries.retain(|entry| !old(entry));
        if self.entries.len() >= MAX_ENTRIES {
            let Some(done) = self.entries.iter().position(|entry| !matches!(entry.state, State::Held(_))) else {
                return false;
            };
            self.entries.remove(done);
        }
        let (instance, heard) = (instance(event).to_owned(), Moment::at(now.tick, now));
        self.entries.push(Entry { instance, at: event.at, heard, incident: event.incident, state });
        true
    }

    /// The instance's own notice came, with this id, of `at`. The incident under which people were told of it from
    /// here, and whether this is the one notice that says only what they know. What is held back is not told any more.
    pub fn own(&mut self, instance: &str, id: Id, at: Tick, now: &Now) -> Own {
        let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.is_of(instance, Some(at), now)) else {
            return Own::News;
        };
        match &mut entry.state {
            State::Own => Own::Known,
            State::Held(_) => {
                entry.state = State::Own;
                Own::Overtakes
            }
            State::Told(own) => {
                let first = own.is_none();
                let same = *own.get_or_insert(id) == id;
                Own::Told { incident: entry.incident, same, first }
            }
        }
    }

    /// The incident under which people were told of the reclaim that is called off now.
    pub fn ended(&self, instance: &str, now: &Now) -> Option<Id> {
        let told = |entry: &&Entry| matches!(entry.state, State::Told(_)) && entry.is_of(instance, None, now);
        self.entries.iter().rev().find(told).map(|entry| entry.incident)
    }

    /// Takes one that has waited long enough; it counts as told.
    pub fn due(&mut self, now: &Now) -> Option<Event> {
        for entry in &mut self.entries {
            let heard = entry.heard.tick(now).unwrap_or(Tick(i64::MIN));
            if let State::Held(event) = &entry.state
                && now.tick >= heard + HOLD
            {
                let event = (**event).clone();
                entry.state = State::Told(None);
                return Some(event);
            }
        }
        None
    }

    /// Writes it as JSON.
    pub fn to_json(&self) -> String {
        let mut out = Writer::default();
        out.open('[');
        for entry in &self.entries {
            out.open('{').key("instance").text(&entry.instance).key("at");
            entry.at.write(&mut out);
            entry.heard.write(out.key("heard"));
            out.key("incident").text(&entry.incident.to_string());
            match &entry.state {
                State::Held(event) => event.write(out.key("held")),
                State::Told(own) => {
                    out.key("told").flag(true);
                    if let Some(own) = own {
                        out.key("own").text(&own.to_string());
                    }
                }
                State::Own => {}
            }
            out.close('}');
        }
        out.close(']');
        out.into_string()
    }

    /// Reads what [`Pushed::to_json`] wrote.
    pub fn read(text: &str) -> Option<Pushed> {
        let value = json::read(text.as_bytes())?;
        let mut entries = Vec::new();
        for value in value.as_array()?.iter().take(MAX_ENTRIES) {
            entries.push(entry(value)?);
        }
        Some(Pushed { entries })
    }
}

fn entry(value: &Value) -> Option<Entry> {
    let state = match value.get("held") {
        Some(event) => State::Held(Box::new(Event::read(event)?)),
        None if json::flag(value, "told") => State::Told(json::text(value, "own").and_then(Id::parse)),
        None => State::Own,
    };
    Some(Entry {
        instance: json::text(value, "instance")?.to_owned(),
        at: Moment::read(value.get("at")?)?,
        heard: Moment::read(value.get("heard")?)?,
        incident: Id::parse(json::text(value, "incident")?)?,
        state,
    })
}

/// What the instance's own notice means here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Own {
    /// Nobody else has said it.
    News,
    /// It was counted already.
    Known,
    /// An announcement that waits for it need not be told.
    Overtakes,
    /// People were told already.
    Told {
        /// Under this incident.
        incident: Id,
        /// The notice says nothing more; a changed or repeated one does.
        same: bool,
        /// It is the first one.
        first: bool,
    },
}
