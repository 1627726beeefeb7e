//! Restarts, reboots and random lives.

use std::collections::HashMap;
use std::time::Duration;

use interrupt_callback::alert::pending::{After, Change};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::{Fact, Field, Kind};
use interrupt_callback::keepalive::host::{Shard, Standing};

use crate::world::*;

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
