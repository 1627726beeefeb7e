//! Many events at once at a channel that takes few messages.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test reads clocks and shows what it measured")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interrupt_callback::alert::backlog::{Backlog, Fate, MAX_EVENTS, Next, Offer};
use interrupt_callback::alert::limit::Bucket;
use interrupt_callback::alert::retry::{Jitter, Pace};
use interrupt_callback::alert::{Form, Verdict};
use interrupt_callback::clock::Tick;
use interrupt_callback::event::{Event, Id, Kind, Moment};

use super::sheet::NOW;
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for, wait_within};

const MINUTE: Duration = Duration::from_secs(60);

/// The hosts whose stop a message tells.
fn stopped(asked: &Asked) -> Vec<String> {
    let message = asked.json();
    let host =
        |event: &serde_json::Value| (event["kind"] == "stopped").then(|| event["subject"].as_str().unwrap().to_owned());
    match message["members"].as_array() {
        Some(members) => members.iter().filter_map(host).collect(),
        None => host(&message).into_iter().collect(),
    }
}

/// The most requests that came in any minute, by the receiver's clock.
fn busiest(times: &[Duration]) -> usize {
    let within = |from: usize| times[from..].iter().take_while(|time| **time < times[from] + MINUTE).count();
    (0..times.len()).map(within).max().unwrap_or(0)
}

/// `count` hosts stop at once, at a channel that takes `per_minute` and at one that takes all.
fn storm(count: usize, per_minute: usize) {
    let (slow, fast) = (FakeHttp::start(|_| Answer::ok("")), FakeHttp::start(|_| Answer::ok("")));
    let dir = TempDir::new();
    let mut config = format!(
        "[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\nnum = 1\ntell_stopped = true\n",
        SECRETS[0]
    );
    for (name, hook, more) in [("slow", &slow, format!("per_minute = {per_minute}\n")), ("fast", &fast, String::new())]
    {
        config += &format!("[alert.{name}]\nkind = \"webhook\"\nurl = \"{}\"\n{more}", hook.url("/"));
    }
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    let mut hosts: Vec<Beater> = (0..count).map(|n| Beater::new(server, SECRETS[0], &format!("host{n:03}"))).collect();
    for host in &mut hosts {
        host.period = 600.0;
        host.beat().unwrap();
    }
    let all: BTreeSet<String> = hosts.iter().map(|host| host.name.clone()).collect();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for hosts in hosts.chunks_mut(count / 4) {
            scope.spawn(move || {
                for host in hosts {
                    let mut goodbye = host.report();
                    goodbye["ev"] = "bye".into();
                    goodbye["reason"] = "stop".into();
                    host.say(&goodbye).unwrap();
                }
            });
        }
    });
    println!("{count} events within {:?}", begin.elapsed());
    let output = daemon.ask(&["simulate", "interrupt"]);
    assert!(output.status.success(), "{output:?}");
    let told = |hook: &FakeHttp| hook.asked().iter().flat_map(stopped).collect::<Vec<_>>();
    wait_within(MINUTE, "all at the fast one", || (told(&fast).len() >= count).then_some(()));
    let after = fast.asked().last().unwrap().at;
    println!("the fast one had them after {:?}", after - begin);
    wait_within(4 * MINUTE, "all at the slow one", || (told(&slow).len() >= count).then_some(()));
    let asked = slow.asked();
    println!("the slow one had them after {:?}, in {} messages", asked.last().unwrap().at - begin, asked.len());
    wait_for("an empty queue", || {
        let status = daemon.status();
        status["channels"].as_array().unwrap().iter().all(|channel| channel["queued"] == 0).then_some(())
    });
    for hook in [&slow, &fast] {
        let mut told = told(hook);
        told.sort_unstable();
        assert!(told.iter().eq(&all), "lost, or told twice: {}", told.len());
        assert_eq!(hook.asked().iter().filter(|asked| asked.json()["kind"] == "interrupt").count(), 1);
    }
    // By itself each at the fast one.
    assert_eq!(fast.asked().iter().filter(|asked| asked.json()["kind"] == "stopped").count(), count);
    let asked = slow.asked();
    let times: Vec<Duration> = asked.iter().map(|asked| asked.at - begin).collect();
    println!("{times:?}");
    assert!(busiest(&times) <= per_minute, "{} in a minute", busiest(&times));
    let quick: Vec<Duration> = fast.asked().iter().map(|asked| asked.at - begin).collect();
    assert!(busiest(&quick) > 2 * per_minute, "the fast one was slowed: {quick:?}");
    let digests: Vec<&Asked> = asked.iter().filter(|asked| asked.json()["kind"] == "digest").collect();
    assert!(!digests.is_empty());
    for digest in digests {
        let told = digest.json();
        let text = told["text"].as_str().unwrap();
        let members = told["members"].as_array().unwrap().len();
        println!("{}\n{text}\n", told["title"].as_str().unwrap());
        assert_eq!(told["title"], format!("{members} alerts: {members} × stopped"));
        assert!(text.lines().count() <= 22 && text.len() < 4096, "{text}");
        assert!(members <= 20 || text.contains(&format!("… and {} more", members - 20)), "{text}");
        assert!(text.contains(" was stopped on purpose"), "{text}");
    }
    // An interrupt does not wait for the others: only what was under way comes before it.
    let place = asked.iter().position(|asked| asked.json()["kind"] == "interrupt").unwrap();
    println!("the interrupt was message {place}");
    assert!(asked[place..].iter().flat_map(stopped).count() > 0, "it came last");
}

#[test]
fn a_storm_is_told_in_digests_and_slows_nobody_else() {
    storm(200, 30);
}

/// A minute and more of real time.
#[test]
#[ignore = "long"]
fn five_hundred_events_at_twenty_a_minute() {
    storm(500, 20);
}

/// The same over simulated time, with a receiver that takes notes and answers after half a second, also when it fails.
#[test]
fn five_hundred_events_in_a_second_keep_to_twenty_a_minute() {
    for seed in 0..20 {
        let mut chance = Jitter::new(seed);
        let start = NOW.tick;
        let bucket = Bucket::new(Some(20), start);
        let mut backlog = Backlog::new(Pace::new(Some(start), None, start), bucket, Jitter::new(seed), None);
        let at = |ms: i64| {
            let wall = interrupt_callback::clock::Wall(NOW.wall.0 + ms);
            interrupt_callback::clock::Now { tick: Tick(start.0 + ms), wall, ..NOW }
        };
        let (mut ms, mut pushed, mut told, mut times) = (0, 0u64, Vec::new(), Vec::new());
        while pushed < 500 || !backlog.is_empty() {
            while pushed < 500 && i64::try_from(pushed).unwrap() * 2 <= ms {
                pushed += 1;
                let kind = if pushed == 250 { Kind::Interrupt } else { Kind::Message };
                let event = Arc::new(Event::new(kind, Id(pushed), "nas", Moment::at(at(ms).tick, &at(ms))));
                let queued = event.at;
                let offer = Offer {
                    seq: pushed,
                    event,
                    queued,
                    starts: 0,
                    pressing: false,
                    held: false,
                    group: None,
                    revoked: Arc::default(),
                };
                backlog.push(offer, &at(ms));
            }
            match backlog.next(&at(ms)) {
                Next::Attempt(attempt) => {
                    times.push(Duration::from_millis(ms.unsigned_abs()));
                    assert!(attempt.seqs.len() <= MAX_EVENTS);
                    ms += 500;
                    let fails = chance.below(5) == 0;
                    let verdict = if fails {
                        Verdict::Retry { why: String::new(), after: None, channel: true, answered: true, sent: false }
                    } else {
                        Verdict::Delivered
                    };
                    if backlog.verdict(&attempt, &verdict, &at(ms)) == Fate::Delivered {
                        assert!(attempt.seqs.len() == 1 || attempt.message.form == Form::Digest);
                        told.extend(attempt.seqs);
                    }
                }
                Next::Wait(until) => ms = (until.0 - start.0).min(if pushed < 500 { ms + 2 } else { i64::MAX }),
                Next::Idle => ms += 2,
            }
        }
        told.sort_unstable();
        assert!(told.iter().copied().eq(1..=500), "seed {seed}: {}", told.len());
        assert!(busiest(&times) <= 20, "seed {seed}: {}", busiest(&times));
        println!("seed {seed}: {} messages within {ms} ms", times.len());
        assert!(ms < 600_000, "seed {seed}");
    }
}
