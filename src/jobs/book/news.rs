//! What there is to tell, until it is told for certain: it stays here until the outbox has it on disk.

use super::{Book, Left, Sheet};
use crate::clock::Now;
use crate::event::{Id, Moment};
use crate::jobs::run::{Run, State};
use crate::json::{self, Writer};

/// The file of moves and skipped firings, below the state directory.
pub const NOTES: &str = "jobs/news.json";
/// What is given at a time.
const MAX_NEWS: usize = 256;
/// Runs that a note of a move names.
pub const MAX_NAMED: usize = 20;
/// Notes; moves beyond are told together.
const MAX_NOTES: usize = 1000;
/// Handed on, under a number that is not known yet.
const HANDED: u64 = u64::MAX;

/// What there is to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// A run has come to its end.
    Ended(Box<Run>),
    /// Something else.
    Note(Note),
}

/// What is told of others than the ends of runs. It has the same id at every attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Which.
    pub id: Id,
    /// Since when.
    pub at: Moment,
    /// What.
    pub what: Told,
    /// As with [`Run::telling`].
    telling: u64,
    /// It was never handed on, and more may be added.
    open: bool,
    /// It is being written, and it is on disk: perhaps with less than it holds by now.
    stored: (bool, bool),
}

/// What a note tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Runs left a host that is gone or goes.
    Moved {
        /// The host.
        from: String,
        /// How many.
        count: usize,
        /// The first of them: job or message, and the new host, if there is one yet.
        runs: Vec<(String, String)>,
    },
    /// A firing was left out; of those that follow it nothing is said until one runs again.
    Skipped {
        /// The job.
        job: String,
        /// Why.
        why: String,
    },
}

impl News {
    /// The run, or the note.
    pub fn id(&self) -> Id {
        match self {
            News::Ended(run) => run.key.id,
            News::Note(note) => note.id,
        }
    }
}

impl Book {
    /// What is to be told now: what is on disk, or what the disk does not take. Each is given once.
    pub(super) fn tell(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        for note in self.notes.iter_mut().filter(|note| note.telling == 0) {
            if news.len() < MAX_NEWS && (note.stored.1 || self.failing) {
                (note.telling, note.open) = (HANDED, false);
                news.push(News::Note(note.clone()));
            }
        }
        for at in 0..self.runs.len() {
            let run = &*self.runs[at];
            let ended = run.state.is_final() && !run.told && run.telling == 0;
            // First on disk, then told: what was told stays so.
            if ended && news.len() < MAX_NEWS && (self.failing || self.is_saved(run.key.id)) {
                self.runs[at].telling = HANDED;
                news.push(News::Ended(self.runs[at].clone()));
            }
        }
        news
    }

    /// What [`Book::step`] gave was handed on under this number; without one it was not, and is given again. The number 0
    /// is for what nobody wants to know.
    pub fn posted(&mut self, id: Id, number: Option<u64>) {
        let telling = number.unwrap_or_default();
        if let Some(note) = self.notes.iter_mut().find(|note| note.id == id) {
            note.telling = telling;
        } else if let Some(at) = self.find(id) {
            self.runs[at].telling = telling;
            if number == Some(0) {
                self.runs[at].told = true;
                self.touch(at);
            }
        }
    }

    /// All that was handed on up to this number is told, or on disk with what is to be told: it never comes again.
    pub fn told(&mut self, number: u64) {
        let told = |telling: u64| telling != 0 && telling <= number;
        let before = self.notes.len();
        self.notes.retain(|note| !told(note.telling));
        if self.notes.len() < before {
            self.noted();
        }
        for at in 0..self.runs.len() {
            if told(self.runs[at].telling) {
                let run = &mut *self.runs[at];
                (run.told, run.telling) = (true, 0);
                self.touch(at);
            }
        }
    }

    /// Whether everything was handed on.
    pub(super) fn is_handed_on(&self) -> bool {
        let run = |run: &Run| !run.state.is_final() || run.told || run.telling != 0;
        self.runs.iter().all(|one| run(one)) && self.notes.iter().all(|note| note.telling != 0)
    }

    /// Whether something waits for a host, or to be told.
    pub fn waits(&self) -> bool {
        !self.notes.is_empty() || self.runs.iter().any(|run| !run.told && run.state != State::Waiting)
    }

    /// A firing is left out.
    pub(super) fn skipped(&mut self, job: &str, why: String, now: &Now) -> bool {
        if self.notes.len() >= MAX_NOTES {
            return false;
        }
        self.note(Told::Skipped { job: job.to_owned(), why }, now);
        true
    }

    /// Runs left a host. Those of one host are told together, as far as it was not told yet.
    pub(super) fn leaves(&mut self, from: &str, left: Vec<Left>, now: &Now) {
        let crowded = self.notes.len() >= MAX_NOTES;
        let of_host = |note: &Note| match &note.what {
            Told::Moved { from: before, .. } => note.open && (crowded || before == from),
            Told::Skipped { .. } => false,
        };
        if !self.notes.iter().any(of_host) {
            self.note(Told::Moved { from: from.to_owned(), count: 0, runs: Vec::new() }, now);
        }
        let Some(Note { what: Told::Moved { from: before, count, runs }, .. }) =
            self.notes.iter_mut().find(|note| of_host(note))
        else {
            return;
        };
        if before != from {
            before.clone_from(&self.me);
        }
        *count += left.len();
        let room = MAX_NAMED.saturating_sub(runs.len());
        runs.extend(left.into_iter().take(room));
        self.noted();
    }

    fn note(&mut self, what: Told, now: &Now) {
        let (number, time) = (self.changes.0.to_be_bytes(), now.wall.0.to_be_bytes());
        let (kind, name): (&[u8], &str) = match &what {
            Told::Moved { from, .. } => (b"moved", from),
            Told::Skipped { job, .. } => (b"skipped", job),
        };
        let id = Id::of(&[kind, name.as_bytes(), &time, &number]);
        self.notes.push(Note {
            id,
            at: Moment::at(now.tick, now),
            what,
            telling: 0,
            open: true,
            stored: (false, false),
        });
        self.noted();
    }

    fn noted(&mut self) {
        self.notes_dirty.0 = true;
        self.changes.0 += 1;
    }

    /// The file of the notes is on disk, or is not.
    pub(super) fn notes_saved(&mut self, ok: bool) {
        for note in &mut self.notes {
            note.stored = (false, note.stored.1 || note.stored.0 && ok);
        }
    }

    /// The file of the notes.
    pub(super) fn notes_sheet(&mut self, now: &Now) -> Sheet {
        self.notes.iter_mut().for_each(|note| note.stored.0 = true);
        let bytes = (!self.notes.is_empty()).then(|| write(&self.notes, now));
        Sheet { file: NOTES.to_owned(), bytes }
    }
}

fn write(notes: &[Note], now: &Now) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("news").open('[');
    for note in notes {
        out.open('{').key("id").text(&note.id.to_string());
        note.at.refreshed(now).write(out.key("at"));
        match &note.what {
            Told::Moved { from, count, runs } => {
                out.key("from").text(from).key("count").uint(*count as u64).key("runs").open('[');
                for (name, to) in runs {
                    out.open('[').text(name).text(to).close(']');
                }
                out.close(']');
            }
            Told::Skipped { job, why } => {
                out.key("job").text(job).key("why").text(why);
            }
        }
        out.close('}');
    }
    out.close(']').close('}');
    out.into_bytes()
}

/// Reads the file of the notes.
pub fn read_notes(bytes: &[u8]) -> Option<Vec<Note>> {
    let value = json::read(bytes)?;
    let mut notes = Vec::new();
    for value in value.get("news")?.as_array()? {
        let text = |key| json::text(value, key).map(str::to_owned);
        let what = match text("from") {
            Some(from) => {
                let mut runs = Vec::new();
                for run in json::list(value, "runs") {
                    let name = |place| Some(run.get(place)?.as_str()?.to_owned());
                    runs.push((name(0)?, name(1)?));
                }
                Told::Moved { from, count: usize::try_from(json::uint(value, "count")?).ok()?, runs }
            }
            None => Told::Skipped { job: text("job")?, why: text("why")? },
        };
        let (id, at) = (Id::parse(json::text(value, "id")?)?, Moment::read(value.get("at")?)?);
        notes.push(Note { id, at, what, telling: 0, open: false, stored: (false, true) });
    }
    Some(notes)
}
