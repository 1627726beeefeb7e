//! Runs a program: no shell, with a deadline for all of it, bounded output, and nothing left behind.
//!
//! The program gets a process group of its own. At the deadline the group is asked to end (SIGTERM) and killed two
//! seconds later. One loop feeds standard input, drains output and looks for the end; all pipes are non-blocking, so
//! that neither a program that never reads nor a grandchild that keeps the output open can hold it up. A grandchild
//! may outlive the program of an alert channel that ends by itself; it is let be. What a callback's program leaves in
//! its group ends with it.

mod output;

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::callback::exec::output::{Output, Pace};
use crate::callback::reaper;
use crate::clock::{Tick, tick};
use crate::config::plan::User;
use crate::run::threads::{Stop, lock};

/// From SIGTERM to SIGKILL.
const MERCY: Duration = Duration::from_secs(2);
/// The same when this program is ending, which has four seconds for everything.
const MERCY_AT_STOP: Duration = Duration::from_millis(500);
/// What a program may still take when this program is ending.
const LEFT_AT_STOP: Duration = Duration::from_secs(1);
/// For output that is still in the pipe after the program's end.
const DRAIN: Duration = Duration::from_millis(500);
/// For a killed program to be gone. One that waits for a dead disk may take for ever.
const REAP: Duration = Duration::from_millis(500);
/// Killed programs that are not gone yet; beyond that none is started.
const MAX_UNREAPED: usize = 8;
/// For what a program that ended leaves in its group, if it still holds the output: until SIGTERM, and from there to
/// SIGKILL.
const SWEEP: Duration = Duration::from_millis(200);
/// Bytes moved through a pipe at once, …
const CHUNK: usize = 16 * 1024;
/// … and how often in one look: a program that says much is not slowed down by the pauses.
const CHUNKS: usize = 32;
/// The word by which this program's own binary reads its standard input to the end and does nothing else.
pub const DRAIN_WORD: &str = "drain-output";

/// Variables that concern this program and its service manager alone.
const PRIVATE: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM"];

/// Killed programs that were not gone in time. They are looked for at the next run.
static UNREAPED: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// How much a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until SIGTERM.
    pub time: Duration,
    /// Bytes of the output's beginning, and of its end, that are kept.
    pub keep: usize,
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal that did not come from here.
    Signal(i32),
    /// It was killed at its deadline.
    TimedOut,
    /// It was killed because this program ends.
    Stopped,
    /// It could not be started, or not be waited for.
    Failed(io::Error),
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The first bytes of standard output and standard error together, at most `keep`.
    pub head: Vec<u8>,
    /// The last bytes of what came after them, at most `keep`.
    pub tail: Vec<u8>,
    /// How many bytes between the two were dropped.
    pub dropped: u64,
}

/// What is run.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Variables that are set.
    pub envs: &'a [(String, String)],
    /// Apart from the daemon: with no other variables, in a place of its own. `None`: as the daemon, plus `envs`.
    pub apart: Option<Apart<'a>>,
}

/// How a program runs apart from the daemon. Its whole group ends with it.
#[derive(Clone, Copy)]
pub struct Apart<'a> {
    /// Where.
    pub dir: &'a Path,
    /// As whom, without supplementary groups; `None` for the daemon's user.
    pub user: Option<&'a User>,
    /// At the end of the daemon it goes on: then the run ends as [`End::Stopped`] and nothing was killed.
    pub outlives: bool,
}

/// Lets somebody else move the deadline of a run ahead, and tell it how long it may go on.
#[derive(Clone, Default)]
pub struct Leash(Arc<Mutex<(Option<Tick>, Option<Tick>)>>);

impl Leash {
    /// The run ends at `until` at the latest.
    pub fn shorten(&self, until: Tick) {
        let (end, _) = &mut *lock(&self.0);
        *end = Some(end.map_or(until, |known| known.min(until)));
    }

    /// What is left of `deadline`.
    pub fn cut(&self, deadline: Tick) -> Tick {
        lock(&self.0).0.map_or(deadline, |until| until.min(deadline))
    }

    /// Whether the run must have ended: for itself, or because of the lease.
    pub fn is_over(&self) -> bool {
        let (end, lease) = *lock(&self.0);
        let now = tick();
        end.is_some_and(|end| end <= now) || lease.is_some_and(|lease| lease <= now)
    }

    /// The run is told on its standard input, which stays open, that it may go on until `lease`: a line of milliseconds
    /// each time.
    pub fn lease(&self, lease: Tick) {
        lock(&self.0).1 = Some(lease);
    }
}

/// Runs `argv` with `input` on its standard input and `envs` added to the environment. Returns at the latest some
/// three seconds after the deadline.
pub fn run(argv: &[String], input: &[u8], envs: &[(String, String)], limits: &Limits, stop: &Stop) -> Outcome {
    run_on(&Program { argv, envs, apart: None }, input, limits, &Leash::default(), stop)
}

/// The same on a leash.
pub fn run_on(program: &Program<'_>, input: &[u8], limits: &Limits, leash: &Leash, stop: &Stop) -> Outcome {
    let mut output = Output::new(limits.keep);
    let end = match start(program) {
        Err(error) => End::Failed(error),
        Ok(mut running) => {
            let mut pace = Pace::new(stop);
            let end = running.watch(input, tick() + limits.time, leash, &mut output, &mut pace);
            running.finish(&end, &mut output, &mut pace);
            end
        }
    };
    output.trim();
    Outcome { end, head: output.head, tail: output.tail, dropped: output.dropped }
}

/// Whether a program that could not be started may start later without anybody's help.
pub fn is_passing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    error.kind() == ErrorKind::ResourceBusy
        || matches!(
            errno,
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::TXTBSY | Errno::INTR)
        )
}

struct Running {
    child: Child,
    group: Pid,
    stdin: Option<PipeWriter>,
    output: Option<PipeReader>,
    buffer: Vec<u8>,
    /// The lease that it was last told of.
    lease: Option<Tick>,
    /// Its group ends with it.
    whole: bool,
    /// It goes on when the daemon ends.
    outlives: bool,
}

fn start(program: &Program<'_>) -> io::Result<Running> {
    let [name, args @ ..] = program.argv else { return Err(ErrorKind::InvalidInput.into()) };
    let mut unreaped = lock(&UNREAPED);
    unreaped.retain_mut(|child| {
        let there = matches!(child.try_wait(), Ok(None));
        if !there {
            reaper::reaped(child.id());
        }
        there
    });
    if unreaped.len() >= MAX_UNREAPED {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "killed programs are still there"));
    }
    drop(unreaped);
    let (its_stdin, stdin) = io::pipe()?;
    let (output, its_output) = io::pipe()?;
    // The flag belongs to one end of a pipe alone: the program's own ends block as it expects.
    fcntl_setfl(&stdin, OFlags::NONBLOCK)?;
    fcntl_setfl(&output, OFlags::NONBLOCK)?;
    let mut command = Command::new(name);
    if let Some(apart) = &program.apart {
        command.env_clear().current_dir(apart.dir);
        if let Some(user) = apart.user {
            // As root the library also drops the daemon's supplementary groups.
            command.uid(user.uid).gid(user.gid);
        }
    }
    command.args(args).process_group(0);
    for (name, value) in program.envs {
        command.env(name, value);
    }
    command.stdin(its_stdin).stdout(its_output.try_clone()?).stderr(its_output);
    for name in PRIVATE {
        command.env_remove(name);
    }
    let child = reaper::spawn(&mut command)?;
    let group = Pid::from_child(&child);
    let (whole, outlives) = (program.apart.is_some(), program.apart.is_some_and(|apart| apart.outlives));
    Ok(Running {
        child,
        group,
        stdin: Some(stdin),
        output: Some(output),
        buffer: vec![0; CHUNK],
        lease: None,
        whole,
        outlives,
    })
}

impl Running {
    /// Waits for the program's end or for the moment to kill it.
    fn watch(
        &mut self,
        input: &[u8],
        mut deadline: Tick,
        leash: &Leash,
        output: &mut Output,
        pace: &mut Pace<'_>,
    ) -> End {
        let mut unsent = input;
        let mut stopping = false;
        loop {
            let fed = self.feed(&mut unsent, leash);
            let drained = self.drain(output);
            if self.whole && self.is_over() {
                self.sweep(output, pace);
            }
            match self.child.try_wait() {
                Ok(Some(status)) => return ended(status),
                Ok(None) => {}
                Err(error) => return End::Failed(error),
            }
            let now = tick();
            deadline = leash.cut(deadline);
            if !stopping && pace.stop.is_stopped() {
                if self.outlives {
                    return End::Stopped;
                }
                stopping = true;
                deadline = deadline.min(now + LEFT_AT_STOP);
            }
            if now >= deadline {
                return if stopping { End::Stopped } else { End::TimedOut };
            }
            pace.wait(fed || drained, deadline.since(now));
        }
    }

    /// Takes in the last output of a program that ended by itself; one that did not is killed and reaped.
    fn finish(mut self, end: &End, output: &mut Output, pace: &mut Pace<'_>) {
        // What is told a lease there would take its end for that of this program.
        if self.lease.is_none() {
            self.stdin = None;
        }
        match end {
            End::Exit(_) | End::Signal(_) => self.take_in(DRAIN, output, pace),
            End::Stopped if self.outlives => {
                self.leave();
                return;
            }
            End::TimedOut | End::Stopped => {
                self.kill(output, pace);
                self.reap(pace);
                return;
            }
            End::Failed(_) => {}
        }
        reaper::reaped(self.child.id());
    }

    /// Whether the program has ended: seen, but not reaped, so the group's number stays its own until it is killed.
    fn is_over(&self) -> bool {
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.group), how), Ok(None))
    }

    /// Ends what a program that has ended leaves in its group; what is about to end by itself has a moment to.
    fn sweep(&mut self, output: &mut Output, pace: &mut Pace<'_>) {
        for signal in [Signal::TERM, Signal::KILL] {
            self.take_in(SWEEP, output, pace);
            self.signal(signal);
        }
    }

    /// Takes in output until nobody can write any more, for `most`.
    fn take_in(&mut self, most: Duration, output: &mut Output, pace: &mut Pace<'_>) {
        let until = tick() + most;
        while self.output.is_some() && tick() < until {
            let moved = self.drain(output);
            if self.output.is_some() {
                pace.wait(moved, until.since(tick()));
            }
        }
    }

    /// Lets it go on without the daemon. Somebody must read what it says, or it would die of the first word.
    fn leave(self) {
        let Some(output) = self.output else { return };
        let left = fcntl_setfl(&output, OFlags::empty()).map_err(io::Error::from).and_then(|()| {
            let mut drain = Command::new("/proc/self/exe");
            drain.arg(DRAIN_WORD).env_clear().process_group(self.group.as_raw_nonzero().get());
            drain.stdin(Stdio::from(output)).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        });
        if let Err(error) = left {
            log::warn!("process {} goes on, but what it says is not read: {error}", self.group.as_raw_nonzero());
        }
    }

    /// Asks the group to end, and kills it once the program is gone or has had its time.
    fn kill(&mut self, output: &mut Output, pace: &mut Pace<'_>) {
        self.signal(Signal::TERM);
        let asked = tick();
        loop {
            let moved = self.drain(output);
            let mercy = if pace.stop.is_stopped() { MERCY_AT_STOP } else { MERCY };
            let now = tick();
            if now >= asked + mercy || self.is_over() {
                break;
            }
            pace.wait(moved, (asked + mercy).since(now));
        }
        self.signal(Signal::KILL);
    }

    fn reap(mut self, pace: &mut Pace<'_>) {
        let until = tick() + REAP;
        while matches!(self.child.try_wait(), Ok(None)) {
            let now = tick();
            if now >= until {
                lock(&UNREAPED).push(self.child);
                return;
            }
            pace.wait(false, until.since(now));
        }
        reaper::reaped(self.child.id());
    }

    /// Signals the group. If nobody is left in it there is nothing to do, and a set-uid program that may not be
    /// signalled is left to [`Running::reap`].
    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.group, signal) {
            log::debug!("process group {}: {error}", self.group.as_raw_nonzero());
        }
    }

    /// Writes what fits; true if something moved.
    fn feed(&mut self, unsent: &mut &[u8], leash: &Leash) -> bool {
        let Some(stdin) = &mut self.stdin else { return false };
        let (_, lease) = *lock(&leash.0);
        if let Some(lease) = lease {
            // A few bytes go into a pipe as a whole or not at all.
            let line = [&*lease.0.to_string(), "\n"].concat();
            if self.lease != Some(lease) && stdin.write(line.as_bytes()).is_ok() {
                self.lease = Some(lease);
            }
            return false;
        }
        let written = match stdin.write(&unsent[..unsent.len().min(CHUNK)]) {
            Ok(written) => written,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return false,
            // The program does not want it; that is its own affair.
            Err(_) => unsent.len(),
        };
        *unsent = &unsent[written..];
        if unsent.is_empty() {
            self.stdin = None;
        }
        true
    }

    /// Reads what is there, up to some chunks; true if something moved.
    fn drain(&mut self, output: &mut Output) -> bool {
        for chunk in 0..CHUNKS {
            let Some(pipe) = &mut self.output else { return true };
            match pipe.read(&mut self.buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    return chunk > 0;
                }
                Ok(0) | Err(_) => self.output = None,
                Ok(read) => output.add(&self.buffer[..read]),
            }
        }
        true
    }
}

fn ended(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Exit(code),
        None => End::Signal(status.signal().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests;
