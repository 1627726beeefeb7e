//! What one channel still has to tell: which message goes next, when, and what an attempt's verdict means for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::alert::hours::Hours;
use crate::alert::limit::Bucket;
use crate::alert::retry::{self, Jitter, Pace};
use crate::alert::{Form, Message, Verdict};
use crate::clock::{Now, Tick};
use crate::event::{Event, Id, Moment};

use unit::{Entry, Head};

/// Incidents in a digest; what is beyond goes into the next one.
pub const MAX_MEMBERS: usize = 100;
/// Events in a digest, as many as its JSON lists: beginnings with their ends.
pub const MAX_EVENTS: usize = 2 * MAX_MEMBERS;
/// Starts at which an event was found in flight, from which on it goes out in the barest words.
pub const MINIMAL_AFTER: u8 = 2;
/// How long an interrupt without a deadline is urgent.
const URGENT_WITHOUT_DEADLINE: Duration = Duration::from_secs(600);

/// An event on its way to one channel.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its place in the order of all changes.
    pub seq: u64,
    /// What to tell.
    pub event: Arc<Event>,
    /// Since when it waits.
    pub queued: Moment,
    /// At how many starts in a row it was found in flight.
    pub starts: u8,
    /// It passes quiet hours.
    pub pressing: bool,
    /// Quiet hours held it back at another sender.
    pub held: bool,
    /// The digest it was frozen into, in this run or before a restart.
    pub group: Option<Id>,
    /// Set by the desk when it must not be told any more.
    pub revoked: Arc<AtomicBool>,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Make this attempt.
    Attempt(Attempt),
    /// Ask again then.
    Wait(Tick),
    /// Nothing is left to tell.
    Idle,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What to send.
    pub message: Message,
    /// The members' places in the order of all changes.
    pub seqs: Vec<u64>,
    /// It is the first attempt after a start: the in-flight mark comes before it.
    pub mark: bool,
    /// The digest's id, to be remembered.
    pub group: Option<Id>,
}

/// What an attempt means for its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// They are told.
    Delivered,
    /// They never will be; the reason.
    GaveUp(String),
    /// They are tried again.
    Kept,
    /// They are tried again, and belong together no more than before.
    Unfolded,
}

/// Everything one channel still has to tell.
#[derive(Debug)]
pub struct Backlog {
    /// In the order of their numbers.
    entries: Vec<Entry>,
    pace: Pace,
    bucket: Bucket,
    jitter: Jitter,
    hours: Option<Hours>,
    /// The end of the quiet hours that it is in.
    quiet: Option<Tick>,
    /// The program is ending: nobody waits for company any more.
    closing: bool,
    /// The service keeps each incident by itself: every event goes alone.
    apart: bool,
}

impl Backlog {
    /// An empty one.
    pub fn new(pace: Pace, bucket: Bucket, jitter: Jitter, hours: Option<Hours>) -> Backlog {
        Backlog { entries: Vec::new(), pace, bucket, jitter, hours, quiet: None, closing: false, apart: false }
    }

    /// The same for a service that takes one event at a time, if `apart`.
    pub fn apart(self, apart: bool) -> Backlog {
        Backlog { apart, ..self }
    }

    /// How the channel is doing.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Takes in an event.
    pub fn push(&mut self, mut offer: Offer, now: &Now) {
        let queued = offer.queued.tick(now).unwrap_or(now.tick).min(now.tick);
        let (seq, incident) = (offer.seq, offer.event.incident);
        let came = now.tick;
        // Nobody knows what became of an attempt of the last run, or of a sender that is gone.
        let sent = offer.group.is_some();
        if self.apart {
            offer.group = None;
        }
        let entry = Entry {
            incident,
            queued,
            since: queued,
            came,
            due: came,
            tries: 0,
            passed: 0,
            alone: self.apart,
            marked: false,
            sent,
            waits: false,
            held: offer.held,
            offer,
        };
        match self.place(seq) {
            Ok(place) => self.entries[place] = entry,
            Err(place) => self.entries.insert(place, entry),
        }
        self.held_before(seq, now);
    }

    fn place(&self, seq: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&seq, |entry| entry.offer.seq)
    }

    fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(self.place(seq).ok()?)
    }

    fn each(&mut self, seqs: &[u64], change: &mut dyn FnMut(&mut Entry)) {
        for seq in seqs {
            if let Ok(place) = self.place(*seq) {
                change(&mut self.entries[place]);
            }
        }
    }

    /// What is to be done now. An attempt must be followed by its [`Backlog::verdict`].
    pub fn next(&mut self, now: &Now) -> Next {
        self.entries.retain(|entry| !entry.offer.revoked.load(Ordering::Relaxed));
        self.hold(now);
        let mut ready = self.heads(now);
        let mut later: Option<Tick> = None;
        ready.retain(|head| {
            let waits = head.at > now.tick;
            if waits && later.is_none_or(|later| head.at < later) {
                later = Some(head.at);
            }
            !waits
        });
        let Some(first) = self.choose(&ready) else {
            return later.map_or(Next::Idle, Next::Wait);
        };
        let free = self.bucket.available(now.tick, first.urgent);
        if free == 0 {
            let token = self.bucket.ready_at(now.tick, first.urgent);
            return Next::Wait(later.map_or(token, |later| later.min(token)));
        }
        self.bucket.take(now.tick);
        Next::Attempt(self.attempt(first, &ready, free == 1))
    }

    fn choose<'a>(&self, ready: &'a [Head]) -> Option<&'a Head> {
        if let Some(urgent) = ready.iter().find(|head| head.urgent) {
            return Some(urgent);
        }
        // What scripts say lets go first what happens.
        let first = ready.iter().find(|head| !head.said).or(ready.first())?;
        if self.pace.try_another() && first.tries >= retry::SUSPECT_AFTER {
            return ready.iter().min_by_key(|head| head.tries);
        }
        Some(first)
    }

    fn attempt(&mut self, first: &Head, ready: &[Head], last_token: bool) -> Attempt {
        let mut seqs = self.unit(first.seq);
        let mut group = self.get(first.seq).and_then(|entry| entry.offer.group);
        if first.joinable && (last_token || first.group.is_some() || first.held) {
            let folded = self.fold(first, ready, last_token);
            if folded.len() > seqs.len() {
                seqs = folded;
                group = Some(self.digest_id(&seqs));
            }
        }
        let minimal = self.members(&seqs).all(Entry::is_minimal);
        let members: Vec<Arc<Event>> = self.members(&seqs).map(|entry| Arc::clone(&entry.offer.event)).collect();
        let last_id = members.last().map(|event| event.id).unwrap_or_default();
        let (form, id) = match group {
            Some(group) => (Form::Digest, group),
            None if minimal => (Form::Minimal, last_id),
            None if members.len() > 1 => (Form::Over, last_id),
            None => (Form::One, last_id),
        };
        let mark = self.members(&seqs).any(|entry| !entry.marked || entry.offer.group != group);
        self.each(&seqs, &mut |entry| {
            entry.marked = true;
            entry.offer.group = group;
        });
        Attempt { message: Message { id, form, members }, seqs, mark, group }
    }

    fn digest_id(&self, seqs: &[u64]) -> Id {
        let mut ids = Vec::with_capacity(8 * seqs.len());
        for entry in self.members(seqs) {
            ids.extend_from_slice(&entry.offer.event.id.0.to_be_bytes());
        }
        Id::of(&[&ids])
    }

    fn members<'a>(&'a self, seqs: &'a [u64]) -> impl Iterator<Item = &'a Entry> {
        seqs.iter().filter_map(|seq| self.get(*seq))
    }

    /// Takes in what became of `attempt`.
    pub fn verdict(&mut self, attempt: &Attempt, verdict: &Verdict, now: &Now) -> Fate {
        match verdict {
            Verdict::Delivered => {
                self.pace.took(now.tick);
                self.remove(&attempt.seqs);
                Fate::Delivered
            }
            Verdict::GiveUp(why) => {
                self.pace.refused_one(now.tick);
                if attempt.seqs.len() == 1 {
                    self.remove(&attempt.seqs);
                    return Fate::GaveUp(why.clone());
                }
                self.each(&attempt.seqs, &mut |entry| {
                    entry.alone = true;
                    entry.offer.group = None;
                    entry.due = now.tick;
                });
                Fate::Unfolded
            }
            Verdict::Broken(why) => {
                self.failed(attempt, now.tick);
                self.pace.park(now.tick, why);
                self.each(&attempt.seqs, &mut |entry| entry.sent = true);
                Fate::Kept
            }
            Verdict::Retry { why, after, channel, answered, sent } => {
                self.again(attempt, why, *after, *channel, *answered, now);
                if *sent {
                    self.each(&attempt.seqs, &mut |entry| entry.sent = true);
                }
                self.thaw(attempt)
            }
        }
    }

    /// A digest that nobody can have seen is made anew at its next attempt: with what came to an end meanwhile.
    fn thaw(&mut self, attempt: &Attempt) -> Fate {
        if attempt.group.is_none() || self.members(&attempt.seqs).any(|entry| entry.sent) {
            return Fate::Kept;
        }
        self.each(&attempt.seqs, &mut |entry| entry.offer.group = None);
        Fate::Unfolded
    }

    fn again(
        &mut self,
        attempt: &Attempt,
        why: &str,
        after: Option<Duration>,
        channel: bool,
        answered: bool,
        now: &Now,
    ) {
        let Some(head) = attempt.seqs.first().and_then(|seq| self.get(*seq)) else {
            return;
        };
        let tries = head.tries + 1;
        let others_pass = head.tries > 0 && self.pace.passed() != head.passed;
        let urgent = head.is_urgent(now);
        let own = !channel || (tries >= retry::SUSPECT_AFTER && others_pass);
        let wait = if urgent {
            retry::wait_interrupt(after)
        } else if own {
            retry::wait(tries, after, &mut self.jitter)
        } else {
            Duration::ZERO
        };
        self.failed(attempt, now.tick + wait);
        if !own {
            self.pace.failed(now.tick, why, after, answered, &mut self.jitter);
        } else if !channel && answered {
            self.pace.refused_one(now.tick);
        }
    }

    fn failed(&mut self, attempt: &Attempt, due: Tick) {
        let passed = self.pace.passed();
        self.each(&attempt.seqs, &mut |entry| {
            if entry.tries == 0 {
                entry.passed = passed;
            }
            entry.tries = entry.tries.saturating_add(1);
            entry.due = due;
        });
    }

    fn remove(&mut self, seqs: &[u64]) {
        self.entries.retain(|entry| !seqs.contains(&entry.offer.seq));
    }

    /// Takes out what waited too long. A beginning waits as long as its end, a digest as long as its last member.
    pub fn expired(&mut self, now: &Now) -> Vec<u64> {
        self.hold(now);
        let old = |entry: &Entry| !entry.waits && now.tick >= self.pace.gives_up(entry.since);
        let fresh: Vec<Id> = self.entries.iter().filter(|entry| !old(entry)).map(|entry| entry.incident).collect();
        if fresh.len() == self.entries.len() {
            return Vec::new();
        }
        let waits = |entry: &Entry| fresh.contains(&entry.incident);
        let digests: Vec<Id> =
            self.entries.iter().filter(|entry| waits(entry)).filter_map(|entry| entry.offer.group).collect();
        let mut over = Vec::new();
        for entry in &self.entries {
            if !entry.offer.group.map_or_else(|| waits(entry), |group| digests.contains(&group)) {
                over.push(entry.offer.seq);
            }
        }
        self.remove(&over);
        over
    }

    /// Makes everything due at once, such as after a step of the wall clock.
    pub fn hurry(&mut self, now: &Now) {
        self.pace.hurry(now.tick);
        for entry in &mut self.entries {
            entry.due = entry.due.min(now.tick);
        }
    }

    /// No more events come: what has come goes without waiting for company.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Whether nothing is left to tell.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

pub mod night;
pub mod unit;

#[cfg(test)]
mod tests;
