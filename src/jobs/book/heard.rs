//! What agents say, and what they are answered.

use std::time::Duration;

use super::{Agent, Book, MAX_EPOCH, is_in};
use crate::alert::clean::{clean, is_bidi};
use crate::clock::{Now, Tick, Wall, millis};
use crate::event::Moment;
use crate::jobs::run::{On, Run, State, What};
use crate::keepalive::work::{Beat, Done, End, Held, LATER, MAX_IDS, MAX_OFFERS, Offer, Orders, Phase, Says};

/// Agents that are remembered; as many as there are names in a roster.
const MAX_AGENTS: usize = 10_000;
/// Bytes of output that are kept.
const MAX_OUT: usize = 2048;
/// A run that its host does not speak of for so long after it had said that it has it, in milliseconds, was lost with the
/// host's disk. A beat that was on its way meanwhile is not meant.
const FORGOTTEN: i64 = 60_000;
/// A run that may not be started any more has expired so much later, in milliseconds: its host may just be saying that it
/// has it.
const LATE: i64 = 10_000;
/// An agent that was silent for so long, in milliseconds, is gone when its host beats without it: of two clients of one
/// host only one speaks for it.
const MUTE: i64 = 60_000;
/// After a longer pause, in milliseconds, an agent speaks anew.
const PAUSE: i64 = 300_000;
/// What an agent that could not take a run is left alone for, and how often that is doubled: ten seconds to five minutes.
const REST: Duration = Duration::from_secs(10);
const MAX_DOUBLED: u32 = 5;
/// Bytes of a boot id that are kept.
const MAX_BOOT: usize = 64;
/// The longest time that a run is believed to have taken, in milliseconds: a year.
const MAX_TOOK: i64 = 366 * 86_400_000;
/// Hosts that may refuse a run before it is given up.
const MAX_REFUSED: usize = 64;

impl Book {
    /// What an agent says in a beat, and what it is answered. Only what is on disk is offered or acknowledged. `left`:
    /// how long a Sent run may still be started is counted from now, which is after the beat was sent.
    pub fn heard(&mut self, host: &str, beat: &Beat<'_>, says: &Says, now: &Now) -> Orders {
        let mut orders = Orders::default();
        let boot = clean(beat.boot, MAX_BOOT);
        self.granted(host, beat.lease, now);
        if !self.acknowledge(host, beat, says, &mut orders) {
            return orders;
        }
        // What changes here of one run says nothing against others in the same file.
        let unsaved = self.dirty | self.writing.1;
        let (mut talks, mut rests) = (now.tick, false);
        if let Some(agent) = self.agents.iter_mut().find(|agent| agent.host == host) {
            if now.tick.0.saturating_sub(agent.heard.0) > PAUSE {
                agent.talks = now.tick;
            }
            (agent.heard, agent.mute) = (now.tick, false);
            (talks, rests) = (agent.talks, agent.rests > now.tick);
        }
        for held in &says.runs {
            self.holds(host, held, talks, &mut orders, now);
        }
        for at in self.in_order(&|run| {
            let open = matches!(run.state, State::Queued | State::Sent | State::Running) && run.what != What::Url;
            open && run.host == host && !says.runs.iter().any(|held| held.key == run.key)
        }) {
            let run = &*self.runs[at];
            if rests && run.state == State::Queued {
                continue;
            }
            if run.state != State::Running {
                self.offer(at, &boot, unsaved, &mut orders, now);
            } else if run.since.tick(now).is_none_or(|since| now.tick.0.saturating_sub(since.0) > FORGOTTEN) {
                self.unknown(at, "its host has it no more", now);
            }
        }
        orders
    }

    /// A beat of `host` came without a word of an agent: nothing new goes there until it speaks again.
    pub fn mute(&mut self, host: &str, now: &Now) {
        if let Some(agent) = self.agents.iter_mut().find(|agent| agent.host == host)
            && now.tick.0.saturating_sub(agent.heard.0) > MUTE
        {
            agent.mute = true;
        }
    }

    /// The result of a run, from its host; from the call of a URL, without one. It is acknowledged once it is on disk.
    pub fn done(&mut self, host: &str, done: &Done, now: &Now) {
        if let Some(agent) = self.agents.iter_mut().find(|agent| agent.host == host) {
            if !agent.owed.contains(&done.key) && agent.owed.len() < MAX_IDS {
                agent.owed.push(done.key);
            }
            if done.end != End::Refused {
                agent.rested = 0;
            }
        }
        if host.is_empty() {
            self.hanging.retain(|key| *key != done.key);
        }
        let Some(at) = self.find(done.key.id) else { return };
        let run = &mut *self.runs[at];
        let its = if run.what == What::Url { host.is_empty() } else { run.host == host };
        if run.state.is_final() || run.key != done.key || !its {
            return;
        }
        let mut kept = done.clone();
        (kept.out, kept.why) = (shown(&kept.out), clean(&kept.why, MAX_OUT));
        kept.took = kept.took.clamp(0, MAX_TOOK);
        run.done = Some(kept);
        let spent = run.key.epoch >= MAX_EPOCH;
        match done.end {
            End::Succeeded => self.end(at, State::Succeeded, "", now),
            End::Cancelled | End::Fenced if run.cancelled => self.end(at, State::Cancelled, "", now),
            // Ended because it was asked back, or because the lease was over: it has not done its work.
            End::Cancelled | End::Fenced if !spent && (run.terms.failover || run.terms.idempotent) => {
                self.moved.push((host.to_owned(), done.key.id));
                self.again(at, now);
            }
            // It could not just now: somebody else may, or the same host in a while.
            End::Refused if done.code == Some(LATER) && !spent && !run.cancelled => {
                self.rest(host, now);
                self.again_since(at, now);
            }
            End::Refused => {
                run.refused.push(host.to_owned());
                let last = matches!(run.on, On::Host(_)) || run.refused.len() >= MAX_REFUSED || spent;
                if run.cancelled {
                    self.end(at, State::Cancelled, "", now);
                } else if last {
                    self.end(at, State::Failed, "", now);
                } else {
                    self.again(at, now);
                }
            }
            End::Unknown => self.unknown(at, "", now),
            End::Failed | End::TimedOut if !run.cancelled && run.key.attempt <= run.terms.retries => {
                run.key.attempt += 1;
                run.state = State::Waiting;
                run.since = Moment::at(now.tick, now);
                run.due = Wall(now.wall.0.saturating_add(millis(run.terms.retry_every)));
                if run.what == What::Url {
                    run.host.clear();
                }
                self.touch(at);
            }
            End::Failed | End::TimedOut | End::Cancelled | End::Fenced => {
                let state = if run.cancelled { State::Cancelled } else { State::Failed };
                self.end(at, state, "", now);
            }
        }
    }

    /// The place of the agent of a host.
    fn agent(&mut self, host: &str) -> usize {
        let place = self.agents.iter().position(|agent| agent.host == host);
        place.unwrap_or_else(|| {
            if self.agents.len() >= MAX_AGENTS {
                self.agents.remove(0);
            }
            self.agents.push(Agent { host: host.to_owned(), ..Agent::default() });
            self.agents.len() - 1
        })
    }

    /// A host is granted a lease. One that is longer than before is noted with what it may run under it: after a crash
    /// the roster may not know of it, or of the host.
    fn granted(&mut self, host: &str, lease: Duration, now: &Now) {
        let place = self.agent(host);
        let agent = &mut self.agents[place];
        agent.leased = agent.leased.max(now.tick + lease);
        let before = std::mem::replace(&mut agent.lease, lease);
        if lease <= before {
            return;
        }
        for at in 0..self.runs.len() {
            let run = &mut *self.runs[at];
            if run.host == host && !run.state.is_final() && run.lease < lease {
                run.lease = lease;
                self.touch(at);
            }
        }
    }

    /// Remembers what the agent takes, and acknowledges what is on disk by now. `false`: the beat is older than one that
    /// was heard already.
    fn acknowledge(&mut self, host: &str, beat: &Beat<'_>, says: &Says, orders: &mut Orders) -> bool {
        let place = self.agent(host);
        let agent = &mut self.agents[place];
        if agent.beat.0 == beat.run && agent.beat.1 >= beat.seq {
            return false;
        }
        agent.beat = (beat.run.to_owned(), beat.seq);
        if agent.takes != says.takes {
            agent.takes.clone_from(&says.takes);
        }
        // What it does not hold any more it need not be told; another attempt of the same run is not meant.
        let mut owed = std::mem::take(&mut agent.owed);
        owed.retain(|key| says.runs.iter().any(|held| held.key == *key));
        orders.acks = owed.iter().filter(|key| self.is_saved(key.id)).map(|key| key.id).collect();
        owed.retain(|key| !orders.acks.contains(&key.id));
        self.agents[place].owed = owed;
        true
    }

    /// An agent holds a run.
    fn holds(&mut self, host: &str, held: &Held, talks: Tick, orders: &mut Orders, now: &Now) {
        let Some(at) = self.find(held.key.id) else {
            // This server does not know it, perhaps because its disk was lost. What runs is left alone.
            if held.phase == Phase::Accepted {
                orders.cancel.push(held.key.id);
            }
            return;
        };
        let run = &mut *self.runs[at];
        let mine = run.host == host && run.key == held.key && !run.state.is_final() && run.what != What::Url;
        if !mine {
            // A run that is lost may go on to its end, unless that is not wanted; one that moved may not.
            if run.state != State::Lost || run.cancelled {
                orders.cancel.push(held.key.id);
            }
            return;
        }
        if run.state != State::Running {
            run.state = State::Running;
            run.since = Moment::at(now.tick, now);
            self.touch(at);
        }
        self.overdue(at, talks, now);
        let run = &mut *self.runs[at];
        // What has begun and may not move stays where it is.
        run.back &= run.terms.failover;
        if run.cancelled {
            orders.cancel.push(run.key.id);
            if run.ordered.is_none() {
                run.ordered = Some(Moment::at(now.tick, now));
                self.touch(at);
            }
        } else if run.back {
            orders.back.push(run.key.id);
        }
    }

    /// A host could not take what it was offered: nothing new goes there for a while, twice as long each time.
    fn rest(&mut self, host: &str, now: &Now) {
        // What it was offered before it said so counts no more.
        if let Some(agent) = self.agents.iter_mut().find(|agent| agent.host == host && agent.rests <= now.tick) {
            agent.rests = now.tick + REST * (1 << agent.rested.min(MAX_DOUBLED));
            agent.rested += 1;
        }
    }

    /// A run that was given to a host, which does not hold it.
    fn offer(&mut self, at: usize, boot: &str, unsaved: u64, orders: &mut Orders, now: &Now) {
        let left = self.left(at, now);
        let run = &*self.runs[at];
        if run.state == State::Sent && !run.boot.is_empty() && run.boot != boot {
            self.unknown(at, "its host was rebooted before it said that it has it", now);
        } else if run.cancelled {
            self.end(at, State::Cancelled, "", now);
        } else if run.back {
            self.moved.push((run.host.clone(), run.key.id));
            self.again(at, now);
        } else if left <= -LATE {
            self.expire(at, super::place::LATE, now);
        } else if left > 0 && !is_in(unsaved, run.key.id) && orders.offers.len() < MAX_OFFERS {
            let What::Message(message) = run.what.clone() else { return };
            let plan = self.jobs.iter().find(|job| job.plan.name == run.job);
            let offer = Offer {
                key: run.key,
                job: run.job.clone(),
                message,
                left,
                timeout: run.terms.timeout.map(millis),
                fenced: run.terms.failover && !run.terms.finish,
                prepare: plan.map(|job| job.plan.prepare.clone()).unwrap_or_default(),
            };
            // What was not said was not sent.
            if !orders.has_room(&offer) {
                return;
            }
            orders.offers.push(offer);
            if run.state != State::Sent || run.boot != boot {
                let run = &mut *self.runs[at];
                run.state = State::Sent;
                boot.clone_into(&mut run.boot);
                self.touch(at);
            }
        }
    }

    /// How much longer a run may be started, in milliseconds. It is counted from when it was due and free to run.
    pub(super) fn left(&self, at: usize, now: &Now) -> i64 {
        let run = &self.runs[at];
        millis(run.terms.start_within).saturating_sub(self.lasts(&run.free, now))
    }

    /// A run that was given to a host is to be given to another, or to the same anew.
    pub(super) fn again(&mut self, at: usize, now: &Now) {
        let run: &mut Run = &mut self.runs[at];
        run.state = State::Queued;
        run.since = Moment::at(now.tick, now);
        run.free = run.since;
        run.host.clear();
        run.boot.clear();
        run.back = false;
        self.touch(at);
    }
}

/// The last of what a run said, in lines without control characters and without those that turn
/// text round: it is shown on terminals.
fn shown(text: &str) -> String {
    let mut from = text.len().saturating_sub(MAX_OUT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].chars().map(|c| if c.is_control() && c != '\n' || is_bidi(c) { ' ' } else { c }).collect()
}
