//! The thread that starts callbacks. It hears of an event from the desk, at the moment at which the channels are given
//! it, and waits for no disk and no run: each run has a thread of its own, which first sees that the disk knows of it.

use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::message::span;
use crate::alert::pending::After;
use crate::callback::exec::Leash;
use crate::callback::limit::SHORTEST;
use crate::callback::result::{Ending, NEVER_STARTED, Outcome, cause_of, event};
use crate::callback::rules::{Action, Job, Rules, Standing, Start};
use crate::callback::runner::{self, Surroundings};
use crate::callback::state::{self, CutOff, STATE_NAME};
use crate::clock::{self, Now, Tick, tick};
use crate::config::plan::{Act, CallbackPlan, Language, Reported};
use crate::event::{Event, Kind};
use crate::json;
use crate::resolve::Resolver;
use crate::run::board::Board;
use crate::run::load::Small;
use crate::run::threads::{Bell, HTTP_STACK, SMALL_STACK, Stop, lock, spawn};
use crate::zone::Zone;

/// How long a run waits for the disk to know of it, if nobody says that the disk is slow.
const DISK_FIRST: Duration = Duration::from_millis(1500);
/// How often what found no room on the board is offered again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Threads of runs, with those that were given up.
const MAX_THREADS: usize = 32;
/// Events that may wait for room on the board.
const MAX_UNTOLD: usize = 64;

/// All callbacks of the daemon.
pub struct Callbacks {
    inner: Mutex<Inner>,
    bell: Bell,
    board: Arc<Board>,
    desk: SyncSender<Parcel>,
    resolver: Arc<Resolver>,
    stop: Stop,
}

struct Inner {
    rules: Rules,
    plans: Vec<Arc<CallbackPlan>>,
    /// This host.
    me: String,
    zone: Zone,
    /// The number of the last change that was heard of.
    seen: u64,
    /// The runs there are, and whether the end of the daemon waits for theirs.
    runs: Vec<(u32, Leash, bool)>,
    /// What found no room on the board.
    untold: Vec<Event>,
    /// The state on the board is older than the rules.
    dirty: bool,
    /// The thread runs.
    started: bool,
}

impl Callbacks {
    /// None yet. `saved` is what the last run of the daemon left; what it cut off is told by [`Callbacks::apply`].
    pub fn new(board: Arc<Board>, desk: SyncSender<Parcel>, resolver: Arc<Resolver>, stop: Stop) -> Callbacks {
        let inner = Inner {
            rules: Rules::default(),
            plans: Vec::new(),
            me: String::new(),
            zone: Zone::utc(),
            seen: 0,
            runs: Vec::new(),
            untold: Vec::new(),
            dirty: false,
            started: false,
        };
        Callbacks { inner: Mutex::new(inner), bell: Bell::default(), board, desk, resolver, stop }
    }

    /// Goes on where the last run of the daemon ended, and tells what that cut off.
    pub fn restore(&self, saved: Option<&Small>, me: &str, plans: &[Arc<CallbackPlan>]) {
        let Some((saved, json)) = saved.and_then(|saved| Some((saved, json::read(saved.json.as_bytes())?))) else {
            return;
        };
        let (seen, heard, cut_off) = state::read(&json);
        let inner = &mut *lock(&self.inner);
        // Whatever a damaged file says, no change to come has such a number.
        inner.seen = seen.min(saved.seq);
        (inner.me, inner.plans) = (me.to_owned(), plans.to_vec());
        inner.rules = Rules::new(heard);
        for CutOff { callback, event, .. } in &cut_off {
            log::warn!("callback {callback}: the last daemon ended before it did ({})", cause_of(event));
        }
        for cut_off in &cut_off {
            inner.tell(&cut_off.callback, &cut_off.event, &cut_off.outcome(), &clock::now());
        }
        inner.post(&self.board);
    }

    /// The callbacks are these from now on.
    ///
    /// # Errors
    /// When the system has no room for the thread that starts them.
    pub fn apply(self: &Arc<Self>, plans: &[Arc<CallbackPlan>], me: &str, zone: &Zone) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        (inner.me, inner.zone, inner.plans) = (me.to_owned(), zone.clone(), plans.to_vec());
        let actions = inner.rules.apply(plans);
        inner.dirty |= !actions.is_empty();
        let starts = !inner.started && !plans.is_empty() && !self.stop.is_stopped();
        inner.started |= starts;
        drop(inner);
        say_dropped(&actions);
        if starts {
            let callbacks = self.clone();
            let thread = spawn("callbacks", SMALL_STACK, move || callbacks.run());
            if thread.is_err() {
                lock(&self.inner).started = false;
            }
            thread?;
        }
        self.bell.ring();
        Ok(())
    }

    /// An event is told, or was told by its host itself. `seq` is the number of the change it came with, if it came
    /// with one: each is heard once, also by the next run of the daemon. Returns the small state if it is another one
    /// now: it must be on disk before anything says that the event is told, since nobody may be there to tell it.
    pub fn hear(&self, event: &Event, seq: Option<u64>) -> Option<String> {
        let mut inner = lock(&self.inner);
        if seq.is_some_and(|seq| seq <= inner.seen) {
            return None;
        }
        inner.seen = seq.unwrap_or(inner.seen);
        if inner.plans.is_empty() {
            return None;
        }
        let now = clock::now();
        let before = inner.rules.jobs().len();
        let actions = inner.rules.hear(&Arc::new(event.clone()), &now);
        let news = inner.rules.jobs().len() != before || !actions.is_empty();
        inner.obey(&actions, &now);
        inner.dirty |= news;
        // With what is not told yet it goes by itself.
        let state = (news && inner.untold.is_empty()).then(|| inner.state());
        drop(inner);
        say_dropped(&actions);
        if news {
            self.bell.ring();
        }
        state
    }

    /// How each of them is doing.
    pub fn standings(&self) -> Vec<Standing> {
        lock(&self.inner).rules.standings()
    }

    /// Whether a run is being ended, whose end can still be told.
    pub fn is_busy(&self) -> bool {
        let inner = lock(&self.inner);
        inner.runs.iter().any(|(_, _, waits)| *waits) || !inner.untold.is_empty()
    }

    /// Ends the thread once the program is stopped.
    pub fn close(&self) {
        self.bell.ring();
    }

    fn run(self: Arc<Self>) {
        while !self.stop.is_stopped() {
            let wait = self.work();
            self.bell.wait(wait);
        }
    }

    /// Does what is due; returns how long nothing is.
    fn work(self: &Arc<Self>) -> Duration {
        let now = clock::now();
        let mut inner = lock(&self.inner);
        let actions = inner.rules.step(&now);
        inner.dirty |= !actions.is_empty();
        inner.obey(&actions, &now);
        let mut starts = Vec::new();
        for action in &actions {
            if let Action::Start(start) = action {
                let leash = Leash::default();
                let waits = matches!(&start.plan.act, Act::Run(run) if !run.outlives);
                inner.runs.push((start.number, leash.clone(), waits));
                starts.push((start.clone(), leash));
            }
        }
        let posted = inner.post(&self.board);
        let zone = inner.zone.clone();
        let next = inner.rules.next(&now);
        drop(inner);
        say_dropped(&actions);
        for (start, leash) in starts {
            self.start(start, leash, posted, &zone, now.tick);
        }
        let inner = lock(&self.inner);
        let pressing = inner.dirty || !inner.untold.is_empty();
        drop(inner);
        let most = if pressing { LOOK_EVERY } else { Duration::from_secs(3600) };
        next.map_or(most, |next| next.since(tick()).min(most)).max(Duration::from_millis(1))
    }

    /// Starts a run in a thread of its own.
    fn start(self: &Arc<Self>, start: Start, leash: Leash, posted: bool, zone: &Zone, decided: Tick) {
        let (number, plan, event) = (start.number, start.plan.clone(), start.event.clone());
        let saved = Bell::default();
        // The desk never waits for anybody; if it has ended, so has the daemon.
        let knows = posted && self.desk.send(Parcel::Record(saved.clone())).is_ok();
        let callbacks = self.clone();
        let around = Surroundings { resolver: self.resolver.clone(), zone: zone.clone(), stop: self.stop.clone() };
        let name = ["call-", &plan.name].concat();
        if lock(&self.inner).runs.len() > MAX_THREADS {
            return self.postpone(number, &plan, &event, "too many runs hang");
        }
        let thread = spawn(&name, HTTP_STACK, move || {
            if knows && !saved.wait(DISK_FIRST) {
                log::debug!("callback {}: the disk is slow", start.plan.name);
            }
            if around.stop.is_stopped() {
                let outcome = Outcome::of(Ending::Failed(NEVER_STARTED.to_owned()), None);
                return callbacks.ended(number, &start.plan, &start.event, Some(outcome));
            }
            say_start(&start, decided);
            // Until a deadline every moment counts, also those that the disk took.
            let until = match start.event.kind {
                Kind::Interrupt => (decided + start.limit).max(tick() + SHORTEST),
                _ => tick() + start.limit,
            };
            let outcome = runner::run(&start, until, &leash, &around);
            callbacks.ended(number, &start.plan, &start.event, outcome);
        });
        if let Err(error) = thread {
            self.postpone(number, &plan, &event, &["no thread for it: ", &error.to_string()].concat());
        }
    }

    /// Tries it again in a second.
    fn postpone(&self, number: u32, plan: &CallbackPlan, event: &Event, why: &str) {
        let mut inner = lock(&self.inner);
        inner.runs.retain(|(run, _, _)| *run != number);
        inner.dirty = true;
        let (tries, waits) = inner.rules.postpone(number);
        drop(inner);
        if tries == 1 {
            let test = if event.test { "TEST " } else { "" };
            log::warn!("{test}callback {}: waits: {why} (incident {})", plan.name, event.incident);
        }
        if !waits {
            self.ended(number, plan, event, Some(Outcome::of(Ending::Failed(why.to_owned()), None)));
        }
    }

    /// A run ended; `None` if it goes on without the daemon: the next one tells it.
    fn ended(&self, number: u32, plan: &CallbackPlan, event: &Event, outcome: Option<Outcome>) {
        say_end(plan, event, outcome.as_ref());
        let now = clock::now();
        let mut inner = lock(&self.inner);
        if let Some(outcome) = outcome {
            inner.tell_as(plan.report, &plan.name, event, &outcome, &now);
            inner.rules.ended(number, outcome, &now);
            inner.dirty = true;
            inner.post(&self.board);
            // An end that is not told is written at once all the same: else it would be told as unknown after a crash.
            let _ = self.desk.try_send(Parcel::Record(Bell::default()));
        }
        inner.runs.retain(|(run, _, _)| *run != number);
        drop(inner);
        self.bell.ring();
    }
}

impl Inner {
    fn state(&self) -> String {
        state::write(self.seen, self.rules.heard(), self.rules.jobs())
    }

    /// Has an outcome told, if its callback wants that.
    fn tell(&mut self, callback: &str, cause: &Event, outcome: &Outcome, now: &Now) {
        let plan = self.plans.iter().find(|plan| plan.name == callback);
        let report = plan.map_or(Reported::Always, |plan| plan.report);
        self.tell_as(report, callback, cause, outcome, now);
    }

    fn tell_as(&mut self, report: Reported, callback: &str, cause: &Event, outcome: &Outcome, now: &Now) {
        self.dirty = true;
        if !outcome.ending.is_told(report) {
            return;
        }
        if self.untold.len() < MAX_UNTOLD {
            self.untold.push(event(callback, cause, outcome, &self.me, now));
        } else {
            log::error!("callback {callback}: {}; too much waits to tell it", outcome.ending.words());
        }
    }

    /// Ends runs sooner, and tells what is not started although it should be.
    fn obey(&mut self, actions: &[Action], now: &Now) {
        for action in actions {
            match action {
                Action::Shorten(number, until) => {
                    if let Some((_, leash, _)) = self.runs.iter().find(|(run, _, _)| run == number) {
                        leash.shorten(*until);
                    }
                }
                Action::Refused(Job { callback, event, .. }, why) => {
                    log::warn!("callback {callback}: {why} ({})", cause_of(event));
                    self.tell(callback, event, &Outcome::of(Ending::Failed((*why).to_owned()), None), now);
                }
                Action::Start(_) | Action::Dropped(..) => {}
            }
        }
    }

    /// Puts events and state on the board; `false` if there is no room for all of it. The state, which says that the
    /// events are told, goes with the last of them: the end of the daemon may come between two. Those that are on disk
    /// by then are known by their ids when they are told again.
    fn post(&mut self, board: &Board) -> bool {
        let after = After::Small { name: STATE_NAME.to_owned(), json: self.state() };
        let mut told = 0;
        while let Some(event) = self.untold.get(told) {
            let after = if told + 1 == self.untold.len() { after.clone() } else { After::Nothing };
            if !board.post(Some(event.clone()), after) {
                break;
            }
            told += 1;
        }
        self.untold.drain(..told);
        if self.untold.is_empty() && (told > 0 || !self.dirty || board.post(None, after)) {
            self.dirty = false;
            return true;
        }
        false
    }
}

/// The usual log line of what is not started and need not be.
fn say_dropped(actions: &[Action]) {
    for action in actions {
        if let Action::Dropped(job, why) = action {
            log::info!("callback {}: not started for {}: {why}", job.callback, cause_of(&job.event));
        }
    }
}

fn say_start(start: &Start, decided: Tick) {
    let Start { plan, event, limit, waited, .. } = start;
    let after = *waited + tick().since(decided);
    let after = after.as_millis().to_string();
    let limit = span(Language::En, *limit);
    let test = if event.test { "TEST " } else { "" };
    log::info!(
        "{test}callback {}: starts {after} ms after {} came, for {limit} at most (incident {})",
        plan.name,
        cause_of(event),
        event.incident
    );
}

fn say_end(plan: &CallbackPlan, event: &Event, outcome: Option<&Outcome>) {
    let incident = event.incident;
    let Some(outcome) = outcome else {
        log::info!("callback {}: goes on without the daemon (incident {incident})", plan.name);
        return;
    };
    let test = if event.test { "TEST " } else { "" };
    let mut text = [test, "callback ", &plan.name, ": ", &outcome.ending.words()].concat();
    if let Some(took) = outcome.took {
        text.push_str(&[" after ", &took.as_millis().to_string(), " ms"].concat());
    }
    let output = outcome.excerpt();
    if !output.is_empty() {
        text.push_str(&[": ", &output].concat());
    }
    if outcome.ending.is_good() {
        log::info!("{text} (incident {incident})");
    } else {
        log::warn!("{text} (incident {incident})");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::alert::testing::{at, event as some};
    use crate::event::Id;
    use crate::run::board::State;

    #[test]
    fn the_state_goes_with_the_last_of_what_it_says_is_told() {
        let text = "[[callback]]\non = [\"offline\"]\nshell = \"x\"\n";
        let plans = crate::config::parse(text, "c.toml", &crate::config::Env::default()).unwrap().callbacks;
        let mut rules = Rules::default();
        rules.apply(&plans);
        for incident in 1..=3 {
            rules.hear(&Arc::new(some(Kind::Offline, incident, "nas")), &at(0));
        }
        let saved = Small { seq: 7, json: state::write(9, rules.heard(), rules.jobs()) };
        let board = Arc::new(Board::new(State::default(), sync_channel(9).0));
        let (desk, _inbox) = sync_channel(9);
        let callbacks = Callbacks::new(board.clone(), desk, Arc::default(), Stop::default());
        callbacks.restore(Some(&saved), "me", &plans);
        let changes = board.lock().pending.take(9);
        let incidents: Vec<Id> = changes.iter().filter_map(|change| Some(change.event.as_ref()?.incident)).collect();
        assert_eq!(incidents, [Id(1), Id(2), Id(3)]);
        let states: Vec<bool> = changes.iter().map(|change| matches!(change.after, After::Small { .. })).collect();
        assert_eq!(states, [false, false, true]);
        assert_eq!(lock(&callbacks.inner).seen, 7, "no number that is to come is taken for heard");

        // What is heard is to be written at once, and only once; not with what is still to be told.
        lock(&callbacks.inner).rules.apply(&plans);
        let news = some(Kind::Offline, 4, "nas");
        assert_eq!(callbacks.hear(&news, Some(7)), None, "it was heard");
        let written = callbacks.hear(&news, Some(8)).unwrap();
        let (seen, heard, jobs) = state::read(&json::read(written.as_bytes()).unwrap());
        assert_eq!((seen, heard.len(), jobs.len(), jobs[0].began), (8, 4, 1, false));
        assert_eq!(callbacks.hear(&news, Some(9)), None, "the same event again");
    }
}
