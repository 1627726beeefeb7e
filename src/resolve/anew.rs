//! A look-up that takes nothing from what is remembered.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Found, MAX_NAME, Resolver};
use crate::clock;
use crate::run::threads::lock;

impl Resolver {
    /// Addresses of `host` as they are said now, not as they were said before. Waits at most `wait`. Of a resolver that
    /// others share it would take the memory, and the threads.
    ///
    /// # Errors
    /// `NotFound` when it has none, `TimedOut` when nothing was heard in time.
    pub fn lookup_anew(self: &Arc<Self>, host: &str, wait: Duration) -> io::Result<Vec<IpAddr>> {
        if host.is_empty() || host.len() > MAX_NAME {
            return Err(ErrorKind::NotFound.into());
        }
        let end = clock::tick() + wait;
        let mut names = lock(&self.names);
        // One that is being looked up, since nobody waited for the answer, is waited for.
        names.cache.entries.retain(|entry| entry.host != host || entry.asked.is_some());
        loop {
            let now = clock::tick();
            match names.cache.find(host, now) {
                Found::Addresses(addresses) => return Ok(addresses),
                Found::Ask => {
                    self.start(&mut names, host, now);
                    continue;
                }
                Found::Nothing | Found::Wait(_) => {}
            }
            if !names.cache.entries.iter().any(|entry| entry.host == host && entry.asked.is_some()) {
                return Err(ErrorKind::NotFound.into());
            }
            if now >= end {
                return Err(ErrorKind::TimedOut.into());
            }
            names =
                self.answered.wait_timeout(names, end.since(now)).map_or_else(|e| e.into_inner().0, |(names, _)| names);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::sync::{Condvar, Mutex};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn every_look_up_asks() {
        static ASKED: AtomicU8 = AtomicU8::new(0);
        fn ask(host: &str) -> io::Result<Vec<IpAddr>> {
            let n = ASKED.fetch_add(1, Ordering::SeqCst);
            match host {
                "gone" => Err(ErrorKind::NotFound.into()),
                "empty" => Ok(Vec::new()),
                _ => Ok(vec![Ipv4Addr::new(192, 0, 2, n).into()]),
            }
        }
        let resolver = Arc::new(Resolver::asking(ask));
        for n in 0..3 {
            assert_eq!(resolver.lookup_anew("name", LONG).unwrap(), [IpAddr::from([192, 0, 2, n])]);
        }
        for name in ["gone", "gone", "empty", "", &"a".repeat(256)] {
            assert_eq!(resolver.lookup_anew(name, LONG).unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 6);
    }

    #[test]
    fn one_that_hangs_is_asked_once_and_its_late_answer_is_taken() {
        static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
        static ASKED: AtomicU8 = AtomicU8::new(0);
        fn hang(_: &str) -> io::Result<Vec<IpAddr>> {
            ASKED.fetch_add(1, Ordering::SeqCst);
            drop(GATE.1.wait_timeout_while(lock(&GATE.0), LONG, |open| !*open).unwrap());
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        }
        let resolver = Arc::new(Resolver::asking(hang));
        for _ in 0..3 {
            let error = resolver.lookup_anew("name", Duration::from_millis(5)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        *lock(&GATE.0) = true;
        GATE.1.notify_all();
        assert_eq!(resolver.lookup_anew("name", LONG).unwrap(), [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    }
}
