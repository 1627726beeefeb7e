//! The desk's view of one channel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::backlog::Fate;
use crate::alert::channel::is_apart;
use crate::alert::hours::Hours;
use crate::alert::notes::{self, Losses};
use crate::alert::outbox::Effect;
use crate::alert::record::Mark;
use crate::alert::retry::ChannelState;
use crate::alert::sender::{self, Deliver, Report, Seed};
use crate::alert::standing::{ChannelStatus, Parked, Standing};
use crate::clock::{Now, Tick};
use crate::config::plan::ChannelPlan;
use crate::event::{Event, Kind, Moment};

/// From one `channel.broken` of a channel to the next.
const BROKEN_NOTE_EVERY: Duration = Duration::from_secs(3600);

/// A channel and the way to it.
pub struct Channel {
    /// What it takes.
    pub plan: ChannelPlan,
    /// Makes one attempt.
    pub deliver: Deliver,
    /// When it holds back what is not critical.
    pub hours: Option<Hours>,
}

/// A channel with its sender and how it is doing.
pub struct Line {
    /// What it takes.
    pub plan: ChannelPlan,
    /// The number of its sender; none is given twice.
    pub sender: usize,
    /// The way to its sender; none while that is to end, and when it has.
    pub offers: Option<SyncSender<Parcel>>,
    /// When it holds back what is not critical.
    pub hours: Option<Hours>,
    /// What its next sender makes attempts with, once the one there is has ended.
    pub next: Option<Deliver>,
    /// Events that lie between the desk and its sender.
    pub waiting: Arc<AtomicUsize>,
    /// What is remembered over restarts.
    pub standing: Standing,
    /// What it was not told of.
    pub losses: Losses,
    /// The in-flight mark of the attempt under way, with the count it had before.
    pub mark: Option<(String, Mark)>,
    /// Its sender has ended.
    pub ended: bool,
    state: ChannelState,
    /// The last attempt got no answer.
    unanswered: bool,
    last_delivered: Option<Moment>,
    broken_told: Option<Tick>,
}

impl Line {
    /// A channel whose sender is still to be started.
    pub fn new(channel: Channel, standing: Standing) -> Line {
        Line {
            plan: channel.plan,
            sender: 0,
            offers: None,
            hours: channel.hours,
            next: Some(channel.deliver),
            waiting: Arc::default(),
            standing,
            losses: Losses::default(),
            mark: None,
            ended: true,
            state: ChannelState::Well,
            unanswered: false,
            last_delivered: None,
            broken_told: None,
        }
    }

    /// Starts its next sender, number `sender`, if there is to be one and nobody is in its way.
    ///
    /// # Errors
    /// When the system has no room for another thread.
    pub fn start(&mut self, sender: usize, chance: u32, desk: &SyncSender<Parcel>, now: &Now) -> io::Result<()> {
        let Some(deliver) = self.next.take_if(|_| self.ended) else {
            return Ok(());
        };
        let why = self.standing.parked.as_ref().map(|parked| parked.why.clone());
        let waiting = Arc::new(AtomicUsize::new(0));
        let seed = Seed {
            channel: sender,
            name: self.plan.name.clone(),
            per_minute: self.plan.per_minute,
            apart: is_apart(&self.plan),
            hours: self.hours.clone(),
            first_answer: self.standing.first_answer,
            parked: why.clone(),
            chance: chance.wrapping_add(u32::try_from(sender).unwrap_or(0)),
            waiting: waiting.clone(),
        };
        self.unanswered = false;
        self.offers = Some(sender::start(seed, deliver, desk.clone())?);
        self.state = why.map_or(ChannelState::Well, |why| ChannelState::Parked { until: now.tick, why });
        (self.sender, self.waiting, self.ended) = (sender, waiting, false);
        Ok(())
    }

    /// Takes in what the configuration says of it now. True if its sender must go, since it works with something
    /// else, or since the channel waits for a person, who may have mended it.
    pub fn change(&mut self, channel: Channel, all: bool) -> bool {
        let idle = self.ended && self.next.is_none();
        if !all && !idle && self.plan == channel.plan && self.standing.parked.is_none() {
            return false;
        }
        self.plan = channel.plan;
        self.hours = channel.hours;
        self.next = Some(channel.deliver);
        self.offers = None;
        true
    }

    /// Whether its alerts cannot get through at the moment.
    pub fn is_failing(&self) -> bool {
        self.state != ChannelState::Well
    }

    /// How it is doing.
    pub fn state(&self) -> &ChannelState {
        &self.state
    }

    /// Whether nobody answers at its other end: perhaps for want of a network.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered && matches!(self.state, ChannelState::Retrying { .. })
    }

    /// Takes in its sender's report, and adds to `own` what is to be told of it. True if there is something new to
    /// remember.
    pub fn heard(&mut self, report: &Report, effect: &Effect, now: &Now, own: &mut Vec<Event>) -> bool {
        let name = &self.plan.name;
        // How a sender that is to go is doing says nothing of the next one.
        let state = if self.next.is_some() { &self.state } else { &report.state }.clone();
        let before = std::mem::replace(&mut self.state, state);
        let mut changed = false;
        if report.attempted {
            self.unanswered = !report.answered;
        }
        if report.answered && self.standing.first_answer.is_none() {
            self.standing.first_answer = Some(Moment::at(now.tick, now));
            changed = true;
        }
        if let Fate::GaveUp(why) = &report.fate {
            log::warn!("{name}: {} alerts given up: {why}", effect.lost);
            self.losses.add(effect.lost, why, now.tick);
        }
        if report.fate == Fate::Delivered {
            self.losses.over(now.tick);
            self.last_delivered = Some(Moment::at(now.tick, now));
        }
        match (&self.state, &before) {
            (ChannelState::Retrying { why, .. }, ChannelState::Well) => {
                log::warn!("{name}: {why}; alerts are kept and tried again");
            }
            (ChannelState::Well, ChannelState::Retrying { .. }) => log::info!("{name}: works again"),
            _ => {}
        }
        if let (ChannelState::Parked { why, .. }, None) = (&self.state, &self.standing.parked) {
            log::error!("{name}: {why}; alerts are kept until this is mended");
            let since = Moment::at(now.tick, now);
            let incident = notes::own_incident(Kind::ChannelBroken, name, now);
            let parked = Parked { why: why.clone(), incident, since };
            // One that breaks and mends by turns is told once an hour.
            if self.broken_told.is_none_or(|told| now.tick >= told + BROKEN_NOTE_EVERY) {
                self.broken_told = Some(now.tick);
                own.push(notes::broken(name, &parked, now));
            }
            self.standing.parked = Some(parked);
            changed = true;
        }
        if report.fate == Fate::Delivered
            && let Some(parked) = self.standing.parked.take()
        {
            log::info!("{name}: mended");
            own.push(notes::mended(name, &parked, now));
            changed = true;
        }
        changed
    }

    /// What `status` says of it.
    pub fn status(&self, queued: usize, held: Option<(usize, Tick)>) -> ChannelStatus {
        ChannelStatus {
            name: self.plan.name.clone(),
            queued,
            state: self.state.clone(),
            held,
            last_delivered: self.last_delivered,
            lost: self.losses.total(),
        }
    }
}
