//! What scripts said: how much of it the outbox takes, and what became of it.

use super::Outbox;
use crate::alert::record::{Record, Step};
use crate::event::{Id, Kind};

/// Messages of scripts that may wait: half of the outbox, so that a loop of them leaves room for what happens.
pub const MAX_MESSAGES: usize = super::MAX_EVENTS / 2;
/// Bytes of their files together.
pub const MAX_MESSAGE_BYTES: usize = super::MAX_BYTES / 2;
/// Messages that are done with and can be asked after.
const MAX_ENDED: usize = 64;

/// What became of a message: the names of its channels, and why it was not told there.
#[derive(Debug)]
pub struct Ended {
    id: Id,
    ways: Vec<(String, Option<String>)>,
}

impl Outbox {
    /// Whether one more message of a script fits.
    pub fn has_room_for_message(&self) -> bool {
        let (mut events, mut bytes) = (0, 0);
        for record in self.records.iter().filter(|record| record.event.kind == Kind::Message) {
            events += 1;
            bytes += record.size;
        }
        events < MAX_MESSAGES && bytes < MAX_MESSAGE_BYTES
    }

    /// The event of that id, if it is not done with.
    pub fn find(&self, id: Id) -> Option<&Record> {
        self.records.iter().find(|record| record.event.id == id)
    }

    /// Channels of a message that is done with, each with the reason if it was not told there. Empty if that is
    /// forgotten; `None` if nothing is known of it.
    pub fn ended(&self, id: Id) -> Option<&[(String, Option<String>)]> {
        match self.ended.iter().find(|ended| ended.id == id) {
            Some(ended) => Some(&ended.ways),
            None => self.finished.contains(id).then_some(&[]),
        }
    }

    /// All channels are done with it.
    pub(super) fn remember(&mut self, record: &Record) {
        if record.event.kind != Kind::Message {
            return;
        }
        if self.ended.len() >= MAX_ENDED {
            self.ended.remove(0);
        }
        let mut ways = Vec::with_capacity(record.ways.len());
        for way in &record.ways {
            let why = (way.step != Step::Told).then(|| way.why.as_deref().unwrap_or("dropped").to_owned());
            ways.push((self.channels[way.channel].clone(), why));
        }
        self.ended.push(Ended { id: record.event.id, ways });
    }
}
