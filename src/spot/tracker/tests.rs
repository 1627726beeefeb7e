use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::clock::Boot;
use crate::event::Phase;
use crate::event::{Fact, Field};
use crate::spot::service::Notice;

const T0: i64 = 1_777_650_000_000;
const MIN: i64 = 60_000;

fn at(ms: i64) -> Now {
    Now { tick: Tick(ms), wall: Wall(T0 + ms), boot: Boot(7) }
}

/// A notice whose time is `secs` after the beginning of the test.
fn notice(secs: i64) -> Reading {
    let deadline = Some(Wall(T0 + secs * 1000));
    Reading::one(Notice { deadline, ..Notice::new(Kind::Interrupt, "release", &format!("in {secs}")) })
}

fn unknown() -> Reading {
    Reading::Unknown(Why { text: "answers 500".to_owned(), hint: "look" })
}

fn identity() -> Identity {
    Identity { instance: "i-abc".to_owned(), region: "cn-hangzhou".to_owned(), ..Identity::default() }
}

fn fresh(now: &Now) -> Tracker {
    Tracker::restore(Cloud::AliCloud, "ikun101@spot", None, now)
}

/// Everything that is due at `now`, told.
fn tell(tracker: &mut Tracker, now: &Now) -> Vec<Event> {
    std::iter::from_fn(|| tracker.due(&identity(), now).map(|due| tracker.commit(due))).take(9).collect()
}

/// Polls every `step` ms with `readings`; the kinds told, each with the second of its poll.
fn play(tracker: &mut Tracker, from: i64, step: i64, readings: &[Reading]) -> Vec<(i64, Kind)> {
    let mut told = Vec::new();
    for (n, reading) in readings.iter().enumerate() {
        let now = at(from + step * n as i64);
        tracker.observe(0, reading, &now);
        told.extend(tell(tracker, &now).iter().map(|event| (now.tick.0 / 1000, event.kind)));
    }
    told
}

fn restart(tracker: &Tracker, now: &Now) -> Tracker {
    let saved = tracker.state.write();
    Tracker::restore(Cloud::AliCloud, "ikun101@spot", Some(&saved), now)
}

#[test]
fn a_notice_is_told_once_with_everything_known() {
    let mut tracker = fresh(&at(0));
    assert_eq!(play(&mut tracker, 0, 1000, &[Reading::QUIET]), []);
    tracker.observe(0, &notice(300), &at(1000));
    let due = tracker.due(&identity(), &at(1000)).unwrap();
    let again = tracker.due(&identity(), &at(1000)).unwrap();
    assert_eq!((&due.event, due.json()), (&again.event, again.json()), "it stays due until it is told");
    let event = tracker.commit(due);
    assert_eq!((event.kind, event.subject.as_str(), event.at.tick), (Kind::Interrupt, "ikun101@spot", Tick(1000)));
    let names: Vec<&str> = event.facts.iter().map(|(field, _)| field.name()).collect();
    assert_eq!(names, ["provider", "instance", "region", "action", "deadline"]);
    let Some(Fact::Time(deadline)) = event.fact(Field::Deadline) else { unreachable!() };
    assert_eq!(deadline.wall(&at(1000)), Some(Wall(T0 + 300_000)));
    assert_eq!(
        tracker.state(),
        SpotState::Notice { until: Some(Wall(T0 + 300_000)), action: "release".to_owned(), lead: None }
    );
    assert_eq!(play(&mut tracker, 2000, 1000, &vec![notice(300); 200]), []);
    let mut next = restart(&tracker, &at(3 * MIN));
    assert_eq!(next.standing().next(), Some(&event));
    assert_eq!(play(&mut next, 3 * MIN, 1000, &vec![notice(300); 100]), []);
}

#[test]
fn a_moved_time_is_told_and_a_drifting_one_is_not() {
    let mut tracker = fresh(&at(0));
    let told = play(&mut tracker, 0, 5000, &[notice(300), notice(360), notice(240), notice(239), notice(239)]);
    assert_eq!(told, [(0, Kind::Interrupt), (15, Kind::Interrupt)]);
    let event = tracker.standing().next().unwrap().clone();
    let Some(Fact::Time(old)) = event.fact(Field::OldDeadline) else { unreachable!() };
    assert_eq!(old.wall, Wall(T0 + 300_000));
    // The second change waits until a minute after the first.
    let told = play(&mut tracker, 20_000, 5000, &vec![notice(600); 20]);
    assert_eq!(told, [(75, Kind::Interrupt)]);
    let other = tracker.standing().next().unwrap();
    assert!(other.incident == event.incident && other.id != event.id);
}

#[test]
fn a_time_that_changes_all_the_time_is_told_ever_less_often() {
    let mut tracker = fresh(&at(0));
    let by_turns: Vec<Reading> = (0..8640).map(|n| notice(90_000 + n % 2 * 600)).collect();
    let told = play(&mut tracker, 0, 10_000, &by_turns);
    assert!(told.iter().all(|(_, kind)| *kind == Kind::Interrupt) && (10..=40).contains(&told.len()), "{}", told.len());
}

#[test]
fn a_changed_action_is_told() {
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 1000, &[notice(300)]);
    let Reading::Notices(mut plain) = notice(300) else { unreachable!() };
    let stop = Reading::one(Notice { action: "stop", ..plain.remove(0) });
    assert_eq!(play(&mut tracker, 1000, 1000, &[stop.clone(), stop]), [(1, Kind::Interrupt)]);
}

#[test]
fn a_withdrawal_takes_three_quiet_polls_and_fifteen_seconds() {
    let q = Reading::QUIET;
    let e = unknown();
    for (step, readings, want) in [
        (1, vec![q.clone(); 20], vec![(16, Kind::InterruptWithdrawn)]),
        (5, vec![q.clone(); 6], vec![(20, Kind::InterruptWithdrawn)]),
        (10, vec![q.clone(); 4], vec![(30, Kind::InterruptWithdrawn)]),
        (10, vec![q.clone(), e.clone(), q.clone(), e.clone()], vec![]),
        (10, vec![q.clone(), e.clone(), e.clone(), q.clone(), q.clone()], vec![(50, Kind::InterruptWithdrawn)]),
        (10, vec![q.clone(), q.clone(), notice(300), q.clone(), q.clone()], vec![]),
    ] {
        let mut tracker = fresh(&at(0));
        play(&mut tracker, 0, 1000, &[notice(300)]);
        assert_eq!(play(&mut tracker, step * 1000, step * 1000, &readings), want, "{step} {readings:?}");
    }
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 1000, &[notice(9000)]);
    assert_eq!(play(&mut tracker, 1000, 1000, &vec![unknown(); 900]), [(60, Kind::Blind)], "errors withdraw nothing");
}

#[test]
fn a_notice_that_comes_back_is_another_incident() {
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 1000, &[notice(300)]);
    let first = tracker.standing().next().unwrap().clone();
    for n in 1..20 {
        tracker.observe(0, &Reading::QUIET, &at(n * 1000));
    }
    let [end] = tell(&mut tracker, &at(19_000)).try_into().unwrap();
    assert_eq!((end.kind, end.incident, end.at.tick), (Kind::InterruptWithdrawn, first.incident, Tick(1000)));
    assert_eq!(end.fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(1))));
    assert_eq!(play(&mut tracker, 20_000, 1000, &[notice(300)]), [(20, Kind::Interrupt)]);
    assert_ne!(tracker.standing().next().unwrap().incident, first.incident);
}

#[test]
fn ids_do_not_depend_on_when_it_was_seen() {
    let told = |ms: i64| {
        let mut tracker = fresh(&at(ms - 5000));
        tracker.observe(0, &notice(300), &at(ms));
        let begin = tell(&mut tracker, &at(ms)).remove(0);
        tracker.observe(0, &notice(600), &at(ms + 5000));
        let change = tell(&mut tracker, &at(ms + 5000)).remove(0);
        (begin.incident, begin.id, change.id)
    };
    assert_eq!(told(1000), told(90_000));
    assert_ne!(told(1000).1, told(1000).2);
}

#[test]
fn a_new_boot_ends_a_notice_silently() {
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 1000, &[notice(300)]);
    let incident = tracker.standing().next().unwrap().incident;
    let saved = tracker.state.write();
    let reboot = |ms| Now { tick: Tick(ms), wall: Wall(T0 + 120_000 + ms), boot: Boot(8) };
    let mut next = Tracker::restore(Cloud::AliCloud, "ikun101@spot", Some(&saved), &reboot(0));
    assert_eq!(next.standing().count(), 0);
    let [end] = tell(&mut next, &reboot(0)).try_into().unwrap();
    assert_eq!((end.kind, end.incident), (Kind::NoticeDropped, incident), "which is told nobody");
    for n in 0..60 {
        next.observe(0, &Reading::QUIET, &reboot(n * 1000));
        assert!(next.due(&identity(), &reboot(n * 1000)).is_none());
    }
    next.observe(0, &notice(300), &reboot(60_000));
    assert_ne!(next.due(&identity(), &reboot(60_000)).unwrap().event.incident, incident);
}

#[test]
fn a_time_long_past_is_no_notice() {
    // Left behind when the daemon starts.
    let mut tracker = fresh(&at(0));
    assert_eq!(tracker.observe(0, &notice(-901), &at(0)), Some(Remark::Stale("in -901".to_owned())));
    assert_eq!(tracker.observe(0, &notice(-901), &at(1000)), None, "said once");
    assert_eq!(play(&mut tracker, 2000, 1000, &vec![notice(-901); 100]), []);
    assert_eq!(tracker.state(), SpotState::Quiet);
    // Just past: the clocks may differ.
    assert_eq!(play(&mut fresh(&at(0)), 0, 1000, &[notice(-899)]), [(0, Kind::Interrupt)]);
    // A clock that was never set judges nothing.
    let unset = Now { wall: Wall(1000), ..at(0) };
    let mut router = fresh(&unset);
    router.observe(0, &notice(-90_000_000), &unset);
    assert_eq!(tell(&mut router, &unset).len(), 1);
    // The service said "nothing" a moment ago: it is the clock that is wrong.
    let mut tracker = fresh(&at(0));
    let told = play(&mut tracker, 0, 10_000, &[vec![Reading::QUIET], vec![notice(-3600); 60]].concat());
    assert_eq!(told, [(10, Kind::Interrupt)]);
}

#[test]
fn a_notice_that_is_left_behind_lapses_once() {
    let mut tracker = fresh(&at(0));
    let told = play(&mut tracker, 0, 10_000, &vec![notice(300); 400]);
    assert_eq!(told, [(0, Kind::Interrupt), (1230, Kind::InterruptWithdrawn)]);
    let now = at(4_000_000);
    assert_eq!(play(&mut restart(&tracker, &now), 4_000_000, 10_000, &[notice(300), notice(300)]), []);
    let by_turns: Vec<Reading> = (0..50).map(|n| if n % 2 == 0 { Reading::QUIET } else { notice(300) }).collect();
    assert_eq!(play(&mut tracker, 4_000_000, 10_000, &by_turns), []);
}

#[test]
fn blindness_and_its_end_are_told_once_across_restarts() {
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 10_000, &[Reading::QUIET]);
    assert_eq!(play(&mut tracker, 10_000, 10_000, &vec![unknown(); 30]), [(60, Kind::Blind)]);
    assert!(matches!(tracker.state(), SpotState::Blind { why, .. } if why == "answers 500"));
    let mut tracker = restart(&tracker, &at(310_000));
    assert_eq!(play(&mut tracker, 310_000, 10_000, &vec![unknown(); 30]), []);
    for n in 0..3 {
        tracker.observe(0, &Reading::QUIET, &at(610_000 + n * 10_000));
    }
    let [end] = tell(&mut tracker, &at(630_000)).try_into().unwrap();
    assert_eq!(end.kind, Kind::Seeing);
    assert_eq!(end.fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(630))));
    let mut tracker = restart(&tracker, &at(640_000));
    assert_eq!(play(&mut tracker, 640_000, 10_000, &vec![Reading::QUIET; 30]), []);
}

#[test]
fn what_cannot_be_read_is_as_good_as_nothing() {
    let mut tracker = fresh(&at(0));
    play(&mut tracker, 0, 1000, &[notice(300)]);
    let good = tracker.state.write();
    for end in 0..good.len() {
        let cut = good.get(..end).unwrap_or_default();
        assert!(Tracker::restore(Cloud::AliCloud, "x", Some(cut), &at(0)).standing().next().is_none());
    }
    for bad in
        ["", "null", "[]", "{\"generation\":-1}", &good.replace("\"interrupt\"", "\"offline\""), &" ".repeat(99_999)]
    {
        assert!(Tracker::restore(Cloud::AliCloud, "x", Some(bad), &at(0)).standing().next().is_none(), "{bad}");
    }
    assert_eq!(standing(&good), tracker.standing().map(|event| event.id).collect::<Vec<_>>());
    assert_eq!(standing("{}"), []);
}

/// A small generator (xorshift), so that a failure can be repeated from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What a reader of the channels must see, whatever the service and the daemon do.
#[derive(Default)]
struct Reader {
    messages: HashMap<Id, Event>,
    open: HashMap<Kind, Id>,
}

impl Reader {
    fn hear(&mut self, event: &Event, seed: u64) {
        assert!(self.messages.insert(event.id, event.clone()).is_none(), "seed {seed}: told twice: {event:?}");
        let kind = if matches!(event.kind, Kind::Blind | Kind::Seeing) { Kind::Blind } else { Kind::Interrupt };
        match event.kind.phase() {
            Phase::Begin => match self.open.insert(kind, event.incident) {
                Some(open) => assert!(
                    open == event.incident && event.fact(Field::OldDeadline).is_some(),
                    "seed {seed}: a beginning in the middle: {event:?}"
                ),
                None => assert!(event.fact(Field::OldDeadline).is_none(), "seed {seed}: {event:?}"),
            },
            Phase::End => assert_eq!(self.open.remove(&kind), Some(event.incident), "seed {seed}: {event:?}"),
            Phase::Single => unreachable!("{event:?}"),
        }
    }
}

#[test]
fn what_is_told_makes_sense_whatever_happens() {
    for seed in 1..400_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut reader = Reader::default();
        let mut tracker = fresh(&at(0));
        let (mut ms, mut mood, mut deadline) = (0, 0, 300);
        let mut last: Vec<(i64, Reading)> = Vec::new();
        for _ in 0..600 {
            let pause = if dice.roll(50) == 0 { 600_000 } else { 12_000 };
            ms += 500 + dice.roll(pause) as i64;
            if dice.roll(8) == 0 {
                mood = dice.roll(4);
                deadline = ms / 1000 - 1200 + dice.roll(2400) as i64;
            }
            let reading = match mood {
                0 => Reading::QUIET,
                1 => unknown(),
                2 => notice(deadline),
                _ => [Reading::QUIET, unknown(), notice(deadline)][dice.roll(3) as usize].clone(),
            };
            let now = at(ms);
            tracker.observe(0, &reading, &now);
            last.push((ms, reading));
            let full = dice.roll(5) == 0;
            while let Some(due) = tracker.due(&identity(), &now).filter(|_| !full) {
                if due.event.kind == Kind::InterruptWithdrawn {
                    let told: Vec<_> = last.iter().rev().filter(|(_, r)| !matches!(r, Reading::Unknown(_))).collect();
                    let past = |r: &Reading| matches!(r, Reading::Notices(n) if !n.is_empty() && n[0].deadline < Some(Wall(T0 + ms - 15 * MIN)));
                    assert!(told.iter().take(3).all(|(_, r)| *r == Reading::QUIET || past(r)), "seed {seed}: {told:?}");
                }
                match dice.roll(12) {
                    // It dies before the event is saved: nobody has heard of it.
                    0 => tracker = restart(&tracker, &now),
                    // It dies after the event was saved, with the state that says so beside it.
                    1 => {
                        reader.hear(&due.event, seed);
                        tracker = Tracker::restore(Cloud::AliCloud, "ikun101@spot", Some(&due.json()), &now);
                    }
                    _ => {
                        reader.hear(&due.event, seed);
                        tracker.commit(due);
                        continue;
                    }
                }
                break;
            }
            if dice.roll(30) == 0 {
                tracker = restart(&tracker, &now);
            }
        }
    }
}

#[test]
fn nothing_is_told_twice_across_restarts() {
    for seed in 1..400_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut reader = Reader::default();
        let mut tracker = fresh(&at(0));
        for n in 0..600 {
            let now = at(n * 5000);
            let reading = match (n / 40 + seed as i64) % 3 {
                0 => Reading::QUIET,
                1 => notice(n / 40 * 200 + 300),
                _ => unknown(),
            };
            tracker.observe(0, &reading, &now);
            for event in tell(&mut tracker, &now) {
                reader.hear(&event, seed);
            }
            if dice.roll(20) == 0 {
                tracker = restart(&tracker, &now);
            }
        }
        assert!(reader.messages.len() > 4, "seed {seed}: {}", reader.messages.len());
    }
}
