//! Silences by command, and windows.

use interrupt_callback::config::plan::Window;
use interrupt_callback::event::{Fact, Field, Kind};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::heard::Note;
use interrupt_callback::keepalive::host::Standing;
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::keepalive::silences::Lasts;
use std::time::Duration;

use super::world::*;

fn silence(world: &mut World, glob: &str, lasts: Lasts, ms: i64) {
    world.run_to(ms);
    assert!(world.roster.silence(glob, lasts, &at(ms), &mut world.pending), "{glob}");
}

#[test]
fn a_silenced_host_is_told_once_when_that_is_over() {
    for by_command in [true, false] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        let lasts = if by_command { Lasts::Open } else { Lasts::For(Duration::from_secs(599)) };
        silence(&mut world, "a*", lasts, 1000);
        assert_eq!(world.scan(599_000), []);
        assert_eq!(world.roster.hosts().get("a").unwrap().standing, Standing::Offline, "status says it all the same");
        if by_command {
            assert!(world.roster.unsilence("a*", &mut world.pending));
        }
        let told = world.scan(606_000);
        assert_eq!((kinds(&told), told[0].at.tick), (vec![Kind::Offline], at(125_000).tick));
        assert_eq!(world.scan(9_000_000), []);
        world.hear("a", &report(2), 10_000_000).unwrap();
        assert_eq!(kinds(&world.told()), [Kind::Online]);
    }
}

#[test]
fn a_silenced_host_that_comes_back_is_not_told_at_all() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    silence(&mut world, "a", Lasts::UntilHealthy, 1000);
    world.scan(300_000);
    assert_eq!(world.hear("a", &report(2), 300_000).unwrap().note, Note::Recovered);
    assert_eq!(world.told(), []);
    assert!(!world.roster.silences().covers("a", &at(300_000)), "it is healthy");
    assert_eq!(kinds(&world.scan(425_000)), [Kind::Offline]);
}

#[test]
fn a_silence_hides_no_end() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(125_000);
    silence(&mut world, "*", Lasts::Open, 126_000);
    world.told();
    world.hear("a", &report(2), 130_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Online]);
}

#[test]
fn stops_reclaims_reboots_and_flapping_of_a_silenced_host_are_not_told_but_notices_are() {
    let mut world = World::with(Rules { tell_stopped: true, ..rules(4) });
    silence(&mut world, "*", Lasts::Open, 0);
    world.hear("stops", &report(1), 1000).unwrap();
    world.hear("stops", &Report { ev: Ev::Bye, ..report(2) }, 2000).unwrap();
    world.hear("boots", &report(1), 1000).unwrap();
    let boot = Report { run: "next".into(), boot: "next".into(), up: 10_000, age: 5000, ..report(1) };
    assert_eq!(world.hear("boots", &boot, 30_000).unwrap().note, Note::Rebooted);
    assert_eq!(world.told(), []);
    world.hear("spot", &with(1, vec![notice(Kind::Interrupt, false, false, 60_000)]), 31_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Interrupt]);
    for ms in (40_000..900_000).step_by(130_000) {
        world.hear("flaps", &report(ms as u64), ms).unwrap();
    }
    assert_eq!(world.told(), []);
    assert_eq!(world.roster.hosts().get("spot").unwrap().standing, Standing::Reclaimed);
}

#[test]
fn who_is_silenced_says_nothing_of_the_server_s_network() {
    let mut world = World::new(4);
    silence(&mut world, "web*", Lasts::Open, 0);
    for host in 0..6 {
        world.hear(&format!("web{host}"), &report(1), 1).unwrap();
    }
    for host in ["a", "b", "c"] {
        world.hear(host, &report(1), 1).unwrap();
    }
    for ms in (30_000..126_000).step_by(30_000) {
        world.hear("b", &report(ms as u64), ms).unwrap();
        world.hear("c", &report(ms as u64), ms).unwrap();
    }
    assert_eq!(kinds(&world.scan(125_001)), [Kind::Offline], "at once");
}

#[test]
fn a_window_covers_and_ends() {
    // The world begins on a Friday at 08:00 UTC.
    let window = |days, from, to| Window { hosts: vec!["a".to_owned()], days, from, to };
    for (window, told_at) in [
        (window(1 << 4, 479, 490), Some(600_000)),
        (window(1 << 4, 490, 500), Some(125_000)),
        (window(1 << 3, 479, 490), Some(125_000)),
        (window(1 << 3, 1300, 485), Some(300_000)),
        (window(1 << 4, 0, 1439), None),
    ] {
        let mut world = World::with(Rules { windows: vec![window.clone()], ..rules(4) });
        world.hear("a", &report(1), 0).unwrap();
        let told = world.scan(told_at.unwrap_or(3_600_000) - 1);
        assert_eq!(told, [], "{window:?}");
        if let Some(told_at) = told_at {
            let told = world.scan(told_at + 5000);
            assert_eq!(kinds(&told), [Kind::Offline], "{window:?}");
            assert_eq!(told[0].fact(Field::Server), Some(&Fact::Text("vps@tokyo".to_owned())));
        }
    }
}

#[test]
fn a_flapping_host_that_is_silenced_ends_as_such_and_is_told_down_later() {
    let mut world = World::new(4);
    for ms in (0..700_000).step_by(130_000) {
        world.hear("a", &report(ms as u64 + 1), ms).unwrap();
    }
    assert_eq!(world.told().pop().unwrap().kind, Kind::Flapping);
    silence(&mut world, "a", Lasts::For(Duration::from_secs(1400)), 700_000);
    let told = world.scan(2_100_000 - 1);
    assert_eq!(kinds(&told), [Kind::Steady], "whoever knows of the one is told of its end");
    let told = world.scan(2_106_000);
    assert_eq!((kinds(&told), told[0].at.tick), (vec![Kind::Offline], at(775_000).tick));
}
