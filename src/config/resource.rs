//! `[resource]`: what a machine may not run short of.

use crate::config::table::Table;
use crate::resource::ResourcePlan;

/// `[resource]`.
pub fn resource(root: &mut Table<'_>) -> Option<ResourcePlan> {
    let _ = root;
    None
}
