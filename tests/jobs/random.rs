//! Random lives of a server and its hosts, and what holds in all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use interrupt_callback::event::Id;
use interrupt_callback::jobs::New;
use interrupt_callback::jobs::run::{Run, State, Terms};

use super::world::{LEASE, World, any, job};

/// What one life came to.
#[derive(Default, Debug)]
struct Counts {
    asked: usize,
    states: BTreeMap<&'static str, usize>,
    started: usize,
}

fn live(seed: u64, asks: usize, counts: &mut Counts) {
    let plain = Terms { timeout: Some(Duration::from_secs(60)), ..Terms::default() };
    let moves = Terms { failover: true, ..plain };
    let twice = Terms { idempotent: true, retries: 2, ..plain };
    let jobs = vec![job("plain", any(), plain), job("moves", any(), moves), job("twice", any(), twice)];
    let kinds = ["plain", "moves", "twice"];
    let mut world = World::new(seed, 4, jobs);
    // In every other life one host claims what it is given for ever.
    world.hosts[3].lies = seed.is_multiple_of(2);
    world.takes = (20_000, 10);
    (world.lost_percent, world.outbox_fails) = (3, 60);
    world.pass(30_000);
    let mut asked: Vec<(Id, usize)> = Vec::new();
    while asked.len() < asks {
        match world.chance(60) {
            0..20 if world.book.is_some() && !world.disk_fails => {
                let kind = world.chance(3) as usize;
                let new = if kind == 0 && world.chance(2) == 0 {
                    New::Once { message: "work".to_owned(), on: any(), due: world.clock().wall }
                } else {
                    New::Defined { name: kinds[kind].to_owned(), on: None }
                };
                if let Ok(ids) = world.ask(&new) {
                    // What somebody was told is on disk: the command waits for that.
                    world.step();
                    asked.extend(ids.into_iter().map(|id| (id, kind)));
                }
            }
            20 => world.kill_server(),
            21..24 if world.book.is_none() => {
                // Its configuration may have changed.
                world.lease = LEASE / (1 + i64::try_from(world.chance(3)).unwrap());
                world.start_server();
            }
            n @ 24..27 => world.kill_agent(n as usize - 24),
            n @ 27..30 if world.hosts[n as usize - 27].hands.is_none() => {
                if world.hosts[n as usize - 27].asleep {
                    continue;
                }
                world.start_agent(n as usize - 27);
            }
            30 => {
                let n = world.chance(3) as usize;
                world.reboot(n);
            }
            31 => {
                let n = world.chance(3) as usize;
                world.hosts[n].cut = !world.hosts[n].cut;
            }
            32 => {
                let n = world.chance(3) as usize;
                world.hosts[n].asleep = !world.hosts[n].asleep;
            }
            33 => {
                let n = world.chance(3) as usize;
                world.hosts[n].leaving = !world.hosts[n].leaving;
            }
            34 => world.disk_fails = !world.disk_fails,
            _ => {
                let time = world.chance(20_000) as i64;
                world.pass(time);
            }
        }
    }
    heal(&mut world);
    check(&world, &asked, seed);
    counts.asked += asked.len();
    counts.started += world.deeds.len();
    for (id, _) in &asked {
        *counts.states.entry(world.run(*id).state.name()).or_default() += 1;
    }
}

/// Everything works again, for so long that all must come to an end.
fn heal(world: &mut World) {
    world.disk_fails = false;
    if world.book.is_none() {
        world.start_server();
    }
    for n in 0..world.hosts.len() {
        let host = &mut world.hosts[n];
        (host.cut, host.asleep, host.leaving) = (false, false, false);
        if host.hands.is_none() {
            world.start_agent(n);
        }
    }
    (world.lost_percent, world.outbox_fails) = (0, 0);
    // Jobs of one name run one after the other, and each that is claimed for ever takes eleven minutes.
    for _ in 0..7200 {
        world.pass(10_000);
        // What says nothing of how long it takes is given up by hand.
        let now = world.clock();
        let lies = world.hosts[3].lies;
        let claimed = |run: &&Run| lies && run.host == "w3@lan" && run.terms.timeout.is_none() && !run.cancelled;
        let book = world.book.as_mut().unwrap();
        let given_up: Vec<Id> = book.runs().filter(claimed).map(|run| run.key.id).collect();
        for id in given_up {
            let _ = book.cancel(&id.to_string(), &now);
        }
        let book = world.book.as_ref().unwrap();
        if book.runs().all(|run| run.state.is_final()) && !book.waits() {
            break;
        }
    }
}

fn check(world: &World, asked: &[(Id, usize)], seed: u64) {
    for (id, kind) in asked {
        let run = world.run(*id);
        assert!(run.state.is_final(), "seed {seed}: {run:#?}");
        assert!(world.told.contains(id), "seed {seed}: nobody was told of {run:?}");
        let deeds: Vec<_> = world.deeds.iter().filter(|deed| deed.key.id == *id).collect();
        let finished = deeds.iter().filter(|deed| deed.finished).count();
        match run.state {
            State::Succeeded => assert!(finished >= 1, "seed {seed}: {run:?} {deeds:?}"),
            State::Expired => assert!(deeds.is_empty() || *kind != 0, "seed {seed}: {run:?} {deeds:?}"),
            _ => {}
        }
        match kind {
            0 => assert!(deeds.len() <= 1, "seed {seed}: run twice: {run:?} {deeds:#?}"),
            1 => {
                for (n, one) in deeds.iter().enumerate() {
                    for other in &deeds[..n] {
                        let apart =
                            one.from >= other.to.unwrap_or(i64::MAX) || other.from >= one.to.unwrap_or(i64::MAX);
                        assert!(apart, "seed {seed}: overlap of {one:?} and {other:?} in {run:?}");
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_run_has_one_end_and_none_that_may_not_runs_twice() {
    let mut counts = Counts::default();
    for seed in 1..=12 {
        live(seed * 7920 + seed % 2, 40, &mut counts);
    }
    println!("{counts:?}");
    for state in ["succeeded", "lost"] {
        assert!(counts.states.contains_key(state), "{counts:?}");
    }
}

#[test]
#[ignore = "long"]
fn every_run_has_one_end_in_many_lives() {
    let mut counts = Counts::default();
    for seed in 1..=100 {
        live(seed * 104_730 + seed % 2, 100, &mut counts);
        if seed % 10 == 0 {
            println!("{seed}: {counts:?}");
        }
    }
    println!("{counts:?}");
}
