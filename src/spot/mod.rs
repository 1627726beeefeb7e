//! Hears a cloud's notice that this instance will be reclaimed: one thread, one poll loop for all clouds.
//!
//! A cloud is a file with data and one pure function ([`service::Service`]). What is told, and when, is decided in
//! [`tracker`]; this file only asks, and passes on.

pub mod alicloud;
pub mod aws;
pub mod azure;
pub mod detect;
pub mod google;
pub mod huawei;
pub mod identity;
pub mod list;
pub mod metadata;
pub mod notice;
pub mod service;
pub mod sight;
pub mod tencent;
pub mod timestamp;
pub mod token;
pub mod tracker;
pub mod volcengine;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::alert::pending::After;
use crate::clock::{self, Now, Tick};
use crate::config::plan::{Cloud, SpotPlan};
use crate::event::{Event, Fact, Field, Kind, Severity};
use crate::keepalive::carry::Carry;
use crate::resolve::Resolver;
use crate::run::board::Board;
use crate::run::threads::{Stop, lock};
use crate::spot::identity::Learner;
use crate::spot::metadata::{Metadata, TOTAL};
use crate::spot::service::{Reading, Service, Topic};
use crate::spot::sight::Line;
use crate::spot::tracker::{Remark, SpotState, Tracker};

/// Name of the saved state, in [`After::Small`] and of its file.
pub const STATE_NAME: &str = "spot";

/// The suspended time of a machine ends no wait, so a wait is cut into pieces of this length.
const NAP: Duration = Duration::from_secs(1);
/// Polls are never closer than this, whatever the plan says.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Events told after one poll: notices, and blindness or its end.
const MAX_TOLD: usize = 10;
/// A service is asked to hold a request for so long at most.
const MAX_HOLD: Duration = Duration::from_secs(60);
/// After this a service that holds requests is asked again if it could not be read.
const RETRY: Duration = Duration::from_secs(2);
/// Of so many polls, all but one ask for the most urgent topic.
const TURNS: usize = 4;

/// What the poll loop works with.
pub struct SpotContext {
    /// Which cloud, how often, and where.
    pub plan: SpotPlan,
    /// The name of this host.
    pub subject: String,
    /// Whether a channel of this host tells its notices.
    pub told_by_us: bool,
    /// Where events go.
    pub board: Arc<Board>,
    /// Where notices go besides.
    pub carrier: Arc<Carry>,
    /// Resolves the service's name.
    pub resolver: Arc<Resolver>,
    /// What `status` shows.
    pub status: Arc<Mutex<SpotStatus>>,
    /// Ends the loop.
    pub stop: Stop,
    /// The state saved last under [`STATE_NAME`], the newest of file and outbox. Kept current.
    pub saved: Arc<Mutex<Option<String>>>,
    /// A channel took the notice that stands in `saved` ([`tracker::standing`]) before this start.
    pub delivered: bool,
}

/// How the poll loop is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpotStatus {
    /// Which cloud is polled.
    pub cloud: Cloud,
    /// Instance id, zone, type and address as far as they are known.
    pub identity: String,
    /// The last good answer of this run.
    pub last_good: Option<Tick>,
    /// How things stand.
    pub state: SpotState,
}

impl SpotStatus {
    /// Before the first poll.
    pub fn new(cloud: Cloud) -> SpotStatus {
        SpotStatus { cloud, identity: String::new(), last_good: None, state: SpotState::Starting }
    }
}

/// Polls until the program ends. No error ends it. Runs in a thread of its own, with `HTTP_STACK`.
pub fn run(context: SpotContext) {
    Poller::new(context).run();
}

/// Whose turn it is: one request is made per interval. The first topic has three turns of four, and the others share
/// the fourth.
struct Turns {
    turn: usize,
    /// Topics besides the first.
    others: Vec<usize>,
}

impl Turns {
    fn next(&mut self) -> usize {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        if self.others.is_empty() || turn % TURNS != TURNS - 1 {
            0
        } else {
            self.others[turn / TURNS % self.others.len()]
        }
    }
}

struct Poller {
    context: SpotContext,
    topics: &'static [Topic],
    metadata: Metadata,
    learner: Learner,
    tracker: Tracker,
    turns: Turns,
    /// What the log says of each topic but the first; empty if it is well.
    said: Vec<String>,
}

impl Poller {
    fn new(context: SpotContext) -> Poller {
        let service = Service::of(context.plan.cloud);
        let now = clock::now();
        let saved = lock(&context.saved).clone();
        let (mut tracker, ended) = Tracker::restore(context.plan.cloud, &context.subject, saved.as_deref(), &now);
        if let Some(incident) = ended {
            context.carrier.forget(incident);
        }
        if let Some(event) = tracker.standing() {
            context.carrier.put(event, context.told_by_us);
            if context.delivered {
                context.carrier.delivered(event.id);
            }
        }
        let plan = &context.plan;
        tracker.count_down(&plan.countdown);
        tracker.keep(service.topics.len(), &|kind| plan.wants(kind));
        let endpoint = plan.endpoint.clone();
        let metadata = Metadata::new(service, endpoint, Arc::clone(&context.resolver));
        let topics = service.topics;
        let wanted = (1..topics.len()).filter(|at| plan.wants(topics[*at].kind)).collect();
        let turns = Turns { turn: 0, others: wanted };
        let said = vec![String::new(); topics.len()];
        Poller { context, topics, metadata, learner: Learner::new(service), tracker, turns, said }
    }

    fn run(mut self) {
        // Before the first poll, so that even a notice that stands already names the instance.
        self.learn(clock::tick() + TOTAL);
        loop {
            let begun = clock::tick();
            let next = begun + self.poll().max(MIN_INTERVAL);
            let now = clock::tick();
            // A poll that took long leaves a little time for it all the same.
            self.learn(if next > now { next } else { now + TOTAL });
            if self.wait(next) {
                return;
            }
        }
    }

    /// Looks at the topic whose turn it is. Returns how long after the beginning of this poll the next one is due: at
    /// once if the service will hold that request.
    fn poll(&mut self) -> Duration {
        let at = self.turns.next();
        let topic = &self.topics[at];
        // While this instance is not known there is something else to ask.
        let known = self.learner.next().is_none();
        let interval = self.context.plan.interval;
        let hold = if known { interval.min(MAX_HOLD) } else { Duration::ZERO };
        let was_held = self.metadata.is_held() && known;
        let begun = clock::tick();
        let mut reading = self.metadata.poll(topic, &self.learner.identity().name, hold);
        if let Reading::Notices(notices) = &mut reading {
            notices.retain(|notice| self.context.plan.wants(notice.kind));
            // "Nothing" counts only where it comes from the right service.
            if notices.is_empty() && !self.learner.is_verified() {
                reading = Reading::Unknown(self.learner.why());
            }
        }
        // If the first cannot be read either, the reason is the same and has been said.
        if at > 0 && self.tracker.sees() {
            self.note(at, &reading);
        }
        self.take_in(at, &reading);
        // The answer to a request that is held comes when its time is over, or with news.
        let in_full = !was_held || at > 0 || clock::tick().since(begun) + MIN_INTERVAL >= hold;
        match &reading {
            // Where nothing says when the end comes, it is near.
            Reading::Unknown(_) if topic.waits => interval.min(RETRY),
            _ if self.metadata.is_held() && known && in_full => Duration::ZERO,
            _ => interval,
        }
    }

    /// Logs what a topic that is not the first answers, once until it changes.
    fn note(&mut self, at: usize, reading: &Reading) {
        let said = match reading {
            Reading::Unknown(why) => why.text.as_str(),
            _ => "",
        };
        if self.said[at] != said {
            let cloud = self.context.plan.cloud.name();
            if said.is_empty() {
                log::info!("{cloud}: {} can be read again", self.topics[at].name());
            } else {
                log::warn!("{cloud}: {said}");
            }
            said.clone_into(&mut self.said[at]);
        }
    }

    fn take_in(&mut self, at: usize, reading: &Reading) {
        let now = clock::now();
        if let Some(remark) = self.tracker.observe(at, reading, &now) {
            self.log(&remark);
        }
        self.tell(&now);
        self.publish();
    }

    /// Passes on what is due. What finds no room stays due until the next poll.
    fn tell(&mut self, now: &Now) {
        let mut told = Vec::new();
        for _ in 0..MAX_TOLD {
            let Some(due) = self.tracker.due(self.learner.identity(), now) else { break };
            let json = due.json();
            let after = After::Small { name: STATE_NAME.to_owned(), json: json.clone() };
            if !self.context.board.post(Some(due.event.clone()), after) {
                break;
            }
            *lock(&self.context.saved) = Some(json);
            let event = self.tracker.commit(due);
            if matches!(event.kind, Kind::Interrupt | Kind::InterruptWithdrawn) {
                self.context.carrier.put(&event, self.context.told_by_us);
            }
            self.log_told(&event);
            told.push(event);
        }
        // It takes time, so it comes when all is told.
        for event in told {
            self.acknowledge(&event);
        }
    }

    /// Lets the cloud go ahead with maintenance of this machine that was told just now, if the owner wants that.
    fn acknowledge(&self, event: &Event) {
        if !self.context.plan.acknowledge || event.kind != Kind::Maintenance {
            return;
        }
        if let Some(id) = self.tracker.agreeable(event) {
            let answer = if self.metadata.acknowledge(id) { "acknowledged" } else { "could not be acknowledged" };
            log::info!("{}: event {id} {answer}", self.context.plan.cloud.name());
        }
    }

    /// Learns which instance this is, until `end` at the latest; a fault ends it for this time.
    fn learn(&mut self, end: Tick) {
        let before = self.learner.is_verified();
        let stop = &self.context.stop;
        self.metadata.learn(&mut self.learner, end, &|| stop.is_stopped());
        if self.learner.is_verified() != before {
            log::info!("{}: this is {}", self.context.plan.cloud.name(), self.learner.identity().text());
        }
        self.publish();
    }

    fn publish(&self) {
        let status = SpotStatus {
            cloud: self.context.plan.cloud,
            identity: self.learner.identity().text(),
            last_good: self.tracker.last_good(),
            state: self.tracker.state(),
        };
        *lock(&self.context.status) = status;
    }

    fn log_told(&self, event: &Event) {
        let level = if event.severity == Severity::Info { log::Level::Info } else { log::Level::Warn };
        let (cloud, kind, incident) = (self.context.plan.cloud.name(), event.kind.name(), event.incident);
        match event.fact(Field::Reason) {
            Some(Fact::Text(reason)) => log::log!(level, "{cloud}: {kind}, incident {incident}: {reason}"),
            _ => log::log!(level, "{cloud}: {kind}, incident {incident}"),
        }
    }

    fn log(&self, remark: &Remark) {
        let cloud = self.context.plan.cloud.name();
        match remark {
            Remark::Sight(Line::Lost(why)) => log::warn!("{cloud}: no good answer: {why}"),
            Remark::Sight(Line::Back) => log::info!("{cloud}: answers again"),
            Remark::Stale(raw) => log::warn!("{cloud}: ignoring {raw}, which is long past"),
        }
    }

    /// Waits until `next`; at once if it has passed, as after a suspension. True at the end of the program.
    fn wait(&self, next: Tick) -> bool {
        loop {
            let left = next.since(clock::tick());
            if self.context.stop.wait(left.min(NAP)) {
                return true;
            }
            if left <= NAP {
                return false;
            }
        }
    }
}
