//! Telling: from a change to a message that somebody has received, through outages and restarts.
//!
//! The desk (one thread) takes changes from the board, has them written to disk, and offers them to the channels
//! over one bounded queue each. Every channel has a sender thread of its own, so that one that hangs delays none.

pub mod pending;
pub mod route;

pub mod finished;
pub mod history;
pub mod incident;
pub mod inquiry;
pub mod outbox;
pub mod record;

pub mod backlog;
pub mod hours;
pub mod limit;
pub mod retry;
pub mod sender;

pub mod desk;
pub mod line;
pub mod notes;
pub mod save;
pub mod standing;

pub mod clean;
pub mod json;
pub mod message;
pub mod words;

pub mod channel;

use std::sync::Arc;
use std::time::Duration;

use crate::alert::backlog::Offer;
use crate::alert::inquiry::Inquiry;
use crate::alert::line::Channel;
use crate::alert::sender::Report;
use crate::event::{Event, Id};
use crate::run::store::Batch;
use crate::run::threads::Bell;

/// What the threads of this module hand each other: one type, since every type of channel costs kilobytes. Each thread
/// lets go of what is not meant for it.
pub enum Parcel {
    /// To a sender: an event on its way to its channel.
    Offer(Offer),
    /// To the store: files.
    Batch(Batch),
    /// To the desk, as all that follow: changes wait on the board, or the program is ending.
    Pending,
    /// The store has done a batch.
    Stored {
        /// Its number.
        batch: u32,
        /// What went wrong, in one line.
        result: Result<(), String>,
    },
    /// A sender is about to make its first attempt with these events.
    Attempting {
        /// Number of the sender.
        channel: usize,
        /// The members of the message.
        seqs: Vec<u64>,
        /// The digest they are frozen into.
        group: Option<Id>,
        /// Rung once the in-flight mark is on disk, or cannot be.
        marked: Bell,
    },
    /// What became of an attempt.
    Verdict(Box<Report>),
    /// A sender has ended: its number.
    Ended(usize),
    /// Somebody asks after what a script said.
    Asked(Inquiry),
    /// The state of the callbacks that was put on the board before this is to be on disk now; rung once it is, or cannot
    /// be.
    Record(Bell),
    /// The configuration has changed.
    Channels {
        /// All channels there are now, in the order of the configuration.
        channels: Vec<Channel>,
        /// What all of them work with has changed.
        all: bool,
    },
}

/// What goes to a channel in one attempt.
#[derive(Clone, Debug)]
pub struct Message {
    /// The event's id, or for a digest the hash of its members' ids.
    pub id: Id,
    /// How its members belong together.
    pub form: Form,
    /// At least one; the order is the order in which they happened.
    pub members: Vec<Arc<Event>>,
}

/// How the members of a [`Message`] belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One event.
    One,
    /// A beginning and its end, neither told before: rendered as one, in the past tense.
    Over,
    /// Several events that came together, or did not fit the channel's rate.
    Digest,
    /// One event in the barest words, because its full rendering seems to have ended the program twice.
    Minimal,
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The channel took it.
    Delivered,
    /// Try again.
    Retry {
        /// What is wrong, in one line without secrets.
        why: String,
        /// The service's own wish.
        after: Option<Duration>,
        /// The whole channel is in trouble (no answer, 5xx, 429), not only this message.
        channel: bool,
        /// The service answered, whatever it said.
        answered: bool,
        /// The service may have got the message: a connection came about, or the program ran.
        sent: bool,
    },
    /// Something a person must mend: wrong secret, removed bot, missing keyword.
    Broken(String),
    /// This message will never be taken, others may be.
    GiveUp(String),
}

#[cfg(test)]
pub(crate) mod testing;
