//! When a client beats: pure.

use std::time::Duration;

use crate::clock::Tick;

/// Least time between the starts of two beats, however often something new is to be said.
pub const LEAST_GAP: Duration = Duration::from_millis(200);
/// First pause after a failure; doubled after each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest pause after a failure, as far as the period allows it.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// Shortest and longest time that one beat may take.
const BEAT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// How long one beat may take at this period.
pub fn time_for_a_beat(period: Duration) -> Duration {
    (period / 2).clamp(BEAT.0, BEAT.1)
}

/// The pace of one client. `luck` is a random byte wherever it occurs: it spreads what would else come at one moment.
#[derive(Clone, Debug)]
pub struct Pace {
    period: Duration,
    started: Tick,
    due: Tick,
    failures: u32,
}

impl Pace {
    /// The first beat is due `now`.
    pub fn new(period: Duration, now: Tick) -> Pace {
        Pace { period, started: now - LEAST_GAP, due: now, failures: 0 }
    }

    /// When the next beat starts.
    pub fn due(&self) -> Tick {
        self.due
    }

    /// A beat starts now.
    pub fn starts(&mut self, now: Tick) {
        self.started = now;
        self.due = now + self.period;
    }

    /// It was answered; `next` is when the server wants the next one. That comes 0 to 10 % early, never late, counted
    /// from start to start.
    pub fn answered(&mut self, next: Option<Duration>, luck: u8) {
        self.failures = 0;
        let shortest = Duration::from_secs(1).min(self.period);
        let wish = next.unwrap_or(self.period).clamp(shortest, self.period);
        self.due = self.started + (wish - early(wish, luck));
    }

    /// It failed by `now`. The next one comes after 1, 2, 4, … s, at most a quarter of the period and 60 s, and if
    /// there is time for it, within the period.
    pub fn failed(&mut self, now: Tick, luck: u8) {
        let doubled = FIRST_RETRY * 2_u32.pow(self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        let pause = doubled.min(self.period / 4).min(LAST_RETRY);
        let latest = (self.started + self.period).max(now);
        self.due = (now + (pause - early(pause, luck))).min(latest);
    }

    /// There is something new to say, or the machine woke from suspend: as soon as may be.
    pub fn hurry(&mut self, now: Tick) {
        self.due = self.due.min((self.started + LEAST_GAP).max(now));
    }
}

/// 0 to 10 % of `time`.
fn early(time: Duration, luck: u8) -> Duration {
    time * u32::from(luck) / 2550
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn beats_take_their_time_from_the_period() {
        for (period, time) in [(secs(30), 15), (secs(20), 10), (Duration::from_millis(200), 5), (secs(86_400), 15)] {
            assert_eq!(time_for_a_beat(period), secs(time));
        }
    }

    #[test]
    fn retries_double_up_to_a_quarter_of_the_period() {
        for (period, pauses) in [
            (secs(600), &[1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000][..]),
            (secs(30), &[1000, 2000, 4000, 7500, 7500]),
            (secs(4), &[1000, 1000]),
            (Duration::from_millis(200), &[50, 50]),
        ] {
            let mut pace = Pace::new(period, Tick(0));
            for pause in pauses {
                let now = pace.due();
                pace.starts(now);
                pace.failed(now, 0);
                assert_eq!(pace.due(), now + Duration::from_millis(*pause));
            }
            pace.answered(None, 0);
            pace.failed(Tick(0), 255);
            assert_eq!(pace.due(), Tick(0) + (secs(1).min(period / 4) * 9 / 10));
        }
    }

    #[test]
    fn the_server_may_ask_for_more_beats_but_not_for_fewer() {
        for (next, due) in [(None, 30), (Some(10), 10), (Some(300), 30), (Some(0), 1)] {
            let mut pace = Pace::new(secs(30), Tick(0));
            pace.starts(Tick(0));
            pace.answered(next.map(secs), 0);
            assert_eq!(pace.due(), Tick(0) + secs(due));
            pace.answered(next.map(secs), 255);
            assert_eq!(pace.due(), Tick(0) + secs(due) * 9 / 10);
        }
    }

    #[test]
    fn news_do_not_wait_and_do_not_flood() {
        let mut pace = Pace::new(secs(30), Tick(0));
        pace.hurry(Tick(0));
        assert_eq!(pace.due(), Tick(0));
        pace.starts(Tick(0));
        pace.answered(None, 0);
        pace.hurry(Tick(50));
        assert_eq!(pace.due(), Tick(200));
        pace.hurry(Tick(5000));
        assert_eq!(pace.due(), Tick(200), "what is due does not move back");
        pace.starts(Tick(300));
        pace.answered(None, 0);
        pace.hurry(Tick(9000));
        assert_eq!(pace.due(), Tick(9000));
    }

    /// Whatever happens, the next beat starts no later than a period after the last start, or at once.
    #[test]
    fn never_late() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for _ in 0..200 {
            let period = Duration::from_millis(100 + below(200_000));
            let mut pace = Pace::new(period, Tick(0));
            let mut now = Tick(0);
            for _ in 0..200 {
                now = now.max(pace.due());
                pace.starts(now);
                let start = now;
                now = now + Duration::from_millis(below(20_000));
                match below(3) {
                    0 => {
                        pace.failed(now, below(256) as u8);
                        assert!(pace.due() >= now);
                        assert!(pace.due().since(now) <= (period / 4).min(secs(60)));
                    }
                    _ => {
                        pace.answered(None, below(256) as u8);
                        assert!(pace.due().since(start) >= period * 9 / 10 - Duration::from_millis(1));
                    }
                }
                if below(4) == 0 {
                    pace.hurry(now);
                    assert!(pace.due().since(start) >= LEAST_GAP.min(period / 4) * 9 / 10 || pace.due() >= now);
                }
                assert!(pace.due() <= (start + period).max(now));
            }
        }
    }
}
