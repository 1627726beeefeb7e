//! All probes and pings, with what is known of them and what people were told: pure.
//!
//! A failure is *explained* while the parent of the probe is down: nobody is told. A failure that the probe saw before
//! its parent did waits until the parent was seen to be well after it, at most one interval and timeout of a parent that
//! is a probe, and at most until the deadline of a host. Once the parent is back and the probe is still down, it is
//! judged once more, and told then, with its true start. A parent that is a ping explains, but is not waited for.

mod look;
mod parent;
mod ping;
mod saved;
mod told;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Now, Tick};
use crate::event::{Event, Id, Phase};
use crate::keepalive::carry::MAX_OWN;
pub use crate::probe::book::look::Look;
use crate::probe::book::ping::Ping;
pub use crate::probe::book::ping::Pinged;
pub use crate::probe::book::saved::ids;
use crate::probe::book::told::Told;
use crate::probe::schedule::Schedule;
use crate::probe::watch::Watch;
use crate::probe::{PingRule, ProbePlan, Standing, State};

/// What changed is saved by then, if nothing is told that is saved with it.
const SAVE: Duration = Duration::from_secs(5);
/// The same of the time of a ping that comes often.
const SAVE_PING: Duration = Duration::from_secs(600);
/// Lines for the log that wait.
const MAX_SAID: usize = 64;
/// Failures that a server tells for a host at a time.
const MAX_CARRIED: usize = MAX_OWN;
/// Failures of one probe that are told within [`RESTLESS`]; what comes after waits, whoever can ping.
const MAX_TOLD: usize = 5;
/// See [`MAX_TOLD`].
const RESTLESS: Duration = Duration::from_secs(600);
/// Incidents whose end is due, because their probe is gone from the configuration.
const MAX_DROPPED: usize = 512;

/// What the configuration says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Setting {
    /// This host.
    pub me: String,
    /// `[[probe]]`.
    pub probes: Vec<Arc<ProbePlan>>,
    /// `[[http.ping]]`.
    pub pings: Vec<PingRule>,
    /// A server tells for this host, which takes no more than three failures at a time.
    pub is_carried: bool,
}

/// What is known of hosts, and of silences by command, when somebody looked.
#[derive(Default, Debug)]
pub struct World {
    /// For which probes: those that fell later wait for the next look.
    pub asked: Vec<String>,
    /// As [`Book::asks`] asked for.
    pub hosts: Vec<(String, Above)>,
    /// Names of probes that are silenced.
    pub silenced: Vec<String>,
}

/// What is known of hosts on which a probe depends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Above {
    /// There are some, and none is up.
    pub down: bool,
    /// The last beat of those that are up.
    pub last: Option<Tick>,
    /// When the last of those that are up would count as silent.
    pub deadline: Option<Tick>,
}

#[derive(Clone, Debug)]
enum Source {
    Probe(Arc<ProbePlan>),
    Ping(PingRule),
}

#[derive(Debug)]
struct Item {
    id: u32,
    source: Source,
    watch: Watch,
    /// When a result came last, how long it took, and what it said.
    last: Option<Tick>,
    took: Option<Duration>,
    detail: String,
    /// When the last look began that found it well.
    well: Option<Tick>,
    /// When the last look began, and how long after it was due.
    looked: Tick,
    late: Duration,
    /// When it was judged down.
    fell: Tick,
    /// Its parent is down.
    explained: bool,
    /// Its parent was down, and is waited for no more.
    freed: bool,
    /// Why nobody is told of its failure.
    because: Option<String>,
    /// Its failure is to be told.
    ready: bool,
    told: Option<Told>,
    /// When it was told lately, at most [`MAX_TOLD`] times.
    tells: Vec<Tick>,
    ping: Ping,
}

impl Item {
    fn name(&self) -> &str {
        match &self.source {
            Source::Probe(plan) => &plan.name,
            Source::Ping(ping) => &ping.name,
        }
    }

    fn plan(&self) -> Option<&Arc<ProbePlan>> {
        match &self.source {
            Source::Probe(plan) => Some(plan),
            Source::Ping(_) => None,
        }
    }

    /// Its judgement has changed.
    fn turned(&mut self, now: Tick) {
        self.fell = now;
        (self.explained, self.freed, self.because, self.ready) = (false, false, None, false);
    }

    fn is_untold(&self) -> bool {
        self.watch.state() == State::Down && self.told.is_none()
    }
}

/// All of them.
#[derive(Default, Debug)]
pub struct Book {
    me: String,
    is_carried: bool,
    items: Vec<Item>,
    schedule: Schedule,
    next_id: u32,
    /// Incidents that were told and whose probe is gone.
    dropped: Vec<Id>,
    /// What the last run knew, until the configuration is known.
    left: Vec<saved::Saved>,
    /// By when it is to be saved.
    unsaved: Option<Tick>,
    /// The program ends.
    closed: bool,
    /// Lines for the log.
    said: Vec<String>,
    /// Probes that came up.
    risen: Vec<String>,
    stepped: Option<Tick>,
    /// The last step that came late.
    stalled: Option<Tick>,
}

impl Book {
    /// The configuration has changed: what is in it still keeps what is known of it, what is new begins.
    pub fn define(&mut self, setting: &Setting, now: &Now) {
        self.me.clone_from(&setting.me);
        self.is_carried = setting.is_carried;
        let mut old = std::mem::take(&mut self.items);
        let left = std::mem::take(&mut self.left);
        let sources = setting.probes.iter().cloned().map(Source::Probe);
        for (place, source) in sources.chain(setting.pings.iter().cloned().map(Source::Ping)).enumerate() {
            let item = self.item(source, now.tick);
            let known = old.iter().position(|old| old.name() == item.name());
            let mut item = match known.map(|at| old.swap_remove(at)) {
                Some(known) => self.follow(known, item),
                None => match left.iter().find(|left| left.name == item.name()) {
                    Some(left) => left.restore(item, now),
                    None => item,
                },
            };
            if let (Some(plan), true) = (item.plan().cloned(), item.id == 0) {
                self.next_id += 1;
                item.id = self.next_id;
                self.schedule.add(item.id, u32::try_from(place).unwrap_or(u32::MAX), plan.interval, now.tick);
            }
            self.items.push(item);
        }
        for gone in old {
            self.schedule.remove(gone.id);
            self.drop_told(gone.told);
        }
        for left in left {
            if !self.items.iter().any(|item| item.name() == left.name) {
                self.drop_told(left.told);
            }
        }
        self.save_by(now.tick);
    }

    fn item(&self, source: Source, now: Tick) -> Item {
        Item {
            id: 0,
            source,
            watch: Watch::default(),
            last: None,
            took: None,
            detail: String::new(),
            well: None,
            looked: now,
            late: Duration::ZERO,
            fell: now,
            explained: false,
            freed: false,
            because: None,
            ready: false,
            told: None,
            tells: Vec::new(),
            ping: Ping::default(),
        }
    }

    /// The same probe after a reload. What is looked at in another way is looked at soon.
    fn follow(&mut self, known: Item, new: Item) -> Item {
        let same = match (&known.source, &new.source) {
            (Source::Probe(old), Source::Probe(new)) => old == new,
            _ => false,
        };
        if !same {
            self.schedule.remove(known.id);
        }
        Item { id: if same { known.id } else { 0 }, source: new.source, ..known }
    }

    fn drop_told(&mut self, told: Option<Told>) {
        if let Some(told) = told
            && self.dropped.len() < MAX_DROPPED
        {
            self.dropped.push(told.incident);
        }
    }

    /// Lines for the log: what was judged anew.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Names of those that came up.
    pub fn risen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.risen)
    }

    fn say(&mut self, at: usize) {
        if let Some(item) = self.items.get(at).filter(|item| item.watch.state() == State::Up)
            && !self.risen.iter().any(|name| name == item.name())
        {
            self.risen.push(item.name().to_owned());
        }
        if let Some(item) = self.items.get(at).filter(|_| self.said.len() < MAX_SAID) {
            let colon = if item.detail.is_empty() { "" } else { ": " };
            self.said.push(["probe ", item.name(), " is ", item.watch.state().name(), colon, &item.detail].concat());
        }
    }

    fn save_by(&mut self, by: Tick) {
        self.unsaved = Some(self.unsaved.map_or(by, |known| known.min(by)));
    }

    /// Has `post` tell what is due, each with the state after it as JSON; gives what it took, which has a number then.
    /// What it does not take stays due.
    pub fn tell(&mut self, now: &Now, post: &mut dyn FnMut(Option<Event>, String) -> Option<u64>) -> Vec<Event> {
        let mut events = Vec::new();
        for at in 0..self.items.len() {
            let Some((event, after)) = self.items.get(at).and_then(|item| told::due(item, &self.me, now)) else {
                continue;
            };
            let Some(item) = self.items.get_mut(at) else { continue };
            let before = std::mem::replace(&mut item.told, after);
            let Some(number) = post(Some(event.clone()), self.json(now)) else {
                self.items[at].told = before;
                return events;
            };
            if event.kind.phase() == Phase::Begin {
                self.items[at].tells.push(now.tick);
            }
            self.posted(number);
            events.push(event);
        }
        while let Some(incident) = self.dropped.pop() {
            let event = told::dropped(incident, &self.me, now);
            let Some(number) = post(Some(event.clone()), self.json(now)) else {
                self.dropped.push(incident);
                return events;
            };
            self.posted(number);
            events.push(event);
        }
        if self.unsaved.is_some_and(|by| by <= now.tick)
            && let Some(number) = post(None, self.json(now))
        {
            self.posted(number);
        }
        events
    }

    fn posted(&mut self, number: u64) {
        self.unsaved = None;
        self.passed_on(number);
    }

    /// Saves now what would be saved later, and takes no more pings.
    pub fn close(&mut self, now: &Now) {
        self.closed = true;
        if self.unsaved.is_some() {
            self.unsaved = Some(now.tick);
        }
    }

    /// The beginnings that were told and have not ended.
    pub fn standing(&self) -> Vec<Event> {
        self.items.iter().filter_map(|item| Some(told::down(item, item.told.as_ref()?, &self.me))).collect()
    }

    /// Where all stand, in the order of the configuration.
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |item: &Item| {
            let (kind, target) = match &item.source {
                Source::Probe(plan) => (plan.what.kind(), plan.what.target()),
                Source::Ping(_) => ("ping", String::new()),
            };
            Standing {
                name: item.name().to_owned(),
                kind,
                target,
                state: item.watch.state(),
                since: item.watch.since(),
                last: item.last,
                took: item.took,
                detail: item.detail.clone(),
                because: item.because.clone(),
            }
        };
        self.items.iter().map(standing).collect()
    }
}

#[cfg(test)]
mod tests;
