//! Whether a probe is up, judged by what its looks found: pure.
//!
//! Up, or not judged yet: F failures that end within the window W make it down. Down: R successes in a row make it up.
//! Not judged yet: the first success makes it up. What could not be told changes nothing. Nothing else matters: a
//! success takes no failure back, but the window forgets it.

use std::time::Duration;

use crate::clock::Tick;
use crate::probe::State;

/// The numbers of the rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// F: so many failures make it down; at least 1.
    pub max_fails: usize,
    /// W: failures count together if they end within this time, its last moment included.
    pub window: Duration,
    /// R: so many successes in a row make it up again; at least 1.
    pub min_rises: u32,
}

/// What is known of one probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    state: State,
    since: Option<Tick>,
    worked: bool,
    /// When the failures within the window ended; fewer than F.
    fails: Vec<Tick>,
    /// Successes in a row while it is down.
    rises: u32,
    /// Failures since it was to be judged anew while it is down, up to F.
    anew: Option<usize>,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch { state: State::Unknown, since: None, worked: false, fails: Vec::new(), rises: 0, anew: None }
    }
}

impl Watch {
    /// One of which this was known before.
    pub fn restored(state: State, since: Tick, worked: bool) -> Watch {
        Watch { state, since: Some(since), worked, ..Watch::default() }
    }

    /// The judgement.
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when: of one that is down, the first failure that counted.
    pub fn since(&self) -> Option<Tick> {
        self.since
    }

    /// Whether it was ever up.
    pub fn worked(&self) -> bool {
        self.worked
    }

    /// A look has ended `at`; true if that changed the judgement.
    pub fn outcome(&mut self, rule: &Rule, good: Option<bool>, at: Tick) -> bool {
        match (self.state, good) {
            (_, None) | (State::Up, Some(true)) => return false,
            (State::Unknown, Some(true)) => {
                self.set(State::Up, at);
                return true;
            }
            (State::Down, Some(true)) => {
                self.rises += 1;
                self.anew = self.anew.map(|_| 0);
                if self.rises < rule.min_rises {
                    return false;
                }
                self.set(State::Up, at);
            }
            (State::Down, Some(false)) => {
                self.rises = 0;
                self.anew = self.anew.map(|fails| fails.saturating_add(1));
                return false;
            }
            (State::Up | State::Unknown, Some(false)) => {
                self.fails.retain(|fail| at.since(*fail) <= rule.window);
                self.fails.push(at);
                if self.fails.len() < rule.max_fails {
                    return false;
                }
                let since = self.fails.first().copied().unwrap_or(at);
                self.set(State::Down, since);
            }
        }
        true
    }

    /// The judgement is made elsewhere.
    pub fn set(&mut self, state: State, since: Tick) {
        let fails = match state {
            // Those of the time before it was judged count on.
            State::Up if self.state == State::Unknown => std::mem::take(&mut self.fails),
            _ => Vec::new(),
        };
        let worked = self.worked || state == State::Up;
        *self = Watch { state, since: Some(since), worked, fails, rises: 0, anew: None };
    }

    /// Failures that were not enough so far count no more.
    pub fn forget(&mut self) {
        self.fails.clear();
    }

    /// It is down and is to be judged once more, as if it were up.
    pub fn judge_anew(&mut self) {
        self.anew = Some(0);
    }

    /// Whether that was done, if it was asked for.
    pub fn is_judged(&self, rule: &Rule) -> bool {
        self.anew.is_none_or(|fails| fails >= rule.max_fails)
    }

    /// Whether the judgement may be about to change.
    pub fn in_transition(&self, rule: &Rule, now: Tick) -> bool {
        self.rises > 0 || !self.is_judged(rule) || self.fails.iter().any(|fail| now.since(*fail) <= rule.window)
    }
}

#[cfg(test)]
mod tests;
