//! The only thread that writes files while the program runs. A disk that hangs holds up this thread and no other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alert::Parcel;
use crate::run::state;
use crate::run::threads::{SMALL_STACK, lock, spawn};

/// Batches that may wait.
const QUEUE: usize = 8;

/// Which folder a batch belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// The state directory.
    State,
    /// The runtime directory.
    Runtime,
}

/// One step of a batch. Files are named below the batch's root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// Replaces a file atomically.
    Put {
        /// Its name.
        file: String,
        /// Its content.
        bytes: Vec<u8>,
        /// Keeps what it replaces as `FILE.old`.
        keep_previous: bool,
    },
    /// Removes a file, if there is one.
    Remove {
        /// Its name.
        file: String,
    },
}

/// Steps that are taken in order, up to the first that fails.
#[derive(Debug)]
pub struct Batch {
    /// Told in the answer.
    pub number: u32,
    /// Where.
    pub root: Root,
    /// What.
    pub jobs: Vec<Job>,
    /// Whether the desk is told of the end.
    pub reply: bool,
    /// Who else waits for the end.
    pub done: Option<Written>,
}

/// Somebody waits for the end of a batch.
#[derive(Clone, Default, Debug)]
pub struct Written(Arc<(Mutex<Option<bool>>, Condvar)>);

impl Written {
    fn set(&self, ok: bool) {
        *lock(&self.0.0) = Some(ok);
        self.0.1.notify_all();
    }

    /// Whether all of it is on disk; `None` if that is not known after `time`.
    pub fn wait(&self, time: Duration) -> Option<bool> {
        let guard = lock(&self.0.0);
        let (guard, _) =
            self.0.1.wait_timeout_while(guard, time, |ended| ended.is_none()).unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

/// Hands `jobs` for the state directory to the store; `None` if that has no room or has ended. Does not wait.
pub fn hand(store: &SyncSender<Parcel>, jobs: Vec<Job>) -> Option<Written> {
    let done = Written::default();
    let batch = Batch { number: 0, root: Root::State, jobs, reply: false, done: Some(done.clone()) };
    store.try_send(Parcel::Batch(batch)).ok().map(|()| done)
}

/// The folders of the store, and the lock on the first.
#[derive(Debug)]
pub struct Folders {
    /// The state directory.
    pub state: PathBuf,
    /// The runtime directory.
    pub runtime: PathBuf,
    /// The lock; without one it is taken before anything is written to the state directory.
    pub lock: Option<File>,
}

/// Starts the store's thread. It ends once every copy of the returned sender is dropped and the queue is empty.
///
/// # Errors
/// When the system has no room for another thread.
pub fn start(folders: Folders, desk: SyncSender<Parcel>) -> io::Result<(SyncSender<Parcel>, JoinHandle<()>)> {
    let (to_store, queue) = sync_channel(QUEUE);
    let thread = spawn("store", SMALL_STACK, move || run(folders, &queue, &desk))?;
    Ok((to_store, thread))
}

fn run(mut folders: Folders, queue: &Receiver<Parcel>, desk: &SyncSender<Parcel>) {
    while let Ok(parcel) = queue.recv() {
        let Parcel::Batch(batch) = parcel else {
            continue;
        };
        let result = folders.execute(&batch);
        if let Some(done) = &batch.done {
            done.set(result.is_ok());
        }
        if batch.reply {
            // The desk never waits for the store, so that this cannot last; if the desk has ended, nobody asks.
            if desk.send(Parcel::Stored { batch: batch.number, result }).is_err() {
                log::debug!("store: nobody waits for batch {}", batch.number);
            }
        } else if let Err(why) = result {
            log::debug!("store: {why}");
        }
    }
}

impl Folders {
    /// Does what `batch` says.
    ///
    /// # Errors
    /// The file concerned, below its root, and what the system says. The steps after it were not taken.
    fn execute(&mut self, batch: &Batch) -> Result<(), String> {
        let root = match batch.root {
            Root::State => {
                if self.lock.is_none() {
                    self.lock = Some(state::lock(&self.state).map_err(|error| error.to_string())?);
                }
                &self.state
            }
            Root::Runtime => &self.runtime,
        };
        let mut unsynced: Option<PathBuf> = None;
        for job in &batch.jobs {
            let (Job::Put { file, .. } | Job::Remove { file }) = job;
            let say = |error: io::Error| format!("{file}: {error}");
            let path = root.join(file);
            match job {
                Job::Put { bytes, keep_previous, .. } => {
                    let folder = path.parent().unwrap_or(root).to_path_buf();
                    if let Some(before) = unsynced.take_if(|before| *before != folder) {
                        sync_folder(&before).map_err(say)?;
                    }
                    put(&path, &folder, bytes, *keep_previous).map_err(say)?;
                    unsynced = Some(folder);
                }
                // Not synced: what comes back after a power cut is known to be finished.
                Job::Remove { .. } => match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(say(error)),
                    _ => {}
                },
            }
        }
        match unsynced {
            Some(folder) => sync_folder(&folder).map_err(|error| format!("{}: {error}", folder.display())),
            None => Ok(()),
        }
    }
}

/// Writes a new file beside the old one and puts it in its place.
fn put(path: &Path, folder: &Path, bytes: &[u8], keep_previous: bool) -> io::Result<()> {
    let fresh = with_suffix(path, ".tmp");
    let written = match write(&fresh, bytes) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            state::make(folder)?;
            sync_folder(folder.parent().unwrap_or(folder))?;
            write(&fresh, bytes)
        }
        written => written,
    };
    let placed = written.and_then(|()| {
        if keep_previous {
            keep(path)?;
        }
        fs::rename(&fresh, path)
    });
    if placed.is_err() && fs::remove_file(&fresh).is_err() {
        log::debug!("store: a temporary file stays behind");
    }
    placed
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Keeps `path` as `FILE.old`: as a second name if the file system knows such, so that there always is one.
fn keep(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let old = with_suffix(path, ".old");
    match fs::remove_file(&old) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(path, &old).or_else(|_| fs::rename(path, &old))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// `path` with `suffix` after its name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::run::state::testing::Folder;

    fn put_job(file: &str, bytes: &str, keep_previous: bool) -> Job {
        Job::Put { file: file.to_owned(), bytes: bytes.as_bytes().to_vec(), keep_previous }
    }

    fn batch(jobs: Vec<Job>) -> Batch {
        Batch { number: 1, root: Root::State, jobs, reply: true, done: None }
    }

    #[test]
    fn files_are_replaced_and_the_previous_one_kept() {
        let folder = Folder::default();
        let mut folders = Folders { state: folder.path().into(), runtime: folder.path().join("run"), lock: None };
        let read = |file: &str| fs::read_to_string(folder.path().join(file)).ok();
        folders.execute(&batch(vec![put_job("a.json", "1", true), put_job("outbox/b.json", "2", false)])).unwrap();
        assert_eq!((read("a.json"), read("a.json.old")), (Some("1".into()), None));
        folders
            .execute(&batch(vec![
                put_job("a.json", "3", true),
                Job::Remove { file: "outbox/b.json".into() },
                Job::Remove { file: "outbox/none".into() },
            ]))
            .unwrap();
        assert_eq!((read("a.json"), read("a.json.old")), (Some("3".into()), Some("1".into())));
        assert_eq!(read("outbox/b.json"), None);
        assert_eq!(read("a.json.tmp"), None);
    }

    #[test]
    fn a_failing_step_stops_the_batch_and_names_the_file() {
        let folder = Folder::default();
        let mut folders = Folders { state: folder.path().into(), runtime: folder.path().join("run"), lock: None };
        fs::write(folder.path().join("hosts"), "in the way").unwrap();
        let jobs = vec![put_job("hosts/00.json", "1", true), put_job("a.json", "1", true)];
        let error = folders.execute(&batch(jobs)).unwrap_err();
        assert!(error.starts_with("hosts/00.json: "), "{error}");
        assert!(!folder.path().join("a.json").exists());
    }

    #[test]
    fn the_queue_is_drained_before_the_thread_ends() {
        let folder = Folder::default();
        let folders = Folders { state: folder.path().into(), runtime: folder.path().join("run"), lock: None };
        let (desk, inbox) = sync_channel(8);
        let (store, thread) = start(folders, desk).unwrap();
        for number in 1..=3 {
            let jobs = vec![put_job(&format!("{number}.json"), "{}", false)];
            store.send(Parcel::Batch(Batch { number, root: Root::Runtime, jobs, reply: true, done: None })).unwrap();
        }
        drop(store);
        for number in 1..=3 {
            match inbox.recv_timeout(Duration::from_secs(20)).unwrap() {
                Parcel::Stored { batch, result } => assert_eq!((batch, result), (number, Ok(()))),
                _ => panic!("something else"),
            }
        }
        thread.join().unwrap();
        assert!(folder.path().join("run/3.json").exists());
    }
}
