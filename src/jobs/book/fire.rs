//! Schedules: which definitions are due, and what a firing adds.

use std::time::Duration;

use super::Book;
use crate::clock::{Now, Wall, millis};
use crate::event::Id;
use crate::jobs::cron::Schedule;
use crate::jobs::run::{Run, State, Terms, What};
use crate::jobs::{HostView, JobPlan, Overlap, Task, Where};
use crate::zone::Zone;

/// A firing that is seen so late counts as in time.
const IN_TIME: i64 = 60_000;
/// A wall clock that went back so far was set right: from then on it counts.
const STEPPED_BACK: i64 = 3_600_000;
/// Why a firing is left out.
pub const NOT_ENDED: &str = "its last run has not ended";
/// Schedules that were added by hand.
const MAX_BY_HAND: usize = 1000;

/// A definition, and when it last fired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// As defined.
    pub plan: JobPlan,
    /// Up to this time its firings are dealt with.
    pub fired: Wall,
    /// It was added by hand, and is not in the configuration.
    pub by_hand: bool,
    /// It has been told that its firings are left out.
    pub left_out: bool,
}

impl Job {
    /// A definition of the configuration; `before`: the same as it was so far.
    pub fn new(plan: JobPlan, before: Option<Job>, now: &Now) -> Job {
        let (fired, left_out) = before.map_or((now.wall, false), |before| (before.fired, before.left_out));
        Job { plan, fired, by_hand: false, left_out }
    }

    /// When it is due next.
    pub fn next(&self, zone: &Zone) -> Option<Wall> {
        self.plan.cron.as_ref().and_then(|(_, schedule)| schedule.next(self.fired, zone))
    }
}

impl Book {
    /// Adds runs for all definitions that are due: when the next one is.
    pub(super) fn fire(&mut self, hosts: &[HostView], now: &Now, zone: &Zone) -> Option<Wall> {
        let mut next: Option<Wall> = None;
        for place in 0..self.jobs.len() {
            let job = &self.jobs[place];
            let Some((_, schedule)) = &job.plan.cron else { continue };
            let (mut fired, mut begins) = (job.fired, None);
            if !fired.is_set() || fired.0.saturating_sub(now.wall.0) > STEPPED_BACK {
                fired = now.wall;
            }
            if schedule.next(fired, zone).is_some_and(|due| due <= now.wall) {
                begins = is_due(schedule, fired, job.plan.catch_up, now, zone);
                fired = now.wall;
            }
            if fired != job.fired {
                self.jobs[place].fired = fired;
                self.redefined();
            }
            if let Some(due) = begins {
                self.begin(place, due, hosts, now);
            }
            let after = self.jobs[place].next(zone);
            next = [next, after].into_iter().flatten().min();
        }
        next
    }

    /// Adds the runs of one firing.
    fn begin(&mut self, place: usize, due: Wall, hosts: &[HostView], now: &Now) {
        let plan = self.jobs[place].plan.clone();
        let open: Vec<usize> = (0..self.runs.len())
            .filter(|at| self.runs[*at].job == plan.name && !self.runs[*at].state.is_final())
            .collect();
        let waits = |run: &Run| run.state == State::Waiting || run.state == State::Queued;
        let skipped = match plan.overlap {
            _ if open.is_empty() => false,
            Overlap::Skip => true,
            Overlap::Queue => open.iter().any(|at| waits(&self.runs[*at])),
            Overlap::Kill => {
                for at in open {
                    self.take_back(at, "the next run of this job is due", now);
                }
                false
            }
        };
        if skipped {
            self.leave_out(place, NOT_ENDED.to_owned(), now);
            return;
        }
        let what = match &plan.what {
            Task::Message(message) => What::Message(message.clone()),
            Task::Url(_) => What::Url,
        };
        // The same firing has the same id whoever reckons it: after a crash between the two writes it is not run twice.
        match self.spread(&plan.name, &what, &plan.on, plan.terms, (due, now), hosts, 0) {
            Ok(_) => self.jobs[place].left_out = false,
            Err(why) => self.leave_out(place, why, now),
        }
    }

    /// A firing is left out. What fires every minute behind a run that hangs is told once.
    fn leave_out(&mut self, place: usize, why: String, now: &Now) {
        let job = &self.jobs[place];
        if !job.left_out {
            let name = job.plan.name.clone();
            self.jobs[place].left_out = self.skipped(&name, why, now);
        }
    }

    /// Adds a schedule by hand. Its name is the hash of what it says.
    pub(super) fn every(&mut self, message: &str, on: &Where, cron: &str, now: &Now) -> Result<Vec<Id>, String> {
        let schedule = Schedule::parse(cron).map_err(|error| ["--every ", &error.to_string()].concat())?;
        if self.jobs.iter().filter(|job| job.by_hand).count() >= MAX_BY_HAND {
            return Err(format!("there are {MAX_BY_HAND} such schedules already"));
        }
        let on_text = match on {
            Where::One(on) => on.text(),
            Where::All(glob) => glob,
        };
        let id = Id::of(&[b"every", message.as_bytes(), on_text.as_bytes(), cron.as_bytes()]);
        let name = ["every-", &id.to_string()[..8]].concat();
        if self.jobs.iter().any(|job| job.plan.name == name) {
            return Err(["it is there already: ", &name].concat());
        }
        let plan = JobPlan {
            name,
            cron: Some((cron.to_owned(), schedule)),
            what: Task::Message(message.to_owned()),
            on: on.clone(),
            terms: Terms::default(),
            prepare: Vec::new(),
            overlap: Overlap::Skip,
            catch_up: None,
        };
        self.jobs.push(Job { plan, fired: now.wall, by_hand: true, left_out: false });
        self.redefined();
        Ok(Vec::new())
    }
}

/// The firing that is to be run now, of all since `fired`: one that is in time, else the last one that may be made up
/// for.
fn is_due(schedule: &Schedule, fired: Wall, catch_up: Option<Duration>, now: &Now, zone: &Zone) -> Option<Wall> {
    for back in [IN_TIME, catch_up.map_or(0, millis)] {
        let from = Wall(fired.0.max(now.wall.0.saturating_sub(back)));
        if back > 0
            && let Some(due) = schedule.next(from, zone).filter(|due| *due <= now.wall)
        {
            return Some(last(schedule, due, now.wall, zone));
        }
    }
    None
}

/// The last firing up to `now`, of which `due` is one. Halves the time in between: there may be one every second of a year.
fn last(schedule: &Schedule, mut due: Wall, mut now: Wall, zone: &Zone) -> Wall {
    let until = now;
    while now.0 - due.0 >= 1000 {
        let middle = Wall(due.0 + (now.0 - due.0) / 2);
        match schedule.next(middle, zone).filter(|later| *later <= until) {
            Some(later) => due = later,
            None => now = middle,
        }
    }
    due
}
