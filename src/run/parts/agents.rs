//! The agents that ask over HTTP.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::{AGENTS_STATE, Parts};
use crate::clock;
use crate::config::plan::Plan;
use crate::http::Scope;
use crate::http::agents::desk::{self, Desk};
use crate::run::status::WebAgent;

/// Once started it stays: what is known of jobs must not be lost to a reload that takes the agents out of the
/// configuration.
#[derive(Default)]
pub struct Web {
    desk: Option<Arc<Desk>>,
    threads: Vec<JoinHandle<()>>,
}

impl Web {
    /// Wakes the thread at the end of the program, and gives it.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.desk.iter().for_each(|desk| desk.wake());
        std::mem::take(&mut self.threads)
    }
}

impl Parts {
    /// How the agents are doing.
    pub fn web_agents(&self) -> Vec<WebAgent> {
        let now = clock::now();
        self.listening.web.desk.as_ref().map(|desk| desk.with(|book| WebAgent::all(book, &now))).unwrap_or_default()
    }

    /// Follows `[[http.agent]]`.
    pub(super) fn employ_web(&mut self, plan: &Plan) -> io::Result<()> {
        let http = plan.http.as_ref();
        let agents = http.map_or(&[][..], |http| &http.agents);
        if let Some(desk) = &self.listening.web.desk {
            desk.reload(agents);
            return Ok(());
        }
        // Whoever may ask for jobs may do so twice with one key. And those that the last run had, and that are gone, are to
        // be told of too.
        let asked = http.is_some_and(|http| http.tokens.iter().any(|token| token.scopes.has(Scope::Job)));
        if agents.is_empty() && !asked && !self.left.iter().any(|(name, _)| name == AGENTS_STATE) {
            return Ok(());
        }
        let Some(store) = self.base.store.clone() else { return Ok(()) };
        let left = self.take_left(AGENTS_STATE);
        let (desk, thread) =
            desk::start(agents, left.as_ref(), self.base.board.clone(), store, self.base.stop.clone())?;
        self.listening.web.desk = Some(desk.clone());
        self.listening.web.threads.push(thread);
        self.base.site.employ(desk);
        Ok(())
    }
}
