//! Time in which the server could not listen: freezes, deafness, restarts, and what bounds them.

use std::time::Duration;

use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Fact, Field, Kind};
use interrupt_callback::keepalive::beat::Report;
use interrupt_callback::keepalive::host::{Shard, Standing};
use interrupt_callback::keepalive::roster::Roster;

use super::world::*;

/// A beat of a host whose D is 4 s: period 1 s, `num` 3, grace 1 s.
fn quick(seq: u64) -> Report {
    Report { per: 1000, ..report(seq) }
}

fn quick_world() -> World {
    World::with(interrupt_callback::keepalive::rules::Rules { grace: Duration::from_secs(1), ..rules(3) })
}

#[test]
fn a_server_stopped_for_a_minute_tells_nothing_of_the_living() {
    for left in [1, 500, 999, 1000] {
        let mut world = quick_world();
        world.hear("a", &quick(1), 0).unwrap();
        world.scan(left);
        world.freeze(60_000 + left);
        assert_eq!(world.scan(60_000 + left), []);
        world.hear("a", &quick(2), 60_900 + left).unwrap();
        assert_eq!(world.scan(62_000 + left), []);
    }
}

#[test]
fn a_host_cut_meanwhile_is_told_with_the_time_that_was_left() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(64_000);
    world.freeze(124_000);
    assert_eq!(world.scan(184_999), [], "the freeze ended 1 s before the deadline, and 61 s were left");
    let told = world.scan(185_000);
    assert_eq!(kinds(&told), [Kind::Offline]);
    assert_eq!(told[0].at.tick, at(185_000).tick);
    let reason = Fact::Text("this server could not listen for a while".to_owned());
    assert_eq!(told[0].fact(Field::Reason), Some(&reason));
    assert_eq!(told[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(185))));
}

#[test]
fn who_was_heard_in_a_freeze_loses_only_what_came_after() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(10_000);
    world.freeze(100_000);
    world.hear("a", &report(2), 40_000).unwrap();
    world.scan(100_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(40_000 + 125_000 + 60_000).tick);
}

#[test]
fn two_seconds_late_is_no_freeze() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(10_000);
    world.freeze(13_000);
    world.scan(13_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(125_000).tick);
    world.freeze(16_001);
    world.scan(16_001);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(125_000 + 3001).tick);
}

#[test]
fn deafness_moves_deadlines_but_never_by_more_than_the_time_that_passed() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(10_000);
    world.roster.deaf(Duration::from_millis(700));
    world.scan(11_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(125_700).tick);
    world.roster.deaf(Duration::from_secs(3000));
    world.scan(12_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(126_700).tick);
    world.scan(13_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(126_700).tick, "counted once");
}

#[test]
fn a_deaf_server_tells_a_death_within_three_patiences() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let mut told = Vec::new();
    for second in 1..=375 {
        assert_eq!(told, [], "at {second}");
        world.roster.deaf(Duration::from_secs(1));
        told = world.scan(second * 1000);
    }
    assert_eq!(kinds(&told), [Kind::Offline]);
}

#[test]
fn a_server_that_stalls_every_minute_tells_a_death_within_three_patiences() {
    for (num, per) in [(4, 30_000), (3, 1000), (1, 10_000), (4, 600_000)] {
        let mut world = World::new(num);
        let patience = i64::from(num) * per + 5000;
        world.hear("a", &Report { per, ..report(1) }, 0).unwrap();
        let mut now = 0;
        let mut told = Vec::new();
        while told.is_empty() {
            told = world.scan(now + 40_000);
            now += 60_000;
            world.freeze(now);
            told.append(&mut world.scan(now));
        }
        let after = told[0].at.tick.0 - START;
        assert!(after >= patience, "not before its deadline");
        // A stall in which the deadline falls is the least there is.
        assert!(after <= (3 * patience).max(120_000), "D {patience}: told after {after}");
    }
}

#[test]
fn a_server_that_restarts_every_50_seconds_tells_a_death_within_three_patiences() {
    for beats in [true, false] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        let (mut now, mut told) = (0, Vec::new());
        while told.is_empty() && now < 1_000_000 {
            told = world.scan(now + 49_000);
            now += 50_000;
            world.restart(now - 1000, now, beats);
        }
        assert_eq!(kinds(&told), [Kind::Offline]);
        let after = told[0].at.tick.0 - START;
        assert!((125_000..=375_000).contains(&after), "told after {after}");
    }
}

#[test]
fn a_beat_gives_the_whole_budget_back() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    for start in 1..5 {
        world.restart(start * 50_000 - 1000, start * 50_000, true);
    }
    assert!(world.roster.hosts().get("a").unwrap().postponed > 0);
    world.hear("a", &report(2), 210_000).unwrap();
    assert_eq!(world.roster.hosts().get("a").unwrap().postponed, 0);
    world.restart(300_000, 900_000, true);
    assert_eq!(world.scan(1_024_999), []);
    assert_eq!(kinds(&world.scan(1_025_000)), [Kind::Offline]);
}

#[test]
fn a_beat_that_only_the_file_of_beats_knows_does_the_same() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.restart(99_000, 250_000, true);
    assert_eq!(world.roster.hosts().get("a").unwrap().postponed, 125_000);
    world.save(251_000);
    world.hear("a", &report(2), 260_000).unwrap();
    world.crash(800_000, true);
    assert_eq!(world.roster.hosts().get("a").unwrap().postponed, 125_000, "of this start alone");
    world.crash(900_000, false);
    let host = world.roster.hosts().get("a").unwrap();
    assert_eq!((host.postponed, host.deadline), (250_000, at(1_025_000).tick));
}

#[test]
fn after_a_boot_of_this_machine_hosts_get_a_minute_more() {
    for (up, more) in [(119_999, 60_000), (120_000, 0)] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        let shards: Vec<_> = std::iter::from_fn(|| world.roster.hosts_mut().take_dirty(0, &at(1000))).collect();
        let later = |ms: i64| Now { tick: Tick(up + ms), wall: Wall(at(3_600_000 + ms).wall.0), boot: Boot(8) };
        let mut roster = Roster::new(rules(4));
        for shard in shards {
            for (name, host) in Shard::parse(&shard.to_json()).unwrap().restore(&later(0)) {
                roster.restore(name, host, &later(0));
            }
        }
        roster.started(&later(0));
        let mut told = Vec::new();
        for ms in (0..=125_000 + more).step_by(1000) {
            assert_eq!(told, [], "{ms}");
            roster.scan(&later(ms), &mut world.pending);
            told = world.told();
        }
        assert_eq!(kinds(&told), [Kind::Offline], "uptime {up}");
    }
}

#[test]
fn a_silence_that_was_found_but_not_told_is_found_again_after_a_restart() {
    let mut world = World::new(4);
    for host in ["a", "b", "c"] {
        world.hear(host, &report(1), 0).unwrap();
    }
    assert_eq!(world.scan(130_000), []);
    assert_eq!(world.roster.hosts().get("a").unwrap().standing, Standing::Offline);
    world.restart(140_000, 150_000, true);
    assert_eq!(world.roster.hosts().get("a").unwrap().standing, Standing::Up);
    world.hear("a", &report(2), 160_000).unwrap();
    for ms in (190_000..=400_000).step_by(30_000) {
        world.hear("a", &report(ms as u64), ms).unwrap();
    }
    let told = world.told();
    assert_eq!((kinds(&told), told[0].at.tick), (vec![Kind::Offline; 2], at(275_000).tick));
}

#[test]
fn wall_clock_steps_of_a_year_change_nothing() {
    let mut world = World::new(4);
    const YEAR: i64 = 365 * 86_400_000;
    let mut seq = 0;
    for ms in (0..3_600_000).step_by(1000) {
        let step = [0, YEAR, -YEAR, 0][usize::try_from(ms / 900_000).unwrap()];
        let now = Now { wall: Wall(at(ms).wall.0 + step), ..at(ms) };
        if ms % 30_000 == 0 {
            seq += 1;
            let from = "192.0.2.7:1".parse().unwrap();
            let report = report(seq);
            let heard = interrupt_callback::keepalive::heard::Heard {
                user: "default",
                name: "a",
                from,
                protocol: 2,
                old_key: false,
                report: &report,
            };
            world.roster.hear(&heard, &now, &mut world.pending).unwrap();
        }
        world.roster.scan(&now, &mut world.pending);
    }
    assert_eq!(world.told(), []);
}
