//! One connection: requests are read whole and answered, one after the other, each within a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::http::Response;
use crate::http::door::Doing;
use crate::http::parse::{Raw, Reader, Refused, Step};

/// From the first byte of a request, or from the acceptance of its connection, to its last.
pub const REQUEST: Duration = Duration::from_secs(5);
/// How long an answer may take on its way; who reads more slowly is cut off.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How long a connection is kept for another request.
pub const KEPT: Duration = Duration::from_secs(15);
/// Requests of a connection.
pub const MAX_REQUESTS: u32 = 100;
/// How long, and for how many bytes, the end of what is not taken any more is awaited.
const LINGER: (usize, Duration) = (256 * 1024, Duration::from_secs(1));
/// Bytes that are read at once.
const PIECE: usize = 4096;

/// What a connection asks of the listener.
pub trait Listens {
    /// The connection goes on to something else; `false` if it is to end.
    fn turned(&mut self, doing: Doing) -> bool;

    /// Makes the answer.
    fn answer(&mut self, raw: &Raw<'_>) -> Arc<Response>;
}

/// Serves a connection to its end.
///
/// # Errors
/// When it breaks, or the other side is too slow.
pub fn converse(socket: &TcpStream, listener: &mut dyn Listens) -> io::Result<()> {
    let mut reader = Reader::default();
    for number in 1..=MAX_REQUESTS {
        if number > 1 && !await_next(socket, &mut reader, listener)? {
            return Ok(());
        }
        match read(socket, &mut reader)? {
            None => {}
            Some((status, why)) => {
                let refusal = Response::text(status, &[why, "\n"].concat());
                send(socket, &refusal, false, true)?;
                break;
            }
        }
        if !listener.turned(Doing::Answering) {
            return Ok(());
        }
        let (mut response, mut body) = (None, true);
        reader.with(&mut |raw| {
            body = raw.method != "HEAD";
            response = Some(listener.answer(raw));
        });
        let Some(response) = response else { return Ok(()) };
        let last = number == MAX_REQUESTS || response.status == 429;
        let keep = reader.frame().is_some_and(|frame| frame.keep) && !last;
        reader.go_on();
        send(socket, &response, keep, body)?;
        if !keep {
            break;
        }
    }
    // Whoever does not hang up must not hold a place that another one needs.
    if listener.turned(Doing::Idle) {
        linger(socket);
    }
    Ok(())
}

/// Waits for the first byte of another request; `false` if none comes.
fn await_next(socket: &TcpStream, reader: &mut Reader, listener: &mut dyn Listens) -> io::Result<bool> {
    if reader.is_empty() {
        let more = listener.turned(Doing::Idle) && receive(socket, reader, clock::tick() + KEPT)?;
        if !more {
            return Ok(false);
        }
    }
    Ok(listener.turned(Doing::Reading))
}

/// Reads until the request is whole; why it is not taken, if it is not.
fn read(socket: &TcpStream, reader: &mut Reader) -> io::Result<Option<Refused>> {
    let until = clock::tick() + REQUEST;
    let mut told = false;
    loop {
        match reader.step() {
            Step::Whole => return Ok(None),
            Step::Refused(refused) => return Ok(Some(refused)),
            Step::More => {}
        }
        if !told && reader.awaits_word() {
            told = true;
            write(socket, b"HTTP/1.1 100 Continue\r\n\r\n", until)?;
        }
        if !receive(socket, reader, until)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads once; `false` at the end of the stream.
fn receive(mut socket: &TcpStream, reader: &mut Reader, until: Tick) -> io::Result<bool> {
    let mut piece = [0; PIECE];
    loop {
        socket.set_read_timeout(Some(left(until)?))?;
        match socket.read(&mut piece) {
            Ok(count) => {
                reader.push(piece.get(..count).unwrap_or_default());
                return Ok(count > 0);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn send(socket: &TcpStream, response: &Response, keep: bool, body: bool) -> io::Result<()> {
    let until = clock::tick() + ANSWER;
    let mut bytes = response.head(keep, clock::wall());
    let body = if body { &*response.body } else { &[] };
    // Small ones in one packet; large ones are not copied.
    if body.len() <= PIECE {
        bytes.extend_from_slice(body);
        return write(socket, &bytes, until);
    }
    write(socket, &bytes, until)?;
    write(socket, body, until)
}

fn write(mut socket: &TcpStream, mut bytes: &[u8], until: Tick) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.set_write_timeout(Some(left(until)?))?;
        match socket.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says that nothing more will come, and lets what is still on its way arrive: closing a socket with unread bytes would
/// reset the connection and could take the answer with it.
fn linger(mut socket: &TcpStream) {
    let until = clock::tick() + LINGER.1;
    let (mut piece, mut most) = ([0; PIECE], LINGER.0);
    if socket.shutdown(Shutdown::Write).is_err() {
        return;
    }
    while most > 0
        && let Ok(left) = left(until)
        && socket.set_read_timeout(Some(left)).is_ok()
        && let Ok(count @ 1..) = socket.read(&mut piece)
    {
        most = most.saturating_sub(count);
    }
}

/// Time until `until`, which is not over.
fn left(until: Tick) -> io::Result<Duration> {
    match until.since(clock::tick()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}
