//! Every run ends, whatever its host says.

use super::*;

const MIN: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

fn hook() -> Task {
    Task::Url(crate::config::plan::WebhookPlan {
        url: crate::secret::Secret::new("http://127.0.0.1:1/"),
        method: crate::config::plan::Method::Get,
        headers: Vec::new(),
        body: None,
        answers: String::new(),
        wait: String::new(),
    })
}

/// An agent claims a run for ever, every `period` seconds: after how many seconds it is lost, and why.
fn claimed(terms: Terms, prepare: usize, cancel: Option<i64>, period: i64) -> (i64, String) {
    let plan = JobPlan { prepare: vec!["get".to_owned(); prepare], ..job("a", terms) };
    let mut server = Server::new(&[plan], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    let mut secs = 2;
    while !server.run(id).state.is_final() {
        secs += period;
        if cancel.is_some_and(|cancel| (secs - period..secs).contains(&(cancel + 2))) {
            assert_eq!(server.book.cancel("a", &at(secs)), Ok(1));
        }
        let orders = server.beat("w", &[key], secs);
        assert_eq!(orders.cancel, if cancel.is_some_and(|cancel| cancel + 2 < secs) { vec![id] } else { Vec::new() });
        server.step(secs);
        assert!(secs < 400 * DAY, "for ever");
    }
    let run = server.run(id);
    assert_eq!(run.state, State::Lost);
    // A later result is acknowledged, so that the agent forgets it, and changes nothing.
    server.done(key, End::Succeeded, secs + 1);
    server.step(secs + 1);
    assert_eq!(server.beat("w", &[key], secs + 2).acks, [id]);
    assert_eq!(server.run(id), Run { ..run.clone() });
    let done = run.done.unwrap();
    assert_eq!((done.end, done.key), (End::Unknown, key));
    (secs - 2, done.why)
}

#[test]
fn who_claims_a_run_for_ever_loses_it() {
    let limit = |secs| Terms { timeout: Some(Duration::from_secs(secs)), ..Terms::default() };
    let runs = "w says that it still runs, beyond its time limit";
    let told = "w was told to end it and says that it still runs";
    let again = Terms { idempotent: true, failover: true, retries: 5, ..limit(60) };
    for (terms, prepare, cancel, period, from, why) in [
        (limit(60), 0, None, 10, 11 * MIN, runs),
        (limit(3600), 0, None, 30, HOUR + 10 * MIN, runs),
        // Its host may have to get ready first, with limits of its own.
        (limit(60), 2, None, 60, 2 * DAY + 11 * MIN, runs),
        // The job does not say how long it takes: the longest that a host may allow.
        (Terms::default(), 0, None, 240, 30 * DAY + 10 * MIN, runs),
        (again, 0, None, 10, 11 * MIN, runs),
        // It was ordered to end it.
        (limit(3600), 0, Some(100), 10, 100 + 10 * MIN, told),
        (Terms::default(), 0, Some(100), 10, 100 + 10 * MIN, told),
        (again, 0, Some(20), 1, 20 + 10 * MIN, told),
        // One that speaks once in a while may have slept in between, but not for ever.
        (limit(60), 0, None, HOUR, DAY, runs),
        (Terms::default(), 0, Some(100), HOUR, DAY, told),
    ] {
        let (after, said) = claimed(terms, prepare, cancel, period);
        assert_eq!(said, why);
        assert!(
            (from..=from + 2 * period + 1).contains(&after),
            "{terms:?} {cancel:?} {period}: after {after}, not {from}"
        );
    }
}

#[test]
fn who_slept_beyond_the_limit_has_time_to_tell_its_end() {
    let terms = Terms { timeout: Some(Duration::from_secs(60)), ..Terms::default() };
    let mut server = Server::new(&[job("a", terms)], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.beat("w", &[key], 3 * HOUR);
    assert_eq!(server.run(id).state, State::Running);
    server.done(key, End::TimedOut, 3 * HOUR + 2);
    assert_eq!(server.run(id).state, State::Failed);
}

#[test]
fn an_order_to_end_is_remembered_over_a_restart() {
    let mut server = Server::new(&[job("a", Terms::default())], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.book.cancel("a", &at(3)).unwrap();
    for secs in (10..400).step_by(10) {
        server.beat("w", &[key], secs);
    }
    let runs = saved::write_runs(&mut server.book.runs.iter(), &at(400));
    server.book = Book::default();
    assert!(server.book.restore("jobs/01.json", &runs, &at(401)));
    server.book.define(&[job("a", Terms::default())], "me", &at(401));
    let mut secs = 410;
    while !server.run(id).state.is_final() {
        server.beat("w", &[key], secs);
        secs += 10;
    }
    assert!((1010..1100).contains(&secs), "{secs}");
}

#[test]
fn what_is_lost_says_why() {
    let plain = || {
        let mut server = Server::new(&[job("a", Terms::default())], &["w"]);
        let id = server.ask("a", 1);
        (server, id)
    };
    let why = |server: &mut Server, id| {
        let run = server.run(id);
        assert_eq!(run.state, State::Lost);
        let told = server.step(9 * DAY).news;
        assert!(matches!(&told[..], [News::Ended(told)] if told.key == run.key && told.done == run.done));
        run.done.unwrap().why
    };
    let (mut server, id) = plain();
    server.taken(id, 2);
    server.beat("w", &[], 3);
    server.beat("w", &[], 100);
    assert_eq!(why(&mut server, id), "its host has it no more");

    let (mut server, id) = plain();
    server.beat("w", &[], 2);
    server.seq += 1;
    let says = Says { takes: vec!["work".to_owned()], runs: Vec::new() };
    server.book.heard("w", &Beat { boot: "other", run: "new", seq: 1, lease: Duration::ZERO }, &says, &at(9));
    assert_eq!(why(&mut server, id), "its host was rebooted before it said that it has it");

    let (mut server, id) = plain();
    server.taken(id, 2);
    server.hosts.clear();
    server.book.step(&server.hosts, &at(700), &Zone::utc());
    assert_eq!(why(&mut server, id), "its host is gone");

    let (mut server, id) = plain();
    let key = server.taken(id, 2);
    let done = Done { why: "the agent was ended while it ran".to_owned(), ..result(key, End::Unknown) };
    server.book.done("w", &done, &at(3));
    assert_eq!(why(&mut server, id), "the agent was ended while it ran");

    let mut server = Server::new(&[JobPlan { what: hook(), ..job("call", Terms::default()) }], &[]);
    let id = server.book.add(&New::Defined { name: "call".to_owned(), on: None }, &[], &at(1), 1).unwrap()[0];
    assert_eq!(server.step(1).calls.len(), 1);
    let runs = saved::write_runs(&mut server.book.runs.iter(), &at(2));
    server.book = Book::default();
    assert!(server.book.restore("jobs/01.json", &runs, &at(3)));
    assert_eq!(why(&mut server, id), "this server was ended during the call");
}

fn result(key: Key, end: End) -> Done {
    Done { key, end, code: None, took: 0, out: String::new(), why: String::new() }
}

#[test]
fn a_call_ends_at_once_when_it_is_taken_back_and_keeps_its_place() {
    let plans: Vec<JobPlan> =
        (0..6).map(|n| JobPlan { what: hook(), ..job(&format!("call{n}"), Terms::default()) }).collect();
    let mut server = Server::new(&plans, &[]);
    for plan in &plans {
        server.book.add(&New::Defined { name: plan.name.clone(), on: None }, &[], &at(0), 1).unwrap();
    }
    let calls = server.book.step(&[], &at(1), &Zone::utc()).calls;
    assert_eq!(calls.len(), MAX_CALLS);
    let (key, name) = &calls[0];
    assert_eq!(server.book.cancel(name, &at(2)), Ok(1));
    assert_eq!(server.run(key.id).state, State::Cancelled);
    assert_eq!(server.step(3).calls, [], "its thread goes on");
    server.book.done("", &result(*key, End::Succeeded), &at(4));
    assert_eq!((server.run(key.id).state, server.run(key.id).done), (State::Cancelled, None), "it changes nothing");
    assert_eq!(server.step(5).calls.len(), 1, "but makes room");
}

#[test]
fn a_call_that_was_not_made_is_asked_for_again() {
    let mut server = Server::new(&[JobPlan { what: hook(), ..job("call", Terms::default()) }], &[]);
    let id = server.book.add(&New::Defined { name: "call".to_owned(), on: None }, &[], &at(0), 1).unwrap()[0];
    let (key, _) = server.book.step(&[], &at(1), &Zone::utc()).calls[0];
    // The disk did not take it.
    server.book.stalls();
    server.book.not_called(key, &at(1));
    assert_eq!(server.run(id).state, State::Queued);
    assert_eq!(server.book.step(&[], &at(2), &Zone::utc()).calls, [], "not while the disk fails");
    server.step(3);
    assert_eq!(server.run(id).state, State::Running, "once it does not");
    // Taken back before anybody knew.
    server.book.cancel("call", &at(5)).unwrap();
    assert!(!server.book.is_called(key));
    server.book.not_called(key, &at(5));
    assert_eq!((server.run(id).state, &*server.book.hanging), (State::Cancelled, &[][..]));
}

#[test]
fn a_refusal_that_passes_is_not_the_end() {
    for on in [On::Host("w".to_owned()), On::Any("*".to_owned())] {
        let plan = JobPlan { on: Where::One(on), ..job("a", Terms::default()) };
        let mut server = Server::new(&[plan], &["w"]);
        let id = server.ask("a", 1);
        let later =
            |key| Done { code: Some(LATER), why: "Too many open files".to_owned(), ..result(key, End::Refused) };
        let key = server.taken(id, 2);
        server.book.done("w", &later(key), &at(3));
        let next = server.step(3).next;
        assert_eq!((server.run(id).state, &*server.run(id).host, next), (State::Queued, "", at(13).tick));
        server.step(12);
        assert_eq!(server.run(id).host, "", "not at once again");
        server.step(13);
        let key = server.taken(id, 14);
        server.book.done("w", &result(key, End::Succeeded), &at(15));
        assert_eq!(server.run(id).state, State::Succeeded);
    }
}

#[test]
fn refusals_that_pass_do_not_prolong_the_time_to_start() {
    let plan = JobPlan { on: Where::One(On::Host("w".to_owned())), ..job("a", Terms::default()) };
    let mut server = Server::new(&[plan], &["w"]);
    let id = server.ask("a", 1);
    let mut tries = 0;
    for secs in 2..700 {
        let offers = server.beat("w", &[], secs).offers;
        if let Some(offer) = offers.first() {
            tries += 1;
            // It had it already, and was about to begin.
            if tries % 2 == 0 {
                server.beat("w", &[offer.key], secs);
                assert_eq!(server.run(id).state, State::Running);
            }
            let why = "Too many open files".to_owned();
            let done = Done { code: Some(LATER), why, ..result(offer.key, End::Refused) };
            server.book.done("w", &done, &at(secs));
        }
        server.step(secs);
        let run = server.run(id);
        assert_eq!(run.state, if secs < 601 { State::Queued } else { State::Expired }, "{secs}");
    }
    // After 10, 20, 40, 80, 160 and 320 seconds.
    assert_eq!(tries, 6);
    assert_eq!(server.run(id).done.unwrap().why, "Too many open files");
}

#[test]
fn a_host_that_cannot_just_now_leaves_it_to_another() {
    let mut server = Server::new(&[job("a", Terms::default())], &["v", "w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    let first = server.run(id).host;
    server.book.done(&first, &Done { code: Some(LATER), ..result(key, End::Refused) }, &at(3));
    server.step(3);
    let run = server.run(id);
    assert!(!run.host.is_empty() && run.host != first && run.refused.is_empty(), "{run:?}");
}

#[test]
fn a_host_that_cannot_is_spared_what_it_was_to_get_next() {
    let mut server = Server::new(&[], &["w"]);
    for n in 0..40 {
        let new = New::Once { message: "work".to_owned(), on: Where::One(On::Any("*".to_owned())), due: at(0).wall };
        server.book.add(&new, &server.hosts, &at(0), n + 1).unwrap();
    }
    server.step(1);
    let (mut refused, mut last) = (Vec::new(), 0);
    for secs in 2..120 {
        for offer in server.beat("w", &[], secs).offers {
            let done = Done { code: Some(LATER), ..result(offer.key, End::Refused) };
            server.book.done("w", &done, &at(secs));
            if secs != last {
                refused.push(secs);
                last = secs;
            }
        }
        server.step(secs);
        if secs == 5 {
            server.hosts.push(host("x"));
            server.beat("x", &[], secs);
            assert_eq!(server.step(secs).news, [], "it has not moved: it was on no host");
            assert_eq!(server.book.runs().filter(|run| run.host == "x").count(), 40);
        }
    }
    // Those that x does not get to are w's again, in time.
    assert_eq!(refused[0], 2);
    assert!(refused.len() < 4, "{refused:?}");
}

#[test]
fn what_a_host_will_not_take_fails_at_once() {
    let plan = JobPlan { on: Where::One(On::Host("w".to_owned())), ..job("a", Terms::default()) };
    let mut server = Server::new(&[plan], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.done(key, End::Refused, 3);
    assert_eq!(server.run(id).state, State::Failed);
}

#[test]
fn what_nobody_lists_is_refused_at_once() {
    let any = |glob: &str| Where::One(On::Any(glob.to_owned()));
    let why = Err("no host that could get it lists this message".to_owned());
    let mut server = Server::new(&[], &["v", "w"]);
    let ask = |server: &mut Server, message: &str, on: Where, secs: i64| {
        let new = New::Once { message: message.to_owned(), on, due: at(secs).wall };
        server.book.add(&new, &server.hosts, &at(secs), 1).map(|ids| ids.len())
    };
    for (message, on, want) in [
        ("play", any("*"), why.clone()),
        ("play", Where::All("*".to_owned()), why.clone()),
        ("work", any("*"), Ok(1)),
        ("help", any("*"), Ok(1)),
        // Perhaps there will be one.
        ("play", any("x*"), Ok(1)),
    ] {
        assert_eq!(ask(&mut server, message, on.clone(), 1), want, "{message} {on:?}");
        let every = New::Every { message: message.to_owned(), on: on.clone(), cron: "0 3 * * *".to_owned() };
        assert_eq!(server.book.add(&every, &server.hosts, &at(1), 1).is_ok(), want.is_ok(), "{message} {on:?}");
    }
    // One that is heard for the first time may list it, and so may one that is down.
    server.hosts.push(host("x"));
    assert_eq!(ask(&mut server, "play", any("*"), 599), Ok(1));
    assert_eq!(ask(&mut server, "play", any("*"), 601), why);
    server.hosts[2].up = false;
    assert_eq!(ask(&mut server, "play", any("*"), 602), Ok(1));
    server.hosts[2].bound = false;
    assert_eq!(ask(&mut server, "play", any("*"), 603), why);
}

#[test]
fn a_clock_that_is_never_set_keeps_nothing_open_for_ever() {
    let terms = Terms { timeout: Some(Duration::from_secs(60)), ..Terms::default() };
    let mut server = Server::new(&[job("a", terms)], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    let runs = saved::write_runs(&mut server.book.runs.iter(), &at(3));
    // After a power cut the clock of the server says 1970, and stays so.
    let unset = |secs: i64| Now { tick: Tick(secs * 1000), wall: Wall(secs * 1000), boot: Boot(2) };
    let mut book = Book::default();
    assert!(book.restore("jobs/01.json", &runs, &unset(5)));
    book.define(&[job("a", terms)], "me", &unset(5));
    let mut secs: i64 = 5;
    while !book.runs().all(|run| run.state.is_final()) {
        secs += 10;
        let says = Says { takes: Vec::new(), runs: vec![Held { key, phase: Phase::Running }] };
        book.heard(
            "w",
            &Beat { boot: "boot", run: "run", seq: secs.unsigned_abs(), lease: Duration::ZERO },
            &says,
            &unset(secs),
        );
        assert!(secs < 2000, "for ever");
    }
    assert!(secs > 660, "{secs}");
}
