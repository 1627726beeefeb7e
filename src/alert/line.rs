//! The desk's view of one channel.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::backlog::Fate;
use crate::alert::notes::{self, Losses};
use crate::alert::outbox::Effect;
use crate::alert::record::Mark;
use crate::alert::retry::ChannelState;
use crate::alert::sender::Report;
use crate::alert::standing::{ChannelStatus, Parked, Standing};
use crate::clock::{Now, Tick};
use crate::config::plan::ChannelPlan;
use crate::event::{Event, Kind, Moment};

/// From one `channel.broken` of a channel to the next.
const BROKEN_NOTE_EVERY: Duration = Duration::from_secs(3600);

/// A channel with its sender and how it is doing.
pub struct Line {
    /// What it takes.
    pub plan: ChannelPlan,
    /// The way to its sender, until the program ends.
    pub offers: Option<SyncSender<Parcel>>,
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
    last_delivered: Option<Moment>,
    broken_told: Option<Tick>,
}

impl Line {
    /// A channel whose sender was just started.
    pub fn new(
        plan: ChannelPlan,
        offers: SyncSender<Parcel>,
        waiting: Arc<AtomicUsize>,
        standing: Standing,
        now: &Now,
    ) -> Line {
        let state = match &standing.parked {
            Some(parked) => ChannelState::Parked { until: now.tick, why: parked.why.clone() },
            None => ChannelState::Well,
        };
        Line {
            plan,
            offers: Some(offers),
            waiting,
            standing,
            losses: Losses::default(),
            mark: None,
            ended: false,
            state,
            last_delivered: None,
            broken_told: None,
        }
    }

    /// Whether its alerts cannot get through at the moment.
    pub fn is_failing(&self) -> bool {
        self.state != ChannelState::Well
    }

    /// Takes in its sender's report, and adds to `own` what is to be told of it. True if there is something new to
    /// remember.
    pub fn heard(&mut self, report: &Report, effect: &Effect, now: &Now, own: &mut Vec<Event>) -> bool {
        let name = &self.plan.name;
        let before = std::mem::replace(&mut self.state, report.state.clone());
        let mut changed = false;
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
    pub fn status(&self, queued: usize) -> ChannelStatus {
        ChannelStatus {
            name: self.plan.name.clone(),
            queued,
            state: self.state.clone(),
            last_delivered: self.last_delivered,
            lost: self.losses.total(),
        }
    }
}
