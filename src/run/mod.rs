//! What holds the program together: builds everything, says when it is ready, and ends it.

pub mod answers;
pub mod board;
pub mod identity;
pub mod ledger;
pub mod load;
pub mod logger;
pub mod notify;
pub mod parts;
pub mod quiet;
pub mod reload;
pub mod restore;
pub mod send;
pub mod starts;
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
use crate::alert::pending::Pending;
use crate::alert::standing::DeskStatus;
use crate::alert::{desk, history};
use crate::callback::dispatch::Callbacks;
use crate::callback::{privilege, reaper, state as callback};
use crate::cli::{EXIT_CONFIG, EXIT_DENIED, EXIT_FAILURE, fail};
use crate::clock::{self, Now};
use crate::config::plan::Plan;
use crate::config::units::show_span;
use crate::config::{Env, Source};
use crate::control;
use crate::keepalive::carry::Carry;
use crate::keepalive::client::{self, Client, Me};
use crate::keepalive::monitors::{self, Monitors};
use crate::keepalive::rules::Rules;
use crate::keepalive::silences;
use crate::keepalive::watchdog::Signs;
use crate::resolve::Resolver;
use crate::run::answers::Answers;
use crate::run::board::{Board, State};
use crate::run::identity::identity;
use crate::run::load::{Loaded, load};
use crate::run::notify::notify;
use crate::run::parts::{Base, Parts};
use crate::run::reload::Reloader;
use crate::run::starts::Starts;
use crate::run::store::Folders;
use crate::run::threads::{SMALL_STACK, Stop, spawn};
use crate::spot;
use crate::zone::Zone;

/// Messages to the desk that may wait.
const DESK_QUEUE: usize = 256;
/// Bytes of signals that are read at once: a storm of them is one.
const SIGNALS: usize = 64;
/// From SIGTERM to the end; procd kills after 5 s.
const SHUTDOWN: Duration = Duration::from_millis(3900);
/// How long `leave` without a daemon waits for its first beats.
const FIRST_BEATS: Duration = Duration::from_secs(15);
/// How often the end of a thread is looked for during the shutdown.
const LOOK: Duration = Duration::from_millis(5);
/// The small states.
const SMALL_STATES: [&str; 12] = [
    callback::STATE_NAME,
    spot::STATE_NAME,
    starts::STATE_NAME,
    silences::STATE_NAME,
    reload::STATE_NAME,
    monitors::STATE_NAME,
    history::STATE_NAME,
    crate::keepalive::pushed::STATE_NAME,
    parts::PROBES_STATE,
    parts::RESOURCES_STATE,
    parts::DAYS_STATE,
    parts::AGENTS_STATE,
];

/// Has SIGHUP set a flag, which [`daemon`] looks at once it can read the configuration again: until then the signal would
/// end the program.
pub fn hear_early() -> Arc<AtomicBool> {
    let asked = Arc::default();
    if let Err(error) = flag::register(SIGHUP, Arc::clone(&asked)) {
        fail(EXIT_FAILURE, &["SIGHUP: ", &error.to_string()]);
    }
    asked
}

/// Runs the daemon until a signal ends it. `source` is what `plan` came from; it is read again at a reload, and at once
/// if one was `asked` for meanwhile.
pub fn daemon(plan: Plan, source: Source, env: Env, asked: &AtomicBool) -> ExitCode {
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    logger::start(&plan.log, zone.clone());
    abort_on_panic();
    for warning in &plan.warnings {
        log::warn!("{warning}");
    }
    if let Err(why) = privilege::check(&plan) {
        log::error!("{why}");
        return EXIT_DENIED.into();
    }
    match Daemon::start(plan, source, env, zone) {
        Ok(daemon) => {
            daemon.run(asked);
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
    let me = Me::new(&identity(&plan.name)).map(Arc::new);
    let start = |me: Arc<Me>| client::start_all(&plan.clients, &me, &Arc::default(), &resolver, &stop);
    let clients = match me.and_then(start) {
        Ok(clients) => clients,
        Err(error) => return (false, format!("{error}\n")),
    };
    // A goodbye counts only from the run that beat last.
    let until = clock::tick() + FIRST_BEATS;
    let heard = |client: &Arc<Client>| client.status().last.is_some() || client.status().failures > 0;
    while clock::tick() < until && !clients.iter().all(heard) {
        std::thread::park_timeout(LOOK);
    }
    answers::goodbyes(&clients, "leave")
}

struct Daemon {
    stop: Stop,
    signals: Signals,
    board: Arc<Board>,
    reloader: Arc<Reloader>,
    threads: Vec<JoinHandle<()>>,
    /// Where the commands come in.
    control: Option<UnixListener>,
    ready: String,
}

impl Daemon {
    fn start(plan: Plan, source: Source, env: Env, zone: Zone) -> io::Result<Daemon> {
        let signals = Signals::new()?;
        let folder = plan.state_dir.display().to_string();
        let now = clock::now();
        let (folders, unwritable, loaded) = open(&plan, &folder)?;
        let (to_desk, inbox) = sync_channel(DESK_QUEUE);
        let board = board(&plan, &loaded, &to_desk, &zone, &now);
        let stop = Stop::default();
        let (to_store, store) = store::start(folders, to_desk.clone())?;
        let resolver = Arc::new(Resolver::default());
        let carry = Arc::new(Carry::default());
        let desk_status = Arc::new(Mutex::new(DeskStatus::default()));
        // Before the desk, so that nothing is told that they do not hear of.
        let callbacks = Callbacks::new(board.clone(), to_desk.clone(), resolver.clone(), stop.clone());
        let callbacks = start_callbacks(callbacks, &plan, &loaded, &zone, &now)?;
        reaper::start(&stop)?;
        let (notices, delivered) = restore::spot(&loaded, &now);
        let history = Arc::new(Mutex::new(restore::history(&loaded)));
        #[cfg(feature = "status")]
        let site = restore::site(&loaded, &zone);
        let run = me(&plan, &loaded, &board)?;
        let rejected = loaded.json(reload::STATE_NAME);
        let taken = carry.clone();
        let desk = desk::start(desk::Parts {
            board: board.clone(),
            inbox,
            desk: to_desk.clone(),
            store: to_store.clone(),
            channels: parts::channels(&plan.channels, &resolver, &zone, &stop),
            history: history.clone(),
            #[cfg(feature = "status")]
            days: site.days.clone(),
            restored: loaded.outbox,
            standings: loaded.channels,
            folder: folder.clone(),
            unwritable,
            stop: stop.clone(),
            status: desk_status.clone(),
            delivered: Box::new(move |id| taken.delivered(id)),
            callbacks: Some(callbacks.clone()),
            chance: chance()?,
        })?;
        let ask = to_desk.clone();
        let base = Base {
            stop: stop.clone(),
            board: board.clone(),
            carry,
            callbacks: callbacks.clone(),
            resolver,
            desk: to_desk,
            store: Some(to_store),
            notices: Arc::new(Mutex::new(notices)),
            delivered,
            seat: Arc::default(),
            signs: Signs { turns: Arc::default(), every: notify::watchdog_every() },
            #[cfg(feature = "status")]
            site: site.clone(),
        };
        let control = plan.control.clone();
        let mut parts = Parts::new(base, run);
        #[cfg(feature = "jobs")]
        parts.left(loaded.journals, loaded.book);
        parts.remember(&loaded.small);
        parts.apply(plan, zone, &mut String::new())?;
        let ready = ready(&parts);
        let reloader = Arc::new(Reloader::new(source, env, stop.clone(), board.clone(), parts, rejected.as_ref()));
        let answers = || Answers {
            started: now.tick,
            reloader: reloader.clone(),
            board: board.clone(),
            desk: desk_status.clone(),
            to_desk: ask.clone(),
            callbacks: callbacks.clone(),
            history: history.clone(),
            folder: folder.clone(),
            simulated: None,
        };
        #[cfg(feature = "status")]
        site.open(answers());
        let (control, thread) = start_control(&control, answers(), &stop).unzip();
        let threads = [Some(store), Some(desk), thread].into_iter().flatten().collect();
        Ok(Daemon { stop, signals, board, reloader, threads, control, ready })
    }

    fn run(mut self, asked: &AtomicBool) {
        log::info!("{}", self.ready);
        notify("READY=1");
        if asked.load(Ordering::SeqCst) {
            self.reloader.signal();
        }
        self.signals.wait(&self.reloader);
        let until = clock::tick() + SHUTDOWN;
        log::info!("stopping");
        self.stop.stop();
        if let Some(control) = &self.control {
            control::close(control);
        }
        let mut waiting = self.threads;
        let (clients, server) = {
            let mut parts = self.reloader.parts();
            // Under this lock: the end of a reload is not said after it.
            notify("STOPPING=1");
            let running = (parts.clients(), parts.server().cloned());
            waiting.append(&mut parts.close());
            running
        };
        self.board.wake();
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
        // Whoever still holds on after the deadline ends with the process.
        while clock::tick() < until && waiting.iter().any(|thread| !thread.is_finished()) {
            std::thread::park_timeout(LOOK);
        }
    }
}

/// The signals that end the program, and SIGHUP, which has the configuration read again.
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
    fn wait(&mut self, reloader: &Arc<Reloader>) {
        loop {
            let read = self.wake.read(&mut [0; SIGNALS]);
            if self.ending.load(Ordering::SeqCst) {
                break;
            }
            match read {
                Ok(_) => reloader.signal(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.again.store(true, Ordering::SeqCst);
    }
}

/// The state directory with what the last run left there, and why it cannot be written to, if it cannot.
fn open(plan: &Plan, folder: &str) -> io::Result<(Folders, Option<String>, Loaded)> {
    let opened = state::open(&plan.state_dir, &plan.runtime_dir)
        .map_err(|error| io::Error::other(format!("{folder}: {error}")))?;
    if opened.in_memory && opened.unwritable.is_none() {
        log::warn!("{folder}: in memory, alerts and roster do not survive a reboot");
    }
    let loaded = load(&plan.state_dir, &SMALL_STATES, restore::is_shard);
    let folders = Folders { state: plan.state_dir.clone(), runtime: plan.runtime_dir.clone(), lock: opened.lock };
    Ok((folders, opened.unwritable, loaded))
}

/// This host, as its beats show it.
fn me(plan: &Plan, loaded: &Loaded, board: &Arc<Board>) -> io::Result<Me> {
    let told = loaded.small(monitors::STATE_NAME).map(|small| &*small.json);
    Ok(Me::new(&identity(&plan.name))?.with(&plan.state_dir, Monitors::new(board, told)))
}

/// The roster as the last run left it, with what is to be told of the end of that run.
fn board(plan: &Plan, loaded: &Loaded, desk: &SyncSender<Parcel>, zone: &Zone, now: &Now) -> Arc<Board> {
    let me = identity(&plan.name);
    let rules = plan.server.as_ref().map_or_else(Rules::default, |server| Rules::new(server, &me, zone));
    let (roster, last) = restore::roster(loaded, rules, &plan.state_dir, &plan.runtime_dir, now);
    let board = Arc::new(Board::new(State { roster, pending: Pending::after(last) }, desk.clone()));
    let starts = loaded.json(starts::STATE_NAME).and_then(|saved| Starts::read(&saved)).unwrap_or_default();
    let (event, after) = starts.began(&me, now);
    if !board.post(event, after) {
        log::error!("no room to remember this start");
    }
    restore::tell_damage(&board, loaded, plan, &me, now);
    board
}

/// The callbacks, which go on where the last run ended.
fn start_callbacks(
    callbacks: Callbacks,
    plan: &Plan,
    loaded: &Loaded,
    zone: &Zone,
    now: &Now,
) -> io::Result<Arc<Callbacks>> {
    let (callbacks, me) = (Arc::new(callbacks), identity(&plan.name));
    callbacks.restore(loaded.small(callback::STATE_NAME), &me, &plan.callbacks);
    callbacks.apply(&plan.callbacks, &me, zone)?;
    for (seq, event) in restore::fresh(loaded, now) {
        callbacks.hear(&event, Some(seq));
    }
    Ok(callbacks)
}

/// The line that says what runs.
fn ready(parts: &Parts) -> String {
    let mut text = ["ready: ", &parts.me].concat();
    let Some(plan) = parts.plan() else { return text };
    let mut before = ": ";
    for port in parts.server().iter().flat_map(|server| server.listening()) {
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
    #[cfg(feature = "status")]
    for port in parts.web() {
        text.push_str(&[before, "HTTP at ", &port.bound.unwrap_or(port.wanted).to_string()].concat());
        text.push_str(if port.bound.is_none() { " (not yet)" } else { "" });
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

/// Everything but the commands works without the socket.
fn start_control(path: &Path, mut answers: Answers, stop: &Stop) -> Option<(UnixListener, JoinHandle<()>)> {
    let (stop, socket) = (stop.clone(), path.to_owned());
    let serve = |listener: UnixListener| {
        let ours = listener.try_clone()?;
        let thread = spawn("control", SMALL_STACK, move || {
            control::serve(&listener, &stop, &mut |word, argument| answers.answer(word, argument));
            // It may be gone with its folder.
            let _ = std::fs::remove_file(socket);
        })?;
        Ok((ours, thread))
    };
    match control::bind(path).and_then(serve) {
        Ok(started) => Some(started),
        Err(error) => {
            log::warn!("{}: {error}; commands will not reach the daemon", path.display());
            None
        }
    }
}

fn chance() -> io::Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u32::from_be_bytes(bytes))
}
