//! What hosts carry besides reclaim notices.

use std::time::Duration;

use interrupt_callback::event::{Event, Fact, Field, Id, Kind};
use interrupt_callback::keepalive::beat::{Notice, Report};

use super::world::{World, kinds, notice, report, with};

/// A notice of its own.
fn own(kind: Kind, n: u64, told: bool, delivered: bool) -> Notice {
    Notice { id: Id(n), incident: Id(1000 + n), ..notice(kind, told, delivered, 86_400_000) }
}

/// The end of what `own` made.
fn end(kind: Kind, n: u64) -> Notice {
    Notice { id: Id(5000 + n), incident: Id(1000 + n), left: None, ..notice(kind, false, false, 0) }
}

fn ids(told: &[Event]) -> Vec<u64> {
    told.iter().map(|event| event.id.0).collect()
}

#[test]
fn all_that_a_host_may_say_is_told_with_its_end() {
    for (begin, over) in [
        (Kind::Rebalance, Kind::RebalanceOver),
        (Kind::Maintenance, Kind::MaintenanceOver),
        (Kind::Blind, Kind::Seeing),
        (Kind::ResourceHigh, Kind::ResourceNormal),
        (Kind::Interrupt, Kind::NoticeDropped),
    ] {
        let mut world = World::new(4);
        let mut first = own(begin, 1, false, false);
        first.facts.push((Field::Lead, "90".to_owned()));
        first.facts.push((Field::Duration, "x".to_owned()));
        world.hear("a", &with(1, vec![first.clone()]), 0).unwrap();
        let told = world.told();
        assert_eq!((kinds(&told), told[0].incident), (vec![begin], Id(1001)));
        assert_eq!(told[0].fact(Field::Lead), Some(&Fact::Span(Duration::from_secs(90))));
        assert_eq!(told[0].fact(Field::Duration), None, "that is no number");
        let mut last = end(over, 1);
        last.facts.push((Field::Duration, "4".to_owned()));
        for (seq, ms) in [(2, 1000), (3, 2000)] {
            world.hear("a", &with(seq, vec![first.clone(), last.clone()]), ms).unwrap();
        }
        let told = world.told();
        assert_eq!((kinds(&told), told[0].incident), (vec![over], Id(1001)), "once");
        assert_eq!(told[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(4))));
        // Only a reclaim explains a silence, and this one was taken back.
        assert_eq!(kinds(&world.scan(200_000)), [Kind::Offline]);
    }
}

#[test]
fn only_what_a_host_may_say_is_carried() {
    let mut world = World::new(4);
    for (seq, kind) in (1..).zip(Kind::ALL) {
        world.hear("a", &with(seq, vec![own(*kind, seq, false, false)]), 0).unwrap();
    }
    assert_eq!(
        kinds(&world.told()),
        [Kind::Interrupt, Kind::Blind, Kind::Rebalance, Kind::Maintenance, Kind::ProbeDown, Kind::ResourceHigh]
    );
}

#[test]
fn maintenance_does_not_explain_a_silence() {
    let mut world = World::new(4);
    world.hear("a", &with(1, vec![own(Kind::Maintenance, 1, false, false)]), 0).unwrap();
    assert_eq!(kinds(&world.scan(200_000)), [Kind::Maintenance, Kind::Offline]);
    let mut world = World::new(4);
    let both = vec![own(Kind::Interrupt, 1, false, false), own(Kind::Maintenance, 2, false, false)];
    world.hear("a", &with(1, both.clone()), 0).unwrap();
    world.hear("a", &with(2, [both, vec![end(Kind::MaintenanceOver, 2)]].concat()), 10).unwrap();
    let told = kinds(&world.scan(200_000));
    assert_eq!(told, [Kind::Interrupt, Kind::Maintenance, Kind::MaintenanceOver, Kind::Reclaimed]);
}

#[test]
fn there_is_always_room_for_a_reclaim_and_for_ends() {
    let mut world = World::new(4);
    let mut seq = 0;
    let mut hear = |world: &mut World, notice: Notice, ms: i64| {
        seq += 1;
        world.hear("a", &with(seq, vec![notice]), ms).unwrap();
        world.told()
    };
    let told: usize = (1..20).map(|n| hear(&mut world, own(Kind::Maintenance, n, false, false), 0).len()).sum();
    assert_eq!(told, 6);
    let told: usize = (30..50).map(|n| hear(&mut world, own(Kind::Interrupt, n, false, false), 0).len()).sum();
    assert_eq!(told, 2, "eight in all");
    for _ in 0..2 {
        let told: usize = (1..50).map(|n| hear(&mut world, end(Kind::MaintenanceOver, n), 0).len()).sum();
        assert!(told == 8 || told == 0, "an end for each, once: {told}");
    }
    let host = world.roster.hosts().get("a").unwrap();
    assert_eq!(host.carried.len(), 16, "never more");
    // An hour later what is over makes room.
    let told = (60..90).flat_map(|n| hear(&mut world, own(Kind::Rebalance, n, false, false), 3_700_000));
    assert_eq!(told.filter(|event| event.kind == Kind::Rebalance).count(), 6);
}

#[test]
fn what_is_still_carried_is_not_forgotten_and_told_again() {
    let mut world = World::new(4);
    let standing: Vec<Notice> = (1..=6).map(|n| own(Kind::Maintenance, n, false, false)).collect();
    let mut told = Vec::new();
    for hour in 0..200 {
        // The oldest are carried all the time; others come and go.
        let mut all = standing.clone();
        all.push(own(Kind::Interrupt, 100 + hour, false, false));
        world.hear("a", &with(hour + 1, all), i64::try_from(hour).unwrap() * 4_000_000).unwrap();
        told.extend(ids(&world.told()));
    }
    told.retain(|id| *id < 100);
    assert_eq!(told, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_host_with_channels_is_given_15_seconds_for_all_of_it() {
    for kind in [Kind::Rebalance, Kind::Maintenance, Kind::Blind] {
        let mut world = World::new(4);
        world.hear("a", &with(1, vec![own(kind, 1, true, false)]), 0).unwrap();
        assert_eq!(world.scan(14_999), []);
        assert_eq!(kinds(&world.scan(15_000)), [kind]);
        let mut world = World::new(4);
        world.hear("a", &with(1, vec![own(kind, 1, true, false)]), 0).unwrap();
        world.hear("a", &with(2, vec![own(kind, 1, true, true)]), 5000).unwrap();
        assert_eq!(world.scan(60_000), []);
        // If it falls silent first, it is told before that.
        let mut world = World::new(1);
        world.hear("a", &Report { per: 1000, ..with(1, vec![own(kind, 1, true, false)]) }, 0).unwrap();
        assert_eq!(kinds(&world.scan(6000)), [kind, Kind::Offline]);
    }
}

#[test]
fn what_was_dropped_before_it_was_told_is_never_told() {
    let mut world = World::new(4);
    let begin = own(Kind::Rebalance, 1, true, false);
    world.hear("a", &with(1, vec![begin.clone()]), 0).unwrap();
    let end = Notice { told: true, ..end(Kind::NoticeDropped, 1) };
    world.hear("a", &with(2, vec![begin, end]), 5000).unwrap();
    assert_eq!(kinds(&world.scan(60_000)), [Kind::NoticeDropped], "of which nobody is told");
}

#[test]
fn a_time_far_off_is_not_cut() {
    let mut world = World::new(4);
    for (n, days, known) in [(1, 60, true), (2, 4000, false)] {
        let far = Notice { left: Some(days * 86_400_000), ..own(Kind::Maintenance, n, false, false) };
        world.hear("a", &with(n, vec![far]), 0).unwrap();
        assert_eq!(world.told()[0].fact(Field::Deadline).is_some(), known, "{days}");
    }
    world.hear("a", &report(3), 0).unwrap();
}
