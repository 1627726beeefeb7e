//! The roster: tables of what is told and when, and a long random life checked against its rules.

use std::collections::HashMap;
use std::time::Duration;

use interrupt_callback::alert::pending::{After, Change, Pending};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Severity};
use interrupt_callback::keepalive::beat::{Data, Ev, Notice, Report};
use interrupt_callback::keepalive::heard::{Granted, Heard, Note, Refusal};
use interrupt_callback::keepalive::host::{Shard, Standing};
use interrupt_callback::keepalive::roster::{Roster, Rules};

const START: i64 = 1_000_000;

fn at(ms: i64) -> Now {
    Now { tick: Tick(START + ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
}

fn rules(num: u32) -> Rules {
    Rules {
        server: "vps@tokyo".into(),
        num,
        grace: Duration::from_secs(5),
        tell_stopped: false,
        forget: Duration::from_secs(30 * 86_400),
    }
}

fn report(seq: u64) -> Report {
    Report {
        ev: Ev::Beat,
        per: 30.0,
        boot: "boot".into(),
        up: 100.0,
        run: "run".into(),
        age: 50.0,
        seq,
        back_in: None,
        reason: None,
        data: Data::default(),
    }
}

struct World {
    roster: Roster,
    pending: Pending,
}

impl World {
    fn new(num: u32) -> World {
        World { roster: Roster::new(rules(num)), pending: Pending::default() }
    }

    fn hear(&mut self, name: &str, report: &Report, ms: i64) -> Result<Granted, Refusal> {
        self.hear_as("default", 2, name, report, ms)
    }

    fn hear_as(&mut self, user: &str, protocol: u8, name: &str, report: &Report, ms: i64) -> Result<Granted, Refusal> {
        let from = "192.0.2.7:4000".parse().unwrap();
        self.roster.hear(&Heard { user, name, from, protocol, report }, &at(ms), &mut self.pending)
    }

    fn scan(&mut self, ms: i64) -> Vec<Event> {
        self.roster.scan(&at(ms), &mut self.pending);
        self.told()
    }

    fn told(&mut self) -> Vec<Event> {
        self.pending.take(usize::MAX).into_iter().filter_map(|change| change.event).collect()
    }
}

fn kinds(events: &[Event]) -> Vec<Kind> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_silence_is_told_at_its_deadline_and_its_end_with_the_duration() {
    let mut world = World::new(4);
    assert_eq!(world.hear("nas@home", &report(1), 0).unwrap().note, Note::New);
    assert_eq!(world.scan(124_999), []);
    let offline = world.scan(125_000);
    assert_eq!(kinds(&offline), [Kind::Offline]);
    assert_eq!(offline[0].at.tick, at(125_000).tick);
    assert_eq!(world.scan(500_000), [], "told once");
    assert_eq!(world.hear("nas@home", &report(2), 600_000).unwrap().note, Note::Back);
    let online = world.told();
    assert_eq!(kinds(&online), [Kind::Online]);
    assert_eq!(online[0].incident, offline[0].incident);
    assert_eq!(online[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(600))));
    world.scan(725_000);
    world.hear("nas@home", &report(3), 726_000).unwrap();
    world.scan(900_000);
    let again = world.scan(900_000);
    assert!(again.iter().all(|event| event.incident != offline[0].incident), "a new up-period, a new incident");
}

#[test]
fn the_host_s_own_period_sets_its_deadline() {
    let mut world = World::new(2);
    world.hear("slow", &Report { per: 600.0, ..report(1) }, 0).unwrap();
    world.hear("fast", &Report { per: 1.0, ..report(1) }, 0).unwrap();
    let told = world.scan(7000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Offline], "fast"));
    assert_eq!(world.scan(1_204_999), []);
    assert_eq!(world.scan(1_205_000)[0].subject, "slow");
}

#[test]
fn a_goodbye_is_quiet_until_it_is_overdue() {
    let mut world = World::new(4);
    world.hear("nas@home", &report(1), 0).unwrap();
    let bye = Report { ev: Ev::Bye, back_in: Some(600.0), ..report(2) };
    let old = Report { run: "earlier".into(), ..bye.clone() };
    assert_eq!(world.hear("nas@home", &old, 500).unwrap().note, Note::Nothing, "goodbye of another run");
    assert_eq!(world.hear("nas@home", &bye, 1000).unwrap().note, Note::Stopped);
    assert_eq!(world.scan(605_000), []);
    let overdue = world.scan(606_000);
    assert_eq!(kinds(&overdue), [Kind::Offline]);
    assert_eq!(overdue[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(605))), "from the goodbye");
    let start = Report { run: "next".into(), ..report(1) };
    assert_eq!(world.hear("nas@home", &start, 700_000).unwrap().note, Note::Back);
    assert_eq!(kinds(&world.told()), [Kind::Online]);
}

#[test]
fn leaving_for_good_takes_the_host_off() {
    let mut world = World::new(4);
    world.hear("nas@home", &report(1), 0).unwrap();
    let leave = Report { ev: Ev::Bye, reason: Some("leave".into()), ..report(2) };
    assert_eq!(world.hear("nas@home", &leave, 10).unwrap().note, Note::Left);
    assert!(world.roster.hosts().is_empty());
    assert_eq!(world.scan(10_000_000), []);
    assert_eq!(world.hear("nas@home", &leave, 20).unwrap().note, Note::Nothing, "a goodbye makes no host");
    assert!(world.roster.hosts().is_empty());
}

fn notice(kind: Kind, told: bool, delivered: bool, left: f64) -> Notice {
    let id = Id::of(&[kind.name().as_bytes()]);
    let facts = vec![(Field::Instance, "i-abc".to_owned())];
    let severity = Severity::Critical;
    Notice { id, incident: Id(9), kind, severity, age: 2.0, left: Some(left), told, delivered, facts }
}

fn with(seq: u64, notices: Vec<Notice>) -> Report {
    Report { data: Data { notices }, ..report(seq) }
}

#[test]
fn the_server_tells_what_the_host_cannot() {
    let mut world = World::new(4);
    world.hear("spot", &report(1), 0).unwrap();
    world.hear("spot", &with(2, vec![notice(Kind::Interrupt, false, false, 300.0)]), 1000).unwrap();
    let told = world.told();
    assert_eq!(kinds(&told), [Kind::Interrupt]);
    assert_eq!((told[0].id, told[0].incident), (Id::of(&[b"interrupt"]), Id(9)), "the host's own ids");
    assert_eq!(told[0].at.tick, at(-1000).tick, "when it happened");
    world.hear("spot", &with(3, vec![notice(Kind::Interrupt, false, false, 290.0)]), 11_000).unwrap();
    assert_eq!(world.told(), [], "once");
    let gone = world.scan(200_000);
    assert_eq!(kinds(&gone), [Kind::Reclaimed], "as announced");
}

#[test]
fn a_host_that_tells_is_given_15_seconds() {
    let mut world = World::new(4);
    let told_not_delivered = vec![notice(Kind::Interrupt, true, false, 300.0)];
    let delivered = vec![notice(Kind::Interrupt, true, true, 300.0)];
    world.hear("a", &with(1, told_not_delivered.clone()), 0).unwrap();
    assert_eq!(world.scan(14_999), []);
    assert_eq!(kinds(&world.scan(15_000)), [Kind::Interrupt]);
    let mut world = World::new(4);
    world.hear("a", &with(1, told_not_delivered), 0).unwrap();
    world.hear("a", &with(2, delivered), 5000).unwrap();
    assert_eq!(world.scan(60_000), []);
    assert_eq!(kinds(&world.scan(130_000)), [Kind::Reclaimed]);
}

#[test]
fn a_host_silent_before_it_could_tell_is_told_first() {
    let mut world = World::new(1);
    let report = Report { per: 1.0, ..with(1, vec![notice(Kind::Interrupt, true, false, 300.0)]) };
    world.hear("a", &report, 0).unwrap();
    assert_eq!(kinds(&world.scan(6000)), [Kind::Interrupt, Kind::Reclaimed]);
}

#[test]
fn a_withdrawal_ends_the_announcement() {
    let mut world = World::new(4);
    let first = notice(Kind::Interrupt, false, false, 300.0);
    let back = notice(Kind::InterruptWithdrawn, false, false, 0.0);
    world.hear("a", &with(1, vec![first.clone()]), 0).unwrap();
    world.hear("a", &with(2, vec![first, back]), 30_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Interrupt, Kind::InterruptWithdrawn]);
    assert_eq!(kinds(&world.scan(300_000)), [Kind::Offline]);
}

#[test]
fn a_host_cannot_end_or_hide_what_another_carries() {
    let mut world = World::new(4);
    let real = notice(Kind::Interrupt, true, false, 300.0);
    world.hear("victim", &with(1, vec![real.clone()]), 0).unwrap();
    let mut stolen = real.clone();
    stolen.delivered = true;
    let withdrawal = notice(Kind::InterruptWithdrawn, false, false, 0.0);
    world.hear("thief", &with(1, vec![stolen, withdrawal]), 100).unwrap();
    assert_eq!(world.told(), []);
    let told = world.scan(15_000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Interrupt], "victim"));
}

#[test]
fn names_belong_to_their_users() {
    let mut world = World::new(4);
    world.hear_as("default", 1, "nas", &Report { run: String::new(), ..report(0) }, 0).unwrap();
    world.hear_as("default", 2, "nas", &report(1), 1).unwrap();
    let old = Report { run: String::new(), ..report(0) };
    assert_eq!(world.hear_as("default", 1, "nas", &old, 2), Err(Refusal::NameTaken), "seen with protocol 2");
    world.hear_as("nas-user", 2, "nas", &report(2), 3).unwrap();
    assert_eq!(world.hear_as("default", 2, "nas", &report(3), 4), Err(Refusal::NameTaken), "never back");
    assert_eq!(world.hear_as("other", 2, "nas", &report(4), 5), Err(Refusal::NameTaken));
    for name in ["", "a\nb", "a\u{202e}b", "\u{7f}", &"x".repeat(129)] {
        assert_eq!(world.hear("x", &report(1), 0).map(|_| ()), Ok(()));
        assert_eq!(world.hear(name, &report(1), 0), Err(Refusal::NameInvalid), "{name:?}");
    }
    for per in [0.0, -1.0, 3e8, f64::NAN, f64::INFINITY] {
        assert_eq!(world.hear("x", &Report { per, ..report(9) }, 0), Err(Refusal::PeriodInvalid), "{per}");
    }
}

#[test]
fn an_overtaken_beat_changes_nothing() {
    let mut world = World::new(4);
    world.hear("a", &report(5), 0).unwrap();
    world.hear("a", &report(5), 100_000).unwrap();
    world.hear("a", &report(4), 110_000).unwrap();
    assert_eq!(kinds(&world.scan(125_000)), [Kind::Offline]);
}

#[test]
fn the_roster_has_a_cap_and_says_so_once() {
    let mut world = World::new(4);
    for host in 0..10_000 {
        world.hear(&format!("host-{host}"), &report(1), 0).unwrap();
    }
    assert_eq!(world.hear("one-more", &report(1), 0), Err(Refusal::Full));
    assert_eq!(world.hear("two-more", &report(1), 0), Err(Refusal::Full));
    assert_eq!(kinds(&world.told()), [Kind::Refused]);
    world.hear("host-77", &report(2), 1).unwrap();
}

#[test]
fn a_long_silent_host_is_forgotten_with_an_end() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(125_000);
    let month = 30 * 86_400_000;
    assert_eq!(world.scan(month), []);
    assert_eq!(kinds(&world.scan(month + 125_000)), [Kind::Forgotten]);
    assert!(world.roster.hosts().is_empty());
}

/// Saves all that is dirty and builds a roster from it, as after a crash.
fn restart(world: &mut World, files: &mut HashMap<usize, Vec<u8>>, told: &[Change], now: &Now) -> Roster {
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

#[test]
fn a_restart_tells_the_dead_once_and_the_living_never() {
    let mut world = World::new(4);
    let mut files = HashMap::new();
    for name in ["dead", "living", "told"] {
        world.hear(name, &report(1), 0).unwrap();
    }
    world.hear("dead", &report(2), 100_000).unwrap();
    world.hear("living", &report(2), 100_000).unwrap();
    world.roster.scan(&at(125_000), &mut world.pending);
    let changes = world.pending.take(usize::MAX);
    assert_eq!(changes.len(), 1);
    world.roster = restart(&mut world, &mut files, &changes, &at(400_000));
    assert_eq!(world.scan(400_000), []);
    world.hear("living", &report(3), 410_000).unwrap();
    assert_eq!(world.scan(524_999), [], "two minutes and grace from the start");
    let told = world.scan(525_000);
    assert_eq!((kinds(&told), told[0].subject.as_str()), (vec![Kind::Offline], "dead"));
    world.roster =
        restart(&mut world, &mut files, &[Change { seq: 99, event: None, after: After::Nothing }], &at(600_000));
    world.hear("living", &report(4), 600_500).unwrap();
    assert_eq!(world.scan(700_000), []);
    world.hear("told", &report(2), 725_000).unwrap();
    let online = world.told();
    assert_eq!(kinds(&online), [Kind::Online]);
    assert_eq!(online[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(725))), "the full duration");
}

#[test]
fn ticks_cross_a_reboot_by_the_wall_clock_if_it_is_set() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    let shard = world.roster.hosts_mut().take_dirty(0, &at(10_000)).unwrap();
    let later = Now { tick: Tick(5000), wall: Wall(at(310_000).wall.0), boot: Boot(8) };
    let (_, host) = Shard::parse(&shard.to_json()).unwrap().restore(&later).next().unwrap();
    assert_eq!((host.last, host.about), (Tick(5000 - 310_000), false));
    let unset = Now { tick: Tick(5000), wall: Wall(60_000), boot: Boot(8) };
    let (_, host) = Shard::parse(&shard.to_json()).unwrap().restore(&unset).next().unwrap();
    assert_eq!((host.last, host.about), (Tick(5000 - 10_000), true), "no time is taken to have passed");
}

/// Splitmix64: a seeded generator for random lives.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % n
    }
}

#[test]
fn over_random_lives_told_events_alternate_and_none_is_early_or_missing() {
    for seed in 0..40 {
        let mut rng = Rng(seed);
        let mut world = World::new(4);
        let mut files = HashMap::new();
        let mut last: HashMap<String, i64> = HashMap::new();
        let mut down: HashMap<String, bool> = HashMap::new();
        let (mut now, mut seq) = (0_i64, 0);
        let mut alive = [true; 8];
        let mut told = Vec::new();
        for _ in 0..3000 {
            now += i64::try_from(rng.below(10_000)).unwrap();
            let host = usize::try_from(rng.below(8)).unwrap();
            match rng.below(60) {
                0 => alive[host] = !alive[host],
                1 => {
                    told.append(&mut world.pending.take(usize::MAX));
                    world.roster = restart(
                        &mut world,
                        &mut files,
                        &[Change { seq: u64::MAX, event: None, after: After::Nothing }],
                        &at(now),
                    );
                }
                _ => {}
            }
            if alive[host] {
                seq += 1;
                let name = format!("h{host}");
                world.hear(&name, &report(seq), now).unwrap();
                last.insert(name, now);
            }
            world.roster.scan(&at(now), &mut world.pending);
            told.append(&mut world.pending.take(usize::MAX));
            for event in told.drain(..).filter_map(|change| change.event) {
                let was_down = down.insert(event.subject.clone(), event.kind == Kind::Offline).unwrap_or(false);
                assert_eq!(was_down, event.kind == Kind::Online, "seed {seed}: alternate");
                let silent = event.at.tick.0 - START - last[&event.subject];
                assert!(event.kind == Kind::Online || silent >= 125_000, "seed {seed}: early by {}", 125_000 - silent);
            }
        }
        now += 300_000;
        world.roster.scan(&at(now), &mut world.pending);
        for event in world.told() {
            down.insert(event.subject.clone(), event.kind == Kind::Offline);
        }
        for name in last.keys() {
            assert_eq!(down.get(name), Some(&true), "seed {seed}: {name} is silent and must be told");
            assert_eq!(world.roster.hosts().get(name).unwrap().standing, Standing::Offline);
        }
    }
}
