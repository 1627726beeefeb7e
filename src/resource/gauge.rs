//! Reads how this machine is doing, beside the work: a file system that hangs delays nobody by more than a moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::clock::{self, Tick};
use crate::resource::{Readings, proc};
use crate::run::threads::{SMALL_STACK, lock, spawn};

/// For so long readings serve without looking again.
const FRESH: Duration = Duration::from_secs(10);
/// A caller waits no longer for new ones.
const WAIT: Duration = Duration::from_millis(200);
/// Readings older than this are not shown: something hangs.
const STALE: Duration = Duration::from_secs(10 * 60);
/// Thermal zones that are looked at.
const MAX_ZONES: usize = 32;

/// The readings of this machine.
pub struct Gauge {
    /// A folder whose file system counts, besides that of `/`.
    folder: PathBuf,
    seen: Mutex<Seen>,
    news: Condvar,
}

#[derive(Default)]
struct Seen {
    readings: Readings,
    at: Option<Tick>,
    /// Somebody is looking.
    busy: bool,
}

impl Gauge {
    /// Looks at the file systems of `/` and `folder`, and at no others: one that is not there hangs whoever asks it.
    pub fn new(folder: &Path) -> Arc<Gauge> {
        Arc::new(Gauge { folder: folder.to_owned(), seen: Mutex::default(), news: Condvar::new() })
    }

    /// How the machine is doing, as far as it can be told at once.
    pub fn read(self: &Arc<Self>) -> Readings {
        let now = clock::tick();
        let mut seen = lock(&self.seen);
        let fresh = seen.at.is_some_and(|at| now.since(at) < FRESH);
        if !fresh && !seen.busy {
            let own = Arc::clone(self);
            seen.busy = spawn("gauge", SMALL_STACK, move || own.look()).is_ok();
        }
        if !fresh {
            let waiting = |seen: &mut Seen| seen.busy;
            (seen, _) = self.news.wait_timeout_while(seen, WAIT, waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let stale = seen.at.is_none_or(|at| now.since(at) > STALE);
        if stale { Readings::default() } else { seen.readings.clone() }
    }

    fn look(&self) {
        let readings = machine(Path::new("/"), &self.folder);
        *lock(&self.seen) = Seen { readings, at: Some(clock::tick()), busy: false };
        self.news.notify_all();
    }
}

/// Everything, from the files below `root`.
fn machine(root: &Path, folder: &Path) -> Readings {
    // The kernel's files are short, so they are read whole.
    let file = |name: &str| fs::read_to_string(root.join(name)).ok();
    let mut temperature = None;
    for zone in 0..MAX_ZONES {
        let name = ["sys/class/thermal/thermal_zone", &zone.to_string(), "/temp"].concat();
        temperature = temperature.max(file(&name).and_then(|text| proc::temperature(&text)));
    }
    Readings {
        load: file("proc/loadavg").and_then(|text| proc::load(&text)),
        cores: file("sys/devices/system/cpu/online").and_then(|text| proc::cores(&text)),
        memory: file("proc/meminfo").and_then(|text| proc::memory(&text)),
        disk: disk(root).max(disk(folder)),
        temperature,
        note: String::new(),
    }
}

/// How full a file system is, as `df` has it. One that is read-only is always full and says nothing.
fn disk(folder: &Path) -> Option<u32> {
    let found = statvfs(folder).ok().filter(|found| !found.f_flag.contains(StatVfsMountFlags::RDONLY))?;
    let used = found.f_blocks.saturating_sub(found.f_bfree);
    proc::percent(used, used.saturating_add(found.f_bavail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::state::testing::Folder;

    #[test]
    fn what_is_there_is_read_and_nothing_else_is_known() {
        let folder = Folder::default();
        let none = machine(folder.path(), Path::new("/does/not/exist"));
        assert_eq!(none, Readings { disk: disk(folder.path()), ..Readings::default() });
        for (name, text) in [
            ("proc/loadavg", &b"1.25 0 0 1/2 3\n"[..]),
            ("proc/meminfo", b"MemTotal: 4 kB\nMemAvailable: 1 kB\n"),
            ("sys/devices/system/cpu/online", b"0-1\n"),
            ("sys/class/thermal/thermal_zone0/temp", b"-1000\n"),
            ("sys/class/thermal/thermal_zone2/temp", b"48500\n"),
            ("sys/class/thermal/thermal_zone3/temp", b"\xff\xfe"),
            ("sys/class/thermal/thermal_zone4/temp", b"255000"),
            ("sys/class/thermal/thermal_zone32/temp", b"99000"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let all = machine(folder.path(), Path::new("/"));
        assert_eq!((all.load, all.cores, all.memory, all.temperature), (Some(125), Some(2), Some(75), Some(485)));
    }

    #[test]
    fn this_machine_says_something_and_is_not_asked_too_often() {
        let gauge = Gauge::new(Path::new("/"));
        let first = gauge.read();
        println!("{first:?}");
        if Path::new("/proc/loadavg").exists() && lock(&gauge.seen).at.is_some() {
            assert!(first.load.is_some() && first.memory.is_some(), "{first:?}");
        }
        lock(&gauge.seen).readings.load = Some(7);
        assert_eq!(gauge.read().load, Some(7));
    }

    #[test]
    fn what_hangs_delays_nobody() {
        let gauge = Gauge::new(Path::new("/"));
        *lock(&gauge.seen) = Seen { busy: true, ..Seen::default() };
        assert_eq!(gauge.read(), Readings::default());
        let old = Readings { load: Some(1), ..Readings::default() };
        *lock(&gauge.seen) = Seen { readings: old.clone(), at: Some(clock::tick() - FRESH), busy: true };
        assert_eq!(gauge.read(), old, "the last ones serve");
        lock(&gauge.seen).at = Some(clock::tick() - STALE - FRESH);
        assert_eq!(gauge.read(), Readings::default(), "but not for ever");
        assert!(lock(&gauge.seen).busy, "and nobody else is sent after it");
    }
}
