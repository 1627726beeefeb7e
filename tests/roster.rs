//! The roster: tables of what is told and when, and long random lives checked against its rules.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

mod carried;
mod covered;
mod doubt;
mod enemies;
mod flaps;
mod lives;
mod lost_time;
mod months;

mod presence;
mod pushed;
mod random;

mod tables;
mod waits;
mod world;
