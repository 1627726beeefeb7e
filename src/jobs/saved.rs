//! The book on disk.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Now, Wall, millis};
use crate::event::Moment;
use crate::jobs::book::Job;
use crate::jobs::cron::Schedule;
use crate::jobs::run::{Notify, On, Run, State, Terms, What};
use crate::jobs::{JobPlan, Overlap, Task, Where};
use crate::json::{self, Writer};
use crate::keepalive::work::{read_done, read_key, write_done, write_key};

/// The file of definitions, in the folder of the sheets.
pub const FIRED: &str = "fired.json";

/// The file of a sheet, below the state directory.
pub fn file(number: u64) -> String {
    ["jobs/", &(number + 100).to_string()[1..], ".json"].concat()
}

/// A sheet.
pub fn write_runs(runs: &mut dyn Iterator<Item = &Box<Run>>, now: &Now) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("runs").open('[');
    for run in runs {
        write_run(run, &mut out, now);
    }
    out.close(']').close('}');
    out.into_bytes()
}

/// Reads what [`write_runs`] wrote.
pub fn read_runs(bytes: &[u8]) -> Option<Vec<Run>> {
    let value = json::read(bytes)?;
    value.get("runs")?.as_array()?.iter().map(read_run).collect()
}

fn write_run(run: &Run, out: &mut Writer, now: &Now) {
    write_key(run.key, out);
    for (key, text) in [("job", &*run.job), ("host", &run.host), ("boot", &run.boot)] {
        if !text.is_empty() {
            out.key(key).text(text);
        }
    }
    if let What::Message(message) = &run.what {
        out.key("message").text(message);
    }
    let (key, on) = match &run.on {
        On::Host(name) => ("on", name),
        On::Any(glob) => ("any", glob),
    };
    out.key(key).text(on).key("made").int(run.made.0).key("due").int(run.due.0).key("state").text(run.state.name());
    run.since.refreshed(now).write(out.key("since"));
    write_terms(&run.terms, out);
    if !run.lease.is_zero() {
        out.key("lease").int(millis(run.lease));
    }
    if !run.refused.is_empty() {
        out.key("refused").open('[');
        for host in &run.refused {
            out.text(host);
        }
        out.close(']');
    }
    for (key, flag) in [("cancelled", run.cancelled), ("back", run.back), ("told", run.told)] {
        if flag {
            out.key(key).flag(true);
        }
    }
    if run.free != run.since {
        run.free.refreshed(now).write(out.key("free"));
    }
    if let Some(ordered) = run.ordered {
        ordered.refreshed(now).write(out.key("ordered"));
    }
    if let Some(done) = &run.done {
        write_done(done, out.key("done"));
    }
    out.close('}');
}

fn read_run(value: &Value) -> Option<Run> {
    let text = |key| json::text(value, key).unwrap_or_default().to_owned();
    let state = json::text(value, "state")?;
    let on = match json::text(value, "on") {
        Some(host) => On::Host(host.to_owned()),
        None => On::Any(json::text(value, "any")?.to_owned()),
    };
    let refused = json::list(value, "refused").iter().filter_map(|host| Some(host.as_str()?.to_owned()));
    Some(Run {
        key: read_key(value)?,
        job: text("job"),
        what: json::text(value, "message").map_or(What::Url, |message| What::Message(message.to_owned())),
        on,
        terms: read_terms(value)?,
        made: Wall(json::int(value, "made")?),
        due: Wall(json::int(value, "due")?),
        state: State::ALL.into_iter().find(|known| known.name() == state)?,
        since: Moment::read(value.get("since")?)?,
        free: Moment::read(value.get("free").or(value.get("since"))?)?,
        host: text("host"),
        lease: json::uint(value, "lease").map(Duration::from_millis).unwrap_or_default(),
        refused: refused.collect(),
        cancelled: json::flag(value, "cancelled"),
        back: json::flag(value, "back"),
        boot: text("boot"),
        told: json::flag(value, "told"),
        telling: 0,
        ordered: match value.get("ordered") {
            Some(ordered) => Some(Moment::read(ordered)?),
            None => None,
        },
        done: match value.get("done") {
            Some(done) => Some(read_done(done)?),
            None => None,
        },
    })
}

const NOTIFY: [(&str, Notify); 3] =
    [("always", Notify::Always), ("failure", Notify::Failure), ("never", Notify::Never)];

/// Only what differs from the usual, as keys of the object that is open.
fn write_terms(terms: &Terms, out: &mut Writer) {
    let usual = Terms::default();
    let ms = |time: Option<Duration>| time.map_or(-1, millis);
    for (key, number, same) in [
        ("within", millis(terms.start_within), millis(usual.start_within)),
        ("timeout", ms(terms.timeout), ms(usual.timeout)),
        ("retries", i64::from(terms.retries), i64::from(usual.retries)),
        ("every", millis(terms.retry_every), millis(usual.retry_every)),
    ] {
        if number != same {
            out.key(key).int(number);
        }
    }
    for (key, flag) in [("idempotent", terms.idempotent), ("failover", terms.failover), ("finish", terms.finish)] {
        if flag {
            out.key(key).flag(true);
        }
    }
    if terms.notify != usual.notify {
        let name = NOTIFY.iter().find(|(_, notify)| *notify == terms.notify).map_or("", |(name, _)| name);
        out.key("notify").text(name);
    }
}

fn read_terms(value: &Value) -> Option<Terms> {
    let usual = Terms::default();
    let span = |key| json::uint(value, key).map(Duration::from_millis);
    let notify = match json::text(value, "notify") {
        Some(name) => NOTIFY.iter().find(|(known, _)| *known == name)?.1,
        None => usual.notify,
    };
    Some(Terms {
        start_within: span("within").unwrap_or(usual.start_within),
        timeout: span("timeout"),
        retries: json::uint(value, "retries").and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        retry_every: span("every").unwrap_or(usual.retry_every),
        idempotent: json::flag(value, "idempotent"),
        failover: json::flag(value, "failover"),
        finish: json::flag(value, "finish"),
        notify,
    })
}

/// The sheet of definitions: when each last fired, and all of those that were added by hand.
pub fn write_jobs(jobs: &[Job]) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("jobs").open('[');
    for job in jobs {
        out.open('{').key("name").text(&job.plan.name).key("fired").int(job.fired.0);
        if job.by_hand
            && let (Some((cron, _)), Task::Message(message)) = (&job.plan.cron, &job.plan.what)
        {
            let (key, on) = match &job.plan.on {
                Where::One(On::Host(host)) => ("on", host),
                Where::One(On::Any(glob)) => ("any", glob),
                Where::All(glob) => ("all", glob),
            };
            out.key("cron").text(cron).key("message").text(message).key(key).text(on);
        }
        out.close('}');
    }
    out.close(']').close('}');
    out.into_bytes()
}

/// Reads what [`write_jobs`] wrote.
pub fn read_jobs(bytes: &[u8]) -> Option<Vec<Job>> {
    let value = json::read(bytes)?;
    value.get("jobs")?.as_array()?.iter().map(read_job).collect()
}

fn read_job(value: &Value) -> Option<Job> {
    let text = |key| json::text(value, key).map(str::to_owned);
    let cron = match text("cron") {
        Some(cron) => Some((cron.clone(), Schedule::parse(&cron).ok()?)),
        None => None,
    };
    let on = match (text("on"), text("all")) {
        (Some(host), _) => Where::One(On::Host(host)),
        (_, Some(glob)) => Where::All(glob),
        _ => Where::One(On::Any(text("any").unwrap_or_default())),
    };
    Some(Job {
        by_hand: cron.is_some(),
        left_out: false,
        fired: Wall(json::int(value, "fired")?),
        plan: JobPlan {
            name: text("name")?,
            cron,
            what: Task::Message(text("message").unwrap_or_default()),
            on,
            terms: Terms::default(),
            prepare: Vec::new(),
            overlap: Overlap::Skip,
            catch_up: None,
        },
    })
}
