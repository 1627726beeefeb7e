//! Any sequence of beats, goodbyes, freezes, restarts, reloads and commands, as the watchdog's roster sees it.

#![no_main]

use std::time::Duration;

use interrupt_callback::alert::pending::Pending;
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Event, Field, Id, Kind, Severity};
use interrupt_callback::keepalive::beat::{Data, Ev, Notice, Report};
use interrupt_callback::keepalive::heard::Heard;
use interrupt_callback::keepalive::host::Shard;
use interrupt_callback::keepalive::roster::Roster;
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::keepalive::silences::Lasts;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["nas", "web-1", "web-2", "db", "router@home", "\u{202e}evil\n"];

struct Input<'a>(std::slice::Iter<'a, u8>);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    /// Short times mostly, long ones too.
    fn time(&mut self) -> i64 {
        let (scale, count) = (self.byte(), i64::from(self.byte()));
        count * [1, 10, 100, 1000, 10_000, 600_000, 86_400_000][usize::from(scale) % 7]
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

fn report(input: &mut Input<'_>, ev: Ev, now: i64) -> Report {
    let kind = input.of(&[Kind::Interrupt, Kind::InterruptWithdrawn, Kind::Offline]);
    let flags = input.byte();
    let notice = Notice {
        id: Id(input.byte().into()),
        incident: Id(u64::from(input.byte() % 4)),
        kind,
        severity: Severity::Critical,
        age: input.time(),
        left: (flags & 1 == 0).then(|| input.time()),
        told: flags & 2 == 0,
        delivered: flags & 4 == 0,
        facts: vec![(Field::Instance, "i-1".to_owned())],
    };
    Report {
        ev,
        per: input.of(&[0, 99, 100, 1000, 30_000, 86_400_000, 86_400_001, i64::MAX]),
        boot: input.of(&["", "one", "two"]).to_owned(),
        up: input.of(&[0, 1000, now, i64::MAX, -1]),
        run: input.of(&["", "a", "b", "c"]).to_owned(),
        age: input.of(&[0, 500, now, i64::MAX, -1]),
        seq: input.of(&[0, 1, 2, 3, u64::MAX]).wrapping_add(now.unsigned_abs()),
        back_in: input.of(&[None, Some(0), Some(60_000), Some(i64::MAX), Some(-1)]),
        reason: input.of(&[None, Some("stop"), Some("leave"), Some("\n")]).map(str::to_owned),
        data: Data { notices: if flags & 8 == 0 { Vec::new() } else { vec![notice] }, readings: None, work: None },
    }
}

fn rules(input: &mut Input<'_>) -> Rules {
    Rules {
        server: "vps".into(),
        num: input.of(&[1, 2, 4, 100]),
        grace: Duration::from_millis(input.of(&[0, 500, 5000, 3_600_000])),
        tell_stopped: input.byte() & 1 == 0,
        forget: Duration::from_millis(input.of(&[60_000, 86_400_000, 30 * 86_400_000])),
        hold: Duration::from_millis(input.of(&[0, 10_000, 120_000])),
        remind: input.of(&[None, Some(Duration::from_secs(60)), Some(Duration::from_secs(21_600))]),
        expect: input.of(&[&[][..], &["nas"], &["never", "db"]]).iter().map(|name| (*name).to_owned()).collect(),
        ..Rules::default()
    }
}

struct World {
    roster: Roster,
    pending: Pending,
    files: Vec<(usize, Vec<u8>)>,
    told: Vec<(Id, Kind)>,
    last: u64,
}

impl World {
    /// Takes what is told. No outage is told twice.
    fn take(&mut self) {
        for change in self.pending.take(usize::MAX) {
            assert!(change.seq > self.last, "changes are in order");
            self.last = change.seq;
            let Some(Event { incident, kind, .. }) = change.event else { continue };
            if matches!(kind, Kind::Offline | Kind::Online | Kind::Flapping | Kind::Steady) {
                assert!(!self.told.contains(&(incident, kind)), "{kind:?} of {incident} is told twice");
                self.told.push((incident, kind));
            }
        }
    }

    fn save(&mut self, now: &Now) {
        self.take();
        while let Some(shard) = self.roster.hosts_mut().take_dirty(self.last, now) {
            self.files.retain(|(number, _)| *number != shard.number);
            self.files.push((shard.number, shard.to_json()));
        }
    }

    fn restart(&mut self, rules: Rules, now: &Now) {
        self.save(now);
        self.roster = Roster::new(rules);
        for (_, bytes) in &self.files {
            let shard = Shard::parse(bytes).expect("what it wrote itself");
            for (name, host) in shard.restore(now) {
                self.roster.restore(name, host, now);
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes.iter());
    let first = rules(&mut input);
    let (roster, pending) = (Roster::new(first), Pending::default());
    let mut world = World { roster, pending, files: Vec::new(), told: Vec::new(), last: 0 };
    let mut now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000), boot: Boot(7) };
    while input.0.len() > 0 {
        let step = input.time();
        now = Now { tick: Tick(now.tick.0 + step), wall: Wall(now.wall.0 + step), boot: now.boot };
        match input.byte() % 16 {
            0..=6 => {
                let ev = if input.byte() % 5 == 0 { Ev::Bye } else { Ev::Beat };
                let report = report(&mut input, ev, now.tick.0);
                let heard = Heard {
                    user: input.of(&["default", "default", "own"]),
                    name: input.of(&NAMES),
                    from: ([192, 0, 2, input.byte() % 3], 4000).into(),
                    protocol: 1 + input.byte() % 2,
                    old_key: input.byte() % 4 == 0,
                    report: &report,
                };
                let _ = world.roster.hear(&heard, &now, &mut world.pending);
            }
            7..=10 => {
                world.roster.scan(&now, &mut world.pending);
                world.save(&now);
                let next = world.roster.scan(&now, &mut world.pending);
                assert!(next > now.tick, "the watchdog would turn without a pause: {now:?} {next:?}");
            }
            11 => {
                let name = input.of(&NAMES);
                world.roster.leave(name, "forgotten by command", &now, &mut world.pending);
            }
            12 => {
                let rules = rules(&mut input);
                world.restart(rules, &now);
            }
            13 => {
                let rules = rules(&mut input);
                world.roster.reload(rules, &now);
            }
            14 => match input.byte() % 4 {
                0 => world.roster.deaf(Duration::from_millis(input.time().unsigned_abs())),
                1 => world.roster.channels_fail(input.byte() & 1 == 0),
                2 => drop(world.roster.unsilence(input.of(&["web-*", "nas", "*"]), &mut world.pending)),
                _ => {
                    let time = Duration::from_millis(input.time().unsigned_abs());
                    let lasts = input.of(&[Lasts::Open, Lasts::UntilHealthy, Lasts::For(time)]);
                    let _ = world.roster.silence(input.of(&["web-*", "nas", "*"]), lasts, &now, &mut world.pending);
                }
            },
            _ => now.wall = Wall(now.wall.0 + [-31_536_000_000, 31_536_000_000, 1][usize::from(input.byte()) % 3]),
        }
        world.save(&now);
    }
});
