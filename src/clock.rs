//! The only file that reads a clock.
//!
//! Deadlines, leases and durations use `CLOCK_BOOTTIME`, which runs on while the machine is suspended and which
//! no one can set. Wall time is for people: it is worked out when a message is made, so that a router that boots
//! in 1970 tells right times once NTP has run.

use std::fs;
use std::ops::{Add, Sub};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of `CLOCK_BOOTTIME`. Negative for what happened before this boot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tick(pub i64);

impl Tick {
    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    #[inline(never)]
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Tick {
    type Output = Tick;

    #[inline(never)]
    fn add(self, d: Duration) -> Tick {
        Tick(self.0.saturating_add(millis(d)))
    }
}

impl Sub<Duration> for Tick {
    type Output = Tick;

    fn sub(self, d: Duration) -> Tick {
        Tick(self.0.saturating_sub(millis(d)))
    }
}

/// `d` in whole milliseconds, at most `i64::MAX`.
#[inline(never)]
pub fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970-01-01 UTC, by a clock that may be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Wall(pub i64);

/// 2026-01-01 UTC. A wall clock before it has not been set: this program did not exist.
const PRODUCT_EPOCH: Wall = Wall(1_767_225_600_000);

impl Wall {
    /// Whether the clock that gave this time can have been right.
    pub fn is_set(self) -> bool {
        self >= PRODUCT_EPOCH
    }

    /// Whole seconds since 1970, rounded down.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Which boot of which machine a [`Tick`] belongs to: the first 64 bits of the kernel's boot id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Boot(pub u64);

/// Both clocks and the boot, read at one moment. Decisions take it as a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub tick: Tick,
    /// The wall clock.
    pub wall: Wall,
    /// This boot.
    pub boot: Boot,
}

/// Reads both clocks.
pub fn now() -> Now {
    Now { tick: tick(), wall: wall(), boot: boot() }
}

/// Reads `CLOCK_BOOTTIME`.
pub fn tick() -> Tick {
    Tick(read(ClockId::Boottime))
}

/// Reads the wall clock.
pub fn wall() -> Wall {
    Wall(read(ClockId::Realtime))
}

/// `CLOCK_MONOTONIC` in microseconds, as a service manager wants it.
pub fn monotonic_usec() -> i64 {
    let t = clock_gettime(ClockId::Monotonic);
    // On MIPS the second has fewer bits.
    t.tv_sec * 1_000_000 + t.tv_nsec as i64 / 1000
}

/// The kernel's boot id as text (`/proc/sys/kernel/random/boot_id`); empty where there is none.
pub fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|s| s.trim().to_owned()).unwrap_or_default()
    })
}

fn boot() -> Boot {
    let hex: String = boot_id().chars().filter(char::is_ascii_hexdigit).take(16).collect();
    // Half of the range, so that a JSON reader that knows only signed numbers keeps it exact.
    Boot(u64::from_str_radix(&hex, 16).unwrap_or(0) >> 1)
}

fn read(clock: ClockId) -> i64 {
    let t = clock_gettime(clock);
    t.tv_sec * 1000 + t.tv_nsec as i64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_saturate() {
        assert_eq!(Tick(5).since(Tick(9)), Duration::ZERO);
        assert_eq!(Tick(9).since(Tick(5)), Duration::from_millis(4));
        assert_eq!(Tick(i64::MAX) + Duration::from_secs(1), Tick(i64::MAX));
        assert_eq!(Tick(0) - Duration::MAX, Tick(-i64::MAX));
    }

    #[test]
    fn a_clock_in_1970_is_not_set() {
        assert!(!Wall(0).is_set());
        assert!(now().tick > Tick(0));
    }
}
