//! A crowd behind one address, far away. Alone in its process, since it takes a thousand threads.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir};
use interrupt_callback::clock::{self, Tick};
use interrupt_callback::config::plan::ClientPlan;
use interrupt_callback::keepalive::client::{self, Client, Me};
use interrupt_callback::keepalive::uri::Uri;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::{SMALL_STACK, Stop, spawn};
use interrupt_callback::secret::Secret;

const KEY: &str = SECRETS[0];
const PATIENCE: Duration = Duration::from_secs(20);

fn client_plan(port: u16, period: Duration) -> ClientPlan {
    ClientPlan {
        uri: Uri {
            user: "default".into(),
            key: Secret::new(KEY),
            key_as_written: Secret::new(KEY),
            host: "127.0.0.1".into(),
            port,
        },
        period,
        protocol: 2,
        server_name: None,
        back_in: Duration::from_secs(600),
    }
}

/// Copies `from` to `to`, half a round trip later.
fn relay(from: TcpStream, to: TcpStream) {
    let (send, later) = std::sync::mpsc::sync_channel::<(Tick, Vec<u8>)>(64);
    let writer = spawn("later", SMALL_STACK, move || {
        let (pause, mut to) = (Stop::default(), to);
        while let Ok((due, bytes)) = later.recv() {
            pause.wait(due.since(clock::tick()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut bytes) = (from, [0; 4096]);
    while let Ok(len) = from.read(&mut bytes)
        && len > 0
        && send.send((clock::tick() + HALF_TRIP, bytes[..len].to_vec())).is_ok()
    {}
    drop(send);
    drop(writer);
}

/// Half of a round trip of 1 s.
const HALF_TRIP: Duration = Duration::from_millis(500);

/// A long way to `server`: a connection takes a round trip, each way of a line half of one. The server takes a
/// connection when it is made, so that a place is held for the two round trips of the lines only.
fn long_way(server: SocketAddr) -> SocketAddr {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = proxy.local_addr().unwrap();
    spawn("proxy", SMALL_STACK, move || {
        while let Ok((near, _)) = proxy.accept() {
            let link = move || {
                Stop::default().wait(2 * HALF_TRIP);
                let Ok(far) = TcpStream::connect_timeout(&server, PATIENCE) else { return };
                for socket in [&near, &far] {
                    socket.set_nodelay(true).unwrap();
                }
                let (back, up) = ((far.try_clone().unwrap(), near.try_clone().unwrap()), (near, far));
                spawn("back", SMALL_STACK, move || relay(back.0, back.1)).unwrap();
                relay(up.0, up.1);
            };
            spawn("link", SMALL_STACK, link).unwrap();
        }
    })
    .unwrap();
    at
}

#[test]
fn a_crowd_a_second_away_from_one_address_is_heard_within_45_seconds() {
    let (dir, stop) = (TempDir::new(), Stop::default());
    let config = format!("name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n");
    let mut server = Daemon::start(dir.path(), &config);
    let way = long_way(server.ready());
    let (begin, carry, resolver) = (clock::tick(), Arc::default(), Arc::new(Resolver::default()));
    let plan = client_plan(way.port(), Duration::from_secs(30));
    let start = |n: usize| {
        let me = Arc::new(Me::new(&format!("host-{n}")).unwrap());
        client::start(n, &plan, &me, &carry, &resolver, &stop).unwrap()
    };
    let crowd: Vec<Client> = (0..200).map(start).collect();
    let started = clock::tick().since(begin);
    let mut heard = Vec::new();
    let (pause, deadline) = (Stop::default(), begin + Duration::from_secs(45));
    while heard.len() < crowd.len() {
        let count = crowd.iter().filter(|client| client.status().server.is_some()).count();
        heard.resize(count, clock::tick().since(begin));
        assert!(clock::tick() < deadline, "{count} of 200 within 45 s");
        pause.wait(Duration::from_millis(20));
    }
    let failures: u32 = crowd.iter().map(|client| client.status().failures).sum();
    println!("started in {started:?}; heard: half {:?}, all {:?}; {failures} failures", heard[99], heard[199]);
    assert_eq!(server.status()["hosts"].as_array().unwrap().len(), crowd.len());
    stop.stop();
}
