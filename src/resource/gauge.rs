//! Reads how this machine is doing, beside the work: a file system that hangs delays nobody by more than a moment, and
//! hides nothing but itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{StatVfsMountFlags, stat, statvfs};

use crate::clock::{self, Tick, millis};
use crate::readings::{MAX_PLACE, Readings};
use crate::resource::proc::{self, Counters};
use crate::run::threads::{SMALL_STACK, lock, spawn};

/// For so long readings serve without looking again.
const FRESH: Duration = Duration::from_secs(10);
/// A caller waits no longer for new ones.
const WAIT: Duration = Duration::from_millis(200);
/// Readings older than this are not shown: something hangs.
const STALE: Duration = Duration::from_secs(10 * 60);
/// A look that takes longer hangs: the next one leaves out what it hangs on.
const HANGS: Duration = Duration::from_secs(10);
/// What only grows is compared with what it was at least so long ago.
const MIN_GAP: Duration = Duration::from_millis(200);
/// Thermal zones that are looked at.
const MAX_ZONES: usize = 32;
/// Bytes of a file of the kernel; more is not believed. That of the interfaces grows with their number.
const MAX_FILE: u64 = 256 * 1024;

/// The readings of this machine.
pub struct Gauge {
    /// Below it are `proc` and `sys`.
    root: PathBuf,
    /// A folder whose file system counts, besides that of `/`, unless others are named.
    folder: String,
    seen: Mutex<Seen>,
    news: Condvar,
}

#[derive(Default)]
struct Seen {
    /// The last look: its number, when it began, and whether it has ended.
    look: (u32, Option<Tick>, bool),
    machine: Part<(Readings, Option<u64>)>,
    /// For what only grows: the last of it, and when it was read.
    before: Option<(Counters, Tick)>,
    disks: Vec<(String, Part<Space>)>,
    /// See [`Readings::checks`].
    checks: bool,
}

/// What is read at one go. Only one look is at it at a time, so that there are never more that hang than parts.
#[derive(Default)]
struct Part<T> {
    value: T,
    at: Option<Tick>,
    /// The look that is at it, and the last that was.
    busy: bool,
    look: u32,
    /// Nobody asks for it any more: it stays only as long as somebody is at it.
    gone: bool,
}

/// How full a file system is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Space {
    /// In percent.
    pub used: Option<u32>,
    /// Its inodes, in percent.
    pub inodes: Option<u32>,
    /// Which device it is: two folders of one count as one.
    device: Option<u64>,
    /// Its folder is not there, or may not be looked at.
    pub missing: bool,
}

/// What is known at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// When the machine was read last.
    pub at: Tick,
    /// The machine; of its disks the fullest.
    pub readings: Readings,
    /// Time since it was booted; zero if that is not known.
    pub uptime: Duration,
    /// Each disk.
    pub disks: Vec<Disk>,
}

/// A file system that is looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Disk {
    /// Its folder.
    pub path: String,
    /// When it was read last.
    pub at: Tick,
    /// What was read.
    pub space: Space,
}

impl Gauge {
    /// Looks at the file systems of `/` and `folder`, and at no others unless they are named: one that is not there
    /// hangs whoever asks it.
    pub fn new(folder: &Path) -> Arc<Gauge> {
        Gauge::below(Path::new("/"), folder)
    }

    /// The same of the files below `root`.
    pub fn below(root: &Path, folder: &Path) -> Arc<Gauge> {
        let gauge = Gauge {
            root: root.to_owned(),
            folder: folder.to_string_lossy().into_owned(),
            seen: Mutex::default(),
            news: Condvar::new(),
        };
        gauge.set(None, false);
        Arc::new(gauge)
    }

    /// Looks at these folders from now on, or at the usual ones. `checks`: the readings say that this host checks itself.
    pub fn set(&self, disks: Option<&[String]>, checks: bool) {
        let usual = ["/".to_owned(), self.folder.clone()];
        let seen = &mut *lock(&self.seen);
        seen.checks = checks;
        let before = std::mem::take(&mut seen.disks);
        let wanted = disks.unwrap_or(&usual);
        for (at, path) in wanted.iter().enumerate() {
            if wanted[..at].contains(path) {
                continue;
            }
            seen.disks.push((path.clone(), Part { look: seen.look.0, ..Part::default() }));
        }
        for (path, part) in before {
            match seen.disks.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => *known = Part { gone: false, ..part },
                None if part.busy => seen.disks.push((path, Part { gone: true, ..part })),
                None => {}
            }
        }
        // What is new is looked at by the next look, whenever it is wanted.
        if seen.disks.iter().any(|(_, part)| part.at.is_none()) {
            seen.look.1 = None;
        }
    }

    /// How the machine is doing, as far as it can be told at once.
    pub fn read(self: &Arc<Self>) -> Readings {
        self.sample(FRESH, STALE).readings
    }

    /// The same with each disk. What was read within `fresh` serves; what is older than `stale` counts as not known.
    pub fn sample(self: &Arc<Self>, fresh: Duration, stale: Duration) -> Sample {
        let now = clock::tick();
        let mut seen = lock(&self.seen);
        let age = seen.look.1.map(|at| now.since(at));
        let hangs = !seen.look.2 && age.is_some_and(|age| age >= HANGS);
        let runs = !seen.look.2 && age.is_some() && !hangs;
        let old = age.is_none_or(|age| age >= fresh);
        if hangs || (old && !runs) {
            let look = seen.look.0.wrapping_add(1);
            let own = Arc::clone(self);
            if spawn("gauge", SMALL_STACK, move || own.look(look)).is_ok() {
                seen.look = (look, Some(now), false);
            }
        }
        let waiting = |seen: &mut Seen| !seen.look.2 && seen.look.1.is_some();
        if old {
            (seen, _) = self.news.wait_timeout_while(seen, WAIT, waiting).unwrap_or_else(PoisonError::into_inner);
        }
        seen.sample(clock::tick(), stale)
    }

    /// Reads one part after the other. A look that is not the last one any more ends where it is.
    fn look(&self, look: u32) {
        if lock(&self.seen).machine.take(look) {
            let read = machine(&self.root);
            let now = clock::tick();
            lock(&self.seen).machine(read, now);
        }
        while let Some(path) = self.next(look) {
            let space = space(&self.root.join(path.trim_start_matches('/')));
            let now = clock::tick();
            let seen = &mut *lock(&self.seen);
            if let Some((_, part)) = seen.disks.iter_mut().find(|(known, _)| *known == path) {
                part.put(space, now);
            }
            seen.disks.retain(|(_, part)| part.busy || !part.gone);
        }
        let mut seen = lock(&self.seen);
        if seen.look.0 == look {
            seen.look.2 = true;
            self.news.notify_all();
        }
    }

    fn next(&self, look: u32) -> Option<String> {
        let mut seen = lock(&self.seen);
        let last = seen.look.0 == look;
        let mut disks = seen.disks.iter_mut();
        disks.find_map(|(path, part)| (last && !part.gone && part.take(look)).then(|| path.clone()))
    }
}

impl<T> Part<T> {
    /// Whether this look is to read it, which begins now.
    fn take(&mut self, look: u32) -> bool {
        let free = !self.busy && self.look != look;
        if free {
            (self.busy, self.look) = (true, look);
        }
        free
    }

    fn put(&mut self, value: T, now: Tick) {
        (self.value, self.at, self.busy) = (value, Some(now), false);
    }

    fn known(&self, now: Tick, stale: Duration) -> Option<&T> {
        self.at.is_some_and(|at| now.since(at) <= stale).then_some(&self.value)
    }
}

impl Seen {
    fn machine(&mut self, (mut readings, uptime, counters): (Readings, Option<u64>, Counters), now: Tick) {
        match &self.before {
            Some((_, at)) if now.since(*at) < MIN_GAP => {
                (readings.cpu, readings.errors) = (self.machine.value.0.cpu, self.machine.value.0.errors);
            }
            before => {
                if let Some((before, at)) = before {
                    (readings.cpu, readings.errors) = counters.since(before, millis(now.since(*at)).unsigned_abs());
                }
                self.before = Some((counters, now));
            }
        }
        self.machine.put((readings, uptime), now);
    }

    fn sample(&self, now: Tick, stale: Duration) -> Sample {
        let at = self.machine.at.unwrap_or(now);
        let (mut readings, uptime) = self.machine.known(now, stale).cloned().unwrap_or_default();
        readings.checks = self.checks;
        let mut disks: Vec<Disk> = Vec::new();
        for (path, part) in &self.disks {
            if part.gone {
                continue;
            }
            let mut space = part.known(now, stale).copied().unwrap_or_default();
            let twice = |other: &Disk| other.space.device == space.device;
            if space.device.is_some() && disks.iter().any(twice) {
                space = Space::default();
            }
            if space.used > readings.disk {
                readings.disk = space.used;
                // What does not fit is not named: half a path is that of another folder.
                readings.place = if path.len() <= MAX_PLACE { path.clone() } else { String::new() };
            }
            readings.inodes = readings.inodes.max(space.inodes);
            disks.push(Disk { path: path.clone(), at: part.at.unwrap_or(now), space });
        }
        Sample { at, readings, uptime: Duration::from_secs(uptime.unwrap_or_default()), disks }
    }
}

/// Everything but the disks, from the files below `root`.
fn machine(root: &Path) -> (Readings, Option<u64>, Counters) {
    let file = |name: &str| {
        let mut text = String::new();
        let read = File::open(root.join(name)).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
        ((read as u64) < MAX_FILE).then_some(text)
    };
    let mut temperature = None;
    for zone in 0..MAX_ZONES {
        let name = ["sys/class/thermal/thermal_zone", &zone.to_string(), "/temp"].concat();
        temperature = temperature.max(file(&name).and_then(|text| proc::temperature(&text)));
    }
    let memory = file("proc/meminfo");
    let readings = Readings {
        load: file("proc/loadavg").and_then(|text| proc::load(&text)),
        cores: file("sys/devices/system/cpu/online").and_then(|text| proc::cores(&text)),
        memory: memory.as_deref().and_then(proc::memory),
        swap: memory.as_deref().and_then(proc::swap),
        fds: file("proc/sys/fs/file-nr").and_then(|text| proc::fds(&text)),
        temperature,
        ..Readings::default()
    };
    let counters = Counters::read(file("proc/stat").as_deref(), file("proc/net/dev").as_deref());
    (readings, file("proc/uptime").and_then(|text| proc::uptime(&text)), counters)
}

/// How full a file system is, as `df` has it. One that is read-only is always full and says nothing.
fn space(folder: &Path) -> Space {
    let Ok(found) = statvfs(folder) else { return Space { missing: true, ..Space::default() } };
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Space::default();
    }
    let part = |all: u64, free: u64, available: u64| {
        let used = all.saturating_sub(free);
        proc::percent(used, used.saturating_add(available))
    };
    #[expect(clippy::useless_conversion, reason = "its width differs from machine to machine")]
    let device = stat(folder).ok().map(|found| u64::from(found.st_dev));
    Space {
        used: part(found.f_blocks, found.f_bfree, found.f_bavail),
        inodes: part(found.f_files, found.f_ffree, found.f_favail),
        device,
        missing: false,
    }
}

#[cfg(test)]
mod tests;
