//! What the kernel says of the machine, read from the text of its files: pure. Sources: proc(5), and
//! `Documentation/driver-api/thermal/sysfs-api.rst` of Linux. Nothing here fails: what is not there is not known.

/// Highest load average that is believed, in hundredths.
pub const MAX_LOAD: i64 = 10_000_000;
/// Most cores that are believed.
pub const MAX_CORES: i64 = 65_536;
/// Temperatures that are believed, in tenths of a degree Celsius: sensors that are not there say -273 or 255.
pub const TEMPERATURES: (i64, i64) = (-600, 2000);

/// The load average of the last minute in hundredths, from `/proc/loadavg`: `0.52 0.58 0.59 1/497 12345`.
pub fn load(text: &str) -> Option<u32> {
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    let part = part.get(..2).filter(|_| part.len() == 2)?;
    let hundredths = number(whole)?.checked_mul(100)?.checked_add(number(part)?)?;
    u32::try_from(hundredths).ok().filter(|load| i64::from(*load) <= MAX_LOAD)
}

/// Cores that are on, from `/sys/devices/system/cpu/online`: `0-3,5`. Load averages are the machine's, so these are
/// too, whatever part of them a container may use.
pub fn cores(text: &str) -> Option<u32> {
    let mut cores = 0_u64;
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        cores = cores.saturating_add(last.checked_sub(first)?.saturating_add(1));
    }
    u32::try_from(cores).ok().filter(|cores| i64::from(*cores) <= MAX_CORES)
}

/// Memory in use in percent, from `/proc/meminfo`. Kernels before 3.14 do not say what is available; what is free or
/// holds files comes near.
pub fn memory(text: &str) -> Option<u32> {
    let size = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        number(line.split_whitespace().next()?)
    };
    let guess = || Some(size("MemFree")?.saturating_add(size("Buffers")?).saturating_add(size("Cached")?));
    let total = size("MemTotal")?;
    let available = size("MemAvailable").or_else(guess)?.min(total);
    percent(total - available, total)
}

/// A temperature in tenths of a degree Celsius, from the thousandths in `/sys/class/thermal/thermal_zone*/temp`.
pub fn temperature(text: &str) -> Option<i32> {
    let text = text.trim();
    let thousandths = i64::try_from(number(text.strip_prefix('-').unwrap_or(text))?).ok()?;
    let thousandths = if text.starts_with('-') { -thousandths } else { thousandths };
    let tenths = thousandths.saturating_add(50).div_euclid(100);
    let (least, most) = TEMPERATURES;
    i32::try_from(tenths).ok().filter(|_| (least..=most).contains(&tenths))
}

/// A part in percent, rounded up like `df` does it; `None` of nothing.
pub fn percent(part: u64, whole: u64) -> Option<u32> {
    // Beyond 2^57 the sum would not fit: nothing is lost by looking at fewer digits.
    let shift = 8 * u32::from(whole > 1 << 56);
    let (part, whole) = (part >> shift, whole >> shift);
    if whole == 0 {
        return None;
    }
    u32::try_from((part.min(whole) * 100).div_ceil(whole)).ok()
}

/// Digits alone.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages() {
        for (text, hundredths) in [
            ("0.52 0.58 0.59 1/497 12345\n", Some(52)),
            ("0.00 0.01 0.05 1/31 1\n", Some(0)),
            ("128.07 1.00 1.00 1/1 1", Some(12_807)),
            ("100000.00", Some(10_000_000)),
            ("100000.01", None),
            ("99999999999999999999.00 ", None),
            ("184467440737095516.15 ", None),
            ("0.5 0 0", None),
            ("0.123", None),
            ("+1.00", None),
            ("-1.00", None),
            ("nan", None),
            ("1.é", None),
            ("", None),
        ] {
            assert_eq!(load(text), hundredths, "{text}");
        }
    }

    #[test]
    fn cores_that_are_on() {
        for (text, count) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-3,5,7-8", Some(7)),
            ("3-0", None),
            ("0-18446744073709551615", None),
            ("0-99999", None),
            ("", None),
            ("x", None),
            ("0-", None),
        ] {
            assert_eq!(cores(text), count, "{text}");
        }
    }

    #[test]
    fn memory_in_use() {
        let new =
            "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    4560000 kB\nBuffers: 1 kB\n";
        let old = "MemTotal:  59000 kB\nMemFree: 10000 kB\nBuffers: 2000 kB\nCached: 12000 kB\nSwapCached: 7 kB\n";
        for (text, used) in [
            (new, Some(43)),
            (old, Some(60)),
            ("MemTotal: 100 kB\nMemAvailable: 500 kB\n", Some(0)),
            ("MemTotal: 100 kB\nMemAvailable: 0 kB\n", Some(100)),
            ("MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n", Some(100)),
            ("MemTotal: 0 kB\nMemAvailable: 0 kB\n", None),
            ("MemTotal: 184467440737095516150 kB\nMemAvailable: 1 kB\n", None),
            ("MemTotal: 100 kB\nMemFree: 1 kB\n", None),
            ("MemTotal:\nMemAvailable:\n", None),
            ("", None),
        ] {
            assert_eq!(memory(text), used, "{text}");
        }
    }

    #[test]
    fn temperatures() {
        for (text, tenths) in [
            ("48500\n", Some(485)),
            ("48549", Some(485)),
            ("48550", Some(486)),
            ("0\n", Some(0)),
            ("-5200\n", Some(-52)),
            ("-273000\n", None),
            ("255000\n", None),
            ("9223372036854775807", None),
            ("99999999999999999999", None),
            ("--5", None),
            ("-", None),
            ("", None),
            ("48.5", None),
        ] {
            assert_eq!(temperature(text), tenths, "{text}");
        }
    }

    #[test]
    fn parts() {
        for (part, whole, of_hundred) in [
            (0, 10, Some(0)),
            (1, 1000, Some(1)),
            (710, 1000, Some(71)),
            (711, 1000, Some(72)),
            (10, 10, Some(100)),
            (20, 10, Some(100)),
            (u64::MAX, u64::MAX, Some(100)),
            (u64::MAX / 2, u64::MAX, Some(50)),
            (1 << 56, 1 << 56, Some(100)),
            (0, 0, None),
        ] {
            assert_eq!(percent(part, whole), of_hundred, "{part} of {whole}");
        }
    }

    /// Bytes of any kind, and good texts with some bytes changed.
    #[test]
    fn garbage_is_harmless() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let samples = ["0.52 0.58 0.59 1/497 1", "0-3,5", "MemTotal: 8 kB\nMemAvailable: 4 kB\n", "-48500"];
        for _ in 0..20_000 {
            let mut bytes = samples[below(4) as usize].as_bytes().to_vec();
            for _ in 0..1 + below(6) {
                let at = below(bytes.len() as u64) as usize;
                match below(3) {
                    0 => bytes[at] = below(256) as u8,
                    1 => bytes.insert(at, b"0123456789.-,:\n "[below(16) as usize]),
                    _ => bytes.extend_from_within(..at),
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let seen = (load(&text), cores(&text), memory(&text), temperature(&text));
            assert!(seen.2.is_none_or(|memory| memory <= 100), "{text}: {seen:?}");
            assert!(seen.3.is_none_or(|tenths| (-600..=2000).contains(&tenths)), "{text}: {seen:?}");
        }
    }
}
