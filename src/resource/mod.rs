//! How a machine is doing, and what it may not run short of.

pub mod book;
pub mod desk;
pub mod gauge;
pub mod proc;
pub mod rules;
pub mod what;

use std::time::Duration;

use crate::clock::Tick;
use rules::Limit;
use what::{COUNT, What};

/// `[resource]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourcePlan {
    /// From one look to the next.
    pub interval: Duration,
    /// Folders whose file systems count on this machine; `None` for `/` and the state directory.
    pub disks: Option<Vec<String>>,
    /// Globs: the hosts that a server checks; all if there are none.
    pub hosts: Vec<String>,
    /// What is limited, in the order of [`What::ALL`].
    pub limits: [Option<Limit>; COUNT],
}

impl ResourcePlan {
    /// The limit of `what`, if it has one.
    pub fn limit(&self, what: What) -> Option<&Limit> {
        self.limits.get(what as usize)?.as_ref()
    }
}

/// What a host has of one resource that is watched, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whose.
    pub host: String,
    /// Which: `memory`, `disk /var`.
    pub resource: String,
    /// How much, with its unit; empty if it is not known.
    pub value: String,
    /// The limit, with its unit.
    pub limit: String,
    /// The judgement.
    pub state: State,
    /// Since when.
    pub since: Option<Tick>,
}

/// The judgement on a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing is known: nothing was read yet, or its host is down.
    Unknown,
    /// Enough.
    Normal,
    /// Beyond the limit for as long as it may be.
    High,
}

impl State {
    /// Its name in JSON and on tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Normal => "normal",
            State::High => "high",
        }
    }
}
