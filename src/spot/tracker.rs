//! What is to be told about this instance: notices, changed notices, withdrawals, blindness and its end. Pure: it
//! is told what a poll has found and says what is due; what could not be passed on stays due.

mod state;
mod tell;

use std::time::Duration;

use crate::clock::{Now, Tick, Wall};
use crate::config::plan::Cloud;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::spot::identity::Identity;
use crate::spot::notice::{Standing, Watch, over};
use crate::spot::service::{Reading, Why};
use crate::spot::sight::{Line, Sight};
use state::{MAX_OTHERS, MAX_STANDING, State};

/// Why a notice ends that the service never took back.
pub const LAPSED: &str = "its time passed more than 15 minutes ago, and this host is still here";

/// Notices of one topic that are looked at.
const MAX_NOTICES: usize = 8;

/// What stands according to `saved`: the message that told each notice last.
pub fn standing(saved: &str) -> Vec<Id> {
    let state = State::read(saved).unwrap_or_default();
    state.standing.iter().map(|standing| standing.event.id).collect()
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
        /// How long before it is usually announced, where no time is.
        lead: Option<Duration>,
    },
    /// Something less is announced: a recommendation to move away, or maintenance.
    Expected {
        /// Which of them.
        kind: Kind,
        /// When, if the cloud says so.
        until: Option<Wall>,
        /// What the cloud will do.
        action: String,
        /// How long before it is usually announced, where no time is.
        lead: Option<Duration>,
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
    /// When an interrupt is told again: times before its deadline.
    countdown: Vec<Duration>,
    /// Incidents that end without a word, which is still to be noted.
    dropped: Vec<Id>,
    state: State,
    watches: Vec<Watch>,
    /// The last good answer of each topic.
    answered: Vec<(usize, Tick)>,
    sight: Sight,
}

impl Tracker {
    /// A tracker for the host `subject` that goes on from `saved`. What cannot be read is as good as nothing. What
    /// another cloud had announced, and an interrupt of an earlier boot, end without a word. Maintenance outlives a boot.
    pub fn restore(cloud: Cloud, subject: &str, saved: Option<&str>, now: &Now) -> Tracker {
        let mut state = saved.and_then(State::read).unwrap_or_default();
        let booted = state.boot != now.boot;
        if let Some(interrupt) = state.interrupt().filter(|_| booted) {
            state.over = interrupt.deadline;
        }
        let watch = |standing: &Standing| Watch::new(standing.topic, standing.event.kind, &standing.key, None);
        let mut tracker = Tracker {
            cloud,
            subject: subject.to_owned(),
            countdown: Vec::new(),
            dropped: Vec::new(),
            watches: state.standing.iter().map(watch).collect(),
            state,
            answered: Vec::new(),
            sight: Sight::new(now.tick),
        };
        tracker.keep(&|standing| {
            let event = &standing.event;
            let ours = matches!(event.fact(Field::Provider), Some(Fact::Text(name)) if name == cloud.name());
            ours && (!booted || event.kind == Kind::Maintenance)
        });
        tracker
    }

    /// Interrupts are told again at these times before their deadlines.
    pub fn count_down(&mut self, countdown: &[Duration]) {
        self.countdown = countdown.to_vec();
    }

    /// What stands and is not `wanted` ends without a word.
    pub fn keep(&mut self, wanted: &dyn Fn(&Standing) -> bool) {
        let dropped = &mut self.dropped;
        self.state.standing.retain(|standing| {
            let keep = wanted(standing);
            if !keep {
                dropped.push(standing.event.incident);
            }
            keep
        });
        let standing = &self.state.standing;
        self.watches.retain(|w| standing.iter().any(|s| s.is(w.topic, w.kind, &w.key)));
    }

    /// No cloud is asked any more: all that was told ends without a word.
    pub fn give_up(&mut self) {
        self.keep(&|_| false);
        self.dropped.extend(self.state.blind.take().map(|blind| blind.incident));
    }

    /// Takes in what a look at `topic` has found; an empty list only if it certainly comes from this cloud. How well
    /// the service can be seen is judged by the first topic.
    pub fn observe(&mut self, topic: usize, reading: &Reading, now: &Now) -> Option<Remark> {
        let refused = Why { text: "the service wants a token".to_owned(), hint: "" };
        let (stale, bad) = match reading {
            Reading::Notices(_) => (self.take_in(topic, reading, now), None),
            Reading::Unknown(why) => (None, Some(why)),
            Reading::NeedToken => (None, Some(&refused)),
        };
        let line = if topic == 0 { self.sight.observe(bad, now.tick) } else { None };
        stale.map(Remark::Stale).or(line.map(Remark::Sight))
    }

    /// A good answer. Returns what in it is too old to be a notice, if the log should say so.
    fn take_in(&mut self, topic: usize, reading: &Reading, now: &Now) -> Option<String> {
        let Reading::Notices(notices) = reading else { return None };
        let nothing = self.answered.iter().find(|(of, _)| *of == topic).map(|(_, tick)| *tick);
        let mut stale = None;
        for watch in self.watches.iter_mut().filter(|watch| watch.topic == topic) {
            if !notices.iter().any(|notice| watch.is(topic, notice.kind, &notice.key)) {
                watch.quiet(now);
            }
        }
        for notice in notices.iter().take(MAX_NOTICES) {
            let is = |watch: &Watch| watch.is(topic, notice.kind, &notice.key);
            if !self.watches.iter().any(is) {
                self.watches.push(Watch::new(topic, notice.kind, &notice.key, nothing));
            }
            let standing = self.state.standing.iter().find(|s| s.is(topic, notice.kind, &notice.key));
            if let Some(watch) = self.watches.iter_mut().find(|watch| is(watch))
                && watch.announced(notice, standing, self.state.over, now)
            {
                stale = Some(notice.raw.clone());
            }
        }
        // One that was lapsed is not a good "nothing".
        if !self.watches.iter().any(|watch| watch.topic == topic && watch.has_lapsed()) {
            self.answered.retain(|(of, _)| *of != topic);
            self.answered.push((topic, now.tick));
        }
        let standing = &self.state.standing;
        self.watches.retain(|w| !w.is_idle() || standing.iter().any(|s| s.is(w.topic, w.kind, &w.key)));
        stale
    }

    /// The next thing to tell, if any. The same until it is committed or no longer true.
    pub fn due(&self, identity: &Identity, now: &Now) -> Option<Due> {
        let dropped = self.dropped.first().map(|incident| self.drop_notice(*incident, now));
        dropped
            .or_else(|| self.watches.iter().find_map(|watch| self.notice_due(watch, identity, now)))
            .or_else(|| self.sight_due(identity, now))
            .map(|(event, next)| Due { event, next: State { boot: now.boot, ..next } })
    }

    /// `due` was passed on.
    pub fn commit(&mut self, due: Due) -> Event {
        self.state = due.next;
        if due.event.kind == Kind::NoticeDropped {
            self.dropped.retain(|incident| *incident != due.event.incident);
        }
        due.event
    }

    /// What was told last of each notice that has not ended.
    pub fn standing(&self) -> impl Iterator<Item = &Event> {
        self.state.standing.iter().map(|standing| &standing.event)
    }

    /// The answer that holds the notice which `event` tells of; empty if none does.
    pub fn raw(&self, event: &Event) -> &str {
        let standing = self.state.standing.iter().find(|standing| standing.event.id == event.id);
        let is = |watch: &&Watch| standing.is_some_and(|s| s.is(watch.topic, watch.kind, &watch.key));
        let watch = self.watches.iter().find(is).and_then(Watch::current);
        watch.map_or("", |(notice, _)| &notice.raw)
    }

    /// The cloud's own id of maintenance that was told and to which this machine may agree, none of `but`.
    pub fn agreeable(&self, but: &[String]) -> Option<&str> {
        let may = |standing: &&Standing| {
            let is = |watch: &&Watch| watch.is(standing.topic, standing.event.kind, &standing.key);
            let current = self.watches.iter().find(is).and_then(Watch::current);
            let agrees = current.is_some_and(|(notice, _)| notice.may_agree) && !but.contains(&standing.key);
            agrees && standing.event.kind == Kind::Maintenance
        };
        self.state.standing.iter().find(may).map(|standing| &*standing.key)
    }

    /// Whether the last look at the first topic was good.
    pub fn sees(&self) -> bool {
        self.sight.last_good().is_some_and(|seen| seen == self.sight.polled())
    }

    /// The last good answer of this run.
    pub fn last_good(&self) -> Option<Tick> {
        self.sight.last_good()
    }

    /// How things stand.
    pub fn state(&self) -> SpotState {
        if let Some(standing) = self.state.interrupt() {
            let (until, action) = (standing.deadline, standing.action.clone());
            return SpotState::Notice { until, action, lead: standing.lead() };
        }
        if let Some(blind) = &self.state.blind {
            let why = self.sight.why().map(|why| why.text.clone()).unwrap_or_default();
            return SpotState::Blind { since: blind.since, why };
        }
        if let Some(first) = self.state.standing.first() {
            let (until, action) = (first.deadline, first.action.clone());
            return SpotState::Expected { kind: first.event.kind, until, action, lead: first.lead() };
        }
        if self.last_good().is_some() { SpotState::Quiet } else { SpotState::Starting }
    }

    fn notice_due(&self, watch: &Watch, identity: &Identity, now: &Now) -> Option<(Event, State)> {
        let at = self.state.standing.iter().position(|s| s.is(watch.topic, watch.kind, &watch.key));
        let standing = at.map(|at| &self.state.standing[at]);
        match (standing, watch.current()) {
            (None, Some((notice, _))) => {
                // Two documents tell of one end; the one with a time says more.
                let known = notice.kind == Kind::Interrupt && notice.deadline.is_none();
                let limit = if notice.kind == Kind::Interrupt { MAX_STANDING } else { MAX_OTHERS };
                let room = self.state.standing.len() < limit;
                let tell = room && !(known && self.state.interrupt().is_some());
                tell.then(|| self.announce(watch, None, identity, now)).flatten()
            }
            (Some(standing), Some((notice, _))) if standing.differs(notice, now) => {
                self.announce(watch, at, identity, now)
            }
            (Some(standing), Some(_))
                if standing.counted < self.passed(standing.deadline, standing.event.kind, now) =>
            {
                Some(self.remind(standing, at?, now))
            }
            (Some(standing), None) if watch.is_gone(now) => Some(self.end(watch, standing, over(watch.kind)?, now)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;
