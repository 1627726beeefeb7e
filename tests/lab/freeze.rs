//! A server that was stopped for a while must not take its own absence for that of others.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test looks from outside, and fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a test shows what was told, and when")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::story::{BRISK, KEY, channel, duration, print, tells, told, wait_state, wait_told};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::{TempDir, wait_for, wait_within};

/// Stops the server for `time`. One client lives on; a host beats right before, and never again.
fn frozen(time: Duration) {
    let (hook, dirs) = (channel(), [TempDir::new(), TempDir::new()]);
    let mut server = Daemon::start(dirs[0].path(), &BRISK.server(&hook));
    let port = server.ready().port();
    let mut client = Daemon::start(dirs[1].path(), &BRISK.client("nas", Ipv4Addr::LOCALHOST.into(), port));
    client.wait_line("beating to");
    wait_state(&server, "nas", "up");
    let mut gone = Beater::new((Ipv4Addr::LOCALHOST, port).into(), KEY, "gone");
    gone.period = BRISK.period.as_secs_f64();
    gone.beat().unwrap();
    let start = Instant::now();
    server.signal("STOP");
    wait_within(time * 2, "the stop", || (start.elapsed() >= time).then_some(()));
    server.signal("CONT");
    let woken = Instant::now();
    let offline = wait_told(&hook, "offline");
    wait_for("some deadlines more", || (woken.elapsed() > BRISK.patience() * 2).then_some(()));
    print(&format!("a server stopped for {time:?}"), start, &hook);
    println!("  told {:?} after it went on", offline.at - woken);
    assert_eq!(told(&offline), [("offline".to_owned(), "gone".to_owned())], "{}", offline.text());
    assert!(duration(&offline) >= BRISK.patience());
    for kind in ["offline", "online"] {
        let count = tells(&hook, kind).len();
        assert_eq!(count, usize::from(kind == "offline"), "the living are not told: {:#?}", hook.asked());
    }
}

#[test]
fn a_stopped_server_tells_nothing_of_the_living() {
    frozen(BRISK.patience() * 3);
}

#[test]
#[ignore = "long: a minute"]
fn a_server_stopped_for_a_minute_tells_nothing_of_the_living() {
    frozen(Duration::from_secs(60));
}

/// A write is on its way when the program is stopped, now or a moment later: the disk is not to blame.
#[test]
fn a_stop_is_not_taken_for_a_disk_that_hangs() {
    let time = Duration::from_secs(7);
    let stopped = |wait: u64| {
        let (hook, dir) = (channel(), TempDir::new());
        let mut server = Daemon::start(dir.path(), &BRISK.server(&hook));
        let address = server.ready();
        // News for the state directory, right before the stop.
        Beater::new(address, KEY, "nas").beat().unwrap();
        let start = Instant::now();
        wait_for("the write to begin", || (start.elapsed() >= Duration::from_millis(wait)).then_some(()));
        server.signal("STOP");
        wait_within(time * 2, "the stop", || (start.elapsed() >= time).then_some(()));
        server.signal("CONT");
        wait_for("a scan or two", || (start.elapsed() > time + Duration::from_secs(1)).then_some(()));
        (wait, hook)
    };
    let hooks: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 2, 5, 10, 20, 40].map(|wait| scope.spawn(move || stopped(wait))).into();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (wait, hook) in &hooks {
        println!("stopped for {time:?}, {wait} ms after a beat: {} messages", hook.asked().len());
    }
    let blamed = hooks.iter().filter(|(_, hook)| !tells(hook, "state.unwritable").is_empty()).count();
    assert_eq!(blamed, 0, "times the disk was blamed");
}
