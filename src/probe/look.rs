//! Looks once, on a thread that may block: each look ends within its deadline.

use std::sync::Arc;
use std::time::Duration;

use crate::probe::what::What;
use crate::resolve::Resolver;

/// What it takes to look.
pub struct Tools {
    /// Names.
    pub resolver: Arc<Resolver>,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Whether all is as it should be; `None`: it could not be told, through no fault of what was looked at.
    pub good: Option<bool>,
    /// How long it took.
    pub took: Duration,
    /// Why not, or what was found: one line, without secrets, at most 200 bytes.
    pub detail: String,
}

/// Looks at `what`; takes no longer than `timeout`.
pub fn look(what: &What, tools: &Tools, timeout: Duration) -> Outcome {
    let _ = (what, tools, timeout);
    Outcome { good: None, took: Duration::ZERO, detail: String::new() }
}
