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
    /// Jobs that are not due yet, or wait for it to come back.
    pub delayed: usize,
    /// Jobs that it has.
    pub running: usize,
}

#[cfg(feature = "status")]
mod count {
    use super::WebAgent;
    use crate::clock::{Now, millis};
    use crate::http::agents::book::{Book, State};

    impl WebAgent {
        /// Those of a book.
        pub fn all(book: &Book, now: &Now) -> Vec<WebAgent> {
            let mut all = Vec::new();
            for agent in book.agents() {
                let count = |state| book.count(&agent.name, state);
                all.push(WebAgent {
                    name: agent.name.clone(),
                    state: agent.standing.name(),
                    lasts: agent.since.tick(now).map_or(0, |since| millis(now.tick.since(since))),
                    queued: count(State::Queuing),
                    delayed: count(State::Waiting),
                    running: count(State::Sent) + count(State::Running),
                });
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
            for (key, count) in [("queued", agent.queued), ("delayed", agent.delayed), ("running", agent.running)] {
                out.key(key).uint(count as u64);
            }
            out.close('}');
        }
        out.close(']');
    }

    pub(super) fn agents_table(&self, text: &mut String) {
        if self.agents.is_empty() {
            return;
        }
        text.push('\n');
        let mut rows = Rows::new(&["AGENT", "STATE", "SINCE", "QUEUED", "DELAYED", "RUNNING"]);
        for agent in &self.agents {
            let since = if agent.state == "unseen" { "-".to_owned() } else { ago(agent.lasts) };
            let [queued, delayed, running] =
                [agent.queued, agent.delayed, agent.running].map(|count| count.to_string());
            rows.row(&[&agent.name, agent.state, &since, &queued, &delayed, &running]);
        }
        rows.columns(text);
    }
}
