//! `[[http.agent]]`: agents that speak HTTP.

use super::secret;
use crate::config::plan::Reported;
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::http::WebAgent;

/// Agents.
const MAX_AGENTS: usize = 64;
/// Characters of a name and of an alias.
const MAX_NAME: usize = 50;
/// Words that the service keeps for itself where people type names of agents.
const RESERVED: [&str; 13] = [
    "agent", "delay", "status", "help", "group", "plan", "poster", "link", "unlink", "follow", "unfollow", "sub",
    "unsub",
];
/// Values of `notify`.
const NOTIFY: [&str; 3] = ["failure", "always", "never"];

/// `[[http.agent]]`, in the order of the file.
pub fn agents(http: &mut Table<'_>) -> Vec<WebAgent> {
    let mut agents: Vec<WebAgent> = Vec::new();
    for item in http.get("agent").and_then(|item| item.list(MAX_AGENTS)).unwrap_or_default() {
        if let Some(agent) = item.table().and_then(|table| agent(table, &agents)) {
            agents.push(agent);
        }
    }
    agents
}

fn agent(mut table: Table<'_>, before: &[WebAgent]) -> Option<WebAgent> {
    let name = table.need("name", "; write name = \"web1\"").and_then(|item| name(&item, before));
    let alias = match table.get("alias") {
        Some(item) => name_or_none(&item, before, name.as_deref()),
        None => Some(String::new()),
    };
    let token = table.need("token", "; write one that `interrupt-callback keygen` printed").and_then(|item| {
        let token = secret(&item)?;
        if let Some(other) = before.iter().find(|other| other.token == token) {
            return item.bad(&["is the token of ", &quoted(&other.name), " too"].concat());
        }
        Some(token)
    });
    let notify = match table.choice("notify", &NOTIFY) {
        Some(0) => Reported::Failure,
        Some(2) => Reported::Never,
        _ => Reported::Always,
    };
    table.finish();
    Some(WebAgent { name: name?, alias: alias?, token: token?, notify })
}

fn name_or_none(item: &Item<'_>, before: &[WebAgent], own: Option<&str>) -> Option<String> {
    let alias = name(item, before)?;
    if own == Some(&*alias) { item.bad("is the name too") } else { Some(alias) }
}

/// A name or an alias: people write it before a job, with a blank between.
fn name(item: &Item<'_>, before: &[WebAgent]) -> Option<String> {
    let name = item.line(4 * MAX_NAME)?;
    if !(1..=MAX_NAME).contains(&name.chars().count()) || name.chars().any(char::is_whitespace) {
        return item.bad("must be 1 to 50 characters without blanks");
    }
    if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        return item.bad(&[&quoted(name), " is a word that the service keeps for itself"].concat());
    }
    if let Some(other) = before.iter().find(|other| other.name == name || other.alias == name) {
        return item.bad(&["is the name or alias of ", &quoted(&other.name), " too"].concat());
    }
    Some(name.to_owned())
}
