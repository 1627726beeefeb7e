//! When a resource is high, and when it is normal again: pure.
//!
//! A value at or above the limit for as long as it may be makes it high; only a value at or below the lower limit for a
//! while makes it normal again. What is not known neither begins nor ends anything.

use std::time::Duration;

use super::State;
use crate::clock::Tick;

/// How much is too much, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// From here on it is too much.
    pub high: i64,
    /// Down to here it must come to be normal again; below `high`.
    pub clear: i64,
    /// For so long it must be too much before anybody is told.
    pub hold: Duration,
    /// For so long it must be enough again.
    pub rest: Duration,
}

/// The judgement on one resource. Times are those of the readings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    high: bool,
    known: bool,
    /// Since when it is high, or is not.
    since: Option<Tick>,
    /// Since when readings speak for the other state.
    turning: Option<Tick>,
    /// The last reading.
    seen: Option<Tick>,
}

impl Watch {
    /// High since `since`, as an earlier run found.
    pub fn restored(since: Tick) -> Watch {
        Watch { high: true, since: Some(since), ..Watch::default() }
    }

    /// Takes in what was read at `at`. If nothing was known for longer than `patience`, and longer than the limit's own
    /// time, before it, what had begun to show begins anew.
    pub fn observe(&mut self, value: i64, at: Tick, patience: Duration, limit: &Limit) {
        self.known = true;
        if self.seen.is_some_and(|seen| seen >= at) {
            return;
        }
        let time = if self.high { limit.rest } else { limit.hold };
        let gap = self.seen.replace(at).map(|seen| at.since(seen));
        if gap.is_none_or(|gap| gap > patience.max(time)) {
            self.turning = None;
        }
        self.since.get_or_insert(at);
        let turns = if self.high { value <= limit.clear } else { value >= limit.high };
        if !turns {
            self.turning = None;
            return;
        }
        let turning = *self.turning.get_or_insert(at);
        if at.since(turning) >= time {
            self.high = !self.high;
            self.since = Some(turning);
            self.turning = None;
        }
    }

    /// Nothing is known at present.
    pub fn lose(&mut self) {
        self.known = false;
    }

    /// Whether it is high, known or not.
    pub fn is_high(&self) -> bool {
        self.high
    }

    /// Whether there is nothing to remember: it is not high, and nothing speaks for it.
    pub fn is_calm(&self) -> bool {
        !self.high && self.turning.is_none()
    }

    /// The judgement.
    pub fn state(&self) -> State {
        match (self.known, self.high) {
            (false, _) => State::Unknown,
            (true, true) => State::High,
            (true, false) => State::Normal,
        }
    }

    /// Since when it is high, or is not; of one of which nothing is known, when it was last.
    pub fn since(&self) -> Option<Tick> {
        if self.known || self.seen.is_none() { self.since } else { self.seen }
    }

    /// Since when it is high, or is not, known or not.
    pub fn began(&self) -> Option<Tick> {
        self.since
    }
}

#[cfg(test)]
mod tests;
