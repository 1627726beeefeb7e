//! A process between the agent and a run that must not outlive this host's lease.
//!
//! A run that may move to another host ends with this host's lease; so it must end as well when the agent is killed, or
//! stopped, and does not look at the lease any more. The guard is this program's own binary. The agent tells it on its
//! standard input how long the run may go on; it starts the run in its own process group and kills that group, itself
//! included, when that time is over or the agent is gone. What leaves the group escapes it.

use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpgrp, getpid, kill_process, kill_process_group};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use signal_hook::consts::SIGTERM;

use crate::callback::exec::is_passing;
use crate::clock::{Tick, tick};
use crate::run::threads::{SMALL_STACK, spawn};

/// The word by which the binary becomes a guard.
pub const WORD: &str = "guard-run";
/// Exit code when there is no such program, as shells have it.
const NOT_STARTED: u8 = 127;
/// By this signal it ends if the run has not begun and may begin later: every exit code may be one of a run.
const NOT_BEGUN: Signal = Signal::USR1;
/// The longest sleep, should there be no timer.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes of lines about the lease that are read at once.
const CHUNK: usize = 256;

/// The command line that runs `argv` under guard.
pub fn argv(argv: &[String]) -> Vec<String> {
    let own = ["/proc/self/exe", WORD].map(str::to_owned);
    [&own, argv].concat()
}

/// Whether a guard that ended by this signal had not begun its run.
pub fn has_not_begun(signal: i32) -> bool {
    signal == NOT_BEGUN.as_raw()
}

fn not_begun() -> ExitCode {
    // Nothing comes after it, unless it fails.
    let _ = kill_process(getpid(), NOT_BEGUN);
    NOT_STARTED.into()
}

/// Is a guard of what is to run.
pub fn run(argv: &[String]) -> ExitCode {
    let [name, args @ ..] = argv else { return NOT_STARTED.into() };
    let mut lease = Lease::default();
    // What asks the group to end means the run, which may take its time for that; a program that is started has the
    // system's answer to that signal, not this one.
    let deaf = signal_hook::flag::register(SIGTERM, Arc::default()).map(|_| ());
    // Nothing starts before its time is known.
    if !lease.listen() {
        return not_begun();
    }
    if let Err(error) = deaf.and_then(|()| spawn("guard", SMALL_STACK, move || lease.watch()).map(|_| ())) {
        crate::cli::complain(&["the guard of the run: ", &error.to_string()].concat());
        return not_begun();
    }
    match Command::new(name).args(args).stdin(Stdio::null()).status() {
        Ok(status) => exit_code(status),
        Err(error) => {
            crate::cli::complain(&[name, ": ", &error.to_string()].concat());
            if is_passing(&error) { not_begun() } else { NOT_STARTED.into() }
        }
    }
}

/// Until when the run may go on.
#[derive(Default)]
struct Lease {
    until: Option<Tick>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl Lease {
    /// Waits for the first word of the agent; `false` if it has none, or the time is over.
    fn listen(&mut self) -> bool {
        while self.until.is_none() {
            if !self.read() {
                return false;
            }
        }
        !self.is_over()
    }

    /// Ends the group, and this process with it, once the time is over or nobody can say any more how long it is.
    fn watch(&mut self) {
        // A sleep is not shortened by a suspend, but this is: what was to end meanwhile ends as the machine wakes.
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC).ok();
        while !self.is_over() {
            let until = self.until.unwrap_or_default();
            let left = until.since(tick()).min(LOOK);
            let stdin = std::io::stdin();
            let mut fds = vec![PollFd::new(&stdin, PollFlags::IN)];
            if let Some(timer) = &timer {
                let it_value = timespec(Duration::from_millis(until.0.unsigned_abs()));
                let end = Itimerspec { it_interval: timespec(Duration::ZERO), it_value };
                // Without it there is the sleep.
                let _ = timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &end);
                fds.push(PollFd::new(timer, PollFlags::IN));
            }
            if matches!(poll(&mut fds, Some(&timespec(left))), Ok(1..)) && !fds[0].revents().is_empty() && !self.read()
            {
                break;
            }
        }
        // It ends this process too.
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    }

    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| tick() >= until)
    }

    /// Takes in what the agent says next, waiting for it; `false` if it is gone.
    fn read(&mut self) -> bool {
        let mut chunk = [0; CHUNK];
        // Without the library's buffer, which poll knows nothing of.
        let read = match rustix::io::read(std::io::stdin(), &mut chunk) {
            Err(Errno::INTR) => return true,
            Ok(0) | Err(_) => return false,
            Ok(read) => read,
        };
        for byte in &chunk[..read] {
            if *byte != b'\n' && self.rest.len() < CHUNK {
                self.rest.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.rest);
            self.until = std::str::from_utf8(&line).ok().and_then(|line| line.parse().ok()).map(Tick);
        }
        true
    }
}

fn timespec(time: Duration) -> Timespec {
    // A 32-bit word on MIPS, else 64 bits; a billion fits both.
    Timespec { tv_sec: time.as_secs().try_into().unwrap_or(0), tv_nsec: time.subsec_nanos() as _ }
}

/// The code of the run; of one that died by a signal, 128 and its number, as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code & 0xff).unwrap_or(1).into()
}
