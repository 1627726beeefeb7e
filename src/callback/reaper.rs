//! Processes that this program is the parent of: those that it started, and as PID 1 everybody's orphans.

use std::fs;
use std::io;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::run::threads::{SMALL_STACK, Stop, lock, spawn as spawn_thread};

/// Entries of `/proc` that are looked at.
const MAX_PROCESSES: usize = 100_000;
/// From one look for orphans that have ended to the next.
const EVERY: Duration = Duration::from_secs(2);

/// Processes that were started here and not reaped yet.
static STARTED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Starts a process whose end is waited for here; [`reaped`] must follow one day.
///
/// # Errors
/// As the system says.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    // Without the lock: it may be on a disk that does not answer.
    let child = command.spawn()?;
    lock(&STARTED).push(child.id());
    Ok(child)
}

/// The end of the process was waited for.
pub fn reaped(pid: u32) {
    lock(&STARTED).retain(|started| *started != pid);
}

/// As the first process of a container or a machine the program becomes the parent of everybody's orphans, which stay
/// in the process table until somebody waits for their end.
///
/// # Errors
/// When the system has no room for another thread.
pub fn start(stop: &Stop) -> io::Result<()> {
    if std::process::id() == 1 {
        let stop = stop.clone();
        spawn_thread("reaper", SMALL_STACK, move || {
            let mut dead = Vec::new();
            while !stop.wait(EVERY) {
                dead = reap(&dead);
            }
        })?;
    }
    Ok(())
}

/// Waits for those orphans that have ended, and that had at the last look, when these were `known`: one that this
/// program is just about to start or to wait for is not one for so long. Returns those that have ended now.
fn reap(known: &[Pid]) -> Vec<Pid> {
    let mut dead = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_PROCESSES) {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else { continue };
        let stat = fs::read(process.path().join("stat")).unwrap_or_default();
        if !is_dead_orphan(&stat) || lock(&STARTED).contains(&pid.as_raw_nonzero().get().cast_unsigned()) {
            continue;
        }
        if known.contains(&pid) {
            // Somebody else's by now, or gone: neither matters.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        } else {
            dead.push(pid);
        }
    }
    dead
}

/// Whether `/proc/PID/stat` tells of a process that has ended and whose parent is PID 1 (proc_pid_stat(5)).
fn is_dead_orphan(stat: &[u8]) -> bool {
    // The name before it may hold anything, brackets too.
    let after = stat.iter().rposition(|byte| *byte == b')').and_then(|at| stat.get(at + 1..));
    after.is_some_and(|rest| rest.starts_with(b" Z 1 "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans() {
        for (stat, is) in [
            ("12 (sh) Z 1 12 12 0", true),
            ("12 (a) Z 1 b) S 1 12", false),
            ("12 (a) S 2 b) Z 1 12", true),
            ("12 (sh) Z 2 12", false),
            ("12 (sh) S 1 12", false),
            ("12 (sh) Z 17 12", false),
            ("12 (sh)", false),
            ("", false),
        ] {
            assert_eq!(is_dead_orphan(stat.as_bytes()), is, "{stat}");
        }
    }
}
