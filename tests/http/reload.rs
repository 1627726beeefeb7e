//! What a reload changes, and what it does not.

use std::net::TcpListener;

use crate::common::ask::{Asker, get};
use crate::common::daemon::Daemon;
use crate::common::{TempDir, wait_for};

fn token(name: &str) -> String {
    format!("[[http.token]]\nname = \"{name}\"\ntoken = \"token-of-{name}-0123456789\"\nscopes = [\"read\"]\n")
}

fn write(dir: &TempDir, config: &str) {
    let file = dir.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let head: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, head + config).unwrap();
}

#[test]
fn tokens_and_addresses_follow_the_file() {
    let dir = TempDir::new();
    let http = |listen: &str| format!("name = \"n\"\n[http]\nlisten = [{listen}]\n");
    let mut daemon = Daemon::start(dir.path(), &(http("\"127.0.0.1:0\"") + &token("old")));
    let web = daemon.ready_web();
    let mut kept = Asker::new(web);
    let mut ask = |name: &str| {
        let bearer = format!("Bearer token-of-{name}-0123456789");
        kept.ask("GET", "/api/status", &[("Authorization", &bearer)], b"").status
    };
    assert_eq!((ask("old"), ask("new")), (200, 401));
    write(&dir, &(http("\"127.0.0.1:0\", \"127.0.0.2:0\"") + &token("new")));
    assert!(daemon.ask(&["reload"]).status.success());
    let line = daemon.wait_line("reloaded: ");
    assert!(line.contains("HTTP addresses; HTTP rules"), "{line}");
    // Over the same connection.
    assert_eq!((ask("old"), ask("new")), (401, 200));
    assert_eq!(get(web, "/healthz", "").status, 200);
    let output = daemon.output();
    let other = output.lines().find_map(|line| line.split_once("listening on 127.0.0.2:")).unwrap().1;
    let other = format!("127.0.0.2:{}", other.split(' ').next().unwrap()).parse().unwrap();
    let mut there = Asker::new(other);
    assert_eq!(there.ask("GET", "/healthz", &[], b"").status, 200);
    // One address goes, with its connections; the other one stays.
    write(&dir, &(http("\"127.0.0.1:0\"") + &token("new")));
    assert!(daemon.ask(&["reload"]).status.success());
    assert_eq!(ask("new"), 200);
    assert!(std::net::TcpStream::connect(other).is_err());
    there.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(there.reply("GET").is_none_or(|reply| reply.header("connection") == Some("close")));
    // All of it goes.
    write(&dir, "name = \"n\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"k\"\n");
    assert!(daemon.ask(&["reload"]).status.success());
    daemon.wait_line("HTTP gone");
    assert!(std::net::TcpStream::connect(web).is_err());
    assert!(daemon.stop().success());
}

#[test]
fn a_busy_port_is_tried_again() {
    let dir = TempDir::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = busy.local_addr().unwrap();
    let mut daemon = Daemon::start(dir.path(), &format!("[http]\nlisten = \"{web}\"\n"));
    let line = daemon.wait_line("ready: ");
    assert!(line.contains(&format!("HTTP at {web} (not yet)")), "{line}");
    let status = daemon.status();
    assert_eq!((&status["well"], &status["http"]["addresses"][0]), (&false.into(), &web.to_string().into()));
    assert!(status["http"]["problem"].as_str().is_some_and(|why| why.contains("in use")), "{status}");
    drop(busy);
    daemon.wait_line(&format!("listening on {web} for HTTP"));
    let table = String::from_utf8(daemon.ask(&["status"]).stdout).unwrap();
    assert!(table.contains(&format!("HTTP at {web}\n")) && !table.contains("problem"), "{table}");
    wait_for("an answer", || (get(web, "/healthz", "").status == 200).then_some(()));
    assert!(daemon.stop().success());
}
