//! The forms in which clouds write times. Strict: what is not exactly of the form is no time, since a 200 with a
//! login page or a word must not become a notice.

use crate::clock::Wall;

/// Reads `yyyy-MM-ddTHH:mm:ssZ`, a time in UTC.
pub fn utc(text: &str) -> Option<Wall> {
    read(text.strip_suffix('Z')?, b'T', 0)
}

/// Reads `yyyy-MM-dd HH:mm:ss`, a time `east` seconds ahead of UTC that does not say so.
pub fn naive(text: &str, east: i64) -> Option<Wall> {
    read(text, b' ', east)
}

/// Reads a time in any form that ISO 8601 and habit allow to the second: `T` or a space, then `Z`, `+08:00` or nothing,
/// which means UTC.
pub fn any(text: &str) -> Option<Wall> {
    let (time, zone) = text.split_at_checked(19)?;
    let east = match zone.as_bytes() {
        [] | b"Z" => 0,
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours)?, digits(&[*tens, *ones])?);
            let east = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if *sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    read(time, if time.as_bytes().get(10) == Some(&b' ') { b' ' } else { b'T' }, east)
}

/// Reads `yyyy-MM-dd`, `between`, `HH:mm:ss`: 19 bytes.
fn read(text: &str, between: u8, east: i64) -> Option<Wall> {
    let text: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let marks = [(4, b'-'), (7, b'-'), (10, between), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let year = digits(&text[0..4])?;
    let month = digits(&text[5..7])?;
    let day = digits(&text[8..10])?;
    let (hour, minute, second) = (digits(&text[11..13])?, digits(&text[14..16])?, digits(&text[17..19])?);
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    in_range.then(|| {
        let secs = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - east;
        Wall(secs * 1000)
    })
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March, so that the
/// leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_second() {
        // The figures are those of `date -u -d … +%s`.
        for (text, secs) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1999-12-31T23:59:59Z", 946_684_799),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2024-02-29T00:00:00Z", 1_709_164_800),
            ("2026-05-01T18:02:00Z", 1_777_658_520),
            ("2100-02-28T23:59:59Z", 4_107_542_399),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(utc(text), Some(Wall(secs * 1000)), "{text}");
            let plain = text.replace('T', " ").replace('Z', "");
            assert_eq!(naive(&plain, 8 * 3600), Some(Wall((secs - 8 * 3600) * 1000)), "{plain}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut next = 0;
        for year in 1970..2200 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_since_1970(year, month, day), next, "{year}-{month}-{day}");
                    next += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_no_time() {
        for text in [
            "",
            "none",
            "2026-05-01T18:02:00",
            "2026-05-01 18:02:00Z",
            "2026-05-01t18:02:00Z",
            "2026-05-01T18:02:00z",
            "2026-05-01T18:02Z",
            "2026-05-01T18:02:00.000Z",
            "2026-05-01T18:02:00+00:00",
            "2026-05-01T18:02:00ZZ",
            " 2026-05-01T18:02:00Z",
            "2026-5-1T18:02:00Z",
            "2026-00-01T18:02:00Z",
            "2026-13-01T18:02:00Z",
            "2026-05-00T18:02:00Z",
            "2026-05-32T18:02:00Z",
            "2026-04-31T18:02:00Z",
            "2026-02-29T18:02:00Z",
            "2100-02-29T18:02:00Z",
            "2026-05-01T24:00:00Z",
            "2026-05-01T18:60:00Z",
            "2026-05-01T18:02:60Z",
            "1969-12-31T23:59:59Z",
            "-026-05-01T18:02:00Z",
            "+026-05-01T18:02:00Z",
            "2026-05-01T18:02:0 Z",
            "2026-05-01T18:02:0\u{661}Z",
            "01/05/2026 18:02:00Z",
            "<html>2026-05-01T18:02:00Z</html>",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
        assert_eq!(naive("2026-05-01T18:02:00", 0), None);
        assert_eq!(naive("2026-05-01 18:02:00Z", 0), None);
        assert_eq!(naive("18/08/2018 12:05:33", 0), None);
    }
}
