//! One log line per minute about one source or one host: nobody fills a log by knocking.

use std::time::Duration;

use crate::clock::Tick;

/// Least time between two lines about one.
pub const EVERY: Duration = Duration::from_secs(60);
/// Those who get a line within that time. The others get none.
pub const MAX_LINES: usize = 256;

/// Who had a line lately.
#[derive(Default)]
pub struct LogQuota {
    /// In the order of their times.
    lately: Vec<(u64, Tick)>,
}

impl LogQuota {
    /// Whether a line about number `whom` may be written now; if so, it counts as written.
    pub fn allows(&mut self, whom: u64, now: Tick) -> bool {
        let over = self.lately.iter().take_while(|(_, at)| now.since(*at) >= EVERY).count();
        self.lately.drain(..over);
        let allowed = self.lately.len() < MAX_LINES && self.lately.iter().all(|(other, _)| *other != whom);
        if allowed {
            self.lately.push((whom, now));
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_source_and_minute() {
        let mut quota = LogQuota::default();
        assert!(quota.allows(1, Tick(0)));
        assert!(quota.allows(2, Tick(30_000)));
        assert!(!quota.allows(1, Tick(59_999)));
        assert!(quota.allows(1, Tick(60_000)));
        assert!(!quota.allows(2, Tick(60_000)));
        let lines = (0..5000_u64).filter(|n| quota.allows(*n, Tick(61_000))).count();
        assert_eq!(lines, MAX_LINES - 2);
        assert!(quota.allows(5000, Tick(200_000)));
        assert_eq!(quota.lately.len(), 1);
    }
}
