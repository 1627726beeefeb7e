//! Durations as the Go language writes them: `1h30m`, `-1.5s`. Nothing is longer than a day's name: there is no `d`.

use crate::config::units::decimal;

/// Milliseconds of each unit, or of a thousand or a million of it; those that end like others come first.
/// (`time.ParseDuration` of Go.)
const UNITS: [(&str, u64, i64); 8] = [
    ("ns", 1, 1_000_000),
    ("us", 1, 1000),
    ("µs", 1, 1000),
    ("μs", 1, 1000),
    ("ms", 1, 1),
    ("h", 3_600_000, 1),
    ("m", 60_000, 1),
    ("s", 1000, 1),
];

/// Milliseconds, to the nearest; `None` if it is no such duration.
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum = 0_i64;
    while !rest.is_empty() || sum == 0 {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let (name, ms, part) = UNITS.iter().find(|(name, ..)| after.starts_with(name))?;
        let span = i64::try_from(decimal(number, *ms)?.as_millis()).ok()?;
        sum = sum.checked_add(span / part)?;
        rest = &after[name.len()..];
        if rest.is_empty() {
            break;
        }
    }
    Some(if negative { -sum } else { sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (text, ms) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("+5s", Some(5000)),
            ("5s", Some(5000)),
            ("-5s", Some(-5000)),
            ("1h30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("5.s", Some(5000)),
            ("1m1ms", Some(60_001)),
            ("0s1m", Some(60_000)),
            ("1500us", Some(1)),
            ("1500µs", Some(1)),
            ("1500μs", Some(1)),
            ("3000000ns", Some(3)),
            ("100h", Some(360_000_000)),
            ("", None),
            ("-", None),
            ("5", None),
            ("1d", None),
            ("s", None),
            (".s", None),
            ("1 h", None),
            (" 1h", None),
            ("1h ", None),
            ("1e3s", None),
            ("1.2.3s", None),
            ("--1s", None),
            ("1h-5m", None),
            ("１s", None),
            ("999999999999999999999h", None),
        ] {
            assert_eq!(parse(text), ms, "{text}");
        }
    }
}
