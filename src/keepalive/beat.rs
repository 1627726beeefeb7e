//! What a beat says: the body of line 3 and of line 4 of protocol 2, as typed JSON.

use serde::{Deserialize, Serialize};

use crate::event::{Field, Id, Kind, Severity};

/// Notices carried by one beat.
pub const MAX_NOTICES: usize = 8;

/// The body of line 3.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Beat or goodbye.
    pub ev: Ev,
    /// Announced period in seconds, from 0.1 to 86,400.
    pub per: f64,
    /// Boot id of the host.
    #[serde(default)]
    pub boot: String,
    /// Seconds since the host booted.
    #[serde(default)]
    pub up: f64,
    /// Id of the daemon's run: new at every start.
    #[serde(default)]
    pub run: String,
    /// Seconds since the daemon started.
    #[serde(default)]
    pub age: f64,
    /// Grows by one per attempt within a run.
    #[serde(default)]
    pub seq: u64,
    /// Seconds after which a goodbye is overdue (`ev` = `bye`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_in: Option<f64>,
    /// Why the host says goodbye: `stop`, `rename`, `leave` (for good).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the host has to tell.
    #[serde(default)]
    pub data: Data,
}

/// Beat or goodbye.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ev {
    /// The host lives.
    Beat,
    /// The host stops on purpose.
    Bye,
}

/// What the host has to tell.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Data {
    /// Notices of its cloud, the oldest first, at most [`MAX_NOTICES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// An event of the host, as its beat carries it. Times are relative, because clocks differ.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The event's id, the same on the host's own channels.
    pub id: Id,
    /// Its incident.
    pub incident: Id,
    /// `interrupt`, `interrupt.withdrawn`.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// Seconds since it happened.
    pub age: f64,
    /// Seconds until the instance goes; negative once it is past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<f64>,
    /// The host has a channel of its own and tells it.
    pub told: bool,
    /// One of those channels took it.
    #[serde(default)]
    pub delivered: bool,
    /// Text facts: instance, region and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(Field, String)>,
}

/// The body of line 4.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Whether the beat counts.
    pub ok: bool,
    /// `name-taken`, `name-invalid`, `full`, `stale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<String>,
    /// Seconds until the server wants the next beat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<f64>,
    /// Seconds for which this host's work stays its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<f64>,
}
