use super::*;
use crate::clock::{Boot, Wall};

/// 2026-11-21 00:00 UTC, in seconds.
const MIDNIGHT: i64 = 1_795_219_200;
const HOUR: i64 = 3600;

fn at(secs: i64) -> Now {
    Now { tick: Tick((secs - MIDNIGHT) * 1000 + 900_000_000), wall: Wall(secs * 1000), boot: Boot(7) }
}

fn event(kind: Kind, incident: u64, subject: &str, secs: i64) -> Event {
    let now = at(secs);
    Event::new(kind, Id(incident), subject, Moment::at(now.tick, &now))
}

fn zone(text: &str) -> Zone {
    Zone::load(Some(text)).unwrap()
}

/// What is down, the days counted back from today.
fn down(days: &Days, host: &str, probe: &str, now: &Now) -> Vec<(usize, u32)> {
    let mut down = Vec::new();
    for (ago, seconds) in days.of(host, probe, None, now).into_iter().rev().enumerate() {
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            down.push((ago, seconds));
        }
    }
    down
}

#[test]
fn an_outage_is_cut_at_every_midnight() {
    assert_eq!(zone("UTC").rfc3339(Wall(MIDNIGHT * 1000)), "2026-11-21T00:00:00+00:00");
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    // 2026-10-25 03:00 CEST becomes 02:00 CET; 2026-03-29 02:00 CET becomes 03:00 CEST.
    let (autumn, spring) = (MIDNIGHT - 27 * 24 * HOUR - 2 * HOUR, MIDNIGHT - 237 * 24 * HOUR - HOUR);
    assert_eq!(zone(berlin).human(Wall(autumn * 1000)), "2026-10-25 00:00:00 +02:00");
    assert_eq!(zone(berlin).human(Wall(spring * 1000)), "2026-03-29 00:00:00 +01:00");
    for (tz, began, lasts, want) in [
        ("UTC", MIDNIGHT + HOUR, 60, vec![(0, 60)]),
        ("UTC", MIDNIGHT - 60, 120, vec![(0, 60), (1, 60)]),
        ("UTC", MIDNIGHT - 60, 60, vec![(1, 60)]),
        ("UTC", MIDNIGHT, 60, vec![(0, 60)]),
        ("UTC", MIDNIGHT - 24 * HOUR - 10, 24 * HOUR + 30, vec![(0, 20), (1, 86_400), (2, 10)]),
        ("+08:00", MIDNIGHT - 8 * HOUR - 5, 10, vec![(0, 5), (1, 5)]),
        ("-09:30", MIDNIGHT + 9 * HOUR + 1800 - 5, 10, vec![(0, 5), (1, 5)]),
        (berlin, autumn - 10, 25 * HOUR + 30, vec![(0, 20), (1, 90_000), (2, 10)]),
        (berlin, spring - 10, 23 * HOUR + 30, vec![(0, 20), (1, 82_800), (2, 10)]),
    ] {
        let mut days = Days::new(&zone(tz));
        days.note(&event(Kind::Offline, 1, "nas", began), &at(began));
        let end = at(began + lasts);
        assert_eq!(down(&days, "nas", "", &end), want, "as it lasts: {tz} {began} {lasts}");
        days.note(&event(Kind::Online, 1, "nas", began + lasts), &end);
        assert_eq!(down(&days, "nas", "", &end), want, "{tz} {began} {lasts}");
        let sum: u32 = down(&days, "nas", "", &end).iter().map(|(_, seconds)| seconds).sum();
        assert_eq!(i64::from(sum), lasts);
    }
}

#[test]
fn what_counts_and_what_does_not() {
    let since = |secs| Fact::Time(Moment::at(at(secs).tick, &at(secs)));
    let mut days = Days::new(&Zone::utc());
    let t = MIDNIGHT + HOUR;
    let mut test = event(Kind::Offline, 9, "a", t);
    test.test = true;
    for (event, want) in [
        (test, 0),
        (event(Kind::Online, 1, "a", t), 0),
        // It began with the last beat.
        (event(Kind::Offline, 2, "a", t + 30).with(Field::LastBeat, since(t)), 30),
        (event(Kind::Offline, 2, "a", t + 30), 30),
        (event(Kind::Reminder, 2, "a", t + 40), 40),
        (event(Kind::Online, 2, "a", t + 50).with(Field::Since, since(t)), 50),
        (event(Kind::Online, 2, "a", t + 60).with(Field::Since, since(t)), 50),
        // A goodbye is no outage, unless it is overdue.
        (event(Kind::Stopped, 3, "a", t + 100), 50),
        (event(Kind::Online, 3, "a", t + 150).with(Field::Since, since(t + 100)), 50),
        (event(Kind::Stopped, 4, "a", t + 200), 50),
        (event(Kind::Offline, 4, "a", t + 250).with(Field::LastBeat, since(t + 200)), 100),
        (event(Kind::Online, 4, "a", t + 260), 110),
        (event(Kind::Reclaimed, 5, "a", t + 300), 110),
        (event(Kind::Online, 5, "a", t + 310), 120),
        (event(Kind::ProbeDown, 6, "a", t + 400).with_text(Field::Probe, "web"), 120),
        (event(Kind::Flapping, 7, "a", t + 410), 120),
    ] {
        let now = at(event.at.tick.0 / 1000 - 900_000 + MIDNIGHT);
        days.note(&event, &now);
        let sum: u32 = down(&days, "a", "", &now).iter().map(|(_, seconds)| seconds).sum();
        assert_eq!(sum, want, "{event:?}");
    }
    assert_eq!(down(&days, "a", "web", &at(t + 430)), [(0, 30)]);
    // What nobody was told of counts as long as it lasts.
    let (since, now) = (Some(at(t).tick), at(t + 430));
    for (host, probe, want) in [("b", "", 430), ("a", "web", 30), ("a", "", 550)] {
        assert_eq!(days.of(host, probe, since, &now).last(), Some(&Some(want)), "{host} {probe}");
    }
    days.note(&event(Kind::ProbeUp, 6, "a", t + 440).with_text(Field::Probe, "web"), &at(t + 440));
    assert_eq!(down(&days, "a", "web", &at(t + 9000)), [(0, 40)]);
    days.note(&event(Kind::Offline, 8, "a", t + 500), &at(t + 500));
    days.note(&event(Kind::Forgotten, 8, "a", t + 600), &at(t + 600));
    assert_eq!(down(&days, "a", "", &at(t + 700)), []);
    assert_eq!(down(&days, "a", "web", &at(t + 700)).len(), 1);
}

#[test]
fn it_survives_a_restart_and_a_boot() {
    let mut days = Days::new(&Zone::utc());
    assert_eq!(days.of("a", "", None, &at(MIDNIGHT)), vec![None; DAYS]);
    assert!(days.to_save(3, &at(MIDNIGHT)).is_some(), "from today on it is known");
    assert!(days.to_save(4, &at(MIDNIGHT)).is_none());
    days.note(&event(Kind::Offline, 1, "a", MIDNIGHT), &at(MIDNIGHT));
    days.note(&event(Kind::Online, 1, "a", MIDNIGHT + 100), &at(MIDNIGHT + 100));
    days.note(&event(Kind::Offline, 2, "\"b\"", MIDNIGHT), &at(MIDNIGHT));
    let small = days.to_save(7, &at(MIDNIGHT + 200)).unwrap();
    assert_eq!(days.to_save(8, &at(MIDNIGHT + 200)), None);
    let mut read = Days::read(&small, &Zone::utc()).unwrap();
    assert_eq!((read.seq, read.first), (7, Some(MIDNIGHT / 86_400)));
    let later = Now { tick: Tick(5000), wall: Wall((MIDNIGHT + 1000) * 1000), boot: Boot(8) };
    assert_eq!(down(&read, "a", "", &later), [(0, 100)]);
    assert_eq!(down(&read, "\"b\"", "", &later), [(0, 1000)]);
    let end = Event::new(Kind::Online, Id(2), "\"b\"", Moment::at(later.tick, &later));
    read.note(&end, &later);
    read.note(&end, &later);
    assert_eq!(down(&read, "\"b\"", "", &at(MIDNIGHT + 86_400)), [(1, 1000)]);
    let known: Vec<_> = read.of("c", "", None, &at(MIDNIGHT + 86_400)).into_iter().rev().take(3).collect();
    assert_eq!(known, [Some(0), Some(0), None]);
    for json in ["", "{}", "[]", r#"{"subjects":[{"days":[1,2]}]}"#, r#"{"subjects":[{"host":"a","days":[1,"x"]}]}"#] {
        assert!(Days::read(&Small { seq: 1, json: json.to_owned() }, &Zone::utc()).is_none(), "{json}");
    }
}

#[test]
fn a_wrong_clock_does_no_harm() {
    let mut days = Days::new(&Zone::utc());
    let unset = Now { wall: Wall(1000), ..at(MIDNIGHT) };
    assert!(days.to_save(1, &unset).is_none());
    days.note(&Event::new(Kind::Offline, Id(1), "a", Moment::at(unset.tick, &unset)), &unset);
    assert_eq!(days.of("a", "", None, &unset), vec![None; DAYS]);
    // By the time of the end NTP has run.
    days.note(&event(Kind::Online, 1, "a", MIDNIGHT + 60), &at(MIDNIGHT + 60));
    assert_eq!(down(&days, "a", "", &at(MIDNIGHT + 60)), [(0, 60)]);
    // Ten years ahead, and back.
    let ahead = MIDNIGHT + 3650 * 86_400;
    days.note(&event(Kind::Offline, 2, "a", ahead), &at(ahead));
    days.note(&event(Kind::Online, 2, "a", ahead + 60), &at(ahead + 60));
    assert_eq!(down(&days, "a", "", &at(MIDNIGHT + 99)), [(0, 60)]);
    // It ended before it began.
    days.note(&event(Kind::Offline, 3, "a", MIDNIGHT + 200), &at(MIDNIGHT + 200));
    days.note(&event(Kind::Online, 3, "a", MIDNIGHT + 100), &at(MIDNIGHT + 100));
    assert_eq!(down(&days, "a", "", &at(MIDNIGHT + 300)), [(0, 60)]);
    // A beginning that lies years back is no work.
    days.note(&event(Kind::Offline, 4, "b", MIDNIGHT - 4000 * 86_400), &at(MIDNIGHT));
    days.note(&event(Kind::Online, 4, "b", MIDNIGHT), &at(MIDNIGHT));
    assert!(days.of("b", "", None, &at(MIDNIGHT)).len() == DAYS);
}

#[test]
fn everything_has_a_cap() {
    let mut days = Days::new(&Zone::utc());
    let outage = |days: &mut Days, host: &str, incident: u64, began: i64| {
        days.note(&event(Kind::Offline, incident, host, began), &at(began));
        days.note(&event(Kind::Online, incident, host, began + 7), &at(began + 7));
    };
    let old = MIDNIGHT - 300 * 86_400;
    for n in 0..300 {
        outage(&mut days, "often", n, old + n as i64 * 86_400);
    }
    assert_eq!(days.subjects[0].days.len(), MAX_KEPT);
    assert_eq!(down(&days, "often", "", &at(MIDNIGHT)).len(), DAYS - 1);
    days.note(&event(Kind::Offline, 1, "lasts", old), &at(old));
    for n in 0..MAX_SUBJECTS as i64 + 50 {
        outage(&mut days, &format!("host{n:05}\""), 5, MIDNIGHT - 100 * 86_400 + n * 60);
    }
    assert_eq!(days.subjects.len(), MAX_SUBJECTS);
    assert!(days.find("lasts", "").is_ok() && days.find("often", "").is_ok());
    assert!(days.find("host00000\"", "").is_err() && days.find("host02049\"", "").is_ok(), "the newest stay");
    let long = "x".repeat(100);
    for n in 0..MAX_SUBJECTS as i64 {
        outage(&mut days, &format!("{long}{n}"), 5, MIDNIGHT - 50 * 86_400 + n * 1000);
    }
    let small = days.to_save(u64::MAX, &at(MIDNIGHT)).unwrap();
    println!("{} bytes, {} subjects", small.to_json().len(), days.subjects.len());
    assert!(small.to_json().len() <= MAX_BYTES && days.subjects.len() > 500);
    assert!(days.find("lasts", "").is_ok());
    assert_eq!(Days::read(&small, &Zone::utc()).unwrap().subjects.len(), days.subjects.len());
    days.note(&event(Kind::Offline, 1, &"x".repeat(200), MIDNIGHT), &at(MIDNIGHT));
    assert_eq!(days.to_save(1, &at(MIDNIGHT)), None);
}
