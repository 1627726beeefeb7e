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
pub mod pause;
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
use crate::event::{Event, Fact, Field, Id, Severity};
use crate::keepalive::carry::Carry;
use crate::resolve::Resolver;
use crate::run::board::Board;
use crate::run::threads::{Stop, lock};
use crate::spot::identity::{Identity, Learner};
use crate::spot::metadata::{Metadata, TOTAL};
use crate::spot::service::{Reading, Service, Topic, excerpt};
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
/// For how long a service that can is asked to hold a request. The other topics wait meanwhile.
const HOLD: Duration = Duration::from_secs(20);
/// The same for a long interval, so that there is no gap between two such requests.
const MAX_HOLD: Duration = Duration::from_secs(60);
/// Of so many polls, all but one ask for the most urgent topic.
const TURNS: usize = 4;
/// Of so many requests one asks which instance this is, as long as that is not certain: until then "nothing" counts for
/// nothing.
const UNVERIFIED: usize = 2;
/// The same once only details are missing.
const VERIFIED: usize = 8;
/// An event is acknowledged at most so often before it is left alone.
const MAX_TRIES: u32 = 3;
/// Acknowledged events that are remembered.
const MAX_AGREED: usize = 16;
/// How often a loop that waits for another one to end looks.
const LOOK: Duration = Duration::from_millis(200);
/// Loops that may be at work at a time: one, and an earlier one that waits for its last answer, which is worth nothing.
const MAX_LOOPS: usize = 2;

/// The way of events out of here. Whoever tells holds `saved`, so that two loops never tell at once: an earlier one
/// that was stopped tells nothing more.
#[derive(Clone)]
pub struct Way {
    /// Where events go.
    pub board: Arc<Board>,
    /// Where notices go besides.
    pub carrier: Arc<Carry>,
    /// Whether a channel of this host tells its notices.
    pub told_by_us: bool,
    /// The state saved last under [`STATE_NAME`], the newest of file and outbox. Kept current.
    pub saved: Arc<Mutex<Option<String>>>,
    /// Ends the loop.
    pub stop: Stop,
}

/// What the poll loop works with.
pub struct SpotContext {
    /// Which cloud, how often, and where.
    pub plan: SpotPlan,
    /// The name of this host.
    pub subject: String,
    /// Where its events go.
    pub way: Way,
    /// Resolves the service's name.
    pub resolver: Arc<Resolver>,
    /// What `status` shows.
    pub status: Arc<Mutex<SpotStatus>>,
    /// What stands in [`Way::saved`] ([`tracker::standing`]) and was taken by a channel before this start.
    pub delivered: Vec<Id>,
    /// Whoever starts loops has one, and every loop a clone of it.
    pub seat: Arc<()>,
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

/// Polls until it is stopped. No error ends it. Runs in a thread of its own, with `HTTP_STACK`. Nobody need wait for it:
/// once it is stopped and nobody holds [`Way::saved`] it changes nothing.
pub fn run(context: SpotContext) {
    while Arc::strong_count(&context.seat) > MAX_LOOPS + 1 {
        if context.way.stop.wait(LOOK) {
            return;
        }
    }
    Poller::new(context).run();
}

/// No cloud is asked any more: ends what was told as the host `subject`, without a word. `cloud` does not matter.
pub fn give_up(cloud: Cloud, subject: &str, way: &Way) {
    let now = clock::now();
    let saved = lock(&way.saved).clone();
    let mut tracker = Tracker::restore(cloud, subject, saved.as_deref(), &now);
    tracker.give_up();
    pass_on(&mut tracker, &Identity::default(), way, &now);
}

/// Passes on what is due, and returns it. What finds no room stays due until the next time.
fn pass_on(tracker: &mut Tracker, identity: &Identity, way: &Way, now: &Now) -> Vec<Event> {
    let mut saved = lock(&way.saved);
    let mut told = Vec::new();
    while told.len() < MAX_TOLD
        && !way.stop.is_stopped()
        && let Some(due) = tracker.due(identity, now)
    {
        let json = due.json();
        let after = After::Small { name: STATE_NAME.to_owned(), json: json.clone() };
        let mut event = due.event.clone();
        let known = {
            let state = &mut *way.board.lock();
            state.roster.adopt_own(&mut event, now, &mut state.pending)
        };
        if !way.board.post((!known).then_some(event), after) {
            break;
        }
        *saved = Some(json);
        let event = tracker.commit(due);
        way.carrier.put(&event, way.told_by_us);
        if known {
            way.carrier.delivered(event.id);
        }
        told.push(event);
    }
    told
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
        // At the start they have every second turn, so that nothing that stands has to wait for long.
        let turns = if turn < 2 * self.others.len() { 2 } else { TURNS };
        if self.others.is_empty() || turn % turns != turns - 1 {
            0
        } else {
            self.others[turn / turns % self.others.len()]
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
    /// Requests so far.
    requests: usize,
    /// Events that were acknowledged, or will not be.
    agreed: Vec<String>,
    /// The event that is being acknowledged, and how often that was tried.
    trying: (String, u32),
    /// What the log says of each topic but the first; empty if it is well.
    said: Vec<String>,
}

impl Poller {
    fn new(context: SpotContext) -> Poller {
        let service = Service::of(context.plan.cloud);
        let (plan, way) = (&context.plan, &context.way);
        // Nobody tells meanwhile.
        let saved = lock(&way.saved);
        let mut tracker = Tracker::restore(plan.cloud, &context.subject, saved.as_deref(), &clock::now());
        let topics = service.topics;
        tracker.count_down(&plan.countdown);
        tracker.keep(&|standing| standing.topic < topics.len() && plan.wants(standing.event.kind));
        for event in tracker.standing().filter(|_| !way.stop.is_stopped()) {
            way.carrier.put(event, way.told_by_us);
            if context.delivered.contains(&event.id) {
                way.carrier.delivered(event.id);
            }
        }
        drop(saved);
        let endpoint = plan.endpoint.clone();
        let metadata = Metadata::new(service, endpoint, Arc::clone(&context.resolver));
        let wanted = (1..topics.len()).filter(|at| plan.wants(topics[*at].kind)).collect();
        let turns = Turns { turn: 0, others: wanted };
        let said = vec![String::new(); topics.len()];
        let (learner, agreed) = (Learner::new(service), Vec::new());
        let trying = (String::new(), 0);
        Poller { context, topics, metadata, learner, tracker, turns, requests: 0, agreed, trying, said }
    }

    fn run(mut self) {
        // All of it before the first poll, so that even a notice that stands already names the instance.
        self.learn(true);
        while !self.context.way.stop.is_stopped() {
            let begun = clock::tick();
            self.ask();
            let interval = self.context.plan.interval.max(MIN_INTERVAL);
            self.wait(begun + self.metadata.pause().after(interval));
        }
    }

    /// Makes the one request of this interval, besides tokens: for who this is, for what is announced, or to let an
    /// event begin.
    fn ask(&mut self) {
        self.requests = self.requests.wrapping_add(1);
        let every = if self.learner.is_verified() { VERIFIED } else { UNVERIFIED };
        if self.learner.next().is_some() && self.requests.is_multiple_of(every) && !self.metadata.pause().is_asked_for()
        {
            return self.learn(false);
        }
        let wants = self.context.plan.acknowledge;
        if let Some(id) = self.tracker.agreeable(&self.agreed).filter(|_| wants).map(str::to_owned) {
            return self.acknowledge(id);
        }
        // Where answers are rare, or worth little, they should be those of the most urgent topic.
        let first = self.metadata.pause().is_asked_for() || !self.learner.is_verified();
        let at = if first { 0 } else { self.turns.next() };
        self.poll(at);
    }

    /// Looks at a topic.
    fn poll(&mut self, at: usize) {
        let topic = &self.topics[at];
        // While this instance is not known there is something else to ask.
        let known = self.learner.next().is_none();
        let hold = if known { self.context.plan.interval.clamp(HOLD, MAX_HOLD) } else { Duration::ZERO };
        let mut reading = self.metadata.poll(topic, &self.learner.identity().name, hold);
        if let Reading::Notices(notices) = &mut reading {
            notices.retain(|notice| self.context.plan.wants(notice.kind));
            // "Nothing" counts only where it comes from the right service.
            if notices.is_empty() && !self.learner.is_verified() {
                reading = Reading::Unknown(self.learner.why());
            }
        }
        if self.context.way.stop.is_stopped() {
            return;
        }
        // If the first cannot be read either, the reason is the same and has been said.
        if at > 0 && self.tracker.sees() {
            self.note(at, &reading);
        }
        let now = clock::now();
        if let Some(remark) = self.tracker.observe(at, &reading, &now) {
            self.log(&remark);
        }
        for event in pass_on(&mut self.tracker, self.learner.identity(), &self.context.way, &now) {
            self.log_told(&event);
        }
        self.publish();
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

    /// Lets the cloud go ahead with an event that was told. After some failures it is left alone: the cloud goes ahead by
    /// itself in the end.
    fn acknowledge(&mut self, id: String) {
        let cloud = self.context.plan.cloud.name();
        let result = self.metadata.acknowledge(&id);
        let before = if self.trying.0 == id { self.trying.1 } else { 0 };
        self.trying = (id.clone(), before + 1);
        match result {
            Ok(200) => log::info!("{cloud}: event {id} acknowledged"),
            _ if before + 1 < MAX_TRIES => return,
            Ok(status) => log::warn!("{cloud}: event {id} could not be acknowledged: the answer is {status}"),
            Err(error) => log::warn!("{cloud}: event {id} could not be acknowledged: {error}"),
        }
        if self.agreed.len() >= MAX_AGREED {
            self.agreed.remove(0);
        }
        self.agreed.push(id);
    }

    /// Learns which instance this is: `all` that can be, else as much as one request says. What is left once it is
    /// certain follows at once, since that happens only once. A fault ends it for this time.
    fn learn(&mut self, all: bool) {
        let before = self.learner.is_verified();
        let (stop, mut asked) = (&self.context.way.stop, false);
        let mut enough = |learner: &Learner| {
            let new = !before && learner.is_verified();
            stop.is_stopped() || (std::mem::replace(&mut asked, true) && !all && !new)
        };
        self.metadata.learn(&mut self.learner, clock::tick() + TOTAL, &mut enough);
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

    /// One line for the log: what the cloud said, or why it cannot be heard.
    fn log_told(&self, event: &Event) {
        let level = if event.severity == Severity::Info { log::Level::Info } else { log::Level::Warn };
        let (cloud, kind, raw) = (self.context.plan.cloud.name(), event.kind.name(), self.tracker.raw(event));
        let said = match event.fact(Field::Reason) {
            Some(Fact::Text(reason)) if raw.is_empty() => [": ", reason].concat(),
            _ if raw.is_empty() => String::new(),
            _ => [": it says ", &excerpt(raw.as_bytes())].concat(),
        };
        log::log!(level, "{cloud}: {kind}, incident {}{said}", event.incident);
    }

    fn log(&self, remark: &Remark) {
        let cloud = self.context.plan.cloud.name();
        match remark {
            Remark::Sight(Line::Lost(why)) => log::warn!("{cloud}: no good answer: {why}"),
            Remark::Sight(Line::Back) => log::info!("{cloud}: answers again"),
            Remark::Stale(raw) => log::warn!("{cloud}: ignoring {raw}, which is long past"),
        }
    }

    /// Waits until `next` or until it is stopped; not at all if it has passed, as after a suspension.
    fn wait(&self, next: Tick) {
        loop {
            let left = next.since(clock::tick());
            if left.is_zero() || self.context.way.stop.wait(left.min(NAP)) {
                return;
            }
        }
    }
}
