//! Whether the metadata service can be seen at all. Pure.

use std::time::Duration;

use crate::clock::Tick;
use crate::spot::service::Why;

/// Without a good answer for so long, a notice may be missed.
pub const BLIND: Duration = Duration::from_secs(60);
/// The time between two polls counts at most so long: neither one lost answer of a slow poller nor a suspended
/// machine is blindness.
const GAP: Duration = Duration::from_secs(30);
/// So many good answers without a bad one between them end blindness, so that a service that answers now and then
/// is not told again and again.
const GOOD: u32 = 3;
/// Between two lines in the log.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// How well the service answers.
pub struct Sight {
    /// The last poll, or the start.
    polled: Tick,
    /// The last good answer, or the start.
    since: Tick,
    /// Time without a good answer.
    dark: Duration,
    goods: u32,
    seen: Option<Tick>,
    why: Option<Why>,
    logged: Option<Tick>,
    /// What the log says is wrong.
    said: Option<String>,
}

/// A line for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// No good answer, and why.
    Lost(String),
    /// Good answers again.
    Back,
}

impl Sight {
    /// At the start nothing has been asked.
    pub fn new(now: Tick) -> Sight {
        Sight {
            polled: now,
            since: now,
            dark: Duration::ZERO,
            goods: 0,
            seen: None,
            why: None,
            logged: None,
            said: None,
        }
    }

    /// Takes in a poll: good, or bad for a reason.
    pub fn observe(&mut self, bad: Option<&Why>, now: Tick) -> Option<Line> {
        let gap = now.since(self.polled).min(GAP);
        self.polled = now;
        match bad {
            None => {
                self.since = now;
                self.dark = Duration::ZERO;
                self.goods = self.goods.saturating_add(1);
                self.seen = Some(now);
                self.said.take().map(|_| Line::Back)
            }
            Some(why) => {
                self.dark += gap;
                self.goods = 0;
                self.why = Some(why.clone());
                self.lost(why, now)
            }
        }
    }

    fn lost(&mut self, why: &Why, now: Tick) -> Option<Line> {
        let quiet = self.logged.is_some_and(|logged| now.since(logged) < LOG_PAUSE);
        if quiet || self.said.as_ref() == Some(&why.text) {
            return None;
        }
        self.logged = Some(now);
        self.said = Some(why.text.clone());
        Some(Line::Lost(why.text.clone()))
    }

    /// Whether nothing good was heard for [`BLIND`].
    pub fn is_blind(&self) -> bool {
        self.dark >= BLIND
    }

    /// Whether answers are good again.
    pub fn is_seeing(&self) -> bool {
        self.goods >= GOOD
    }

    /// The last good answer, or the start.
    pub fn since(&self) -> Tick {
        self.since
    }

    /// The last good answer.
    pub fn last_good(&self) -> Option<Tick> {
        self.seen
    }

    /// The last poll, or the start.
    pub fn polled(&self) -> Tick {
        self.polled
    }

    /// Why the last bad answer was bad.
    pub fn why(&self) -> Option<&Why> {
        self.why.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> Why {
        Why { text: text.to_owned(), hint: "" }
    }

    /// The second at which blindness is noticed, with polls every `interval` seconds and good ones in `good`.
    fn blind_at(interval: i64, good: &[i64]) -> Option<i64> {
        let mut sight = Sight::new(Tick(0));
        (0..600).step_by(usize::try_from(interval).unwrap()).find(|second| {
            let why = bad("500");
            sight.observe((!good.contains(second)).then_some(&why), Tick(second * 1000));
            sight.is_blind()
        })
    }

    #[test]
    fn blindness_takes_a_minute_and_two_polls() {
        for (interval, good, want) in [
            (1, vec![], Some(60)),
            (10, vec![], Some(60)),
            (10, vec![0], Some(60)),
            (10, vec![0, 50], Some(110)),
            (30, vec![0], Some(60)),
            (60, vec![0], Some(120)),
            (300, vec![], None),
            (10, (0..60).map(|n| n * 50).collect(), None),
        ] {
            assert_eq!(blind_at(interval, &good), want, "{interval} {good:?}");
        }
    }

    #[test]
    fn a_suspended_machine_is_not_blind_at_once() {
        let mut sight = Sight::new(Tick(0));
        sight.observe(None, Tick(0));
        sight.observe(Some(&bad("no connection")), Tick(3_600_000));
        assert!(!sight.is_blind());
        for second in 3601..=3630 {
            sight.observe(Some(&bad("no connection")), Tick(second * 1000));
        }
        assert!(sight.is_blind());
    }

    #[test]
    fn three_good_answers_in_a_row_are_sight() {
        let mut sight = Sight::new(Tick(0));
        for (good, seeing) in [(1, false), (1, false), (0, false), (1, false), (1, false), (1, true), (0, false)] {
            let why = bad("500");
            sight.observe((good == 0).then_some(&why), Tick(1));
            assert_eq!(sight.is_seeing(), seeing);
        }
    }

    #[test]
    fn the_log_hears_changes_and_at_most_one_a_minute() {
        let mut sight = Sight::new(Tick(0));
        let mut lines = Vec::new();
        for second in 0..3600 {
            // Good and bad by turns, with changing reasons.
            let why = bad(&format!("answers {}", 500 + second % 3));
            let line = sight.observe((second % 2 == 0).then_some(&why), Tick(second * 1000));
            lines.extend(line);
        }
        assert_eq!(lines.first(), Some(&Line::Lost("answers 500".to_owned())));
        assert_eq!(lines.get(1), Some(&Line::Back));
        assert!(lines.len() <= 2 * 60, "{}", lines.len());
        let mut steady = Sight::new(Tick(0));
        let said = (0..3600).filter_map(|second| steady.observe(Some(&bad("500")), Tick(second * 1000))).count();
        assert_eq!(said, 1);
    }
}
