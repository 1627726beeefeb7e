//! What `check` says of probes and pings.

use crate::config::plan::Plan;
use crate::config::units::show_span;

/// A line for each.
pub fn probes(plan: &Plan, line: &mut dyn FnMut(&str, &[&str])) {
    for probe in &plan.probes {
        let how = if probe.passive { ", passive" } else { "" };
        let (after, parent) = probe.depends_on.as_ref().map_or(("", ""), |parent| ("; explained by ", parent.name()));
        let (fails, window) = (probe.rule.max_fails.to_string(), show_span(probe.rule.window));
        let rule = ["; down after ", &*fails, if fails == "1" { " failure" } else { " failures" }, " within ", &window];
        // What it reads costs nothing: that is as often as it ever is.
        let interval = if probe.passive { probe.fast } else { probe.interval };
        let every = [" every ", &*show_span(interval)].concat();
        let what = [probe.what.kind(), " ", &probe.what.target()].concat();
        line("probe    ", &[&probe.name, ": ", &what, &every, how, &rule.concat(), after, parent]);
    }
    #[cfg(feature = "status")]
    for ping in plan.http.iter().flat_map(|http| &http.pings) {
        let (period, grace) = (show_span(ping.period), show_span(ping.grace));
        line("ping     ", &[&ping.name, ": missed ", &grace, " after ", &period, " without one"]);
    }
}
