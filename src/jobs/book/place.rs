//! Where runs go: allocation, hosts that are gone, hosts that go.

use std::time::Duration;

use super::{Agent, Book, Left, MAX_CALLS, MAX_EPOCH, takes};
use crate::alert::route::glob_matches;
use crate::clock::{Now, millis};
use crate::event::Moment;
use crate::jobs::HostView;
use crate::jobs::allot::{Worker, choose};
use crate::jobs::run::{On, State, What};
use crate::keepalive::work::Key;

/// A run whose host is gone for good, or for so long beyond its time limit, is lost. In milliseconds.
const LOST_AFTER: i64 = 24 * 3_600_000;
/// A run of a host that the roster does not know is not taken from it so long after the start, nor within the lease that
/// the host had.
const STRANGER: Duration = Duration::from_secs(600);

/// Why a run is lost, or not begun.
const GONE: &str = "its host is gone";
pub(super) const LATE: &str = "it was not started in time";

/// Runs that one host has been given and that have not ended; others wait for room there.
const MAX_LOAD: usize = 64;
/// Different messages that nobody takes, as far as one step remembers them.
const MAX_VAIN: usize = 64;

/// A host as one step sees it.
struct Spot<'a> {
    host: &'a HostView,
    /// Place of its agent, if that can take something.
    agent: Option<usize>,
    /// Runs that it has.
    load: usize,
}

fn find(spots: &[Spot<'_>], name: &str) -> Option<usize> {
    spots.binary_search_by(|spot| spot.host.name.as_str().cmp(name)).ok()
}

impl Book {
    /// Brings every run to where it belongs, which is the same whatever was missed before. `next` becomes the time when
    /// that may change by itself. Gives the URLs that are to be called.
    pub(super) fn place(&mut self, hosts: &[HostView], now: &Now, next: &mut i64) -> Vec<(Key, String)> {
        let mut spots = self.spots(hosts, now, next);
        let mut left: Vec<(String, usize)> = Vec::new();
        for at in 0..self.runs.len() {
            let run = &*self.runs[at];
            if run.state.is_final() || run.state == State::Waiting || run.host.is_empty() || run.what == What::Url {
                continue;
            }
            let from = run.host.clone();
            let spot = find(&spots, &from);
            let host = spot.map(|spot| spots[spot].host);
            let gone = host.is_none_or(|host| !host.up && now.tick >= host.lease_over);
            if let Some(host) = host.filter(|host| !host.up && !gone) {
                *next = (*next).min(host.lease_over.0);
            }
            let moved = if gone {
                self.is_gone(at, host, now)
            } else {
                self.neglected(at, now) || host.is_some_and(|host| host.leaving) && self.goes(at, now)
            };
            if let Some(spot) = spot.filter(|_| self.runs[at].host.is_empty()) {
                spots[spot].load -= 1;
            }
            if moved {
                left.push((from, at));
            }
        }
        for (from, id) in std::mem::take(&mut self.moved) {
            left.extend(self.find(id).map(|at| (from, at)));
        }
        let calls = self.give_out(&mut spots, now, next);
        self.tell_moves(&left, now);
        calls
    }

    /// Gives runs that are due and free to a host, or to this server's own calls.
    fn give_out(&mut self, spots: &mut [Spot<'_>], now: &Now, next: &mut i64) -> Vec<(Key, String)> {
        let (mut calls, mut calling) = (Vec::new(), self.hanging.len());
        // Jobs that have a run on a host, or in a call.
        let mut busy: Vec<usize> = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            let there = !run.state.is_final() && !run.host.is_empty();
            if there && !run.job.is_empty() {
                busy.push(at);
            }
            calling += usize::from(there && run.what == What::Url);
        }
        // What nobody takes need not be asked about again and again.
        let mut vain: Vec<usize> = Vec::new();
        for at in self.in_order(&|run| run.state == State::Queued && run.host.is_empty()) {
            let run = &*self.runs[at];
            let same = |other: &&usize| self.runs[**other].job == run.job && self.runs[**other].on == run.on;
            if !run.job.is_empty() && busy.iter().find(same).is_some() {
                // Its time to start begins when the earlier run has ended.
                self.runs[at].free = Moment::at(now.tick, now);
                continue;
            }
            let waits = self.left(at, now);
            if waits <= 0 {
                self.never_began(at, now);
                continue;
            }
            *next = (*next).min(now.tick.0.saturating_add(waits));
            let run = &*self.runs[at];
            if run.what == What::Url {
                // What cannot be noted is not called: nobody would know of it.
                if calling >= MAX_CALLS || self.failing {
                    continue;
                }
                calling += 1;
                let run = &mut *self.runs[at];
                run.state = State::Running;
                run.since = Moment::at(now.tick, now);
                run.host.clone_from(&self.me);
                calls.push((run.key, run.job.clone()));
            } else {
                let alike = |other: &&usize| {
                    let other = &*self.runs[**other];
                    other.what == run.what && other.on == run.on && other.refused == run.refused
                };
                if vain.iter().find(alike).is_some() {
                    continue;
                }
                let Some(spot) = self.best(at, spots) else {
                    if vain.len() < MAX_VAIN {
                        vain.push(at);
                    }
                    continue;
                };
                spots[spot].load += 1;
                let run = &mut *self.runs[at];
                run.host.clone_from(&spots[spot].host.name);
                let lease = |agent: &Agent| agent.lease.max(agent.leased.since(now.tick));
                run.lease = spots[spot].agent.map(|agent| lease(&self.agents[agent])).unwrap_or_default();
                run.boot.clear();
                run.key.epoch += 1;
            }
            if !self.runs[at].job.is_empty() {
                busy.push(at);
            }
            self.touch(at);
        }
        calls
    }

    /// A run was not started in time.
    fn never_began(&mut self, at: usize, now: &Now) {
        let run = &*self.runs[at];
        if !run.refused.is_empty() && run.done.is_some() {
            // The last of those that were asked has said why.
            self.end(at, State::Failed, "", now);
        } else {
            let url = run.what == What::Url;
            let why = if url { "too many calls at once" } else { "no host that takes it was alive and free" };
            self.expire(at, why, now);
        }
    }

    /// The hosts in the order of their names, each with its agent and what it has to do.
    fn spots<'a>(&self, hosts: &'a [HostView], now: &Now, next: &mut i64) -> Vec<Spot<'a>> {
        let mut spots = Vec::with_capacity(hosts.len());
        for at in crate::order::order(hosts.len(), &|a, b| hosts[a].name < hosts[b].name) {
            spots.push(Spot { host: &hosts[at], agent: None, load: 0 });
        }
        for (at, agent) in self.agents.iter().enumerate() {
            if agent.rests > now.tick {
                *next = (*next).min(agent.rests.0);
            } else if let Some(spot) = find(&spots, &agent.host) {
                spots[spot].agent = Some(at);
            }
        }
        for run in self.runs.iter().filter(|run| !run.state.is_final() && !run.host.is_empty()) {
            if let Some(spot) = find(&spots, &run.host) {
                spots[spot].load += 1;
            }
        }
        spots
    }

    /// The place of the host for a run.
    fn best(&self, at: usize, spots: &[Spot<'_>]) -> Option<usize> {
        let run = &*self.runs[at];
        let What::Message(message) = &run.what else { return None };
        let mut workers = Vec::new();
        for Spot { host, agent, load } in spots {
            let free = host.up && host.bound && *load < MAX_LOAD;
            let Some(agent) = agent.filter(|agent| free && !self.agents[*agent].mute) else { continue };
            let fits = match &run.on {
                On::Host(name) => host.name == *name,
                On::Any(glob) => {
                    !host.leaving
                        && glob_matches(glob, &host.name)
                        && !run.refused.contains(&host.name)
                        && takes(&self.agents[agent].takes, message)
                }
            };
            if fits {
                workers.push(Worker { name: &host.name, load: *load });
            }
        }
        let name = choose(run.key.id.0, &workers)?;
        find(spots, name)
    }

    /// The host of a run is gone. Whether the run left it.
    fn is_gone(&mut self, at: usize, host: Option<&HostView>, now: &Now) -> bool {
        let run = &*self.runs[at];
        let elsewhere = matches!(run.on, On::Any(_));
        if run.state == State::Queued {
            // It was never offered: nobody else knows of it.
            self.again_since(at, now);
            return elsewhere;
        }
        // The roster may have been lost, or know of a shorter lease than the host has from before the start.
        let spared = run.lease.max(if host.is_none() { STRANGER } else { Duration::ZERO });
        if self.restored.is_some_and(|began| now.tick.since(began) < spared) {
            return false;
        }
        // What is fenced was stopped by its host before the lease was over.
        let fenced = run.terms.failover && !run.terms.finish;
        if run.cancelled && fenced {
            self.end(at, State::Cancelled, GONE, now);
            return false;
        }
        let safe = fenced || run.terms.idempotent;
        if safe && elsewhere && !run.cancelled && run.key.epoch < MAX_EPOCH {
            self.again(at, now);
            return true;
        }
        if host.is_none() || self.has_waited(at, now) > 0 {
            self.unknown(at, GONE, now);
        }
        false
    }

    /// The host of a run beats, but its agent may be silent, or be none any more. Whether the run left it.
    fn neglected(&mut self, at: usize, now: &Now) -> bool {
        let run = &*self.runs[at];
        if run.state == State::Queued {
            let agent = self.agents.iter().find(|agent| agent.host == run.host);
            if self.left(at, now) <= 0 {
                self.expire(at, LATE, now);
            } else if agent.is_some_and(|agent| agent.mute || agent.rests > now.tick) {
                // It was never offered: nobody else knows of it.
                let elsewhere = matches!(run.on, On::Any(_)) && agent.is_some_and(|agent| agent.mute);
                self.again_since(at, now);
                return elsewhere;
            }
            return false;
        }
        let agent = self.agents.iter().find(|agent| agent.host == run.host);
        let heard = agent.map(|agent| agent.heard).or(self.restored);
        let silent = heard.map_or(i64::MAX, |heard| now.tick.0.saturating_sub(heard.0));
        if silent > LOST_AFTER && self.has_waited(at, now) > 0 {
            self.unknown(at, "its host says nothing of its jobs any more", now);
        }
        false
    }

    /// For how long a run has been waited for beyond all that it may take, in milliseconds; negative before.
    fn has_waited(&self, at: usize, now: &Now) -> i64 {
        let run = &*self.runs[at];
        let limit = run.terms.timeout.map_or(0, millis).saturating_add(LOST_AFTER);
        self.lasts(&run.since, now).saturating_sub(limit)
    }

    /// The host of a run has been told that it goes. Whether the run left it.
    fn goes(&mut self, at: usize, now: &Now) -> bool {
        let run = &*self.runs[at];
        if matches!(run.on, On::Host(_)) || run.cancelled {
            return false;
        }
        match run.state {
            State::Queued => {
                self.again_since(at, now);
                true
            }
            _ if run.terms.idempotent => {
                self.again(at, now);
                true
            }
            // Asked back: it moves once its host has confirmed that, or is gone.
            _ if run.terms.failover && !run.back => {
                self.runs[at].back = true;
                self.touch(at);
                false
            }
            // It was offered, and perhaps not taken yet.
            State::Sent if !run.back => {
                self.runs[at].back = true;
                self.touch(at);
                false
            }
            _ => false,
        }
    }

    /// Takes a run from its host without giving it more time.
    pub(super) fn again_since(&mut self, at: usize, now: &Now) {
        let free = self.runs[at].free;
        self.again(at, now);
        self.runs[at].free = free;
    }

    /// One message for each host that runs left.
    fn tell_moves(&mut self, left: &[(String, usize)], now: &Now) {
        let mut told: Vec<(String, Vec<Left>)> = Vec::new();
        for (from, at) in left {
            let run = &*self.runs[*at];
            // What came back to where it was has not moved.
            if run.host == *from {
                continue;
            }
            let what = if run.job.is_empty() { run.what.text() } else { &run.job };
            let entry = (what.to_owned(), run.host.clone());
            match told.iter_mut().find(|(host, _)| host == from) {
                Some((_, runs)) => runs.push(entry),
                None => told.push((from.clone(), vec![entry])),
            }
        }
        for (from, runs) in told {
            self.leaves(&from, runs, now);
        }
    }
}
