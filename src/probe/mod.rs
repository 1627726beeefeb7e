//! Whether something that is tried again and again is up.

pub mod book;
pub mod desk;
pub mod look;
pub mod schedule;
pub mod watch;
pub mod what;

use std::time::Duration;

use crate::clock::Tick;
use crate::event::Severity;

/// One `[[probe]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbePlan {
    /// Its name: unique.
    pub name: String,
    /// What is looked at, and how.
    pub what: what::What,
    /// From the beginning of one look to that of the next.
    pub interval: Duration,
    /// The same while the judgement may change.
    pub fast: Duration,
    /// How long a look may take; no longer than `interval`.
    pub timeout: Duration,
    /// How looks make the judgement.
    pub rule: watch::Rule,
    /// Whose failure explains that of this one.
    pub depends_on: Option<Parent>,
    /// It makes no attempt of its own, and reads how those of the program went.
    pub passive: bool,
    /// How much its failure matters.
    pub severity: Severity,
}

/// Whose failure explains that of a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parent {
    /// Another probe, or a ping: its name.
    Probe(String),
    /// Hosts of the roster: a name or a glob. They are down if all are that match, and there is one.
    Host(String),
}

impl Parent {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Parent::Probe(name) | Parent::Host(name) => name,
        }
    }
}

/// Something that reports itself: one `[[http.ping]]`, without its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingRule {
    /// Its name.
    pub name: String,
    /// From one ping to the next.
    pub period: Duration,
    /// Added to it before the ping counts as missing; also how long a run may take that was begun.
    pub grace: Duration,
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
