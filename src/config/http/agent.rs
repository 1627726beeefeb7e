//! `[[http.agent]]`: agents that speak HTTP.

use crate::config::table::Table;
use crate::http::WebAgent;

/// `[[http.agent]]`, in the order of the file.
pub fn agents(http: &mut Table<'_>) -> Vec<WebAgent> {
    let _ = http;
    Vec::new()
}
