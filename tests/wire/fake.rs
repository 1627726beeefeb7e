//! Servers and clients to test with.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use interrupt_callback::clock::{self};
use interrupt_callback::config::plan::{Auth, ClientPlan, ServerPlan, UserPlan};
use interrupt_callback::keepalive::answer::{Hear, Outcome, Side};
use interrupt_callback::keepalive::ask::{Answered, BeatError, Target};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::heard::{Granted, Heard, Note, Refusal};
use interrupt_callback::keepalive::uri::Uri;
use interrupt_callback::run::threads::{SMALL_STACK, spawn};
use interrupt_callback::secret::Secret;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn plan(auth: Auth) -> ServerPlan {
    let user = |name: &str, host: Option<&str>| UserPlan {
        name: name.into(),
        key: Secret::new(format!("new key of {name}")),
        old_key: Some(Secret::new(format!("old key of {name}"))),
        host: host.map(str::to_owned),
    };
    ServerPlan {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        key: Secret::new("hello"),
        num: 4,
        grace: Duration::from_secs(5),
        period: Duration::from_secs(30),
        auth,
        tell_stopped: false,
        forget: Duration::from_secs(30 * 86_400),
        users: vec![user("nas", Some("nas@home")), user("web", None)],
        old_key: None,
        hold: Duration::ZERO,
        remind: None,
        expect: Vec::new(),
        windows: Vec::new(),
    }
}

/// What a test server heard, and what it says to it.
#[derive(Debug)]
pub struct Ear {
    pub heard: Vec<(String, String, u8, Report)>,
    pub refused: Vec<String>,
    verdict: Result<Granted, Refusal>,
}

impl Hear for Ear {
    fn hear(&mut self, heard: &Heard<'_>) -> Result<Granted, Refusal> {
        self.heard.push((heard.user.into(), heard.name.into(), heard.protocol, heard.report.clone()));
        self.verdict
    }

    fn refused(&mut self, user: &str, name: &str, bound: Option<&str>) {
        self.refused.push(format!("{user} {name} {}", bound.unwrap_or("-")));
    }
}

/// A server of one exchange at a time, and what comes of each.
pub struct Fake {
    pub at: SocketAddr,
    pub results: Receiver<(std::io::Result<Outcome>, Ear)>,
}

impl Fake {
    pub fn start(auth: Auth, verdict: Result<Granted, Refusal>) -> Fake {
        let side = Side::new(&plan(auth), &Secret::new("hell%6F"), "vps@tokyo").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (tell, results) = sync_channel(64);
        spawn("fake", SMALL_STACK, move || {
            while let Ok((socket, from)) = listener.accept() {
                let mut ear = Ear { heard: Vec::new(), refused: Vec::new(), verdict };
                let result = side.exchange(&socket, from, &mut ear);
                drop(socket);
                if tell.send((result, ear)).is_err() {
                    return;
                }
            }
        })
        .unwrap();
        Fake { at, results }
    }

    pub fn dial(&self) -> TcpStream {
        let socket = TcpStream::connect_timeout(&self.at, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    pub fn result(&self) -> (std::io::Result<Outcome>, Ear) {
        self.results.recv_timeout(PATIENCE).unwrap()
    }
}

pub const GRANTED: Result<Granted, Refusal> =
    Ok(Granted { next: Duration::from_secs(30), lease: Duration::from_secs(120), note: Note::Nothing });

pub fn read_all(mut socket: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset after the answer is an end like any other.
    if let Err(e) = socket.read_to_end(&mut all) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);
    }
    all
}

pub fn read_line(mut socket: &TcpStream) -> Vec<u8> {
    let mut line = Vec::new();
    let mut byte = [0];
    while socket.read(&mut byte).unwrap() == 1 {
        if byte == *b"\n" {
            break;
        }
        line.push(byte[0]);
    }
    line
}

pub fn client_plan(user: &str, key: &str, protocol: u8) -> ClientPlan {
    ClientPlan {
        uri: Uri {
            user: user.into(),
            key: Secret::new(key),
            key_as_written: Secret::new(key),
            host: "127.0.0.1".into(),
            port: 0,
        },
        period: Duration::from_secs(30),
        protocol,
        server_name: None,
        back_in: Duration::from_secs(600),
    }
}

pub fn ask(plan: &ClientPlan, at: SocketAddr, name: &str) -> Result<Answered, BeatError> {
    let mut report = Report { seq: 5, run: "r".into(), ..Report::bare(Ev::Beat, plan.period) };
    Target::new(plan).ask(at, name, &mut report, clock::tick() + PATIENCE)
}
