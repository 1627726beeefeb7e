//! Who is shown that the program lives: the service manager, and a server upstream.

use std::io;

use super::Parts;
use crate::config::plan::{Plan, UpstreamPlan};
use crate::keepalive::watchdog;
use crate::run::parts::change::say;
use crate::run::threads::{SMALL_STACK, Stop, spawn};
use crate::run::upstream;

impl Parts {
    pub(super) fn witness(
        &mut self,
        old: Option<&Plan>,
        plan: Option<&UpstreamPlan>,
        said: &mut String,
    ) -> io::Result<()> {
        if old.is_some_and(|old| old.upstream.as_ref() == plan) && self.witness.is_some() == plan.is_some() {
            return Ok(());
        }
        if old.is_some() {
            say(said, &["upstream"]);
        }
        if let Some(old) = self.witness.take() {
            old.stop();
        }
        if let Some(plan) = plan {
            let stop = Stop::default();
            upstream::start(plan, self.base.signs.turns.clone(), self.base.resolver.clone(), &stop)?;
            self.witness = Some(stop);
        }
        Ok(())
    }

    /// Without a watchdog somebody else shows the service manager that the program lives.
    pub(super) fn pace(&mut self) -> io::Result<()> {
        let Some(every) = self.base.signs.every.filter(|_| self.serving.is_none()) else {
            if let Some(pacemaker) = self.pacemaker.take() {
                pacemaker.stop();
            }
            return Ok(());
        };
        if self.pacemaker.is_none() {
            let stop = Stop::default();
            let end = stop.clone();
            // The first sign at once: that of a watchdog which has just ended may be as old as it may be.
            spawn("pacemaker", SMALL_STACK, move || while watchdog::sign() && !stop.wait(every) {})?;
            self.pacemaker = Some(end);
        }
        Ok(())
    }
}
