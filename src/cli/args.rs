//! The command line.

mod help;
#[cfg(feature = "jobs")]
pub mod job;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::problem::quoted;
use crate::config::units::nearest;
use crate::event::Kind;
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::silences::Lasts;
pub use help::HELP;
pub use values::{Sample, SendArgs};
use values::{VALUED, lasts, sample, send, valued, watch};

/// Exit code of a command line that cannot be understood (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Bytes of a note: what fits a beat.
const MAX_NOTE: usize = 200;

/// What is to be done, and with which file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Args {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// The command.
    pub command: Command,
}

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Runs the daemon.
    Run,
    /// Reads the configuration and does nothing else.
    Check,
    /// Sends a marked message through channels.
    Test {
        /// These; all of them if there are none.
        names: Vec<String>,
        /// In whose words.
        kind: Sample,
    },
    /// Tells people something.
    Send(SendArgs),
    /// Asks the daemon how things are.
    Status {
        /// As JSON, not as a table.
        json: bool,
        /// Again and again, so long after each other.
        watch: Option<Duration>,
    },
    /// Makes the daemon walk the path of an `interrupt`, `offline` or `online`.
    Simulate(Kind),
    /// Asks the cloud once.
    Spot,
    /// Prints a new key.
    Keygen,
    /// Takes the hosts of this name or glob off the daemon's roster.
    Forget(String),
    /// Tells nothing of the hosts of this name or glob.
    Silence {
        /// The name or glob.
        glob: String,
        /// For how long.
        lasts: Lasts,
    },
    /// Takes silences back.
    Unsilence(String),
    /// Has the daemon read its configuration again.
    Reload,
    /// Lists the last incidents.
    History {
        /// Only those of this name or glob; of all if it is empty.
        glob: String,
        /// As JSON, not as a table.
        json: bool,
    },
    /// Sets the note that goes with this host's beats.
    Note(String),
    /// Says goodbye to the heartbeat servers, for good.
    Leave,
    /// Has to do with jobs.
    #[cfg(feature = "jobs")]
    Job(job::Job),
    /// Prints the help.
    Help,
    /// Prints the version.
    Version,
}

const COMMANDS: [&str; 18] = [
    "run",
    "check",
    "test",
    "send",
    "status",
    "history",
    "silence",
    "unsilence",
    "note",
    "reload",
    "simulate",
    "spot",
    "keygen",
    "forget",
    "job",
    "leave",
    "help",
    "version",
];
const OPTIONS: [&str; 15] = [
    "--config",
    "--json",
    "--watch",
    "--for",
    "--until-healthy",
    "--severity",
    "--channel",
    "--wait",
    "--kind",
    "--on",
    "--in",
    "--at",
    "--every",
    "--help",
    "--version",
];
const SIMULATED: [Kind; 3] = [Kind::Interrupt, Kind::Offline, Kind::Online];

/// What is wrong with the command line; one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see interrupt-callback help", self.0)
    }
}

impl std::error::Error for UsageError {}

/// What the words of the command line add up to, before they are judged together.
#[derive(Default)]
struct Words {
    config: Option<PathBuf>,
    json: bool,
    /// `--watch`, with what stands behind its `=`.
    watch: Option<Option<String>>,
    /// Those of [`VALUED`], as they came.
    values: Vec<(&'static str, String)>,
    healthy: bool,
    help: bool,
    version: bool,
    /// Command and operands.
    plain: Vec<String>,
}

impl Words {
    /// The last value of `option`.
    fn value(&self, option: &str) -> Option<&str> {
        self.values.iter().rev().find(|(name, _)| *name == option).map(|(_, value)| value.as_str())
    }
}

/// Reads the arguments, without the program's own name. Options may stand before and after the command.
///
/// # Errors
/// When they cannot be understood: exit [`EXIT_USAGE`].
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, UsageError> {
    let words = words(&mut args.into_iter())?;
    if words.help || words.version {
        let command = if words.help { Command::Help } else { Command::Version };
        return Ok(Args { config: words.config, command });
    }
    let json = words.json;
    let lasts = lasts(&words)?;
    let mut operands = words.plain.clone();
    let name = if operands.is_empty() { "run".to_owned() } else { operands.remove(0) };
    let command = match name.as_str() {
        "run" => Command::Run,
        "check" => Command::Check,
        "test" => Command::Test { names: std::mem::take(&mut operands), kind: sample(&words)? },
        "send" => Command::Send(send(&mut operands, &words)?),
        "status" => Command::Status { json, watch: watch(&mut operands, &words)? },
        "simulate" => Command::Simulate(simulated(&operand(&mut operands, "interrupt, offline or online")?)?),
        "spot" => Command::Spot,
        "keygen" => Command::Keygen,
        "forget" => Command::Forget(hosts(operand(&mut operands, HOSTS)?)?),
        "silence" => Command::Silence { glob: hosts(operand(&mut operands, HOSTS)?)?, lasts },
        "unsilence" => Command::Unsilence(hosts(operand(&mut operands, HOSTS)?)?),
        "reload" => Command::Reload,
        "history" => {
            let glob = if operands.is_empty() { String::new() } else { hosts(operands.remove(0))? };
            Command::History { glob, json }
        }
        "note" => Command::Note(note(operand(&mut operands, "a text in quotes")?)?),
        "leave" => Command::Leave,
        #[cfg(feature = "jobs")]
        "job" => Command::Job(job::parse(
            &mut operands,
            job::OPTIONS.map(|option| words.value(option).map(str::to_owned)),
            json,
        )?),
        #[cfg(not(feature = "jobs"))]
        "job" => {
            return Err(UsageError("job needs the feature \"jobs\", which this binary was built without".to_owned()));
        }
        "help" => {
            operands.clear();
            Command::Help
        }
        "version" => Command::Version,
        other => return Err(unknown("command", other, &COMMANDS)),
    };
    if let Some(extra) = operands.first() {
        // A shell makes names of files out of a pattern.
        let hint = match &*name {
            "silence" | "unsilence" | "forget" | "history" => "; put a pattern in quotes",
            "send" => "; put title and body in quotes",
            _ => "",
        };
        return Err(UsageError(format!("{name} takes no argument {}{hint}", quoted(extra))));
    }
    let usual = [
        (json, "--json", "status, history, job"),
        (words.watch.is_some(), "--watch", "status"),
        (words.healthy, "--until-healthy", "silence"),
    ];
    let valued = VALUED.iter().map(|(option, _, taker)| (words.value(option).is_some(), *option, *taker));
    for (given, option, takers) in usual.into_iter().chain(valued) {
        if given && !takers.split(", ").any(|taker| taker == name) {
            return Err(UsageError([&*name, " takes no option ", option].concat()));
        }
    }
    Ok(Args { config: words.config, command })
}

fn words(args: &mut dyn Iterator<Item = OsString>) -> Result<Words, UsageError> {
    let mut words = Words::default();
    let mut only_plain = false;
    while let Some(arg) = args.next() {
        let Some(text) = arg.to_str() else {
            let Some(file) = config_file(&arg) else {
                return Err(UsageError(format!("argument {} is not UTF-8", quoted(&arg.to_string_lossy()))));
            };
            set_config(&mut words.config, file)?;
            continue;
        };
        match text {
            // By itself it stands for standard input.
            _ if only_plain || !text.starts_with('-') || text == "-" => words.plain.push(text.to_owned()),
            "--" => only_plain = true,
            "-c" | "--config" => {
                let file = args.next().ok_or_else(|| UsageError(format!("option {text} needs a file")))?;
                set_config(&mut words.config, file)?;
            }
            "--json" => words.json = true,
            "--watch" => words.watch = Some(None),
            _ if text.starts_with("--watch=") => words.watch = Some(text.strip_prefix("--watch=").map(str::to_owned)),
            "--until-healthy" => words.healthy = true,
            "-h" | "--help" => words.help = true,
            "-V" | "--version" => words.version = true,
            _ => match text.strip_prefix("--config=") {
                Some(file) => set_config(&mut words.config, file.into())?,
                None => {
                    let (option, value) = valued(text, args)?;
                    if option != "--channel" && words.value(option).is_some() {
                        return Err(UsageError(["option ", option, " is given twice"].concat()));
                    }
                    words.values.push((option, value));
                }
            },
        }
    }
    Ok(words)
}

/// FILE of `--config=FILE` if it is not UTF-8.
fn config_file(arg: &OsString) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    arg.as_bytes().strip_prefix(b"--config=").map(|file| OsString::from_vec(file.to_vec()))
}

fn set_config(config: &mut Option<PathBuf>, file: OsString) -> Result<(), UsageError> {
    if file.is_empty() {
        return Err(UsageError("option --config needs a file".to_owned()));
    }
    match config.replace(file.into()) {
        None => Ok(()),
        Some(_) => Err(UsageError("option --config is given twice".to_owned())),
    }
}

fn operand(operands: &mut Vec<String>, what: &str) -> Result<String, UsageError> {
    if operands.is_empty() {
        return Err(UsageError(format!("an argument is missing: {what}")));
    }
    Ok(operands.remove(0))
}

/// What stands for missing hosts.
const HOSTS: &str = "the name of a host, or a pattern such as \"web*\"";

/// A name or glob that goes over the control socket.
fn hosts(glob: String) -> Result<String, UsageError> {
    if name_is_valid(&glob) {
        return Ok(glob);
    }
    let why = " is no name of a host: it has 1 to 128 bytes and no control characters";
    Err(UsageError([&quoted(&glob), why].concat()))
}

fn note(text: String) -> Result<String, UsageError> {
    match text {
        text if text.len() > MAX_NOTE => {
            Err(UsageError(["a note has at most ", &MAX_NOTE.to_string(), " bytes"].concat()))
        }
        text if text.chars().any(char::is_control) => Err(UsageError("a note is one line".to_owned())),
        text => Ok(text),
    }
}

fn simulated(name: &str) -> Result<Kind, UsageError> {
    let names = SIMULATED.map(Kind::name);
    let kind = SIMULATED.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| match nearest(name, &names) {
        Some(_) => unknown("exercise", name, &names),
        None => UsageError(["unknown exercise ", &quoted(name), "; there are ", &names.join(", ")].concat()),
    })
}

fn unknown(what: &str, word: &str, known: &[&str]) -> UsageError {
    let shown = quoted(word);
    UsageError(match nearest(word, known) {
        Some(near) => format!("unknown {what} {shown}, did you mean \"{near}\"?"),
        None => format!("unknown {what} {shown}"),
    })
}

mod values;

#[cfg(test)]
mod tests;
