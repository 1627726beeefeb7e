//! Reclaims announced from outside, and the same told by the instance itself: people are told once.

use interrupt_callback::clock::Tick;
use interrupt_callback::event::{Event, Field, Id, Kind, Moment};
use interrupt_callback::keepalive::beat::Notice;
use interrupt_callback::keepalive::roster::push::Took;

use super::world::{START, World, at, kinds, notice, report, with};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The push about an instance, of the time `said`, coming at `ms`.
fn push(world: &mut World, instance: &str, said: Option<i64>, ms: i64) -> Took {
    world.run_to(ms - 1);
    let now = at(ms);
    let moment = Moment::at(Tick(START + said.unwrap_or(ms)), &now);
    let incident = Id::of(&[b"pushed", instance.as_bytes(), &said.unwrap_or(ms).to_be_bytes()]);
    let event = Event::new(Kind::Interrupt, incident, instance, moment).with_text(Field::Instance, instance);
    let said = said.map(|said| Tick(START + said));
    world.roster.announced(event, said, true, &now, &mut world.pending)
}

/// The own notice of i-abc.
fn own(told: bool, delivered: bool) -> Notice {
    notice(Kind::Interrupt, told, delivered, 290_000)
}

fn interrupts(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.kind == Kind::Interrupt).collect()
}

#[test]
fn where_nobody_beats_it_is_told_at_once_and_once() {
    let mut world = World::new(4);
    assert_eq!(push(&mut world, "i-abc", Some(0), 1000), Took::Told);
    assert_eq!(world.told()[0].subject, "i-abc");
    for (said, ms) in [(Some(0), 6000), (None, 11_000), (Some(0), 5 * 60 * MINUTE), (Some(14 * MINUTE), 15 * MINUTE)] {
        world.restart(ms - 2, ms - 1, true);
        assert_eq!(push(&mut world, "i-abc", said, ms), Took::Known, "{said:?} {ms}");
    }
    assert_eq!(push(&mut world, "i-def", Some(0), 6 * 60 * MINUTE), Took::Told);
    assert_eq!(push(&mut world, "i-abc", Some(6 * 60 * MINUTE), 6 * 60 * MINUTE), Took::Told, "it came back and goes");
    assert_eq!(world.told().len(), 2);
}

#[test]
fn without_a_time_a_day_is_one_announcement() {
    let mut world = World::new(4);
    assert_eq!(push(&mut world, "i-abc", None, 1000), Took::Told);
    assert_eq!(push(&mut world, "i-abc", None, 20 * 60 * MINUTE), Took::Known);
    assert_eq!(push(&mut world, "i-abc", None, DAY + 2 * MINUTE), Took::Known, "forgotten with the next one only");
    assert_eq!(push(&mut world, "i-def", None, DAY + 3 * MINUTE), Took::Told);
    assert_eq!(push(&mut world, "i-abc", None, DAY + 4 * MINUTE), Took::Told);
}

#[test]
fn the_own_notice_is_waited_for() {
    for (told, delivered) in [(false, false), (true, true), (true, false)] {
        let mut world = World::new(4);
        world.hear("web@x", &report(1), 0).unwrap();
        assert_eq!(push(&mut world, "i-abc", Some(0), 2000), Took::Held);
        world.restart(3000, 4000, true);
        world.hear("web@x", &with(2, vec![own(told, delivered)]), 12_000).unwrap();
        let events = world.scan(4 * MINUTE / 2);
        let count = usize::from(!delivered);
        assert_eq!(interrupts(&events).len(), count, "told {told}, delivered {delivered}: {events:?}");
        assert!(interrupts(&events).iter().all(|event| event.incident == Id(9)), "its own words");
        assert_eq!(push(&mut world, "i-abc", Some(0), 3 * MINUTE), Took::Known, "a repetition");
    }
    let mut world = World::new(4);
    world.hear("web@x", &report(1), 0).unwrap();
    assert_eq!(push(&mut world, "i-abc", Some(0), 2000), Took::Held);
    assert!(world.scan(16_000).is_empty());
    world.restart(16_100, 16_200, true);
    assert_eq!(interrupts(&world.scan(17_000)).len(), 1, "it does not come");
    assert!(world.scan(18_000).is_empty());
}

#[test]
fn an_own_notice_that_stands_is_enough() {
    for (told, delivered) in [(false, false), (true, true)] {
        let mut world = World::new(4);
        world.hear("web@x", &with(1, vec![own(told, delivered)]), 0).unwrap();
        assert_eq!(interrupts(&world.told()).len(), usize::from(!told));
        world.restart(1000, 2000, true);
        assert_eq!(push(&mut world, "i-abc", Some(-1000), 60_000), Took::Known);
        assert!(interrupts(&world.scan(2 * MINUTE)).is_empty());
        assert_eq!(push(&mut world, "i-abc", None, 3 * MINUTE), Took::Known);
        assert_eq!(push(&mut world, "i-xyz", None, 3 * MINUTE), Took::Held, "another instance");
    }
}

#[test]
fn an_own_notice_that_comes_later_is_the_same_incident() {
    for told in [false, true] {
        let mut world = World::new(4);
        world.hear("web@x", &report(1), 0).unwrap();
        push(&mut world, "i-abc", Some(0), 1000);
        let events = world.scan(20_000);
        let pushed = interrupts(&events)[0].incident;
        world.hear("web@x", &with(2, vec![own(told, false)]), 40_000).unwrap();
        world.hear("web@x", &with(3, vec![own(told, false)]), 41_000).unwrap();
        assert!(world.scan(80_000).is_empty(), "told {told}");
        world.restart(81_000, 82_000, true);
        // A countdown says more.
        let again = Notice { id: Id(77), told: false, ..own(told, false) };
        world.hear("web@x", &with(4, vec![own(told, false), again.clone()]), 90_000).unwrap();
        let events = world.scan(91_000);
        assert_eq!((kinds(&events), events[0].incident), (vec![Kind::Interrupt], pushed));
        // And so does its end, although its host has told it.
        let end = Notice { id: Id(78), age: 0, ..notice(Kind::InterruptWithdrawn, told, false, 0) };
        world.hear("web@x", &with(5, vec![own(told, false), again, end]), 100_000).unwrap();
        let events = world.scan(101_000);
        assert_eq!((kinds(&events), events[0].incident), (vec![Kind::InterruptWithdrawn], pushed));
    }
}

#[test]
fn a_host_that_is_known_by_its_instance_is_named_and_its_silence_explained() {
    let mut world = World::new(4);
    let blind = Notice { id: Id(3), incident: Id(4), left: None, ..notice(Kind::Blind, true, true, 0) };
    world.hear("web@x", &with(1, vec![blind]), 0).unwrap();
    push(&mut world, "i-abc", Some(1000), 1000);
    let events = world.scan(20_000);
    assert_eq!((kinds(&events), &*events[0].subject), (vec![Kind::Interrupt], "web@x"));
    assert_eq!(kinds(&world.scan(10 * MINUTE)), [Kind::Reclaimed]);
}

#[test]
fn this_host_itself_is_treated_alike() {
    let instance = |event: Event| event.with_text(Field::Instance, "i-abc");
    let own = |id: u64, kind, ms| Event {
        id: Id(id),
        ..instance(Event::new(kind, Id(9), "me", Moment::at(Tick(START + ms), &at(ms))))
    };
    let mut world = World::new(4);
    let mut first = own(1, Kind::Interrupt, 0);
    assert!(!world.roster.adopt_own(&mut first.clone(), &at(0), &mut world.pending), "news");
    assert!(world.roster.pushed().is_empty(), "nothing is remembered where nobody pushes");
    world.roster.expect_pushes(true);
    assert!(!world.roster.adopt_own(&mut first, &at(0), &mut world.pending), "news");
    assert_eq!(push(&mut world, "i-abc", Some(0), 5000), Took::Known);
    let mut world = World::new(4);
    assert_eq!(push(&mut world, "i-abc", Some(0), 5000), Took::Told);
    let pushed = world.told()[0].incident;
    let mut later = own(1, Kind::Interrupt, 9000);
    for _ in 0..2 {
        assert!(world.roster.adopt_own(&mut later, &at(9000), &mut world.pending), "also if it found no room at first");
        assert_eq!(later.incident, pushed);
    }
    for kind in [Kind::Interrupt, Kind::InterruptWithdrawn] {
        let mut more = own(2, kind, 60_000);
        assert!(!world.roster.adopt_own(&mut more, &at(60_000), &mut world.pending));
        assert_eq!(more.incident, pushed);
    }
}

/// Whatever comes in whatever order, with the server started anew in between: one reclaim is told once.
#[test]
fn one_reclaim_is_told_once() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: i64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as i64
    };
    for round in 0..500 {
        let mut world = World::new(4);
        let told = below(2) == 0;
        let (mut ms, mut seq, mut stands, mut delivered) = (0, 1, false, false);
        let (mut count, mut pushed, mut by_host) = (0, false, false);
        world.hear("web@x", &report(seq), ms).unwrap();
        for _ in 0..12 {
            ms += 500 + below(20_000);
            match below(5) {
                0 => {
                    let said = (below(2) == 0).then_some(0);
                    pushed |= push(&mut world, "i-abc", said, ms) != Took::Known;
                }
                1 => world.restart(ms - 10, ms, true),
                2 => {
                    // Its own channel takes it at once.
                    by_host |= told;
                    (stands, delivered) = (true, told);
                }
                _ => {}
            }
            seq += 1;
            let notices = if stands { vec![own(told, delivered)] } else { Vec::new() };
            world.hear("web@x", &with(seq, notices), ms + 100).unwrap();
            ms += 100;
            count += interrupts(&world.told()).len();
        }
        count += interrupts(&world.scan(ms + 30_000)).len();
        // What a host told itself after a push was told cannot be taken back.
        let most = 1 + usize::from(by_host && pushed);
        assert!(count + usize::from(by_host) <= most, "round {round}: {count} told {told} by {by_host}");
        assert_eq!(count + usize::from(by_host) >= 1, pushed || stands, "round {round}");
    }
}
