//! The agent of this host, and the jobs of this server.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Parts;
use crate::agent::queue::{self, Queue};
use crate::agent::{AgentPlan, desk as agent};
use crate::config::plan::Plan;
use crate::jobs::{Task, desk as jobs};
use crate::keepalive::carry::Carry;
use crate::keepalive::work::{Agent, Giver};
use crate::run::parts::change::say;
use crate::run::status::Queue as Standing;

/// Once started they stay: what runs, and what is known of it, must not be lost to a reload that takes them out of the
/// configuration.
#[derive(Default)]
pub struct Working {
    /// The journals that the last run left: of a server's jobs, of a queue's.
    journals: [Option<Vec<u8>>; 2],
    /// The files of its book: name and content.
    book: Vec<(String, Vec<u8>)>,
    agent: Option<Arc<agent::Desk>>,
    /// The queue, and what carries out its jobs.
    queue: Option<(Arc<Queue>, Arc<agent::Desk>)>,
    jobs: Option<Arc<jobs::Desk>>,
    threads: Vec<JoinHandle<()>>,
}

impl Working {
    /// Wakes the threads at the end of the program, and gives them.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.agent.iter().for_each(|agent| agent.wake());
        if let Some((queue, desk)) = &self.queue {
            queue.wake();
            desk.wake();
        }
        self.jobs.iter().for_each(|jobs| jobs.wake());
        std::mem::take(&mut self.threads)
    }
}

impl Parts {
    /// What the last run left: the journals of the agent, the files of the book.
    pub fn left(&mut self, journals: [Option<Vec<u8>>; 2], book: Vec<(String, Vec<u8>)>) {
        (self.working.journals, self.working.book) = (journals, book);
    }

    /// The book of jobs, if this is a server.
    pub fn jobs(&self) -> Option<Arc<jobs::Desk>> {
        let gives = self.plan().is_some_and(gives);
        self.working.jobs.clone().filter(|_| gives)
    }

    /// The agent, if there is one.
    pub fn agent(&self) -> Option<Arc<agent::Desk>> {
        let there = self.plan().is_some_and(|plan| plan.agent.is_some());
        self.working.agent.clone().filter(|_| there)
    }

    /// How the queue of the agent is doing, if there is one.
    pub fn queue(&self) -> Option<Standing> {
        let there = self.plan().is_some_and(|plan| plan.agent.as_ref().is_some_and(|agent| agent.queue.is_some()));
        self.working.queue.as_ref().filter(|_| there).map(|(queue, _)| queue.standing())
    }

    /// `old` is `None` at the start. Comes after the server and the clients.
    pub(super) fn work(&mut self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        if let Some(old) = old {
            if old.agent != new.agent {
                say(said, &[if new.agent.is_some() { "agent" } else { "agent gone" }]);
            }
            for job in &new.jobs {
                if !old.jobs.contains(job) {
                    say(said, &["job ", &job.name]);
                }
            }
            for job in &old.jobs {
                if !new.jobs.iter().any(|other| other.name == job.name) {
                    say(said, &["job ", &job.name, " gone"]);
                }
            }
        }
        let employed = self.employ(new);
        let queued = self.queue_up(new);
        employed.and(queued).and(self.give(new))
    }

    fn employ(&mut self, plan: &Plan) -> io::Result<()> {
        if let Some(agent) = &self.working.agent {
            agent.reload(plan.agent.as_ref());
        } else if let (Some(plan), Some(store)) = (&plan.agent, &self.base.store) {
            let parts = agent::Parts {
                carry: self.base.carry.clone(),
                resolver: self.base.resolver.clone(),
                stop: self.base.stop.clone(),
            };
            let journal = (agent::JOURNAL, self.working.journals[0].as_deref());
            let (agent, thread) = agent::start(plan, journal, store.clone(), parts)?;
            (self.working.agent, self.working.journals[0]) = (Some(agent), None);
            self.working.threads.push(thread);
        }
        let agent = self.working.agent.clone().filter(|_| plan.agent.is_some());
        self.run.set_agent(agent.map(|agent| agent as Arc<dyn Agent>));
        Ok(())
    }

    fn queue_up(&mut self, plan: &Plan) -> io::Result<()> {
        let plan = plan.agent.as_ref().filter(|agent| agent.queue.is_some());
        if let (None, Some(plan), Some(store)) = (&self.working.queue, plan, &self.base.store) {
            // Its news concern the queue alone: no beat is sent because of them.
            let carry = Arc::new(Carry::default());
            let bell = carry.subscribe();
            let (resolver, stop) = (self.base.resolver.clone(), self.base.stop.clone());
            let parts = agent::Parts { carry, resolver: resolver.clone(), stop: stop.clone() };
            let journal = (agent::QUEUE_JOURNAL, self.working.journals[1].as_deref());
            let plan = AgentPlan { server: None, ..plan.clone() };
            let (desk, thread) = agent::start(&plan, journal, store.clone(), parts)?;
            self.working.threads.push(thread);
            self.working.queue = Some((queue::start(desk.clone(), bell, resolver, stop)?, desk));
            self.working.journals[1] = None;
        }
        if let Some((queue, desk)) = &self.working.queue {
            let own = plan.map(|plan| AgentPlan { server: None, ..plan.clone() });
            desk.reload(own.as_ref());
            queue.reload(plan.and_then(|plan| plan.queue.as_ref()));
        }
        Ok(())
    }

    fn give(&mut self, plan: &Plan) -> io::Result<()> {
        let setting = gives(plan).then(|| {
            let server = plan.server.as_ref();
            let users = server.map_or(&[][..], |server| &server.users);
            jobs::Setting {
                me: self.me.clone(),
                jobs: plan.jobs.clone(),
                bound: users.iter().filter_map(|user| user.host.clone()).collect(),
                grace: server.map(|server| server.grace).unwrap_or_default(),
                zone: Some(self.zone.clone()),
            }
        });
        if let Some(jobs) = &self.working.jobs {
            jobs.reload(setting);
        } else if let (Some(_), Some(store)) = (&setting, &self.base.store) {
            let parts = jobs::Parts {
                board: self.base.board.clone(),
                resolver: self.base.resolver.clone(),
                stop: self.base.stop.clone(),
            };
            let (jobs, thread) = jobs::start(setting, &self.working.book, store.clone(), parts)?;
            self.working.jobs = Some(jobs);
            self.working.book = Vec::new();
            self.working.threads.push(thread);
        }
        if let Some(server) = self.server() {
            server.set_giver(self.working.jobs.clone().map(|jobs| jobs as Arc<dyn Giver>));
        }
        Ok(())
    }
}

/// Whether there is anything that gives out jobs.
fn gives(plan: &Plan) -> bool {
    plan.server.is_some() || plan.jobs.iter().any(|job| matches!(job.what, Task::Url(_)))
}
