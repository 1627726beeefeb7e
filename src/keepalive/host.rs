//! What the server knows of one host, and how that is written down.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Boot, Now, Tick, Wall};
use crate::event::{Field, Id, Kind, Moment, Severity};
use crate::json::{self, Writer};
use crate::keepalive::beat::{facts, identity};

/// Where a host stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// Its last beat came with the old key of its user.
    pub old_key: bool,
    /// Where its last beat came from.
    pub from: SocketAddr,
    /// 1 or 2.
    pub protocol: u8,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it stands there. For a silence: the last beat or the goodbye, which is when it was last known
    /// to live.
    pub since: Tick,
    /// When its silence was told.
    pub told: Option<Tick>,
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
}

impl Carried {
    fn write(&self, out: &mut Writer) {
        identity(out, self.id, self.incident, self.kind, self.severity);
        out.key("at").int(self.at.0).key("heard").int(self.heard.0);
        optional(out, "deadline", self.deadline);
        out.key("told").flag(self.told).key("done").flag(self.done);
        facts(out, &self.facts);
        out.close('}');
    }

    fn read(value: &Value) -> Option<Carried> {
        let mut facts = Vec::new();
        for fact in json::list(value, "facts") {
            let [field, text] = fact.as_array()?.as_slice() else { return None };
            facts.push((Field::parse(field.as_str()?)?, text.as_str()?.to_owned()));
        }
        Some(Carried {
            id: Id::parse(json::text(value, "id")?)?,
            incident: Id::parse(json::text(value, "incident")?)?,
            kind: Kind::parse(json::text(value, "kind")?)?,
            severity: Severity::parse(json::text(value, "severity")?)?,
            at: tick(value, "at")?,
            deadline: tick(value, "deadline"),
            heard: tick(value, "heard")?,
            told: json::flag(value, "told"),
            done: json::flag(value, "done"),
            facts,
        })
    }
}

fn tick(value: &Value, key: &str) -> Option<Tick> {
    json::int(value, key).map(Tick)
}

fn optional(out: &mut Writer, key: &str, tick: Option<Tick>) {
    if let Some(tick) = tick {
        out.key(key).int(tick.0);
    }
}

impl Host {
    fn write(&self, out: &mut Writer) {
        out.open('{').key("state").text(self.standing.name()).key("from").text(&self.from.to_string());
        out.key("incident").text(&self.incident.to_string());
        for (key, number) in [
            ("seq", self.seq),
            ("protocol", self.protocol.into()),
            ("period", self.period.into()),
            ("worst_gap", self.worst_gap.into()),
            ("boot", self.boot),
            ("run", self.run),
            ("run_seq", self.run_seq),
        ] {
            out.key(key).uint(number);
        }
        for (key, tick) in
            [("since", self.since), ("last", self.last), ("deadline", self.deadline), ("lease_end", self.lease_end)]
        {
            out.key(key).int(tick.0);
        }
        optional(out, "told", self.told);
        optional(out, "announced", self.announced);
        out.key("about").flag(self.about);
        if let Some(user) = &self.user {
            out.key("user").text(user);
        }
        if self.old_key {
            out.key("old_key").flag(true);
        }
        out.key("carried").open('[');
        self.carried.iter().for_each(|carried| carried.write(out));
        out.close(']').close('}');
    }

    /// `None` if anything is missing. What it carried in a way that another version knew is left out.
    fn read(value: &Value) -> Option<Host> {
        let state = json::text(value, "state")?;
        let small = |key| u32::try_from(json::uint(value, key)?).ok();
        Some(Host {
            seq: json::uint(value, "seq")?,
            incident: Id::parse(json::text(value, "incident")?)?,
            user: json::text(value, "user").map(Into::into),
            old_key: json::flag(value, "old_key"),
            from: json::text(value, "from")?.parse().ok()?,
            protocol: u8::try_from(json::uint(value, "protocol")?).ok()?,
            standing: Standing::ALL.into_iter().find(|standing| standing.name() == state)?,
            since: tick(value, "since")?,
            told: tick(value, "told"),
            last: tick(value, "last")?,
            about: json::flag(value, "about"),
            deadline: tick(value, "deadline")?,
            lease_end: tick(value, "lease_end")?,
            period: small("period")?,
            worst_gap: small("worst_gap")?,
            boot: json::uint(value, "boot")?,
            run: json::uint(value, "run")?,
            run_seq: json::uint(value, "run_seq")?,
            announced: tick(value, "announced"),
            carried: json::list(value, "carried").iter().filter_map(Carried::read).collect(),
        })
    }

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
        self.told.as_mut().map(moved);
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

    /// Boot, tick and wall time.
    pub fn write(&self, out: &mut Writer) {
        out.open('[').uint(self.boot.0).int(self.tick.0).int(self.wall.0).close(']');
    }

    /// Reads what [`Frame::write`] wrote.
    pub fn read(value: &Value) -> Option<Frame> {
        let [boot, tick, wall] = value.as_array()?.as_slice() else { return None };
        Some(Frame { boot: Boot(boot.as_u64()?), tick: Tick(tick.as_i64()?), wall: Wall(wall.as_i64()?) })
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    frame: Frame,
    host: Host,
}

impl Record {
    /// A record of `host` as it is now.
    pub fn of(host: &Host, now: &Now) -> Record {
        Record { frame: Frame::of(now), host: host.clone() }
    }

    /// As state; see [`crate::json`].
    pub fn write(&self, out: &mut Writer) {
        self.frame.write(out.open('{').key("clocks"));
        self.host.write(out.key("host"));
        out.close('}');
    }

    /// Reads what [`Record::write`] wrote.
    pub fn read(value: &Value) -> Option<Record> {
        Some(Record { frame: Frame::read(value.get("clocks")?)?, host: Host::read(value.get("host")?)? })
    }

    /// The host, in ticks of this boot.
    pub fn restore(self, now: &Now) -> Host {
        let mut host = self.host;
        restore(&mut host, &self.frame, now);
        host
    }
}

/// A part of the roster, as it is saved in one file.
#[derive(Clone, PartialEq, Debug)]
pub struct Shard {
    frame: Frame,
    hosts: Vec<(Box<str>, Host)>,
    /// Which part; not in the file, but in its name.
    pub number: usize,
}

/// A file that is none of this program's, or not any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged;

impl Shard {
    /// `hosts` as they are now.
    pub fn new(number: usize, hosts: Vec<(Box<str>, Host)>, now: &Now) -> Shard {
        Shard { frame: Frame::of(now), hosts, number }
    }

    /// As it stands in the file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.frame.write(out.open('{').key("clocks"));
        out.key("hosts").open('[');
        for (name, host) in &self.hosts {
            host.write(out.open('[').text(name));
            out.close(']');
        }
        out.close(']').close('}');
        out.into_bytes()
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is not what [`Shard::to_json`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Shard, Damaged> {
        Shard::read(bytes).ok_or(Damaged)
    }

    fn read(bytes: &[u8]) -> Option<Shard> {
        let value = json::read(bytes)?;
        let frame = Frame::read(value.get("clocks")?)?;
        let mut hosts = Vec::new();
        for pair in value.get("hosts")?.as_array()? {
            let [name, host] = pair.as_array()?.as_slice() else { return None };
            hosts.push((name.as_str()?.into(), Host::read(host)?));
        }
        Some(Shard { frame, hosts, number: 0 })
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
