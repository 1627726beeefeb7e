//! The HTTP listener.

use std::io;
use std::thread::JoinHandle;

use super::Parts;
use crate::config::plan::Plan;
use crate::http::HttpPlan;
use crate::http::listener::Listener;
use crate::keepalive::ports;
use crate::run::parts::change::say;
use crate::run::threads::lock;

/// What runs.
#[derive(Default)]
pub struct Listening {
    /// Once there it stays, with what it knows of its visitors.
    listener: Option<Listener>,
    /// The agents.
    pub(super) web: super::agents::Web,
}

impl Listening {
    /// Ends the listener at the end of the program, and gives the threads that are to be waited for.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        let mut threads = self.listener.as_mut().map(Listener::close).unwrap_or_default();
        threads.append(&mut self.web.close());
        threads
    }
}

impl Parts {
    /// Where HTTP is listened for.
    pub fn web(&self) -> Vec<ports::Listening> {
        self.listening.listener.as_ref().map(Listener::listening).unwrap_or_default()
    }

    /// `old` is `None` at the start.
    pub(super) fn listen(&mut self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        let site = self.base.site.clone();
        site.watch(&self.base.signs.turns);
        lock(&site.days).follow(&self.zone);
        if let Some(old) = old {
            changes(old.http.as_deref(), new.http.as_deref(), said);
        }
        if old.is_none_or(|old| old.http != new.http) {
            site.follow(new.http.clone());
        }
        let pushes = new.http.as_ref().is_some_and(|plan| plan.events.alicloud.is_some());
        self.base.board.lock().roster.expect_pushes(pushes);
        let employed = self.employ_web(new);
        let addresses = new.http.as_ref().map(|plan| &*plan.listen).unwrap_or_default();
        if self.listening.listener.is_none() && addresses.is_empty() {
            return employed;
        }
        let fresh = || Listener::new(site.clone(), self.base.stop.clone());
        self.listening.listener.get_or_insert_with(fresh).listen(addresses).and(employed)
    }
}

fn changes(old: Option<&HttpPlan>, new: Option<&HttpPlan>, said: &mut String) {
    let (Some(old), Some(new)) = (old, new) else {
        if old.is_some() != new.is_some() {
            say(said, &[if new.is_some() { "HTTP" } else { "HTTP gone" }]);
        }
        return;
    };
    let rest = |plan: &HttpPlan| HttpPlan { listen: Vec::new(), ..plan.clone() };
    for (differs, what) in [(old.listen != new.listen, "HTTP addresses"), (rest(old) != rest(new), "HTTP rules")] {
        if differs {
            say(said, &[what]);
        }
    }
}
