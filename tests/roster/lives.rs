//! Restarts, reboots and random lives.

use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Fact, Field, Id, Kind};
use interrupt_callback::keepalive::beat::Report;
use interrupt_callback::keepalive::flapping::Flapping;
use interrupt_callback::keepalive::heard::{Heard, Note};
use interrupt_callback::keepalive::host::{Cause, Shard, Standing};
use interrupt_callback::keepalive::roster::Roster;
use std::time::Duration;

use super::world::*;

#[test]
fn a_restart_tells_the_dead_once_and_the_living_never() {
    let mut world = World::new(4);
    for name in ["dead", "living", "told"] {
        world.hear(name, &report(1), 0).unwrap();
    }
    world.hear("dead", &report(2), 100_000).unwrap();
    world.hear("living", &report(2), 100_000).unwrap();
    assert_eq!(kinds(&world.scan(130_000)), [Kind::Offline]);
    world.restart(140_000, 400_000, true);
    assert_eq!(world.scan(400_000), []);
    world.hear("living", &report(3), 410_000).unwrap();
    world.hear("living", &report(4), 500_000).unwrap();
    assert_eq!(world.scan(524_999), [], "two minutes and grace from the start");
    let told = world.scan(525_000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Offline], "dead"));
    world.hear("living", &report(5), 530_000).unwrap();
    world.restart(600_000, 600_000, true);
    world.hear("living", &report(6), 600_500).unwrap();
    assert_eq!(world.scan(700_000), []);
    world.hear("told", &report(2), 725_000).unwrap();
    let online = world.told();
    assert_eq!(kinds(&online), [Kind::Online]);
    assert_eq!(online[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(725))), "the full duration");
}

#[test]
fn ticks_cross_a_reboot_by_the_wall_clock_if_it_is_set() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let shard = world.roster.hosts_mut().take_dirty(0, &at(10_000)).unwrap();
    let later = Now { tick: Tick(5000), wall: Wall(at(310_000).wall.0), boot: Boot(8) };
    let (_, host) = Shard::parse(&shard.to_json()).unwrap().restore(&later).next().unwrap();
    assert_eq!((host.last, host.about), (Tick(5000 - 310_000), false));
    let unset = Now { tick: Tick(5000), wall: Wall(60_000), boot: Boot(8) };
    let (_, host) = Shard::parse(&shard.to_json()).unwrap().restore(&unset).next().unwrap();
    assert_eq!((host.last, host.about), (Tick(5000 - 10_000), true), "no time is taken to have passed");
}

#[test]
fn nobody_is_a_duplicate_of_a_host_that_was_last_heard_nobody_knows_when() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let shard = world.roster.hosts_mut().take_dirty(0, &at(10_000)).unwrap();
    // A router without a clock and its host lost power for an hour, and both are booted.
    let unset = Now { tick: Tick(90_000), wall: Wall(90_000), boot: Boot(8) };
    let mut roster = Roster::new(rules(4));
    for (name, host) in Shard::parse(&shard.to_json()).unwrap().restore(&unset) {
        roster.restore(name, host, &unset);
    }
    roster.started(&unset);
    let report = Report { run: "next".into(), boot: "next".into(), up: 80_000, age: 70_000, ..report(1) };
    let from = "192.0.2.7:1".parse().unwrap();
    let heard = Heard { user: "default", name: "a", from, protocol: 2, old_key: false, report: &report };
    assert_eq!(roster.hear(&heard, &unset, &mut world.pending).map(|granted| granted.note), Ok(Note::Restarted));
    assert_eq!(world.told(), []);
}

#[test]
fn a_file_of_an_older_version_is_read_and_all_of_a_host_survives() {
    let clocks = r#"{"clocks":[7,1000000,1800000000000],"hosts":[["#;
    let rest = r#","from":"192.0.2.7:4000","incident":"0000000000000009","seq":0,"protocol":2,"period":30000,
        "worst_gap":1,"boot":1,"run":2,"run_seq":3,"since":900000,"last":900000,"deadline":9000000,"lease_end":5,
        "about":false,"carried":[]}]]}"#;
    for (state, told, begun) in [("up", "", false), ("offline", r#","told":950000"#, true), ("stopped", "", true)] {
        let text = [clocks, r#""a",{"state":""#, state, "\"", told, rest].concat();
        let (_, host) = Shard::parse(text.as_bytes()).unwrap().restore(&at(0)).next().unwrap();
        assert_eq!((host.begun, host.postponed, host.detected), (begun, 0, host.told), "{state}");
        assert_eq!((host.cause, host.flapping, host.group), (Cause::Silence, None, None), "{state}");
    }
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let host = world.roster.hosts_mut().get_mut("a").unwrap();
    host.standing = Standing::Offline;
    host.cause = Cause::Overdue;
    (host.begun, host.old_key, host.postponed, host.group) = (true, true, 77, Some(Id(5)));
    (host.told, host.detected) = (Some(Tick(7)), Some(Tick(6)));
    host.remind = Some((Tick(8), Duration::from_secs(9)));
    host.flapping = Some(Box::new(Flapping {
        changes: vec![Tick(1), Tick(2)],
        down: true,
        count: 2,
        told: Some((Id(3), Tick(2))),
    }));
    (host.former, host.uptime) = ((0, Tick(0)), Duration::ZERO);
    let before = host.clone();
    let shard = world.roster.hosts_mut().take_dirty(0, &at(0)).unwrap();
    let (_, after) = Shard::parse(&shard.to_json()).unwrap().restore(&at(0)).next().unwrap();
    assert_eq!(after, before);
    let later = Now { tick: Tick(0), wall: Wall(at(60_000).wall.0), boot: Boot(8) };
    let (_, moved) = Shard::parse(&shard.to_json()).unwrap().restore(&later).next().unwrap();
    let by = -START - 60_000;
    assert_eq!(moved.remind, Some((Tick(8 + by), Duration::from_secs(9))));
    let flapping = moved.flapping.unwrap();
    assert_eq!((flapping.changes, flapping.told), (vec![Tick(1 + by), Tick(2 + by)], Some((Id(3), Tick(2 + by)))));
}

#[test]
fn a_lease_lasts_over_a_restart_that_forgot_the_last_beats() {
    for beats in [false, true] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        world.save(1000);
        let granted = (2..20).map(|seq| world.hear("a", &report(seq), seq as i64 * 30_000).unwrap().lease).next_back();
        let over = at(19 * 30_000).tick + granted.unwrap();
        world.crash(19 * 30_000 + 5000, beats);
        let lease_end = world.roster.hosts().get("a").unwrap().lease_end;
        assert!(lease_end >= over, "{lease_end:?} {over:?}: somebody else would do its work beside it");
        assert!(lease_end <= over + Duration::from_secs(5), "{lease_end:?} {over:?}");
    }
}
