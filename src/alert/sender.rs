//! One thread per channel: it tries what is due and tells the desk what became of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crate::alert::backlog::{Attempt, Backlog, Fate, Next};
use crate::alert::hours::Hours;
use crate::alert::limit::Bucket;
use crate::alert::retry::{ChannelState, Jitter, Pace};
use crate::alert::{Message, Parcel, Verdict};
use crate::clock::{self, Now, Tick};
use crate::event::Moment;
use crate::run::threads::{Bell, HTTP_STACK, spawn};

/// Events that may lie between the desk and a sender.
const QUEUE: usize = 64;
/// How many of them may be other than interrupts: one of those never waits for an attempt to make room.
pub const MOST_WAITING: usize = 48;
/// How long an attempt waits for its in-flight mark.
const MARK_FIRST: Duration = Duration::from_secs(1);
/// The longest wait while something is to be told: a step of the wall clock must be seen.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The longest wait with nothing to tell.
const IDLE: Duration = Duration::from_secs(600);
/// How long a sender goes on after the desk has let go of it.
pub const DRAIN: Duration = Duration::from_millis(2500);
/// A step of the wall clock, in milliseconds, from which on failures may have been its fault.
const CLOCK_STEP: i64 = 60_000;

/// Makes one attempt and says what became of it; must come back within the channel's deadline.
pub type Deliver = Box<dyn FnMut(&Message) -> Verdict + Send>;

/// What became of an attempt, or of waiting too long.
#[derive(Clone, Debug)]
pub struct Report {
    /// Number of the sender.
    pub channel: usize,
    /// The members of the message.
    pub seqs: Vec<u64>,
    /// What it means for them.
    pub fate: Fate,
    /// How the channel is doing now.
    pub state: ChannelState,
    /// The channel answered, whatever it said.
    pub answered: bool,
    /// In-flight marks of these may be removed.
    pub attempted: bool,
}

/// What a sender starts with.
#[derive(Debug)]
pub struct Seed {
    /// Number of the sender.
    pub channel: usize,
    /// Its name.
    pub name: String,
    /// Messages a minute.
    pub per_minute: Option<u32>,
    /// It takes one event at a time.
    pub apart: bool,
    /// When it holds back what is not critical.
    pub hours: Option<Hours>,
    /// When it first answered, in this or an earlier run.
    pub first_answer: Option<Moment>,
    /// Why it was parked when the last run ended.
    pub parked: Option<String>,
    /// For spreading attempts.
    pub chance: u32,
    /// Events between the desk, which counts up, and the sender.
    pub waiting: Arc<AtomicUsize>,
}

/// Starts the thread of a channel. It ends when the returned sender is dropped and what it holds is told, or
/// [`DRAIN`] later.
///
/// # Errors
/// When the system has no room for another thread.
pub fn start(seed: Seed, deliver: Deliver, desk: SyncSender<Parcel>) -> io::Result<SyncSender<Parcel>> {
    let (offers, queue) = sync_channel(QUEUE);
    // The system takes no NUL in a thread's name.
    let name = format!("send-{}", seed.name.replace('\0', ""));
    spawn(&name, HTTP_STACK, move || {
        let mut sender = Sender::new(seed, deliver, desk, &clock::now());
        sender.run(&queue);
        sender.tell(Parcel::Ended(sender.channel));
    })?;
    Ok(offers)
}

struct Sender {
    channel: usize,
    backlog: Backlog,
    deliver: Deliver,
    desk: SyncSender<Parcel>,
    waiting: Arc<AtomicUsize>,
    /// Wall time minus boot time in milliseconds, as it was last seen.
    offset: i64,
}

impl Sender {
    fn new(seed: Seed, deliver: Deliver, desk: SyncSender<Parcel>, now: &Now) -> Sender {
        // A first answer that no clock can place lies in an earlier run: long enough ago.
        let first = seed.first_answer.map(|first| first.tick(now).unwrap_or(Tick(i64::MIN)));
        let pace = Pace::new(first, seed.parked, now.tick);
        let bucket = Bucket::new(seed.per_minute, now.tick);
        let backlog = Backlog::new(pace, bucket, Jitter::new(seed.chance), seed.hours).apart(seed.apart);
        Sender { channel: seed.channel, backlog, deliver, desk, waiting: seed.waiting, offset: offset(now) }
    }

    fn run(&mut self, queue: &Receiver<Parcel>) {
        let mut last: Option<Tick> = None;
        loop {
            let now = clock::now();
            if self.take(queue, &now) {
                last.get_or_insert(now.tick + DRAIN);
                self.backlog.close();
            }
            self.look_at_the_clock(&now);
            self.give_up(&now);
            let next = self.backlog.next(&now);
            let wait = match next {
                Next::Attempt(attempt) => {
                    self.attempt(&attempt);
                    Duration::ZERO
                }
                Next::Wait(until) => until.since(now.tick).min(LOOK_EVERY),
                Next::Idle if last.is_some() => return,
                Next::Idle => IDLE,
            };
            let Some(end) = last else {
                if wait > Duration::ZERO {
                    match queue.recv_timeout(wait) {
                        Ok(parcel) => self.push(parcel, &clock::now()),
                        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                    }
                }
                continue;
            };
            let now = clock::tick();
            if now >= end || now + wait >= end {
                return;
            }
            // Nobody is left to wake this thread.
            Bell::default().wait(wait);
        }
    }

    /// Takes what waits in the queue; true once the desk has let go of it.
    fn take(&mut self, queue: &Receiver<Parcel>, now: &Now) -> bool {
        loop {
            match queue.try_recv() {
                Ok(parcel) => self.push(parcel, now),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn push(&mut self, parcel: Parcel, now: &Now) {
        if let Parcel::Offer(offer) = parcel {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.backlog.push(offer, now);
        }
    }

    fn look_at_the_clock(&mut self, now: &Now) {
        let offset = offset(now);
        if offset.abs_diff(self.offset) > CLOCK_STEP.unsigned_abs() {
            self.backlog.hurry(now);
        }
        self.offset = offset;
    }

    fn give_up(&mut self, now: &Now) {
        let seqs = self.backlog.expired(now);
        if !seqs.is_empty() {
            let why = match self.backlog.pace().state() {
                ChannelState::Retrying { why, .. } | ChannelState::Parked { why, .. } => why.clone(),
                ChannelState::Well => "refused for too long".to_owned(),
            };
            self.report(seqs, Fate::GaveUp(why), false, false);
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        if attempt.mark {
            self.mark(attempt);
        }
        let verdict = (self.deliver)(&attempt.message);
        let answered = match &verdict {
            Verdict::Retry { answered, .. } => *answered,
            Verdict::Delivered | Verdict::Broken(_) | Verdict::GiveUp(_) => true,
        };
        let fate = self.backlog.verdict(attempt, &verdict, &clock::now());
        self.report(attempt.seqs.clone(), fate, answered, true);
    }

    /// Has the in-flight mark written; a slow disk does not keep the attempt from being made.
    fn mark(&self, attempt: &Attempt) {
        let marked = Bell::default();
        let (seqs, group) = (attempt.seqs.clone(), attempt.group);
        let asked = Parcel::Attempting { channel: self.channel, seqs, group, marked: marked.clone() };
        if self.desk.try_send(asked).is_err() || !marked.wait(MARK_FIRST) {
            log::debug!("in-flight mark of change {:?} is late", attempt.seqs.first());
        }
    }

    fn report(&self, seqs: Vec<u64>, fate: Fate, answered: bool, attempted: bool) {
        let state = self.backlog.pace().state().clone();
        let report = Report { channel: self.channel, seqs, fate, state, answered, attempted };
        self.tell(Parcel::Verdict(Box::new(report)));
    }

    /// Waits for room: the desk never waits for a sender, so that this cannot last.
    fn tell(&self, what: Parcel) {
        if self.desk.send(what).is_err() {
            log::debug!("the desk has ended before a sender");
        }
    }
}

fn offset(now: &Now) -> i64 {
    now.wall.0.saturating_sub(now.tick.0)
}
