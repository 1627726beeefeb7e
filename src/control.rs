//! The local Unix socket that the commands talk to: one request line, one answer, close.
//!
//! A request is a line of at most 24 KiB: a word and its argument. The answer is text up to the end of the stream;
//! its first line is `ok EXITCODE` or `error: …`. Whoever may open the socket (mode 0600) may ask.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket, shutdown, socket_with,
};

use crate::clock::{self, Tick};
use crate::run::state;
use crate::run::threads::Stop;

/// Bytes of a request: what `send` says as JSON, in which every byte may take two.
const MAX_REQUEST: usize = 24 * 1024;
/// Code of the answer to `send`, and to `sent`: it is being told, ask again.
pub const UNDECIDED: u8 = 250;
/// Code of the answer to `send`: the same, and it is not on disk; to be asked with all of it again.
pub const UNSAVED: u8 = 252;
/// Code of the answer to `send`: the daemon is ending and has not taken it.
pub const ENDING: u8 = 251;
/// Bytes of an answer: 10,000 hosts at some 600 bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// For a whole request, and for a whole answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for want of something.
const PAUSE: Duration = Duration::from_millis(100);

/// What the daemon answers: the command's exit code and its output, or why it refuses.
pub type Answer = Result<(u8, String), String>;

/// Binds the socket at `path`, which only the owner may open. A socket that nobody listens on any more is replaced.
///
/// # Errors
/// When the folder or the socket cannot be made, when another daemon listens there (it works on another state
/// directory: the caller holds the lock of this one), or when something else than a socket is there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        state::make(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::other("is there already, and is no socket"));
        }
        Ok(_) => match connect(path) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => fs::remove_file(path)?,
            _ => return Err(io::Error::other("another daemon listens there")),
        },
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects without waiting: a daemon that was stopped takes no connections once its queue is full.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect_socket(&socket, &address)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Answers requests, one after the other, until the end: see [`close`]. Only the owner and root can hold others up, 10 s
/// at most.
pub fn serve(listener: &UnixListener, stop: &Stop, answer: &mut dyn FnMut(&str, &str) -> Answer) {
    while !stop.is_stopped() {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(error) = exchange(&stream, answer) {
                    log::debug!("control: {error}");
                }
            }
            // For want of a descriptor; whoever waits is answered later.
            Err(error) => {
                log::debug!("control: {error}");
                stop.wait(PAUSE);
            }
        }
    }
}

/// Ends [`serve`], which waits for a request as long as none comes. Call it after [`Stop::stop`].
pub fn close(listener: &UnixListener) {
    // On Linux this ends a wait for a connection; whoever is being answered is not concerned.
    if let Err(error) = shutdown(listener, Shutdown::Both) {
        log::debug!("control: {error}");
    }
}

fn exchange(stream: &UnixStream, answer: &mut dyn FnMut(&str, &str) -> Answer) -> io::Result<()> {
    let until = clock::tick() + DEADLINE;
    let mut request = vec![0; MAX_REQUEST];
    let mut len = 0;
    let line = loop {
        stream.set_read_timeout(Some(left(until)?))?;
        let read = match (&mut &*stream).read(&mut request[len..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        len += read;
        if let Some(end) = request[..len].iter().position(|byte| *byte == b'\n') {
            break &request[..end];
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let line = String::from_utf8_lossy(line);
    let (word, argument) = line.split_once(' ').unwrap_or((&line, ""));
    let text = match answer(word, argument) {
        Ok((code, text)) => format!("ok {code}\n{text}"),
        Err(error) => format!("error: {error}\n"),
    };
    let until = clock::tick() + DEADLINE;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match (&mut &*stream).write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Time until `until`, which is not over.
fn left(until: Tick) -> io::Result<Duration> {
    match until.since(clock::tick()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
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
pub fn ask(path: &Path, request: &str) -> Result<(u8, String), AskError> {
    let mut stream = connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::Denied(error),
        io::ErrorKind::WouldBlock => AskError::Broken(io::Error::other("it takes no more requests")),
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
    let Some((line, text)) = answer.split_once('\n') else {
        return Err(AskError::Broken(io::ErrorKind::UnexpectedEof.into()));
    };
    match line.strip_prefix("ok ").and_then(|code| code.parse().ok()) {
        Some(code) => Ok((code, text.to_owned())),
        None => Err(AskError::Refused(line.trim_start_matches("error: ").to_owned())),
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
        let ours = listener.try_clone().unwrap();
        let stop = Stop::default();
        let inside = stop.clone();
        let server = spawn("control", SMALL_STACK, move || {
            serve(&listener, &inside, &mut |word, rest| {
                if word == "echo" { Ok((0, rest.into())) } else { Err("no".into()) }
            });
        })
        .unwrap();
        assert_eq!(ask(&path, "echo a b").unwrap(), (0, "a b".into()));
        assert!(matches!(ask(&path, "else"), Err(AskError::Refused(why)) if why == "no"));
        let mut broken = UnixStream::connect(&path).unwrap();
        broken.write_all(&[b'x'; 2 * MAX_REQUEST]).ok();
        let mut rest = String::new();
        let _ = broken.read_to_string(&mut rest);
        assert_eq!(rest, "");
        stop.stop();
        assert!(!server.is_finished());
        close(&ours);
        server.join().unwrap();
        assert!(matches!(ask(&folder.join("none"), "echo"), Err(AskError::NoDaemon(_))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_a_dead_socket_is_replaced() {
        let folder = std::env::temp_dir().join(format!("ic-control-bind-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("control");
        fs::write(&path, "precious").unwrap();
        assert!(bind(&path).unwrap_err().to_string().contains("no socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let first = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bind(&path).unwrap_err().to_string().contains("another daemon"));
        // A daemon that takes nobody off its queue holds nobody up.
        let mut waiting = Vec::new();
        while let Ok(stream) = connect(&path) {
            waiting.push(stream);
            assert!(waiting.len() < 10_000);
        }
        assert!(matches!(ask(&path, "status"), Err(AskError::Broken(_))));
        assert!(bind(&path).unwrap_err().to_string().contains("another daemon"));
        drop(first);
        bind(&path).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
