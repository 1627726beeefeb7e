use std::time::Duration;

use crate::config::{Env, parse};
use crate::resource::ResourcePlan;
use crate::resource::rules::Limit;
use crate::resource::what::What;

fn plan(text: &str) -> ResourcePlan {
    let file = ["[resource]\n", text].concat();
    match parse(&file, "f", &Env::default()) {
        Ok(plan) => plan.resource.unwrap(),
        Err(problems) => panic!("{text}: {problems:?}"),
    }
}

fn problem(text: &str) -> String {
    let file = ["[resource]\n", text].concat();
    let problems = parse(&file, "f", &Env::default()).err().unwrap_or_default();
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn limit(high: i64, clear: i64, hold: u64, rest: u64) -> Limit {
    Limit { high, clear, hold: Duration::from_secs(hold), rest: Duration::from_secs(rest) }
}

#[test]
fn a_bare_section_watches_what_is_usual() {
    let bare = plan("");
    assert_eq!((bare.interval, &bare.disks, bare.hosts.len()), (Duration::from_secs(30), &None, 0));
    for (what, want) in [
        (What::Load, Some(limit(400, 360, 300, 60))),
        (What::Cpu, None),
        (What::Memory, Some(limit(95, 90, 300, 60))),
        (What::Swap, None),
        (What::Disk, Some(limit(90, 85, 300, 60))),
        (What::Inodes, Some(limit(90, 85, 300, 60))),
        (What::Fds, Some(limit(90, 85, 300, 60))),
        (What::Temperature, Some(limit(850, 800, 300, 60))),
        (What::Uptime, None),
        (What::Network, None),
    ] {
        assert_eq!(bare.limit(what).copied(), want, "{what:?}");
    }
}

#[test]
fn limits_are_numbers_or_tables() {
    for (text, what, want) in [
        ("memory = 80", What::Memory, Some(limit(80, 75, 300, 60))),
        ("memory = 1", What::Memory, Some(limit(1, 0, 300, 60))),
        ("memory = false", What::Memory, None),
        ("memory = true", What::Memory, Some(limit(95, 90, 300, 60))),
        ("swap = true", What::Swap, Some(limit(80, 75, 300, 60))),
        ("cpu = { high = 80, for = \"10m\" }", What::Cpu, Some(limit(80, 75, 600, 60))),
        ("cpu = {}", What::Cpu, Some(limit(95, 90, 300, 60))),
        ("disk = { high = 98, clear = 60, for = 20 }", What::Disk, Some(limit(98, 60, 20, 20))),
        ("for = \"0s\"", What::Disk, Some(limit(90, 85, 0, 0))),
        ("load = 1.5", What::Load, Some(limit(150, 135, 300, 60))),
        ("load = 2", What::Load, Some(limit(200, 180, 300, 60))),
        ("temperature = { high = 70.5, clear = 0 }", What::Temperature, Some(limit(705, 0, 300, 60))),
        ("uptime = \"90d\"", What::Uptime, Some(limit(90 * 86_400, 81 * 86_400, 300, 60))),
        ("uptime = 3600", What::Uptime, Some(limit(3600, 3240, 300, 60))),
        ("network = 0.5", What::Network, Some(limit(50, 45, 300, 60))),
    ] {
        assert_eq!(plan(text).limit(what).copied(), want, "{text}");
    }
    let all = plan("interval = \"5s\"\ndisks = [\"/\", \"/srv/数据\"]\nhosts = [\"web*\"]");
    assert_eq!((all.interval, all.hosts), (Duration::from_secs(5), vec!["web*".to_owned()]));
    assert_eq!(all.disks, Some(vec!["/".to_owned(), "/srv/数据".to_owned()]));
}

#[test]
fn what_cannot_be_is_said_with_its_place() {
    for (text, want) in [
        ("memory = 101", "f:2: resource.memory: is out of range; it goes from 1 % to 100 %"),
        ("memory = 0", "f:2: resource.memory: is out of range; it goes from 1 % to 100 %"),
        ("memory = -5", "f:2: resource.memory: is out of range; it goes from 1 % to 100 %"),
        ("memory = 90.5", "f:2: resource.memory: must be a whole number, true, false or a table, not a fraction"),
        ("memory = \"90\"", "f:2: resource.memory: must be a whole number, true, false or a table, not text"),
        ("load = []", "f:2: resource.load: must be a number, true, false or a table, not a list"),
        ("load = 0.001", "f:2: resource.load: is out of range; it goes from 0.01 to 1000.00"),
        ("load = nan", "f:2: resource.load: is out of range; it goes from 0.01 to 1000.00"),
        (
            "temperature = 9999999999999999999999",
            "f:2: resource.temperature: is out of range; it goes from 0.1 °C to 200.0 °C",
        ),
        ("temperature = 201", "f:2: resource.temperature: is out of range; it goes from 0.1 °C to 200.0 °C"),
        ("uptime = \"30s\"", "f:2: resource.uptime: is out of range; it goes from 1 min to 3650 d"),
        ("disk = { high = 80, clear = 80 }", "f:2: resource.disk.clear: must be below high, which is 80 %"),
        ("disk = { clear = 95 }", "f:2: resource.disk.clear: must be below high, which is 90 %"),
        ("disk = { hihg = 80 }", "f:2: resource.disk.hihg: unknown key; did you mean \"high\"?"),
        ("memroy = 90", "f:2: resource.memroy: unknown key; did you mean \"memory\"?"),
        ("disks = [\"var\"]", "f:2: resource.disks: must begin with a /"),
        ("disks = [\"/\", \"/\"]", "f:2: resource.disks: is named twice"),
        ("interval = \"100ms\"", "f:2: resource.interval: \"100ms\" is out of range; it goes from 1s to 1h"),
        ("for = \"2d\"", "f:2: resource.for: \"2d\" is out of range; it goes from 0s to 1d"),
    ] {
        assert_eq!(problem(text), want, "{text}");
    }
    assert!(problem("orbit = 1").contains("keys here are interval, for, disks, hosts, load, cpu, memory"));
    assert!(problem("disks = 7").contains("must be a list"));
    let off = "load = false\nmemory = false\ndisk = false\ninodes = false\nfds = false\ntemperature = false";
    let file = ["[resource]\n", off].concat();
    let warnings = parse(&file, "f", &Env::default()).unwrap().warnings;
    assert!(warnings[0].contains("every resource is switched off"), "{warnings:?}");
}
