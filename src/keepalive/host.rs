//! What the server knows of one host, and how that is written down.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Boot, Now, Tick, Wall};
use crate::event::{Field, Id, Kind, Moment, Severity};

/// Where a host stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It beats.
    Up,
    /// It fell silent, and that is told.
    Offline,
    /// It said goodbye and wants to be back by its deadline.
    Stopped,
    /// It fell silent as its cloud had announced.
    Reclaimed,
}

impl Standing {
    /// Its name in `status`.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Up => "up",
            Standing::Offline => "offline",
            Standing::Stopped => "stopped",
            Standing::Reclaimed => "reclaimed",
        }
    }
}

/// An event that a host carried in its beats.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Number of the last change that was told; see [`crate::alert::pending::Change`].
    pub seq: u64,
    /// The incident that a silence of the present up-period would be: a hash of server, host and the start of
    /// that period.
    pub incident: Id,
    /// The user whose key speaks for it; `None` for `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// Its last beat.
    pub last: Tick,
    /// `last` is known only to some minutes.
    #[serde(default)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Tick>,
    /// What it carried in its beats, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
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

    fn shift(&mut self, by: i64) {
        let moved = |tick: &mut Tick| tick.0 = tick.0.saturating_add(by);
        for tick in [&mut self.since, &mut self.last, &mut self.deadline, &mut self.lease_end] {
            moved(tick);
        }
        self.announced.as_mut().map(moved);
        for carried in &mut self.carried {
            moved(&mut carried.at);
            moved(&mut carried.heard);
            carried.deadline.as_mut().map(moved);
        }
    }
}

/// How long after its deadline an announced reclaim still explains a silence.
const ANNOUNCEMENT_LAPSE: Duration = Duration::from_secs(15 * 60);

/// The clocks at the time of writing: what is needed to read ticks in another boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frame {
    boot: Boot,
    tick: Tick,
    wall: Wall,
}

impl Frame {
    /// The clocks as they are.
    pub fn of(now: &Now) -> Frame {
        Frame { boot: now.boot, tick: now.tick, wall: now.wall }
    }

    /// What must be added to a tick of this frame, and whether that is only a guess: if a wall clock was not set
    /// (a router without one), no time is taken to have passed.
    pub fn shift(&self, now: &Now) -> (i64, bool) {
        if self.boot == now.boot {
            return (0, false);
        }
        let then = Moment { boot: self.boot, tick: self.tick, wall: self.wall, about: false };
        match then.tick(now) {
            Some(tick) if tick <= now.tick => (tick.0.saturating_sub(self.tick.0), false),
            _ => (now.tick.0.saturating_sub(self.tick.0), true),
        }
    }
}

/// A host's record as it is saved with an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    frame: Frame,
    host: Host,
}

impl Record {
    /// A record of `host` as it is now.
    pub fn of(host: &Host, now: &Now) -> Record {
        Record { frame: Frame::of(now), host: host.clone() }
    }

    /// The host, in ticks of this boot.
    pub fn restore(self, now: &Now) -> Host {
        let mut host = self.host;
        restore(&mut host, &self.frame, now);
        host
    }
}

/// A part of the roster, as it is saved in one file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shard {
    frame: Frame,
    hosts: Vec<(Box<str>, Host)>,
    /// Which part; also in the file's name.
    #[serde(skip)]
    pub number: usize,
}

impl Shard {
    /// `hosts` as they are now.
    pub fn new(number: usize, hosts: Vec<(Box<str>, Host)>, now: &Now) -> Shard {
        Shard { frame: Frame::of(now), hosts, number }
    }

    /// As it stands in the file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a shard has only text keys and finite numbers")
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is not what [`Shard::to_json`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Shard, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The hosts, in ticks of this boot.
    pub fn restore(self, now: &Now) -> impl Iterator<Item = (Box<str>, Host)> {
        let (frame, now) = (self.frame, *now);
        self.hosts.into_iter().map(move |(name, mut host)| {
            restore(&mut host, &frame, &now);
            (name, host)
        })
    }
}

fn restore(host: &mut Host, frame: &Frame, now: &Now) {
    let (by, guessed) = frame.shift(now);
    host.shift(by);
    host.about |= guessed;
}

/// A hash that is the same in every run of this program: FNV-1a, 64 bits. For telling apart what holders of a key
/// say, not for what an attacker may choose.
pub fn fnv(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
