//! What reports itself.

use super::*;

fn backup() -> [PingRule; 1] {
    [PingRule { name: "backup".to_owned(), period: SECOND * 3600, grace: SECOND * 600 }]
}

fn ping(play: &mut Play, what: Pinged, body: &str) {
    assert!(play.book.pinged("backup", what, body.to_owned(), Tick(play.secs * 1000)));
}

#[test]
fn missed_after_period_and_grace_and_never_before_the_first() {
    let mut play = Play::new(&[], &backup());
    assert_eq!(play.kinds(9000), [], "never pinged, never missed");
    assert!(!play.book.pinged("other", Pinged::Good, String::new(), Tick(0)));
    ping(&mut play, Pinged::Good, "");
    let good = play.secs;
    assert_eq!(play.run(9000), [(good + 4200, Kind::ProbeDown, "backup".to_owned())]);
    let fell = play.events[0].clone();
    assert_eq!(fell.fact(Field::Reason), Some(&Fact::Text(ping::MISSING.to_owned())));
    let Some(Fact::Time(since)) = fell.fact(Field::Since) else { panic!() };
    assert_eq!(since.tick, Tick((good + 3600) * 1000), "since it was due");
    ping(&mut play, Pinged::Good, "done");
    assert_eq!(play.kinds(1), [up("backup")], "one is enough");
    assert_eq!(play.standing("backup").detail, "done");
    ping(&mut play, Pinged::Good, &"é".repeat(500));
    assert!(play.standing("backup").detail.len() <= 200);
}

#[test]
fn it_says_that_it_failed() {
    let mut play = Play::new(&[], &backup());
    for (what, detail, code) in
        [(Pinged::Failed(Some(3)), "exit code 3", true), (Pinged::Failed(None), ping::SAID, false)]
    {
        ping(&mut play, what, "no space\nleft");
        assert_eq!(play.kinds(1), [down("backup")]);
        assert_eq!(play.standing("backup").detail, detail);
        let fell = play.events.last().unwrap();
        assert_eq!(fell.fact(Field::Reason), Some(&Fact::Text(ping::SAID.to_owned())));
        assert_eq!(fell.fact(Field::Output), Some(&Fact::Text("no space\nleft".to_owned())));
        assert_eq!(fell.fact(Field::ExitCode).is_some(), code);
        ping(&mut play, what, "again");
        assert_eq!(play.kinds(9000), [], "told once, and nothing is missed while it is down");
        ping(&mut play, Pinged::Good, "");
        assert_eq!(play.kinds(1), [up("backup")]);
    }
}

#[test]
fn a_run_that_began_must_end() {
    let mut play = Play::new(&[], &backup());
    ping(&mut play, Pinged::Begun, "");
    assert_eq!(play.kinds(300), []);
    assert_eq!((play.standing("backup").state, &*play.standing("backup").detail), (State::Unknown, "runs"));
    ping(&mut play, Pinged::Good, "");
    assert_eq!(play.standing("backup").took, Some(SECOND * 300));
    play.run(600);
    ping(&mut play, Pinged::Begun, "");
    let begun = play.secs;
    assert_eq!(play.run(3000), [(begun + 600, Kind::ProbeDown, "backup".to_owned())]);
    assert_eq!(play.events[0].fact(Field::Reason), Some(&Fact::Text(ping::UNENDED.to_owned())));
}

#[test]
fn a_restart_and_a_sleep_leave_time_to_ping() {
    let mut play = Play::new(&[], &backup());
    ping(&mut play, Pinged::Good, "");
    play.run(700);
    // The program was not there when the ping came.
    play.secs += 10_000;
    play.restart(&[], &backup());
    let start = play.secs;
    assert_eq!(play.run(2000), [(start + 600, Kind::ProbeDown, "backup".to_owned())]);
    ping(&mut play, Pinged::Good, "");
    assert_eq!(play.kinds(1), [up("backup")]);
    // The machine slept.
    play.secs += 10_000;
    let woken = play.secs + 1;
    assert_eq!(play.run(2000), [(woken + 600, Kind::ProbeDown, "backup".to_owned())]);
    // A longer wait than that is not cut short.
    ping(&mut play, Pinged::Good, "");
    let good = play.secs;
    play.run(700);
    play.restart(&[], &backup());
    let told = play.run(4000);
    assert_eq!(told.last(), Some(&(good + 4200, Kind::ProbeDown, "backup".to_owned())), "{told:?}");
}

#[test]
fn one_that_comes_seldom_is_remembered_though_the_power_fails_soon_after() {
    for (period, after) in [(3600, 10), (86_400, 100), (300, 1), (540, 300)] {
        let rule = [PingRule { name: "backup".to_owned(), period: SECOND * period, grace: SECOND * 60 }];
        let mut play = Play::new(&[], &rule);
        ping(&mut play, Pinged::Good, "");
        play.run(i64::from(period));
        ping(&mut play, Pinged::Good, "");
        let good = play.secs;
        play.run(after);
        play.restart(&[], &rule);
        let told = play.run(2 * i64::from(period));
        assert!(told[0].0 >= good + i64::from(period) + 60, "{period}: {told:?}, {good}");
    }
}

#[test]
fn what_must_not_be_forgotten_is_passed_on_at_once() {
    let often = [PingRule { name: "backup".to_owned(), period: SECOND * 60, grace: SECOND * 540 }];
    for (rule, gap, wants) in
        [(&often, 60, false), (&often, 599, false), (&backup(), 60, false), (&backup(), 600, true)]
    {
        let mut play = Play::new(&[], rule);
        let mut said = |what, wants: bool, after| {
            ping(&mut play, what, "");
            assert_eq!(play.book.presses(), wants, "{what:?} after {gap} s");
            play.run(after);
            assert!(!play.book.presses(), "it is on the board");
        };
        // One that is new, one that ends a failure, a failure.
        said(Pinged::Good, true, 1);
        said(Pinged::Failed(None), true, 1);
        said(Pinged::Failed(None), false, 1);
        said(Pinged::Good, true, gap);
        said(Pinged::Good, wants, 1);
        said(Pinged::Begun, false, 1);
    }
}

#[test]
fn an_answer_waits_for_what_pressed_last_and_for_no_other_ping() {
    let other = PingRule { name: "other".to_owned(), ..backup()[0].clone() };
    let mut play = Play::new(&[], &[backup(), [other]].concat());
    play.run(1);
    let numbers = |play: &Play| (play.book.number("backup"), play.book.number("other"));
    assert_eq!((numbers(&play), play.book.number("nobody")), ((Some(0), Some(0)), None));
    ping(&mut play, Pinged::Failed(None), "");
    assert_eq!(numbers(&play), (None, Some(0)), "it is not passed on");
    play.run(1);
    let first = Some(play.secs.unsigned_abs() * 1000);
    assert_eq!(numbers(&play), (first, Some(0)));
    // The same again may come before the first is on disk.
    ping(&mut play, Pinged::Failed(None), "");
    assert_eq!(numbers(&play), (first, Some(0)));
    for what in [Pinged::Good, Pinged::Failed(None), Pinged::Good] {
        assert!(play.book.pinged("other", what, String::new(), Tick(play.secs * 1000)));
        assert_eq!(numbers(&play), (first, None));
        play.run(1);
        assert_eq!(numbers(&play), (first, Some(play.secs.unsigned_abs() * 1000)));
    }
    play.full = true;
    ping(&mut play, Pinged::Good, "");
    play.run(1);
    assert_eq!(numbers(&play).0, None, "there was no room for it");
    play.full = false;
    play.run(1);
    assert!(numbers(&play).0 > first);
}

#[test]
fn what_comes_after_the_last_word_is_not_taken() {
    let mut play = Play::new(&[], &backup());
    play.run(1);
    ping(&mut play, Pinged::Good, "");
    play.run(10);
    ping(&mut play, Pinged::Good, "");
    let now = now(play.secs);
    play.book.close(&now);
    assert!(!play.book.pinged("backup", Pinged::Failed(None), String::new(), now.tick));
    play.saved.clear();
    play.tell(&now);
    assert!(play.saved.contains("\"state\":\"up\""), "what came before is saved: {}", play.saved);
}

#[test]
fn whoever_can_ping_cannot_fill_the_channels() {
    let mut play = Play::new(&[], &backup());
    let mut told = Vec::new();
    for _ in 0..300 {
        ping(&mut play, Pinged::Failed(None), "");
        told.extend(play.run(1));
        ping(&mut play, Pinged::Good, "");
        told.extend(play.run(1));
    }
    assert_eq!(told.len(), 10, "five failures, each with its end");
    // What stays down is told once the ten minutes are over.
    ping(&mut play, Pinged::Failed(None), "");
    assert_eq!(play.kinds(1), [down("backup")]);
}

#[test]
fn every_one_survives_a_restart() {
    let all: Vec<_> =
        (0..320).map(|n| PingRule { name: format!("n{n}"), period: SECOND * 3600, grace: SECOND * 600 }).collect();
    let mut play = Play::new(&[], &all);
    for ping in &all {
        assert!(play.book.pinged(&ping.name, Pinged::Failed(None), String::new(), Tick(play.secs * 1000)));
    }
    assert_eq!(play.run(2).len(), 320);
    play.restart(&[], &all);
    assert_eq!(play.kinds(100), []);
    assert_eq!(play.book.standing().len(), 320);
}
