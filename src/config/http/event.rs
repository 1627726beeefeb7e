//! `[http.event]`: events from outside.

use crate::config::table::Table;
use crate::http::EventPlan;

/// A secret that stands in a path and is shorter than this many bytes may be guessed.
const MIN_SECRET: usize = 16;

/// `[http.event]`.
pub fn events(http: &mut Table<'_>) -> EventPlan {
    let Some(mut table) = http.table("event") else { return EventPlan::default() };
    let alicloud = table.get("alicloud").and_then(|item| {
        let secret = item.secret()?;
        let text = secret.reveal();
        if text.is_empty() {
            return item.bad("is empty: everybody could tell of reclaims");
        }
        if text.contains(['/', '?', '#', '%']) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return item.bad("stands in an address: letters, digits and - _ . ~ are good for that");
        }
        if text.len() < MIN_SECRET {
            item.warn("has fewer than 16 bytes: whoever guesses it can tell of reclaims");
        }
        Some(secret)
    });
    table.finish();
    EventPlan { alicloud }
}
