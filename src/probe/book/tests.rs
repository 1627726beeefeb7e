use serde_json::Value;

use super::*;
use crate::clock::{Boot, Wall};
use crate::event::{Fact, Field, Kind, Severity};
use crate::json;
use crate::probe::Parent;
use crate::probe::look::Outcome;
use crate::probe::watch::Rule;
use crate::probe::what::What;

mod crowd;
mod pings;
mod random;
mod still;

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
    /// A server tells for this host.
    carried: bool,
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
            carried: false,
        };
        play.define(probes, pings);
        play
    }

    fn define(&mut self, probes: &[Arc<ProbePlan>], pings: &[PingRule]) {
        let setting = Setting {
            me: "me@here".to_owned(),
            probes: probes.to_vec(),
            pings: pings.to_vec(),
            is_carried: self.carried,
        };
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
            self.step(now.tick);
            let mut looks = Vec::new();
            while let Some(look) = self.book.start(now.tick) {
                looks.push(look);
            }
            for look in looks {
                let good = !self.bad.contains(&&*look.plan.name);
                let detail = if good { "" } else { "bad" }.to_owned();
                self.book.ended(look.id, now.tick, Outcome { good: Some(good), took: SECOND, detail }, now.tick);
            }
            self.step(now.tick);
            self.tell(&now);
        }
        std::mem::take(&mut self.told)
    }

    fn step(&mut self, now: Tick) {
        self.world.asked = self.book.asks().1;
        self.book.step(now, &self.world);
    }

    fn tell(&mut self, now: &Now) {
        let (full, saved) = (self.full, &mut self.saved);
        let events = self.book.tell(now, &mut |_, json| {
            if !full {
                *saved = json;
            }
            (!full).then_some(now.tick.0.unsigned_abs())
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

#[test]
fn what_fell_after_the_world_was_asked_waits_for_the_next_look_at_it() {
    let mut play = Play::new(&[plan("share", Some(Parent::Host("nas".to_owned())))], &[]);
    play.run(60);
    play.bad = vec!["share"];
    play.world.hosts = vec![("nas".to_owned(), Above { down: true, ..Above::default() })];
    play.run(100);
    let stale = World::default();
    play.bad.clear();
    play.run(100);
    play.bad = vec!["share"];
    for _ in 0..100 {
        play.secs += 1;
        let now = now(play.secs);
        play.book.step(now.tick, &stale);
        while let Some(look) = play.book.start(now.tick) {
            let outcome = Outcome { good: Some(false), took: SECOND, detail: String::new() };
            play.book.ended(look.id, now.tick, outcome, now.tick);
        }
        play.tell(&now);
    }
    assert!(play.told.is_empty() && play.standing("share").state == State::Down, "{:?}", play.told);
}
