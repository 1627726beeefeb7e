//! Schedules and a wall clock that is set.

use super::*;

const HOUR: i64 = 3600;
const MIN: i64 = 60;

/// Wall time on the clock of the server when it has run for `secs` and is off by `off`.
fn off(secs: i64, off: i64) -> Now {
    Now { wall: Wall(at(secs).wall.0 + off * 1000), ..at(secs) }
}

/// Firings of a job that is due at every full hour, while the server looks at the clock every minute; at `step` it is
/// set by `by`. START is a full hour.
fn firings(catch_up: Option<Duration>, step: i64, by: i64, until: i64) -> Vec<i64> {
    let cron = "0 * * * *";
    let plan = JobPlan {
        cron: Some((cron.to_owned(), Schedule::parse(cron).unwrap())),
        catch_up,
        ..job("a", Terms::default())
    };
    let mut book = Book::default();
    book.define(&[plan], "me", &off(30 * MIN, 0));
    for secs in (30 * MIN..until).step_by(60) {
        let now = off(secs, if secs < step { 0 } else { by });
        book.step(&[], &now, &Zone::utc());
        for at in 0..book.runs.len() {
            if !book.runs[at].state.is_final() {
                book.end(at, State::Cancelled, "", &now);
            }
        }
    }
    let mut dues: Vec<i64> = book.runs().map(|run| (run.due.0 - START) / 1000 / MIN).collect();
    dues.sort_unstable();
    dues
}

#[test]
fn a_clock_that_is_set_has_nothing_fire_twice_and_little_left_out() {
    let never = i64::MAX;
    let catch = Some(Duration::from_secs(6 * 3600));
    for (catch_up, step, by, want) in [
        (None, never, 0, vec![60, 120, 180, 240]),
        // Forward over one that was due: it was missed, and made up for if that is wanted.
        (None, 90 * MIN, 40 * MIN, vec![60, 180, 240]),
        (catch, 90 * MIN, 40 * MIN, vec![60, 120, 180, 240]),
        // Forward over three: the last one is made up for.
        (None, 90 * MIN, 3 * HOUR, vec![60, 300, 360, 420]),
        (catch, 90 * MIN, 3 * HOUR, vec![60, 240, 300, 360, 420]),
        // Forward by years, as at the first answer of a time server.
        (None, 90 * MIN, 20 * 365 * 24 * HOUR, vec![60, 10_512_120, 10_512_180, 10_512_240]),
        // Back by a little: the hour that comes again is not fired again.
        (None, 61 * MIN, -2 * MIN, vec![60, 120, 180, 240]),
        (None, 130 * MIN, -20 * MIN, vec![60, 120, 180]),
        (catch, 130 * MIN, -50 * MIN, vec![60, 120, 180]),
        // Back by far: from then on the clock is right. An hour that was fired on the wrong one is the same firing.
        (None, 130 * MIN, -90 * MIN, vec![60, 120]),
    ] {
        assert_eq!(firings(catch_up, step, by, 250 * MIN), want, "{catch_up:?}, {by} s at minute {}", step / MIN);
    }
}
