//! Secrets: in the file itself, in a file of their own, or in the environment.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use toml::de::DeValue;

use crate::clock;
use crate::config::problem::quoted;
use crate::config::table::{Item, MAX_TEXT};
use crate::secret::Secret;

/// For everything that comes out of a pipe.
const PIPE_DEADLINE: Duration = Duration::from_secs(10);
/// Permission bit: everyone may read.
const READABLE_BY_ALL: u32 = 0o004;

impl Item<'_> {
    /// A secret: text, `{ file = "…" }` or `{ env = "…" }`, of at most [`MAX_TEXT`] bytes. One line feed at the end of
    /// a file is not part of it. Neither file nor variable may be empty: an open server must be written as `""`.
    pub fn secret(&self) -> Option<Secret> {
        match self.value {
            DeValue::String(_) => {
                let text = self.text()?;
                if !text.is_empty() {
                    self.report.holds_secret.set(true);
                }
                Some(Secret::new(text))
            }
            DeValue::Table(_) => self.secret_elsewhere(),
            _ => self.wrong_type("text in quotes, { file = \"…\" } or { env = \"…\" }"),
        }
    }

    fn secret_elsewhere(&self) -> Option<Secret> {
        let mut table = self.table()?;
        let (file, env) = (table.get("file"), table.get("env"));
        table.finish();
        match (file, env) {
            (Some(file), None) => file.secret_file(file.text()?),
            (None, Some(env)) => {
                let name = env.text()?;
                match self.report.env.get(name).map(OsString::into_string) {
                    Some(Ok(text)) if text.len() <= MAX_TEXT => Some(Secret::new(text)),
                    Some(Ok(_)) => env.bad_file("variable ", name, " is longer than 4096 bytes"),
                    Some(Err(_)) => env.bad_file("variable ", name, " is not UTF-8"),
                    None if name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') => {
                        env.bad_file("variable ", name, " is not set or empty")
                    }
                    // It may be the secret itself, in the place of its place.
                    None => env.bad("no such variable is set; this is the name of one, not the secret"),
                }
            }
            _ => self.bad("must be either { file = \"…\" } or { env = \"…\" }"),
        }
    }

    fn secret_file(&self, name: &str) -> Option<Secret> {
        let (path, handed_over) = self.secret_path(name);
        let shown = path.to_string_lossy();
        let (bytes, open) = match read_capped(&path, MAX_TEXT) {
            Ok(read) => read,
            Err(error) => return self.bad_file("cannot read ", &shown, &[": ", &error.to_string()].concat()),
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return self.bad_file("", &shown, " is not UTF-8");
        };
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return self.bad_file("", &shown, " is empty");
        }
        if open && !handed_over {
            self.warn(&[&quoted(&shown), " is readable by everyone: chmod 600"].concat());
        }
        Some(Secret::new(text))
    }

    fn bad_file(&self, before: &str, name: &str, after: &str) -> Option<Secret> {
        self.bad(&[before, &quoted(name), after].concat())
    }

    /// A relative name is looked up in `CREDENTIALS_DIRECTORY` first, then beside the configuration file. True if the
    /// service manager or the container runtime put it there, which set the mode.
    fn secret_path(&self, name: &str) -> (PathBuf, bool) {
        let path = Path::new(name);
        if path.is_absolute() {
            return (path.to_owned(), name.starts_with("/run/secrets/") || name.starts_with("/run/credentials/"));
        }
        if let Some(path) = self.report.env.credentials().map(|folder| folder.join(name))
            && path.exists()
        {
            return (path, true);
        }
        (self.report.folder().join(path), false)
    }
}

/// The bytes of a file, and whether everyone may read it. A pipe (`<(pass show key)` in a shell) may take its time, but
/// not for ever.
///
/// # Errors
/// When it cannot be read, is a folder, has more than `max` bytes, or is a pipe into which nobody writes.
pub fn read_capped(path: &Path, max: usize) -> io::Result<(Vec<u8>, bool)> {
    // Otherwise opening a pipe would wait for its other end.
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
    let meta = file.metadata()?;
    let mut bytes = Vec::new();
    if meta.is_file() {
        file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    } else {
        let until = clock::tick() + PIPE_DEADLINE;
        let mut part = [0; 1024];
        while bytes.len() <= max {
            let left = until.since(clock::tick());
            let wait = Timespec::try_from(left).map_err(io::Error::other)?;
            let ready =
                if left.is_zero() { Ok(0) } else { poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&wait)) };
            match ready {
                Ok(0) => return Err(io::Error::other("nobody writes into it")),
                // A signal says nothing of the file.
                Err(Errno::INTR) => continue,
                ready => ready?,
            };
            match file.read(&mut part) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    if bytes.len() > max {
        return Err(io::Error::other(format!("it has more than {max} bytes")));
    }
    Ok((bytes, meta.is_file() && meta.mode() & READABLE_BY_ALL != 0))
}
