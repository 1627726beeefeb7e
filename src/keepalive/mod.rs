//! Heartbeats: hosts say that they live, a server notices when one stops.

pub mod beat;
pub mod leaf;
pub mod talk;
pub mod uri;
pub mod v1;
pub mod wire;
pub mod work;

pub mod flapping;
pub mod heard;
pub mod host;
pub mod hosts;
pub mod presence;
pub mod refusals;
pub mod roster;
pub mod rules;
pub mod silences;
pub mod suspicion;
pub mod told;

pub mod admission;
pub mod answer;
pub mod ports;
pub mod pushed;
pub mod quota;
pub mod server;
pub mod watchdog;

pub mod ask;
pub mod carry;
pub mod client;
pub mod me;
pub mod monitor;
pub mod monitors;
pub mod pace;
pub mod unreachable;
