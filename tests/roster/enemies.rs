//! What hosts with a right key, and bad luck, can do: storms, blind spots, false alarms.

use std::time::Duration;

use interrupt_callback::event::{Event, Kind};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::keepalive::silences::Lasts;

use super::world::*;

/// Messages: a group is one.
fn messages(told: &[Event]) -> usize {
    let mut groups: Vec<_> = told.iter().filter_map(|event| event.group).collect();
    let alone = told.len() - groups.len();
    groups.sort();
    groups.dedup();
    alone + groups.len()
}

fn boot(number: i64, seq: u64) -> Report {
    let text = number.to_string();
    Report { run: text.clone(), boot: text, up: 5000, age: 1000, ..report(seq) }
}

#[test]
fn a_host_that_boots_again_and_again_is_told_as_flapping_and_then_left_alone() {
    let mut world = World::new(4);
    for number in 0..100 {
        world.hear("a", &boot(number, 1), number * 20_000).unwrap();
    }
    assert_eq!(kinds(&world.told()), [Kind::Rebooted, Kind::Rebooted, Kind::Flapping]);
    for seq in 2..=40 {
        world.hear("a", &boot(99, seq), 1_980_000 + i64::try_from(seq).unwrap() * 30_000).unwrap();
    }
    assert_eq!(kinds(&world.told()), [Kind::Steady]);
}

#[test]
fn goodbyes_that_are_told_may_not_be_a_storm_either() {
    let mut world = World::with(Rules { tell_stopped: true, ..rules(4) });
    for round in 0..100 {
        let at = i64::try_from(round).unwrap() * 10_000;
        world.hear("a", &report(2 * round + 1), at).unwrap();
        world.hear("a", &Report { ev: Ev::Bye, ..report(2 * round + 2) }, at + 5000).unwrap();
    }
    let told = kinds(&world.told());
    assert_eq!(told, [Kind::Stopped, Kind::Online, Kind::Stopped, Kind::Online, Kind::Flapping]);
    let told = kinds(&world.scan(1_550_000));
    assert_eq!(told, [Kind::Steady], "it said goodbye at 995 s");
    assert_eq!(kinds(&world.scan(1_700_000)), [Kind::Offline], "and is overdue after ten minutes");
}

#[test]
fn many_refusals_do_not_hide_the_next_one_for_ever() {
    let mut world = World::new(4);
    let from = "192.0.2.9:1".parse().unwrap();
    for number in 0..200 {
        let name = number.to_string();
        world.roster.refused((&name, "default", from), None, &at(0), &mut world.pending);
    }
    assert_eq!(world.told().len(), 64);
    world.roster.refused(("nas", "default", from), None, &at(600_000), &mut world.pending);
    world.roster.refused(("box", "default", from), None, &at(600_000), &mut world.pending);
    assert_eq!(world.told().len(), 1, "one more every ten minutes");
    world.roster.refused(("nas", "default", from), None, &at(6_000_000), &mut world.pending);
    assert_eq!(world.told().len(), 0, "each once");
}

#[test]
fn a_silence_until_healthy_ends_after_a_goodbye_a_reboot_or_a_new_beginning() {
    let silenced = || {
        let mut world = World::new(4);
        world.hear("a", &report(1), 0).unwrap();
        assert!(world.roster.silence("a", Lasts::UntilHealthy, &at(1000), &mut world.pending));
        world
    };
    let mut world = silenced();
    world.hear("a", &Report { ev: Ev::Bye, ..report(2) }, 2000).unwrap();
    assert!(world.roster.silences().covers("a", &at(3000)));
    world.hear("a", &boot(1, 1), 60_000).unwrap();
    assert!(!world.roster.silences().covers("a", &at(60_000)), "switched off and on again");

    let mut world = silenced();
    world.hear("a", &boot(1, 1), 60_000).unwrap();
    assert!(!world.roster.silences().covers("a", &at(60_000)), "rebooted within its patience");
    assert_eq!(world.told(), []);

    let mut world = silenced();
    assert!(world.roster.leave("a", "it was taken off by hand", &at(2000), &mut world.pending));
    world.hear("a", &boot(1, 1), 60_000).unwrap();
    assert!(!world.roster.silences().covers("a", &at(60_000)), "forgotten and heard again");
}

#[test]
fn a_period_that_changed_is_known_after_a_restart() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.save(1000);
    world.hear("a", &Report { per: 600_000, ..report(2) }, 30_000).unwrap();
    world.restart(100_000, 101_000, true);
    assert_eq!(world.scan(625_000), [], "its next beat is due then");
}

#[test]
fn flapping_that_is_long_over_when_a_silence_ends_is_not_told() {
    let mut world = World::new(4);
    assert!(world.roster.silence("a", Lasts::Open, &at(0), &mut world.pending));
    for ms in (1000..700_000).step_by(130_000) {
        world.hear("a", &report(ms as u64), ms).unwrap();
    }
    assert_eq!(world.scan(20_000_000), []);
    assert!(world.roster.unsilence("a", &mut world.pending));
    assert_eq!(kinds(&world.scan(20_006_000)), [Kind::Offline]);
}

#[test]
fn one_missed_beat_each_and_the_uplink_cut_is_told_in_a_few_messages() {
    let mut world = World::new(1);
    for host in 0..50 {
        world.hear(&format!("h{host}"), &report(1), host * 600).unwrap();
    }
    let told = world.scan(120_000);
    assert_eq!(told.len(), 50);
    println!("{} messages", messages(&told));
    assert!(messages(&told) <= 8, "{}", messages(&told));
}

#[test]
fn a_server_that_slept_hears_its_hosts_before_it_judges_them() {
    for num in [1, 2, 4] {
        for hosts in [1, 2, 3, 50] {
            let mut world = World::new(num);
            for host in 0..hosts {
                world.hear(&format!("h{host}"), &report(1), host).unwrap();
            }
            let night = 29_900 + 8 * 3_600_000;
            world.scan(29_900);
            world.freeze(night);
            // Its network is there after a few seconds, and hosts try again at most a quarter of a period later.
            for host in 0..hosts {
                world.hear(&format!("h{host}"), &report(2), night + 10_000 + host).unwrap();
            }
            assert_eq!(world.scan(night + 11_000), [], "num {num}, {hosts} hosts");
        }
    }
}

#[test]
fn nobody_is_reminded_of_a_host_that_could_not_say_that_it_is_back() {
    let mut world = World::with(Rules { remind: Some(Duration::from_secs(3600)), ..rules(4) });
    world.hear("a", &report(1), 0).unwrap();
    assert_eq!(kinds(&world.scan(125_000)), [Kind::Offline]);
    world.freeze(30_000_000);
    assert_eq!(world.scan(30_000_000), []);
    world.hear("a", &report(2), 30_010_000).unwrap();
    assert_eq!(kinds(&world.told()), [Kind::Online]);
    let mut world = World::with(Rules { remind: Some(Duration::from_secs(3600)), ..rules(4) });
    world.hear("a", &report(1), 0).unwrap();
    world.scan(125_000);
    world.freeze(30_000_000);
    assert_eq!(kinds(&world.scan(30_125_000)), [Kind::Reminder]);
}

#[test]
fn reminders_of_hosts_that_were_told_together_come_together() {
    let mut world = World::with(Rules { remind: Some(Duration::from_secs(3600)), ..rules(4) });
    for host in ["a", "b", "c"] {
        world.hear(host, &report(1), 0).unwrap();
    }
    assert_eq!(messages(&world.scan(1_000_000)), 1);
    let told = world.scan(5_000_000);
    assert_eq!((kinds(&told), messages(&told)), (vec![Kind::Reminder; 3], 1));
    let group = told[0].group;
    let told = world.scan(13_000_000);
    assert_eq!((kinds(&told), messages(&told)), (vec![Kind::Reminder; 3], 1));
    assert_ne!(told[0].group, group);
}

#[test]
fn a_planned_power_cut_that_takes_too_long_is_told_together() {
    let mut world = World::new(4);
    for host in 0..20 {
        let name = format!("h{host}");
        world.hear(&name, &report(1), host).unwrap();
    }
    for host in 0..20 {
        world.hear(&format!("h{host}"), &Report { ev: Ev::Bye, ..report(2) }, 1000 + host * 200).unwrap();
    }
    let told = world.scan(700_000);
    assert_eq!((told.len(), messages(&told)), (20, 1));
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.hear("a", &Report { ev: Ev::Bye, ..report(2) }, 1000).unwrap();
    assert_eq!(kinds(&world.scan(606_000)), [Kind::Offline], "one alone at once");
}

#[test]
fn another_time_to_forget_counts_for_those_that_are_silent_already() {
    let mut world = World::new(4);
    world.hear("a", &report(1), 0).unwrap();
    world.scan(125_000);
    world.told();
    world.roster.reload(Rules { forget: Duration::from_secs(3600), ..rules(4) }, &at(200_000));
    assert_eq!(world.scan(3_700_000), []);
    assert_eq!(kinds(&world.scan(3_730_000)), [Kind::Forgotten]);
}

#[test]
fn a_queue_that_fills_in_the_middle_of_a_group_loses_nothing_and_keeps_the_group() {
    let mut world = World::new(4);
    for host in 0..5000 {
        world.hear(&format!("h{host}"), &report(1), 1).unwrap();
    }
    let mut told = Vec::new();
    for ms in (125_001..400_000).step_by(500) {
        // Nothing is taken from the queue while the scan runs.
        told.append(&mut world.scan(ms));
    }
    assert_eq!(told.len(), 5000);
    assert_eq!(messages(&told), 1, "one group");
    assert!(told.is_sorted_by_key(|event| event.at.tick));
}

/// How long the lock is held at worst; run it with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "long"]
fn ten_thousand_hosts_and_a_thousand_silences() {
    for (what, glob) in [("no silence", ""), ("names", "web-#@rack"), ("globs", "*-#@r?ck")] {
        let mut world = World::new(4);
        for host in 0..10_000 {
            world.hear(&format!("web-{host}@rack-{}", host % 40), &report(1), 1).unwrap();
        }
        for silence in 0..if glob.is_empty() { 0 } else { 1000 } {
            let glob = glob.replace('#', &silence.to_string());
            let taken = world.roster.silence(&glob, Lasts::Open, &at(1), &mut world.pending);
            assert_eq!(taken, what == "names" || silence < 100, "{glob}");
            world.pending.take(usize::MAX);
        }
        world.run_to(124_000);
        let mut worst = (0, 0);
        for ms in (125_001..260_000).step_by(10_000) {
            let begun = interrupt_callback::clock::monotonic_usec();
            world.scan_once(ms);
            let took = interrupt_callback::clock::monotonic_usec() - begun;
            worst = worst.max((took, ms));
        }
        println!("{what}: a scan takes at most {} µs, at {} ms; {} told", worst.0, worst.1, world.told().len());
        let begun = interrupt_callback::clock::monotonic_usec();
        world.roster.reload(rules(3), &at(270_000));
        println!("a reload takes {} µs", interrupt_callback::clock::monotonic_usec() - begun);
    }
    println!("a host takes {} bytes", size_of::<interrupt_callback::keepalive::host::Host>());
}
