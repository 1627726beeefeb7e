//! The program under test as a child process.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::{SECRETS, SOON, wait_for};

/// The binary under test: that of this build, or the one named by `IC_BINARY`, such as a static one.
pub fn binary() -> OsString {
    std::env::var_os("IC_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_interrupt-callback").into())
}

/// A command with an environment that holds nothing of the tester's.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC");
    command
}

/// Puts `words` before a daemon's command line, such as `nsenter --net=FILE`. They must end in an exec: the process is
/// the daemon's own in the end.
pub fn wrap(command: &mut Command, words: &[impl AsRef<OsStr>]) {
    let mut outer = Command::new(words[0].as_ref());
    outer.args(&words[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
    outer.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    outer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    *command = outer;
}

/// Runs a command to its end.
pub fn run(args: &[&str]) -> Output {
    let output = command().args(args).stdin(Stdio::null()).output().unwrap();
    no_secret(&String::from_utf8_lossy(&output.stdout));
    no_secret(&String::from_utf8_lossy(&output.stderr));
    output
}

fn no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "a secret is shown: {text}");
    }
}

/// A running daemon. Its state lives in `dir/state`, its socket in `dir/run`; both survive it.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    seen: VecDeque<String>,
    config: PathBuf,
    address: Option<SocketAddr>,
}

impl Daemon {
    /// Starts it with `config`, whose first lines this adds: state and control below `dir`.
    pub fn start(dir: &Path, config: &str) -> Daemon {
        Daemon::start_with(dir, config, |_| {})
    }

    /// The same, with a say in how it is started.
    pub fn start_with(dir: &Path, config: &str, change: impl FnOnce(&mut Command)) -> Daemon {
        fs::create_dir_all(dir).unwrap();
        let file = dir.join("config.toml");
        let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", dir.join("state"), dir.join("run/control"));
        fs::write(&file, dirs + config).unwrap();
        let mut command = command();
        command.arg("--config").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let Ok(line) = line else { break };
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Daemon { child, lines, seen: VecDeque::new(), config: file, address: None }
    }

    /// Waits for a line that holds `pattern`, among those not yet passed by, and returns it.
    pub fn wait_line(&mut self, pattern: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    no_secret(&line);
                    self.seen.push_back(line.clone());
                    if line.contains(pattern) {
                        return line;
                    }
                }
                Err(why) => {
                    let why = if why == RecvTimeoutError::Timeout { "in time" } else { "before the end" };
                    panic!("no line with {pattern:?} {why}; seen:\n{}", self.output());
                }
            }
        }
    }

    /// Waits until it is ready and returns the address it listens on.
    pub fn ready(&mut self) -> SocketAddr {
        let line = self.wait_line("ready");
        self.address = line.split([' ', ',', ';']).find_map(|word| word.parse().ok());
        self.address.unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// The address that [`Daemon::ready`] saw.
    pub fn ready_address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    /// The host name of this machine, the second half of the daemon's name.
    pub fn name(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
    }

    /// All lines so far.
    pub fn output(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        let text = self.seen.iter().map(|line| format!("  {line}\n")).collect::<String>();
        no_secret(&text);
        text
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a service manager would, and returns its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_exit()
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the daemon's end", || child.try_wait().unwrap())
    }

    /// Runs a command against it.
    pub fn ask(&self, args: &[&str]) -> Output {
        let config = self.config.to_str().unwrap();
        run(&[&["--config", config], args].concat())
    }

    /// `status --json`.
    pub fn status(&self) -> serde_json::Value {
        let output = self.ask(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// A number out of `/proc/PID/status`, such as `Threads` or `VmRSS` (kB).
    pub fn proc_status(&self, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key} in {text}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Under a tracer the daemon is its child and would outlive it.
        let _ = Command::new("pkill").args(["-KILL", "-P", &self.pid().to_string()]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.seen.extend(self.lines.try_iter());
            for line in &self.seen {
                eprintln!("  {line}");
            }
        } else {
            self.output();
        }
    }
}
