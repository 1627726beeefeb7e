//! A roster and its time.

use std::collections::HashMap;
use std::time::Duration;

use interrupt_callback::alert::pending::{Change, Pending};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Event, Field, Id, Kind, Severity};
use interrupt_callback::keepalive::beat::{Data, Ev, Notice, Report};
use interrupt_callback::keepalive::heard::{Granted, Heard, Refusal};
use interrupt_callback::keepalive::host::Shard;
use interrupt_callback::keepalive::roster::Roster;
use interrupt_callback::keepalive::rules::Rules;

pub const START: i64 = 1_000_000;

pub fn at(ms: i64) -> Now {
    Now { tick: Tick(START + ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
}

pub fn rules(num: u32) -> Rules {
    Rules {
        server: "vps@tokyo".into(),
        num,
        grace: Duration::from_secs(5),
        tell_stopped: false,
        forget: Duration::from_secs(30 * 86_400),
        ..Rules::default()
    }
}

pub fn report(seq: u64) -> Report {
    Report {
        ev: Ev::Beat,
        per: 30_000,
        boot: "boot".into(),
        up: 100_000,
        run: "run".into(),
        age: 50_000,
        seq,
        back_in: None,
        reason: None,
        data: Data::default(),
    }
}

pub struct World {
    pub roster: Roster,
    pub pending: Pending,
}

impl World {
    pub fn new(num: u32) -> World {
        World { roster: Roster::new(rules(num)), pending: Pending::default() }
    }

    pub fn hear(&mut self, name: &str, report: &Report, ms: i64) -> Result<Granted, Refusal> {
        self.hear_as("default", 2, name, report, ms)
    }

    pub fn hear_as(
        &mut self,
        user: &str,
        protocol: u8,
        name: &str,
        report: &Report,
        ms: i64,
    ) -> Result<Granted, Refusal> {
        let from = "192.0.2.7:4000".parse().unwrap();
        self.roster.hear(&Heard { user, name, from, protocol, old_key: false, report }, &at(ms), &mut self.pending)
    }

    pub fn scan(&mut self, ms: i64) -> Vec<Event> {
        self.roster.scan(&at(ms), &mut self.pending);
        self.told()
    }

    pub fn told(&mut self) -> Vec<Event> {
        self.pending.take(usize::MAX).into_iter().filter_map(|change| change.event).collect()
    }
}

pub fn kinds(events: &[Event]) -> Vec<Kind> {
    events.iter().map(|event| event.kind).collect()
}

pub fn notice(kind: Kind, told: bool, delivered: bool, left: i64) -> Notice {
    let id = Id::of(&[kind.name().as_bytes()]);
    let facts = vec![(Field::Instance, "i-abc".to_owned())];
    let severity = Severity::Critical;
    Notice { id, incident: Id(9), kind, severity, age: 2000, left: Some(left), told, delivered, facts }
}

pub fn with(seq: u64, notices: Vec<Notice>) -> Report {
    Report { data: Data { notices, readings: None }, ..report(seq) }
}

/// Saves all that is dirty and builds a roster from it, as after a crash.
pub fn restart(world: &mut World, files: &mut HashMap<usize, Vec<u8>>, told: &[Change], now: &Now) -> Roster {
    let saved = told.last().map_or(0, |change| change.seq);
    while let Some(shard) = world.roster.hosts_mut().take_dirty(saved, now) {
        files.insert(shard.number, shard.to_json());
    }
    let mut roster = Roster::new(rules(4));
    for bytes in files.values() {
        for (name, host) in Shard::parse(bytes).unwrap().restore(now) {
            roster.restore(name, host, now);
        }
    }
    roster
}
