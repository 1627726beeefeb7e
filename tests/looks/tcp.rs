//! Ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use interrupt_callback::probe::look::{Tools, look};
use interrupt_callback::probe::what::What;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::Stop;

use super::{LONG, SHORT, seen};
use crate::common::nobody;

fn tcp(address: SocketAddr) -> What {
    What::Tcp { host: address.ip().to_string(), port: address.port() }
}

/// A listener whose backlog is full: connections to it hang. The streams keep it so.
fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 1000, "the backlog never fills");
    }
    (listener, held)
}

#[test]
fn an_open_port_is_good_though_it_says_nothing() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            println!("SKIPPED: no {address} here");
            continue;
        };
        let outcome = seen(&tcp(listener.local_addr().unwrap()), LONG);
        assert_eq!((outcome.good, outcome.detail.as_str()), (Some(true), ""));
    }
}

#[test]
fn a_closed_port_is_bad() {
    let outcome = seen(&tcp(nobody()), LONG);
    assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), "Connection refused (os error 111)"));
}

#[test]
fn one_that_takes_no_connection_ends_at_the_deadline() {
    let (listener, _held) = black_hole();
    let outcome = seen(&tcp(listener.local_addr().unwrap()), SHORT);
    assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), "no answer in time"));
    assert!(outcome.took >= SHORT - Duration::from_millis(10), "{outcome:?}");
}

#[test]
fn a_name_without_address_is_bad() {
    let resolver = Arc::new(Resolver::asking(|_| Err(io::ErrorKind::NotFound.into())));
    let what = What::Tcp { host: "nowhere.example".to_owned(), port: 1 };
    let outcome = look(&what, &Tools { resolver, stop: Stop::default() }, LONG);
    assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), "the name does not resolve"));
}

#[test]
fn every_address_of_a_name_is_tried() {
    fn both(_: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into(), Ipv4Addr::LOCALHOST.into()])
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let what = What::Tcp { host: "some.example".to_owned(), port };
    let tools = || Tools { resolver: Arc::new(Resolver::asking(both)), stop: Stop::default() };
    assert_eq!(look(&what, &tools(), LONG).good, Some(true));
    let what = What::Tcp { host: "some.example".to_owned(), port: nobody().port() };
    let outcome = look(&what, &tools(), LONG);
    assert_eq!(outcome.good, Some(false));
    assert_eq!(outcome.detail, "127.0.0.1: Connection refused (os error 111)", "which one it was");
}
