//! Starts of the daemon that follow each other too closely: something ends it again and again.

use std::time::Duration;

use serde_json::Value;

use crate::alert::pending::After;
use crate::clock::Now;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};

/// Name of the small state.
pub const STATE_NAME: &str = "starts";
/// What a person can do.
pub const HINT: &str = "its log says why it ended";
/// Starts within [`WITHIN`] from which on it is told.
const MANY: usize = 3;
/// See [`MANY`].
const WITHIN: Duration = Duration::from_secs(600);
/// Starts that are remembered.
const MAX_STARTS: usize = 16;

/// The last starts, the oldest first.
#[derive(Default)]
pub struct Starts {
    at: Vec<Moment>,
    /// This series was told.
    told: bool,
}

impl Starts {
    /// Reads what [`Starts::began`] wrote.
    pub fn read(value: &Value) -> Option<Starts> {
        let mut starts = Starts { told: json::flag(value, "told"), ..Starts::default() };
        for start in json::list(value, "at") {
            starts.at.push(Moment::read(start)?);
        }
        Some(starts)
    }

    /// The daemon starts: what is to be told of it, once in a series, and the state to be saved with it. A start that
    /// no clock can place, since it lies before a boot in which the time was not known, does not count.
    pub fn began(mut self, host: &str, now: &Now) -> (Option<Event>, After) {
        self.at.retain(|start| start.tick(now).is_some_and(|tick| tick <= now.tick && now.tick.since(tick) < WITHIN));
        if self.at.len() >= MAX_STARTS {
            self.at.remove(0);
        }
        self.at.push(Moment::at(now.tick, now));
        let many = self.at.len() >= MANY;
        let event = (many && !self.told).then(|| {
            let ticks = (now.boot.0.to_be_bytes(), now.tick.0.to_be_bytes());
            let incident = Id::of(&[b"restarts", host.as_bytes(), &ticks.0, &ticks.1]);
            let count = i64::try_from(self.at.len()).unwrap_or(i64::MAX);
            Event::new(Kind::Restarts, incident, host, Moment::at(now.tick, now))
                .with(Field::Count, Fact::Number(count))
                .with_text(Field::Hint, HINT)
        });
        self.told = many;
        let mut out = Writer::default();
        out.open('{').key("told").flag(self.told).key("at").open('[');
        for start in &self.at {
            start.write(&mut out);
        }
        out.close(']').close('}');
        (event, After::Small { name: STATE_NAME.to_owned(), json: out.into_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Tick, Wall};

    /// Starts at these times (boot, seconds since that boot, wall in seconds); which of them are told.
    fn told(starts: &[(u64, i64, i64)]) -> Vec<usize> {
        let (mut saved, mut told) = (None, Vec::new());
        for (index, (boot, tick, wall)) in starts.iter().enumerate() {
            let now = Now { tick: Tick(tick * 1000), wall: Wall(wall * 1000), boot: Boot(*boot) };
            let starts = saved.and_then(|json: String| Starts::read(&json::read(json.as_bytes()).unwrap()));
            let (event, after) = starts.unwrap_or_default().began("h", &now);
            if event.is_some() {
                told.push(index);
            }
            let After::Small { json, .. } = after else { panic!() };
            saved = Some(json);
        }
        told
    }

    #[test]
    fn the_third_start_within_ten_minutes_is_told_once_in_a_series() {
        const DAY: i64 = 1_800_000_000;
        let at = |ticks: &[i64]| ticks.iter().map(|tick| (1, *tick, DAY + tick)).collect::<Vec<_>>();
        assert_eq!(told(&at(&[0, 300, 599])), [2]);
        assert_eq!(told(&at(&[0, 300, 600])), [0; 0]);
        assert_eq!(told(&at(&(0..200).map(|n| n * 30).collect::<Vec<_>>())), [2], "one loop, one alert");
        assert_eq!(told(&at(&[0, 1, 2, 700, 701, 702])), [2, 5]);
        // The clock is set between two starts of one boot; boots that know the time; one that does not.
        assert_eq!(told(&[(1, 10, 0), (1, 20, DAY), (1, 30, 5)]), [2]);
        assert_eq!(told(&[(1, 10, DAY), (2, 10, DAY + 60), (3, 10, DAY + 120)]), [2]);
        assert_eq!(told(&[(1, 10, 5), (2, 10, 5), (3, 10, 5)]), [0; 0]);
        // A clock that ran ahead before the boot.
        assert_eq!(told(&[(1, 10, 2 * DAY), (2, 10, DAY), (2, 20, DAY + 10)]), [0; 0]);
    }
}
