//! What is remembered of a channel over restarts, and what `status` says of the desk.

use serde_json::Value;

use crate::alert::retry::ChannelState;
use crate::clock::Tick;
use crate::event::{Id, Moment};
use crate::json::{self, Writer};

/// What is remembered of a channel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// When it first answered.
    pub first_answer: Option<Moment>,
    /// It waits for a person.
    pub parked: Option<Parked>,
}

impl Standing {
    /// Writes it, with the name of its channel.
    pub fn write(&self, name: &str, out: &mut Writer) {
        out.open('{').key("name").text(name);
        if let Some(first) = &self.first_answer {
            first.write(out.key("first_answer"));
        }
        if let Some(Parked { why, incident, since }) = &self.parked {
            since.write(out.key("why").text(why).key("incident").uint(incident.0).key("since"));
        }
        out.close('}');
    }

    /// Reads what [`Standing::write`] wrote.
    pub fn read(value: &Value) -> Option<(String, Standing)> {
        let mut standing = Standing::default();
        if let Some(first) = value.get("first_answer") {
            standing.first_answer = Some(Moment::read(first)?);
        }
        if let Some(why) = json::text(value, "why") {
            let since = Moment::read(value.get("since")?)?;
            standing.parked = Some(Parked { why: why.to_owned(), incident: Id(json::uint(value, "incident")?), since });
        }
        Some((json::text(value, "name")?.to_owned(), standing))
    }
}

/// Why a channel waits for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parked {
    /// What is to be mended.
    pub why: String,
    /// The incident of its `channel.broken`.
    pub incident: Id,
    /// Since when.
    pub since: Moment,
}

/// What `status` says of a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// Events it is still to be told of.
    pub queued: usize,
    /// How it is doing.
    pub state: ChannelState,
    /// How many of them quiet hours hold back, and until when.
    pub held: Option<(usize, Tick)>,
    /// When it last took a message in this run.
    pub last_delivered: Option<Moment>,
    /// Events it was not told of in this run: given up or dropped.
    pub lost: u32,
}

/// What `status` says of the desk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeskStatus {
    /// In the order of the configuration.
    pub channels: Vec<ChannelStatus>,
    /// Events in the outbox.
    pub events: usize,
    /// Events that are in memory only.
    pub unsaved: usize,
    /// Why the state directory cannot be written to, and since when.
    pub unwritable: Option<(String, Moment)>,
}
