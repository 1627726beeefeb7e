//! The heartbeat client: one thread per server, which beats, retries, and says goodbye.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{self, Tick, millis};
use crate::config::plan::ClientPlan;
use crate::keepalive::answer::DEFAULT_USER;
use crate::keepalive::ask::{Answered, BeatError, Target};
use crate::keepalive::beat::{Data, Ev, Report};
use crate::keepalive::carry::Carry;
pub use crate::keepalive::me::Me;
pub use crate::keepalive::monitor::ClientStatus;
use crate::keepalive::monitor::Line;
use crate::keepalive::pace::{Pace, time_for_a_beat};
use crate::keepalive::unreachable::Outage;
use crate::keepalive::work::{self, Agent};
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
    me: Arc<Me>,
    /// Nothing joins it: a resolver or a server that hangs must not hold up the end.
    _thread: JoinHandle<()>,
}

/// Starts a client for each of `plans`.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start_all(
    plans: &[ClientPlan],
    me: &Arc<Me>,
    carry: &Arc<Carry>,
    resolver: &Arc<Resolver>,
    stop: &Stop,
) -> io::Result<Vec<Arc<Client>>> {
    let start = |(index, plan)| start(index, plan, me, carry, resolver, stop).map(Arc::new);
    plans.iter().enumerate().map(start).collect()
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
    start_after(None, index, plan, me, carry, resolver, stop)
}

/// The same. It beats once `before` has ended, if there is one: two at a time could be two users to the server, which
/// gives a name to the other one only when it was left.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start_after(
    before: Option<Arc<Client>>,
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
        outage: Outage::default(),
        passed_over: Vec::new(),
        before,
    };
    let thread = spawn(&format!("beat-{index}"), SMALL_STACK, move || beater.run())?;
    Ok(Client { shared, bell, me: Arc::clone(me), _thread: thread })
}

impl Client {
    /// How it goes.
    pub fn status(&self) -> ClientStatus {
        lock(&self.shared.status).clone()
    }

    /// Says `text` of this host from now on, at once; gives what is kept of it. All clients of one [`Me`] say the same.
    pub fn note(&self, text: &str) -> String {
        let kept = self.me.note(text);
        self.bell.ring();
        kept
    }

    /// Says goodbye and ends: `stop`, `rename`, or `leave` for good; without a word if `reason` is empty. Does not
    /// wait; see [`Client::ended`].
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
pub fn farewell_all(clients: &[Arc<Client>], reason: &str) {
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
    outage: Outage,
    passed_over: Vec<SocketAddr>,
    before: Option<Arc<Client>>,
}

impl Beater {
    fn run(&mut self) {
        if let Some(before) = self.before.take() {
            // How it went does not matter: it is tried all the same.
            let _ = before.ended(FAREWELL);
        }
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
        if let Some(agent) = self.agent() {
            agent.leaves();
        }
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
        let agent = self.agent();
        let says = agent.as_ref().and_then(|agent| agent.says(&self.server()));
        report.data.work = says.map(|says| ("work", says.to_json()));
        let result = self.tell(&mut report, now.tick + time_for_a_beat(self.plan.period));
        let mut luck = [0; 2];
        if getrandom::fill(&mut luck).is_err() {
            // The beat went out all the same; only the spreading is lost.
            luck = [0; 2];
        }
        let after = clock::now();
        let (name, label) = (&self.me.name, self.plan.uri.label());
        let line = match &result {
            Ok(answered) => {
                pace.answered(answered.next, luck[0]);
                self.outage.answered(now.tick);
                self.me.monitors.answered(name, &label, &after);
                if let Some(agent) = agent.as_ref().filter(|_| report.data.work.is_none())
                    && agent.says(&answered.server).is_some()
                {
                    // Now its name is known: it hears of the agent at once.
                    pace.hurry(after.tick);
                }
                if let Some(agent) = agent.filter(|_| report.data.work.is_some()) {
                    let none = work::Orders::default();
                    let orders = answered.orders.as_ref().unwrap_or(&none);
                    // Counted from before it was sent, to whichever address: it ends sooner here than at the server.
                    agent.ordered(&answered.server, orders, now.tick, answered.lease);
                }
                lock(&self.shared.status).answered(&answered.server, now.tick)
            }
            Err(error) => {
                pace.failed(after.tick, luck[0]);
                // Of a server that has just left the configuration nobody is told.
                let told = self.outage.failed(now.tick, after.tick, luck[1]).filter(|_| self.ordered().is_none());
                if let Some(began) = told {
                    self.me.monitors.unreachable(name, &label, &self.outage, began, &error.to_string(), &after);
                }
                lock(&self.shared.status).failed(error)
            }
        };
        lock(&self.shared.status).passed_over.clone_from(&self.passed_over);
        match line {
            Some(Line::Info(text)) => log::info!("{text}"),
            Some(Line::Warn(text)) => log::warn!("{text}"),
            None => {}
        }
        if result.is_ok() {
            self.tell_results(pace);
        }
    }

    /// The agent of this host. Whoever else holds the server's common key is not to be able to speak for it.
    fn agent(&self) -> Option<Arc<dyn Agent>> {
        if !cfg!(feature = "jobs") || self.plan.protocol == 1 || self.plan.uri.user == DEFAULT_USER {
            return None;
        }
        self.me.agent()
    }

    /// What the server calls itself, as far as it is known.
    fn server(&self) -> String {
        lock(&self.shared.status).server.clone().unwrap_or_default()
    }

    /// Tells results of jobs, each in an exchange of its own, until the next beat is due. What fails is told again.
    fn tell_results(&mut self, pace: &Pace) {
        let Some(agent) = self.agent() else { return };
        let server = self.server();
        while clock::tick() < pace.due() && self.ordered().is_none() {
            let Some(done) = agent.result(&server) else { return };
            let now = clock::now();
            let mut report = self.me.report(Ev::Result, self.plan.period, &now, &self.carry);
            report.data = Data { work: Some(("done", done.to_json())), ..Data::default() };
            let until = (now.tick + time_for_a_beat(self.plan.period)).min(pace.due());
            if let Err(error) = self.tell(&mut report, until) {
                log::debug!("the result of {} was not told: {error}", done.key.id);
                return;
            }
        }
    }

    fn goodbye(&mut self, reason: &str) -> Result<(), BeatError> {
        if self.plan.protocol == 1 || reason.is_empty() {
            // Protocol 1 has no word for it, and another client goes on in place of one that ends without a reason.
            return Ok(());
        }
        let now = clock::now();
        let mut report = self.me.report(Ev::Bye, self.plan.period, &now, &self.carry);
        report.reason = Some(reason.to_owned());
        report.back_in = (reason == "stop").then_some(millis(self.plan.back_in));
        let time = if reason == "stop" { FAREWELL } else { time_for_a_beat(self.plan.period) };
        self.tell(&mut report, now.tick + time).map(|_| ())
    }

    /// Brings a report to the first address that answers; each gets its share of the time. What keeps failing is
    /// passed over while another address is left.
    fn tell(&mut self, report: &mut Report, deadline: Tick) -> Result<Answered, BeatError> {
        let addresses = self.addresses().map_err(BeatError::Unresolved)?;
        let result = self.tell_one_of(&addresses, report, deadline);
        self.passed_over = self.resolver.passive().passed_over(&addresses, clock::tick());
        result
    }

    fn tell_one_of(
        &self,
        addresses: &[SocketAddr],
        report: &mut Report,
        deadline: Tick,
    ) -> Result<Answered, BeatError> {
        let choice = self.resolver.passive().choose(addresses, clock::tick()).first(MAX_ADDRESSES);
        let mut told: Option<BeatError> = None;
        for (index, address) in choice.addresses.iter().enumerate() {
            if index > 0 && report.ev == Ev::Beat && self.ordered().is_some() {
                // What time is left belongs to the goodbye.
                break;
            }
            let now = clock::tick();
            if !self.resolver.passive().begin(&choice, index, now) {
                continue;
            }
            let until = now + deadline.since(now) / choice.shares(index);
            let result = self.target.ask(*address, &self.me.name, report, until);
            if let Some(good) = result.as_ref().map_or_else(BeatError::verdict, |_| Some(true)) {
                self.resolver.passive().outcome(*address, now, clock::tick(), good);
            }
            match result {
                Ok(answered) => return Ok(answered),
                Err(e) if e.is_final() => return Err(e),
                Err(e) => {
                    if e.is_forged() {
                        self.me.monitors.forged(&self.me.name, &self.plan.uri.label(), *address, &e, &clock::now());
                    }
                    // What a server said explains more than that another address is dead.
                    if told.as_ref().is_none_or(|told| e.was_answered() && !told.was_answered()) {
                        told = Some(e);
                    }
                }
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
