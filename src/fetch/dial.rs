//! How a connection to a name with several addresses comes about, and how that is remembered.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

use crate::clock::{self, Tick};
use crate::resolve::Resolver;

/// Connects to the addresses of a name, one after the other, and remembers how it went with each. Gives every
/// connection an end: within one step, such as the answer of a proxy, the library would grant each read the whole time
/// anew.
#[derive(Debug)]
pub struct Dial {
    /// What keeps the record of addresses.
    pub resolver: Arc<Resolver>,
    /// Set once a connection came about.
    pub connected: Arc<AtomicBool>,
}

impl<In: Transport> Connector<In> for Dial {
    type Out = Dialled;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Dialled>, ureq::Error> {
        let now = clock::tick();
        let end = now + details.config.timeouts().global.unwrap_or_default();
        match chained {
            // The way through a proxy, which was dialled.
            Some(inner) => Ok(Some(Dialled { inner: Box::new(inner), end, verdict: None })),
            None => self.dial(details, end).map(Some),
        }
    }
}

impl Dial {
    #[inline(never)]
    fn dial(&self, details: &ConnectionDetails<'_>, end: Tick) -> Result<Dialled, ureq::Error> {
        let until = clock::tick() + *details.timeout.after;
        let choice = self.resolver.passive().choose(&details.addrs, clock::tick());
        let mut told = ureq::Error::HostNotFound;
        for (index, address) in choice.addresses.iter().enumerate() {
            let begun = clock::tick();
            let left = until.since(begun);
            if left.is_zero() {
                return Err(ureq::Error::Timeout(details.timeout.reason));
            }
            if !self.resolver.passive().begin(&choice, index, begun) {
                continue;
            }
            let mut addrs = details.resolver.empty();
            addrs.push(*address);
            // The first of several gets half of the time: one that takes no connection leaves enough for the rest.
            let share = if choice.shares(index) > 1 { left / 2 } else { left };
            let one = ConnectionDetails {
                addrs,
                timeout: NextTimeout { after: share.into(), ..details.timeout },
                current_time: details.current_time.clone(),
                run_connector: details.run_connector.clone(),
                register_shutdown: details.register_shutdown.clone(),
                ..*details
            };
            let mut verdict = Verdict { resolver: Arc::clone(&self.resolver), address: *address, begun };
            match Connector::<()>::connect(&TcpConnector::default(), &one, None) {
                Ok(Some(inner)) => {
                    self.connected.store(true, Ordering::Relaxed);
                    return Ok(Dialled { inner: Box::new(inner), end, verdict: Some(verdict) });
                }
                Ok(None) => {}
                Err(error) => told = error,
            }
            verdict.say(false);
        }
        Err(told)
    }
}

/// Says once how it went with an address.
struct Verdict {
    resolver: Arc<Resolver>,
    address: SocketAddr,
    begun: Tick,
}

impl Verdict {
    fn say(&mut self, good: bool) {
        self.resolver.passive().outcome(self.address, self.begun, clock::tick(), good);
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdict")
    }
}

/// A connection with an end.
#[derive(Debug)]
pub struct Dialled {
    inner: Box<dyn Transport>,
    end: Tick,
    /// Not said yet: an address is good once something came from it.
    verdict: Option<Verdict>,
}

impl Dialled {
    fn left(&self, mut timeout: NextTimeout) -> Result<NextTimeout, ureq::Error> {
        let left = self.end.since(clock::tick());
        if left.is_zero() {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        timeout.after = timeout.after.min(left.into());
        Ok(timeout)
    }

    fn judge(&mut self, good: bool) {
        if let Some(mut verdict) = self.verdict.take() {
            verdict.say(good);
        }
    }
}

impl Transport for Dialled {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let sent = self.left(timeout).and_then(|timeout| self.inner.transmit_output(amount, timeout));
        if sent.is_err() {
            self.judge(false);
        }
        sent
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.left(timeout).and_then(|timeout| self.inner.await_input(timeout));
        self.judge(matches!(came, Ok(true)));
        came
    }

    fn is_open(&mut self) -> bool {
        // No connection is kept.
        false
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
