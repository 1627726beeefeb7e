//! `[http]`: the HTTP listener.

mod agent;
mod event;
mod ping;

use std::sync::Arc;

use crate::config::table::Table;
use crate::http::HttpPlan;

/// `[http]`.
pub fn http(root: &mut Table<'_>) -> Option<Arc<HttpPlan>> {
    let mut table = root.table("http")?;
    let pings = ping::pings(&mut table);
    let events = event::events(&mut table);
    let agents = agent::agents(&mut table);
    table.finish();
    Some(Arc::new(HttpPlan {
        listen: Vec::new(),
        tokens: Vec::new(),
        basic: None,
        allow_query_token: false,
        pings,
        events,
        agents,
    }))
}
