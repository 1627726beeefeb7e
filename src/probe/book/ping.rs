//! What reports itself, and is missed when it does not.

use std::time::Duration;

use super::{Book, Item, SAVE, SAVE_PING, Source};
use crate::alert::clean::cut;
use crate::clock::Tick;
use crate::probe::{PingRule, State};

/// After a start of the program, or when the machine stood still, nothing is missed before this, or one period and
/// grace if that is less: nobody could be heard, and what came last is known no better than this ([`SAVE_PING`]).
const PATIENCE: Duration = SAVE_PING;

/// Bytes of a body that `status` shows.
const MAX_DETAIL: usize = 200;

/// Why it is down: nothing came.
pub const MISSING: &str = "no ping came in time";
/// Why it is down: what was begun did not end.
pub const UNENDED: &str = "it began and did not end in time";
/// Why it is down: it said so.
pub const SAID: &str = "it said that it failed";

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pinged {
    /// All is well, or a run has ended well.
    Good,
    /// A run begins.
    Begun,
    /// A run has failed, with this exit code if there is one.
    Failed(Option<u8>),
}

/// What is known of one.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Ping {
    /// The last good one.
    pub good: Option<Tick>,
    /// A run that has not ended.
    pub begun: Option<Tick>,
    /// Nothing is missed before this.
    pub patience: Option<Tick>,
    /// What came with the last one, and its exit code.
    pub body: String,
    pub code: Option<u8>,
    /// One said what is to be saved before it is answered, and [`Book::tell`] has not passed it on yet.
    pub pressing: bool,
    /// The number of the change with the last of these that was passed on.
    pub number: u64,
}

impl Ping {
    /// When it is missed, since when that counts, and why.
    fn deadline(&self, rule: &PingRule) -> Option<(Tick, Tick, &'static str)> {
        let next = self.good.map(|good| (good + rule.period + rule.grace, good + rule.period, MISSING));
        let end = self.begun.map(|begun| (begun + rule.grace, begun, UNENDED));
        let (at, since, why) = match (next, end) {
            (Some(next), Some(end)) if next.0 < end.0 => next,
            (next, end) => end.or(next)?,
        };
        Some((at.max(self.patience.unwrap_or(at)), since, why))
    }
}

impl Item {
    /// Nobody could be heard until now.
    pub(super) fn listen_again(&mut self, now: Tick) {
        if let Source::Ping(rule) = &self.source {
            self.ping.patience = Some(now + PATIENCE.min(rule.period + rule.grace));
        }
    }
}

impl Book {
    pub(super) fn listen_again(&mut self, now: Tick) {
        self.items.iter_mut().for_each(|item| item.listen_again(now));
    }

    /// A ping came for `name`; `body` is clean. False if there is none of that name, or nobody would save it any more.
    pub fn pinged(&mut self, name: &str, ping: Pinged, body: String, now: Tick) -> bool {
        let is_it = |item: &Item| item.name() == name && item.plan().is_none();
        let found = self.items.iter().position(is_it).filter(|_| !self.closed);
        let Some((at, item)) = found.and_then(|at| Some((at, self.items.get_mut(at)?))) else { return false };
        let (begun, before) = (item.ping.begun, item.ping.good);
        item.last = Some(now);
        (item.ping.body, item.ping.code, item.ping.begun) = (body, None, None);
        let state = match ping {
            Pinged::Begun => {
                item.ping.begun = Some(now);
                item.detail = "runs".to_owned();
                item.watch.state()
            }
            Pinged::Good => {
                item.ping.good = Some(now);
                item.detail = cut(item.ping.body.clone(), MAX_DETAIL);
                State::Up
            }
            Pinged::Failed(code) => {
                item.ping.code = code;
                item.detail = code.map_or_else(|| SAID.to_owned(), |code| ["exit code ", &code.to_string()].concat());
                State::Down
            }
        };
        if ping != Pinged::Begun {
            item.took = begun.map(|begun| now.since(begun));
        }
        // One that comes more often is awaited for longer after a start than it is apart: there is time to save it.
        let often = matches!(&item.source, Source::Ping(rule) if rule.period + rule.grace <= PATIENCE);
        let turned = state != item.watch.state();
        if turned {
            item.watch.set(state, now);
            item.turned(now);
        }
        // What is lost with less than this is a moment of what is waited for after a start.
        let fresh = ping == Pinged::Good && before.is_none_or(|before| now.since(before) >= PATIENCE);
        let presses = turned || fresh && !often;
        item.ping.pressing |= presses;
        if turned {
            self.say(at);
        }
        if presses {
            self.save_by(now);
        }
        self.save_by(now + if often { SAVE_PING } else { SAVE });
        true
    }

    /// The change that is on disk before a ping of `name` is answered: what pressed last, and this one may but repeat.
    /// `None` while it is not passed on.
    pub fn number(&self, name: &str) -> Option<u64> {
        let ping = &self.items.iter().find(|item| item.name() == name)?.ping;
        (!ping.pressing).then_some(ping.number)
    }

    /// Whether a ping said what is to be saved before it is answered, and [`Book::tell`] has not passed it on yet.
    pub fn presses(&self) -> bool {
        self.items.iter().any(|item| item.ping.pressing)
    }

    /// All that pressed is in the change of this number.
    pub(super) fn passed_on(&mut self, number: u64) {
        for item in self.items.iter_mut().filter(|item| item.ping.pressing) {
            (item.ping.pressing, item.ping.number) = (false, number);
        }
    }

    /// Judges what did not come.
    pub(super) fn missing(&mut self, now: Tick) {
        for at in 0..self.items.len() {
            let Some(item) = self.items.get_mut(at) else { continue };
            let Source::Ping(rule) = &item.source else { continue };
            let Some((_, since, why)) = item.ping.deadline(rule).filter(|(at, ..)| *at <= now) else { continue };
            if item.watch.state() == State::Down {
                continue;
            }
            why.clone_into(&mut item.detail);
            (item.ping.begun, item.ping.code) = (None, None);
            item.ping.body.clear();
            item.watch.set(State::Down, since);
            item.turned(now);
            self.say(at);
            self.save_by(now + SAVE);
        }
    }
}
