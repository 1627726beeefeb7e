//! How long a metadata service is left alone that says it is asked too often. Pure.

use std::time::Duration;

/// The longest pause: of two requests in a row one is for the most urgent topic, so that this one is looked at within a
/// minute.
const MOST: Duration = Duration::from_secs(30);
/// The longest pause in intervals: a cloud that is asked often gives short notice.
const MOST_INTERVALS: u32 = 10;
/// So many such answers in a row change nothing: a service is out of order for a second now and then.
const FREE: u32 = 2;
/// The interval is doubled at most so often.
const MAX_DOUBLED: u32 = 6;

/// Answers in a row that say so.
#[derive(Default)]
pub struct Pause {
    refused: u32,
    wish: Option<Duration>,
}

impl Pause {
    /// An answer has this status, and names this wait if it does (`Retry-After`).
    pub fn heard(&mut self, status: u16, wish: Option<Duration>) {
        let refuses = matches!(status, 429 | 503);
        self.refused = if refuses { self.refused.saturating_add(1) } else { 0 };
        self.wish = wish.filter(|_| refuses);
    }

    /// From one request to the next, which is usually `interval`.
    pub fn after(&self, interval: Duration) -> Duration {
        let doubled = self.refused.saturating_sub(FREE).min(MAX_DOUBLED);
        let grown = interval.saturating_mul(1 << doubled);
        let most = MOST.min(interval.saturating_mul(MOST_INTERVALS)).max(interval);
        self.wish.unwrap_or(grown).clamp(interval, most)
    }

    /// Whether the last answer said so.
    pub fn is_asked_for(&self) -> bool {
        self.refused > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_and_are_over_with_the_first_other_answer() {
        for (interval, want) in [
            (1, [1, 1, 2, 4, 8, 10, 10]),
            (2, [2, 2, 4, 8, 16, 20, 20]),
            (5, [5, 5, 10, 20, 30, 30, 30]),
            (10, [10, 10, 20, 30, 30, 30, 30]),
            (60, [60; 7]),
        ] {
            let mut pause = Pause::default();
            assert_eq!(pause.after(S * interval), S * interval);
            let got = want.map(|_| {
                pause.heard(503, None);
                pause.after(S * interval).as_secs()
            });
            assert_eq!(got, want, "{interval}");
            for _ in 0..100 {
                pause.heard(429, None);
            }
            assert_eq!(pause.after(S * interval).as_secs(), want[6]);
            pause.heard(404, Some(S * 20));
            assert_eq!(pause.after(S * interval), S * interval);
        }
    }

    #[test]
    fn the_wish_of_the_service_counts_within_limits() {
        let mut pause = Pause::default();
        for (wish, want) in [(0, 5), (7, 7), (30, 30), (86_400, 30)] {
            pause.heard(429, Some(S * wish));
            assert_eq!(pause.after(S * 5), S * want, "{wish}");
        }
        pause.heard(200, Some(S * 20));
        assert_eq!(pause.after(S * 5), S * 5);
    }
}
