//! Events that are done with lately: a source that repeats one after a crash is not heard twice.

use serde_json::Value;

use crate::event::{Id, Kind};
use crate::json::{self, Writer};

/// Ids that are remembered.
pub const MAX_FINISHED: usize = 1000;

/// The last ids, the oldest first, and the number of the last change, which is never given again.
#[derive(Debug, Default)]
pub struct Finished {
    /// The last change that was taken from the board.
    pub seq: u64,
    /// It must be saved.
    pub dirty: bool,
    ids: Vec<Id>,
    /// Those of what scripts said, apart, so that a loop of them leaves the others alone.
    said: Vec<Id>,
}

impl Finished {
    /// Remembers the id of an event of `kind`.
    pub fn push(&mut self, id: Id, kind: Kind) {
        let ids = if kind == Kind::Message { &mut self.said } else { &mut self.ids };
        if ids.len() >= MAX_FINISHED {
            ids.remove(0);
        }
        ids.push(id);
        self.dirty = true;
    }

    /// Whether `id` is remembered.
    pub fn contains(&self, id: Id) -> bool {
        self.ids.contains(&id) || self.said.contains(&id)
    }

    /// Its file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("seq").uint(self.seq).key("ids").open('[');
        for id in &self.ids {
            out.uint(id.0);
        }
        out.close(']').key("said").open('[');
        for id in &self.said {
            out.uint(id.0);
        }
        out.close(']').close('}');
        out.into_bytes()
    }

    /// Reads its file.
    pub fn read(value: &Value) -> Option<Finished> {
        let mut finished = Finished { seq: json::uint(value, "seq")?, ..Finished::default() };
        for id in json::list(value, "ids") {
            finished.ids.push(Id(id.as_u64()?));
        }
        for id in json::list(value, "said") {
            finished.said.push(Id(id.as_u64()?));
        }
        Some(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thousand_are_remembered() {
        let mut finished = Finished::default();
        for id in 0..=MAX_FINISHED as u64 {
            finished.push(Id(id), Kind::Offline);
            finished.push(Id(id + 10_000), Kind::Message);
        }
        let finished = Finished::read(&json::read(&finished.to_json()).unwrap()).unwrap();
        assert!(!finished.contains(Id(0)));
        assert!(finished.contains(Id(1)) && finished.contains(Id(MAX_FINISHED as u64)));
        assert!(!finished.contains(Id(10_000)) && finished.contains(Id(10_001)));
    }
}
