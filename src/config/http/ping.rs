//! `[[http.ping]]`: heartbeats by curl.

use std::time::Duration;

use crate::config::probe::name;
use crate::config::table::{Item, Table};
use crate::http::PingPlan;
use crate::secret::Secret;

/// Pings in all.
const MAX_PINGS: usize = 256;
/// Bytes of a token; a shorter one than [`SHORT`] can be guessed.
const MAX_TOKEN: usize = 128;
const SHORT: usize = 16;
/// `period`: shortest and longest.
const PERIODS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * 86_400));
/// `grace`: shortest and longest. Usually a quarter of the period, at least a minute.
const GRACES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(31 * 86_400));
const GRACE: Duration = Duration::from_secs(60);

/// `[[http.ping]]`, in the order of the file.
pub fn pings(http: &mut Table<'_>) -> Vec<PingPlan> {
    let mut plans: Vec<PingPlan> = Vec::new();
    for entry in http.get("ping").and_then(|item| item.list(MAX_PINGS)).unwrap_or_default() {
        let Some(mut table) = entry.table() else { continue };
        let named = table.need("name", "; it stands in messages and in status");
        let name = named.and_then(|item| name(&item));
        let tokened = table.need("token", "; write token = \"…\", such as the command keygen prints");
        let token = tokened.and_then(|item| token(&item));
        let period = table.need("period", "; write how far apart pings come: period = \"1d\"");
        let period = period.and_then(|item| item.span(PERIODS));
        let grace = table.span("grace", GRACES);
        table.finish();
        let (Some(name), Some(token), Some(period)) = (name, token, period) else { continue };
        if let (Some(item), true) = (named, plans.iter().any(|plan| plan.name == name)) {
            item.bad::<()>("is the name of another ping too");
        }
        if let (Some(item), true) = (tokened, plans.iter().any(|plan| plan.token == token)) {
            item.bad::<()>("is the token of another ping too");
        }
        let grace = grace.unwrap_or((period / 4).clamp(GRACE, GRACES.1));
        plans.push(PingPlan { name: name.to_owned(), token, period, grace });
    }
    plans
}

/// A token stands in a path, as it is.
fn token(item: &Item<'_>) -> Option<Secret> {
    let token = item.secret()?;
    let text = token.reveal();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if text.is_empty() || text.len() > MAX_TOKEN || !text.bytes().all(plain) {
        return item.bad("stands in a path: it must be 1 to 128 letters, digits and any of -_.~");
    }
    if text.len() < SHORT {
        item.warn("is shorter than 16 bytes and can be guessed");
    }
    Some(token)
}
