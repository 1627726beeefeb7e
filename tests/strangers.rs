//! A hostile neighbour on the heartbeat port, while a real host keeps beating.

#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]
#![expect(clippy::print_stdout, reason = "a test shows what it measured")]

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::common::beat::{Beater, raw};
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, SOON, TempDir, alone, wait_for};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

const KEY: &str = SECRETS[0];
const DENIED: &str = "{\"v\":2,\"err\":\"denied\"}\n";
const VERSION: &str = "{\"v\":2,\"err\":\"version\"}\n";

fn server() -> (TempDir, Daemon, SocketAddr) {
    let dir = TempDir::new();
    let config = format!("name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n");
    let mut daemon = Daemon::start(dir.path(), &config);
    let address = daemon.ready();
    (dir, daemon, address)
}

#[test]
fn nonsense_is_refused_in_one_constant_line() {
    let (_dir, mut daemon, address) = server();
    let long = vec![b'x'; 1 << 20];
    let hello = r#"{"v":2,"user":"default","name":"nas","cn":"BwcHBwcHBwcHBwcHBwcHBw=="}"#;
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[VERSION, "invalid message"]),
        ("binary", (0..=255).chain([b'\n']).collect(), &[VERSION, ""]),
        ("1 MiB without newline", long, &[VERSION, "invalid message", ""]),
        ("version 3", b"{\"v\":3}\n".to_vec(), &[VERSION]),
        (
            "short nonce",
            b"{\"v\":2,\"user\":\"default\",\"name\":\"a\",\"cn\":\"AA==\"}\n".to_vec(),
            &[DENIED, VERSION],
        ),
        ("deep nesting", format!("{}\n", "[".repeat(1000)).into_bytes(), &[VERSION, "invalid message"]),
        ("wrong MAC", format!("{hello}\n{{}}\tAAAA\n").into_bytes(), &[]),
        ("no tab", format!("{hello}\n{{}}\n").into_bytes(), &[]),
    ];
    for (what, bytes, answers) in cases {
        let answer = raw(address, &bytes);
        let fits = if answers.is_empty() { answer.ends_with(DENIED) } else { answers.contains(&answer.as_str()) };
        assert!(fits, "{what}: {answer:?}");
    }
    let mut unknown = Beater::new(address, KEY, "nas");
    unknown.user = "nobody".into();
    let wrong = Beater::new(address, "another key", "nas").beat().unwrap_err();
    assert_eq!(unknown.beat().unwrap_err(), wrong, "an unknown user looks like a wrong key");
    assert_eq!(wrong, DENIED.trim_end());
    assert!(daemon.status()["hosts"].as_array().unwrap().is_empty());
    let refused = daemon.output().lines().filter(|line| line.contains("refused")).count();
    assert!(refused <= 1, "one line per source and minute: {}", daemon.output());
}

#[test]
fn a_replayed_or_reflected_line_proves_nothing() {
    let (_dir, daemon, address) = server();
    let mut nas = Beater::new(address, KEY, "nas");
    let report = nas.report();
    nas.say(&report).unwrap();
    // The server's nonce differs each time, so yesterday's line 3 has the wrong MAC today: a beater that ignores
    // line 2 is one that replays.
    let stream = TcpStream::connect_timeout(&address, SOON).unwrap();
    let mut again = &stream;
    again.write_all(b"{\"v\":2,\"user\":\"default\",\"name\":\"nas\",\"cn\":\"BwcHBwcHBwcHBwcHBwcHBw==\"}\n").unwrap();
    let mac = "q83vq83vq83vq83vq83vq83vq83vq83vq83vq83vq80=";
    again.write_all(format!("{report}\t{mac}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let _ = std::io::Read::read_to_string(&mut &stream, &mut answer);
    assert!(answer.ends_with(DENIED), "{answer}");
    let before = daemon.status()["hosts"][0]["silent"].as_f64().unwrap();
    nas.seq = 0;
    nas.beat().unwrap();
    let after = daemon.status()["hosts"][0]["silent"].as_f64().unwrap();
    assert!(after >= before, "a beat that is not newer changes nothing: {before} {after}");
}

/// A connection from an address of its own, 127.0.1.NUMBER: a neighbour, not the known host's machine.
fn from(number: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from(([127, 0, 1, number], 0)))?;
    connect(&socket, &to)?;
    Ok(socket.into())
}

#[test]
fn a_thousand_strangers_and_slow_ones_do_not_hurt_a_known_host() {
    let (_dir, mut daemon, address) = server();
    let mut nas = Beater::new(address, KEY, "nas");
    nas.period = 1.0;
    nas.beat().unwrap();
    let (threads, memory) = (daemon.proc_status("Threads"), daemon.proc_status("VmRSS"));
    let mut held = Vec::new();
    for stranger in 0..1000_u32 {
        let Ok(mut stream) = from(u8::try_from(stranger / 5).unwrap(), address) else { break };
        match stranger % 3 {
            0 => drop(stream.write_all(b"{\"v\":2,\"us")),
            1 => drop(stream.write_all(&[b'x'; 100])),
            _ => {}
        }
        held.push(stream);
        if stranger % 100 == 99 {
            nas.beat().unwrap();
        }
    }
    let start = Instant::now();
    let mut beats = 0;
    while start.elapsed() < Duration::from_secs(3) {
        nas.beat().unwrap();
        beats += 1;
        for stream in held.iter_mut().step_by(7) {
            let _ = stream.write_all(b"y");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let most = daemon.proc_status("Threads");
    let grown = daemon.proc_status("VmHWM").saturating_sub(memory);
    println!("{} strangers, {beats} beats, threads {threads} -> {most}, peak growth {grown} kB", held.len());
    assert!(most <= threads + 256, "threads are bounded: {most}");
    assert!(grown < 16 * 1024, "memory is bounded: {grown} kB");
    let status = daemon.status();
    assert_eq!(status["hosts"][0]["state"], "up");
    drop(held);
    nas.beat().unwrap();
    assert!(!daemon.output().contains("offline"), "{}", daemon.output());
}

#[test]
fn one_byte_a_second_ends_at_the_deadline_of_the_exchange() {
    let (_dir, daemon, address) = server();
    let mut stream = TcpStream::connect_timeout(&address, SOON).unwrap();
    let start = Instant::now();
    while start.elapsed() < SOON && stream.write_all(b"{").is_ok() {
        std::thread::park_timeout(Duration::from_millis(500));
    }
    let lasted = start.elapsed();
    println!("closed after {lasted:?}");
    assert!(lasted >= Duration::from_secs(4) && lasted < SOON, "{lasted:?}");
    assert_eq!(daemon.status()["hosts"].as_array().unwrap().len(), 0);
}

/// A real client that beats every second from 127.0.0.1, where no stranger is.
struct Witness {
    client: Daemon,
    _dir: TempDir,
}

impl Witness {
    fn start(server: &Daemon) -> Witness {
        let dir = TempDir::new();
        let port = server.ready_address().port();
        let mut client = Daemon::start(
            dir.path(),
            &format!(
                "name = \"nas\"\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"ic://default:{KEY}@127.0.0.1:{port}\"\n"
            ),
        );
        client.wait_line("beating to");
        wait_for("the first beat", || server.status()["hosts"][0]["name"].as_str().map(|_| ()));
        Witness { client, _dir: dir }
    }

    /// No beat failed, and none was late: 1.2 × period + grace/2 at the default grace of 5 s.
    fn was_never_late(&mut self, server: &mut Daemon) {
        let status = server.status();
        let gap = status["hosts"][0]["worst_gap"].as_f64().expect("a gap");
        println!("the worst gap between two beats of a known host: {gap} s");
        assert!(gap < 3.7, "{status}");
        assert!(!self.client.output().contains("cannot beat"), "{}", self.client.output());
        assert!(!server.output().contains("offline"), "{}", server.output());
    }
}

/// A connection on its way, from the address 127.1.x.y with its number.
fn dial(number: u32, to: SocketAddr) -> OwnedFd {
    let [_, _, high, low] = number.to_be_bytes();
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
        .expect("a socket");
    bind(&fd, &SocketAddr::from(([127, 1, high, low], 0))).expect("an address");
    // In progress, or refused: both are a stranger's lot.
    let _ = connect(&fd, &to);
    fd
}

fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("a process").count()
}

/// For `time` 1,000 strangers are connected and say nothing, 200 say a byte a second, and `rate` new ones a second take
/// the place of the oldest: at 200 a second each stays for the 5 s that an exchange may last.
fn siege(time: Duration, rate: u32) {
    let (_dir, mut server, address) = server();
    let mut witness = Witness::start(&server);
    let idle = (server.proc_status("Threads"), server.proc_status("VmRSS"), descriptors(&server));
    let (start, mut dialled, mut most) = (Instant::now(), 0, (0, 0, 0));
    let mut next = || {
        dialled += 1;
        dial(dialled, address)
    };
    // Whoever is closed by the server comes again.
    let mut silent: VecDeque<OwnedFd> = (0..1000).map(|_| next()).collect();
    let mut slow: Vec<OwnedFd> = (0..200).map(|_| next()).collect();
    let mut turns = 0;
    while start.elapsed() < time {
        for _ in 0..rate / 10 {
            silent.push_back(next());
            drop(silent.pop_front());
        }
        for fd in slow.iter_mut().skip(turns % 10).step_by(10) {
            if matches!(rustix::io::write(&*fd, b"{"), Err(error) if error != rustix::io::Errno::AGAIN) {
                *fd = next();
            }
        }
        turns += 1;
        most.0 = server.proc_status("Threads").max(most.0);
        most.1 = server.proc_status("VmRSS").max(most.1);
        most.2 = descriptors(&server).max(most.2);
        let until = start + Duration::from_millis(100) * u32::try_from(turns).expect("few");
        std::thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    println!("{dialled} connections in {:?}; threads, kB, descriptors: {idle:?}, at most {most:?}", start.elapsed());
    witness.was_never_late(&mut server);
    assert!(most.0 <= idle.0 + 256, "threads are bounded: {}", most.0);
    assert!(most.2 <= idle.2 + 256, "descriptors are bounded: {}", most.2);
    // 4 MB; a build for debugging has larger frames on its stacks.
    let room = if std::env::var_os("IC_BINARY").is_some() { 4096 } else { 6144 };
    assert!(most.1 < idle.1 + room, "memory is bounded: {} kB more", most.1 - idle.1);
}

#[test]
fn a_thousand_connects_a_second_make_no_known_host_late() {
    if alone("strangers::a_thousand_connects_a_second_make_no_known_host_late") {
        siege(Duration::from_secs(3), 1000);
    }
}

#[test]
#[ignore = "long: a minute"]
fn a_siege_of_a_minute_makes_no_known_host_late() {
    if alone("strangers::a_siege_of_a_minute_makes_no_known_host_late") {
        siege(Duration::from_secs(60), 1000);
    }
}

#[test]
#[ignore = "long: a minute"]
fn half_open_and_slow_connections_for_a_minute_make_no_known_host_late() {
    if alone("strangers::half_open_and_slow_connections_for_a_minute_make_no_known_host_late") {
        siege(Duration::from_secs(60), 200);
    }
}
