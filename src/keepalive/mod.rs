//! Heartbeats: hosts say that they live, a server notices when one stops.

pub mod beat;
pub mod uri;
pub mod wire;

pub mod host;
pub mod roster;

pub mod admission;
pub mod server;
pub mod watchdog;

pub mod carry;
pub mod client;
