//! The client's side: servers that do not answer, that are false, that have several addresses; what beats say.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::{Duration, Instant};

use crate::common::daemon::Daemon;
use crate::common::http::{Asked, FakeHttp};
use crate::common::{SECRETS, SOON, TempDir, wait_for};
use interrupt_callback::alert::pending::{After, MAX_PENDING};
use interrupt_callback::alert::standing::DeskStatus;
use interrupt_callback::clock::{self, Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::ClientPlan;
use interrupt_callback::event::Kind;
use interrupt_callback::keepalive::client::{self, ClientStatus, Me};
use interrupt_callback::keepalive::monitors::{Monitors, STATE_NAME};
use interrupt_callback::keepalive::unreachable::Outage;
use interrupt_callback::keepalive::uri::Uri;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::board::{Board, State};
use interrupt_callback::run::status::Status;
use interrupt_callback::run::threads::Stop;
use interrupt_callback::secret::Secret;
use interrupt_callback::zone::Zone;
use serde_json::Value;

const KEY: &str = SECRETS[0];

/// Somebody who takes every beat for good without holding the key; gives the line 3 of each.
fn forger() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(SOON)).unwrap();
            let (mut read, mut line3) = (BufReader::new(&stream), String::new());
            read.read_line(&mut String::new()).unwrap_or_default();
            let _ = (&stream).write_all(b"{\"v\":2,\"srv\":\"vps@tokyo\",\"sn\":\"AAECAwQFBgcICQoLDA0ODw==\"}\n");
            let read = read.read_line(&mut line3).unwrap_or_default();
            let mac = "A".repeat(43);
            let _ = (&stream).write_all(format!("{{\"ok\":true,\"next\":1}}\t{mac}=\n").as_bytes());
            if read > 0 && tell.send(line3).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

fn config(port: u16, feishu: &FakeHttp, more: &str) -> String {
    let url = feishu.url(&format!("/open-apis/bot/v2/hook/{}", SECRETS[2]));
    format!(
        "name = \"nas\"\n[keepalive]\nperiod = 0.4\n[keepalive.client]\nuri = \"ic://default:{KEY}@127.0.0.1:{port}\"\n{more}\n\
         [alert.feishu]\nwebhook = \"{url}\"\nsecret = \"{}\"\nlanguage = \"en\"\n",
        SECRETS[1]
    )
}

fn about(feishu: &FakeHttp, word: &str) -> Vec<String> {
    feishu.asked().iter().map(Asked::text).filter(|text| text.contains(word)).collect()
}

#[test]
fn a_false_server_is_told_once_for_each_reason() {
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let (port, heard) = forger();
    let beats = |count: usize| (0..count).for_each(|_| drop(heard.recv_timeout(SOON).unwrap()));
    let plain = config(port, &feishu, "");
    let mut nas = Daemon::start(dir.path(), &plain);
    let told = feishu.wait(1, |asked| asked.text().contains("its monitor is not genuine"));
    let text = told[0].text();
    println!("{text}");
    for part in [&*format!("//default@127.0.0.1:{port}"), "127.0.0.1", "does not hold the key"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    beats(8);
    let status = nas.status();
    assert!(status["monitors"][0]["failures"].as_u64().unwrap() >= 3, "it counts as a failure: {status}");
    wait_for("the verdict on disk", || (nas.status()["channels"][0]["queued"] == 0).then_some(()));
    nas.stop();
    // A new run knows what was told, and another reason is another matter.
    let mut nas = Daemon::start(dir.path(), &plain);
    beats(4);
    nas.stop();
    let mut nas = Daemon::start(dir.path(), &config(port, &feishu, "server_name = \"vps@home\""));
    nas.wait_line("monitor.forged");
    let told = feishu.wait(2, |asked| asked.text().contains("not genuine"));
    assert!(told[1].text().contains("calls itself vps@tokyo"), "{}", told[1].text());
    wait_for("more failures", || (nas.status()["monitors"][0]["failures"].as_u64()? >= 4).then_some(()));
    assert_eq!(about(&feishu, "not genuine").len(), 2, "{:#?}", about(&feishu, "not genuine"));
}

/// One line to the control socket, and the answer.
fn ask(dir: &Path, request: &str) -> String {
    let mut socket = UnixStream::connect(dir.join("run/control")).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_beat_says_how_the_machine_is_and_what_was_noted() {
    let (port, heard) = forger();
    let dir = TempDir::new();
    let slow = config(port, &FakeHttp::feishu(), "").replace("0.4", "3600");
    let mut nas = Daemon::start(dir.path(), &slow);
    nas.wait_line("ready");
    let body = |line: &str| serde_json::from_str::<Value>(line.rsplit_once('\t').unwrap().0).unwrap();
    let first = body(&heard.recv_timeout(SOON).unwrap());
    println!("{first}");
    if Path::new("/proc/loadavg").exists() {
        assert!(first["data"]["res"]["load"].as_f64().is_some_and(|load| load >= 0.0), "{first}");
        assert!(first["data"]["res"]["mem"].as_u64().is_some_and(|percent| percent <= 100), "{first}");
    }
    let noted = |note: Option<&str>| {
        let until = Instant::now() + SOON;
        loop {
            let line = heard.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap();
            let body = body(&line);
            assert!(line.len() < 1500, "{}", line.len());
            if body["data"]["note"].as_str() == note {
                return;
            }
        }
    };
    assert_eq!(ask(dir.path(), "note backup \u{1b}[1mruns"), "ok 0\nnoted: backup \u{FFFD}[1mruns\n");
    noted(Some("backup \u{FFFD}[1mruns"));
    ask(dir.path(), &format!("note {}", "失".repeat(300)));
    noted(Some(&format!("{}…", "失".repeat(65))));
    assert_eq!(ask(dir.path(), "note"), "ok 0\nthe note is cleared\n");
    noted(None);
}

#[test]
fn a_note_is_the_message_of_the_original_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new();
    let port = listener.local_addr().unwrap().port();
    let mut nas = Daemon::start(dir.path(), &config(port, &FakeHttp::feishu(), "protocol = 1"));
    nas.wait_line("ready");
    let message = || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(b"{\"name\":\"old@server\",\"msg\":\"see you next period\"}").unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["msg"].as_str().unwrap().to_owned()
    };
    assert_eq!(message(), "I am active");
    ask(dir.path(), "note backup runs");
    wait_for("the note", || (message() == "backup runs").then_some(()));
}

#[test]
fn a_server_that_hangs_holds_up_no_beat_to_another() {
    let (a, b) = (TempDir::new(), TempDir::new());
    let mut vps = Daemon::start(
        a.path(),
        &format!(
            "name = \"vps\"\n[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 3\n"
        ),
    );
    let port = vps.ready().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = silent.local_addr().unwrap().port();
    let uris = format!("uris = [\"ic://default:{KEY}@127.0.0.1:{other}\", \"ic://default:{KEY}@127.0.0.1:{port}\"]");
    let config = format!("name = \"nas\"\n[keepalive]\nperiod = 0.4\n[keepalive.client]\n{uris}\n");
    let mut nas = Daemon::start(b.path(), &config);
    nas.wait_line("ready");
    let failed = |status: &Value| status["monitors"][0]["failures"].as_u64().unwrap() >= 1;
    let status = wait_for("a failure", || Some(nas.status()).filter(failed));
    println!("{status}");
    assert_eq!(status["monitors"][1]["failures"], 0);
    assert!(status["monitors"][0]["problem"].as_str().unwrap().ends_with("timed out"), "{status}");
    let host = &vps.status()["hosts"][0];
    println!("{host}");
    // Each beat to the other server takes 5 s to fail.
    assert!(host["state"] == "up" && host["worst_gap"].as_f64().unwrap() < 4.0, "{host}");
}

fn plan(host: &str, port: u16) -> ClientPlan {
    ClientPlan {
        uri: Uri {
            user: "default".into(),
            key: Secret::new(KEY),
            key_as_written: Secret::new(KEY),
            host: host.into(),
            port,
        },
        period: Duration::from_secs(1),
        protocol: 2,
        server_name: None,
        back_in: Duration::from_secs(600),
    }
}

/// What `status` makes of a monitor.
fn shown(monitor: ClientStatus) -> (Value, String) {
    let status = Status {
        name: "nas@home",
        folder: "/tmp",
        zone: &Zone::utc(),
        now: clock::now(),
        running: SOON,
        server: None,
        web: Vec::new(),
        hosts: Vec::new(),
        held: None,
        silences: Vec::new(),
        windows: Vec::new(),
        spot: None,
        callbacks: Vec::new(),
        jobs: None,
        queue: None,
        agents: Vec::new(),
        monitors: vec![monitor],
        #[cfg(feature = "probes")]
        probes: Vec::new(),
        #[cfg(feature = "probes")]
        resources: Vec::new(),
        desk: DeskStatus::default(),
    };
    (serde_json::from_str(&status.json()).unwrap(), status.table())
}

/// 127.0.0.2 takes connections and says nothing, nobody listens at ::1, the server is at 127.0.0.1.
#[test]
fn of_several_addresses_the_one_that_answers_is_kept() {
    fn three(_: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![[127, 0, 0, 2].into(), std::net::Ipv6Addr::LOCALHOST.into(), [127, 0, 0, 1].into()])
    }
    let dir = TempDir::new();
    let server = format!("name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n");
    let mut vps = Daemon::start(dir.path(), &server);
    let port = vps.ready().port();
    let silent = TcpListener::bind(("127.0.0.2", port)).unwrap();
    silent.set_nonblocking(true).unwrap();
    let resolver = Arc::new(Resolver::asking(three));
    let me = Arc::new(Me::new("nas@home").unwrap());
    let stop = Stop::default();
    let plans = [plan("name.test", port)];
    let clients = client::start_all(&plans, &me, &Arc::default(), &resolver, &stop).unwrap();
    let status = wait_for("a beat", || Some(clients[0].status()).filter(|status| status.last.is_some()));
    assert_eq!((status.failures, status.error.as_deref()), (0, None), "the first beat found its way");
    let passed: Vec<String> = status.passed_over.iter().map(ToString::to_string).collect();
    assert_eq!(passed, [format!("127.0.0.2:{port}"), format!("[::1]:{port}")]);
    let (json, table) = shown(status.clone());
    println!("{table}");
    assert!(table.contains(&format!("\n  passes over [::1]:{port}, which did not answer\n")), "{table}");
    assert_eq!(json["monitors"][0]["passed_over"], serde_json::json!(passed));
    let later = wait_for("a later beat", || clients[0].status().last.filter(|last| *last > status.last.unwrap()));
    assert!(later > status.last.unwrap());
    let mut calls = 0;
    while silent.accept().is_ok() {
        calls += 1;
    }
    assert_eq!(calls, 1, "only the first beat went there");
    client::farewell_all(&clients, "stop");
    assert_eq!(vps.status()["hosts"][0]["state"], "stopped", "{}", vps.status());
}

fn at(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(1_800_000_000_000 + secs * 1000), boot: Boot(7) }
}

#[test]
fn what_finds_no_room_is_told_later_and_once() {
    let (desk, _inbox) = sync_channel(4);
    let board = Arc::new(Board::new(State::default(), desk));
    let monitors = Monitors::new(&board, None);
    let (me, label) = ("nas@home", "ic://default@vps:9080");
    let taken = || board.lock().pending.take(usize::MAX);
    monitors.answered(me, label, &at(0));
    assert!(taken().is_empty());
    while board.post(None, After::Nothing) {}
    let outage = Outage::default();
    let fail = |secs| monitors.unreachable(me, label, &outage, Tick(0), "timed out", &at(secs));
    fail(600);
    let changes = taken();
    assert!(changes.len() == MAX_PENDING && changes.iter().all(|change| change.event.is_none()));
    (700..710).for_each(fail);
    let changes = taken();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].event.as_ref().unwrap().kind, Kind::MonitorUnreachable);
    let After::Small { name, json } = &changes[0].after else { panic!("{changes:?}") };
    assert_eq!(name, STATE_NAME);
    // The next run, while it lasts: told already; then the end.
    let monitors = Monitors::new(&board, Some(json));
    monitors.unreachable(me, label, &outage, Tick(800_000), "timed out", &at(2000));
    assert!(taken().is_empty());
    monitors.answered(me, label, &at(3000));
    monitors.answered(me, label, &at(3030));
    let ends = taken();
    assert_eq!(ends.len(), 1);
    let end = ends[0].event.as_ref().unwrap();
    assert_eq!((end.kind, end.incident), (Kind::MonitorReachable, changes[0].event.as_ref().unwrap().incident));
}
