use serde_json::Value;

use super::*;
use crate::clock::{Boot, Wall};
use crate::event::{Fact, Field, Kind, Severity};
use crate::json;
use crate::probe::Parent;
use crate::probe::look::Outcome;
use crate::probe::watch::Rule;
use crate::probe::what::What;

mod random;

const SECOND: Duration = Duration::from_secs(1);

fn now(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(1_800_000_000_000 + secs * 1000), boot: Boot(1) }
}

fn plan(name: &str, parent: Option<Parent>) -> Arc<ProbePlan> {
    Arc::new(ProbePlan {
        name: name.to_owned(),
        what: What::Tcp { host: name.to_owned(), port: 80 },
        interval: SECOND * 60,
        fast: SECOND * 15,
        timeout: SECOND * 10,
        rule: Rule { max_fails: 3, window: SECOND * 180, min_rises: 2 },
        depends_on: parent,
        passive: false,
        severity: Severity::Critical,
    })
}

fn probe(name: &str) -> Option<Parent> {
    Some(Parent::Probe(name.to_owned()))
}

/// A book that is stepped every second, whose looks take no time and find what `bad` does not name.
struct Play {
    book: Book,
    secs: i64,
    bad: Vec<&'static str>,
    world: World,
    /// What was told: seconds, kind, probe.
    told: Vec<(i64, Kind, String)>,
    events: Vec<Event>,
    saved: String,
    /// Nothing is taken.
    full: bool,
}

impl Play {
    fn new(probes: &[Arc<ProbePlan>], pings: &[PingRule]) -> Play {
        let mut play = Play {
            book: Book::default(),
            secs: 1000,
            bad: Vec::new(),
            world: World::default(),
            told: Vec::new(),
            events: Vec::new(),
            saved: String::new(),
            full: false,
        };
        play.define(probes, pings);
        play
    }

    fn define(&mut self, probes: &[Arc<ProbePlan>], pings: &[PingRule]) {
        let setting = Setting { me: "me@here".to_owned(), probes: probes.to_vec(), pings: pings.to_vec() };
        self.book.define(&setting, &now(self.secs));
    }

    /// Another run that knows what the last one saved.
    fn restart(&mut self, probes: &[Arc<ProbePlan>], pings: &[PingRule]) {
        self.book = Book::read(&json::read(self.saved.as_bytes()).unwrap_or(Value::Null));
        self.define(probes, pings);
    }

    fn run(&mut self, secs: i64) -> Vec<(i64, Kind, String)> {
        for _ in 0..secs {
            self.secs += 1;
            let now = now(self.secs);
            self.book.step(now.tick, &self.world);
            let mut looks = Vec::new();
            while let Some(look) = self.book.start(now.tick) {
                looks.push(look);
            }
            for look in looks {
                let good = !self.bad.contains(&&*look.plan.name);
                let detail = if good { "" } else { "bad" }.to_owned();
                self.book.ended(look.id, now.tick, Outcome { good: Some(good), took: SECOND, detail }, now.tick);
            }
            self.book.step(now.tick, &self.world);
            self.tell(&now);
        }
        std::mem::take(&mut self.told)
    }

    fn tell(&mut self, now: &Now) {
        let (full, saved) = (self.full, &mut self.saved);
        let events = self.book.tell(now, &mut |_, json| {
            if !full {
                *saved = json;
            }
            !full
        });
        for event in events {
            let name = match event.fact(Field::Probe) {
                Some(Fact::Text(name)) => name.clone(),
                _ => String::new(),
            };
            self.told.push((self.secs, event.kind, name));
            self.events.push(event);
        }
    }

    fn kinds(&mut self, secs: i64) -> Vec<(Kind, String)> {
        self.run(secs).into_iter().map(|(_, kind, name)| (kind, name)).collect()
    }

    fn standing(&self, name: &str) -> Standing {
        self.book.standings().into_iter().find(|standing| standing.name == name).unwrap()
    }
}

fn down(name: &str) -> (Kind, String) {
    (Kind::ProbeDown, name.to_owned())
}

fn up(name: &str) -> (Kind, String) {
    (Kind::ProbeUp, name.to_owned())
}

#[test]
fn one_down_and_one_up_with_the_whole_duration() {
    let mut play = Play::new(&[plan("web", None)], &[]);
    assert_eq!(play.kinds(300), [], "what works at first is not told");
    play.bad = vec!["web"];
    assert_eq!(play.kinds(600), [down("web")]);
    play.bad.clear();
    assert_eq!(play.kinds(600), [up("web")]);
    let [fell, rose] = &play.events[..] else { panic!("{:?}", play.events) };
    assert_eq!((fell.incident, &*fell.subject), (rose.incident, "me@here"));
    assert_eq!(fell.fact(Field::Reason), Some(&Fact::Text("bad".to_owned())));
    let Some(Fact::Time(since)) = fell.fact(Field::Since) else { panic!() };
    assert_eq!(fell.at.tick.since(since.tick), SECOND * 30, "three failures, fifteen seconds apart");
    assert_eq!(rose.fact(Field::Duration), Some(&Fact::Span(rose.at.tick.since(since.tick))));
}

#[test]
fn what_never_worked_is_told_once_and_so() {
    let mut play = Play::new(&[plan("web", None)], &[]);
    play.bad = vec!["web"];
    assert_eq!(play.kinds(900), [down("web")]);
    let Some(Fact::Text(why)) = play.events[0].fact(Field::Reason) else { panic!() };
    assert_eq!(why, "it has not worked since it is watched; bad");
}

#[test]
fn what_finds_no_room_stays_due() {
    let mut play = Play::new(&[plan("web", None)], &[]);
    play.run(60);
    (play.full, play.bad) = (true, vec!["web"]);
    assert_eq!(play.kinds(300), []);
    play.full = false;
    assert_eq!(play.kinds(1), [down("web")]);
    assert!(play.events[0].at.tick < Tick((play.secs - 60) * 1000), "the time when it fell");
    play.bad.clear();
    play.full = true;
    assert_eq!(play.kinds(300), []);
    play.full = false;
    assert_eq!(play.kinds(1), [up("web")]);
}

#[test]
fn a_restart_repeats_nothing_and_forgets_nothing() {
    let web = [plan("web", None)];
    let mut play = Play::new(&web, &[]);
    play.run(60);
    play.bad = vec!["web"];
    assert_eq!(play.kinds(300), [down("web")]);
    play.restart(&web, &[]);
    let fell = play.events[0].clone();
    let standing = play.book.standing();
    assert_eq!((standing[0].id, standing[0].incident), (fell.id, fell.incident), "the same event in every run");
    assert_eq!(ids(&json::read(play.saved.as_bytes()).unwrap()), [fell.id]);
    assert_eq!(play.kinds(300), []);
    play.bad.clear();
    play.restart(&web, &[]);
    assert_eq!(play.kinds(120), [up("web")]);
    let Some(Fact::Span(lasted)) = play.events[1].fact(Field::Duration) else { panic!() };
    assert!(*lasted > SECOND * 600, "{lasted:?}");
    // It is known to have worked, and is down from the start.
    play.bad = vec!["web"];
    play.restart(&web, &[]);
    assert_eq!(play.kinds(120), [down("web")]);
    assert_eq!(play.events[2].fact(Field::Reason), Some(&Fact::Text("bad".to_owned())));
    // It is gone from the file at the next start, or at a reload.
    let mut reloaded = Play::new(&web, &[]);
    reloaded.bad = vec!["web"];
    assert_eq!(reloaded.kinds(120), [down("web")]);
    play.restart(&[], &[]);
    reloaded.define(&[], &[]);
    for mut play in [play, reloaded] {
        assert_eq!(play.kinds(60), [(Kind::NoticeDropped, String::new())]);
        assert_eq!(play.events.last().unwrap().incident, play.events[play.events.len() - 2].incident);
        assert_eq!(play.saved, r#"{"probes":[]}"#);
    }
}

#[test]
fn a_reload_keeps_what_is_known() {
    let (web, db) = (plan("web", None), plan("db", None));
    let mut play = Play::new(std::slice::from_ref(&web), &[]);
    play.run(60);
    play.bad = vec!["web"];
    assert_eq!(play.kinds(120), [down("web")]);
    let other = Arc::new(ProbePlan { interval: SECOND * 30, ..(*web).clone() });
    play.define(&[db, other], &[]);
    assert_eq!(play.kinds(120), []);
    play.bad.clear();
    assert_eq!(play.kinds(120), [up("web")]);
}

#[test]
fn a_parent_explains_whoever_saw_it_first() {
    let all = [plan("web", probe("router")), plan("router", None)];
    let mut play = Play::new(&all, &[]);
    play.run(120);
    play.bad = vec!["web", "router"];
    assert_eq!(play.kinds(600), [down("router")], "one cause, one alert");
    assert_eq!(play.standing("web").because.as_deref(), Some("router"));
    play.bad.clear();
    assert_eq!(play.kinds(300), [up("router")], "nobody was told of the other");
    assert_eq!(play.standing("web").state, State::Up);
    // The parent is well: told as soon as that is seen.
    play.bad = vec!["web"];
    let told = play.run(120);
    assert_eq!(told.len(), 1);
    let at = play.events.last().unwrap().at.tick.0 / 1000;
    assert!(told[0].0 - at <= 1, "{told:?}, judged at {at}");
    // Told already when its parent falls: it stays told, and its end is.
    play.bad = vec!["web", "router"];
    assert_eq!(play.kinds(300), [down("router")]);
    play.bad.clear();
    let mut ends = play.kinds(300);
    ends.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(ends, [up("router"), up("web")]);
}

#[test]
fn what_is_down_after_its_parent_is_back_is_told_with_its_true_start() {
    let all = [plan("router", None), plan("web", probe("router"))];
    let mut play = Play::new(&all, &[]);
    play.run(120);
    play.bad = vec!["web", "router"];
    assert_eq!(play.kinds(600), [down("router")]);
    let since = play.standing("web").since.unwrap();
    play.bad = vec!["web"];
    let told = play.run(600);
    assert_eq!((told[0].1, told[1].1, &*told[1].2), (Kind::ProbeUp, Kind::ProbeDown, "web"));
    assert!(told[1].0 - told[0].0 >= 30, "after one more judgement: {told:?}");
    let Some(Fact::Time(start)) = play.events.last().unwrap().fact(Field::Since) else { panic!() };
    assert_eq!(start.tick, since);
    assert_eq!(play.standing("web").because, None);
    play.bad.clear();
    assert_eq!(play.kinds(300), [up("web")]);
}

#[test]
fn a_host_explains_and_is_waited_for_no_longer_than_its_deadline() {
    let glob = "nas@*".to_owned();
    let mut play = Play::new(&[plan("share", Some(Parent::Host(glob.clone())))], &[]);
    let above = |play: &mut Play, above: Above| play.world.hosts = vec![(glob.clone(), above)];
    let beating = |last: i64| Above { down: false, last: Some(Tick(last)), deadline: Some(Tick(last + 125_000)) };
    play.run(60);
    play.bad = vec!["share"];
    let last = play.secs * 1000;
    above(&mut play, beating(last));
    assert_eq!(play.kinds(100), [], "its host may be dead: it has not beaten since");
    assert_eq!(play.book.asks(), (vec![glob.clone()], vec!["share".to_owned()]));
    above(&mut play, Above { down: true, ..Above::default() });
    assert_eq!(play.kinds(600), []);
    assert_eq!(play.standing("share").because.as_deref(), Some("nas@*"));
    let last = play.secs * 1000;
    above(&mut play, beating(last));
    assert_eq!(play.kinds(600), [down("share")]);
    assert_eq!(play.book.asks(), (Vec::new(), Vec::new()));
    play.bad.clear();
    play.run(300);
    // It beats on: told at its next beat. It beats no more and nothing is said of it: at its deadline.
    for (beats, most) in [(true, 70), (false, 190)] {
        let from = play.secs;
        play.bad = vec!["share"];
        above(&mut play, beating(from * 1000));
        let mut told = Vec::new();
        while told.is_empty() {
            if beats {
                let last = play.secs * 1000;
                above(&mut play, beating(last));
            }
            told = play.run(1);
            assert!(play.secs - from < 400, "never told");
        }
        let late = play.secs - play.events.last().unwrap().at.tick.0 / 1000;
        assert!(play.secs - from <= most && (late <= 2) == beats, "{beats}: {late}");
        play.bad.clear();
        play.run(300);
    }
}

#[test]
fn a_silenced_one_is_told_when_the_silence_ends() {
    let mut play = Play::new(&[plan("web", None)], &[]);
    play.run(60);
    (play.bad, play.world.silenced) = (vec!["web"], vec!["web".to_owned()]);
    assert_eq!(play.kinds(600), []);
    assert_eq!(play.standing("web").because.as_deref(), Some("silenced"));
    play.world.silenced.clear();
    assert_eq!(play.kinds(1), [down("web")]);
}

/// Some hang, and the others are looked at as ever.
#[test]
fn one_that_hangs_is_down_and_delays_nobody() {
    let all: Vec<_> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| plan(name, None)).collect();
    let mut play = Play::new(&all, &[]);
    let mut hung = Vec::new();
    for _ in 0..600 {
        play.secs += 1;
        let now = now(play.secs);
        play.book.step(now.tick, &play.world);
        while let Some(look) = play.book.start(now.tick) {
            match &*look.plan.name {
                "a" | "b" | "c" | "d" => hung.push(look.id),
                _ => {
                    let outcome = Outcome { good: Some(true), took: SECOND, detail: String::new() };
                    play.book.ended(look.id, now.tick, outcome, now.tick);
                }
            }
        }
        play.tell(&now);
    }
    assert_eq!(hung.len(), 4, "never two looks at one thing");
    let told: Vec<_> = play.told.iter().map(|(_, kind, name)| (*kind, &**name)).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for name in ["e", "f"] {
        let standing = play.standing(name);
        assert!(standing.state == State::Up && standing.last.unwrap() > Tick((play.secs - 61) * 1000), "{standing:?}");
    }
    // It comes back late: that says nothing, but from then on it is looked at again.
    let late = Outcome { good: Some(true), took: SECOND, detail: String::new() };
    play.book.ended(hung[0], Tick(0), late, Tick(play.secs * 1000));
    assert_eq!(play.standing("a").state, State::Down);
    assert!(play.book.start(Tick(play.secs * 1000 + 1000)).is_some_and(|look| look.id == hung[0]));
}

mod pings {
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
}
