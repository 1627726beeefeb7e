//! The one lock that the watching threads share: the roster and the changes that wait to be told.

use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard};

use crate::alert::Parcel;
use crate::alert::pending::{After, Pending};
use crate::event::Event;
use crate::keepalive::roster::Roster;
use crate::run::threads::lock;

/// Roster and pending changes; see [`Board`].
#[derive(Default)]
pub struct State {
    /// Who is known.
    pub roster: Roster,
    /// What is to be told and saved.
    pub pending: Pending,
}

/// The state behind its lock, and the way to wake the alert desk. Under the lock there is no I/O, no logging and
/// no serialising.
pub struct Board {
    state: Mutex<State>,
    desk: SyncSender<Parcel>,
}

impl Board {
    /// A board that wakes `desk`.
    pub fn new(state: State, desk: SyncSender<Parcel>) -> Board {
        Board { state: Mutex::new(state), desk }
    }

    /// The state. Whoever added changes calls [`Board::wake`] after letting go.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Tells the desk that changes wait. A full queue needs no wake: the desk looks after every message.
    pub fn wake(&self) {
        let _ = self.desk.try_send(Parcel::Pending);
    }

    /// Adds one change and wakes the desk; `false` if there is no room, and the caller keeps it due.
    #[must_use]
    pub fn post(&self, event: Option<Event>, after: After) -> bool {
        let posted = self.lock().pending.push(event, after).is_some();
        self.wake();
        posted
    }
}
