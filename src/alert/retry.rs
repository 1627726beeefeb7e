//! When a channel or a message is tried again, and when it is given up.

use std::time::Duration;

use crate::clock::Tick;

/// Seconds from a failure to the next attempt; the last one is repeated.
const STEPS: [u64; 10] = [1, 2, 5, 10, 30, 60, 120, 300, 600, 900];
/// A service's own wish is kept up to here.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// A service's own wish is kept up to here for an interrupt. Twelve attempts a minute do not keep a robot muted that is
/// muted from twenty on; of several interrupts the channel's own rate lets no more through.
const MAX_RETRY_AFTER_INTERRUPT: Duration = Duration::from_secs(5);
/// From one attempt of an interrupt to the next, until its deadline.
const INTERRUPT_EVERY: Duration = Duration::from_secs(3);
/// From one attempt on a parked channel to the next.
const PARKED_EVERY: Duration = Duration::from_secs(3600);
/// How long a message is tried on a channel that has answered.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long a message is kept for a channel that never answered, or waits for a person.
pub const GIVE_UP_UNREACHED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Failures from which on a message may be at fault instead of its channel.
pub const SUSPECT_AFTER: u32 = 3;

/// Chance for spreading attempts: xorshift, seeded once.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(u32);

impl Jitter {
    /// A sequence of its own for each seed.
    pub fn new(seed: u32) -> Jitter {
        Jitter(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        if end == 0 { 0 } else { self.0 % end }
    }

    /// `time`, 20 % more or less.
    fn spread(&mut self, time: Duration) -> Duration {
        time * (80 + self.below(41)) / 100
    }
}

/// How long to wait after failure number `fails` (from 1), with the service's own wish.
pub fn wait(fails: u32, after: Option<Duration>, jitter: &mut Jitter) -> Duration {
    let step = usize::try_from(fails.saturating_sub(1)).unwrap_or(usize::MAX).min(STEPS.len() - 1);
    let own = jitter.spread(Duration::from_secs(STEPS[step]));
    own.max(after.unwrap_or_default().min(MAX_RETRY_AFTER))
}

/// How long an interrupt waits after any failure.
pub fn wait_interrupt(after: Option<Duration>) -> Duration {
    INTERRUPT_EVERY.max(after.unwrap_or_default().min(MAX_RETRY_AFTER_INTERRUPT))
}

/// How a channel is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ChannelState {
    /// It took the last message, or was not needed yet.
    #[default]
    Well,
    /// It is backed off.
    Retrying {
        /// The first failure in a row.
        since: Tick,
        /// The next attempt.
        until: Tick,
        /// The last failure.
        why: String,
    },
    /// It waits for a person.
    Parked {
        /// The next attempt.
        until: Tick,
        /// What is to be mended.
        why: String,
    },
}

/// The pace of one channel.
#[derive(Clone, Debug)]
pub struct Pace {
    state: ChannelState,
    fails: u32,
    until: Tick,
    passed: u32,
    /// The channel answered the last failed attempt: it may be that message's fault.
    answering: bool,
    first_answer: Option<Tick>,
}

impl Pace {
    /// A channel as it was left: when it first answered, and why it was parked. A parked one is tried at once.
    pub fn new(first_answer: Option<Tick>, parked: Option<String>, now: Tick) -> Pace {
        let state = parked.map_or(ChannelState::Well, |why| ChannelState::Parked { until: now, why });
        Pace { state, fails: 0, until: now, passed: 0, answering: false, first_answer }
    }

    /// How it is doing.
    pub fn state(&self) -> &ChannelState {
        &self.state
    }

    /// Before this only a fresh interrupt may go.
    pub fn until(&self) -> Tick {
        self.until
    }

    /// Messages it took since the start.
    pub fn passed(&self) -> u32 {
        self.passed
    }

    /// Whether it waits for a person.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, ChannelState::Parked { .. })
    }

    /// Whether it is time to see if another message passes than the one that keeps failing.
    pub fn try_another(&self) -> bool {
        self.answering && self.fails >= SUSPECT_AFTER && self.fails % 2 == 1
    }

    /// It answered, whatever it said.
    pub fn answered(&mut self, now: Tick) {
        self.first_answer.get_or_insert(now);
    }

    /// It took a message.
    pub fn took(&mut self, now: Tick) {
        self.answered(now);
        self.passed = self.passed.wrapping_add(1);
        self.state = ChannelState::Well;
        self.fails = 0;
        self.until = now;
    }

    /// It refused one message for that message's sake: it works.
    pub fn refused_one(&mut self, now: Tick) {
        self.answered(now);
        if !self.is_parked() {
            self.state = ChannelState::Well;
            self.fails = 0;
            self.until = now;
        } else {
            self.until = now + PARKED_EVERY;
        }
    }

    /// It is in trouble. A failure within a back-off (an interrupt's) does not lengthen it.
    pub fn failed(&mut self, now: Tick, why: &str, after: Option<Duration>, answered: bool, jitter: &mut Jitter) {
        if answered {
            self.answered(now);
        }
        if let ChannelState::Parked { until, .. } = &mut self.state {
            *until = now + PARKED_EVERY;
            self.until = *until;
            return;
        }
        let since = match &self.state {
            ChannelState::Retrying { since, .. } => *since,
            ChannelState::Well | ChannelState::Parked { .. } => now,
        };
        if self.fails == 0 || now >= self.until {
            self.fails = self.fails.saturating_add(1);
            self.until = now + wait(self.fails, after, jitter);
            self.answering = answered;
        }
        self.state = ChannelState::Retrying { since, until: self.until, why: why.to_owned() };
    }

    /// It waits for a person from now on.
    pub fn park(&mut self, now: Tick, why: &str) {
        self.answered(now);
        self.until = now + PARKED_EVERY;
        self.state = ChannelState::Parked { until: self.until, why: why.to_owned() };
    }

    /// Makes the next attempt due at once.
    pub fn hurry(&mut self, now: Tick) {
        self.until = self.until.min(now);
        if let ChannelState::Retrying { until, .. } | ChannelState::Parked { until, .. } = &mut self.state {
            *until = self.until;
        }
    }

    /// When a message queued at `queued` is given up.
    pub fn gives_up(&self, queued: Tick) -> Tick {
        match self.first_answer {
            Some(first) if !self.is_parked() => queued.max(first) + GIVE_UP_AFTER,
            _ => queued + GIVE_UP_UNREACHED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: u64 = 60;

    #[test]
    fn steps_with_jitter() {
        let mut jitter = Jitter::new(1);
        for (fails, secs) in [(1, 1), (2, 2), (3, 5), (4, 10), (5, 30), (6, MIN), (7, 2 * MIN), (8, 5 * MIN)]
            .into_iter()
            .chain([(9, 10 * MIN), (10, 15 * MIN), (11, 15 * MIN), (u32::MAX, 15 * MIN)])
        {
            let mut seen = Vec::new();
            for _ in 0..200 {
                let wait = wait(fails, None, &mut jitter).as_millis();
                assert!(wait >= u128::from(secs * 800) && wait <= u128::from(secs * 1200), "{fails}: {wait}");
                seen.push(wait);
            }
            assert!(seen.iter().max() > seen.iter().min(), "no jitter");
        }
    }

    #[test]
    fn the_services_wish_is_kept_up_to_a_bound() {
        let mut jitter = Jitter::new(1);
        let secs = Duration::from_secs;
        assert_eq!(wait(1, Some(secs(70)), &mut jitter), secs(70));
        assert_eq!(wait(1, Some(secs(1_000_000)), &mut jitter), secs(3600));
        assert!(wait(10, Some(secs(1)), &mut jitter) >= secs(720));
        assert_eq!(wait_interrupt(None), secs(3));
        assert_eq!(wait_interrupt(Some(secs(3600))), secs(5));
    }

    #[test]
    fn a_message_is_given_up_a_day_after_the_first_answer_or_after_a_week() {
        let hour = Duration::from_secs(3600);
        let mut pace = Pace::new(None, None, Tick(0));
        assert_eq!(pace.gives_up(Tick(0)), Tick(0) + 24 * 7 * hour);
        pace.answered(Tick(0) + 72 * hour);
        assert_eq!(pace.gives_up(Tick(0)), Tick(0) + 96 * hour);
        assert_eq!(pace.gives_up(Tick(0) + 80 * hour), Tick(0) + 104 * hour);
        pace.park(Tick(0) + 73 * hour, "sign");
        assert_eq!(pace.gives_up(Tick(0)), Tick(0) + 24 * 7 * hour);
    }

    #[test]
    fn a_failure_within_the_back_off_does_not_lengthen_it() {
        let mut jitter = Jitter::new(1);
        let mut pace = Pace::new(None, None, Tick(0));
        pace.failed(Tick(0), "no answer", Some(Duration::from_secs(60)), false, &mut jitter);
        let until = pace.until();
        assert_eq!(until, Tick(60_000));
        pace.failed(Tick(3000), "no answer", Some(Duration::from_secs(600)), false, &mut jitter);
        assert_eq!(pace.until(), until);
    }
}
