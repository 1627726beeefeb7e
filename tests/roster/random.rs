//! Random lives of a dozen hosts and their server, checked against the rules that always hold.

use std::collections::HashMap;
use std::time::Duration;

use interrupt_callback::config::plan::Window;
use interrupt_callback::event::{Event, Kind};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::host::Standing;
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::keepalive::silences::Lasts;

use super::world::*;

const HOSTS: usize = 12;
const STEPS: usize = 4000;

/// Splitmix64: a seeded generator for random lives.
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % n
    }

    pub fn ms(&mut self, n: u64) -> i64 {
        i64::try_from(self.below(n)).unwrap()
    }
}

/// A machine and its daemon.
struct Machine {
    name: String,
    per: i64,
    alive: bool,
    next: i64,
    boot: i64,
    start: i64,
    seq: u64,
}

/// What people and the test know of a host.
#[derive(Default)]
struct Known {
    down: bool,
    flaps: bool,
    heard: i64,
    /// The least patience that the rules had since then.
    patience: i64,
}

struct Life {
    seed: u64,
    rng: Rng,
    world: World,
    now: i64,
    machines: Vec<Machine>,
    known: HashMap<String, Known>,
    /// Nobody can be heard until then.
    cut: i64,
    counts: HashMap<Kind, u32>,
}

fn patience(rules: &Rules, per: i64) -> i64 {
    i64::from(rules.num) * per + i64::try_from(rules.grace.as_millis()).unwrap()
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut rng = Rng(seed);
        let machines = (0..HOSTS).map(|n| {
            let per = [1000, 10_000, 30_000][n % 3];
            Machine { name: format!("h{n}"), per, alive: true, next: rng.ms(30_000), boot: -500_000, start: 0, seq: 0 }
        });
        let machines = machines.collect();
        let world = World::with(Life::rules(3, 1, seed.is_multiple_of(2)));
        let (known, counts) = (HashMap::new(), HashMap::new());
        Life { seed, rng, world, now: 0, machines, known, cut: 0, counts }
    }

    fn rules(num: u32, hold: u64, closed: bool) -> Rules {
        let window = Window { hosts: vec!["h1*".to_owned()], days: 127, from: 500, to: 520 };
        Rules {
            hold: Duration::from_secs(hold * 60),
            remind: Some(Duration::from_secs(900)),
            expect: vec!["h3".to_owned(), "never".to_owned()],
            windows: if closed { vec![window] } else { Vec::new() },
            tell_stopped: hold == 2,
            ..rules(num)
        }
    }

    /// Beats that are due up to `until`, and the scans between them.
    fn run(&mut self, until: i64, scans: bool) {
        loop {
            let due = self.machines.iter().enumerate().filter(|(_, machine)| machine.alive);
            let Some((at, next)) = due.map(|(at, machine)| (at, machine.next)).min_by_key(|(_, next)| *next) else {
                break;
            };
            if next > until {
                break;
            }
            let early = self.rng.ms(u64::try_from(self.machines[at].per).unwrap() / 10);
            self.machines[at].next = next.max(self.now) + self.machines[at].per - early;
            self.now = self.now.max(next);
            if scans {
                self.world.run_to(self.now);
            }
            if self.now >= self.cut {
                self.beat(at, Ev::Beat);
            }
        }
        self.now = self.now.max(until);
        if scans {
            self.world.run_to(self.now);
        }
        self.check();
    }

    fn beat(&mut self, index: usize, ev: Ev) {
        let (now, machine) = (self.now, &mut self.machines[index]);
        machine.seq += 1;
        let report = Report {
            ev,
            per: machine.per,
            boot: machine.boot.to_string(),
            up: now - machine.boot,
            run: machine.start.to_string(),
            age: now - machine.start,
            seq: machine.seq,
            ..report(1)
        };
        // What happened until now was told before this beat.
        let name = machine.name.clone();
        self.check();
        let heard = interrupt_callback::keepalive::heard::Heard {
            user: "default",
            name: &name,
            from: "192.0.2.7:1".parse().unwrap(),
            protocol: 2,
            old_key: false,
            report: &report,
        };
        let result = self.world.roster.hear(&heard, &at(now), &mut self.world.pending);
        assert!(result.is_ok(), "seed {}: {name} {result:?}", self.seed);
        let rules = self.world.rules.clone();
        let known = self.known.entry(name).or_default();
        known.heard = now;
        known.patience = patience(&rules, report.per);
        self.check();
    }

    fn check(&mut self) {
        for event in self.world.told() {
            self.judge(&event);
        }
    }

    fn judge(&mut self, event: &Event) {
        let why = format!("seed {}: {event:?}", self.seed);
        *self.counts.entry(event.kind).or_default() += 1;
        let covered = self.world.roster.silences().covers(&event.subject, &at(self.now));
        let known = self.known.entry(event.subject.clone()).or_default();
        match event.kind {
            Kind::Offline => {
                assert!(!known.down && !known.flaps && !covered, "{why}");
                assert!(event.at.tick.0 - START - known.heard >= known.patience, "early: {why}");
                known.down = true;
            }
            Kind::Stopped => assert!(!known.down && !known.flaps && !covered, "{why}"),
            Kind::Online => {
                // The end of a stop that was told is one, too.
                assert!(!known.flaps, "{why}");
                known.down = false;
            }
            Kind::Flapping => {
                assert!(!known.down && !known.flaps && !covered, "{why}");
                known.flaps = true;
            }
            Kind::Steady => {
                assert!(known.flaps, "{why}");
                known.flaps = false;
            }
            Kind::Reminder => assert!(known.down && !covered, "{why}"),
            Kind::Forgotten => (known.down, known.flaps) = (false, false),
            Kind::Rebooted => assert!(!covered, "{why}"),
            other => panic!("{other:?}: {why}"),
        }
    }

    fn step(&mut self) {
        let until = self.now + self.rng.ms(8000);
        self.run(until, true);
        let index = usize::try_from(self.rng.below(HOSTS as u64)).unwrap();
        match self.rng.below(400) {
            0..20 => self.machines[index].alive = false,
            20..40 => self.revive(index),
            40..44 if self.machines[index].alive && self.now >= self.cut => {
                self.beat(index, Ev::Bye);
                self.machines[index].alive = false;
            }
            44..48 => {
                let until = self.now + self.rng.ms(100_000);
                self.world.freeze(until);
                self.cut = if self.rng.below(2) == 0 { until } else { self.cut };
                self.run(until, false);
            }
            48..52 => {
                let time = Duration::from_millis(self.rng.below(3000));
                self.world.roster.deaf(time);
            }
            52..56 => {
                let up = self.now + self.rng.ms(400_000);
                self.world.restart(self.now, up, true);
                self.check();
                self.cut = up;
                self.run(up, false);
            }
            56..60 => self.reload(),
            60..64 => {
                let glob = ["h2", "h*", "h1*"][index % 3];
                self.world.roster.silence(
                    glob,
                    Lasts::For(Duration::from_secs(300)),
                    &at(self.now),
                    &mut self.world.pending,
                );
            }
            64..66 => {
                self.world.roster.unsilence("h*", &mut self.world.pending);
            }
            66..70 => self.cut = self.now + self.rng.ms(500_000),
            74..80 if self.machines[index].alive => {
                // A boot that takes no time, or only the daemon.
                let (now, machine) = (self.now, &mut self.machines[index]);
                (machine.start, machine.seq, machine.next) = (now, 0, now);
                machine.boot = if self.rng.below(2) == 0 { now } else { machine.boot };
            }
            70..74 => self.world.roster.channels_fail(index % 2 == 0),
            _ => {}
        }
    }

    fn reload(&mut self) {
        let (num, hold) = (2 + u32::try_from(self.rng.below(3)).unwrap(), self.rng.below(3));
        let rules = Life::rules(num, hold, self.rng.below(2) == 0);
        self.world.rules = rules.clone();
        self.world.roster.reload(rules.clone(), &at(self.now));
        for machine in &self.machines {
            if let Some(known) = self.known.get_mut(&machine.name) {
                known.patience = known.patience.min(patience(&rules, machine.per));
            }
        }
    }

    fn revive(&mut self, at: usize) {
        let (how, now, machine) = (self.rng.below(3), self.now, &mut self.machines[at]);
        if machine.alive {
            return;
        }
        machine.alive = true;
        machine.next = now;
        // The same run, unplugged for a while; a new daemon; a new boot.
        if how > 0 {
            (machine.start, machine.seq) = (now, 0);
        }
        if how > 1 {
            machine.boot = now;
        }
    }

    /// All is quiet: everybody is silent, and nothing hides it.
    fn end(&mut self) {
        for machine in &mut self.machines {
            machine.alive = false;
        }
        self.world.roster.unsilence("*", &mut self.world.pending);
        self.world.rules = Life::rules(3, 1, false);
        self.world.roster.reload(self.world.rules.clone(), &at(self.now));
        for known in self.known.values_mut() {
            known.patience = 0;
        }
        self.now += 3_000_000;
        self.world.run_to(self.now);
        self.check();
        for entry in self.world.roster.hosts().iter() {
            let (known, why) = (&self.known[&*entry.name], format!("seed {}: {}", self.seed, entry.name));
            assert_eq!((entry.host.standing, known.down, known.flaps), (Standing::Offline, true, false), "{why}");
        }
        assert!(self.world.roster.hosts().len() >= HOSTS, "seed {}", self.seed);
        self.cut = 0;
        for at in 0..HOSTS {
            self.revive(at);
        }
        self.run(self.now + 100_000, true);
        for machine in &self.machines {
            let known = &self.known[&machine.name];
            assert!(!known.down, "seed {}: {}", self.seed, machine.name);
        }
    }
}

#[test]
fn over_random_lives_told_events_alternate_and_none_is_early_or_missing() {
    let mut counts: HashMap<Kind, u32> = HashMap::new();
    for seed in 0..10 {
        let mut life = Life::new(seed);
        for _ in 0..STEPS {
            life.step();
        }
        life.end();
        for (kind, count) in life.counts {
            *counts.entry(kind).or_default() += count;
        }
    }
    eprintln!("{counts:?}");
    for kind in
        [Kind::Offline, Kind::Online, Kind::Flapping, Kind::Steady, Kind::Reminder, Kind::Rebooted, Kind::Stopped]
    {
        assert!(counts.get(&kind).is_some_and(|count| *count > 20), "{kind:?} must happen: {counts:?}");
    }
}
