//! Requests that carry a key, so that repeating them does no harm.

use super::{Book, MAX_SEEN};
use crate::clock::Now;
use crate::event::Id;
use crate::http::agents::refusal::{Refusal, UNDER_WAY};

/// For how long a key is remembered, in milliseconds.
const KEEP_SEEN: u64 = 86_400_000;

impl Book {
    /// Whether a request with this key was done within a day; if not, it is being done until [`Book::ended`].
    ///
    /// # Errors
    /// When it is being done: nobody knows yet what to answer.
    pub fn is_repeated(&mut self, key: Id, now: &Now) -> Result<bool, Refusal> {
        if self.doing.contains(&key) {
            return Err(UNDER_WAY);
        }
        self.seen.retain(|(_, at)| now.wall.0.abs_diff(at.0) < KEEP_SEEN);
        let done = self.seen.iter().any(|(known, _)| *known == key);
        if !done {
            self.doing.push(key);
        }
        Ok(done)
    }

    /// A request with this key is done. Said together with what it did: so both are on disk, or neither.
    pub fn done(&mut self, key: Option<Id>, now: &Now) {
        let Some(key) = key else { return };
        if self.seen.iter().any(|(known, _)| *known == key) {
            return;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.remove(0);
        }
        self.seen.push((key, now.wall));
        self.lazy = true;
    }

    /// A request with this key is not being done any more; `done`: and it was.
    pub fn ended(&mut self, key: Id, done: bool, now: &Now) {
        self.doing.retain(|known| *known != key);
        if done {
            return self.done(Some(key), now);
        }
        let before = self.seen.len();
        self.seen.retain(|(known, _)| *known != key);
        self.lazy |= self.seen.len() < before;
    }
}
