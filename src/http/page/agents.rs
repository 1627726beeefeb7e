//! The agents that ask for jobs over HTTP, on the page.

use std::time::Duration;

use super::Page;
use super::html::Html;
use crate::order::order;

/// How [`crate::run::status::WebAgent::state`] calls one that fell silent.
pub const OFFLINE: &str = "offline";

impl Page<'_> {
    /// Those that are offline first, then by name. There are at most 64.
    pub(super) fn agents(&self, out: &mut Html) {
        let all = &self.status.agents;
        if all.is_empty() {
            return;
        }
        Self::section(out, "agents", self.say("Agents over HTTP", "HTTP 代理端"), all.len(), false);
        let names = if self.chinese() { ["代理端", "状态", "任务", ""] } else { ["Agent", "State", "Jobs", ""] };
        Self::head(out, names);
        let key = |index: usize| (all[index].state != OFFLINE, &all[index].name);
        for agent in order(all.len(), &|a, b| key(a) < key(b)).into_iter().map(|index| &all[index]) {
            out.raw("<tr><th scope=row>").tag("bdi", &agent.name).raw("</th><td class=b>");
            let (class, word) = match agent.state {
                OFFLINE => ("bad", self.say("offline", "失联")),
                "online" => ("good", self.say("online", "在线")),
                _ => ("rest", self.say("never seen", "从未出现")),
            };
            Self::state(out, class, word);
            if class != "rest" {
                let span = self.words().span(Duration::from_millis(agent.lasts.unsigned_abs()));
                out.tag("small", &[self.say("for ", "已持续 "), &span].concat());
            }
            out.raw("</td><td class=c>");
            out.number(agent.running).raw(self.say(" running, ", " 项运行中，")).number(agent.queued + agent.delayed);
            out.raw(self.say(" waiting", " 项等待")).raw("</td></tr>");
        }
        self.tail(out, 0);
        out.raw("</section>");
    }
}
