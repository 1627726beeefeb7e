//! Notices that this host's beats carry to its servers.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{self, Now, Tick, millis};
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Phase};
use crate::keepalive::beat::{MAX_NOTICES, Notice};
use crate::run::threads::{Bell, lock};

/// How long an announced deadline is carried beyond it, and an end from when it came.
const LINGER: Duration = Duration::from_secs(15 * 60);
/// So many failures of probes, and so many shortages, are carried at a time, those that came first: a server takes six of
/// both together, and tells what is carried no more before it is said to be delivered.
pub const MAX_OWN: usize = 3;
/// Most facts of one notice, most bytes of each, and of all together: eight notices stay far below the limit of a line,
/// even if every byte is escaped.
const MAX_FACTS: usize = 12;
const MAX_TEXT: usize = 200;
const MAX_TEXTS: usize = 600;

struct Carried {
    notice: Notice,
    at: Moment,
    put: Tick,
    deadline: Option<Moment>,
}

impl Carried {
    /// Whether it need not be carried any more. `ended`: when its incident's end was put, with which it lapses.
    fn is_over(&self, ended: Option<Tick>, now: &Now) -> bool {
        let long_ago = |since: Tick| now.tick.since(since) > LINGER;
        match (ended, self.deadline) {
            (Some(ended), _) => long_ago(ended),
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

    /// What a beat of this moment carries, the oldest first.
    pub fn snapshot(&self, now: &Now) -> Vec<Notice> {
        lock(&self.0).snapshot(now)
    }

    /// Has all clients beat at once: there is something new to say.
    pub fn ring(&self) {
        lock(&self.0).ring();
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
        let full = self.carried.len() >= MAX_NOTICES;
        let unwanted = match event.kind {
            Kind::ProbeDown | Kind::ResourceHigh => self.standing(event.kind) >= MAX_OWN,
            // The end of what no server knows makes nothing else go.
            Kind::ProbeUp | Kind::ResourceNormal => full && !self.carries(event.incident),
            _ => false,
        };
        if unwanted {
            return;
        }
        if full {
            self.carried.remove(self.least(now));
        }
        let deadline = event.fact(Field::Deadline).and_then(|fact| match fact {
            Fact::Time(moment) => Some(*moment),
            Fact::Text(_) | Fact::Number(_) | Fact::Span(_) => None,
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
            facts: facts(event),
        };
        self.carried.push(Carried { notice, at: event.at, put: now.tick, deadline });
        self.ring();
    }

    /// How many of a kind have not ended.
    fn standing(&self, kind: Kind) -> usize {
        let stands = |c: &&Carried| c.notice.kind == kind && self.ended(c.notice.incident).is_none();
        self.carried.iter().filter(stands).count()
    }

    fn carries(&self, incident: Id) -> bool {
        self.carried.iter().any(|carried| carried.notice.incident == incident)
    }

    /// The place of what makes room: the oldest that is over, else the oldest that is no reclaim, else the oldest.
    fn least(&self, now: &Now) -> usize {
        let over = |c: &Carried| {
            c.notice.kind.phase() != Phase::Begin
                || self.ended(c.notice.incident).is_some()
                || c.deadline.and_then(|deadline| deadline.tick(now)).is_some_and(|deadline| deadline < now.tick)
        };
        let lesser = |c: &Carried| c.notice.kind != Kind::Interrupt;
        let carried = &self.carried;
        carried.iter().position(over).or_else(|| carried.iter().position(lesser)).unwrap_or(0)
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
    fn ended(&self, incident: Id) -> Option<Tick> {
        let end = |c: &&Carried| c.notice.incident == incident && c.notice.kind.phase() == Phase::End;
        self.carried.iter().find(end).map(|c| c.put)
    }

    fn drop_what_is_over(&mut self, now: &Now) {
        let over: Vec<Id> = self
            .carried
            .iter()
            .filter(|carried| carried.is_over(self.ended(carried.notice.incident), now))
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

/// The facts that are carried: texts, and spans in whole seconds.
fn facts(event: &Event) -> Vec<(Field, String)> {
    let (mut facts, mut left) = (Vec::new(), MAX_TEXTS);
    for (field, fact) in event.facts.iter().take(MAX_FACTS) {
        let text = match fact {
            Fact::Text(text) => shortened(text, left.min(MAX_TEXT)),
            Fact::Span(span) => span.as_secs().to_string(),
            Fact::Number(_) | Fact::Time(_) => String::new(),
        };
        if !text.is_empty() && text.len() <= left {
            left -= text.len();
            facts.push((*field, text));
        }
    }
    facts
}

/// At most so many bytes of `text`; what was cut off shows, and control characters, which take six bytes each, are gone.
pub fn shortened(text: &str, bytes: usize) -> String {
    const CUT: &str = "…";
    let plain = || text.chars().filter(|c| !c.is_control());
    if plain().map(char::len_utf8).sum::<usize>() <= bytes {
        return plain().collect();
    }
    let mut short = String::new();
    for c in plain() {
        if short.len() + c.len_utf8() + CUT.len() > bytes {
            break;
        }
        short.push(c);
    }
    if !short.is_empty() {
        short.push_str(CUT);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Wall};
    use crate::keepalive::beat::{Ev, Report};

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
            .with(Field::Lead, Fact::Span(Duration::from_millis(30_900)))
            .with_text(Field::Instance, "\u{1}é".repeat(180));
        load.put(&interrupt, true, &at(101));
        load.put(&interrupt, true, &at(102));
        let [notice] = &load.snapshot(&at(130))[..] else { panic!("one notice") };
        assert_eq!((notice.age, notice.left, notice.told, notice.delivered), (30_000, Some(170_000), true, false));
        assert_eq!(notice.facts, [(Field::Lead, "30".to_owned()), (Field::Instance, "é".repeat(98) + "…")]);
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
    }

    #[test]
    fn a_reclaim_never_makes_room_for_something_less() {
        let mut load = Load::default();
        load.put(&event(Kind::Interrupt, 1, &at(0)), false, &at(0));
        for n in 2..20 {
            load.put(&event(Kind::Maintenance, n, &at(0)), false, &at(0));
        }
        let carried = kinds(&mut load, 1);
        assert_eq!(
            (carried.len(), carried[0], carried[1]),
            (MAX_NOTICES, (Kind::Interrupt, 1), (Kind::Maintenance, 13))
        );
        load.put(&event(Kind::MaintenanceOver, 19, &at(2)), false, &at(2));
        load.put(&event(Kind::Rebalance, 20, &at(3)), false, &at(3));
        let carried = kinds(&mut load, 4);
        assert!(!carried.contains(&(Kind::Maintenance, 19)) && carried.contains(&(Kind::MaintenanceOver, 19)));
        assert_eq!(carried[0], (Kind::Interrupt, 1));
    }

    /// What a beat has carried as told, and then no more, its server would tell a second time.
    #[test]
    fn many_failures_of_one_host_push_nothing_out() {
        let mut load = Load::default();
        load.put(&event(Kind::Maintenance, 99, &at(0)), true, &at(0));
        for n in 0..20 {
            load.put(&event(Kind::ProbeDown, n, &at(1)), true, &at(1));
            load.put(&event(Kind::ResourceHigh, 100 + n, &at(1)), true, &at(1));
            let carried = kinds(&mut load, 1);
            assert_eq!((carried[0], carried[1]), ((Kind::Maintenance, 99), (Kind::ProbeDown, 0)));
        }
        assert_eq!(kinds(&mut load, 1).len(), 1 + 2 * MAX_OWN);
        for n in (0..20).rev() {
            load.put(&event(Kind::ProbeUp, n, &at(2)), true, &at(2));
        }
        let carried = kinds(&mut load, 2);
        for n in 0..3 {
            assert!(carried.contains(&(Kind::ProbeUp, n)), "{carried:?}");
        }
        load.put(&event(Kind::ProbeDown, 50, &at(3)), true, &at(3));
        assert!(kinds(&mut load, 3).contains(&(Kind::ProbeDown, 50)), "there is room again");
    }

    #[test]
    fn eight_of_the_longest_notices_fit_a_line() {
        let mut load = Load::default();
        for n in 0..8 {
            let mut long = event(Kind::Maintenance, n, &at(0));
            for field in Field::ALL {
                long = long.with_text(*field, "\"\\\u{1}".repeat(200));
            }
            load.put(&long, true, &at(0));
        }
        let mut report = Report::bare(Ev::Beat, Duration::from_secs(30));
        report.data.notices = load.snapshot(&at(1));
        let line = report.to_json();
        println!("{} bytes", line.len());
        assert!(report.data.notices.len() == 8 && line.len() < 14 * 1024);
        assert_eq!(Report::read(&line), Some(report));
    }
}
