//! The heartbeat client: one thread per server, which beats, retries, and says goodbye.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{self, Now, Tick, millis};
use crate::config::plan::ClientPlan;
use crate::keepalive::ask::{Answered, BeatError, Target};
use crate::keepalive::beat::{Data, Ev, Report};
use crate::keepalive::carry::Carry;
use crate::keepalive::pace::{Pace, time_for_a_beat};
use crate::resolve::Resolver;
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};

/// How long the goodbye of a stopping daemon may take.
pub const FAREWELL: Duration = Duration::from_secs(2);
/// Longest single wait: what a suspended machine slept is noticed after it.
const SLICE: Duration = Duration::from_secs(2);
/// A wait that took this much longer than it was meant to was a suspend.
const SUSPENDED: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// What this daemon says of itself in every beat.
pub struct Me {
    name: String,
    run: String,
    started: Tick,
    /// One count for all servers: two URIs may lead to one server.
    seq: Mutex<u64>,
}

impl Me {
    /// A new run of the daemon on the host `name`.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(name: &str) -> io::Result<Me> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::ErrorKind::Other)?;
        let run = format!("{:016x}", u64::from_be_bytes(random));
        Ok(Me { name: name.to_owned(), run, started: clock::tick(), seq: Mutex::new(0) })
    }

    /// The next report.
    fn report(&self, ev: Ev, period: Duration, now: &Now, carry: &Carry) -> Report {
        let mut seq = lock(&self.seq);
        *seq += 1;
        Report {
            boot: clock::boot_id().to_owned(),
            up: now.tick.0,
            run: self.run.clone(),
            age: millis(now.tick.since(self.started)),
            seq: *seq,
            data: Data { notices: carry.snapshot(now), readings: None },
            ..Report::bare(ev, period)
        }
    }
}

/// What `status` shows of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientStatus {
    /// `ic://user@host:port`.
    pub label: String,
    /// What the server calls itself.
    pub server: Option<String>,
    /// When the last answered beat was sent.
    pub last: Option<Tick>,
    /// Failures since then.
    pub failures: u32,
    /// The last failure, if it is not over.
    pub error: Option<String>,
    /// Why it said goodbye and beats no more.
    pub farewell: Option<String>,
}

/// A line for the log.
#[derive(PartialEq, Eq, Debug)]
enum Line {
    Info(String),
    Warn(String),
}

impl ClientStatus {
    fn new(plan: &ClientPlan) -> ClientStatus {
        ClientStatus { label: plan.uri.label(), server: None, last: None, failures: 0, error: None, farewell: None }
    }

    /// Takes in an answer to a beat sent at `sent`; what is new is logged.
    fn answered(&mut self, server: &str, sent: Tick) -> Option<Line> {
        let label = &self.label;
        let line = match &self.server {
            Some(old) if old != server => {
                Some(Line::Warn(format!("the server at {label} calls itself {server} now, not {old} any more")))
            }
            Some(_) if self.failures > 0 => {
                Some(Line::Info(format!("beating to {label} ({server}) again after {} failures", self.failures)))
            }
            Some(_) => None,
            None => Some(Line::Info(format!("beating to {label} ({server})"))),
        };
        if self.server.as_deref() != Some(server) {
            self.server = Some(server.to_owned());
        }
        self.last = Some(sent);
        self.failures = 0;
        self.error = None;
        line
    }

    /// Takes in a failure; the first one is logged.
    fn failed(&mut self, error: &BeatError) -> Option<Line> {
        self.failures = self.failures.saturating_add(1);
        let text = error.to_string();
        let line = (self.failures == 1)
            .then(|| Line::Warn(format!("cannot beat to {}: {text}; will keep trying", self.label)));
        self.error = Some(text);
        line
    }
}

#[derive(Default)]
struct Orders {
    /// Why to say goodbye.
    farewell: Option<String>,
    /// How the goodbye went; the thread has ended.
    ended: Option<Result<(), String>>,
}

struct Shared {
    status: Mutex<ClientStatus>,
    orders: Mutex<Orders>,
    ended: Condvar,
}

/// A running client.
pub struct Client {
    shared: Arc<Shared>,
    bell: Bell,
    /// Nothing joins it: a resolver or a server that hangs must not hold up the end.
    _thread: JoinHandle<()>,
}

/// Starts client number `index`.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    index: usize,
    plan: &ClientPlan,
    me: &Arc<Me>,
    carry: &Arc<Carry>,
    resolver: &Arc<Resolver>,
    stop: &Stop,
) -> io::Result<Client> {
    let shared = Arc::new(Shared {
        status: Mutex::new(ClientStatus::new(plan)),
        orders: Mutex::default(),
        ended: Condvar::new(),
    });
    let bell = carry.subscribe();
    let mut beater = Beater {
        plan: plan.clone(),
        target: Target::new(plan),
        me: Arc::clone(me),
        carry: Arc::clone(carry),
        resolver: Arc::clone(resolver),
        stop: stop.clone(),
        bell: bell.clone(),
        shared: Arc::clone(&shared),
        good: None,
    };
    let thread = spawn(&format!("beat-{index}"), SMALL_STACK, move || beater.run())?;
    Ok(Client { shared, bell, _thread: thread })
}

impl Client {
    /// How it goes.
    pub fn status(&self) -> ClientStatus {
        lock(&self.shared.status).clone()
    }

    /// Says goodbye and ends: `stop`, `rename`, or `leave` for good. Does not wait; see [`Client::ended`].
    pub fn farewell(&self, reason: &str) {
        lock(&self.shared.orders).farewell.get_or_insert_with(|| reason.to_owned());
        self.bell.ring();
    }

    /// Waits for the end that [`Client::farewell`] ordered, at most `time`, and tells whether the server took the
    /// goodbye; `None` if the time is over.
    pub fn ended(&self, time: Duration) -> Option<Result<(), String>> {
        let orders = lock(&self.shared.orders);
        let waiting = |orders: &mut Orders| orders.ended.is_none();
        let (orders, _) =
            self.shared.ended.wait_timeout_while(orders, time, waiting).unwrap_or_else(PoisonError::into_inner);
        orders.ended.clone()
    }
}

/// Says goodbye on all clients at once and waits at most [`FAREWELL`] for all of them together.
pub fn farewell_all(clients: &[Client], reason: &str) {
    for client in clients {
        client.farewell(reason);
    }
    let deadline = clock::tick() + FAREWELL;
    for client in clients {
        let ended = client.ended(deadline.since(clock::tick()));
        if !matches!(ended, Some(Ok(()))) {
            let why = ended.and_then(Result::err).unwrap_or_else(|| "timed out".to_owned());
            log::warn!("no goodbye to {}: {why}", lock(&client.shared.status).label);
        }
    }
}

struct Beater {
    plan: ClientPlan,
    target: Target,
    me: Arc<Me>,
    carry: Arc<Carry>,
    resolver: Arc<Resolver>,
    stop: Stop,
    bell: Bell,
    shared: Arc<Shared>,
    /// The address that answered last: it is asked first.
    good: Option<SocketAddr>,
}

impl Beater {
    fn run(&mut self) {
        let mut pace = Pace::new(self.plan.period, clock::tick());
        let reason = loop {
            if let Some(reason) = self.ordered() {
                break reason;
            }
            let now = clock::tick();
            if now >= pace.due() {
                self.beat(&mut pace);
                continue;
            }
            let wait = pace.due().since(now).min(SLICE);
            let rang = self.bell.wait(wait);
            let after = clock::tick();
            if rang || after.since(now) > wait + SUSPENDED {
                pace.hurry(after);
            }
        };
        let result = self.goodbye(&reason);
        lock(&self.shared.status).farewell = Some(reason);
        lock(&self.shared.orders).ended = Some(result.map_err(|e| e.to_string()));
        self.shared.ended.notify_all();
    }

    /// Why to say goodbye now, if it is time to.
    fn ordered(&self) -> Option<String> {
        let ordered = lock(&self.shared.orders).farewell.clone();
        ordered.or_else(|| self.stop.is_stopped().then(|| "stop".to_owned()))
    }

    fn beat(&mut self, pace: &mut Pace) {
        let now = clock::now();
        pace.starts(now.tick);
        let mut report = self.me.report(Ev::Beat, self.plan.period, &now, &self.carry);
        let result = self.tell(&mut report, now.tick + time_for_a_beat(self.plan.period));
        let mut luck = [0];
        if getrandom::fill(&mut luck).is_err() {
            // The beat went out all the same; only the spreading is lost.
            luck = [0];
        }
        let line = match &result {
            Ok(answered) => {
                pace.answered(answered.next, luck[0]);
                lock(&self.shared.status).answered(&answered.server, now.tick)
            }
            Err(error) => {
                pace.failed(clock::tick(), luck[0]);
                lock(&self.shared.status).failed(error)
            }
        };
        match line {
            Some(Line::Info(text)) => log::info!("{text}"),
            Some(Line::Warn(text)) => log::warn!("{text}"),
            None => {}
        }
    }

    fn goodbye(&mut self, reason: &str) -> Result<(), BeatError> {
        if self.plan.protocol == 1 {
            // It has no word for it.
            return Ok(());
        }
        let now = clock::now();
        let mut report = self.me.report(Ev::Bye, self.plan.period, &now, &self.carry);
        report.reason = Some(reason.to_owned());
        report.back_in = (reason == "stop").then_some(millis(self.plan.back_in));
        let time = if reason == "stop" { FAREWELL } else { time_for_a_beat(self.plan.period) };
        self.tell(&mut report, now.tick + time).map(|_| ())
    }

    /// Brings a report to the first address that answers; each gets its share of the time.
    fn tell(&mut self, report: &mut Report, deadline: Tick) -> Result<Answered, BeatError> {
        let mut addresses = self.addresses().map_err(BeatError::Unresolved)?;
        addresses.truncate(MAX_ADDRESSES);
        if let Some(at) = addresses.iter().position(|address| Some(*address) == self.good) {
            addresses.swap(0, at);
        }
        let mut told: Option<BeatError> = None;
        for (index, address) in addresses.iter().enumerate() {
            if index > 0 && report.ev == Ev::Beat && self.ordered().is_some() {
                // What time is left belongs to the goodbye.
                break;
            }
            let now = clock::tick();
            let shares = u32::try_from(addresses.len() - index).unwrap_or(1);
            match self.target.ask(*address, &self.me.name, report, now + deadline.since(now) / shares) {
                Ok(answered) => {
                    self.good = Some(*address);
                    return Ok(answered);
                }
                Err(e) if e.is_final() => return Err(e),
                // What a server said explains more than that another address is dead.
                Err(e) if told.as_ref().is_none_or(|told| e.was_answered() && !told.was_answered()) => told = Some(e),
                Err(_) => {}
            }
        }
        Err(told.unwrap_or_else(|| BeatError::Unresolved(io::Error::other("no address"))))
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let uri = &self.plan.uri;
        match uri.host.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, uri.port)]),
            Err(_) => self.resolver.lookup(&uri.host, uri.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::uri::Uri;
    use crate::keepalive::wire::Hint;
    use crate::secret::Secret;

    #[test]
    fn the_log_says_changes_and_no_key() {
        let key = Secret::new("hunter2");
        let uri = Uri { user: "u".into(), key: key.clone(), key_as_written: key, host: "::1".into(), port: 9080 };
        let plan = ClientPlan {
            uri,
            period: Duration::from_secs(30),
            protocol: 2,
            server_name: None,
            back_in: Duration::from_secs(600),
        };
        let mut status = ClientStatus::new(&plan);
        let denied = BeatError::Hinted(Hint::Denied);
        let info = |text: &str| Some(Line::Info(text.to_owned()));
        let warn = |text: &str| Some(Line::Warn(text.to_owned()));
        let why = "denied: the server does not accept this user and key";
        assert_eq!(status.failed(&denied), warn(&format!("cannot beat to ic://u@[::1]:9080: {why}; will keep trying")));
        assert_eq!(status.failed(&denied), None);
        assert_eq!((status.failures, status.error.as_deref()), (2, Some(why)));
        assert_eq!(status.answered("s", Tick(1)), info("beating to ic://u@[::1]:9080 (s)"));
        assert_eq!(status.answered("s", Tick(2)), None);
        assert!(status.failed(&denied).is_some());
        assert_eq!(status.answered("s", Tick(3)), info("beating to ic://u@[::1]:9080 (s) again after 1 failures"));
        let changed = "the server at ic://u@[::1]:9080 calls itself t now, not s any more";
        assert_eq!(status.answered("t", Tick(4)), warn(changed));
        assert_eq!((status.error, status.last, status.failures), (None, Some(Tick(4)), 0));
    }
}
