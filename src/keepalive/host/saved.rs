//! How a host is written down, and read by another boot.

use std::time::Duration;

use serde_json::Value;

use super::{Carried, Cause, Host, Standing};
use crate::clock::{Boot, Now, Tick, Wall, millis};
use crate::event::{Field, Id, Kind, Moment, Severity};
use crate::json::{self, Writer};
use crate::keepalive::beat::{facts, identity};
use crate::keepalive::flapping::Flapping;

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
            ("postponed", self.postponed.into()),
        ] {
            out.key(key).uint(number);
        }
        for (key, tick) in
            [("since", self.since), ("last", self.last), ("deadline", self.deadline), ("lease_end", self.lease_end)]
        {
            out.key(key).int(tick.0);
        }
        let (remind, step) = self.remind.unzip();
        for (key, tick) in [
            ("told", self.told),
            ("detected", self.detected),
            ("announced", self.announced),
            ("remind", remind),
            ("remind_step", step.map(|step| Tick(millis(step)))),
        ] {
            optional(out, key, tick);
        }
        out.key("about").flag(self.about).key("begun").flag(self.begun);
        if self.old_key {
            out.key("old_key").flag(true);
        }
        if self.cause != Cause::Silence {
            out.key("cause").text(self.cause.name());
        }
        if let Some(group) = self.group {
            out.key("group").text(&group.to_string());
        }
        if let Some(flapping) = &self.flapping {
            flapping.write(out.key("flapping"));
        }
        if let Some(user) = &self.user {
            out.key("user").text(user);
        }
        out.key("carried").open('[');
        self.carried.iter().for_each(|carried| carried.write(out));
        out.close(']').close('}');
    }

    /// `None` if anything is missing. What it carried in a way that another version knew is left out.
    fn read(value: &Value) -> Option<Host> {
        let state = json::text(value, "state")?;
        let small = |key| u32::try_from(json::uint(value, key)?).ok();
        let standing = Standing::ALL.into_iter().find(|standing| standing.name() == state)?;
        let cause = json::text(value, "cause");
        let told = tick(value, "told");
        // What follows is missing in the files of older versions.
        let begun = value.get("begun").map_or(standing != Standing::Up, |_| json::flag(value, "begun"));
        let step = json::uint(value, "remind_step").map(Duration::from_millis);
        Some(Host {
            detected: tick(value, "detected").or(told),
            cause: Cause::ALL.into_iter().find(|known| Some(known.name()) == cause).unwrap_or_default(),
            begun,
            group: json::text(value, "group").and_then(Id::parse),
            remind: tick(value, "remind").zip(step),
            postponed: small("postponed").unwrap_or_default(),
            flapping: value.get("flapping").and_then(Flapping::read).map(Box::new),
            old_key: json::flag(value, "old_key"),
            readings: None,
            uptime: Duration::ZERO,
            former: (0, Tick(0)),
            seq: json::uint(value, "seq")?,
            incident: Id::parse(json::text(value, "incident")?)?,
            user: json::text(value, "user").map(Into::into),
            from: json::text(value, "from")?.parse().ok()?,
            protocol: u8::try_from(json::uint(value, "protocol")?).ok()?,
            standing,
            since: tick(value, "since")?,
            told,
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

    /// Moves all its times.
    fn shift(&mut self, by: i64) {
        let moved = |tick: &mut Tick| tick.0 = tick.0.saturating_add(by);
        for tick in [&mut self.since, &mut self.last, &mut self.deadline, &mut self.lease_end] {
            moved(tick);
        }
        for tick in [&mut self.announced, &mut self.told, &mut self.detected] {
            tick.as_mut().map(moved);
        }
        if let Some((tick, _)) = &mut self.remind {
            moved(tick);
        }
        if let Some(flapping) = &mut self.flapping {
            flapping.changes.iter_mut().chain(flapping.told.as_mut().map(|(_, tick)| tick)).for_each(moved);
        }
        for carried in &mut self.carried {
            moved(&mut carried.at);
            moved(&mut carried.heard);
            carried.deadline.as_mut().map(moved);
        }
    }
}

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
        let mut host = host.clone();
        // It is not written, and must not stay in the outbox.
        host.readings = None;
        Record { frame: Frame::of(now), host }
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
