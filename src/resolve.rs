//! Names to addresses, beside the work: a resolver that hangs delays a caller by at most one second.
//!
//! The system's `getaddrinfo` has no deadline of its own, so it runs in threads of its own, and callers wait for
//! it no longer than they can afford. What it found is kept, so that a dead name server does not silence beats
//! and alerts to hosts that were reached yesterday.

mod anew;
pub mod passive;
pub mod streak;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::run::threads::{HTTP_STACK, lock, spawn};
use passive::Passive;

/// A caller waits no longer than this for a name.
pub const WAIT: Duration = Duration::from_secs(1);
/// For so long a found address is used without asking again.
const FRESH: Duration = Duration::from_secs(60);
/// For so long a found address is used when asking again brings nothing.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);
/// For so long a failure is remembered, so that nobody spins.
const FAILED: Duration = Duration::from_secs(2);
/// Names that are remembered.
const MAX_NAMES: usize = 64;
/// Addresses kept for one name.
const MAX_ADDRESSES: usize = 16;
/// Look-ups at a time.
const MAX_THREADS: usize = 4;
/// Bytes of a name (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;

/// The resolver that beats, polls and channels share.
pub struct Resolver {
    ask: fn(&str) -> io::Result<Vec<IpAddr>>,
    names: Mutex<Names>,
    answered: Condvar,
    passive: Mutex<Passive>,
}

#[derive(Default)]
struct Names {
    cache: Cache,
    /// Asked, and not yet taken by a thread. At most one entry per name of the cache.
    queue: VecDeque<String>,
    threads: usize,
}

impl Default for Resolver {
    fn default() -> Self {
        Resolver::asking(system)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolver {
    /// A resolver that asks `ask`, which may take its time: it runs in a thread of its own.
    pub fn asking(ask: fn(&str) -> io::Result<Vec<IpAddr>>) -> Resolver {
        Resolver { ask, names: Mutex::default(), answered: Condvar::new(), passive: Mutex::default() }
    }

    /// How it went with the addresses so far, shared by all who use them.
    pub fn passive(&self) -> MutexGuard<'_, Passive> {
        lock(&self.passive)
    }

    /// Addresses of `host` (a name or an IP literal without brackets). Waits at most one second.
    ///
    /// # Errors
    /// When the name has no address, or none is known in time.
    pub fn lookup(self: &Arc<Self>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookup_within(host, port, WAIT)
    }

    /// As [`Resolver::lookup`], and waits at most `wait`.
    ///
    /// # Errors
    /// When the name has no address, or none is known in time.
    pub fn lookup_within(self: &Arc<Self>, host: &str, port: u16, wait: Duration) -> io::Result<Vec<SocketAddr>> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) if host.is_empty() || host.len() > MAX_NAME => return Err(io::ErrorKind::InvalidInput.into()),
            Err(_) => self.name(host, wait).ok_or_else(|| io::Error::other("the name does not resolve"))?,
        };
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn name(self: &Arc<Self>, host: &str, wait: Duration) -> Option<Vec<IpAddr>> {
        let end = clock::tick() + wait.min(WAIT);
        let mut names = lock(&self.names);
        loop {
            let now = clock::tick();
            let until = match names.cache.find(host, now) {
                Found::Addresses(addresses) => return Some(addresses),
                Found::Nothing => return None,
                Found::Ask => {
                    self.start(&mut names, host, now);
                    continue;
                }
                Found::Wait(until) => until.min(end),
            };
            if now >= until {
                return names.cache.last_good(host, now);
            }
            names = self
                .answered
                .wait_timeout(names, until.since(now))
                .map_or_else(|e| e.into_inner().0, |(names, _)| names);
        }
    }

    /// Has `host` looked up, by a thread that is there or by a new one.
    fn start(self: &Arc<Self>, names: &mut Names, host: &str, now: Tick) {
        names.queue.push_back(host.to_owned());
        if names.threads == MAX_THREADS {
            return;
        }
        let own = Arc::clone(self);
        match spawn("resolve", HTTP_STACK, move || own.work()) {
            Ok(_) => names.threads += 1,
            Err(_) if names.threads > 0 => {}
            Err(_) => {
                names.queue.clear();
                names.cache.answered(host, None, now);
            }
        }
    }

    fn work(&self) {
        let mut names = lock(&self.names);
        while let Some(host) = names.queue.pop_front() {
            drop(names);
            let found = (self.ask)(&host);
            names = lock(&self.names);
            names.cache.answered(&host, found.ok(), clock::tick());
            self.answered.notify_all();
        }
        names.threads -= 1;
    }
}

/// Asks the system. Both address families, in the order of `getaddrinfo`.
fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// What is known of names, and what is to be done about one. Reads no clock and asks nobody.
#[derive(Default)]
pub struct Cache {
    /// At most [`MAX_NAMES`].
    entries: Vec<Entry>,
}

struct Entry {
    host: String,
    addresses: Vec<IpAddr>,
    /// When `addresses` were found.
    good: Option<Tick>,
    /// When looking failed last.
    failed: Option<Tick>,
    /// Being looked up since.
    asked: Option<Tick>,
    used: Tick,
}

/// What a caller does about a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It uses these.
    Addresses(Vec<IpAddr>),
    /// It fails.
    Nothing,
    /// It has the name looked up, and asks again.
    Ask,
    /// It waits for an answer until then, and asks again.
    Wait(Tick),
}

impl Cache {
    /// What a caller who wants `host` does now.
    pub fn find(&mut self, host: &str, now: Tick) -> Found {
        let Some(entry) = self.entry(host, now) else { return Found::Nothing };
        entry.used = now;
        if let Some(asked) = entry.asked {
            let until = asked + WAIT;
            return if now < until { Found::Wait(until) } else { entry.last_good(now) };
        }
        if entry.good.is_some_and(|good| now.since(good) < FRESH) {
            return Found::Addresses(entry.addresses.clone());
        }
        if entry.failed.is_some_and(|failed| now.since(failed) < FAILED) {
            return entry.last_good(now);
        }
        entry.asked = Some(now);
        Found::Ask
    }

    /// The addresses that `host` had when it was found last, within a day.
    pub fn last_good(&self, host: &str, now: Tick) -> Option<Vec<IpAddr>> {
        match self.entries.iter().find(|entry| entry.host == host)?.last_good(now) {
            Found::Addresses(addresses) => Some(addresses),
            Found::Nothing | Found::Ask | Found::Wait(_) => None,
        }
    }

    /// A look-up has ended; without addresses it has failed.
    pub fn answered(&mut self, host: &str, found: Option<Vec<IpAddr>>, now: Tick) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.host == host) else { return };
        entry.asked = None;
        match found {
            Some(mut addresses) if !addresses.is_empty() => {
                addresses.truncate(MAX_ADDRESSES);
                entry.addresses = addresses;
                entry.good = Some(now);
                entry.failed = None;
            }
            _ => entry.failed = Some(now),
        }
    }

    /// The entry of `host`, new if need be. The least recently used one goes, but none that is being looked up.
    fn entry(&mut self, host: &str, now: Tick) -> Option<&mut Entry> {
        if let Some(at) = self.entries.iter().position(|entry| entry.host == host) {
            return self.entries.get_mut(at);
        }
        if self.entries.len() >= MAX_NAMES {
            let idle = self.entries.iter().enumerate().filter(|(_, entry)| entry.asked.is_none());
            let (oldest, _) = idle.min_by_key(|(_, entry)| entry.used)?;
            self.entries.swap_remove(oldest);
        }
        self.entries.push(Entry {
            host: host.to_owned(),
            addresses: Vec::new(),
            good: None,
            failed: None,
            asked: None,
            used: now,
        });
        self.entries.last_mut()
    }
}

impl Entry {
    fn last_good(&self, now: Tick) -> Found {
        match self.good {
            Some(good) if now.since(good) < LAST_GOOD => Found::Addresses(self.addresses.clone()),
            _ => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    fn at(secs: i64) -> Tick {
        Tick(secs * 1000)
    }

    #[test]
    fn a_name_is_asked_once_and_kept_for_a_minute() {
        let mut cache = Cache::default();
        assert_eq!(cache.find("a", at(0)), Found::Ask);
        assert_eq!(cache.find("a", Tick(999)), Found::Wait(at(1)), "a second caller shares the look-up");
        assert_eq!(cache.find("a", at(1)), Found::Nothing, "nobody waits for a look-up that hangs");
        cache.answered("a", Some(vec![ip(1), ip(2)]), at(1));
        for secs in [1, 60] {
            assert_eq!(cache.find("a", at(secs)), Found::Addresses(vec![ip(1), ip(2)]), "{secs}");
        }
        assert_eq!(cache.find("a", at(61)), Found::Ask);
    }

    #[test]
    fn the_last_good_addresses_serve_for_a_day() {
        let day = 24 * 3600;
        for failed in [true, false] {
            let mut cache = Cache::default();
            assert_eq!(cache.find("a", at(0)), Found::Ask);
            cache.answered("a", Some(vec![ip(1)]), at(0));
            assert_eq!(cache.find("a", at(day - 10)), Found::Ask);
            if failed {
                cache.answered("a", None, at(day - 9));
            }
            assert_eq!(cache.find("a", at(day - 8)), Found::Addresses(vec![ip(1)]), "failed: {failed}");
            let later = cache.find("a", at(day));
            assert_eq!(later, if failed { Found::Ask } else { Found::Nothing });
            assert_eq!(cache.last_good("a", at(day)), None);
        }
    }

    #[test]
    fn a_failure_is_remembered_for_two_seconds() {
        for answer in [None, Some(Vec::new())] {
            let mut cache = Cache::default();
            assert_eq!(cache.find("a", at(0)), Found::Ask);
            cache.answered("a", answer, at(0));
            assert_eq!(cache.find("a", Tick(1999)), Found::Nothing);
            assert_eq!(cache.find("a", at(2)), Found::Ask);
        }
    }

    #[test]
    fn the_cache_has_a_cap() {
        let mut cache = Cache::default();
        for n in 0..MAX_NAMES {
            assert_eq!(cache.find(&format!("n{n}"), Tick(n as i64)), Found::Ask);
        }
        assert_eq!(cache.find("x", at(9)), Found::Nothing, "none that is being looked up goes");
        for n in 0..MAX_NAMES {
            cache.answered(&format!("n{n}"), Some((0..99).map(ip).collect()), at(1));
        }
        assert_eq!(cache.find("n0", at(9)), Found::Addresses((0..16).map(ip).collect()));
        assert_eq!(cache.find("x", at(9)), Found::Ask);
        assert_eq!(cache.entries.len(), MAX_NAMES);
        assert!(cache.last_good("n1", at(9)).is_none() && cache.last_good("n0", at(9)).is_some());
    }

    #[test]
    fn literals_need_nobody() {
        fn never(_: &str) -> io::Result<Vec<IpAddr>> {
            unreachable!("a literal is not looked up")
        }
        let resolver = Arc::new(Resolver::asking(never));
        assert_eq!(resolver.lookup("::1", 80).unwrap(), ["[::1]:80".parse().unwrap()]);
        assert_eq!(resolver.lookup("192.0.2.7", 9080).unwrap(), [SocketAddr::new(ip(7), 9080)]);
        assert!(resolver.lookup("", 1).is_err() && resolver.lookup(&"a".repeat(256), 1).is_err());
    }

    #[test]
    fn callers_of_one_name_share_one_look_up() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        fn ask(_: &str) -> io::Result<Vec<IpAddr>> {
            ASKED.fetch_add(1, Ordering::SeqCst);
            Ok(vec![ip(1)])
        }
        let resolver = Arc::new(Resolver::asking(ask));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let resolver = Arc::clone(&resolver);
                spawn("caller", HTTP_STACK, move || resolver.lookup("name", 1).unwrap()).unwrap()
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), [SocketAddr::new(ip(1), 1)]);
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn hanging_look_ups_delay_a_caller_by_a_second_and_take_four_threads() {
        static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        fn hang(host: &str) -> io::Result<Vec<IpAddr>> {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            let open = lock(&GATE.0);
            let limit = Duration::from_secs(60);
            drop(GATE.1.wait_timeout_while(open, limit, |open| !*open).unwrap());
            if host == "n9" { Ok(vec![ip(9)]) } else { Err(io::ErrorKind::NotFound.into()) }
        }
        let resolver = Arc::new(Resolver::asking(hang));
        let brief = Duration::from_millis(1);
        for n in 0..10 {
            assert!(resolver.lookup_within(&format!("n{n}"), 1, brief).is_err());
        }
        let start = clock::tick();
        assert!(resolver.lookup("n9", 1).is_err());
        assert!(clock::tick().since(start) >= Duration::from_millis(900), "it had a second to answer");
        assert_eq!((RUNNING.load(Ordering::SeqCst), lock(&resolver.names).threads), (MAX_THREADS, MAX_THREADS));
        *lock(&GATE.0) = true;
        GATE.1.notify_all();
        // The six that waited are served by the threads that come free, which then end.
        let end = clock::tick() + Duration::from_secs(60);
        let mut names = lock(&resolver.names);
        while names.threads > 0 && clock::tick() < end {
            names = resolver.answered.wait_timeout(names, Duration::from_millis(10)).unwrap().0;
        }
        assert_eq!(names.threads, 0);
        drop(names);
        assert_eq!(resolver.lookup("n9", 1).unwrap(), [SocketAddr::new(ip(9), 1)]);
        assert_eq!(RUNNING.load(Ordering::SeqCst), 10);
    }
}
