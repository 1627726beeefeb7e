//! What somebody asks for by hand, and how it comes into the book.

use std::time::Duration;

use super::{Book, MAX_OPEN};
use crate::agent::allow::HELP;
use crate::alert::route::glob_matches;
use crate::clock::{Now, Wall};
use crate::event::{Id, Moment};
use crate::jobs::run::{self, On, Run, State, Terms, What};
use crate::jobs::{HostView, New, Task, Where};
use crate::keepalive::work::Key;

/// So long after the start of this server a host that has not said what it takes takes nothing.
const UNHEARD: Duration = Duration::from_secs(600);

impl Book {
    /// Adds what somebody asks for: the ids of its runs, one for every host if it is for all. Nothing for a schedule,
    /// which has none yet.
    ///
    /// # Errors
    /// Why it cannot be, in one line: no such host, not alive, nobody takes it, the book is full.
    pub fn add(&mut self, new: &New, hosts: &[HostView], now: &Now, chance: u64) -> Result<Vec<Id>, String> {
        match new {
            New::Defined { name, on } => {
                let job = self.jobs.iter().find(|job| job.plan.name == *name);
                let Some(plan) = job.map(|job| job.plan.clone()) else {
                    return Err(["there is no job ", &crate::config::problem::quoted(name)].concat());
                };
                let on = on.as_ref().map_or(plan.on.clone(), |host| Where::One(On::Host(host.clone())));
                let what = match &plan.what {
                    Task::Message(message) => What::Message(message.clone()),
                    Task::Url(_) => What::Url,
                };
                self.check(&what, &on, true, hosts, now)?;
                self.spread(&plan.name, &what, &on, plan.terms, (now.wall, now), hosts, chance)
            }
            New::Once { message, on, due } => {
                let what = What::Message(message.clone());
                self.check(&what, on, *due <= now.wall, hosts, now)?;
                self.spread("", &what, on, Terms::default(), (*due, now), hosts, chance)
            }
            New::Every { message, on, cron } => {
                self.check(&What::Message(message.clone()), on, false, hosts, now)?;
                self.every(message, on, cron, now)
            }
        }
    }

    /// Has the runs of this id or job name ended, and a schedule that was added by hand removed: how many.
    ///
    /// # Errors
    /// When there is none that has not ended.
    pub fn cancel(&mut self, which: &str, now: &Now) -> Result<usize, String> {
        let id = Id::parse(which);
        let mut count = 0;
        for at in 0..self.runs.len() {
            let run = &*self.runs[at];
            if run.state.is_final() || Some(run.key.id) != id && (which.is_empty() || run.job != which) {
                continue;
            }
            count += 1;
            self.take_back(at, "", now);
        }
        let before = self.jobs.len();
        self.jobs.retain(|job| !job.by_hand || job.plan.name != which);
        if self.jobs.len() < before {
            self.redefined();
            count += 1;
        }
        if count > 0 { Ok(count) } else { Err("there is no such run or job that has not ended".to_owned()) }
    }

    /// Whether what is asked for can be done at all; `at_once`: it is to be done now.
    fn check(&self, what: &What, on: &Where, at_once: bool, hosts: &[HostView], now: &Now) -> Result<(), String> {
        let What::Message(message) = what else { return Ok(()) };
        let name = match on {
            Where::One(On::Host(name)) => name,
            Where::One(On::Any(glob)) | Where::All(glob) => return self.listed(message, glob, hosts, now),
        };
        let said = crate::config::problem::quoted(name);
        let Some(host) = hosts.iter().find(|host| host.name == *name) else {
            return Err(["no host is called ", &said].concat());
        };
        if !host.bound {
            return Err(
                [&said, " cannot get jobs: it does not beat with a user key of its own (host = in its user)"].concat()
            );
        }
        if at_once && !host.up {
            return Err([&said, " is not alive"].concat());
        }
        match self.agents.iter().find(|agent| agent.host == *name) {
            None if at_once => Err([&said, " has no [agent]"].concat()),
            Some(agent) if !takes(&agent.takes, message) => Err([&said, " does not list this message"].concat()),
            _ => Ok(()),
        }
    }

    /// Whether one of the hosts that match may take a message. Those that are down may, if they have said nothing since
    /// the start of this server, and for a while all that have not; where there is none, there may be one in time.
    fn listed(&self, message: &str, glob: &str, hosts: &[HostView], now: &Now) -> Result<(), String> {
        let mut known = false;
        for host in hosts.iter().filter(|host| host.bound && glob_matches(glob, &host.name)) {
            match self.agents.iter().find(|agent| agent.host == host.name) {
                Some(agent) if takes(&agent.takes, message) => return Ok(()),
                None if !host.up || self.began.is_none_or(|began| now.tick.since(began) < UNHEARD) => return Ok(()),
                Some(_) => known = true,
                None => {}
            }
        }
        if known { Err("no host that could get it lists this message".to_owned()) } else { Ok(()) }
    }

    /// Adds a run for each place. `chance` tells runs apart that are alike; 0 for a firing, which there is once.
    #[expect(clippy::too_many_arguments, reason = "all that a run is made of")]
    pub(super) fn spread(
        &mut self,
        job: &str,
        what: &What,
        on: &Where,
        terms: Terms,
        (due, now): (Wall, &Now),
        hosts: &[HostView],
        chance: u64,
    ) -> Result<Vec<Id>, String> {
        let places: Vec<On> = match on {
            Where::One(on) => vec![on.clone()],
            Where::All(glob) => {
                let fits = |host: &&HostView| host.bound && host.up && glob_matches(glob, &host.name);
                hosts.iter().filter(fits).map(|host| On::Host(host.name.clone())).collect()
            }
        };
        if places.is_empty() {
            return Err("no host that could get it is alive".to_owned());
        }
        // Also those whose end nobody could be told of, since the disk does not take it.
        let open = self.runs.iter().filter(|run| !run.told).count();
        if open + places.len() > MAX_OPEN {
            return Err(format!("the book is full: {MAX_OPEN} runs have not ended"));
        }
        let mut ids = Vec::with_capacity(places.len());
        for on in places {
            let mut chance = chance;
            let mut id = run::id(job, what.text(), on.text(), due, chance);
            if chance == 0 && self.find(id).is_some() {
                // A firing that was there before a crash.
                continue;
            }
            while self.find(id).is_some() {
                chance = chance.wrapping_add(1);
                id = run::id(job, what.text(), on.text(), due, chance);
            }
            let run = Run {
                key: Key { id, epoch: 0, attempt: 1 },
                job: job.to_owned(),
                what: what.clone(),
                on,
                terms,
                made: now.wall,
                due,
                state: State::Waiting,
                since: Moment::at(now.tick, now),
                free: Moment::at(now.tick, now),
                host: String::new(),
                lease: Duration::ZERO,
                refused: Vec::new(),
                cancelled: false,
                ordered: None,
                back: false,
                boot: String::new(),
                done: None,
                told: false,
                telling: 0,
            };
            let at = self.runs.partition_point(|other| other.key.id < id);
            self.runs.insert(at, Box::new(run));
            self.touch(at);
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Whether an agent that says `takes` would run `message`.
pub fn takes(takes: &[String], message: &str) -> bool {
    // Every agent says what it takes.
    if HELP.contains(&message) {
        return true;
    }
    takes.iter().any(|entry| {
        if entry == message {
            return true;
        }
        if let Some(prefix) = entry.strip_prefix("url ").and_then(|prefix| prefix.strip_suffix('…')) {
            return message.strip_prefix("url ").is_some_and(|url| url.starts_with(prefix));
        }
        let words = || message.split(' ').filter(|word| !word.is_empty());
        let mut parts = entry.split(' ');
        let name = parts.next();
        let rest: Vec<&str> = parts.collect();
        let open = rest == ["…"];
        let named = !rest.is_empty() && rest.iter().all(|part| part.starts_with('<') && part.ends_with('>'));
        words().next() == name && (open || named && words().count() == rest.len() + 1)
    })
}
