//! Commands: what is asked on the command line, and the exit codes of its answer.

pub mod args;
pub mod check;
pub mod keygen;
pub mod remote;
pub mod test;

use std::io::Write;
use std::process::ExitCode;

use crate::config::{self, Env, Source};
use args::{Args, Command};
pub use check::EXIT_CONFIG;

/// The daemon's or the command's work failed.
pub const EXIT_FAILURE: u8 = 1;
/// `status`: nobody listens on the control socket.
pub const EXIT_NO_DAEMON: u8 = 2;
/// Not permitted (`EX_NOPERM` of sysexits.h).
pub const EXIT_DENIED: u8 = 77;

/// Runs the program.
pub fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            complain(&error.to_string());
            return args::EXIT_USAGE.into();
        }
    };
    let Args { config, command } = args;
    let env = Env::of_process();
    match command {
        Command::Help => return say(args::HELP),
        Command::Version => return say(concat!("interrupt-callback ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Keygen => {
            return match keygen::key() {
                Ok(key) => say(&key),
                Err(error) => fail(EXIT_FAILURE, &["no random bytes: ", &error.to_string()]),
            };
        }
        _ => {}
    }
    let source = Source::find(config.as_deref(), &env);
    let plan = match config::load(&source, &env) {
        Ok(plan) => plan,
        Err(problems) => {
            // As compilers write it, so that editors find the place.
            for problem in problems {
                mutter(&[&problem.to_string()]);
            }
            return EXIT_CONFIG.into();
        }
    };
    let run = matches!(command, Command::Check | Command::Run | Command::Reload);
    if let (true, Some(why)) = (run, plan.idle()) {
        let absent = if source.named || source.path.exists() { ": " } else { " (no such file): " };
        check::warnings(&plan);
        return fail(EXIT_CONFIG, &[&source.path.to_string_lossy(), absent, why]);
    }
    match command {
        Command::Check => check::run(&source.path, &plan),
        Command::Test(names) => test::run(&plan, &names),
        Command::Status { json } => remote::run(&plan, if json { "status json" } else { "status" }, EXIT_NO_DAEMON),
        Command::Simulate(kind) => remote::run(&plan, &["simulate ", kind.name()].concat(), EXIT_FAILURE),
        Command::Forget(glob) => remote::run(&plan, &["forget ", &glob].concat(), EXIT_FAILURE),
        Command::Leave => remote::leave(&plan),
        Command::Silence { glob, lasts } => remote::run(&plan, &remote::silence(&glob, lasts), EXIT_FAILURE),
        Command::Unsilence(glob) => remote::run(&plan, &["unsilence ", &glob].concat(), EXIT_FAILURE),
        Command::Reload => {
            check::warnings(&plan);
            remote::run(&plan, "reload", EXIT_FAILURE)
        }
        Command::History { glob, json } => {
            remote::run(&plan, &["history ", if json { "json " } else { "table " }, &glob].concat(), EXIT_FAILURE)
        }
        Command::Note(text) => remote::run(&plan, &["note ", &text].concat(), EXIT_FAILURE),
        _ => crate::run::daemon(plan, source, env),
    }
}

/// Prints `text` on standard output. A reader that went away (`| head`) is no error of ours.
pub fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => EXIT_FAILURE.into(),
        _ => ExitCode::SUCCESS,
    }
}

/// Prints a line on standard error.
pub fn complain(line: &str) {
    mutter(&["interrupt-callback: ", line]);
}

/// Prints a line on standard error, and returns `code`.
pub fn fail(code: u8, parts: &[&str]) -> ExitCode {
    complain(&parts.concat());
    code.into()
}

/// Prints a line on standard error as it is.
fn mutter(parts: &[&str]) {
    // In one write, so that lines of several programs do not mix. Nobody is left to hear it if this fails.
    let _ = std::io::stderr().write_all([&parts.concat(), "\n"].concat().as_bytes());
}
