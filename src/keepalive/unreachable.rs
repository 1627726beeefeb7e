//! When a host says that a heartbeat server does not answer it, or that somebody else answers in its place: pure.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};

/// So many failures, and
const FAILURES: u32 = 3;
/// so long without an answer, and
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// up to so much more, so that not all hosts of a dead server speak at once.
const LUCK: Duration = Duration::from_secs(5 * 60);
/// Two attempts are never farther apart while the machine runs. What lies beyond was a suspend, in which nobody asked.
const LONGEST_GAP: Duration = Duration::from_secs(90);
/// For so long a forgery is not told again.
const FORGED: Duration = Duration::from_secs(24 * 3600);
/// Things told that are remembered; the oldest goes.
const MAX_TOLD: usize = 64;

/// The silence of one server.
#[derive(Default, Debug)]
pub struct Outage {
    /// When the last answered beat was sent.
    last: Option<Tick>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Tick,
    latest: Tick,
    /// Time in which it was tried in vain.
    tried: Duration,
    failures: u32,
    patience: Duration,
}

impl Outage {
    /// A beat sent at `sent` was answered.
    pub fn answered(&mut self, sent: Tick) {
        *self = Outage { last: Some(sent), failing: None };
    }

    /// A beat begun at `begun` has failed by now. `luck` is a random byte; the first of an outage counts. Gives when
    /// the outage began if it is to be told, from then on at every failure.
    pub fn failed(&mut self, begun: Tick, now: Tick, luck: u8) -> Option<Tick> {
        let patience = SILENCE + LUCK * u32::from(luck) / 255;
        let new = Failing { since: begun, latest: begun, tried: Duration::ZERO, failures: 0, patience };
        let failing = self.failing.get_or_insert(new);
        failing.tried += now.since(failing.latest).min(LONGEST_GAP);
        failing.latest = now;
        failing.failures = failing.failures.saturating_add(1);
        (failing.failures >= FAILURES && failing.tried >= failing.patience).then_some(failing.since)
    }

    /// When the last answered beat was sent.
    pub fn last(&self) -> Option<Tick> {
        self.last
    }
}

/// What is told of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// It does not answer.
    Unreachable,
    /// Who answers lacks the key.
    NoKey,
    /// Who answers has another name.
    Renamed,
}

impl Told {
    const ALL: [Told; 3] = [Told::Unreachable, Told::NoKey, Told::Renamed];

    fn name(self) -> &'static str {
        match self {
            Told::Unreachable => "unreachable",
            Told::NoKey => "no-key",
            Told::Renamed => "renamed",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    /// The server's URI without its key.
    label: String,
    what: Told,
    incident: Id,
    /// Of an outage its beginning, of a forgery when it was told.
    since: Moment,
}

/// What was told of servers, kept across restarts.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Book(Vec<Entry>);

/// Something to tell, and the book that says it was told.
pub struct Due {
    /// What to tell.
    pub event: Event,
    /// The book once it is told.
    pub book: Book,
}

impl Book {
    /// The outage of `label`, of which `outage` says that it is to be told since it began at `began`; `None` if it was
    /// told.
    pub fn unreachable(
        &self,
        me: &str,
        label: &str,
        began: Tick,
        last: Option<Tick>,
        why: &str,
        now: &Now,
    ) -> Option<Due> {
        if self.find(label, Told::Unreachable).is_some() {
            return None;
        }
        let incident = incident(b"monitor", me, label, Told::Unreachable, began, now);
        let mut event = Event::new(Kind::MonitorUnreachable, incident, me, Moment::at(now.tick, now))
            .with_text(Field::Monitor, label)
            .with_text(Field::Reason, why);
        if let Some(last) = last {
            event = event.with(Field::Since, Fact::Time(Moment::at(last, now)));
        }
        let since = Moment::at(last.unwrap_or(began), now);
        Some(self.with(Entry { label: label.to_owned(), what: Told::Unreachable, incident, since }, event))
    }

    /// The end of an outage that was told, now that `label` answers.
    pub fn reachable(&self, me: &str, label: &str, now: &Now) -> Option<Due> {
        let at = self.find(label, Told::Unreachable)?;
        let mut book = self.clone();
        let told = book.0.remove(at);
        let mut event = Event::new(Kind::MonitorReachable, told.incident, me, Moment::at(now.tick, now))
            .with_text(Field::Monitor, label);
        if let Some(since) = told.since.tick(now) {
            event = event.with(Field::Duration, Fact::Span(now.tick.since(since)));
        }
        Some(Due { event: event.with(Field::Since, Fact::Time(told.since)), book })
    }

    /// The end of an outage that was told of a server to which nobody beats any more: only `labels` are left.
    pub fn gone(&self, me: &str, labels: &[String], now: &Now) -> Option<Due> {
        let gone = |entry: &Entry| entry.what == Told::Unreachable && !labels.contains(&entry.label);
        let label = self.0.iter().find(|entry| gone(entry))?.label.clone();
        let mut due = self.reachable(me, &label, now)?;
        due.event.kind = Kind::Forgotten;
        due.event = due.event.with_text(Field::Reason, "it is no longer in the configuration");
        Some(due)
    }

    /// Somebody at `address` answers in place of `label`; `None` if that was told lately.
    pub fn forged(&self, me: &str, label: &str, what: Told, address: SocketAddr, why: &str, now: &Now) -> Option<Due> {
        let mut book = self.clone();
        if let Some(at) = book.find(label, what) {
            let told = book.0.remove(at).since.tick(now);
            if told.is_some_and(|told| now.tick.since(told) < FORGED) {
                return None;
            }
        }
        let incident = incident(b"forged", me, label, what, now.tick, now);
        let since = Moment::at(now.tick, now);
        let event = Event::new(Kind::MonitorForged, incident, me, since)
            .with_text(Field::Monitor, label)
            .with_text(Field::Address, address.ip().to_canonical().to_string())
            .with_text(Field::Reason, why);
        Some(book.with(Entry { label: label.to_owned(), what, incident, since }, event))
    }

    fn find(&self, label: &str, what: Told) -> Option<usize> {
        self.0.iter().position(|entry| entry.what == what && entry.label == label)
    }

    fn with(&self, entry: Entry, event: Event) -> Due {
        let mut book = self.clone();
        if book.0.len() >= MAX_TOLD {
            book.0.remove(0);
        }
        book.0.push(entry);
        Due { event, book }
    }
}

fn incident(word: &[u8], me: &str, label: &str, what: Told, at: Tick, now: &Now) -> Id {
    let (boot, tick) = (now.boot.0.to_be_bytes(), at.0.to_be_bytes());
    Id::of(&[word, me.as_bytes(), label.as_bytes(), what.name().as_bytes(), &boot, &tick])
}

/// As state; see [`crate::json`].
impl Book {
    /// Writes it.
    pub fn to_json(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("told").open('[');
        for entry in &self.0 {
            out.open('{').key("monitor").text(&entry.label).key("what").text(entry.what.name());
            entry.since.write(out.key("incident").text(&entry.incident.to_string()).key("since"));
            out.close('}');
        }
        out.close(']').close('}');
        out.into_string()
    }

    /// Reads what [`Book::to_json`] wrote; what cannot be read was not told.
    pub fn read(saved: &str) -> Book {
        let entry = |value: &Value| {
            let what = json::text(value, "what")?;
            Some(Entry {
                label: json::text(value, "monitor")?.to_owned(),
                what: Told::ALL.into_iter().find(|told| told.name() == what)?,
                incident: Id::parse(json::text(value, "incident")?)?,
                since: Moment::read(value.get("since")?)?,
            })
        };
        let value = json::read(saved.as_bytes()).unwrap_or_default();
        let mut book = Book::default();
        for value in json::list(&value, "told") {
            if book.0.len() < MAX_TOLD
                && let Some(entry) = entry(value)
            {
                book.0.push(entry);
            }
        }
        book
    }
}

#[cfg(test)]
mod tests;
