//! Acting: running what the owner of the machine asks for.
//!
//! The desk hears of an event and passes it on; [`rules`] decide who starts when; [`dispatch`] starts a thread for each
//! run, which ends in an event of its own.

pub mod limit;
pub mod result;
pub mod rules;
pub mod state;

pub mod exec;
pub mod privilege;
pub mod reaper;
pub mod runner;

pub mod dispatch;
