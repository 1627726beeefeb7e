//! What is to be told about this instance: notices, changed notices, withdrawals, blindness and its end. Pure: it
//! is told what a poll has found and says what is due; what could not be passed on stays due.

use serde_json::Value;

use crate::clock::{Boot, Now, Tick, Wall};
use crate::config::plan::Cloud;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};
use crate::spot::identity::Identity;
use crate::spot::notice::{Standing, Watch};
use crate::spot::service::{Notice, Reading, Why};
use crate::spot::sight::{Line, Sight};

/// Why a notice ends that the service never took back.
pub const LAPSED: &str = "its time passed more than 15 minutes ago, and this host is still here";

/// What was told, kept across restarts.
#[derive(Clone, PartialEq, Debug, Default)]
struct State {
    /// The boot in which `standing` was seen.
    boot: Boot,
    /// Notices told so far.
    generation: u32,
    standing: Option<Standing>,
    /// The time of the notice that ended last.
    over: Option<Wall>,
    blind: Option<Blind>,
}

#[derive(Clone, PartialEq, Debug)]
struct Blind {
    incident: Id,
    since: Moment,
}

/// As state; see [`crate::json`].
impl State {
    fn write(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("boot").uint(self.boot.0).key("generation").uint(u64::from(self.generation));
        if let Some(over) = self.over {
            out.key("over").int(over.0);
        }
        if let Some(standing) = &self.standing {
            standing.write(out.key("standing"));
        }
        if let Some(blind) = &self.blind {
            out.key("blind").text(&blind.incident.to_string());
            blind.since.write(out.key("since"));
        }
        out.close('}');
        out.into_string()
    }

    fn read(saved: &str) -> Option<State> {
        let value = json::read(saved.as_bytes())?;
        let blind = |value: &Value| {
            let incident = Id::parse(json::text(value, "blind")?)?;
            Some(Blind { incident, since: Moment::read(value.get("since")?)? })
        };
        Some(State {
            boot: Boot(json::uint(&value, "boot")?),
            generation: u32::try_from(json::uint(&value, "generation")?).ok()?,
            standing: value.get("standing").and_then(Standing::read),
            over: json::int(&value, "over").map(Wall),
            blind: blind(&value),
        })
    }
}

/// The notice that stands according to `saved`.
pub fn standing(saved: &str) -> Option<Id> {
    State::read(saved)?.standing.map(|standing| standing.event.id)
}

/// Something to tell, and the state that says it was told. Nothing has changed until [`Tracker::commit`].
pub struct Due {
    /// What to tell.
    pub event: Event,
    next: State,
}

impl Due {
    /// The state once it is told, to be saved with it.
    pub fn json(&self) -> String {
        self.next.write()
    }
}

/// How things stand, for `status`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpotState {
    /// No good answer yet.
    Starting,
    /// Nothing is announced.
    Quiet,
    /// The instance will go.
    Notice {
        /// When, if the cloud says so.
        until: Option<Wall>,
        /// What the cloud will do.
        action: String,
    },
    /// The service cannot be seen.
    Blind {
        /// The last good answer, or the start.
        since: Moment,
        /// Why; empty until a poll has failed in this run.
        why: String,
    },
}

/// What the log says about a poll.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remark {
    /// The service can be seen no longer, or again.
    Sight(Line),
    /// A notice whose time is long past is not one.
    Stale(String),
}

/// Compares what the service says with what was told.
pub struct Tracker {
    cloud: Cloud,
    subject: String,
    state: State,
    watch: Watch,
    sight: Sight,
}

impl Tracker {
    /// A tracker for the host `subject` that goes on from `saved`. What cannot be read is as good as nothing. A
    /// notice of an earlier boot has ended without a word; its incident is returned too.
    pub fn restore(cloud: Cloud, subject: &str, saved: Option<&str>, now: &Now) -> (Tracker, Option<Id>) {
        let mut state = saved.and_then(State::read).unwrap_or_default();
        let mut ended = None;
        if let Some(standing) = state.standing.take_if(|_| state.boot != now.boot) {
            state.over = standing.deadline;
            ended = Some(standing.event.incident);
        }
        let tracker =
            Tracker { cloud, subject: subject.to_owned(), state, watch: Watch::default(), sight: Sight::new(now.tick) };
        (tracker, ended)
    }

    /// Takes in what a poll has found. `reading` is quiet only if it certainly comes from this cloud.
    pub fn observe(&mut self, reading: &Reading, now: &Now) -> Option<Remark> {
        let refused = || Why { text: "the service wants a token".to_owned(), hint: "" };
        let line = match reading {
            Reading::Quiet => {
                self.watch.quiet(now);
                self.sight.observe(None, now.tick)
            }
            Reading::Notice(notice) => {
                let stale = self.watch.announced(notice, self.state.standing.as_ref(), self.state.over, now);
                let line = self.sight.observe(None, now.tick);
                if stale {
                    return Some(Remark::Stale(notice.raw.clone()));
                }
                line
            }
            Reading::Unknown(why) => self.sight.observe(Some(why), now.tick),
            Reading::NeedToken => self.sight.observe(Some(&refused()), now.tick),
        };
        line.map(Remark::Sight)
    }

    /// The next thing to tell, if any. The same until it is committed or no longer true.
    pub fn due(&self, identity: &Identity, now: &Now) -> Option<Due> {
        self.notice_due(identity, now)
            .or_else(|| self.sight_due(identity, now))
            .map(|(event, next)| Due { event, next: State { boot: now.boot, ..next } })
    }

    /// `due` was passed on.
    pub fn commit(&mut self, due: Due) -> Event {
        self.state = due.next;
        due.event
    }

    /// The notice that was told last and has not ended.
    pub fn standing(&self) -> Option<&Event> {
        self.state.standing.as_ref().map(|standing| &standing.event)
    }

    /// The last good answer of this run.
    pub fn last_good(&self) -> Option<Tick> {
        self.sight.last_good()
    }

    /// How things stand.
    pub fn state(&self) -> SpotState {
        if let Some(standing) = &self.state.standing {
            return SpotState::Notice { until: standing.deadline, action: standing.action.clone() };
        }
        if let Some(blind) = &self.state.blind {
            let why = self.sight.why().map(|why| why.text.clone()).unwrap_or_default();
            return SpotState::Blind { since: blind.since, why };
        }
        if self.last_good().is_some() { SpotState::Quiet } else { SpotState::Starting }
    }

    fn notice_due(&self, identity: &Identity, now: &Now) -> Option<(Event, State)> {
        match (&self.state.standing, self.watch.current()) {
            (None, Some((notice, since))) => Some(self.announce(notice, *since, identity, now)),
            (Some(standing), Some((notice, since))) if standing.differs(notice, now) => {
                Some(self.announce(notice, *since, identity, now))
            }
            (Some(standing), None) if self.watch.is_gone(now) => Some(self.withdraw(standing, now)),
            _ => None,
        }
    }

    /// A new notice, or a changed one.
    fn announce(&self, notice: &Notice, since: Tick, identity: &Identity, now: &Now) -> (Event, State) {
        let mut state = self.state.clone();
        let old = state.standing.take();
        if old.is_none() {
            state.generation = state.generation.wrapping_add(1);
        }
        let incident = match &old {
            Some(old) => old.event.incident,
            None => self.incident(notice, state.generation, identity, now),
        };
        let changes = old.as_ref().map_or(0, |old| old.changes.saturating_add(1));
        let at = Moment::at(since, now);
        let mut event = Event::new(Kind::Interrupt, incident, self.subject.as_str(), at);
        event.id = message_id(incident, Kind::Interrupt, notice.deadline, notice.action, changes);
        event = identity.facts(event.with_text(Field::Provider, self.cloud.name()));
        event = event.with_text(Field::Action, notice.action);
        let times =
            [(Field::Deadline, notice.deadline), (Field::OldDeadline, old.as_ref().and_then(|old| old.deadline))];
        for (field, wall) in times {
            if let Some(wall) = wall {
                event.facts.push((field, Fact::Time(Moment::at_wall(wall, now))));
            }
        }
        state.standing = Some(Standing {
            event: event.clone(),
            action: notice.action.to_owned(),
            deadline: notice.deadline,
            first: old.map_or(at, |old| old.first),
            changes,
        });
        (event, state)
    }

    fn incident(&self, notice: &Notice, generation: u32, identity: &Identity, now: &Now) -> Id {
        let who = if identity.instance.is_empty() { &self.subject } else { &identity.instance };
        Id::of(&[
            b"interrupt",
            // Known to this host and its servers only: nobody else can speak for its incidents.
            &now.boot.0.to_be_bytes(),
            who.as_bytes(),
            notice.action.as_bytes(),
            &seconds(notice.deadline),
            &generation.to_be_bytes(),
        ])
    }

    fn withdraw(&self, standing: &Standing, now: &Now) -> (Event, State) {
        let at = Moment::at(self.watch.quiet_since(), now);
        let incident = standing.event.incident;
        let mut event = Event::new(Kind::InterruptWithdrawn, incident, self.subject.as_str(), at);
        event.id = message_id(incident, event.kind, standing.deadline, &standing.action, standing.changes);
        event.facts = standing.event.facts.clone();
        event.facts.retain(|(field, _)| !matches!(field, Field::OldDeadline | Field::Action));
        if let Some(first) = standing.first.tick(now) {
            event = event.with(Field::Duration, Fact::Span(self.watch.quiet_since().since(first)));
        }
        if self.watch.has_lapsed() {
            event = event.with_text(Field::Reason, LAPSED);
        }
        (event, State { standing: None, over: standing.deadline, ..self.state.clone() })
    }

    fn sight_due(&self, identity: &Identity, now: &Now) -> Option<(Event, State)> {
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

#[cfg(test)]
mod tests;
