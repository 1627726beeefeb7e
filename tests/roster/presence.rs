//! Reboots, restarts of the daemon, and two hosts under one name.

use interrupt_callback::event::{Event, Fact, Field, Kind};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::heard::{Note, Refusal};
use interrupt_callback::keepalive::host::{Host, Standing};

use super::world::*;

/// A beat of another run. `up` and `age` in seconds.
fn of(run: &str, boot: &str, up: i64, age: i64) -> Report {
    Report { run: run.into(), boot: boot.into(), up: up * 1000, age: age * 1000, ..report(1) }
}

#[test]
fn what_a_beat_of_another_run_means() {
    for (boot, up, age, note, told) in [
        ("boot", 1000, 20, Ok(Note::Restarted), &[][..]),
        ("boot", 1000, 39, Ok(Note::Restarted), &[]),
        ("boot", 1000, 40, Err(Refusal::NameTaken), &[Kind::Duplicate]),
        ("boot", 10, 1000, Err(Refusal::NameTaken), &[Kind::Duplicate]),
        ("next", 39, 20, Ok(Note::Rebooted), &[Kind::Rebooted]),
        ("next", 40, 20, Err(Refusal::NameTaken), &[Kind::Duplicate]),
        ("next", 100_000, 5, Err(Refusal::NameTaken), &[Kind::Duplicate]),
    ] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        let heard = world.hear("a", &of("other", boot, up, age), 30_000).map(|granted| granted.note);
        assert_eq!((heard, kinds(&world.told())), (note, told.to_vec()), "{boot} {up} {age}");
    }
}

#[test]
fn a_duplicate_is_told_once_per_pair_and_does_not_help_the_true_one_nor_hurt_it() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let before: Host = world.roster.hosts().get("a").unwrap().clone();
    for ms in [1000, 2000, 3000, 120_000] {
        let twin = of("twin", "twin", 50_000, 50_000);
        assert_eq!(world.hear_from("192.0.2.9", "default", 2, "a", &twin, ms), Err(Refusal::NameTaken));
    }
    let told = world.told();
    assert_eq!(kinds(&told), [Kind::Duplicate]);
    let text = |text: &str| Some(Fact::Text(text.to_owned()));
    assert_eq!(told[0].fact(Field::Address).cloned(), text("192.0.2.7"));
    assert_eq!(told[0].fact(Field::OtherAddress).cloned(), text("192.0.2.9"));
    assert_eq!(told[0].fact(Field::Hint).cloned(), text("give every host a name of its own"));
    assert_eq!(*world.roster.hosts().get("a").unwrap(), before, "nothing changed");
    assert_eq!(kinds(&world.scan(125_000)), [Kind::Offline], "a twin does not hide a death");
    // Then the name is free.
    let twin = of("twin", "twin", 50_000, 50_000);
    let granted = world.hear_from("192.0.2.9", "default", 2, "a", &twin, 126_000).unwrap();
    assert_eq!((granted.note, kinds(&world.told())), (Note::Back, vec![Kind::Online]));
    // And the first one is the twin now: the pair is known.
    assert_eq!(world.hear("a", &report(2), 150_000), Err(Refusal::NameTaken));
    assert_eq!(world.told(), []);
    assert_eq!(world.hear_from("192.0.2.10", "default", 2, "a", &report(2), 150_001), Err(Refusal::NameTaken));
    assert_eq!(kinds(&world.told()), [Kind::Duplicate], "another pair");
}

#[test]
fn a_beat_that_was_overtaken_by_the_next_run_is_no_duplicate() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.hear("a", &of("next", "boot", 100_030, 1), 30_000).unwrap();
    assert_eq!(world.hear("a", &report(2), 31_000).unwrap().note, Note::Nothing);
    assert_eq!(world.told(), []);
    assert_eq!(world.roster.hosts().get("a").unwrap().last, at(30_000).tick);
    assert_eq!(world.hear("a", &report(3), 45_000), Err(Refusal::NameTaken), "but not for long");
}

#[test]
fn protocol_1_has_no_runs() {
    let mut world = World::new(4);
    let old = Report { run: String::new(), boot: String::new(), ..report(0) };
    for ms in [0, 1000, 2000] {
        world.hear_as("default", 1, "a", &old, ms).unwrap();
    }
    assert_eq!(world.hear("a", &of("x", "y", 9000, 9000), 3000).unwrap().note, Note::Nothing);
    assert_eq!(world.told(), []);
}

#[test]
fn a_reboot_that_was_to_be_expected_is_not_told() {
    let back = of("next", "next", 20, 10);
    // After a goodbye, in time or overdue.
    for ms in [60_000, 700_000] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        world.hear("a", &Report { ev: Ev::Bye, ..report(2) }, 1000).unwrap();
        world.scan(ms);
        world.told();
        world.hear("a", &back, ms + 1).unwrap();
        let want = if ms > 600_000 { vec![Kind::Online] } else { vec![] };
        assert_eq!(kinds(&world.told()), want);
    }
    // After the cloud had announced it.
    let mut world = World::new(4);
    world.hear("a", &with(1, vec![notice(Kind::Interrupt, true, true, 60_000)]), 0).unwrap();
    assert_eq!(world.hear("a", &back, 60_000).unwrap().note, Note::Rebooted);
    assert_eq!(world.told(), []);
}

#[test]
fn a_reboot_after_a_told_silence_is_its_reason() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let mut told: Vec<Event> = world.scan(125_000);
    world.hear("a", &of("next", "next", 20, 10), 200_000).unwrap();
    told.append(&mut world.told());
    assert_eq!(kinds(&told), [Kind::Offline, Kind::Online]);
    assert_eq!(told[1].fact(Field::Reason), Some(&Fact::Text("it was rebooted".to_owned())));
    assert_eq!(told[0].incident, told[1].incident);
}

#[test]
fn a_host_that_was_given_another_name_leaves() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let bye = Report { ev: Ev::Bye, reason: Some("rename".into()), ..report(2) };
    assert_eq!(world.hear("a", &bye, 1000).unwrap().note, Note::Left);
    assert!(world.roster.hosts().is_empty());
    assert_eq!(world.told(), [], "nobody knew of a silence");
}

#[test]
fn a_goodbye_after_an_untold_silence_is_a_stop() {
    let mut world = World::new(4);
    for host in ["a", "b", "c"] {
        world.hear(host, &report(1), 0).unwrap();
    }
    world.scan(130_000);
    assert_eq!(world.roster.hosts().get("a").unwrap().standing, Standing::Offline);
    world.hear("a", &Report { ev: Ev::Bye, ..report(2) }, 131_000).unwrap();
    let told = world.scan(250_000);
    assert_eq!((told.len(), world.roster.hosts().get("a").unwrap().standing), (2, Standing::Stopped));
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut world = World::new(4);
    let long = "x".repeat(4096);
    for name in [&*long, "a\nb", "a\u{1b}[31mb", "a\u{202e}b", "a\u{200f}", "a\u{2066}b", "\0", ""] {
        assert_eq!(world.hear(name, &report(1), 0), Err(Refusal::NameInvalid), "{name:?}");
    }
    for per in [0, -1, 99, 315_360_000_000, i64::MIN, i64::MAX] {
        assert_eq!(world.hear("a", &Report { per, ..report(1) }, 0), Err(Refusal::PeriodInvalid), "{per}");
    }
    for body in [r#"{"ev":"beat","per":NaN,"seq":1}"#, r#"{"ev":"beat","per":"30","seq":1}"#, r#"{"ev":"beat"}"#] {
        assert_eq!(Report::read(body.as_bytes()), None, "{body}");
    }
    for (up, age) in [(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        let _ = world.hear("a", &Report { up, age, run: "z".into(), boot: "z".into(), ..report(1) }, 1000);
        world.scan(200_000);
    }
    assert!(world.roster.hosts().is_empty());
    assert_eq!(world.told(), []);
}
