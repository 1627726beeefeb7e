//! `status --watch`, as a terminal and as a pipe see it.

#![cfg(feature = "probes")]
#![allow(clippy::disallowed_methods, reason = "tests start threads, read clocks and dial")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::common::daemon::{Daemon, binary, command};
use crate::common::{SOON, TempDir, wait_for};

const CONFIG: &str = "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"planted-key-0123456789\"\n";

/// What a command prints, line after line.
struct Watch {
    child: Child,
    lines: Receiver<String>,
    seen: String,
}

impl Watch {
    fn start(mut command: Command) -> Watch {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Watch { child, lines, seen: String::new() }
    }

    /// Waits for a line that holds `part`.
    fn wait(&mut self, part: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push_str(&line);
                    self.seen.push('\n');
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(why) => panic!("no {part:?}: {why}; seen:\n{}", self.seen),
            }
        }
    }

    /// Its exit code, once it has ended, and all that it printed.
    fn end(mut self) -> (Option<i32>, String) {
        let child = &mut self.child;
        let status = wait_for("its end", || child.try_wait().unwrap());
        while let Ok(line) = self.lines.recv_timeout(SOON) {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        (status.code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap().success());
}

fn watch(dir: &Path) -> Command {
    let mut command = command();
    command.arg("--config").arg(dir.join("config.toml")).args(["status", "--watch", "1"]).stdin(Stdio::null());
    command
}

#[test]
fn a_pipe_gets_block_after_block() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), CONFIG);
    daemon.ready();
    let mut watch = Watch::start(watch(dir.path()));
    watch.wait("no host has been heard of yet");
    assert_eq!(watch.lines.recv_timeout(SOON).unwrap(), "", "between two blocks");
    watch.wait("vps@");
    watch.wait("no host has been heard of yet");
    signal("INT", watch.child.id());
    let (code, seen) = watch.end();
    println!("{seen}");
    assert_eq!(code, Some(0));
    assert!(!seen.contains('\x1b') && !seen.contains("Ctrl-C"), "{seen:?}");
}

#[test]
#[ignore = "long: it waits for several turns"]
fn it_outlives_the_daemon_and_ends_with_the_last_state() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), CONFIG);
    daemon.ready();
    let mut first = Watch::start(watch(dir.path()));
    let mut second = Watch::start(watch(dir.path()));
    for watch in [&mut first, &mut second] {
        watch.wait("no host has been heard of yet");
    }
    daemon.stop();
    for watch in [&mut first, &mut second] {
        let line = watch.wait("no daemon answers at ");
        assert!(line.contains("run/control") && line.ends_with("; it is asked again"), "{line}");
    }
    signal("TERM", second.child.id());
    assert_eq!(second.end().0, Some(2));
    // It comes back, and something is down.
    let expects = CONFIG
        .replace("listen", "expect = [\"nas@home\"]\nlisten")
        .replace("[keepalive.", "[keepalive]\nperiod = 0.2\n[keepalive.");
    let mut daemon = Daemon::start(dir.path(), &expects);
    daemon.ready();
    first.wait("nas@home  offline");
    signal("INT", first.child.id());
    assert_eq!(first.end().0, Some(1));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), CONFIG);
    daemon.ready();
    let mut child = watch(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let status = wait_for("its end", || child.try_wait().unwrap());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), &*said), (Some(0), ""));
}

/// `script` of util-linux gives a command a terminal; what is written to it is typed there.
#[test]
fn a_terminal_is_drawn_anew_and_left_as_it_was() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), CONFIG);
    daemon.ready();
    for (colour, has_colours) in [("", true), ("NO_COLOR=1 ", false)] {
        let line = format!(
            "stty rows 30 cols 100; {colour}exec '{}' --config '{}' status --watch",
            Path::new(&binary()).display(),
            dir.join("config.toml").display()
        );
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]).env("SHELL", "/bin/sh").stdin(Stdio::piped());
        let mut watch = Watch::start(script);
        for _ in 0..2 {
            let head = watch.wait("every 2s; Ctrl-C ends it");
            assert!(head.contains("\x1b[?25l\x1b[H"), "{head:?}");
            watch.wait("no host has been heard of yet\x1b[K");
        }
        watch.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        let (code, seen) = watch.end();
        assert_eq!(code, Some(0), "{seen:?}");
        assert!(seen.trim_end().ends_with("\x1b[?25h"), "the cursor is back: {seen:?}");
        assert_eq!(seen.contains("\x1b[32mok\x1b[0m"), has_colours, "{seen:?}");
        assert_eq!(seen.contains("\x1b[1m"), has_colours, "{seen:?}");
    }
}
