//! What others wait for to be on disk.

use std::time::Duration;

use super::{STATE_EVERY, Saver};
use crate::alert::outbox::Outbox;
use crate::run::board::Board;
use crate::run::parts::PROBES_STATE;

/// From one write of the state to the next while somebody waits for it, who could do so again and again.
const HURRIED: Duration = Duration::from_millis(500);

/// Numbers of the changes up to which the state of the probes is known.
#[derive(Default)]
pub(super) struct Kept {
    /// On disk.
    done: u64,
    /// On disk or on its way there.
    going: u64,
    /// To whoever waits.
    wanted: u64,
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

    /// From one write of the state to the next.
    pub(super) fn pause(&self) -> Duration {
        if self.wanted > self.done { HURRIED } else { STATE_EVERY }
    }
}

impl Saver {
    /// Says on the board what is on disk, and reads there what somebody waits for.
    pub fn settle(&mut self, outbox: &Outbox, board: &Board) {
        let settled = outbox.settled_seq();
        let pending = &mut board.lock().pending;
        (pending.settled, pending.kept) = (settled, self.kept.done);
        self.kept.wanted = pending.wanted;
    }
}
