//! `[[probe]]`: what is looked at, how often, and what makes it up or down.

mod what;

use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::config::units::{nearest, show_span};
use crate::event::Severity;
use crate::keepalive::heard::name_is_valid;
use crate::probe::watch::Rule;
use crate::probe::{Parent, ProbePlan};

/// Probes in all.
const MAX_PROBES: usize = 64;
/// Bytes of a name, also of a ping's.
pub const MAX_NAME: usize = 63;
/// `interval`: usual, shortest and longest.
const INTERVAL: Duration = Duration::from_secs(60);
const INTERVALS: (Duration, Duration) = (MIN_FAST, Duration::from_secs(86_400));
/// `fast` is no shorter.
const MIN_FAST: Duration = Duration::from_secs(1);
/// Of an interval, unless `fast` says otherwise.
const FAST: u32 = 4;
/// `timeout`: usual, shortest and longest.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(300));
/// `max_fails` and `min_rises`: usual and most.
const MAX_FAILS: u32 = 3;
const MIN_RISES: u32 = 2;
const MOST: u32 = 100;
/// `fail_timeout`: shortest and longest.
const WINDOWS: (Duration, Duration) = (MIN_FAST, Duration::from_secs(7 * 86_400));
/// Names of `severity`.
const SEVERITIES: [&str; 2] = ["warning", "critical"];

/// `[[probe]]`, in the order of the file. `watches`: there is a server, which knows hosts.
pub fn probes(root: &mut Table<'_>, watches: bool) -> Vec<Arc<ProbePlan>> {
    let pings = pings(root);
    let mut plans: Vec<ProbePlan> = Vec::new();
    let mut parents = Vec::new();
    for entry in root.get("probe").and_then(|item| item.list(MAX_PROBES)).unwrap_or_default() {
        let Some(mut table) = entry.table() else { continue };
        let named = table.need("name", "; it stands in messages and in status");
        let name = named.and_then(|item| name(&item));
        if let (Some(item), Some(name)) = (named, name) {
            if plans.iter().any(|plan| plan.name == name) {
                item.bad::<()>("is the name of another probe too");
            } else if pings.iter().any(|ping| ping == name) {
                item.bad::<()>("is the name of a [[http.ping]] too");
            }
        }
        let depends = table.get("depends_on");
        let what = what::what(&mut table);
        let plan = probe(&mut table, what);
        table.finish();
        // Problems are told in any case; a probe without a name still has others.
        if let Some(plan) = plan {
            plans.push(ProbePlan { name: name.unwrap_or_default().to_owned(), ..plan });
            parents.push(depends);
        }
    }
    for (at, item) in parents.iter().enumerate() {
        let parent = item.and_then(|item| parent(&item, &plans, at, &pings, watches));
        plans[at].depends_on = parent;
    }
    for (at, item) in parents.iter().enumerate() {
        if let (Some(item), true) = (item, turns(&plans, at)) {
            item.bad::<()>("leads back to this probe: whose failure explains whose?");
        }
    }
    plans.into_iter().map(Arc::new).collect()
}

/// The names of the pings, which are read later.
fn pings(root: &Table<'_>) -> Vec<String> {
    let http = root.named().find(|(name, _)| *name == "http").map(|(_, item)| item.value);
    let Some(DeValue::Table(http)) = http else { return Vec::new() };
    let Some(DeValue::Array(pings)) = http.get("ping").map(|pings| pings.get_ref()) else { return Vec::new() };
    let name = |ping: &DeValue<'_>| match ping {
        DeValue::Table(ping) => Some(ping.get("name")?.get_ref().as_str()?.to_owned()),
        _ => None,
    };
    pings.iter().filter_map(|ping| name(ping.get_ref())).collect()
}

/// The name of a probe or of a ping.
pub fn name<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item.text()? {
        name if name.len() <= MAX_NAME && name_is_valid(name) => Some(name),
        _ => item.bad("must have 1 to 63 bytes and no control characters"),
    }
}

fn probe(table: &mut Table<'_>, what: Option<crate::probe::what::What>) -> Option<ProbePlan> {
    let interval = table.span("interval", INTERVALS).unwrap_or(INTERVAL);
    let within = |item: Option<Item<'_>>, range, usual: Duration| {
        let Some(item) = item else { return usual.min(interval) };
        let span = item.span(range).unwrap_or(range.0);
        if span > interval {
            item.bad::<()>(&["is longer than interval, ", &show_span(interval)].concat());
        }
        span.min(interval)
    };
    let timeout = within(table.get("timeout"), TIMEOUTS, TIMEOUT);
    let fast = within(table.get("fast"), (MIN_FAST, INTERVALS.1), (interval / FAST).max(MIN_FAST));
    let max_fails = table.whole("max_fails", 1, MOST).unwrap_or(MAX_FAILS);
    let min_rises = table.whole("min_rises", 1, MOST).unwrap_or(MIN_RISES);
    let windowed = table.get("fail_timeout");
    let window = windowed.and_then(|item| item.span(WINDOWS));
    let passive = table.get("passive");
    let is_passive = passive.and_then(|item| item.flag()) == Some(true);
    let severity = table.choice("severity", &SEVERITIES);
    // From the end of one failure to that of the next, however it fails.
    let gap = if is_passive { fast } else { fast.max(timeout) };
    let least = gap * max_fails;
    if let (Some(item), Some(window)) = (windowed, window)
        && window < least
    {
        let fails = max_fails.to_string();
        let parts = [
            "never holds ",
            &*fails,
            " failures: they come up to ",
            &show_span(gap),
            " apart (fast, timeout); it must be at \
             least ",
            &show_span(least),
        ];
        item.bad::<()>(&parts.concat());
    }
    let what = what?;
    if let (Some(item), true, None) = (passive, is_passive, what.address()) {
        item.bad::<()>("needs something that this program connects to: tcp or http");
    }
    Some(ProbePlan {
        name: String::new(),
        what,
        interval,
        fast,
        timeout,
        rule: Rule { max_fails: max_fails as usize, window: window.unwrap_or(interval * max_fails), min_rises },
        depends_on: None,
        passive: is_passive,
        severity: if severity == Some(0) { Severity::Warning } else { Severity::Critical },
    })
}

fn parent(item: &Item<'_>, plans: &[ProbePlan], at: usize, pings: &[String], watches: bool) -> Option<Parent> {
    let text = item.line(128)?;
    let mut names: Vec<&str> = pings.iter().map(String::as_str).collect();
    names.extend(plans.iter().map(|plan| &*plan.name));
    if plans[at].name == text {
        return item.bad("is this probe itself");
    }
    if names.contains(&text) {
        return Some(Parent::Probe(text.to_owned()));
    }
    // A host has its name before the sign, or all of it in stars.
    match (text.contains(['@', '*', '?']), watches) {
        (true, true) => Some(Parent::Host(text.to_owned())),
        (true, false) => item.bad("is no probe, and without [keepalive.server] no host is known here"),
        _ => {
            let near = nearest(text, &names).map(|near| ["; did you mean \"", near, "\"?"].concat());
            let near = near.unwrap_or_else(|| "; a host is written as \"nas@home\" or \"nas*\"".to_owned());
            item.bad(&[&quoted(text), " is no probe", &near].concat())
        }
    }
}

/// Whether those that explain the probe at `at` lead back to it.
fn turns(plans: &[ProbePlan], at: usize) -> bool {
    let mut next = &plans[at];
    for _ in 0..plans.len() {
        let Some(Parent::Probe(name)) = &next.depends_on else { return false };
        let Some(parent) = plans.iter().find(|plan| plan.name == *name) else { return false };
        if parent.name == plans[at].name {
            return true;
        }
        next = parent;
    }
    false
}
