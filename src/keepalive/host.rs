//! What the server knows of one host, and how that is written down.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::{Tick, millis};
use crate::event::{Field, Id, Kind, Severity};
use crate::keepalive::flapping::Flapping;
use crate::readings::Readings;
pub use saved::{Damaged, Frame, Record, Shard};

/// Where a host stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It beats.
    Up,
    /// It fell silent.
    Offline,
    /// It said goodbye and wants to be back by its deadline.
    Stopped,
    /// It fell silent as its cloud had announced.
    Reclaimed,
}

impl Standing {
    const ALL: [Standing; 4] = [Standing::Up, Standing::Offline, Standing::Stopped, Standing::Reclaimed];

    /// Its name in `status` and in files.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Up => "up",
            Standing::Offline => "offline",
            Standing::Stopped => "stopped",
            Standing::Reclaimed => "reclaimed",
        }
    }
}

/// Why a host counts as silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cause {
    /// No beat came by its deadline.
    #[default]
    Silence,
    /// It said goodbye and is not back in time.
    Overdue,
    /// It was expected and never heard of.
    Expected,
}

impl Cause {
    const ALL: [Cause; 3] = [Cause::Silence, Cause::Overdue, Cause::Expected];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Silence => "silence",
            Cause::Overdue => "overdue",
            Cause::Expected => "expected",
        }
    }
}

/// An event that a host carried in its beats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    /// The event's id, the same on the host's own channels.
    pub id: Id,
    /// Its incident.
    pub incident: Id,
    /// What happened.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// When it happened.
    pub at: Tick,
    /// When the instance goes.
    pub deadline: Option<Tick>,
    /// When this server first heard of it.
    pub heard: Tick,
    /// The host tells it on channels of its own.
    pub told: bool,
    /// Somebody has been told: by the host, or by this server.
    pub done: bool,
    /// Text facts.
    pub facts: Vec<(Field, String)>,
}

/// One host. Times are ticks of the server's present boot; [`Frame`] carries them over to the next one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Number of the last change that was told; see [`crate::alert::pending::Change`].
    pub seq: u64,
    /// The incident that a silence of the present up-period would be: a hash of server, host and the start of
    /// that period.
    pub incident: Id,
    /// The user whose key speaks for it; `None` for `default`.
    pub user: Option<Box<str>>,
    /// Where its last beat came from.
    pub from: SocketAddr,
    /// 1 or 2.
    pub protocol: u8,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it stands there. For a silence: the last beat or the goodbye, which is when it was last known
    /// to live.
    pub since: Tick,
    /// When its silence was found: the time of its event, whenever that is told.
    pub detected: Option<Tick>,
    /// Why it is silent.
    pub cause: Cause,
    /// When its silence was told.
    pub told: Option<Tick>,
    /// People were told of a beginning under `incident`, so they are told of its end.
    pub begun: bool,
    /// Those that were told together with its silence; see [`crate::event::Event::group`].
    pub group: Option<Id>,
    /// When people are reminded of its silence, and how long after the last time.
    pub remind: Option<(Tick, Duration)>,
    /// By how much its deadline was moved since its last beat, because this server could not listen, in milliseconds.
    pub postponed: u32,
    /// How often it went and came lately; `None` if it did not.
    pub flapping: Option<Box<Flapping>>,
    /// Its last beat.
    pub last: Tick,
    /// `last` is known only to some minutes.
    pub about: bool,
    /// When it is silent (up), overdue (stopped) or forgotten (offline, reclaimed).
    pub deadline: Tick,
    /// Until when its work is its own: the largest lease end ever granted.
    pub lease_end: Tick,
    /// Its announced period, in milliseconds.
    pub period: u32,
    /// Longest time between two beats while it was up, in milliseconds.
    pub worst_gap: u32,
    /// Hash of its boot id.
    pub boot: u64,
    /// Hash of its daemon's run id; 0 for protocol 1.
    pub run: u64,
    /// Number of its last beat within that run.
    pub run_seq: u64,
    /// When its cloud will take it.
    pub announced: Option<Tick>,
    /// What it carried in its beats, the oldest first.
    pub carried: Vec<Carried>,
    /// It uses a key that is to be given up.
    pub old_key: bool,
    /// What it last said of itself. Not saved.
    pub readings: Option<Box<Readings>>,
    /// Time since it booted, by its last beat; zero if not known. Not saved.
    pub uptime: Duration,
    /// Hash of its last run but one, and when that was over. Not saved.
    pub former: (u64, Tick),
}

impl Host {
    /// Its announced period.
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period.into())
    }

    /// Whether its cloud had announced, at the time of its last beat, that it would go. An announcement lapses
    /// 15 minutes after its deadline.
    pub fn goes_as_announced(&self) -> bool {
        self.announced.is_some_and(|deadline| self.last <= deadline + ANNOUNCEMENT_LAPSE)
    }

    /// Moves its deadline to `until`, because it could not be heard. What is moved for one silence, counted from the old
    /// deadline or from now, is never more than twice its patience together; `false` if nothing is left of that.
    pub fn postpone(&mut self, until: Tick, patience: Duration, now: Tick) -> bool {
        let from = self.deadline.max(now);
        let budget = u32::try_from(millis(patience).saturating_mul(2)).unwrap_or(u32::MAX);
        let wanted = u32::try_from(millis(until.since(from))).unwrap_or(u32::MAX);
        let granted = wanted.min(budget.saturating_sub(self.postponed));
        if granted == 0 {
            return false;
        }
        self.postponed += granted;
        self.deadline = from + Duration::from_millis(granted.into());
        true
    }

    /// Whether it counts as silent and that is not told.
    pub fn is_untold(&self) -> bool {
        self.standing == Standing::Offline && self.told.is_none()
    }

    /// Whether people were told that it goes and comes too often to tell each time.
    pub fn is_flapping(&self) -> bool {
        self.flapping.as_ref().is_some_and(|flapping| flapping.told.is_some())
    }
}

/// How long after its deadline an announced reclaim still explains a silence.
const ANNOUNCEMENT_LAPSE: Duration = Duration::from_secs(15 * 60);

/// A hash that is the same in every run of this program: FNV-1a, 64 bits. For telling apart what holders of a key
/// say, not for what an attacker may choose.
pub fn fnv(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

mod saved;
