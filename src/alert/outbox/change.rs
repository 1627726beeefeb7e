//! The outbox when the configuration changes: channels are known by their index, which moves.

use super::Outbox;
use crate::alert::record::{Record, Step};
use crate::clock::Now;

impl Outbox {
    /// Takes back what the sender of `channel` holds; what it is telling at this moment stays its own until its
    /// verdict.
    pub fn take_back(&mut self, channel: usize) {
        for record in &mut self.records {
            if let Some(way) = record.due_way_mut(channel) {
                way.take_back();
            }
        }
    }

    /// `channel` is gone: drops what waited for it and returns how many events that were.
    pub fn drop_channel(&mut self, channel: usize, now: &Now) -> usize {
        let due = |record: &Record| record.due_way(channel).map(|_| record.seq);
        let seqs: Vec<u64> = self.records.iter().filter_map(due).collect();
        for seq in &seqs {
            self.settle(*seq, channel, Step::Gone, now);
            self.finish(*seq);
        }
        seqs.len()
    }

    /// Goes on with these channels, which are matched by name. Nothing may wait for those that are gone: see
    /// [`Outbox::drop_channel`].
    pub fn adopt(&mut self, channels: Vec<String>) {
        let places: Vec<Option<usize>> =
            self.channels.iter().map(|old| channels.iter().position(|new| new == old)).collect();
        for record in &mut self.records {
            record.ways.retain_mut(|way| match places.get(way.channel) {
                Some(Some(place)) => {
                    way.channel = *place;
                    true
                }
                _ => false,
            });
        }
        self.incidents.adopt(&channels);
        self.channels = channels;
    }
}
