//! Server and agents are killed at random moments: every job has one end, none runs twice, nothing vanishes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::site::Site;

const ENDS: [&str; 5] = ["succeeded", "failed", "expired", "cancelled", "lost"];

/// How each of them ended, once they all have: what began began once, and has ended if its run has succeeded.
fn ends(site: &Site, ids: &[String]) -> Vec<String> {
    let mut ended = Vec::new();
    for id in ids {
        let state = site.wait_state(id, &ENDS);
        let of = |begins: bool| site.deeds().iter().filter(|deed| deed.0 == begins && deed.2 == *id).count();
        match &*state {
            "succeeded" => assert_eq!((of(true), of(false)), (1, 1), "{id}"),
            "lost" => {
                assert!(of(true) <= 1, "{id}");
                assert!(site.log_of(id).to_string().contains(id), "what is lost is named");
            }
            _ => assert_eq!(of(true), 0, "{id} is {state}"),
        }
        ended.push(state);
    }
    ended
}

/// How many runs ended how. Before each job the server or an agent is killed, four times in `odds`.
fn rounds(jobs: usize, odds: u64, mut seed: u64) -> BTreeMap<String, usize> {
    let mut site = Site::start(3, "", "");
    let mut chance = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % below
    };
    let mut ids: Vec<String> = Vec::new();
    let mut dead = [false; 4];
    let (mut kills, mut refused) = ([0; 4], 0);
    while ids.len() < jobs {
        let who = chance(odds) as usize;
        if who < 4 && !dead[who] {
            if who == 3 {
                site.server.kill()
            } else {
                site.agents[who].kill()
            }
            dead[who] = true;
            kills[who] += 1;
        }
        let back = chance(12) as usize;
        if back < 4 && dead[back] {
            if back == 3 {
                site.restart_server()
            } else {
                site.restart_agent(back)
            }
            dead[back] = false;
        }
        let long = format!("0.{}", chance(9));
        let output = site.server.ask(&["job", "add", "--on", "any", "work", &format!("j{}", ids.len()), &long]);
        if output.status.success() {
            let text = String::from_utf8(output.stdout).unwrap();
            ids.push(text.split(' ').next().unwrap().to_owned());
            // Most kills are to find something that runs.
            let (before, until) = (site.deeds().len(), Instant::now() + Duration::from_millis(150));
            while site.deeds().len() == before && Instant::now() < until {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        } else {
            refused += 1;
        }
    }
    for (n, dead) in dead[..3].iter().enumerate() {
        if *dead {
            site.restart_agent(n);
        }
    }
    if dead[3] {
        site.restart_server();
    }
    let ended = ends(&site, &ids);
    let deeds = site.deeds();
    for deed in &deeds {
        let same = deeds.iter().filter(|other| other.0 == deed.0 && other.2 == deed.2).count();
        assert_eq!(same, 1, "twice: {deed:?}");
    }
    let unknown = deeds.iter().filter(|deed| deed.0 && !ids.contains(&deed.2)).count();
    // Their ends stand: once more, after another restart. One that is not on disk yet comes again.
    site.server.kill();
    site.restart_server();
    for (id, state) in ids.iter().zip(&ended) {
        assert_eq!(site.wait_state(id, &ENDS), *state, "{id}");
    }
    let mut counts = BTreeMap::new();
    for state in ended {
        *counts.entry(state).or_insert(0) += 1;
    }
    println!(
        "{} jobs, kills of agents {:?} and of the server {}, {refused} asked while it was dead, ends {counts:?}, \
         {unknown} run that nobody was told of",
        ids.len(),
        &kills[..3],
        kills[3]
    );
    counts
}

#[test]
fn killed_at_random_every_job_has_one_end() {
    let counts = rounds(24, 12, 0x1234_5678_9abc_def1);
    assert!(counts.contains_key("succeeded"));
}

#[test]
#[ignore = "long"]
fn killed_at_random_two_hundred_jobs_have_one_end_each() {
    let counts = rounds(200, 40, 0xfeed_beef_1234_5677);
    assert!(counts.contains_key("succeeded") && counts.contains_key("lost"), "{counts:?}");
}
