//! The book of the agents that ask over HTTP, and of their jobs. Pure.
//!
//! An agent is online as long as it says something within [`ONLINE`]; one that has a job may be silent, since the agents
//! that this is for do not ask while they work. A job goes to its agent once: what was handed out and never reported is
//! told as lost after [`REPORT`], since it may have run. Delayed jobs wait for their time, and then for their agent.

mod saved;
mod seen;
mod step;

use std::time::Duration;

use crate::clock::{Now, Tick, Wall};
use crate::config::plan::Reported;
use crate::event::{Id, Moment};
use crate::http::WebAgent;
use crate::http::agents::refusal::{
    DURATION, EMPTY, FINISHED, FULL, NO_AGENT, NO_CLOCK, NO_JOB, NOT_RUNNING, OFFLINE, Refusal, TOO_LONG,
};
pub use step::News;

/// An agent that says nothing for so long is offline; so it is with the service that these agents were written for, as are
/// the next three.
pub const ONLINE: Duration = Duration::from_secs(180);
/// A job that was handed out and of which nothing is said for so long has expired.
pub const REPORT: Duration = Duration::from_secs(600);
/// Characters of a job.
pub const MAX_MESSAGE: usize = 255;
/// Characters of a result that are kept.
pub const MAX_RESULT: usize = 1024;
/// How long a delayed job waits for its agent once it is due, in milliseconds.
const GIVE_UP: i64 = 30 * 86_400_000;
/// Jobs that have not ended, or of whose end nobody could be told yet: of all agents, and of one.
pub const MAX_OPEN: usize = 1000;
const MAX_OWN: usize = 250;
/// Ended jobs that are kept, for reports that come late.
const MAX_ENDED: usize = 100;
/// Keys of requests that are remembered.
const MAX_SEEN: usize = 256;
/// The longest delay, in milliseconds.
const MAX_DELAY: i64 = 3650 * 86_400_000;
/// Characters at the front of a result that is too long; the rest is its end.
const RESULT_FRONT: usize = 340;

/// Agents and jobs.
#[derive(Default, Debug)]
pub struct Book {
    agents: Vec<Agent>,
    /// Those that wait in the order in which they were queued, those that ended in the order of their ends.
    jobs: Vec<Job>,
    /// Requests that were done, with the time of each.
    seen: Vec<(Id, Wall)>,
    /// Those that are being done: at most one of each connection.
    doing: Vec<Id>,
    /// How often something changed that must be on disk.
    changes: u64,
    /// Something changed that may wait for the next write.
    lazy: bool,
    /// When this book was read, or this program went on after a freeze: nobody could say anything before.
    started: Tick,
    stepped: Option<Tick>,
}

/// An agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its other name; may be empty.
    pub alias: String,
    /// Which ends of its jobs are told.
    pub notify: Reported,
    /// How it is.
    pub standing: Standing,
    /// Since when.
    pub since: Moment,
    /// When it last said anything.
    pub heard: Moment,
    /// Its last outage, and since when it was silent by then.
    pub outage: (Id, Moment),
    /// What it is was handed on to be told, or need not be.
    pub told: bool,
    /// The configuration has it no more: it goes once that is told.
    pub gone: bool,
}

/// How an agent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It never said anything.
    Unseen,
    /// It asks for jobs, or has one.
    Online,
    /// It fell silent.
    Offline,
}

/// A job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// Which.
    pub id: Id,
    /// The name of its agent.
    pub agent: String,
    /// What the agent is to do.
    pub message: String,
    /// How far it is.
    pub state: State,
    /// Since when; a running one since it last said so.
    pub since: Moment,
    /// When it was handed out.
    pub sent: Option<Moment>,
    /// When it is due, if it was delayed.
    pub due: Option<Wall>,
    /// Whoever made it wants to hear nothing of it.
    pub quiet: bool,
    /// What the agent says of it; empty again once that is told.
    pub result: String,
    /// Why it has expired.
    pub why: String,
    /// Its end was handed on to be told, or need not be.
    pub told: bool,
}

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is not due yet, or its agent is not there.
    Waiting,
    /// Its agent gets it when it asks next.
    Queuing,
    /// Its agent has asked and was given it.
    Sent,
    /// Its agent says that it runs.
    Running,
    /// It went well.
    Succeeded,
    /// It did not.
    Failed,
    /// Its agent did not ask for it, or says nothing of it.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [State; 7] =
        [State::Waiting, State::Queuing, State::Sent, State::Running, State::Succeeded, State::Failed, State::Expired];

    /// Whether nothing need come after it.
    pub fn is_final(self) -> bool {
        matches!(self, State::Succeeded | State::Failed | State::Expired)
    }

    fn is_out(self) -> bool {
        matches!(self, State::Sent | State::Running)
    }
}

impl Book {
    /// Takes in what the configuration says, at the start and after a reload.
    pub fn define(&mut self, plans: &[WebAgent], now: &Now) {
        for plan in plans {
            match self.agents.iter_mut().find(|agent| agent.name == plan.name) {
                Some(agent) => {
                    plan.alias.clone_into(&mut agent.alias);
                    (agent.notify, agent.gone) = (plan.notify, false);
                }
                None => self.agents.push(Agent::new(plan, now)),
            }
        }
        for at in 0..self.agents.len() {
            let agent = &mut self.agents[at];
            if plans.iter().any(|plan| plan.name == agent.name) {
                continue;
            }
            agent.gone = true;
            // Nobody waits for the end of what nobody was told of.
            agent.told = agent.standing != Standing::Offline || !agent.told;
            let name = agent.name.clone();
            self.expire(&name, "its agent is no longer in the configuration", now, &|_| true);
            self.changes += 1;
        }
        self.agents.retain(|agent| !agent.gone || !agent.told);
    }

    /// The agent of this name or alias.
    pub fn find(&self, name: &str) -> Option<&Agent> {
        let fits = |agent: &&Agent| !agent.gone && (agent.name == name || !name.is_empty() && agent.alias == name);
        self.agents.iter().find(fits)
    }

    /// Those that the configuration has.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.iter().filter(|agent| !agent.gone)
    }

    /// How many jobs of an agent are in a state.
    pub fn count(&self, name: &str, state: State) -> usize {
        self.jobs.iter().filter(|job| job.agent == name && job.state == state).count()
    }

    /// Whether there is anybody whose last word would be missed.
    pub fn is_watching(&self) -> bool {
        self.agents.iter().any(|agent| agent.standing == Standing::Online)
    }

    /// An agent says something.
    pub fn hear(&mut self, name: &str, now: &Now) {
        let Some(agent) = self.agents.iter_mut().find(|agent| agent.name == name) else { return };
        agent.heard = Moment::at(now.tick, now);
        if agent.standing == Standing::Online {
            return;
        }
        // What nobody was told of needs no end.
        agent.told = agent.standing == Standing::Unseen || !agent.told;
        (agent.standing, agent.since) = (Standing::Online, agent.heard);
        self.changes += 1;
    }

    /// Hands an agent the job that has waited longest.
    pub fn pop(&mut self, name: &str, now: &Now) -> Option<(Id, String)> {
        self.fire(now);
        let job = self.jobs.iter_mut().find(|job| job.state == State::Queuing && job.agent == name)?;
        (job.state, job.since) = (State::Sent, Moment::at(now.tick, now));
        job.sent = Some(job.since);
        self.changes += 1;
        Some((job.id, job.message.clone()))
    }

    /// It could not be handed out after all.
    pub fn put_back(&mut self, id: Id) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id && job.state == State::Sent) {
            (job.state, job.sent) = (State::Queuing, None);
            self.changes += 1;
        }
    }

    /// An agent says what became of a job: that it runs, or how it ended.
    ///
    /// # Errors
    /// When it is not its job, or has ended already. A result is still taken once the job has expired.
    pub fn report(&mut self, name: &str, id: &str, state: State, result: &str, now: &Now) -> Result<(), Refusal> {
        let id = Id::parse(id).ok_or(NO_JOB)?;
        let at = self.jobs.iter().position(|job| job.id == id && job.agent == name).ok_or(NO_JOB)?;
        let job = &mut self.jobs[at];
        if matches!(job.state, State::Succeeded | State::Failed) {
            return Err(FINISHED);
        }
        if state == State::Running {
            if !job.state.is_out() {
                return Err(NOT_RUNNING);
            }
            (job.state, job.since) = (State::Running, Moment::at(now.tick, now));
            self.lazy = true;
            return Ok(());
        }
        // What was not handed out cannot have run.
        if job.sent.is_none() {
            return Err(NOT_RUNNING);
        }
        job.result = shorten(result);
        job.why = String::new();
        self.end(at, state, now);
        Ok(())
    }

    /// Queues a job.
    ///
    /// # Errors
    /// When it is no job, or its agent is not there to take it.
    pub fn add(&mut self, name: &str, message: &str, id: Id, now: &Now) -> Result<(), Refusal> {
        let agent = self.find(name).ok_or(NO_AGENT)?;
        self.check(agent, message)?;
        if agent.standing != Standing::Online {
            return Err(OFFLINE);
        }
        let (agent, state) = (agent.name.clone(), State::Queuing);
        self.insert(Job::new(id, agent, message, state, now));
        Ok(())
    }

    /// Keeps a job for an agent until `delay` milliseconds have passed; it is due at once if there are none.
    ///
    /// # Errors
    /// When it is no job, the delay is too long, or nobody knows what time it is.
    pub fn delay(
        &mut self,
        name: &str,
        message: &str,
        delay: i64,
        quiet: bool,
        id: Id,
        now: &Now,
    ) -> Result<(), Refusal> {
        let agent = self.find(name).ok_or(NO_AGENT)?;
        self.check(agent, message)?;
        let agent = agent.name.clone();
        if delay > MAX_DELAY {
            return Err(DURATION);
        }
        if !now.wall.is_set() {
            return Err(NO_CLOCK);
        }
        let due = Some(Wall(now.wall.0.saturating_add(delay.max(0))));
        self.insert(Job { due, quiet, ..Job::new(id, agent, message, State::Waiting, now) });
        Ok(())
    }

    fn check(&self, agent: &Agent, message: &str) -> Result<(), Refusal> {
        if message.trim().is_empty() {
            return Err(EMPTY);
        }
        if message.chars().count() > MAX_MESSAGE {
            return Err(TOO_LONG);
        }
        let open = |job: &&Job| !job.state.is_final() || !job.told;
        let own = self.jobs.iter().filter(|job| open(job) && job.agent == agent.name).count();
        if own >= MAX_OWN || self.jobs.iter().filter(open).count() >= MAX_OPEN { Err(FULL) } else { Ok(()) }
    }

    fn insert(&mut self, job: Job) {
        self.jobs.push(job);
        self.changes += 1;
    }

    /// Takes a job back; `false` if it was handed out.
    pub fn withdraw(&mut self, id: Id) -> bool {
        let before = self.jobs.len();
        self.jobs.retain(|job| job.id != id || job.sent.is_some());
        let withdrawn = self.jobs.len() < before;
        self.changes += u64::from(withdrawn);
        withdrawn
    }

    /// How often something changed that must be on disk, and whether something did that can wait.
    pub fn changes(&self) -> (u64, bool) {
        (self.changes, self.lazy)
    }

    /// What was to be written could not be.
    pub fn unsaved(&mut self) {
        self.lazy = true;
    }
}

impl Agent {
    fn new(plan: &WebAgent, now: &Now) -> Agent {
        let since = Moment::at(now.tick, now);
        Agent {
            name: plan.name.clone(),
            alias: plan.alias.clone(),
            notify: plan.notify,
            standing: Standing::Unseen,
            since,
            heard: since,
            outage: (Id(0), since),
            told: true,
            gone: false,
        }
    }
}

impl Job {
    fn new(id: Id, agent: String, message: &str, state: State, now: &Now) -> Job {
        Job {
            id,
            agent,
            message: message.to_owned(),
            state,
            since: Moment::at(now.tick, now),
            sent: None,
            due: None,
            quiet: false,
            result: String::new(),
            why: String::new(),
            told: false,
        }
    }
}

/// A result as it is kept: its beginning and its end if it is too long, and no control characters but line feeds.
fn shorten(result: &str) -> String {
    let harmless = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c };
    let count = result.chars().count();
    if count <= MAX_RESULT {
        return result.chars().map(harmless).collect();
    }
    let end = count - (MAX_RESULT - RESULT_FRONT - 1);
    let front = result.chars().take(RESULT_FRONT);
    front.chain(std::iter::once('…')).chain(result.chars().skip(end)).map(harmless).collect()
}

#[cfg(test)]
mod tests;
