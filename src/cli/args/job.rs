//! The command line of `job`.

use std::time::Duration;

use super::{UsageError, operand, unknown};
use crate::clock::Wall;
use crate::config::problem::quoted;
use crate::config::units::parse_span;
use crate::event::Id;
use crate::jobs::cron::Schedule;
use crate::jobs::{Where, at};
use crate::zone::Zone;

/// Longest `--in`.
const MAX_IN: Duration = Duration::from_secs(3650 * 86_400);
/// Bytes of a message, of a name and of a host's name.
const MAX_MESSAGE: usize = 1024;
const MAX_NAME: usize = 128;

/// Options that may come with it; the first is another command's.
pub const OPTIONS: [&str; 5] = ["--for", "--on", "--in", "--at", "--every"];
const ACTIONS: [&str; 6] = ["add", "run", "list", "cancel", "log", "explain"];

/// What is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// The daemon is asked this.
    Ask(String),
    /// Says how a cron expression is read.
    Explain(Box<str>, Box<Schedule>),
}

/// Reads what follows `job`; `values` are those of [`OPTIONS`].
pub fn parse(operands: &mut Vec<String>, values: [Option<String>; 5], json: bool) -> Result<Job, UsageError> {
    let action = operand(operands, "add, run, list, cancel, log or explain")?;
    let form = if json { "json" } else { "table" };
    let given = values.each_ref().map(Option::is_some);
    // `--for` is not for `job` at all, which is said elsewhere.
    let takes = match action.as_str() {
        "add" => [true; 5],
        "run" => [true, true, false, false, false],
        "list" | "cancel" | "log" | "explain" => [true, false, false, false, false],
        other => return Err(unknown("action", other, &ACTIONS)),
    };
    for (at, option) in OPTIONS.iter().enumerate() {
        if given[at] && !takes[at] {
            return Err(UsageError(["job ", &*action, " takes no option ", option].concat()));
        }
    }
    if json && !matches!(&*action, "list" | "log") {
        return Err(UsageError(["job ", &*action, " takes no option --json"].concat()));
    }
    let request = match &*action {
        "add" => add(operands, values)?,
        "run" => {
            let name = line(operand(operands, "the name of a [[job]]")?, "a job's name", MAX_NAME)?;
            let [_, on, ..] = values;
            let on = on.map(|on| line(on, "a host's name", MAX_NAME)).transpose()?;
            [&name, "\t", &on.unwrap_or_default()].concat()
        }
        "list" => form.to_owned(),
        "cancel" => which(operand(operands, "the id of a run, or the name of a job")?)?,
        "log" if operands.is_empty() => form.to_owned(),
        "log" => [form, " ", &which(operands.remove(0))?].concat(),
        _ => {
            let text = operand(operands, "a cron expression in quotes")?;
            // A shell that saw no quotes makes words of it.
            let text = [&[text], &operands[..]].concat().join(" ");
            operands.clear();
            return Ok(Job::Explain(text.as_str().into(), Box::new(schedule(&text, "")?)));
        }
    };
    Ok(Job::Ask(["job ", &action, " ", &request].concat()))
}

/// `ON` tab `now`, `in MS`, `at TIME` or `every CRON` tab `MESSAGE`: none of them has a tab in it.
fn add(operands: &mut Vec<String>, values: [Option<String>; 5]) -> Result<String, UsageError> {
    let [_, on, within, at, every] = values;
    if [&within, &at, &every].iter().filter(|value| value.is_some()).count() > 1 {
        return Err(UsageError("--in, --at and --every do not go together".to_owned()));
    }
    let on = on.ok_or_else(|| UsageError("job add needs --on with a host, any or all".to_owned()))?;
    Where::parse(&on).map_err(|why| UsageError(["--on ", &why].concat()))?;
    let when = if let Some(text) = within {
        ["in ", &span(&text)?.as_millis().to_string()].concat()
    } else if let Some(text) = at {
        at::parse(&text, &Zone::utc()).ok_or_else(|| UsageError(["--at ", &quoted(&text), at::WRONG].concat()))?;
        ["at ", &text].concat()
    } else if let Some(text) = every {
        schedule(&text, "--every ")?;
        ["every ", &text].concat()
    } else {
        "now".to_owned()
    };
    if operands.is_empty() {
        return Err(UsageError("an argument is missing: a message that the [agent] of a host lists".to_owned()));
    }
    let message = line(std::mem::take(operands).join(" "), "a message", MAX_MESSAGE)?;
    if message.trim().is_empty() {
        return Err(UsageError("the message is empty".to_owned()));
    }
    Ok([&*on, "\t", &when, "\t", &message].concat())
}

fn span(text: &str) -> Result<Duration, UsageError> {
    // Here, as in the configuration, a bare number is seconds.
    let bare = text.parse().ok().map(Duration::from_secs);
    match bare.map_or_else(|| parse_span(text), Ok) {
        Ok(span) if span <= MAX_IN => Ok(span),
        Ok(_) => Err(UsageError(["--in ", &quoted(text), " is out of range; it goes from 0s to 3650d"].concat())),
        Err(why) => Err(UsageError(["--in ", &quoted(text), " ", why].concat())),
    }
}

fn schedule(text: &str, option: &str) -> Result<Schedule, UsageError> {
    let schedule = Schedule::parse(text);
    schedule.map_err(|error| UsageError([option, &quoted(text), ": ", &error.to_string()].concat()))
}

fn which(text: String) -> Result<String, UsageError> {
    if text.is_empty() || Id::parse(&text).is_none() && text.contains(' ') {
        return Err(UsageError([&quoted(&text), " is neither the id of a run nor the name of a job"].concat()));
    }
    line(text, "a job's name", MAX_NAME)
}

fn line(text: String, what: &str, max: usize) -> Result<String, UsageError> {
    if (1..=max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(UsageError([what, " has 1 to ", &max.to_string(), " bytes and no control characters"].concat()))
}

/// When a schedule is due next: five times at most.
pub fn next_five(schedule: &Schedule, now: Wall, zone: &Zone) -> Vec<Wall> {
    let mut times = Vec::new();
    let mut after = now;
    while let (true, Some(next)) = (times.len() < 5, schedule.next(after, zone)) {
        times.push(next);
        after = next;
    }
    times
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Command, parse};
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        let words = words.iter().map(|word| OsString::from(*word));
        parse(words).map(|args| args.command).map_err(|error| error.to_string())
    }

    #[test]
    fn requests() {
        for (words, want) in [
            (&["job", "add", "--on", "any", "df -h"][..], "job add any\tnow\tdf -h"),
            (&["job", "add", "--on=nas@home", "--", "df", "-h"], "job add nas@home\tnow\tdf -h"),
            (&["job", "add", "--in", "15d", "--on", "all:web*", "off"], "job add all:web*\tin 1296000000\toff"),
            (&["job", "add", "--in", "90", "--on", "any", "x"], "job add any\tin 90000\tx"),
            (&["job", "add", "--at", "2026-12-01 02:00", "--on", "any", "x"], "job add any\tat 2026-12-01 02:00\tx"),
            (&["job", "--every", "0 2 * * *", "add", "x", "--on", "any"], "job add any\tevery 0 2 * * *\tx"),
            (&["job", "run", "backup"], "job run backup\t"),
            (&["job", "run", "backup", "--on", "nas"], "job run backup\tnas"),
            (&["job", "list"], "job list table"),
            (&["job", "list", "--json"], "job list json"),
            (&["job", "cancel", "0123456789abcdef"], "job cancel 0123456789abcdef"),
            (&["job", "cancel", "every-0123"], "job cancel every-0123"),
            (&["job", "log"], "job log table"),
            (&["job", "log", "backup", "--json"], "job log json backup"),
        ] {
            assert_eq!(parsed(words), Ok(Command::Job(Job::Ask(want.to_owned()))), "{words:?}");
        }
        for words in [&["job", "explain", "*/5 * * * *"][..], &["job", "explain", "*/5", "*", "*", "*", "*"]] {
            let Ok(Command::Job(Job::Explain(text, _))) = parsed(words) else { panic!("{words:?}") };
            assert_eq!(&*text, "*/5 * * * *");
        }
    }

    #[test]
    fn mistakes() {
        let long = "x".repeat(1025);
        for (words, want) in [
            (&["job"][..], "an argument is missing: add, run, list, cancel, log or explain"),
            (&["job", "lsit"], "unknown action \"lsit\", did you mean \"list\"?"),
            (&["job", "add", "x"], "job add needs --on with a host, any or all"),
            (&["job", "add", "--on", "any"], "an argument is missing: a message that the [agent] of a host lists"),
            (&["job", "add", "--on", "any", ""], "a message has 1 to 1024 bytes and no control characters"),
            (&["job", "add", "--on", "any", " "], "the message is empty"),
            (&["job", "add", "--on", "any", &long], "a message has 1 to 1024 bytes and no control characters"),
            (&["job", "add", "--on", "any", "a\nb"], "a message has 1 to 1024 bytes and no control characters"),
            (&["job", "add", "--on", "any", "a\tb"], "a message has 1 to 1024 bytes and no control characters"),
            (&["job", "add", "--on", "a\tb", "x"], "--on a host's name has 1 to 128 bytes and no control characters"),
            (&["job", "add", "--on", "web*", "x"], "--on \"web*\" is a pattern; write \"any:web*\" or \"all:web*\""),
            (
                &["job", "add", "--on", "any", "--in", "5k", "x"],
                "--in \"5k\" is not a duration; write seconds as a number, or text such as \"500ms\", \"30s\", \"5m\", \"2h\", \"15d\"",
            ),
            (
                &["job", "add", "--on", "any", "--in", "3651d", "x"],
                "--in \"3651d\" is out of range; it goes from 0s to 3650d",
            ),
            (
                &["job", "add", "--on", "any", "--at", "noon", "x"],
                "--at \"noon\" is no time; write \"2026-12-01 02:00\"",
            ),
            (
                &["job", "add", "--on", "any", "--every", "x", "x"],
                "--every \"x\": has 1 fields; write five (minute, hour, day of the month, month, day of the week), or six with the second before them",
            ),
            (
                &["job", "add", "--on", "any", "--at", "x", "--in", "5", "x"],
                "--in, --at and --every do not go together",
            ),
            (&["job", "add", "--on", "any", "--for", "5", "x"], "job takes no option --for"),
            (&["job", "add", "--on", "any", "--on", "all", "x"], "option --on is given twice"),
            (&["job", "add", "--on"], "option --on needs a host, any or all"),
            (&["job", "add", "--on", "any", "--json", "x"], "job add takes no option --json"),
            (&["job", "run"], "an argument is missing: the name of a [[job]]"),
            (&["job", "run", "a", "b"], "job takes no argument \"b\""),
            (&["job", "run", "a", "--in", "5"], "job run takes no option --in"),
            (&["job", "cancel"], "an argument is missing: the id of a run, or the name of a job"),
            (&["job", "cancel", ""], "\"\" is neither the id of a run nor the name of a job"),
            (&["job", "list", "x"], "job takes no argument \"x\""),
            (&["job", "list", "--on", "any"], "job list takes no option --on"),
            (&["job", "explain", "61 * * * *"], "\"61 * * * *\": the minute \"61\" goes from 0 to 59"),
            (&["status", "--on", "any"], "status takes no option --on"),
        ] {
            assert_eq!(parsed(words), Err(format!("{want}; see interrupt-callback help")), "{words:?}");
        }
    }
}
