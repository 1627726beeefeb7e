//! Reclaims that are announced from outside, and the same told by the hosts themselves.

use std::time::Duration;

use super::Roster;
use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick};
use crate::event::{Event, Field, Kind, Phase};
use crate::keepalive::beat::Notice;
use crate::keepalive::host::{Carried, Host};
use crate::keepalive::pushed::{self, Own, Pushed, instance};

/// Many come at once when a cloud runs short: those of so long are saved together.
const COALESCE: Duration = Duration::from_secs(1);

/// What became of an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Took {
    /// It is told.
    Told,
    /// It is told soon, unless the instance tells it itself.
    Held,
    /// That was known.
    Known,
    /// There is no room for it now.
    Full,
}

impl Roster {
    /// Puts back what was read from disk.
    pub fn restore_pushed(&mut self, pushed: Pushed) {
        self.pushed = pushed;
    }

    /// What was announced from outside.
    pub fn pushed(&self) -> &Pushed {
        &self.pushed
    }

    /// A cloud announces from outside that it will take an instance, at `at` if it says when it said so. `hold`: hosts are
    /// listened to, one of which may be the instance.
    pub fn announced(
        &mut self,
        mut event: Event,
        at: Option<Tick>,
        hold: bool,
        now: &Now,
        pending: &mut Pending,
    ) -> Took {
        if !pending.has_room() {
            return Took::Full;
        }
        if self.pushed.knows(instance(&event), at, now) {
            return Took::Known;
        }
        let (mut owner, mut stands) = (None, false);
        for (place, entry) in self.hosts.iter().enumerate() {
            if entry.host.carried.iter().any(|carried| is_about(carried, instance(&event))) {
                event.subject = entry.name.to_string();
                (owner, stands) = (Some(place), is_announced(&entry.host, instance(&event), at.unwrap_or(now.tick)));
            }
        }
        if let Some(entry) = owner.and_then(|place| self.hosts.entry(place)) {
            // Its silence is what was announced.
            let until = at.unwrap_or(now.tick) + pushed::NOTICE;
            entry.host.announced = entry.host.announced.max(Some(until));
        }
        let (scanned, hold) = (hold, hold && !self.hosts.is_empty());
        if stands {
            self.pushed.add_own(&event, now);
        } else if !self.pushed.add(&event, hold, now) {
            return Took::Full;
        }
        let told = (!stands && !hold).then_some(event);
        let took = match (stands, hold) {
            (true, _) => Took::Known,
            (_, true) => Took::Held,
            _ => Took::Told,
        };
        if let Some(event) = told {
            // Its id is the same at every repetition: should the state be lost, the desk still knows it.
            pending.push(Some(event), After::Nothing);
        }
        let lately = self.saved.is_some_and(|saved| now.tick.since(saved) < COALESCE);
        if scanned && lately {
            self.unsaved = true;
        } else {
            self.save_pushed(now, pending);
        }
        took
    }

    /// Tells what has waited long enough.
    pub(super) fn tell_pushed(&mut self, now: &Now, pending: &mut Pending) {
        while pending.has_room()
            && let Some(event) = self.pushed.due(now)
        {
            pending.push(Some(event), After::Nothing);
            self.unsaved = true;
        }
        if self.unsaved && pending.has_room() {
            self.save_pushed(now, pending);
        }
    }

    /// What `notices` of a host are to somebody who heard of some of them from outside; `None`: the same.
    pub(super) fn adopt(&mut self, notices: &[Notice], now: &Now) -> Option<Vec<Notice>> {
        if self.pushed.is_empty() {
            return None;
        }
        let (mut adopted, mut changed) = (notices.to_vec(), false);
        for notice in &mut adopted {
            let Some((_, instance)) = notice.facts.iter().find(|(field, _)| *field == Field::Instance) else {
                continue;
            };
            let at = Tick(now.tick.0.saturating_sub(notice.age));
            match notice.kind {
                Kind::Interrupt => match self.pushed.own(instance, notice.id, at, now) {
                    Own::News | Own::Known => {}
                    Own::Overtakes => changed = true,
                    Own::Told { incident, same, first } => {
                        changed |= first;
                        notice.incident = incident;
                        if same {
                            // Nobody needs to be told, nor any callback.
                            (notice.told, notice.delivered) = (false, true);
                        }
                    }
                },
                Kind::InterruptWithdrawn => {
                    if let Some(incident) = self.pushed.ended(instance, now) {
                        notice.incident = incident;
                        (notice.told, notice.delivered) = (false, false);
                    }
                }
                _ => {}
            }
        }
        self.unsaved |= changed;
        Some(adopted)
    }

    /// Whether reclaims may be pushed from outside: if not, nothing is remembered of this host's own notices.
    pub fn expect_pushes(&mut self, may: bool) {
        self.pushes = may;
    }

    /// The same for an event of this host itself. `true` if people know it.
    pub fn adopt_own(&mut self, event: &mut Event, now: &Now, pending: &mut Pending) -> bool {
        let at = event.at.tick(now).unwrap_or(now.tick);
        match event.kind {
            _ if event.test || instance(event).is_empty() => false,
            Kind::Interrupt => {
                let own = self.pushed.own(instance(event), event.id, at, now);
                if own == Own::News {
                    if !self.pushes {
                        return false;
                    }
                    self.pushed.add_own(event, now);
                }
                if !matches!(own, Own::Known | Own::Told { first: false, .. }) {
                    self.save_pushed(now, pending);
                }
                let Own::Told { incident, same, .. } = own else { return false };
                event.incident = incident;
                same
            }
            Kind::InterruptWithdrawn => {
                event.incident = self.pushed.ended(instance(event), now).unwrap_or(event.incident);
                false
            }
            _ => false,
        }
    }

    /// Without room it is saved with the next one: at worst somebody is told twice after a restart.
    fn save_pushed(&mut self, now: &Now, pending: &mut Pending) {
        let after = After::Small { name: pushed::STATE_NAME.to_owned(), json: self.pushed.to_json() };
        self.unsaved = pending.push(None, after).is_none();
        self.saved = Some(now.tick);
    }
}

fn is_about(carried: &Carried, instance: &str) -> bool {
    carried.facts.iter().any(|(field, text)| *field == Field::Instance && text == instance)
}

/// Whether the host itself has said so, and has not taken it back.
fn is_announced(host: &Host, instance: &str, at: Tick) -> bool {
    let ended = |carried: &Carried| {
        let end = |other: &Carried| other.kind.phase() == Phase::End && other.incident == carried.incident;
        host.carried.iter().any(end)
    };
    host.carried.iter().any(|carried| {
        let near = carried.at.since(at).max(at.since(carried.at)) <= pushed::SAME
            || carried.deadline.is_some_and(|deadline| at <= deadline + pushed::SAME);
        carried.kind == Kind::Interrupt && near && is_about(carried, instance) && !ended(carried)
    })
}
