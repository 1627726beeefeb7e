//! The journal of an agent: keys that were taken, runs that go on, results that are not acknowledged.

use serde_json::Value;

use super::{Hands, Hold, MAX_SEEN, Step};
use crate::json::{self, Writer};
use crate::keepalive::work::{Done, End, Key, MAX_IDS, read_done, read_key, write_done, write_key};

impl Hands {
    /// As a file.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("seen").open('[');
        for key in &self.seen {
            write_key(*key, &mut out);
            out.close('}');
        }
        out.close(']').key("held").open('[');
        for hold in &self.held {
            match &hold.step {
                Step::Ended(done) => write_done(done, &mut out),
                Step::Taken(..) | Step::Running | Step::Ending(..) => {
                    write_key(hold.key, &mut out);
                    out.close('}');
                }
            }
        }
        // In the same order.
        out.close(']').key("jobs").open('[');
        for hold in &self.held {
            out.text(&hold.job);
        }
        out.close(']').close('}');
        out.into_bytes()
    }

    /// Reads what [`Hands::write`] wrote; `false` if it is damaged.
    pub(super) fn restore(&mut self, bytes: &[u8]) -> bool {
        let Some(value) = json::read(bytes) else { return false };
        for key in json::list(&value, "seen").iter().rev().take(MAX_SEEN).rev() {
            let Some(key) = read_key(key) else { return false };
            self.seen.push(key);
        }
        let jobs = json::list(&value, "jobs");
        for (at, held) in json::list(&value, "held").iter().take(MAX_IDS).enumerate() {
            let Some(done) = outcome(held) else { return false };
            let job = jobs.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = done.key;
            let step = Step::Ended(Box::new(done));
            self.held.push(Hold { key, job, fenced: false, calls: false, since: self.changed, told: None, step });
        }
        true
    }
}

/// A result; for what ran when the last run of this program ended, that it is not known.
fn outcome(value: &Value) -> Option<Done> {
    if value.get("end").is_some() {
        return read_done(value);
    }
    let key: Key = read_key(value)?;
    let why = "the agent was ended while it ran".to_owned();
    Some(Done { key, end: End::Unknown, code: None, took: 0, out: String::new(), why })
}
