//! Everything at once in one daemon: what scripts say, silent hosts, callbacks, quiet hours, digests, reloads, restarts
//! and kills, in an order of chance. Nothing is lost, nothing comes twice, every callback runs once.
//!
//! `IC_SEED` repeats a run; a failure prints its seed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail wherever it wants to, and says its seed"
)]
#![expect(clippy::disallowed_methods, reason = "a test reads clocks and starts threads")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_within};
use interrupt_callback::clock;
use interrupt_callback::control::{self, ENDING, UNSAVED};

/// Steps of a run.
const STEPS: usize = 20;
/// Of an end that has much to tell, on a busy machine.
const LONG: Duration = Duration::from_secs(120);
/// Codes of an answer to `send` by which the daemon has not taken it for good.
const NOT_TAKEN: [u8; 2] = [UNSAVED, ENDING];

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A service that fails while it is told to, with what it took: when, id, kind and incident of each event.
struct Service {
    http: FakeHttp,
    fails: Arc<AtomicBool>,
    took: Arc<Mutex<Vec<Took>>>,
}

#[derive(Clone, Debug)]
struct Took {
    at: Instant,
    id: String,
    kind: String,
    incident: String,
}

impl Service {
    fn start() -> Service {
        let (fails, took) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (inside, list) = (fails.clone(), took.clone());
        let http = FakeHttp::start(move |asked: &Asked| {
            if inside.load(Ordering::SeqCst) {
                return Answer::status(503, "");
            }
            let message = asked.json();
            for event in message["members"].as_array().cloned().unwrap_or_else(|| vec![message.clone()]) {
                let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                let took = Took { at: Instant::now(), id: word("id"), kind: word("kind"), incident: word("incident") };
                list.lock().unwrap().push(took);
            }
            Answer::ok("")
        });
        Service { http, fails, took }
    }

    fn took(&self) -> Vec<Took> {
        self.took.lock().unwrap().clone()
    }
}

struct World {
    dir: TempDir,
    services: [Service; 3],
    calls: Service,
    daemon: Option<Daemon>,
    /// Ids of what the daemon took for good.
    taken: Arc<Mutex<Vec<u64>>>,
    said: u64,
    kills: Vec<Instant>,
    hosts: usize,
    /// Said since callbacks had nothing to do.
    unsettled: u64,
    chance: Chance,
    output: String,
}

impl World {
    fn config(&mut self, last: bool) -> String {
        let chance = &mut self.chance;
        let name = if !last && chance.one_in(3) { "other" } else { "vps" };
        let zone = if !last && chance.one_in(3) { "+08:00" } else { "+00:00" };
        let shift = if zone == "+08:00" { 480 } else { 0 };
        let minute = clock::wall().0 / 60_000 + shift;
        let at = |minute: i64| format!("{:02}:{:02}", minute.rem_euclid(1440) / 60, minute.rem_euclid(60));
        let mut text = format!(
            "name = \"{name}\"\ntimezone = \"{zone}\"\n[keepalive]\ngrace = {}\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\n\
             key = \"{}\"\nnum = {}\n",
            if chance.one_in(2) { "0.2" } else { "0.4" },
            SECRETS[0],
            1 + chance.below(2),
        );
        for (place, channel) in ["a", "b", "c"].iter().enumerate() {
            let there = channel != &"c" || last || !chance.one_in(3);
            let quiet = channel == &"b" && !last && chance.one_in(2);
            if there {
                let url = self.services[place].http.url("/");
                text += &format!(
                    "[alert.{channel}]\nkind = \"webhook\"\nurl = \"{url}\"\nlanguage = \"{}\"\n",
                    ["en", "zh"][place % 2]
                );
            }
            if there && quiet {
                text += &format!("quiet = \"{}-{}\"\n", at(minute - 60), at(minute + 180));
            }
            if there && channel == &"c" && !last {
                text += "per_minute = 6\n";
            }
        }
        let out = self.dir.join("out");
        text += &format!(
            "[[callback]]\nname = \"run\"\non = [\"message\", \"offline\"]\nreport = \"failure\"\n\
             shell = \"echo $IC_INCIDENT >> {}\"\n[[callback]]\nname = \"call\"\non = [\"message\", \"offline\"]\nreport = \"failure\"\n\
             url = \"{}\"\nbody = {{ incident = \"{{incident}}\" }}\nafter = \"run\"\n",
            out.display(),
            self.calls.http.url("/call"),
        );
        if chance.one_in(2) {
            text += "[[callback]]\nname = \"extra\"\non = [\"online\"]\nshell = \"true\"\n";
        }
        text
    }

    /// What the daemon said, of which a failure shows a part.
    fn keep(&mut self) {
        self.output += &self.daemon.as_mut().unwrap().output();
        self.output += "--\n";
    }

    /// What was said of a cause, and the ends of daemons around it.
    fn about(&self, cause: &str) -> String {
        self.output
            .lines()
            .filter(|line| line.contains(cause) || *line == "--")
            .fold(String::new(), |all, line| all + line + "\n")
    }

    fn start(&mut self) {
        let config = self.config(false);
        let mut daemon = Daemon::start(self.dir.path(), &config);
        daemon.ready();
        self.daemon = Some(daemon);
    }

    fn reload(&mut self, last: bool) {
        let config = self.config(last);
        let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", self.dir.join("state"), self.dir.join("run/control"));
        fs::write(self.dir.join("config.toml"), dirs + &config).unwrap();
        if last || self.chance.one_in(2) {
            let output = self.daemon.as_ref().unwrap().ask(&["reload"]);
            assert!(output.status.success(), "{output:?}");
        } else {
            self.daemon.as_ref().unwrap().signal("HUP");
        }
    }

    /// Says some things from another thread, while whatever comes next happens.
    fn say(&mut self) -> std::thread::JoinHandle<()> {
        let (path, taken, first) = (self.dir.join("run/control"), self.taken.clone(), self.said);
        let count = 1 + self.chance.below(4);
        let severity = ["info", "warning", "critical"][usize::try_from(self.chance.below(3)).unwrap()];
        self.said += count;
        self.unsettled += count;
        std::thread::spawn(move || {
            for id in first..first + count {
                let said = format!(
                    r#"send {{"id":"{id:016x}","severity":"{severity}","channels":[],"title":"t{id}","body":""}}"#
                );
                if let Ok((code, _)) = control::ask(&path, &said)
                    && !NOT_TAKEN.contains(&code)
                {
                    taken.lock().unwrap().push(id);
                }
            }
        })
    }

    fn step(&mut self) {
        let saying = self.say();
        if self.chance.one_in(3) {
            self.hosts += 1;
            let address = self.daemon.as_ref().unwrap().ready_address();
            let mut host = Beater::new(address, SECRETS[0], &format!("host-{}", self.hosts));
            host.period = 0.3;
            // A daemon that is being reloaded may not hear it.
            let _ = host.beat();
        }
        let place = usize::try_from(self.chance.below(3)).unwrap();
        self.services[place].fails.store(self.chance.one_in(2), Ordering::SeqCst);
        self.calls.fails.store(self.chance.one_in(3), Ordering::SeqCst);
        match self.chance.below(8) {
            0..3 => self.reload(false),
            3 => {
                assert!(self.daemon.as_mut().unwrap().stop().success());
                self.keep();
                self.daemon = None;
                self.start();
            }
            4 | 5 => {
                std::thread::park_timeout(Duration::from_millis(self.chance.below(400)));
                self.kills.push(Instant::now());
                self.daemon.as_mut().unwrap().kill();
                self.keep();
                self.kills.push(Instant::now());
                self.daemon = None;
                self.start();
            }
            6 => {
                let _ = self.daemon.as_ref().unwrap().ask(&["simulate", "interrupt"]);
            }
            _ => self.settle(),
        }
        saying.join().unwrap();
        if self.unsettled > 8 {
            self.unsettled = 0;
            self.settle();
        }
    }

    /// Waits until nothing is left for callbacks to do: a crowd that waits for one is another test's.
    fn settle(&self) {
        self.calls.fails.store(false, Ordering::SeqCst);
        wait_within(LONG, "callbacks", || {
            let status = self.daemon.as_ref().unwrap().status();
            let idle = |callback: &serde_json::Value| callback["waiting"] == 0 && callback["running"].is_null();
            status["callbacks"].as_array().unwrap().iter().all(idle).then_some(())
        });
    }

    /// Everything works again; waits until all is told.
    fn calm(&mut self) {
        for service in &self.services {
            service.fails.store(false, Ordering::SeqCst);
        }
        self.calls.fails.store(false, Ordering::SeqCst);
        self.reload(true);
        self.settle();
        // A channel that fails is tried at once after a restart.
        assert!(self.daemon.as_mut().unwrap().stop().success());
        self.keep();
        let file = fs::read_to_string(self.dir.join("config.toml")).unwrap();
        // Its first two lines are added by the start.
        let mut daemon = Daemon::start(self.dir.path(), file.splitn(3, '\n').nth(2).unwrap());
        daemon.ready();
        wait_within(LONG, "everything to be told", || {
            let status = daemon.status();
            let done = |channel: &serde_json::Value| channel["queued"] == 0;
            status["channels"].as_array().unwrap().iter().all(done).then_some(())
        });
        self.daemon = Some(daemon);
        self.settle();
    }

    /// Whether the daemon was killed between the two, after which what it had just told may be told again.
    fn killed_between(&self, first: Instant, second: Instant) -> bool {
        self.kills.iter().any(|kill| first <= *kill && *kill <= second)
    }

    fn judge(&self) {
        let mut again = 0;
        for (place, service) in self.services.iter().enumerate() {
            let took = service.took();
            for (at, one) in took.iter().enumerate() {
                if let Some(first) = took[..at].iter().rev().find(|other| other.id == one.id && !one.id.is_empty()) {
                    assert!(self.killed_between(first.at, one.at), "channel {place}: twice: {first:?} {one:?}");
                    again += 1;
                }
            }
            // What waits for a channel that is taken off the file goes with it.
            if place == 2 {
                continue;
            }
            for id in self.taken.lock().unwrap().iter() {
                let id = format!("{id:016x}");
                assert!(took.iter().any(|one| one.id == id), "channel {place}: {id} is lost");
            }
        }
        let out = fs::read_to_string(self.dir.join("out")).unwrap();
        let ran: Vec<&str> = out.lines().collect();
        let called: Vec<String> =
            self.calls.http.asked().iter().map(|call| call.json()["incident"].as_str().unwrap().to_owned()).collect();
        let mut causes: Vec<String> = self.taken.lock().unwrap().iter().map(|id| format!("{id:016x}")).collect();
        let offline = |one: &&Took| one.kind == "offline";
        causes.extend(self.services[0].took().iter().filter(offline).map(|one| one.incident.clone()));
        causes.sort();
        causes.dedup();
        let mut unknown = 0;
        for cause in &causes {
            let count = ran.iter().filter(|line| *line == cause).count();
            assert!(count <= 1, "{cause}: the callback ran {count} times");
            let told = |kind: &str| {
                let is = |one: &&Took| one.kind.starts_with(kind) && one.incident == *cause;
                self.services[0].took().iter().filter(is).count()
            };
            // Killed before it could be known: said so.
            let excused = told("callback.") > 0;
            assert!(
                count == 1 || excused,
                "{cause}: the callback never ran, and nobody says so\n{}",
                self.about(cause)
            );
            assert!(
                called.contains(cause) || excused,
                "{cause}: the call was never made, and nobody says so\n{}",
                self.about(cause)
            );
            unknown += usize::from(excused);
        }
        println!(
            "{} said, {} hosts, {} causes, {unknown} told as failed or unknown, {again} told again after {} kills",
            self.taken.lock().unwrap().len(),
            self.hosts,
            causes.len(),
            self.kills.len() / 2
        );
        assert!(causes.len() > STEPS / 2, "nothing happened");
    }
}

fn run(seed: u64) {
    println!("seed {seed}");
    let mut world = World {
        dir: TempDir::new(),
        services: [Service::start(), Service::start(), Service::start()],
        calls: Service::start(),
        daemon: None,
        taken: Arc::default(),
        said: seed << 16 | 1,
        kills: Vec::new(),
        hosts: 0,
        unsettled: 0,
        chance: Chance(seed),
        output: String::new(),
    };
    fs::write(world.dir.join("out"), "").unwrap();
    world.start();
    for _ in 0..STEPS {
        world.step();
    }
    world.calm();
    world.judge();
    assert!(world.daemon.as_mut().unwrap().stop().success());
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_whatever_happens() {
    match std::env::var("IC_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => run(seed),
        None => (1..=2).for_each(run),
    }
}
