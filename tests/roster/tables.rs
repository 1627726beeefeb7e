//! What is told, and when.

use std::time::Duration;

use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Fact, Field, Id, Kind};
use interrupt_callback::keepalive::beat::{Ev, Notice, Report};
use interrupt_callback::keepalive::heard::{Note, Refusal};
use interrupt_callback::keepalive::host::Shard;
use interrupt_callback::keepalive::roster::Roster;

use super::world::*;

#[test]
fn a_silence_is_told_at_its_deadline_and_its_end_with_the_duration() {
    let mut world = World::new(4);
    assert_eq!(world.hear("nas@home", &report(1), 0).unwrap().note, Note::New);
    assert_eq!(world.scan(124_999), []);
    let offline = world.scan(125_000);
    assert_eq!(kinds(&offline), [Kind::Offline]);
    assert_eq!(offline[0].at.tick, at(125_000).tick);
    assert_eq!(world.scan(500_000), [], "told once");
    assert_eq!(world.hear("nas@home", &report(2), 600_000).unwrap().note, Note::Back);
    let online = world.told();
    assert_eq!(kinds(&online), [Kind::Online]);
    assert_eq!(online[0].incident, offline[0].incident);
    assert_eq!(online[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(600))));
    world.scan(725_000);
    world.hear("nas@home", &report(3), 726_000).unwrap();
    world.scan(900_000);
    let again = world.scan(900_000);
    assert!(again.iter().all(|event| event.incident != offline[0].incident), "a new up-period, a new incident");
}

#[test]
fn the_host_s_own_period_sets_its_deadline() {
    let mut world = World::new(2);
    world.hear("slow", &Report { per: 600_000, ..report(1) }, 0).unwrap();
    world.hear("fast", &Report { per: 1000, ..report(1) }, 0).unwrap();
    let told = world.scan(7000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Offline], "fast"));
    assert_eq!(world.scan(1_204_999), []);
    assert_eq!(world.scan(1_205_000)[0].subject, "slow");
}

#[test]
fn a_goodbye_is_quiet_until_it_is_overdue() {
    let mut world = World::new(4);
    world.hear("nas@home", &report(1), 0).unwrap();
    let bye = Report { ev: Ev::Bye, back_in: Some(600_000), ..report(2) };
    let old = Report { run: "earlier".into(), ..bye.clone() };
    assert_eq!(world.hear("nas@home", &old, 500).unwrap().note, Note::Nothing, "goodbye of another run");
    assert_eq!(world.hear("nas@home", &bye, 1000).unwrap().note, Note::Stopped);
    assert_eq!(world.scan(605_000), []);
    let overdue = world.scan(606_000);
    assert_eq!(kinds(&overdue), [Kind::Offline]);
    assert_eq!(overdue[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(605))), "from the goodbye");
    let start = Report { run: "next".into(), ..report(1) };
    assert_eq!(world.hear("nas@home", &start, 700_000).unwrap().note, Note::Back);
    assert_eq!(kinds(&world.told()), [Kind::Online]);
}

#[test]
fn leaving_for_good_takes_the_host_off() {
    let mut world = World::new(4);
    world.hear("nas@home", &report(1), 0).unwrap();
    let leave = Report { ev: Ev::Bye, reason: Some("leave".into()), ..report(2) };
    assert_eq!(world.hear("nas@home", &leave, 10).unwrap().note, Note::Left);
    assert!(world.roster.hosts().is_empty());
    assert_eq!(world.scan(10_000_000), []);
    assert_eq!(world.hear("nas@home", &leave, 20).unwrap().note, Note::Nothing, "a goodbye makes no host");
    assert!(world.roster.hosts().is_empty());
}

#[test]
fn the_server_tells_what_the_host_cannot() {
    let mut world = World::new(4);
    world.hear("spot", &report(1), 0).unwrap();
    world.hear("spot", &with(2, vec![notice(Kind::Interrupt, false, false, 300_000)]), 1000).unwrap();
    let told = world.told();
    assert_eq!(kinds(&told), [Kind::Interrupt]);
    assert_eq!((told[0].id, told[0].incident), (Id::of(&[b"interrupt"]), Id(9)), "the host's own ids");
    assert_eq!(told[0].at.tick, at(-1000).tick, "when it happened");
    world.hear("spot", &with(3, vec![notice(Kind::Interrupt, false, false, 290_000)]), 11_000).unwrap();
    assert_eq!(world.told(), [], "once");
    let gone = world.scan(200_000);
    assert_eq!(kinds(&gone), [Kind::Reclaimed], "as announced");
}

#[test]
fn a_host_that_tells_is_given_15_seconds() {
    let mut world = World::new(4);
    let told_not_delivered = vec![notice(Kind::Interrupt, true, false, 300_000)];
    let delivered = vec![notice(Kind::Interrupt, true, true, 300_000)];
    world.hear("a", &with(1, told_not_delivered.clone()), 0).unwrap();
    assert_eq!(world.scan(14_999), []);
    assert_eq!(kinds(&world.scan(15_000)), [Kind::Interrupt]);
    let mut world = World::new(4);
    world.hear("a", &with(1, told_not_delivered), 0).unwrap();
    world.hear("a", &with(2, delivered), 5000).unwrap();
    assert_eq!(world.scan(60_000), []);
    assert_eq!(kinds(&world.scan(130_000)), [Kind::Reclaimed]);
}

#[test]
fn a_host_silent_before_it_could_tell_is_told_first() {
    let mut world = World::new(1);
    let report = Report { per: 1000, ..with(1, vec![notice(Kind::Interrupt, true, false, 300_000)]) };
    world.hear("a", &report, 0).unwrap();
    assert_eq!(kinds(&world.scan(6000)), [Kind::Interrupt, Kind::Reclaimed]);
}

#[test]
fn a_withdrawal_ends_the_announcement() {
    let mut world = World::new(4);
    let first = notice(Kind::Interrupt, false, false, 300_000);
    let back = notice(Kind::InterruptWithdrawn, false, false, 0);
    world.hear("a", &with(1, vec![first.clone()]), 0).unwrap();
    world.hear("a", &with(2, vec![first, back]), 30_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Interrupt, Kind::InterruptWithdrawn]);
    assert_eq!(kinds(&world.scan(300_000)), [Kind::Offline]);
}

#[test]
fn a_host_cannot_end_or_hide_what_another_carries() {
    let mut world = World::new(4);
    let real = notice(Kind::Interrupt, true, false, 300_000);
    world.hear("victim", &with(1, vec![real.clone()]), 0).unwrap();
    let mut stolen = real.clone();
    stolen.delivered = true;
    let withdrawal = notice(Kind::InterruptWithdrawn, false, false, 0);
    world.hear("thief", &with(1, vec![stolen, withdrawal]), 100).unwrap();
    assert_eq!(world.told(), []);
    let told = world.scan(15_000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Interrupt], "victim"));
}

#[test]
fn names_belong_to_their_users() {
    let mut world = World::new(4);
    world.hear_as("default", 1, "nas", &Report { run: String::new(), ..report(0) }, 0).unwrap();
    world.hear_as("default", 2, "nas", &report(1), 1).unwrap();
    let old = Report { run: String::new(), ..report(0) };
    assert_eq!(world.hear_as("default", 1, "nas", &old, 2), Err(Refusal::NameTaken), "seen with protocol 2");
    world.hear_as("nas-user", 2, "nas", &report(2), 3).unwrap();
    assert_eq!(world.hear_as("default", 2, "nas", &report(3), 4), Err(Refusal::NameTaken), "never back");
    assert_eq!(world.hear_as("other", 2, "nas", &report(4), 5), Err(Refusal::NameTaken));
    for name in ["", "a\nb", "a\u{202e}b", "\u{7f}", &"x".repeat(129)] {
        assert_eq!(world.hear("x", &report(1), 0).map(|_| ()), Ok(()));
        assert_eq!(world.hear(name, &report(1), 0), Err(Refusal::NameInvalid), "{name:?}");
    }
    for per in [0, 99, -1000, 86_400_001, i64::MAX, i64::MIN] {
        assert_eq!(world.hear("x", &Report { per, ..report(9) }, 0), Err(Refusal::PeriodInvalid), "{per}");
    }
}

#[test]
fn an_overtaken_beat_changes_nothing() {
    let mut world = World::new(4);
    world.hear("a", &report(5), 0).unwrap();
    world.hear("a", &report(5), 100_000).unwrap();
    world.hear("a", &report(4), 110_000).unwrap();
    assert_eq!(kinds(&world.scan(125_000)), [Kind::Offline]);
}

#[test]
fn the_roster_has_a_cap_and_says_so_once() {
    let mut world = World::new(4);
    for host in 0..10_000 {
        world.hear(&format!("host-{host}"), &report(1), 0).unwrap();
    }
    assert_eq!(world.hear("one-more", &report(1), 0), Err(Refusal::Full));
    assert_eq!(world.hear("two-more", &report(1), 0), Err(Refusal::Full));
    assert_eq!(kinds(&world.told()), [Kind::Refused]);
    world.hear("host-77", &report(2), 1).unwrap();
}

#[test]
fn a_full_roster_is_told_once_a_day_whoever_comes_and_goes() {
    let mut world = World::new(4);
    for host in 0..10_000 {
        world.hear(&format!("host-{host}"), &report(1), 0).unwrap();
    }
    for (ms, times) in [(0, 1), (1000, 0), (86_400_000, 1)] {
        let mut told = Vec::new();
        for round in 0..3 {
            let name = format!("more-{ms}-{round}");
            assert_eq!(world.hear(&name, &report(1), ms), Err(Refusal::Full));
            told.append(&mut world.told());
            assert!(world.roster.leave("host-7", "", &at(ms), &mut world.pending));
            world.hear("host-7", &report(1), ms).unwrap();
        }
        let refused = told.iter().filter(|event| event.kind == Kind::Refused).count();
        assert_eq!(refused, times, "at {ms}");
    }
}

#[test]
fn a_refusal_is_told_once_with_both_sides_and_nobody_floods_with_it() {
    let mut world = World::new(4);
    world.hear_as("nas-user", 2, "nas", &report(1), 0).unwrap();
    for seq in 2..5 {
        assert_eq!(world.hear_as("default", 2, "nas", &report(seq), 1), Err(Refusal::NameTaken));
    }
    let told = world.told();
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Refused], "nas"));
    let Some(Fact::Text(reason)) = told[0].fact(Field::Reason) else { panic!("{told:?}") };
    assert_eq!(reason, "it came as user default, but its name belongs to user nas-user at 192.0.2.7");
    let from = "192.0.2.8:1".parse().unwrap();
    for bound in [None, None, Some("nas"), Some("nas")] {
        world.roster.refused(("old", "default", from), bound, &at(2), &mut world.pending);
    }
    assert_eq!(world.told().len(), 2, "once for each reason");
    for name in 0..1000 {
        let name = format!("name-{name}");
        world.roster.refused((&name, "default", from), None, &at(2), &mut world.pending);
        world.roster.refused((&name, "default", from), Some("nas"), &at(2), &mut world.pending);
    }
    assert_eq!(world.told().len(), 61, "64 in all");
}

#[test]
fn what_hosts_carry_is_kept_for_two_thousand_of_them() {
    let mut world = World::new(4);
    let carry = |world: &mut World, host: u64, delivered: bool, ms: i64| {
        let mut own = notice(Kind::Interrupt, true, delivered, 300_000);
        (own.id, own.incident) = (Id(1000 + host), Id(500_000 + host));
        world.hear(&format!("host-{host}"), &Report { seq: host + 1, ..with(1, vec![own]) }, ms).unwrap();
    };
    let kept =
        |world: &World, host: u64| !world.roster.hosts().get(&format!("host-{host}")).unwrap().carried.is_empty();
    for host in 0..2000 {
        carry(&mut world, host, host % 2 == 1, i64::try_from(host).unwrap());
    }
    carry(&mut world, 2000, true, 2000);
    assert!(kept(&world, 2000) && kept(&world, 0) && !kept(&world, 1), "the oldest that is done with makes room");
    let told = world.scan(17_000);
    assert_eq!(told.len(), 1000, "what waited is told all the same");
    for host in 2001..4010 {
        carry(&mut world, host, true, 20_000);
    }
    let carriers = world.roster.hosts().iter().filter(|entry| !entry.host.carried.is_empty()).count();
    assert_eq!(carriers, 2000);
}

#[test]
fn a_carried_event_cannot_end_a_silence() {
    let mut world = World::new(4);
    world.hear("victim", &report(1), 0).unwrap();
    let offline = world.scan(125_000);
    let mut begin = notice(Kind::Interrupt, true, true, 300_000);
    begin.incident = offline[0].incident;
    let end = Notice { kind: Kind::InterruptWithdrawn, id: Id(5), told: false, delivered: false, ..begin.clone() };
    world.hear("thief", &with(1, vec![begin, end]), 126_000).unwrap();
    assert_eq!(world.told(), []);
}

#[test]
fn a_deadline_of_a_wrong_clock_is_not_put_off_for_years() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let shard = world.roster.hosts_mut().take_dirty(0, &at(0)).unwrap();
    // The clock was months ahead when this was written, the machine ran for long then, and has just booted.
    let later = Now { tick: Tick(5000), wall: Wall(at(0).wall.0 - 8_000_000_000), boot: Boot(8) };
    let mut roster = Roster::new(rules(4));
    for (name, mut host) in Shard::parse(&shard.to_json()).unwrap().restore(&later) {
        host.deadline = Tick(i64::MAX / 2);
        roster.restore(name, host, &later);
    }
    let due = Now { tick: Tick(5000 + 125_000), ..later };
    roster.scan(&due, &mut world.pending);
    assert_eq!(kinds(&world.told()), [Kind::Offline]);
}

#[test]
fn a_long_silent_host_is_forgotten_with_an_end() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(125_000);
    let month = 30 * 86_400_000;
    assert_eq!(world.scan(month), []);
    assert_eq!(kinds(&world.scan(month + 125_000)), [Kind::Forgotten]);
    assert!(world.roster.hosts().is_empty());
}
