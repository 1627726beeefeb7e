use super::*;

fn zone(text: &str) -> Zone {
    Zone::load(Some(text)).unwrap()
}

/// Summer time of Berlin and of a half-hour island, and none.
const ZONES: [&str; 4] = ["CET-1CEST,M3.5.0,M10.5.0/3", "LHST-10:30LHDT-11,M10.1.0,M4.1.0", "CST-8", "UTC0"];
/// 2026-01-01 00:00 UTC.
const START: i64 = 1_767_225_600;

/// The first `count` times after `after`, by the local clock.
fn times(expression: &str, zone_text: &str, after: i64, count: usize) -> Vec<String> {
    let zone = zone(zone_text);
    let schedule = Schedule::parse(expression).unwrap();
    let mut at = Wall(after * 1000);
    let mut times = Vec::new();
    for _ in 0..count {
        at = schedule.next(at, &zone).unwrap();
        times.push(zone.human(at));
    }
    times
}

#[test]
fn what_expressions_mean() {
    for (expression, first) in [
        ("* * * * *", "2026-01-01 00:01:00 +00:00"),
        ("* * * * * *", "2026-01-01 00:00:01 +00:00"),
        ("*/15 * * * *", "2026-01-01 00:15:00 +00:00"),
        ("7/20 * * * *", "2026-01-01 00:07:00 +00:00"),
        ("10-50/20 3 * * *", "2026-01-01 03:10:00 +00:00"),
        ("0 0 * * *", "2026-01-02 00:00:00 +00:00"),
        ("0 12 * * MON", "2026-01-05 12:00:00 +00:00"),
        ("0 12 * * 7", "2026-01-04 12:00:00 +00:00"),
        ("0 12 * * fri-sun", "2026-01-02 12:00:00 +00:00"),
        ("0 12 * * sun-mon", "2026-01-04 12:00:00 +00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00 +00:00"),
        ("0 0 13 * fri", "2026-01-02 00:00:00 +00:00"),
        ("0 0 */100 * *", ""),
        ("0 0 1 feb,apr ?", "2026-02-01 00:00:00 +00:00"),
        ("@yearly", "2027-01-01 00:00:00 +00:00"),
        ("  @Daily ", "2026-01-02 00:00:00 +00:00"),
        ("30 0 0 1 1 *", "2026-01-01 00:00:30 +00:00"),
    ] {
        match Schedule::parse(expression) {
            Ok(_) => assert_eq!(times(expression, "UTC0", START, 1), [first], "{expression}"),
            Err(error) => assert_eq!(first, "", "{expression}: {error}"),
        }
    }
}

#[test]
fn what_is_refused() {
    for (expression, why) in [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "the minute \"60\" goes from 0 to 59"),
        ("* 24 * * *", "the hour \"24\" goes from 0 to 23"),
        ("* * 0 * *", "the day of the month \"0\" goes from 1 to 31"),
        ("* * * 13 *", "the month \"13\" goes from 1 to 12"),
        ("* * * * 8", "the day of the week \"8\" goes from 0 to 7"),
        ("*/0 * * * *", "the minute \"*/0\" has a step"),
        ("*/x * * * *", "the minute \"*/x\" has a step"),
        ("5-1 * * * *", "the minute \"5-1\" has a range"),
        ("1,,2 * * * *", "the minute \"1,,2\" goes"),
        ("+1 * * * *", "the minute \"+1\" goes"),
        ("1- * * * *", "the minute \"1-\" goes"),
        ("* * * janx *", "the month \"janx\" goes"),
        ("* * * anf *", "the month \"anf\" goes"),
        ("0 0 31 2 *", "names a date that never comes"),
        ("0 0 31 4,6,9,11 *", "names a date that never comes"),
        ("0 0 30 2 *", "names a date that never comes"),
        ("@reboot", "is none of @hourly"),
    ] {
        let error = Schedule::parse(expression).unwrap_err().to_string();
        assert!(error.starts_with(why), "{expression}: {error}");
    }
    assert!(Schedule::parse(&"1,".repeat(5000)).is_err());
    assert!(Schedule::parse("0 0 31 2 mon").is_ok(), "one of the two days is enough");
}

#[test]
fn where_clocks_are_set_forward_the_first_moment_after_counts() {
    // 2026-03-29: 02:00 is 03:00.
    let berlin = ZONES[0];
    let eve = START + 86 * DAY;
    assert_eq!(
        times("30 2 * * *", berlin, eve, 3),
        ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]
    );
    assert_eq!(
        times("0,20,40 2,3 * * *", berlin, eve + DAY, 4),
        [
            "2026-03-29 03:00:00 +02:00",
            "2026-03-29 03:20:00 +02:00",
            "2026-03-29 03:40:00 +02:00",
            "2026-03-30 02:00:00 +02:00"
        ]
    );
    assert_eq!(
        times("30 * * * *", berlin, START + 87 * DAY, 3),
        ["2026-03-29 01:30:00 +01:00", "2026-03-29 03:30:00 +02:00", "2026-03-29 04:30:00 +02:00"]
    );
}

#[test]
fn where_clocks_are_set_back_an_hour_that_is_named_runs_once() {
    // 2026-10-25: 03:00 is 02:00.
    let berlin = ZONES[0];
    let midnight = START + 297 * DAY;
    assert_eq!(times("30 2 * * *", berlin, midnight, 2), ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]);
    assert_eq!(
        times("30 * * * *", berlin, midnight, 3),
        ["2026-10-25 02:30:00 +02:00", "2026-10-25 02:30:00 +01:00", "2026-10-25 03:30:00 +01:00"]
    );
    // From the second of the two hours on.
    assert_eq!(times("10,50 2 * * *", berlin, midnight + 5000, 1), ["2026-10-26 02:10:00 +01:00"]);
}

/// When a schedule without seconds is due, found by looking at every minute.
fn scan(schedule: &Schedule, zone: &Zone, from: i64, until: i64) -> Vec<i64> {
    let matches = |local: i64| {
        let time = local.rem_euclid(DAY);
        schedule.is_on(local.div_euclid(DAY)) && schedule.time_from(time) == Some(time)
    };
    let mut due = Vec::new();
    let mut at = from;
    let mut before = zone.offset(at);
    while at < until {
        at += 60;
        let offset = zone.offset(at);
        // The times of the local clock that this minute stands for: its own, and those that were passed over.
        let skipped = (1..=(offset - before).max(0) / 60).any(|n| matches(at + offset - n * 60));
        before = offset;
        let once = !schedule.every_hour;
        if once && skipped || matches(at + offset) && !(once && was_shown(zone, at, offset)) {
            due.push(at);
        }
    }
    due
}

/// Whether the clock has shown the time of `at` in the two hours before.
fn was_shown(zone: &Zone, at: i64, offset: i64) -> bool {
    zone.offset(at - 7200) != offset && (1..=120).any(|n| at - n * 60 + zone.offset(at - n * 60) == at + offset)
}

/// Compares ten years with a scan: `days` in every month, and the days round each change of the clock.
fn compare(days: i64) {
    let expressions = [
        "30 2 * * *",
        "*/20 1-3 * * *",
        "15 * * * *",
        "0 */2 * * *",
        "59 23 * * sun",
        "5 2 25 10 *",
        "30 2 1-7 * sun",
        "*/30 * * 4,10 0",
        "0 0 * * *",
    ];
    let mut compared = 0;
    for text in ZONES {
        let zone = zone(text);
        let mut spans = Vec::new();
        for day in 0..3653 {
            let from = START + day * DAY;
            if (-1..=1).any(|n| zone.offset(from + n * DAY) != zone.offset(from + (n + 1) * DAY)) || day % 30 < days {
                spans.push((from, from + DAY));
            }
        }
        for expression in expressions {
            let schedule = Schedule::parse(expression).unwrap();
            for (from, until) in &spans {
                let wanted = scan(&schedule, &zone, *from, *until);
                let mut got = Vec::new();
                let mut at = Wall(from * 1000);
                while let Some(next) = schedule.next(at, &zone).filter(|next| next.secs() <= *until) {
                    got.push(next.secs());
                    at = next;
                }
                assert_eq!(got, wanted, "{expression} in {text} from {}", zone.human(Wall(from * 1000)));
                compared += wanted.len();
            }
        }
    }
    assert!(compared > 5_000, "{compared}");
    println!("{compared} times compared");
}

#[test]
fn the_days_round_each_change_of_ten_years_agree_with_a_scan_of_every_minute() {
    compare(0);
}

#[test]
#[ignore = "long"]
fn all_days_of_ten_years_agree_with_a_scan_of_every_minute() {
    compare(30);
}

#[test]
fn dates_far_off_are_found_and_nothing_hangs() {
    let utc = Zone::utc();
    let rare = Schedule::parse("0 0 29 2 */6").unwrap();
    let first = rare.next(Wall(START * 1000), &utc).unwrap();
    assert!(utc.human(first).contains("-02-29 00:00:00"), "{}", utc.human(first));
    for at in [i64::MIN / 2, -1, i64::MAX / 2] {
        let _ = rare.next(Wall(at), &utc);
    }
}
