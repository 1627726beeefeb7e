//! Many jobs that are due later.

use std::fs;

use interrupt_callback::control::{self, AskError};

use super::site::Site;
use crate::common::wait_within;

/// Bytes of all files in a folder.
fn size(folder: &std::path::Path) -> u64 {
    fs::read_dir(folder).unwrap().flatten().map(|file| file.metadata().unwrap().len()).sum()
}

/// Adds so many, of which `soon` are due within seconds, in no order; they run in the order in which they are due.
fn delayed(all: usize, soon: usize) {
    let mut site = Site::start(1, "", "");
    // One at a time, so that there is an order to see.
    site.agents[0].kill();
    site.agent_configs[0] = site.agent_configs[0].replace("most = 8", "most = 1");
    site.restart_agent(0);
    let socket = site.dir.join("srv/run/control");
    let before = site.server.proc_status("VmRSS");
    let add = |word: &str, ms: usize| {
        match control::ask(&socket, &format!("job add any\tin {ms}\twork {word} 0")) {
            Ok((0, text)) => text.split(' ').next().unwrap().to_owned(),
            // Of a disk that is busy: it is written with the next ones.
            Err(AskError::Refused(said)) if said.contains(": noted, but ") => {
                said.split(':').next().unwrap().to_owned()
            }
            other => panic!("{other:?}"),
        }
    };
    for n in soon..all {
        add("later", 86_400_000 + n * 1000);
    }
    let mut ids: Vec<(usize, String)> = Vec::new();
    for n in 0..soon {
        let place = n * 5 % soon;
        ids.push((place, add(&place.to_string(), 6000 + soon * 20 + place * 1500 - n * 20)));
    }
    let folder = site.dir.join("srv/state/jobs");
    let with = site.server.proc_status("VmRSS");
    println!(
        "{all} jobs: VmRSS {before} kB before, {with} kB with them: it grew by {} kB; {} kB in {} files",
        with.saturating_sub(before),
        size(&folder) / 1024,
        fs::read_dir(&folder).unwrap().count()
    );
    site.server.kill();
    let began = std::time::Instant::now();
    site.restart_server();
    let after = site.server.proc_status("VmRSS");
    println!("after a restart, ready in {} ms: VmRSS {after} kB", began.elapsed().as_millis());
    wait_within(std::time::Duration::from_secs(120), "all that are due", || {
        (site.deeds().iter().filter(|deed| !deed.0).count() == soon).then_some(())
    });
    let order: Vec<usize> = site.deeds().iter().filter(|deed| deed.0).map(|deed| deed.1.parse().unwrap()).collect();
    assert_eq!(order, (0..soon).collect::<Vec<_>>());
    for (_, id) in &ids {
        assert_eq!(site.wait_state(id, &["succeeded", "lost", "failed"]), "succeeded");
    }
    let (_, list) = control::ask(&socket, "job list json").unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["runs"].as_array().unwrap().len(), all - soon, "nothing has vanished");
}

#[test]
#[ignore = "long: ten thousand jobs"]
fn delayed_jobs_survive_a_restart_and_run_in_order() {
    delayed(60, 7);
}

#[test]
#[ignore = "long"]
fn ten_thousand_delayed_jobs() {
    delayed(10_000, 11);
}
