//! What `status` says of jobs.

use super::Status;
use crate::json::Writer;
use crate::run::table::line;

/// How many runs there are.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Jobs {
    /// Sent to a host, or running there.
    pub running: usize,
    /// Not due yet, or without a host that takes it.
    pub waiting: usize,
    /// Ended badly within a day: failed, expired or lost.
    pub failed: usize,
    /// Runs that a host has, by its name.
    pub hosts: Vec<(String, usize)>,
}

#[cfg(feature = "jobs")]
mod count {
    use super::Jobs;
    use crate::clock::Now;
    use crate::jobs::book::Book;
    use crate::jobs::run::{Run, State};

    /// What ended longer ago than this is not lately, in milliseconds.
    const LATELY: i64 = 86_400_000;

    impl Jobs {
        /// Counts the runs of a book.
        pub fn of(book: &Book, now: &Now) -> Jobs {
            let mut jobs = Jobs::default();
            for run in book.runs() {
                jobs.count(run, now);
            }
            jobs
        }

        fn count(&mut self, run: &Run, now: &Now) {
            match run.state {
                State::Waiting | State::Queued => self.waiting += 1,
                State::Sent | State::Running => {
                    self.running += 1;
                    match self.hosts.iter_mut().find(|(host, _)| *host == run.host) {
                        Some((_, count)) => *count += 1,
                        None => self.hosts.push((run.host.clone(), 1)),
                    }
                }
                State::Failed | State::Expired | State::Lost => {
                    let lately = |since: crate::clock::Tick| now.tick.0.saturating_sub(since.0) < LATELY;
                    self.failed += usize::from(run.since.tick(now).is_some_and(lately));
                }
                State::Succeeded | State::Cancelled => {}
            }
        }
    }
}

impl Status<'_> {
    /// Runs of a host; `None` if there are none.
    pub fn jobs_of(&self, name: &str) -> Option<usize> {
        let hosts = &self.jobs.as_ref()?.hosts;
        hosts.iter().find(|(host, _)| host == name).map(|(_, count)| *count)
    }

    pub(super) fn jobs_line(&self, text: &mut String) {
        let Some(jobs) = &self.jobs else { return };
        if (jobs.running, jobs.waiting, jobs.failed) != (0, 0, 0) {
            let [running, waiting, failed] = [jobs.running, jobs.waiting, jobs.failed].map(|count| count.to_string());
            line(text, &["jobs: ", &running, " running, ", &waiting, " waiting, ", &failed, " failed in the last day"]);
        }
    }

    pub(super) fn jobs_json(&self, out: &mut Writer) {
        let Some(jobs) = &self.jobs else { return };
        out.key("jobs").open('{');
        for (key, count) in [("running", jobs.running), ("waiting", jobs.waiting), ("failed", jobs.failed)] {
            out.key(key).uint(count as u64);
        }
        out.close('}');
    }
}
