//! Addresses that answer over HTTPS.

use std::fs;
use std::io::Write;

use super::{LONG, SHORT, judged};
use crate::channels::tls::ends::{Authority, Proxy, TlsServer, dripping_server, plain_server, silent_server};
use crate::common::TempDir;

const WRONG_NAME: &str = "the certificate is for another name";

fn ca(dir: &TempDir, authority: &Authority) -> String {
    let path = dir.join("ca.pem");
    fs::write(&path, authority.pem()).unwrap();
    format!("ca_file = \"{}\"\n", path.display())
}

#[test]
fn certificates_are_judged() {
    let dir = TempDir::new();
    let authority = Authority::new();
    let ca = ca(&dir, &authority);
    let names = ["localhost", "127.0.0.1"];
    let issuer = "unknown issuer of the certificate; ca_file can name one";
    let expired = "the certificate has expired; is the clock right?";
    for (shown, trusted, untrusted, insecure) in [
        (authority.good(), (Some(true), ""), issuer, true),
        (authority.sign(&["other.example"], (2020, 2090)), (Some(false), WRONG_NAME), issuer, true),
        (authority.sign(&names, (2020, 2021)), (Some(false), expired), issuer, true),
    ] {
        let server = TlsServer::start(shown);
        let lines = format!("http = \"{}\"\n", server.url("localhost", "/planted-hook-token"));
        let (good, why) = judged(&[lines.as_str(), &ca].concat(), LONG);
        assert_eq!((good, why.as_str()), trusted);
        let (good, why) = judged(&lines, LONG);
        assert_eq!(good, Some(false));
        assert!(why == untrusted || why == expired || why == WRONG_NAME, "{why}");
        let (good, why) = judged(&[lines.as_str(), "insecure = true\n"].concat(), LONG);
        assert_eq!((good, why.as_str()), (Some(insecure), ""));
    }
}

#[test]
fn insecure_speaks_both_versions_and_ends_with_its_probe() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::with(Authority::new().good(), &[version], |stream| {
            drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"));
        });
        let lines = format!("http = \"{}\"\n", server.url("127.0.0.1", "/"));
        assert_eq!(judged(&[lines.as_str(), "insecure = true\n"].concat(), LONG), (Some(true), String::new()));
        assert_eq!(judged(&lines, LONG).0, Some(false), "the next one verifies");
    }
}

#[test]
fn days_that_are_left_are_counted() {
    let dir = TempDir::new();
    let authority = Authority::new();
    let ca = ca(&dir, &authority);
    let names = ["localhost"];
    let server = TlsServer::start(authority.sign(&names, (2020, 2090)));
    let lines = format!("http = \"{}\"\n{ca}", server.url("localhost", "/"));
    assert_eq!(judged(&[lines.as_str(), "cert_days = 3650\n"].concat(), LONG), (Some(true), String::new()));
    let old = TlsServer::start(authority.sign(&names, (2020, 2021)));
    let lines = format!("http = \"{}\"\ninsecure = true\ncert_days = 1\n", old.url("localhost", "/"));
    let why = "the certificate has expired; is the clock right?";
    assert_eq!(judged(&lines, LONG), (Some(false), why.to_owned()), "insecure or not");
}

#[test]
fn one_that_misbehaves_ends_at_the_deadline() {
    for (address, want) in [
        (silent_server(), "no answer in time"),
        (dripping_server(), "no answer in time"),
        (plain_server(), "no TLS at the other end; is the port right?"),
    ] {
        let (good, why) = judged(&format!("http = \"https://{address}\"\n"), SHORT);
        assert_eq!((good, why.as_str()), (Some(false), want));
    }
}

#[test]
fn a_proxy_of_its_own_is_used() {
    let dir = TempDir::new();
    let authority = Authority::new();
    let server = TlsServer::start(authority.good());
    let proxy = Proxy::start(None);
    let url = server.url("localhost", "/");
    let lines = format!("http = \"{url}\"\nproxy = \"http://{}\"\n{}", proxy.address, ca(&dir, &authority));
    assert_eq!(judged(&lines, LONG), (Some(true), String::new()));
    assert!(proxy.heads()[0].starts_with("CONNECT localhost:"), "{:?}", proxy.heads());
}
