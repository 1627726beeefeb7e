//! What time does to the book, and what there is to tell.

use std::time::Duration;

use super::{Agent, Book, GIVE_UP, Job, MAX_ENDED, ONLINE, REPORT, Standing, State};
use crate::clock::{Now, Tick};
use crate::config::plan::Reported;
use crate::event::{Id, Moment};

/// The longest time from one look to the next.
const LOOK: Duration = Duration::from_secs(10);
/// Looks that are further apart show that this program stood still: nobody could say anything.
const FREEZE: Duration = Duration::from_secs(30);

/// What there is to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// An agent fell silent, is back, or is not in the configuration any more.
    Agent(Agent),
    /// A job has ended; whether that is told, and not only logged.
    Job(Job, bool),
}

impl Book {
    /// Does what is due, and says when to come back at the latest.
    pub fn step(&mut self, now: &Now) -> Tick {
        if self.stepped.is_none_or(|stepped| now.tick.since(stepped) > FREEZE) {
            self.started = now.tick;
        }
        self.stepped = Some(now.tick);
        self.fire(now);
        let mut next = now.tick + LOOK;
        for at in (0..self.jobs.len()).rev() {
            if !self.jobs[at].state.is_out() {
                continue;
            }
            let until = self.silent_until(self.jobs[at].since, REPORT, now);
            if until > now.tick {
                next = next.min(until);
                continue;
            }
            "the agent said nothing of it for 10 minutes".clone_into(&mut self.jobs[at].why);
            self.end(at, State::Expired, now);
        }
        for at in 0..self.agents.len() {
            let agent = &self.agents[at];
            if agent.gone || agent.standing != Standing::Online {
                continue;
            }
            if self.jobs.iter().any(|job| job.agent == agent.name && job.state.is_out()) {
                continue;
            }
            let until = self.silent_until(agent.heard, ONLINE, now);
            if until > now.tick {
                next = next.min(until);
            } else {
                self.silent(at, now);
            }
        }
        self.forget();
        next
    }

    /// Until when `patience` lasts, counted from `since` or from when anything could be heard.
    fn silent_until(&self, since: Moment, patience: Duration, now: &Now) -> Tick {
        (since.tick(now).unwrap_or(now.tick) + patience).max(self.started + ONLINE)
    }

    fn silent(&mut self, at: usize, now: &Now) {
        let agent = &mut self.agents[at];
        let again = !agent.told;
        if again {
            // Nobody was told that it was back: it is the same outage.
            agent.told = true;
        } else {
            let (boot, tick) = (agent.since.boot.0.to_be_bytes(), agent.since.tick.0.to_be_bytes());
            agent.outage = (Id::of(&[b"web agent", agent.name.as_bytes(), &boot, &tick]), agent.heard);
            agent.told = false;
        }
        (agent.standing, agent.since) = (Standing::Offline, Moment::at(now.tick, now));
        let name = agent.name.clone();
        // A delayed one goes on waiting.
        for job in self.jobs.iter_mut().filter(|job| job.agent == name && job.due.is_some()) {
            if job.state == State::Queuing {
                job.state = State::Waiting;
            }
        }
        self.expire(&name, "its agent went offline before it asked for it", now, &|job| job.state == State::Queuing);
        self.changes += 1;
    }

    /// Queues what is due and whose agent is there; gives up what nobody came for.
    pub(super) fn fire(&mut self, now: &Now) {
        if !now.wall.is_set() {
            return;
        }
        for at in (0..self.jobs.len()).rev() {
            let job = &self.jobs[at];
            let Some(due) = job.due.filter(|due| job.state == State::Waiting && *due <= now.wall) else { continue };
            let there = self.find(&job.agent).is_some_and(|agent| agent.standing == Standing::Online);
            if there {
                continue;
            }
            if now.wall.0.saturating_sub(due.0) > GIVE_UP {
                "its agent was not there for 30 days".clone_into(&mut self.jobs[at].why);
                self.end(at, State::Expired, now);
            }
        }
        // The one that is due first is queued first.
        while let Some(at) = self.ripe(now) {
            let mut job = self.jobs.remove(at);
            (job.state, job.since) = (State::Queuing, Moment::at(now.tick, now));
            self.jobs.push(job);
            self.changes += 1;
        }
    }

    fn ripe(&self, now: &Now) -> Option<usize> {
        let mut first = None;
        for (at, job) in self.jobs.iter().enumerate() {
            let Some(due) = job.due.filter(|due| job.state == State::Waiting && *due <= now.wall) else { continue };
            let there = self.find(&job.agent).is_some_and(|agent| agent.standing == Standing::Online);
            if there && first.is_none_or(|(least, _)| due < least) {
                first = Some((due, at));
            }
        }
        first.map(|(_, at)| at)
    }

    /// Ends the jobs of an agent that have not ended and of which `fits` is true.
    pub(super) fn expire(&mut self, name: &str, why: &str, now: &Now, fits: &dyn Fn(&Job) -> bool) {
        let mut at = 0;
        while at < self.jobs.len() {
            let job = &mut self.jobs[at];
            if job.agent == name && !job.state.is_final() && fits(job) {
                why.clone_into(&mut job.why);
                self.end(at, State::Expired, now);
            } else {
                at += 1;
            }
        }
    }

    /// A job has ended. It goes to the end of the book.
    pub(super) fn end(&mut self, at: usize, state: State, now: &Now) {
        let mut job = self.jobs.remove(at);
        (job.state, job.since, job.told) = (state, Moment::at(now.tick, now), false);
        self.jobs.push(job);
        self.changes += 1;
    }

    /// Lets go of what ended longest ago.
    fn forget(&mut self) {
        let over = |job: &Job| job.state.is_final() && job.told;
        let mut excess = self.jobs.iter().filter(|job| over(job)).count().saturating_sub(MAX_ENDED);
        self.lazy |= excess > 0;
        self.jobs.retain(|job| {
            let goes = excess > 0 && over(job);
            excess -= usize::from(goes);
            !goes
        });
    }

    /// At most `most` of what is to be told, in order.
    pub fn news(&self, most: usize) -> Vec<News> {
        let mut news = Vec::new();
        for agent in self.agents.iter().filter(|agent| !agent.told) {
            if news.len() < most {
                news.push(News::Agent(agent.clone()));
            }
        }
        for job in self.jobs.iter().filter(|job| job.state.is_final() && !job.told) {
            if news.len() < most {
                let wanted = match self.find(&job.agent).map_or(Reported::Always, |agent| agent.notify) {
                    Reported::Always => true,
                    Reported::Failure => job.state != State::Succeeded,
                    Reported::Never => false,
                };
                news.push(News::Job(job.clone(), wanted && !job.quiet));
            }
        }
        news
    }

    /// It was handed on. What has become something else meanwhile is still to be told.
    pub fn told(&mut self, news: &News) {
        match news {
            News::Agent(told) => {
                let same = |agent: &&mut Agent| agent.name == told.name && agent.since == told.since;
                if let Some(agent) = self.agents.iter_mut().find(same) {
                    agent.told = true;
                }
                self.agents.retain(|agent| !agent.gone || !agent.told);
            }
            News::Job(told, _) => {
                let same = |job: &&mut Job| job.id == told.id && job.state == told.state && job.since == told.since;
                if let Some(job) = self.jobs.iter_mut().find(same) {
                    job.told = true;
                    job.result = String::new();
                }
            }
        }
        self.lazy = true;
    }
}
