//! A hostile neighbour on the heartbeat port, while a real host keeps beating.

#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]

mod common;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::beat::{Beater, raw};
use common::daemon::Daemon;
use common::{SECRETS, SOON, TempDir};

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
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
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
    while start.elapsed() < Duration::from_secs(6) {
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
