//! Who sends or reads too slowly, or nothing.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::crowd;
use crate::common::ask::{Asker, get};
use crate::common::daemon::Daemon;
use crate::common::{TempDir, wait_for};

/// Long before the listener's own deadlines.
const BUSY: Duration = Duration::from_millis(200);

#[test]
fn slow_requests_end_at_the_deadline() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let web = daemon.ready_web();
    let endless =
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    let body = "POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut slow: Vec<(Asker, Vec<u8>)> =
        [endless, body, ""].into_iter().map(|text| (Asker::new(web), text.as_bytes().to_vec())).collect();
    slow[1].1.extend(b"1\r\nx\r\n".repeat(100));
    let start = Instant::now();
    let ends = wait_for("the end of all", || {
        for (asker, bytes) in &mut slow {
            if !bytes.is_empty() {
                asker.send(&bytes[..1]);
                bytes.remove(0);
            }
        }
        assert_eq!(get(web, "/healthz", "").status, 200, "others are answered meanwhile");
        std::thread::park_timeout(BUSY);
        let mut ended = 0;
        for (asker, _) in &slow {
            asker.stream.set_nonblocking(true).unwrap();
            let read = (&asker.stream).read(&mut [0; 1000]);
            asker.stream.set_nonblocking(false).unwrap();
            let open = matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!matches!(read, Ok(1..)), "nothing is answered");
            ended += usize::from(!open);
        }
        (ended == 3).then(|| start.elapsed())
    });
    println!("requests that do not end were given up after {ends:?}");
    assert!(ends > Duration::from_secs(4));
    assert!(daemon.stop().success());
}

/// Threads of connections.
fn connections(daemon: &Daemon) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).filter(|name| name == "http-conn\n").count()
}

#[test]
#[ignore = "long: it waits for deadlines"]
fn who_does_not_read_is_cut_off() {
    let dir = TempDir::new();
    let (mut daemon, web) = crowd(&dir, 300);
    let size = get(web, "/api/status", "").body.len();
    let mut lazy = Asker::new(web);
    sockopt::set_socket_recv_buffer_size(&lazy.stream, 4096).unwrap();
    let start = Instant::now();
    for _ in 0..90 {
        lazy.send(b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    }
    for _ in 0..20 {
        assert_eq!(get(web, "/healthz", "").status, 200, "others are answered meanwhile");
    }
    wait_for("the end of its thread", || (connections(&daemon) == 0).then_some(()));
    let took = start.elapsed();
    println!("answers of {size} bytes; cut off after {took:?}");
    assert!(took > Duration::from_secs(9));
    assert!(daemon.stop().success());
}

#[test]
fn a_kept_connection_does_not_hold_up_the_end() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let web = daemon.ready_web();
    let mut kept = Asker::new(web);
    assert_eq!(kept.ask("GET", "/healthz", &[], b"").header("connection"), Some("keep-alive"));
    let mut half = Asker::new(web);
    half.send(b"GET /");
    let start = Instant::now();
    assert!(daemon.stop().success());
    println!("ended within {:?}", start.elapsed());
    assert!(kept.is_closed() && half.is_closed());
}
