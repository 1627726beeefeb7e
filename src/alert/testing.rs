//! What the tests of this folder share.

use std::time::Duration;

use crate::clock::{Boot, Now, Tick, Wall};
use crate::config::plan::{ChannelKind, ChannelPlan, Language};
use crate::event::{Event, Id, Kind, Moment};

/// A channel that takes everything.
pub fn plan(name: &str) -> ChannelPlan {
    let kind = ChannelKind::Command { argv: vec!["true".to_owned()] };
    ChannelPlan::new(name, kind, Language::En, Duration::from_secs(1))
}

/// A moment `ms` after the boot.
pub fn at(ms: i64) -> Now {
    Now { tick: Tick(ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
}

/// An event of incident number `incident`.
pub fn event(kind: Kind, incident: u64, subject: &str) -> Event {
    Event::new(kind, Id(incident), subject, Moment::at(Tick(1000), &at(1000)))
}
