//! What the desk itself has to tell: lost alerts, broken channels, a disk that fails.

use std::time::Duration;

use crate::alert::standing::Parked;
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};

/// Losses that follow each other this closely are told in one note.
const GATHER: Duration = Duration::from_secs(5);
/// From one note of a channel to the next.
const NOTE_EVERY: Duration = Duration::from_secs(3600);

/// The alerts a channel was not told of. One note per outage; what is lost after the note is told once it is over.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    untold: u32,
    total: u32,
    why: String,
    due: Option<Tick>,
    last: Option<Tick>,
    noted: bool,
}

impl Losses {
    /// `count` more are lost.
    pub fn add(&mut self, count: u32, why: &str, now: Tick) {
        if count == 0 {
            return;
        }
        self.untold = self.untold.saturating_add(count);
        self.total = self.total.saturating_add(count);
        why.clone_into(&mut self.why);
        self.plan(now);
    }

    /// The channel took a message: the outage is over.
    pub fn over(&mut self, now: Tick) {
        self.noted = false;
        if self.untold > 0 {
            self.plan(now);
        }
    }

    /// Since the start.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// When the next note is due.
    pub fn due(&self) -> Option<Tick> {
        self.due
    }

    /// The note that is due; at the `end` of the program nothing is gathered any more.
    pub fn note(&mut self, channel: &str, end: bool, now: &Now) -> Option<Event> {
        let due = self.due?;
        if now.tick < due && !end {
            return None;
        }
        let count = std::mem::take(&mut self.untold);
        self.due = None;
        self.last = Some(now.tick);
        self.noted = true;
        Some(
            about(Kind::Lost, own_incident(Kind::Lost, channel, now), channel, now)
                .with(Field::Count, Fact::Number(i64::from(count)))
                .with_text(Field::Reason, self.why.as_str()),
        )
    }

    fn plan(&mut self, now: Tick) {
        if !self.noted && self.due.is_none() {
            let soon = now + GATHER;
            self.due = Some(self.last.map_or(soon, |last| soon.max(last + NOTE_EVERY)));
        }
    }
}

/// `channel.broken`.
pub fn broken(channel: &str, parked: &Parked, now: &Now) -> Event {
    about(Kind::ChannelBroken, parked.incident, channel, now).with_text(Field::Reason, parked.why.as_str())
}

/// `channel.mended`.
pub fn mended(channel: &str, parked: &Parked, now: &Now) -> Event {
    let event = about(Kind::ChannelMended, parked.incident, channel, now);
    with_duration(event, parked.since, now)
}

/// `state.unwritable`.
pub fn unwritable(incident: Id, folder: &str, why: &str, now: &Now) -> Event {
    Event::new(Kind::StateUnwritable, incident, folder, Moment::at(now.tick, now)).with_text(Field::Reason, why)
}

/// `state.writable`.
pub fn writable(incident: Id, folder: &str, since: Moment, now: &Now) -> Event {
    let event = Event::new(Kind::StateWritable, incident, folder, Moment::at(now.tick, now));
    with_duration(event, since, now)
}

/// The incident of something that begins now.
pub fn own_incident(kind: Kind, subject: &str, now: &Now) -> Id {
    Id::of(&[kind.name().as_bytes(), subject.as_bytes(), &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()])
}

fn about(kind: Kind, incident: Id, channel: &str, now: &Now) -> Event {
    Event::new(kind, incident, channel, Moment::at(now.tick, now)).with_text(Field::Channel, channel)
}

fn with_duration(event: Event, since: Moment, now: &Now) -> Event {
    match since.tick(now) {
        Some(tick) => event.with(Field::Duration, Fact::Span(now.tick.since(tick))),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::at;

    fn count(event: Option<Event>) -> Option<i64> {
        match event?.fact(Field::Count)? {
            Fact::Number(count) => Some(*count),
            _ => None,
        }
    }

    #[test]
    fn one_note_per_outage_and_nothing_untold() {
        let mut losses = Losses::default();
        losses.add(2, "no answer", Tick(0));
        losses.add(3, "no answer", Tick(3000));
        assert_eq!(count(losses.note("a", false, &at(4999))), None);
        assert_eq!(count(losses.note("a", false, &at(5000))), Some(5));
        losses.add(7, "no answer", Tick(20_000));
        assert_eq!(losses.due(), None, "a second note in one outage");
        losses.over(Tick(30_000));
        assert_eq!(losses.due(), Some(Tick(5000 + 3_600_000)));
        assert_eq!(count(losses.note("a", false, &at(3_605_000))), Some(7));
        assert_eq!(losses.total(), 12);
    }

    #[test]
    fn the_end_of_the_program_does_not_swallow_a_note() {
        let mut losses = Losses::default();
        losses.add(1, "too large", Tick(0));
        assert_eq!(count(losses.note("a", true, &at(1))), Some(1));
        assert_eq!(count(losses.note("a", true, &at(1))), None);
    }
}
