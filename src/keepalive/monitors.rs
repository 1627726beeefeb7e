//! Tells on this host's own channels how it goes with its heartbeat servers; shared by the client threads.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::alert::pending::After;
use crate::clock::{Now, Tick};
use crate::keepalive::ask::BeatError;
use crate::keepalive::unreachable::{Book, Due, Outage, Told};
use crate::run::board::Board;
use crate::run::threads::lock;

/// Name of the saved state, in [`After::Small`] and of its file.
pub const STATE_NAME: &str = "monitors";

/// What was told, and where to tell.
#[derive(Default)]
pub struct Monitors {
    book: Mutex<Book>,
    /// Nobody is told without one.
    board: Option<Arc<Board>>,
}

impl Monitors {
    /// Tells `board`; `saved` is the state saved last under [`STATE_NAME`].
    pub fn new(board: &Arc<Board>, saved: Option<&str>) -> Monitors {
        Monitors { book: Mutex::new(saved.map(Book::read).unwrap_or_default()), board: Some(Arc::clone(board)) }
    }

    /// A beat to `label` was answered: ends what was told.
    pub fn answered(&self, me: &str, label: &str, now: &Now) {
        self.post(&|book| book.reachable(me, label, now));
    }

    /// The outage of `label` that began at `began` is to be told.
    pub fn unreachable(&self, me: &str, label: &str, outage: &Outage, began: Tick, why: &str, now: &Now) {
        self.post(&|book| book.unreachable(me, label, began, outage.last(), why, now));
    }

    /// Somebody at `address` answered in place of `label`.
    pub fn forged(&self, me: &str, label: &str, address: SocketAddr, error: &BeatError, now: &Now) {
        let what = if matches!(error, BeatError::NotGenuine) { Told::NoKey } else { Told::Renamed };
        self.post(&|book| book.forged(me, label, what, address, &error.to_string(), now));
    }

    /// Only `labels` are beaten to from now on: ends what was told of others.
    pub fn keep(&self, me: &str, labels: &[String], now: &Now) {
        while self.post(&|book| book.gone(me, labels, now)) {}
    }

    /// What finds no room stays due: whoever called calls again. True if something was told.
    fn post(&self, make: &dyn Fn(&Book) -> Option<Due>) -> bool {
        let Some(board) = &self.board else { return false };
        let mut book = lock(&self.book);
        let Some(due) = make(&book) else { return false };
        let after = After::Small { name: STATE_NAME.to_owned(), json: due.book.to_json() };
        let posted = board.post(Some(due.event), after);
        if posted {
            *book = due.book;
        }
        posted
    }
}
