//! Quiet hours of a channel: when they are, by the local clock, and when they end.

use std::time::Duration;

use crate::clock::{Now, Tick, Wall};
use crate::config::plan::Quiet;
use crate::keepalive::silences::is_open;
use crate::zone::Zone;

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;
/// Minutes of a day.
const DAY: i64 = 24 * 60;
/// Every day of the week.
const EVERY_DAY: u8 = 0x7f;

/// Quiet hours somewhere.
#[derive(Clone, Debug)]
pub struct Hours {
    quiet: Quiet,
    zone: Zone,
}

impl Hours {
    /// `quiet` by the clock of `zone`.
    pub fn new(quiet: Quiet, zone: Zone) -> Hours {
        Hours { quiet, zone }
    }

    /// When they end, if it is one of them now. None is while the clock was never set.
    pub fn end(&self, now: &Now) -> Option<Tick> {
        let end = self.end_of(now.wall)?;
        Some(now.tick + Duration::from_millis(end.0.saturating_sub(now.wall.0).unsigned_abs()))
    }

    /// The end of those that `at` lies in. The clock may be put forward or back before it.
    pub fn end_of(&self, at: Wall) -> Option<Wall> {
        if !at.is_set() || !self.covers(at) {
            return None;
        }
        let whole = at.0.div_euclid(MINUTE);
        let (_, minute) = self.zone.local(at);
        let (mut early, mut late) = (0, (i64::from(self.quiet.to) - i64::from(minute)).rem_euclid(DAY));
        let covered = |minutes: i64| self.covers(Wall((whole + minutes) * MINUTE));
        // An hour that comes twice makes them longer.
        while covered(late) && late < 2 * DAY {
            (early, late) = (late, late + 30);
        }
        // One that is left out makes them shorter.
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            if covered(middle) { early = middle } else { late = middle }
        }
        Some(Wall((whole + late) * MINUTE))
    }

    fn covers(&self, at: Wall) -> bool {
        is_open((self.quiet.from, self.quiet.to), EVERY_DAY, self.zone.local(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;

    /// 2026-11-21 00:00:00 UTC, a Saturday.
    const MIDNIGHT: i64 = 1_795_219_200;
    const HOUR: i64 = 3600;

    fn hours(from: u16, to: u16, zone: &str) -> Hours {
        Hours::new(Quiet { from, to }, Zone::load(Some(zone)).unwrap())
    }

    /// Seconds from `at` to the end.
    fn left(hours: &Hours, at: i64) -> Option<i64> {
        hours.end_of(Wall(at * 1000)).map(|end| end.0 / 1000 - at)
    }

    #[test]
    fn over_midnight_within_a_day_and_in_another_zone() {
        let night = hours(22 * 60, 7 * 60, "UTC0");
        let noon = hours(12 * 60, 13 * 60 + 30, "UTC0");
        let far = hours(22 * 60, 7 * 60, "+08:00");
        let until_midnight = hours(20 * 60, 0, "UTC0");
        for (hours, at, end) in [
            (&night, 0, Some(7 * HOUR)),
            (&night, 7 * HOUR - 1, Some(1)),
            (&night, 7 * HOUR, None),
            (&night, 21 * HOUR + 3599, None),
            (&night, 22 * HOUR, Some(9 * HOUR)),
            (&night, 22 * HOUR + 61, Some(9 * HOUR - 61)),
            (&noon, 12 * HOUR, Some(5400)),
            (&noon, 12 * HOUR + 5400, None),
            (&noon, 0, None),
            (&far, 14 * HOUR, Some(9 * HOUR)),
            (&far, 0, None),
            (&until_midnight, 23 * HOUR, Some(HOUR)),
            (&until_midnight, 24 * HOUR, None),
        ] {
            assert_eq!(left(hours, MIDNIGHT + at), end, "{hours:?} at {at}");
        }
    }

    #[test]
    fn the_clock_is_put_forward_and_back() {
        // Central Europe: 2026-03-29 01:00 UTC forward, 2026-10-25 01:00 UTC back.
        let night = hours(22 * 60, 7 * 60, "CET-1CEST,M3.5.0,M10.5.0/3");
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        assert_eq!(left(&night, spring - 4 * HOUR), Some(8 * HOUR), "22:00 CET to 07:00 CEST is eight hours");
        assert_eq!(left(&night, spring - 4 * HOUR - 1), None);
        assert_eq!(left(&night, autumn - 5 * HOUR), Some(10 * HOUR), "22:00 CEST to 07:00 CET is ten hours");
        // An end in the hour that is left out, and in the one that comes twice.
        let early = hours(22 * 60, 150, "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(left(&early, spring - 1), Some(1));
        assert_eq!(left(&early, autumn - HOUR - 60), Some(HOUR / 2 + 60));
    }

    #[test]
    fn a_clock_that_was_never_set_knows_no_night() {
        let night = hours(0, 23 * 60, "UTC0");
        let now = Now { tick: Tick(5000), wall: Wall(5000), boot: Boot(1) };
        assert_eq!(night.end(&now), None);
        let now = Now { wall: Wall((MIDNIGHT + HOUR) * 1000 + 500), ..now };
        assert_eq!(night.end(&now), Some(Tick(5000 + 22 * 3_600_000 - 500)));
    }
}
