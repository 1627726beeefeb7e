//! The real binary as the server of agents and scripts that were written for LetServerRun.

#![cfg(feature = "status")]
#![allow(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![allow(clippy::print_stdout, reason = "a test prints what it saw")]
#![allow(clippy::disallowed_methods, reason = "a test looks at the time from outside, and fakes have threads")]

mod file;
mod kills;
mod says;
mod sdk;
mod site;
#[cfg(feature = "jobs")]
mod work;
