//! Who may have a connection. Strangers have half of the slots, one source that is not this machine has half of them too;
//! whoever wants more does so at the cost of a connection that waits for nothing, or of the oldest stranger's. Pure.

use std::time::Duration;

use crate::clock::Tick;
use crate::keepalive::admission::Source;

/// Connections at a time.
pub const MAX_CONNECTIONS: usize = 32;
/// Those that one source off this machine may have, and that strangers may have together.
const HALF: usize = MAX_CONNECTIONS / 2;
/// Closed connections whose threads have not ended yet. They are not counted among the slots.
const MAX_CLOSING: usize = 16;
/// How long a source stays known after it last proved that it holds a secret.
pub const KNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

/// What a connection is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// It was answered, and nothing more has come.
    Idle,
    /// A request is on its way.
    Reading,
    /// It is being answered.
    Answering,
    /// It was told to close.
    Closing,
}

struct Conn<S> {
    id: u32,
    source: Source,
    known: bool,
    doing: Doing,
    /// Since when it does that.
    since: Tick,
    socket: S,
}

/// What to do with a new connection.
#[derive(PartialEq, Eq, Debug)]
pub enum Verdict<S> {
    /// Serve it.
    Admit(u32),
    /// Serve it, and close this one.
    AdmitAndClose(u32, S),
    /// Turn it away.
    Busy,
}

/// All connections. `S` is a cheap handle of a socket.
pub struct Door<S> {
    next: u32,
    /// In the order of their arrival; at most [`MAX_CONNECTIONS`] + [`MAX_CLOSING`].
    conns: Vec<Conn<S>>,
}

impl<S> Default for Door<S> {
    fn default() -> Door<S> {
        Door { next: 0, conns: Vec::new() }
    }
}

impl<S: Clone> Door<S> {
    /// Decides about a new connection; `own`: it comes from this machine.
    pub fn arrived(&mut self, source: Source, (known, own): (bool, bool), socket: &S, now: Tick) -> Verdict<S> {
        let count = |which: &dyn Fn(&Conn<S>) -> bool| {
            self.conns.iter().filter(|conn| conn.doing != Doing::Closing && which(conn)).count()
        };
        let greedy = !own && count(&|conn| conn.source == source) >= HALF;
        let strange = !known && count(&|conn| !conn.known) >= HALF;
        let full = count(&|_| true) >= MAX_CONNECTIONS;
        if !(greedy || strange || full) {
            return Verdict::Admit(self.add(source, known, socket, now));
        }
        if self.conns.iter().filter(|conn| conn.doing == Doing::Closing).count() >= MAX_CLOSING {
            return Verdict::Busy;
        }
        let mut best: Option<usize> = None;
        for (at, conn) in self.conns.iter().enumerate() {
            let may = match conn.doing {
                Doing::Idle => true,
                Doing::Reading => !conn.known,
                Doing::Answering | Doing::Closing => false,
            };
            let concerned = (!greedy || conn.source == source) && (!strange || !conn.known);
            let rank = |conn: &Conn<S>| (conn.doing != Doing::Idle, conn.since);
            if may && concerned && best.and_then(|best| self.conns.get(best)).is_none_or(|best| rank(conn) < rank(best))
            {
                best = Some(at);
            }
        }
        let Some(gone) = best.and_then(|best| self.conns.get_mut(best)) else { return Verdict::Busy };
        gone.doing = Doing::Closing;
        let gone = gone.socket.clone();
        Verdict::AdmitAndClose(self.add(source, known, socket, now), gone)
    }

    /// A connection goes on to something else; `false` if it is to close.
    pub fn turned(&mut self, id: u32, doing: Doing, now: Tick) -> bool {
        let Some(conn) = self.conns.iter_mut().find(|conn| conn.id == id) else { return false };
        if conn.doing == Doing::Closing {
            return false;
        }
        (conn.doing, conn.since) = (doing, now);
        true
    }

    /// What comes from `source` is no stranger's: it has shown a secret.
    pub fn proved(&mut self, source: Source) {
        self.conns.iter_mut().filter(|conn| conn.source == source).for_each(|conn| conn.known = true);
    }

    /// The thread of a connection has ended.
    pub fn closed(&mut self, id: u32) {
        self.conns.retain(|conn| conn.id != id);
    }

    /// All sockets.
    pub fn sockets(&self) -> Vec<S> {
        self.conns.iter().map(|conn| conn.socket.clone()).collect()
    }

    fn add(&mut self, source: Source, known: bool, socket: &S, now: Tick) -> u32 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.conns.push(Conn { id, source, known, doing: Doing::Reading, since: now, socket: socket.clone() });
        id
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn v4(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn id<S>(verdict: &Verdict<S>) -> Option<u32> {
        match verdict {
            Verdict::Admit(id) | Verdict::AdmitAndClose(id, _) => Some(*id),
            Verdict::Busy => None,
        }
    }

    const STRANGER: (bool, bool) = (false, false);
    const KNOWN: (bool, bool) = (true, false);
    const OWN: (bool, bool) = (true, true);

    #[test]
    fn strangers_have_half_and_who_waits_for_nothing_goes_first() {
        let mut door = Door::default();
        for n in 0..16 {
            assert_eq!(door.arrived(v4(n), STRANGER, &n, Tick(n.into())), Verdict::Admit(n.into()));
        }
        assert_eq!(door.arrived(v4(50), STRANGER, &50, Tick(20)), Verdict::AdmitAndClose(16, 0), "the oldest");
        assert!(!door.turned(0, Doing::Answering, Tick(20)), "it is to close");
        assert!(door.turned(9, Doing::Idle, Tick(21)));
        assert_eq!(door.arrived(v4(51), STRANGER, &51, Tick(22)), Verdict::AdmitAndClose(17, 9));
        // What is being answered is not broken off.
        for id in (1..18).filter(|id| *id != 9) {
            assert!(door.turned(id, Doing::Answering, Tick(23)));
        }
        assert_eq!(door.arrived(v4(52), STRANGER, &52, Tick(24)), Verdict::Busy);
        assert_eq!(door.arrived(v4(53), KNOWN, &53, Tick(24)), Verdict::Admit(18));
        door.proved(v4(5));
        assert_eq!(door.arrived(v4(52), STRANGER, &52, Tick(25)), Verdict::Admit(19));
    }

    #[test]
    fn a_source_has_half_unless_it_is_this_machine() {
        let mut door = Door::default();
        for n in 0..16_u8 {
            assert!(id(&door.arrived(v4(1), KNOWN, &n, Tick(0))).is_some());
        }
        assert_eq!(door.arrived(v4(1), KNOWN, &99, Tick(1)), Verdict::Busy, "its requests are on their way");
        assert!(door.turned(3, Doing::Idle, Tick(1)));
        assert_eq!(door.arrived(v4(1), KNOWN, &99, Tick(2)), Verdict::AdmitAndClose(16, 3));
        let mut door = Door::default();
        for n in 0..32_u8 {
            assert!(id(&door.arrived(v4(1), OWN, &n, Tick(0))).is_some());
        }
        assert_eq!(door.arrived(v4(1), OWN, &99, Tick(1)), Verdict::Busy);
        assert!(door.turned(3, Doing::Idle, Tick(1)));
        assert_eq!(door.arrived(v4(2), KNOWN, &99, Tick(2)), Verdict::AdmitAndClose(32, 3));
    }

    #[test]
    fn threads_that_have_not_ended_are_bounded() {
        let mut door = Door::default();
        let admitted = (0..1000).filter(|n| id(&door.arrived(v4(1), STRANGER, n, Tick(0))).is_some()).count();
        assert_eq!((admitted, door.sockets().len()), (HALF + MAX_CLOSING, HALF + MAX_CLOSING));
        door.closed(0);
        assert!(id(&door.arrived(v4(1), STRANGER, &0, Tick(0))).is_some());
    }
}
