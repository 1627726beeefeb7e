//! The thread that keeps the book of agents: it steps it, has it written, and passes on what is to be told.
//!
//! A request that changes the book waits until the change is on disk, at most [`SETTLE`]. What a request was told is done
//! (201, 204, a job in a 200) therefore survives the end of this program a moment later; if the disk does not take it,
//! the request is refused with 503 and nothing is done. The state is not carried by events, as smaller ones are: it may be
//! large, and an outbox full of copies would push out alerts. What is told is told once all the same, since it has the same
//! id when it is told again.

use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::pending::After;
use crate::clock::{self, Tick, tick};
use crate::http::WebAgent;
use crate::http::agents::book::{Book, News};
use crate::http::agents::told;
use crate::run::board::Board;
use crate::run::load::{Small, small_name};
use crate::run::parts::AGENTS_STATE;
use crate::run::store::{Job, Written, hand};
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};

/// How long a request waits until its change is on disk. These agents wait 3 s for an answer.
pub const SETTLE: Duration = Duration::from_millis(1200);
/// How long the disk may take before the thread goes on without it.
const WRITE_WAIT: Duration = Duration::from_secs(1);
/// From one try to the next while the disk fails, and from one write of what can wait to the next.
const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// From one write to the next while nothing changes but when the agents were last heard.
const HEARD_EVERY: Duration = Duration::from_secs(600);
/// From one look to the next while something is to be told that the board has no room for.
const TELL_AGAIN: Duration = Duration::from_secs(1);
/// Events that are handed on at once.
const MAX_NEWS: usize = 64;

/// The running book.
pub struct Desk(Arc<Shared>);

struct Shared {
    board: Arc<Board>,
    stop: Stop,
    book: Mutex<Book>,
    bell: Bell,
    disk: (Mutex<Progress>, Condvar),
}

/// How much of the book is on disk, and how much of it failed to get there; see [`Book::changes`].
#[derive(Clone, Copy, Default)]
struct Progress {
    saved: u64,
    failed: u64,
}

/// The thread's own view of the disk.
struct Disk {
    store: SyncSender<Parcel>,
    /// What it has been handed and not answered for.
    pending: Option<(u64, Written)>,
    /// Not before this time again, because it failed.
    again: Option<Tick>,
    /// The last write.
    last: Option<Tick>,
    /// It was said that it fails.
    failing: bool,
}

/// Starts the thread; `left` is what the last run left.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    agents: &[WebAgent],
    left: Option<&Small>,
    board: Arc<Board>,
    store: SyncSender<Parcel>,
    stop: Stop,
) -> io::Result<(Arc<Desk>, JoinHandle<()>)> {
    let now = clock::now();
    let value = left.and_then(|small| crate::json::read(small.json.as_bytes())).unwrap_or_default();
    let mut book = Book::restore(&value, &now);
    book.define(agents, &now);
    let shared =
        Arc::new(Shared { board, stop, book: Mutex::new(book), bell: Bell::default(), disk: Default::default() });
    let inside = Arc::clone(&shared);
    let disk = Disk { store, pending: None, again: None, last: None, failing: false };
    let thread = spawn("webagents", SMALL_STACK, move || inside.work(disk))?;
    Ok((Arc::new(Desk(shared)), thread))
}

impl Desk {
    /// The configuration has changed.
    pub fn reload(&self, agents: &[WebAgent]) {
        lock(&self.0.book).define(agents, &clock::now());
        self.0.bell.ring();
    }

    /// Wakes the thread, which sees the end of the program.
    pub fn wake(&self) {
        self.0.bell.ring();
    }

    /// Works with the book, and has the thread see what came of it if that is to be written.
    pub fn with<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        let mut book = lock(&self.0.book);
        let before = book.changes();
        let result = work(&mut book);
        let changed = book.changes() != before;
        drop(book);
        if changed {
            self.0.bell.ring();
        }
        result
    }

    /// Waits until what has changed so far is on disk; `false` if that fails, or takes too long.
    pub fn settle(&self) -> bool {
        let (wanted, _) = lock(&self.0.book).changes();
        let (progress, changed) = &self.0.disk;
        let waiting = |progress: &mut Progress| progress.saved < wanted && progress.failed < wanted;
        let (progress, _) =
            changed.wait_timeout_while(lock(progress), SETTLE, waiting).unwrap_or_else(PoisonError::into_inner);
        progress.saved >= wanted
    }
}

impl Shared {
    fn work(&self, mut disk: Disk) {
        while !self.stop.is_stopped() {
            let (next, news) = {
                let mut book = lock(&self.book);
                (book.step(&clock::now()), book.news(MAX_NEWS))
            };
            // What has ended is told once that is on disk: else it could be told as lost after a crash.
            self.write(&mut disk, false);
            let all_told = self.tell(news);
            let mut wait = next.since(tick());
            if !all_told {
                wait = wait.min(TELL_AGAIN);
            }
            let (changes, lazy) = lock(&self.book).changes();
            if lazy || disk.pending.is_some() || changes > lock(&self.disk.0).saved {
                wait = wait.min(WRITE_AGAIN);
            }
            self.bell.wait(wait);
        }
        self.write(&mut disk, true);
    }

    /// Has the book written, as far as it has changed. A disk that is slow is not asked again before it has answered, one
    /// that fails not before [`WRITE_AGAIN`], unless it is the `last` time.
    fn write(&self, disk: &mut Disk, last: bool) {
        if let Some((number, written)) = disk.pending.take() {
            match written.wait(WRITE_WAIT) {
                Some(ok) => self.noted(disk, number, ok),
                None => disk.pending = Some((number, written)),
            }
        }
        if disk.pending.is_some() {
            return;
        }
        let (changes, lazy) = lock(&self.book).changes();
        let urgent = changes > lock(&self.disk.0).saved;
        let rested = |pause| disk.last.is_none_or(|last| tick() >= last + pause);
        let heard = lock(&self.book).is_watching() && rested(HEARD_EVERY);
        if !(urgent || heard || last || lazy && rested(WRITE_AGAIN)) {
            return;
        }
        if disk.again.is_some_and(|again| tick() < again) && !last {
            return self.noted(disk, changes, false);
        }
        let (number, json) = {
            let mut book = lock(&self.book);
            (book.changes().0, book.write())
        };
        disk.last = Some(tick());
        let bytes = Small { seq: 0, json }.to_json();
        let put = Job::Put { file: small_name(AGENTS_STATE), bytes, keep_previous: true };
        match hand(&disk.store, vec![put]) {
            None => self.noted(disk, number, false),
            Some(written) => match written.wait(WRITE_WAIT) {
                Some(ok) => self.noted(disk, number, ok),
                None => disk.pending = Some((number, written)),
            },
        }
    }

    fn noted(&self, disk: &mut Disk, number: u64, ok: bool) {
        if ok {
            disk.again = None;
        } else {
            disk.again = Some(disk.again.filter(|again| *again > tick()).unwrap_or(tick() + WRITE_AGAIN));
            lock(&self.book).unsaved();
        }
        if !ok && !disk.failing {
            log::warn!("web agents: jobs cannot be saved; none is taken or handed out until they can");
        }
        disk.failing = !ok;
        let (progress, changed) = &self.disk;
        let mut progress = lock(progress);
        let reached = if ok { &mut progress.saved } else { &mut progress.failed };
        *reached = (*reached).max(number);
        changed.notify_all();
    }

    /// Hands on what there is to tell; `false` if some of it must wait.
    fn tell(&self, news: Vec<News>) -> bool {
        let now = clock::now();
        let all = news.len() < MAX_NEWS;
        for news in news {
            if let Some(event) = told::event(&news, &now)
                && !self.board.post(Some(event), After::Nothing)
            {
                return false;
            }
            log::info!("{}", told::said(&news));
            lock(&self.book).told(&news);
        }
        all
    }
}
