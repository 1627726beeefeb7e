//! Single rules of the book; whole stories are in `tests/jobs`.

mod alloc;
mod ends;
mod fire;
mod leases;
mod many;
mod news;

use std::time::Duration;

use super::*;
use crate::clock::Boot;
use crate::jobs::cron::Schedule;
use crate::jobs::run::{On, Terms};
use crate::jobs::{New, Overlap, Task, Where};
use crate::keepalive::work::{Beat, Done, End, Held, LATER, Orders, Phase, Says};

const START: i64 = 1_795_258_800_000;

fn at(secs: i64) -> Now {
    Now { tick: Tick(1_000_000 + secs * 1000), wall: Wall(START + secs * 1000), boot: Boot(1) }
}

fn host(name: &str) -> HostView {
    HostView { name: name.to_owned(), up: true, lease_over: Tick(i64::MAX), leaving: false, bound: true }
}

fn job(name: &str, terms: Terms) -> JobPlan {
    JobPlan {
        name: name.to_owned(),
        cron: None,
        what: Task::Message("work".to_owned()),
        on: Where::One(On::Any("*".to_owned())),
        terms,
        prepare: Vec::new(),
        overlap: Overlap::Queue,
        catch_up: None,
    }
}

struct Server {
    book: Book,
    hosts: Vec<HostView>,
    seq: u64,
    /// What a beat is granted.
    lease: Duration,
}

impl Server {
    fn new(jobs: &[JobPlan], hosts: &[&str]) -> Server {
        let mut server = Server {
            book: Book::default(),
            hosts: hosts.iter().map(|name| host(name)).collect(),
            seq: 0,
            lease: Duration::ZERO,
        };
        server.book.define(jobs, "me", &at(0));
        for name in hosts {
            server.beat(name, &[], 0);
        }
        server
    }

    fn beat(&mut self, host: &str, runs: &[Key], secs: i64) -> Orders {
        self.seq += 1;
        self.late_beat(self.seq, host, runs, secs)
    }

    fn late_beat(&mut self, seq: u64, host: &str, runs: &[Key], secs: i64) -> Orders {
        let runs = runs.iter().map(|key| Held { key: *key, phase: Phase::Running }).collect();
        let says = Says { takes: vec!["work".to_owned()], runs };
        self.book.heard(host, &Beat { boot: "boot", run: "run", seq, lease: self.lease }, &says, &at(secs))
    }

    /// Steps and has all of it written.
    fn step(&mut self, secs: i64) -> Due {
        let mut due = self.book.step(&self.hosts, &at(secs), &Zone::utc());
        for _ in 0..3 {
            let (number, _) = self.book.sheets(&at(secs));
            self.book.saved(number, true);
            let mut fresh = self.book.step(&self.hosts, &at(secs), &Zone::utc()).news;
            fresh.iter().for_each(|news| self.book.posted(news.id(), Some(1)));
            self.book.told(1);
            due.news.append(&mut fresh);
        }
        let (number, _) = self.book.sheets(&at(secs));
        self.book.saved(number, true);
        due
    }

    fn ask(&mut self, name: &str, secs: i64) -> Id {
        let new = New::Defined { name: name.to_owned(), on: None };
        let id = self.book.add(&new, &self.hosts, &at(secs), 7 + secs.unsigned_abs()).unwrap()[0];
        self.step(secs);
        id
    }

    fn run(&self, id: Id) -> Run {
        self.book.runs().find(|run| run.key.id == id).unwrap().clone()
    }

    /// Has the run offered and taken: its key.
    fn taken(&mut self, id: Id, secs: i64) -> Key {
        let host = self.run(id).host;
        let offered = self.beat(&host, &[], secs).offers.iter().find(|offer| offer.key.id == id).unwrap().key;
        self.beat(&host, &[offered], secs);
        assert_eq!(self.run(id).state, State::Running);
        offered
    }

    fn done(&mut self, key: Key, end: End, secs: i64) {
        let host = self.run(key.id).host;
        let done = Done { key, end, code: None, took: 1, out: "a\u{1b}[31m\nb".to_owned(), why: "x\ny".to_owned() };
        self.book.done(&host, &done, &at(secs));
    }
}

#[test]
fn a_beat_that_was_overtaken_changes_nothing() {
    let mut server = Server::new(&[job("a", Terms { failover: true, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    let stale = server.seq - 1;
    assert_eq!(server.late_beat(stale, "w", &[], 900), Orders::default());
    assert_eq!((server.run(id).state, server.run(id).key), (State::Running, key));
}

#[test]
fn an_acknowledgement_names_what_is_held() {
    let mut server = Server::new(&[job("a", Terms { retries: 1, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    let first = server.taken(id, 2);
    server.done(first, End::Failed, 3);
    assert!(server.beat("w", &[first], 3).acks.is_empty(), "not before it is on disk");
    server.step(3);
    assert_eq!(server.beat("w", &[first], 4).acks, [id]);
    server.step(64);
    let second = server.taken(id, 65);
    assert_eq!((second.attempt, second.epoch), (2, 1));
    // The first result comes once more, late: the second attempt is not forgotten because of it.
    server.done(first, End::Failed, 66);
    server.step(66);
    assert!(server.beat("w", &[second], 67).acks.is_empty());
    server.done(second, End::Succeeded, 68);
    server.step(68);
    assert_eq!(server.beat("w", &[second], 69).acks, [id]);
    let run = server.run(id);
    let done = run.done.unwrap();
    assert_eq!((run.state, &*done.out, &*done.why), (State::Succeeded, "a [31m\nb", "x y"));
}

#[test]
fn a_pause_between_attempts_does_not_follow_the_wall_clock() {
    let mut server = Server::new(&[job("a", Terms { retries: 1, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.done(key, End::Failed, 3);
    let stepped = |secs| Now { wall: Wall(START - 7_200_000), ..at(secs) };
    server.book.step(&server.hosts, &stepped(62), &Zone::utc());
    assert_eq!(server.run(id).state, State::Waiting);
    server.book.step(&server.hosts, &stepped(63), &Zone::utc());
    assert_eq!(server.run(id).state, State::Queued);
}

#[test]
fn refusals_go_round_and_the_last_reason_stands() {
    let mut server = Server::new(&[job("a", Terms::default())], &["v", "w"]);
    let id = server.ask("a", 1);
    for secs in [2, 4] {
        let key = server.taken(id, secs);
        server.done(key, End::Refused, secs);
        server.step(secs);
    }
    assert_eq!((server.run(id).state, server.run(id).refused.len()), (State::Queued, 2));
    server.step(700);
    assert_eq!(server.run(id).state, State::Failed);
}

#[test]
fn what_comes_back_for_ever_is_given_up() {
    let mut server = Server::new(&[job("a", Terms { idempotent: true, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    for round in 0..200 {
        if server.run(id).state.is_final() {
            assert_eq!(round, i64::from(MAX_EPOCH));
            assert_eq!(server.run(id).state, State::Lost);
            return;
        }
        let key = server.taken(id, 2 + round);
        server.done(key, End::Unknown, 2 + round);
        server.step(2 + round);
    }
    panic!("{:?}", server.run(id));
}

#[test]
fn a_firing_that_was_saved_before_a_crash_is_not_run_again() {
    let cron = "0 0 * * * *";
    let plan = JobPlan { cron: Some((cron.to_owned(), Schedule::parse(cron).unwrap())), ..job("a", Terms::default()) };
    let mut server = Server::new(std::slice::from_ref(&plan), &["w"]);
    let before = saved::write_jobs(server.book.jobs());
    server.step(3600);
    let (number, _) = server.book.sheets(&at(3600));
    server.book.saved(number, true);
    let runs = saved::write_runs(&mut server.book.runs.iter(), &at(3600));
    let mut again = Book::default();
    assert!(again.restore("jobs/fired.json", &before, &at(3601)) && again.restore("jobs/01.json", &runs, &at(3601)));
    again.define(&[plan], "me", &at(3601));
    again.step(&server.hosts, &at(3601), &Zone::utc());
    assert_eq!(again.runs().count(), 1);
}

#[test]
fn a_host_speaks_for_its_own_runs_alone() {
    let mut server = Server::new(&[job("a", Terms::default())], &["v", "w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    let other = if server.run(id).host == "v" { "w" } else { "v" };
    let done = Done { key, end: End::Succeeded, code: None, took: 0, out: String::new(), why: String::new() };
    server.book.done(other, &done, &at(3));
    server.book.done("", &done, &at(3));
    let orders = server.beat(other, &[key], 3);
    assert_eq!((server.run(id).state, orders.cancel), (State::Running, vec![id]));
}

#[test]
fn a_host_is_given_so_many_runs_at_a_time() {
    let mut server = Server::new(&[], &["w"]);
    for n in 0..100 {
        let on = Where::One(On::Any("*".to_owned()));
        let new = New::Once { message: "work".to_owned(), on, due: at(0).wall };
        server.book.add(&new, &server.hosts, &at(0), n + 1).unwrap();
    }
    server.step(1);
    assert_eq!(server.book.runs().filter(|run| run.host == "w").count(), 64);
    assert_eq!(server.beat("w", &[], 2).offers.len(), 8);
}

#[test]
fn calls_wait_for_room() {
    let hook = crate::config::plan::WebhookPlan {
        url: crate::secret::Secret::new("http://127.0.0.1:1/"),
        method: crate::config::plan::Method::Get,
        headers: Vec::new(),
        body: None,
        answers: String::new(),
        wait: String::new(),
    };
    let plans: Vec<JobPlan> = (0..6)
        .map(|n| JobPlan { what: Task::Url(hook.clone()), ..job(&format!("call{n}"), Terms::default()) })
        .collect();
    let mut server = Server::new(&plans, &[]);
    for plan in &plans {
        let new = New::Defined { name: plan.name.clone(), on: None };
        server.book.add(&new, &[], &at(0), 1).unwrap();
    }
    let due = server.book.step(&[], &at(1), &Zone::utc());
    assert_eq!(due.calls.len(), MAX_CALLS);
    let (key, _) = due.calls[0].clone();
    let done = Done { key, end: End::Succeeded, code: None, took: 0, out: String::new(), why: String::new() };
    server.book.done("", &done, &at(2));
    assert_eq!(server.book.step(&[], &at(2), &Zone::utc()).calls.len(), 1);
    assert!(server.run(key.id).since.tick(&at(2)).is_some_and(|since| since - Duration::ZERO == at(2).tick));
}

#[test]
fn a_call_is_no_matter_of_the_agent_on_the_same_machine() {
    let hook = crate::config::plan::WebhookPlan {
        url: crate::secret::Secret::new("http://127.0.0.1:1/"),
        method: crate::config::plan::Method::Get,
        headers: Vec::new(),
        body: None,
        answers: String::new(),
        wait: String::new(),
    };
    let mut server = Server::new(&[JobPlan { what: Task::Url(hook), ..job("call", Terms::default()) }], &["me"]);
    let new = New::Defined { name: "call".to_owned(), on: None };
    let id = server.book.add(&new, &[], &at(1), 1).unwrap()[0];
    let key = server.book.step(&server.hosts, &at(1), &Zone::utc()).calls[0].0;
    // It is not told by the agent, and does not depend on it.
    server.beat("me", &[], 200);
    assert_eq!(server.run(id).state, State::Running);
    assert_eq!(server.beat("me", &[key], 201).cancel, [id]);
    assert_eq!(server.run(id).state, State::Running);
}

#[test]
fn a_run_ends_even_if_the_agent_of_its_host_is_gone() {
    let mut server = Server::new(&[job("a", Terms::default())], &["w"]);
    let id = server.ask("a", 1);
    server.taken(id, 2);
    server.book.mute("w", &at(100));
    let day = 86_400;
    server.step(day);
    assert_eq!(server.run(id).state, State::Running);
    server.step(day + 10);
    assert_eq!(server.run(id).state, State::Lost);
    // What was not offered yet goes elsewhere; nothing new goes there.
    let mut server = Server::new(&[job("a", Terms::default()), job("b", Terms::default())], &["w"]);
    let id = server.ask("a", 1);
    assert_eq!(server.run(id).host, "w");
    server.book.mute("w", &at(30));
    server.step(30);
    assert_eq!(server.run(id).host, "w", "another client may have spoken for it");
    server.hosts.push(host("x"));
    server.beat("x", &[], 90);
    server.book.mute("w", &at(100));
    server.step(100);
    assert_eq!(server.run(id).host, "x");
    assert_eq!(server.ask("b", 101), server.book.runs().find(|run| run.host == "x" && run.job == "b").unwrap().key.id);
    // And what nobody asks for any more expires.
    server.step(1000);
    assert!(server.book.runs().all(|run| run.state == State::Expired));
}

#[test]
fn a_lost_roster_moves_nothing_at_once() {
    let mut server = Server::new(&[job("a", Terms { failover: true, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    server.taken(id, 2);
    let runs = saved::write_runs(&mut server.book.runs.iter(), &at(3));
    let mut again = Server { book: Book::default(), hosts: vec![host("x")], seq: 0, lease: Duration::ZERO };
    assert!(again.book.restore("jobs/01.json", &runs, &at(4)));
    again.book.define(&[job("a", Terms { failover: true, ..Terms::default() })], "me", &at(4));
    again.beat("x", &[], 5);
    again.step(5);
    assert_eq!((again.run(id).state, &*again.run(id).host), (State::Running, "w"));
    again.beat("x", &[], 700);
    again.step(700);
    assert_eq!(&*again.run(id).host, "x");
}

#[test]
fn only_what_fits_the_reply_was_sent() {
    let message = ["work ", &"\"".repeat(1000)].concat();
    let mut server = Server::new(&[], &[]);
    server.hosts.push(host("w"));
    let hear = |server: &mut Server, secs| {
        server.seq += 1;
        let says = Says { takes: vec!["work \u{2026}".to_owned()], runs: Vec::new() };
        server.book.heard(
            "w",
            &Beat { boot: "boot", run: "run", seq: server.seq, lease: Duration::ZERO },
            &says,
            &at(secs),
        )
    };
    hear(&mut server, 0);
    for n in 0..8 {
        let on = Where::One(On::Any("*".to_owned()));
        let new = New::Once { message: message.clone(), on, due: at(0).wall };
        server.book.add(&new, &server.hosts, &at(0), n + 1).unwrap();
    }
    server.step(1);
    let orders = hear(&mut server, 2);
    let read = Orders::read(["{\"work\":", &orders.to_json(), "}"].concat().as_bytes()).unwrap();
    assert!(!read.offers.is_empty() && read.offers.len() < 8);
    assert_eq!(read.offers.len(), server.book.runs().filter(|run| run.state == State::Sent).count());
}

#[test]
fn what_is_left_out_every_minute_is_told_once() {
    let cron = "* * * * *";
    let plan = JobPlan {
        cron: Some((cron.to_owned(), Schedule::parse(cron).unwrap())),
        overlap: Overlap::Skip,
        ..job("a", Terms::default())
    };
    let mut server = Server::new(&[plan], &["w"]);
    let mut told = 0;
    let mut key = None;
    for minute in 1..60 {
        let secs = minute * 60;
        if minute == 30 {
            server.done(key.unwrap(), End::Succeeded, secs - 1);
            key = None;
        }
        told += server
            .step(secs)
            .news
            .iter()
            .filter(|news| matches!(news, News::Note(Note { what: Told::Skipped { .. }, .. })))
            .count();
        if let Some(key) = key {
            server.beat("w", &[key], secs);
        } else {
            let open = server.book.runs().find(|run| !run.state.is_final()).unwrap().key.id;
            key = Some(server.taken(open, secs));
        }
    }
    assert_eq!(told, 2);
}

#[test]
fn what_comes_back_to_its_host_is_not_told_as_moved() {
    let mut server = Server::new(&[job("a", Terms { failover: true, ..Terms::default() })], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.done(key, End::Fenced, 3);
    assert_eq!(server.step(3).news, []);
    assert_eq!((server.run(id).state, &*server.run(id).host), (State::Queued, "w"));
    let key = server.taken(id, 4);
    server.hosts = vec![host("w"), host("x")];
    server.hosts[0].leaving = true;
    server.beat("x", &[], 5);
    server.done(key, End::Cancelled, 5);
    let news = server.step(5).news;
    let [News::Note(Note { what: Told::Moved { from, count: 1, runs }, .. })] = &news[..] else { panic!("{news:?}") };
    assert_eq!((&**from, &runs[..]), ("w", &[("a".to_owned(), "x".to_owned())][..]));
}
