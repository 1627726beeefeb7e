//! A time of the local clock, as people write it.

use crate::clock::Wall;
use crate::jobs::cron::instant;
use crate::spot::timestamp;
use crate::zone::Zone;

/// What is said of a text that is no time.
pub const WRONG: &str = " is no time; write \"2026-12-01 02:00\"";
/// Bytes of a date and a time without seconds.
const MINUTES: usize = 16;

/// Reads `2026-12-01 02:00`, with `T` in the place of the blank and with seconds if wanted, by the clocks of `zone`; or
/// with an offset of its own (`Z`, `+08:00`), as the tables show times. Where the clock is set back it is the first of
/// the two; what it skips is the moment after the gap.
pub fn parse(text: &str, zone: &Zone) -> Option<Wall> {
    let (minutes, rest) = text.trim().split_at_checked(MINUTES)?;
    let (seconds, offset) = if rest.starts_with(':') { rest.split_at_checked(3)? } else { (":00", rest) };
    let offset = offset.trim_start();
    let time = timestamp::any(&[minutes, seconds, offset].concat())?;
    if offset.is_empty() { Some(Wall(instant(time.secs(), zone) * 1000)) } else { Some(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_clocks_of_the_zone() {
        // 2026-12-01 00:00 UTC.
        const FIRST: i64 = 1_796_083_200;
        let at = |text: &str, zone: &str| parse(text, &Zone::load(Some(zone)).unwrap()).map(Wall::secs);
        for (text, zone, want) in [
            ("2026-12-01 00:00", "UTC", Some(FIRST)),
            ("2026-12-01T00:00:30", "UTC", Some(FIRST + 30)),
            (" 2026-12-01 08:00 ", "+08:00", Some(FIRST)),
            ("2026-12-01 08:00", "CST-8", Some(FIRST)),
            ("2026-12-01 08:00:00 +08:00", "EST5", Some(FIRST)),
            ("2026-12-01T00:00Z", "EST5", Some(FIRST)),
            ("2026-12-01 05:30+05:30", "EST5", Some(FIRST)),
            // Set forward at 2:00 on 2027-03-28, which is 1:00 UTC: half past two is the moment after the gap.
            ("2027-03-28 01:59", "CET-1CEST,M3.5.0,M10.5.0/3", Some(1_806_195_540)),
            ("2027-03-28 02:30", "CET-1CEST,M3.5.0,M10.5.0/3", Some(1_806_195_600)),
            ("2027-03-28 03:00", "CET-1CEST,M3.5.0,M10.5.0/3", Some(1_806_195_600)),
            // Set back at 3:00 on 2026-10-25: half past two comes twice.
            ("2026-10-25 02:30", "CET-1CEST,M3.5.0,M10.5.0/3", Some(1_792_888_200)),
            ("2026-10-25 03:00", "CET-1CEST,M3.5.0,M10.5.0/3", Some(1_792_893_600)),
            ("2028-02-29 00:00", "UTC", Some(1_835_395_200)),
            ("2027-02-29 00:00", "UTC", None),
            ("2026-12-01", "UTC", None),
            ("2026-12-01 24:00", "UTC", None),
            ("2026-12-01 2:00", "UTC", None),
            ("2026-12-01 02:00:", "UTC", None),
            ("2026-12-01 02:00:3", "UTC", None),
            ("2026-12-01 02:00 tomorrow", "UTC", None),
            ("2026-12-01 02:00 +8", "UTC", None),
            ("2026-12-０1 02:00", "UTC", None),
            ("02:00", "UTC", None),
            ("", "UTC", None),
        ] {
            assert_eq!(at(text, zone), want, "{text} {zone}");
        }
    }
}
