//! How runs come to their ends, and how long they are kept.

use super::{Book, MAX_EPOCH};
use crate::clock::{Now, Tick, millis};
use crate::event::{Id, Moment};
use crate::jobs::run::{Run, State, What};
use crate::keepalive::work::{Done, End, Key};

/// Ended runs that are kept in all, of one job, and for how long, in milliseconds.
const MAX_ENDED: (usize, usize) = (1000, 50);
const KEEP_ENDED: i64 = 7 * 86_400_000;
/// How long an attempt may take if its job does not say so, in milliseconds: the longest limit in the file of an agent.
const HOSTS_LIMIT: i64 = 30 * 86_400_000;
/// What each preparation is given beyond that, in milliseconds: its limit is its host's.
const PREPARE: i64 = 86_400_000;
/// A host may say so much longer that it has a run that must have ended, in milliseconds: if it has spoken all that time,
/// and if it has not.
const MARGINS: (i64, i64) = (600_000, 86_400_000);
/// What is said of a host that keeps a run beyond its time limit, or does not end it on request.
const STILL_RUNS: &str = " says that it still runs, beyond its time limit";
const NOT_ENDED: &str = " was told to end it and says that it still runs";

impl Book {
    /// A run has come to its end. Without a reason its last result stands.
    pub(super) fn end(&mut self, at: usize, state: State, why: &str, now: &Now) {
        let run = &mut *self.runs[at];
        run.state = state;
        run.since = Moment::at(now.tick, now);
        if !why.is_empty() {
            let done = run.done.get_or_insert_with(|| Done {
                key: run.key,
                end: End::Refused,
                code: None,
                took: 0,
                out: String::new(),
                why: String::new(),
            });
            why.clone_into(&mut done.why);
        }
        self.touch(at);
    }

    /// A run was not started in time. What its host said when it could not take it says more than that.
    pub(super) fn expire(&mut self, at: usize, why: &str, now: &Now) {
        let done = self.runs[at].done.as_ref();
        let said = done.is_some_and(|done| done.end == End::Refused && !done.why.is_empty());
        self.end(at, State::Expired, if said { "" } else { why }, now);
    }

    /// Nobody knows whether a run, or its attempt, was carried out: it is tried again if it may run twice.
    pub(super) fn unknown(&mut self, at: usize, why: &str, now: &Now) {
        let run = &mut *self.runs[at];
        if run.terms.idempotent && !run.cancelled && run.key.epoch < MAX_EPOCH {
            run.key.attempt += 1;
            self.again(at, now);
        } else {
            self.lose(at, why, 0, now);
        }
    }

    /// Perhaps a run was carried out. Without a reason its host has given one.
    fn lose(&mut self, at: usize, why: &str, took: i64, now: &Now) {
        let run = &mut *self.runs[at];
        if !why.is_empty() {
            let (key, why) = (run.key, why.to_owned());
            run.done = Some(Done { key, end: End::Unknown, code: None, took, out: String::new(), why });
        }
        self.end(at, State::Lost, "", now);
    }

    /// Somebody wants a run ended; what has not begun ends at once, and so does a call: its answer changes nothing any
    /// more.
    pub(super) fn take_back(&mut self, at: usize, why: &str, now: &Now) {
        let run = &mut *self.runs[at];
        run.cancelled = true;
        let called = run.what == What::Url && run.state == State::Running;
        if called {
            self.hanging.push(run.key);
        }
        if called || matches!(run.state, State::Waiting | State::Queued) {
            self.end(at, State::Cancelled, why, now);
        } else {
            self.touch(at);
        }
    }

    /// A call that was asked for was not made: it waits for the next time.
    pub fn not_called(&mut self, key: Key, now: &Now) {
        self.hanging.retain(|hanging| *hanging != key);
        if let Some(at) = self.find(key.id).filter(|at| self.runs[*at].key == key && !self.runs[*at].state.is_final()) {
            self.again_since(at, now);
        }
    }

    /// Whether a call that was asked for is still wanted.
    pub fn is_called(&mut self, key: Key) -> bool {
        let wanted = self.runs().any(|run| run.key == key && !run.state.is_final());
        if !wanted {
            self.hanging.retain(|hanging| *hanging != key);
        }
        wanted
    }

    /// Whether a run of which its host says that it has it has lasted too long, or has not ended for too long after that
    /// was ordered: it is lost then, whatever is said of it later. Also if it may run twice: on its own host a second
    /// attempt cannot begin beside the first, and what hangs on one host hangs on the next. `talks`: since when the host speaks without a pause.
    pub(super) fn overdue(&mut self, at: usize, talks: Tick, now: &Now) -> bool {
        let run = &*self.runs[at];
        let ago = |then: Tick| now.tick.0.saturating_sub(then.0);
        let late = |over: i64| over > MARGINS.1 || over > MARGINS.0 && ago(talks) > MARGINS.0;
        let plan = self.jobs.iter().find(|job| job.plan.name == run.job);
        let prepare = plan.map_or(0, |job| job.plan.prepare.len() as i64);
        let limit = run.terms.timeout.map_or(HOSTS_LIMIT, millis).saturating_add(prepare * PREPARE);
        let lasts = self.lasts(&run.since, now);
        let why = if run.ordered.is_some_and(|ordered| late(self.lasts(&ordered, now))) {
            NOT_ENDED
        } else if late(lasts.saturating_sub(limit)) {
            STILL_RUNS
        } else {
            return false;
        };
        let why = [&run.host, why].concat();
        self.lose(at, &why, lasts, now);
        true
    }

    /// How long ago that is, in milliseconds. Before the clock is set nobody knows it of an earlier boot, but for the time
    /// since this program began.
    pub(super) fn lasts(&self, since: &Moment, now: &Now) -> i64 {
        let since = since.tick(now).unwrap_or(self.began.unwrap_or(now.tick));
        now.tick.0.saturating_sub(since.0)
    }

    /// Takes out what has ended long ago, or is more than is kept.
    pub(super) fn clear(&mut self, now: &Now) {
        let age = |run: &Run| run.since.tick(now).map_or(0, |since| now.tick.0.saturating_sub(since.0));
        let mut gone: Vec<Id> = Vec::new();
        let ended: Vec<&Run> = self.runs.iter().map(|run| &**run).filter(|run| run.told).collect();
        if !ended.is_empty() {
            let order = crate::order::order(ended.len(), &|a, b| age(ended[a]) < age(ended[b]));
            let mut kept: Vec<(&str, usize)> = Vec::new();
            let mut all = 0;
            for at in order {
                let run = ended[at];
                let of_job = match kept.iter_mut().find(|(job, _)| *job == run.job) {
                    Some((_, count)) => {
                        *count += 1;
                        *count
                    }
                    None => {
                        kept.push((&run.job, 1));
                        1
                    }
                };
                all += 1;
                let of_job = if run.job.is_empty() { 0 } else { of_job };
                if all > MAX_ENDED.0 || of_job > MAX_ENDED.1 || age(run) > KEEP_ENDED {
                    gone.push(run.key.id);
                }
            }
        }
        for id in gone {
            if let Some(at) = self.find(id) {
                self.touch(at);
                self.runs.remove(at);
            }
        }
    }
}
