//! Heartbeats: hosts say that they live, a server notices when one stops.

pub mod beat;
pub mod uri;
pub mod wire;

pub mod heard;
pub mod host;
pub mod hosts;
pub mod roster;
pub mod told;

pub mod admission;
pub mod server;
pub mod watchdog;

pub mod carry;
pub mod client;
