//! When a silence is not told: silences by command, and the windows of the configuration.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Now;
use crate::config::plan::Window;
use crate::json::Writer;
use crate::zone::Zone;

/// Name of the small state that holds the silences.
pub const STATE_NAME: &str = "silences";

/// How long a silence lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasts {
    /// Until it is taken back.
    Open,
    /// For so long.
    For(Duration),
    /// Until the host is heard again after it was not. Only for a name, not for a glob.
    UntilHealthy,
}

/// The silences by command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Silences {}

impl Silences {
    /// Adds a silence, or replaces the one of that glob; `false` if there are too many.
    pub fn add(&mut self, _glob: &str, _lasts: Lasts, _now: &Now) -> bool {
        false
    }

    /// Takes back the silences of that glob, and those for names that it matches; `false` if there is none.
    pub fn remove(&mut self, _glob: &str) -> bool {
        false
    }

    /// Whether one covers `name` now.
    pub fn covers(&self, _name: &str, _now: &Now) -> bool {
        false
    }

    /// The host `name` is heard again after it was not: true if that ended a silence.
    pub fn healthy(&mut self, _name: &str) -> bool {
        false
    }

    /// As state.
    pub fn write(&self, _out: &mut Writer) {}

    /// Reads what [`Silences::write`] wrote.
    pub fn read(_value: &Value, _now: &Now) -> Option<Silences> {
        None
    }
}

/// Whether one of `windows` covers `name` now. None does while the clock was never set.
pub fn in_window(_windows: &[Window], _name: &str, _zone: &Zone, _now: &Now) -> bool {
    false
}
