//! Hosts that go and come.

use std::time::Duration;

use interrupt_callback::event::{Event, Fact, Field, Kind};
use interrupt_callback::keepalive::beat::Report;

use super::world::*;

/// D of this host is 35 s.
fn beat(seq: i64) -> Report {
    Report { per: 10_000, ..report(u64::try_from(seq).unwrap()) }
}

fn world() -> World {
    World::new(3)
}

/// Silent for 40 s again and again: a beat at 0, 40, 80, … up to `to`.
fn flap(world: &mut World, from: i64, to: i64) {
    for ms in (from..to).step_by(40_000) {
        world.hear("a", &beat(ms + 1), ms).unwrap();
    }
}

/// Beats as it should, so that it is well until `to`.
fn well(world: &mut World, from: i64, to: i64) {
    for ms in (from..to).step_by(10_000) {
        world.hear("a", &beat(ms + 1), ms).unwrap();
    }
}

fn number(event: &Event) -> i64 {
    match event.fact(Field::Count) {
        Some(Fact::Number(number)) => *number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_fifth_change_is_told_as_flapping_and_then_nothing_until_it_is_steady() {
    let mut world = world();
    flap(&mut world, 0, 400_000);
    let told = world.told();
    let want = [Kind::Offline, Kind::Online, Kind::Offline, Kind::Online, Kind::Flapping];
    assert_eq!(kinds(&told), want);
    assert_eq!((number(&told[4]), told[4].at.tick), (5, at(115_000).tick));
    well(&mut world, 370_000, 620_000);
    let steady = world.told();
    assert_eq!(kinds(&steady), [Kind::Steady]);
    assert_eq!(steady[0].incident, told[4].incident);
    assert_eq!(steady[0].fact(Field::State), Some(&Fact::Text("up".to_owned())));
    assert_eq!(steady[0].at.tick, at(360_000 + 140_000).tick, "4 x D after the last change");
    assert_eq!(number(&steady[0]), 18);
    assert_eq!(steady[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(385))));
    assert_eq!(kinds(&world.scan(700_000)), [Kind::Offline], "and it counts from the beginning");
}

#[test]
fn a_flapping_host_that_stays_down_is_told_with_its_true_start() {
    let mut world = world();
    flap(&mut world, 0, 200_000);
    world.told();
    let told = world.scan(1_000_000);
    assert_eq!(kinds(&told), [Kind::Steady, Kind::Offline]);
    assert_eq!(told[0].fact(Field::State), Some(&Fact::Text("offline".to_owned())));
    assert!(told[0].group.is_some() && told[0].group == told[1].group);
    assert_eq!(told[1].at.tick, at(195_000).tick, "when it was found");
    world.hear("a", &beat(5_000_000), 1_100_000).unwrap();
    let online = world.told();
    assert_eq!((kinds(&online), online[0].incident), (vec![Kind::Online], told[1].incident));
    assert_eq!(online[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(940))));
}

#[test]
fn a_return_that_is_the_fifth_change_ends_its_outage_in_the_same_group() {
    let mut world = world();
    // The first silence is older than 12 x D when the last return comes.
    flap(&mut world, 0, 50_000);
    well(&mut world, 50_000, 360_000);
    flap(&mut world, 360_000, 450_000);
    let told = world.told();
    let want = [Kind::Offline, Kind::Online, Kind::Offline, Kind::Online, Kind::Offline];
    assert_eq!(kinds(&told[..4]), want[..4], "{told:?}");
    let mut world = World::new(3);
    world.hear("a", &beat(1), 0).unwrap();
    world.hear("a", &beat(2), 40_000).unwrap();
    // 12 x D is 420 s: the first silence, at 35 s, falls out of it; the return at 40 s does not.
    well(&mut world, 50_000, 330_000);
    for ms in [360_000, 400_000, 440_000, 459_500] {
        world.hear("a", &beat(ms + 1), ms).unwrap();
    }
    let told = world.told();
    let last = kinds(&told);
    assert_eq!(last.iter().filter(|kind| **kind == Kind::Flapping).count(), 1, "{last:?}");
}

#[test]
fn it_goes_on_flapping_over_a_restart() {
    let mut world = world();
    flap(&mut world, 0, 130_000);
    let began = world.told().pop().unwrap();
    assert_eq!(began.kind, Kind::Flapping);
    world.restart(130_000, 131_000, true);
    flap(&mut world, 160_000, 290_000);
    assert_eq!(world.told(), []);
    well(&mut world, 290_000, 600_000);
    let told = world.told();
    assert_eq!((kinds(&told), told[0].incident), (vec![Kind::Steady], began.incident));
}

#[test]
fn a_silence_that_a_restart_finds_again_counts_once() {
    let mut world = world();
    for host in ["a", "b", "c"] {
        world.hear(host, &beat(1), 0).unwrap();
    }
    for round in 0..3 {
        let down = 36_000 + round * 37_000;
        world.restart(down, down + 1000, true);
    }
    let changes = world.roster.hosts().get("a").unwrap().flapping.as_ref().map_or(0, |flaps| flaps.changes.len());
    assert_eq!(changes, 0, "it counts as up again");
    world.hear("a", &beat(2), 115_000).unwrap();
    let flapping = world.roster.hosts().get("a").unwrap().flapping.clone().unwrap_or_default();
    assert_eq!((flapping.changes.len(), flapping.down), (0, false));
}

#[test]
fn what_the_server_held_back_is_no_change_of_the_hosts() {
    let mut world = World::new(3);
    for round in 0..8 {
        for host in 0..10 {
            world.hear(&format!("h{host}"), &beat(round + 1), round * 45_000 + host).unwrap();
        }
    }
    assert_eq!(world.told(), [], "the uplink of the server flaps, not its hosts");
}

#[test]
fn a_flapping_host_that_is_forgotten_ends_as_flapping() {
    let mut world = world();
    flap(&mut world, 0, 130_000);
    let began = world.told().pop().unwrap();
    assert!(world.roster.leave("a", "it was taken off by hand", &at(130_000), &mut world.pending));
    let told = world.told();
    assert_eq!((kinds(&told), told[0].incident), (vec![Kind::Forgotten], began.incident));
}
