//! What is on disk of the callbacks: what started any, what runs and what waits.

use serde_json::Value;

use crate::callback::result::{Ending, NEVER_STARTED, Outcome};
use crate::callback::rules::Job;
use crate::event::{Event, Id};
use crate::json::{self, Writer};

/// Name of the small state.
pub const STATE_NAME: &str = "callbacks";
/// Jobs that are written: more than ever run, and the first of those that wait.
const MAX_JOBS: usize = 64;

/// A job of the last run of the daemon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CutOff {
    /// The callback's name.
    pub callback: String,
    /// Its cause, without facts.
    pub event: Event,
    /// It ran, or was about to.
    pub began: bool,
}

impl CutOff {
    /// What is told of it.
    pub fn outcome(&self) -> Outcome {
        let ending = if self.began { Ending::Unknown } else { Ending::Failed(NEVER_STARTED.to_owned()) };
        Outcome::of(ending, None)
    }
}

/// The small state.
pub fn write(heard: &[Id], jobs: &[Job]) -> String {
    let mut out = Writer::default();
    out.open('{').key("heard").open('[');
    for id in heard {
        out.uint(id.0);
    }
    out.close(']').key("jobs").open('[');
    let mut written = 0;
    for began in [true, false] {
        for job in jobs.iter().filter(|job| job.began.is_some() == began) {
            if written < MAX_JOBS {
                written += 1;
                let event = Event { facts: Vec::new(), ..Event::clone(&job.event) };
                out.open('{').key("callback").text(&job.callback).key("began").flag(began);
                event.write(out.key("event"));
                out.close('}');
            }
        }
    }
    out.close(']').close('}');
    out.into_string()
}

/// Reads what [`write`] wrote; what makes no sense is left out.
pub fn read(state: &Value) -> (Vec<Id>, Vec<CutOff>) {
    let (mut heard, mut jobs) = (Vec::new(), Vec::new());
    for id in json::list(state, "heard") {
        heard.extend(id.as_u64().map(Id));
    }
    for job in json::list(state, "jobs").iter().take(MAX_JOBS) {
        let event = job.get("event").and_then(Event::read);
        if let (Some(callback), Some(event)) = (json::text(job, "callback"), event) {
            jobs.push(CutOff { callback: callback.to_owned(), event, began: json::flag(job, "began") });
        }
    }
    (heard, jobs)
}
