//! A socket with one deadline for all that is said over it, and lines cut out of what arrives.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use crate::clock::{self, Tick};

/// Bytes that are read at once; holds a usual exchange whole.
const CHUNK: usize = 2048;

/// What ended a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// An LF, which is not part of the line.
    Lf,
    /// The other side said all it had to say.
    Stream,
    /// The limit: that many bytes came without an LF.
    Full,
}

/// One exchange over `socket`. What was read stays, since MACs are over lines as they came.
pub struct Talk<'a> {
    socket: &'a TcpStream,
    deadline: Tick,
    buffer: Vec<u8>,
    filled: usize,
    taken: usize,
}

impl<'a> Talk<'a> {
    /// A talk that ends at `deadline` at the latest. The socket has a write time-out already.
    pub fn new(socket: &'a TcpStream, deadline: Tick) -> Talk<'a> {
        Talk { socket, deadline, buffer: vec![0; CHUNK], filled: 0, taken: 0 }
    }

    /// Reads until an LF among the next `limit` bytes, until there are `limit` bytes, or to the end of the stream.
    /// Gives the line's place for [`Talk::text`].
    ///
    /// # Errors
    /// When the deadline passes or the connection breaks.
    pub fn line(&mut self, limit: usize) -> io::Result<(Range<usize>, End)> {
        let start = self.taken;
        let most = start.saturating_add(limit);
        let mut looked = start;
        loop {
            let seen = self.filled.min(most);
            let fresh = self.buffer.get(looked..seen).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                self.taken = looked + at + 1;
                return Ok((start..looked + at, End::Lf));
            }
            looked = seen;
            if seen == most {
                self.taken = most;
                return Ok((start..most, End::Full));
            }
            if self.read(most)? == 0 {
                self.taken = self.filled;
                return Ok((start..self.filled, End::Stream));
            }
        }
    }

    /// Reads to the end of the stream, at most `cap` bytes.
    ///
    /// # Errors
    /// When the deadline passes, the connection breaks, or more than `cap` bytes come.
    pub fn rest(&mut self, cap: usize) -> io::Result<&[u8]> {
        let most = self.taken.saturating_add(cap + 1);
        while self.filled < most {
            if self.read(most)? == 0 {
                return Ok(self.text(self.taken..self.filled));
            }
        }
        Err(ErrorKind::InvalidData.into())
    }

    /// Bytes that [`Talk::line`] found.
    pub fn text(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    /// Sends all of `bytes`, normally with one write.
    ///
    /// # Errors
    /// When the connection breaks or takes nothing for as long as its write time-out.
    #[inline(never)]
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = self.socket;
        socket.write_all(bytes)
    }

    /// Says that nothing more will come, and lets what is still on its way arrive: closing a socket with unread bytes
    /// would reset the connection and could take the answer with it. At most `cap` bytes and `time`.
    pub fn linger(&mut self, cap: usize, time: Duration) {
        self.deadline = self.deadline.min(clock::tick() + time);
        self.taken = 0;
        self.filled = 0;
        if self.socket.shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        let mut left = cap;
        while let Ok(n @ 1..) = self.read(CHUNK) {
            self.filled = 0;
            left = left.saturating_sub(n);
            if left == 0 {
                return;
            }
        }
    }

    /// One read of what fits below `most`; 0 at the end of the stream.
    fn read(&mut self, most: usize) -> io::Result<usize> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(most.max(CHUNK), 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let mut socket = self.socket;
        loop {
            let left = self.deadline.since(clock::tick());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(Some(left))?;
            match socket.read(room) {
                Ok(n) => {
                    self.filled += n;
                    return Ok(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                Err(e) => return Err(e),
            }
        }
    }
}
