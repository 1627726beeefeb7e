//! The answers to `job`: what is to be run, and what has been.

use std::time::Duration;

use super::Answers;
use crate::alert::clean::clean;
use crate::alert::message::span;
use crate::clock::{self, Now, Wall, millis};
use crate::config::plan::Language;
use crate::config::problem::quoted;
use crate::control::Answer;
use crate::event::Id;
use crate::jobs::book::Job;
use crate::jobs::cron::Schedule;
use crate::jobs::desk::{Desk, name_of};
use crate::jobs::run::{Run, State, What};
use crate::jobs::{New, Task, Where, at};
use crate::json::Writer;
use crate::keepalive::work::End;
use crate::order::order;
use crate::run::status::seconds;
use crate::run::table::{Rows, line};
use crate::zone::Zone;

/// Bytes of a message in a table, and of a reason.
const MAX_SHOWN: usize = 60;
/// Bytes of a message, as the allow-list of a host takes it.
const MAX_MESSAGE: usize = crate::agent::allow::MAX_MESSAGE;
/// Bytes of the name of a job or of a host.
const MAX_NAME: usize = 128;
/// Bytes of all runs in one answer as JSON: what a command reads of an answer at most is somewhat more.
const MAX_RUNS: usize = 12 << 20;
/// What is said of an end that a crash would undo.
const UNSAVED: &str = "not on disk yet";
/// Longest time from now to a run.
const MAX_IN: i64 = 3650 * 86_400_000;

impl Answers {
    /// `add …`, `run …`, `list table|json`, `cancel ID|NAME`, `log table|json [ID|NAME]`.
    pub(super) fn job(&self, argument: &str) -> Answer {
        let (desk, zone) = {
            let parts = self.reloader.parts();
            (parts.jobs(), parts.zone.clone())
        };
        let desk =
            desk.ok_or("there is neither [keepalive.server] nor a [[job]] in the configuration: no jobs here")?;
        let (action, rest) = argument.split_once(' ').unwrap_or((argument, ""));
        let now = clock::now();
        match action {
            "add" => desk.add_by_hand(rest, &zone, &now),
            "run" => desk.run_now(rest, &zone, &now),
            "cancel" => {
                let count = desk.cancel(&line_of(rest, MAX_NAME)?)?;
                let what = if count == 1 { " run or schedule" } else { " runs and schedules" };
                let ends = " taken back; what runs on a host ends when that hears of it\n";
                Ok((0, [&*count.to_string(), what, ends].concat()))
            }
            "list" => {
                let jobs = desk.read(|book| book.jobs().to_vec());
                let open = runs(&desk, &|run| !run.state.is_final());
                let form = if rest == "json" { list_json } else { list };
                Ok((0, form(&jobs, &open, &zone, &now)))
            }
            "log" => {
                let (form, which) = rest.split_once(' ').unwrap_or((rest, ""));
                let found = log(&desk, which)?;
                let unsaved = desk.read(|book| book.unsaved(&found));
                if form == "json" {
                    log_json(&found, &unsaved, &zone, &now)
                } else {
                    Ok((0, log_table(&found, Id::parse(which), &unsaved, &zone, &now)))
                }
            }
            _ => Err(["jobs: this daemon does not know ", &quoted(action)].concat()),
        }
    }
}

impl Desk {
    /// `ON` tab `now`, `in MS`, `at TIME` or `every CRON` tab `MESSAGE`.
    fn add_by_hand(&self, rest: &str, zone: &Zone, now: &Now) -> Answer {
        let new = new(rest, zone, now)?;
        let ids = self.add(&new)?;
        if let New::Every { message, on, cron } = &new {
            // It has no run yet: its name is what it can be taken back by.
            let same = |job: &&Job| {
                let made = job.by_hand && job.plan.on == *on && job.plan.what == Task::Message(message.clone());
                made && job.plan.cron.as_ref().is_some_and(|(text, _)| text == cron)
            };
            let job = self.read(|book| book.jobs().iter().find(same).cloned());
            let (name, next) = job.map(|job| (job.plan.name.clone(), job.next(zone))).unwrap_or_default();
            return Ok((0, ["added ", &name, ", next ", &time(next, zone), "\n"].concat()));
        }
        Ok((0, self.made(&ids, zone)))
    }

    /// `NAME` tab `HOST`, which may be empty.
    fn run_now(&self, rest: &str, zone: &Zone, _: &Now) -> Answer {
        let (name, on) = rest.split_once('\t').unwrap_or((rest, ""));
        let on = if on.is_empty() { None } else { Some(line_of(on, MAX_NAME)?) };
        let name = line_of(name, MAX_NAME)?;
        let calls = |job: &Job| job.plan.name == name && matches!(job.plan.what, Task::Url(_));
        if on.is_some() && self.read(|book| book.jobs().iter().any(calls)) {
            return Err([&quoted(&name), " is a call that this server makes: it runs on no host"].concat());
        }
        let ids = self.add(&New::Defined { name, on })?;
        Ok((0, self.made(&ids, zone)))
    }

    /// A line for each run that was added.
    fn made(&self, ids: &[Id], zone: &Zone) -> String {
        let order = order(ids.len(), &|a, b| ids[a] < ids[b]);
        let runs = runs(self, &|run| order.binary_search_by(|at| ids[*at].cmp(&run.key.id)).is_ok());
        let mut text = String::new();
        for run in &runs {
            let due = time(Some(run.due), zone);
            line(&mut text, &[&run.key.id.to_string(), " ", &shown(name_of(run)), " on ", &place(run), ", due ", &due]);
        }
        text
    }
}

/// What `add` is to add.
fn new(rest: &str, zone: &Zone, now: &Now) -> Result<New, String> {
    let mut parts = rest.splitn(3, '\t');
    let (Some(on), Some(when), Some(message)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("job add: where, when or what is missing".to_owned());
    };
    let (on, message) = (Where::parse(on)?, line_of(message, MAX_MESSAGE)?);
    let (word, value) = when.split_once(' ').unwrap_or((when, ""));
    if word == "every" {
        Schedule::parse(value).map_err(|error| ["--every ", &error.to_string()].concat())?;
        return Ok(New::Every { message, on, cron: value.to_owned() });
    }
    if word != "now" && !now.wall.is_set() {
        return Err("the clock of this host is not set: nobody knows when that will be".to_owned());
    }
    let due = match word {
        "now" => now.wall,
        "in" => {
            let ms = value.parse().ok().filter(|ms| (0..=MAX_IN).contains(ms));
            Wall(now.wall.0 + ms.ok_or_else(|| ["--in ", &quoted(value), " is out of range"].concat())?)
        }
        "at" => {
            let due = at::parse(value, zone).ok_or_else(|| [&quoted(value), at::WRONG].concat())?;
            if due <= now.wall {
                return Err([&time(Some(due), zone), " is over"].concat());
            }
            if due.0 - now.wall.0 > MAX_IN {
                return Err([&time(Some(due), zone), " is more than ten years off"].concat());
            }
            due
        }
        _ => return Err(["job add does not know when ", &quoted(word), " is"].concat()),
    };
    Ok(New::Once { message, on, due })
}

/// Text that came over the control socket, if it is one line of at most so many bytes.
fn line_of(text: &str, max: usize) -> Result<String, String> {
    if (1..=max).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err([&quoted(text), " is too long, empty, or holds a control character"].concat())
}

/// Copies of the runs that fit; the one that was due first comes first.
fn runs(desk: &Desk, fits: &dyn Fn(&Run) -> bool) -> Vec<Run> {
    let mut runs: Vec<Option<Run>> = desk.copies(fits).into_iter().map(Some).collect();
    let key = |at: usize| runs[at].as_ref().map(|run| (run.due, run.key.id));
    let order = order(runs.len(), &|a, b| key(a) < key(b));
    order.into_iter().filter_map(|at| runs[at].take()).collect()
}

/// What is defined, and the runs that have not ended.
fn list(jobs: &[Job], open: &[Run], zone: &Zone, now: &Now) -> String {
    let mut text = String::new();
    if jobs.is_empty() && open.is_empty() {
        return "no jobs\n".to_owned();
    }
    if !jobs.is_empty() {
        let mut rows = Rows::new(&["JOB", "CRON", "NEXT", "ON", "MESSAGE"]);
        for job in jobs {
            let cron = job.plan.cron.as_ref().map_or("-", |(text, _)| text);
            let next = job.next(zone).map_or_else(|| "-".to_owned(), |next| time(Some(next), zone));
            let (on, what) = on_and_what(job);
            rows.row(&[&job.plan.name, cron, &next, &on, &shown(&what)]);
        }
        rows.columns(&mut text);
    }
    if !open.is_empty() {
        text.push_str(if jobs.is_empty() { "" } else { "\n" });
        table(open, &[], zone, now, &mut text);
    }
    text
}

fn on_and_what(job: &Job) -> (String, String) {
    match &job.plan.what {
        Task::Message(message) => (job.plan.on.text(), message.clone()),
        Task::Url(hook) => {
            ("-".to_owned(), ["calls ", crate::alert::channel::http::host_of(hook.url.reveal())].concat())
        }
    }
}

fn list_json(jobs: &[Job], open: &[Run], zone: &Zone, now: &Now) -> String {
    let mut out = Writer::default();
    out.open('{').key("jobs").open('[');
    for job in jobs {
        let (on, what) = on_and_what(job);
        out.open('{').key("name").text(&job.plan.name).key("on").text(&on).key("message").text(&what);
        if let Some((text, _)) = &job.plan.cron {
            out.key("cron").text(text);
        }
        if let Some(next) = job.next(zone) {
            out.key("next").text(&zone.rfc3339(next));
        }
        out.key("added_by_hand").flag(job.by_hand).close('}');
    }
    out.close(']').key("runs");
    let left_out = runs_json(open, &[], zone, now, &mut out);
    if left_out > 0 {
        out.key("left_out").uint(left_out as u64);
    }
    out.close('}');
    ended(out)
}

/// The runs that `log` shows: all that have ended; those of a job; or the one of that id.
fn log(desk: &Desk, which: &str) -> Result<Vec<Run>, String> {
    let id = Id::parse(which);
    let found = runs(desk, &|run| match which {
        "" => run.state.is_final(),
        name => Some(run.key.id) == id || run.job == name,
    });
    let known = desk.read(|book| book.jobs().iter().any(|job| job.plan.name == which));
    known_as(which, found, known)
}

/// What was found, if there is such a thing at all.
fn known_as(which: &str, found: Vec<Run>, known: bool) -> Result<Vec<Run>, String> {
    if found.is_empty() && !known && !which.is_empty() {
        return Err(["there is no run or job called ", &quoted(which)].concat());
    }
    Ok(found)
}

/// `id`: the one that was asked for, if it was one. `unsaved`: ends that are not on disk yet.
fn log_table(runs: &[Run], id: Option<Id>, unsaved: &[Id], zone: &Zone, now: &Now) -> String {
    let mut text = String::new();
    match runs {
        [] => text.push_str("no runs yet\n"),
        [run] if id == Some(run.key.id) => detail(run, unsaved, zone, now, &mut text),
        runs => table(runs, unsaved, zone, now, &mut text),
    }
    text
}

fn log_json(runs: &[Run], unsaved: &[Id], zone: &Zone, now: &Now) -> Answer {
    let mut out = Writer::default();
    if runs_json(runs, unsaved, zone, now, &mut out) > 0 {
        return Err("that is more than one answer holds: ask for one run by its id".to_owned());
    }
    Ok((0, ended(out)))
}

fn table(runs: &[Run], unsaved: &[Id], zone: &Zone, now: &Now, text: &mut String) {
    let mut rows = Rows::new(&["RUN", "JOB", "ON", "STATE", "SINCE", "DUE", "TOOK", "REMARKS"]);
    for run in runs {
        let since = run.since.wall(now).map_or_else(|| "-".to_owned(), |since| zone.human(since));
        rows.row(&[
            &run.key.id.to_string(),
            &shown(name_of(run)),
            &place(run),
            run.state.name(),
            &since,
            &time(Some(run.due), zone),
            &took(run).unwrap_or_else(|| "-".to_owned()),
            &remarks(run, unsaved),
        ]);
    }
    rows.columns(text);
}

fn detail(run: &Run, unsaved: &[Id], zone: &Zone, now: &Now, text: &mut String) {
    let since = run.since.wall(now).map_or_else(|| "unknown time".to_owned(), |since| zone.human(since));
    let mut rows = Rows::bare();
    for (name, value) in [
        ("run", run.key.id.to_string()),
        ("job", run.job.clone()),
        ("message", run.what.text().to_owned()),
        ("on", on_of(run)),
        ("host", run.host.clone()),
        ("state", run.state.name().to_owned()),
        ("remarks", if unsaved.contains(&run.key.id) { UNSAVED.to_owned() } else { String::new() }),
        ("since", since),
        ("made", time(Some(run.made), zone)),
        ("due", time(Some(run.due), zone)),
        ("attempt", run.key.attempt.to_string()),
        ("took", took(run).unwrap_or_default()),
        ("result", run.done.as_ref().map(|done| done.words()).unwrap_or_default()),
        ("refused by", run.refused.join(", ")),
    ] {
        if !value.is_empty() {
            rows.row(&[name, &value]);
        }
    }
    rows.columns(text);
    let output = run.done.as_ref().map_or("", |done| &done.out);
    if !output.is_empty() {
        text.push('\n');
        output.trim_end().split('\n').for_each(|part| line(text, &[part]));
    }
}

/// One array. Times are RFC 3339, durations are seconds; what is not known is left out. How many runs had no room in the
/// answer.
fn runs_json(runs: &[Run], unsaved: &[Id], zone: &Zone, now: &Now, into: &mut Writer) -> usize {
    into.open('[');
    let mut room = MAX_RUNS;
    for (at, run) in runs.iter().enumerate() {
        let out = &mut Writer::default();
        out.open('{').key("run").text(&run.key.id.to_string()).key("state").text(run.state.name());
        let (result, output) = run.done.as_ref().map_or((String::new(), ""), |done| (done.words(), &*done.out));
        // Of runs that go on there may be too many for what an earlier attempt said.
        let output = if run.state.is_final() { output } else { "" };
        for (key, text) in [
            ("job", &*run.job),
            ("message", run.what.text()),
            ("on", &on_of(run)),
            ("host", &run.host),
            ("result", &result),
            ("output", output),
        ] {
            if !text.is_empty() {
                out.key(key).text(text);
            }
        }
        for (key, wall) in [("made", Some(run.made)), ("due", Some(run.due)), ("since", run.since.wall(now))] {
            if let Some(wall) = wall.filter(|wall| wall.is_set()) {
                out.key(key).text(&zone.rfc3339(wall));
            }
        }
        out.key("attempt").uint(run.key.attempt.into()).key("epoch").uint(run.key.epoch.into());
        if let Some(done) = &run.done {
            seconds(out, "took", done.took);
            // That of a refusal is between host and server.
            if let Some(code) = done.code.filter(|_| done.end != End::Refused) {
                out.key("exit_code").int(code.into());
            }
        }
        if unsaved.contains(&run.key.id) {
            out.key("on_disk").flag(false);
        }
        out.close('}');
        let one = std::mem::take(out).into_string();
        if one.len() > room {
            into.close(']');
            return runs.len() - at;
        }
        room -= one.len();
        into.raw(&one);
    }
    into.close(']');
    0
}

fn ended(out: Writer) -> String {
    let mut text = out.into_string();
    text.push('\n');
    text
}

fn took(run: &Run) -> Option<String> {
    let done = run.done.as_ref().filter(|done| done.took > 0)?;
    let took = Duration::from_millis(done.took.unsigned_abs());
    Some(if millis(took) < 1000 { "under 1 s".to_owned() } else { span(Language::En, took) })
}

fn remarks(run: &Run, unsaved: &[Id]) -> String {
    let attempt = (run.key.attempt > 1).then(|| ["attempt ", &run.key.attempt.to_string()].concat());
    let asked = (run.cancelled && !run.state.is_final()).then(|| "to be ended".to_owned());
    let back = (run.back && !run.state.is_final()).then(|| "to be handed back".to_owned());
    let result = run.done.as_ref().filter(|_| run.state != State::Succeeded).map(|done| shown(&done.words()));
    let unsaved = unsaved.contains(&run.key.id).then(|| UNSAVED.to_owned());
    [attempt, asked, back, result, unsaved].into_iter().flatten().collect::<Vec<String>>().join(", ")
}

/// The host that has it, else where it may go.
fn place(run: &Run) -> String {
    if run.host.is_empty() { on_of(run) } else { run.host.clone() }
}

/// Where it may go; nowhere if this server makes a call.
fn on_of(run: &Run) -> String {
    if run.what == What::Url { "this server".to_owned() } else { Where::One(run.on.clone()).text() }
}

fn time(wall: Option<Wall>, zone: &Zone) -> String {
    wall.filter(|wall| wall.is_set()).map_or_else(|| "unknown time".to_owned(), |wall| zone.human(wall))
}

fn shown(text: &str) -> String {
    clean(text, MAX_SHOWN)
}

#[cfg(test)]
mod tests;
