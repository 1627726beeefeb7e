//! A server, some hosts, the network between them and their disks, on one clock.

use std::collections::BTreeMap;
use std::time::Duration;

use interrupt_callback::agent::allow::{AllowPlan, Entry, Shape};
use interrupt_callback::agent::hands::{Hands, Work};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::event::Id;
use interrupt_callback::jobs::book::{Book, News};
use interrupt_callback::jobs::run::{On, Run, Terms};
use interrupt_callback::jobs::{HostView, JobPlan, New, Overlap, Task, Where};
use interrupt_callback::keepalive::work::{Beat, Done, End, Held, Key, MAX_IDS, Phase};
use interrupt_callback::zone::Zone;

/// From one beat to the next, the lease and the grace of the server, in milliseconds.
pub const PERIOD: i64 = 10_000;
pub const LEASE: i64 = 40_000;
pub const GRACE: i64 = 5_000;
/// One step of the world.
pub const STEP: i64 = 500;
const START: Wall = Wall(1_795_226_400_000);

/// A process on a host.
#[derive(Clone, Debug)]
pub struct Process {
    pub key: Key,
    pub began: i64,
    pub ends: i64,
    pub code: i32,
    /// The agent that would hear of its end is still there.
    pub heard: bool,
}

/// What a process did, for the invariants.
#[derive(Clone, Debug)]
pub struct Deed {
    pub host: usize,
    pub key: Key,
    pub from: i64,
    pub to: Option<i64>,
    pub finished: bool,
}

pub struct Host {
    pub name: String,
    pub boot: u64,
    pub hands: Option<Hands>,
    pub journal: Option<Vec<u8>>,
    pub processes: Vec<Process>,
    pub cut: bool,
    pub asleep: bool,
    /// Since when; what is suspended does nothing, and its processes end so much later.
    pub slept: Option<i64>,
    pub next_beat: i64,
    pub leaving: bool,
    /// It claims all that it is offered, runs nothing and ends nothing.
    pub lies: bool,
    pub claims: Vec<Key>,
    /// At the server.
    pub last: Option<i64>,
    pub last_boot: String,
    pub seq: u64,
}

pub struct World {
    pub now: i64,
    pub book: Option<Book>,
    pub disk: BTreeMap<String, Vec<u8>>,
    pub disk_fails: bool,
    pub hosts: Vec<Host>,
    pub deeds: Vec<Deed>,
    pub news: Vec<News>,
    /// What the outbox has and is not on disk yet, with its numbers; and what is.
    pub outbox: Vec<(u64, Id)>,
    pub told: Vec<Id>,
    pub last_number: u64,
    /// How likely the outbox has no room, or is slow, in percent.
    pub outbox_fails: u64,
    /// Runs as they ended; the book does not keep them for ever.
    pub ended: BTreeMap<u64, Run>,
    pub jobs: Vec<JobPlan>,
    pub seed: u64,
    /// How long a process takes, and how likely it fails, in percent.
    pub takes: (i64, u64),
    pub lost_percent: u64,
    /// What the server grants.
    pub lease: i64,
}

/// The allow-list of every host.
pub fn allow() -> AllowPlan {
    let entry = Entry {
        name: "work".to_owned(),
        shape: Shape::Command { patterns: Vec::new(), options: false },
        argv: vec!["work".to_owned()],
        dir: None,
        timeout: None,
    };
    AllowPlan { entries: vec![entry], urls: Vec::new(), timeout: Duration::from_secs(3600) }
}

/// A job `name` with `terms`, which is run by hand.
pub fn job(name: &str, on: Where, terms: Terms) -> JobPlan {
    JobPlan {
        name: name.to_owned(),
        cron: None,
        what: Task::Message(format!("work {name}")),
        on,
        terms,
        prepare: Vec::new(),
        overlap: Overlap::Queue,
        catch_up: None,
    }
}

pub fn any() -> Where {
    Where::One(On::Any("*".to_owned()))
}

impl World {
    pub fn new(seed: u64, hosts: usize, jobs: Vec<JobPlan>) -> World {
        let mut world = World {
            now: 1_000_000,
            book: None,
            disk: BTreeMap::new(),
            disk_fails: false,
            hosts: Vec::new(),
            deeds: Vec::new(),
            news: Vec::new(),
            outbox: Vec::new(),
            told: Vec::new(),
            last_number: 0,
            outbox_fails: 0,
            ended: BTreeMap::new(),
            jobs,
            seed: seed | 1,
            takes: (30_000, 0),
            lost_percent: 0,
            lease: LEASE,
        };
        for n in 0..hosts {
            world.hosts.push(Host {
                name: format!("w{n}@lan"),
                boot: 1,
                hands: None,
                journal: None,
                processes: Vec::new(),
                cut: false,
                asleep: false,
                slept: None,
                next_beat: 0,
                leaving: false,
                lies: false,
                claims: Vec::new(),
                last: None,
                last_boot: String::new(),
                seq: 0,
            });
            world.start_agent(n);
        }
        world.start_server();
        world
    }

    pub fn chance(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) % below
    }

    pub fn clock(&self) -> Now {
        Now { tick: Tick(self.now), wall: Wall(START.0 + self.now), boot: Boot(7) }
    }

    /// `kill -9` of the server: what is not on disk is gone.
    pub fn kill_server(&mut self) {
        self.book = None;
        self.outbox.clear();
    }

    pub fn start_server(&mut self) {
        let mut book = Book::default();
        let now = self.clock();
        for (file, bytes) in &self.disk {
            assert!(book.restore(file, bytes, &now), "{file}");
        }
        book.define(&self.jobs, "server", &now);
        self.book = Some(book);
        // The roster keeps leases over a restart, and gives everybody time.
        for host in &mut self.hosts {
            host.last = host.last.map(|_| self.now);
        }
    }

    pub fn start_agent(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        let (hands, good) = Hands::new(allow(), 4, host.journal.as_deref());
        assert!(good);
        host.hands = Some(hands);
        host.next_beat = self.now;
    }

    /// `kill -9` of the agent: what is fenced dies with it, everything else goes on unheard.
    pub fn kill_agent(&mut self, n: usize) {
        self.hosts[n].hands = None;
        let now = self.now;
        let fenced: Vec<Key> =
            self.hosts[n].processes.iter().map(|p| p.key).filter(|key| self.is_fenced(*key)).collect();
        for key in fenced {
            self.stop_process(n, key, now);
        }
        self.hosts[n].processes.iter_mut().for_each(|process| process.heard = false);
    }

    pub fn reboot(&mut self, n: usize) {
        self.hosts[n].hands = None;
        let keys: Vec<Key> = self.hosts[n].processes.iter().map(|process| process.key).collect();
        for key in keys {
            self.stop_process(n, key, self.now);
        }
        self.hosts[n].boot += 1;
        (self.hosts[n].asleep, self.hosts[n].slept) = (false, None);
        self.start_agent(n);
    }

    fn is_fenced(&self, key: Key) -> bool {
        let run = self.book.as_ref().and_then(|book| book.runs().find(|run| run.key.id == key.id));
        run.map_or_else(|| self.fenced_on_disk(key), |run| run.terms.failover && !run.terms.finish)
    }

    fn fenced_on_disk(&self, key: Key) -> bool {
        let id = key.id.to_string();
        self.disk.values().any(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.find(&id).is_some_and(|at| text[at..].split("\"id\"").next().unwrap().contains("\"failover\":true"))
        })
    }

    fn stop_process(&mut self, n: usize, key: Key, at: i64) {
        let at = self.hosts[n].slept.unwrap_or(at);
        self.hosts[n].processes.retain(|process| process.key != key);
        for deed in self.deeds.iter_mut().filter(|deed| deed.host == n && deed.key == key && deed.to.is_none()) {
            deed.to = Some(at);
        }
    }

    pub fn views(&self) -> Vec<HostView> {
        let seen = self.hosts.iter().filter_map(|host| Some((host, host.last?)));
        seen.map(|(host, last)| HostView {
            name: host.name.clone(),
            up: self.now < last + self.lease + GRACE,
            lease_over: Tick(last + self.lease + GRACE),
            leaving: host.leaving,
            bound: true,
        })
        .collect()
    }

    pub fn ask(&mut self, new: &New) -> Result<Vec<Id>, String> {
        let (views, now) = (self.views(), self.clock());
        let chance = self.chance(u64::MAX);
        self.book.as_mut().unwrap().add(new, &views, &now, chance)
    }

    pub fn run(&self, id: Id) -> Run {
        let kept = self.book.as_ref().unwrap().runs().find(|run| run.key.id == id);
        kept.or_else(|| self.ended.get(&id.0)).unwrap().clone()
    }

    /// One step of everything.
    pub fn step(&mut self) {
        self.now += STEP;
        for n in 0..self.hosts.len() {
            if self.hosts[n].asleep {
                let before = self.now - STEP;
                self.hosts[n].slept.get_or_insert(before);
            } else {
                if let Some(slept) = self.hosts[n].slept {
                    let long = self.now - slept;
                    self.hosts[n].processes.iter_mut().for_each(|process| process.ends += long);
                }
                self.work(n);
                self.hosts[n].slept = None;
                if self.hosts[n].hands.is_some() && self.now >= self.hosts[n].next_beat {
                    self.beat(n);
                }
            }
        }
        self.serve();
    }

    pub fn pass(&mut self, time: i64) {
        for _ in 0..time / STEP {
            self.step();
        }
    }

    /// The edges of an agent: journal, starts, ends.
    fn work(&mut self, n: usize) {
        let now = self.clock();
        let host = &mut self.hosts[n];
        let mut rings = false;
        // Processes end by themselves.
        let done: Vec<Process> = host.processes.iter().filter(|process| process.ends <= self.now).cloned().collect();
        for process in done {
            let host = &mut self.hosts[n];
            host.processes.retain(|other| other.key != process.key);
            for deed in self.deeds.iter_mut().filter(|deed| deed.host == n && deed.key == process.key) {
                deed.to.get_or_insert(process.ends);
                deed.finished = true;
            }
            if let Some(hands) = host.hands.as_mut().filter(|_| process.heard) {
                let end = if process.code == 0 { End::Succeeded } else { End::Failed };
                hands.ended(result(process.key, end, self.now - process.began, process.code));
                rings = true;
            }
        }
        let Some(hands) = &mut self.hosts[n].hands else { return };
        let kill = hands.to_end(&now);
        for key in kill {
            self.stop_process(n, key, self.now);
            let hands = self.hosts[n].hands.as_mut().unwrap();
            hands.ended(result(key, End::Failed, 0, 9));
            rings = true;
        }
        let hands = self.hosts[n].hands.as_mut().unwrap();
        if let Some((number, bytes)) = hands.journal() {
            hands.saved(number);
            self.hosts[n].journal = Some(bytes);
        }
        while let Some(begin) = self.hosts[n].hands.as_mut().unwrap().begin(&now) {
            assert!(matches!(begin.work, Work::Run(_)));
            let long = self.takes.0 / 2 + self.chance(self.takes.0.unsigned_abs()) as i64;
            let code = i32::from(self.chance(100) < self.takes.1);
            self.deeds.push(Deed { host: n, key: begin.key, from: self.now, to: None, finished: false });
            let process = Process { key: begin.key, began: self.now, ends: self.now + long, code, heard: true };
            self.hosts[n].processes.push(process);
            rings = true;
        }
        if rings {
            self.hosts[n].next_beat = self.hosts[n].next_beat.min(self.now + 1000);
        }
    }

    /// One exchange, which may break at any of its four lines, and the result that comes after it.
    fn beat(&mut self, n: usize) {
        let now = self.clock();
        self.hosts[n].next_beat = self.now + PERIOD;
        let mut says = self.hosts[n].hands.as_ref().unwrap().says();
        if self.hosts[n].lies {
            let claims = self.hosts[n].claims.iter();
            says.runs = claims.map(|key| Held { key: *key, phase: Phase::Running }).collect();
        }
        if self.breaks(n) {
            return;
        }
        let Some(book) = &mut self.book else { return };
        let host = &mut self.hosts[n];
        host.last = Some(self.now);
        host.last_boot = host.boot.to_string();
        host.seq += 1;
        let lease = Duration::from_millis(self.lease.unsigned_abs());
        let beat = Beat { boot: &host.last_boot, run: "run", seq: host.seq, lease };
        let orders = book.heard(&host.name, &beat, &says, &now);
        if self.breaks(n) {
            return;
        }
        if self.hosts[n].lies {
            let claims = &mut self.hosts[n].claims;
            claims.extend(orders.offers.iter().map(|offer| offer.key));
            claims.truncate(MAX_IDS);
            return;
        }
        self.hosts[n].hands.as_mut().unwrap().ordered(&orders, now.tick, lease, &now);
        // The result travels in an exchange of its own.
        let Some(done) = self.hosts[n].hands.as_mut().unwrap().result(&now) else { return };
        self.hosts[n].next_beat = self.now + 1000;
        if !self.breaks(n)
            && let Some(book) = &mut self.book
        {
            book.done(&self.hosts[n].name, &done, &now);
        }
    }

    fn breaks(&mut self, n: usize) -> bool {
        self.hosts[n].cut || self.chance(100) < self.lost_percent
    }

    /// The thread of the server: what is due, and the disk.
    fn serve(&mut self) {
        let (views, now) = (self.views(), self.clock());
        let chances: Vec<bool> = (0..8).map(|_| self.chance(100) < self.outbox_fails).collect();
        let Some(book) = &mut self.book else { return };
        if !self.disk_fails && !chances[0] {
            self.told.extend(self.outbox.drain(..).map(|(_, id)| id));
        }
        book.told(self.outbox.first().map_or(self.last_number, |(number, _)| number - 1));
        let due = book.step(&views, &now, &Zone::utc());
        for (n, news) in due.news.iter().enumerate() {
            if chances[1 + n % 7] {
                book.posted(news.id(), None);
            } else {
                self.last_number += 1;
                self.outbox.push((self.last_number, news.id()));
                book.posted(news.id(), Some(self.last_number));
            }
        }
        let (number, sheets) = book.sheets(&now);
        let ok = !self.disk_fails;
        if ok {
            for sheet in sheets {
                match sheet.bytes {
                    Some(bytes) => self.disk.insert(sheet.file, bytes),
                    None => self.disk.remove(&sheet.file),
                };
            }
        }
        book.saved(number, ok);
        for run in book.runs() {
            if let Some(before) = self.ended.get(&run.key.id.0) {
                // Only a crash before it was on disk takes an end back.
                assert_eq!(before.state, run.state, "{run:?}");
            }
            if run.state.is_final() && ok {
                self.ended.entry(run.key.id.0).or_insert_with(|| run.clone());
            }
        }
        self.news.extend(due.news);
    }
}

fn result(key: Key, end: End, took: i64, code: i32) -> Done {
    Done { key, end, code: Some(code), took, out: String::new(), why: String::new() }
}
