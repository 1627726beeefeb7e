//! A program as a channel: it gets the message as JSON on its standard input, and every field as an environment
//! variable (`IC_TITLE`, `IC_TEXT`, `IC_KIND`, …), so that a shell script needs no JSON.

use super::http::MAX_QUOTE;
use super::template::{Fields, fields};
use super::{Tools, rendered};
use crate::alert::clean::quoted;
use crate::alert::{Message, Verdict, json};
use crate::callback::exec::{self, End, Limits, Outcome};
use crate::clock;
use crate::config::plan::ChannelPlan;

/// Bytes of the beginning and of the end of the output that are kept.
const KEEP: usize = 4096;

/// Runs the program.
pub(super) fn attempt(plan: &ChannelPlan, argv: &[String], message: &Message, tools: &Tools<'_>) -> Verdict {
    let now = clock::now();
    let text = rendered(plan, message, &now, tools.zone);
    // With a line break at its end, as `read` in a shell wants it.
    let input = json::document(message, &text, &now, tools.zone) + "\n";
    let envs = variables(fields(message, &text, plan.language, &now, tools.zone));
    let limits = Limits { time: plan.timeout, keep: KEEP };
    let program = argv.first().map_or("", String::as_str);
    verdict(program, &exec::run(argv, input.as_bytes(), &envs, &limits, tools.stop))
}

/// Fields as environment variables; those that are empty too, so that none is left over from somewhere else.
pub fn variables(fields: Fields) -> Vec<(String, String)> {
    let mut variables = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        variables.push((["IC_", &name.to_ascii_uppercase()].concat(), value));
    }
    variables
}

/// The verdict of a run. Exit codes are those of sysexits.h where it has one: 65 (bad data) and 64 (usage) concern
/// this message; 75 (temporary failure) is a failure like any other; 77 (no permission), 78 (configuration), and the
/// shell's 126 and 127 (cannot be run, not found) want a person.
pub fn verdict(program: &str, outcome: &Outcome) -> Verdict {
    let (what, code) = match &outcome.end {
        End::Exit(code) => (["exit code ", &code.to_string()].concat(), Some(*code)),
        End::Signal(signal) => (["signal ", &signal.to_string()].concat(), None),
        End::TimedOut => ("not done in time, killed".to_owned(), None),
        End::Stopped => ("killed at shutdown".to_owned(), None),
        // As the shell calls what it cannot start.
        End::Failed(error) => (error.to_string(), if exec::is_passing(error) { None } else { Some(127) }),
    };
    let mut why = [program, ": ", &what].concat();
    for line in outcome.head.split(|byte| *byte == b'\n') {
        let line = quoted(&String::from_utf8_lossy(line), MAX_QUOTE, &[]);
        if !line.is_empty() {
            why.push_str(": ");
            why.push_str(&line);
            break;
        }
    }
    match code {
        Some(0) => Verdict::Delivered,
        Some(64 | 65) => Verdict::GiveUp(why),
        Some(77 | 78 | 126 | 127) => Verdict::Broken(why),
        _ => {
            let sent = !matches!(outcome.end, End::Failed(_));
            Verdict::Retry { why, after: None, channel: true, answered: code.is_some(), sent }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn judged(end: End, output: &str) -> Verdict {
        verdict("prog", &Outcome { end, head: output.as_bytes().to_vec(), tail: Vec::new(), dropped: 0 })
    }

    #[test]
    fn every_end_has_its_verdict() {
        assert_eq!(judged(End::Exit(0), "noise"), Verdict::Delivered);
        for code in [1, 2, 75, 99, 255] {
            let verdict = judged(End::Exit(code), "");
            assert!(matches!(verdict, Verdict::Retry { channel: true, answered: true, .. }), "{code} {verdict:?}");
        }
        let failed = End::Failed(rustix::io::Errno::NOMEM.into());
        for (end, ran) in [(End::Signal(9), true), (End::TimedOut, true), (End::Stopped, true), (failed, false)] {
            let Verdict::Retry { channel: true, answered: false, sent, .. } = judged(end, "") else { panic!() };
            assert_eq!(sent, ran);
        }
        for code in [77, 78, 126, 127] {
            assert!(matches!(judged(End::Exit(code), ""), Verdict::Broken(_)), "{code}");
        }
        assert!(matches!(judged(End::Exit(65), ""), Verdict::GiveUp(_)));
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert!(matches!(judged(End::Failed(kind.into()), ""), Verdict::Broken(_)), "{kind}");
        }
    }

    #[test]
    fn the_reason_quotes_one_harmless_line() {
        let Verdict::Retry { why, .. } = judged(End::Exit(1), "\n  no\u{1b}[1m route \nmore") else { panic!() };
        assert_eq!(why, "prog: exit code 1: no\u{FFFD}[1m route");
    }
}
