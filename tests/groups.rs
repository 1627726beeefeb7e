//! Many hosts that fall silent together are one message, whatever happens to the server or the channel meanwhile.

#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]
#![expect(clippy::print_stdout, reason = "a test shows what was told")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use serde_json::Value;

const KEY: &str = SECRETS[0];
/// Hosts in a crowd.
const CROWD: usize = 8;
/// What the log says when the server doubts itself.
const HELD: &str = "hosts are late or silent together: held back for a while";

/// A server with D = 3 × `period` + 0.3 s for hosts of that period. With fewer beats in D nobody is late before his deadline.
fn config(url: &str, more: &str) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"300ms\"\nhold = \"1s\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 3\n[alert.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n{more}"
    )
}

fn crowd(server: SocketAddr, hosts: usize, period: f64) -> Vec<Beater> {
    let beater = |n| {
        let mut beater = Beater::new(server, KEY, &format!("w{n}"));
        beater.period = period;
        beater
    };
    let mut crowd: Vec<Beater> = (0..hosts).map(beater).collect();
    beat(&mut crowd);
    crowd
}

fn beat(crowd: &mut [Beater]) {
    for host in crowd {
        host.beat().unwrap();
    }
}

/// Beats at a server that may have another port than before. With 30 s nobody falls silent again.
fn call(crowd: &mut [Beater], server: SocketAddr, period: f64) {
    for host in crowd.iter_mut() {
        (host.server, host.period) = (server, period);
    }
    beat(crowd);
}

/// What these messages tell as `kind`: the subjects in order. What came again with the same id counts once.
fn told(messages: &[Value], kind: &str) -> Vec<String> {
    let (mut ids, mut subjects) = (Vec::new(), Vec::new());
    for json in messages {
        if ids.contains(&json["id"]) {
            continue;
        }
        let one = [json.clone()];
        for event in json["members"].as_array().map_or(&one[..], Vec::as_slice) {
            if event["kind"] == kind {
                subjects.push(event["subject"].as_str().unwrap().to_owned());
            }
        }
        ids.push(json["id"].clone());
    }
    subjects.sort();
    subjects
}

fn messages(hook: &FakeHttp) -> Vec<Value> {
    hook.asked().iter().map(Asked::json).collect()
}

fn names(hosts: usize) -> Vec<String> {
    let mut names: Vec<String> = (0..hosts).map(|n| format!("w{n}")).collect();
    names.sort();
    names
}

fn titles(messages: &[Value]) -> Vec<String> {
    let titles: Vec<String> = messages.iter().map(|json| json["title"].as_str().unwrap().to_owned()).collect();
    println!("{titles:#?}");
    titles
}

/// Nobody listens there, and nobody else is given the port: an address of its own for each test.
fn nobody(number: u8) -> SocketAddr {
    TcpListener::bind(SocketAddr::from(([127, 0, 45, number], 0))).unwrap().local_addr().unwrap()
}

fn wait_down(daemon: &Daemon, hosts: usize) {
    wait_for("all silent", || {
        let status = daemon.status();
        let down = status["hosts"].as_array().unwrap().iter().filter(|host| host["state"] == "offline").count();
        (down == hosts).then_some(())
    });
}

fn wait_empty(daemon: &Daemon) {
    wait_for("empty queues", || {
        let status = daemon.status();
        status["channels"].as_array().unwrap().iter().all(|channel| channel["queued"] == 0).then_some(())
    });
}

#[test]
#[ignore = "long: a hundred and fifty hosts come and go"]
fn a_hundred_and_fifty_hosts_that_are_back_before_the_channel_are_two_messages() {
    const HOSTS: usize = 150;
    let (place, dir) = (nobody(1), TempDir::new());
    let out = dir.join("told");
    let more = format!(
        "[alert.run]\nkind = \"command\"\nargv = [\"sh\", \"-c\", {:?}]\n[alert.log]\nkind = \"log\"\n",
        format!("cat >> {out:?}")
    );
    let mut daemon = Daemon::start(dir.path(), &config(&format!("http://{place}/"), &more));
    let mut crowd = crowd(daemon.ready(), HOSTS, 1.5);
    wait_down(&daemon, HOSTS);
    let hook = |daemon: &Daemon| {
        let status = daemon.status();
        status["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == "hook").unwrap().clone()
    };
    wait_for("a failure of the channel", || (hook(&daemon)["state"] == "retrying").then_some(()));
    call(&mut crowd, daemon.ready_address(), 30.0);
    wait_for("all queued", || (hook(&daemon)["queued"] == 2 * HOSTS).then_some(()));
    // On disk, or a second later, they go to the sender.
    let start = Instant::now();
    wait_for("the sender to have them", || (start.elapsed() > Duration::from_secs(2)).then_some(()));
    let hook = FakeHttp::start_at(place, |_| Answer::ok(""));
    wait_empty(&daemon);
    let asked = messages(&hook);
    assert_eq!((told(&asked, "offline"), told(&asked, "online")), (names(HOSTS), names(HOSTS)));
    let titles = titles(&asked);
    assert_eq!(titles.len(), 2);
    for (title, count) in titles.iter().zip([100, 50]) {
        assert!(title.starts_with(&format!("{count} hosts were silent together, all are back: w")), "{title}");
    }
    // A program that takes everything, and the log, heard of the beginnings before there were ends.
    let lines = fs::read_to_string(&out).unwrap();
    let run: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((told(&run, "offline"), told(&run, "online")), (names(HOSTS), names(HOSTS)));
    let first = "100 hosts silent together: w";
    assert!(self::titles(&run)[0].starts_with(first));
    assert!(daemon.output().contains(&format!("warn: {first}")), "{}", daemon.output());
}

/// The server ends between the first line of the crowd in its log and the message.
fn ended(end: impl Fn(&mut Daemon) + Sync) {
    let turn = |wait: u64| {
        let (hook, dir) = (FakeHttp::start(|_| Answer::ok("")), TempDir::new());
        let config = config(&hook.url("/"), "");
        // Newcomers are on disk within 5 s, or at the end.
        let mut daemon = Daemon::start(dir.path(), &config);
        let mut crowd = crowd(daemon.ready(), CROWD, 0.3);
        daemon.stop();
        let mut daemon = Daemon::start(dir.path(), &config);
        call(&mut crowd, daemon.ready(), 0.3);
        daemon.wait_line(HELD);
        daemon.wait_line("offline: w");
        std::thread::park_timeout(Duration::from_millis(wait));
        end(&mut daemon);
        let before = hook.asked().len();
        let mut daemon = Daemon::start(dir.path(), &config);
        daemon.ready();
        wait_for("all told", || (told(&messages(&hook), "offline").len() >= CROWD).then_some(()));
        wait_empty(&daemon);
        let asked = messages(&hook);
        println!("ended after {wait} ms: {before} before the end, {} in all", asked.len());
        titles(&asked);
        assert_eq!(told(&asked, "offline"), names(CROWD), "each once: {asked:#?}");
        assert_eq!(told(&asked, "online"), [""; 0]);
    };
    std::thread::scope(|scope| {
        for wait in [0, 20, 100, 450] {
            scope.spawn(move || turn(wait));
        }
    });
}

#[test]
fn a_crowd_is_told_once_by_a_server_that_is_killed_while_it_gathers() {
    ended(Daemon::kill);
}

#[test]
fn a_crowd_is_told_once_by_a_server_that_ends_while_it_gathers() {
    ended(|daemon| assert!(daemon.stop().success()));
}

#[test]
fn a_crowd_that_no_service_takes_as_a_whole_is_told_one_by_one() {
    let hook = FakeHttp::start(|asked| Answer::status(if asked.json()["members"].is_array() { 413 } else { 200 }, ""));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&hook.url("/"), ""));
    crowd(daemon.ready(), CROWD, 0.3);
    hook.wait(CROWD + 1, |_| true);
    let asked = messages(&hook);
    titles(&asked);
    assert_eq!(told(&asked[..1], "offline"), names(CROWD));
    assert_eq!(told(&asked[1..], "offline"), names(CROWD));
    wait_empty(&daemon);
    assert!(!hook.asked().iter().any(|asked| asked.json()["kind"] == "lost"));
}

/// A restart between attempts that nobody saw: what is over by then is told as that.
#[test]
fn a_crowd_that_is_back_after_a_restart_is_one_message() {
    let (place, dir) = (nobody(2), TempDir::new());
    let config = config(&format!("http://{place}/"), "");
    let mut daemon = Daemon::start(dir.path(), &config);
    let mut back = crowd(daemon.ready(), CROWD, 0.3);
    wait_for("all queued", || {
        let channel = &daemon.status()["channels"][0];
        (channel["queued"] == CROWD && channel["state"] == "retrying").then_some(())
    });
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config);
    call(&mut back, daemon.ready(), 30.0);
    wait_for("their ends", || (daemon.status()["channels"][0]["queued"] == 2 * CROWD).then_some(()));
    let hook = FakeHttp::start_at(place, |_| Answer::ok(""));
    wait_empty(&daemon);
    let asked = messages(&hook);
    assert_eq!((told(&asked, "offline"), told(&asked, "online")), (names(CROWD), names(CROWD)));
    let titles = titles(&asked);
    assert!(titles.len() == 1 && titles[0].starts_with("8 hosts were silent together, all are back: w"));
}
