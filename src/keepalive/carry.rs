//! Notices that this host's beats carry to its servers.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{self, Now, Tick, millis};
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Phase};
use crate::keepalive::beat::{MAX_NOTICES, Notice};
use crate::run::threads::{Bell, lock};

/// How long an announced deadline is carried beyond it, and everything else from when it came.
const LINGER: Duration = Duration::from_secs(15 * 60);
/// Most text facts of one notice, and most bytes of each: eight notices stay far below the limit of a line.
const MAX_FACTS: usize = 12;
const MAX_TEXT: usize = 100;

struct Carried {
    notice: Notice,
    at: Moment,
    put: Tick,
    deadline: Option<Moment>,
}

impl Carried {
    /// Whether it need not be carried any more. `withdrawn`: when its incident's end was put, with which it lapses.
    fn is_over(&self, withdrawn: Option<Tick>, now: &Now) -> bool {
        let long_ago = |since: Tick| now.tick.since(since) > LINGER;
        match (withdrawn, self.deadline) {
            (Some(withdrawn), _) => long_ago(withdrawn),
            (None, _) if self.notice.kind.phase() != Phase::Begin => long_ago(self.put),
            (None, Some(deadline)) => long_ago(deadline.tick(now).unwrap_or(self.put)),
            (None, None) => false,
        }
    }
}

#[derive(Default)]
struct Load {
    /// In the order in which they came; at most [`MAX_NOTICES`].
    carried: Vec<Carried>,
    bells: Vec<Bell>,
}

/// What beats carry, shared by the source of the notices, the desk that tells them, and the client threads.
#[derive(Default)]
pub struct Carry(Mutex<Load>);

impl Carry {
    /// Carries `event` from now on. `told`: this host has a channel of its own and tells it. An exercise is not
    /// carried: a server would take it for real.
    pub fn put(&self, event: &Event, told: bool) {
        if !event.test {
            lock(&self.0).put(event, told, &clock::now());
        }
    }

    /// A channel of this host took the event.
    pub fn delivered(&self, id: Id) {
        let mut load = lock(&self.0);
        let mut changed = false;
        for carried in load.carried.iter_mut().filter(|carried| carried.notice.id == id) {
            changed |= !std::mem::replace(&mut carried.notice.delivered, true);
        }
        if changed {
            load.ring();
        }
    }

    /// Carries nothing of `incident` any more.
    pub fn forget(&self, incident: Id) {
        lock(&self.0).carried.retain(|carried| carried.notice.incident != incident);
    }

    /// What a beat of this moment carries, the oldest first.
    pub fn snapshot(&self, now: &Now) -> Vec<Notice> {
        lock(&self.0).snapshot(now)
    }

    /// A bell that rings when there is something new to carry.
    pub fn subscribe(&self) -> Bell {
        let bell = Bell::default();
        let mut load = lock(&self.0);
        // Clients come and go with the configuration.
        load.bells.retain(Bell::is_shared);
        load.bells.push(bell.clone());
        bell
    }
}

impl Load {
    fn put(&mut self, event: &Event, told: bool, now: &Now) {
        if self.carried.iter().any(|carried| carried.notice.id == event.id) {
            return;
        }
        self.drop_what_is_over(now);
        if self.carried.len() >= MAX_NOTICES {
            let finished = |c: &Carried| {
                c.notice.kind.phase() != Phase::Begin
                    || self.withdrawn(c.notice.incident).is_some()
                    || c.deadline.and_then(|deadline| deadline.tick(now)).is_some_and(|deadline| deadline < now.tick)
            };
            let oldest = self.carried.iter().position(finished).unwrap_or(0);
            self.carried.remove(oldest);
        }
        let deadline = event.fact(Field::Deadline).and_then(|fact| match fact {
            Fact::Time(moment) => Some(*moment),
            Fact::Text(_) | Fact::Number(_) | Fact::Span(_) => None,
        });
        let texts = event.facts.iter().filter_map(|(field, fact)| match fact {
            Fact::Text(text) => Some((*field, shortened(text).to_owned())),
            Fact::Number(_) | Fact::Span(_) | Fact::Time(_) => None,
        });
        let notice = Notice {
            id: event.id,
            incident: event.incident,
            kind: event.kind,
            severity: event.severity,
            age: 0,
            left: None,
            told,
            delivered: false,
            facts: texts.take(MAX_FACTS).collect(),
        };
        self.carried.push(Carried { notice, at: event.at, put: now.tick, deadline });
        self.ring();
    }

    fn snapshot(&mut self, now: &Now) -> Vec<Notice> {
        self.drop_what_is_over(now);
        let relative = |carried: &Carried| {
            let happened = carried.at.tick(now).unwrap_or(carried.put);
            let left = carried.deadline.and_then(|deadline| deadline.tick(now));
            Notice {
                age: millis(now.tick.since(happened)),
                left: left.map(|left| left.0.saturating_sub(now.tick.0)),
                ..carried.notice.clone()
            }
        };
        self.carried.iter().map(relative).collect()
    }

    /// When the end of `incident` was put.
    fn withdrawn(&self, incident: Id) -> Option<Tick> {
        let end = |c: &&Carried| c.notice.incident == incident && c.notice.kind == Kind::InterruptWithdrawn;
        self.carried.iter().find(end).map(|c| c.put)
    }

    fn drop_what_is_over(&mut self, now: &Now) {
        let over: Vec<Id> = self
            .carried
            .iter()
            .filter(|carried| carried.is_over(self.withdrawn(carried.notice.incident), now))
            .map(|carried| carried.notice.id)
            .collect();
        self.carried.retain(|carried| !over.contains(&carried.notice.id));
    }

    fn ring(&self) {
        for bell in &self.bells {
            bell.ring();
        }
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Wall};

    fn at(secs: i64) -> Now {
        Now { tick: Tick(secs * 1000), wall: Wall(1_800_000_000_000 + secs * 1000), boot: Boot(1) }
    }

    fn event(kind: Kind, incident: u64, now: &Now) -> Event {
        Event::new(kind, Id(incident), "nas@home", Moment::at(now.tick, now))
    }

    fn kinds(load: &mut Load, secs: i64) -> Vec<(Kind, u64)> {
        load.snapshot(&at(secs)).iter().map(|n| (n.kind, n.incident.0)).collect()
    }

    #[test]
    fn a_notice_is_relative_and_lapses() {
        let mut load = Load::default();
        let deadline = Moment::at_wall(Wall(1_800_000_300_000), &at(100));
        let interrupt = event(Kind::Interrupt, 7, &at(100))
            .with(Field::Deadline, Fact::Time(deadline))
            .with(Field::Count, Fact::Number(3))
            .with_text(Field::Instance, "é".repeat(80));
        load.put(&interrupt, true, &at(101));
        load.put(&interrupt, true, &at(102));
        let [notice] = &load.snapshot(&at(130))[..] else { panic!("one notice") };
        assert_eq!((notice.age, notice.left, notice.told, notice.delivered), (30_000, Some(170_000), true, false));
        assert_eq!(notice.facts, [(Field::Instance, "é".repeat(50))]);
        assert_eq!(load.snapshot(&at(310))[0].left, Some(-10_000));
        assert_eq!(kinds(&mut load, 300 + 900).len(), 1);
        assert_eq!(kinds(&mut load, 300 + 901).len(), 0);
    }

    #[test]
    fn a_withdrawal_takes_its_notice_along() {
        let mut load = Load::default();
        load.put(&event(Kind::Interrupt, 1, &at(0)), false, &at(0));
        load.put(&event(Kind::Interrupt, 2, &at(0)), false, &at(0));
        load.put(&event(Kind::InterruptWithdrawn, 1, &at(500)), false, &at(500));
        let all = [(Kind::Interrupt, 1), (Kind::Interrupt, 2), (Kind::InterruptWithdrawn, 1)];
        assert_eq!(kinds(&mut load, 1400), all);
        assert_eq!(kinds(&mut load, 1401), [(Kind::Interrupt, 2)]);
    }

    #[test]
    fn finished_ones_make_room_first() {
        let mut load = Load::default();
        load.put(&event(Kind::Interrupt, 1, &at(0)), false, &at(0));
        load.put(&event(Kind::Interrupt, 2, &at(0)), false, &at(0));
        load.put(&event(Kind::InterruptWithdrawn, 2, &at(0)), false, &at(0));
        for n in 3..20 {
            load.put(&event(Kind::Interrupt, n, &at(0)), false, &at(0));
        }
        let carried = kinds(&mut load, 1);
        assert_eq!(carried.len(), MAX_NOTICES);
        assert!(carried.iter().all(|(kind, _)| *kind == Kind::Interrupt));
        assert_eq!(carried.last(), Some(&(Kind::Interrupt, 19)));
    }

    #[test]
    fn bells_ring_for_news_only_and_exercises_stay_at_home() {
        let carry = Carry::default();
        let bell = carry.subscribe();
        let rang = || bell.wait(Duration::ZERO);
        let now = clock::now();
        let real = event(Kind::Interrupt, 1, &now);
        carry.put(&Event { test: true, ..real.clone() }, true);
        assert!(!rang() && carry.snapshot(&now).is_empty());
        carry.put(&real, true);
        assert!(rang());
        carry.delivered(real.id);
        assert!(rang() && carry.snapshot(&now)[0].delivered);
        carry.delivered(real.id);
        assert!(!rang());
        carry.forget(Id(1));
        assert!(carry.snapshot(&now).is_empty());
    }
}
