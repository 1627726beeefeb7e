//! What others wait for to be on disk: the state of the probes, which alone is written before its time.

use std::time::Duration;

use super::{Saver, put};
use crate::alert::outbox::Outbox;
use crate::clock::{Now, Tick};
use crate::run::board::Board;
use crate::run::load::{Small, small_name};
use crate::run::parts::PROBES_STATE;
use crate::run::store::Job;

/// From one hurried write to the next: what comes meanwhile goes with that.
const HURRIED: Duration = Duration::from_millis(500);
/// Hurried writes in a row. Whoever can ping can ask for them, and flash wears out.
const IN_A_ROW: u32 = 5;
/// After these there is one more each time this has passed.
const ONE_MORE: Duration = Duration::from_secs(10);

/// Numbers of the changes up to which the state of the probes is known.
#[derive(Default)]
pub(super) struct Kept {
    /// On disk.
    done: u64,
    /// On disk or on its way there.
    going: u64,
    /// To whoever waits.
    wanted: u64,
    /// When the next write may be hurried.
    next: Tick,
    /// When those of before count no more.
    spent: Tick,
}

impl Kept {
    pub(super) fn goes(&mut self, name: &str, seq: u64) {
        if name == PROBES_STATE {
            self.going = seq;
        }
    }

    pub(super) fn ended(&mut self, well: bool) {
        match well {
            true => self.done = self.going,
            false => self.going = self.done,
        }
    }

    /// A write is hurried now.
    fn hurries(&mut self, now: Tick) {
        self.spent = self.spent.max(now) + ONE_MORE;
        self.next = (self.spent + ONE_MORE - ONE_MORE * IN_A_ROW).max(now + HURRIED);
    }
}

impl Saver {
    /// Says on the board what is on disk, and reads there what somebody waits for.
    pub fn settle(&mut self, outbox: &Outbox, board: &Board) {
        let settled = outbox.settled_seq();
        let pending = &mut board.lock().pending;
        (pending.settled, pending.kept, pending.fails) = (settled, self.kept.done, self.fails());
        self.kept.wanted = pending.wanted;
    }

    /// The state that somebody waits for, unless it says that something was told which is not on disk yet.
    fn awaited(&self, outbox: &Outbox) -> Option<&Small> {
        let (_, small) = self.small.iter().find(|(name, _)| name == PROBES_STATE)?;
        let news = self.kept.wanted.min(small.seq) > self.kept.done;
        (news && small.seq <= outbox.saved_seq()).then_some(small)
    }

    /// When that is to be written.
    pub(super) fn hurried_at(&self, outbox: &Outbox) -> Option<Tick> {
        self.awaited(outbox).map(|_| self.kept.next)
    }

    /// Writes it, if it is time.
    pub(super) fn hurried(&mut self, outbox: &Outbox, now: &Now) -> Option<Job> {
        let small = self.awaited(outbox).filter(|_| self.kept.next <= now.tick)?;
        let (seq, bytes) = (small.seq, small.to_json());
        self.kept.hurries(now.tick);
        self.kept.goes(PROBES_STATE, seq);
        Some(put(&small_name(PROBES_STATE), bytes, true))
    }
}
