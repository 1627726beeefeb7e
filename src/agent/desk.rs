//! The agent at work: the thread that starts and ends runs, and the threads of the runs themselves.

use std::io;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use crate::agent::allow::Start;
use crate::agent::hands::{Begin, Hands, Work};
use crate::agent::{AgentPlan, call, guard};
use crate::alert::Parcel;
use crate::alert::clean::clean;
use crate::callback::exec::{self, Apart, Leash, Limits, Program};
use crate::callback::result::said;
use crate::clock::{self, Tick, millis, tick};
use crate::event::Id;
use crate::keepalive::carry::Carry;
use crate::keepalive::work::{Agent, Done, End, Key, LATER, Offer, Orders, Says};
use crate::resolve::Resolver;
use crate::run::store::{Job, Written, hand};
use crate::run::threads::{Bell, HTTP_STACK, SMALL_STACK, Stop, lock, spawn};

/// The journal's file, below the state directory.
pub const JOURNAL: &str = "agent.json";
/// The same for jobs of a queue.
pub const QUEUE_JOURNAL: &str = "agent-queue.json";
/// How long the journal may take to be on disk before something is started.
const WRITE_WAIT: Duration = Duration::from_secs(1);
/// From one try to the next while the disk fails.
const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// How long what is to be started waits for a disk that does not answer; one that sleeps takes some seconds to wake.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client that has said nothing for so long does not speak for the agent any more: longer than any of its beats takes.
const TURN: Duration = Duration::from_secs(20);
/// For what is killed at the end of the program, and the last writing of the journal.
const LAST_WORDS: Duration = Duration::from_millis(3000);
/// From one look to the next meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// The longest wait while nothing happens.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of the beginning and of the end of the output that are kept.
const KEEP: usize = 6 * 1024;
/// Bytes of the end of the output that the log has of a run that did not do its work.
const LAST: usize = 240;
/// Between the two.
const GAP: &str = "\n[…]\n";
/// Why a run that may move is not begun.
const NO_GUARD: &str = "its guard could not begin it";
/// Nobody else runs the jobs of a queue.
const NO_LEASE: Duration = Duration::from_secs(86_400);
/// The environment of a run, besides what says which it is.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an agent works with.
pub struct Parts {
    /// Has beats sent at once when there is news.
    pub carry: Arc<Carry>,
    /// Names.
    pub resolver: Arc<Resolver>,
    /// The end of the program.
    pub stop: Stop,
}

/// A running agent.
pub struct Desk(Arc<Shared>);

struct Shared {
    parts: Parts,
    hands: Mutex<Hands>,
    /// The server whose jobs it takes.
    server: Mutex<Option<String>>,
    /// What runs, with what ends it.
    running: Mutex<Vec<(Key, Leash)>>,
    bell: Bell,
    /// The client whose beat speaks for this agent now, and since when: beats of two clients of one server could
    /// overtake each other.
    turn: Mutex<Option<(ThreadId, Tick)>>,
}

/// The thread's own view of the disk.
struct Disk {
    store: SyncSender<Parcel>,
    /// What it has been handed and not answered for.
    pending: Option<(u64, Written)>,
    /// The journal's file.
    file: &'static str,
    /// It failed: not before this time again.
    again: Option<Tick>,
    /// Since when it has not answered.
    slow: Option<Tick>,
}

/// Starts the agent of `plan`; `journal` is what its last run left in that file.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    plan: &AgentPlan,
    (file, journal): (&'static str, Option<&[u8]>),
    store: SyncSender<Parcel>,
    parts: Parts,
) -> io::Result<(Arc<Desk>, JoinHandle<()>)> {
    let (hands, good) = Hands::new(plan.allow.clone(), plan.most, journal);
    if !good {
        log::warn!("{file} is damaged: what this agent ran before is not known any more");
    }
    for (key, words) in hands.cut_off() {
        log::warn!("job {}: {words}", key.id);
    }
    let shared = Arc::new(Shared {
        parts,
        hands: Mutex::new(hands),
        server: Mutex::new(plan.server.clone()),
        running: Mutex::default(),
        bell: Bell::default(),
        turn: Mutex::default(),
    });
    let (inside, disk) = (Arc::clone(&shared), Disk { store, pending: None, file, again: None, slow: None });
    let thread = spawn("agent", SMALL_STACK, move || inside.work(disk))?;
    Ok((Arc::new(Desk(shared)), thread))
}

impl Disk {
    /// Whether others had better do what is to be started.
    fn fails(&self) -> bool {
        self.again.is_some() || self.slow.is_some_and(|since| tick().since(since) >= PATIENCE)
    }
}

impl Desk {
    /// The configuration has changed. What runs goes on; without a plan nothing is taken any more, and what must not
    /// outlive its lease ends.
    pub fn reload(&self, plan: Option<&AgentPlan>) {
        let (allow, most) = plan.map_or_else(Default::default, |plan| (plan.allow.clone(), plan.most));
        let server = plan.and_then(|plan| plan.server.clone());
        let mut known = lock(&self.0.server);
        let mut hands = lock(&self.0.hands);
        hands.allow(allow, most);
        if *known != server {
            // Nobody prolongs the lease of the old one, which is no lease of the new one.
            hands.end_fenced();
        }
        drop(hands);
        *known = server;
        drop(known);
        self.0.bell.ring();
        self.0.parts.carry.ring();
    }

    /// Wakes it at the end of the program.
    pub fn wake(&self) {
        self.0.bell.ring();
    }

    /// Takes a job of a queue, which grants no lease.
    pub fn take(&self, offer: &Offer) {
        let orders = Orders { offers: vec![offer.clone()], ..Orders::default() };
        lock(&self.0.hands).ordered(&orders, tick(), NO_LEASE, &clock::now());
        self.0.say_refused();
        self.0.bell.ring();
    }

    /// The queue has the result.
    pub fn ack(&self, id: Id) {
        let orders = Orders { acks: vec![id], ..Orders::default() };
        lock(&self.0.hands).ordered(&orders, tick(), NO_LEASE, &clock::now());
        self.0.bell.ring();
    }

    /// A result that is due to be told, with the name of its job.
    pub fn due(&self) -> Option<(String, Done)> {
        let mut hands = lock(&self.0.hands);
        let done = hands.result(&clock::now())?;
        Some((hands.job(done.key)?, done))
    }

    /// What has not ended, with the names of the jobs, and whether there is room for more.
    pub fn active(&self) -> (Vec<(Key, String)>, bool) {
        lock(&self.0.hands).active()
    }

    /// What runs, for `status`: how many.
    pub fn running(&self) -> usize {
        lock(&self.0.running).len()
    }
}

impl Agent for Desk {
    fn says(&self, server: &str) -> Option<Says> {
        (self.0.serves(server) && self.0.takes_turn()).then(|| lock(&self.0.hands).says())
    }

    fn result(&self, server: &str) -> Option<Done> {
        self.0.serves(server).then(|| lock(&self.0.hands).result(&clock::now())).flatten()
    }

    fn ordered(&self, server: &str, orders: &Orders, sent: Tick, lease: Duration) {
        if self.0.serves(server) && self.0.takes_turn() {
            let (lease, fenced) = {
                // A reload to another server comes before or after this, not in between.
                let known = lock(&self.0.server);
                if known.as_deref() != Some(server) {
                    return;
                }
                let mut hands = lock(&self.0.hands);
                hands.ordered(orders, sent, lease, &clock::now());
                hands.lease()
            };
            self.0.say_refused();
            for (_, leash) in lock(&self.0.running).iter().filter(|(key, _)| fenced.contains(key)) {
                leash.lease(lease);
            }
            self.0.bell.ring();
        }
    }

    fn leaves(&self) {
        let me = std::thread::current().id();
        let mut turn = lock(&self.0.turn);
        if turn.is_some_and(|(speaker, _)| speaker == me) {
            *turn = None;
        }
    }
}

impl Shared {
    /// What is refused is never begun, and has no other line.
    fn say_refused(&self) {
        for (key, words) in lock(&self.hands).refused() {
            log::info!("job {} is not begun: {words}", key.id);
        }
    }

    fn serves(&self, server: &str) -> bool {
        !self.parts.stop.is_stopped() && lock(&self.server).as_deref() == Some(server)
    }

    /// Whether the client of this thread speaks for the agent; another one does once that has been silent.
    fn takes_turn(&self) -> bool {
        let (me, now) = (std::thread::current().id(), tick());
        let mut turn = lock(&self.turn);
        if turn.is_some_and(|(other, last)| other != me && now.since(last) < TURN) {
            return false;
        }
        *turn = Some((me, now));
        true
    }

    fn work(self: &Arc<Self>, mut disk: Disk) {
        let mut failing = false;
        while !self.parts.stop.is_stopped() {
            let to_end = lock(&self.hands).to_end(&clock::now());
            for key in to_end {
                self.end(key);
            }
            let written = self.write(&mut disk);
            if !written && !failing {
                log::warn!("{} cannot be written: no job is started until it can", disk.file);
            } else if written && failing {
                log::info!("{} can be written again", disk.file);
            }
            failing = !written;
            if failing && lock(&self.hands).unwritten(disk.fails()) {
                self.parts.carry.ring();
            }
            loop {
                let begin = lock(&self.hands).begin(&clock::now());
                let Some(begin) = begin else { break };
                self.begin(begin);
            }
            self.say_refused();
            let wait = if failing { Some(WRITE_WAIT) } else { lock(&self.hands).look_again() };
            self.bell.wait(wait.unwrap_or(IDLE));
        }
        self.stop(&mut disk);
    }

    /// The program ends: what must not outlive it is being killed, and that is noted.
    fn stop(&self, disk: &mut Disk) {
        let until = tick() + LAST_WORDS;
        let (_, fenced) = lock(&self.hands).lease();
        while tick() < until && lock(&self.running).iter().any(|(key, _)| fenced.contains(key)) {
            self.bell.wait(LOOK);
        }
        disk.again = None;
        while tick() < until && lock(&self.hands).journal().is_some() {
            if !self.write(disk) {
                disk.again = None;
                self.bell.wait(LOOK);
            }
        }
    }

    /// Has the journal written, if it has changed; whether it is on disk. A disk that is slow is not asked again before
    /// it has answered, one that fails not before [`WRITE_AGAIN`].
    fn write(&self, disk: &mut Disk) -> bool {
        if disk.again.is_some_and(|again| tick() < again) {
            return false;
        }
        if disk.pending.is_none() {
            let Some((number, bytes)) = lock(&self.hands).journal() else { return true };
            let put = Job::Put { file: disk.file.to_owned(), bytes, keep_previous: false };
            disk.pending = hand(&disk.store, vec![put]).map(|written| (number, written));
        }
        let Some((number, written)) = &disk.pending else { return false };
        disk.slow.get_or_insert_with(tick);
        let Some(ok) = written.wait(WRITE_WAIT) else { return false };
        disk.slow = None;
        if ok {
            lock(&self.hands).saved(*number);
            self.parts.carry.ring();
        }
        disk.again = if ok { None } else { Some(tick() + WRITE_AGAIN) };
        disk.pending = None;
        ok
    }

    fn end(&self, key: Key) {
        for (_, leash) in lock(&self.running).iter().filter(|(running, _)| *running == key) {
            leash.shorten(tick());
        }
    }

    fn begin(self: &Arc<Self>, begin: Begin) {
        let (key, name, leash) = (begin.key, begin.name.clone(), Leash::default());
        if begin.fenced {
            leash.lease(lock(&self.hands).lease().0);
        }
        lock(&self.running).push((key, leash.clone()));
        log::info!("job {} ({name}, attempt {}) begins", key.id, key.attempt);
        let shared = Arc::clone(self);
        if let Err(error) = spawn("run", HTTP_STACK, move || shared.carry_out(&begin, &leash)) {
            let why = ["no thread for it: ", &error.to_string()].concat();
            self.ended(&name, Done { code: Some(LATER), ..refused(key, &why) });
        }
    }

    /// A run's own thread.
    fn carry_out(&self, begin: &Begin, leash: &Leash) {
        for (message, start) in &begin.prepare {
            let Some(done) = self.run(begin, start, leash) else { return self.left(begin.key) };
            if done.end != End::Succeeded {
                // Only what could not be begun may go better later.
                let later = done.code.filter(|_| done.end == End::Refused);
                let exited = done.code.filter(|_| later.is_none());
                let code = exited.map_or_else(|| done.why.clone(), |code| ["exit code ", &code.to_string()].concat());
                let why = ["prepare ", &crate::config::problem::quoted(message), ": ", &code].concat();
                self.ended(&begin.name, Done { end: End::Refused, code: later, why, ..done });
                return;
            }
        }
        lock(&self.hands).prepared(begin.key);
        let done = match &begin.work {
            Work::Run(start) => self.run(begin, start, leash),
            Work::Call(url, timeout) => {
                let Parts { resolver, stop, .. } = &self.parts;
                Some(call::call(begin.key, url, *timeout, leash, resolver, stop))
            }
        };
        match done {
            Some(done) => self.ended(&begin.name, done),
            None => self.left(begin.key),
        }
    }

    /// A run goes on without this program, which ends.
    fn left(&self, key: Key) {
        lock(&self.running).retain(|(running, _)| *running != key);
        log::info!("job {} goes on without the agent", key.id);
    }

    /// Runs a program; `None` if it goes on without this program, which ends.
    fn run(&self, begin: &Begin, start: &Start, leash: &Leash) -> Option<Done> {
        let began = tick();
        let guarded = begin.fenced.then(|| guard::argv(&start.argv));
        let envs = [("PATH", PATH.to_owned()), ("IC_RUN", begin.key.id.to_string())];
        let program = Program {
            argv: guarded.as_deref().unwrap_or(&start.argv),
            envs: &envs.map(|(name, value)| (name.to_owned(), value)),
            apart: Some(Apart {
                dir: start.dir.as_deref().unwrap_or(Path::new("/")),
                user: None,
                outlives: !begin.fenced,
            }),
        };
        let limits = Limits { time: start.timeout, keep: KEEP };
        let ran = exec::run_on(&program, b"", &limits, leash, &self.parts.stop);
        let (end, code, why) = match ran.end {
            exec::End::Exit(0) => (End::Succeeded, Some(0), String::new()),
            exec::End::Exit(code) => (End::Failed, Some(code), String::new()),
            exec::End::Signal(signal) if begin.fenced && guard::has_not_begun(signal) => {
                (End::Refused, Some(LATER), NO_GUARD.to_owned())
            }
            exec::End::Signal(signal) => (End::Failed, None, ["signal ", &signal.to_string()].concat()),
            exec::End::TimedOut => (End::TimedOut, None, "not done in time, killed".to_owned()),
            exec::End::Stopped if !begin.fenced => return None,
            exec::End::Stopped => (End::Fenced, None, "the agent was ended".to_owned()),
            exec::End::Failed(error) if exec::is_passing(&error) => (End::Refused, Some(LATER), error.to_string()),
            exec::End::Failed(error) => (End::Failed, None, [&start.argv[0], ": ", &error.to_string()].concat()),
        };
        let (head, tail) = (lines(&ran.head), lines(&ran.tail));
        let out = if ran.dropped > 0 { [&*head, GAP, &tail].concat() } else { head + &tail };
        Some(Done { key: begin.key, end, code, took: millis(tick().since(began)), out, why })
    }

    fn ended(&self, name: &str, done: Done) {
        lock(&self.running).retain(|(key, _)| *key != done.key);
        let (key, took, said) = (done.key, done.took, last_words(&done.out));
        let (end, words) = lock(&self.hands).ended(done);
        let level = match end {
            End::Succeeded | End::Cancelled | End::Fenced => log::Level::Info,
            End::Failed | End::TimedOut | End::Refused | End::Unknown => log::Level::Warn,
        };
        let said = if end == End::Succeeded || said.is_empty() { String::new() } else { [": ", &said].concat() };
        log::log!(level, "job {} ({name}) ended after {took} ms: {words}{said}", key.id);
        self.bell.ring();
    }
}

/// The end of what a run said, in one line.
fn last_words(out: &str) -> String {
    let text = out.trim_end();
    let mut from = text.len().saturating_sub(LAST);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    clean(&text[from..], 2 * LAST)
}

/// What a program said: its lines, each without control characters.
pub fn lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.split('\n').map(|line| said(line.as_bytes(), b"", 0, &[]).0).collect();
    lines.join("\n")
}

fn refused(key: Key, why: &str) -> Done {
    Done { key, end: End::Refused, code: None, took: 0, out: String::new(), why: why.to_owned() }
}
