//! What goes together in one message, and when it may go.

use std::time::Duration;

use super::{Backlog, MAX_EVENTS, MAX_MEMBERS, MINIMAL_AFTER, Offer, URGENT_WITHOUT_DEADLINE};
use crate::clock::{Now, Tick};
use crate::event::{Fact, Field, Id, Kind, Phase};
use crate::keepalive::told::group_of_ends;

/// How long after the last member that came a group, or a digest of the last run, waits for the next. The desk hands
/// over few at a time and looks after a full queue every 200 ms.
pub const GATHER: Duration = Duration::from_millis(500);
/// How long ends of a group wait for each other, from the first on: hosts come back one after the other.
pub const GATHER_ENDS: Duration = Duration::from_secs(5);
/// The longest wait for members, from the first that came.
pub(super) const GATHER_MOST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) offer: Offer,
    pub(super) incident: Id,
    pub(super) queued: Tick,
    /// Since when it could have been told: what quiet hours held back waits from their end on.
    pub(super) since: Tick,
    /// When it came to this channel.
    pub(super) came: Tick,
    pub(super) due: Tick,
    pub(super) tries: u32,
    /// What the channel had taken when this one failed first.
    pub(super) passed: u32,
    /// Goes by itself: a message of several was refused as a whole.
    pub(super) alone: bool,
    pub(super) marked: bool,
    /// Some attempt may have reached the service: the digest it is in stays as it is.
    pub(super) sent: bool,
    /// Quiet hours hold it back now …
    pub(super) waits: bool,
    /// … or held it back at some time: it goes with the others of that kind.
    pub(super) held: bool,
}

impl Entry {
    pub(super) fn is_minimal(&self) -> bool {
        self.offer.starts >= MINIMAL_AFTER
    }

    fn is_joinable(&self) -> bool {
        !self.alone && !self.is_minimal() && self.offer.group.is_none()
    }

    pub(super) fn is_urgent(&self, now: &Now) -> bool {
        let end = match self.offer.event.fact(Field::Deadline) {
            Some(Fact::Time(deadline)) => deadline.tick(now),
            _ => None,
        };
        self.offer.event.kind == Kind::Interrupt
            && now.tick < end.unwrap_or_else(|| self.queued + URGENT_WITHOUT_DEADLINE)
    }

    fn is(&self, phase: Phase) -> bool {
        self.offer.event.kind.phase() == phase
    }

    /// With whom it goes: its digest, or the group it came in.
    fn company(&self) -> Option<(bool, Id)> {
        match self.offer.group {
            Some(digest) => Some((true, digest)),
            None if self.is_joinable() => self.offer.event.group.map(|group| (false, group)),
            None => None,
        }
    }
}

/// What may go before anything else of its incident.
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) at: Tick,
    pub(super) urgent: bool,
    pub(super) tries: u32,
    pub(super) joinable: bool,
    /// The group it came in.
    pub(super) group: Option<Id>,
    /// Quiet hours held it back.
    pub(super) held: bool,
    /// A script said it.
    pub(super) said: bool,
}

/// What was found out of groups and digests while looking for heads: there may be many members to each.
struct Gathered {
    /// When the members, and the ends that follow them, have had their time.
    times: Vec<((bool, Id), [Tick; 2])>,
    /// Some end came lately: nobody waits for older ones.
    ends_come: bool,
}

impl Backlog {
    /// The first of each incident and of each digest, in order.
    pub(super) fn heads(&self, now: &Now) -> Vec<Head> {
        let mut heads = Vec::new();
        let comes = |entry: &Entry| entry.tries == 0 && entry.is(Phase::End) && now.tick < entry.came + GATHER_ENDS;
        let mut known = Gathered { times: Vec::new(), ends_come: self.entries.iter().any(comes) };
        let held = self.held_complete();
        for (place, entry) in self.entries.iter().enumerate() {
            let before = &self.entries[..place];
            let group = entry.offer.group;
            if before
                .iter()
                .any(|other| other.incident == entry.incident || (group.is_some() && other.offer.group == group))
            {
                continue;
            }
            let seq = entry.offer.seq;
            let urgent = entry.is_urgent(now);
            let woken = urgent && (entry.tries == 0 || !self.pace.is_parked());
            // An end that has come makes a new message of a beginning that was refused: no reason to wait.
            let mut due = entry.due;
            for member in self.members(&self.unit(seq)) {
                due = due.min(member.due);
            }
            let mut at = if woken { due } else { due.max(self.pace.until()) };
            if !urgent {
                at = at.max(self.gathered(entry, &mut known));
            }
            if let Some(end) = self.quiet.filter(|_| entry.waits) {
                at = at.max(end);
            } else if entry.held && !urgent {
                at = at.max(held);
            }
            heads.push(Head {
                seq,
                at,
                urgent,
                tries: entry.tries,
                joinable: entry.is_joinable(),
                group: entry.offer.event.group,
                held: entry.held,
                said: entry.offer.event.kind == Kind::Message,
            });
        }
        heads
    }

    /// When those that go with `of` have had their time to come; of what was tried before its ends alone.
    fn gathered(&self, of: &Entry, known: &mut Gathered) -> Tick {
        let Some((frozen, group)) = of.company().filter(|_| !self.closing) else {
            return of.came;
        };
        let place = known.times.iter().position(|(company, _)| *company == (frozen, group));
        let [members, ends] = match place {
            Some(place) => known.times[place].1,
            None => {
                let follow = known.ends_come && !frozen;
                let ends = if follow { self.complete((false, group_of_ends(group))) } else { of.came };
                let times = [self.complete((frozen, group)), ends];
                known.times.push(((frozen, group), times));
                times
            }
        };
        if of.tries == 0 { members.max(ends) } else { of.came.max(ends) }
    }

    /// When those of `company` that are new have had their time.
    fn complete(&self, company: (bool, Id)) -> Tick {
        let (mut first, mut last, mut queued, mut ends) = (Tick(i64::MAX), Tick(i64::MIN), Tick(i64::MIN), true);
        for entry in self.entries.iter().filter(|entry| entry.tries == 0 && entry.company() == Some(company)) {
            queued = if first == Tick(i64::MAX) { entry.queued } else { queued.min(entry.queued) };
            first = first.min(entry.came);
            last = last.max(entry.came);
            ends &= entry.is(Phase::End) && entry.offer.group.is_none();
        }
        let complete = (last + GATHER).min(first + GATHER_MOST);
        if ends { complete.max(queued + GATHER_ENDS) } else { complete }
    }

    /// What goes in one message with `seq`: its digest, or the end of the incident it begins.
    pub(super) fn unit(&self, seq: u64) -> Vec<u64> {
        let mut unit = vec![seq];
        let Ok(place) = self.place(seq) else {
            return unit;
        };
        let (head, later) = (&self.entries[place], &self.entries[place + 1..]);
        if head.offer.group.is_some() {
            unit.extend(
                later.iter().filter(|entry| entry.offer.group == head.offer.group).map(|entry| entry.offer.seq),
            );
        } else if head.is_joinable() && head.is(Phase::Begin) {
            for entry in later.iter().filter(|entry| entry.incident == head.incident) {
                if !entry.is_joinable() {
                    break;
                }
                unit.push(entry.offer.seq);
                if entry.is(Phase::End) {
                    return unit;
                }
            }
            unit.truncate(1);
        }
        unit
    }

    /// `first` and those of `heads` that are as urgent, with their ends, in order, as many as a digest holds: those of
    /// its group, those that quiet hours held back with it, or if the rate leaves no choice all.
    pub(super) fn fold(&self, first: &Head, heads: &[Head], all: bool) -> Vec<u64> {
        let (mut folded, mut units) = (self.unit(first.seq), 1);
        for head in heads.iter().filter(|head| head.joinable && head.urgent == first.urgent && head.seq != first.seq) {
            let together = head.group.is_some() && head.group == first.group || head.held && first.held;
            if !all && !together {
                continue;
            }
            let unit = self.unit(head.seq);
            if units == MAX_MEMBERS || folded.len() + unit.len() > MAX_EVENTS {
                break;
            }
            units += 1;
            for seq in unit {
                folded.insert(folded.partition_point(|known| *known < seq), seq);
            }
        }
        folded
    }
}
