//! `[resource]`: what a machine may not run short of.

use std::time::Duration;

use toml::de::DeValue;

use crate::clock::millis;
use crate::config::alert::hosts;
use crate::config::table::{Item, Table};
use crate::config::units::decimal;
use crate::resource::ResourcePlan;
use crate::resource::rules::Limit;
use crate::resource::what::{COUNT, What};

/// Shortest and longest `interval`.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(30);
/// Shortest and longest `for`.
const HOLDS: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(86_400));
/// For so long it must be too much.
const HOLD: Duration = Duration::from_secs(5 * 60);
/// For so long it must be enough again, unless `for` is shorter.
const REST: Duration = Duration::from_secs(60);
/// Entries of `disks`, and bytes of each.
const MAX_DISKS: usize = 16;
const MAX_DISK: usize = 128;

/// `[resource]`.
pub fn resource(root: &mut Table<'_>) -> Option<ResourcePlan> {
    let mut table = root.table("resource")?;
    let interval = table.span("interval", INTERVALS).unwrap_or(INTERVAL);
    let hold = table.span("for", HOLDS).unwrap_or(HOLD);
    let disks = table.get("disks").map(|item| disks(&item));
    let hosts = hosts(table.get("hosts"));
    let mut limits = [None; COUNT];
    for (what, slot) in What::ALL.into_iter().zip(&mut limits) {
        *slot = limit(&mut table, what, hold);
    }
    if limits == [None; COUNT] {
        table.item().warn("every resource is switched off: nothing is watched");
    }
    table.finish();
    Some(ResourcePlan { interval, disks, hosts, limits })
}

/// A number; `false` or `true`; or a table with `high`, `clear` and `for`.
fn limit(table: &mut Table<'_>, what: What, hold: Duration) -> Option<Limit> {
    let row = what.row();
    let item = table.get(row.key);
    let mut plan = Limit { high: row.usual, clear: what.usual_clear(row.usual), hold, rest: hold.min(REST) };
    let Some(item) = item else { return row.on.then_some(plan) };
    match item.value {
        DeValue::Boolean(on) => return on.then_some(plan),
        DeValue::Table(_) => {
            let mut table = item.table()?;
            plan.hold = table.span("for", HOLDS).unwrap_or(hold);
            plan.rest = plan.hold.min(REST);
            plan.high = table.get("high").and_then(|item| number(&item, what, row.range)).unwrap_or(row.usual);
            let clear = table.get("clear");
            table.finish();
            plan.clear = what.usual_clear(plan.high);
            if let Some(item) = clear {
                plan.clear = number(&item, what, (0, row.range.1))?;
                if plan.clear >= plan.high {
                    return item.bad(&["must be below high, which is ", &what.show(plan.high)].concat());
                }
            }
        }
        _ => {
            plan.high = number(&item, what, row.range)?;
            plan.clear = what.usual_clear(plan.high);
        }
    }
    Some(plan)
}

fn number(item: &Item<'_>, what: What, (min, max): (i64, i64)) -> Option<i64> {
    let scale = what.row().scale;
    let digits = match item.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) if scale > 1 => number.as_str(),
        _ if scale == 0 => {
            let span = item.span((Duration::ZERO, Duration::MAX))?;
            return within(item, what, i64::try_from(span.as_secs()).ok(), (min, max));
        }
        _ if scale == 1 => return item.wrong_type("a whole number, true, false or a table"),
        _ => return item.wrong_type("a number, true, false or a table"),
    };
    within(item, what, decimal(digits, scale.max(1).into()).map(millis), (min, max))
}

fn within(item: &Item<'_>, what: What, number: Option<i64>, (min, max): (i64, i64)) -> Option<i64> {
    match number.filter(|number| (min..=max).contains(number)) {
        Some(number) => Some(number),
        None => item.bad(&["is out of range; it goes from ", &what.show(min), " to ", &what.show(max)].concat()),
    }
}

/// Folders whose file systems count.
fn disks(item: &Item<'_>) -> Vec<String> {
    let mut disks: Vec<String> = Vec::new();
    for entry in item.list(MAX_DISKS).unwrap_or_default() {
        match entry.line(MAX_DISK) {
            Some(path) if !path.starts_with('/') => entry.bad::<()>("must begin with a /"),
            Some(path) if disks.iter().any(|other| other == path) => entry.bad("is named twice"),
            Some(path) => {
                disks.push(path.to_owned());
                None
            }
            None => None,
        };
    }
    disks
}

#[cfg(test)]
mod tests;
