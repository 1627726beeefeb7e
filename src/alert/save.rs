//! What the desk has written to disk, in which order, and what happens when the disk fails.

mod kept;

use std::mem::take;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::outbox::{DISK_FIRST, Outbox};
use crate::alert::save::kept::Kept;
use crate::clock::{self, Now, Tick};
use crate::event::{Id, Kind, Moment};
use crate::run::board::Board;
use crate::run::load::{Small, shard_name, small_name};
use crate::run::store::{Batch, Job, Root};
use crate::run::threads::Bell;

/// From one write of the state to the next, unless an event goes with it.
const STATE_EVERY: Duration = Duration::from_secs(5);
/// From one attempt on a failing disk to the next.
const DISK_AGAIN: Duration = Duration::from_secs(10);
/// After this long without an answer of the store the disk counts as failing.
const HUNG: Duration = Duration::from_secs(5);
/// Longer than the desk, which looks once a second, is ever away from its work: what is beyond was a stop or a suspend of
/// this program, which says nothing of the disk.
const AWAY: Duration = Duration::from_secs(2);
/// When a full queue of the store is tried again.
const QUEUE_AGAIN: Duration = Duration::from_millis(100);
/// Parts of the roster in one batch.
const SHARDS_AT_ONCE: usize = 8;

/// A disk that cannot be written to: events are told from memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What the system says.
    pub why: String,
    /// Since when.
    pub since: Moment,
    /// The incident of its `state.unwritable`.
    pub incident: Id,
}

// Files of the state that must be written, as a set.
const DIGESTS: u8 = 1;
const INCIDENTS: u8 = 2;
const FINISHED: u8 = 4;
const CHANNELS: u8 = 8;
const SMALL: u8 = 16;

/// What is in a batch besides the outbox's events.
#[derive(Default)]
struct Parts {
    files: u8,
    shards: Vec<usize>,
    removals: Vec<String>,
    marked: Vec<Bell>,
}

struct Flight {
    number: u32,
    since: Tick,
    parts: Parts,
}

struct WaitingMark {
    /// Changes up to this one are on disk before it.
    seq: u64,
    file: String,
    bytes: Vec<u8>,
    marked: Option<Bell>,
}

impl WaitingMark {
    /// Whoever waits for it goes on.
    fn let_go(&mut self) {
        if let Some(marked) = self.marked.take() {
            marked.ring();
        }
    }
}

/// The desk's side of the store. One batch is under way at a time; what comes up meanwhile goes with the next.
pub struct Saver {
    store: SyncSender<Parcel>,
    number: u32,
    flight: Option<Flight>,
    failure: Option<Failure>,
    /// Before this nothing is handed to the store.
    again: Tick,
    /// Since when the store's queue is full.
    full_since: Option<Tick>,
    /// When the desk last was here.
    stepped: Tick,
    /// When the state was last written.
    state_at: Option<Tick>,
    more_shards: bool,
    /// Small states by name.
    small: Vec<(String, Small)>,
    small_dirty: bool,
    kept: Kept,
    /// What is remembered of the channels changed.
    pub channels_dirty: bool,
    marks: Vec<WaitingMark>,
    removals: Vec<String>,
}

impl Saver {
    /// One that writes through `store`.
    pub fn new(store: SyncSender<Parcel>, now: &Now) -> Saver {
        Saver {
            store,
            number: 0,
            flight: None,
            failure: None,
            again: now.tick,
            full_since: None,
            stepped: now.tick,
            state_at: None,
            more_shards: false,
            small: Vec::new(),
            small_dirty: false,
            kept: Kept::default(),
            channels_dirty: false,
            marks: Vec::new(),
            removals: Vec::new(),
        }
    }

    /// Why the disk cannot be written to, if it cannot.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether there is no point in waiting for the disk.
    pub fn fails(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether an attempt need not wait for its in-flight mark: the disk fails, or has not answered for too long.
    pub fn is_slow(&self, now: &Now) -> bool {
        self.fails() || self.flight.as_ref().is_some_and(|flight| now.tick >= flight.since + DISK_FIRST)
    }

    /// A small state changed.
    pub fn small(&mut self, name: String, small: Small) {
        self.small_dirty = true;
        match self.small.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = small,
            None => self.small.push((name, small)),
        }
    }

    /// Writes an in-flight mark and rings `marked`; on a failing disk it rings at once.
    pub fn mark(&mut self, file: String, bytes: Vec<u8>, marked: Option<Bell>) {
        self.removals.retain(|removal| *removal != file);
        self.marks.push(WaitingMark { seq: 0, file, bytes, marked });
    }

    /// Writes a small state as it is now and rings `saved`, as with a mark.
    pub fn record(&mut self, name: &str, saved: Bell) {
        match self.small.iter().find(|(known, _)| known == name) {
            Some((_, small)) => {
                let (seq, bytes) = (small.seq, small.to_json());
                self.marks.push(WaitingMark { seq, file: small_name(name), bytes, marked: Some(saved) });
            }
            None => saved.ring(),
        }
    }

    /// Removes an in-flight mark.
    pub fn unmark(&mut self, file: String) {
        self.marks.retain(|mark| mark.file != file);
        self.removals.push(file);
    }

    /// Writes `file`, such as an event that is set aside; like a mark, but it goes with nobody's wait.
    pub fn put(&mut self, file: String, bytes: Vec<u8>) {
        self.marks.push(WaitingMark { seq: 0, file, bytes, marked: None });
    }

    /// Whether the store has not answered yet.
    pub fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    /// Makes one more attempt on a failing disk due.
    pub fn hurry(&mut self, now: &Now) {
        self.again = now.tick;
    }

    /// Whether everything is on disk.
    pub fn is_done(&self, outbox: &Outbox) -> bool {
        self.flight.is_none()
            && self.marks.is_empty()
            && self.removals.is_empty()
            && outbox.next_write().is_none()
            && !self.state_is_dirty(outbox)
    }

    /// The store's answer to batch `number`. Returns the failure that is over with it.
    pub fn stored(
        &mut self,
        number: u32,
        result: Result<(), String>,
        outbox: &mut Outbox,
        board: &Board,
        now: &Now,
    ) -> Option<Failure> {
        let flight = self.flight.take_if(|flight| flight.number == number)?;
        outbox.saved(result.is_ok(), now);
        flight.parts.marked.iter().for_each(Bell::ring);
        match result {
            Ok(()) => {
                self.kept.ended(true);
                self.again = now.tick;
                self.failure.take()
            }
            Err(why) => {
                self.put_back(flight.parts, outbox, board);
                self.again = now.tick + DISK_AGAIN;
                self.fail(why, now);
                None
            }
        }
    }

    /// The disk fails from now on.
    pub fn fail(&mut self, why: String, now: &Now) {
        if let Some(failure) = &mut self.failure {
            failure.why = why;
            return;
        }
        let incident = super::notes::own_incident(Kind::StateUnwritable, "", now);
        self.failure = Some(Failure { why, since: Moment::at(now.tick, now), incident });
        self.again = self.again.max(now.tick + DISK_AGAIN);
    }

    fn put_back(&mut self, parts: Parts, outbox: &mut Outbox, board: &Board) {
        self.kept.ended(false);
        outbox.digests_dirty |= parts.files & DIGESTS != 0;
        outbox.incidents.dirty |= parts.files & INCIDENTS != 0;
        outbox.finished.dirty |= parts.files & FINISHED != 0;
        self.channels_dirty |= parts.files & CHANNELS != 0;
        self.small_dirty |= parts.files & SMALL != 0;
        for number in parts.shards {
            board.lock().roster.hosts_mut().put_back_dirty(number);
        }
        for file in parts.removals {
            if !self.marks.iter().any(|mark| mark.file == file) {
                self.removals.push(file);
            }
        }
    }

    fn state_is_dirty(&self, outbox: &Outbox) -> bool {
        self.channels_dirty
            || self.more_shards
            || outbox.incidents.dirty
            || outbox.finished.dirty
            || outbox.digests_dirty
            || self.small_dirty
    }

    /// When to look again although nothing happened.
    pub fn deadline(&self, outbox: &Outbox, now: &Now) -> Option<Tick> {
        if let Some(flight) = &self.flight {
            let slow = self.marks.iter().any(|mark| mark.marked.is_some()).then(|| flight.since + DISK_FIRST);
            return slow.or((!self.fails()).then(|| flight.since + HUNG));
        }
        if self.again > now.tick {
            return Some(self.again);
        }
        let state = self.state_is_dirty(outbox).then(|| self.state_at.map_or(now.tick, |at| at + STATE_EVERY));
        earliest(earliest(state, self.hurried_at(outbox)), outbox.next_write())
    }

    /// Time in which the desk did not run, and the store neither, is no time that the disk took.
    fn stay(&mut self, now: &Now) {
        let away = now.tick.since(self.stepped).saturating_sub(AWAY);
        self.stepped = now.tick;
        for since in self.flight.iter_mut().map(|flight| &mut flight.since).chain(&mut self.full_since) {
            *since = *since + away;
        }
    }

    /// Hands the store what is to be written; `all` at the end of the program, when nothing is put off. `channels`
    /// makes the file about the channels. The disk may turn out to fail.
    pub fn step(&mut self, outbox: &mut Outbox, board: &Board, channels: &dyn Fn() -> Vec<u8>, all: bool, now: &Now) {
        self.stay(now);
        if let Some(flight) = &self.flight {
            if now.tick >= flight.since + DISK_FIRST {
                self.marks.iter_mut().for_each(WaitingMark::let_go);
            }
            if now.tick >= flight.since + HUNG {
                self.fail("the disk does not answer".to_owned(), now);
            }
            return;
        }
        if now.tick < self.again {
            if self.fails() {
                // Whoever waits for a mark goes on when its answer can no longer come.
                self.marks.iter_mut().for_each(WaitingMark::let_go);
                self.marks.retain(|mark| mark.file.starts_with("outbox/bad/"));
            }
            return;
        }
        let fresh = outbox.has_new();
        let mut parts = Parts::default();
        let mut jobs = self.events(outbox, &mut parts, all, now);
        let pause_over = self.state_at.is_none_or(|at| now.tick >= at + STATE_EVERY);
        if fresh || all || pause_over || self.more_shards {
            let before = jobs.len();
            self.state(outbox, board, channels, &mut parts, &mut jobs);
            if jobs.len() > before {
                self.state_at = Some(now.tick);
            }
        } else {
            jobs.extend(self.hurried(outbox, now));
        }
        parts.removals = take(&mut self.removals);
        parts.removals.append(&mut outbox.removals());
        for file in &parts.removals {
            jobs.push(Job::Remove { file: file.clone() });
        }
        if self.fails() && jobs.is_empty() {
            // Finds out whether the disk works again.
            jobs.push(put("finished.json", outbox.finished.to_json(), true));
        }
        if !jobs.is_empty() {
            self.hand_over(jobs, parts, outbox, board, now);
        }
    }

    /// Events, in-flight marks and frozen digests: the files that come first.
    fn events(&mut self, outbox: &mut Outbox, parts: &mut Parts, all: bool, now: &Now) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for (file, bytes) in outbox.writes(all, now) {
            jobs.push(put(&file, bytes, false));
        }
        let saved_seq = outbox.saved_seq();
        for mark in take(&mut self.marks) {
            if mark.seq > saved_seq {
                self.marks.push(mark);
                continue;
            }
            jobs.push(put(&mark.file, mark.bytes, false));
            parts.marked.extend(mark.marked);
        }
        if take(&mut outbox.digests_dirty) {
            parts.files |= DIGESTS;
            jobs.push(put("digests.json", outbox.digests_json(), true));
        }
        jobs
    }

    /// The state that says "told".
    fn state(
        &mut self,
        outbox: &mut Outbox,
        board: &Board,
        channels: &dyn Fn() -> Vec<u8>,
        parts: &mut Parts,
        jobs: &mut Vec<Job>,
    ) {
        if take(&mut outbox.incidents.dirty) {
            parts.files |= INCIDENTS;
            jobs.push(put("incidents.json", outbox.incidents.to_json(), true));
        }
        if take(&mut outbox.finished.dirty) {
            parts.files |= FINISHED;
            jobs.push(put("finished.json", outbox.finished.to_json(), true));
        }
        if take(&mut self.channels_dirty) {
            parts.files |= CHANNELS;
            jobs.push(put("channels.json", channels(), true));
        }
        let saved_seq = outbox.saved_seq();
        if take(&mut self.small_dirty) {
            parts.files |= SMALL;
            for (name, small) in &self.small {
                // It may say that something was told which is not on disk yet.
                if small.seq > saved_seq {
                    self.small_dirty = true;
                } else {
                    self.kept.goes(name, small.seq);
                    jobs.push(put(&small_name(name), small.to_json(), true));
                }
            }
        }
        self.more_shards = false;
        while !self.fails() {
            if parts.shards.len() == SHARDS_AT_ONCE {
                self.more_shards = true;
                break;
            }
            let Some(shard) = board.lock().roster.hosts_mut().take_dirty(saved_seq, &clock::now()) else {
                break;
            };
            parts.shards.push(shard.number);
            jobs.push(put(&shard_name(shard.number), shard.to_json(), true));
        }
    }

    fn hand_over(&mut self, jobs: Vec<Job>, parts: Parts, outbox: &mut Outbox, board: &Board, now: &Now) {
        self.number = self.number.wrapping_add(1);
        let batch = Batch { number: self.number, root: Root::State, jobs, reply: true, done: None };
        let (why, over) = match self.store.try_send(Parcel::Batch(batch)) {
            Ok(()) => {
                self.full_since = None;
                self.flight = Some(Flight { number: self.number, since: now.tick, parts });
                return;
            }
            Err(TrySendError::Full(_)) => ("the disk does not keep up", false),
            Err(TrySendError::Disconnected(_)) => ("the store has ended", true),
        };
        outbox.saved(false, now);
        parts.marked.iter().for_each(Bell::ring);
        self.put_back(parts, outbox, board);
        self.again = now.tick + if self.fails() { DISK_AGAIN } else { QUEUE_AGAIN };
        let since = *self.full_since.get_or_insert(now.tick);
        if over || now.tick >= since + HUNG {
            self.fail(why.to_owned(), now);
        }
    }
}

#[inline(never)]
fn put(file: &str, bytes: Vec<u8>, keep_previous: bool) -> Job {
    Job::Put { file: file.to_owned(), bytes, keep_previous }
}

/// The earlier of two times.
pub fn earliest(one: Option<Tick>, other: Option<Tick>) -> Option<Tick> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
