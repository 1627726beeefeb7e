//! Start, commands, signals, exit codes: what a person and a service manager see.

#![expect(clippy::disallowed_methods, reason = "a test reads clocks and fails by panicking")]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, run};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, SOON, TempDir, wait_for};

const SERVER: &str = "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"planted-key-0123456789\"\n";

#[test]
fn a_wrong_file_is_told_line_by_line_and_exits_78() {
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    fs::write(&file, "intervall = 10\nname = 7\n[keepalive.server]\nnum = 0\n[keepalive.client]\nuri = \"ic://\"\nperiod = \"5 parsecs\"\n")
        .unwrap();
    let file = file.to_str().unwrap();
    for command in [&["check", "-c", file][..], &["-c", file], &["status", "--config", file]] {
        let output = run(command);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{text}");
        for (line, part) in [(1, "interval"), (2, "name"), (4, "num"), (6, "uri")] {
            let found = text.lines().any(|told| told.contains(&format!(":{line}:")) && told.contains(part));
            assert!(found, "line {line}, {part}: {text}");
        }
        if command.len() == 3 {
            println!("{text}");
        }
    }
    let output = run(&["-c", dir.join("none.toml").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    fs::write(dir.join("empty.toml"), "").unwrap();
    let output = run(&["-c", dir.join("empty.toml").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to do"), "{output:?}");
}

#[test]
fn words_on_the_command_line() {
    assert!(String::from_utf8_lossy(&run(&["help"]).stdout).contains("simulate"));
    assert!(String::from_utf8_lossy(&run(&["version"]).stdout).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["helpp"]).status.code(), Some(64));
    let keys: Vec<String> = (0..2).map(|_| String::from_utf8(run(&["keygen"]).stdout).unwrap()).collect();
    assert!(keys[0] != keys[1] && keys.iter().all(|key| key.trim().len() == 43), "{keys:?}");
}

#[test]
fn commands_without_a_daemon_say_so() {
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    fs::write(&file, format!("control = {:?}\n{SERVER}", dir.join("control"))).unwrap();
    let file = file.to_str().unwrap();
    for (words, code) in [(&["status"][..], 2), (&["simulate", "offline"], 1), (&["forget", "x"], 1)] {
        let output = run(&[&["-c", file], words].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no daemon"), "{output:?}");
    }
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let dir = TempDir::new();
    let mut first = Daemon::start(dir.path(), SERVER);
    first.ready();
    let mut second = Daemon::start(dir.path(), SERVER);
    let line = second.wait_line("state");
    assert!(line.contains(&first.pid().to_string()), "{line}");
    assert_eq!(second.wait_exit().code(), Some(1));
    assert_eq!(first.ask(&["status"]).status.code(), Some(0), "the first one keeps its socket");
    first.kill();
    let mut third = Daemon::start(dir.path(), SERVER);
    third.ready();
    assert_eq!(third.ask(&["status"]).status.code(), Some(0), "a stale socket is replaced");
}

#[test]
fn a_busy_port_is_retried() {
    let dir = TempDir::new();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let config = SERVER.replace("127.0.0.1:0", &address.to_string());
    let mut daemon = Daemon::start(dir.path(), &config);
    // Not the word in "already in use".
    daemon.wait_line("ready: ");
    let status = daemon.status();
    assert!(status["server"]["problem"].as_str().unwrap().contains("in use"), "{status}");
    drop(busy);
    wait_for("the port", || daemon.status()["server"]["problem"].is_null().then_some(()));
    Beater::new(address, SECRETS[0], "nas").beat().unwrap();
    let output = daemon.output();
    assert_eq!(output.matches("in use").count(), 1, "said once: {output}");
}

#[test]
fn simulate_walks_the_path_and_leaves_nothing() {
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let dir = TempDir::new();
    let config = format!("{SERVER}[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let mut posts = Vec::new();
    for (before, kind) in ["interrupt", "offline", "online"].into_iter().enumerate() {
        let output = daemon.ask(&["simulate", kind]);
        assert!(output.status.success(), "{output:?}");
        // An end that catches up with its beginning would be told in one message with it.
        posts = hook.posts(before + 1);
    }
    for post in &posts {
        assert!(post.text().contains("TEST"), "{}", post.text());
    }
    let of = |kind: &str| posts.iter().map(|post| post.json()).find(|json| json["kind"] == kind).unwrap();
    assert_eq!(of("offline")["incident"], of("online")["incident"]);
    let status = daemon.status();
    assert_eq!((status["hosts"].as_array().unwrap().len(), status["well"].as_bool()), (0, Some(true)));
    daemon.stop();
    let left = fs::read_dir(dir.join("state/outbox")).unwrap().count();
    let incidents = fs::read_to_string(dir.join("state/incidents.json")).unwrap_or_default();
    assert_eq!((left, incidents.contains(of("interrupt")["incident"].as_str().unwrap())), (0, false));
}

#[test]
fn it_ends_in_time_even_if_a_channel_hangs() {
    let hook = FakeHttp::start(|_| Answer::Hang);
    let dir = TempDir::new();
    let config = format!("{SERVER}[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    daemon.ask(&["simulate", "offline"]);
    hook.posts(1);
    let start = Instant::now();
    assert!(daemon.stop().success());
    println!("ended after {:?}", start.elapsed());
    let mut daemon = Daemon::start(dir.path(), SERVER);
    daemon.ready();
    daemon.signal("HUP");
    daemon.wait_line("reloaded: nothing changed");
    assert!(daemon.stop().success());
}

#[test]
fn the_service_manager_is_told() {
    let dir = TempDir::new();
    let path = dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut daemon = Daemon::start_with(dir.path(), SERVER, |child| {
        child.env("NOTIFY_SOCKET", &path).env("JOURNAL_STREAM", "8:1");
    });
    let mut said = [0; 256];
    let len = socket.recv(&mut said).unwrap();
    assert_eq!(&said[..len], b"READY=1");
    let line = daemon.wait_line("ready");
    assert!(line.starts_with("<6>"), "{line}");
    daemon.signal("TERM");
    let len = socket.recv(&mut said).unwrap();
    assert_eq!(&said[..len], b"STOPPING=1");
    assert!(daemon.wait_exit().success());
}

#[test]
fn threads_have_names_and_do_not_grow() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), SERVER);
    let address = daemon.ready();
    let names = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
        let mut names: Vec<String> = tasks
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim().into())
            .collect();
        names.sort();
        names
    };
    // A thread gives itself its name, when it first runs.
    let idle = wait_for("all but main to have a name", || {
        let names = names();
        (names.iter().filter(|name| name.starts_with("interrupt-call")).count() == 1).then_some(names)
    });
    println!("{idle:?}");
    for host in 0..200 {
        Beater::new(address, SECRETS[0], &format!("host-{host}")).beat().unwrap();
    }
    wait_for("the threads to end", || (names() == idle).then_some(()));
}

#[test]
fn the_example_is_valid_and_shows_something_at_once() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert!(run(&["check", "--config", example]).status.success());
    let dir = TempDir::new();
    // Its port may be taken on the machine that runs this; should this one be taken meanwhile, it is tried again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(example).unwrap().replace("9080", &port.to_string());
    let mut daemon = Daemon::start(dir.path(), &text);
    daemon.wait_line("beating to");
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    daemon.wait_line("[TEST]");
    let table = daemon.ask(&["status"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("demo@"), "{table:?}");
}

#[test]
fn a_control_path_that_is_no_socket_is_left_alone() {
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("run")).unwrap();
    fs::write(dir.join("run/control"), "precious").unwrap();
    let mut daemon = Daemon::start(dir.path(), SERVER);
    daemon.wait_line("no socket");
    daemon.ready();
    assert!(daemon.stop().success());
    assert_eq!(fs::read_to_string(dir.join("run/control")).unwrap(), "precious");
}

#[test]
fn a_slow_reader_holds_up_nobody_for_long() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), SERVER);
    daemon.ready();
    // Says nothing, and is given up.
    let mute = std::os::unix::net::UnixStream::connect(dir.join("run/control")).unwrap();
    assert_eq!(daemon.ask(&["status"]).status.code(), Some(0));
    drop(mute);
}

#[test]
fn odd_variables_do_no_harm() {
    for (filter, colour) in [("inof", ""), ("=,==,%%%", "1"), ("", ""), ("off", "")] {
        let dir = TempDir::new();
        let mut daemon = Daemon::start_with(dir.path(), SERVER, |child| {
            child.env("RUST_LOG", filter).env("NO_COLOR", colour).env("TZ", ":/nonexistent").env("NOTIFY_SOCKET", "");
        });
        wait_for("the socket", || (daemon.ask(&["status"]).status.code() == Some(0)).then_some(()));
        assert!(daemon.stop().success(), "{filter}");
        assert_eq!(daemon.output().contains("ready"), filter != "off", "{filter}: {}", daemon.output());
    }
}
