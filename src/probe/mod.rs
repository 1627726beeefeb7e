//! Whether something that is tried again and again is up.

pub mod look;
pub mod passive;
pub mod streak;
pub mod what;

use std::time::Duration;

use crate::clock::Tick;

/// Name of the small state.
pub const STATE_NAME: &str = "probes";

/// One `[[probe]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbePlan {
    /// Its name: unique.
    pub name: String,
    /// What is looked at, and how.
    pub what: what::What,
}

/// Where a probe stands, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// What is done: `tcp`, `http`, …, or `ping` for what reports itself.
    pub kind: &'static str,
    /// What it looks at, without secrets: of a URL no more than the host.
    pub target: String,
    /// The judgement.
    pub state: State,
    /// Since when.
    pub since: Option<Tick>,
    /// When a result came last.
    pub last: Option<Tick>,
    /// How long that took.
    pub took: Option<Duration>,
    /// What it said: why it failed, or what it found. May be empty.
    pub detail: String,
    /// What explains its failure, so that nobody is told: a host or another probe.
    pub because: Option<String>,
}

/// The judgement on a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing is known yet.
    Unknown,
    /// It works.
    Up,
    /// It fails; people are told, unless something else explains it.
    Down,
}

impl State {
    /// Its name in JSON and on tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Up => "up",
            State::Down => "down",
        }
    }
}
