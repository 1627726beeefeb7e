//! What quiet hours hold back.

use super::Outbox;

impl Outbox {
    /// The sender of `channel` goes, which held these back.
    pub fn keep_held(&mut self, channel: usize) {
        for record in self.records.iter_mut().filter(|record| !record.pressing) {
            if let Some(way) = record.due_way_mut(channel) {
                way.held = true;
            }
        }
    }

    /// Events that quiet hours of `channel` hold back.
    pub fn held(&self, channel: usize) -> usize {
        self.records.iter().filter(|record| !record.pressing && record.due_way(channel).is_some()).count()
    }
}
