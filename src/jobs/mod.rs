//! Jobs: what is to run, when, and on which of the hosts that are alive.
//!
//! The server keeps a [`book::Book`] of runs. A run is offered in the replies to its host's beats until that host says
//! that it has it; the host writes its id down before it starts it, and tells its result until the server has it on disk.
//! Whose host is gone moves, if the job allows it, once the host's lease is over: by then the host has stopped it.

pub mod allot;
pub mod at;
pub mod book;
pub mod cron;
pub mod run;
pub mod saved;

pub mod call;
pub mod desk;

use std::time::Duration;

use crate::clock::{Tick, Wall};
use crate::config::plan::WebhookPlan;
use crate::config::problem::quoted;
use crate::jobs::cron::Schedule;
use crate::jobs::run::{On, Terms};
use crate::keepalive::heard::name_is_valid;

/// One `[[job]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobPlan {
    /// Its name.
    pub name: String,
    /// When; `None` for one that runs by hand only. The expression as written, and read.
    pub cron: Option<(String, Schedule)>,
    /// What.
    pub what: Task,
    /// Where.
    pub on: Where,
    /// How.
    pub terms: Terms,
    /// Messages to be run before its first run on a host.
    pub prepare: Vec<String>,
    /// What happens to a firing while an earlier run has not ended.
    pub overlap: Overlap,
    /// Whether the last firing that was missed is made up for, if it is not longer ago than this.
    pub catch_up: Option<Duration>,
}

/// What a job does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// It asks the allow-list of a host.
    Message(String),
    /// This server calls a URL, with the success rule of a webhook.
    Url(WebhookPlan),
}

/// Where a job runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Where {
    /// On one host.
    One(On),
    /// On each of the hosts that are up and match this glob.
    All(String),
}

impl Where {
    /// Reads `any`, `any:GLOB`, `all`, `all:GLOB`, or the name of a host.
    ///
    /// # Errors
    /// When it is none of these; one line.
    pub fn parse(text: &str) -> Result<Where, String> {
        let (word, glob) = text.split_once(':').map_or((text, "*"), |(word, glob)| (word, glob));
        let on = match word {
            "any" => Where::One(On::Any(glob.to_owned())),
            "all" => Where::All(glob.to_owned()),
            _ if text.contains(['*', '?']) => {
                let shown = quoted(text);
                return Err([&shown, " is a pattern; write \"any:", text, "\" or \"all:", text, "\""].concat());
            }
            _ => Where::One(On::Host(text.to_owned())),
        };
        let name = match &on {
            Where::One(on) => on.text(),
            Where::All(glob) => glob,
        };
        if name_is_valid(name) {
            Ok(on)
        } else {
            Err("a host's name has 1 to 128 bytes and no control characters".to_owned())
        }
    }

    /// As [`Where::parse`] reads it.
    pub fn text(&self) -> String {
        let (word, glob) = match self {
            Where::One(On::Host(name)) => return name.clone(),
            Where::One(On::Any(glob)) => ("any", glob),
            Where::All(glob) => ("all", glob),
        };
        if glob == "*" { word.to_owned() } else { [word, ":", glob].concat() }
    }
}

/// What happens to a firing while an earlier run of the job has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlap {
    /// It is left out, and that is said.
    Skip,
    /// It waits; at most one does.
    Queue,
    /// The earlier one is ended first.
    Kill,
}

/// What somebody asks for by hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum New {
    /// `job run NAME [--on HOST]`: a defined job, now.
    Defined {
        /// Its name.
        name: String,
        /// Where, if not as defined.
        on: Option<String>,
    },
    /// `job add --on … [--in | --at] MESSAGE`.
    Once {
        /// The message.
        message: String,
        /// Where.
        on: Where,
        /// When.
        due: Wall,
    },
    /// `job add --on … --every CRON MESSAGE`.
    Every {
        /// The message.
        message: String,
        /// Where.
        on: Where,
        /// The expression.
        cron: String,
    },
}

impl New {
    /// The one host that it names, if it does.
    pub fn host(&self) -> Option<&str> {
        match self {
            New::Defined { on, .. } => on.as_deref(),
            New::Once { on: Where::One(On::Host(host)), .. } | New::Every { on: Where::One(On::Host(host)), .. } => {
                Some(host)
            }
            New::Once { .. } | New::Every { .. } => None,
        }
    }
}

/// What the book has to know of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostView {
    /// Its name.
    pub name: String,
    /// It beats in time.
    pub up: bool,
    /// When the largest lease it was granted is over, with the grace added: from then on it has stopped what is fenced.
    pub lease_over: Tick,
    /// Its cloud has announced that it goes.
    pub leaving: bool,
    /// It may get jobs: protocol 2, over a user key that is bound to it.
    pub bound: bool,
}
