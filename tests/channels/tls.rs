//! HTTPS to the end: real handshakes with good and bad certificates, by way of a proxy too, with the real binary.

#![cfg(feature = "tls")]

pub mod ends;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use ends::{Authority, Proxy, TlsServer, dripping_server, plain_server, silent_server};

use crate::common::daemon::{Daemon, command};
use crate::common::http::FakeHttp;
use crate::common::{SECRETS, TempDir, nobody, wait_for};

const OK: &str = "delivered";
const ISSUER: &str = "not now: 127.0.0.1: unknown issuer of the certificate; ca_file can name one";

/// `[alert.hook]` to `url`.
fn hook(url: &str, more: &str) -> String {
    format!("language = \"en\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{url}\"\ntimeout = 20\n{more}\n")
}

/// What `test` says of the channel, and all else it says.
fn tried(dir: &TempDir, config: &str, change: impl FnOnce(&mut Command)) -> (String, String) {
    let file = dir.join("test.toml");
    fs::write(&file, config).unwrap();
    let mut command = command();
    command.arg("--config").arg(&file).arg("test").stdin(Stdio::null());
    change(&mut command);
    let output = command.output().unwrap();
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let whole = [&*said, &*log].concat();
    for secret in SECRETS {
        assert!(!whole.contains(secret), "a secret is shown: {whole}");
    }
    let line = said.lines().find_map(|line| line.strip_prefix("hook: "));
    (line.unwrap_or_else(|| panic!("no line of the channel in {whole}")).to_owned(), whole)
}

fn change(command: &mut Command, variable: &str, value: impl AsRef<OsStr>) {
    command.env(variable, value);
}

fn said(dir: &TempDir, config: &str) -> String {
    tried(dir, config, |_| {}).0
}

/// A server with a good certificate, and a folder with `ca.pem`, the certificate of its authority.
fn trusted_server() -> (TempDir, TlsServer) {
    let authority = Authority::new();
    let dir = TempDir::new();
    fs::write(dir.join("ca.pem"), ["# a comment\n", &authority.pem()].concat()).unwrap();
    (dir, TlsServer::start(authority.good()))
}

#[test]
fn tls_1_2_and_1_3_with_an_authority_of_ones_own() {
    let dir = TempDir::new();
    let authority = Authority::new();
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for host in ["localhost", "127.0.0.1"] {
            let server = TlsServer::with(authority.good(), &[version], |stream| {
                drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n"));
            });
            let url = server.url(host, &format!("/{}", SECRETS[2]));
            assert_eq!(said(&dir, &hook(&url, "ca_file = \"ca.pem\"")), OK, "{version:?} {host}");
            let request = server.next();
            assert!(request.starts_with(&format!("POST /{} HTTP/1.1\r\n", SECRETS[2])), "{request}");
            assert!(request.contains("\"kind\":\"test\""), "{request}");
        }
    }
}

#[test]
fn the_environment_can_name_the_roots() {
    let (dir, server) = trusted_server();
    let config = hook(&server.url("127.0.0.1", "/"), "");
    let with = |file: &str| tried(&dir, &config, |command| change(command, "SSL_CERT_FILE", file));
    assert_eq!(with(dir.join("ca.pem").to_str().unwrap()).0, OK);
    assert_eq!(with("").0, ISSUER);
    fs::write(dir.join("empty.pem"), "nothing\n").unwrap();
    for file in ["no-such-file.pem", "empty.pem", ""] {
        assert_eq!(with(dir.join(file).to_str().unwrap()).0, ISSUER, "{file}: the usual roots are trusted instead");
    }
}

#[test]
fn what_is_wrong_with_the_other_end_is_said() {
    let dir = TempDir::new();
    let authority = Authority::with_names(&["127.0.0.1"]);
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    let server = |shown| TlsServer::start(shown).address;
    let answering = |script| TlsServer::with(authority.good(), rustls::ALL_VERSIONS, script).address;
    let here = &["127.0.0.1"][..];
    let cases: [(SocketAddr, &str); 12] = [
        (server(authority.good()), OK),
        (server(authority.sign(here, (2001, 2002))), "the certificate has expired; is the clock right?"),
        (server(authority.sign(here, (2089, 2090))), "the certificate is not valid yet; is the clock right?"),
        (server(authority.sign(&["example.com"], (2020, 2090))), "the certificate is for another name"),
        // Of the same name as the one in the file.
        (server(Authority::new().good()), ISSUER),
        (server(authority.itself()), "the certificate is not for a server; was it made with CA:FALSE?"),
        (plain_server(), "no TLS at the other end; is the port right?"),
        (silent_server(), "no answer in time"),
        (dripping_server(), "no answer in time"),
        (answering(|stream| drop(std::io::Read::read_to_end(stream, &mut Vec::new()))), "no answer in time"),
        (
            answering(|stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf"))),
            "the answer is not HTTP or broke off",
        ),
        (answering(|_| {}), "the answer is not HTTP or broke off"),
    ];
    for (address, want) in cases {
        let timeout = if want == "no answer in time" { "1" } else { "20" };
        let config = hook(&format!("https://{address}/"), "ca_file = \"ca.pem\"");
        let said = said(&dir, &config.replace("timeout = 20", &format!("timeout = {timeout}")));
        let want =
            if want.contains(": ") || want == OK { want.to_owned() } else { format!("not now: 127.0.0.1: {want}") };
        assert_eq!(said, want);
    }
}

/// An authority that is replaced takes effect with a reload; without a change of its file nothing is started anew.
#[test]
fn a_changed_ca_file_takes_effect_with_a_reload() {
    let (dir, server) = trusted_server();
    fs::rename(dir.join("ca.pem"), dir.join("good.pem")).unwrap();
    fs::write(dir.join("ca.pem"), Authority::new().pem()).unwrap();
    let config = format!(
        "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\n{}",
        SECRETS[0],
        hook(&server.url("127.0.0.1", "/"), "ca_file = \"ca.pem\"").replace("language = \"en\"\n", "")
    );
    // The file of the channel is all it trusts.
    let mut daemon =
        Daemon::start_with(dir.path(), &config, |command| change(command, "SSL_CERT_FILE", dir.join("good.pem")));
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    daemon.wait_line("unknown issuer of the certificate");
    let state = || daemon.status()["channels"][0].clone();
    let failing = wait_for("a channel in trouble", || Some(state()).filter(|state| state["state"] == "retrying"));
    assert_eq!(failing["queued"], 1, "{failing}");
    let answer = |daemon: &Daemon| String::from_utf8(daemon.ask(&["reload"]).stdout).unwrap();
    assert!(answer(&daemon).contains("nothing changed"));
    fs::write(dir.join("ca.pem"), "nothing\n").unwrap();
    let refused = daemon.ask(&["reload"]);
    let refused = [refused.stdout, refused.stderr].concat();
    let refused = String::from_utf8_lossy(&refused);
    assert!(refused.contains("it holds no certificate of an authority (PEM)"), "{refused}");
    fs::copy(dir.join("good.pem"), dir.join("ca.pem")).unwrap();
    assert!(answer(&daemon).contains("channel hook"));
    while !server.next().contains("\"kind\":\"offline\"") {}
    wait_for("an empty queue", || (daemon.status()["channels"][0]["queued"] == 0).then_some(()));
    assert!(daemon.stop().success());
}

/// Its roots are read once, at the first connection, and what is wrong with the file is said.
#[test]
fn the_daemon_says_what_is_wrong_with_the_roots_of_the_environment() {
    let (dir, server) = trusted_server();
    let start = "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"\"\n";
    let config = [start, &hook(&server.url("127.0.0.1", "/"), "").replace("language = \"en\"\n", "")].concat();
    for (file, why) in [
        ("missing.pem", "No such file"),
        ("config.toml", "it holds no certificate of an authority (PEM)"),
        ("state", "it is no file"),
    ] {
        // Each in a folder of its own: what the last one left would be tried, and complained of, before this is ready.
        let home = TempDir::new();
        let file = home.join(file);
        let mut daemon = Daemon::start_with(home.path(), &config, |command| change(command, "SSL_CERT_FILE", &file));
        daemon.ready();
        assert!(daemon.ask(&["simulate", "offline"]).status.success());
        daemon.wait_line(&format!("SSL_CERT_FILE: {}: {why}", file.display()));
        daemon.wait_line("unknown issuer of the certificate");
    }
    let file = dir.join("ca.pem");
    let mut daemon = Daemon::start_with(dir.path(), &config, |command| change(command, "SSL_CERT_FILE", &file));
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    while !server.next().contains("\"kind\":\"offline\"") {}
    assert!(daemon.stop().success());
}

#[test]
fn by_way_of_a_proxy() {
    let (dir, server) = trusted_server();
    let (open, closed) = (Proxy::start(None), Proxy::start(Some(&format!("me:{}/@", SECRETS[1]))));
    let nowhere = nobody();
    let https = server.url("localhost", "/");
    let http = FakeHttp::feishu();
    let by = |proxy: &str, url: &str| {
        let config = hook(url, &format!("ca_file = \"ca.pem\"\nproxy = \"{proxy}\""));
        // In the environment stands one that leads nowhere.
        tried(&dir, &config, |command| change(command, "ALL_PROXY", format!("http://{nowhere}")))
    };
    for url in [&https, &http.url("/")] {
        assert_eq!(by(&format!("http://{}", open.address), url).0, OK);
        assert_eq!(by(&format!("http://me:{}%2F%40@{}/", SECRETS[1], closed.address), url).0, OK);
        for none in ["", "none"] {
            assert_eq!(by(none, url).0, OK);
        }
    }
    let refused = "refused until somebody mends it: localhost: the proxy refuses user and password";
    for login in ["", "me@", "me:wrong@"] {
        let (said, whole) = by(&format!("http://{login}{}", closed.address), &https);
        assert_eq!(said, refused);
        assert!(!whole.contains("wrong"), "{whole}");
    }
    let (said, _) = by(&format!("http://{}", open.address), &format!("https://{nowhere}/"));
    assert_eq!(said, "not now: 127.0.0.1: the proxy does not let through");
    assert_eq!(by(&format!("http://{nowhere}"), &https).0, "not now: localhost: the proxy cannot be reached");
    let (said, _) = tried(&dir, &hook(&https, "ca_file = \"ca.pem\""), |command| {
        command.env("HTTPS_PROXY", format!("http://{}", open.address));
    });
    assert_eq!(said, OK, "without the key that of the environment applies");
    let heads = open.heads();
    assert_eq!(heads.iter().filter(|head| head.starts_with("CONNECT localhost:")).count(), 2, "{heads:#?}");
    assert!(heads.iter().all(|head| !head.contains("Proxy-Authorization")), "{heads:#?}");
}

#[test]
fn keys_that_cannot_be() {
    let dir = TempDir::new();
    fs::write(dir.join("empty.pem"), "").unwrap();
    for (keys, want) in [
        ("proxy = \"socks5://127.0.0.1:1080\"", "alert.hook.proxy: SOCKS is not spoken"),
        ("proxy = \"proxy.lan:3128\"", "alert.hook.proxy: must be http://host:port"),
        ("ca_file = \"empty.pem\"", "it holds no certificate of an authority (PEM)"),
        ("ca_file = \"missing.pem\"", "No such file"),
        ("ca_file = \"/dev/zero\"", "it is no file"),
        ("ca_file = 5", "alert.hook.ca_file: must be text in quotes"),
    ] {
        let file = dir.join("test.toml");
        fs::write(&file, hook("https://localhost/", keys)).unwrap();
        let output = command().arg("--config").arg(&file).arg("check").output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code() == Some(78) && text.contains(want), "{keys}: {text}");
    }
    for kind in ["log", "command"] {
        for key in ["proxy = \"\"", "ca_file = \"empty.pem\""] {
            let file = dir.join("test.toml");
            fs::write(&file, format!("[alert.{kind}]\nargv = [\"true\"]\n{key}\n")).unwrap();
            let output = command().arg("--config").arg(&file).arg("check").output().unwrap();
            assert!(String::from_utf8_lossy(&output.stderr).contains("unknown key"), "{kind} {key}: {output:?}");
        }
    }
}

/// With everything in the log that there is, over HTTP and HTTPS, by a proxy that wants a password.
#[test]
fn no_secret_is_shown_at_any_level() {
    let (dir, server) = trusted_server();
    let http = FakeHttp::feishu();
    let proxy = Proxy::start(Some(&format!("me:{}", SECRETS[1])));
    let way = format!("proxy = \"http://me:{}@{}\"", SECRETS[1], proxy.address);
    let (token, path) = (format!("headers.Authorization = \"Bearer {}\"", SECRETS[0]), format!("/{}", SECRETS[2]));
    let channel = |name: &str, url: &str, more: &str| {
        format!("[alert.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\n{token}\n{more}\n")
    };
    let bot =
        format!("[alert.bot]\nkind = \"feishu\"\nwebhook = \"{}\"\nsecret = \"{}\"\n", http.url(&path), SECRETS[1]);
    let config = [
        format!(
            "name = \"vps\"\nlog = \"trace\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\n",
            SECRETS[0]
        ),
        channel("hook", &server.url("localhost", &path), "ca_file = \"ca.pem\""),
        channel("by", &server.url("localhost", &path), &["ca_file = \"ca.pem\"\n", &way].concat()),
        channel("plain", &http.url(&path), ""),
        channel("plain-by", &http.url(&path), &way),
        channel("unknown", &server.url("localhost", &path), ""),
        channel("closed", &format!("https://127.0.0.1:1{path}"), &way),
        bot,
    ];
    let basic = |text: &str| {
        // The same in base64, as it goes to the proxy.
        for sight in ["Authorization: ", "bWU6cGxhbn", "authorization: ", "CONNECT "] {
            assert!(!text.contains(sight), "{sight} in {text}");
        }
    };
    for filter in ["trace", "warn,ureq=trace,ureq_proto=trace,rustls=trace,interrupt_callback=trace"] {
        let (said, whole) = tried(&dir, &config.concat(), |command| change(command, "RUST_LOG", filter));
        assert_eq!(said, OK, "{whole}");
        assert_eq!(whole.matches(": delivered").count(), 5, "{whole}");
        basic(&whole);
    }
    let mut daemon = Daemon::start_with(dir.path(), &config.concat(), |command| change(command, "RUST_LOG", "trace"));
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    wait_for("all that can be told", || {
        let status = daemon.status();
        let queued = status["channels"].as_array().unwrap().iter().filter(|channel| channel["queued"] != 0).count();
        (queued == 2).then_some(())
    });
    assert!(daemon.stop().success());
    basic(&daemon.output());
}
