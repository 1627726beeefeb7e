//! What one channel still has to tell: which message goes next, when, and what an attempt's verdict means for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::alert::limit::Bucket;
use crate::alert::retry::{self, Jitter, Pace};
use crate::alert::{Form, Message, Verdict};
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Phase};

/// Members of a digest; what is beyond goes into the next one.
pub const MAX_MEMBERS: usize = 100;
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
    /// The digest it was frozen into before a restart.
    pub group: Option<Id>,
    /// Set by the desk when it must not be told any more.
    pub revoked: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Entry {
    offer: Offer,
    incident: Id,
    queued: Tick,
    due: Tick,
    tries: u32,
    /// What the channel had taken when this one failed first.
    passed: u32,
    /// Goes by itself: a message of several was refused as a whole.
    alone: bool,
    marked: bool,
}

impl Entry {
    fn is_minimal(&self) -> bool {
        self.offer.starts >= MINIMAL_AFTER
    }

    fn is_joinable(&self) -> bool {
        !self.alone && !self.is_minimal() && self.offer.group.is_none()
    }

    fn is_urgent(&self, now: &Now) -> bool {
        let end = match self.offer.event.fact(Field::Deadline) {
            Some(Fact::Time(deadline)) => deadline.tick(now),
            _ => None,
        };
        self.offer.event.kind == Kind::Interrupt
            && now.tick < end.unwrap_or_else(|| self.queued + URGENT_WITHOUT_DEADLINE)
    }
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
    /// They are tried again, each by itself.
    Unfolded,
}

/// What may go before anything else of its incident.
struct Head {
    seq: u64,
    at: Tick,
    urgent: bool,
    tries: u32,
    joinable: bool,
}

/// Everything one channel still has to tell.
#[derive(Debug)]
pub struct Backlog {
    /// In the order of their numbers.
    entries: Vec<Entry>,
    pace: Pace,
    bucket: Bucket,
    jitter: Jitter,
}

impl Backlog {
    /// An empty one.
    pub fn new(pace: Pace, bucket: Bucket, jitter: Jitter) -> Backlog {
        Backlog { entries: Vec::new(), pace, bucket, jitter }
    }

    /// How the channel is doing.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Takes in an event.
    pub fn push(&mut self, offer: Offer, now: &Now) {
        let queued = offer.queued.tick(now).unwrap_or(now.tick).min(now.tick);
        let (seq, incident) = (offer.seq, offer.event.incident);
        let entry = Entry { offer, incident, queued, due: now.tick, tries: 0, passed: 0, alone: false, marked: false };
        match self.place(seq) {
            Ok(place) => self.entries[place] = entry,
            Err(place) => self.entries.insert(place, entry),
        }
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
        let heads = self.heads(now);
        let (ready, waiting): (Vec<Head>, Vec<Head>) = heads.into_iter().partition(|head| head.at <= now.tick);
        let later = waiting.iter().map(|head| head.at).min();
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

    /// The first of each incident and of each digest, in order.
    fn heads(&self, now: &Now) -> Vec<Head> {
        let mut heads = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let before = &self.entries[..place];
            let group = entry.offer.group;
            if before
                .iter()
                .any(|other| other.incident == entry.incident || (group.is_some() && other.offer.group == group))
            {
                continue;
            }
            let seq = entry.offer.seq;
            let urgent = entry.is_urgent(now);
            let woken = urgent && (entry.tries == 0 || !self.pace.is_parked());
            // An end that has come makes a new message of a beginning that was refused: no reason to wait.
            let mut due = entry.due;
            for member in self.members(&self.unit(seq)) {
                due = due.min(member.due);
            }
            let at = if woken { due } else { due.max(self.pace.until()) };
            heads.push(Head { seq, at, urgent, tries: entry.tries, joinable: entry.is_joinable() });
        }
        heads
    }

    fn choose<'a>(&self, ready: &'a [Head]) -> Option<&'a Head> {
        if let Some(urgent) = ready.iter().find(|head| head.urgent) {
            return Some(urgent);
        }
        let first = ready.first()?;
        if self.pace.try_another() && first.tries >= retry::SUSPECT_AFTER {
            return ready.iter().min_by_key(|head| head.tries);
        }
        Some(first)
    }

    /// What goes in one message with `seq`: its digest, or the end of the incident it begins.
    fn unit(&self, seq: u64) -> Vec<u64> {
        let mut unit = vec![seq];
        let Ok(place) = self.place(seq) else {
            return unit;
        };
        let (head, later) = (&self.entries[place], &self.entries[place + 1..]);
        if head.offer.group.is_some() {
            unit.extend(
                later.iter().filter(|entry| entry.offer.group == head.offer.group).map(|entry| entry.offer.seq),
            );
        } else if head.is_joinable() && head.offer.event.kind.phase() == Phase::Begin {
            for entry in later.iter().filter(|entry| entry.incident == head.incident) {
                if !entry.is_joinable() {
                    break;
                }
                unit.push(entry.offer.seq);
                if entry.offer.event.kind.phase() == Phase::End {
                    return unit;
                }
            }
            unit.truncate(1);
        }
        unit
    }

    fn attempt(&mut self, first: &Head, ready: &[Head], last_token: bool) -> Attempt {
        let mut seqs = self.unit(first.seq);
        let mut group = self.get(first.seq).and_then(|entry| entry.offer.group);
        if last_token && first.joinable {
            let folded = self.fold(ready, first.urgent);
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

    /// The first of `heads` that are as urgent, with their ends, in order, as many as a digest holds.
    fn fold(&self, heads: &[Head], urgent: bool) -> Vec<u64> {
        let mut folded: Vec<u64> = Vec::new();
        for head in heads.iter().filter(|head| head.joinable && head.urgent == urgent) {
            let unit = self.unit(head.seq);
            if folded.len() + unit.len() > MAX_MEMBERS {
                break;
            }
            for seq in unit {
                folded.insert(folded.partition_point(|known| *known < seq), seq);
            }
        }
        folded
    }

    fn digest_id(&self, seqs: &[u64]) -> Id {
        let ids: Vec<[u8; 8]> = self.members(seqs).map(|entry| entry.offer.event.id.0.to_be_bytes()).collect();
        let parts: Vec<&[u8]> = ids.iter().map(<[u8; 8]>::as_slice).collect();
        Id::of(&parts)
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
                Fate::Kept
            }
            Verdict::Retry { why, after, channel, answered } => {
                self.again(attempt, why, *after, *channel, *answered, now);
                Fate::Kept
            }
        }
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
        let old = |entry: &Entry| now.tick >= self.pace.gives_up(entry.queued);
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

    /// Whether nothing is left to tell.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests;
