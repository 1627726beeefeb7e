//! The callbacks of the configuration.

use std::io;

use super::Parts;
use crate::config::plan::Plan;
use crate::run::parts::change::say;

impl Parts {
    /// `old` is `None` at the start.
    pub(super) fn act(&self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        let before = old.map_or(&[][..], |old| &old.callbacks);
        for plan in &new.callbacks {
            if old.is_some() && !before.contains(plan) {
                say(said, &["callback ", &plan.name]);
            }
        }
        for plan in before {
            if !new.callbacks.iter().any(|other| other.name == plan.name) {
                say(said, &["callback ", &plan.name, " gone"]);
            }
        }
        self.base.callbacks.apply(&new.callbacks, &self.me, &self.zone)
    }
}
