//! What may move to another host: it never runs on two at once.

use std::fs;

use super::runs::gone;
use super::site::Site;
use crate::common::{TempDir, wait_for};

/// A job that writes a line ten times a second: which run, by which process, when.
fn ticking(dir: &TempDir) -> (String, String) {
    let (out, script) = (dir.join("ticks"), dir.join("tick.sh"));
    let text = format!(
        "#!/bin/sh\necho $$ >> {0}.pids\nn=0\nwhile test $n -lt $1; do n=$((n+1)); echo \"$IC_RUN $$ $(cut -d' ' -f1 /proc/uptime)\" >> {0}; sleep 0.1; done\n",
        out.display()
    );
    fs::write(&script, text).unwrap();
    let agent = format!("[[agent.command]]\nprefix = \"tick\"\nrun = [\"/bin/sh\", {script:?}]\n");
    let job = "[[job]]\nname = \"tick\"\nmessage = \"tick 100000\"\non = \"any\"\nfailover = true\n".to_owned();
    (agent, job)
}

/// Processes in the order of their first line, each with its first and last time in hundredths of a second.
fn lives(dir: &TempDir) -> Vec<(String, u64, u64)> {
    let text = fs::read_to_string(dir.join("ticks")).unwrap_or_default();
    let mut lives: Vec<(String, u64, u64)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let when: u64 = words[2].replace('.', "").parse().unwrap();
        match lives.iter_mut().find(|life| life.0 == words[1]) {
            Some(life) => life.2 = when,
            None => lives.push((words[1].to_owned(), when, when)),
        }
    }
    lives
}

fn apart(lives: &[(String, u64, u64)]) {
    println!("{lives:?}");
    for (n, one) in lives.iter().enumerate() {
        for other in &lives[..n] {
            assert!(one.1 > other.2 || other.1 > one.2, "{one:?} overlaps {other:?}");
        }
    }
}

/// Which agent has the run.
pub fn holder(site: &Site, id: &str) -> usize {
    wait_for("a host", || {
        let runs = site.log_of(id);
        let host = super::site::find(&runs, id)?["host"].as_str()?.to_owned();
        host.strip_prefix('w')?.split('@').next()?.parse().ok()
    })
}

/// Two hosts, a run that ticks on one of them, and which that is.
fn at_work(dir: &TempDir) -> (Site, String, usize) {
    let (agent, job) = ticking(dir);
    let site = Site::start(2, &job, &agent);
    let id = site.add(&["run", "tick"]).remove(0);
    site.wait_state(&id, &["running"]);
    wait_for("its work", || (!lives(dir).is_empty()).then_some(()));
    let first = holder(&site, &id);
    (site, id, first)
}

#[test]
#[ignore = "long: it waits for leases"]
fn a_stopped_agent_does_not_keep_a_run_beyond_its_lease() {
    let dir = TempDir::new();
    let (mut site, id, first) = at_work(&dir);
    // The agent hangs; what it started does not.
    site.agents[first].signal("STOP");
    wait_for("the other host", || (lives(&dir).len() == 2).then_some(()));
    site.agents[first].signal("CONT");
    site.agents[first].wait_line("ended after");
    assert!(holder(&site, &id) != first);
    // The server is ended in the middle, and the other host with its run.
    site.server.kill();
    site.agents[1 - first].kill();
    for pid in fs::read_to_string(dir.join("ticks.pids")).unwrap().split_whitespace() {
        wait_for("the end of what must not outlive its agent", || gone(pid).then_some(()));
    }
    site.restart_server();
    wait_for("the first host again", || (lives(&dir).len() == 3).then_some(()));
    assert!(site.server.ask(&["job", "cancel", &id]).status.success());
    assert_eq!(site.wait_state(&id, &["cancelled", "lost", "failed", "succeeded"]), "cancelled");
    apart(&lives(&dir));
}

/// The server dies with all that it knew of leases, but for its book of jobs, and grants shorter ones from then on.
#[test]
#[ignore = "long: it waits for leases"]
fn a_killed_server_with_a_lower_num_leaves_a_run_the_lease_of_before() {
    let dir = TempDir::new();
    let (mut site, id, first) = at_work(&dir);
    // The lease of the time when the host was last written down is over.
    let beat = |site: &Site| {
        let status = site.server.status();
        let hosts = status["hosts"].as_array().unwrap();
        hosts.iter().find(|host| host["name"] == super::site::name(first)).unwrap()["last_beat"].to_string()
    };
    let mut beats = vec![beat(&site)];
    wait_for("beats", || {
        let last = beat(&site);
        if !beats.contains(&last) {
            beats.push(last);
        }
        (beats.len() > 15).then_some(())
    });
    site.server.kill();
    // The agent hangs; what it started does not.
    site.agents[first].signal("STOP");
    for file in ["state/beats", "run/beats"] {
        let _ = fs::remove_file(site.dir.join("srv").join(file));
    }
    site.server_config = site.server_config.replace("num = 10\n", "num = 5\n");
    site.restart_server();
    wait_for("the other host", || (lives(&dir).len() == 2).then_some(()));
    assert!(holder(&site, &id) != first);
    site.agents[first].signal("CONT");
    assert!(site.server.ask(&["job", "cancel", &id]).status.success());
    apart(&lives(&dir));
}

#[test]
fn what_is_fenced_ends_with_the_agent_and_moves() {
    let dir = TempDir::new();
    let (mut site, id, first) = at_work(&dir);
    let pid = fs::read_to_string(dir.join("ticks.pids")).unwrap();
    assert!(site.agents[first].stop().success());
    assert!(gone(&pid), "it ends before its agent does");
    wait_for("the other host", || (lives(&dir).len() == 2).then_some(()));
    assert!(site.server.ask(&["job", "cancel", "tick"]).status.success());
    assert_eq!(site.wait_state(&id, &["cancelled", "lost", "failed", "succeeded"]), "cancelled");
    apart(&lives(&dir));
}

#[test]
#[ignore = "long: it waits for leases"]
fn a_reload_in_the_middle_leaves_what_is_fenced_its_lease() {
    let dir = TempDir::new();
    let (agent, job) = ticking(&dir);
    // Longer than a lease.
    let site = Site::start(1, &job.replace("tick 100000", "tick 130"), &agent);
    let id = site.add(&["run", "tick"]).remove(0);
    wait_for("its work", || (!lives(&dir).is_empty()).then_some(()));
    // The client is replaced by another one.
    let file = site.dir.join("w0/config.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("period = 1\n", "period = 2\n")).unwrap();
    assert!(site.agents[0].ask(&["reload"]).status.success());
    assert_eq!(site.wait_state(&id, &["cancelled", "lost", "failed", "succeeded"]), "succeeded");
    assert_eq!(lives(&dir).len(), 1);
}

#[test]
fn what_is_ended_has_two_seconds_to_save_its_work() {
    let dir = TempDir::new();
    let out = dir.join("out");
    let line = format!(
        "trap 'sleep 0.7; echo saved >> {0}; exit 0' TERM; echo begun >> {0}; while :; do sleep 0.1; done",
        out.display()
    );
    let agent = format!("[[agent.shortcut]]\nmessage = \"save\"\nshell = \"{line}\"\n");
    let job = |name: &str, more: &str| format!("[[job]]\nname = \"{name}\"\nmessage = \"save\"\non = \"any\"\n{more}");
    let site = Site::start(1, &(job("free", "") + &job("fenced", "failover = true\n")), &agent);
    for (number, name) in ["free", "fenced"].iter().enumerate() {
        let id = site.add(&["run", name]).remove(0);
        let lines = |count| {
            wait_for("its words", || {
                let text = fs::read_to_string(&out).unwrap_or_default();
                (text.lines().count() == count).then_some(text)
            })
        };
        lines(2 * number + 1);
        assert!(site.server.ask(&["job", "cancel", &id]).status.success());
        assert_eq!(site.wait_state(&id, &["cancelled", "lost", "failed", "succeeded"]), "cancelled", "{name}");
        assert!(lines(2 * number + 2).ends_with("saved\n"), "{name}");
    }
}
