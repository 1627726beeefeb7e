//! The probes of the configuration.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{PROBES_STATE, Parts};
use crate::config::plan::Plan;
use crate::probe::book::Setting;
use crate::probe::desk::{self, Desk};
use crate::probe::{PingRule, Standing};
use crate::run::load::Small;
use crate::run::parts::change::say;

/// What runs. Once started it stays: what people were told of must end, also after the last probe is gone.
#[derive(Default)]
pub struct Probing {
    left: Option<Small>,
    desk: Option<Arc<Desk>>,
    threads: Vec<JoinHandle<()>>,
}

impl Probing {
    /// Wakes the threads at the end of the program, and gives those that are to be waited for.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.desk.iter().for_each(|desk| desk.wake());
        std::mem::take(&mut self.threads)
    }
}

impl Parts {
    /// Where the probes stand.
    pub fn probes(&self) -> Vec<Standing> {
        self.probing.desk.as_ref().map(|desk| desk.standings()).unwrap_or_default()
    }

    /// The desk of the probes, where pings come in.
    pub fn probe_desk(&self) -> Option<Arc<Desk>> {
        self.probing.desk.clone()
    }

    /// `old` is `None` at the start.
    pub(super) fn probe(&mut self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        let pings = pings(new);
        if let Some(old) = old {
            for plan in new.probes.iter().filter(|plan| !old.probes.contains(plan)) {
                say(said, &["probe ", &plan.name]);
            }
            for plan in &old.probes {
                if !new.probes.iter().any(|other| other.name == plan.name) {
                    say(said, &["probe ", &plan.name, " gone"]);
                }
            }
            let before = self::pings(old);
            for ping in pings.iter().filter(|ping| !before.contains(ping)) {
                say(said, &["ping ", &ping.name]);
            }
            for ping in &before {
                if !pings.iter().any(|other| other.name == ping.name) {
                    say(said, &["ping ", &ping.name, " gone"]);
                }
            }
        }
        let is_carried = !new.tells() && !new.clients.is_empty();
        let setting = Setting { me: self.me.clone(), probes: new.probes.clone(), pings, is_carried };
        if let Some(desk) = &self.probing.desk {
            desk.reload(&setting, new.tells());
            return Ok(());
        }
        if let Some(left) = self.take_left(PROBES_STATE) {
            self.probing.left = Some(left);
        }
        let left = self.probing.left.as_ref().map(|small| &*small.json);
        if setting.probes.is_empty() && setting.pings.is_empty() && left.is_none() {
            return Ok(());
        }
        let parts = desk::Parts {
            board: self.base.board.clone(),
            carry: self.base.carry.clone(),
            resolver: self.base.resolver.clone(),
            stop: self.base.stop.clone(),
        };
        let (desk, thread) = desk::start(&setting, new.tells(), left, &self.base.delivered, parts)?;
        self.probing = Probing { left: None, desk: Some(desk), threads: vec![thread] };
        Ok(())
    }
}

#[cfg(feature = "status")]
fn pings(plan: &Plan) -> Vec<PingRule> {
    let pings = plan.http.iter().flat_map(|http| &http.pings);
    pings.map(|ping| PingRule { name: ping.name.clone(), period: ping.period, grace: ping.grace }).collect()
}

#[cfg(not(feature = "status"))]
fn pings(_: &Plan) -> Vec<PingRule> {
    Vec::new()
}
