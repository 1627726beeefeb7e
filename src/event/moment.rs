//! When something happened.

use serde_json::Value;

use crate::clock::{Boot, Now, Tick, Wall};
use crate::json::Writer;

/// When something happened, kept so that its wall time can be worked out later by a clock that is right by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The boot that `tick` belongs to.
    pub boot: Boot,
    /// Time on that boot's clock.
    pub tick: Tick,
    /// What the wall clock made of it when this was written; used once the boot is over.
    pub wall: Wall,
    /// Known only roughly.
    pub about: bool,
}

/// Two clocks are not read at once, and clocks are slewed: what differs by less than a second, in milliseconds, is the
/// time that was written first, so that a message has one time at every attempt.
const SAME: u64 = 1000;

/// The boot of moments that came as wall time. Real ones use the same 63 bits; one in 2⁶³ is taken for it.
const NO_BOOT: Boot = Boot(u64::MAX >> 1);

impl Moment {
    /// `tick` of this boot.
    #[inline(never)]
    pub fn at(tick: Tick, now: &Now) -> Moment {
        let wall = Wall(now.wall.0.saturating_sub(now.tick.0.saturating_sub(tick.0)));
        Moment { boot: now.boot, tick, wall, about: false }
    }

    /// A moment that came as wall time, such as a deadline named by a cloud. It belongs to no boot: when this
    /// machine's clock is set right, its distance changes, not the time.
    pub fn at_wall(wall: Wall, now: &Now) -> Moment {
        let tick = Tick(now.tick.0.saturating_sub(now.wall.0.saturating_sub(wall.0)));
        Moment { boot: NO_BOOT, tick, wall, about: false }
    }

    /// The wall time as far as it is known now; `None` if the clock of that boot was never set.
    pub fn wall(&self, now: &Now) -> Option<Wall> {
        let mut wall = self.wall;
        if self.boot == now.boot {
            let seen = Wall(now.wall.0.saturating_sub(now.tick.0.saturating_sub(self.tick.0)));
            if seen.0.abs_diff(wall.0) >= SAME {
                wall = seen;
            }
        }
        wall.is_set().then_some(wall)
    }

    /// The same moment on this boot's clock; negative if it lies before this boot. `None` if it happened in an
    /// earlier boot and one of the wall clocks was not set.
    pub fn tick(&self, now: &Now) -> Option<Tick> {
        if self.boot == now.boot {
            return Some(self.tick);
        }
        (self.wall.is_set() && now.wall.is_set())
            .then(|| Tick(now.tick.0.saturating_sub(now.wall.0.saturating_sub(self.wall.0))))
    }

    /// The same moment with the wall time that is known now, to be saved for later boots.
    pub fn refreshed(self, now: &Now) -> Moment {
        if self.boot == now.boot { Moment { about: self.about, ..Moment::at(self.tick, now) } } else { self }
    }
}

/// As state; see [`crate::json`].
impl Moment {
    /// Writes it: boot, tick, wall time, and whether it is known only roughly.
    pub fn write(&self, out: &mut Writer) {
        out.open('[').uint(self.boot.0).int(self.tick.0).int(self.wall.0).flag(self.about).close(']');
    }

    /// Reads what [`Moment::write`] wrote.
    pub fn read(value: &Value) -> Option<Moment> {
        let [boot, tick, wall, about] = value.as_array()?.as_slice() else { return None };
        let (boot, tick, wall) = (boot.as_u64()?, tick.as_i64()?, wall.as_i64()?);
        Some(Moment { boot: Boot(boot), tick: Tick(tick), wall: Wall(wall), about: about.as_bool()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { tick: Tick(60_000), wall: Wall(1_800_000_060_000), boot: Boot(7) };

    #[test]
    fn wall_time_follows_the_clock_until_the_boot_is_over() {
        let early = Now { tick: Tick(1000), wall: Wall(0), boot: Boot(7) };
        let moment = Moment::at(Tick(1000), &early);
        assert_eq!(moment.wall(&early), None);
        assert_eq!(moment.wall(&NOW), Some(Wall(1_800_000_001_000)));
        let next_boot = Now { tick: Tick(5), wall: Wall(1_800_000_160_000), boot: Boot(8) };
        assert_eq!(moment.wall(&next_boot), None);
        assert_eq!(moment.refreshed(&NOW).wall(&next_boot), Some(Wall(1_800_000_001_000)));
        assert_eq!(moment.refreshed(&NOW).tick(&next_boot), Some(Tick(5 - 159_000)));
    }

    #[test]
    fn the_time_of_a_moment_is_the_same_at_every_look() {
        let moment = Moment::at(Tick(50_000), &NOW);
        let wall = moment.wall(&NOW).unwrap();
        for (drift, seen) in [(1, 0), (-1, 0), (999, 0), (1000, 1000), (-5000, -5000)] {
            let later = Now { tick: Tick(90_000), wall: Wall(NOW.wall.0 + 30_000 + drift), boot: Boot(7) };
            assert_eq!(moment.wall(&later), Some(Wall(wall.0 + seen)), "{drift}");
        }
    }

    #[test]
    fn a_named_time_stays_when_the_clock_is_set() {
        let early = Now { tick: Tick(1000), wall: Wall(0), boot: Boot(7) };
        let deadline = Moment::at_wall(Wall(1_800_000_090_000), &early);
        assert_eq!(deadline.tick(&early), None, "nobody knows how long it is until then");
        assert_eq!(deadline.wall(&early), Some(Wall(1_800_000_090_000)));
        assert_eq!(deadline.refreshed(&NOW).wall(&NOW), Some(Wall(1_800_000_090_000)));
        assert_eq!(deadline.tick(&NOW), Some(Tick(90_000)));
    }
}
