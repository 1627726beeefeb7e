//! The heartbeat server under strangers and crowds, and the client's thread against a server.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::common::alone;
use interrupt_callback::clock::{self, Tick};
use interrupt_callback::config::plan::{Auth, ClientPlan, ServerPlan};
use interrupt_callback::event::{Event, Id, Kind, Moment};
use interrupt_callback::keepalive::answer::{Hear, Side};
use interrupt_callback::keepalive::ask::{BeatError, Target};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::carry::Carry;
use interrupt_callback::keepalive::client::{self, Client, Me};
use interrupt_callback::keepalive::heard::{Granted, Heard, Note, Refusal};
use interrupt_callback::keepalive::server::{self, Server};
use interrupt_callback::keepalive::uri::Uri;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::board::{Board, State};
use interrupt_callback::run::threads::{Bell, SMALL_STACK, Stop, spawn};
use interrupt_callback::secret::Secret;

const PATIENCE: Duration = Duration::from_secs(20);

fn server_plan(listen: SocketAddr) -> ServerPlan {
    ServerPlan {
        listen: vec![listen],
        key: Secret::new("hello"),
        num: 4,
        grace: Duration::from_secs(5),
        period: Duration::from_secs(30),
        auth: Auth::Enforce,
        tell_stopped: false,
        forget: Duration::from_secs(30 * 86_400),
        users: Vec::new(),
        old_key: None,
        hold: Duration::ZERO,
        remind: None,
        expect: Vec::new(),
        windows: Vec::new(),
    }
}

fn client_plan(port: u16, period: Duration) -> ClientPlan {
    ClientPlan {
        uri: Uri {
            user: "default".into(),
            key: Secret::new("hello"),
            key_as_written: Secret::new("hello"),
            host: "127.0.0.1".into(),
            port,
        },
        period,
        protocol: 2,
        server_name: None,
        back_in: Duration::from_secs(600),
    }
}

fn serve(listen: &str) -> (Server, Stop) {
    let (desk, _) = std::sync::mpsc::sync_channel(1);
    let board = Arc::new(Board::new(State::default(), desk));
    let stop = Stop::default();
    let plan = server_plan(listen.parse().unwrap());
    let server = server::start(&plan, &plan.key, "vps@tokyo", board, Bell::default(), stop.clone()).unwrap();
    (server, stop)
}

/// Whether the server, which is busy, still holds a whole exchange with a key holder.
fn is_answered(at: SocketAddr) -> bool {
    let mut report = Report::bare(Ev::Beat, Duration::from_secs(30));
    let target = Target::new(&client_plan(at.port(), Duration::from_secs(30)));
    // What the roster makes of the name is not the matter here.
    matches!(target.ask(at, "nas@home", &mut report, clock::tick() + PATIENCE), Ok(_) | Err(BeatError::Refused(_)))
}

/// A connection from another address of this machine.
fn dial_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    bind(&fd, &SocketAddr::from((source, 0))).unwrap();
    connect(&fd, &to).unwrap();
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let (pause, deadline) = (Stop::default(), clock::tick() + PATIENCE);
    while !done() {
        assert!(clock::tick() < deadline, "{what} in time");
        pause.wait(Duration::from_millis(10));
    }
}

#[test]
fn a_thousand_strangers_do_not_keep_a_known_host_out() {
    if !alone("crowd::a_thousand_strangers_do_not_keep_a_known_host_out") {
        return;
    }
    let (server, stop) = serve("127.0.0.1:0");
    let at = server.bound()[0];
    assert!(is_answered(at));
    let mut idle: Vec<TcpStream> = (0..1000).map(|_| dial_from([127, 0, 0, 9], at)).collect();
    for _ in 0..20 {
        assert!(is_answered(at));
    }
    // The first strangers had to go for the last ones; one more is let in, too.
    idle[0].set_read_timeout(Some(PATIENCE)).unwrap();
    let gone = idle[0].read(&mut [0]);
    assert!(matches!(gone, Ok(0)) || gone.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    let mut late = dial_from([127, 0, 0, 10], at);
    late.write_all(b"hello?\n").unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "{\"v\":2,\"err\":\"version\"}\n");
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert!(threads < 400, "{threads} threads");
    stop.stop();
    server.close();
}

#[test]
fn a_crowd_from_one_address_is_heard() {
    let (server, stop) = serve("127.0.0.1:0");
    let at = server.bound()[0];
    let beat = |n: usize| {
        spawn(&format!("host-{n}"), SMALL_STACK, move || {
            // As its client would: again, if it was turned away.
            (0..20).any(|_| is_answered(at))
        })
        .unwrap()
    };
    let crowd: Vec<_> = (0..200).map(beat).collect();
    assert!(crowd.into_iter().all(|host| host.join().unwrap()));
    stop.stop();
    server.close();
}

#[test]
fn a_known_source_beyond_its_share_waits_its_turn() {
    let (server, stop) = serve("127.0.0.1:0");
    let at = server.bound()[0];
    assert!(is_answered(at));
    let mut idle: Vec<TcpStream> = (0..16).map(|_| dial_from([127, 0, 0, 1], at)).collect();
    let waiting = spawn("waiting", SMALL_STACK, move || is_answered(at)).unwrap();
    // Its idle connections hold nobody else up.
    let mut other = dial_from([127, 0, 0, 11], at);
    other.write_all(b"hello?\n").unwrap();
    assert_ne!(other.read(&mut [0; 64]).unwrap(), 0);
    drop(idle.pop());
    assert!(waiting.join().unwrap());
    stop.stop();
    server.close();
}

#[test]
fn a_busy_port_is_tried_again_and_the_end_is_prompt() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = other.local_addr().unwrap();
    let (server, stop) = serve(&at.to_string());
    assert!(server.bound().is_empty());
    assert!(server.listening()[0].error.is_some());
    drop(other);
    until("bound", || server.bound() == [at]);
    assert!(server.listening()[0].error.is_none());
    assert!(is_answered(at));
    let mut idle = dial_from([127, 0, 0, 1], at);
    stop.stop();
    server.close();
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect_timeout(&at, PATIENCE).is_err());
}

#[test]
fn both_families_arrive_at_one_listener() {
    let (server, stop) = serve("[::]:0");
    let port = server.bound()[0].port();
    assert!(is_answered(SocketAddr::from(([127, 0, 0, 1], port))));
    if TcpListener::bind("[::1]:0").is_ok() {
        assert!(is_answered(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))));
    } else {
        println!("SKIPPED: no IPv6 here");
    }
    stop.stop();
    server.close();
}

struct Ear(Option<Report>);

impl Hear for Ear {
    fn hear(&mut self, heard: &Heard<'_>) -> Result<Granted, Refusal> {
        self.0 = Some(heard.report.clone());
        Ok(Granted { next: Duration::from_secs(3600), lease: Duration::from_secs(3600), note: Note::Nothing })
    }

    fn refused(&mut self, _user: &str, _name: &str, _bound: Option<&str>) {}
}

/// A server that hears one host, on `listener`.
fn listen(listener: TcpListener) -> Receiver<Report> {
    let (tell, heard) = sync_channel(64);
    let at = listener.local_addr().unwrap();
    let side = Side::new(&server_plan(at), &Secret::new("hello"), "vps@tokyo").unwrap();
    spawn("fake", SMALL_STACK, move || {
        while let Ok((socket, from)) = listener.accept() {
            let mut ear = Ear(None);
            side.exchange(&socket, from, &mut ear).unwrap();
            if tell.send(ear.0.expect("a beat")).is_err() {
                return;
            }
        }
    })
    .unwrap();
    heard
}

fn start_client(port: u16, period: Duration, carry: &Arc<Carry>) -> (Client, Stop) {
    let me = Arc::new(Me::new("nas@home").unwrap());
    let stop = Stop::default();
    let plan = client_plan(port, period);
    let client = client::start(0, &plan, &me, carry, &Arc::new(Resolver::default()), &stop).unwrap();
    (client, stop)
}

#[test]
fn a_client_beats_carries_notices_at_once_and_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = listen(listener);
    let carry = Arc::new(Carry::default());
    let (client, _stop) = start_client(port, Duration::from_secs(3600), &carry);
    let client = Arc::new(client);
    let first = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((first.ev, first.per, first.seq, first.run.len()), (Ev::Beat, 3_600_000, 1, 16));
    assert!(first.up >= first.age && first.data.notices.is_empty());
    assert_eq!(first.boot, clock::boot_id());

    // The next one is due in an hour; a notice does not wait for it.
    let now = clock::now();
    let event = Event::new(Kind::Interrupt, Id(7), "nas@home", Moment::at(now.tick, &now));
    carry.put(&event, true);
    let second = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((second.data.notices[0].id, second.data.notices[0].delivered), (event.id, false));
    carry.delivered(event.id);
    let third = heard.recv_timeout(PATIENCE).unwrap();
    assert!(third.data.notices[0].delivered);
    assert_eq!((third.seq, &third.run), (3, &first.run));
    until("an answered beat", || client.status().server.as_deref() == Some("vps@tokyo"));

    client::farewell_all(std::slice::from_ref(&client), "stop");
    let bye = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((bye.ev, bye.reason.as_deref(), bye.back_in, bye.seq), (Ev::Bye, Some("stop"), Some(600_000), 4));
    assert_eq!(client.ended(Duration::ZERO), Some(Ok(())));
    assert_eq!(client.status().farewell.as_deref(), Some("stop"));
}

#[test]
fn a_client_tries_on_until_the_server_is_there_and_leaves_for_good() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = reserved.local_addr().unwrap();
    drop(reserved);
    let (client, _stop) = start_client(at.port(), Duration::from_millis(400), &Arc::default());
    until("two failures", || client.status().failures >= 2);
    let error = client.status().error.unwrap();
    assert!(error.starts_with(&format!("cannot connect to {at}: ")), "{error}");
    let heard = listen(TcpListener::bind(at).unwrap());
    assert!(heard.recv_timeout(PATIENCE).unwrap().seq >= 3);
    until("recovery", || client.status().failures == 0);
    assert!(client.status().last > Some(Tick(0)));
    client.farewell("leave");
    let bye = heard.iter().find(|report| report.ev == Ev::Bye).unwrap();
    assert_eq!((bye.reason.as_deref(), bye.back_in), (Some("leave"), None));
    assert_eq!(client.ended(PATIENCE), Some(Ok(())));
}

#[test]
fn the_end_of_the_program_is_a_goodbye_even_unasked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = listen(listener);
    let (client, stop) = start_client(port, Duration::from_millis(300), &Arc::default());
    heard.recv_timeout(PATIENCE).unwrap();
    stop.stop();
    assert!(heard.iter().any(|report| report.ev == Ev::Bye));
    assert_eq!(client.ended(PATIENCE), Some(Ok(())));
}
