//! The heartbeat server: listens, lets in whom [`Admission`] lets in, and gives each connection a thread.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use crate::clock::{self, Tick};
use crate::config::plan::ServerPlan;
use crate::keepalive::admission::{Admission, ConnId, Source, Verdict};
use crate::keepalive::answer::{Hear, Outcome, Side};
use crate::keepalive::beat::Ev;
use crate::keepalive::heard::{Granted, Heard, Refusal};
use crate::keepalive::host::fnv;
use crate::keepalive::ports::{Listening, Port, Ports};
use crate::keepalive::quota::LogQuota;
use crate::keepalive::wire::Hint;
use crate::keepalive::work::Giver;
use crate::run::board::Board;
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};
use crate::secret::Secret;

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 256;
/// Descriptors left to the rest of the program, and to closing strangers.
const SPARE_DESCRIPTORS: u64 = 64;
/// Pause after an accept or a thread start that failed for want of something.
const PAUSE: Duration = Duration::from_millis(100);
/// Connection threads that wait for another connection, and how long: starting a thread costs more than an exchange.
const IDLE: (usize, Duration) = (8, Duration::from_secs(1));
/// How long [`Server::close`] waits for connections to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The watchdog never sleeps longer, so only deadlines nearer than this need its bell.
const WATCHDOG_SLEEP: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Peer {
    socket: Arc<TcpStream>,
    from: SocketAddr,
}

impl Peer {
    fn close(&self) {
        // Fails only if the other side closed it first.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// An admitted connection.
type Job = (ConnId, Peer);

struct Door {
    admission: Admission<Peer>,
    /// Threads that wait for [`Shared::freed`].
    waiting: u32,
    /// Threads that are done and would take another connection.
    idle: usize,
    /// Connections for them; never more than there are idle threads, each of which looks here before it ends.
    handed: Vec<Job>,
}

struct Shared {
    side: Mutex<Arc<Side>>,
    board: Arc<Board>,
    watchdog: Bell,
    stop: Stop,
    door: Mutex<Door>,
    /// A connection ended.
    freed: Condvar,
    /// A connection was handed to an idle thread.
    work: Condvar,
    /// Lines about sources.
    quota: Mutex<LogQuota>,
    /// Lines about hosts.
    notes: Mutex<LogQuota>,
    ports: Ports,
    /// Up to here lost time is counted already.
    deaf: Mutex<Tick>,
    /// What gives out jobs.
    giver: Mutex<Option<Arc<dyn Giver>>>,
}

/// The running server.
pub struct Server {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Starts to listen and to answer. `encoded` is `plan.key` as clients of protocol 1 send it; `watchdog` is rung when a
/// deadline may lie nearer than the watchdog sleeps. A busy port is no error: it is said and tried again.
///
/// # Errors
/// When the system has no room for a thread, or no random numbers.
pub fn start(
    plan: &ServerPlan,
    encoded: &Secret,
    identity: &str,
    board: Arc<Board>,
    watchdog: Bell,
    stop: Stop,
) -> io::Result<Server> {
    let shared = Arc::new(Shared {
        side: Mutex::new(Arc::new(Side::new(plan, encoded, identity)?)),
        board,
        watchdog,
        stop,
        door: Mutex::new(Door { admission: Admission::new(connections()), waiting: 0, idle: 0, handed: Vec::new() }),
        freed: Condvar::new(),
        work: Condvar::new(),
        quota: Mutex::default(),
        notes: Mutex::default(),
        ports: Ports::default(),
        deaf: Mutex::default(),
        giver: Mutex::default(),
    });
    let server = Server { shared, threads: Mutex::default() };
    server.listen(plan)?;
    Ok(server)
}

impl Server {
    /// Goes on with another plan, under another name: exchanges that begin from now on follow it. Addresses that stay
    /// are listened on without a break.
    ///
    /// # Errors
    /// As [`start`]; what is missing then is made up for by the next call.
    pub fn reload(&self, plan: &ServerPlan, encoded: &Secret, identity: &str) -> io::Result<()> {
        let side = Arc::new(Side::new(plan, encoded, identity)?);
        *lock(&self.shared.side) = side;
        self.listen(plan)
    }

    fn listen(&self, plan: &ServerPlan) -> io::Result<()> {
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        for port in self.shared.ports.change(&plan.listen) {
            // The first attempt is made here, so that the bound address is known when this returns.
            let first = port.bind();
            let (shared, inside) = (Arc::clone(&self.shared), Arc::clone(&port));
            let thread = spawn("accept", SMALL_STACK, move || shared.listen(&inside, first));
            if thread.is_err() {
                port.close();
            }
            threads.push(thread?);
        }
        Ok(())
    }

    /// Has exchanges that begin from now on bring jobs from `giver`.
    pub fn set_giver(&self, giver: Option<Arc<dyn Giver>>) {
        *lock(&self.shared.giver) = giver;
    }

    /// Addresses that are bound now; those that were free are bound since the start.
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.listening().iter().filter_map(|listening| listening.bound).collect()
    }

    /// Every address with what became of it.
    pub fn listening(&self) -> Vec<Listening> {
        self.shared.ports.listening()
    }

    /// `hosts` hosts more beat from `address` lately: what the roster remembers from before the start.
    pub fn known(&self, address: IpAddr, hosts: usize) {
        lock(&self.shared.door).admission.known(Source::of(address), hosts, clock::tick());
    }

    /// Ends accepting; connections end by themselves. Call it after [`Stop::stop`].
    pub fn stop_listening(&self) {
        self.shared.ports.close();
        let door = lock(&self.shared.door);
        self.shared.work.notify_all();
        drop(door);
    }

    /// Ends accepting and all connections. Call it after [`Stop::stop`].
    pub fn close(&self) {
        self.shared.ports.close();
        let deadline = clock::tick() + LAST_WORDS;
        while clock::tick() < deadline && lock(&self.threads).iter().any(|thread| !thread.is_finished()) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let deadline = clock::tick() + LAST_WORDS;
        let mut door = lock(&self.shared.door);
        for peer in door.admission.sockets() {
            peer.close();
        }
        self.shared.work.notify_all();
        // What is parked has no thread that could end.
        while door.admission.expired(Tick(i64::MAX)).is_some() {}
        while !door.admission.is_empty() && clock::tick() < deadline {
            door = self.shared.await_end(door);
        }
    }
}

/// Slots for connections.
fn connections() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX).min(MAX_CONNECTIONS)
}

impl Shared {
    fn listen(self: &Arc<Self>, port: &Port, first: Option<Arc<TcpListener>>) {
        let Some(listener) = first.or_else(|| port.bind_in_time()) else { return };
        while !self.stop.is_stopped() && !port.gone.is_stopped() {
            match listener.accept() {
                Ok((socket, from)) => {
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    self.arrived(&Peer { socket: Arc::new(socket), from });
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
                Err(_) if self.stop.is_stopped() || port.gone.is_stopped() => return,
                Err(e) => {
                    if self.may_log(Source::OWN) {
                        log::warn!("cannot accept heartbeats: {e}");
                    }
                    self.pause();
                }
            }
            self.tidy();
        }
    }

    /// Lets a connection in, parks it, or turns it away; holds it in hand while there is no room at all.
    fn arrived(self: &Arc<Self>, peer: &Peer) {
        let source = Source::of(peer.from.ip());
        let mut door = lock(&self.door);
        let verdict = loop {
            match door.admission.arrived(source, peer, clock::tick()) {
                Verdict::Wait => {
                    door = self.await_end(door);
                    if self.stop.is_stopped() {
                        return;
                    }
                }
                verdict => break verdict,
            }
        };
        drop(door);
        match verdict {
            Verdict::Admit(id) => self.serve(id, peer.clone()),
            Verdict::AdmitAndClose(id, gone) => {
                gone.close();
                self.serve(id, peer.clone());
            }
            Verdict::Busy => turn_away(peer),
            Verdict::Parked | Verdict::Wait => {}
        }
    }

    /// Sends away what was parked for too long, serves what need not be parked any more.
    fn tidy(self: &Arc<Self>) {
        let now = clock::tick();
        loop {
            let mut door = lock(&self.door);
            if let Some(peer) = door.admission.expired(now) {
                drop(door);
                turn_away(&peer);
            } else if let Some((id, peer)) = door.admission.unpark(now) {
                drop(door);
                self.serve(id, peer);
            } else {
                return;
            }
        }
    }

    /// Hands a connection to an idle thread, or starts one for it.
    fn serve(self: &Arc<Self>, id: ConnId, peer: Peer) {
        let mut door = lock(&self.door);
        if door.idle > door.handed.len() {
            door.handed.push((id, peer));
            drop(door);
            self.work.notify_one();
            return;
        }
        drop(door);
        let shared = Arc::clone(self);
        if let Err(e) = spawn("beat-conn", SMALL_STACK, move || shared.converse(id, peer)) {
            lock(&self.door).admission.closed(id);
            if self.may_log(Source::OWN) {
                log::warn!("cannot start a thread for a heartbeat: {e}");
            }
            self.pause();
        }
    }

    /// Waits for better times. Hosts that could not be heard meanwhile get as much more time; several addresses that
    /// are deaf at once are deaf once.
    fn pause(&self) {
        let begun = clock::tick();
        self.stop.wait(PAUSE);
        let now = clock::tick();
        let counted = std::mem::replace(&mut *lock(&self.deaf), now);
        self.board.lock().roster.deaf(now.since(begun.max(counted)));
    }

    /// A connection's own thread. When its connection ends it takes another one, if one comes soon.
    fn converse(&self, id: ConnId, peer: Peer) {
        let mut job = Some((id, peer));
        while let Some((id, peer)) = job {
            let side = Arc::clone(&lock(&self.side));
            let giver = lock(&self.giver).clone();
            let result = side.exchange(&peer.socket, peer.from, &mut Ear(self, peer.from, side.grace, giver));
            let source = Source::of(peer.from.ip());
            let now = clock::tick();
            let mut door = lock(&self.door);
            match result {
                Ok(Outcome::Counted(host)) => door.admission.authenticated(source, Some(host), now),
                Ok(Outcome::Refused(_)) => door.admission.authenticated(source, None, now),
                Ok(Outcome::Denied(_) | Outcome::Gone) | Err(_) => {}
            }
            door.admission.closed(id);
            if door.waiting > 0 {
                self.freed.notify_all();
            }
            drop(door);
            drop(peer);
            if let Ok(Outcome::Refused(why) | Outcome::Denied(why)) = result
                && self.may_log(source)
            {
                log::warn!("heartbeat from {source} refused: {why}");
            }
            job = self.next(now);
        }
    }

    /// The next connection for a thread that is done: one that was parked, or one that comes while it is idle.
    fn next(&self, now: Tick) -> Option<Job> {
        let mut door = lock(&self.door);
        if self.stop.is_stopped() {
            return None;
        }
        let job = door.admission.unpark(now).or_else(|| door.handed.pop());
        if job.is_some() || door.idle >= IDLE.0 {
            return job;
        }
        door.idle += 1;
        let quiet = |door: &mut Door| door.handed.is_empty() && !self.stop.is_stopped();
        let (mut door, _) = self.work.wait_timeout_while(door, IDLE.1, quiet).unwrap_or_else(PoisonError::into_inner);
        door.idle -= 1;
        door.handed.pop()
    }

    /// Waits until a connection ends, at most [`PAUSE`].
    fn await_end<'a>(&self, mut door: MutexGuard<'a, Door>) -> MutexGuard<'a, Door> {
        door.waiting += 1;
        let (mut door, _) = self.freed.wait_timeout(door, PAUSE).unwrap_or_else(PoisonError::into_inner);
        door.waiting -= 1;
        door
    }

    fn may_log(&self, source: Source) -> bool {
        lock(&self.quota).allows(source.number(), clock::tick())
    }
}

/// Closes a connection with a word about why.
fn turn_away(peer: &Peer) {
    // A few bytes into an empty buffer: it cannot block, and who does not take them does not matter.
    let _ = io::Write::write(&mut &*peer.socket, Hint::Busy.line());
    peer.close();
}

/// Brings what was heard to the roster.
struct Ear<'a>(&'a Shared, SocketAddr, Duration, Option<Arc<dyn Giver>>);

impl Hear for Ear<'_> {
    fn hear(&mut self, heard: &Heard<'_>) -> Result<Granted, Refusal> {
        let now = clock::now();
        let mut state = self.0.board.lock();
        let state_now = &mut *state;
        let known = state_now.roster.hosts().len();
        let granted = state_now.roster.hear(heard, &now, &mut state_now.pending);
        // A host that is new should be on disk before this machine can fail.
        let changed = !state_now.pending.is_empty() || state_now.roster.hosts().len() != known;
        drop(state);
        if changed {
            self.0.board.wake();
        }
        // Any other deadline made now is seen when the watchdog wakes by itself.
        if granted.is_ok_and(|g| g.lease.saturating_add(self.2) < WATCHDOG_SLEEP || heard.report.ev == Ev::Bye) {
            self.0.watchdog.ring();
        }
        let text = granted.map_or("", |granted| granted.note.text());
        if !text.is_empty() && lock(&self.0.notes).allows(fnv(heard.name.as_bytes()), now.tick) {
            log::info!("{} ({}) {text}", heard.name, heard.from.ip());
        }
        granted
    }

    fn giver(&self) -> Option<&dyn Giver> {
        self.3.as_deref()
    }

    fn refused(&mut self, user: &str, name: &str, bound: Option<&str>) {
        let now = clock::now();
        let mut state = self.0.board.lock();
        let state_now = &mut *state;
        state_now.roster.refused((name, user, self.1), bound, &now, &mut state_now.pending);
        drop(state);
        self.0.board.wake();
    }
}
