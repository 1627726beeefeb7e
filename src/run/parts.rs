//! The parts of the program that follow the configuration, built the same way at the start and at a reload.

mod act;
#[cfg(feature = "status")]
mod agents;
mod change;
#[cfg(feature = "status")]
mod listen;
#[cfg(feature = "probes")]
mod measure;
mod poll;
#[cfg(feature = "probes")]
mod probe;
mod signs;
#[cfg(feature = "jobs")]
pub mod work;

use std::io;
use std::mem::take;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::alert::Parcel;
use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::hours::Hours;
use crate::alert::line::Channel;
use crate::alert::sender::Deliver;
use crate::callback::dispatch::Callbacks;
use crate::clock;
use crate::config::plan::{ChannelPlan, ClientPlan, Plan, ServerPlan};
use crate::event::Id;
use crate::keepalive::carry::Carry;
use crate::keepalive::client::{self, Client, Me};
use crate::keepalive::hosts::SHARDS;
use crate::keepalive::roster::Roster;
use crate::keepalive::rules::Rules;
use crate::keepalive::server::{self, Server};
use crate::keepalive::uri::encode_userinfo;
use crate::keepalive::watchdog::{self, BEATS_FILE, Place, Signs};
use crate::resolve::Resolver;
use crate::run::board::Board;
use crate::run::identity::identity;
use crate::run::load::Small;
use crate::run::parts::change::{changes, follows, say, say_goodbye, to_same};
use crate::run::store::{Batch, Job, Root};
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};
use crate::secret::Secret;
use crate::spot::SpotStatus;
use crate::zone::Zone;

/// Names of the small states of the HTTP listener: how long what was down on which day, and its agents with their jobs.
pub const DAYS_STATE: &str = "days";
/// See [`DAYS_STATE`].
pub const AGENTS_STATE: &str = "agents";

/// Names of the small states of the probes and of the resources.
pub const PROBES_STATE: &str = "probes";
/// See [`PROBES_STATE`].
pub const RESOURCES_STATE: &str = "resources";

/// The small states that the parts own. Those of a former build stay on disk for the next one.
const OWNED: &[&str] = if cfg!(feature = "probes") { &[PROBES_STATE, RESOURCES_STATE, AGENTS_STATE] } else { &[] };

/// What no reload exchanges.
pub struct Base {
    /// The end of the program.
    pub stop: Stop,
    /// Roster and changes.
    pub board: Arc<Board>,
    /// What beats carry.
    pub carry: Arc<Carry>,
    /// What is done about events.
    pub callbacks: Arc<Callbacks>,
    /// Names.
    pub resolver: Arc<Resolver>,
    /// The way to the desk.
    pub desk: SyncSender<Parcel>,
    /// The way to the store, which ends once nobody has one; `None` at the end of the program.
    pub store: Option<SyncSender<Parcel>>,
    /// The state of the notices.
    pub notices: Arc<Mutex<Option<String>>>,
    /// What stands in it and was taken by a channel before this start.
    pub delivered: Vec<Id>,
    /// See [`crate::spot::SpotContext::seat`].
    pub seat: Arc<()>,
    /// Who is shown that the watchdog turns.
    pub signs: Signs,
    /// What HTTP requests are answered from.
    #[cfg(feature = "status")]
    pub site: Arc<crate::http::Site>,
}

/// The server with its watchdog.
struct Serving {
    server: Arc<Server>,
    bell: Bell,
    stop: Stop,
    watchdog: JoinHandle<()>,
}

impl Serving {
    fn stop(&self) {
        self.stop.stop();
        self.bell.ring();
    }
}

struct Beating {
    plan: ClientPlan,
    client: Arc<Client>,
}

/// All of them.
pub struct Parts {
    base: Base,
    /// The configuration in force; `None` before the start.
    plan: Option<Plan>,
    /// How this host is called.
    pub me: String,
    /// For times.
    pub zone: Zone,
    run: Arc<Me>,
    serving: Option<Serving>,
    polling: Option<poll::Polling>,
    /// Ends the thread that tells upstream of the watchdog. Nobody waits for it: it has nothing to save, and the answer
    /// that it waits for is worth nothing.
    witness: Option<Stop>,
    /// Shows the service manager that the program lives, as long as no watchdog does.
    pacemaker: Option<Stop>,
    beating: Vec<Beating>,
    /// Something could not be started.
    lacking: bool,
    /// Small states of the last run that nobody took yet.
    left: Vec<(String, Small)>,
    /// The agent and the jobs.
    #[cfg(feature = "jobs")]
    working: work::Working,
    #[cfg(feature = "probes")]
    probing: probe::Probing,
    #[cfg(feature = "probes")]
    measuring: measure::Measuring,
    #[cfg(feature = "status")]
    listening: listen::Listening,
}

impl Parts {
    /// Nothing runs yet but the desk, with the channels of the configuration.
    pub fn new(base: Base, run: Me) -> Parts {
        Parts {
            base,
            plan: None,
            me: run.name.clone(),
            zone: Zone::utc(),
            run: Arc::new(run),
            serving: None,
            polling: None,
            witness: None,
            pacemaker: None,
            beating: Vec::new(),
            lacking: false,
            left: Vec::new(),
            #[cfg(feature = "jobs")]
            working: work::Working::default(),
            #[cfg(feature = "probes")]
            probing: probe::Probing::default(),
            #[cfg(feature = "probes")]
            measuring: measure::Measuring::default(),
            #[cfg(feature = "status")]
            listening: listen::Listening::default(),
        }
    }

    /// What the last run left of small states: those that the parts own are taken from here when they start.
    pub fn remember(&mut self, small: &[(String, Small)]) {
        for (name, small) in small {
            if OWNED.contains(&&**name) {
                self.left.push((name.clone(), small.clone()));
            }
        }
    }

    /// What the last run left under `name`; only the first caller gets it.
    #[cfg(feature = "probes")]
    fn take_left(&mut self, name: &str) -> Option<Small> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// The configuration in force.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The heartbeat server.
    pub fn server(&self) -> Option<&Arc<Server>> {
        self.serving.as_ref().map(|serving| &serving.server)
    }

    /// How the poll loop is doing.
    pub fn spot(&self) -> Option<&Arc<Mutex<SpotStatus>>> {
        self.polling.as_ref().map(|polling| &polling.status)
    }

    /// The heartbeat clients.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.beating.iter().map(|beating| beating.client.clone()).collect()
    }

    /// Ends what runs; returns the threads that are to be waited for. Nothing can be applied any more.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.base.store = None;
        self.base.callbacks.close();
        let mut threads = Vec::new();
        if let Some(serving) = self.serving.take() {
            serving.stop();
            threads.push(serving.watchdog);
        }
        #[cfg(feature = "jobs")]
        threads.append(&mut self.working.close());
        #[cfg(feature = "probes")]
        threads.extend(self.probing.close().into_iter().chain(self.measuring.close()));
        #[cfg(feature = "status")]
        threads.append(&mut self.listening.close());
        if let Some(polling) = self.polling.take() {
            polling.stop.stop();
            // From here on it tells nothing more, and nobody waits for its last answer.
            drop(lock(&self.base.notices));
        }
        if let Some(witness) = self.witness.take() {
            witness.stop();
        }
        if let Some(pacemaker) = self.pacemaker.take() {
            pacemaker.stop();
        }
        threads
    }

    /// Makes `plan` what runs, and adds to `said` what is different. What did not change notices nothing.
    ///
    /// # Errors
    /// The first part that could not be started, for want of a thread or of random numbers; the others were. It is
    /// tried again by the next call.
    pub fn apply(&mut self, mut plan: Plan, zone: Zone, said: &mut String) -> io::Result<()> {
        let me = identity(&plan.name);
        let renamed = me != self.me;
        if renamed {
            self.run = Arc::new(self.run.renamed(&me)?);
            say(said, &["name"]);
        }
        let mut old = self.plan.take();
        let rezoned = old.as_ref().is_some_and(|old| old.timezone != plan.timezone);
        if rezoned {
            say(said, &["timezone"]);
        }
        (self.me, self.zone) = (me, zone);
        let server = old.as_mut().map(|old| old.server.take());
        let served = self.serve(server, plan.server.as_mut(), renamed || rezoned || self.lacking, said);
        let beaten = self.beat(&plan.clients, renamed, said);
        if let Some(old) = &old {
            self.tell(&old.channels, &plan.channels, rezoned, said);
        }
        let acted = self.act(old.as_ref(), &plan, said);
        #[cfg(feature = "jobs")]
        let acted = acted.and(self.work(old.as_ref(), &plan, said));
        #[cfg(feature = "probes")]
        let acted = acted.and(self.probe(old.as_ref(), &plan, said)).and(self.measure(old.as_ref(), &plan, said));
        #[cfg(feature = "status")]
        let acted = acted.and(self.listen(old.as_ref(), &plan, said));
        let polled = self.poll(old.as_ref(), &plan, renamed, said);
        let witnessed = self.witness(old.as_ref(), plan.upstream.as_ref(), said);
        let paced = self.pace();
        self.plan = Some(plan);
        let result = served.and(beaten).and(acted).and(polled).and(witnessed).and(paced);
        self.lacking = result.is_err();
        result
    }

    /// `old` is `None` at the start.
    fn serve(
        &mut self,
        old: Option<Option<ServerPlan>>,
        plan: Option<&mut ServerPlan>,
        fresh: bool,
        said: &mut String,
    ) -> io::Result<()> {
        let Some(plan) = plan else {
            if let Some(gone) = self.serving.take() {
                gone.stop();
                gone.server.stop_listening();
                say(said, &["heartbeat server gone"]);
            }
            return Ok(());
        };
        let rules = Rules::new(plan, &self.me, &self.zone);
        let encoded = Secret::new(encode_userinfo(plan.key.reveal()));
        let started = old.is_some();
        if let (Some(serving), Some(Some(old))) = (&self.serving, old) {
            if !changes(old, plan, said) && !fresh {
                return Ok(());
            }
            self.base.board.lock().roster.reload(rules, &clock::now());
            serving.bell.ring();
            return serving.server.reload(plan, &encoded, &self.me);
        }
        say(said, &["heartbeat server"]);
        if started {
            self.listen_again(rules);
        }
        let (board, bell, stop) = (self.base.board.clone(), Bell::default(), Stop::default());
        let server = Arc::new(server::start(plan, &encoded, &self.me, board.clone(), bell.clone(), stop.clone())?);
        // The server has a lock of its own, which must not be waited for under the roster's.
        let sources: Vec<_> = board.lock().roster.hosts().sources().collect();
        for (source, hosts) in sources {
            server.known(source, hosts);
        }
        let watchdog = start_watchdog(&board, &bell, &stop, self.base.signs.clone(), self.base.store.clone());
        if watchdog.is_err() {
            stop.stop();
            server.stop_listening();
        }
        self.serving = Some(Serving { server, bell, stop, watchdog: watchdog? });
        Ok(())
    }

    /// After a time without a server the roster goes on as after a restart: nobody could be heard meanwhile.
    fn listen_again(&self, rules: Rules) {
        let now = clock::now();
        // Nobody beats yet, so that nobody waits for the lock; what a command changes must not be lost.
        let state = &mut *self.base.board.lock();
        let old = take(&mut state.roster);
        let mut roster = Roster::new(rules);
        roster.restore_silences(old.silences().clone());
        roster.restore_pushed(old.pushed().clone());
        for shard in 0..SHARDS {
            for (name, host) in old.hosts().copy(shard) {
                roster.restore(name, host, &now);
            }
        }
        roster.started(&now);
        state.roster = roster;
    }

    fn beat(&mut self, plans: &[ClientPlan], renamed: bool, said: &mut String) -> io::Result<()> {
        let mut before = take(&mut self.beating);
        let mut result = Ok(());
        for (index, plan) in plans.iter().enumerate() {
            let known = before.iter().position(|beating| !renamed && beating.plan == *plan);
            if let Some(at) = known {
                self.beating.push(before.swap_remove(at));
                continue;
            }
            say(said, &["client ", &plan.uri.label()]);
            // A beat of the old one after the first of the new one, who may be another user, would be refused and told.
            let ends = |old: &&Beating| !renamed && to_same(&plan.uri, &old.plan.uri) && !plans.contains(&old.plan);
            let first = before.iter().find(ends).map(|old| old.client.clone());
            let Base { carry, resolver, stop, .. } = &self.base;
            match client::start_after(first, index, plan, &self.run, carry, resolver, stop) {
                Ok(client) => self.beating.push(Beating { plan: plan.clone(), client: Arc::new(client) }),
                Err(error) => {
                    result = Err(error);
                    // Rather the old one than none.
                    let old = before.iter().position(|old| !renamed && follows(&plan.uri, &old.plan.uri));
                    self.beating.extend(old.map(|at| before.swap_remove(at)));
                }
            }
        }
        let mut gone = Vec::new();
        for Beating { plan, client } in before {
            if !renamed && plans.iter().any(|next| follows(&next.uri, &plan.uri)) {
                // Another one beats there for the same run of this daemon.
                client.farewell("");
            } else {
                say(said, &["client ", &plan.uri.label(), " gone"]);
                gone.push(client);
            }
        }
        say_goodbye(gone, if renamed { "rename" } else { "leave" });
        let mut labels = Vec::new();
        for plan in plans {
            labels.push(plan.uri.label());
        }
        self.run.monitors.keep(&self.me, &labels, &clock::now());
        result
    }

    fn tell(&self, old: &[ChannelPlan], plans: &[ChannelPlan], rezoned: bool, said: &mut String) {
        for plan in plans {
            if rezoned || !old.contains(plan) {
                say(said, &["channel ", &plan.name]);
            }
        }
        for old in old {
            if !plans.iter().any(|plan| plan.name == old.name) {
                say(said, &["channel ", &old.name, " gone"]);
            }
        }
        let Base { resolver, stop, desk, .. } = &self.base;
        // Also when nothing changed: a channel that waits for a person is tried.
        let channels = channels(plans, resolver, &self.zone, stop);
        // The desk never waits for anybody, so that this cannot last; at the end of the program nobody hears it.
        let _ = desk.send(Parcel::Channels { channels, all: rezoned });
    }
}

fn start_watchdog(
    board: &Arc<Board>,
    bell: &Bell,
    stop: &Stop,
    signs: Signs,
    store: Option<SyncSender<Parcel>>,
) -> io::Result<JoinHandle<()>> {
    let (board, bell, stop) = (board.clone(), bell.clone(), stop.clone());
    spawn("watchdog", SMALL_STACK, move || {
        watchdog::run(&board, &bell, &stop, &signs, |place, bytes| {
            let root = if place == Place::State { Root::State } else { Root::Runtime };
            let put = Job::Put { file: BEATS_FILE.to_owned(), bytes, keep_previous: false };
            let batch = Parcel::Batch(Batch { number: 0, root, jobs: vec![put], reply: false, done: None });
            // A store that is busy gets the next ones.
            if store.as_ref().is_none_or(|store| store.try_send(batch).is_err()) {
                log::debug!("the store is busy: last-beat times are not saved");
            }
        });
    })
}

/// The channels, each with what makes its attempts.
pub fn channels(plans: &[ChannelPlan], resolver: &Arc<Resolver>, zone: &Zone, stop: &Stop) -> Vec<Channel> {
    let deliver = |plan: &ChannelPlan| -> Deliver {
        let fetch = channel::fetch(plan, resolver.clone());
        let (plan, zone, stop) = (plan.clone(), zone.clone(), stop.clone());
        let mut state = ChannelState::default();
        Box::new(move |message| {
            let tools = Tools { fetch: &fetch, zone: &zone, stop: &stop };
            channel::attempt(&plan, message, &tools, &mut state)
        })
    };
    let hours = |plan: &ChannelPlan| plan.quiet.map(|quiet| Hours::new(quiet, zone.clone()));
    plans.iter().map(|plan| Channel { plan: plan.clone(), deliver: deliver(plan), hours: hours(plan) }).collect()
}
