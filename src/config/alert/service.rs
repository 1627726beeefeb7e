//! Channels that are data.

use crate::alert::channel::presets::Preset;
use crate::config::plan::{ChannelKind, ServicePlan};
use crate::config::table::Table;

/// A channel of the row `preset`.
pub fn service(_table: &mut Table<'_>, preset: &'static Preset) -> Option<ChannelKind> {
    Some(ChannelKind::Service(ServicePlan { preset, values: Vec::new() }))
}
