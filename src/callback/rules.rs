//! Which callbacks start, and when: a computation on events and the time that is passed in.
//!
//! A callback has one run at a time. An event that comes while it runs, or rests after a run (`cooldown`), waits, in
//! order of coming; what waits is dropped once its incident is over. An `interrupt` rests for nobody, goes before
//! others, and has the run of another event that is in its way ended after a third of the time it has. One that waits
//! too long, or finds too many others waiting, is told.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::route::glob_matches;
use crate::callback::limit::{deadline, limit};
use crate::callback::result::{CROWDED, EXPIRED, HANGS, Outcome, is_echo};
use crate::clock::{Now, Tick};
use crate::config::plan::CallbackPlan;
use crate::event::{Event, Id, Kind, Phase};

/// Events that may wait for one callback: interrupts, and others.
const MAX_WAITING: [usize; 2] = [64, 16];
/// Runs at once: if an interrupt wants one more, and else.
const MAX_RUNNING: [usize; 2] = [16, 8];
/// Events that are remembered, so that none starts a callback twice.
pub const MAX_HEARD: usize = 128;
/// A run that has not ended so long after its time is given up: its program is on a disk that does not answer.
const OVERTIME: Duration = Duration::from_secs(30);
/// How often a run is tried again for which there is no thread, once a second.
const MAX_TRIES: u8 = 30;
/// How long an interrupt without a known deadline waits for the run of another event.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run, or the wish for one.
#[derive(Clone, Debug)]
pub struct Job {
    /// No two have the same.
    pub number: u32,
    /// The callback's name.
    pub callback: String,
    /// Its cause; of a notice that changed while it waited, the last word.
    pub event: Arc<Event>,
    /// Under what its cause is remembered.
    key: Id,
    /// When the event came.
    pub came: Tick,
    /// When it started; `None` while it waits.
    pub began: Option<Tick>,
    /// When it must have ended, if it runs.
    until: Tick,
    /// Its time was shortened for an interrupt.
    shortened: bool,
    /// How often it could not be started.
    tries: u8,
}

/// A run that starts now.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job's number, for its end.
    pub number: u32,
    /// What to do.
    pub plan: Arc<CallbackPlan>,
    /// Its cause.
    pub event: Arc<Event>,
    /// How long it may take.
    pub limit: Duration,
    /// Since the event came.
    pub waited: Duration,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Start a run.
    Start(Start),
    /// A run must end at that time, since an interrupt waits for it.
    Shorten(u32, Tick),
    /// This will not be started, for a reason that is told.
    Refused(Job, &'static str),
    /// This will not be started, as is right: its incident is over, its callback is gone, or it is an exercise.
    Dropped(Job, &'static str),
}

/// A callback.
struct Rule {
    plan: Arc<CallbackPlan>,
    /// The end of its rest.
    rests: Option<Tick>,
    /// Events that found too many others waiting, since the last start.
    refused: u32,
    last: Option<(Tick, Outcome)>,
}

/// A callback at a moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// What it runs for, and since when.
    pub running: Option<(Arc<Event>, Tick)>,
    /// Events that wait for it.
    pub waiting: usize,
    /// Until when it rests.
    pub rests: Option<Tick>,
    /// When its last run ended, and how.
    pub last: Option<(Tick, Outcome)>,
}

/// All callbacks.
#[derive(Default)]
pub struct Rules {
    rules: Vec<Rule>,
    jobs: Vec<Job>,
    /// What has started a callback, the oldest first.
    heard: Vec<Id>,
    last: u32,
}

impl Rules {
    /// None, with what earlier runs have heard.
    pub fn new(heard: Vec<Id>) -> Rules {
        Rules { heard, ..Rules::default() }
    }

    /// What has started a callback.
    pub fn heard(&self) -> &[Id] {
        &self.heard
    }

    /// Runs, and what waits for one.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The callbacks are these from now on. Runs go on; what waits for one that is gone is dropped.
    pub fn apply(&mut self, plans: &[Arc<CallbackPlan>]) -> Vec<Action> {
        let mut old = std::mem::take(&mut self.rules);
        for plan in plans {
            let known = old.iter().position(|rule| rule.plan.name == plan.name).map(|at| old.swap_remove(at));
            let (rests, last) = known.map_or((None, None), |rule| (rule.rests, rule.last));
            self.rules.push(Rule { plan: plan.clone(), rests, refused: 0, last });
        }
        let gone = |job: &Job| !plans.iter().any(|plan| plan.name == job.callback);
        self.drop_waiting(&gone, "the callback is gone")
    }

    /// An event is told, or was told by somebody else: whoever it concerns wants to run.
    pub fn hear(&mut self, event: &Arc<Event>, now: &Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if event.kind.phase() == Phase::End {
            let over = |job: &Job| job.event.incident == event.incident && job.event.kind.phase() == Phase::Begin;
            actions = self.drop_waiting(&over, "its cause is over");
        }
        let id = identity(event);
        if is_echo(event) {
            return actions;
        }
        if self.heard.contains(&id) {
            self.heard_again(event, id, now, &mut actions);
            return actions;
        }
        let mut wanted = false;
        for at in 0..self.rules.len() {
            let plan = &self.rules[at].plan;
            if !takes(plan, event) {
                continue;
            }
            let callback = plan.name.clone();
            self.last = self.last.wrapping_add(1);
            let simulate = plan.simulate;
            let job = Job {
                number: self.last,
                callback,
                event: event.clone(),
                key: id,
                came: now.tick,
                began: None,
                until: now.tick,
                shortened: false,
                tries: 0,
            };
            if event.test && !simulate {
                actions.push(Action::Dropped(job, "an exercise"));
                continue;
            }
            wanted = true;
            let waiting =
                self.jobs.iter().filter(|job| job.began.is_none() && job.callback == self.rules[at].plan.name);
            if waiting.count() < MAX_WAITING[usize::from(event.kind != Kind::Interrupt)] {
                self.jobs.push(job);
                continue;
            }
            // A crowd is told once.
            let first = self.rules[at].refused == 0;
            self.rules[at].refused = self.rules[at].refused.saturating_add(1);
            actions.push(if first { Action::Refused(job, CROWDED) } else { Action::Dropped(job, CROWDED) });
        }
        if wanted {
            if self.heard.len() >= MAX_HEARD {
                self.heard.remove(0);
            }
            self.heard.push(id);
        }
        actions
    }

    /// A notice is told again: if less is left than it said before, that counts for what runs and waits.
    fn heard_again(&mut self, event: &Arc<Event>, id: Id, now: &Now, actions: &mut Vec<Action>) {
        if event.kind != Kind::Interrupt {
            return;
        }
        for job in self.jobs.iter_mut().filter(|job| job.key == id) {
            if job.began.is_none() {
                job.event = event.clone();
            } else if deadline(event, now).is_some() {
                let until = now.tick + limit(None, event, 0, now);
                if until < job.until {
                    job.until = until;
                    actions.push(Action::Shorten(job.number, until));
                }
            }
        }
    }

    fn drop_waiting(&mut self, which: &dyn Fn(&Job) -> bool, why: &'static str) -> Vec<Action> {
        let mut dropped = Vec::new();
        for at in (0..self.jobs.len()).rev() {
            if self.jobs[at].began.is_none() && which(&self.jobs[at]) {
                dropped.push(Action::Dropped(self.jobs.remove(at), why));
            }
        }
        dropped
    }

    /// What is to be done now.
    pub fn step(&mut self, now: &Now) -> Vec<Action> {
        let mut actions = self.expire(now);
        for interrupt in [true, false] {
            for at in 0..self.jobs.len() {
                let job = &self.jobs[at];
                if job.began.is_none() && (job.event.kind == Kind::Interrupt) == interrupt {
                    actions.extend(self.start(at, now));
                }
            }
        }
        actions
    }

    /// Gives up what waited until its deadline, and runs that do not end. What came after its deadline starts all the
    /// same.
    fn expire(&mut self, now: &Now) -> Vec<Action> {
        let mut expired = Vec::new();
        for at in (0..self.jobs.len()).rev() {
            let job = &self.jobs[at];
            let late = |until: Tick| job.came < until && until <= now.tick;
            if job.began.is_none() && deadline(&job.event, now).is_some_and(late) {
                expired.push(Action::Refused(self.jobs.remove(at), EXPIRED));
            } else if job.began.is_some() && now.tick >= job.until + OVERTIME {
                expired.push(Action::Refused(self.jobs.remove(at), HANGS));
            }
        }
        expired
    }

    /// Starts a job if nothing is in its way.
    fn start(&mut self, at: usize, now: &Now) -> Option<Action> {
        let job = &self.jobs[at];
        let interrupt = job.event.kind == Kind::Interrupt;
        let rule = self.rules.iter().position(|rule| rule.plan.name == job.callback)?;
        let Rule { plan, rests, .. } = &self.rules[rule];
        let before = |other: &Job| Some(&other.callback) == plan.after.as_ref() && other.key == job.key;
        if self.jobs.iter().any(before) {
            return None;
        }
        if let Some(running) =
            self.jobs.iter().position(|other| other.began.is_some() && other.callback == job.callback)
        {
            return if interrupt { self.shorten(running, at, now) } else { None };
        }
        let running = self.jobs.iter().filter(|job| job.began.is_some()).count();
        if running >= MAX_RUNNING[usize::from(!interrupt)]
            || (!interrupt && rests.is_some_and(|until| now.tick < until))
        {
            return None;
        }
        let start = Start {
            number: job.number,
            plan: plan.clone(),
            event: job.event.clone(),
            limit: limit(plan.timeout, &job.event, self.followers(at), now),
            waited: now.tick.since(job.came),
        };
        self.jobs[at].began = Some(now.tick);
        self.jobs[at].until = now.tick + start.limit;
        self.rules[rule].refused = 0;
        Some(Action::Start(start))
    }

    /// How many runs come after that of the job: those that follow it on the same event, one after the other, and the
    /// interrupts that wait for the same callback.
    fn followers(&self, at: usize) -> u32 {
        let job = &self.jobs[at];
        let mut count = 0;
        let mut name = &job.callback;
        while count < self.rules.len() as u32 {
            let next = self.jobs.iter().find(|other| {
                let after = self.rules.iter().find(|rule| rule.plan.name == other.callback);
                other.key == job.key && after.is_some_and(|rule| rule.plan.after.as_ref() == Some(name))
            });
            let Some(next) = next else { break };
            name = &next.callback;
            count += 1;
        }
        let waits = |other: &&Job| {
            other.number != job.number
                && other.began.is_none()
                && other.callback == job.callback
                && other.event.kind == Kind::Interrupt
        };
        count + self.jobs.iter().filter(waits).count() as u32
    }

    /// An interrupt (`at`) waits for the run of another event: that one gets a third of the time there is.
    fn shorten(&mut self, running: usize, at: usize, now: &Now) -> Option<Action> {
        let waiting = &self.jobs[at];
        let until = match deadline(&waiting.event, now) {
            Some(deadline) => waiting.came + deadline.since(waiting.came) / 3,
            None => waiting.came + PATIENCE,
        };
        let job = &mut self.jobs[running];
        if job.shortened || job.event.kind == Kind::Interrupt {
            return None;
        }
        job.shortened = true;
        Some(Action::Shorten(job.number, until))
    }

    /// There was no thread for a run: it waits again, for a while. How often that was so, and whether it still waits.
    pub fn postpone(&mut self, number: u32) -> (u8, bool) {
        let Some(job) = self.jobs.iter_mut().find(|job| job.number == number) else { return (MAX_TRIES, false) };
        job.tries += 1;
        job.began = None;
        (job.tries, job.tries < MAX_TRIES)
    }

    /// A run ended.
    pub fn ended(&mut self, number: u32, outcome: Outcome, now: &Now) {
        let Some(at) = self.jobs.iter().position(|job| job.number == number) else { return };
        let job = self.jobs.remove(at);
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.plan.name == job.callback) {
            rule.rests = (!rule.plan.cooldown.is_zero()).then(|| now.tick + rule.plan.cooldown);
            rule.last = Some((now.tick, outcome));
        }
    }

    /// When [`Rules::step`] has something to do although nothing happens.
    pub fn next(&self, now: &Now) -> Option<Tick> {
        let mut next: Option<Tick> = None;
        for job in &self.jobs {
            if job.began.is_some() {
                let until = job.until + OVERTIME;
                next = Some(next.map_or(until, |next| next.min(until)));
                continue;
            }
            let rule = self.rules.iter().find(|rule| rule.plan.name == job.callback);
            let times = [rule.and_then(|rule| rule.rests), deadline(&job.event, now)];
            for time in times.into_iter().flatten().filter(|time| *time > now.tick) {
                next = Some(next.map_or(time, |next| next.min(time)));
            }
        }
        next
    }

    /// For `status`.
    pub fn standings(&self) -> Vec<Standing> {
        let mut standings = Vec::with_capacity(self.rules.len());
        for Rule { plan, rests, last, .. } in &self.rules {
            let of = |job: &&Job| job.callback == plan.name;
            let running = self.jobs.iter().filter(of).find_map(|job| Some((job.event.clone(), job.began?)));
            let waiting = self.jobs.iter().filter(of).filter(|job| job.began.is_none()).count();
            standings.push(Standing { name: plan.name.clone(), running, waiting, rests: *rests, last: last.clone() });
        }
        standings
    }
}

/// Under what an event is remembered. A notice that is told again, since its time changed or is near, is the same one.
fn identity(event: &Event) -> Id {
    match event.kind.phase() {
        Phase::Begin => Id::of(&[event.kind.name().as_bytes(), &event.incident.0.to_be_bytes()]),
        Phase::End | Phase::Single => event.id,
    }
}

fn takes(plan: &CallbackPlan, event: &Event) -> bool {
    event.severity >= plan.min_severity
        && plan.on.contains(&event.kind)
        && (plan.hosts.is_empty() || plan.hosts.iter().any(|glob| glob_matches(glob, &event.subject)))
}

#[cfg(test)]
mod tests;
