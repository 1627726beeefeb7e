//! Reloads at bad moments: a file that hangs, a user that changes, a server that goes while signs of life are wanted.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::common::daemon::{Daemon, run};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, SOON, TempDir, wait_for};
use interrupt_callback::control;

const KEY: &str = SECRETS[0];
const OTHER_KEY: &str = "another-key-0123456789";

fn server(more: &str) -> String {
    format!("name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 2\n{more}\n")
}

fn client(user: &str, key: &str, address: SocketAddr) -> String {
    format!("name = \"nas\"\n[keepalive]\nperiod = 0.4\n[keepalive.client]\nuri = \"ic://{user}:{key}@{address}\"\n")
}

fn write(dir: &Path, config: &str) {
    let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", dir.join("state"), dir.join("run/control"));
    fs::write(dir.join("next.toml"), dirs + config).unwrap();
    fs::rename(dir.join("next.toml"), dir.join("config.toml")).unwrap();
}

fn change(dir: &Path, config: &str) -> String {
    write(dir, config);
    let (code, text) = control::ask(&dir.join("run/control"), "reload").unwrap();
    assert_eq!(code, 0, "{text}");
    text
}

fn said(output: &std::process::Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn a_file_that_hangs_holds_up_no_other_command() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &server(""));
    let address = daemon.ready();
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let threads = daemon.proc_status("Threads");
    write(dir.path(), &server("").replace(&format!("key = \"{KEY}\""), &format!("key = {{ file = {pipe:?} }}")));
    daemon.signal("HUP");
    for _ in 0..2 {
        let (code, text) = said(&daemon.ask(&["reload"]));
        assert!(code == 1 && text.contains("still being read"), "{code} {text}");
        assert_eq!(daemon.ask(&["status"]).status.code(), Some(0));
    }
    assert!(daemon.proc_status("Threads") <= threads + 2, "{} threads", daemon.proc_status("Threads"));
    // It ends as it should once the file can be read; one more that was asked for meanwhile reads the next file.
    write(dir.path(), &server("").replace("num = 2", "num = 3"));
    fs::write(&pipe, OTHER_KEY).unwrap();
    daemon.wait_line("reloaded: server keys");
    daemon.wait_line("reloaded: server keys; server rules");
    crate::common::beat::Beater::new(address, KEY, "x").beat().unwrap();
    // And it holds up the end of the program no more than the commands.
    write(dir.path(), &server(&format!("old_key = {{ file = {pipe:?} }}")));
    daemon.signal("HUP");
    assert!(daemon.stop().success());
}

#[test]
fn a_signal_during_the_start_ends_nothing_and_is_not_lost() {
    let dir = TempDir::new();
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let slow = server("").replace(&format!("key = \"{KEY}\""), &format!("key = {{ file = {pipe:?} }}"));
    let mut daemon = Daemon::start(dir.path(), &slow);
    // Once it can write, the daemon has opened the pipe.
    let mut writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    daemon.signal("HUP");
    write(dir.path(), &server(""));
    writer.write_all(OTHER_KEY.as_bytes()).unwrap();
    drop(writer);
    let address = daemon.ready();
    daemon.wait_line("reloaded: server keys");
    crate::common::beat::Beater::new(address, KEY, "x").beat().unwrap();
}

#[test]
fn the_command_and_the_alert_tell_of_a_wrong_file() {
    let dir = TempDir::new();
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let good = server("") + &format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut daemon = Daemon::start(dir.path(), &good);
    daemon.ready();
    for (wrong, line) in [
        (good.replace("num = 2", "num = 2\nnmu = 3"), "config.toml:8: keepalive.server.nmu: unknown key"),
        (good.replace("num = 2", "num = two"), "config.toml:7: "),
        ("name = \"x\"\n".to_owned(), "nothing to do"),
    ] {
        write(dir.path(), &wrong);
        let (code, text) = said(&daemon.ask(&["reload"]));
        assert!(code == 78 && text.contains(line), "{code} {text}");
        // The daemon runs on, and so do the commands.
        assert_eq!(daemon.ask(&["status"]).status.code(), Some(0), "{wrong}");
    }
    let told = hook.wait(1, |asked| asked.json()["kind"] == "config.rejected")[0].json();
    assert!(told["facts"]["reason"].as_str().unwrap().contains("nmu"), "{told}");
    write(dir.path(), &good);
    assert_eq!(said(&daemon.ask(&["reload"])), (0, "reloaded: nothing changed\n".into()));
    // Without a daemon, and where its socket cannot be found, the command says itself what is wrong.
    for lost in ["control = /run/x\n", "control = \"x\"\n"] {
        fs::write(dir.join("config.toml"), lost.to_owned() + &good).unwrap();
        let (code, text) = said(&daemon.ask(&["reload"]));
        assert!(code == 78 && text.contains("config.toml:1: "), "{code} {text}");
    }
    // A word that looks like one of those that say where it is does not mislead.
    write(dir.path(), &(good.clone() + "body = \"\"\"\ncontrol room: {title}\"\"\"\n"));
    assert_eq!(said(&daemon.ask(&["reload"])), (0, "reloaded: channel hook\n".into()));
    write(dir.path(), &good.replace("num = 2", "num = 0"));
    assert!(daemon.stop().success());
    let (code, text) = said(&daemon.ask(&["reload"]));
    assert!(code == 78 && text.contains("keepalive.server.num"), "{code} {text}");
    write(dir.path(), &good);
    let (code, text) = said(&run(&["-c", dir.join("config.toml").to_str().unwrap(), "reload"]));
    assert!(code == 1 && text.contains("no daemon answers") && text.contains("start it again"), "{code} {text}");
}

#[test]
#[ignore = "long: it waits for deadlines"]
fn a_daemon_that_does_not_answer_is_none() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &server(""));
    daemon.ready();
    daemon.signal("STOP");
    let (code, text) = said(&daemon.ask(&["status"]));
    daemon.signal("CONT");
    assert!(code == 2 && text.contains("not in time"), "{code} {text}");
    // What cannot be read says nothing of where the daemon is.
    let folder = dir.join("config.toml.d");
    fs::create_dir(&folder).unwrap();
    let (code, text) = said(&run(&["-c", folder.to_str().unwrap(), "status"]));
    assert!(code == 78 && text.contains("cannot read the file"), "{code} {text}");
}

#[test]
fn a_user_may_change_to_any_other_without_an_alert() {
    let (a, b) = (TempDir::new(), TempDir::new());
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let users = format!("users.one.key = \"{OTHER_KEY}1\"\nusers.two.key = \"{OTHER_KEY}2\"");
    let config = server(&users) + &format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut vps = Daemon::start(a.path(), &config);
    let address = vps.ready();
    let mut nas = Daemon::start(b.path(), &client("default", KEY, address));
    nas.wait_line("beating to");
    for (user, key) in [
        ("one", format!("{OTHER_KEY}1")),
        ("two", format!("{OTHER_KEY}2")),
        ("default", KEY.to_owned()),
        ("two", format!("{OTHER_KEY}2")),
    ] {
        let text = change(b.path(), &client(user, &key, address));
        println!("{text}");
        wait_for("the new user's beat", || {
            let status = nas.status();
            let monitor = &status["monitors"][0];
            let beats = monitor["failures"] == 0 && !monitor["server"].is_null();
            (beats && nas.status()["monitors"].as_array()?.len() == 1).then_some(())
        });
        let hosts = vps.status()["hosts"].clone();
        assert_eq!((hosts.as_array().unwrap().len(), &hosts[0]["state"]), (1, &"up".into()), "{hosts}");
    }
    assert!(!nas.output().contains("name-taken"), "{}", nas.output());
    assert_eq!(hook.asked().len(), 0, "{:#?}", hook.asked());
}

#[test]
fn signs_of_life_go_on_whatever_runs() {
    let dir = TempDir::new();
    let path = dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let upstream = FakeHttp::start(|_| Answer::ok(""));
    let url = upstream.url(&format!("/{}", SECRETS[2]));
    let pinged = server(&format!("[keepalive.upstream]\nurl = \"{url}\"\nperiod = 2\n"));
    let nowhere = client("default", KEY, SocketAddr::from(([127, 0, 0, 1], 1)));
    let mut daemon = Daemon::start_with(dir.path(), &nowhere, |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    });
    daemon.wait_line("ready");
    let signs = |most: usize| {
        let (mut signs, mut ready) = (0, 0);
        while signs < most {
            let mut bytes = [0; 256];
            let len = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error} after {signs} signs"));
            signs += usize::from(&bytes[..len] == b"WATCHDOG=1");
            ready += usize::from(&bytes[..len] == b"READY=1");
        }
        ready
    };
    assert_eq!(signs(3), 1);
    let threads = daemon.proc_status("Threads");
    for round in 0..3 {
        let text = change(dir.path(), &pinged);
        assert!(text.contains("heartbeat server") && text.contains("upstream"), "{text}");
        signs(4);
        upstream.wait(round + 1, |_| true);
        assert!(change(dir.path(), &nowhere).contains("upstream"));
        signs(4);
    }
    // The book of jobs rests once there is no server, with its thread.
    let threads = threads + u64::from(cfg!(feature = "jobs"));
    wait_for("the old threads to end", || (daemon.proc_status("Threads") <= threads).then_some(()));
    let text = control::ask(&dir.join("run/control"), "reload").unwrap().1;
    assert_eq!(text, "reloaded: nothing changed\n");
    write(
        dir.path(),
        &nowhere.replace("[keepalive.client]", "[keepalive.upstream]\nurl = \"http://127.0.0.1/\"\n[keepalive.client]"),
    );
    let (code, text) = control::ask(&dir.join("run/control"), "reload").unwrap();
    assert!(code == 78 && text.contains("needs [keepalive.server]"), "{text}");
    // What hangs upstream does not hold up the end.
    upstream.set(|_| Answer::Hang);
    change(dir.path(), &pinged);
    let before = upstream.asked().len();
    upstream.wait(before + 1, |_| true);
    assert!(daemon.stop().success());
}

#[test]
fn an_outage_of_a_server_that_left_the_configuration_ends() {
    let dir = TempDir::new();
    let told = |label: &str, incident: &str| {
        format!(r#"{{"monitor":"{label}","what":"unreachable","incident":"{incident}","since":[7,1,2,false]}}"#)
    };
    let (kept, gone) = ("ic://default@127.0.0.1:1", "ic://default@127.0.0.1:2");
    let book = format!(r#"{{"told":[{},{}]}}"#, told(kept, "00000000000000aa"), told(gone, "00000000000000bb"));
    fs::create_dir_all(dir.join("state")).unwrap();
    fs::write(dir.join("state/monitors.json"), serde_json::json!({"seq": 1, "json": book}).to_string()).unwrap();
    let mut daemon = Daemon::start(dir.path(), &client("default", KEY, SocketAddr::from(([127, 0, 0, 1], 1))));
    // The desk speaks for itself, before or after the daemon is ready.
    wait_for("the end and the ready line", || {
        let said = daemon.output();
        (said.contains("(incident 00000000000000bb)") && said.contains("ready: ")).then_some(())
    });
    assert!(change(dir.path(), &client("default", KEY, SocketAddr::from(([127, 0, 0, 1], 3)))).contains("gone"));
    daemon.wait_line("(incident 00000000000000aa)");
    wait_for("it to be saved", || {
        let saved = fs::read_to_string(dir.join("state/monitors.json")).ok()?;
        (!saved.contains("00aa") && !saved.contains("00bb")).then_some(())
    });
}
