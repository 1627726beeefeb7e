//! A changed configuration, taken over by the running daemon.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, SOON, TempDir, wait_for};
use interrupt_callback::control;
use serde_json::Value;

const KEY: &str = SECRETS[0];
const OTHER_KEY: &str = "another-key-0123456789";

fn server(listen: &str, key: &str, more: &str) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"200ms\"\n[keepalive.server]\nlisten = {listen}\nkey = \"{key}\"\nnum = 1\n{more}\n"
    )
}

/// A server on any port.
fn watcher(more: &str) -> String {
    server("\"127.0.0.1:0\"", KEY, more)
}

fn client(name: &str, address: SocketAddr, key: &str) -> String {
    format!(
        "name = \"{name}\"\n[keepalive]\nperiod = 0.4\n[keepalive.client]\nuri = \"ic://default:{key}@{address}\"\n"
    )
}

fn channel(name: &str, hook: &FakeHttp, more: &str) -> String {
    format!("[alert.{name}]\nkind = \"webhook\"\nurl = \"{}\"\n{more}\n", hook.url(&format!("/{}", SECRETS[2])))
}

/// A service that takes everything.
fn hook() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok(""))
}

/// Replaces the daemon's file.
fn write(dir: &Path, config: &str) {
    let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", dir.join("state"), dir.join("run/control"));
    // At once: a signal may have it read at any time.
    fs::write(dir.join("next.toml"), dirs + config).unwrap();
    fs::rename(dir.join("next.toml"), dir.join("config.toml")).unwrap();
}

/// Replaces the file and has it read; the answer.
fn reload(dir: &Path, config: &str) -> (u8, String) {
    write(dir, config);
    let answer = control::ask(&dir.join("run/control"), "reload").unwrap();
    assert!(!answer.1.contains("key-0123"), "{answer:?}");
    answer
}

/// The same, for a file that is right; what changed.
fn change(dir: &Path, config: &str) -> String {
    let (code, text) = reload(dir, config);
    assert_eq!(code, 0, "{text}");
    text
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, SOON)
}

fn beater(daemon: &Daemon, name: &str, period: f64) -> Beater {
    let mut beater = Beater::new(daemon.ready_address(), KEY, name);
    beater.period = period;
    beater.beat().unwrap();
    beater
}

fn of<'a>(asked: &'a [Asked], kind: &str) -> Vec<&'a Asked> {
    asked.iter().filter(|asked| asked.json()["kind"] == kind).collect()
}

/// Waits until `hook` was told of `kind` for so many hosts, by themselves or together, and names them in order.
fn told(hook: &FakeHttp, kind: &str, hosts: usize) -> Vec<String> {
    wait_for("hosts to be told of", || {
        let mut told = Vec::new();
        for message in hook.asked().iter().map(Asked::json) {
            let own = [message.clone()];
            let events = message["members"].as_array().map_or(&own[..], |members| members);
            for event in events.iter().filter(|event| event["kind"] == kind) {
                told.push(event["subject"].as_str().unwrap().to_owned());
            }
        }
        told.sort();
        (told.len() >= hosts).then_some(told)
    })
}

fn is(kind: &'static str) -> impl Fn(&Asked) -> bool {
    move |asked| asked.json()["kind"] == kind
}

fn names(status: &Value) -> Vec<String> {
    let hosts = status["hosts"].as_array().unwrap();
    hosts.iter().map(|host| host["name"].as_str().unwrap().to_owned()).collect()
}

fn queued(status: &Value, name: &str) -> Option<u64> {
    let channels = status["channels"].as_array().unwrap();
    channels.iter().find(|channel| channel["name"] == name)?["queued"].as_u64()
}

#[test]
fn a_hundred_reloads_during_an_outage_tell_it_once() {
    let (hook, dir) = (hook(), TempDir::new());
    let config = |odd: bool| {
        let more = if odd { "prefix = \"[ic]\"" } else { "" };
        watcher(if odd { "tell_stopped = true" } else { "" }) + &channel("hook", &hook, more)
    };
    let mut daemon = Daemon::start(dir.path(), &config(false));
    daemon.ready();
    let mut nas = beater(&daemon, "nas", 1.0);
    for round in 0..100 {
        let text = change(dir.path(), &config(round % 2 == 0));
        assert_eq!(text, "reloaded: server rules; channel hook\n");
    }
    let offline = hook.wait(1, is("offline"));
    for round in 0..20 {
        change(dir.path(), &config(round % 2 == 0));
        daemon.signal("HUP");
    }
    nas.beat().unwrap();
    hook.wait(1, is("online"));
    wait_for("all to be told", || (queued(&daemon.status(), "hook") == Some(0)).then_some(()));
    let asked = hook.asked();
    println!("{} requests", asked.len());
    assert_eq!((asked.len(), of(&asked, "offline").len(), of(&asked, "online").len()), (2, 1, 1), "{asked:#?}");
    assert_eq!(offline[0].json()["incident"], asked[1].json()["incident"]);
    // Everything may change at once and again: nothing piles up, and it still ends at once.
    let address = daemon.ready_address();
    let all = |round: usize| {
        let zone = if round & 1 == 0 { "timezone = \"+08:00\"\n" } else { "" };
        let name = watcher("").replace("vps", &format!("vps{}", round % 2));
        let client = format!("[keepalive.client]\nuri = \"ic://default:{KEY}@{address}\"\n");
        [zone, &name, &client, &channel("hook", &hook, "")].concat()
    };
    change(dir.path(), &all(0));
    wait_for("idle threads to end", || (daemon.status()["hosts"].as_array()?.len() == 2).then_some(()));
    for round in 1..=20 {
        let text = change(dir.path(), &all(round));
        assert!(text.contains("reloaded: name; timezone; client "), "{text}");
    }
    let before = daemon.proc_status("Threads");
    wait_for("the old threads to end", || (daemon.proc_status("Threads") <= 16).then_some(()));
    println!("{before} threads, then {}; {} kB", daemon.proc_status("Threads"), daemon.proc_status("VmRSS"));
    daemon.signal("HUP");
    assert!(daemon.stop().success());
    assert_eq!(hook.asked().len(), 2, "{:#?}", hook.asked());
}

#[test]
fn a_wrong_file_is_told_once_and_its_end_too() {
    let (hook, dir) = (hook(), TempDir::new());
    let good = watcher("") + &channel("hook", &hook, "");
    let mut daemon = Daemon::start(dir.path(), &good);
    daemon.ready();
    let bad = good.replace("num = 1", "num = 0\nwhat = 1");
    for round in 0..3 {
        let (code, text) = reload(dir.path(), &bad);
        assert_eq!((code, text.lines().count()), (78, 2), "{text}");
        assert!(text.contains("config.toml:") && text.contains("num") && text.contains("what"), "{round}: {text}");
    }
    let told = &hook.wait(1, is("config.rejected"))[0].json();
    println!("{told:#}");
    assert_eq!((told["facts"]["count"].as_i64(), told["severity"].as_str()), (Some(2), Some("warning")));
    assert!(told["facts"]["reason"].as_str().unwrap().contains("num"), "{told}");
    assert!(told["facts"]["path"].as_str().unwrap().ends_with("config.toml:9"), "{told}");
    // An empty one is no better, and neither is one that is not there.
    assert!(reload(dir.path(), "name = \"x\"\n").1.contains("nothing to do"));
    fs::remove_file(dir.join("config.toml")).unwrap();
    assert_eq!(control::ask(&dir.join("run/control"), "reload").unwrap().0, 78);
    write(dir.path(), &bad);
    daemon.signal("HUP");
    daemon.wait_line("the old one stays in force");
    beater(&daemon, "nas", 30.0);
    assert_eq!(change(dir.path(), &good), "reloaded: nothing changed\n");
    let end = hook.wait(1, is("config.accepted"))[0].json();
    assert_eq!((&end["incident"], end["facts"]["duration"].is_null()), (&told["incident"], false), "{end:#}");
    change(dir.path(), &good);
    reload(dir.path(), &bad);
    assert_ne!(hook.wait(2, is("config.rejected"))[1].json()["incident"], told["incident"]);
    assert_eq!(hook.asked().len(), 3, "{:#?}", hook.asked());
    // A restart with a good file ends it, too.
    write(dir.path(), &good);
    daemon.stop();
    let mut daemon = Daemon::start(dir.path(), &good);
    daemon.ready();
    let (begun, ended) = (&hook.wait(2, is("config.rejected"))[1], &hook.wait(2, is("config.accepted"))[1]);
    assert_eq!(begun.json()["incident"], ended.json()["incident"]);
    change(dir.path(), &good);
    // What cannot change is named, and the rest of the file counts.
    let (code, text) = reload(dir.path(), &(good.replace("num = 1", "num = 2") + "[alert.log]\n"));
    assert_eq!((code, text.as_str()), (0, "reloaded: server rules; channel log\n"));
    let (code, text) = reload(dir.path(), &["log = \"debug\"\n", &good].concat());
    assert_eq!(code, 0);
    assert!(text.contains("log needs a restart") && text.contains("channel log gone"), "{text}");
}

#[test]
fn what_waits_for_a_channel_follows_it_to_its_new_address() {
    let (dead, quick, dir) = (FakeHttp::start(|_| Answer::status(503, "down")), hook(), TempDir::new());
    let other = hook();
    let more = channel("other", &other, "");
    let mut daemon = Daemon::start(dir.path(), &(watcher("") + &channel("hook", &dead, "") + &more));
    daemon.ready();
    let mut hosts: Vec<Beater> = ["a", "b", "c"].iter().map(|name| beater(&daemon, name, 0.2)).collect();
    wait_for("three alerts to wait", || (queued(&daemon.status(), "hook") == Some(3)).then_some(()));
    assert_eq!(told(&other, "offline", 3), ["a", "b", "c"]);
    // A channel before it moves the places of all; it is told of what begins from now on.
    let new = hook();
    let config = watcher("") + &channel("hook", &quick, "") + &channel("added", &new, "") + &more;
    assert_eq!(change(dir.path(), &config), "reloaded: channel added; channel hook\n");
    assert_eq!(told(&quick, "offline", 3), ["a", "b", "c"]);
    let at_dead = dead.asked().len();
    for host in &mut hosts {
        host.period = 60.0;
        host.beat().unwrap();
    }
    beater(&daemon, "d", 0.2);
    for hook in [&quick, &other] {
        assert_eq!(told(hook, "online", 3), ["a", "b", "c"]);
        assert_eq!(told(hook, "offline", 4), ["a", "b", "c", "d"]);
    }
    assert_eq!(new.wait(1, is("offline"))[0].json()["subject"], "d");
    assert_eq!((new.asked().len(), dead.asked().len()), (1, at_dead));
    // Gone with what waits for it.
    quick.set(|_| Answer::status(503, "down"));
    beater(&daemon, "e", 0.2);
    wait_for("an alert to wait", || (queued(&daemon.status(), "hook") == Some(1)).then_some(()));
    change(dir.path(), &(watcher("") + &more));
    daemon.wait_line("alert.hook: the channel is gone, and 1 alerts that waited for it");
    assert_eq!(told(&other, "offline", 5).len(), 5);
    wait_for("the outbox to be empty", || {
        let left = fs::read_dir(dir.join("state/outbox")).unwrap().count();
        (left == 0 && queued(&daemon.status(), "hook").is_none()).then_some(())
    });
}

#[test]
fn a_changed_key_counts_from_the_next_connection() {
    let (hook, a, b) = (hook(), TempDir::new(), TempDir::new());
    let mut vps = Daemon::start(a.path(), &(watcher("") + &channel("hook", &hook, "")));
    let address = vps.ready();
    let mut nas = Daemon::start(b.path(), &client("nas", address, KEY));
    nas.wait_line("ready: ");
    let new = server("\"127.0.0.1:0\"", OTHER_KEY, "") + &channel("hook", &hook, "");
    assert_eq!(change(a.path(), &new), "reloaded: server keys\n");
    assert!(Beater::new(address, KEY, "x").beat().is_err());
    Beater::new(address, OTHER_KEY, "y").beat().unwrap();
    nas.wait_line("denied");
    assert_eq!(
        change(b.path(), &client("nas", address, OTHER_KEY)),
        "reloaded: client ic://default@ADDRESS\n".replace("ADDRESS", &address.to_string())
    );
    nas.wait_line("beating to");
    let status = wait_for("no failure", || Some(nas.status()).filter(|status| status["monitors"][0]["failures"] == 0));
    assert_eq!(status["monitors"].as_array().unwrap().len(), 1);
    // The same run of the same daemon goes on: it never left, and never said so.
    assert!(!vps.output().contains("left"), "{}", vps.output());
}

#[test]
fn addresses_come_and_go_and_those_that_stay_miss_nothing() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &server("[\"127.0.0.1:0\", \"127.0.0.2:0\"]", KEY, ""));
    daemon.ready();
    let bound = || -> Vec<SocketAddr> {
        let addresses = daemon.status()["server"]["addresses"].as_array().unwrap().clone();
        addresses.iter().map(|address| address.as_str().unwrap().parse().unwrap()).collect()
    };
    let before = bound();
    // It waits in the server's queue or is served, whatever happens to the other address.
    let stays = connect(before[0]).unwrap();
    let text = change(dir.path(), &server("[\"127.0.0.3:0\", \"127.0.0.1:0\"]", KEY, ""));
    assert_eq!(text, "reloaded: listen addresses\n");
    let after = bound();
    assert_eq!((after.len(), after[1]), (2, before[0]));
    let mut nas = Beater::new(before[0], KEY, "nas");
    let report = nas.report();
    nas.say_over(&stays, &report).unwrap();
    Beater::new(after[0], KEY, "new").beat().unwrap();
    wait_for("the old address to be closed", || connect(before[1]).is_err().then_some(()));
    // From all addresses to one of them, with the same port.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in ["0.0.0.0", "127.0.0.1", "0.0.0.0"] {
        change(dir.path(), &server(&format!("\"{host}:{port}\""), KEY, ""));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for("the port", || Beater::new(address, KEY, host).beat().ok());
    }
    assert_eq!(names(&daemon.status()).len(), 4);
}

#[test]
fn a_changed_name_says_goodbye_for_the_old_one() {
    let (hook, a, b) = (hook(), TempDir::new(), TempDir::new());
    let config = watcher("") + &channel("hook", &hook, "");
    let mut vps = Daemon::start(a.path(), &config);
    let address = vps.ready();
    let mut nas = Daemon::start(b.path(), &client("nas", address, KEY));
    nas.wait_line("ready: ");
    let label = format!("client ic://default@{address}");
    let text = change(b.path(), &client("box", address, KEY));
    assert_eq!(text, format!("reloaded: name; {label}; {label} gone\n"));
    nas.wait_line(": left");
    wait_for("the new name alone", || {
        let names = names(&vps.status());
        (names.len() == 1 && names[0].starts_with("box@")).then_some(())
    });
    // A server that goes: goodbye for good. One that comes is beaten to.
    change(b.path(), "[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"planted-key-0123456789\"\n");
    wait_for("the roster to be empty", || names(&vps.status()).is_empty().then_some(()));
    change(b.path(), &client("box", address, KEY));
    wait_for("the host", || (names(&vps.status()).len() == 1).then_some(()));
    // The server's own name: its hosts beat on.
    change(a.path(), &config.replace("vps", "vps2"));
    nas.wait_line("calls itself vps2@");
    assert_eq!(hook.asked().len(), 0, "{:#?}", hook.asked());
}

#[test]
fn a_deadline_is_not_moved_and_a_server_that_was_off_tells_nobody_at_once() {
    let (hook, dir) = (hook(), TempDir::new());
    let config = watcher("") + &channel("hook", &hook, "");
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    beater(&daemon, "slow", 30.0);
    let patience = |status: &Value| {
        let of = |key: &str| status["hosts"][0][key].as_f64().unwrap();
        of("silent") + of("deadline")
    };
    let before = patience(&daemon.status());
    for more in ["tell_stopped = true", ""] {
        change(dir.path(), &(watcher(more) + &channel("hook", &hook, "")));
        assert!((patience(&daemon.status()) - before).abs() < 0.002, "{}", daemon.status());
    }
    // Silent before, told after.
    let mut back = beater(&daemon, "quick", 1.0);
    change(dir.path(), &(config.clone() + "[alert.log]\n"));
    let told = hook.wait(1, is("offline"))[0].json();
    assert_eq!(told["subject"], "quick");
    back.period = 2.0;
    back.beat().unwrap();
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let idle = client("vps", elsewhere, KEY) + &channel("hook", &hook, "");
    assert!(change(dir.path(), &idle).contains("heartbeat server gone"));
    let listening = daemon.ready_address();
    wait_for("nobody to listen", || connect(listening).is_err().then_some(()));
    let gone = std::time::Duration::from_secs(3);
    wait_for("its deadline to pass", || (crate::common::since(told_at(&hook, "online")) > gone).then_some(()));
    assert_eq!(of(&hook.asked(), "offline").len(), 1, "nobody watches: {:#?}", hook.asked());
    assert!(change(dir.path(), &config).contains("heartbeat server"));
    back.server = daemon.status()["server"]["addresses"][0].as_str().unwrap().parse().unwrap();
    assert_eq!(names(&daemon.status()).len(), 2);
    back.beat().unwrap();
    let all = hook.wait(2, is("offline"));
    assert_eq!(all[1].json()["subject"], "quick", "it was heard again, and then no more");
    assert_eq!(of(&hook.asked(), "online").len(), 1);
}

fn told_at(hook: &FakeHttp, kind: &'static str) -> std::time::Instant {
    hook.wait(1, is(kind))[0].at
}

#[test]
fn a_changed_provider_is_polled_and_a_notice_is_not_told_again() {
    const TIME: &str = "/latest/meta-data/instance/spot/termination-time";
    let document = r#"{"instance-id":"i-abc","zone-id":"cn-hangzhou-b","region-id":"cn-hangzhou","private-ipv4":"10.0.0.7","instance-type":"x"}"#;
    let cloud = move || {
        FakeHttp::start(move |asked| match asked.path.as_str() {
            "/latest/api/token" => Answer::ok("token"),
            "/latest/dynamic/instance-identity/document" => Answer::ok(document),
            TIME => Answer::ok("2099-01-01T00:00:00Z"),
            _ => Answer::status(404, "no"),
        })
    };
    let (hook, dir) = (hook(), TempDir::new());
    let (one, two) = (cloud(), cloud());
    let config = |cloud: &FakeHttp| {
        format!("provider = \"AliCloud\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n", cloud.url(""))
            + &channel("hook", &hook, "")
    };
    let mut daemon = Daemon::start(dir.path(), &config(&one));
    daemon.wait_line("ready");
    hook.wait(1, is("interrupt"));
    assert_eq!(change(dir.path(), &config(&two)), "reloaded: provider\n");
    let asked = |asked: &Asked| asked.path == TIME;
    two.wait(3, asked);
    let before = one.wait(1, asked).len();
    two.wait(6, asked);
    assert_eq!(one.wait(1, asked).len(), before, "the old one is polled no more");
    // An unchanged one goes on; another name does not.
    assert_eq!(change(dir.path(), &config(&two)), "reloaded: nothing changed\n");
    assert_eq!(change(dir.path(), &("name = \"x\"\n".to_owned() + &config(&two))), "reloaded: name\n");
    two.wait(12, asked);
    assert_eq!(hook.asked().len(), 1, "{:#?}", hook.asked());
}

#[test]
fn the_service_manager_hears_of_a_reload_and_three_starts_are_told() {
    let (hook, dir) = (hook(), TempDir::new());
    let path = dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let said = || {
        let mut said = [0; 256];
        let len = socket.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..len]).into_owned()
    };
    let config = watcher("") + &channel("hook", &hook, "");
    for start in 1..=4 {
        let mut daemon = Daemon::start_with(dir.path(), &config, |child| {
            child.env("NOTIFY_SOCKET", &path);
        });
        assert_eq!(said(), "READY=1");
        daemon.signal("HUP");
        let reloading = said();
        let time: u128 = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(time > 0);
        assert_eq!(said(), "READY=1");
        if start == 3 {
            let told = hook.wait(1, is("restarts"))[0].json();
            assert_eq!(told["facts"]["count"], 3, "{told:#}");
        }
        wait_for("the start on disk", || {
            let saved = fs::read_to_string(dir.join("state/starts.json")).ok()?;
            let left = fs::read_dir(dir.join("state/outbox")).map_or(0, Iterator::count);
            let told = queued(&daemon.status(), "hook") == Some(0) && left == 0;
            (saved.matches('[').count() == start + 1 && told).then_some(())
        });
        // As a crash would end it.
        daemon.kill();
    }
    assert_eq!(hook.asked().len(), 1, "{:#?}", hook.asked());
}
