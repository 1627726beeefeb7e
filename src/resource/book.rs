//! All judgements, of this machine and of the hosts of a server, and what is to be told of them: pure.
//!
//! Of a host only what is high, or may become so, is kept: what is enough stands in its readings.

use std::time::Duration;

use serde_json::Value;

use super::rules::{Limit, Watch};
use super::what::What;
use super::{ResourcePlan, Standing, State};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};

/// Judgements that are kept.
const MAX_ENTRIES: usize = 4096;
/// Incidents that stand at a time: all of them are saved with each. What comes beyond that is told once others end.
pub const MAX_OPEN: usize = 128;

/// What was told and has not ended.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Open {
    incident: Id,
    /// Of whom.
    subject: Box<str>,
    /// When it was told.
    told: Moment,
    /// Since when it was high.
    since: Moment,
    /// What was told: value and limit.
    value: i64,
    limit: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    /// The host; `None` for this machine, whatever it is called.
    host: Option<Box<str>>,
    what: What,
    /// The folder of a file system.
    place: Box<str>,
    watch: Watch,
    open: Option<Open>,
    value: Option<i64>,
    limit: i64,
    /// The last look that found it asked for, and the last at which it was held back.
    asked: u32,
    held: u32,
}

/// Whose readings, and how often they come.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The host; `None` for this machine.
    pub host: Option<&'a str>,
    /// See [`Watch::observe`].
    pub patience: Duration,
}

/// Something to tell, and what the state says then.
#[derive(Debug)]
pub struct Due {
    /// What.
    pub event: Event,
    /// It is of this machine.
    pub own: bool,
    /// The state after it, as JSON.
    pub json: String,
    at: usize,
    open: Option<Open>,
}

/// The judgements, sorted by host; those of this machine first.
#[derive(Default, Debug)]
pub struct Book {
    entries: Vec<Entry>,
    look: u32,
}

impl Book {
    /// What an earlier run saved; what is damaged in it is left out.
    pub fn restore(saved: &str, now: &Now) -> Book {
        let mut book = Book::default();
        let Some(saved) = json::read(saved.as_bytes()) else { return book };
        for value in json::list(&saved, "open").iter().take(MAX_OPEN) {
            if let Some(entry) = read(value, now) {
                let at = book.end(entry.host.as_deref());
                book.entries.insert(at, entry);
            }
        }
        book
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A look begins: what it does not ask for is over at its end.
    pub fn begin(&mut self) {
        self.look = self.look.wrapping_add(1);
    }

    /// Takes in what was read at `at`; `None` if it could not be.
    pub fn observe(&mut self, source: Source<'_>, what: What, place: &str, read: (Option<i64>, Tick), limit: &Limit) {
        let (value, at) = read;
        let (range, own) = (self.range(source.host), source.host.is_none());
        let same = |entry: &Entry| entry.what == what && (!own || *entry.place == *place);
        let known = self.entries[range.clone()].iter().position(same).map(|at| range.start + at);
        // What this machine never had it cannot run short of.
        let begins = value.is_some_and(|value| own || value >= limit.high);
        let number = match known {
            Some(number) => number,
            None if begins && self.entries.len() < MAX_ENTRIES => {
                self.entries.insert(range.end, Entry::new(source.host, (what, place), value, limit));
                range.end
            }
            None => return,
        };
        let entry = &mut self.entries[number];
        if value.is_none() && entry.open.is_none() && entry.watch.began().is_none() {
            // It never was anything but missing.
            return;
        }
        (entry.asked, entry.limit, entry.value) = (self.look, limit.high, value);
        if entry.watch.is_calm() && *entry.place != *place {
            entry.place = place.into();
        }
        match value {
            Some(value) => entry.watch.observe(value, at, source.patience, limit),
            None => entry.watch.lose(),
        }
    }

    /// What is named and cannot be had of this machine stands as unknown: it may be a slip of the pen.
    pub fn show(&mut self, what: What, place: &str, limit: &Limit) {
        let range = self.range(None);
        let same = |entry: &Entry| entry.what == what && *entry.place == *place;
        let number = range.start + self.entries[range.clone()].iter().position(same).unwrap_or(range.len());
        if number == range.end {
            self.entries.insert(number, Entry::new(None, (what, place), None, limit));
        }
        self.entries[number].asked = self.look;
    }

    /// The host is there, and nothing is known of it: what was told stands.
    pub fn lose(&mut self, host: &str, plan: &ResourcePlan) {
        for at in self.range(Some(host)) {
            let entry = &mut self.entries[at];
            if plan.limit(entry.what).is_some() {
                entry.watch.lose();
                (entry.asked, entry.value) = (self.look, None);
            }
        }
    }

    /// Whether anything is known of the host.
    pub fn knows(&self, host: &str) -> bool {
        !self.range(Some(host)).is_empty()
    }

    /// The look is over: forgets what there is nothing to say of.
    pub fn sweep(&mut self) {
        let look = self.look;
        self.entries.retain(|entry| {
            let asked = entry.asked == look;
            entry.open.is_some() || (asked && (entry.host.is_none() || !entry.watch.is_calm()))
        });
    }

    /// The next thing to tell after [`Book::sweep`]. A beginning that is held back ([`Book::hold`]) waits for the next
    /// look. `me` is the name of this host.
    pub fn due(&self, me: &str, now: &Now) -> Option<Due> {
        let room = self.entries.iter().filter(|entry| entry.open.is_some()).count() < MAX_OPEN;
        let is_due = |entry: &Entry| match &entry.open {
            Some(_) => entry.asked != self.look || entry.watch.state() == State::Normal,
            None => room && entry.held != self.look && entry.watch.state() == State::High,
        };
        let at = self.entries.iter().position(is_due)?;
        let entry = &self.entries[at];
        let (event, open) = match &entry.open {
            Some(open) => (entry.end(open, entry.asked == self.look, now), None),
            None => {
                let open = entry.open(me, now);
                (entry.high(&open), Some(open))
            }
        };
        // Whose they are says who found it.
        let found = entry.host.is_some() && event.kind != Kind::NoticeDropped;
        let event = if found { event.with_text(Field::Server, me) } else { event };
        let json = self.write(at, open.as_ref(), now);
        Some(Due { event, own: entry.host.is_none(), json, at, open })
    }

    /// It was told and is saved.
    pub fn commit(&mut self, due: Due) -> Event {
        if let Some(entry) = self.entries.get_mut(due.at) {
            entry.open = due.open;
            if entry.open.is_none() && entry.asked != self.look {
                self.entries.remove(due.at);
            }
        }
        due.event
    }

    /// It is not to be told at present.
    pub fn hold(&mut self, due: &Due) {
        if let Some(entry) = self.entries.get_mut(due.at) {
            entry.held = self.look;
        }
    }

    /// The beginnings of this machine that stand, with the ids that they were told with.
    pub fn begun(&self) -> Vec<Event> {
        let own = &self.entries[self.range(None)];
        own.iter().filter_map(|entry| Some(entry.high(entry.open.as_ref()?))).collect()
    }

    /// All resources of this machine, called `me`, and those of hosts that are high or were when they fell silent.
    pub fn standings(&self, me: &str) -> Vec<Standing> {
        let mut standings = Vec::new();
        for entry in &self.entries {
            let state = entry.watch.state();
            let high = entry.open.is_some() || state == State::High;
            if entry.host.is_some() && !high {
                continue;
            }
            let value = entry.value.filter(|_| state != State::Unknown);
            standings.push(Standing {
                host: entry.host.as_deref().unwrap_or(me).to_owned(),
                resource: entry.what.name(&entry.place),
                value: value.map(|value| entry.what.show(value)).unwrap_or_default(),
                limit: entry.what.show(entry.limit),
                state,
                since: entry.watch.since(),
            });
        }
        standings
    }

    /// The places of a host's entries.
    fn range(&self, host: Option<&str>) -> std::ops::Range<usize> {
        let start = self.entries.partition_point(|entry| entry.host.as_deref() < host);
        start..self.end(host)
    }

    fn end(&self, host: Option<&str>) -> usize {
        self.entries.partition_point(|entry| entry.host.as_deref() <= host)
    }

    /// The state once the entry at `changed` stands as `open` says.
    fn write(&self, changed: usize, open: Option<&Open>, now: &Now) -> String {
        let mut out = Writer::default();
        out.open('{').key("open").open('[');
        for (at, entry) in self.entries.iter().enumerate() {
            let open = if at == changed { open } else { entry.open.as_ref() };
            let Some(open) = open else { continue };
            out.open('{').key("what").text(entry.what.row().key);
            if let Some(host) = &entry.host {
                out.key("host").text(host);
            } else {
                out.key("me").text(&open.subject);
            }
            if !entry.place.is_empty() {
                out.key("at").text(&entry.place);
            }
            out.key("id").text(&open.incident.to_string());
            open.told.refreshed(now).write(out.key("told"));
            open.since.refreshed(now).write(out.key("since"));
            out.key("value").int(open.value).key("limit").int(open.limit).close('}');
        }
        out.close(']').close('}');
        out.into_string()
    }
}

/// The ids of the beginnings that stand in a saved state.
pub fn begun(saved: &str, now: &Now) -> Vec<Id> {
    Book::restore(saved, now).begun().iter().map(|event| event.id).collect()
}

fn read(value: &Value, now: &Now) -> Option<Entry> {
    let host = json::text(value, "host");
    let (told, since) = (Moment::read(value.get("told")?)?, Moment::read(value.get("since")?)?);
    let open = Open {
        incident: Id::parse(json::text(value, "id")?)?,
        subject: host.or(json::text(value, "me"))?.into(),
        told,
        since,
        value: json::int(value, "value")?,
        limit: json::int(value, "limit")?,
    };
    Some(Entry {
        host: host.map(Into::into),
        what: What::parse(json::text(value, "what")?)?,
        place: json::text(value, "at").unwrap_or_default().into(),
        watch: Watch::restored(since.tick(now).unwrap_or(now.tick).min(now.tick)),
        value: None,
        limit: open.limit,
        open: Some(open),
        asked: 0,
        held: 0,
    })
}

impl Entry {
    fn new(host: Option<&str>, (what, place): (What, &str), value: Option<i64>, limit: &Limit) -> Entry {
        let (host, place) = (host.map(Into::into), place.into());
        Entry { host, what, place, watch: Watch::default(), open: None, value, limit: limit.high, asked: 0, held: 0 }
    }

    fn open(&self, me: &str, now: &Now) -> Open {
        let since = Moment::at(self.watch.began().unwrap_or(now.tick), now);
        let subject = self.host.as_deref().unwrap_or(me);
        Open {
            incident: Id::of(&[
                b"resource",
                me.as_bytes(),
                subject.as_bytes(),
                self.what.row().key.as_bytes(),
                self.place.as_bytes(),
                &since.boot.0.to_be_bytes(),
                &since.tick.0.to_be_bytes(),
            ]),
            subject: subject.into(),
            told: Moment::at(now.tick, now),
            since,
            value: self.value.unwrap_or_default(),
            limit: self.limit,
        }
    }

    fn about(&self, kind: Kind, open: &Open, value: Option<i64>, at: Moment) -> Event {
        let value = value.map(|value| self.what.show(value)).unwrap_or_default();
        Event::new(kind, open.incident, &*open.subject, at)
            .with_text(Field::Resource, self.what.name(&self.place))
            .with_text(Field::Value, value)
    }

    fn high(&self, open: &Open) -> Event {
        self.about(Kind::ResourceHigh, open, Some(open.value), open.told)
            .with_text(Field::Limit, self.what.show(open.limit))
            .with(Field::Since, Fact::Time(open.since))
    }

    /// Its end; of what is not asked for any more the end that nobody is told.
    fn end(&self, open: &Open, asked: bool, now: &Now) -> Event {
        let at = Moment::at(now.tick, now);
        if !asked {
            return Event::new(Kind::NoticeDropped, open.incident, &*open.subject, at);
        }
        let since = open.since.tick(now).unwrap_or(now.tick);
        let until = self.watch.began().unwrap_or(now.tick);
        self.about(Kind::ResourceNormal, open, self.value, at)
            .with_text(Field::Limit, self.what.show(self.limit))
            .with(Field::Duration, Fact::Span(until.since(since)))
    }
}

/// A plan's limits on `values`, for each resource that has one and is not kept by disk.
pub fn limited<'a>(
    plan: &'a ResourcePlan,
    values: &super::what::Values,
) -> impl Iterator<Item = (What, &'a Limit, Option<i64>)> {
    let all = What::ALL.into_iter().zip(*values);
    all.filter_map(|(what, value)| Some((what, plan.limit(what)?, value)))
}

#[cfg(test)]
mod tests;
