//! Several notices at once, of several topics.

use std::time::Duration;

use super::*;
use crate::clock::Boot;
use crate::event::{Fact, Field, Phase, Severity};
use crate::spot::service::Notice;

const T0: i64 = 1_777_650_000_000;

fn at(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(T0 + secs * 1000), boot: Boot(7) }
}

fn fresh() -> Tracker {
    Tracker::restore(Cloud::Aws, "web", None, &at(0))
}

fn notice(kind: Kind, key: &str, action: &'static str, secs: Option<i64>) -> Notice {
    let deadline = secs.map(|secs| Wall(T0 + secs * 1000));
    Notice { key: key.to_owned(), deadline, ..Notice::new(kind, action, "raw") }
}

fn tell(tracker: &mut Tracker, now: &Now) -> Vec<Event> {
    let me = Identity::default();
    std::iter::from_fn(|| tracker.due(&me, now).map(|due| tracker.commit(due))).take(20).collect()
}

/// What is told when `topic` holds `notices` at `secs`.
fn look(tracker: &mut Tracker, secs: i64, topic: usize, notices: &[Notice]) -> Vec<(Kind, Id)> {
    tracker.observe(topic, &Reading::Notices(notices.to_vec()), &at(secs));
    tell(tracker, &at(secs)).iter().map(|event| (event.kind, event.incident)).collect()
}

fn kinds(told: &[(Kind, Id)]) -> Vec<Kind> {
    told.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn each_event_begins_and_ends_by_itself() {
    let mut tracker = fresh();
    let a = notice(Kind::Maintenance, "a", "reboot", Some(3600));
    let b = notice(Kind::Maintenance, "b", "stop", Some(7200));
    let told = look(&mut tracker, 0, 3, &[a.clone(), b.clone()]);
    assert_eq!(kinds(&told), [Kind::Maintenance; 2]);
    assert_ne!(told[0].1, told[1].1);
    assert_eq!(
        tracker.state(),
        SpotState::Expected { kind: Kind::Maintenance, until: a.deadline, action: "reboot".to_owned(), lead: None }
    );
    let mut ended = Vec::new();
    for secs in (60..600).step_by(60) {
        // Other topics are quiet all the time.
        ended.extend(look(&mut tracker, secs, 0, &[]));
        ended.extend(look(&mut tracker, secs, 3, std::slice::from_ref(&b)));
    }
    assert_eq!(ended, [(Kind::MaintenanceOver, told[0].1)]);
    // Long after its time it is still there, so it goes on.
    assert_eq!(look(&mut tracker, 90_000, 3, std::slice::from_ref(&b)), []);
    // One that has begun has no time any more.
    assert_eq!(look(&mut tracker, 90_060, 3, &[Notice { deadline: None, ..b.clone() }]), []);
    let mut ended = Vec::new();
    for secs in (90_100..90_200).step_by(10) {
        ended.extend(look(&mut tracker, secs, 3, &[]));
    }
    assert_eq!(ended, [(Kind::MaintenanceOver, told[1].1)]);
    assert_eq!(tracker.state(), SpotState::Quiet);
}

#[test]
fn errors_of_one_topic_are_no_quiet_of_another() {
    let mut tracker = fresh();
    look(&mut tracker, 0, 1, &[notice(Kind::Rebalance, "", "", None)]);
    for secs in 1..300 {
        let why = Why { text: "500".to_owned(), hint: "" };
        assert_eq!(tracker.observe(1, &Reading::Unknown(why), &at(secs)), None);
        assert_eq!(look(&mut tracker, secs, 0, &[]), [], "nothing ends, and the first topic is seen");
    }
    assert_eq!(
        kinds(&look(&mut tracker, 400, 0, &[notice(Kind::Interrupt, "", "stop", Some(520))])),
        [Kind::Interrupt]
    );
    assert!(matches!(tracker.state(), SpotState::Notice { .. }));
}

#[test]
fn two_documents_about_one_end_are_one_message() {
    let spot = [notice(Kind::Interrupt, "", "terminate", Some(120))];
    let group = [notice(Kind::Interrupt, "", "terminate", None)];
    let mut tracker = fresh();
    assert_eq!(look(&mut tracker, 0, 0, &spot).len(), 1);
    assert_eq!(look(&mut tracker, 10, 2, &group), []);
    // The other way round the time is news.
    let mut tracker = fresh();
    assert_eq!(look(&mut tracker, 0, 2, &group).len(), 1);
    assert_eq!(look(&mut tracker, 10, 0, &spot).len(), 1);
}

#[test]
fn maintenance_outlives_a_boot_and_an_interrupt_does_not() {
    let mut tracker = fresh();
    look(&mut tracker, 0, 0, &[notice(Kind::Interrupt, "", "stop", Some(120))]);
    look(&mut tracker, 0, 1, &[notice(Kind::Rebalance, "", "", None)]);
    let reboot = notice(Kind::Maintenance, "a", "reboot", Some(600));
    let told = look(&mut tracker, 0, 3, std::slice::from_ref(&reboot));
    let saved = tracker.state.write();
    let later = Now { boot: Boot(8), ..at(700) };
    let mut next = Tracker::restore(Cloud::Aws, "web", Some(&saved), &later);
    assert_eq!(next.standing().map(|event| event.incident).collect::<Vec<_>>(), [told[0].1]);
    next.observe(3, &Reading::one(reboot), &later);
    let dropped = tell(&mut next, &later);
    assert_eq!(dropped.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::NoticeDropped; 2]);
    assert_eq!(tell(&mut next, &later), []);
    for n in 0..4 {
        let now = Now { boot: Boot(8), ..at(710 + n * 10) };
        next.observe(3, &Reading::QUIET, &now);
        next.observe(0, &Reading::QUIET, &now);
        next.observe(1, &Reading::QUIET, &now);
    }
    let [end] = tell(&mut next, &Now { boot: Boot(8), ..at(750) }).try_into().unwrap();
    assert_eq!((end.kind, end.incident), (Kind::MaintenanceOver, told[0].1));
    assert_eq!(end.fact(Field::Action), Some(&Fact::Text("reboot".to_owned())));
}

#[test]
fn what_is_switched_off_ends_without_a_word() {
    let mut tracker = fresh();
    let rebalance = look(&mut tracker, 0, 1, &[notice(Kind::Rebalance, "", "", None)])[0].1;
    let reboot = look(&mut tracker, 0, 3, &[notice(Kind::Maintenance, "a", "reboot", None)])[0].1;
    tracker.keep(&|standing| standing.topic < 2);
    assert_eq!(tracker.state.standing.len(), 1);
    tracker.keep(&|standing| standing.event.kind != Kind::Rebalance);
    assert_eq!((tracker.state.standing.len(), tracker.watches.len()), (0, 0));
    let told = look(&mut tracker, 5, 0, &[]);
    assert_eq!(told, [(Kind::NoticeDropped, reboot), (Kind::NoticeDropped, rebalance)]);
    assert_eq!(look(&mut tracker, 10, 0, &[]), []);
}

#[test]
fn what_another_cloud_announced_is_none_of_this_one() {
    let mut tracker = fresh();
    look(&mut tracker, 0, 0, &[notice(Kind::Interrupt, "", "stop", Some(900))]);
    let saved = tracker.state.write();
    let mut next = Tracker::restore(Cloud::GoogleCloud, "web", Some(&saved), &at(5));
    let mut told = Vec::new();
    for secs in (10..60).step_by(5) {
        told.extend(look(&mut next, secs, 0, &[]));
    }
    assert_eq!(kinds(&told), [Kind::NoticeDropped]);
    // Without any cloud blindness is over, too.
    for secs in 60..200 {
        let why = Why { text: "500".to_owned(), hint: "" };
        next.observe(0, &Reading::Unknown(why), &at(secs));
    }
    assert_eq!(tell(&mut next, &at(200)).len(), 1);
    let saved = next.state.write();
    let mut none = Tracker::restore(Cloud::Aws, "web", Some(&saved), &at(300));
    none.give_up();
    assert_eq!(kinds(&look(&mut none, 300, 0, &[])), [Kind::NoticeDropped]);
    assert!(none.state.blind.is_none());
}

#[test]
fn a_notice_is_told_again_when_its_time_comes_near() {
    let mut tracker = fresh();
    let (long, short) = (Duration::from_secs(120), Duration::from_secs(30));
    tracker.count_down(&[short, long]);
    let interrupt = [notice(Kind::Interrupt, "", "stop", Some(300))];
    let mut told = Vec::new();
    for secs in (0..320).step_by(5) {
        tracker.observe(0, &Reading::Notices(interrupt.to_vec()), &at(secs));
        told.extend(tell(&mut tracker, &at(secs)).into_iter().map(|event| (secs, event)));
        // A restart changes nothing.
        let saved = tracker.state.write();
        tracker = Tracker::restore(Cloud::Aws, "web", Some(&saved), &at(secs));
        tracker.count_down(&[short, long]);
    }
    let times: Vec<i64> = told.iter().map(|(secs, _)| *secs).collect();
    assert_eq!(times, [0, 180, 270]);
    assert!(told.iter().all(|(_, event)| event.incident == told[0].1.incident && event.kind == Kind::Interrupt));
    assert!(told[0].1.id != told[1].1.id && told[1].1.id != told[2].1.id);
    assert!(told.iter().all(|(_, event)| event.fact(Field::OldDeadline).is_none()));
    // Seen late, it is told once.
    let mut late = fresh();
    late.count_down(&[long, short]);
    let told = |tracker: &mut Tracker, secs| {
        tracker.observe(0, &Reading::Notices(interrupt.to_vec()), &at(secs));
        tell(tracker, &at(secs)).len()
    };
    assert_eq!([told(&mut late, 290), told(&mut late, 295)], [1, 0]);
    // A daemon that was away until the time was over does not count down to it.
    let mut away = fresh();
    away.count_down(&[short]);
    assert_eq!([told(&mut away, 0), told(&mut away, 301), told(&mut away, 400)], [1, 0, 0]);
    // Maintenance is not counted down.
    let mut other = fresh();
    other.count_down(&[long]);
    let reboot = [notice(Kind::Maintenance, "a", "reboot", Some(300))];
    assert_eq!([look(&mut other, 0, 3, &reboot).len(), look(&mut other, 250, 3, &reboot).len()], [1, 0]);
}

#[test]
fn there_is_a_limit_and_what_did_not_fit_is_told_later() {
    let mut tracker = fresh();
    let many: Vec<Notice> = (0..30).map(|n| notice(Kind::Maintenance, &format!("e{n}"), "reboot", None)).collect();
    assert_eq!(look(&mut tracker, 0, 3, &many).len(), MAX_OTHERS);
    assert_eq!(look(&mut tracker, 0, 0, &[notice(Kind::Interrupt, "", "stop", Some(120))]).len(), 1, "always told");
    assert!(tracker.watches.len() <= 2 * MAX_STANDING);
}

#[test]
fn facts_and_weight_come_from_the_notice() {
    let mut tracker = fresh();
    let plain = notice(Kind::Maintenance, "a", "freeze", None);
    let lead = Some(Duration::from_secs(30));
    let freeze = Notice { severity: Severity::Info, lead, about: "why".to_owned(), may_agree: true, ..plain };
    tracker.observe(0, &Reading::one(freeze), &at(0));
    let [event] = tell(&mut tracker, &at(0)).try_into().unwrap();
    assert_eq!(event.severity, Severity::Info);
    assert_eq!(event.fact(Field::Reason), Some(&Fact::Text("why".to_owned())));
    assert_eq!(event.fact(Field::Lead), Some(&Fact::Span(Duration::from_secs(30))));
    assert_eq!((tracker.agreeable(&[]), tracker.agreeable(&["a".to_owned()])), (Some("a"), None));
}

/// Whatever comes, each incident begins once, ends once at most, and no message is told twice.
#[test]
fn what_is_told_of_many_makes_sense() {
    for seed in 1..300_u64 {
        let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut roll = |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let mut tracker = fresh();
        let (mut ids, mut open): (Vec<Id>, Vec<(Kind, Id)>) = (Vec::new(), Vec::new());
        let mut held: [Vec<Notice>; 3] = Default::default();
        for n in 0..500 {
            let topic = roll(3) as usize;
            if roll(6) == 0 {
                let keys = ["", "a", "b", "c"];
                held[topic] = (0..roll(4))
                    .map(|at| {
                        let kind = [Kind::Interrupt, Kind::Rebalance, Kind::Maintenance][topic];
                        notice(kind, keys[(at + roll(2)) as usize % 4], "stop", (roll(3) > 0).then_some(n * 10 + 900))
                    })
                    .collect();
            }
            tracker.observe(topic, &Reading::Notices(held[topic].clone()), &at(n * 10));
            if roll(9) == 0 {
                let saved = tracker.state.write();
                tracker = Tracker::restore(Cloud::Aws, "web", Some(&saved), &at(n * 10));
            }
            for event in tell(&mut tracker, &at(n * 10)) {
                assert!(!ids.contains(&event.id), "seed {seed}: told twice: {event:?}");
                ids.push(event.id);
                let known = open.iter().position(|(_, incident)| *incident == event.incident);
                match (event.kind.phase(), known) {
                    (Phase::Begin, None) => open.push((event.kind, event.incident)),
                    (Phase::Begin, Some(_)) => {}
                    (Phase::End, Some(at)) => {
                        let (begun, _) = open.remove(at);
                        assert_eq!(over(begun), Some(event.kind), "seed {seed}");
                    }
                    _ => unreachable!("seed {seed}: {event:?}"),
                }
                assert!(open.len() <= MAX_STANDING, "seed {seed}");
            }
        }
        assert!(ids.len() > 10, "seed {seed}: {}", ids.len());
    }
}
