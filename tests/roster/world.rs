//! A roster and its time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use interrupt_callback::alert::pending::Pending;
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Event, Field, Id, Kind, Severity};
use interrupt_callback::keepalive::beat::{Data, Ev, Notice, Report};
use interrupt_callback::keepalive::heard::{Granted, Heard, Refusal};
use interrupt_callback::keepalive::host::Shard;
use interrupt_callback::keepalive::hosts::SHARDS;
use interrupt_callback::keepalive::pushed::Pushed;
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

/// A roster that is scanned as a server does it: whenever the last scan said so, at the latest after a second.
pub struct World {
    pub roster: Roster,
    pub pending: Pending,
    pub rules: Rules,
    /// All events, as they came.
    pub events: Vec<Event>,
    /// When the next scan is to come.
    next: Option<i64>,
    files: HashMap<usize, Vec<u8>>,
    saved: u64,
}

impl World {
    pub fn new(num: u32) -> World {
        World::with(rules(num))
    }

    pub fn with(rules: Rules) -> World {
        let mut roster = Roster::new(rules.clone());
        roster.started(&at(0));
        let pending = Pending::default();
        World { roster, pending, rules, events: Vec::new(), next: Some(0), files: HashMap::new(), saved: 0 }
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
        self.hear_from("192.0.2.7", user, protocol, name, report, ms)
    }

    pub fn hear_from(
        &mut self,
        from: &str,
        user: &str,
        protocol: u8,
        name: &str,
        report: &Report,
        ms: i64,
    ) -> Result<Granted, Refusal> {
        self.run_to(ms - 1);
        let from = SocketAddr::new(from.parse().unwrap(), 4000);
        let heard = Heard { user, name, from, protocol, old_key: false, report };
        let granted = self.roster.hear(&heard, &at(ms), &mut self.pending);
        self.collect();
        granted
    }

    /// Scans as often as it must up to `ms`.
    pub fn run_to(&mut self, ms: i64) {
        while let Some(next) = self.next.filter(|next| *next <= ms) {
            self.scan_once(next);
        }
    }

    /// One scan, whenever that is.
    pub fn scan_once(&mut self, ms: i64) {
        let next = self.roster.scan(&at(ms), &mut self.pending).0 - START;
        self.next = Some(next.max(ms + 1));
        self.collect();
    }

    /// Scans up to `ms` and returns what was told since the last time.
    pub fn scan(&mut self, ms: i64) -> Vec<Event> {
        self.run_to(ms);
        self.scan_once(ms);
        self.told()
    }

    /// The server does nothing until `ms`.
    pub fn freeze(&mut self, ms: i64) {
        self.next = Some(ms);
    }

    fn collect(&mut self) {
        for change in self.pending.take(usize::MAX) {
            self.saved = change.seq;
            self.events.extend(change.event);
        }
    }

    pub fn told(&mut self) -> Vec<Event> {
        self.collect();
        std::mem::take(&mut self.events)
    }

    /// What the disk has after a while.
    pub fn save(&mut self, ms: i64) {
        self.collect();
        while let Some(shard) = self.roster.hosts_mut().take_dirty(self.saved, &at(ms)) {
            self.files.insert(shard.number, shard.to_json());
        }
    }

    /// Ends at `down` and starts anew at `up`. With `beats` the last-beat times are known.
    pub fn restart(&mut self, down: i64, up: i64, beats: bool) {
        self.run_to(down);
        self.save(down);
        self.crash(up, beats);
    }

    /// The same, but what was not saved is lost.
    pub fn crash(&mut self, up: i64, beats: bool) {
        let last: Vec<_> = (0..SHARDS).flat_map(|shard| self.roster.hosts().beats(shard)).collect();
        let silences = self.roster.silences().clone();
        let pushed = Pushed::read(&self.roster.pushed().to_json()).unwrap();
        self.roster = Roster::new(self.rules.clone());
        self.roster.restore_silences(silences);
        self.roster.restore_pushed(pushed);
        self.roster.expect_pushes(true);
        for bytes in self.files.values() {
            for (name, host) in Shard::parse(bytes).unwrap().restore(&at(up)) {
                self.roster.restore(name, host, &at(up));
            }
        }
        for (hash, last) in last.into_iter().filter(|_| beats) {
            self.roster.restore_beat(hash, last, false);
        }
        self.roster.started(&at(up));
        self.next = Some(up);
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
    Report { data: Data { notices, readings: None, work: None }, ..report(seq) }
}
