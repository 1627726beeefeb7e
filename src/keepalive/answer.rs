//! The server's side of one exchange, over either protocol.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock;
use crate::config::plan::{Auth, ServerPlan};
use crate::keepalive::beat::{Ev, Reply, Report};
use crate::keepalive::heard::{Granted, Heard, Refusal, name_is_valid};
use crate::keepalive::host::fnv;
use crate::keepalive::talk::{End, Talk};
use crate::keepalive::uri::encode_userinfo;
use crate::keepalive::v1::{self, KeyCheck, NoMessage};
use crate::keepalive::wire::{self, First, Hint, Keys, LINE_1, LINE_3};
use crate::keepalive::work::{Beat, Done, Giver, Orders, Says};
use crate::readings::Readings;
use crate::secret::Secret;

/// From the acceptance of a connection to its end.
pub const EXCHANGE: Duration = Duration::from_secs(5);
/// How long, and for how many bytes, the end of a message that was too long is awaited.
const LINGER: (usize, Duration) = (64 * 1024, Duration::from_secs(1));
/// The user whose key is `keepalive.server.key`.
pub const DEFAULT_USER: &str = "default";

/// Takes in what was proved.
pub trait Hear {
    /// A beat or goodbye.
    ///
    /// # Errors
    /// When it does not count.
    fn hear(&mut self, heard: &Heard<'_>) -> Result<Granted, Refusal>;

    /// A beat with the right key and a valid name that is refused whatever the roster says: over protocol 1 though
    /// that is not allowed, or by a user that speaks for `bound` alone.
    fn refused(&mut self, user: &str, name: &str, bound: Option<&str>);

    /// What gives out jobs, if anything does.
    fn giver(&self) -> Option<&dyn Giver> {
        None
    }
}

/// What came of a connection.
#[derive(PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The host counts; a hash of its name.
    Counted(u64),
    /// The key was right, the rest was not: why.
    Refused(&'static str),
    /// Nothing was proved: why.
    Denied(&'static str),
    /// It went away.
    Gone,
}

struct User {
    name: String,
    keys: Keys,
    old: Option<Keys>,
    host: Option<String>,
}

/// What every exchange needs, made once: no beat derives a key.
pub struct Side {
    /// Added to a lease until a host counts as silent.
    pub grace: Duration,
    identity: String,
    auth: Auth,
    period: Duration,
    users: Vec<User>,
    /// Stands in for users that do not exist. Nobody knows its key.
    nobody: Keys,
    check: KeyCheck,
    old_check: Option<KeyCheck>,
    answer: Vec<u8>,
}

impl Side {
    /// The side of the server that calls itself `identity`. `encoded` is `plan.key` as clients of protocol 1 send it.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(plan: &ServerPlan, encoded: &Secret, identity: &str) -> io::Result<Side> {
        let mut random = [0; 64];
        getrandom::fill(&mut random).map_err(|_| ErrorKind::Other)?;
        let (nobody, salt) = random.split_at(32);
        let keys = |key: &Secret| Keys::new(key.reveal().as_bytes());
        let old = plan.old_key.as_ref();
        let mut users =
            vec![User { name: DEFAULT_USER.to_owned(), keys: keys(&plan.key), old: old.map(keys), host: None }];
        let old_check = |old: &Secret| KeyCheck::new(old, &Secret::new(encode_userinfo(old.reveal())), salt);
        for user in &plan.users {
            users.push(User {
                name: user.name.clone(),
                keys: keys(&user.key),
                old: user.old_key.as_ref().map(keys),
                host: user.host.clone(),
            });
        }
        Ok(Side {
            grace: plan.grace,
            identity: identity.to_owned(),
            auth: plan.auth,
            period: plan.period,
            users,
            nobody: Keys::new(nobody),
            check: KeyCheck::new(&plan.key, encoded, salt),
            old_check: old.map(old_check),
            answer: v1::answer(identity),
        })
    }

    /// Holds one exchange, in at most [`EXCHANGE`].
    ///
    /// # Errors
    /// When the time is over or the connection breaks.
    pub fn exchange(&self, socket: &TcpStream, from: SocketAddr, ear: &mut dyn Hear) -> io::Result<Outcome> {
        let mut talk = Talk::new(socket, clock::tick() + EXCHANGE);
        let (line, end) = talk.line(LINE_1)?;
        let (user, name) = match wire::read_first(talk.text(line.clone())) {
            First::Hello(hello) if end == End::Lf => {
                (self.users.iter().find(|user| user.name == hello.user), hello.name)
            }
            First::Hello(_) | First::Malformed => return deny(&mut talk, Hint::Denied, "malformed first line"),
            First::OtherVersion => return deny(&mut talk, Hint::Version, "unknown protocol version"),
            First::Unversioned => {
                let (reply, outcome) = self.old_exchange(talk.text(line), end, from, ear);
                talk.send(reply)?;
                if end == End::Full {
                    talk.linger(LINGER.0, LINGER.1);
                }
                return Ok(outcome);
            }
        };
        let mut sn = [0; wire::NONCE];
        getrandom::fill(&mut sn).map_err(|_| ErrorKind::Other)?;
        let challenge = wire::challenge(&self.identity, &sn);
        talk.send(&challenge)?;

        let (place, end) = talk.line(LINE_3)?;
        match end {
            End::Lf => {}
            End::Stream => return Ok(Outcome::Gone),
            End::Full => {
                let outcome = deny(&mut talk, Hint::Denied, "line too long");
                talk.linger(LINGER.0, LINGER.1);
                return outcome;
            }
        }
        let (line1, line2) = (talk.text(line), challenge.trim_ascii_end());
        let line3 = talk.text(place);
        // An unknown user costs the same time as one with a wrong key.
        let mut keys = user.map_or(&self.nobody, |user| &user.keys);
        let mut body = keys.open_report(line1, line2, line3);
        let mut old_key = false;
        if body.is_none()
            && let Some(old) = user.and_then(|user| user.old.as_ref())
        {
            keys = old;
            body = old.open_report(line1, line2, line3);
            old_key = true;
        }
        let (Some(user), Some(body)) = (user, body) else {
            return deny(&mut talk, Hint::Denied, "wrong key or unknown user");
        };
        let (granted, work) = judge((user, old_key), &name, from, body, ear);
        let line4 = keys.seal_reply(line1, line2, line3, Reply::to_json(granted, &work));
        talk.send(&line4)?;
        Ok(match granted {
            Ok(_) => Outcome::Counted(fnv(name.as_bytes())),
            Err(code) => Outcome::Refused(code),
        })
    }

    /// The answer to a message of protocol 1, or of none.
    fn old_exchange(&self, line: &[u8], end: End, from: SocketAddr, ear: &mut dyn Hear) -> (&[u8], Outcome) {
        let open = self.auth == Auth::Permissive;
        let message = match v1::read_message(line) {
            Ok(message) => message,
            Err(NoMessage::NotText) => return (b"", Outcome::Denied("not a heartbeat")),
            Err(NoMessage::Invalid) => {
                let gone = line.is_empty() && end == End::Stream;
                let outcome = if gone { Outcome::Gone } else { Outcome::Denied("not a heartbeat") };
                return (if open { v1::INVALID } else { Hint::Version.line() }, outcome);
            }
        };
        // Both are looked at: how long it takes says nothing about which one was right.
        let old = self.old_check.as_ref().is_some_and(|check| check.passes(&message));
        let new = self.check.passes(&message);
        let right = new || old;
        let valid = name_is_valid(&message.name);
        if !open {
            // The same answer to a right and to a wrong key: there is nothing to guess with.
            if right && valid {
                ear.refused(DEFAULT_USER, &message.name, None);
            }
            let outcome = if right { Outcome::Refused("protocol 1") } else { Outcome::Denied("protocol 1") };
            return (v1::UNAUTHORIZED, outcome);
        }
        if !right {
            return (v1::UNAUTHORIZED, Outcome::Denied("wrong key"));
        }
        if !valid {
            return (v1::INVALID, Outcome::Refused(Refusal::NameInvalid.code()));
        }
        let mut report = Report::bare(Ev::Beat, self.period);
        report.data.readings = Readings { note: message.note, ..Readings::default() }.some();
        match ear.hear(&Heard {
            user: DEFAULT_USER,
            name: &message.name,
            from,
            protocol: 1,
            old_key: !new,
            report: &report,
        }) {
            Ok(_) => (&self.answer, Outcome::Counted(fnv(message.name.as_bytes()))),
            Err(refusal) => (v1::UNAUTHORIZED, Outcome::Refused(refusal.code())),
        }
    }
}

#[inline(never)]
fn deny(talk: &mut Talk<'_>, hint: Hint, why: &'static str) -> io::Result<Outcome> {
    talk.send(hint.line())?;
    Ok(Outcome::Denied(why))
}

/// The answer to a body whose MAC was right: when the next beat is wanted and the lease, or the code of a refusal; and
/// what the host's agent is to do, as JSON.
fn judge(
    (user, old_key): (&User, bool),
    name: &str,
    from: SocketAddr,
    body: &[u8],
    ear: &mut dyn Hear,
) -> (Result<(i64, i64), &'static str>, String) {
    let refused = |code| (Err(code), String::new());
    let Some(report) = wire::read_report(body) else { return refused("malformed") };
    if !name_is_valid(name) {
        return refused(Refusal::NameInvalid.code());
    }
    if let Some(host) = user.host.as_deref().filter(|host| *host != name) {
        ear.refused(&user.name, name, Some(host));
        return refused(Refusal::NameTaken.code());
    }
    // Jobs go to nobody whose key another host could hold.
    let bound = cfg!(feature = "jobs") && user.host.is_some();
    if report.ev == Ev::Result {
        let done = if bound { Done::read(body) } else { None };
        match (ear.giver(), done) {
            (Some(giver), Some(done)) => giver.done(name, &done),
            _ => return refused("malformed"),
        }
        return (Ok((report.per, 0)), String::new());
    }
    let heard = Heard { user: &user.name, name, from, protocol: 2, old_key, report: &report };
    let granted = match ear.hear(&heard) {
        Ok(granted) => granted,
        Err(refusal) => return refused(refusal.code()),
    };
    let says = if bound { Says::read(body) } else { None };
    let orders = match (ear.giver(), says) {
        (Some(giver), Some(says)) if report.ev == Ev::Beat => {
            let beat = Beat { boot: &report.boot, run: &report.run, seq: report.seq, lease: granted.lease };
            giver.heard(name, &beat, &says)
        }
        (Some(giver), None) if bound && report.ev == Ev::Beat => {
            giver.mute(name);
            Orders::default()
        }
        _ => Orders::default(),
    };
    let work = if !bound || orders.is_empty() { String::new() } else { orders.to_json() };
    (Ok((clock::millis(granted.next).min(report.per), clock::millis(granted.lease))), work)
}
