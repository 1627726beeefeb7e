//! How long a callback may take: pure arithmetic.

use std::time::Duration;

use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Kind};

/// Without a `timeout`, and without a deadline that is known.
const USUAL: Duration = Duration::from_secs(60);
/// For an `interrupt` whose deadline has passed already: the instance is still there, but nobody knows for how long.
const OVERDUE: Duration = Duration::from_secs(30);
/// The longest time that is given without a `timeout`: a cloud may announce a reclaim hours ahead.
const LONGEST: Duration = Duration::from_secs(3600);
/// The shortest time that is given at all.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// Least and most that stays of what is left until a deadline: two seconds from SIGTERM to SIGKILL, and the telling.
const MARGIN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];

/// When the instance of an `interrupt` goes, as far as it is known.
pub fn deadline(event: &Event, now: &Now) -> Option<Tick> {
    if event.kind != Kind::Interrupt {
        return None;
    }
    match (event.fact(Field::Deadline), event.fact(Field::Lead)) {
        (Some(Fact::Time(deadline)), _) => deadline.tick(now),
        (_, Some(Fact::Span(lead))) => Some(event.at.tick(now)? + *lead),
        _ => None,
    }
}

/// How long a run may take that starts `now` for `event`. `followers` share the time until a deadline with it, if its
/// own is not written in the file.
pub fn limit(timeout: Option<Duration>, event: &Event, followers: u32, now: &Now) -> Duration {
    let Some(deadline) = deadline(event, now) else { return timeout.unwrap_or(USUAL) };
    let left = deadline.since(now.tick);
    if left.is_zero() {
        return timeout.unwrap_or(OVERDUE).min(OVERDUE);
    }
    let most = left.saturating_sub(margin(left)).max(SHORTEST);
    match timeout {
        Some(timeout) => timeout.min(most),
        None => (most / (followers + 1)).clamp(SHORTEST, LONGEST),
    }
}

fn margin(left: Duration) -> Duration {
    (left / 10).clamp(MARGIN[0], MARGIN[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::{at, event};
    use crate::event::Moment;

    fn notice(left: i64) -> Event {
        event(Kind::Interrupt, 1, "x")
            .with(Field::Deadline, Fact::Time(Moment::at(Tick(1000 + left * 1000), &at(1000))))
    }

    #[test]
    fn what_is_left_minus_a_margin() {
        let secs = |secs| Some(Duration::from_secs(secs));
        for (left, timeout, followers, want) in [
            (300, None, 0, 290),
            (300, None, 1, 145),
            (300, secs(20), 0, 20),
            (300, secs(20), 3, 20),
            (300, secs(999), 0, 290),
            (120, None, 0, 110),
            (30, None, 0, 27),
            (30, secs(30), 0, 27),
            (4, None, 0, 1),
            (2, None, 5, 1),
            (2, secs(60), 0, 1),
            (0, None, 0, 30),
            (-100, None, 0, 30),
            (-100, secs(5), 0, 5),
            (-100, secs(500), 0, 30),
            (86_400, None, 0, 3600),
            (86_400, secs(7200), 0, 7200),
        ] {
            let got = limit(timeout, &notice(left), followers, &at(1000));
            assert_eq!(got, Duration::from_secs(want), "{left} {timeout:?} {followers}");
        }
    }

    #[test]
    fn without_a_deadline() {
        let lead = event(Kind::Interrupt, 1, "x").with(Field::Lead, Fact::Span(Duration::from_secs(120)));
        assert_eq!(limit(None, &lead, 0, &at(1000)), Duration::from_secs(110));
        for event in [event(Kind::Interrupt, 1, "x"), Event { kind: Kind::Offline, ..notice(300) }] {
            assert_eq!(limit(None, &event, 0, &at(1000)), Duration::from_secs(60));
            assert_eq!(limit(Some(Duration::from_secs(500)), &event, 0, &at(1000)), Duration::from_secs(500));
        }
    }
}
