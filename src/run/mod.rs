//! What holds the program together: builds everything, says when it is ready, and ends it.

pub mod answers;
pub mod board;
pub mod identity;
pub mod ledger;
pub mod load;
pub mod logger;
pub mod notify;
pub mod quiet;
pub mod restore;
pub mod state;
pub mod status;
pub mod store;
pub mod table;
pub mod threads;
pub mod upstream;

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{self, register_conditional_shutdown};
use signal_hook::low_level::pipe;

use crate::alert::Parcel;
use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::desk::{self, Channel};
use crate::alert::history;
use crate::alert::pending::Pending;
use crate::alert::sender::Deliver;
use crate::alert::standing::DeskStatus;
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE, fail};
use crate::clock::{self, Now};
use crate::config::plan::{ChannelPlan, Plan, ServerPlan};
use crate::config::units::show_span;
use crate::control;
use crate::keepalive::carry::Carry;
use crate::keepalive::client::{self, Client, Me};
use crate::keepalive::monitors::{self, Monitors};
use crate::keepalive::rules::Rules;
use crate::keepalive::server::{self, Server};
use crate::keepalive::silences;
use crate::keepalive::uri::encode_userinfo;
use crate::keepalive::watchdog::{self, BEATS_FILE, Place, Signs};
use crate::resolve::Resolver;
use crate::run::answers::Answers;
use crate::run::board::{Board, State};
use crate::run::identity::identity;
use crate::run::load::{Loaded, load};
use crate::run::store::{Batch, Folders, Job, Root};
use crate::run::threads::{Bell, HTTP_STACK, SMALL_STACK, Stop, spawn};
use crate::secret::Secret;
use crate::spot::{self, SpotContext, SpotStatus};
use crate::zone::Zone;

/// Messages to the desk that may wait.
const DESK_QUEUE: usize = 256;
/// From SIGTERM to the end; procd kills after 5 s.
const SHUTDOWN: Duration = Duration::from_millis(3900);
/// How long `leave` without a daemon waits for its first beats.
const FIRST_BEATS: Duration = Duration::from_secs(15);
/// How often the end of a thread is looked for during the shutdown.
const LOOK: Duration = Duration::from_millis(5);

/// Runs the daemon until a signal ends it.
pub fn daemon(plan: &Plan) -> ExitCode {
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    logger::start(&plan.log, zone.clone());
    abort_on_panic();
    for warning in &plan.warnings {
        log::warn!("{warning}");
    }
    match Daemon::start(plan, zone) {
        Ok(daemon) => {
            daemon.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::error!("{error}");
            EXIT_FAILURE.into()
        }
    }
}

/// A half-dead watcher is worse than a dead one: the service manager restarts the dead one, and state is on disk.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::abort();
    }));
}

/// Says goodbye for good to every heartbeat server, without a running daemon: whether all took it, and a line each.
pub fn leave_directly(plan: &Plan) -> (bool, String) {
    let (stop, resolver) = (Stop::default(), Arc::new(Resolver::default()));
    let me = Me::new(&identity(&plan.name));
    let start = |me| client::start_all(&plan.clients, &Arc::new(me), &Arc::default(), &resolver, &stop);
    let clients = match me.and_then(start) {
        Ok(clients) => clients,
        Err(error) => return (false, format!("{error}\n")),
    };
    // A goodbye counts only from the run that beat last.
    let until = clock::tick() + FIRST_BEATS;
    let heard = |client: &Client| client.status().last.is_some() || client.status().failures > 0;
    while clock::tick() < until && !clients.iter().all(heard) {
        std::thread::park_timeout(LOOK);
    }
    answers::goodbyes(&clients)
}

struct Daemon {
    stop: Stop,
    signals: Signals,
    board: Arc<Board>,
    bell: Bell,
    server: Option<Arc<Server>>,
    clients: Arc<Vec<Client>>,
    threads: Vec<JoinHandle<()>>,
    ready: String,
}

impl Daemon {
    fn start(plan: &Plan, zone: Zone) -> io::Result<Daemon> {
        let signals = Signals::new()?;
        let me = identity(&plan.name);
        let folder = plan.state_dir.display().to_string();
        let opened = state::open(&plan.state_dir, &plan.runtime_dir)
            .map_err(|error| io::Error::other(format!("{folder}: {error}")))?;
        if opened.in_memory && opened.unwritable.is_none() {
            log::warn!("{folder}: in memory, alerts and roster do not survive a reboot");
        }
        let now = clock::now();
        let small = [spot::STATE_NAME, monitors::STATE_NAME, silences::STATE_NAME, history::STATE_NAME];
        let loaded = load(&plan.state_dir, &small, restore::is_shard);
        let (to_desk, inbox) = sync_channel(DESK_QUEUE);
        let board = board(plan, &loaded, &to_desk, &me, &zone, &now);
        let stop = Stop::default();
        let folders = Folders { state: plan.state_dir.clone(), runtime: plan.runtime_dir.clone(), lock: opened.lock };
        let (to_store, store) = store::start(folders, to_desk.clone())?;
        let resolver = Arc::new(Resolver::default());
        let carry = Arc::new(Carry::default());
        let desk_status = Arc::new(Mutex::new(DeskStatus::default()));
        let saved_spot = restore::spot(&loaded);
        let told = loaded.small(monitors::STATE_NAME).map(|small| &*small.json);
        let own = Arc::new(Me::new(&me)?.with(&plan.state_dir, Monitors::new(&board, told)));
        let history = Arc::new(Mutex::new(restore::history(&loaded)));
        let delivered = carry.clone();
        let desk = desk::start(desk::Parts {
            board: board.clone(),
            inbox,
            desk: to_desk,
            store: to_store.clone(),
            channels: channels(plan, &resolver, &zone, &stop),
            history: history.clone(),
            restored: loaded.outbox,
            standings: loaded.channels,
            folder: folder.clone(),
            unwritable: opened.unwritable,
            stop: stop.clone(),
            status: desk_status.clone(),
            delivered: Box::new(move |id| delivered.delivered(id)),
            chance: chance()?,
        })?;
        let mut threads = vec![store, desk];
        let bell = Bell::default();
        let server = match &plan.server {
            Some(plan) => {
                let server = start_server(plan, &me, &board, &bell, &stop)?;
                Some(Arc::new(server))
            }
            None => None,
        };
        let signs = Signs { turns: Arc::default(), every: notify::watchdog_every() };
        let turns = signs.turns.clone();
        // The store ends once nobody can send to it.
        let to_store = server.is_some().then_some(to_store);
        if to_store.is_some() || signs.every.is_some() {
            threads.push(start_watchdog(&board, &bell, &stop, signs, to_store)?);
        }
        if let Some(upstream) = &plan.upstream {
            threads.push(upstream::start(upstream, turns, resolver.clone(), &stop)?);
        }
        let mut spot = None;
        if let Some((status, thread)) = start_spot(plan, &me, &board, &carry, &resolver, &stop, saved_spot)? {
            spot = Some(status);
            threads.push(thread);
        }
        let clients = Arc::new(client::start_all(&plan.clients, &own, &carry, &resolver, &stop)?);
        let ready = ready(plan, &me, server.as_deref());
        let answers = Answers {
            me,
            started: now.tick,
            zone,
            board: board.clone(),
            server: server.clone(),
            clients: clients.clone(),
            spot,
            desk: desk_status,
            history,
            folder,
            simulated: None,
        };
        threads.extend(start_control(&plan.control, answers, &stop));
        Ok(Daemon { stop, signals, board, bell, server, clients, threads, ready })
    }

    fn run(mut self) {
        log::info!("{}", self.ready);
        notify("READY=1");
        self.signals.wait();
        let until = clock::tick() + SHUTDOWN;
        log::info!("stopping");
        notify("STOPPING=1");
        self.stop.stop();
        self.bell.ring();
        self.board.wake();
        // Whoever still holds on after the deadline ends with the process.
        let mut waiting: Vec<JoinHandle<()>> = self.threads;
        let (clients, server) = (self.clients, self.server);
        let farewell = spawn("farewell", SMALL_STACK, move || {
            client::farewell_all(&clients, "stop");
            if let Some(server) = server {
                server.close();
            }
        });
        match farewell {
            Ok(thread) => waiting.push(thread),
            Err(error) => log::warn!("no goodbye is said: {error}"),
        }
        while clock::tick() < until && waiting.iter().any(|thread| !thread.is_finished()) {
            std::thread::park_timeout(LOOK);
        }
    }
}

/// The signals that end the program, and SIGHUP, which does nothing yet.
struct Signals {
    /// A byte comes with every signal.
    wake: UnixStream,
    /// One of those that end it came.
    ending: Arc<AtomicBool>,
    /// The next one ends it at once.
    again: Arc<AtomicBool>,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        let (wake, bell) = UnixStream::pair()?;
        let signals = Signals { wake, ending: Arc::default(), again: Arc::default() };
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            if signal != SIGHUP {
                register_conditional_shutdown(signal, EXIT_FAILURE.into(), signals.again.clone())?;
                flag::register(signal, signals.ending.clone())?;
            }
            pipe::register(signal, bell.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Waits for the signal that ends the program.
    fn wait(&mut self) {
        loop {
            let read = self.wake.read(&mut [0]);
            if self.ending.load(Ordering::SeqCst) {
                break;
            }
            match read {
                Ok(_) => log::warn!("SIGHUP: reading the file again needs a restart"),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.again.store(true, Ordering::SeqCst);
    }
}

/// The roster as the last run left it.
fn board(plan: &Plan, loaded: &Loaded, desk: &SyncSender<Parcel>, me: &str, zone: &Zone, now: &Now) -> Arc<Board> {
    let rules = plan.server.as_ref().map_or_else(Rules::default, |server| Rules::new(server, me, zone));
    let (roster, last) = restore::roster(loaded, rules, &plan.state_dir, &plan.runtime_dir, now);
    let board = Arc::new(Board::new(State { roster, pending: Pending::after(last) }, desk.clone()));
    restore::tell_damage(&board, loaded, plan, me, now);
    board
}

/// The line that says what runs.
fn ready(plan: &Plan, me: &str, server: Option<&Server>) -> String {
    let mut text = ["ready: ", me].concat();
    let mut before = ": ";
    for port in server.iter().flat_map(|server| server.listening()) {
        text.push_str(if before == ": " { ": listening on " } else { ", " });
        before = "; ";
        match port.bound {
            Some(bound) => text.push_str(&bound.to_string()),
            None => text.push_str(&[&port.wanted.to_string(), " (not yet)"].concat()),
        }
    }
    if let Some(spot) = &plan.spot {
        text.push_str(&[before, "polling ", spot.cloud.name(), " every ", &show_span(spot.interval)].concat());
        before = "; ";
    }
    for client in &plan.clients {
        text.push_str(&[before, "beating to ", &client.uri.label()].concat());
        before = "; ";
    }
    before = "; telling ";
    for channel in &plan.channels {
        text.push_str(before);
        text.push_str(&channel.name);
        before = ", ";
    }
    text
}

type Spot = (Arc<Mutex<SpotStatus>>, JoinHandle<()>);

fn start_spot(
    plan: &Plan,
    me: &str,
    board: &Arc<Board>,
    carrier: &Arc<Carry>,
    resolver: &Arc<Resolver>,
    stop: &Stop,
    (saved, delivered): (Option<String>, bool),
) -> io::Result<Option<Spot>> {
    let Some(spot) = &plan.spot else { return Ok(None) };
    let status = Arc::new(Mutex::new(SpotStatus::new(spot.cloud)));
    let context = SpotContext {
        plan: spot.clone(),
        subject: me.to_owned(),
        told_by_us: plan.tells(),
        board: board.clone(),
        carrier: carrier.clone(),
        resolver: resolver.clone(),
        status: status.clone(),
        stop: stop.clone(),
        saved,
        delivered,
    };
    let thread = spawn("spot", HTTP_STACK, move || spot::run(context))?;
    Ok(Some((status, thread)))
}

fn start_server(plan: &ServerPlan, me: &str, board: &Arc<Board>, bell: &Bell, stop: &Stop) -> io::Result<Server> {
    let encoded = Secret::new(encode_userinfo(plan.key.reveal()));
    let server = server::start(plan, &encoded, me, board.clone(), bell.clone(), stop.clone())?;
    // The server has a lock of its own, which must not be waited for under the roster's.
    let sources: Vec<_> = board.lock().roster.hosts().sources().collect();
    for (source, hosts) in sources {
        server.known(source, hosts);
    }
    Ok(server)
}

fn start_watchdog(
    board: &Arc<Board>,
    bell: &Bell,
    stop: &Stop,
    signs: Signs,
    store: Option<SyncSender<Parcel>>,
) -> io::Result<JoinHandle<()>> {
    let (board, bell, stop) = (board.clone(), bell.clone(), stop.clone());
    spawn("watchdog", SMALL_STACK, move || {
        watchdog::run(&board, &bell, &stop, &signs, |place, bytes| {
            let Some(store) = &store else { return };
            let root = if place == Place::State { Root::State } else { Root::Runtime };
            let put = Job::Put { file: BEATS_FILE.to_owned(), bytes, keep_previous: false };
            // A store that is busy gets the next ones.
            if store.try_send(Parcel::Batch(Batch { number: 0, root, jobs: vec![put], reply: false })).is_err() {
                log::debug!("the store is busy: last-beat times are not saved");
            }
        });
    })
}

/// Everything but the commands works without the socket.
fn start_control(path: &Path, mut answers: Answers, stop: &Stop) -> Option<JoinHandle<()>> {
    let (stop, socket) = (stop.clone(), path.to_owned());
    let serve = |listener: UnixListener| {
        spawn("control", SMALL_STACK, move || {
            control::serve(&listener, &stop, &mut |word, argument| answers.answer(word, argument));
            // It may be gone with its folder.
            let _ = std::fs::remove_file(socket);
        })
    };
    match control::bind(path).and_then(serve) {
        Ok(thread) => Some(thread),
        Err(error) => {
            log::warn!("{}: {error}; commands will not reach the daemon", path.display());
            None
        }
    }
}

fn channels(plan: &Plan, resolver: &Arc<Resolver>, zone: &Zone, stop: &Stop) -> Vec<Channel> {
    let deliver = |plan: &ChannelPlan| -> Deliver {
        let fetch = channel::fetch(plan, resolver.clone());
        let (plan, zone, stop) = (plan.clone(), zone.clone(), stop.clone());
        let mut state = ChannelState::default();
        Box::new(move |message| {
            let tools = Tools { fetch: &fetch, zone: &zone, stop: &stop };
            channel::attempt(&plan, message, &tools, &mut state)
        })
    };
    plan.channels.iter().map(|plan| Channel { plan: plan.clone(), deliver: deliver(plan) }).collect()
}

fn chance() -> io::Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u32::from_be_bytes(bytes))
}

fn notify(state: &str) {
    if let Err(error) = notify::notify(state) {
        log::warn!("NOTIFY_SOCKET: {error}");
    }
}
