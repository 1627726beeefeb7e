//! What `status` says of the queue on the web that the agent asks.

use super::{Status, ago, maybe, problem, seconds};
use crate::clock::Tick;
use crate::json::Writer;
use crate::run::table::line;

/// How it goes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Queue {
    /// When it last answered.
    pub last: Option<Tick>,
    /// What is wrong.
    pub problem: Option<String>,
}

impl Status<'_> {
    pub(super) fn queue_json(&self, out: &mut Writer) {
        let Some(queue) = &self.queue else { return };
        out.key("queue").open('{');
        if let Some(last) = queue.last {
            seconds(out, "answered", self.since(last));
        }
        maybe(out, "problem", queue.problem.as_deref());
        out.close('}');
    }

    pub(super) fn queue_line(&self, text: &mut String) {
        let Some(queue) = &self.queue else { return };
        match queue.last {
            Some(last) => line(text, &["asks a queue for jobs, answered ", &ago(self.since(last))]),
            None => line(text, &["asks a queue for jobs, never answered"]),
        }
        problem(text, queue.problem.as_deref());
    }
}
