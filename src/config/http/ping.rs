//! `[[http.ping]]`: heartbeats by curl.

use crate::config::table::Table;
use crate::http::PingPlan;

/// `[[http.ping]]`, in the order of the file.
pub fn pings(http: &mut Table<'_>) -> Vec<PingPlan> {
    let _ = http;
    Vec::new()
}
