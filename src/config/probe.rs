//! `[[probe]]`: what is looked at.

mod what;

use std::sync::Arc;

use crate::config::table::Table;
use crate::probe::ProbePlan;

/// `[[probe]]`, in the order of the file.
pub fn probes(root: &mut Table<'_>) -> Vec<Arc<ProbePlan>> {
    let mut plans = Vec::new();
    for entry in root.get("probe").and_then(|item| item.list(64)).unwrap_or_default() {
        let Some(mut table) = entry.table() else { continue };
        let what = what::what(&mut table);
        table.finish();
        plans.extend(what.map(|what| Arc::new(ProbePlan { name: String::new(), what })));
    }
    plans
}
