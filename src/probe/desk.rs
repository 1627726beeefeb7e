//! The thread of probes: it steps the book, starts the looks, each in a thread of its own, and passes on what is told.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alert::pending::After;
use crate::alert::route::glob_matches;
use crate::clock::{self, Tick, tick};
use crate::event::{Event, Id};
use crate::json;
use crate::keepalive::carry::Carry;
use crate::keepalive::host::{Host, Standing as Stands};
use crate::probe::book::{Above, Book, Look, Pinged, Setting, World};
use crate::probe::look::{Outcome, Tools, look};
use crate::probe::{ProbePlan, Standing};
use crate::resolve::{Resolver, WAIT};
use crate::run::board::Board;
use crate::run::parts::PROBES_STATE;
use crate::run::threads::{Bell, HTTP_STACK, Stop, lock, spawn};

/// The suspended time of a machine ends no wait, so a wait is cut into pieces of this length.
const NAP: Duration = Duration::from_secs(1);
/// How long the answer to a ping waits until what it said is on disk; a disk that takes longer is not waited for.
const KEPT: Duration = Duration::from_millis(1500);
/// Answers that wait so at a time: each holds a connection, of which strangers have sixteen.
const MOST_WAITING: usize = 4;
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);
/// Hosts that are looked at under one lock of the roster.
const HOSTS: usize = 256;

/// What the thread works with.
pub struct Parts {
    /// Roster, and the changes that are told.
    pub board: Arc<Board>,
    /// What beats carry.
    pub carry: Arc<Carry>,
    /// Names.
    pub resolver: Arc<Resolver>,
    /// The end of the program.
    pub stop: Stop,
}

/// The running book.
pub struct Desk(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// Names, for looks alone: they take neither the memory nor the threads of beats and alerts, and how they went is not
    /// how those went.
    apart: Arc<Resolver>,
    book: Mutex<Book>,
    /// A channel of this host tells its events.
    tells: AtomicBool,
    /// Answers that wait for the disk.
    waiting: AtomicUsize,
    bell: Bell,
}

/// Starts the thread. `state` is the small state of the last run; `delivered` are events that stand in it and were taken
/// by a channel before this start.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    setting: &Setting,
    tells: bool,
    state: Option<&str>,
    delivered: &[Id],
    parts: Parts,
) -> io::Result<(Arc<Desk>, JoinHandle<()>)> {
    let now = clock::now();
    let saved = state.and_then(|state| json::read(state.as_bytes()));
    let mut book = saved.map_or_else(Book::default, |saved| Book::read(&saved));
    book.define(setting, &now);
    for event in book.standing() {
        parts.carry.put(&event, tells);
        if delivered.contains(&event.id) {
            parts.carry.delivered(event.id);
        }
    }
    let (book, tells) = (Mutex::new(book), AtomicBool::new(tells));
    let (apart, waiting, bell) = (Arc::default(), AtomicUsize::new(0), Bell::default());
    let shared = Arc::new(Shared { parts, apart, book, tells, waiting, bell });
    let inside = Arc::clone(&shared);
    let thread = spawn("probes", HTTP_STACK, move || inside.work())?;
    Ok((Arc::new(Desk(shared)), thread))
}

impl Desk {
    /// The configuration has changed.
    pub fn reload(&self, setting: &Setting, tells: bool) {
        lock(&self.0.book).define(setting, &clock::now());
        self.0.tells.store(tells, Ordering::Relaxed);
        self.0.bell.ring();
    }

    /// Wakes the thread, which sees the end of the program.
    pub fn wake(&self) {
        self.0.bell.ring();
    }

    /// Where the probes stand.
    pub fn standings(&self) -> Vec<Standing> {
        lock(&self.0.book).standings()
    }

    /// A ping came for `name`; `body` is clean. `None` if there is none of that name, or the program ends; else whether
    /// what it and those before it said survives the end of the program, as far as the next one does not make up for it.
    pub fn pinged(&self, name: &str, ping: Pinged, body: String) -> Option<bool> {
        let known = lock(&self.0.book).pinged(name, ping, body, tick());
        self.0.bell.ring();
        known.then(|| self.0.kept(name))
    }
}

/// The place of one that waits. It is free again when this is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Place<'a>> {
        let place = Place(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn work(self: &Arc<Self>) {
        while !self.parts.stop.is_stopped() {
            let world = self.world();
            let mut looks = Vec::new();
            let (next, said, risen) = {
                let mut book = lock(&self.book);
                book.step(tick(), &world);
                while let Some(look) = book.start(tick()) {
                    looks.push(look);
                }
                (book.wake(), book.said(), book.risen())
            };
            if !risen.is_empty() {
                let state = &mut *self.parts.board.lock();
                risen.iter().for_each(|name| state.roster.healthy(name, &mut state.pending));
            }
            for line in &said {
                log::info!("{line}");
            }
            if !said.is_empty() {
                // What fell just now is to be explained or told.
                self.bell.ring();
            }
            self.tell();
            for look in looks {
                self.look(look);
            }
            self.bell.wait(next.map_or(NAP, |next| next.since(tick()).min(NAP)));
        }
        lock(&self.book).close(&clock::now());
        self.tell();
    }

    /// Waits until what pings of `name` said is on disk; `false` if that takes too long, or too many wait.
    fn kept(&self, name: &str) -> bool {
        let (until, wait, mut number, mut place) = (tick() + KEPT, Stop::default(), None, None);
        loop {
            // The first one counts: what comes after it makes nobody wait longer.
            number = number.or_else(|| lock(&self.book).number(name));
            if let Some(kept) = self.parts.board.lock().pending.has_kept(number) {
                return kept;
            }
            place = place.or_else(|| Place::take(&self.waiting));
            if place.is_none() || tick() >= until {
                return false;
            }
            wait.wait(LOOK);
        }
    }

    fn tell(&self) {
        let events = {
            let mut book = lock(&self.book);
            let presses = book.presses();
            let post = &mut |event: Option<Event>, json: String| {
                let after = After::Small { name: PROBES_STATE.to_owned(), json };
                let number = {
                    let pending = &mut self.parts.board.lock().pending;
                    let number = pending.push(event, after);
                    pending.wanted = number.filter(|_| presses).unwrap_or(pending.wanted);
                    number
                };
                self.parts.board.wake();
                number
            };
            book.tell(&clock::now(), post)
        };
        for event in &events {
            log::debug!("{}: incident {}", event.kind.name(), event.incident);
            self.parts.carry.put(event, self.tells.load(Ordering::Relaxed));
        }
    }

    /// Begins a look.
    fn look(self: &Arc<Self>, Look { id, plan, before }: Look) {
        let (shared, begun) = (Arc::clone(self), tick());
        let started = spawn("probe", HTTP_STACK, move || {
            let Parts { resolver, stop, .. } = &shared.parts;
            let outcome = if plan.passive {
                overhear(&plan, before, resolver)
            } else {
                look(&plan.what, &Tools { resolver: shared.apart.clone(), stop: stop.clone() }, plan.timeout)
            };
            shared.ended(id, begun, outcome);
        });
        if let Err(error) = started {
            let detail = ["no thread to look: ", &error.to_string()].concat();
            self.ended(id, begun, Outcome { good: None, took: Duration::ZERO, detail });
        }
    }

    fn ended(&self, id: u32, begun: Tick, outcome: Outcome) {
        lock(&self.book).ended(id, begun, outcome, tick());
        self.bell.ring();
    }

    /// What the book wants to know of hosts and silences.
    fn world(&self) -> World {
        let (globs, mut names) = lock(&self.book).asks();
        let asked = names.clone();
        let mut hosts = Vec::with_capacity(globs.len());
        for glob in globs {
            let above = self.above(&glob);
            hosts.push((glob, above));
        }
        if !names.is_empty() {
            let now = clock::now();
            let state = self.parts.board.lock();
            names.retain(|name| state.roster.silences().covers(name, &now));
        }
        World { asked, hosts, silenced: names }
    }

    fn above(&self, glob: &str) -> Above {
        let (mut above, mut any) = (Above::default(), false);
        let mut see = |host: &Host| {
            any = true;
            if host.standing == Stands::Up {
                above.last = above.last.max(Some(host.last));
                above.deadline = above.deadline.max(Some(host.deadline));
            }
        };
        if !glob.contains(['*', '?']) {
            self.parts.board.lock().roster.hosts().get(glob).into_iter().for_each(&mut see);
        } else {
            let mut from = 0;
            loop {
                let state = self.parts.board.lock();
                let some = (from..from + HOSTS).map_while(|at| state.roster.hosts().at(at));
                let mut count = 0;
                for entry in some {
                    count += 1;
                    if glob_matches(glob, &entry.name) {
                        see(&entry.host);
                    }
                }
                if count < HOSTS {
                    break;
                }
                from += HOSTS;
            }
        }
        above.down = any && above.last.is_none();
        above
    }
}

/// How the program's own attempts went since then. Without one nothing is known.
fn overhear(plan: &ProbePlan, since: Tick, resolver: &Arc<Resolver>) -> Outcome {
    let seen = plan.what.address().and_then(|(host, port)| {
        let addresses = resolver.lookup_within(host, port, WAIT).ok()?;
        resolver.passive().since(&addresses, since)
    });
    let detail = match seen {
        Some(true) => "",
        Some(false) => "this program could not connect to it",
        None => "not used yet",
    };
    Outcome { good: seen, took: Duration::ZERO, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_wait_at_a_time() {
        let waiting = AtomicUsize::new(0);
        for _ in 0..3 {
            let mut places: Vec<_> = (0..MOST_WAITING).map(|_| Place::take(&waiting).unwrap()).collect();
            assert!(Place::take(&waiting).is_none() && Place::take(&waiting).is_none());
            places.pop();
            assert!(Place::take(&waiting).is_some());
        }
        assert_eq!(waiting.into_inner(), 0);
    }
}
