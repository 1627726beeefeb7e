//! Commands: what is asked on the command line, and the exit codes of its answer.

pub mod args;
pub mod attempt;
pub mod causes;
pub mod check;
#[cfg(feature = "jobs")]
pub mod job;
pub mod keygen;
pub mod remote;
pub mod samples;
pub mod send;
pub mod spot;
pub mod test;
#[cfg(feature = "probes")]
pub mod watch;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

#[cfg(feature = "jobs")]
use crate::agent::guard;
use crate::callback::exec;
use crate::config::{self, Env, Problem, Source};
#[cfg(feature = "jobs")]
use args::job::Job;
use args::{Args, Command};
pub use check::EXIT_CONFIG;

/// The daemon's or the command's work failed.
pub const EXIT_FAILURE: u8 = 1;
/// `status`: nobody listens on the control socket.
pub const EXIT_NO_DAEMON: u8 = 2;
/// `send`: it is kept and not yet told (`EX_TEMPFAIL` of sysexits.h).
pub const EXIT_QUEUED: u8 = 75;
/// Not permitted (`EX_NOPERM` of sysexits.h).
pub const EXIT_DENIED: u8 = 77;

/// Runs the program.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == exec::DRAIN_WORD) {
        return drain();
    }
    #[cfg(feature = "jobs")]
    if std::env::args_os().nth(1).is_some_and(|word| word == guard::WORD) {
        // What runs comes from this program itself, which has it as text.
        let words: Vec<String> = std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned()).collect();
        return guard::run(&words);
    }
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
    let asked = if command == Command::Run { crate::run::hear_early() } else { Arc::default() };
    let ask = |request: &str, nobody: u8| remote::run(&source, &env, request, nobody);
    match &command {
        #[cfg(feature = "probes")]
        Command::Status { watch: Some(every), .. } => return watch::run(&source, &env, *every),
        Command::Status { json, .. } => return ask(if *json { "status json" } else { "status" }, EXIT_NO_DAEMON),
        Command::Simulate(kind) => return ask(&["simulate ", kind.name()].concat(), EXIT_FAILURE),
        Command::Forget(glob) => return ask(&["forget ", glob].concat(), EXIT_FAILURE),
        Command::Silence { glob, lasts } => return ask(&remote::silence(glob, *lasts), EXIT_FAILURE),
        Command::Unsilence(glob) => return ask(&["unsilence ", glob].concat(), EXIT_FAILURE),
        Command::Reload => return ask("reload", EXIT_FAILURE),
        Command::History { glob, json } => {
            return ask(&["history ", if *json { "json " } else { "table " }, glob].concat(), EXIT_FAILURE);
        }
        Command::Send(said) => return send::run(&source, &env, said),
        #[cfg(feature = "jobs")]
        Command::Job(Job::Ask(request)) => return ask(request, EXIT_FAILURE),
        Command::Note(text) => return ask(&["note ", text].concat(), EXIT_FAILURE),
        _ => {}
    }
    let plan = match config::load(&source, &env) {
        Ok(plan) => plan,
        Err(found) => return problems(&found),
    };
    let run = matches!(command, Command::Check | Command::Run);
    if let (true, Some(why)) = (run, plan.idle()) {
        let absent = if source.named || source.path.exists() { ": " } else { " (no such file): " };
        check::warnings(&plan);
        return fail(EXIT_CONFIG, &[&source.path.to_string_lossy(), absent, why]);
    }
    match command {
        Command::Check => check::run(&source.path, &plan),
        Command::Spot => spot::run(&plan),
        Command::Test { names, kind } => test::run(&plan, &names, kind),
        Command::Leave => remote::leave(&plan),
        #[cfg(feature = "jobs")]
        Command::Job(Job::Explain(text, schedule)) => job::explain(&text, &schedule, &plan, crate::clock::wall()),
        _ => crate::run::daemon(plan, source, env, &asked),
    }
}

/// Reads what a callback says that has outlived its daemon, which it would die of if nobody did.
fn drain() -> ExitCode {
    let (mut said, mut bytes) = (std::io::stdin().lock(), [0; 4096]);
    loop {
        match said.read(&mut bytes) {
            Ok(0) => return ExitCode::SUCCESS,
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return EXIT_FAILURE.into(),
            _ => {}
        }
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

/// Prints what is wrong with a file, as compilers write it, so that editors find the place.
fn problems(found: &[Problem]) -> ExitCode {
    for problem in found {
        mutter(&[&problem.to_string()]);
    }
    EXIT_CONFIG.into()
}

/// Prints a line on standard error as it is.
fn mutter(parts: &[&str]) {
    // In one write, so that lines of several programs do not mix. Nobody is left to hear it if this fails.
    let _ = std::io::stderr().write_all([&parts.concat(), "\n"].concat().as_bytes());
}
