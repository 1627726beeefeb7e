//! The rules of a heartbeat server.

use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::ServerPlan;

/// The rules of a server.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How the server calls itself.
    pub server: Arc<str>,
    /// Beats that may be missed.
    pub num: u32,
    /// Added to `num` periods.
    pub grace: Duration,
    /// Whether a goodbye is told.
    pub tell_stopped: bool,
    /// After how long a silent host is forgotten.
    pub forget: Duration,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            server: "".into(),
            num: 4,
            grace: Duration::from_secs(5),
            tell_stopped: false,
            forget: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl Rules {
    /// The rules of `plan` for a server called `server`.
    pub fn new(plan: &ServerPlan, server: &str) -> Rules {
        Rules {
            server: server.into(),
            num: plan.num,
            grace: plan.grace,
            tell_stopped: plan.tell_stopped,
            forget: plan.forget,
        }
    }

    /// D: how long a host with `period` may be silent.
    pub fn patience(&self, period: Duration) -> Duration {
        period.saturating_mul(self.num).saturating_add(self.grace)
    }
}
