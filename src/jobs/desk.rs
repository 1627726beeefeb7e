//! The thread of jobs: it steps the book, has it written, and passes on what is to be told and called.

mod disk;
mod told;

use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::pending::After;
use crate::clock::{self, Tick, millis, tick};
use crate::event::Id;
use crate::jobs::book::{Book, MAX_CALLS};
use crate::jobs::call;
use crate::jobs::desk::disk::Trouble;
use crate::jobs::desk::told::{event, said};
pub use crate::jobs::desk::told::{kind, name_of, short, subject};
use crate::jobs::run::Run;
use crate::jobs::{HostView, JobPlan, New};
use crate::keepalive::host::Standing;
use crate::keepalive::work::{Beat, Done, End, Giver, Key, Orders, Says};
use crate::resolve::Resolver;
use crate::run::board::Board;
use crate::run::store::{Job, Written, hand};
use crate::run::threads::{Bell, HTTP_STACK, Stop, lock, spawn};
use crate::zone::Zone;

/// How long the disk may take before the book goes on without it.
const WRITE_WAIT: Duration = Duration::from_secs(1);
/// From one try to the next while the disk fails.
const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// From one look for a server to the next, while there is none.
const REST: Duration = Duration::from_secs(60);
/// How often the hosts are looked at while something waits for one.
const LOOK: Duration = Duration::from_secs(1);
/// How long a command waits until what it asked for is on disk.
const SETTLE: Duration = Duration::from_secs(3);
/// What is said of what is asked for, and not on disk.
const UNSAVED: &str =
    ": noted, but the disk does not take it: no host gets it before it does, and it is forgotten at a restart";
/// Steps in a row before others get their turn.
const MAX_ROUNDS: usize = 4;

/// What the thread works with.
pub struct Parts {
    /// Roster, and the changes that are told.
    pub board: Arc<Board>,
    /// Names, for calls.
    pub resolver: Arc<Resolver>,
    /// The end of the program.
    pub stop: Stop,
}

/// What the configuration says.
#[derive(Clone, Default)]
pub struct Setting {
    /// This server's name.
    pub me: String,
    /// `[[job]]`.
    pub jobs: Vec<JobPlan>,
    /// Hosts whose user key is bound to them.
    pub bound: Vec<String>,
    /// Added to a lease until it is over for certain.
    pub grace: Duration,
    /// For schedules.
    pub zone: Option<Zone>,
}

/// The running book.
pub struct Desk(Arc<Shared>);

struct Shared {
    parts: Parts,
    book: Mutex<Book>,
    /// `None` while there is no server: the book rests.
    setting: Mutex<Option<Setting>>,
    bell: Bell,
    /// Calls that go on.
    calls: Mutex<usize>,
    /// How much of the book is on disk; see [`Book::changes`].
    written: (Mutex<u64>, Condvar),
}

/// The thread's own view of the disk.
struct Disk {
    store: SyncSender<Parcel>,
    /// What it has been handed and not answered for.
    pending: Option<(u64, Written)>,
    /// It failed: not before this time again.
    again: Option<Tick>,
    trouble: Trouble,
}

/// Starts the thread. `files` are those of the state directory: name and content; what is damaged is said and left out.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    setting: Option<Setting>,
    files: &[(String, Vec<u8>)],
    store: SyncSender<Parcel>,
    parts: Parts,
) -> io::Result<(Arc<Desk>, JoinHandle<()>)> {
    let (mut book, now) = (Book::default(), clock::now());
    for (file, bytes) in files {
        if !book.restore(file, bytes, &now) {
            log::warn!("{file} is damaged: its jobs are not known any more");
        }
    }
    if let Some(setting) = &setting {
        book.define(&setting.jobs, &setting.me, &now);
    }
    let shared = Arc::new(Shared {
        parts,
        book: Mutex::new(book),
        setting: Mutex::new(setting),
        bell: Bell::default(),
        calls: Mutex::default(),
        written: Default::default(),
    });
    let (inside, disk) = (Arc::clone(&shared), Disk { store, pending: None, again: None, trouble: Trouble::default() });
    let thread = spawn("jobs", HTTP_STACK, move || inside.work(disk))?;
    Ok((Arc::new(Desk(shared)), thread))
}

impl Desk {
    /// The configuration has changed; without a setting the book rests until there is one.
    pub fn reload(&self, setting: Option<Setting>) {
        if let Some(setting) = &setting {
            lock(&self.0.book).define(&setting.jobs, &setting.me, &clock::now());
        }
        *lock(&self.0.setting) = setting;
        self.0.bell.ring();
    }

    /// Wakes the thread, which sees the end of the program.
    pub fn wake(&self) {
        self.0.bell.ring();
    }

    /// Adds what somebody asks for, and waits until it is on disk.
    ///
    /// # Errors
    /// Why it cannot be, in one line.
    pub fn add(&self, new: &New) -> Result<Vec<Id>, String> {
        let mut chance = [0; 8];
        getrandom::fill(&mut chance).map_err(|error| ["no random numbers: ", &error.to_string()].concat())?;
        let hosts = self.0.hosts(new.host());
        let ids = lock(&self.0.book).add(new, &hosts, &clock::now(), u64::from_be_bytes(chance))?;
        if self.settle() {
            Ok(ids)
        } else {
            let first = ids.first().map_or_else(|| "a schedule".to_owned(), Id::to_string);
            let more = if ids.len() > 1 { " and the others" } else { "" };
            Err([&first, more, UNSAVED].concat())
        }
    }

    /// Has runs ended: how many.
    ///
    /// # Errors
    /// When there are none.
    pub fn cancel(&self, which: &str) -> Result<usize, String> {
        let count = lock(&self.0.book).cancel(which, &clock::now())?;
        if self.settle() {
            Ok(count)
        } else {
            Err("it is noted, but the disk does not take it: after a restart it may run all the same".to_owned())
        }
    }

    /// Shows the book.
    pub fn read<T>(&self, show: impl FnOnce(&Book) -> T) -> T {
        show(&lock(&self.0.book))
    }

    /// Copies of the runs that fit, a page at a time: beats do not wait for the whole of it.
    pub fn copies(&self, fits: &dyn Fn(&Run) -> bool) -> Vec<Run> {
        let (mut copies, mut next) = (Vec::new(), Some(Id(0)));
        while let Some(from) = next {
            let (mut page, more) = lock(&self.0.book).page(from, fits);
            copies.append(&mut page);
            next = more;
        }
        copies
    }

    /// Waits until what has changed so far is on disk; `false` if that takes too long.
    fn settle(&self) -> bool {
        let (wanted, _) = lock(&self.0.book).changes();
        let (written, changed) = &self.0.written;
        self.0.bell.ring();
        let waiting = |written: &mut u64| *written < wanted;
        let (written, _) =
            changed.wait_timeout_while(lock(written), SETTLE, waiting).unwrap_or_else(PoisonError::into_inner);
        *written >= wanted
    }
}

impl Giver for Desk {
    fn heard(&self, host: &str, beat: &Beat<'_>, says: &Says) -> Orders {
        let mut book = lock(&self.0.book);
        let orders = book.heard(host, beat, says, &clock::now());
        let changed = !book.is_clean();
        drop(book);
        if changed {
            self.0.bell.ring();
        }
        orders
    }

    fn mute(&self, host: &str) {
        lock(&self.0.book).mute(host, &clock::now());
    }

    fn done(&self, host: &str, done: &Done) {
        let mut book = lock(&self.0.book);
        book.done(host, done, &clock::now());
        let changed = !book.is_clean();
        drop(book);
        // What changes nothing, however often it is told, wakes nobody.
        if changed {
            self.0.bell.ring();
        }
    }
}

impl Shared {
    fn work(self: &Arc<Self>, mut disk: Disk) {
        let mut failing = false;
        while !self.parts.stop.is_stopped() {
            let setting = lock(&self.setting).clone();
            let Some(setting) = setting else {
                self.bell.wait(REST);
                continue;
            };
            let mut next = tick();
            for _ in 0..MAX_ROUNDS {
                let (round, calls) = self.step(&setting);
                next = round;
                let written = self.write(&mut disk);
                if !written && !failing {
                    log::warn!("the book of jobs cannot be written: no job is given out until it can");
                }
                failing = !written;
                disk.trouble.tell(disk.again.is_some(), written, &disk.store, &self.parts.board);
                if !written {
                    lock(&self.book).stalls();
                }
                for (key, job) in calls {
                    // What is not on disk is not called: after a crash nobody would know of it.
                    if !written {
                        lock(&self.book).not_called(key, &clock::now());
                    } else if lock(&self.book).is_called(key) {
                        self.call(key, &job, &setting);
                    }
                }
                // What has ended is told once it is on disk, which is to be written in turn.
                if failing || lock(&self.book).is_settled() {
                    break;
                }
            }
            let waits = lock(&self.book).waits();
            self.bell.wait(if failing || waits { LOOK } else { next.since(tick()) });
        }
        // What came last is worth a try; nothing is offered any more that it could contradict.
        self.write(&mut disk);
    }

    /// One step of the book: when to come back at the latest, and what to call.
    fn step(&self, setting: &Setting) -> (Tick, Vec<(Key, String)>) {
        let (hosts, now) = (self.hosts(None), clock::now());
        let zone = setting.zone.clone().unwrap_or_else(Zone::utc);
        let settled = self.parts.board.lock().pending.settled;
        let due = {
            let mut book = lock(&self.book);
            book.told(settled);
            book.step(&hosts, &now, &zone)
        };
        for news in &due.news {
            // What nobody wants to know has the number 0.
            let number = match event(news, &setting.me) {
                Some(event) => self.parts.board.lock().pending.push(Some(event), After::Nothing),
                None => Some(0),
            };
            lock(&self.book).posted(news.id(), number);
            if number.is_some() {
                log::info!("{}", said(news));
            }
        }
        if !due.news.is_empty() {
            self.parts.board.wake();
        }
        (due.next, due.calls)
    }

    /// Has the book written, as far as it has changed; whether it is on disk. A disk that is slow is not asked again
    /// before it has answered, one that fails not before [`WRITE_AGAIN`].
    fn write(&self, disk: &mut Disk) -> bool {
        if disk.again.is_some_and(|again| tick() < again) {
            return false;
        }
        if disk.pending.is_none() {
            let (number, sheets) = lock(&self.book).sheets(&clock::now());
            let jobs: Vec<Job> = sheets
                .into_iter()
                .map(|sheet| match sheet.bytes {
                    Some(bytes) => Job::Put { file: sheet.file, bytes, keep_previous: false },
                    None => Job::Remove { file: sheet.file },
                })
                .collect();
            disk.pending =
                if jobs.is_empty() { None } else { hand(&disk.store, jobs).map(|written| (number, written)) };
            if disk.pending.is_none() {
                let nothing = lock(&self.book).saved_nothing(number);
                return self.noted(disk, nothing);
            }
        }
        let Some((number, written)) = &disk.pending else { return false };
        let Some(ok) = written.wait(WRITE_WAIT) else { return false };
        lock(&self.book).saved(*number, ok);
        disk.pending = None;
        self.noted(disk, ok)
    }

    fn noted(&self, disk: &mut Disk, ok: bool) -> bool {
        disk.again = if ok { None } else { Some(tick() + WRITE_AGAIN) };
        let (_, saved) = lock(&self.book).changes();
        *lock(&self.written.0) = saved;
        self.written.1.notify_all();
        ok
    }

    /// The hosts that may get jobs, and those that have some, as the roster has them; and the one that is asked for.
    fn hosts(&self, wanted: Option<&str>) -> Vec<HostView> {
        let Some((bound, grace)) = lock(&self.setting).as_ref().map(|setting| (setting.bound.clone(), setting.grace))
        else {
            return Vec::new();
        };
        let mut names: Vec<(String, bool)> = bound.into_iter().map(|name| (name, true)).collect();
        let others = lock(&self.book).busy().into_iter().chain(wanted.map(str::to_owned));
        for name in others {
            if !names.iter().any(|(known, _)| *known == name) {
                names.push((name, false));
            }
        }
        let mut views = Vec::with_capacity(names.len());
        for names in names.chunks(256) {
            let state = self.parts.board.lock();
            for (name, bound) in names {
                if let Some(host) = state.roster.hosts().get(name) {
                    views.push(HostView {
                        name: name.clone(),
                        up: host.standing == Standing::Up,
                        lease_over: host.lease_end + grace,
                        leaving: host.goes_as_announced(),
                        bound: *bound,
                    });
                }
            }
        }
        views
    }

    /// Calls the URL of a job, in a thread of its own.
    fn call(self: &Arc<Self>, key: Key, job: &str, setting: &Setting) {
        let plan = setting.jobs.iter().find(|plan| plan.name == job).cloned();
        let refused = |why: &str| {
            self.done(&Done { key, end: End::Failed, code: None, took: 0, out: String::new(), why: why.to_owned() });
        };
        let Some(plan) = plan else { return refused("the configuration has no such job any more") };
        {
            let mut calls = lock(&self.calls);
            if *calls >= MAX_CALLS {
                return refused("too many calls at once");
            }
            *calls += 1;
        }
        let shared = Arc::clone(self);
        let started = spawn("call", HTTP_STACK, move || {
            let began = tick();
            let done = call::run(key, &plan, &shared.parts.resolver, &shared.parts.stop);
            *lock(&shared.calls) -= 1;
            shared.done(&Done { took: millis(tick().since(began)), ..done });
        });
        if let Err(error) = started {
            *lock(&self.calls) -= 1;
            refused(&["no thread for it: ", &error.to_string()].concat());
        }
    }

    fn done(&self, done: &Done) {
        lock(&self.book).done("", done, &clock::now());
        self.bell.ring();
    }
}
