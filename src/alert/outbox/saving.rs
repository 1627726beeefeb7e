//! What of the outbox must be written, and what is on disk.

use serde_json::Value;

use super::{MAX_BATCH_BYTES, MAX_BATCH_FILES, Outbox, REWRITE_AFTER};
use crate::alert::record::{self, Step};
use crate::clock::{Now, Tick};
use crate::event::Id;
use crate::json::Writer;

impl Outbox {
    /// Whether a file is to be written or removed now.
    pub fn is_unsaved(&self, now: &Now) -> bool {
        !self.removals.is_empty() || self.next_write().is_some_and(|at| at <= now.tick)
    }

    /// Whether an event has no file yet.
    pub fn has_new(&self) -> bool {
        self.records.iter().any(|record| !record.written && record.dirty.is_some())
    }

    /// When the next file is to be written.
    pub fn next_write(&self) -> Option<Tick> {
        let due = |record: &record::Record| match record.dirty {
            Some(since) if record.written => Some(since + REWRITE_AFTER),
            since => since,
        };
        self.records.iter().filter_map(due).min()
    }

    /// Files to be written now, interrupts first, with their content; `all` if nothing may wait. They count as being
    /// written until [`Outbox::saved`].
    pub fn writes(&mut self, all: bool, now: &Now) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut bytes = 0;
        for interrupt in [true, false] {
            for record in &mut self.records {
                let wait = if record.written && !all { REWRITE_AFTER } else { Default::default() };
                if record.is_interrupt() != interrupt || record.dirty.is_none_or(|since| now.tick < since + wait) {
                    continue;
                }
                if bytes > MAX_BATCH_BYTES || files.len() >= MAX_BATCH_FILES {
                    return files;
                }
                let json = record.to_json(&self.channels, now);
                bytes += json.len();
                record.dirty = None;
                record.writing = true;
                files.push((record::file_name(record.seq), json));
            }
        }
        files
    }

    /// Files to be removed now; they are forgotten here.
    pub fn removals(&mut self) -> Vec<String> {
        std::mem::take(&mut self.removals)
    }

    /// What was being written is on disk, or is not.
    pub fn saved(&mut self, well: bool, now: &Now) {
        for record in self.records.iter_mut().filter(|record| record.writing) {
            record.writing = false;
            if well {
                record.written = true;
            } else {
                record.dirty.get_or_insert(now.tick);
            }
        }
    }

    /// The number up to which all changes are on disk or being written.
    pub fn saved_seq(&self) -> u64 {
        let unsaved = |record: &&record::Record| !record.written && !record.writing;
        self.records.iter().find(unsaved).map_or(self.finished.seq, |record| record.seq.saturating_sub(1))
    }

    /// The number up to which all changes are on disk, or done with.
    pub fn settled_seq(&self) -> u64 {
        let unwritten = self.records.iter().find(|record| !record.written);
        unwritten.map_or(self.finished.seq, |record| record.seq.saturating_sub(1))
    }

    /// How many events are in memory only.
    pub fn unsaved(&self) -> usize {
        self.records.iter().filter(|record| !record.written).count()
    }

    /// Whether a file of one of these exists.
    pub fn is_written(&self, seqs: &[u64]) -> bool {
        self.records.iter().any(|record| record.written && seqs.contains(&record.seq))
    }

    /// The members of a message were frozen into a digest.
    pub fn frozen(&mut self, channel: usize, seqs: &[u64], group: Option<Id>) {
        for seq in seqs {
            if let Some(way) = self.get_mut(*seq).and_then(|record| record.due_way_mut(channel))
                && way.group != group
            {
                way.group = group;
                self.digests_dirty = true;
            }
        }
    }

    /// At how many starts in a row one of these was found in flight.
    pub fn starts(&self, channel: usize, seqs: &[u64]) -> u8 {
        let of = |seq: &u64| self.get(*seq).and_then(|record| record.due_way(channel)).map_or(0, |way| way.starts);
        seqs.iter().map(of).max().unwrap_or(0)
    }

    /// The file of digests: channel, id, a member.
    pub fn digests_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('[');
        for record in &self.records {
            for way in record.ways.iter().filter(|way| way.step == Step::Due) {
                if let Some(group) = way.group {
                    out.open('[').text(&self.channels[way.channel]).uint(group.0).uint(record.seq).close(']');
                }
            }
        }
        out.close(']');
        out.into_bytes()
    }
}

/// Reads the file of digests.
pub fn read_digests(value: &Value) -> Option<Vec<(String, Id, u64)>> {
    let mut digests = Vec::new();
    for digest in value.as_array()? {
        let [channel, id, seq] = digest.as_array()?.as_slice() else { return None };
        digests.push((channel.as_str()?.to_owned(), Id(id.as_u64()?), seq.as_u64()?));
    }
    Some(digests)
}
