//! Cut links: real daemons in network namespaces, joined by pairs of virtual interfaces. Each test prints what was
//! told, and when after the cut; see it with `cargo test --test lab -- --nocapture`.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "jobs")]
#[expect(dead_code, clippy::unwrap_used, reason = "it has more than this needs, and may fail as a test may")]
#[path = "../agent/site.rs"]
mod agents;
mod clouds;
mod cuts;
mod fifty;
mod freeze;
#[cfg(feature = "jobs")]
mod moves;
mod net;
mod resolver;
mod story;
mod uplink;
