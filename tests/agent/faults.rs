//! Files, threads, processes and the disk run out while runs begin: nothing is begun by half, and all of it is said.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::site::{Site, find, name};
use crate::common::daemon::Daemon;
use crate::common::trace::{failing, has, leave_files, limit};
use crate::common::wait_for;

const ENDS: [&str; 5] = ["succeeded", "failed", "expired", "cancelled", "lost"];

/// Runs a message on a host to its end: the state, the result and what it said.
fn carry_out(site: &Site, on: &str, words: &[&str]) -> (String, String, String) {
    let id = site.add(&[&["add", "--on", on], words].concat()).remove(0);
    let state = site.wait_state(&id, &ENDS);
    let log = site.log_of(&id);
    let run = find(&log, &id).unwrap();
    let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
    println!("{words:?} on {}: {state}, {} {}", text("host"), text("result"), text("output"));
    (state, text("result"), text("output"))
}

fn refused(site: &Site, words: &[&str], why: &str) {
    let (state, result, _) = carry_out(site, &name(0), words);
    assert!(state == "failed" && result.starts_with("refused: ") && result.contains(why), "{state} {result}");
}

/// A run that its host cannot begin just now: it says why, and begins it once it can. `lift` ends what is in the way.
fn put_off(site: &mut Site, args: &[&str], why: &str, lift: &dyn Fn()) {
    let id = site.add(args).remove(0);
    let line = site.agents[0].wait_line(why);
    println!("{args:?}: {line}");
    assert!(line.contains(&id) && line.contains("refused: "), "{line}");
    lift();
    assert_eq!(site.wait_state(&id, &ENDS), "succeeded", "{args:?}");
}

fn works(site: &Site, words: &[&str]) {
    assert_eq!(carry_out(site, &name(0), words).0, "succeeded");
}

#[test]
fn without_a_journal_nothing_is_taken_and_another_host_does_it() {
    let mut site = Site::start(2, "", "");
    works(&site, &["work", "before", "0"]);
    // A folder cannot be replaced by a file, not even by root.
    let journal = site.dir.join("w0/state/agent.json");
    wait_for("the journal", || journal.exists().then_some(()));
    fs::remove_file(&journal).unwrap();
    fs::create_dir_all(journal.join("x")).unwrap();
    refused(&site, &["work", "no", "0"], "cannot write to its state directory");
    for n in 0..3 {
        let (state, ..) = carry_out(&site, "any", &["work", &format!("any{n}"), "0"]);
        assert_eq!(state, "succeeded");
    }
    let begun: Vec<String> = site.deeds().into_iter().filter(|deed| deed.0).map(|deed| deed.1).collect();
    assert_eq!(begun, ["before", "any0", "any1", "any2"]);
    let said = site.agents[0].output();
    assert_eq!(said.matches("agent.json cannot be written: no job is started until it can").count(), 1, "{said}");
    assert!(said.contains("is not begun: refused: this host cannot write to its state directory"), "{said}");
    assert_eq!(said.matches(") begins").count(), 1, "{said}");
    fs::remove_dir_all(&journal).unwrap();
    site.agents[0].wait_line("agent.json can be written again");
    works(&site, &["work", "after", "0"]);
}

#[test]
fn a_full_disk_has_another_host_do_it() {
    let mut site = Site::start(2, "", "");
    assert!(site.agents[0].stop().success());
    let home = site.dir.join("w0");
    let Some(agent) = failing(&home, &site.agent_configs[0], "fsync:error=ENOSPC") else { return };
    site.agents[0] = agent;
    site.agents[0].wait_line("beating to");
    site.known(0);
    refused(&site, &["work", "no", "0"], "cannot write to its state directory");
    assert_eq!(carry_out(&site, "any", &["work", "any", "0"]).0, "succeeded");
    assert!(!site.agents[0].output().contains(") begins"));
}

#[test]
#[ignore = "long: what is refused for now is tried again later"]
fn without_files_a_run_is_refused_with_the_reason() {
    if !has("prlimit", "limits of a running process are not tried") {
        return;
    }
    let mut site = Site::start(1, "", "");
    works(&site, &["work", "before", "0"]);
    let pid = site.agents[0].pid();
    // Room for the connection of a beat, not for the pipes of a run.
    leave_files(pid, 2);
    let args = ["add", "--on", &name(0), "work", "no", "0"];
    put_off(&mut site, &args, "Too many open files", &|| limit(pid, "nofile=1024:"));
    works(&site, &["work", "after", "0"]);
}

#[test]
#[ignore = "long: what is refused for now is tried again later"]
fn without_threads_or_processes_a_run_is_refused_with_the_reason() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can be another user, to whom a number of processes is a limit");
        return;
    }
    if !has("prlimit", "limits of a running process are not tried") {
        return;
    }
    // Nobody else's, so that nothing else counts.
    let user = 61_000 + std::process::id() % 4000;
    let list = "[[agent.shortcut]]\nmessage = \"ok\"\nshell = \"true\"\n";
    let job = "[[job]]\nname = \"fenced\"\nmessage = \"ok\"\non = \"any\"\nfailover = true\n";
    let mut site = Site::start(1, job, list);
    assert!(site.agents[0].stop().success());
    let urls = "most = 8\nurls = [\"http://127.0.0.1:9/x/\"]\n";
    site.agent_configs[0] = site.agent_configs[0].replace("most = 8\n", urls);
    let home = site.dir.join("w0");
    let owner = format!("{user}:{user}");
    assert!(Command::new("chown").args(["-R", &owner]).arg(&home).status().unwrap().success());
    site.agents[0] = Daemon::start_with(&home, &site.agent_configs[0], |command| {
        command.uid(user).gid(user);
    });
    site.agents[0].wait_line("beating to");
    site.known(0);
    works(&site, &["ok"]);
    let (pid, threads) = (site.agents[0].pid(), site.agents[0].proc_status("Threads"));
    let host = name(0);
    let ok = ["add", "--on", &host, "ok"];
    let lift = || limit(pid, "nproc=1000:");
    limit(pid, &format!("nproc={threads}:"));
    put_off(&mut site, &ok, "no thread for it: Resource temporarily unavailable", &lift);
    // A thread, and no process; a process that guards the run, and no second one.
    limit(pid, &format!("nproc={}:", threads + 1));
    put_off(&mut site, &ok, "refused: Resource temporarily unavailable", &lift);
    limit(pid, &format!("nproc={}:", threads + 2));
    put_off(&mut site, &["run", "fenced"], "the guard of the run: Resource temporarily unavailable", &lift);
    // A thread for the run, and none for its call, which nobody repeats.
    limit(pid, &format!("nproc={}:", threads + 1));
    refused(&site, &["url", "http://127.0.0.1:9/x/y"], "no thread for it: Resource temporarily unavailable");
    lift();
    works(&site, &["ok"]);
    let said = site.agents[0].output();
    assert!(!said.contains("panicked"), "{said}");
}
