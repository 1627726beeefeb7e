//! What a program says of something, by its exit code: as plug-ins of Nagios do, and as programs do in general.

use super::{Seen, bad};
use crate::alert::clean::quoted;
use crate::callback::exec::{self, Apart, End, Leash, Limits, Program, is_passing};
use crate::callback::result::{LATE, STOPPED};
use crate::callback::runner::{base, secrets};
use crate::clock::{Tick, tick};
use crate::config::plan::RunPlan;
use crate::run::threads::Stop;

/// Bytes of the output's beginning that are kept.
const KEEP: usize = 1024;
/// "Unknown" of the plug-ins: they could not look. The other codes are 0 for good, 1 and 2 for bad and worse; programs
/// that are no plug-ins know 0 and others.
const UNKNOWN: i32 = 3;

/// Runs the program to its end.
pub fn look(plan: &RunPlan, stop: &Stop, end: Tick) -> Seen {
    let envs = base(plan);
    let apart = Apart { dir: &plan.dir, user: plan.user.as_ref(), outlives: false };
    let program = Program { argv: &plan.argv, envs: &envs, apart: Some(apart) };
    let limits = Limits { time: end.since(tick()), keep: KEEP };
    let ran = exec::run_on(&program, b"", &limits, &Leash::default(), stop);
    match ran.end {
        End::Exit(code) => judge(code, &ran.head, &secrets(plan)),
        End::Signal(signal) => bad(["signal ", &signal.to_string()].concat()),
        End::TimedOut => bad(LATE),
        End::Stopped => (None, STOPPED.to_owned()),
        End::Failed(error) if is_passing(&error) => (None, error.to_string()),
        End::Failed(error) => bad([&plan.argv[0], ": ", &error.to_string()].concat()),
    }
}

/// The first line says it; figures stand behind a bar there.
fn judge(code: i32, output: &[u8], secrets: &[String]) -> Seen {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let said = quoted(line.split('|').next().unwrap_or_default(), KEEP, secrets);
    let good = match code {
        0 => return (Some(true), said),
        UNKNOWN => None,
        _ => Some(false),
    };
    (good, if said.is_empty() { ["exit code ", &code.to_string()].concat() } else { said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words() {
        for (code, output, good, said) in [
            (0, "", Some(true), ""),
            (
                0,
                "DISK OK - free space: / 3326 MB | /=2643MB;5948;5958;0;5968\nmore\n",
                Some(true),
                "DISK OK - free space: / 3326 MB",
            ),
            (1, "\n  DISK WARNING\n", Some(false), "DISK WARNING"),
            (2, "key hunter2 is wrong", Some(false), "key *** is wrong"),
            (3, "UNKNOWN: no such disk", None, "UNKNOWN: no such disk"),
            (3, " | x=1", None, "exit code 3"),
            (127, "", Some(false), "exit code 127"),
        ] {
            assert_eq!(judge(code, output.as_bytes(), &["hunter2".to_owned()]), (good, said.to_owned()), "{code}");
        }
        assert_eq!(judge(1, b"\xff\x1b[1m", &[]).1, "\u{fffd}\u{fffd}[1m");
    }
}
