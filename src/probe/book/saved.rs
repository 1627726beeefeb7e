//! The book on disk.

use serde_json::Value;

use super::told::Told;
use super::{Book, Item};
use crate::clock::{Now, Tick};
use crate::event::{Event, Id, Kind, Moment};
use crate::json::{self, Writer};
use crate::probe::State;
use crate::probe::watch::Watch;

/// Probes that are read from a file: more than a configuration can have, pings included.
const MAX_SAVED: usize = 512;

/// What the last run knew of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Saved {
    pub name: String,
    pub told: Option<Told>,
    state: State,
    since: Moment,
    worked: bool,
    detail: String,
    good: Option<Moment>,
    begun: Option<Moment>,
}

impl Book {
    /// A book that knows what the last run knew.
    pub fn read(value: &Value) -> Book {
        let mut book = Book::default();
        for saved in json::list(value, "probes").iter().take(MAX_SAVED) {
            book.left.extend(Saved::read(saved));
        }
        book
    }

    /// The state, as JSON.
    pub(super) fn json(&self, now: &Now) -> String {
        let mut out = Writer::default();
        out.open('{').key("probes").open('[');
        for item in &self.items {
            item.write(&mut out, now);
        }
        out.close(']').close('}');
        out.into_string()
    }
}

/// Ids of the beginnings that `state` says were told and have not ended.
pub fn ids(state: &Value) -> Vec<Id> {
    let mut ids = Vec::new();
    for saved in json::list(state, "probes").iter().filter_map(Saved::read) {
        ids.extend(saved.told.map(|told| Event::new(Kind::ProbeDown, told.incident, "", told.at).id));
    }
    ids
}

impl Item {
    fn write(&self, out: &mut Writer, now: &Now) {
        let moment = |out: &mut Writer, key: &str, tick: Option<Tick>| {
            if let Some(tick) = tick {
                Moment::at(tick, now).write(out.key(key));
            }
        };
        if self.watch.state() == State::Unknown && self.ping.begun.is_none() {
            return;
        }
        out.open('{').key("name").text(self.name()).key("state").text(self.watch.state().name());
        moment(out, "since", self.watch.since().or(self.ping.begun));
        out.key("worked").flag(self.watch.worked());
        if self.watch.state() == State::Down {
            out.key("detail").text(&self.detail);
        }
        moment(out, "good", self.ping.good);
        moment(out, "begun", self.ping.begun);
        if let Some(told) = &self.told {
            out.key("told").open('{').key("incident").text(&told.incident.to_string());
            told.at.refreshed(now).write(out.key("at"));
            told.since.refreshed(now).write(out.key("since"));
            out.key("reason").text(&told.reason).close('}');
        }
        out.close('}');
    }
}

impl Saved {
    fn read(value: &Value) -> Option<Saved> {
        let moment = |key| value.get(key).and_then(Moment::read);
        let state = json::text(value, "state")?;
        Some(Saved {
            name: json::text(value, "name")?.to_owned(),
            told: value.get("told").and_then(|told| {
                Some(Told {
                    incident: Id::parse(json::text(told, "incident")?)?,
                    at: told.get("at").and_then(Moment::read)?,
                    since: told.get("since").and_then(Moment::read)?,
                    reason: json::text(told, "reason")?.to_owned(),
                })
            }),
            state: [State::Unknown, State::Up, State::Down].into_iter().find(|known| known.name() == state)?,
            since: moment("since")?,
            worked: json::flag(value, "worked"),
            detail: json::text(value, "detail").unwrap_or_default().to_owned(),
            good: moment("good"),
            begun: moment("begun"),
        })
    }

    /// `item` with what is known of it.
    pub(super) fn restore(&self, mut item: Item, now: &Now) -> Item {
        // What no clock can place happened now at the latest.
        let tick = |moment: &Moment| moment.tick(now).unwrap_or(now.tick).min(now.tick);
        if self.state != State::Unknown {
            item.watch = Watch::restored(self.state, tick(&self.since), self.worked);
        }
        item.ping.good = self.good.as_ref().map(tick);
        item.ping.begun = self.begun.as_ref().map(tick);
        item.listen_again(now.tick);
        item.told.clone_from(&self.told);
        item.detail.clone_from(&self.detail);
        if self.told.is_none() && self.state == State::Down && item.plan().is_some() {
            // Whatever explained it may have ended meanwhile.
            item.watch.judge_anew();
        }
        item
    }
}
