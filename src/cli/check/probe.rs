//! What `check` says of probes, pings and resources.

use crate::cli::mutter;
use crate::config::plan::Plan;
use crate::config::units::show_span;
use crate::probe::look::icmp;
use crate::probe::what::What as Looked;
use crate::resource::ResourcePlan;
use crate::resource::what::What;

/// Writes to standard error what probes cannot do here.
pub fn warnings(plan: &Plan) {
    if plan.probes.iter().any(|probe| matches!(probe.what, Looked::Icmp { .. })) && icmp::nobody_may() {
        mutter(&["warning: probe.icmp: ", icmp::NOT_ALLOWED]);
    }
}

/// A line for each.
pub fn probes(plan: &Plan, line: &mut dyn FnMut(&str, &[&str])) {
    plan.resource.iter().for_each(|plan| resource(plan, line));
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

/// What is watched, and how often.
fn resource(plan: &ResourcePlan, line: &mut dyn FnMut(&str, &[&str])) {
    let mut names = String::new();
    for what in What::ALL.into_iter().filter(|what| plan.limit(*what).is_some()) {
        names.push_str(if names.is_empty() { "" } else { ", " });
        names.push_str(what.row().label);
    }
    line("resource ", &[&names, " every ", &show_span(plan.interval)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Env};

    #[test]
    fn what_is_watched() {
        let text = "[resource]\ntemperature = false\ninodes = false\ninterval = \"1m\"\n";
        let plan = config::parse(text, "FILE", &Env::new(false, &[("HOME", "/h")])).unwrap();
        let mut told = String::new();
        let mut line = |what: &str, parts: &[&str]| told.push_str(&[what, &parts.concat()].concat());
        resource(plan.resource.as_ref().unwrap(), &mut line);
        assert_eq!(told, "resource load per core, memory, disk, file descriptors every 1m");
    }
}
