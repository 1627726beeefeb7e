//! The events of notices and of blindness, and the state after each.

use crate::clock::{Now, Wall};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::spot::identity::Identity;
use crate::spot::notice::{Standing, Watch};
use crate::spot::service::Notice;

use super::state::{Blind, State};
use super::{LAPSED, Tracker};

impl Tracker {
    /// A new notice, or a changed one: that at `old`.
    pub(super) fn announce(
        &self,
        watch: &Watch,
        old: Option<usize>,
        identity: &Identity,
        now: &Now,
    ) -> Option<(Event, State)> {
        let (notice, since) = watch.current()?;
        let mut state = self.state.clone();
        let old = old.map(|at| state.standing.remove(at));
        if old.is_none() {
            state.generation = state.generation.wrapping_add(1);
        }
        let incident = match &old {
            Some(old) => old.event.incident,
            None => self.incident(notice, state.generation, identity, now),
        };
        let changes = old.as_ref().map_or(0, |old| old.changes.saturating_add(1));
        let at = Moment::at(*since, now);
        let mut event = Event::new(notice.kind, incident, self.subject.as_str(), at);
        event.severity = notice.severity;
        event.id = message_id(incident, notice.kind, notice.deadline, notice.action, changes);
        event = identity.facts(event.with_text(Field::Provider, self.cloud.name()));
        event = event.with_text(Field::Action, notice.action).with_text(Field::Reason, notice.about.as_str());
        let times =
            [(Field::Deadline, notice.deadline), (Field::OldDeadline, old.as_ref().and_then(|old| old.deadline))];
        for (field, wall) in times {
            if let Some(wall) = wall {
                event.facts.push((field, Fact::Time(Moment::at_wall(wall, now))));
            }
        }
        if let (None, Some(lead)) = (notice.deadline, notice.lead) {
            event = event.with(Field::Lead, Fact::Span(lead));
        }
        state.standing.push(Standing {
            event: event.clone(),
            topic: watch.topic,
            key: watch.key.clone(),
            action: notice.action.to_owned(),
            deadline: notice.deadline,
            first: old.map_or(at, |old| old.first),
            changes,
            counted: self.passed(notice.deadline, notice.kind, now),
        });
        Some((event, state))
    }

    /// How many entries of the countdown have passed for an interrupt at `deadline`; none once it is past.
    pub(super) fn passed(&self, deadline: Option<Wall>, kind: Kind, now: &Now) -> u32 {
        let ahead = |deadline: &Wall| kind == Kind::Interrupt && now.wall.is_set() && deadline.0 > now.wall.0;
        let Some(deadline) = deadline.filter(ahead) else { return 0 };
        let left = deadline.0.saturating_sub(now.wall.0);
        self.countdown.iter().filter(|entry| left <= crate::clock::millis(**entry)).count() as u32
    }

    /// The notice at `at` once more, since its time comes near.
    pub(super) fn remind(&self, standing: &Standing, at: usize, now: &Now) -> (Event, State) {
        let mut state = self.state.clone();
        let mut event = standing.event.clone();
        let counted = self.passed(standing.deadline, event.kind, now);
        event.facts.retain(|(field, _)| *field != Field::OldDeadline);
        event.at = Moment::at(now.tick, now);
        event.id = Id::of(&[b"countdown", &standing.event.id.0.to_be_bytes(), &counted.to_be_bytes()]);
        state.standing[at].counted = counted;
        state.standing[at].event = event.clone();
        (event, state)
    }

    fn incident(&self, notice: &Notice, generation: u32, identity: &Identity, now: &Now) -> Id {
        let who = if identity.instance.is_empty() { &self.subject } else { &identity.instance };
        Id::of(&[
            notice.kind.name().as_bytes(),
            // Known to this host and its servers only: nobody else can speak for its incidents.
            &now.boot.0.to_be_bytes(),
            who.as_bytes(),
            notice.key.as_bytes(),
            notice.action.as_bytes(),
            &seconds(notice.deadline),
            &generation.to_be_bytes(),
        ])
    }

    /// The end of a notice, as the event `kind`.
    pub(super) fn end(&self, watch: &Watch, standing: &Standing, kind: Kind, now: &Now) -> (Event, State) {
        let at = Moment::at(watch.quiet_since(), now);
        let incident = standing.event.incident;
        let mut event = Event::new(kind, incident, self.subject.as_str(), at);
        event.id = message_id(incident, event.kind, standing.deadline, &standing.action, standing.changes);
        event.facts = standing.event.facts.clone();
        // What maintenance it was can only be seen from its action.
        let hidden = |field: Field| {
            matches!(field, Field::OldDeadline | Field::Reason | Field::Lead)
                || (field == Field::Action && kind == Kind::InterruptWithdrawn)
        };
        event.facts.retain(|(field, _)| !hidden(*field));
        if let Some(first) = standing.first.tick(now) {
            event = event.with(Field::Duration, Fact::Span(watch.quiet_since().since(first)));
        }
        if watch.has_lapsed() {
            event = event.with_text(Field::Reason, LAPSED);
        }
        let mut state = self.state.clone();
        state.standing.retain(|other| other.event.incident != incident);
        if kind == Kind::InterruptWithdrawn {
            state.over = standing.deadline;
        }
        (event, state)
    }

    /// The end of `incident` of which nobody is told.
    pub(super) fn drop_notice(&self, incident: Id, now: &Now) -> (Event, State) {
        let at = Moment::at(now.tick, now);
        (Event::new(Kind::NoticeDropped, incident, self.subject.as_str(), at), self.state.clone())
    }

    pub(super) fn sight_due(&self, identity: &Identity, now: &Now) -> Option<(Event, State)> {
        match &self.state.blind {
            None if self.sight.is_blind() => Some(self.blind(identity, now)),
            Some(blind) if self.sight.is_seeing() => Some(self.see(blind, identity, now)),
            _ => None,
        }
    }

    fn blind(&self, identity: &Identity, now: &Now) -> (Event, State) {
        let since = Moment::at(self.sight.since(), now);
        let incident =
            Id::of(&[b"blind", self.subject.as_bytes(), &now.boot.0.to_be_bytes(), &since.tick.0.to_be_bytes()]);
        let mut event = self.about_sight(Kind::Blind, incident, identity, now);
        if let Some(why) = self.sight.why() {
            event = event.with_text(Field::Reason, why.text.as_str()).with_text(Field::Hint, why.hint);
        }
        event = event.with(Field::Since, Fact::Time(since));
        (event, State { blind: Some(Blind { incident, since }), ..self.state.clone() })
    }

    fn see(&self, blind: &Blind, identity: &Identity, now: &Now) -> (Event, State) {
        let mut event = self.about_sight(Kind::Seeing, blind.incident, identity, now);
        if let Some(since) = blind.since.tick(now) {
            event = event.with(Field::Duration, Fact::Span(now.tick.since(since)));
        }
        (event, State { blind: None, ..self.state.clone() })
    }

    fn about_sight(&self, kind: Kind, incident: Id, identity: &Identity, now: &Now) -> Event {
        let mut event = Event::new(kind, incident, self.subject.as_str(), Moment::at(now.tick, now));
        event.id = message_id(incident, kind, None, "", 0);
        event.with_text(Field::Provider, self.cloud.name()).with_text(Field::Instance, identity.instance.as_str())
    }
}

/// One per message: a notice that changes back to what it was is another message.
fn message_id(incident: Id, kind: Kind, deadline: Option<Wall>, action: &str, changes: u32) -> Id {
    Id::of(&[
        &incident.0.to_be_bytes(),
        kind.name().as_bytes(),
        &seconds(deadline),
        action.as_bytes(),
        &changes.to_be_bytes(),
    ])
}

fn seconds(deadline: Option<Wall>) -> [u8; 8] {
    deadline.map_or(i64::MIN, Wall::secs).to_be_bytes()
}
