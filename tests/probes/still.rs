//! What is neither there nor gone for good: files that come and go, and a daemon that stands still.

use std::fs;
use std::time::Duration;

use interrupt_callback::clock::tick;

use super::{channel, hook, is, settled, standing, told, wait_state};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, FakeHttp};
use crate::common::{TempDir, wait_for};

#[test]
fn a_file_that_goes_and_comes_is_told_once_each_over_two_kills() {
    let (dir, hook) = (TempDir::new(), hook());
    let file = dir.join("backup.done");
    let config = format!(
        "name = \"web\"\n{}[[probe]]\nname = \"backup\"\nfile = {file:?}\ninterval = 1\nmax_fails = 2\nfail_timeout = 60\n\
         min_rises = 1\n",
        channel(&hook)
    );
    fs::write(&file, "done").unwrap();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    assert_eq!(wait_state(&daemon, "backup", "up")["detail"], "4 bytes");
    // Killed before anything is judged: the file goes while nobody looks.
    daemon.kill();
    fs::remove_file(&file).unwrap();
    let mut daemon = Daemon::start(dir.path(), &config);
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert_eq!((&down["kind"], &down["facts"]["target"]), (&"probe.down".into(), &file.to_str().unwrap().into()));
    let reason = down["facts"]["reason"].as_str().unwrap();
    assert!(reason.ends_with("it is not there"), "{reason}");
    settled(dir.path());
    daemon.kill();
    fs::write(&file, "done again").unwrap();
    let mut daemon = Daemon::start(dir.path(), &config);
    let up = hook.wait(1, |asked| asked.json()["kind"] == "probe.up").remove(0).json();
    assert_eq!(up["incident"], down["incident"]);
    assert_eq!(wait_state(&daemon, "backup", "up")["detail"], "10 bytes");
    settled(dir.path());
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    wait_state(&daemon, "backup", "up");
    assert!(is(&told(&hook), &[("probe.down", "backup"), ("probe.up", "backup")]), "{:?}", told(&hook));
}

#[test]
fn a_daemon_that_stood_still_blames_nobody() {
    let (dir, hook) = (TempDir::new(), hook());
    let mut answers = [Answer::ok("first"), Answer::Hang].into_iter();
    let web = FakeHttp::start(move |_| answers.next().unwrap_or_else(|| Answer::ok("later")));
    let config = format!(
        "{}[[probe]]\nname = \"shop\"\nhttp = \"{}\"\ninterval = 2\nfast = 1\ntimeout = 2\nmax_fails = 1\n",
        channel(&hook),
        web.url("/")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    web.wait(2, |_| true);
    // The second look is under way, and its time runs out while nothing of the daemon runs.
    daemon.signal("STOP");
    let then = tick();
    wait_for("the look's time to run out", || (tick().since(then) > Duration::from_secs(5)).then_some(()));
    daemon.signal("CONT");
    web.wait(4, |_| true);
    assert_eq!(wait_state(&daemon, "shop", "up")["state"], "up");
    assert!(told(&hook).is_empty(), "{:?}", told(&hook));
    assert!(!daemon.output().contains("is down"), "{}", daemon.output());
}

#[test]
fn why_nothing_is_judged_is_said_once() {
    let (dir, hook) = (TempDir::new(), hook());
    let config =
        [&*channel(&hook), "[[probe]]\nname = \"disk\"\nshell = \"echo no key; exit 3\"\ninterval = 1\n"].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("probe disk is unknown: no key");
    assert_eq!(standing(&daemon, "disk").unwrap()["detail"], "no key");
    assert!(daemon.stop().success());
    assert_eq!(daemon.output().matches("is unknown").count(), 1);
}

#[test]
fn looks_are_no_traffic_of_this_program() {
    let (dir, hook) = (TempDir::new(), hook());
    let web = FakeHttp::start(|_| Answer::ok("fine"));
    let place = web.url("").replace("http://", "");
    let config = format!(
        "{}[[probe]]\nname = \"looks\"\nhttp = \"{}\"\ninterval = 1\n[[probe]]\nname = \"listens\"\ntcp = \"{place}\"\n\
         interval = 1\npassive = true\n",
        channel(&hook),
        web.url("/")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    wait_state(&daemon, "looks", "up");
    web.wait(5, |_| true);
    assert_eq!(standing(&daemon, "listens").unwrap()["state"], "unknown");
}
