//! What explains a failure.

use std::time::Duration;

use super::{Above, Book, MAX_CARRIED, MAX_TOLD, RESTLESS, SAVE, Source, World};
use crate::clock::Tick;
use crate::probe::{Parent, State};

/// Stands in place of a parent when a command wants it silent.
pub const SILENCED: &str = "silenced";
/// The same of one that goes and comes.
pub const RESTS: &str = "told five times in ten minutes";
/// The same where a server tells for this host.
pub const CROWDED: &str = "its server tells three others";

/// Nobody waits longer than this to see whether a parent fails too.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// A host is found to be silent a moment after its deadline.
const FOUND: Duration = Duration::from_secs(5);

/// Where the parent of a probe stands.
struct Verdict {
    down: bool,
    /// It was seen to be well after the probe fell, or there is none to wait for.
    well: bool,
    /// Until when it is waited for otherwise.
    until: Tick,
}

impl Book {
    /// What [`World`] has to say something of: hosts, names of probes.
    pub fn asks(&self) -> (Vec<String>, Vec<String>) {
        let (mut hosts, mut names) = (Vec::new(), Vec::new());
        for item in self.items.iter().filter(|item| item.is_untold()) {
            if let Some(Parent::Host(glob)) = item.plan().and_then(|plan| plan.depends_on.as_ref())
                && !hosts.contains(glob)
            {
                hosts.push(glob.clone());
            }
            names.push(item.name().to_owned());
        }
        (hosts, names)
    }

    /// Finds out whether the failure of an item is to be told.
    pub(super) fn explain(&mut self, at: usize, world: &World, now: Tick) {
        let Some(item) = self.items.get(at) else { return };
        if !item.is_untold() || !world.asked.iter().any(|name| name == item.name()) {
            return;
        }
        let parent = item.plan().and_then(|plan| plan.depends_on.as_ref());
        let rule = item.plan().map(|plan| plan.rule);
        let verdict = parent.map(|parent| self.verdict(parent, item.fell, world));
        let parent = parent.map(|parent| parent.name().to_owned());
        let silenced = world.silenced.iter().any(|name| name == item.name());
        let taken = self.items.iter().filter(|item| item.told.is_some() || item.ready).count();
        let crowded = self.is_carried && taken >= MAX_CARRIED + usize::from(item.ready);
        let Some(item) = self.items.get_mut(at) else { return };
        item.tells.retain(|told| now.since(*told) < RESTLESS);
        let down = verdict.as_ref().is_some_and(|verdict| verdict.down);
        let changed = down != item.explained;
        item.explained = down;
        if down {
            item.because = parent;
        } else if changed {
            item.freed = true;
            item.watch.judge_anew();
        }
        let waits = verdict.is_some_and(|verdict| !verdict.well && now < verdict.until) && !item.freed;
        let judged = rule.is_none_or(|rule| item.watch.is_judged(&rule));
        let rests = item.tells.len() >= MAX_TOLD;
        let quiet = [(silenced, SILENCED), (rests, RESTS), (crowded, CROWDED)].into_iter().find(|(is, _)| *is);
        item.ready = !down && !waits && judged && quiet.is_none();
        if let (Some((_, why)), false) = (quiet, down) {
            item.because = Some(why.to_owned());
        } else if item.ready {
            item.because = None;
        }
        if changed {
            self.save_by(now + SAVE);
        }
    }

    fn verdict(&self, parent: &Parent, fell: Tick, world: &World) -> Verdict {
        let none = Verdict { down: false, well: true, until: fell };
        match parent {
            Parent::Probe(name) => {
                let Some(parent) = self.items.iter().find(|item| item.name() == name) else { return none };
                let down = parent.watch.state() == State::Down;
                match &parent.source {
                    Source::Ping(_) => Verdict { down, ..none },
                    Source::Probe(plan) => Verdict {
                        down,
                        well: parent.well.is_some_and(|well| well >= fell),
                        until: fell + (plan.interval + plan.timeout).min(MAX_WAIT),
                    },
                }
            }
            Parent::Host(glob) => match world.hosts.iter().find(|(known, _)| known == glob) {
                Some((_, Above { down, last, deadline })) => Verdict {
                    down: *down,
                    well: last.is_none_or(|last| last > fell),
                    until: deadline.map_or(fell, |deadline| deadline + FOUND).min(fell + MAX_WAIT),
                },
                None => none,
            },
        }
    }
}
