//! Who may have a connection: strangers never crowd out those who have proved to hold a key.
//!
//! A connection belongs to a *source*: an IPv4 address or an IPv6 /64. A source that authenticated within 24 h is
//! known and may use all slots, up to its own share; strangers have half of the slots together, and when they want
//! more, the oldest stranger goes. What a known source opens beyond its share is parked until one of its connections
//! ends. Pure: it takes the time and sockets as they come and says what to do with them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Tick;

/// How long a source stays known after it last authenticated.
pub const KNOWN_FOR: Duration = Duration::from_secs(24 * 3600);
/// Sources that are remembered.
pub const MAX_SOURCES: usize = 4096;
/// Connections that every known source may have.
pub const SHARE: usize = 16;
/// How long a connection beyond its source's share waits.
pub const PARKED_FOR: Duration = Duration::from_secs(5);
/// Closed strangers whose threads have not ended yet. They are not counted among the slots.
pub const MAX_CLOSING: usize = 16;
/// Hosts counted per source. Twice as many connections are more than there are slots.
const MAX_HOSTS: usize = 128;

/// Where connections come from: whoever has one address of it has all of it. An IPv4 address, also when it came
/// mapped into IPv6, or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Source(u64);

/// Before an IPv4 address. No IPv6 address that speaks TCP begins so: these are multicast.
const V4: u64 = 0xffff_ffff_0000_0000;

impl Source {
    /// This machine itself.
    pub const OWN: Source = Source(V4);

    /// A number that no other source has.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The source that `address` belongs to.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(v4) => Source(V4 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Source((v6.to_bits() >> 64) as u64),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 & V4 == V4 {
            return Ipv4Addr::from_bits(self.0 as u32).fmt(f);
        }
        Ipv6Addr::from_bits(u128::from(self.0) << 64).fmt(f)?;
        f.write_str("/64")
    }
}

/// Names one connection. Never used twice.
pub type ConnId = u64;

/// What to do with a new connection.
#[derive(PartialEq, Eq, Debug)]
pub enum Verdict<S> {
    /// Serve it.
    Admit(ConnId),
    /// Serve it, and close this one, which is another stranger's, or one that was parked.
    AdmitAndClose(ConnId, S),
    /// Kept here until its source has room; [`Admission::unpark`] gives it back.
    Parked,
    /// All slots are in use by known sources: keep it in hand, accept no other, ask again when one ended.
    Wait,
    /// Turn it away: its source has its share and waits enough already.
    Busy,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Known,
    Stranger,
    Parked,
    /// Told to close; its thread has not ended.
    Closing,
}

struct Conn<S> {
    id: ConnId,
    source: Source,
    since: Tick,
    place: Place,
    socket: S,
}

struct Known {
    source: Source,
    last: Tick,
    /// Hosts that were said to live there.
    hosts: usize,
    /// Hashes of the names that beat from there.
    names: Vec<u64>,
}

/// All connections and all known sources. `S` is a cheap handle of a socket.
pub struct Admission<S> {
    cap: usize,
    next: ConnId,
    /// In the order of their arrival; at most `cap` + [`MAX_CLOSING`].
    conns: Vec<Conn<S>>,
    /// In their order; at most [`MAX_SOURCES`].
    sources: Vec<Known>,
}

impl<S: Clone> Admission<S> {
    /// Room for `cap` connections, at least 8.
    pub fn new(cap: usize) -> Admission<S> {
        Admission { cap: cap.max(8), next: 0, conns: Vec::new(), sources: Vec::new() }
    }

    /// Decides about a new connection.
    pub fn arrived(&mut self, source: Source, socket: &S, now: Tick) -> Verdict<S> {
        let strangers = self.count(Place::Stranger);
        let full = strangers + self.count(Place::Known) + self.count(Place::Parked) >= self.cap;
        let Some(share) = self.share(source, now) else {
            return if full || strangers >= self.cap / 2 {
                self.instead_of(Place::Stranger, source, socket, now)
            } else {
                Verdict::Admit(self.add(source, Place::Stranger, socket, now))
            };
        };
        if self.serving(source) < share {
            return match full {
                false => Verdict::Admit(self.add(source, Place::Known, socket, now)),
                true if strangers > 0 => self.instead_of(Place::Stranger, source, socket, now),
                true => self.instead_of(Place::Parked, source, socket, now),
            };
        }
        if full || self.count(Place::Parked) >= self.cap / 4 {
            return Verdict::Busy;
        }
        self.add(source, Place::Parked, socket, now);
        Verdict::Parked
    }

    /// A connection of `source` has proved to hold a key, and `host` (a hash of its name) counts there.
    pub fn authenticated(&mut self, source: Source, host: Option<u64>, now: Tick) {
        let known = self.touch(source, now);
        if let Some(host) = host
            && known.names.len() < MAX_HOSTS
            && !known.names.contains(&host)
        {
            known.names.push(host);
        }
    }

    /// `source` is known, with `hosts` hosts more behind it: what the roster remembers from before.
    pub fn known(&mut self, source: Source, hosts: usize, now: Tick) {
        self.touch(source, now).hosts += hosts;
    }

    /// The thread of a connection has ended.
    pub fn closed(&mut self, id: ConnId) {
        if let Ok(at) = self.conns.binary_search_by_key(&id, |conn| conn.id) {
            self.conns.remove(at);
        }
    }

    /// A parked connection whose source has room now. It counts as served from here on.
    pub fn unpark(&mut self, now: Tick) -> Option<(ConnId, S)> {
        let ready = |conn: &Conn<S>| {
            conn.place == Place::Parked
                && self.share(conn.source, now).is_none_or(|share| self.serving(conn.source) < share)
        };
        let at = self.conns.iter().position(ready)?;
        let conn = self.conns.get_mut(at)?;
        conn.place = Place::Known;
        Some((conn.id, conn.socket.clone()))
    }

    /// Takes one connection that was parked for too long.
    pub fn expired(&mut self, now: Tick) -> Option<S> {
        let late = |conn: &Conn<S>| conn.place == Place::Parked && now.since(conn.since) >= PARKED_FOR;
        let at = self.conns.iter().position(late)?;
        Some(self.conns.remove(at).socket)
    }

    /// All sockets, to close them at the end.
    pub fn sockets(&self) -> Vec<S> {
        self.conns.iter().map(|conn| conn.socket.clone()).collect()
    }

    /// Connections that have a thread or wait for one.
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    fn count(&self, place: Place) -> usize {
        self.conns.iter().filter(|conn| conn.place == place).count()
    }

    fn serving(&self, source: Source) -> usize {
        self.conns.iter().filter(|conn| conn.source == source && conn.place == Place::Known).count()
    }

    /// Connections that `source` may have; `None` for a stranger.
    fn share(&self, source: Source, now: Tick) -> Option<usize> {
        let known = self.place(source).ok().and_then(|at| self.sources.get(at))?;
        if now.since(known.last) >= KNOWN_FOR {
            return None;
        }
        Some(SHARE.max(2 * known.hosts.max(known.names.len())))
    }

    fn add(&mut self, source: Source, place: Place, socket: &S, now: Tick) -> ConnId {
        let id = self.next;
        self.next += 1;
        self.conns.push(Conn { id, source, since: now, place, socket: socket.clone() });
        id
    }

    /// Admits a connection in place of the oldest stranger or the newest parked one.
    fn instead_of(&mut self, place: Place, source: Source, socket: &S, now: Tick) -> Verdict<S> {
        let mut found = self.conns.iter().enumerate().filter(|(_, conn)| conn.place == place).map(|(at, _)| at);
        let stranger = place == Place::Stranger;
        let Some(at) = (if stranger { found.next() } else { found.next_back() }) else { return Verdict::Wait };
        let gone = if stranger {
            if self.count(Place::Closing) >= MAX_CLOSING {
                return Verdict::Wait;
            }
            let Some(conn) = self.conns.get_mut(at) else { return Verdict::Wait };
            conn.place = Place::Closing;
            conn.socket.clone()
        } else {
            // No thread has it, so nothing has to end first.
            self.conns.remove(at).socket
        };
        let place = if self.share(source, now).is_some() { Place::Known } else { Place::Stranger };
        Verdict::AdmitAndClose(self.add(source, place, socket, now), gone)
    }

    fn place(&self, source: Source) -> Result<usize, usize> {
        self.sources.binary_search_by_key(&source, |known| known.source)
    }

    /// Makes `source` known, and its open connections with it.
    fn touch(&mut self, source: Source, now: Tick) -> &mut Known {
        if self.share(source, now).is_none() {
            if let Ok(at) = self.place(source) {
                // What beat from there more than a day ago may be elsewhere now.
                self.sources.remove(at);
            } else if self.sources.len() >= MAX_SOURCES
                && let Some((oldest, _)) = self.sources.iter().enumerate().min_by_key(|(_, known)| known.last)
            {
                self.sources.remove(oldest);
            }
            for conn in self.conns.iter_mut().filter(|c| c.source == source && c.place == Place::Stranger) {
                conn.place = Place::Known;
            }
        }
        let at = self.place(source).unwrap_or_else(|at| {
            self.sources.insert(at, Known { source, last: now, hosts: 0, names: Vec::new() });
            at
        });
        let known = &mut self.sources[at];
        known.last = now;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: usize = 32;

    fn v4(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn admitted(verdict: &Verdict<u32>) -> Option<ConnId> {
        match verdict {
            Verdict::Admit(id) | Verdict::AdmitAndClose(id, _) => Some(*id),
            Verdict::Parked | Verdict::Wait | Verdict::Busy => None,
        }
    }

    #[test]
    fn sources() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("::ffff:192.0.2.7"), v4(7));
        assert_eq!(of("::ffff:192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(of("2001:db8:0:1::1").to_string(), "2001:db8:0:1::/64");
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::9"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    }

    #[test]
    fn strangers_have_half_and_the_oldest_goes() {
        let mut door = Admission::new(CAP);
        for n in 0..16 {
            assert_eq!(door.arrived(v4(n), &u32::from(n), Tick(1)), Verdict::Admit(n.into()));
        }
        assert_eq!(door.arrived(v4(99), &99, Tick(1)), Verdict::AdmitAndClose(16, 0));
        assert_eq!(door.arrived(v4(99), &98, Tick(1)), Verdict::AdmitAndClose(17, 1));
        // One of them proves itself, which makes room for a stranger.
        door.authenticated(v4(2), None, Tick(2));
        assert_eq!(door.arrived(v4(97), &97, Tick(2)), Verdict::Admit(18));
    }

    #[test]
    fn closed_strangers_may_not_pile_up() {
        let mut door = Admission::new(CAP);
        let verdicts: Vec<_> = (0..16 + MAX_CLOSING + 1).map(|_| door.arrived(v4(1), &0, Tick(1))).collect();
        assert!(matches!(verdicts.last(), Some(Verdict::Wait)));
        assert_eq!(verdicts.iter().filter_map(admitted).count(), 16 + MAX_CLOSING);
        door.closed(0);
        assert!(admitted(&door.arrived(v4(1), &0, Tick(1))).is_some());
    }

    #[test]
    fn a_share_grows_with_the_hosts_and_the_rest_is_parked() {
        let mut door = Admission::new(256);
        door.authenticated(v4(1), Some(1), Tick(0));
        for _ in 0..SHARE {
            assert!(admitted(&door.arrived(v4(1), &0, Tick(0))).is_some());
        }
        assert_eq!(door.arrived(v4(1), &77, Tick(0)), Verdict::Parked);
        assert_eq!(door.unpark(Tick(1)), None);
        // Others are not held up by it.
        assert!(admitted(&door.arrived(v4(2), &0, Tick(1))).is_some());
        for host in 0..9 {
            door.authenticated(v4(1), Some(host), Tick(1));
        }
        assert_eq!(door.unpark(Tick(1)), Some((16, 77)));
        assert!(admitted(&door.arrived(v4(1), &0, Tick(1))).is_some());
        assert_eq!(door.arrived(v4(1), &78, Tick(1)), Verdict::Parked);
        door.closed(3);
        assert_eq!(door.unpark(Tick(2)), Some((19, 78)));
        door.known(v4(1), 200, Tick(2));
        assert!((0..230).all(|_| admitted(&door.arrived(v4(1), &0, Tick(2))).is_some()));
    }

    #[test]
    fn what_is_parked_expires_and_is_bounded() {
        let mut door = Admission::new(CAP);
        door.authenticated(v4(1), None, Tick(0));
        let verdicts: Vec<_> = (0..30).map(|_| door.arrived(v4(1), &0, Tick(0))).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Parked).count(), CAP / 4);
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Busy).count(), 30 - 16 - CAP / 4);
        assert_eq!(door.expired(Tick(4999)), None);
        let gone = std::iter::from_fn(|| door.expired(Tick(5000))).count();
        assert_eq!((gone, door.len()), (CAP / 4, 16));
    }

    #[test]
    fn a_source_is_forgotten_after_a_day_and_the_oldest_when_there_are_too_many() {
        let mut door = Admission::<u32>::new(CAP);
        door.authenticated(v4(1), None, Tick(0));
        assert_eq!(door.share(v4(1), Tick(0) + KNOWN_FOR - Duration::from_millis(1)), Some(SHARE));
        assert_eq!(door.share(v4(1), Tick(0) + KNOWN_FOR), None);
        for n in 0..MAX_SOURCES as u32 {
            door.authenticated(Source(n.into()), None, Tick(1));
        }
        assert_eq!((door.sources.len(), door.share(v4(1), Tick(1))), (MAX_SOURCES, None));
    }

    /// Random arrivals, proofs and ends; after each the promises hold.
    #[test]
    fn nobody_who_is_known_is_turned_away_for_strangers() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let mut refused = 0;
        for round in 0..60 {
            let mut door = Admission::new(CAP);
            let mut live: Vec<ConnId> = Vec::new();
            let mut now = Tick(0);
            for _ in 0..2000 {
                now = now + Duration::from_millis(below(40));
                let source = v4(below(if round % 2 == 0 { 3 } else { 40 }) as u8);
                match below(10) {
                    0..6 => {
                        let (strangers, closing) = (door.count(Place::Stranger), door.count(Place::Closing));
                        let full = door.len() - closing >= CAP;
                        let share = door.share(source, now).filter(|share| door.serving(source) < *share);
                        let verdict = door.arrived(source, &0, now);
                        live.extend(admitted(&verdict));
                        if share.is_some() && admitted(&verdict).is_none() {
                            refused += 1;
                            assert_eq!(verdict, Verdict::Wait);
                            assert!(full && (strangers == 0 || closing == MAX_CLOSING));
                        }
                    }
                    6..9 if !live.is_empty() => {
                        door.closed(live.swap_remove(below(live.len() as u64) as usize));
                        live.extend(door.unpark(now).map(|(id, _)| id));
                        while door.expired(now).is_some() {}
                    }
                    _ => door.authenticated(source, Some(below(30)), now),
                }
                assert!(door.len() - door.count(Place::Closing) <= CAP);
                assert!(door.count(Place::Stranger) <= CAP / 2);
                assert!(door.count(Place::Closing) <= MAX_CLOSING);
                assert!(door.conns.is_sorted_by_key(|conn| conn.id));
            }
        }
        assert!(refused > 0, "the test never filled the server");
    }
}
