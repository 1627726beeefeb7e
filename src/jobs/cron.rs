//! When something is due: cron expressions, read by the local clock.
//!
//! Five fields are those of crontab(5): minute, hour, day of the month, month, day of the week. Six have the second
//! before them. A reader of our own instead of a package: croner brings chrono, put at 126 KB, and this program knows
//! time zones already.
//!
//! **Where the clock is set forward**, what names an hour that does not occur runs at the first moment after the gap.
//! **Where it is set back**, what names an hour runs once, in the first of the two; what runs in every hour runs in
//! both. So nothing is left out and nothing that is meant for once a day runs twice (cron(8) of Debian does the same).

mod words;

use std::fmt;

use crate::clock::Wall;
use crate::zone::{Zone, civil};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// How far ahead a date is looked for, in days: a 29th of February on a certain day of the week can be 40 years off.
const HORIZON: i64 = 41 * 366;
/// A change of the clock is looked for in steps of so many seconds. Rules with two changes within are not known.
const STEP: i64 = 20 * DAY;
/// Bytes of an expression.
const MAX_TEXT: usize = 256;
/// Names of months and days, each of three letters.
const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
const WEEKDAYS: &str = "sunmontuewedthufrisat";
/// Expressions that have a name.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A field: its name, and the least and the greatest number that it takes.
struct Field(&'static str, u8, u8);

const FIELDS: [Field; 6] = [
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12),
    Field("day of the week", 0, 7),
];

/// When something is due. Each set has a bit for every number of its field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    second: u64,
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Both days are restricted: one of them is enough.
    either_day: bool,
    /// No hour is named.
    every_hour: bool,
}

/// What is wrong with an expression; one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CronError(String);

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CronError {}

impl Schedule {
    /// Reads an expression of five or six fields, or a name such as `@daily`. A field is `*` or a list of numbers,
    /// names (`jan`, `mon`) and ranges, each with a step if wanted: `*/15`, `1-5`, `mon,wed,fri`, `10-50/20`.
    ///
    /// # Errors
    /// When it cannot be read, or names a date that never comes.
    pub fn parse(text: &str) -> Result<Schedule, CronError> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(CronError(format!("has more than {MAX_TEXT} bytes")));
        }
        let text = text.to_ascii_lowercase();
        if text.starts_with('@') {
            let named = NAMED.iter().find(|(name, _)| *name == text);
            let (_, expression) = named.ok_or_else(|| {
                let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
                CronError(["is none of ", &names.join(", ")].concat())
            })?;
            return Schedule::parse(expression);
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let missing = FIELDS.len().saturating_sub(words.len());
        if missing > 1 || words.len() > FIELDS.len() {
            return Err(CronError(format!(
                "has {} fields; write five (minute, hour, day of the month, month, day of the week), \
                 or six with the second before them",
                words.len()
            )));
        }
        let mut sets = [1; 6];
        let mut stars = [false; 6];
        for (place, word) in words.iter().enumerate() {
            let place = place + missing;
            sets[place] = set(word, &FIELDS[place])?;
            stars[place] = word.starts_with(['*', '?']);
        }
        let [second, minute, hour, day, month, weekday] = sets;
        // Sunday is 0 and 7.
        let weekday = weekday & 0x7f | weekday >> 7;
        let either_day = !stars[3] && !stars[5];
        let schedule =
            Schedule { second, minute, hour, day, month, weekday, either_day, every_hour: hour == (1 << 24) - 1 };
        match schedule.local_after(0) {
            Some(_) => Ok(schedule),
            None => Err(CronError("names a date that never comes".to_owned())),
        }
    }

    /// The first time after `after` at which it is due by the clocks of `zone`; `None` if there is none in the next
    /// 41 years.
    pub fn next(&self, after: Wall, zone: &Zone) -> Option<Wall> {
        let after = after.secs();
        let next = if self.every_hour { self.by_instants(after, zone) } else { self.by_dates(after, zone) };
        next.map(|secs| Wall(secs.saturating_mul(1000)))
    }

    /// For what names an hour: the first date and time of the local clock whose (first) moment is still to come.
    fn by_dates(&self, after: i64, zone: &Zone) -> Option<i64> {
        let mut local = after + zone.offset(after);
        loop {
            local = self.local_after(local)?;
            let at = instant(local, zone);
            if at > after {
                return Some(at);
            }
        }
    }

    /// For what runs in every hour: moment by moment, with the offset that holds at each.
    fn by_instants(&self, after: i64, zone: &Zone) -> Option<i64> {
        let mut from = after;
        let mut offset = zone.offset(from + 1);
        let mut found = self.local_after(from + offset)? - offset;
        while from < after + HORIZON * DAY {
            let until = from + STEP;
            let end = if zone.offset(until) == offset { until } else { change(from + 1, until, zone) };
            if found < end || end == until && found == until {
                return Some(found);
            }
            from = until;
            if end < until {
                from = end - 1;
                offset = zone.offset(end);
                found = self.local_after(from + offset)? - offset;
            }
        }
        None
    }

    /// The first time of a clock that is never set, after `local`. Both are in seconds since 1970 of that clock.
    fn local_after(&self, local: i64) -> Option<i64> {
        let first = local.div_euclid(DAY);
        let mut from = local.rem_euclid(DAY) + 1;
        for day in first..=first + HORIZON {
            if self.is_on(day)
                && let Some(time) = self.time_from(from)
            {
                return Some(day * DAY + time);
            }
            from = 0;
        }
        None
    }

    /// Whether it is due on a day, which is counted from 1970.
    fn is_on(&self, days: i64) -> bool {
        let (_, month, day) = civil(days);
        // 1970-01-01 was a Thursday.
        let (day, weekday) = (self.day >> day & 1 == 1, self.weekday >> (days + 4).rem_euclid(7) & 1 == 1);
        self.month >> month & 1 == 1 && if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first second of a day from `from` on at which it is due.
    fn time_from(&self, from: i64) -> Option<i64> {
        let (mut hour, mut minute, mut second) = (from / 3600, from / 60 % 60, from % 60);
        loop {
            let next = member(self.hour, hour)?;
            if next > hour {
                (hour, minute, second) = (next, 0, 0);
            }
            match member(self.minute, minute) {
                None => (hour, minute, second) = (hour + 1, 0, 0),
                Some(next) => {
                    if next > minute {
                        (minute, second) = (next, 0);
                    }
                    match member(self.second, second) {
                        Some(second) => return Some(hour * 3600 + minute * 60 + second),
                        None => (minute, second) = (minute + 1, 0),
                    }
                }
            }
        }
    }
}

/// The least member of `set` from `from` on.
fn member(set: u64, from: i64) -> Option<i64> {
    let rest = set.checked_shr(u32::try_from(from).ok()?)?;
    (rest != 0).then(|| from + i64::from(rest.trailing_zeros()))
}

/// The first moment at which the clocks of `zone` show `local`; if they never do, the one at which they are set past it.
pub fn instant(local: i64, zone: &Zone) -> i64 {
    let offsets = [zone.offset(local - DAY), zone.offset(local + DAY)];
    let (early, late) = (local - offsets[0].max(offsets[1]), local - offsets[0].min(offsets[1]));
    [early, late].into_iter().find(|at| at + zone.offset(*at) == local).unwrap_or_else(|| change(early, late, zone))
}

/// The moment in `from + 1 ..= until` from which on another offset holds than at `from`.
fn change(from: i64, until: i64, zone: &Zone) -> i64 {
    let old = zone.offset(from);
    let (mut same, mut other) = (from, until);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if zone.offset(middle) == old {
            same = middle;
        } else {
            other = middle;
        }
    }
    other
}

/// The numbers that a field names.
fn set(word: &str, field: &Field) -> Result<u64, CronError> {
    let Field(name, min, max) = *field;
    let wrong = |what: &str| CronError(["the ", name, " ", &crate::config::problem::quoted(word), what].concat());
    let range = || wrong(&[" goes from ", &min.to_string(), " to ", &max.to_string()].concat());
    let mut set = 0;
    for part in word.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, Some(step.parse().ok().filter(|step| (1..=max).contains(step)))),
            None => (part, None),
        };
        let step: Option<u8> = match step {
            Some(None) => return Err(wrong(" has a step that is no number from 1 on")),
            Some(step) => step,
            None => None,
        };
        let (first, last) = match span.split_once('-') {
            _ if span == "*" || span == "?" => (min, if max == 7 { 6 } else { max }),
            Some((first, last)) => (number(first, field).ok_or_else(range)?, number(last, field).ok_or_else(range)?),
            None => {
                let number = number(span, field).ok_or_else(range)?;
                (number, if step.is_some() { max } else { number })
            }
        };
        // `fri-sun` ends with the other Sunday.
        let last = if max == 7 && last == 0 && first > 0 { 7 } else { last };
        if first > last {
            return Err(wrong(" has a range that runs backwards"));
        }
        for number in (first..=last).step_by(usize::from(step.unwrap_or(1))) {
            set |= 1 << number;
        }
    }
    Ok(set)
}

/// A number, or the name of a month or of a day of the week.
fn number(text: &str, &Field(_, min, max): &Field) -> Option<u8> {
    let names = match max {
        12 => MONTHS,
        7 => WEEKDAYS,
        _ => "",
    };
    let named = (text.len() == 3).then(|| names.find(text)).flatten().filter(|at| at % 3 == 0);
    let number = match named {
        Some(at) => u8::try_from(at / 3).ok()? + min,
        None if text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
        None => return None,
    };
    (min..=max).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests;
