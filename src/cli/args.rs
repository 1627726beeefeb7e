//! The command line.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::config::problem::quoted;
use crate::config::units::nearest;
use crate::event::Kind;

/// Exit code of a command line that cannot be understood (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

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
    /// Sends a marked message through these channels; all of them if there are none.
    Test(Vec<String>),
    /// Asks the daemon how things are.
    Status {
        /// As JSON, not as a table.
        json: bool,
    },
    /// Makes the daemon walk the path of an `interrupt`, `offline` or `online`.
    Simulate(Kind),
    /// Prints a new key.
    Keygen,
    /// Takes the hosts of this name or glob off the daemon's roster.
    Forget(String),
    /// Says goodbye to the heartbeat servers, for good.
    Leave,
    /// Prints the help.
    Help,
    /// Prints the version.
    Version,
}

const COMMANDS: [&str; 10] =
    ["run", "check", "test", "status", "simulate", "keygen", "forget", "leave", "help", "version"];
const OPTIONS: [&str; 4] = ["--config", "--json", "--help", "--version"];
const SIMULATED: [Kind; 3] = [Kind::Interrupt, Kind::Offline, Kind::Online];

/// What `help` prints.
pub const HELP: &str = "\
interrupt-callback tells you before your spot instance is reclaimed and when a host falls silent.

Usage: interrupt-callback [COMMAND] [OPTIONS]

Commands:
  run                 run the daemon in the foreground (default)
  check               read the configuration, tell every problem, do nothing else
  test [CHANNEL...]   send a marked message through every channel, or through these
  status              show hosts, notices and channels of the running daemon
  simulate KIND       make the running daemon tell an exercise: interrupt, offline, online
  forget NAME|GLOB    take hosts off the running daemon's roster
  leave               say goodbye to the heartbeat servers for good
  keygen              print a new key: 32 random bytes as base64url
  help, version       print this, or the version

Options:
  -c, --config FILE   read this file
      --json          status as JSON
  -h, --help          print this
  -V, --version       print the version

Files:
  configuration       --config, else CONFIG_PATH, else /etc/ic/config.toml if there is one
  state               state_dir in the configuration, else STATE_DIRECTORY, else
                      /var/lib/interrupt-callback (root) or $XDG_STATE_HOME/interrupt-callback
  control socket      control in the configuration, else control.sock in RUNTIME_DIRECTORY, in
                      /run/interrupt-callback (root), in $XDG_RUNTIME_DIR/interrupt-callback,
                      or in the state directory

Environment:
  CONFIG_PATH             the configuration file
  SERVER_PORT             the port of the heartbeat server (9080)
  RUST_LOG                what is logged, in place of log in the configuration
  TZ                      the time zone of messages, unless the configuration names one
  STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY    as systemd sets them

Exit codes:
  0   fine; status: all is well
  1   failure; status: something is down; test: a channel did not take it
  2   status: no daemon answers
  64  the command line is wrong
  77  not permitted
  78  the configuration is wrong, or there is nothing to do
";

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
    help: bool,
    version: bool,
    /// Command and operands.
    plain: Vec<String>,
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
    let mut plain = words.plain.into_iter();
    let name = plain.next().unwrap_or_else(|| "run".to_owned());
    let mut operands: Vec<String> = plain.collect();
    let command = match name.as_str() {
        "run" => Command::Run,
        "check" => Command::Check,
        "test" => Command::Test(std::mem::take(&mut operands)),
        "status" => Command::Status { json },
        "simulate" => Command::Simulate(simulated(&operand(&mut operands, "interrupt, offline or online")?)?),
        "keygen" => Command::Keygen,
        "forget" => Command::Forget(operand(&mut operands, "the name of a host, or a pattern such as \"web*\"")?),
        "leave" => Command::Leave,
        "help" => {
            operands.clear();
            Command::Help
        }
        "version" => Command::Version,
        other => return Err(unknown("command", other, &COMMANDS)),
    };
    if let Some(extra) = operands.first() {
        return Err(UsageError(format!("{name} takes no argument {}", quoted(extra))));
    }
    if json && name != "status" {
        return Err(UsageError(format!("{name} takes no option --json")));
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
            _ if only_plain || !text.starts_with('-') => words.plain.push(text.to_owned()),
            "--" => only_plain = true,
            "-c" | "--config" => {
                let file = args.next().ok_or_else(|| UsageError(format!("option {text} needs a file")))?;
                set_config(&mut words.config, file)?;
            }
            "--json" => words.json = true,
            "-h" | "--help" => words.help = true,
            "-V" | "--version" => words.version = true,
            _ => match text.strip_prefix("--config=") {
                Some(file) => set_config(&mut words.config, file.into())?,
                None => return Err(unknown("option", text, &OPTIONS)),
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

fn simulated(name: &str) -> Result<Kind, UsageError> {
    let names = SIMULATED.map(Kind::name);
    let kind = SIMULATED.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| unknown("exercise", name, &names))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> UsageError {
    let shown = quoted(word);
    UsageError(match nearest(word, known) {
        Some(near) => format!("unknown {what} {shown}, did you mean \"{near}\"?"),
        None => format!("unknown {what} {shown}"),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parsed(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn commands() {
        let names = |names: &[&str]| Command::Test(names.iter().map(|name| (*name).to_owned()).collect());
        for (line, config, command) in [
            ("", None, Command::Run),
            ("run", None, Command::Run),
            ("--config a.toml", Some("a.toml"), Command::Run),
            ("-c a.toml check", Some("a.toml"), Command::Check),
            ("check --config=a.toml", Some("a.toml"), Command::Check),
            ("test", None, names(&[])),
            ("test ops -c x mail", Some("x"), names(&["ops", "mail"])),
            ("test -- -c", None, names(&["-c"])),
            ("status", None, Command::Status { json: false }),
            ("--json status", None, Command::Status { json: true }),
            ("simulate interrupt", None, Command::Simulate(Kind::Interrupt)),
            ("simulate offline", None, Command::Simulate(Kind::Offline)),
            ("simulate online", None, Command::Simulate(Kind::Online)),
            ("keygen", None, Command::Keygen),
            ("forget web*", None, Command::Forget("web*".to_owned())),
            ("leave", None, Command::Leave),
            ("help", None, Command::Help),
            ("help status", None, Command::Help),
            ("status -h", None, Command::Help),
            ("--version", None, Command::Version),
            ("version", None, Command::Version),
        ] {
            assert_eq!(parsed(line), Ok(Args { config: config.map(PathBuf::from), command }), "{line}");
        }
    }

    #[test]
    fn mistakes() {
        for (line, want) in [
            ("stauts", "unknown command \"stauts\", did you mean \"status\"?"),
            ("frobnicate", "unknown command \"frobnicate\""),
            ("--confg x", "unknown option \"--confg\", did you mean \"--config\"?"),
            ("-x", "unknown option \"-x\""),
            ("run --conf=x", "unknown option \"--conf=x\", did you mean \"--config\"?"),
            ("-c", "option -c needs a file"),
            ("--config", "option --config needs a file"),
            ("--config=", "option --config needs a file"),
            ("-c a -c b", "option --config is given twice"),
            ("check now", "check takes no argument \"now\""),
            ("simulate", "an argument is missing: interrupt, offline or online"),
            ("simulate ofline", "unknown exercise \"ofline\", did you mean \"offline\"?"),
            ("simulate blind", "unknown exercise \"blind\""),
            ("simulate offline now", "simulate takes no argument \"now\""),
            ("forget", "an argument is missing: the name of a host, or a pattern such as \"web*\""),
            ("forget a b", "forget takes no argument \"b\""),
            ("check --json", "check takes no option --json"),
        ] {
            assert_eq!(parsed(line), Err(format!("{want}; see interrupt-callback help")), "{line}");
        }
        let odd = OsString::from_vec(vec![b'a', 0xff]);
        assert_eq!(
            parse([odd.clone()]).unwrap_err().to_string(),
            "argument \"a\u{fffd}\" is not UTF-8; see interrupt-callback help"
        );
        assert_eq!(parse(["-c".into(), odd.clone()]).unwrap().config, Some(odd.clone().into()));
        let joined = OsString::from_vec([b"--config=", odd.as_encoded_bytes()].concat());
        assert_eq!(parse([joined]).unwrap().config, Some(odd.into()));
    }

    #[test]
    fn the_help_names_everything() {
        for word in COMMANDS.iter().chain(&OPTIONS) {
            assert!(HELP.contains(word), "{word}");
        }
        for kind in SIMULATED {
            assert!(HELP.contains(kind.name()));
        }
        assert!(HELP.lines().all(|line| line.len() <= 100));
    }
}
