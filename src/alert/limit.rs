//! How many messages a minute a channel may be sent: a token bucket.

use std::time::Duration;

use crate::clock::{Tick, millis};

/// One token, in the unit of the level. A rate of n a minute adds n of these units each millisecond.
const TOKEN: i64 = 60_000;

/// Share of the tokens that only an interrupt may use, as a divisor: one fifth, 20 %.
const RESERVED: i64 = 5;

/// A bucket of tokens, one per message. In no time span shorter than a minute more than the limit pass.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Units it holds at most; 0 for no limit.
    capacity: i64,
    /// Units added per millisecond.
    rate: i64,
    level: i64,
    at: Tick,
}

impl Bucket {
    /// A full bucket for `per_minute` messages a minute; `None` without limit.
    pub fn new(per_minute: Option<u32>, now: Tick) -> Bucket {
        let Some(most) = per_minute else {
            return Bucket { capacity: 0, rate: 0, level: 0, at: now };
        };
        // What lies in the bucket and what runs in during a minute may follow each other, so they share the limit.
        let most = i64::from(most.max(1));
        let burst = (most + 1) / 2;
        let capacity = burst * TOKEN;
        Bucket { capacity, rate: most + 1 - burst, level: capacity, at: now }
    }

    /// Messages that may go now, at most `u32::MAX`; an interrupt may use the reserve.
    pub fn available(&mut self, now: Tick, interrupt: bool) -> u32 {
        if self.capacity == 0 {
            return u32::MAX;
        }
        self.fill(now);
        u32::try_from((self.level - self.reserve(interrupt)).max(0) / TOKEN).unwrap_or(u32::MAX)
    }

    /// When the next message may go.
    pub fn ready_at(&mut self, now: Tick, interrupt: bool) -> Tick {
        if self.available(now, interrupt) > 0 {
            return now;
        }
        let lacking = TOKEN + self.reserve(interrupt) - self.level;
        let wait = (lacking + self.rate - 1) / self.rate;
        now + Duration::from_millis(u64::try_from(wait).unwrap_or(0))
    }

    /// Takes the token of one message.
    pub fn take(&mut self, now: Tick) {
        self.fill(now);
        self.level = (self.level - TOKEN).max(0);
    }

    fn fill(&mut self, now: Tick) {
        let passed = millis(now.since(self.at));
        self.level = self.level.saturating_add(passed.saturating_mul(self.rate)).min(self.capacity);
        self.at = self.at.max(now);
    }

    /// With room for a single message there is nothing to reserve.
    fn reserve(&self, interrupt: bool) -> i64 {
        if interrupt || self.capacity <= TOKEN { 0 } else { self.capacity / RESERVED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::retry::Jitter;

    #[test]
    fn without_a_limit_all_may_go() {
        let mut bucket = Bucket::new(None, Tick(0));
        bucket.take(Tick(0));
        assert_eq!(bucket.available(Tick(0), false), u32::MAX);
        assert_eq!(bucket.ready_at(Tick(0), false), Tick(0));
    }

    #[test]
    fn a_fifth_is_kept_for_interrupts() {
        let mut bucket = Bucket::new(Some(20), Tick(0));
        assert_eq!((bucket.available(Tick(0), false), bucket.available(Tick(0), true)), (8, 10));
        for _ in 0..8 {
            bucket.take(Tick(0));
        }
        assert_eq!((bucket.available(Tick(0), false), bucket.available(Tick(0), true)), (0, 2));
        let at = bucket.ready_at(Tick(0), false);
        assert_eq!(bucket.available(at - Duration::from_millis(1), false), 0);
        assert_eq!(bucket.available(at, false), 1);
    }

    #[test]
    fn one_a_minute_is_one_a_minute() {
        let mut bucket = Bucket::new(Some(1), Tick(0));
        assert_eq!(bucket.available(Tick(0), false), 1);
        bucket.take(Tick(0));
        assert_eq!(bucket.ready_at(Tick(0), false), Tick(60_000));
    }

    #[test]
    fn no_minute_has_more_than_the_limit() {
        for most in [1u32, 2, 3, 5, 20, 100] {
            let mut bucket = Bucket::new(Some(most), Tick(0));
            let mut chance = Jitter::new(most);
            let mut sent: Vec<i64> = Vec::new();
            let mut now = Tick(0);
            while now.0 < 600_000 {
                let interrupt = chance.below(3) == 0;
                if bucket.available(now, interrupt) > 0 && chance.below(2) == 0 {
                    bucket.take(now);
                    sent.push(now.0);
                }
                now = now + Duration::from_millis(u64::from(chance.below(1 + 60_000 / most)));
            }
            for (i, first) in sent.iter().enumerate() {
                let minute = sent[i..].iter().take_while(|t| **t < first + 60_000).count();
                assert!(minute <= most as usize, "{minute} of {most}");
            }
            assert!(sent.len() >= 5 * most as usize / 2, "{} of {most}", sent.len());
        }
    }
}
