//! What `check` says of agent and jobs.

use super::host_of;
use crate::agent::AgentPlan;
use crate::agent::allow::Shape;
use crate::clock::Wall;
use crate::config::units::show_span;
use crate::jobs::{JobPlan, Task};
use crate::zone::Zone;

/// The lines on `[agent]`: what may run by its names alone, since command lines may hold secrets.
pub fn agent(plan: &AgentPlan, line: &mut dyn FnMut(&str, &[&str])) {
    let from = match (&plan.server, &plan.queue) {
        (Some(server), None) => ["jobs of ", server].concat(),
        (Some(server), Some(queue)) => ["jobs of ", server, " and of ", host_of(queue.url.reveal())].concat(),
        (None, Some(queue)) => ["jobs of ", host_of(queue.url.reveal())].concat(),
        (None, None) => "jobs of nobody".to_owned(),
    };
    line("agent    ", &[&from, ", ", &plan.most.to_string(), " at once, ", &show_span(plan.allow.timeout), " each"]);
    let what = plan.allow.entries.iter().map(|entry| match entry.shape {
        Shape::Shortcut => "shortcut ",
        Shape::Command { .. } => "command  ",
        Shape::Template(_) => "template ",
    });
    let mut what = what.chain(std::iter::repeat("calls    "));
    for entry in plan.allow.help_lines() {
        line("  ", &[what.next().unwrap_or_default(), entry.strip_prefix("url ").unwrap_or(&entry)]);
    }
}

/// A line for each `[[job]]`.
pub fn jobs(plans: &[JobPlan], now: Wall, zone: &Zone, line: &mut dyn FnMut(&str, &[&str])) {
    for plan in plans {
        let what = match &plan.what {
            Task::Message(message) => [message, " on ", &plan.on.text()].concat(),
            Task::Url(hook) => ["calls ", host_of(hook.url.reveal())].concat(),
        };
        let when = match &plan.cron {
            None => "by hand".to_owned(),
            Some((text, schedule)) => {
                let next = schedule.next(now, zone).map_or("never".to_owned(), |next| zone.human(next));
                [text, ", next ", &next].concat()
            }
        };
        line("job      ", &[&plan.name, ": ", &what, "; ", &when]);
    }
}
