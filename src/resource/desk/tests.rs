use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use super::*;
use crate::alert::pending::MAX_PENDING;
use crate::clock::Now;
use crate::event::{Event, Fact, Field, Kind};
use crate::keepalive::beat::{Ev, Report};
use crate::keepalive::heard::Heard;
use crate::readings::Readings;
use crate::resource::rules::Limit;
use crate::resource::{State as Judgement, book};
use crate::run::board::State;
use crate::run::state::testing::Folder;

/// Longer than any machine takes for so many looks.
const SOON: Duration = Duration::from_secs(30);

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The files of a machine that is short of everything, or of nothing; what only grows has grown by so much.
fn machine(root: &Path, short: bool, grown: u64) {
    let [idle, busy, errors] = if short { [0, grown * 100, grown * 10_000] } else { [grown * 100, 0, 0] };
    for (name, text) in [
        ("proc/loadavg", if short { "8.50 0 0 1/2 3\n" } else { "0.10 0 0 1/2 3\n" }.to_owned()),
        ("sys/devices/system/cpu/online", "0-1\n".to_owned()),
        (
            "proc/meminfo",
            if short {
                "MemTotal: 100 kB\nMemAvailable: 2 kB\nSwapTotal: 100 kB\nSwapFree: 3 kB\n"
            } else {
                "MemTotal: 100 kB\nMemAvailable: 90 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n"
            }
            .to_owned(),
        ),
        ("proc/sys/fs/file-nr", if short { "99\t0\t100\n" } else { "1\t0\t100\n" }.to_owned()),
        ("proc/uptime", if short { "99999999.00 1.0\n" } else { "100.00 1.0\n" }.to_owned()),
        ("proc/stat", format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n")),
        ("proc/net/dev", format!("x\ny\n eth0: 1 1 {errors} 0 0 0 0 0 1 1 0 0 0 0 0 0\n")),
        ("sys/class/thermal/thermal_zone0/temp", if short { "99000\n" } else { "40000\n" }.to_owned()),
    ] {
        write(root, name, &text);
    }
}

struct World {
    desk: Desk,
    setting: Setting,
}

impl World {
    fn new(root: &Path, disks: Vec<String>) -> World {
        let limits = What::ALL.map(|what| {
            let (high, clear) =
                if what == What::Disk { (1, 0) } else { (what.row().usual, what.usual_clear(what.row().usual)) };
            Some(Limit { high, clear, hold: Duration::ZERO, rest: Duration::ZERO }).filter(|_| what != What::Inodes)
        });
        let plan = ResourcePlan { interval: Duration::ZERO, disks: Some(disks), hosts: Vec::new(), limits };
        let setting = Setting { plan: Some(plan), me: "nas@home".to_owned(), tells: true, serves: true };
        let (to_desk, _) = sync_channel(1);
        let parts = Parts {
            board: Arc::new(Board::new(State::default(), to_desk)),
            carry: Arc::default(),
            gauge: Gauge::below(root, Path::new("/")),
            stop: Stop::default(),
        };
        let (book, bell) = (Mutex::default(), Bell::default());
        let desk = Desk { book, setting: Mutex::new(setting.clone()), bell, parts };
        desk.set_gauge();
        World { desk, setting }
    }

    fn told(&self) -> Vec<Event> {
        let changes = self.desk.parts.board.lock().pending.take(100);
        changes.into_iter().filter_map(|change| change.event).collect()
    }

    /// Looks until `count` things were told.
    fn look(&self, count: usize, prepare: &mut dyn FnMut()) -> Vec<Event> {
        let until = clock::tick() + SOON;
        let mut told = Vec::new();
        while told.len() < count {
            prepare();
            assert!(self.desk.look(&self.setting), "there is room");
            told.append(&mut self.told());
            assert!(clock::tick() < until, "{told:?}");
        }
        told
    }
}

fn shown(event: &Event) -> String {
    let text = |field| match event.fact(field) {
        Some(Fact::Text(text)) => text.as_str(),
        _ => "",
    };
    [text(Field::Resource), ": ", text(Field::Value), " of ", text(Field::Limit)].concat()
}

#[test]
fn every_resource_is_read_judged_and_told() {
    let folder = Folder::default();
    let root = folder.path();
    machine(root, false, 0);
    let world = World::new(root, Vec::new());
    assert!(world.desk.look(&world.setting));
    assert_eq!(world.told(), []);
    let mut grown = 0;
    let mut told = world.look(8, &mut || {
        grown += 1;
        machine(root, true, grown);
    });
    // What only grows is told last, and how much of it there is depends on the time.
    let mut all: Vec<String> = told.iter().map(shown).collect();
    all.sort();
    let errors = all.iter().position(|shown| shown.starts_with("network errors: ")).unwrap();
    assert!(all.remove(errors).ends_with("/s of 10.00/s"));
    assert_eq!(
        all,
        [
            "CPU: 100 % of 95 %",
            "file descriptors: 99 % of 90 %",
            "load per core: 4.25 of 4.00",
            "memory: 98 % of 95 %",
            "swap: 97 % of 80 %",
            "temperature: 99.0 °C of 85.0 °C",
            "uptime: 1157 d of 180 d",
        ]
    );
    assert!(world.desk.standings().iter().all(|one| one.state == Judgement::High && one.host == "nas@home"));
    assert_eq!(world.desk.parts.carry.snapshot(&clock::now()).len(), MAX_OWN, "beats carry some");
    for name in ["proc", "sys"] {
        fs::remove_dir_all(root.join(name)).unwrap();
    }
    let until = clock::tick() + SOON;
    while world.desk.standings().iter().any(|one| one.state != Judgement::Unknown) {
        assert!(world.desk.look(&world.setting) && clock::tick() < until);
    }
    assert_eq!(world.told(), [], "what is not known is not normal");
    let mut ends = world.look(8, &mut || {
        grown += 1;
        machine(root, false, grown);
    });
    assert!(ends.iter().all(|event| event.kind == Kind::ResourceNormal));
    let incidents = |events: &mut Vec<Event>| {
        let mut ids: Vec<Id> = events.iter().map(|event| event.incident).collect();
        ids.sort();
        ids
    };
    assert_eq!(incidents(&mut ends), incidents(&mut told));
}

#[test]
fn a_host_without_channels_tells_no_more_than_its_server_hears_of() {
    let folder = Folder::default();
    machine(folder.path(), true, 0);
    let mut world = World::new(folder.path(), Vec::new());
    world.setting.tells = false;
    assert_eq!(world.look(MAX_OWN, &mut || ()).len(), MAX_OWN);
    assert!(world.desk.look(&world.setting) && world.told().is_empty());
    assert_eq!(world.desk.parts.carry.snapshot(&clock::now()).len(), MAX_OWN);
    assert!(world.desk.standings().iter().all(|one| one.state == Judgement::High), "whoever asks sees them");
    // The others follow once there is room.
    machine(folder.path(), false, 0);
    let kinds: Vec<Kind> = world.look(MAX_OWN, &mut || ()).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::ResourceNormal; MAX_OWN]);
}

/// Has `count` hosts beat with these readings.
fn beat(world: &World, count: u32, seq: u64, readings: &Readings, now: &Now) {
    let mut report = Report::bare(Ev::Beat, Duration::from_secs(30));
    (report.seq, report.run, report.data.readings) = (seq, "r".to_owned(), Some(readings.clone()));
    let state = &mut *world.desk.parts.board.lock();
    for n in 0..count {
        let name = format!("web-{n}@rack");
        let from = "10.0.0.1:1".parse().unwrap();
        let heard = Heard { user: "default", name: &name, from, protocol: 2, old_key: false, report: &report };
        state.roster.hear(&heard, now, &mut state.pending).unwrap();
    }
}

#[test]
fn ten_thousand_hosts_are_looked_at_in_bounds() {
    let folder = Folder::default();
    let world = World::new(folder.path(), Vec::new());
    let mut now = clock::now();
    let short = Readings { memory: Some(99), disk: Some(99), place: "/srv".to_owned(), ..Readings::default() };
    beat(&world, 10_000, 1, &short, &now);
    let begun = clock::tick();
    assert!(world.desk.look(&world.setting));
    println!("looked at 10,000 hosts in {:?}", clock::tick().since(begun));
    let mut told = world.told();
    told.extend(world.told());
    assert_eq!(told.len(), book::MAX_OPEN, "not more at a time than are saved with each");
    assert!(told.iter().all(|event| event.subject.starts_with("web-") && event.fact(Field::Server).is_some()));
    let entries = world.desk.standings().len();
    assert!((2000..=4096).contains(&entries), "{entries}");
    // All is well again: what was told ends, and nothing else is told.
    now.tick = now.tick + Duration::from_secs(5);
    beat(&world, 10_000, 2, &Readings { memory: Some(1), disk: Some(0), ..Readings::default() }, &now);
    let mut ends = Vec::new();
    while world.desk.standings().iter().any(|one| one.state == Judgement::High) {
        assert!(world.desk.look(&world.setting));
        ends.append(&mut world.told());
    }
    ends.append(&mut world.told());
    println!("{} ends, {} stand", ends.len(), world.desk.standings().len());
    assert!(ends.iter().all(|event| event.kind == Kind::ResourceNormal));
    assert!(ends.len() <= book::MAX_OPEN);
}

#[test]
fn what_finds_no_room_is_told_once_there_is_some() {
    let folder = Folder::default();
    let world = World::new(folder.path(), vec!["/".to_owned()]);
    while world.desk.parts.board.post(None, After::Nothing) {}
    let until = clock::tick() + SOON;
    while world.desk.look(&world.setting) {
        assert!(clock::tick() < until, "the disk is read and not empty");
    }
    assert_eq!(world.desk.parts.board.lock().pending.take(MAX_PENDING).len(), MAX_PENDING);
    assert_eq!(world.look(1, &mut || ()).len(), 1);
    assert!(world.desk.look(&world.setting) && world.told().is_empty());
}
