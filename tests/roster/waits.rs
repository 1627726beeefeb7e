//! Reminders, expected hosts, changed rules, and what hosts say of themselves.

use std::time::Duration;

use interrupt_callback::event::{Fact, Field, Kind};
use interrupt_callback::keepalive::beat::{Data, Report};
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::readings::Readings;

use super::world::*;

const HOUR: i64 = 3_600_000;

fn reminding() -> Rules {
    Rules { remind: Some(Duration::from_secs(6 * 3600)), ..rules(4) }
}

#[test]
fn reminders_come_after_growing_times_and_once_over_a_restart() {
    let mut world = World::with(reminding());
    world.hear("a", &report(1), 0).unwrap();
    let offline = world.scan(125_000);
    let mut times = Vec::new();
    let mut restarted = false;
    for hour in 0..100 {
        for event in world.scan(125_000 + hour * HOUR + 1) {
            assert_eq!((event.kind, event.incident), (Kind::Reminder, offline[0].incident));
            assert_eq!(event.fact(Field::Duration), Some(&Fact::Span(world_since(event.at.tick.0))));
            times.push((event.at.tick.0 - START - 125_000) / HOUR);
        }
        if times.len() == 2 && !restarted {
            restarted = true;
            let now = 125_000 + hour * HOUR + 1000;
            world.restart(now, now + 1000, true);
        }
    }
    assert_eq!(times, [6, 18, 42, 66, 90]);
    world.hear("a", &report(2), 101 * HOUR).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Online]);
    world.hear("a", &report(3), 101 * HOUR + 30_000).unwrap();
    assert_eq!(world.scan(101 * HOUR + 100_000), []);
}

fn world_since(tick: i64) -> Duration {
    Duration::from_millis(u64::try_from(tick - START).unwrap())
}

#[test]
fn no_reminder_unless_it_is_wanted() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    assert_eq!(world.scan(125_000).len(), 1);
    assert_eq!(world.scan(50 * HOUR), []);
    world.roster.reload(reminding(), &at(50 * HOUR));
    assert_eq!(kinds(&world.scan(56 * HOUR + 1)), [Kind::Reminder], "from the reload on");
    world.roster.reload(rules(4), &at(57 * HOUR));
    assert_eq!(world.scan(90 * HOUR), []);
}

fn expecting(names: &[&str]) -> Rules {
    Rules { expect: names.iter().map(|name| (*name).to_owned()).collect(), ..rules(4) }
}

#[test]
fn who_is_expected_and_never_comes_is_told_once() {
    let mut world = World::with(expecting(&["nas@home", "here"]));
    world.hear("here", &report(1), 1000).unwrap();
    for ms in (31_000..300_000).step_by(30_000) {
        world.hear("here", &report(ms as u64), ms).unwrap();
        let told = world.told();
        if ms < 250_000 {
            assert_eq!(told, []);
        } else if let [event] = &*told {
            assert_eq!((event.kind, &*event.subject, event.at.tick), (Kind::Offline, "nas@home", at(250_000).tick));
            let reason = Fact::Text("it was expected and never heard of".to_owned());
            assert_eq!((event.fact(Field::Reason), event.fact(Field::LastBeat)), (Some(&reason), None));
        }
    }
    assert_eq!(world.roster.hosts().get("nas@home").unwrap().last, at(0).tick);
    world.restart(301_000, 310_000, true);
    for ms in (311_000..900_000).step_by(30_000) {
        world.hear("here", &report(ms as u64), ms).unwrap();
    }
    assert_eq!(world.told(), [], "not again");
    world.hear("nas@home", &report(1), 900_000).unwrap();
    let told = world.told();
    assert_eq!(kinds(&told), [Kind::Online]);
    assert_eq!(told[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(900))));
}

#[test]
fn who_was_forgotten_or_left_is_not_missed_in_this_run() {
    let mut world = World::with(expecting(&["gone", "left"]));
    world.hear("left", &report(1), 1000).unwrap();
    let bye = Report { ev: interrupt_callback::keepalive::beat::Ev::Bye, reason: Some("leave".into()), ..report(2) };
    world.hear("left", &bye, 2000).unwrap();
    assert_eq!(world.scan(250_000).len(), 1);
    assert!(world.roster.leave("gone", "", &at(260_000), &mut world.pending));
    assert_eq!(kinds(&world.told()), [Kind::Forgotten]);
    assert_eq!(world.scan(2_000_000), []);
}

#[test]
fn who_is_expected_by_a_reload_has_time_from_then_on() {
    let mut world = World::with(expecting(&["a"]));
    world.scan(100_000);
    world.roster.reload(expecting(&["a", "b"]), &at(100_000));
    world.roster.reload(expecting(&["b"]), &at(110_000));
    assert_eq!(world.scan(349_999), [], "a is not expected any more");
    assert_eq!(world.scan(350_000)[0].subject, "b");
}

#[test]
fn changed_rules_move_deadlines_but_none_into_the_past() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(100_000);
    let lease = world.roster.hosts().get("a").unwrap().lease_end;
    world.roster.reload(rules(6), &at(100_000));
    assert_eq!(world.scan(184_999), []);
    world.roster.reload(rules(2), &at(184_999));
    assert_eq!(world.roster.hosts().get("a").unwrap().deadline, at(184_999).tick);
    assert_eq!(world.roster.hosts().get("a").unwrap().lease_end, lease);
    assert_eq!(kinds(&world.scan(185_000)), [Kind::Offline]);
    for ms in 0..100 {
        world.roster.reload(rules(2 + ms % 3), &at(200_000 + i64::from(ms) * 1000));
        assert_eq!(world.scan(200_500 + i64::from(ms) * 1000), []);
    }
}

#[test]
fn a_reload_keeps_what_was_postponed() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(100_000);
    world.freeze(400_000);
    world.scan(400_000);
    world.roster.reload(rules(4), &at(401_000));
    world.roster.reload(rules(5), &at(401_000));
    assert_eq!(world.scan(400_000 + 25_000 + 29_999), []);
    assert_eq!(world.scan(400_000 + 25_000 + 30_000).len(), 1);
}

fn says(seq: u64, note: &str) -> Report {
    let readings = Readings { note: note.to_owned(), ..Readings::default() };
    Report { data: Data { notices: Vec::new(), readings: Some(readings), work: None }, ..report(seq) }
}

#[test]
fn what_a_host_last_said_of_itself_is_in_its_message() {
    let mut world = World::new(4);
    world.hear("a", &says(1, "first"), 0).unwrap();
    world.hear("a", &says(2, "disk is full"), 30_000).unwrap();
    world.hear("a", &report(3), 60_000).unwrap();
    let told = world.scan(200_000);
    assert_eq!(told[0].fact(Field::Note), Some(&Fact::Text("disk is full".to_owned())));
    assert_eq!(told[0].fact(Field::Uptime), Some(&Fact::Span(Duration::from_secs(100))));
}

#[test]
fn what_hosts_say_of_themselves_is_kept_for_the_two_thousand_heard_last() {
    let mut world = World::new(4);
    let kept = |world: &World| -> Vec<bool> {
        (0..3000)
            .map(|n| world.roster.hosts().get(&format!("h{n}")).is_some_and(|host| host.readings.is_some()))
            .collect()
    };
    for host in 0..3000_u32 {
        world.hear(&format!("h{host}"), &says(1, "well"), i64::from(host)).unwrap();
        if host == 1999 {
            assert_eq!(kept(&world).iter().filter(|kept| **kept).count(), 2000);
        }
    }
    let kept = kept(&world);
    let count = kept.iter().filter(|kept| **kept).count();
    assert!((1700..=2000).contains(&count), "{count}");
    assert!(kept[3000 - count..].iter().all(|kept| *kept), "the last ones");
}
