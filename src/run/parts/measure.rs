//! The resources that are watched.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Parts, RESOURCES_STATE};
use crate::config::plan::Plan;
use crate::resource::Standing;
use crate::resource::desk::{self, Desk, Setting};
use crate::run::parts::change::say;

/// What runs: once started it stays, so that what was told is not forgotten.
#[derive(Default)]
pub struct Measuring {
    desk: Option<Arc<Desk>>,
    thread: Option<JoinHandle<()>>,
}

impl Measuring {
    /// Wakes the threads at the end of the program, and gives those that are to be waited for.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.desk.iter().for_each(|desk| desk.wake());
        self.thread.take().into_iter().collect()
    }
}

impl Parts {
    /// Where the resources stand: all of this machine, and of hosts those that are high or were when they fell silent.
    pub fn resources(&self) -> Vec<Standing> {
        self.measuring.desk.as_ref().map(|desk| desk.standings()).unwrap_or_default()
    }

    /// `old` is `None` at the start. Comes after the server.
    pub(super) fn measure(&mut self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        if old.is_some_and(|old| old.resource != new.resource) {
            say(said, &[if new.resource.is_some() { "resources" } else { "resources gone" }]);
        }
        let setting = Setting {
            plan: new.resource.clone(),
            me: self.me.clone(),
            tells: new.tells(),
            serves: new.server.is_some(),
        };
        if let Some(desk) = &self.measuring.desk {
            desk.reload(setting);
            return Ok(());
        }
        let saved = self.left.iter().find(|(name, _)| name == RESOURCES_STATE).map(|(_, small)| &*small.json);
        // What stands is ended even if nothing is watched any more.
        let stands = saved.is_some_and(|saved| saved.contains("\"id\""));
        let Some(gauge) = self.run.gauge().filter(|_| new.resource.is_some() || stands) else {
            return Ok(());
        };
        let parts = desk::Parts {
            board: self.base.board.clone(),
            carry: self.base.carry.clone(),
            gauge: gauge.clone(),
            stop: self.base.stop.clone(),
        };
        let (desk, thread) = desk::start(setting, saved, &self.base.delivered, parts)?;
        (self.measuring.desk, self.measuring.thread) = (Some(desk), Some(thread));
        let _ = self.take_left(RESOURCES_STATE);
        Ok(())
    }
}
