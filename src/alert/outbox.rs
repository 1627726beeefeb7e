//! Every event that somebody is still to be told of, with its progress on each channel.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::backlog::{Fate, Offer};
use crate::alert::finished::Finished;
use crate::alert::incident::{Incidents, bit};
use crate::alert::outbox::said::Ended;
use crate::alert::pending::Change;
use crate::alert::record::{self, Mark, Record, Saved, Step, Way};
use crate::clock::{Now, Tick};
use crate::event::{Event, Id, Kind, Phase, Severity};
use crate::run::load::Small;

/// Events it holds.
pub const MAX_EVENTS: usize = 1000;
/// Bytes of their files together.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long the disk may take before an event is told without it.
pub const DISK_FIRST: Duration = Duration::from_secs(1);
/// How long progress on one channel waits for that on the others before the file is written again.
const REWRITE_AFTER: Duration = Duration::from_secs(1);
/// Bytes written at once.
const MAX_BATCH_BYTES: usize = 256 * 1024;
/// Files written at once: each is synced, which takes a slow flash some 50 ms, and no batch may look like a hang.
const MAX_BATCH_FILES: usize = 32;
/// Starts at which an event was found in flight, from which on it is set aside.
const SET_ASIDE_AFTER: u8 = 3;

/// What was on disk, in the shape in which it was written.
#[derive(Debug, Default)]
pub struct Restored {
    /// Events, in the order of their numbers.
    pub records: Vec<Saved>,
    /// Attempts that the end of the last run cut off.
    pub marks: Vec<Mark>,
    /// Frozen digests: channel, id, a member.
    pub digests: Vec<(String, Id, u64)>,
    /// Who was told of what.
    pub incidents: Incidents,
    /// What is done with.
    pub finished: Finished,
    /// Small states that are newer than their files.
    pub small: Vec<(String, Small)>,
}

/// What a verdict brought about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Events told now.
    pub told: Vec<Arc<Event>>,
    /// Events that will not be told.
    pub lost: u32,
}

/// The outbox. Channels are known by their index.
#[derive(Debug, Default)]
pub struct Outbox {
    channels: Vec<String>,
    /// In the order of their numbers.
    records: Vec<Record>,
    /// Who was told of what.
    pub incidents: Incidents,
    /// What is done with.
    pub finished: Finished,
    bytes: usize,
    /// What became of the last messages of scripts, for who asks.
    ended: Vec<Ended>,
    removals: Vec<String>,
    /// The file of digests must be saved.
    pub digests_dirty: bool,
}

impl Outbox {
    /// An empty one for `channels`.
    pub fn new(channels: Vec<String>) -> Outbox {
        let mut outbox = Outbox { channels, ..Outbox::default() };
        outbox.incidents.adopt(&outbox.channels);
        outbox
    }

    /// Goes on where the last run ended. Returns events that ended the program again and again, each with its
    /// channel and its file: they are set aside.
    pub fn restore(&mut self, restored: Restored, now: &Now) -> Vec<(usize, u64, Vec<u8>)> {
        self.incidents = restored.incidents;
        self.incidents.adopt(&self.channels);
        self.finished = restored.finished;
        let mut poisoned = Vec::new();
        for saved in restored.records {
            self.finished.seq = self.finished.seq.max(saved.seq);
            if self.is_known(saved.event.id) {
                self.removals.push(record::file_name(saved.seq));
                continue;
            }
            let seq = saved.seq;
            self.insert(self.record(saved, &restored.marks, &restored.digests, now), now);
            self.set_aside(seq, &mut poisoned, now);
            self.finish(seq);
        }
        for mark in &restored.marks {
            let first = mark.seqs.first().copied().unwrap_or_default();
            let channel = self.channels.iter().position(|name| *name == mark.channel);
            // A mark that still means something stays until the next attempt replaces it.
            if channel.is_none_or(|channel| self.offer(first, channel).is_none()) {
                self.removals.push(record::mark_name(first, &mark.channel));
            }
        }
        for ended in self.incidents.ended() {
            if !self.records.iter().any(|record| record.event.incident == ended && record.is(Phase::End)) {
                self.incidents.close(ended);
            }
        }
        poisoned
    }

    fn record(&self, saved: Saved, marks: &[Mark], digests: &[(String, Id, u64)], now: &Now) -> Record {
        let seq = saved.seq;
        let mut ways = Vec::new();
        for (name, step) in &saved.channels {
            let Some(channel) = self.channels.iter().position(|known| known == name) else {
                continue;
            };
            let mut way = Way::new(channel);
            way.step = *step;
            for mark in marks.iter().filter(|mark| mark.channel == *name && mark.seqs.contains(&seq)) {
                way.starts = way.starts.max(mark.count);
            }
            let digest = digests.iter().find(|(channel, _, member)| *member == seq && channel == name);
            way.group = digest.map(|(_, id, _)| *id).filter(|_| way.starts < super::backlog::MINIMAL_AFTER);
            ways.push(way);
        }
        let mut record = Record::new(seq, saved.event, saved.after, ways, now);
        record.queued = saved.queued;
        record.written = true;
        record.dirty = None;
        record
    }

    fn set_aside(&mut self, seq: u64, poisoned: &mut Vec<(usize, u64, Vec<u8>)>, now: &Now) {
        for channel in 0..self.channels.len() {
            let Some(record) = self.get(seq) else {
                return;
            };
            if record.due_way(channel).is_some_and(|way| way.starts >= SET_ASIDE_AFTER) {
                poisoned.push((channel, seq, record.to_json(&self.channels, now)));
                if let Some(way) = self.get_mut(seq).and_then(|record| record.due_way_mut(channel)) {
                    way.why = Some("set aside: it ended the program three times".into());
                }
                self.settle(seq, channel, Step::Gone, now);
            }
        }
    }

    /// Takes in a change with an event; `takes` judges beginnings and single events. False if nobody is to be told,
    /// or it is known already.
    pub fn admit(&mut self, change: Change, takes: &dyn Fn(usize, &Event) -> bool, now: &Now) -> bool {
        self.finished.seq = self.finished.seq.max(change.seq);
        let Some(event) = change.event else {
            return false;
        };
        if self.is_known(event.id) {
            return false;
        }
        let is_end = event.kind.phase() == Phase::End;
        if event.kind == Kind::NoticeDropped {
            self.incidents.remove(event.incident);
        }
        let mut ways = Vec::new();
        for channel in 0..self.channels.len() {
            if if is_end { self.incidents.knows(event.incident, channel) } else { takes(channel, &event) } {
                ways.push(Way::new(channel));
            }
        }
        if ways.is_empty() {
            if is_end {
                // Those who know of its beginning are gone from the configuration.
                self.incidents.remove(event.incident);
            }
            return false;
        }
        self.insert(Record::new(change.seq, event, change.after, ways, now), now);
        true
    }

    #[inline(never)]
    fn insert(&mut self, mut record: Record, now: &Now) {
        let (seq, incident) = (record.seq, record.event.incident);
        record.size = record.to_json(&self.channels, now).len();
        self.bytes += record.size;
        record.pressing = record.event.severity == Severity::Critical
            || record.is(Phase::End) && self.incidents.is_critical(incident);
        match record.event.kind.phase() {
            Phase::Begin => {
                let exercise = record::is_exercise(&record.event).then_some(now.tick);
                let (mut due, mut told) = (0, 0);
                for way in &record.ways {
                    match way.step {
                        Step::Due => due |= bit(way.channel),
                        Step::Told => told |= bit(way.channel),
                        Step::Gone => {}
                    }
                }
                self.incidents.begin(incident, seq, due | told, exercise);
                if record.pressing {
                    self.incidents.press(incident);
                }
                self.incidents.told(incident, told);
            }
            Phase::End => self.incidents.end(incident),
            Phase::Single => {}
        }
        match self.place(seq) {
            Ok(place) => self.records[place] = record,
            Err(place) => self.records.insert(place, record),
        }
    }

    fn place(&self, seq: u64) -> Result<usize, usize> {
        self.records.binary_search_by_key(&seq, |record| record.seq)
    }

    fn get(&self, seq: u64) -> Option<&Record> {
        self.records.get(self.place(seq).ok()?)
    }

    fn get_mut(&mut self, seq: u64) -> Option<&mut Record> {
        let place = self.place(seq).ok()?;
        self.records.get_mut(place)
    }

    fn is_known(&self, id: Id) -> bool {
        self.finished.contains(id) || self.records.iter().any(|record| record.event.id == id)
    }

    /// Events for `channel` whose sender does not have them yet, interrupts first, what scripts say last, and that are on disk with all of
    /// their group or have waited for it long enough; `disk_fails` if there is no point in waiting.
    pub fn due(&self, channel: usize, disk_fails: bool, now: &Now) -> Vec<u64> {
        let waited = |record: &Record| disk_fails || now.tick >= record.taken + DISK_FIRST;
        let mut torn: Vec<Id> = Vec::new();
        for record in self.records.iter().filter(|record| !record.written && !waited(record)) {
            if let Some(group) = record.event.group.filter(|group| !torn.contains(group)) {
                torn.push(group);
            }
        }
        let is_torn = |record: &Record| record.event.group.is_some_and(|group| torn.contains(&group));
        let mut due = Vec::new();
        for rank in 0..=2 {
            for record in &self.records {
                if record.rank() == rank
                    && (waited(record) || record.written && (rank == 0 || !is_torn(record)))
                    && record.due_way(channel).is_some_and(|way| !way.offered)
                {
                    due.push(record.seq);
                }
            }
        }
        due
    }

    /// When the next event that is not on disk goes out without it.
    pub fn ready_at(&self, disk_fails: bool) -> Option<Tick> {
        let waits = |record: &&Record| !record.written && record.is_unoffered();
        if disk_fails {
            return None;
        }
        self.records.iter().filter(waits).map(|record| record.taken + DISK_FIRST).min()
    }

    /// What goes to the sender of `channel`.
    pub fn offer(&self, seq: u64, channel: usize) -> Option<Offer> {
        self.get(seq)?.offer(channel)
    }

    /// The sender of `channel` has it.
    pub fn offered(&mut self, seq: u64, channel: usize) {
        if let Some(way) = self.get_mut(seq).and_then(|record| record.due_way_mut(channel)) {
            way.offered = true;
        }
    }

    /// Takes back what senders have not begun to tell: the next run tells it.
    pub fn revoke_all(&self) {
        for record in &self.records {
            record.ways.iter().for_each(Way::revoke);
        }
    }

    /// Whether a sender is still to be given something.
    pub fn has_unoffered(&self) -> bool {
        self.records.iter().any(Record::is_unoffered)
    }

    /// Takes in what became of an attempt.
    pub fn verdict(&mut self, channel: usize, seqs: &[u64], fate: &Fate, now: &Now) -> Effect {
        let mut effect = Effect::default();
        for seq in seqs {
            let Some(record) = self.get_mut(*seq) else {
                continue;
            };
            let event = Arc::clone(&record.event);
            let Some(way) = record.due_way_mut(channel) else {
                continue;
            };
            way.starts = 0;
            let frozen = way.group.is_some();
            match fate {
                Fate::Delivered => {
                    self.settle(*seq, channel, Step::Told, now);
                    effect.told.push(event);
                }
                Fate::GaveUp(why) => {
                    way.why = Some(why.as_str().into());
                    self.settle(*seq, channel, Step::Gone, now);
                    effect.lost += 1;
                }
                Fate::Unfolded => way.group = None,
                Fate::Kept => continue,
            }
            self.digests_dirty |= frozen;
        }
        for seq in seqs {
            self.finish(*seq);
        }
        effect
    }

    /// Ends the way of an event to `channel`, with what that means for its incident.
    #[inline(never)]
    fn settle(&mut self, seq: u64, channel: usize, step: Step, now: &Now) {
        let Some(record) = self.get_mut(seq) else {
            return;
        };
        if !record.settle(channel, step, now) || !record.is(Phase::Begin) {
            return;
        }
        let incident = record.event.incident;
        if step == Step::Told {
            self.incidents.told(incident, bit(channel));
        } else if self.beginning_due(incident, channel).is_none() && !self.incidents.was_told(incident, channel) {
            self.incidents.missed(incident, channel);
            self.drop_ends(incident, channel, now);
        }
    }

    /// Nobody there heard of the beginning: its end says nothing.
    fn drop_ends(&mut self, incident: Id, channel: usize, now: &Now) {
        let mut over = Vec::new();
        for record in &mut self.records {
            if record.event.incident == incident && record.is(Phase::End) && record.settle(channel, Step::Gone, now) {
                over.push(record.seq);
            }
        }
        for seq in over {
            self.finish(seq);
        }
    }

    /// Lets go of an event with which all channels are done.
    #[inline(never)]
    fn finish(&mut self, seq: u64) {
        let Ok(place) = self.place(seq) else {
            return;
        };
        if self.records[place].ways.iter().any(|way| way.step == Step::Due) {
            return;
        }
        let record = self.records.remove(place);
        self.bytes -= record.size;
        if record.written || record.writing {
            self.removals.push(record::file_name(seq));
        }
        if !record::is_exercise(&record.event) {
            self.finished.push(record.event.id, record.event.kind);
        }
        self.remember(&record);
        if record.is(Phase::End) {
            self.incidents.close(record.event.incident);
        }
    }

    /// Keeps to the caps; `failing` says which channels are in trouble. First goes what waits for those alone, what
    /// scripts said before what happened, ends after beginnings, interrupts last, and of equals the oldest. Returns what each channel lost.
    pub fn bound(&mut self, failing: &[bool], now: &Now) -> Vec<(usize, u32)> {
        let mut lost = Vec::new();
        while self.records.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            let fails = |way: &Way| way.step != Step::Due || failing.get(way.channel).copied().unwrap_or(false);
            let rank = |record: &&Record| {
                let kind = record.event.kind;
                let only_failing = record.ways.iter().all(fails);
                let interrupt = matches!(kind, Kind::Interrupt | Kind::InterruptWithdrawn);
                u8::from(!only_failing) << 3
                    | u8::from(kind != Kind::Message) << 2
                    | u8::from(interrupt) << 1
                    | u8::from(record.is(Phase::End))
            };
            // Of equals the first.
            let Some(victim) = self.records.iter().min_by_key(rank) else {
                break;
            };
            let (seq, incident, is_end) = (victim.seq, victim.event.incident, victim.is(Phase::End));
            for channel in 0..self.channels.len() {
                if self.get(seq).is_none_or(|victim| victim.due_way(channel).is_none()) {
                    continue;
                }
                // An end must not go before its beginning: with that it goes by itself.
                let first = if is_end { self.beginning_due(incident, channel) } else { None }.unwrap_or(seq);
                self.settle(first, channel, Step::Gone, now);
                self.finish(first);
                lost.push((channel, 1));
            }
            self.finish(seq);
        }
        lost
    }

    fn beginning_due(&self, incident: Id, channel: usize) -> Option<u64> {
        let begins = |record: &&Record| {
            record.event.incident == incident && record.is(Phase::Begin) && record.due_way(channel).is_some()
        };
        self.records.iter().find(begins).map(|record| record.seq)
    }

    /// Events in it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Events that `channel` is still to be told of.
    pub fn queued(&self, channel: usize) -> usize {
        self.records.iter().filter(|record| record.due_way(channel).is_some()).count()
    }
}

pub mod change;
pub mod quiet;
pub mod said;
pub mod saving;

#[cfg(test)]
mod tests;
