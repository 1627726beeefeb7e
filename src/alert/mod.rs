//! Telling: from a change to a message that somebody has received, through outages and restarts.
//!
//! The desk (one thread) takes changes from the board, has them written to disk, and offers them to the channels
//! over one bounded queue each. Every channel has a sender thread of its own, so that one that hangs delays none.

pub mod pending;

pub mod channel;
pub mod message;

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Id};

/// What the desk is told.
pub enum ToDesk {
    /// Changes wait on the board.
    Pending,
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
    /// Several events that did not fit the channel's rate.
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
    },
    /// Something a person must mend: wrong secret, removed bot, missing keyword.
    Broken(String),
    /// This message will never be taken, others may be.
    GiveUp(String),
}
