//! The client's side of one exchange, over either protocol.

use std::fmt::{self, Display as _};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::config::plan::ClientPlan;
use crate::keepalive::beat::{Reply, Report};
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::talk::{End, Talk};
use crate::keepalive::v1;
use crate::keepalive::wire::{self, Hint, Keys, LINE_1, LINE_3, Second};
use crate::keepalive::work::Orders;
use crate::secret::Secret;

/// Bytes of line 3 that TAB, MAC and LF take.
const SEAL: usize = 46;

/// Why a beat was not answered.
#[derive(Debug)]
pub enum BeatError {
    /// The host of the URI has no address now.
    Unresolved(io::Error),
    /// Nobody took the connection.
    Connect(SocketAddr, io::Error),
    /// The connection broke or the time was over.
    Broken(SocketAddr, io::Error),
    /// The server refuses without proof that it is the server.
    Hinted(Hint),
    /// The server speaks only protocol 1.
    OldServer,
    /// What came is no answer of a heartbeat server.
    Foreign,
    /// Line 4 has no good MAC: the other side does not hold the key.
    NotGenuine,
    /// `server_name` names another server.
    OtherServer(String),
    /// The server holds the key and refuses: the code.
    Refused(String),
}

impl BeatError {
    /// Whether other addresses of the same name need not be asked any more.
    pub fn is_final(&self) -> bool {
        matches!(self, BeatError::Refused(_))
    }

    /// Whether the other side is not the server that is meant: it lacks the key, or has another name.
    pub fn is_forged(&self) -> bool {
        matches!(self, BeatError::NotGenuine | BeatError::OtherServer(_))
    }

    /// What this says of the address that was asked: `true` if a server is there, `false` if none that is of use.
    pub fn verdict(&self) -> Option<bool> {
        match self {
            BeatError::Refused(_) => Some(true),
            // It may be the key that is wrong, or the moment.
            BeatError::Hinted(_) | BeatError::OldServer | BeatError::Unresolved(_) => None,
            BeatError::Connect(..) | BeatError::Broken(..) | BeatError::Foreign => Some(false),
            BeatError::NotGenuine | BeatError::OtherServer(_) => Some(false),
        }
    }

    /// Whether somebody answered at all.
    pub fn was_answered(&self) -> bool {
        !matches!(self, BeatError::Unresolved(_) | BeatError::Connect(..) | BeatError::Broken(..))
    }
}

impl fmt::Display for BeatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, middle, after): (_, &dyn fmt::Display, _) = match self {
            BeatError::Unresolved(e) => ("cannot resolve the server: ", e, ""),
            BeatError::Connect(to, e) => return at("cannot connect to ", *to, e, f),
            BeatError::Broken(to, e) => return at("no answer from ", *to, e, f),
            BeatError::Hinted(Hint::Denied) => ("denied: the server does not accept this user and key", &"", ""),
            BeatError::Hinted(Hint::Version) => ("the server does not speak this protocol", &"", ""),
            BeatError::Hinted(Hint::Busy) => ("the server is busy", &"", ""),
            BeatError::OldServer => ("the server speaks protocol 1 only (protocol = 1 in [keepalive.client])", &"", ""),
            BeatError::Foreign => ("the answer is not that of a heartbeat server", &"", ""),
            BeatError::NotGenuine => ("server not genuine: it does not hold the key", &"", ""),
            BeatError::OtherServer(name) => ("the server calls itself ", name, ", which server_name does not allow"),
            BeatError::Refused(code) => ("refused: ", code, ""),
        };
        f.write_str(before)?;
        middle.fmt(f)?;
        f.write_str(after)
    }
}

fn at(what: &str, to: SocketAddr, e: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(what)?;
    to.fmt(f)?;
    f.write_str(": ")?;
    match e.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => f.write_str("timed out"),
        ErrorKind::UnexpectedEof => f.write_str("connection closed"),
        _ => e.fmt(f),
    }
}

/// An answer to a beat that counts.
#[derive(Debug)]
pub struct Answered {
    /// What the server calls itself. Over protocol 1 nothing proves it.
    pub server: String,
    /// When the server wants the next beat.
    pub next: Option<Duration>,
    /// For how long this host's work stays its own.
    pub lease: Duration,
    /// What this host's agent is to do.
    pub orders: Option<Orders>,
}

/// A server to beat to, with all that is made once.
pub struct Target {
    keys: Option<Keys>,
    user: String,
    key_as_written: Secret,
    server_name: Option<String>,
}

impl Target {
    /// The server of `plan`.
    pub fn new(plan: &ClientPlan) -> Target {
        let keys = || Keys::new(plan.uri.key.reveal().as_bytes());
        Target {
            keys: (plan.protocol != 1).then(keys),
            user: plan.uri.user.clone(),
            key_as_written: plan.uri.key_as_written.clone(),
            server_name: plan.server_name.clone(),
        }
    }

    /// Sends one report for `name` to `address` and reads the answer, all before `deadline`.
    ///
    /// # Errors
    /// When the answer is not a good one, or there is none.
    pub fn ask(
        &self,
        address: SocketAddr,
        name: &str,
        report: &mut Report,
        deadline: Tick,
    ) -> Result<Answered, BeatError> {
        let socket = connect(address, deadline).map_err(|e| BeatError::Connect(address, e))?;
        let mut talk = Talk::new(&socket, deadline);
        let broken = |e| BeatError::Broken(address, e);
        match &self.keys {
            Some(keys) => self.ask_2(&mut talk, keys, name, report, &broken),
            None => self.ask_1(&mut talk, name, report, &broken),
        }
    }

    fn ask_2(
        &self,
        talk: &mut Talk<'_>,
        keys: &Keys,
        name: &str,
        report: &mut Report,
        broken: &dyn Fn(io::Error) -> BeatError,
    ) -> Result<Answered, BeatError> {
        let mut cn = [0; wire::NONCE];
        getrandom::fill(&mut cn).map_err(|_| broken(ErrorKind::Other.into()))?;
        let line1 = wire::hello(&self.user, name, &cn);
        talk.send(&line1).map_err(broken)?;

        let (place, end) = talk.line(LINE_1).map_err(broken)?;
        let line2 = talk.text(place).to_vec();
        if end != End::Lf {
            return Err(match v1::read_answer(&line2) {
                _ if line2.is_empty() => broken(ErrorKind::UnexpectedEof.into()),
                v1::Answer::Foreign => BeatError::Foreign,
                v1::Answer::Name(_) | v1::Answer::Unauthorized | v1::Answer::Invalid => BeatError::OldServer,
            });
        }
        let server = match wire::read_second(&line2) {
            Second::Challenge(server) => server,
            Second::Refused(hint) => return Err(BeatError::Hinted(hint)),
            Second::Malformed => return Err(BeatError::Foreign),
        };
        if self.server_name.as_ref().is_some_and(|pinned| *pinned != server) {
            return Err(BeatError::OtherServer(server));
        }

        let line1 = line1.trim_ascii_end();
        let line3 = keys.seal_report(line1, &line2, body(report));
        talk.send(&line3).map_err(broken)?;
        let (place, end) = talk.line(LINE_3).map_err(broken)?;
        let line4 = talk.text(place);
        if end == End::Stream {
            // Cut off on its way: that proves nothing against the server.
            return Err(broken(ErrorKind::UnexpectedEof.into()));
        }
        let line3 = line3.strip_suffix(b"\n").unwrap_or(&line3);
        let Some(body) = keys.open_reply(line1, &line2, line3, line4).filter(|_| end == End::Lf) else {
            return Err(match wire::read_second(line4) {
                Second::Refused(hint) => BeatError::Hinted(hint),
                Second::Challenge(_) | Second::Malformed => BeatError::NotGenuine,
            });
        };
        match wire::read_reply(body) {
            Some(Reply { ok: true, next, lease, .. }) => {
                // A number that is no time is no wish.
                let time = |ms: Option<i64>| ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
                let speaks = cfg!(feature = "jobs") && report.data.work.is_some();
                let orders = if speaks { Orders::read(body) } else { None };
                Ok(Answered { server, next: time(next), lease: time(lease).unwrap_or_default(), orders })
            }
            Some(Reply { err, .. }) => Err(BeatError::Refused(code(err))),
            None => Err(BeatError::Foreign),
        }
    }

    fn ask_1(
        &self,
        talk: &mut Talk<'_>,
        name: &str,
        report: &Report,
        broken: &dyn Fn(io::Error) -> BeatError,
    ) -> Result<Answered, BeatError> {
        let note = report.data.readings.as_ref().map_or("", |readings| &*readings.note);
        talk.send(&v1::message(&self.key_as_written, name, note)).map_err(broken)?;
        // The answer holds the key: it goes nowhere.
        let bytes = talk.rest(v1::ANSWER).map_err(|e| match e.kind() {
            ErrorKind::InvalidData => BeatError::Foreign,
            _ => broken(e),
        })?;
        match v1::read_answer(bytes) {
            v1::Answer::Name(server) if name_is_valid(&server) => Ok(unproved(server)),
            v1::Answer::Name(_) => Ok(unproved("?".to_owned())),
            v1::Answer::Unauthorized => Err(BeatError::Hinted(Hint::Denied)),
            v1::Answer::Invalid => Err(BeatError::Hinted(Hint::Version)),
            v1::Answer::Foreign if bytes.is_empty() => Err(broken(ErrorKind::UnexpectedEof.into())),
            v1::Answer::Foreign => Err(match wire::read_second(bytes.trim_ascii_end()) {
                Second::Refused(hint) => BeatError::Hinted(hint),
                Second::Challenge(_) | Second::Malformed => BeatError::Foreign,
            }),
        }
    }
}

/// An answer over protocol 1, which orders nothing.
fn unproved(server: String) -> Answered {
    Answered { server, next: None, lease: Duration::ZERO, orders: None }
}

fn connect(address: SocketAddr, deadline: Tick) -> io::Result<TcpStream> {
    let left = |deadline: Tick| match deadline.since(clock::tick()) {
        Duration::ZERO => Err(io::Error::from(ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let socket = TcpStream::connect_timeout(&address, left(deadline)?)?;
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(left(deadline)?))?;
    Ok(socket)
}

/// The body of line 3. If it is too long, the oldest notices stay behind: the beat must get through.
fn body(report: &mut Report) -> Vec<u8> {
    loop {
        let body = report.to_json();
        if body.len() <= LINE_3 - SEAL || report.data.notices.is_empty() {
            return body;
        }
        report.data.notices.remove(0);
    }
}

/// The code of a refusal, as far as it can be shown.
fn code(err: Option<String>) -> String {
    let plain = |code: &String| code.len() <= 32 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    err.filter(plain).unwrap_or_else(|| "without a reason".to_owned())
}
