//! Callbacks.

use std::path::PathBuf;
use std::time::Duration;

use super::{Language, WebhookPlan};
use crate::event::{Kind, Severity};
use crate::secret::Secret;

/// One `[[callback]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallbackPlan {
    /// Its name; no two share one.
    pub name: String,
    /// The kinds of events that start it; at least one.
    pub on: Vec<Kind>,
    /// If not empty, globs one of which the subject must match.
    pub hosts: Vec<String>,
    /// The least severity that starts it.
    pub min_severity: Severity,
    /// What it does.
    pub act: Act,
    /// The language of the words that it is given.
    pub language: Language,
    /// How long it may take; `None` for the usual time, or what an `interrupt` leaves.
    pub timeout: Option<Duration>,
    /// When its end is told.
    pub report: Reported,
    /// From the end of one run to the beginning of the next; zero for none.
    pub cooldown: Duration,
    /// The callback whose run on the same event must be over first.
    pub after: Option<String>,
    /// Whether an exercise (`simulate`) starts it.
    pub simulate: bool,
}

/// What a callback does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Runs a program.
    Run(RunPlan),
    /// Calls an address.
    Call {
        /// The request.
        hook: WebhookPlan,
        /// Attempts after the first; `None` for as many as the time allows.
        retries: Option<u32>,
    },
}

/// `run` or `shell` of a callback, with what the program is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where it runs.
    pub dir: PathBuf,
    /// As whom; `None` for the daemon's own user.
    pub user: Option<User>,
    /// Variables of the file. Their values are not shown.
    pub env: Vec<(String, Secret)>,
    /// Variables that are handed on from the daemon's own environment.
    pub pass: Vec<(String, Secret)>,
    /// Whether it goes on when the daemon ends.
    pub outlives: bool,
}

/// A user of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Login name; the number if there is none.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory; empty if unknown.
    pub home: String,
}

/// When the end of a callback is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// Each time.
    Always,
    /// When it failed.
    Failure,
    /// It stands in the log alone.
    Never,
}
