//! Jobs between real daemons: a server that gives them out, and agents that run what their own files allow.

#![cfg(feature = "jobs")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![expect(clippy::print_stdout, reason = "a test prints what it saw")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside, and fakes have threads")]

mod common;

#[path = "agent/calls.rs"]
mod calls;
#[path = "agent/disk.rs"]
mod disk;
#[path = "agent/ends.rs"]
mod ends;
#[path = "agent/enemies.rs"]
mod enemies;
#[path = "agent/faults.rs"]
mod faults;
#[path = "agent/fence.rs"]
mod fence;
#[path = "agent/kills.rs"]
mod kills;
#[path = "agent/many.rs"]
mod many;
#[path = "agent/noise.rs"]
mod noise;
#[path = "agent/queue.rs"]
mod queue;
#[path = "agent/runs.rs"]
mod runs;
#[path = "agent/site.rs"]
mod site;
#[path = "agent/spot.rs"]
mod spot;
