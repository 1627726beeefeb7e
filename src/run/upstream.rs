//! The watcher's watcher: a request every period, as long as the watchdog turns.
//!
//! A service of the kind of healthchecks.io tells when the requests stop: then this process, this machine or its
//! network is gone, and with it everything that could have told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::config::plan::UpstreamPlan;
use crate::fetch::{Fetch, Limits, Request, host_of};
use crate::resolve::Resolver;
use crate::run::threads::{HTTP_STACK, Stop, spawn};

/// For the connection, …
const CONNECT: Duration = Duration::from_secs(10);
/// … for the whole exchange, …
const TOTAL: Duration = Duration::from_secs(15);
/// … and bytes of the answer, which nobody looks at.
const BODY: u64 = 64 * 1024;
/// From the start to the first request: by then the watchdog has turned.
const FIRST: Duration = Duration::from_secs(1);

/// The watchdog sleeps a second at most; after so long without a turn it hangs.
const STILL: Duration = Duration::from_secs(3);

/// What is to be done when a request is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// The watchdog has turned: ask. `again` if it had not the last time.
    Ask {
        /// It turns again.
        again: bool,
    },
    /// It has not turned for too long.
    Stuck {
        /// It had the last time.
        new: bool,
    },
}

/// What is remembered from one request to the next.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// Turns that were counted the last time.
    turns: u32,
    /// When the last new ones were counted.
    turned: Option<Tick>,
    stuck: bool,
    failing: bool,
}

impl Pulse {
    /// A request is due, and the watchdog has turned so often.
    pub fn due(&mut self, turns: u32, now: Tick) -> Due {
        if turns != self.turns {
            self.turned = Some(now);
        }
        let (stuck, before) = (self.turned.is_none_or(|turned| now.since(turned) >= STILL), self.stuck);
        self.turns = turns;
        self.stuck = stuck;
        if stuck { Due::Stuck { new: !before } } else { Due::Ask { again: before } }
    }

    /// Whether the last request failed; true if the one before it did not end the same way.
    pub fn ended(&mut self, failed: bool) -> bool {
        std::mem::replace(&mut self.failing, failed) != failed
    }
}

/// Starts the thread. `turns` counts the turns of the watchdog.
///
/// # Errors
/// When the system has no room for another thread.
pub fn start(
    plan: &UpstreamPlan,
    turns: Arc<AtomicU32>,
    resolver: Arc<Resolver>,
    stop: &Stop,
) -> io::Result<JoinHandle<()>> {
    let (plan, stop) = (plan.clone(), stop.clone());
    spawn("upstream", HTTP_STACK, move || {
        let fetch = Fetch::new(Limits { connect: CONNECT, total: TOTAL, body: BODY, proxy: true }, resolver);
        let mut pulse = Pulse::default();
        let mut wait = FIRST;
        while !stop.wait(wait) {
            let begun = clock::tick();
            turn(&mut pulse, &plan, turns.load(Ordering::Relaxed), &fetch);
            wait = plan.period.saturating_sub(clock::tick().since(begun));
        }
    })
}

fn turn(pulse: &mut Pulse, plan: &UpstreamPlan, turns: u32, fetch: &Fetch) {
    match pulse.due(turns, clock::tick()) {
        Due::Stuck { new: true } => log::error!("upstream: the watchdog does not turn, so nobody is asked"),
        Due::Ask { again: true } => log::info!("upstream: the watchdog turns again"),
        Due::Stuck { .. } | Due::Ask { .. } => {}
    }
    if pulse.stuck {
        return;
    }
    let url = plan.url.reveal();
    let why = match fetch.send(&Request { method: "GET", url, headers: &[], body: None }) {
        Ok(answer) if (200..300).contains(&answer.status) => None,
        Ok(answer) => Some(["HTTP ", &answer.status.to_string()].concat()),
        Err(error) => Some(error.text().to_owned()),
    };
    if pulse.ended(why.is_some()) {
        let host = host_of(url);
        match why {
            Some(why) => log::warn!("upstream: {host}: {why}"),
            None => log::info!("upstream: {host} answers again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_watchdog_that_turns_is_told_of() {
        let mut pulse = Pulse::default();
        for (secs, turns, want) in [
            (1, 0, Due::Stuck { new: true }),
            (30, 3, Due::Ask { again: true }),
            (60, 4, Due::Ask { again: false }),
            (90, 4, Due::Stuck { new: true }),
            (120, 4, Due::Stuck { new: false }),
            (150, 5, Due::Ask { again: true }),
            // A period as short as the watchdog's sleep sees a second without a turn now and then.
            (151, 5, Due::Ask { again: false }),
            (152, 5, Due::Ask { again: false }),
            (153, 5, Due::Stuck { new: true }),
            (154, u32::MAX, Due::Ask { again: true }),
            (155, 0, Due::Ask { again: false }),
        ] {
            assert_eq!(pulse.due(turns, Tick(secs * 1000)), want, "{secs}");
        }
    }

    #[test]
    fn a_failure_is_said_once() {
        let mut pulse = Pulse::default();
        let said: Vec<bool> =
            [false, true, true, false, false, true].into_iter().map(|failed| pulse.ended(failed)).collect();
        assert_eq!(said, [false, true, false, true, false, true]);
    }
}
