//! What `check` says of the HTTP listener.

use crate::config::plan::Plan;
use crate::http::Scope;

/// Where it listens, and who may do what.
pub fn http(plan: &Plan, line: &mut dyn FnMut(&str, &[&str])) {
    let Some(http) = &plan.http else { return };
    let addresses: Vec<String> = http.listen.iter().map(ToString::to_string).collect();
    let open = if http.is_open() { ", read on this machine without a token" } else { "" };
    line("http     ", &["on ", &addresses.join(", "), open]);
    for token in &http.tokens {
        let has = |scope: &&Scope| token.scopes.has(**scope);
        let scopes: Vec<&str> = Scope::ALL.iter().filter(has).map(|scope| Scope::NAMES[*scope as usize]).collect();
        line("token    ", &[&token.name, ": ", &scopes.join(", ")]);
    }
    if let Some(basic) = &http.basic {
        line("user     ", &[&basic.user, ": ", Scope::NAMES[Scope::Read as usize]]);
    }
    for agent in &http.agents {
        let (gap, alias) = if agent.alias.is_empty() { ("", "") } else { (" or ", &*agent.alias) };
        line("webagent ", &[&agent.name, gap, alias]);
    }
    if http.events.alicloud.is_some() {
        line("event    ", &["reclaims that Alibaba Cloud pushes"]);
    }
}
