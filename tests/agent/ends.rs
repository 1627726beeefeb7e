//! How jobs end: told whatever is killed, and when somebody wants it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::site::Site;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::wait_within;

/// Incidents that were told, each with the ids of its messages.
fn told(hook: &FakeHttp) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asked in hook.asked() {
        let message = asked.json();
        let members = message["members"].as_array().cloned().unwrap_or_else(|| vec![message.clone()]);
        for event in members {
            let text = |key: &str| event[key].as_str().unwrap().to_owned();
            told.entry(text("incident")).or_default().push(text("id"));
        }
    }
    told
}

fn tell_all(jobs: usize, mut seed: u64) {
    let mut chance = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % below
    };
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let more = format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut site = Site::start(1, &more, "");
    let (mut ids, mut kills) = (Vec::new(), 0);
    while ids.len() < jobs {
        let before = site.deeds().len();
        for _ in 0..=chance(3) {
            ids.extend(site.add(&["add", "--on", "any", "work", "x", "0", "3"]));
        }
        // Somewhere between the end of a run and the moment when all is told and noted.
        wait_within(Duration::from_secs(60), "an end", || (site.deeds().len() >= before + 2).then_some(()));
        let socket = site.dir.join("srv/run/control");
        for _ in 0..chance(40) {
            let _ = interrupt_callback::control::ask(&socket, "job list json");
        }
        site.server.kill();
        kills += 1;
        site.restart_server();
    }
    for id in &ids {
        assert_eq!(site.wait_state(id, &["succeeded", "failed", "expired", "lost"]), "failed", "{id}");
    }
    let missing = || {
        let told = told(&hook);
        ids.iter().filter(|id| !told.contains_key(*id)).cloned().collect::<Vec<String>>()
    };
    wait_within(Duration::from_secs(60), "all of them", || missing().is_empty().then_some(()));
    let told = told(&hook);
    let mut again = 0;
    for id in &ids {
        let messages = &told[id];
        assert!(messages.iter().all(|message| *message == messages[0]), "another id for {id}: {messages:?}");
        again += messages.len() - 1;
    }
    println!(
        "{} jobs failed, {kills} kills of the server: all told, {again} of them twice with the same id",
        ids.len()
    );
}

#[test]
fn an_end_that_the_outbox_could_not_save_is_told_after_a_crash() {
    let hook = FakeHttp::start(|_| Answer::status(500, ""));
    let more = format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut site = Site::start(1, &more, "");
    let (outbox, away) = (site.dir.join("srv/state/outbox"), site.dir.join("srv/state/away"));
    let _ = fs::rename(&outbox, &away);
    fs::write(&outbox, "in the way").unwrap();
    let id = site.add(&["add", "--on", "any", "work", "x", "0", "3"]).remove(0);
    site.server.wait_line(&format!("({id}) on"));
    // The book is written once more, and once again.
    for word in ["a", "b"] {
        let other = site.add(&["add", "--on", "any", "work", word, "0"]).remove(0);
        assert_eq!(site.wait_state(&other, &["succeeded"]), "succeeded");
    }
    site.server.kill();
    fs::remove_file(&outbox).unwrap();
    let tried = hook.asked().len();
    hook.set(|_| Answer::ok(""));
    site.restart_server();
    let since = |asked: &Asked| asked.text().contains(&id);
    wait_within(Duration::from_secs(60), "the end", || hook.asked()[tried..].iter().any(since).then_some(()));
    assert_eq!(site.deeds().len(), 6);
}

#[test]
fn every_end_is_told_although_the_server_is_killed() {
    tell_all(12, 0x1357_9bdf_2468_ace1);
}

#[test]
#[ignore = "long"]
fn a_hundred_ends_are_told_although_the_server_is_killed() {
    tell_all(100, 0xdead_beef_0bad_cafe);
}

#[test]
fn a_call_that_hangs_ends_when_that_is_wanted() {
    let api = FakeHttp::start(|asked| if asked.path == "/hangs" { Answer::Hang } else { Answer::ok("") });
    let more = format!(
        "[[job]]\nname = \"hangs\"\nurl = \"{}\"\ntimeout = 600\n[[job]]\nname = \"good\"\nurl = \"{}\"\n",
        api.url("/hangs"),
        api.url("/good")
    );
    let site = Site::start(0, &more, "");
    let id = site.add(&["run", "hangs"]).remove(0);
    api.wait(1, |asked| asked.path == "/hangs");
    assert_eq!(site.state(&id), "running");
    let asked = site.server.ask(&["job", "cancel", "hangs"]);
    assert!(asked.status.success(), "{asked:?}");
    assert_eq!(site.state(&id), "cancelled");
    let good = site.add(&["run", "good"]).remove(0);
    assert_eq!(site.wait_state(&good, &["succeeded", "failed"]), "succeeded");
    assert_eq!(site.state(&id), "cancelled");
}

#[test]
#[ignore = "long: it waits for leases"]
fn a_lease_that_is_too_short_is_named_as_what_a_job_waits_for() {
    let job = "[[job]]\nname = \"fenced\"\nmessage = \"work f 0\"\non = \"any\"\nfailover = true\nstart_within = 15\n";
    let mut site = Site::start(1, job, "");
    site.server_config = site.server_config.replace("num = 10", "num = 2");
    site.server.stop();
    site.agents[0].stop();
    site.restart_server();
    site.restart_agent(0);
    site.known(0);
    let id = site.add(&["run", "fenced"]).remove(0);
    wait_within(Duration::from_secs(60), "the reason", || {
        let list = site.server.ask(&["job", "list"]);
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        list.contains("the lease was over").then(|| println!("{list}"))
    });
    assert_eq!(site.wait_state(&id, &["expired", "failed", "succeeded", "lost"]), "expired");
    let log = site.log_of(&id).to_string();
    assert!(log.contains("the lease was over"), "{log}");
    assert_eq!(site.deeds().len(), 0);
}
