//! Heartbeats by curl.

use std::net::SocketAddr;

use crate::common::ask::ask;
use crate::common::daemon::Daemon;
use crate::common::http::FakeHttp;
use crate::common::{SECRETS, TempDir, wait_for};
use crate::{channel, hook, is, reload, settled, standing, told, wait_state};

const TOKEN: &str = SECRETS[0];

fn config(hook: &FakeHttp, times: &str) -> String {
    format!(
        "name = \"web\"\n{}[http]\nlisten = \"127.0.0.1:0\"\n[[http.ping]]\nname = \"backup\"\ntoken = \"{TOKEN}\"\n{times}\n",
        channel(hook)
    )
}

const DAILY: &str = "period = \"1d\"";

/// Pings with curl's usual headers.
fn ping(web: SocketAddr, method: &str, more: &str, body: &str) -> u16 {
    let headers = [("User-Agent", "curl/8.5.0"), ("Accept", "*/*")];
    let reply = ask(web, method, &format!("/ping/{TOKEN}{more}"), &headers, body.as_bytes());
    assert!(!reply.text().contains(TOKEN), "{reply:?}");
    if reply.status == 200 && method != "HEAD" {
        assert_eq!(reply.text(), "OK\n");
    }
    reply.status
}

#[test]
fn well_begun_failed_and_well_again() {
    let (dir, hook) = (TempDir::new(), hook());
    let mut daemon = Daemon::start(dir.path(), &config(&hook, DAILY));
    let web = daemon.ready_web();
    assert_eq!(standing(&daemon, "backup").unwrap()["state"], "unknown");
    for (method, more, status) in [
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("POST", "/0", 200),
        ("GET", "/start", 200),
        ("GET", "/256", 404),
        ("GET", "/../..", 404),
        ("GET", "x", 404),
        ("DELETE", "", 405),
    ] {
        assert_eq!(ping(web, method, more, ""), status, "{method} {more}");
    }
    assert_eq!(wait_state(&daemon, "backup", "up")["detail"], "runs");
    let body = ["no space left\r\n\u{1b}[31m", &"x".repeat(3000)].concat();
    assert_eq!(ping(web, "POST", "/3", &body), 200);
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert_eq!((&down["kind"], &down["facts"]["exit_code"]), (&"probe.down".into(), &3.into()));
    let said = down["facts"]["output"].as_str().unwrap();
    assert!(said.starts_with("no space left ") && said.len() <= 1024 && !said.contains('\u{1b}'), "{said}");
    assert_eq!(ping(web, "GET", "/fail", ""), 200);
    // The restart knows that it was told.
    settled(dir.path());
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config(&hook, DAILY));
    let web = daemon.ready_web();
    assert_eq!(standing(&daemon, "backup").unwrap()["state"], "down");
    assert_eq!(ping(web, "POST", "", "all 12 files"), 200);
    let up = hook.posts(2).remove(1).json();
    assert_eq!((&up["kind"], &up["incident"]), (&"probe.up".into(), &down["incident"]));
    assert_eq!(wait_state(&daemon, "backup", "up")["detail"], "all 12 files");
    // What was not saved yet is saved at the end.
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config(&hook, DAILY));
    daemon.ready_web();
    assert_eq!(standing(&daemon, "backup").unwrap()["state"], "up");
    assert!(is(&told(&hook), &[("probe.down", "backup"), ("probe.up", "backup")]), "{:?}", told(&hook));
}

#[test]
fn missed_and_dropped() {
    let (dir, hook) = (TempDir::new(), hook());
    let mut daemon = Daemon::start(dir.path(), &config(&hook, "period = 1\ngrace = 1"));
    let web = daemon.ready_web();
    assert_eq!(ping(web, "GET", "", ""), 200);
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert_eq!(down["facts"]["reason"], "no ping came in time");
    assert_eq!(ping(web, "GET", "", ""), 200);
    hook.posts(3);
    assert_eq!(told(&hook)[2].0, "probe.down", "and missed again");
    reload(&daemon, dir.path(), &config(&hook, DAILY).replace(TOKEN, "another-token-0123456789"));
    assert_eq!(ping(web, "GET", "", ""), 404, "the old token");
    assert_eq!(wait_for("it", || standing(&daemon, "backup"))["state"], "down");
}

#[test]
fn who_guesses_is_held_back_and_no_token_is_logged() {
    let (dir, hook) = (TempDir::new(), hook());
    let mut daemon = Daemon::start(dir.path(), &config(&hook, DAILY));
    let web = daemon.ready_web();
    let mut last = 0;
    for n in 0..40 {
        last = ask(web, "GET", &format!("/ping/guess-{n}"), &[], b"").status;
    }
    assert_eq!(last, 429);
    let output = daemon.output();
    assert!(!output.contains("guess-") && output.matches("wrong token").count() == 1, "{output}");
    assert_eq!(standing(&daemon, "backup").unwrap()["state"], "unknown");
}
