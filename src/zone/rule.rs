//! The rules of a time zone as POSIX writes them in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`.
//!
//! Source: POSIX.1-2024, 8.3, with the extensions of RFC 9636, 3.3.2 (hours from -167 to 167), which some zones need.

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Offsets from UTC, and when they change.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Seconds east of UTC.
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Copy, Debug)]
struct Summer {
    /// Seconds east of UTC.
    offset: i64,
    /// Begins in standard time.
    begin: Turn,
    /// Ends in summer time.
    end: Turn,
}

/// A moment of every year in local time.
#[derive(Clone, Copy, Debug)]
struct Turn {
    on: On,
    /// Seconds after midnight.
    time: i64,
}

#[derive(Clone, Copy, Debug)]
enum On {
    /// The `week`th (5: the last) `weekday` (0: Sunday) of a month from 1 to 12.
    Week { month: i64, week: i64, weekday: i64 },
    /// A day from 1 to 365; 29 February is never counted.
    Julian(i64),
    /// A day from 0 to 365.
    Zero(i64),
}

impl Rule {
    /// The same offset all the time, in seconds east of UTC.
    pub fn fixed(offset: i64) -> Rule {
        Rule { standard: offset, summer: None }
    }

    /// Reads a rule; `None` if it is none.
    pub fn parse(text: &str) -> Option<Rule> {
        let mut rest = text.as_bytes();
        name(&mut rest)?;
        let standard = -time(&mut rest, 24)?;
        if rest.is_empty() {
            return Some(Rule::fixed(standard));
        }
        name(&mut rest)?;
        let offset = if rest.first() == Some(&b',') { standard + HOUR } else { -time(&mut rest, 24)? };
        let summer = Summer { offset, begin: turn(&mut rest)?, end: turn(&mut rest)? };
        rest.is_empty().then_some(Rule { standard, summer: Some(summer) })
    }

    /// Seconds east of UTC at `utc`, which is in seconds since 1970.
    pub fn offset(&self, utc: i64) -> i64 {
        let Some(summer) = &self.summer else { return self.standard };
        let (year, _, _) = civil((utc + self.standard).div_euclid(DAY));
        let begin = summer.begin.local(year) - self.standard;
        let end = summer.end.local(year) - summer.offset;
        // South of the equator summer lasts over the new year.
        let is_summer = if begin < end { (begin..end).contains(&utc) } else { !(end..begin).contains(&utc) };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Turn {
    /// Seconds of local time since 1970.
    fn local(&self, year: i64) -> i64 {
        let january = first_of(year, 1);
        let day = match self.on {
            On::Week { month, week, weekday } => {
                let first = first_of(year, month);
                // 1970-01-01 was a Thursday.
                let day = first + (weekday - (first + 4)).rem_euclid(7) + 7 * (week - 1);
                let next = first_of(year + month / 12, month % 12 + 1);
                if day < next { day } else { day - 7 }
            }
            On::Julian(day) => {
                let leap = first_of(year, 3) - january == 60;
                january + day - i64::from(!leap || day < 60)
            }
            On::Zero(day) => january + day,
        };
        day * DAY + self.time
    }
}

fn take(rest: &mut &[u8], byte: u8) -> bool {
    let found = rest.first() == Some(&byte);
    if found {
        *rest = &rest[1..];
    }
    found
}

/// At least three letters, or anything of letters, digits and signs in `<>`. It is not shown.
fn name(rest: &mut &[u8]) -> Option<()> {
    let quoted = take(rest, b'<');
    let of_name = |b: &u8| b.is_ascii_alphabetic() || quoted && (b.is_ascii_digit() || matches!(b, b'+' | b'-'));
    let len = rest.iter().take_while(|b| of_name(b)).count();
    *rest = &rest[len..];
    (len >= 3 && (!quoted || take(rest, b'>'))).then_some(())
}

/// Digits.
fn number(rest: &mut &[u8], min: i64, max: i64) -> Option<i64> {
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&len) {
        return None;
    }
    let (digits, after) = rest.split_at(len);
    *rest = after;
    let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    (min..=max).contains(&number).then_some(number)
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn time(rest: &mut &[u8], max_hours: i64) -> Option<i64> {
    let sign = if take(rest, b'-') {
        -1
    } else {
        take(rest, b'+');
        1
    };
    let mut seconds = number(rest, 0, max_hours)? * HOUR;
    for unit in [60, 1] {
        if !take(rest, b':') {
            break;
        }
        seconds += number(rest, 0, 59)? * unit;
    }
    Some(sign * seconds)
}

/// `,M3.2.0/2`, `,J60`, `,59/-1`.
fn turn(rest: &mut &[u8]) -> Option<Turn> {
    if !take(rest, b',') {
        return None;
    }
    let on = if take(rest, b'M') {
        let month = number(rest, 1, 12)?;
        let week = take(rest, b'.').then(|| number(rest, 1, 5))??;
        let weekday = take(rest, b'.').then(|| number(rest, 0, 6))??;
        On::Week { month, week, weekday }
    } else if take(rest, b'J') {
        On::Julian(number(rest, 1, 365)?)
    } else {
        On::Zero(number(rest, 0, 365)?)
    };
    let time = if take(rest, b'/') { time(rest, 167)? } else { 2 * HOUR };
    Some(Turn { on, time })
}

/// Days from 1970 to the first of a month (Howard Hinnant, `days_from_civil`,
/// <https://howardhinnant.github.io/date_algorithms.html>).
fn first_of(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar (`civil_from_days`, ibid.).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        for (days, want) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (-719_528, (0, 1, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(civil(days), want, "{days}");
        }
        // Every day of 400 years follows the one before it, and months begin where they should.
        let mut last = civil(-146_097);
        for days in -146_096..=146_097 {
            let next = civil(days);
            let (year, month, day) = next;
            let same_month = next == (last.0, last.1, last.2 + 1);
            let next_month = day == 1 && (year, month) == (last.0 + last.1 / 12, last.1 % 12 + 1);
            assert!(same_month || (next_month && last.2 >= 28), "{last:?} {next:?}");
            assert_eq!(first_of(year, month), days + 1 - day, "{next:?}");
            last = next;
        }
    }

    /// Seconds since 1970, by the same calendar.
    fn at(year: i64, month: i64, day: i64, hour: i64) -> i64 {
        (first_of(year, month) + day - 1) * DAY + hour * HOUR
    }

    #[test]
    fn summer_begins_and_ends_on_the_second() {
        // From the tables of zdump(8): rule, moment of change in UTC, hours before and after.
        for (rule, change, before, after) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", at(2026, 3, 29, 1), 1, 2),
            ("CET-1CEST,M3.5.0,M10.5.0/3", at(2026, 10, 25, 1), 2, 1),
            ("EST5EDT,M3.2.0,M11.1.0", at(2026, 3, 8, 7), -5, -4),
            ("EST5EDT,M3.2.0,M11.1.0", at(2026, 11, 1, 6), -4, -5),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", at(2026, 4, 4, 16), 11, 10),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", at(2026, 10, 3, 16), 10, 11),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", at(2026, 3, 29, 1), 0, 1),
            ("IST-2IDT,M3.4.4/26,M10.5.0", at(2026, 3, 27, 0), 2, 3),
            ("AAA0BBB,J60/0,J300/0", at(2028, 3, 1, 0), 0, 1),
            ("AAA0BBB,J59/0,J300/0", at(2028, 2, 28, 0), 0, 1),
            ("AAA0BBB,59/0,J300/0", at(2028, 2, 29, 0), 0, 1),
            ("AAA0BBB,59/0,J300/0", at(2027, 3, 1, 0), 0, 1),
        ] {
            let found = Rule::parse(rule).unwrap();
            assert_eq!(found.offset(change - 1), before * HOUR, "{rule}");
            assert_eq!(found.offset(change), after * HOUR, "{rule}");
        }
        let always = Rule::parse("XXX3EDT4,0/0,J365/23").unwrap();
        for hour in 0..24 * 366 * 2 {
            assert_eq!(always.offset(at(2027, 1, 1, hour)), -4 * HOUR, "{hour}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        for text in [
            "",
            "CST",
            "CS-8",
            "CST-",
            "CST-25",
            "CST-8:60",
            "CST-8CDT",
            "CST-8CDT,M3.5.0",
            "CST-8CDT,M3.5.0,",
            "CST-8CDT,M13.5.0,J1",
            "CST-8CDT,M1.6.0,J1",
            "CST-8CDT,M1.5.7,J1",
            "CST-8CDT,J0,J1",
            "CST-8CDT,J366,J1",
            "CST-8CDT,366,J1",
            "CST-8CDT,M1.5.0/168,J1",
            "CST-8CDT,M1.5.0,J1x",
            "<CST-8",
            "<>-8",
            "CST-8 ",
            "1CST-8",
            "CST-8CDT,M1.5,J1",
            "CST-8CDT,M1.5.0,J0001",
        ] {
            assert!(Rule::parse(text).is_none(), "{text}");
        }
    }
}
