//! The book of jobs: what is to run, where it is, and what became of it. Pure; see [`crate::jobs`].

mod add;
mod ends;
mod fire;
mod heard;
mod news;
mod place;

use std::time::Duration;

use crate::clock::{Now, Tick, Wall};
use crate::event::{Id, Moment};
use crate::jobs::run::{Run, State, What};
use crate::jobs::{HostView, JobPlan, saved};
use crate::keepalive::work::Key;
use crate::zone::Zone;
pub use add::takes;
pub use fire::Job;
pub use news::{MAX_NAMED, NOTES, News, Note, Told, read_notes};

/// Runs that have not ended.
pub const MAX_OPEN: usize = 20_000;
/// URLs that are called at once.
pub const MAX_CALLS: usize = 4;
/// Runs that are looked at, and copied, without giving beats their turn.
pub const PAGE: usize = 256;
/// Files that runs are spread over, by their ids.
pub const SHEETS: u64 = 64;
/// Assignments of one run: what ends every host that takes it, or is handed back for ever, is given up.
const MAX_EPOCH: u32 = 100;
/// The longest wait until the book is looked at again, in milliseconds.
const LOOK_EVERY: i64 = 60_000;

/// Runs and definitions.
#[derive(Default, Debug)]
pub struct Book {
    me: String,
    /// When this book was read from disk, if it was.
    restored: Option<Tick>,
    /// When it began to work.
    began: Option<Tick>,
    jobs: Vec<Job>,
    /// In the order of their ids.
    #[expect(clippy::vec_box, reason = "one that comes in between moves pointers, not runs")]
    runs: Vec<Box<Run>>,
    agents: Vec<Agent>,
    /// Sheets that differ from what is on disk; one bit each.
    dirty: u64,
    /// Sheets that are being written, and the number of that.
    writing: (u64, u64),
    /// The sheet of definitions differs, or is being written.
    fired: (bool, bool),
    /// How often something changed: so far, as far as it is being written, as far as it is on disk.
    changes: (u64, u64, u64),
    /// What is to be told besides ends; and whether that differs from what is on disk, or is being written.
    notes: Vec<Note>,
    notes_dirty: (bool, bool),
    /// The disk does not take the book.
    failing: bool,
    /// Runs that their hosts handed back: the host, and which.
    moved: Vec<(String, Id)>,
    /// Calls that go on although their runs have ended.
    hanging: Vec<Key>,
}

/// What is known of an agent from its beats. It is not kept over a restart: the next beat says it again.
#[derive(Default, Debug)]
struct Agent {
    host: String,
    takes: Vec<String>,
    /// The lease that was last granted, and until when the longest that was granted lasts: an agent keeps that.
    lease: Duration,
    leased: Tick,
    /// Results that it told and that are to be acknowledged once they are on disk.
    owed: Vec<Key>,
    /// Run and number of its last beat: one that was held up on its way says nothing any more.
    beat: (String, u64),
    /// When it last said anything, and since when it speaks without a pause.
    heard: Tick,
    talks: Tick,
    /// It could not take a run: until when it is given no new one, and how often that was so since it took one.
    rests: Tick,
    rested: u32,
    /// The last beat of its host came without a word of it.
    mute: bool,
}

/// A run that left its host: job or message, and the new host.
type Left = (String, String);

/// What [`Book::step`] wants done.
#[derive(Default, Debug)]
pub struct Due {
    /// To be told, in order.
    pub news: Vec<News>,
    /// URLs that this server is to call now. Each is asked for once.
    pub calls: Vec<(Key, String)>,
    /// When to step again, at the latest.
    pub next: Tick,
}

/// A file of the book, as it must be on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sheet {
    /// Its name below the state directory: `jobs/07.json`.
    pub file: String,
    /// Its content; `None` if it is to be removed.
    pub bytes: Option<Vec<u8>>,
}

impl Book {
    /// Takes in the definitions of the configuration, at the start and after a reload. `me` is this server's name.
    pub fn define(&mut self, jobs: &[JobPlan], me: &str, now: &Now) {
        me.clone_into(&mut self.me);
        self.began.get_or_insert(now.tick);
        let mut kept = std::mem::take(&mut self.jobs);
        for plan in jobs {
            let before = kept.iter().position(|job| job.plan.name == plan.name).map(|at| kept.remove(at));
            self.jobs.push(Job::new(plan.clone(), before, now));
        }
        kept.retain(|job| job.by_hand);
        self.jobs.append(&mut kept);
        self.redefined();
    }

    /// Takes in a file that [`Book::sheets`] made; `false` if it is damaged. Comes before [`Book::define`].
    pub fn restore(&mut self, file: &str, bytes: &[u8], now: &Now) -> bool {
        if file.ends_with(saved::FIRED) {
            let Some(jobs) = saved::read_jobs(bytes) else { return false };
            self.jobs = jobs;
            return true;
        }
        if file == NOTES {
            let Some(notes) = read_notes(bytes) else { return false };
            self.notes = notes;
            return true;
        }
        let Some(runs) = saved::read_runs(bytes) else { return false };
        self.restored = Some(now.tick);
        for mut run in runs {
            // It may have been offered before the end of the last run of this program.
            if run.state == State::Queued && !run.host.is_empty() {
                run.state = State::Sent;
            }
            // A call that this program began is over with it.
            let called = run.what == What::Url && matches!(run.state, State::Sent | State::Running);
            let at = self.runs.partition_point(|other| other.key.id < run.key.id);
            if self.runs.get(at).is_none_or(|other| other.key.id != run.key.id) {
                self.runs.insert(at, Box::new(run));
                if called {
                    self.unknown(at, "this server was ended during the call", now);
                }
            }
        }
        true
    }

    /// Does what is due: schedules, expiry, allocation, fail-over. Called on every change of the roster, at a reload,
    /// at the start, and when [`Due::next`] has come.
    pub fn step(&mut self, hosts: &[HostView], now: &Now, zone: &Zone) -> Due {
        let mut next = now.tick.0 + LOOK_EVERY;
        let ahead = |due: Wall| now.tick.0.saturating_add(due.0.saturating_sub(now.wall.0).max(0));
        // Before the clock is set nobody knows what a schedule means.
        if now.wall.is_set()
            && let Some(due) = self.fire(hosts, now, zone)
        {
            next = next.min(ahead(due));
        }
        for at in 0..self.runs.len() {
            let run = &mut *self.runs[at];
            if run.state != State::Waiting {
                continue;
            }
            // A pause between two attempts is no matter of the wall clock, as long as this boot lasts.
            let again = run.done.as_ref().and_then(|_| run.since.tick(now)).map(|since| since + run.terms.retry_every);
            let due = again.map_or(ahead(run.due), |again| again.0);
            if due > now.tick.0 {
                next = next.min(due);
            } else {
                run.state = State::Queued;
                run.since = Moment::at(now.tick, now);
                run.free = run.since;
                self.touch(at);
            }
        }
        let calls = self.place(hosts, now, &mut next);
        let news = self.tell();
        self.clear(now);
        Due { news, calls, next: Tick(next) }
    }

    /// The files that changed since they were last asked for, and a number for [`Book::saved`]. Nothing while the last
    /// ones are not known to be on disk.
    pub fn sheets(&mut self, now: &Now) -> (u64, Vec<Sheet>) {
        if self.writing.1 != 0 || self.fired.1 || self.notes_dirty.1 {
            return (self.writing.0, Vec::new());
        }
        let mut sheets = Vec::new();
        // Before the runs: what they have done already nobody would tell.
        if self.notes_dirty.0 {
            sheets.push(self.notes_sheet(now));
        }
        for number in 0..SHEETS {
            if self.dirty >> number & 1 == 1 {
                let runs = || self.runs.iter().filter(|run| run.key.id.0 % SHEETS == number);
                let bytes = runs().next().is_some().then(|| saved::write_runs(&mut runs(), now));
                sheets.push(Sheet { file: saved::file(number), bytes });
            }
        }
        if self.fired.0 {
            sheets.push(Sheet { file: ["jobs/", saved::FIRED].concat(), bytes: Some(saved::write_jobs(&self.jobs)) });
        }
        self.changes.1 = self.changes.0;
        self.writing = (self.writing.0 + 1, std::mem::take(&mut self.dirty));
        self.fired = (false, self.fired.0);
        self.notes_dirty = (false, self.notes_dirty.0);
        (self.writing.0, sheets)
    }

    /// All that [`Book::sheets`] gave under this number is on disk; or it is not, and is given again.
    pub fn saved(&mut self, number: u64, ok: bool) {
        if number != self.writing.0 {
            return;
        }
        if ok {
            self.changes.2 = self.changes.1;
        } else {
            self.dirty |= self.writing.1;
            self.fired.0 |= self.fired.1;
            self.notes_dirty.0 |= self.notes_dirty.1;
        }
        self.notes_saved(ok);
        self.failing = !ok;
        self.writing.1 = 0;
        self.fired.1 = false;
        self.notes_dirty.1 = false;
    }

    /// The disk is too slow: what is to be told waits for it no longer.
    pub fn stalls(&mut self) {
        self.failing = true;
    }

    /// What [`Book::sheets`] gave under this number was handed to nobody: whether there was nothing.
    pub fn saved_nothing(&mut self, number: u64) -> bool {
        let nothing = self.writing.1 == 0 && !self.fired.1 && !self.notes_dirty.1;
        self.saved(number, nothing);
        nothing
    }

    /// All runs, in the order of their ids.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().map(|run| &**run)
    }

    /// Copies of the runs that fit, of the first [`PAGE`] from this id on; and the id to go on with, if there are more.
    pub fn page(&self, from: Id, fits: &dyn Fn(&Run) -> bool) -> (Vec<Run>, Option<Id>) {
        let begin = self.runs.partition_point(|run| run.key.id < from);
        let end = self.runs.len().min(begin + PAGE);
        let mut copies = Vec::new();
        for run in self.runs[begin..end].iter().filter(|run| fits(run)) {
            copies.push((**run).clone());
        }
        (copies, self.runs.get(end).map(|run| run.key.id))
    }

    /// Those of these runs that have ended, which is not on disk yet.
    pub fn unsaved(&self, runs: &[Run]) -> Vec<Id> {
        let ends = runs.iter().filter(|run| run.state.is_final() && !self.is_saved(run.key.id));
        ends.map(|run| run.key.id).collect()
    }

    /// All definitions.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Whether everything is on disk.
    pub fn is_clean(&self) -> bool {
        let other = self.fired == (false, false) && self.notes_dirty == (false, false);
        self.dirty == 0 && self.writing.1 == 0 && other
    }

    /// How often something changed so far, and how much of that is on disk.
    pub fn changes(&self) -> (u64, u64) {
        (self.changes.0, self.changes.2)
    }

    /// Names of the hosts that have runs which have not ended.
    pub fn busy(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for run in self.runs.iter().filter(|run| !run.state.is_final() && !run.host.is_empty()) {
            if let Err(at) = names.binary_search(&run.host) {
                names.insert(at, run.host.clone());
            }
        }
        names
    }

    /// Whether everything is on disk, and every end was handed on.
    pub fn is_settled(&self) -> bool {
        self.is_clean() && self.is_handed_on()
    }

    /// Whether a run is on disk as it is here.
    fn is_saved(&self, id: Id) -> bool {
        !is_in(self.dirty | self.writing.1, id)
    }

    /// Places of the runs that fit, the one that was due first in front.
    fn in_order(&self, fits: &dyn Fn(&Run) -> bool) -> Vec<usize> {
        let places: Vec<usize> = (0..self.runs.len()).filter(|at| fits(&self.runs[*at])).collect();
        let due = |place: usize| self.runs[places[place]].due;
        crate::order::order(places.len(), &|a, b| due(a) < due(b)).into_iter().map(|place| places[place]).collect()
    }

    fn find(&self, id: Id) -> Option<usize> {
        self.runs.binary_search_by(|run| run.key.id.cmp(&id)).ok()
    }

    /// A run has changed.
    fn touch(&mut self, at: usize) {
        self.dirty |= 1 << (self.runs[at].key.id.0 % SHEETS);
        self.changes.0 += 1;
    }

    /// The sheet of definitions has changed.
    fn redefined(&mut self) {
        self.fired.0 = true;
        self.changes.0 += 1;
    }
}

/// Whether the sheet of a run is one of these.
fn is_in(sheets: u64, id: Id) -> bool {
    sheets >> (id.0 % SHEETS) & 1 == 1
}

#[cfg(test)]
mod tests;
