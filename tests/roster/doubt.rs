//! Many silences at once: grouping, and the server's doubt of itself.

use std::collections::HashSet;

use interrupt_callback::event::{Event, Fact, Field, Id, Kind};
use interrupt_callback::keepalive::beat::Report;
use interrupt_callback::keepalive::heard::Note;
use interrupt_callback::keepalive::host::Standing;

use super::world::*;

/// Beats of `hosts` from `from` to `to`, every 30 s, spread over the period.
fn beats(world: &mut World, hosts: std::ops::Range<i64>, from: i64, to: i64) {
    for start in (from..to).step_by(30_000) {
        for host in hosts.clone() {
            let ms = start + host * 29_000 / hosts.end;
            world.hear(&format!("h{host}"), &report(u64::try_from(ms).unwrap() + 1), ms).unwrap();
        }
    }
}

fn groups(events: &[Event], kind: Kind) -> HashSet<Option<Id>> {
    events.iter().filter(|event| event.kind == kind).map(|event| event.group).collect()
}

#[test]
fn one_of_many_is_told_at_once_and_alone() {
    let mut world = World::new(4);
    beats(&mut world, 0..50, 0, 30_000);
    beats(&mut world, 1..50, 30_000, 150_000);
    let told = world.told();
    assert_eq!((kinds(&told), told[0].at.tick, told[0].group), (vec![Kind::Offline], at(125_000).tick, None));
}

#[test]
fn some_are_told_together_after_five_seconds_at_most() {
    let mut world = World::new(4);
    beats(&mut world, 0..10, 0, 30_000);
    // h0 fell silent at 0, h1 3 s later, h2 9 s later; the others live.
    for start in (30_000..180_000).step_by(30_000) {
        for host in 3..10 {
            world.hear(&format!("h{host}"), &report(start as u64 + 1), start + host).unwrap();
        }
    }
    let told = world.scan(180_000);
    assert_eq!(kinds(&told), [Kind::Offline; 3]);
    let times: Vec<i64> = told.iter().map(|event| event.at.tick.0 - START).collect();
    assert_eq!(times, [125_000, 127_900, 130_800]);
    assert_eq!(told[0].group, told[1].group, "within 5 s");
    assert!(told[0].group.is_some() && told[2].group != told[0].group, "{told:#?}");
}

#[test]
fn who_is_late_and_beats_again_is_waited_for_no_longer() {
    let mut world = World::new(4);
    for host in 0..8 {
        world.hear(&format!("h{host}"), &report(1), host).unwrap();
    }
    for host in 2..8 {
        world.hear(&format!("h{host}"), &report(2), 100_000 + host).unwrap();
    }
    world.hear("h1", &report(2), 60_000).unwrap();
    assert_eq!(world.scan(126_900), [], "h1 is late");
    world.hear("h1", &report(3), 126_950).unwrap();
    assert_eq!(world.scan(128_000).len(), 1);
}

#[test]
fn its_own_uplink_cut_for_three_deadlines_is_one_message_and_one_end() {
    let mut world = World::new(4);
    beats(&mut world, 0..50, 0, 300_000);
    beats(&mut world, 0..50, 675_000, 800_000);
    let told = world.scan(900_000 - 70_000);
    let offline: Vec<&Event> = told.iter().filter(|event| event.kind == Kind::Offline).collect();
    assert_eq!((offline.len(), told.len()), (50, 100));
    assert_eq!(groups(&told, Kind::Offline).len(), 1, "one message");
    assert_eq!(groups(&told, Kind::Online).len(), 1, "one end");
    assert!(offline[0].group.is_some() && groups(&told, Kind::Online).iter().all(Option::is_some));
    assert_eq!(
        offline[7].fact(Field::Hint),
        Some(&Fact::Text("look at this server's network first".to_owned())),
        "{offline:?}"
    );
    assert!(offline.windows(2).all(|pair| pair[0].at.tick <= pair[1].at.tick), "in the order of their deadlines");
    let mut sorted: Vec<_> = offline.iter().map(|event| event.fact(Field::LastBeat)).collect();
    sorted.dedup();
    assert_eq!(sorted.len(), 50, "each with its own start");
}

#[test]
fn a_cut_for_good_is_one_message() {
    let mut world = World::new(4);
    beats(&mut world, 0..50, 0, 300_000);
    assert_eq!(world.scan(270_000 + 125_000 + 119_000), []);
    assert_eq!(world.roster.hosts().get("h7").unwrap().standing, Standing::Offline, "status says it at once");
    let told = world.scan(86_400_000);
    assert_eq!((told.len(), groups(&told, Kind::Offline).len()), (50, 1));
}

#[test]
fn only_more_than_half_of_those_that_were_up_is_suspicious() {
    for (living, held) in [(3, true), (4, false)] {
        let mut world = World::new(4);
        for host in 0..4 + living {
            world.hear(&format!("h{host}"), &report(1), host).unwrap();
        }
        for ms in (30_000..126_000).step_by(30_000) {
            for host in 4..4 + living {
                world.hear(&format!("h{host}"), &report(ms as u64), ms + host).unwrap();
            }
        }
        assert_eq!(world.scan(125_003).len(), if held { 0 } else { 4 }, "{living} live");
    }
}

#[test]
fn who_comes_back_during_the_hold_is_only_counted() {
    let mut world = World::new(4);
    beats(&mut world, 0..10, 0, 30_000);
    assert_eq!(world.scan(160_000), []);
    for host in 0..9 {
        let granted = world.hear(&format!("h{host}"), &report(200_000), 200_000 + host).unwrap();
        assert_eq!(granted.note, Note::Recovered);
    }
    for start in [230_000, 260_000] {
        for host in 0..9 {
            world.hear(&format!("h{host}"), &report(start), start.cast_signed() + host).unwrap();
        }
    }
    let told = world.told();
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Offline], "h9"));
    assert_eq!(told[0].fact(Field::Count), Some(&Fact::Number(9)));
    assert!(told[0].fact(Field::Hint).is_some());
    world.hear("h9", &report(300_000), 300_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Online]);
}

#[test]
fn failing_channels_make_one_silence_of_one_suspicious() {
    let mut world = World::new(4);
    world.roster.channels_fail(true);
    world.hear("a", &report(1), 0).unwrap();
    assert_eq!(world.scan(244_999), []);
    let told = world.scan(245_000);
    assert_eq!(kinds(&told), [Kind::Offline]);
    let reason = Fact::Text("this server's own channels fail as well".to_owned());
    assert_eq!((told[0].fact(Field::Reason), told[0].fact(Field::Hint)), (Some(&reason), None));
    assert_eq!(told[0].at.tick, at(125_000).tick, "when it was found");
}

#[test]
fn the_hold_is_as_long_as_the_rules_say_and_the_patience_allows() {
    for (hold, num, per, told_at) in
        [(120, 4, 30_000, 245_000), (30, 4, 30_000, 155_000), (120, 3, 1000, 16_000), (0, 4, 30_000, 125_000)]
    {
        let mut rules = rules(num);
        rules.hold = std::time::Duration::from_secs(hold);
        let mut world = World::with(rules);
        for host in 0..4 {
            world.hear(&format!("h{host}"), &Report { per, ..report(1) }, 0).unwrap();
        }
        assert_eq!(world.scan(told_at - 1), []);
        assert_eq!(world.scan(told_at).len(), 4, "{hold} s");
    }
}

#[test]
fn what_does_not_fit_the_queue_is_told_with_the_same_group() {
    let mut world = World::new(4);
    for host in 0..3000 {
        world.hear(&format!("h{host}"), &report(1), 0).unwrap();
    }
    world.run_to(244_999);
    let mut told = Vec::new();
    for ms in 245_000..245_400 {
        world.roster.scan(&at(ms), &mut world.pending);
        if ms % 100 == 0 {
            told.append(&mut world.told());
        }
    }
    told.append(&mut world.told());
    assert_eq!((told.len(), groups(&told, Kind::Offline).len()), (3000, 1));
}

#[test]
fn reclaims_that_were_announced_are_no_reason_for_doubt() {
    let mut world = World::new(4);
    for host in 0..4_u64 {
        let mut own = notice(Kind::Interrupt, true, true, 100_000);
        (own.id, own.incident) = (Id(1000 + host), Id(2000 + host));
        world.hear(&format!("spot{host}"), &with(1, vec![own]), 0).unwrap();
    }
    world.hear("nas", &report(1), 0).unwrap();
    let told = world.scan(125_000);
    assert_eq!(told.iter().filter(|event| event.kind == Kind::Reclaimed).count(), 4);
    assert_eq!(groups(&told, Kind::Reclaimed).len(), 1);
    let offline: Vec<&Event> = told.iter().filter(|event| event.kind == Kind::Offline).collect();
    assert_eq!((offline.len(), offline[0].group), (1, None));
}

#[test]
fn a_log_line_comes_of_every_silence_and_hold() {
    let mut world = World::new(4);
    for host in 0..3 {
        world.hear(&format!("h{host}"), &report(1), 0).unwrap();
    }
    world.scan(125_000);
    let mut lines: Vec<String> = world.roster.take_news().iter().map(|news| news.text()).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "3 hosts are late or silent together: held back for a while",
            "h0 is silent for 125 s",
            "h1 is silent for 125 s",
            "h2 is silent for 125 s",
        ]
    );
    assert_eq!(world.roster.take_news(), []);
}
