//! What is on disk of the callbacks: what started any, what runs and what waits.

use serde_json::Value;

use crate::callback::result::{Ending, NEVER_STARTED, Outcome};
use crate::callback::rules::{Job, MAX_HEARD};
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

/// The small state; `seen` is the number of the last change that was heard of.
pub fn write(seen: u64, heard: &[Id], jobs: &[Job]) -> String {
    let mut out = Writer::default();
    out.open('{').key("seen").uint(seen).key("heard").open('[');
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

/// Reads what [`write()`] wrote; what makes no sense is left out.
pub fn read(state: &Value) -> (u64, Vec<Id>, Vec<CutOff>) {
    let (mut heard, mut jobs) = (Vec::new(), Vec::new());
    for id in json::list(state, "heard").iter().take(MAX_HEARD) {
        heard.extend(id.as_u64().map(Id));
    }
    for job in json::list(state, "jobs").iter().take(MAX_JOBS) {
        let event = job.get("event").and_then(Event::read);
        if let (Some(callback), Some(event)) = (json::text(job, "callback"), event) {
            jobs.push(CutOff { callback: callback.to_owned(), event, began: json::flag(job, "began") });
        }
    }
    (json::uint(state, "seen").unwrap_or(0), heard, jobs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::testing::{at, event};
    use crate::callback::rules::Rules;
    use crate::config;
    use crate::event::{Field, Kind};

    #[test]
    fn what_runs_and_waits_survives_and_damage_is_left_out() {
        let text = "[[callback]]\non = [\"offline\"]\nshell = \"x\"\n".repeat(2);
        let plan = config::parse(&text, "c.toml", &config::Env::default()).unwrap();
        let mut rules = Rules::new(vec![Id(1), Id(u64::MAX)]);
        rules.apply(&plan.callbacks);
        let first = event(Kind::Offline, 5, "nas\"\n").with_text(Field::Reason, "left out");
        rules.hear(&Arc::new(first.clone()), &at(0));
        assert_eq!(rules.step(&at(0)).len(), 2);
        rules.hear(&Arc::new(event(Kind::Offline, 6, "x")), &at(0));
        let saved = write(9, rules.heard(), rules.jobs());
        let (seen, heard, jobs) = read(&json::read(saved.as_bytes()).unwrap());
        assert_eq!((seen, &heard[..], heard.len()), (9, rules.heard(), 4));
        let seen: Vec<(&str, &str, bool)> =
            jobs.iter().map(|job| (&*job.callback, &*job.event.subject, job.began)).collect();
        let nas = "nas\"\n";
        assert_eq!(
            seen,
            [
                ("callback-1", nas, true),
                ("callback-2", nas, true),
                ("callback-1", "x", false),
                ("callback-2", "x", false)
            ]
        );
        assert_eq!(jobs[0].event, Event { facts: Vec::new(), ..first });
        assert_eq!(
            (jobs[0].outcome().ending, jobs[2].outcome().ending.words()),
            (Ending::Unknown, NEVER_STARTED.to_owned())
        );
        // Whatever a disk makes of it.
        let mut seed = 7_u64;
        for _ in 0..3000 {
            let mut bytes = saved.clone().into_bytes();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = (seed >> 33) as usize % bytes.len();
                bytes[place] = b"0\"[]{},:x"[(seed >> 20) as usize % 9];
            }
            if let Some(value) = json::read(&bytes) {
                assert!(read(&value).2.len() <= MAX_JOBS);
            }
        }
        for odd in ["1", "{}", "{\"heard\":[\"x\",-1],\"jobs\":[1,{\"callback\":3}]}"] {
            assert_eq!(read(&json::read(odd.as_bytes()).unwrap()), (0, Vec::new(), Vec::new()), "{odd}");
        }
    }
}
