//! The poll loop of the configuration.

use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex};

use super::Parts;
use crate::config::plan::{Cloud, Plan};
use crate::run::parts::change::say;
use crate::run::threads::{HTTP_STACK, Stop, spawn};
use crate::spot::{self, SpotContext, SpotStatus, Way};

/// The poll loop.
pub(super) struct Polling {
    pub(super) status: Arc<Mutex<SpotStatus>>,
    pub(super) stop: Stop,
}

impl Parts {
    pub(super) fn poll(&mut self, old: Option<&Plan>, new: &Plan, renamed: bool, said: &mut String) -> io::Result<()> {
        let same = old.is_some_and(|old| old.spot == new.spot);
        let runs = self.polling.is_some() == new.spot.is_some();
        if same && runs && !renamed && old.is_some_and(|old| old.tells() == new.tells()) {
            return Ok(());
        }
        if !same {
            say(said, &["provider"]);
        }
        if let Some(old) = self.polling.take() {
            old.stop.stop();
        }
        let way = Way {
            board: self.base.board.clone(),
            carrier: self.base.carry.clone(),
            told_by_us: new.tells(),
            saved: self.base.notices.clone(),
            stop: Stop::default(),
        };
        let Some(plan) = &new.spot else {
            spot::give_up(Cloud::AliCloud, &self.me, &way);
            return Ok(());
        };
        let (status, stop) = (Arc::new(Mutex::new(SpotStatus::new(plan.cloud))), way.stop.clone());
        let context = SpotContext {
            plan: plan.clone(),
            subject: self.me.clone(),
            way,
            resolver: self.base.resolver.clone(),
            status: status.clone(),
            delivered: take(&mut self.base.delivered),
            seat: self.base.seat.clone(),
        };
        // The old one may wait for its last answer, which is worth nothing; what it tells, it has told.
        spawn("spot", HTTP_STACK, move || spot::run(context))?;
        self.polling = Some(Polling { status, stop });
        Ok(())
    }
}
