//! `[[job]]`: what runs where and when.

use std::time::Duration;

use crate::agent::allow::{MAX_MESSAGE, URL};
use crate::alert::route::glob_matches;
use crate::config::alert::address;
use crate::config::alert::webhook::webhook;
use crate::config::plan::{ChannelKind, ServerPlan};
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::event::Id;
use crate::jobs::cron::Schedule;
use crate::jobs::run::{Notify, On, Terms};
use crate::jobs::{JobPlan, Overlap, Task, Where};
use crate::secret::Secret;

/// Jobs in all.
const MAX_JOBS: usize = 256;
/// Bytes of a name.
const MAX_NAME: usize = 32;
/// What the names of schedules begin with that are added by hand.
const BY_HAND: &str = "every-";
/// Bytes of `on`: a host's name has at most 128.
const MAX_ON: usize = 136;
/// Entries of `prepare`. With its message an offer fits a reply, whatever is in them.
const MAX_PREPARE: usize = 4;
/// Most `retries`.
const MAX_RETRIES: u32 = 1000;
/// Shortest and longest `start_within`, `timeout`, `retry_every` and `catch_up`.
const START_WITHIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
const RETRY_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));
const CATCH_UP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * 86_400));
/// What only a call by this server has, and what only a run on a host.
const OF_CALLS: [&str; 3] = ["method", "headers", "body"];
const OF_HOSTS: [&str; 3] = ["prepare", "failover", "on_lost"];

/// `[[job]]`, in the order of the file.
pub fn jobs(root: &mut Table<'_>, server: Option<&ServerPlan>) -> Vec<JobPlan> {
    let Some(item) = root.get("job") else { return Vec::new() };
    let mut jobs: Vec<JobPlan> = Vec::new();
    for entry in item.list(MAX_JOBS).unwrap_or_default() {
        let Some(table) = entry.table() else { continue };
        jobs.extend(job(table, &jobs, server));
    }
    jobs
}

fn job(mut table: Table<'_>, before: &[JobPlan], server: Option<&ServerPlan>) -> Option<JobPlan> {
    let name = table.need("name", "; write name = \"backup\"").and_then(|item| name(&item, before));
    let cron = table.get("cron").map_or(Some(None), |item| cron(&item).map(Some));
    let place = table.get("on");
    let on = place.map(|item| on(&item));
    let what = what(&mut table, place.is_some());
    let on = match (on, &what) {
        (Some(on), _) => on,
        // Nothing of it is used: this server makes the call.
        (None, Some(Task::Url(_))) => Some(Where::One(On::Any("*".to_owned()))),
        (None, Some(Task::Message(_))) => {
            table.missing("on", "; write on = \"any\", \"all\" or the name of a host");
            None
        }
        (None, None) => None,
    };
    let elsewhere = matches!(on, Some(Where::One(On::Any(_))));
    let terms = terms(&mut table, elsewhere);
    if let (Some(Task::Message(message)), Some(item)) = (&what, table.get("failover"))
        && message.split(' ').find(|word| !word.is_empty()) == Some(URL)
        && terms.failover
        && !terms.idempotent
    {
        item.bad::<()>(
            "needs idempotent = true for a url: a call that is under way may have been heard, and is repeated",
        );
    }
    let prepare = table.get("prepare").map_or(Some(Vec::new()), |item| prepare(&item));
    let overlap = match table.choice("overlap", &["skip", "queue", "kill"]) {
        None | Some(0) => Overlap::Skip,
        Some(1) => Overlap::Queue,
        Some(_) => Overlap::Kill,
    };
    let late = table.get("catch_up");
    let catch_up = late.and_then(|item| item.span(CATCH_UP));
    if let (Some(late), Some(None)) = (&late, &cron) {
        late.bad::<()>("goes with cron: what runs by hand alone is never missed");
    }
    if let (Some(item), Some(on)) = (&place, &on) {
        reached(item, on, server);
    }
    table.finish();
    Some(JobPlan { name: name?, cron: cron?, what: what?, on: on?, terms, prepare: prepare?, overlap, catch_up })
}

fn name(item: &Item<'_>, before: &[JobPlan]) -> Option<String> {
    let name = item.text()?;
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(good) {
        item.bad("a job's name has 1 to 32 letters, digits, - and _")
    } else if name.starts_with(BY_HAND) || Id::parse(name).is_some() {
        item.bad("looks like the name of a schedule that was added by hand, or like the id of a run")
    } else if before.iter().any(|other| other.name == name) {
        item.bad(&["another job is called ", &quoted(name), " too"].concat())
    } else {
        Some(name.to_owned())
    }
}

fn cron(item: &Item<'_>) -> Option<(String, Schedule)> {
    let text = item.text()?;
    match Schedule::parse(text) {
        Ok(schedule) => Some((text.trim().to_owned(), schedule)),
        Err(error) => item.bad(&error.to_string()),
    }
}

/// Where; the same on the command line.
fn on(item: &Item<'_>) -> Option<Where> {
    match Where::parse(item.line(MAX_ON)?) {
        Ok(on) => Some(on),
        Err(why) => item.bad(&why),
    }
}

/// What it does: exactly one of `message` and `url`.
fn what(table: &mut Table<'_>, on_a_host: bool) -> Option<Task> {
    let (message, url) = (table.get("message"), table.get("url"));
    let called = url.is_some() && message.is_none() && !on_a_host;
    // Asked for, so that a key in the wrong place is no unknown one.
    for (keys, fits, goes_with) in [
        (&OF_CALLS[..], called, "goes with a url that this server calls itself, so without on and message"),
        (&OF_HOSTS, !called, "goes with a job that runs on a host: write on = \"any\", \"all\" or its name"),
    ] {
        for key in keys {
            if let Some(item) = table.get(key).filter(|_| !fits) {
                item.bad::<()>(goes_with);
            }
        }
    }
    match (message, url) {
        (Some(item), None) => self::message(&item).map(Task::Message),
        (None, Some(item)) if on_a_host => {
            let text = item.text()?;
            let url = address(&item, &Secret::new(text.to_owned()))?;
            let message = [URL, " ", &url.text].concat();
            if message.len() > MAX_MESSAGE { item.bad("is too long for a host") } else { Some(Task::Message(message)) }
        }
        (None, Some(_)) => match webhook(table)? {
            ChannelKind::Webhook(hook) => Some(Task::Url(hook)),
            _ => None,
        },
        (None, None) => {
            table.missing("message", "; write message = \"…\" as the host's [agent] lists it, or url = \"…\"");
            None
        }
        _ => table.item().bad("has both message and url"),
    }
}

fn message(item: &Item<'_>) -> Option<String> {
    let text = item.line(MAX_MESSAGE)?;
    if text.trim().is_empty() { item.bad("is empty") } else { Some(text.to_owned()) }
}

fn prepare(item: &Item<'_>) -> Option<Vec<String>> {
    let entries = item.list(MAX_PREPARE)?;
    let mut messages = Vec::with_capacity(entries.len());
    for entry in &entries {
        messages.extend(message(entry));
    }
    (messages.len() == entries.len()).then_some(messages)
}

/// `elsewhere`: it can move.
fn terms(table: &mut Table<'_>, elsewhere: bool) -> Terms {
    let usual = Terms::default();
    let mut flag = |key| table.get(key).and_then(|item| item.flag()).unwrap_or(false);
    let (idempotent, failover) = (flag("idempotent"), flag("failover"));
    if let Some(item) = table.get("failover").filter(|_| failover && !elsewhere) {
        item.bad::<()>("needs on = \"any\": otherwise there is no host that it could move to");
    }
    let on_lost = table.get("on_lost");
    let finish = on_lost.as_ref().and_then(|item| item.choice(&["kill", "finish"])) == Some(1);
    if let Some(item) = on_lost.filter(|_| finish && !(idempotent && failover)) {
        item.bad::<()>(
            "\"finish\" needs failover = true and idempotent = true: it may run on two hosts at the same time",
        );
    }
    Terms {
        start_within: table.span("start_within", START_WITHIN).unwrap_or(usual.start_within),
        timeout: table.span("timeout", TIMEOUT),
        retries: table.whole("retries", 0, MAX_RETRIES).unwrap_or(usual.retries),
        retry_every: table.span("retry_every", RETRY_EVERY).unwrap_or(usual.retry_every),
        idempotent,
        failover,
        finish,
        notify: match table.choice("notify", &["failure", "always", "never"]) {
            None | Some(0) => Notify::Failure,
            Some(1) => Notify::Always,
            Some(_) => Notify::Never,
        },
    }
}

/// Whether a host can get it at all.
fn reached(item: &Item<'_>, on: &Where, server: Option<&ServerPlan>) {
    let Some(server) = server else {
        return item
            .bad("needs [keepalive.server]: hosts get their jobs in the answers to their beats")
            .unwrap_or_default();
    };
    let mut bound = server.users.iter().filter_map(|user| user.host.as_deref());
    let (found, who) = match on {
        Where::One(On::Host(name)) => (bound.any(|host| host == name), "this host"),
        Where::One(On::Any(glob)) | Where::All(glob) => (bound.any(|host| glob_matches(glob, host)), "such a host"),
    };
    if !found {
        item.warn(
            &["no user in [keepalive.server.users] is bound to ", who, " (host = \"…\"): it gets no jobs"].concat(),
        );
    }
}
