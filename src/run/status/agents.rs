//! What `status` says of the agents that ask over HTTP.

use super::{Status, ago, seconds};
use crate::json::Writer;
use crate::run::table::Rows;

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebAgent {
    /// Its name.
    pub name: String,
    /// `unseen`, `online` or `offline`.
    pub state: &'static str,
    /// For how long, in milliseconds.
    pub lasts: i64,
    /// Jobs that wait for its next question.
    pub queued: usize,
}

#[cfg(feature = "status")]
mod count {
    use super::WebAgent;
    use crate::clock::{Now, millis};
    use crate::http::agents::book::Book;

    impl WebAgent {
        /// Those of a book.
        pub fn all(book: &Book, now: &Now) -> Vec<WebAgent> {
            let mut all = Vec::new();
            for (agent, queued) in book.agents() {
                let lasts = agent.since.tick(now).map_or(0, |since| millis(now.tick.since(since)));
                all.push(WebAgent { name: agent.name.clone(), state: agent.standing.name(), lasts, queued });
            }
            all
        }
    }
}

impl Status<'_> {
    pub(super) fn agents_json(&self, out: &mut Writer) {
        if self.agents.is_empty() {
            return;
        }
        out.key("agents").open('[');
        for agent in &self.agents {
            out.open('{').key("name").text(&agent.name).key("state").text(agent.state);
            if agent.state != "unseen" {
                seconds(out, "for", agent.lasts);
            }
            out.key("queued").uint(agent.queued as u64).close('}');
        }
        out.close(']');
    }

    pub(super) fn agents_table(&self, text: &mut String) {
        if self.agents.is_empty() {
            return;
        }
        text.push('\n');
        let mut rows = Rows::new(&["AGENT", "STATE", "SINCE", "QUEUED"]);
        for agent in &self.agents {
            let since = if agent.state == "unseen" { "-".to_owned() } else { ago(agent.lasts) };
            rows.row(&[&agent.name, agent.state, &since, &agent.queued.to_string()]);
        }
        rows.columns(text);
    }
}
