//! Cut links: real daemons in network namespaces, joined by pairs of virtual interfaces. Each test prints what was
//! told, and when after the cut; see it with `cargo test lab:: -- --nocapture`.

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
