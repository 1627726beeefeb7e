//! Commands that the running daemon carries out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{EXIT_DENIED, EXIT_FAILURE, fail, problems, say};
use crate::config::plan::Plan;
use crate::config::{self, Env, Problem, Source};
use crate::control::{self, AskError};
use crate::keepalive::silences::Lasts;

/// What a daemon that is not there may have to do with the file, for `reload`.
const MOVED: &str = "; if control or state_dir has changed since it was started, start it again";

/// Asks the daemon and prints its answer; exits with the code that it gives, or `nobody` if there is none.
///
/// Of the file only the place of the socket is read: a daemon that runs on while its file is wrong, or whose secrets only
/// it can read, must be reached. For `reload` it reads the file itself and tells, also by its channels, what is wrong.
pub fn run(source: &Source, env: &Env, request: &str, nobody: u8) -> ExitCode {
    let socket = match socket(source, env) {
        Ok(socket) => socket,
        Err(found) => return problems(&found),
    };
    let error = match control::ask(&socket, request) {
        Ok((code, text)) => return tell(code, &text),
        Err(error) => error,
    };
    match matches!(error, AskError::NoDaemon(_)).then(|| config::load(source, env)) {
        Some(Err(found)) => problems(&found),
        _ => refuse(&socket, &error, nobody, if request == "reload" { MOVED } else { "" }),
    }
}

/// Where the daemon listens.
///
/// # Errors
/// What is wrong with the file, if that is all that can be told.
pub fn socket(source: &Source, env: &Env) -> Result<PathBuf, Vec<Problem>> {
    config::socket(source, env).map_or_else(|| config::load(source, env).map(|plan| plan.control), Ok)
}

/// The request for a silence: `silence SECONDS|open|healthy GLOB`.
pub fn silence(glob: &str, lasts: Lasts) -> String {
    let lasts = match lasts {
        Lasts::Open => "open".to_owned(),
        Lasts::UntilHealthy => "healthy".to_owned(),
        Lasts::For(time) => time.as_secs().to_string(),
    };
    ["silence ", &lasts, " ", glob].concat()
}

/// Says goodbye for good: through the daemon if it runs, since only its run may speak; else directly.
pub fn leave(plan: &Plan) -> ExitCode {
    if plan.clients.is_empty() {
        return fail(
            EXIT_FAILURE,
            &["leave: there is no [keepalive.client] in the configuration: nobody to say goodbye to"],
        );
    }
    match control::ask(&plan.control, "leave") {
        Err(AskError::NoDaemon(_)) => {
            let (all, text) = crate::run::leave_directly(plan);
            tell(if all { 0 } else { EXIT_FAILURE }, &text)
        }
        Ok((code, text)) => tell(code, &text),
        Err(error) => refuse(&plan.control, &error, EXIT_FAILURE, ""),
    }
}

/// Prints an answer; exits with `code`.
pub fn tell(code: u8, text: &str) -> ExitCode {
    let said = say(text);
    if code == 0 { said } else { code.into() }
}

/// Says why there is no answer; exits with `nobody` if nobody is there to give one.
pub fn refuse(socket: &Path, error: &AskError, nobody: u8, hint: &str) -> ExitCode {
    let (code, why) = why(socket, error, nobody);
    let hint = if matches!(error, AskError::NoDaemon(_)) { hint } else { "" };
    fail(code, &[&why, hint])
}

/// Why there is no answer, and the exit code for that: `nobody` if nobody is there to give one.
pub fn why(socket: &Path, error: &AskError, nobody: u8) -> (u8, String) {
    let socket = socket.to_string_lossy();
    match error {
        AskError::NoDaemon(error) => (nobody, ["no daemon answers at ", &socket, ": ", &error.to_string()].concat()),
        AskError::Denied(error) => {
            let hint = "; ask as the user that the daemon runs as";
            (EXIT_DENIED, [&*socket, ": ", &error.to_string(), hint].concat())
        }
        AskError::Refused(why) => (EXIT_FAILURE, why.clone()),
        AskError::Broken(error) => {
            let late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            let why = if late { "not in time; does it hang, or was it stopped?".to_owned() } else { error.to_string() };
            (nobody, ["the daemon at ", &socket, " did not answer: ", &why].concat())
        }
    }
}
