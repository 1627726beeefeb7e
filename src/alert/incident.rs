//! Who was told of which beginning, so that the same channels are told of its end.

use std::mem::take;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Tick;
use crate::event::Id;
use crate::json::{self, Writer};

/// Open incidents that are remembered; beyond that the oldest are forgotten, and their ends are told nobody.
pub const MAX_OPEN: usize = 20_000;
/// How long a beginning of an exercise waits for its end, in memory only.
const EXERCISE: Duration = Duration::from_secs(600);

/// The set of one channel. A set beyond the 64 channels that a configuration may have is empty.
pub fn bit(channel: usize) -> u64 {
    u32::try_from(channel).ok().and_then(|channel| 1u64.checked_shl(channel)).unwrap_or(0)
}

/// One open incident.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: Id,
    /// The change that began it.
    seq: u64,
    /// Channels that took a beginning.
    told: u64,
    /// Channels on whose way a beginning is.
    queued: u64,
    /// Its end is on its way.
    ended: bool,
    /// Some beginning of it was critical.
    critical: bool,
    exercise: Option<Tick>,
}

/// All open incidents, the oldest first. Channels are known by their index.
#[derive(Debug, Default)]
pub struct Incidents {
    channels: Vec<String>,
    open: Vec<Open>,
    /// It must be saved.
    pub dirty: bool,
}

impl Incidents {
    /// From the channels of the file to those of the configuration. What a channel that is gone was told is kept, in
    /// case it comes back.
    pub fn adopt(&mut self, channels: &[String]) {
        let before = std::mem::replace(&mut self.channels, channels.to_vec());
        let saved: Vec<(u64, u64)> =
            self.open.iter_mut().map(|open| (take(&mut open.told), take(&mut open.queued))).collect();
        for (old, name) in before.into_iter().enumerate() {
            let old = bit(old);
            if !saved.iter().any(|(told, queued)| (told | queued) & old != 0) {
                continue;
            }
            let place = self.channels.iter().position(|known| *known == name).unwrap_or_else(|| {
                self.channels.push(name);
                self.channels.len() - 1
            });
            let new = bit(place);
            for (open, (told, queued)) in self.open.iter_mut().zip(&saved) {
                open.told |= if told & old == 0 { 0 } else { new };
                open.queued |= if queued & old == 0 { 0 } else { new };
            }
        }
    }

    /// A beginning is on its way to `channels`. `exercise` is the time now if it is one.
    pub fn begin(&mut self, id: Id, seq: u64, channels: u64, exercise: Option<Tick>) {
        if channels == 0 {
            return;
        }
        if self.get(id).is_none() {
            if self.open.len() >= MAX_OPEN {
                self.open.remove(0);
            }
            let exercise = exercise.map(|now| now + EXERCISE);
            self.open.push(Open { id, seq, told: 0, queued: 0, ended: false, critical: false, exercise });
        }
        if let Some(open) = self.change(id) {
            open.ended = false;
            open.queued |= channels & !open.told;
        }
    }

    /// Its beginning is critical: its end passes quiet hours.
    pub fn press(&mut self, id: Id) {
        if !self.is_critical(id)
            && let Some(open) = self.change(id)
        {
            open.critical = true;
        }
    }

    /// Whether a beginning of it was critical.
    pub fn is_critical(&self, id: Id) -> bool {
        self.get(id).is_some_and(|open| open.critical)
    }

    /// Whether `channel` is to be told of the end.
    pub fn knows(&self, id: Id, channel: usize) -> bool {
        self.get(id).is_some_and(|open| (open.told | open.queued) & bit(channel) != 0)
    }

    /// Whether `channel` took a beginning.
    pub fn was_told(&self, id: Id, channel: usize) -> bool {
        self.get(id).is_some_and(|open| open.told & bit(channel) != 0)
    }

    /// These channels took a beginning.
    pub fn told(&mut self, id: Id, channels: u64) {
        if let Some(open) = self.change(id) {
            open.queued &= !channels;
            open.told |= channels;
        }
    }

    /// No beginning is on its way to `channel` any more.
    pub fn missed(&mut self, id: Id, channel: usize) {
        if let Some(open) = self.change(id) {
            open.queued &= !bit(channel);
            if open.told | open.queued == 0 {
                self.remove(id);
            }
        }
    }

    /// Its end is on its way; it is forgotten by [`Incidents::close`].
    pub fn end(&mut self, id: Id) {
        if let Some(open) = self.change(id) {
            open.ended = true;
        }
    }

    /// Its end has reached all it could, unless it began anew since.
    pub fn close(&mut self, id: Id) {
        if self.get(id).is_some_and(|open| open.ended) {
            self.remove(id);
        }
    }

    /// Incidents whose end is on its way.
    pub fn ended(&self) -> Vec<Id> {
        self.open.iter().filter(|open| open.ended).map(|open| open.id).collect()
    }

    /// Forgets exercises whose end did not come.
    pub fn expire(&mut self, now: Tick) {
        self.open.retain(|open| open.exercise.is_none_or(|end| now < end));
    }

    /// Forgets an incident, in whose end nobody is interested any more.
    pub fn remove(&mut self, id: Id) {
        if self.change(id).is_some() {
            self.open.retain(|open| open.id != id);
        }
    }

    /// Its file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("channels").open('[');
        for channel in &self.channels {
            out.text(channel);
        }
        out.close(']').key("open").open('[');
        for open in self.open.iter().filter(|open| open.exercise.is_none()) {
            out.open('[').uint(open.id.0).uint(open.seq).uint(open.told).uint(open.queued).flag(open.ended).close(']');
        }
        // Apart, so that 0.1.0 can read all but this.
        out.close(']').key("critical").open('[');
        for open in self.open.iter().filter(|open| open.exercise.is_none() && open.critical) {
            out.uint(open.id.0);
        }
        out.close(']').close('}');
        out.into_bytes()
    }

    /// Reads its file.
    pub fn read(value: &Value) -> Option<Incidents> {
        let mut incidents = Incidents::default();
        for channel in value.get("channels")?.as_array()? {
            incidents.channels.push(channel.as_str()?.to_owned());
        }
        let (open, critical) = (json::list(value, "open"), json::list(value, "critical"));
        for open in &open[open.len().saturating_sub(MAX_OPEN)..] {
            let [id, seq, told, queued, ended] = open.as_array()?.as_slice() else { return None };
            incidents.open.push(Open {
                id: Id(id.as_u64()?),
                seq: seq.as_u64()?,
                told: told.as_u64()?,
                queued: queued.as_u64()?,
                ended: ended.as_bool()?,
                critical: critical.iter().any(|critical| critical == id),
                exercise: None,
            });
        }
        Some(incidents)
    }

    fn get(&self, id: Id) -> Option<&Open> {
        self.open.iter().find(|open| open.id == id)
    }

    /// An incident that is about to be changed.
    fn change(&mut self, id: Id) -> Option<&mut Open> {
        let open = self.open.iter_mut().find(|open| open.id == id)?;
        self.dirty |= open.exercise.is_none();
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reread(incidents: &Incidents) -> Incidents {
        Incidents::read(&json::read(&incidents.to_json()).unwrap()).unwrap()
    }

    #[test]
    fn an_end_goes_where_a_beginning_went_or_is_going() {
        let mut incidents = Incidents::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        incidents.adopt(&names(&["a", "b", "c", "d"]));
        incidents.begin(Id(1), 1, 0b111, None);
        incidents.told(Id(1), bit(0));
        incidents.missed(Id(1), 1);
        let known = |incidents: &Incidents| [0, 1, 2, 3].map(|channel| incidents.knows(Id(1), channel));
        assert_eq!(known(&incidents), [true, false, true, false]);
        let mut restored = reread(&incidents);
        restored.adopt(&names(&["a", "b", "c", "d"]));
        assert_eq!(known(&restored), [true, false, true, false]);
        assert!(restored.was_told(Id(1), 0) && !restored.was_told(Id(1), 2));
        restored.adopt(&names(&["d", "c"]));
        assert_eq!(known(&restored), [false, true, true, false], "a is gone, but not forgotten");
        let mut again = reread(&restored);
        again.adopt(&names(&["d", "c", "b", "a"]));
        assert_eq!(known(&again), [false, true, false, true]);
    }

    #[test]
    fn all_64_channels_have_their_place() {
        let names: Vec<String> = (0..64).map(|n| n.to_string()).collect();
        let mut incidents = Incidents::default();
        incidents.adopt(&names);
        incidents.begin(Id(1), 1, u64::MAX, None);
        incidents.told(Id(1), bit(63));
        let mut again = reread(&incidents);
        let mut others: Vec<String> = names.iter().rev().cloned().collect();
        others[63] = "new".to_owned();
        again.adopt(&others);
        assert!(again.was_told(Id(1), 0) && again.knows(Id(1), 62) && !again.knows(Id(1), 63));
    }

    #[test]
    fn critical_incidents_are_remembered_as_such() {
        let mut incidents = Incidents::default();
        incidents.begin(Id(1), 1, 1, None);
        incidents.begin(Id(2), 2, 1, None);
        incidents.press(Id(2));
        incidents.press(Id(3));
        let read = reread(&incidents);
        assert_eq!([1, 2, 3].map(|id| read.is_critical(Id(id))), [false, true, false]);
        let old = br#"{"channels":["a"],"open":[[1,1,1,0,false]]}"#;
        assert!(!Incidents::read(&json::read(old).unwrap()).unwrap().is_critical(Id(1)), "an earlier version's file");
    }

    #[test]
    fn an_exercise_leaves_nothing_behind() {
        let mut incidents = Incidents::default();
        let empty = incidents.to_json();
        incidents.begin(Id(1), 1, 1, Some(Tick(0)));
        incidents.told(Id(1), 1);
        assert!(!incidents.dirty);
        assert_eq!(incidents.to_json(), empty);
        incidents.expire(Tick(599_999));
        assert!(incidents.knows(Id(1), 0));
        incidents.expire(Tick(600_000));
        assert!(!incidents.knows(Id(1), 0));
        assert!(!incidents.dirty);
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_cap() {
        let mut incidents = Incidents::default();
        for seq in 0..=MAX_OPEN as u64 {
            incidents.begin(Id(u64::MAX - seq), seq, 1, None);
        }
        assert!(!incidents.knows(Id(u64::MAX), 0));
        assert!(incidents.knows(Id(u64::MAX - 1), 0));
        assert_eq!(incidents.open.len(), MAX_OPEN);
        assert_eq!(reread(&incidents).open.len(), MAX_OPEN);
    }

    #[test]
    fn an_incident_that_begins_anew_stays_open() {
        let mut incidents = Incidents::default();
        incidents.begin(Id(1), 1, 1, None);
        incidents.end(Id(1));
        incidents.begin(Id(1), 3, 1, None);
        incidents.close(Id(1));
        assert!(incidents.knows(Id(1), 0));
        incidents.end(Id(1));
        incidents.close(Id(1));
        assert!(!incidents.knows(Id(1), 0));
        assert!(incidents.open.is_empty());
    }
}
