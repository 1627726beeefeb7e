//! Heartbeats by curl.

use std::net::SocketAddr;

use super::{channel, hook, is, reload, settled, standing, told, wait_state};
use crate::common::ask::ask;
use crate::common::daemon::Daemon;
use crate::common::http::{Asked, FakeHttp};
use crate::common::trace::failing;
use crate::common::{SECRETS, TempDir, wait_for};

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

/// Kills the daemon as soon as it has answered, again and again: what it answered is told in the next run at the latest.
#[test]
fn what_is_answered_survives_a_kill() {
    let (dir, hook) = (TempDir::new(), hook());
    let mut config = config(&hook, DAILY);
    // Nothing but the state keeps this one: who is silenced is not told.
    config.push_str(&format!("[[http.ping]]\nname = \"quiet\"\ntoken = \"{}\"\n{DAILY}\n", SECRETS[2]));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready_web();
    assert!(daemon.ask(&["silence", "quiet"]).status.success());
    wait_for("the silence on disk", || dir.join("state/silences.json").exists().then_some(()));
    for round in 0..10 {
        daemon.kill();
        daemon = Daemon::start(dir.path(), &config);
        let web = daemon.ready_web();
        // Odd rounds end what even ones began.
        let (more, kind, state) = [("/fail", "probe.down", "down"), ("", "probe.up", "up")][round % 2];
        let quiet = format!("/ping/{}{more}", SECRETS[2]);
        assert_eq!(ask(web, "GET", &quiet, &[], b"").text(), "OK\n");
        daemon.kill();
        daemon = Daemon::start(dir.path(), &config);
        let web = daemon.ready_web();
        assert_eq!(standing(&daemon, "quiet").unwrap()["state"], state, "round {round}");
        assert_eq!(ping(web, "GET", more, ""), 200);
        daemon.kill();
        daemon = Daemon::start(dir.path(), &config);
        daemon.ready_web();
        assert_eq!(standing(&daemon, "backup").unwrap()["state"], state, "round {round}");
        let told = wait_for("it to be told", || {
            let mut ids: Vec<String> = Vec::new();
            for message in hook.asked().iter().map(Asked::json).filter(|message| message["kind"] == kind) {
                ids.push(message["id"].to_string());
            }
            ids.sort();
            let all = ids.len();
            ids.dedup();
            (ids.len() > round / 2).then_some((ids.len(), all))
        });
        // A kill after it was delivered and before that was noted.
        assert!(told.0 == round / 2 + 1 && told.1 <= 2 * told.0, "round {round}: {told:?}");
    }
    println!("{:?}", told(&hook));
}

#[test]
fn a_disk_that_takes_nothing_is_said_in_the_answer_and_the_failure_is_told() {
    let (dir, hook) = (TempDir::new(), hook());
    std::fs::write(dir.join("state"), "a file where a folder should be").unwrap();
    let mut daemon = Daemon::start(dir.path(), &config(&hook, DAILY));
    broken(&mut daemon, &hook);
}

#[test]
fn a_disk_that_is_full_or_hangs_is_said_in_the_answer_and_the_failure_is_told() {
    for fault in ["fsync:error=ENOSPC", "fsync:delay_enter=20000000"] {
        let (dir, hook) = (TempDir::new(), hook());
        let Some(mut daemon) = failing(dir.path(), &config(&hook, DAILY), fault) else { return };
        broken(&mut daemon, &hook);
    }
}

fn broken(daemon: &mut Daemon, hook: &FakeHttp) {
    let web = daemon.ready_web();
    for (more, kind) in [("/7", "probe.down"), ("", "probe.up")] {
        let reply = ask(web, "GET", &format!("/ping/{TOKEN}{more}"), &[], b"");
        assert!(reply.status == 200 && reply.text().starts_with("OK, but the disk"), "{reply:?}");
        hook.wait(1, |asked| asked.json()["kind"] == kind);
    }
    // Whoever tries again hears the same: what it repeats is not on disk yet.
    let reply = ask(web, "GET", &format!("/ping/{TOKEN}"), &[], b"");
    assert!(reply.status == 200 && reply.text().starts_with("OK, but the disk"), "{reply:?}");
}
