//! What `status` says of resources.

use super::{Status, ago, maybe};
use crate::json::Writer;
use crate::order::order;
use crate::resource::{Standing, State};
use crate::run::table::{Rows, line};

impl Status<'_> {
    pub(super) fn resources_json(&self, out: &mut Writer) {
        if self.resources.is_empty() {
            return;
        }
        out.key("resources").open('[');
        for resource in self.in_order() {
            out.open('{').key("host").text(&resource.host).key("resource").text(&resource.resource);
            out.key("state").text(resource.state.name());
            maybe(out, "value", Some(&*resource.value).filter(|value| !value.is_empty()));
            out.key("limit").text(&resource.limit);
            maybe(out, "since", resource.since.and_then(|since| self.time(since)).as_deref());
            out.close('}');
        }
        out.close(']');
    }

    pub(super) fn resources_table(&self, text: &mut String) {
        if self.resources.is_empty() {
            return;
        }
        text.push('\n');
        let mut counts = [0_usize; 3];
        let mut rows = Rows::new(&["HOST", "RESOURCE", "VALUE", "LIMIT", "STATE", "SINCE"]);
        for resource in self.in_order() {
            counts[resource.state as usize] += 1;
            if resource.state != State::Normal {
                let value = if resource.value.is_empty() { "-" } else { &resource.value };
                let since = resource.since.map_or_else(|| "-".to_owned(), |since| ago(self.since(since)));
                let cells = [&resource.host, &resource.resource, value, &resource.limit, resource.state.name(), &since];
                rows.row(&cells);
            }
        }
        let [unknown, normal, high] = counts.map(|count| count.to_string());
        line(text, &["resources: ", &normal, " normal, ", &high, " high, ", &unknown, " unknown"]);
        if counts[State::Normal as usize] < self.resources.len() {
            rows.columns(text);
        }
    }

    /// What is high first, then by host.
    fn in_order(&self) -> impl Iterator<Item = &Standing> {
        let all = &self.resources;
        let key = |at: usize| (all[at].state != State::High, &all[at].host, &all[at].resource);
        order(all.len(), &|a, b| key(a) < key(b)).into_iter().map(|at| &all[at])
    }
}
