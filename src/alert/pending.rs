//! Changes on their way from their sources to the outbox, numbered in the order in which they happened.

use std::collections::VecDeque;

use serde_json::Value;

use crate::event::Event;
use crate::json::{self, Writer};
use crate::keepalive::host::Record;

/// Changes that may wait. A source that finds no room keeps its change due and offers it again.
pub const MAX_PENDING: usize = 1024;

/// Events told by others that may wait: the desk takes all of them at once, as soon as there is one.
const MAX_OVERHEARD: usize = 256;

/// What the state says once a change is told. It is saved with the event, so that after a crash between the two
/// the event is read first and the state follows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum After {
    /// Nothing to remember.
    #[default]
    Nothing,
    /// A host's record after the change, as the roster writes it.
    Host {
        /// The host.
        name: String,
        /// Its record; `None` if the host left the roster.
        record: Option<Box<Record>>,
    },
    /// A small state of that name (`spot`), as JSON.
    Small {
        /// Its name, also of its file.
        name: String,
        /// Its content as JSON.
        json: String,
    },
}

impl After {
    /// Writes it as state.
    pub fn write(&self, out: &mut Writer) {
        out.open('{');
        match self {
            After::Nothing => {}
            After::Host { name, record } => {
                out.key("host").text(name);
                if let Some(record) = record {
                    record.write(out.key("record"));
                }
            }
            After::Small { name, json } => {
                out.key("small").text(name).key("json").text(json);
            }
        }
        out.close('}');
    }

    /// Reads what [`After::write`] wrote.
    pub fn read(value: &Value) -> Option<After> {
        if let Some(name) = json::text(value, "host") {
            let record = match value.get("record") {
                Some(record) => Some(Box::new(Record::read(record)?)),
                None => None,
            };
            return Some(After::Host { name: name.to_owned(), record });
        }
        if let Some(name) = json::text(value, "small") {
            return Some(After::Small { name: name.to_owned(), json: json::text(value, "json")?.to_owned() });
        }
        Some(After::Nothing)
    }
}

/// A change and its place in the order of all changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Grows by one per change, also across restarts.
    pub seq: u64,
    /// What to tell, if anything.
    pub event: Option<Event>,
    /// What to remember.
    pub after: After,
}

/// The queue. It lives beside the roster under the same lock, so that a change and its number are one step.
#[derive(Default, Debug)]
pub struct Pending {
    /// Up to this number all changes are done with, or on disk. Whoever has no state to save with a change waits for it
    /// before it saves that the change is told.
    pub settled: u64,
    /// The last change whose state of the probes is on disk.
    pub kept: u64,
    /// That of this change is to be there soon: somebody waits for it.
    pub wanted: u64,
    /// The disk fails: nobody need wait for it.
    pub fails: bool,
    last: u64,
    queue: VecDeque<Change>,
    overheard: Vec<Event>,
}

impl Pending {
    /// A queue whose next change is number `last` + 1.
    pub fn after(last: u64) -> Pending {
        Pending { last, ..Pending::default() }
    }

    /// Whether one more change fits.
    pub fn has_room(&self) -> bool {
        self.queue.len() < MAX_PENDING
    }

    /// How many more changes fit.
    pub fn room(&self) -> usize {
        MAX_PENDING.saturating_sub(self.queue.len())
    }

    /// The number the next change will get.
    pub fn next_seq(&self) -> u64 {
        self.last + 1
    }

    /// Adds a change; `None` if there is no room for it.
    pub fn push(&mut self, event: Option<Event>, after: After) -> Option<u64> {
        if !self.has_room() {
            return None;
        }
        self.last += 1;
        self.queue.push_back(Change { seq: self.last, event, after });
        Some(self.last)
    }

    /// Whether the state of the probes with this change is on disk; `None` if that may come soon. A change that has no
    /// number yet is not.
    pub fn has_kept(&self, number: Option<u64>) -> Option<bool> {
        let kept = number.is_some_and(|number| number <= self.kept);
        (kept || self.fails).then_some(kept)
    }

    /// Takes the first `most` changes.
    pub fn take(&mut self, most: usize) -> Vec<Change> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(change) = self.queue.pop_front()
        {
            taken.push(change);
        }
        taken
    }

    /// Somebody else tells `event`: callbacks hear of it all the same.
    pub fn overhear(&mut self, event: Event) {
        if self.overheard.len() < MAX_OVERHEARD {
            self.overheard.push(event);
        }
    }

    /// Takes what others tell.
    pub fn take_overheard(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.overheard)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.overheard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_is_known_and_a_disk_that_fails_is_not_waited_for() {
        for (number, fails, want) in [
            (Some(6), false, Some(true)),
            (Some(7), false, Some(true)),
            (Some(7), true, Some(true)),
            (Some(8), false, None),
            (Some(8), true, Some(false)),
            (None, false, None),
            (None, true, Some(false)),
        ] {
            let pending = Pending { kept: 7, fails, ..Pending::default() };
            assert_eq!(pending.has_kept(number), want, "{number:?}, {fails}");
        }
    }
}
