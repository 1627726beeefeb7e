//! The rules of a heartbeat server.

use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{ServerPlan, Window};
use crate::zone::Zone;

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
    /// The longest time for which a silence of many hosts at once is held back; zero for never.
    pub hold: Duration,
    /// From an outage to its first reminder; every further one comes after twice the time, at most a day.
    pub remind: Option<Duration>,
    /// Hosts that are told if they are not heard of within twice the patience for `period`.
    pub expect: Vec<String>,
    /// The period of hosts that announce none.
    pub period: Duration,
    /// When silences are not told.
    pub windows: Vec<Window>,
    /// For the windows.
    pub zone: Zone,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            server: "".into(),
            num: 4,
            grace: Duration::from_secs(5),
            tell_stopped: false,
            forget: Duration::from_secs(30 * 24 * 3600),
            hold: Duration::from_secs(120),
            remind: None,
            expect: Vec::new(),
            period: Duration::from_secs(30),
            windows: Vec::new(),
            zone: Zone::utc(),
        }
    }
}

impl Rules {
    /// The rules of `plan` for a server called `server`.
    pub fn new(plan: &ServerPlan, server: &str, zone: &Zone) -> Rules {
        Rules {
            server: server.into(),
            num: plan.num,
            grace: plan.grace,
            tell_stopped: plan.tell_stopped,
            forget: plan.forget,
            hold: plan.hold,
            remind: plan.remind,
            expect: plan.expect.clone(),
            period: plan.period,
            windows: plan.windows.clone(),
            zone: zone.clone(),
        }
    }

    /// D: how long a host with `period` may be silent.
    pub fn patience(&self, period: Duration) -> Duration {
        period.saturating_mul(self.num).saturating_add(self.grace)
    }
}
