//! A question to the desk: what became of something that a script said?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Tick;
use crate::event::Id;
use crate::run::threads::{Bell, lock};

/// How far a message is on one channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The channel took it.
    Told,
    /// It never will be told there; why.
    Gone(String),
    /// It is about to be told.
    Due,
    /// The channel fails and is tried again; why.
    Failing(String),
    /// The channel waits for a person; why.
    Parked(String),
    /// Quiet hours hold it back until then.
    Held(Tick),
}

/// What the desk knows of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// It knows the message.
    pub known: bool,
    /// It survives the end of the program: it is on disk, or done with.
    pub kept: bool,
    /// Progress by channel; none for one that was done with long ago or in an earlier run.
    pub ways: Vec<(String, Progress)>,
    /// One more fits: few enough of its kind wait.
    pub room: bool,
}

/// The question, and the place for its answer. Clones are the same.
#[derive(Clone, Default)]
pub struct Inquiry {
    /// The event's id.
    pub id: Id,
    place: Arc<Mutex<Option<Account>>>,
    bell: Bell,
}

impl Inquiry {
    /// What became of `id`?
    pub fn new(id: Id) -> Inquiry {
        Inquiry { id, ..Inquiry::default() }
    }

    /// Answers it.
    pub fn answer(&self, account: Account) {
        *lock(&self.place) = Some(account);
        self.bell.ring();
    }

    /// Waits for the answer, at most `most`.
    pub fn wait(&self, most: Duration) -> Option<Account> {
        self.bell.wait(most);
        lock(&self.place).take()
    }
}
