//! interrupt-callback: a small daemon for machines that may vanish.
//!
//! The library exists for the binary, the tests and the fuzz targets; it is not an API. Modules are listed in
//! reading order: what is spoken of, then who notices, then who tells, then what holds it together.

pub mod clock;
pub mod event;
pub mod json;
pub mod order;
pub mod secret;
pub mod zone;

pub mod config;

pub mod fetch;
pub mod resolve;

pub mod keepalive;
#[cfg(feature = "probes")]
pub mod probe;
pub mod readings;
#[cfg(feature = "probes")]
pub mod resource;
pub mod spot;

#[cfg(feature = "jobs")]
pub mod agent;
pub mod alert;
pub mod callback;
#[cfg(feature = "jobs")]
pub mod jobs;

pub mod control;
#[cfg(feature = "status")]
pub mod http;
pub mod run;

pub mod cli;
