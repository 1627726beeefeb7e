//! Jobs between real daemons: a server that gives them out, and agents that run what their own files allow.

#![cfg(feature = "jobs")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![expect(clippy::print_stdout, reason = "a test prints what it saw")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside, and fakes have threads")]

mod calls;
mod disk;
mod ends;
mod enemies;
mod faults;
mod fence;
mod kills;
mod many;
mod noise;
mod queue;
mod runs;
pub mod site;
mod spot;
