//! Looks: when they begin and what comes of them.

use std::sync::Arc;
use std::time::Duration;

use super::{Book, Item, SAVE, World};
use crate::clock::Tick;
use crate::probe::look::Outcome;
use crate::probe::watch::Rule;
use crate::probe::{Parent, ProbePlan, State};

/// A look that takes so much longer than it may is stuck.
const GRACE: Duration = Duration::from_secs(5);
/// A step so long after the last one means that the machine stood still. Steps are a second apart.
const FREEZE: Duration = Duration::from_secs(10);
/// One that comes so long after means that it, or this program, stood still at least while looks were under way.
const STALL: Duration = Duration::from_secs(3);
/// Why a look that is stuck is a failure.
pub(super) const STUCK: &str = "it does not answer, and the look at it hangs";
/// Why a look that found nothing good says nothing.
const STOOD: &str = "this host stood still meanwhile";

/// A look that is to begin.
#[derive(Debug)]
pub struct Look {
    /// Names it.
    pub id: u32,
    /// What is looked at.
    pub plan: Arc<ProbePlan>,
    /// When the one before it began.
    pub before: Tick,
}

impl Book {
    /// Time has passed: judges what hangs, what is missing, and what explains what.
    pub fn step(&mut self, now: Tick, world: &World) {
        let stood = now.since(self.stepped.unwrap_or(now));
        self.stepped = Some(now);
        if stood > STALL {
            self.schedule.postpone(stood);
            self.stalled = Some(now);
        }
        if stood > FREEZE {
            self.listen_again(now);
            // The network may need a while to wake, too.
            self.items.iter_mut().for_each(|item| item.watch.forget());
        }
        loop {
            let items = &self.items;
            let gap = |id: u32| {
                let plan = items.iter().find(|item| item.id == id).and_then(Item::plan);
                plan.map_or(FREEZE, |plan| plan.fast)
            };
            let Some(id) = self.schedule.overdue(now, &gap) else { break };
            let outcome = Outcome { good: Some(false), took: Duration::ZERO, detail: STUCK.to_owned() };
            self.judge(id, now, outcome, now);
        }
        self.missing(now);
        for at in 0..self.items.len() {
            self.explain(at, world, now);
        }
    }

    /// The next look that is to begin; it takes at most its timeout.
    pub fn start(&mut self, now: Tick) -> Option<Look> {
        let id = self.schedule.next(now)?;
        let item = self.items.iter_mut().find(|item| item.id == id);
        let Some((plan, item)) = item.and_then(|item| Some((item.plan()?.clone(), item))) else {
            self.schedule.remove(id);
            return None;
        };
        let before = std::mem::replace(&mut item.looked, now);
        item.late = self.schedule.late(id, now);
        self.schedule.began(id, now + plan.timeout + GRACE);
        Some(Look { id, plan, before })
    }

    /// When a look is due, or should have ended.
    pub fn wake(&self) -> Option<Tick> {
        self.schedule.wake()
    }

    /// A look that began at `begun` has ended.
    pub fn ended(&mut self, id: u32, begun: Tick, mut outcome: Outcome, now: Tick) {
        let item = self.items.iter().find(|item| item.id == id);
        let plan = item.and_then(Item::plan).cloned();
        // Its place is free in any case.
        let in_time = self.schedule.ended(id, now);
        let (Some(plan), Some(true)) = (plan, in_time) else { return };
        if outcome.good == Some(false) && self.stood_still(&plan, begun, now) {
            (outcome.good, outcome.detail) = (None, STOOD.to_owned());
        }
        self.judge(id, begun, outcome, now);
        let item = self.items.iter().find(|item| item.id == id);
        let fast = plan.passive || item.is_some_and(|item| item.watch.in_transition(&plan.rule, now));
        let due = begun + if fast { plan.fast } else { plan.interval };
        self.schedule.put_off(id, due.max(now));
    }

    /// Whether this program stood still during a look, so that its time ran out through no fault of what was looked at.
    fn stood_still(&self, plan: &ProbePlan, begun: Tick, now: Tick) -> bool {
        // One that is passive sees what came before it, too.
        let seen = if plan.passive { begun - plan.fast } else { begun };
        let stands = self.stepped.is_some_and(|stepped| now.since(stepped) > STALL);
        stands || self.stalled.is_some_and(|stalled| seen < stalled)
    }

    fn judge(&mut self, id: u32, begun: Tick, outcome: Outcome, now: Tick) {
        let Some(at) = self.items.iter().position(|item| item.id == id) else { return };
        let Some(item) = self.items.get_mut(at) else { return };
        let Some(plan) = item.plan().cloned() else { return };
        let Outcome { good, took, detail } = outcome;
        // What could not be told is no result; what is known already stays.
        if good.is_none() {
            if item.last.is_none() {
                let first = item.detail.is_empty();
                item.detail = detail;
                // Nobody is told of it, so that the log at least says why it judges nothing.
                if first && item.watch.state() == State::Unknown && !plan.passive {
                    self.say(at);
                }
            }
            return;
        }
        (item.last, item.took, item.detail) = (Some(now), Some(took), detail);
        if good == Some(true) {
            item.well = Some(begun);
        }
        // What comes late because others take their time counts as if it had come in time.
        let late = item.late * u32::try_from(plan.rule.max_fails).unwrap_or(u32::MAX);
        let rule = Rule { window: plan.rule.window + late, ..plan.rule };
        let changed = item.watch.outcome(&rule, good, now);
        if !changed {
            return;
        }
        item.turned(now);
        let fell = item.watch.state() == State::Down;
        self.say(at);
        self.save_by(now + SAVE);
        // Who explains it is asked at once.
        if let (true, Some(Parent::Probe(parent))) = (fell, &plan.depends_on)
            && let Some(parent) = self.items.iter().find(|item| item.name() == parent)
        {
            self.schedule.hurry(parent.id, now);
        }
    }
}
