//! `[http.event]`: events from outside.

use crate::config::table::Table;
use crate::http::EventPlan;

/// `[http.event]`.
pub fn events(http: &mut Table<'_>) -> EventPlan {
    let _ = http;
    EventPlan::default()
}
