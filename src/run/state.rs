//! The state directory: made, locked, probed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, flock, mkdir, statfs};
use rustix::io::Errno;

/// `f_type` of tmpfs and ramfs, which forget everything at a reboot (`linux/magic.h`).
const MEMORY_FILE_SYSTEMS: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// What came of opening the state directory.
#[derive(Debug)]
pub struct Opened {
    /// Holds the directory for this daemon as long as it is open.
    pub lock: Option<File>,
    /// Why it cannot be written to; everything is kept in memory then.
    pub unwritable: Option<String>,
    /// It is forgotten at a reboot.
    pub in_memory: bool,
}

/// Why the state directory cannot be had.
#[derive(Debug)]
pub enum OpenError {
    /// Another daemon has it: end.
    Held {
        /// Its process id as it wrote it; empty if it did not.
        pid: String,
    },
    /// It cannot be written to: go on in memory.
    Unwritable(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Held { pid } => write!(f, "state directory is held by process {pid}"),
            OpenError::Unwritable(why) => f.write_str(why),
        }
    }
}

/// Makes both directories (mode 0700), locks the first, and finds out whether it can be written to.
///
/// # Errors
/// Only [`OpenError::Held`]: another daemon works on this directory.
pub fn open(state: &Path, runtime: &Path) -> Result<Opened, OpenError> {
    if let Err(error) = make(runtime) {
        log::warn!("runtime directory {}: {error}", runtime.display());
    }
    let in_memory =
        statfs(state).or_else(|_| make(state).map_err(|_| Errno::NOENT).and_then(|()| statfs(state))).is_ok_and(|fs| {
            MEMORY_FILE_SYSTEMS.iter().any(|magic| i128::from(fs.f_type) & 0xffff_ffff == i128::from(*magic))
        });
    match lock(state).and_then(|lock| probe(state).map(|()| lock).map_err(unwritable)) {
        Ok(lock) => Ok(Opened { lock: Some(lock), unwritable: None, in_memory }),
        Err(OpenError::Unwritable(why)) => Ok(Opened { lock: None, unwritable: Some(why), in_memory }),
        Err(held) => Err(held),
    }
}

/// Makes the directory if needed and locks it; the lock lasts as long as the file is open.
///
/// # Errors
/// When another process holds it, or when it cannot be written to.
pub fn lock(state: &Path) -> Result<File, OpenError> {
    make(state).map_err(unwritable)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(state.join("lock"))
        .map_err(unwritable)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(OpenError::Held { pid: holder(&mut file) }),
        Err(error) => return Err(unwritable(error.into())),
    }
    let pid = std::process::id();
    file.set_len(0).and_then(|()| writeln!(file, "{pid}")).map_err(unwritable)?;
    Ok(file)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // Without the number the message is poorer, nothing else.
    file.take(20).read_to_string(&mut text).map_or_else(|_| String::new(), |_| text.trim().to_owned())
}

/// Makes a folder (mode 0700) with all above it, if it is not there.
///
/// # Errors
/// As the system says.
#[inline(never)]
pub fn make(folder: &Path) -> io::Result<()> {
    let bytes = folder.as_os_str().as_bytes();
    let mut made = Ok(());
    // Every folder on the way; those above that cannot be made show in the last one.
    for end in 1..=bytes.len() {
        if end == bytes.len() || bytes[end] == b'/' {
            made = mkdir(&bytes[..end], Mode::RWXU);
        }
    }
    if made.is_ok() || folder.is_dir() { Ok(()) } else { made.map_err(io::Error::from) }
}

fn probe(state: &Path) -> io::Result<()> {
    let path = state.join("probe.tmp");
    fs::write(&path, b"probe")?;
    fs::remove_file(&path)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn unwritable(error: io::Error) -> OpenError {
    OpenError::Unwritable(error.to_string())
}

#[cfg(test)]
pub mod testing {
    //! A folder for one test.

    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Removed when it goes out of scope.
    pub struct Folder(PathBuf);

    impl Default for Folder {
        fn default() -> Folder {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("ic-test-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Folder {
        /// Where it is.
        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_second_daemon_is_told_who_holds_the_directory() {
        let folder = testing::Folder::default();
        let (state, runtime) = (folder.path().join("a/state"), folder.path().join("run"));
        let opened = open(&state, &runtime).unwrap();
        assert!(opened.lock.is_some() && opened.unwritable.is_none());
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        let error = open(&state, &runtime).unwrap_err();
        assert!(error.to_string().ends_with(&format!("process {}", std::process::id())), "{error}");
        drop(opened);
        assert!(open(&state, &runtime).unwrap().lock.is_some());
    }

    #[test]
    fn a_path_that_is_a_file_means_memory_only() {
        let folder = testing::Folder::default();
        let state = folder.path().join("state");
        fs::write(&state, "").unwrap();
        let opened = open(&state, folder.path()).unwrap();
        assert!(opened.unwritable.is_some() && opened.lock.is_none());
    }

    #[test]
    fn memory_file_systems_are_known() {
        let shm = Path::new("/dev/shm");
        if !statfs(shm).is_ok_and(|fs| fs.f_type as u32 == MEMORY_FILE_SYSTEMS[0]) {
            eprintln!("SKIPPED: /dev/shm is no tmpfs here");
            return;
        }
        let state = shm.join(format!("ic-test-state-{}", std::process::id()));
        let opened = open(&state, &state).unwrap();
        fs::remove_dir_all(&state).unwrap();
        assert!(opened.in_memory);
    }
}
