//! The poll loop against fake metadata services.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::fake::{Fake, PATIENCE, answer, drip, until_closed};
use interrupt_callback::alert::Parcel;
use interrupt_callback::alert::pending::{After, Change};
use interrupt_callback::clock;
use interrupt_callback::config::plan::{Cloud, SpotPlan};
use interrupt_callback::event::{Fact, Field, Kind};
use interrupt_callback::keepalive::carry::Carry;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::board::{Board, State};
use interrupt_callback::run::threads::{Bell, HTTP_STACK, Stop, lock, spawn};
use interrupt_callback::spot::tracker::{SpotState, standing};
use interrupt_callback::spot::{SpotContext, SpotStatus, Way, run};

const TERMINATION: &str = "/latest/meta-data/instance/spot/termination-time ";
const TIME: &str = "2099-05-01T18:02:00Z";
const DOCUMENT: &str = r#"{"instance-id":"i-abc","zone-id":"cn-hangzhou-b","region-id":"cn-hangzhou",
    "private-ipv4":"10.0.0.7","instance-type":"ecs.g6.large"}"#;

/// A running poll loop.
struct Running {
    board: Arc<Board>,
    desk: Receiver<Parcel>,
    carry: Arc<Carry>,
    bell: Bell,
    status: Arc<Mutex<SpotStatus>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(cloud: Cloud, endpoint: Option<String>, saved: Option<String>, resolver: Resolver) -> Running {
        Running::beside(&Arc::default(), cloud, endpoint, saved, resolver)
    }

    /// The same beside others that have seats.
    fn beside(
        seat: &Arc<()>,
        cloud: Cloud,
        endpoint: Option<String>,
        saved: Option<String>,
        resolver: Resolver,
    ) -> Running {
        let (desk, bell) = sync_channel(8);
        let carry = Arc::new(Carry::default());
        let board = Arc::new(Board::new(State::default(), desk));
        let status = Arc::new(Mutex::new(SpotStatus::new(cloud)));
        let stop = Stop::default();
        let context = SpotContext {
            plan: SpotPlan { interval: Duration::from_millis(100), endpoint, ..SpotPlan::new(cloud) },
            subject: "ikun101@spot".to_owned(),
            resolver: Arc::new(resolver),
            status: Arc::clone(&status),
            // What was saved by an earlier run was delivered by it, in these tests.
            delivered: saved.as_deref().map(standing).unwrap_or_default(),
            seat: Arc::clone(seat),
            way: Way {
                told_by_us: true,
                board: Arc::clone(&board),
                carrier: Arc::clone(&carry),
                saved: Arc::new(Mutex::new(saved)),
                stop: stop.clone(),
            },
        };
        let ring = carry.subscribe();
        let thread = Some(spawn("spot", HTTP_STACK, move || run(context)).unwrap());
        Running { board, desk: bell, carry, bell: ring, status, stop, thread }
    }

    fn ali(fake: &Fake) -> Running {
        Running::start(Cloud::AliCloud, Some(fake.base()), None, Resolver::default())
    }

    /// The next change, waited for.
    fn change(&self) -> Change {
        self.desk.recv_timeout(PATIENCE).unwrap();
        let [change] = self.board.lock().pending.take(9).try_into().unwrap();
        change
    }

    /// The one event that is carried, waited for.
    fn carried(&self) -> (Kind, bool, bool) {
        assert!(self.bell.wait(PATIENCE));
        let [notice] = self.carry.snapshot(&clock::now()).try_into().unwrap();
        (notice.kind, notice.told, notice.delivered)
    }

    fn has_told(&self) -> bool {
        !self.board.lock().pending.is_empty()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

/// A service in which only `termination` is worth a test.
fn service(mut termination: impl FnMut(&str, &mut TcpStream) + Send + 'static) -> Fake {
    Fake::start(move |head, stream| {
        if head.contains(TERMINATION) {
            termination(head, stream);
        } else if head.contains("/dynamic/instance-identity/document ") {
            answer(stream, 200, DOCUMENT);
        } else {
            answer(stream, 404, "");
        }
    })
}

/// Waits until `n` requests with `text` were made.
fn requests(fake: &Fake, text: &str, n: usize) {
    for _ in 0..n {
        while !fake.requests.recv_timeout(PATIENCE).unwrap().contains(text) {}
    }
}

#[test]
fn from_404_to_a_time() {
    let mut polls = 0;
    let fake = service(move |_, stream| {
        polls += 1;
        if polls <= 3 { answer(stream, 404, "") } else { answer(stream, 200, TIME) }
    });
    let running = Running::ali(&fake);
    let change = running.change();
    let event = change.event.unwrap();
    let before = fake.requests.try_iter().filter(|head| head.contains(TERMINATION)).count();
    assert!(before >= 4, "told by the poll that saw it");
    assert_eq!((event.kind, event.subject.as_str()), (Kind::Interrupt, "ikun101@spot"));
    for (field, text) in [(Field::Instance, "i-abc"), (Field::Address, "10.0.0.7"), (Field::Action, "release")] {
        assert_eq!(event.fact(field), Some(&Fact::Text(text.to_owned())));
    }
    assert_eq!(running.carried(), (Kind::Interrupt, true, false));
    requests(&fake, TERMINATION, 5);
    assert!(!running.has_told(), "told once");
    let status = lock(&running.status).clone();
    assert_eq!(status.identity, "i-abc (cn-hangzhou-b, ecs.g6.large, 10.0.0.7)");
    assert!(matches!(status.state, SpotState::Notice { until: Some(_), .. }) && status.last_good.is_some());
    drop(running);

    // Again after a restart: it goes to the heartbeat servers and to nobody else.
    let After::Small { name, json } = change.after else { unreachable!() };
    assert_eq!(name, "spot");
    let running = Running::start(Cloud::AliCloud, Some(fake.base()), Some(json), Resolver::default());
    while running.carried() != (Kind::Interrupt, true, true) {}
    while fake.requests.try_recv().is_ok() {}
    requests(&fake, TERMINATION, 5);
    assert!(!running.has_told());
}

#[test]
fn a_third_loop_waits_until_one_of_the_others_has_ended() {
    let fake = service(|_, stream| answer(stream, 404, ""));
    let seat = Arc::default();
    let others = (Arc::clone(&seat), Arc::clone(&seat));
    let start = || Running::beside(&seat, Cloud::AliCloud, Some(fake.base()), None, Resolver::default());
    drop(start());
    assert_eq!(fake.requests.try_iter().count(), 0, "stopped before it had a seat");
    let waiting = start();
    drop(others.0);
    requests(&fake, TERMINATION, 2);
    drop(waiting);
}

#[test]
fn hardened_mode() {
    let mut tokens = 0;
    let mut asked = 0;
    let fake = Fake::start(move |head, stream| {
        let lower = head.to_lowercase();
        let held = lower.contains(&format!("x-aliyun-ecs-metadata-token: token{tokens}\r\n"));
        if head.starts_with("PUT /latest/api/token ") {
            tokens += 1;
            let asks_well = lower.contains("x-aliyun-ecs-metadata-token-ttl-seconds: 21600\r\n")
                && lower.contains("content-length: 0\r\n")
                && !lower.contains("x-forwarded-for");
            if asks_well { answer(stream, 200, &format!("token{tokens}\n")) } else { answer(stream, 400, "") }
        } else if !held {
            answer(stream, 401, "");
        } else if head.contains(TERMINATION) {
            asked += 1;
            match asked {
                1..=3 => answer(stream, 404, ""),
                // The token is revoked; the client has to get another one.
                4 => {
                    tokens += 1;
                    answer(stream, 403, "");
                }
                _ => answer(stream, 200, TIME),
            }
        } else {
            answer(stream, 200, DOCUMENT);
        }
    });
    let running = Running::ali(&fake);
    assert_eq!(running.change().event.unwrap().kind, Kind::Interrupt);
    let seen: Vec<String> = fake.requests.try_iter().collect();
    let puts = seen.iter().filter(|head| head.starts_with("PUT")).count();
    assert_eq!(puts, 2, "{seen:?}");
}

#[test]
fn a_refused_token_is_asked_for_once_a_poll() {
    let fake = Fake::start(|head, stream| answer(stream, if head.starts_with("PUT") { 200 } else { 403 }, "abc"));
    let running = Running::ali(&fake);
    requests(&fake, TERMINATION, 1);
    let mut seen = Vec::new();
    while seen.iter().filter(|head: &&String| head.contains(TERMINATION)).count() < 10 {
        seen.push(fake.requests.recv_timeout(PATIENCE).unwrap());
    }
    assert!(seen.windows(2).all(|two| !two.iter().all(|head| head.starts_with("PUT"))), "{seen:?}");
    assert_eq!((running.has_told(), lock(&running.status).last_good), (false, None));
}

#[test]
fn answers_that_are_no_notice() {
    let elsewhere = Fake::start(|_, stream| answer(stream, 200, TIME));
    let location = elsewhere.url("/");
    type Script = Box<dyn FnMut(&str, &mut TcpStream) + Send>;
    let scripts: Vec<(&str, usize, Script)> = vec![
        ("HTML", 4, Box::new(|_, s| answer(s, 200, &format!("<html>{TIME}</html>")))),
        ("a word", 4, Box::new(|_, s| answer(s, 200, "none"))),
        ("nothing", 4, Box::new(|_, s| answer(s, 200, ""))),
        ("500", 4, Box::new(|_, s| answer(s, 500, TIME))),
        (
            "a redirect",
            4,
            Box::new(move |_, s| {
                drop(write!(s, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
            }),
        ),
        ("a hang", 2, Box::new(|_, s| until_closed(s))),
        (
            "a slow body",
            2,
            Box::new(|_, s| {
                drop(s.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"));
                drip(s, b"2", Duration::from_millis(300));
            }),
        ),
        ("1 MiB", 4, Box::new(|_, s| answer(s, 200, &format!("{TIME}{}", " ".repeat(1024 * 1024))))),
        ("a cut body", 4, Box::new(|_, s| drop(write!(s, "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{TIME}")))),
    ];
    // All at once: some take their time.
    let start = |(name, polls, script)| {
        let fake = service(script);
        (name, polls, Running::ali(&fake), fake)
    };
    for (name, polls, running, fake) in scripts.into_iter().map(start).collect::<Vec<_>>() {
        requests(&fake, TERMINATION, polls);
        assert!(!running.has_told(), "{name}");
        let status = lock(&running.status).clone();
        assert_eq!((status.last_good, status.state), (None, SpotState::Starting), "{name}");
        assert!(status.identity.starts_with("i-abc"), "{name}");
    }
    assert_eq!(elsewhere.requests.try_iter().count(), 0, "redirects are not followed");
}

#[test]
fn quiet_at_another_cloud_is_not_good() {
    let fake = Fake::start(|_, stream| answer(stream, 404, ""));
    let running = Running::ali(&fake);
    requests(&fake, TERMINATION, 5);
    let status = lock(&running.status).clone();
    assert_eq!((status.last_good, status.state, running.has_told()), (None, SpotState::Starting, false));
}

#[test]
fn tencent_without_tokens() {
    let fake = Fake::start(|head, stream| match head.split(' ').nth(1).unwrap() {
        "/latest/meta-data/instance-id" => answer(stream, 200, "ins-a1b2c3d4"),
        "/latest/meta-data/spot/termination-time" => answer(stream, 200, "2099-05-02 02:02:00"),
        _ => answer(stream, 404, "not found"),
    });
    let running = Running::start(Cloud::TencentCloud, Some(fake.base()), None, Resolver::default());
    let event = running.change().event.unwrap();
    let Some(Fact::Time(deadline)) = event.fact(Field::Deadline) else { unreachable!() };
    assert_eq!(deadline.wall.secs(), 4_081_341_720, "2099-05-01T18:02:00Z");
    assert_eq!(event.fact(Field::Instance), Some(&Fact::Text("ins-a1b2c3d4".to_owned())));
    assert!(fake.requests.try_iter().all(|head| head.starts_with("GET ")));
}

#[test]
fn a_name_that_does_not_resolve_is_not_quiet() {
    static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    fn ask(host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        lock(&ASKED).push(host.to_owned());
        Err(std::io::ErrorKind::NotFound.into())
    }
    let running = Running::start(Cloud::TencentCloud, None, None, Resolver::asking(ask));
    // A failure is remembered for two seconds, so a second look-up means that polls went on.
    let end = interrupt_callback::clock::tick() + PATIENCE;
    while lock(&ASKED).len() < 2 && interrupt_callback::clock::tick() < end {
        assert!(!running.stop.wait(Duration::from_millis(20)));
    }
    assert!(lock(&ASKED).iter().all(|host| host == "metadata.tencentyun.com") && lock(&ASKED).len() >= 2);
    assert_eq!((running.has_told(), lock(&running.status).last_good), (false, None));
}
