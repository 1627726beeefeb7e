//! Measures the release binary on this machine: `cargo bench`. Figures, not assertions.
//!
//! Beside each absolute figure stands one from the same run to compare it with: a bare accept-and-answer loop on
//! threads for the throughput, and the detection deadline for its error.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it reads clocks, prints figures, and ends where something fails"
)]

#[path = "../common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use common::beat::{Beater, old};
use common::daemon::Daemon;
use common::http::{Answer, FakeHttp};
use common::{TempDir, wait_for};

const KEY: &str = "a-key-for-the-benchmark-only";
const AT_A_TIME: usize = 8;

fn config(extra: &str) -> String {
    format!(
        "name = \"bench\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nauth = \"permissive\"\n{extra}"
    )
}

/// Runs `exchange` on eight threads for `each` times; returns exchanges per second and the 99th percentile.
fn load(each: usize, exchange: impl Fn(usize, usize) + Send + Sync) -> (f64, Duration) {
    let start = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let run = |thread: usize| {
            let exchange = &exchange;
            move || {
                let mut times = Vec::with_capacity(each);
                for turn in 0..each {
                    let start = Instant::now();
                    exchange(thread, turn);
                    times.push(start.elapsed());
                }
                times
            }
        };
        let threads: Vec<_> = (0..AT_A_TIME).map(|thread| scope.spawn(run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort();
    (rate, times[times.len() * 99 / 100])
}

fn row(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<52} {figure}");
}

fn old_beat(server: SocketAddr, host: usize) {
    let answer = old(server, KEY, &format!("old-{host}"));
    assert!(answer.contains("\"name\""), "{answer}");
}

fn throughput() {
    let bare = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = bare.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in bare.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut line = [0; 1024];
                let _ = stream.read(&mut line);
                let _ = stream.write_all(b"{\"name\":\"bare\"}");
            });
        }
    });
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(""));
    let server = daemon.ready();
    row("resident when idle (kB)", daemon.proc_status("VmRSS"));
    row("threads when idle", daemon.proc_status("Threads"));
    for round in 1..=3 {
        let (rate, p99) = load(3000, |thread, _| old_beat(address, thread));
        row(&format!("round {round}: a bare thread per connection, exchanges/s"), format!("{rate:.0}, p99 {p99:?}"));
        let (rate, p99) = load(3000, |thread, _| old_beat(server, thread));
        row(&format!("round {round}: protocol 1, beats/s"), format!("{rate:.0}, p99 {p99:?}"));
        let (rate, p99) = load(3000, |thread, turn| {
            let mut beater = Beater::new(server, KEY, &format!("new-{thread}"));
            // One run that goes on over all rounds: another one would be another host of that name.
            beater.seq = round * 10_000 + turn as u64;
            let reply = beater.beat().unwrap();
            assert_eq!(reply["ok"], true);
        });
        row(&format!("round {round}: protocol 2, beats/s"), format!("{rate:.0}, p99 {p99:?}"));
    }
    load(100_000 / AT_A_TIME - 18_000 / AT_A_TIME, |thread, _| old_beat(server, thread));
    row("resident after 100,000 beats and more (kB)", daemon.proc_status("VmRSS"));
    load(10_000 / AT_A_TIME, |thread, turn| {
        let name = format!("host-{thread}-{turn}");
        let mut beater = Beater::new(server, KEY, &name);
        beater.period = 3600.0;
        if let Err(error) = beater.beat() {
            panic!("{error}");
        }
    });
    row("known hosts", daemon.status()["hosts"].as_array().unwrap().len());
    row("resident with them (kB)", daemon.proc_status("VmRSS"));
    row("peak resident, status included (kB)", daemon.proc_status("VmHWM"));
}

/// Two hundred hosts fall silent, spread over two seconds. The event's own time is read from the outbox, where the
/// alerts stay because their channel does not answer.
fn detection() {
    let dir = TempDir::new();
    let hook = FakeHttp::start(|_| Answer::Hang);
    let alert = format!(
        "num = 2\n[keepalive]\ngrace = \"200ms\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n",
        hook.url("/")
    );
    let mut daemon = Daemon::start(dir.path(), &config(&alert));
    let server = daemon.ready();
    let deadline = 2 * 3000 + 200;
    let mut beats = std::collections::HashMap::new();
    for host in 0..200 {
        let name = format!("gone-{host}");
        let mut beater = Beater::new(server, KEY, &name);
        beater.period = 3.0;
        let before = interrupt_callback::clock::tick().0;
        beater.beat().unwrap();
        // The server heard it between the two.
        beats.insert(name, (before, interrupt_callback::clock::tick().0));
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let outbox = dir.join("state/outbox");
    wait_for("200 alerts in the outbox", || {
        let count = std::fs::read_dir(&outbox).ok()?.flatten();
        (count.filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count() >= 200).then_some(())
    });
    let mut errors = Vec::new();
    let mut uncertain = 0;
    for entry in std::fs::read_dir(&outbox).unwrap().flatten() {
        let Ok(text) = std::fs::read(entry.path()) else { continue };
        let Ok(record) = serde_json::from_slice::<serde_json::Value>(&text) else { continue };
        let event = &record["event"];
        let (Some(tick), Some((before, after))) =
            (event["at"][1].as_i64(), beats.get(event["subject"].as_str().unwrap_or_default()))
        else {
            continue;
        };
        errors.push(tick - after - deadline);
        uncertain = uncertain.max(after - before);
    }
    errors.sort_unstable();
    let figures = format!("min {}, median {}, max {}", errors[0], errors[errors.len() / 2], errors[errors.len() - 1]);
    row(
        &format!("{} outages: event time after the deadline (ms)", errors.len()),
        format!("{figures} (the beat's time is known to {uncertain} ms)"),
    );
}

/// The static binary of `contrib/build-static.sh`, which is what small boxes run: musl has one heap for all threads.
fn static_memory() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/static/interrupt-callback-x86_64-router");
    if !std::path::Path::new(path).exists() {
        row("static binary", "not built: contrib/build-static.sh");
        return;
    }
    let dir = TempDir::new();
    let mut daemon = Daemon::start_with(dir.path(), &config(""), |command| {
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut other = std::process::Command::new(path);
        other.args(args).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        *command = other;
    });
    let server = daemon.ready();
    row("static: resident when idle (kB)", daemon.proc_status("VmRSS"));
    load(10_000 / AT_A_TIME, |thread, turn| {
        let mut beater = Beater::new(server, KEY, &format!("host-{thread}-{turn}"));
        beater.period = 3600.0;
        beater.beat().unwrap();
    });
    row("static: resident with 10,000 hosts (kB)", daemon.proc_status("VmRSS"));
}

fn start_to_ready() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let dir = TempDir::new();
        let start = Instant::now();
        let mut daemon = Daemon::start(dir.path(), &config(""));
        daemon.ready();
        times.push(start.elapsed());
    }
    times.sort();
    row("start to ready, of 20", format!("min {:?}, median {:?}, max {:?}", times[0], times[10], times[19]));
}

fn idle_cpu() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(""));
    let server = daemon.ready();
    let mut beaters: Vec<Beater> = (0..100).map(|host| Beater::new(server, KEY, &format!("idle-{host}"))).collect();
    let cpu = |daemon: &Daemon| {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
        let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
        // Fields 14 and 15 of proc(5), in ticks of 10 ms.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    };
    for beater in &mut beaters {
        beater.beat().unwrap();
    }
    let (start, before) = (Instant::now(), cpu(&daemon));
    let seconds = 60;
    for turn in 0..seconds * 10 / 3 {
        for beater in beaters.iter_mut().skip(turn % 100).take(1) {
            beater.beat().unwrap();
        }
        let next = start + Duration::from_millis(300 * (turn as u64 + 1));
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    let used = cpu(&daemon) - before;
    let hour = used * 3600.0 / start.elapsed().as_secs_f64();
    row("CPU seconds per hour, 100 hosts every 30 s", format!("{hour:.1} (measured over {:?})", start.elapsed()));
}

fn main() {
    // `cargo test --benches` only wants to know that this builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("{} processors", std::thread::available_parallelism().map_or(0, usize::from));
    start_to_ready();
    throughput();
    static_memory();
    detection();
    idle_cpu();
}
