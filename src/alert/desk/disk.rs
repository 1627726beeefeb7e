//! The desk when the disk fails, and what somebody waits for to be on it.

use std::mem::take;

use super::{DISK_NOTE_EVERY, Desk};
use crate::alert::notes;
use crate::alert::save::Failure;
use crate::callback::state::STATE_NAME;
use crate::clock::Now;
use crate::event::Event;
use crate::run::load::Small;

impl Desk {
    /// Tells that the disk fails, if it does.
    pub(super) fn disk_fails(&mut self, now: &Now) {
        let Some(Failure { why, incident, .. }) = self.saver.failure() else {
            return;
        };
        log::error!("state directory {} cannot be written: {why}; alerts are kept in memory", self.folder);
        if self.disk_told.is_none_or(|told| now.tick >= told + DISK_NOTE_EVERY) {
            self.disk_told = Some(now.tick);
            self.own.push(notes::unwritable(*incident, &self.folder, why, now));
        }
    }

    /// At a clean end no attempt counts as having ended the program.
    pub(super) fn unmark(&mut self) {
        for line in &mut self.lines {
            let Some((file, mark)) = line.mark.take() else {
                continue;
            };
            if mark.count == 0 {
                self.saver.unmark(file);
            } else {
                self.saver.mark(file, mark.to_json(), None);
            }
        }
    }

    /// Has callbacks hear of an event.
    pub(super) fn act(&mut self, event: &Event, seq: Option<u64>) {
        let state = self.callbacks.as_ref().and_then(|callbacks| callbacks.hear(event, seq));
        if let Some(json) = state {
            // It may leave out what tells of a run that ended, which is on the board: not before that.
            let seq = self.board.lock().pending.next_seq() - 1;
            self.saver.small(STATE_NAME.to_owned(), Small { seq, json });
        }
    }

    /// Whether a callback is being ended, which is to be told yet.
    pub(super) fn acts(&self) -> bool {
        self.callbacks.as_ref().is_some_and(|callbacks| callbacks.is_busy())
    }

    /// Has the state of the callbacks written for those who wait for it, once it was taken from the board.
    pub(super) fn record(&mut self) {
        if self.records.is_empty() || self.has_pending() {
            return;
        }
        for saved in take(&mut self.records) {
            self.saver.record(STATE_NAME, saved);
        }
    }
}
