//! What the kernel says of the machine, read from the text of its files: pure. Sources: proc(5), and
//! `Documentation/driver-api/thermal/sysfs-api.rst` of Linux. Nothing here fails: what is not there is not known.

use crate::readings::{MAX_CORES, MAX_ERRORS, MAX_LOAD, TEMPERATURES};

/// Fewer ticks of the kernel's clock between two looks say nothing about the processors.
const MIN_TICKS: u64 = 10;
/// The longest uptime that is believed, in seconds: a hundred years.
const MAX_UPTIME: u64 = 100 * 366 * 86_400;

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
    let size = |name: &str| size(text, name);
    let guess = || Some(size("MemFree")?.saturating_add(size("Buffers")?).saturating_add(size("Cached")?));
    let total = size("MemTotal")?;
    let available = size("MemAvailable").or_else(guess)?.min(total);
    percent(total - available, total)
}

/// Swap in use in percent, from `/proc/meminfo`; `None` if there is no swap.
pub fn swap(text: &str) -> Option<u32> {
    let total = size(text, "SwapTotal")?;
    percent(total - size(text, "SwapFree")?.min(total), total)
}

fn size(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    number(line.split_whitespace().next()?)
}

/// Open files in percent of what the kernel allows, from `/proc/sys/fs/file-nr`: `1234 0 9223372036854775807`.
pub fn fds(text: &str) -> Option<u32> {
    let mut words = text.split_whitespace();
    let (open, _, most) = (number(words.next()?)?, number(words.next()?)?, number(words.next()?)?);
    percent(open, most)
}

/// Seconds since the boot, from `/proc/uptime`: `350735.47 234388.90`.
pub fn uptime(text: &str) -> Option<u64> {
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    number(part)?;
    number(whole).filter(|seconds| *seconds <= MAX_UPTIME)
}

/// What only grows: time of the processors, and network errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Ticks in which they did not idle, and all ticks.
    pub cpu: Option<(u64, u64)>,
    /// Packets that were broken or dropped.
    pub errors: Option<u64>,
}

impl Counters {
    /// From `/proc/stat` and `/proc/net/dev`.
    pub fn read(stat: Option<&str>, net: Option<&str>) -> Counters {
        Counters { cpu: stat.and_then(ticks), errors: net.and_then(errors) }
    }

    /// Use of the processors in percent, and errors in hundredths per second, since `before`, which was read `ms`
    /// milliseconds earlier. A counter that went back tells nothing: something was taken out, or it began anew.
    pub fn since(&self, before: &Counters, ms: u64) -> (Option<u32>, Option<u32>) {
        let cpu = self.cpu.zip(before.cpu).and_then(|(now, before)| {
            let all = now.1.checked_sub(before.1).filter(|all| *all >= MIN_TICKS)?;
            percent(now.0.checked_sub(before.0)?, all)
        });
        let errors = self.errors.zip(before.errors).and_then(|(now, before)| {
            let rate = now.checked_sub(before)?.checked_mul(100_000)?.checked_div(ms)?;
            u32::try_from(rate).ok().filter(|rate| i64::from(*rate) <= MAX_ERRORS)
        });
        (cpu, errors)
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
fn ticks(text: &str) -> Option<(u64, u64)> {
    let mut words = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let (mut all, mut idle) = (0_u64, 0_u64);
    for place in 0..8 {
        // Old kernels have four.
        let Some(word) = words.next() else { return (place >= 4).then(|| (all - idle, all)) };
        let ticks = number(word)?;
        all = all.checked_add(ticks)?;
        idle += if place == 3 || place == 4 { ticks } else { 0 };
    }
    Some((all - idle, all))
}

/// Errors and drops, in and out, of all interfaces but `lo`.
fn errors(text: &str) -> Option<u64> {
    let mut sum = None;
    for line in text.lines() {
        let Some((name, numbers)) = line.split_once(':') else { continue };
        if name.trim() == "lo" {
            continue;
        }
        for (place, word) in numbers.split_whitespace().enumerate() {
            if matches!(place, 2 | 3 | 10 | 11) {
                sum = Some(number(word)?.checked_add(sum.unwrap_or_default())?);
            }
        }
    }
    sum
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
mod tests;
