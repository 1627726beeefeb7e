//! The disk of the server does not take its book of jobs.

use std::fs;

use super::site::Site;
use crate::common::wait_for;

/// A file stands in the place of the folder.
fn fail(site: &Site) {
    let folder = site.dir.join("srv/state/jobs");
    fs::rename(&folder, site.dir.join("srv/state/jobs.away")).unwrap();
    fs::write(&folder, "in the way").unwrap();
}

fn mend(site: &Site) {
    let folder = site.dir.join("srv/state/jobs");
    fs::remove_file(&folder).unwrap();
    fs::rename(site.dir.join("srv/state/jobs.away"), &folder).unwrap();
}

/// Adds a job that the disk does not take: its id.
fn unsaved(site: &Site, what: &str) -> String {
    let asked = site.server.ask(&["job", "add", "--on", "any", "work", what, "0"]);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(said.contains("the disk does not take it") && said.contains("forgotten at a restart"), "{said}");
    let id = said.split(' ').find_map(|word| word.strip_suffix(':').filter(|word| word.len() == 16)).unwrap();
    id.to_owned()
}

#[test]
#[ignore = "long: it waits for a disk again and again"]
fn what_cannot_be_saved_is_said_and_given_to_nobody_and_can_be_taken_back() {
    let mut site = Site::start(1, "[alert.tell]\nkind = \"log\"\n", "");
    let first = &site.add(&["add", "--on", "any", "work", "first", "0"])[0];
    assert_eq!(site.wait_state(first, &["succeeded"]), "succeeded");
    fail(&site);
    let (taken, kept) = (unsaved(&site, "taken"), unsaved(&site, "kept"));
    site.server.wait_line("no job is given out until it can");
    assert_eq!(site.state(&kept), "queued");
    // Everything else can be saved: nobody but the jobs tells of it.
    site.server.wait_line("state.unwritable: jobs/");
    let asked = site.server.ask(&["job", "cancel", &taken]);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    println!("{said}");
    assert!(said.contains("after a restart it may run all the same"), "{said}");
    assert_eq!(site.state(&taken), "cancelled");
    // The host has beaten, and got nothing.
    let beat = || site.server.status()["hosts"][0]["last_beat"].to_string();
    let (before, mut beats) = (beat(), 0);
    let mut last = before;
    wait_for("three beats", || {
        let now = beat();
        beats += i32::from(now != last);
        last = now;
        (beats >= 3).then_some(())
    });
    assert_eq!(site.deeds().len(), 2, "{:?}", site.deeds());
    mend(&site);
    assert_eq!(site.wait_state(&kept, &["succeeded"]), "succeeded");
    site.server.wait_line("state.writable: jobs/");
    let words: Vec<String> = site.deeds().into_iter().map(|deed| deed.1).collect();
    assert_eq!(words, ["first", "first", "kept", "kept"]);
    assert_eq!(site.state(&taken), "cancelled");
}

#[test]
fn a_result_that_cannot_be_saved_is_told_and_not_forgotten_by_its_host() {
    let mut site = Site::start(1, "[alert.tell]\nkind = \"log\"\n", "");
    let id = site.add(&["add", "--on", "any", "work", "ends", "2", "3"])[0].clone();
    site.wait_state(&id, &["running"]);
    fail(&site);
    let line = site.server.wait_line(&format!("({id}) on"));
    println!("{line}");
    assert!(line.contains("failed, exit code 3"), "{line}");
    // A crash takes the end away; the host tells it again.
    site.server.kill();
    mend(&site);
    site.restart_server();
    assert_eq!(site.wait_state(&id, &["failed"]), "failed");
    assert_eq!(site.deeds().len(), 2);
}
