use super::*;
use crate::clock::{Boot, Wall};

/// 2026-06-01T00:00:00Z, a Monday.
const JUNE: i64 = 1_780_272_000_000;

fn at(ms: i64) -> Now {
    Now { tick: Tick(ms), wall: Wall(JUNE + ms), boot: Boot(7) }
}

fn secs(n: u64) -> Lasts {
    Lasts::For(Duration::from_secs(n))
}

fn text(silences: &Silences) -> String {
    let mut out = Writer::default();
    silences.write(&mut out);
    out.into_string()
}

fn again(silences: &Silences, now: &Now) -> Silences {
    let text = text(silences);
    Silences::read(&json::read(text.as_bytes()).expect(&text), now).expect(&text)
}

#[test]
fn they_end_by_time_by_hand_or_by_health() {
    let mut silences = Silences::default();
    assert!(silences.add("web*", secs(10), &at(0)));
    assert!(silences.add("nas@home", Lasts::UntilHealthy, &at(0)));
    assert!(silences.add("vps?", Lasts::Open, &at(0)));
    for (name, ms, covered) in [
        ("web1", 0, true),
        ("web1", 9_999, true),
        ("web1", 10_000, false),
        ("nas@home", 1_000_000, true),
        ("nas@home2", 0, false),
        ("vps1", i64::MAX - JUNE, true),
        ("vps", 0, false),
    ] {
        assert_eq!(silences.covers(name, &at(ms)), covered, "{name} at {ms}");
    }
    assert!(!silences.healthy("web1") && !silences.healthy("vps1"));
    assert!(silences.healthy("nas@home") && !silences.healthy("nas@home"));
    assert!(!silences.covers("nas@home", &at(0)));
    assert!(!silences.remove("vps1"), "a glob is taken back as it was given");
    assert!(silences.remove("vps?") && !silences.remove("vps?"));
    assert!(silences.add("nas@home", Lasts::Open, &at(0)) && silences.remove("nas*"));
    assert_eq!(silences.standing(&at(0)).len(), 1);
    assert_eq!(silences.standing(&at(10_000)), []);
}

#[test]
fn the_same_glob_is_replaced_and_their_number_is_bounded() {
    let mut silences = Silences::default();
    for n in 0..MAX_SILENCES {
        assert!(silences.add(&format!("web{n}"), secs(10), &at(0)));
    }
    assert!(!silences.add("more", secs(10), &at(0)));
    assert!(silences.add("web0", secs(20), &at(0)), "replacing needs no room");
    assert!(silences.covers("web0", &at(15_000)) && !silences.covers("web1", &at(15_000)));
    assert!(silences.add("more", secs(10), &at(10_000)), "those that are over make room");
    assert_eq!(silences.standing(&at(10_000)).len(), 2);
}

#[test]
fn ends_survive_restart_and_reboot() {
    let mut silences = Silences::default();
    silences.add("web*", secs(3600), &at(1_000_000));
    silences.add("a\"\\*", Lasts::Open, &at(1_000_000));
    silences.add("nas", Lasts::UntilHealthy, &at(1_000_000));
    let restarted = again(&silences, &at(1_600_000));
    assert!(restarted.covers("web1", &at(4_599_999)) && !restarted.covers("web1", &at(4_600_000)));
    assert_eq!(restarted.standing(&at(1_600_000)), silences.standing(&at(1_600_000)));
    // Booted anew 30 minutes after it was said, two minutes ago.
    let booted = Now { tick: Tick(120_000), wall: Wall(JUNE + 1_000_000 + 1_920_000), boot: Boot(8) };
    let left = again(&silences, &booted);
    let later = |ms: i64| Now { tick: Tick(120_000 + ms), wall: Wall(booted.wall.0 + ms), ..booted };
    assert!(left.covers("web1", &later(1_679_999)) && !left.covers("web1", &later(1_680_000)));
    assert!(left.covers("nas", &booted) && left.covers("a\"\\b", &booted));
    let unset = Now { wall: Wall(0), ..booted };
    assert!(again(&silences, &unset).covers("web1", &unset), "a clock that is not set ends no silence");
    // Saved once more without anything said in this boot.
    let once_more = again(&left, &later(600_000));
    assert!(!once_more.covers("web1", &later(1_680_000)) && once_more.covers("web1", &later(1_679_999)));
    let late = Now { wall: Wall(JUNE + 100_000_000), ..booted };
    assert_eq!(again(&silences, &late).standing(&late).len(), 2, "what is over is dropped");
}

#[test]
fn what_is_no_state_is_refused() {
    assert_eq!(again(&Silences::default(), &at(0)).standing(&at(0)), []);
    for text in ["[]", "{}", r#"{"silences":[{}]}"#, r#"{"clocks":[1],"silences":[]}"#, r#"{"silences":[{"glob":3}]}"#]
    {
        assert_eq!(Silences::read(&json::read(text.as_bytes()).unwrap(), &at(0)), None, "{text}");
    }
}

fn window(days: u8, from: u16, to: u16, hosts: &[&str]) -> Window {
    Window { hosts: hosts.iter().map(|glob| (*glob).to_owned()).collect(), days, from, to }
}

#[test]
fn windows_by_day_time_and_host() {
    let utc = Zone::utc();
    let saturday = [window(0b10_0000, 120, 270, &["web*"])];
    let minute = |day: i64, minute: i64| at((day * 1440 + minute) * 60_000);
    for (day, time, name, want) in [
        (5, 119, "web1", false),
        (5, 120, "web1", true),
        (5, 269, "web1", true),
        (5, 270, "web1", false),
        (5, 200, "nas", false),
        (4, 200, "web1", false),
        (6, 200, "web1", false),
    ] {
        assert_eq!(in_window(&saturday, name, &utc, &minute(day, time)), want, "day {day} minute {time} {name}");
    }
    let over_midnight = [window(0b100_0000, 1380, 60, &[])];
    for (day, time, want) in
        [(6, 1379, false), (6, 1380, true), (7, 0, true), (7, 59, true), (7, 60, false), (6, 0, false), (1, 59, false)]
    {
        assert_eq!(in_window(&over_midnight, "x", &utc, &minute(day, time)), want, "day {day} minute {time}");
    }
    let whole_day = [window(1, 480, 480, &[])];
    for (day, time, want) in [(0, 479, false), (0, 480, true), (1, 479, true), (1, 480, false)] {
        assert_eq!(in_window(&whole_day, "x", &utc, &minute(day, time)), want, "day {day} minute {time}");
    }
    let always = [window(0x7f, 0, 0, &[])];
    assert!(in_window(&always, "x", &utc, &at(0)));
    assert!(!in_window(&always, "x", &utc, &Now { wall: Wall(1_000_000), ..at(0) }), "no clock, no window");
    assert!(!in_window(&[], "x", &utc, &at(0)));
}

/// The same question answered in another way: the local minutes that a window names, written down one by one.
fn naive(window: &Window, zone: &Zone, wall: Wall) -> bool {
    let text = zone.rfc3339(wall);
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (month, day, hour, minute) = (number(5..7), number(8..10), number(11..13), number(14..16));
    // Days since 2026-02-28, for dates in March to May and September to November.
    let before = [0, 0, 0, 1, 32, 62, 93, 123, 154, 185, 215, 246, 276][usize::try_from(month).unwrap()];
    let days = before + day - 1;
    let mut minutes = Vec::new();
    for begin in [days - 1, days] {
        // 2026-02-28 was a Saturday.
        let weekday = (begin + 5).rem_euclid(7);
        if window.days & (1 << weekday) != 0 {
            let length = (i64::from(window.to) - i64::from(window.from) + 1439).rem_euclid(1440) + 1;
            minutes.extend((0..length).map(|n| begin * 1440 + i64::from(window.from) + n));
        }
    }
    minutes.contains(&(days * 1440 + hour * 60 + minute))
}

#[test]
fn every_minute_of_the_weeks_around_a_change_of_time() {
    let mut seed = 20_261_121_u64;
    let mut random = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    // Two weeks from 2026-03-22 and from 2026-10-18, both with a change in the middle.
    for (rule, start) in [
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_137_600_000),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_281_600_000),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_774_137_600_000),
        ("-09:30", 1_774_137_600_000),
    ] {
        let zone = Zone::load(Some(rule)).unwrap();
        let windows: Vec<Window> = (0..3)
            .map(|_| window(random(127) as u8 + 1, random(1440) as u16, random(1440) as u16, &[]))
            .chain([window(0b100_0000, 90, 210, &[])])
            .collect();
        let mut open = 0;
        for minute in 0..14 * 1440 {
            let wall = Wall(start + minute * 60_000 + 59_999);
            let now = Now { tick: Tick(0), wall, boot: Boot(7) };
            for one in &windows {
                let found = in_window(std::slice::from_ref(one), "x", &zone, &now);
                assert_eq!(found, naive(one, &zone, wall), "{one:?} at {}", zone.rfc3339(wall));
                open += u32::from(found);
            }
        }
        assert!(open > 0);
    }
}

#[test]
fn random_silences_against_a_list_of_what_was_said() {
    const GLOBS: [&str; 6] = ["a", "b", "a*", "?", "*", "ab"];
    const NAMES: [&str; 4] = ["a", "b", "ab", "c"];
    for seed in 0..300_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut silences = Silences::default();
        // Glob, and its end by the wall clock, which never steps here; `None` for one that ends with health.
        let mut said: Vec<(&str, Option<i64>)> = Vec::new();
        let mut now = at(1_000_000);
        for step in 0..60 {
            let glob = GLOBS[random(6) as usize];
            let name = NAMES[random(4) as usize];
            match random(7) {
                0 | 1 => {
                    let time = random(5000) + 1;
                    assert!(silences.add(glob, Lasts::For(Duration::from_millis(time)), &now));
                    said.retain(|(other, _)| *other != glob);
                    said.push((glob, Some(now.wall.0 + time as i64)));
                }
                2 => {
                    assert!(silences.add(name, Lasts::UntilHealthy, &now));
                    said.retain(|(other, _)| *other != name);
                    said.push((name, None));
                }
                3 => {
                    let before = said.len();
                    said.retain(|(other, _)| !glob_matches(glob, other));
                    // One that is over may or may not be there any more.
                    assert!(silences.remove(glob) <= (said.len() < before), "seed {seed} step {step}");
                }
                4 => {
                    let before = said.len();
                    said.retain(|(other, end)| *other != name || end.is_some());
                    assert_eq!(silences.healthy(name), said.len() < before, "seed {seed} step {step}");
                }
                5 => {
                    // A restart, or a boot that took a while.
                    let away = random(2000) as i64;
                    now.wall.0 += away;
                    match random(2) {
                        0 => now.tick.0 += away,
                        _ => (now.boot.0, now.tick) = (now.boot.0 + 1, Tick(random(1000) as i64)),
                    }
                    silences = again(&silences, &now);
                }
                _ => {
                    let by = random(1500) as i64;
                    (now.tick.0, now.wall.0) = (now.tick.0 + by, now.wall.0 + by);
                }
            }
            for name in NAMES {
                let covered = said.iter().any(|(glob, end)| match end {
                    Some(end) => *end > now.wall.0 && glob_matches(glob, name),
                    None => *glob == name,
                });
                assert_eq!(
                    silences.covers(name, &now),
                    covered,
                    "seed {seed} step {step} {name}: {said:?} {silences:?}"
                );
            }
        }
    }
}
