//! `job explain`: how a cron expression is read, and when it is due.

use std::process::ExitCode;

use crate::cli::args::job::next_five;
use crate::cli::say;
use crate::clock::Wall;
use crate::config::Plan;
use crate::jobs::cron::Schedule;
use crate::run::table::{Rows, line};
use crate::zone::Zone;

/// Prints it by the clocks of the configured zone.
pub fn explain(text: &str, schedule: &Schedule, plan: &Plan, now: Wall) -> ExitCode {
    let zone = Zone::load(plan.timezone.as_deref()).unwrap_or_else(|_| Zone::utc());
    say(&explained(text, schedule, &zone, now))
}

fn explained(text: &str, schedule: &Schedule, zone: &Zone, now: Wall) -> String {
    let mut out = String::new();
    line(&mut out, &[text]);
    let mut rows = Rows::bare();
    for (name, words) in schedule.words() {
        rows.row(&[&["  ", name].concat(), &words]);
    }
    rows.columns(&mut out);
    if schedule.is_either_day() {
        line(&mut out, &["  either of the two days is enough"]);
    }
    line(&mut out, &["next"]);
    for next in next_five(schedule, now, zone) {
        line(&mut out, &["  ", &zone.human(next)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation() {
        let schedule = Schedule::parse("30 2 1 * mon").unwrap();
        let zone = Zone::load(Some("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        // 2026-11-21 11:00 UTC.
        assert_eq!(
            explained("30 2 1 * mon", &schedule, &zone, Wall(1_795_258_800_000)),
            "30 2 1 * mon\n\
             \x20 second            0\n\
             \x20 minute            30\n\
             \x20 hour              2\n\
             \x20 day of the month  1\n\
             \x20 month             every\n\
             \x20 day of the week   mon\n\
             \x20 either of the two days is enough\n\
             next\n\
             \x20 2026-11-23 02:30:00 +01:00\n\
             \x20 2026-11-30 02:30:00 +01:00\n\
             \x20 2026-12-01 02:30:00 +01:00\n\
             \x20 2026-12-07 02:30:00 +01:00\n\
             \x20 2026-12-14 02:30:00 +01:00\n"
        );
    }
}
