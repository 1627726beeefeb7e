//! The real binary as the server of agents and scripts that were written for LetServerRun.

#![cfg(feature = "status")]
#![allow(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![allow(clippy::print_stdout, reason = "a test prints what it saw")]
#![allow(clippy::disallowed_methods, reason = "a test looks at the time from outside, and fakes have threads")]

mod common;

#[path = "web_agents/file.rs"]
mod file;
#[path = "web_agents/kills.rs"]
mod kills;
#[path = "web_agents/says.rs"]
mod says;
#[path = "web_agents/sdk.rs"]
mod sdk;
#[path = "web_agents/site.rs"]
mod site;
#[cfg(feature = "jobs")]
#[path = "web_agents/work.rs"]
mod work;
