//! Hosts that go and come too often to tell each time.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Tick;
use crate::event::Id;
use crate::json::{self, Writer};

/// Changes that make a host flap, …
const CHANGES: usize = 5;
/// … within so many times its patience.
const WITHIN: u32 = 12;
/// A host is steady after so many times its patience without a change.
const STEADY: u32 = 4;

/// The last changes of a host: it fell silent, it was heard again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flapping {
    /// When, the oldest first; at most five.
    pub changes: Vec<Tick>,
    /// The last one was a silence.
    pub down: bool,
    /// Changes since it began to flap, with those that made it so.
    pub count: u32,
    /// The incident under which people know that it flaps, and since when they do.
    pub told: Option<(Id, Tick)>,
}

impl Flapping {
    /// The host, whose patience is `patience`, is silent (`down`) or heard again as of now. A change that is known
    /// already does not count: a restart finds a silence once more.
    pub fn change(&mut self, down: bool, patience: Duration, now: Tick) {
        if self.down == down {
            return;
        }
        self.down = down;
        let old = |at: &Tick| now.since(*at) > patience.saturating_mul(WITHIN);
        self.changes.retain(|at| !old(at));
        if self.changes.len() >= CHANGES {
            self.changes.remove(0);
        }
        self.changes.push(now);
        let so_far = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        self.count = if self.told.is_some() { self.count.saturating_add(1) } else { so_far };
    }

    /// The last change, a silence, was none of the host's.
    pub fn take_back(&mut self) {
        if self.down {
            self.down = false;
            self.changes.pop();
            self.count = self.count.saturating_sub(1);
        }
    }

    /// It went and came at once, within its patience.
    pub fn bounce(&mut self, patience: Duration, now: Tick) {
        self.change(true, patience, now);
        self.change(false, patience, now);
    }

    /// Whether people are to be told now that it flaps. What a silence by command hid may be long over.
    pub fn is_news(&self, patience: Duration, now: Tick) -> bool {
        let fresh = |last: &Tick| now.since(*last) < patience.saturating_mul(STEADY);
        self.told.is_none() && self.changes.len() >= CHANGES && self.changes.last().is_some_and(fresh)
    }

    /// When it is steady, if people know that it flaps and nothing changes until then.
    pub fn steady_at(&self, patience: Duration) -> Option<Tick> {
        let last = self.changes.last().filter(|_| self.told.is_some())?;
        Some(*last + patience.saturating_mul(STEADY))
    }

    /// It is steady: counts from the beginning.
    pub fn steady(&mut self) {
        self.changes.clear();
        self.count = 0;
        self.told = None;
    }
}

/// As state; see [`crate::json`].
impl Flapping {
    /// Writes it.
    pub fn write(&self, out: &mut Writer) {
        out.open('{').key("down").flag(self.down).key("count").uint(self.count.into()).key("changes").open('[');
        for change in &self.changes {
            out.int(change.0);
        }
        out.close(']');
        if let Some((incident, since)) = &self.told {
            out.key("incident").text(&incident.to_string()).key("since").int(since.0);
        }
        out.close('}');
    }

    /// Reads what [`Flapping::write`] wrote.
    pub fn read(value: &Value) -> Option<Flapping> {
        let mut changes = Vec::new();
        for change in json::list(value, "changes").iter().take(CHANGES) {
            changes.push(Tick(change.as_i64()?));
        }
        let incident = json::text(value, "incident").and_then(Id::parse);
        Some(Flapping {
            changes,
            down: json::flag(value, "down"),
            count: u32::try_from(json::uint(value, "count")?).ok()?,
            told: incident.zip(json::int(value, "since").map(Tick)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Duration = Duration::from_secs(10);

    fn after(changes: &[i64]) -> Flapping {
        let mut flapping = Flapping::default();
        for (index, secs) in changes.iter().enumerate() {
            flapping.change(index % 2 == 0, D, Tick(secs * 1000));
        }
        flapping
    }

    #[test]
    fn five_changes_within_twelve_patiences() {
        for (changes, news) in [
            (&[0, 10, 20, 30][..], false),
            (&[0, 10, 20, 30, 120], true),
            (&[0, 10, 20, 30, 121], false),
            (&[0, 10, 130, 140, 150, 160, 170], true),
        ] {
            let last = changes.last().unwrap() * 1000;
            assert_eq!(after(changes).is_news(D, Tick(last)), news, "{changes:?}");
            assert!(!after(changes).is_news(D, Tick(last + 40_000)), "{changes:?}");
        }
    }

    #[test]
    fn what_is_known_counts_once_and_what_is_taken_back_not_at_all() {
        let mut flapping = after(&[0, 10, 20, 30]);
        flapping.change(false, D, Tick(31_000));
        assert_eq!(flapping.count, 4);
        flapping.change(true, D, Tick(40_000));
        flapping.take_back();
        flapping.take_back();
        assert_eq!((flapping.count, flapping.is_news(D, Tick(40_000))), (4, false));
    }

    #[test]
    fn it_is_steady_after_four_patiences_and_counts_on_until_then() {
        let mut flapping = after(&[0, 10, 20, 30, 40]);
        assert_eq!(flapping.steady_at(D), None, "nobody knows yet");
        flapping.told = Some((Id(5), Tick(40_000)));
        flapping.change(false, D, Tick(60_000));
        assert_eq!((flapping.count, flapping.steady_at(D)), (6, Some(Tick(100_000))));
        let mut out = Writer::default();
        flapping.write(&mut out);
        let read = Flapping::read(&json::read(&out.into_bytes()).unwrap());
        assert_eq!(read.as_ref(), Some(&flapping));
        flapping.steady();
        assert_eq!(flapping.steady_at(D), None);
    }
}
