//! Jobs over simulated days: the book of the server and the hands of the agents, with everything between them that can
//! fail.

#![cfg(feature = "jobs")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod random;
mod story;
mod world;
