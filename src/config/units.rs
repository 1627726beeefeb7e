//! Durations as people write them, and the nearest known word for one that is misspelt.

use std::time::Duration;

/// Milliseconds of each unit, the largest first; `ms` before `m` and `s` because they share letters.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

/// Longest word whose distance to others is worked out, in bytes.
const MAX_WORD: usize = 64;

/// Reads `"500ms"`, `"30s"`, `"1.5m"`, `"2h"`, `"15d"`.
///
/// # Errors
/// When there is no unit, or an unknown one, or no number.
pub fn parse_span(text: &str) -> Result<Duration, &'static str> {
    let trimmed = text.trim();
    for (name, ms) in UNITS {
        if let Some(number) = trimmed.strip_suffix(name) {
            let number = number.trim_end();
            let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            return match decimal(number, ms) {
                Some(span) if plain => Ok(span),
                _ if plain && number.len() > 1 && number.matches('.').count() < 2 => Err("is too long"),
                _ => Err(NOT_A_SPAN),
            };
        }
    }
    if decimal(trimmed, 1).is_some() {
        return Err(
            "has no unit; write a number without quotes for seconds, or text such as \"500ms\", \"30s\", \"5m\", \"2h\", \"15d\"",
        );
    }
    Err(NOT_A_SPAN)
}

const NOT_A_SPAN: &str =
    "is not a duration; write seconds as a number, or text such as \"500ms\", \"30s\", \"5m\", \"2h\", \"15d\"";

/// A decimal number such as `1.5`, `+2` or `15e-1` times `unit` milliseconds, rounded to the millisecond; `None` if it is
/// none, negative, or above 10,000 years.
pub fn decimal(number: &str, unit: u64) -> Option<Duration> {
    const MAX_MS: u128 = 10_000 * 366 * 86_400_000;
    let (number, mut exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (negative, whole) = match whole.strip_prefix('-') {
        Some(whole) => (true, whole),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let mut digits = 0;
    let mut value: u128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        // Digits below a nanosecond of the largest unit change nothing that is kept.
        if !byte.is_ascii_digit() {
            return None;
        }
        digits += 1;
        if value < MAX_MS * 1_000_000 {
            value = value * 10 + u128::from(byte - b'0');
        } else {
            exponent = exponent.saturating_add(1);
        }
    }
    if digits == 0 || (negative && value > 0) {
        return None;
    }
    exponent = exponent.saturating_sub(i32::try_from(fraction.len()).ok()?);
    value *= u128::from(unit);
    while exponent > 0 && value > 0 {
        value = value.checked_mul(10)?;
        exponent -= 1;
    }
    let mut scale: u128 = 1;
    while exponent < 0 && scale <= value * 10 {
        scale *= 10;
        exponent += 1;
    }
    let ms = (value + scale / 2) / scale;
    (ms <= MAX_MS).then(|| Duration::from_millis(ms as u64))
}

/// `d` in the largest unit that shows it exactly: `500ms`, `30s`, `5m`.
pub fn show_span(d: Duration) -> String {
    let ms = u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let (name, unit) = [UNITS[1], UNITS[2], UNITS[3], UNITS[4], UNITS[0]]
        .into_iter()
        .find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit))
        .unwrap_or(("s", 1000));
    format!("{}{name}", ms / unit)
}

/// The word of `known` that `word` most likely stands for: not more than a third of it is wrong.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let mut best = None;
    if word.is_empty() || word.len() > MAX_WORD {
        return best;
    }
    let mut least = usize::MAX;
    for name in known {
        let distance = distance(word, name);
        if distance < least && distance <= name.len().max(3) / 3 {
            (least, best) = (distance, Some(*name));
        }
    }
    best
}

/// Edits from `a` to `b`: insert, delete, replace, swap of neighbours; letters alike in upper and lower case.
/// (Optimal string alignment, <https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance>.)
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = |i: usize, j: usize| a[i - 1].eq_ignore_ascii_case(&b[j - 1]);
    let width = b.len() + 1;
    let mut cells: Vec<usize> = Vec::with_capacity((a.len() + 1) * width);
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let at = |up: usize, left: usize| cells[(i - up) * width + j - left];
            let mut least = i + j;
            if i > 0 && j > 0 {
                least = at(1, 1) + usize::from(!same(i, j));
                least = least.min(at(1, 0) + 1).min(at(0, 1) + 1);
                if i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j) {
                    least = least.min(at(2, 2) + 1);
                }
            }
            cells.push(least);
        }
    }
    cells.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let ms = Duration::from_millis;
        for (text, want) in [
            ("500ms", ms(500)),
            ("30s", ms(30_000)),
            ("0.3s", ms(300)),
            ("5m", ms(300_000)),
            ("1.5h", ms(5_400_000)),
            ("2h", ms(7_200_000)),
            ("15d", ms(1_296_000_000)),
            (" 7 s ", ms(7000)),
            ("0s", ms(0)),
        ] {
            assert_eq!(parse_span(text), Ok(want), "{text}");
        }
        for text in ["", "s", "-1s", "1e3s", "infs", "nans", "1.2.3s", "5 min", "1h30m", "５s", "1ss", "9e99d"] {
            assert_eq!(parse_span(text), Err(NOT_A_SPAN), "{text}");
        }
        assert_eq!(parse_span("99999999999d"), Err("is too long"));
        assert!(parse_span("30").unwrap_err().starts_with("has no unit"));
    }

    #[test]
    fn decimals() {
        for (text, ms) in [
            ("0.3", Some(300)),
            ("-0.0", Some(0)),
            ("+1.5", Some(1500)),
            (".5", Some(500)),
            ("5.", Some(5000)),
            ("1e3", Some(1_000_000)),
            ("15E-1", Some(1500)),
            ("0.0004", Some(0)),
            ("0.0005", Some(1)),
            ("1.2345678901234567890123456789012345678901234567890", Some(1235)),
            ("000000000000000000000000000000000000000000000000001", Some(1000)),
            ("0e999999999", Some(0)),
            ("1e-999999999", Some(0)),
            ("316224000000", Some(316_224_000_000_000)),
            ("316224000001", None),
            ("1e300", None),
            ("99999999999999999999999999999999999999999999999999", None),
            ("1e99999999999", None),
            ("-1", None),
            ("nan", None),
            ("inf", None),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1_0", None),
            ("--1", None),
        ] {
            assert_eq!(decimal(text, 1000), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn shown_in_the_largest_exact_unit() {
        for (ms, want) in [
            (0, "0s"),
            (1, "1ms"),
            (1000, "1s"),
            (1500, "1500ms"),
            (90_000, "90s"),
            (3_600_000, "1h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(show_span(Duration::from_millis(ms)), want);
            assert_eq!(parse_span(want), Ok(Duration::from_millis(ms)));
        }
    }

    #[test]
    fn the_nearest_word() {
        let known = ["interval", "name", "log", "num", "key", "uri", "uris"];
        for (word, want) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("inetrval", Some("interval")),
            ("nmae", Some("name")),
            ("lgo", Some("log")),
            ("urls", Some("uris")),
            ("url", Some("uri")),
            ("webhook", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), want, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }
}
