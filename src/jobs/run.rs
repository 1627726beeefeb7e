//! One run of a job, as its server knows it.

use std::time::Duration;

use crate::clock::Wall;
use crate::event::{Id, Moment};
use crate::keepalive::work::{Done, Key};

/// How long a run may wait for its start unless its job says otherwise.
pub const START_WITHIN: Duration = Duration::from_secs(600);

/// What is known of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Which, and which assignment and attempt it is at.
    pub key: Key,
    /// The job's name; empty for one that was asked for by hand.
    pub job: String,
    /// What is to be run.
    pub what: What,
    /// Where.
    pub on: On,
    /// How.
    pub terms: Terms,
    /// When it was asked for.
    pub made: Wall,
    /// When it is due.
    pub due: Wall,
    /// How far it is.
    pub state: State,
    /// Since when.
    pub since: Moment,
    /// Since when it may be started: a host that takes it and cannot begin it does not prolong that.
    pub free: Moment,
    /// The host it is given to; empty while there is none.
    pub host: String,
    /// The longest lease that its host was granted since: it is on disk before the run is offered there.
    pub lease: Duration,
    /// Hosts that refused it.
    pub refused: Vec<String>,
    /// Somebody wants it ended.
    pub cancelled: bool,
    /// Since when its host is told so.
    pub ordered: Option<Moment>,
    /// Its host is asked to hand it back.
    pub back: bool,
    /// Boot id of the host when it was first offered there.
    pub boot: String,
    /// What became of its last attempt.
    pub done: Option<Done>,
    /// Its end is told, or with what is to be told on disk.
    pub told: bool,
    /// Its end has been handed on to be told, under this number; 0 if it has not. Not kept over a restart.
    pub telling: u64,
}

/// What is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A message for the allow-list of a host.
    Message(String),
    /// The URL of the job of that name in the configuration, called by this server.
    Url,
}

impl What {
    /// The message; empty for a URL.
    pub fn text(&self) -> &str {
        match self {
            What::Message(message) => message,
            What::Url => "",
        }
    }
}

/// Where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum On {
    /// On this host and no other.
    Host(String),
    /// On whichever of the live ones takes it; with a glob, of those that match.
    Any(String),
}

impl On {
    /// The host or the glob.
    pub fn text(&self) -> &str {
        match self {
            On::Host(text) | On::Any(text) => text,
        }
    }
}

/// How.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How long after it is due it may be started.
    pub start_within: Duration,
    /// How long an attempt may take; `None` leaves it to the host.
    pub timeout: Option<Duration>,
    /// Further attempts after a failed one, and the time between.
    pub retries: u32,
    /// From the end of a failed attempt to the next.
    pub retry_every: Duration,
    /// It may run twice: what was perhaps run is run again.
    pub idempotent: bool,
    /// It moves to another host when its own is gone.
    pub failover: bool,
    /// A host without its lease goes on with it.
    pub finish: bool,
    /// What is told.
    pub notify: Notify,
}

/// What is told of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// How it ends.
    Always,
    /// That it failed, expired or was lost.
    Failure,
    /// Nothing.
    Never,
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is not due yet.
    Waiting,
    /// It is due and waits for a host, or for its host's next beat.
    Queued,
    /// It was offered to its host; whether that has it is not known.
    Sent,
    /// Its host has it.
    Running,
    /// Exit code 0.
    Succeeded,
    /// Anything else, and no attempt is left.
    Failed,
    /// It was not started in time, and never will be.
    Expired,
    /// It was taken back, or killed on request.
    Cancelled,
    /// Perhaps it ran; nobody will know.
    Lost,
}

impl State {
    /// All of them.
    pub const ALL: [State; 9] = [
        State::Waiting,
        State::Queued,
        State::Sent,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Expired,
        State::Cancelled,
        State::Lost,
    ];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 9] =
            ["waiting", "queued", "sent", "running", "succeeded", "failed", "expired", "cancelled", "lost"];
        NAMES[self as usize]
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Waiting | State::Queued | State::Sent | State::Running)
    }
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            start_within: START_WITHIN,
            timeout: None,
            retries: 0,
            retry_every: Duration::from_secs(60),
            idempotent: false,
            failover: false,
            finish: false,
            notify: Notify::Failure,
        }
    }
}

/// A number for a run that nobody else has: the hash of the job, what it is, where and when.
pub fn id(job: &str, what: &str, on: &str, at: Wall, chance: u64) -> Id {
    Id::of(&[b"run", job.as_bytes(), what.as_bytes(), on.as_bytes(), &at.0.to_be_bytes(), &chance.to_be_bytes()])
}
