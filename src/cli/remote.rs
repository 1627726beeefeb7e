//! Commands that the running daemon carries out.

use std::process::ExitCode;

use crate::cli::{EXIT_DENIED, EXIT_FAILURE, fail, say};
use crate::config::plan::Plan;
use crate::control::{self, AskError};
use crate::keepalive::silences::Lasts;

/// Asks the daemon and prints its answer; exits with the code that it gives, or `nobody` if there is none.
pub fn run(plan: &Plan, request: &str, nobody: u8) -> ExitCode {
    match control::ask(&plan.control, request) {
        Ok((code, text)) => tell(code, &text),
        Err(error) => refuse(plan, &error, nobody),
    }
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
        Err(error) => refuse(plan, &error, EXIT_FAILURE),
    }
}

fn tell(code: u8, text: &str) -> ExitCode {
    let said = say(text);
    if code == 0 { said } else { code.into() }
}

fn refuse(plan: &Plan, error: &AskError, nobody: u8) -> ExitCode {
    let socket = plan.control.to_string_lossy();
    match error {
        AskError::NoDaemon(error) => fail(nobody, &["no daemon answers at ", &socket, ": ", &error.to_string()]),
        AskError::Denied(error) => {
            fail(EXIT_DENIED, &[&socket, ": ", &error.to_string(), "; ask as the user that the daemon runs as"])
        }
        AskError::Refused(why) => fail(EXIT_FAILURE, &[why]),
        AskError::Broken(error) => {
            fail(EXIT_FAILURE, &["the daemon at ", &socket, " did not answer: ", &error.to_string()])
        }
    }
}
