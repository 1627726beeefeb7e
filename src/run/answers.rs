//! What the daemon answers to the commands that come over its control socket.

#[cfg(feature = "jobs")]
mod job;

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::history::History;
use crate::alert::pending::After;
use crate::alert::route::glob_matches;
use crate::alert::standing::DeskStatus;
use crate::callback::dispatch::Callbacks;
use crate::clock::{self, Tick};
use crate::config::problem::quoted;
use crate::control::Answer;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::keepalive::client::{Client, FAREWELL};
use crate::keepalive::host::Host;
use crate::keepalive::hosts::SHARDS;
use crate::order::order;
use crate::run::board::Board;
use crate::run::reload::Reloader;
#[cfg(feature = "jobs")]
use crate::run::status::Jobs;
use crate::run::status::Status;
use crate::run::threads::lock;

/// How long a simulated outage can be ended; the desk remembers it no longer.
const EXERCISE: Duration = Duration::from_secs(600);
/// How far off the deadline of a simulated notice is.
const NOTICE: Duration = Duration::from_secs(300);

/// What it takes to answer.
pub struct Answers {
    /// Start of the program.
    pub started: Tick,
    /// What follows the configuration.
    pub reloader: Arc<Reloader>,
    /// The roster.
    pub board: Arc<Board>,
    /// The alert desk.
    pub desk: Arc<Mutex<DeskStatus>>,
    /// Where the desk is asked.
    pub to_desk: SyncSender<Parcel>,
    /// The state directory.
    pub folder: String,
    /// What is done about events.
    pub callbacks: Arc<Callbacks>,
    /// The last incidents.
    pub history: Arc<Mutex<History>>,
    /// The simulated outage that has not ended yet.
    pub simulated: Option<(Id, Tick)>,
}

impl Answers {
    /// Answers one request.
    pub fn answer(&mut self, word: &str, argument: &str) -> Answer {
        match word {
            "status" => self.status(argument == "json"),
            "simulate" => self.simulate(argument),
            "forget" => self.forget(argument),
            "leave" => self.leave(),
            "note" => self.note(argument),
            "silence" => self.silence(argument),
            "unsilence" => self.unsilence(argument),
            "history" => self.history(argument),
            "send" => self.send(argument),
            "sent" => self.sent(argument),
            "reload" => self.reloader.ask(),
            #[cfg(feature = "jobs")]
            "job" => self.job(argument),
            _ => Err(format!("this daemon ({}) does not know {}", env!("CARGO_PKG_VERSION"), quoted(word))),
        }
    }

    fn status(&self, json: bool) -> Answer {
        Ok(self.show(&mut |status| (u8::from(!status.well()), if json { status.json() } else { status.table() })))
    }

    /// Collects what there is to be shown, and has `take` make something of it.
    pub fn show<T>(&self, take: &mut dyn FnMut(&Status<'_>) -> T) -> T {
        let now = clock::now();
        let (silences, windows, held) = {
            let roster = &self.board.lock().roster;
            (roster.silences().standing(&now), roster.rules().windows.clone(), roster.held())
        };
        let parts = self.reloader.parts();
        let status = Status {
            name: &parts.me,
            folder: &self.folder,
            zone: &parts.zone,
            now,
            running: now.tick.since(self.started),
            server: parts.server().map(|server| server.listening()),
            #[cfg(feature = "status")]
            web: parts.web(),
            #[cfg(not(feature = "status"))]
            web: Vec::new(),
            hosts: self.hosts(),
            silences,
            windows,
            held,
            spot: parts.spot().map(|spot| lock(spot).clone()),
            monitors: parts.clients().iter().map(|client| client.status()).collect(),
            callbacks: self.callbacks.standings(),
            #[cfg(feature = "jobs")]
            jobs: parts.jobs().map(|desk| desk.read(|book| Jobs::of(book, &now))),
            #[cfg(not(feature = "jobs"))]
            jobs: None,
            #[cfg(feature = "jobs")]
            queue: parts.queue(),
            #[cfg(not(feature = "jobs"))]
            queue: None,
            #[cfg(feature = "status")]
            agents: parts.web_agents(),
            #[cfg(not(feature = "status"))]
            agents: Vec::new(),
            #[cfg(feature = "probes")]
            probes: parts.probes(),
            #[cfg(feature = "probes")]
            resources: parts.resources(),
            desk: lock(&self.desk).clone(),
        };
        take(&status)
    }

    /// A part at a time, so that the roster is never locked for long.
    pub fn hosts(&self) -> Vec<(Box<str>, Host)> {
        let mut hosts = Vec::new();
        for shard in 0..SHARDS {
            hosts.append(&mut self.board.lock().roster.hosts().copy(shard));
        }
        hosts
    }

    fn simulate(&mut self, kind: &str) -> Answer {
        let now = clock::now();
        let me = self.reloader.parts().me.clone();
        let begun = self.simulated.filter(|(_, at)| now.tick.since(*at) < EXERCISE);
        let kind = Kind::parse(kind).ok_or_else(|| format!("cannot simulate {}", quoted(kind)))?;
        let fresh = Id::of(&[b"exercise", &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
        let at = Moment::at(now.tick, &now);
        let mut event = match kind {
            Kind::Interrupt => {
                Event::new(kind, fresh, me, at).with(Field::Deadline, Fact::Time(Moment::at(now.tick + NOTICE, &now)))
            }
            Kind::Offline => {
                self.simulated = Some((fresh, now.tick));
                Event::new(kind, fresh, me, at).with(Field::LastBeat, Fact::Time(at))
            }
            Kind::Online => {
                let Some((incident, since)) = begun else {
                    return Err("nobody was told of an outage: simulate offline first".to_owned());
                };
                self.simulated = None;
                Event::new(kind, incident, me, at)
                    .with(Field::Duration, Fact::Span(now.tick.since(since)))
                    .with(Field::Since, Fact::Time(Moment::at(since, &now)))
            }
            _ => return Err(format!("cannot simulate {}", kind.name())),
        };
        event.test = true;
        if !self.board.post(Some(event), After::Nothing) {
            return Err("too many changes wait; try again".to_owned());
        }
        Ok((0, format!("simulated {}: told through every channel that takes it, marked TEST\n", kind.name())))
    }

    fn forget(&self, glob: &str) -> Answer {
        let now = clock::now();
        let mut names = self.hosts();
        names.retain(|(name, _)| glob_matches(glob, name));
        if names.is_empty() {
            return Err(format!("no host is called {}", quoted(glob)));
        }
        let (mut text, mut all) = (String::new(), true);
        for index in order(names.len(), &|a, b| names[a].0 < names[b].0) {
            let name = &*names[index].0;
            let gone = {
                let state = &mut *self.board.lock();
                state.roster.leave(name, "it was taken off by hand", &now, &mut state.pending)
            };
            self.board.wake();
            all &= gone;
            text.push_str(name);
            text.push_str(if gone { ": forgotten\n" } else { ": not now, too many changes wait\n" });
        }
        Ok((u8::from(!all), text))
    }

    /// Kept until the end of the program; an empty one clears it.
    fn note(&self, text: &str) -> Answer {
        let mut kept = None;
        for client in self.reloader.parts().clients() {
            kept = Some(client.note(text));
        }
        match kept.as_deref() {
            None => Err("there is no [keepalive.client] in the configuration: nobody would see the note".to_owned()),
            Some("") => Ok((0, "the note is cleared\n".to_owned())),
            Some(note) => Ok((0, ["noted: ", note, "\n"].concat())),
        }
    }

    fn leave(&self) -> Answer {
        let clients = self.reloader.parts().clients();
        let (all, text) = goodbyes(&clients, "leave");
        Ok((u8::from(!all), text))
    }
}

/// Says goodbye on all clients at once: whether all took it, and a line each.
pub fn goodbyes(clients: &[Arc<Client>], reason: &str) -> (bool, String) {
    for client in clients {
        client.farewell(reason);
    }
    let until = clock::tick() + FAREWELL + FAREWELL;
    let mut all = true;
    let mut text = String::new();
    for client in clients {
        let ended = client.ended(until.since(clock::tick()));
        let said = match ended.unwrap_or_else(|| Err("timed out".to_owned())) {
            Ok(()) => "left".to_owned(),
            Err(why) => format!("not told: {why}"),
        };
        all &= said == "left";
        text.push_str(&format!("{}: {said}\n", client.status().label));
    }
    (all, text)
}
