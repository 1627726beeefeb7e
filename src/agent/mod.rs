//! Jobs that come to this host: what of them its own file allows, and how they run.

pub mod allow;
pub mod hands;

pub mod call;
pub mod desk;
pub mod guard;
pub mod queue;

use std::time::Duration;

use crate::agent::allow::AllowPlan;
use crate::secret::Secret;

/// Runs at once, unless told otherwise.
pub const MOST: usize = 4;

/// `[agent]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentPlan {
    /// The heartbeat server whose jobs it takes, by the name that the server gives itself.
    pub server: Option<String>,
    /// A queue on the web that it asks as well, or instead.
    pub queue: Option<QueuePlan>,
    /// What may run.
    pub allow: AllowPlan,
    /// Runs at once.
    pub most: usize,
}

/// `[agent.queue]`: a queue in the manner of LetServerRun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueuePlan {
    /// Its base: `https://api.letserver.run`.
    pub url: Secret,
    /// The agent's token.
    pub token: Secret,
    /// From one question to the next.
    pub every: Duration,
}
