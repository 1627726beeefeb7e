use super::*;
use crate::run::state::testing::Folder;
use std::fs;

fn write(folder: &Folder, name: &str, text: &[u8]) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn sample(gauge: &Arc<Gauge>) -> Sample {
    // A busy machine may take its time for a look.
    for _ in 0..100 {
        let sample = gauge.sample(Duration::ZERO, STALE);
        if lock(&gauge.seen).look.2 {
            return sample;
        }
    }
    panic!("nothing was read");
}

#[test]
fn what_is_there_is_read_and_nothing_else_is_known() {
    let folder = Folder::default();
    let (none, uptime, counters) = machine(folder.path());
    assert_eq!((none, uptime, counters), (Readings::default(), None, Counters::default()));
    for (name, text) in [
        ("proc/loadavg", &b"1.25 0 0 1/2 3\n"[..]),
        ("proc/meminfo", b"MemTotal: 4 kB\nMemAvailable: 1 kB\nSwapTotal: 10 kB\nSwapFree: 9 kB\n"),
        ("proc/sys/fs/file-nr", b"30\t0\t100\n"),
        ("proc/uptime", b"1000.50 1.0\n"),
        ("proc/stat", b"cpu  100 0 0 900 0 0 0 0 0 0\n"),
        ("proc/net/dev", b"x\ny\n lo: 0 0 9 9\n eth0: 1 1 5 5 0 0 0 0 1 1 5 5 0 0 0 0\n"),
        ("sys/devices/system/cpu/online", b"0-1\n"),
        ("sys/class/thermal/thermal_zone0/temp", b"-1000\n"),
        ("sys/class/thermal/thermal_zone2/temp", b"48500\n"),
        ("sys/class/thermal/thermal_zone3/temp", b"\xff\xfe"),
        ("sys/class/thermal/thermal_zone4/temp", b"255000"),
        ("sys/class/thermal/thermal_zone32/temp", b"99000"),
    ] {
        write(&folder, name, text);
    }
    let (all, uptime, counters) = machine(folder.path());
    assert_eq!((all.load, all.cores, all.memory, all.temperature), (Some(125), Some(2), Some(75), Some(485)));
    assert_eq!((all.swap, all.fds, uptime), (Some(10), Some(30), Some(1000)));
    assert_eq!(counters, Counters { cpu: Some((100, 1000)), errors: Some(20) });
    write(&folder, "proc/loadavg", &vec![b' '; 300 * 1024]);
    write(&folder, "proc/meminfo", b"\xff");
    fs::remove_file(folder.path().join("proc/uptime")).unwrap();
    fs::create_dir(folder.path().join("proc/uptime")).unwrap();
    let (all, uptime, _) = machine(folder.path());
    assert_eq!((all.load, all.memory, all.swap, uptime), (None, None, None, None));
}

#[test]
fn what_grows_is_told_by_the_difference() {
    let mut seen = Seen::default();
    let counters = |busy, errors| Counters { cpu: Some((busy, 1000 + busy)), errors: Some(errors) };
    seen.machine((Readings::default(), Some(77), counters(100, 5)), Tick(0));
    let first = seen.sample(Tick(0), STALE);
    assert_eq!((first.readings.cpu, first.readings.errors, first.uptime), (None, None, Duration::from_secs(77)));
    seen.machine((Readings::default(), None, counters(200, 15)), Tick(10_000));
    let second = seen.sample(Tick(10_000), STALE);
    assert_eq!((second.readings.cpu, second.readings.errors), (Some(100), Some(100)));
    // Too soon to say anything new, and nothing is lost by it.
    seen.machine((Readings::default(), None, counters(200, 15)), Tick(10_100));
    assert_eq!(seen.sample(Tick(10_100), STALE).readings, second.readings);
    seen.machine((Readings::default(), None, counters(210, 16)), Tick(11_000));
    assert_eq!(seen.sample(Tick(11_000), STALE).readings.errors, Some(100));
    assert_eq!(seen.sample(Tick(11_001) + STALE, STALE).readings, Readings::default());
}

#[test]
fn disks_are_those_below_the_root_and_each_counts_once() {
    let folder = Folder::default();
    let gauge = Gauge::below(folder.path(), Path::new("/state"));
    fs::create_dir(folder.path().join("state")).unwrap();
    gauge.set(Some(&["/".to_owned(), "/state".to_owned(), "/none".to_owned()]), true);
    let seen = sample(&gauge);
    let known: Vec<bool> = seen.disks.iter().map(|disk| disk.space.used.is_some()).collect();
    assert_eq!(known, [true, false, false], "the second is on the same device: {seen:?}");
    assert_eq!((seen.readings.disk, &*seen.readings.place), (space(folder.path()).used, "/"));
    assert!(seen.readings.checks && seen.readings.memory.is_none());
    gauge.set(Some(&["/state".to_owned()]), false);
    let seen = sample(&gauge);
    assert_eq!((seen.disks.len(), &*seen.readings.place, seen.readings.checks), (1, "/state", false));
    let long = ["/", &"x".repeat(100)].concat();
    fs::create_dir(folder.path().join(&long[1..])).unwrap();
    gauge.set(Some(&[long]), false);
    let seen = sample(&gauge);
    assert!(seen.readings.disk.is_some() && seen.readings.place.is_empty());
}

#[test]
fn this_machine_says_something_and_is_not_asked_too_often() {
    let gauge = Gauge::new(Path::new("/"));
    let first = sample(&gauge);
    println!("{first:?}");
    assert!(first.readings.load.is_some() && first.readings.memory.is_some());
    assert!(first.uptime > Duration::ZERO && first.readings.disk.is_some());
    lock(&gauge.seen).machine.value.0.load = Some(7);
    assert_eq!(gauge.read().load, Some(7));
}

#[test]
fn what_hangs_delays_nobody_and_hides_nothing_but_itself() {
    let gauge = Gauge::new(Path::new("/dev"));
    sample(&gauge);
    // A look that began a moment ago hangs on the first disk.
    let now = clock::tick();
    let mut seen = lock(&gauge.seen);
    let look = seen.look.0 + 1;
    seen.look = (look, Some(now), false);
    assert!(seen.disks[0].1.take(look));
    seen.machine.value.0.load = Some(7);
    drop(seen);
    let old = gauge.sample(Duration::ZERO, STALE);
    assert_eq!(old.readings.load, Some(7), "the last ones serve");
    assert_eq!(lock(&gauge.seen).look.0, look, "and nobody else is sent after it");
    // Once it has taken too long the next look leaves that disk out.
    lock(&gauge.seen).look.1 = Some(now - HANGS);
    let next = sample(&gauge);
    let seen = lock(&gauge.seen);
    assert_eq!((seen.look.0, seen.look.2, seen.disks[0].1.busy), (look + 1, true, true));
    assert!(next.readings.load != Some(7) && seen.disks[1].1.at > seen.disks[0].1.at);
    let later = Tick(seen.disks[0].1.at.unwrap().0 + 1) + STALE;
    let sample = seen.sample(later.min(seen.disks[1].1.at.unwrap()), Duration::ZERO);
    assert_eq!(sample.disks[0].space, Space::default(), "and not for ever");
}

#[test]
fn a_disk_that_hangs_and_is_not_wanted_any_more_is_waited_for_by_nobody() {
    let gauge = Gauge::new(Path::new("/dev"));
    sample(&gauge);
    lock(&gauge.seen).disks[0].1.busy = true;
    gauge.set(Some(&["/proc".to_owned()]), false);
    let paths = |gauge: &Gauge| lock(&gauge.seen).disks.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&gauge), ["/proc", "/"]);
    assert_eq!(sample(&gauge).disks.len(), 1);
    gauge.set(None, false);
    assert_eq!(paths(&gauge), ["/", "/dev"]);
    assert!(lock(&gauge.seen).disks[0].1.busy, "nobody else is sent after it");
    gauge.set(Some(&["/proc".to_owned()]), false);
    lock(&gauge.seen).disks[1].1.busy = false;
    sample(&gauge);
    assert_eq!(paths(&gauge), ["/proc"]);
}
