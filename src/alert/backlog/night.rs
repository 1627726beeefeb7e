//! What quiet hours hold back.

use super::Backlog;
use super::unit::{Entry, GATHER, GATHER_MOST};
use crate::clock::{Now, Tick};

impl Backlog {
    /// Finds out what may not be told now. What is critical passes, and with it whatever belongs to the same incident
    /// or digest, since their order is kept.
    pub(super) fn hold(&mut self, now: &Now) {
        let Some(hours) = &self.hours else { return };
        self.quiet = hours.end(now);
        let mut passes: Vec<bool> =
            self.entries.iter().map(|entry| self.quiet.is_none() || entry.offer.pressing).collect();
        // Each turn lets one more link of the chains pass; a long one must not take for ever.
        for _ in 0..MAX_LINKS {
            let mut more = Vec::new();
            for (place, entry) in self.entries.iter().enumerate() {
                if !passes[place]
                    && self.entries.iter().zip(&passes).any(|(other, passes)| *passes && linked(entry, other))
                {
                    more.push(place);
                }
            }
            if more.is_empty() {
                break;
            }
            more.into_iter().for_each(|place| passes[place] = true);
        }
        for (entry, passes) in self.entries.iter_mut().zip(passes) {
            entry.waits = !passes;
            if let Some(end) = self.quiet.filter(|_| !passes && !entry.held) {
                entry.held = true;
                entry.since = entry.since.max(end);
            }
        }
    }

    /// When those that were held back have had their time to come: after a restart they come one by one.
    pub(super) fn held_complete(&self) -> Tick {
        let (mut first, mut last) = (Tick(i64::MAX), Tick(i64::MIN));
        for entry in self.entries.iter().filter(|entry| entry.held && entry.tries == 0 && !self.closing) {
            (first, last) = (first.min(entry.came), last.max(entry.came));
        }
        (last + GATHER).min(first + GATHER_MOST)
    }

    /// What came while it was quiet, to another sender or in another run, was held back as well.
    pub(super) fn held_before(&mut self, seq: u64, now: &Now) {
        let (Some(hours), Ok(place)) = (&self.hours, self.place(seq)) else {
            return;
        };
        let entry = &mut self.entries[place];
        let queued = entry.offer.queued.wall(now).filter(|_| !entry.offer.pressing);
        if let Some(end) = queued.and_then(|queued| hours.end_of(queued)) {
            entry.held = true;
            entry.since = entry.since.max(Tick(now.tick.0.saturating_add(end.0.saturating_sub(now.wall.0))));
        }
    }
}

/// Turns of [`Backlog::hold`]: an incident in a digest with another one is two links.
const MAX_LINKS: usize = 8;

fn linked(one: &Entry, other: &Entry) -> bool {
    one.incident == other.incident || one.offer.group.is_some() && one.offer.group == other.offer.group
}
