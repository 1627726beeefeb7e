//! Files, threads, processes and the disk run out while callbacks begin: all of it is said, and the next one works.

#![expect(clippy::print_stdout, reason = "a test shows what it saw")]

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;

use super::{head, hook};
use crate::common::daemon::Daemon;
use crate::common::http::FakeHttp;
use crate::common::trace::{failing, has, leave_files, limit};
use crate::common::{TempDir, wait_for};

fn config(hook: &FakeHttp) -> String {
    head(hook)
        + "[[callback]]\nname = \"act\"\non = [\"offline\"]\nsimulate = true\ntimeout = 2\nshell = \"echo done\"\n"
}

/// What was told of callbacks, each by itself or among others: the kind, and the reason or the output.
fn told(hook: &FakeHttp) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for message in hook.asked().iter().filter(|asked| asked.path == "/hook").map(|asked| asked.json()) {
        let kind = message["kind"].as_str().unwrap_or_default().to_owned();
        if kind.starts_with("callback.") {
            let fact = |key: &str| message["facts"][key].as_str().map(str::to_owned);
            told.push((kind, fact("reason").or_else(|| fact("output")).unwrap_or_default()));
        }
    }
    told
}

/// Has the callback begin: how it ended.
fn act(daemon: &mut Daemon, hook: &FakeHttp) -> (String, String) {
    let before = told(hook).len();
    let said = daemon.ask(&["simulate", "offline"]);
    assert!(said.status.success(), "{said:?}");
    let end = wait_for("its end", || told(hook).get(before).cloned());
    println!("{end:?}");
    end
}

fn works(daemon: &mut Daemon, hook: &FakeHttp) {
    assert_eq!(act(daemon, hook), ("callback.done".to_owned(), "done".to_owned()));
}

fn fails(daemon: &mut Daemon, hook: &FakeHttp, why: &str) {
    let (kind, reason) = act(daemon, hook);
    assert!(kind == "callback.failed" && reason.contains(why), "{kind} {reason}");
}

#[test]
fn without_files_it_is_tried_until_its_time_is_over_and_told() {
    if !has("prlimit", "limits of a running process are not tried") {
        return;
    }
    let (hook, dir) = (hook(), TempDir::new());
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    works(&mut daemon, &hook);
    // Room for a command, not for the pipes of a run, and hardly for an alert.
    leave_files(daemon.pid(), 2);
    let before = told(&hook).len();
    let said = wait_for("room for a command", || {
        let said = daemon.ask(&["simulate", "offline"]);
        said.status.success().then_some(said)
    });
    println!("{}", String::from_utf8_lossy(&said.stdout));
    println!("{}", daemon.wait_line("callback act: /bin/sh: Too many open files (os error 24) after "));
    limit(daemon.pid(), "nofile=1024:");
    let (kind, reason) = wait_for("its end", || told(&hook).get(before).cloned());
    assert!(kind == "callback.failed" && reason.contains("Too many open files"), "{kind} {reason}");
    works(&mut daemon, &hook);
    assert!(!daemon.output().contains("panicked"));
}

#[test]
fn without_threads_or_processes_it_waits_and_is_told() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can be another user, to whom a number of processes is a limit");
        return;
    }
    if !has("prlimit", "limits of a running process are not tried") {
        return;
    }
    // Nobody else's, so that nothing else counts.
    let user = 56_000 + std::process::id() % 4000;
    let (hook, dir) = (hook(), TempDir::new());
    chown(dir.path(), Some(user), Some(user)).unwrap();
    let mut daemon = Daemon::start_with(dir.path(), &config(&hook), |command| {
        command.uid(user).gid(user);
    });
    daemon.ready();
    works(&mut daemon, &hook);
    let idle = wait_for("few threads", || Some(daemon.proc_status("Threads")).filter(|threads| *threads < 20));
    let pid = daemon.pid();
    // A thread, and no process.
    limit(pid, &format!("nproc={}:", idle + 1));
    fails(&mut daemon, &hook, "Resource temporarily unavailable");
    // No thread for a while.
    limit(pid, &format!("nproc={idle}:"));
    let before = told(&hook).len();
    let said = daemon.ask(&["simulate", "offline"]);
    assert!(said.status.success(), "{said:?}");
    let line = daemon.wait_line("callback act: waits: no thread for it: Resource temporarily unavailable");
    println!("{line}");
    assert!(line.contains("(incident "));
    assert_eq!(told(&hook).len(), before);
    limit(pid, "nproc=1000:");
    let end = wait_for("its end", || told(&hook).get(before).cloned());
    assert_eq!(end.0, "callback.done");
    works(&mut daemon, &hook);
    assert!(!daemon.output().contains("panicked"));
}

#[test]
fn a_disk_that_is_full_or_hangs_holds_it_up_by_two_seconds_at_most() {
    for fault in ["fsync:error=ENOSPC", "fsync:delay_enter=20000000"] {
        let (hook, dir) = (hook(), TempDir::new());
        let Some(mut daemon) = failing(dir.path(), &config(&hook), fault) else { return };
        daemon.ready();
        works(&mut daemon, &hook);
        let said = daemon.output();
        let line = said.lines().find(|line| line.contains("callback act: starts ")).unwrap();
        println!("{fault}: {line}");
        hook.wait(1, |asked| asked.json()["kind"] == "state.unwritable");
    }
}
