//! `kind = "email"`.

use crate::config::plan::{ChannelKind, EmailPlan};
use crate::config::table::Table;

/// `kind = "email"`.
pub fn email(table: &mut Table<'_>) -> Option<ChannelKind> {
    let server = table.need("server", "").and_then(|item| item.line(256));
    Some(ChannelKind::Email(EmailPlan { server: server?.to_owned() }))
}
