//! Runs a program: no shell, with a deadline for all of it, bounded output, and nothing left behind.
//!
//! The program gets a process group of its own. At the deadline the group is asked to end (SIGTERM) and killed two
//! seconds later. One loop feeds standard input, drains output and looks for the end; all pipes are non-blocking, so
//! that neither a program that never reads nor a grandchild that keeps the output open can hold it up. A grandchild
//! may outlive a program that ends by itself; it is let be.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::clock::{Tick, tick};
use crate::run::threads::{Bell, Stop, lock};

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
/// Shortest and longest pause between two looks.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
/// Bytes moved through a pipe in one look.
const CHUNK: usize = 16 * 1024;

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

/// Runs `argv` with `input` on its standard input and `envs` added to the environment. Returns at the latest some
/// three seconds after the deadline.
pub fn run(argv: &[String], input: &[u8], envs: &[(String, String)], limits: &Limits, stop: &Stop) -> Outcome {
    let mut output = Output { keep: limits.keep, head: Vec::new(), tail: Vec::new(), dropped: 0 };
    let end = match start(argv, envs) {
        Err(error) => End::Failed(error),
        Ok(mut running) => {
            let mut pace = Pace { stop, quiet: Bell::default(), pause: PAUSES[0] };
            let end = running.watch(input, tick() + limits.time, &mut output, &mut pace);
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
}

fn start(argv: &[String], envs: &[(String, String)]) -> io::Result<Running> {
    let [program, args @ ..] = argv else { return Err(ErrorKind::InvalidInput.into()) };
    let mut unreaped = lock(&UNREAPED);
    unreaped.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    if unreaped.len() >= MAX_UNREAPED {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "killed programs are still there"));
    }
    drop(unreaped);
    let (its_stdin, stdin) = io::pipe()?;
    let (output, its_output) = io::pipe()?;
    // The flag belongs to one end of a pipe alone: the program's own ends block as it expects.
    fcntl_setfl(&stdin, OFlags::NONBLOCK)?;
    fcntl_setfl(&output, OFlags::NONBLOCK)?;
    let mut command = Command::new(program);
    command.args(args).envs(envs.iter().map(|(name, value)| (name, value))).process_group(0);
    command.stdin(its_stdin).stdout(its_output.try_clone()?).stderr(its_output);
    for name in PRIVATE {
        command.env_remove(name);
    }
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    Ok(Running { child, group, stdin: Some(stdin), output: Some(output), buffer: vec![0; CHUNK] })
}

impl Running {
    /// Waits for the program's end or for the moment to kill it.
    fn watch(&mut self, input: &[u8], mut deadline: Tick, output: &mut Output, pace: &mut Pace<'_>) -> End {
        let mut unsent = input;
        let mut stopping = false;
        loop {
            let fed = self.feed(&mut unsent);
            let drained = self.drain(output);
            match self.child.try_wait() {
                Ok(Some(status)) => return ended(status),
                Ok(None) => {}
                Err(error) => return End::Failed(error),
            }
            let now = tick();
            if !stopping && pace.stop.is_stopped() {
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
        self.stdin = None;
        match end {
            End::Exit(_) | End::Signal(_) => {
                let until = tick() + DRAIN;
                while self.output.is_some() && tick() < until {
                    let moved = self.drain(output);
                    if self.output.is_some() {
                        pace.wait(moved, until.since(tick()));
                    }
                }
            }
            End::TimedOut | End::Stopped => {
                self.kill(output, pace);
                self.reap(pace);
            }
            End::Failed(_) => {}
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
            // Seen, but not reaped: so the group's number stays its own until it is killed.
            let seen =
                waitid(WaitId::Pid(self.group), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
            if now >= asked + mercy || !matches!(seen, Ok(None)) {
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
    }

    /// Signals the group. If nobody is left in it there is nothing to do, and a set-uid program that may not be
    /// signalled is left to [`Running::reap`].
    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.group, signal) {
            log::debug!("process group {}: {error}", self.group.as_raw_nonzero());
        }
    }

    /// Writes what fits; true if something moved.
    fn feed(&mut self, unsent: &mut &[u8]) -> bool {
        let Some(stdin) = &mut self.stdin else { return false };
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

    /// Reads what is there, up to one chunk; true if something moved.
    fn drain(&mut self, output: &mut Output) -> bool {
        let Some(pipe) = &mut self.output else { return false };
        match pipe.read(&mut self.buffer) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => false,
            Ok(0) | Err(_) => {
                self.output = None;
                true
            }
            Ok(read) => {
                output.add(&self.buffer[..read]);
                true
            }
        }
    }
}

fn ended(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Exit(code),
        None => End::Signal(status.signal().unwrap_or(0)),
    }
}

/// How long to wait for the next look: little while something moves, then more and more.
struct Pace<'a> {
    stop: &'a Stop,
    /// Rung by nobody: for the waits after the stop, which ends its own at once.
    quiet: Bell,
    pause: Duration,
}

impl Pace<'_> {
    fn wait(&mut self, moved: bool, most: Duration) {
        self.pause = if moved { PAUSES[0] } else { (self.pause * 2).min(PAUSES[1]) };
        let time = self.pause.min(most);
        if self.stop.is_stopped() {
            self.quiet.wait(time);
        } else {
            self.stop.wait(time);
        }
    }
}

/// The beginning and the end of what was said.
struct Output {
    keep: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
}

impl Output {
    fn add(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.keep - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        // Let it grow to twice its size, so that not every read moves all of it.
        if self.tail.len() > 2 * self.keep {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let excess = self.tail.len().saturating_sub(self.keep);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], limits: Limits) -> Outcome {
        let argv = ["sh", "-c", script].map(str::to_owned);
        run(&argv, input, &[("IC_X".to_owned(), "y z".to_owned())], &limits, &Stop::default())
    }

    const LONG: Limits = Limits { time: Duration::from_secs(60), keep: 64 };
    const SHORT: Limits = Limits { time: Duration::from_millis(300), keep: 64 };

    #[test]
    fn input_output_environment_and_code() {
        let outcome = sh("cat; echo \"$IC_X\" >&2; exit 3", b"in\n", LONG);
        assert!(matches!(outcome.end, End::Exit(3)), "{outcome:?}");
        assert_eq!(outcome.head, b"in\ny z\n");
        assert!(matches!(sh("kill -9 $$", b"", LONG).end, End::Signal(9)));
    }

    #[test]
    fn what_cannot_start_says_why() {
        for (program, passing) in [("/nonexistent", false), ("/", false), ("", false)] {
            let outcome = run(&[program.to_owned()], b"", &[], &LONG, &Stop::default());
            let End::Failed(error) = outcome.end else { panic!("{program}") };
            assert_eq!(is_passing(&error), passing, "{error}");
        }
        assert!(matches!(run(&[], b"", &[], &LONG, &Stop::default()).end, End::Failed(_)));
        assert!(is_passing(&io::Error::from(Errno::MFILE)) && is_passing(&io::Error::from(Errno::AGAIN)));
    }

    #[test]
    fn a_program_that_reads_nothing_or_says_much_holds_nobody_up() {
        let large = vec![b'x'; 300_000];
        assert!(matches!(sh("exit 0", &large, LONG).end, End::Exit(0)));
        assert!(matches!(sh("sleep 60", &large, SHORT).end, End::TimedOut));
        let outcome = sh("cat", &large, LONG);
        assert!(matches!(outcome.end, End::Exit(0)));
        assert_eq!((outcome.head.len(), outcome.tail.len(), outcome.dropped), (64, 64, 300_000 - 128));
        assert!(matches!(sh("yes", b"", SHORT).end, End::TimedOut));
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let outcome = sh("echo first; seq 1 99; echo last", b"", LONG);
        assert!(outcome.head.starts_with(b"first\n1\n"), "{outcome:?}");
        assert!(outcome.tail.ends_with(b"99\nlast\n"), "{outcome:?}");
    }

    #[test]
    fn the_whole_group_dies_at_the_deadline() {
        let script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done";
        let outcome = sh(script, b"", Limits { time: Duration::from_secs(3), keep: 64 });
        assert!(matches!(outcome.end, End::TimedOut), "{outcome:?}");
        let pid: i32 = str::from_utf8(&outcome.head).unwrap().trim().parse().unwrap();
        let gone = |pid: i32| match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => true,
            Ok(stat) => stat.contains(") Z "),
        };
        let until = tick() + Duration::from_secs(10);
        while !gone(pid) && tick() < until {
            Stop::default().wait(Duration::from_millis(10));
        }
        assert!(gone(pid), "a grandchild outlived the kill");
    }

    #[test]
    fn a_grandchild_that_keeps_the_output_open_is_not_waited_for() {
        let before = tick();
        let outcome = sh("sleep 30 & echo $!; exit 0", b"", LONG);
        assert!(matches!(outcome.end, End::Exit(0)) && !outcome.head.is_empty(), "{outcome:?}");
        assert!(tick().since(before) < Duration::from_secs(20));
        let pid = str::from_utf8(&outcome.head).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[test]
    fn the_end_of_the_program_ends_a_run() {
        let stop = Stop::default();
        stop.stop();
        let argv = ["sleep", "60"].map(str::to_owned);
        assert!(matches!(run(&argv, b"", &[], &LONG, &stop).end, End::Stopped));
    }
}
