//! The local Unix socket that the commands talk to: one request line, one answer, close.
//!
//! A request is a line of at most 1 KiB: a word and its argument. The answer is text up to the end of the stream;
//! its first line is `ok` or `error: …`. Whoever may open the socket (mode 0600) may ask.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock;
use crate::run::threads::Stop;

/// Bytes of a request.
const MAX_REQUEST: usize = 1024;
/// Bytes of an answer: 10,000 hosts at some 600 bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// For a whole exchange.
const DEADLINE: Duration = Duration::from_secs(5);
/// How soon the thread sees the end of the program.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Binds the socket at `path`, which only the owner may open. A socket that is there already is replaced: the
/// caller holds the lock of the state directory, so nobody else listens on it.
///
/// # Errors
/// When the folder or the socket cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers requests, one after the other, until the end.
pub fn serve(listener: &UnixListener, stop: &Stop, mut answer: impl FnMut(&str, &str) -> Result<String, String>) {
    while !stop.is_stopped() {
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&LOOK)), Ok(1..)) {
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(error) = exchange(&stream, &mut answer) {
                    log::debug!("control: {error}");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                log::debug!("control: {error}");
                stop.wait(Duration::from_millis(100));
            }
        }
    }
}

fn exchange(stream: &UnixStream, answer: &mut impl FnMut(&str, &str) -> Result<String, String>) -> io::Result<()> {
    let until = clock::tick() + DEADLINE;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut request = [0; MAX_REQUEST];
    let mut len = 0;
    let line = loop {
        let left = until.since(clock::tick()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        let read = (&mut &*stream).read(&mut request[len..])?;
        len += read;
        if let Some(end) = request[..len].iter().position(|byte| *byte == b'\n') {
            break &request[..end];
        }
        if read == 0 || until <= clock::tick() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let line = String::from_utf8_lossy(line);
    let (word, argument) = line.split_once(' ').unwrap_or((&line, ""));
    let text = match answer(word, argument) {
        Ok(text) => format!("ok\n{text}"),
        Err(error) => format!("error: {error}\n"),
    };
    (&mut &*stream).write_all(text.as_bytes())
}

/// Why a command got no answer.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens at that path.
    NoDaemon(io::Error),
    /// The socket belongs to somebody else.
    Denied(io::Error),
    /// The daemon refused, in its words.
    Refused(String),
    /// It did not answer in time, or broke off.
    Broken(io::Error),
}

/// Asks the daemon behind `path` and returns its answer.
///
/// # Errors
/// When there is none.
pub fn ask(path: &Path, request: &str) -> Result<String, AskError> {
    let mut stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::Denied(error),
        _ => AskError::NoDaemon(error),
    })?;
    let answer = (|| {
        stream.set_write_timeout(Some(DEADLINE))?;
        // Longer than the daemon's own deadlines, the goodbye of `leave` among them.
        stream.set_read_timeout(Some(2 * DEADLINE))?;
        stream.write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        Ok(answer)
    })()
    .map_err(AskError::Broken)?;
    match answer.split_once('\n') {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some((line, _)) => Err(AskError::Refused(line.trim_start_matches("error: ").to_owned())),
        None => Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::threads::{SMALL_STACK, spawn};

    #[test]
    fn a_request_gets_its_answer_and_a_broken_one_nothing() {
        let folder = std::env::temp_dir().join(format!("ic-control-{}", std::process::id()));
        let path = folder.join("control");
        let listener = bind(&path).unwrap();
        let stop = Stop::default();
        let inside = stop.clone();
        let server = spawn("control", SMALL_STACK, move || {
            serve(&listener, &inside, |word, rest| if word == "echo" { Ok(rest.into()) } else { Err("no".into()) });
        })
        .unwrap();
        assert_eq!(ask(&path, "echo a b").unwrap(), "a b");
        assert!(matches!(ask(&path, "else"), Err(AskError::Refused(why)) if why == "no"));
        let mut broken = UnixStream::connect(&path).unwrap();
        broken.write_all(&[b'x'; 4096]).ok();
        let mut rest = String::new();
        let _ = broken.read_to_string(&mut rest);
        assert_eq!(rest, "");
        stop.stop();
        server.join().unwrap();
        assert!(matches!(ask(&folder.join("none"), "echo"), Err(AskError::NoDaemon(_))));
        fs::remove_dir_all(folder).unwrap();
    }
}
