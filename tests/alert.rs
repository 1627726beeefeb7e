//! Alerts through outages, restarts and broken disks, with the real binary.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads clocks and fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, binary, command};
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};

const KEY: &str = SECRETS[0];

fn config(hook: &FakeHttp) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = \"200ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 1\n[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n",
        hook.url(&format!("/{}", SECRETS[2]))
    )
}

/// A host that is heard once and then never again.
fn vanish(daemon: &Daemon, name: &str) {
    let mut beater = Beater::new(daemon.ready_address(), KEY, name);
    beater.period = 0.2;
    beater.beat().unwrap();
}

fn about<'a>(asked: &'a [Asked], subject: &str) -> Vec<&'a Asked> {
    asked.iter().filter(|asked| asked.json()["subject"] == subject).collect()
}

#[test]
fn nothing_is_lost_while_the_channel_is_down_and_order_and_times_are_kept() {
    let hook = FakeHttp::start(|_| Answer::status(503, "down"));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    vanish(&daemon, "one");
    hook.posts(1);
    let first = hook.asked()[0].json();
    vanish(&daemon, "two");
    wait_for("both in the queue", || (daemon.status()["channels"][0]["queued"] == 2).then_some(()));
    // In the queue is not yet on the disk.
    wait_for("both on the disk", || {
        let names = std::fs::read_dir(dir.path().join("state/outbox")).unwrap().map(|file| file.unwrap().path());
        (names.filter(|path| path.extension().is_some_and(|end| end == "json")).count() == 2).then_some(())
    });
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    assert_eq!(daemon.status()["channels"][0]["queued"], 2);
    let down = hook.asked().len();
    hook.set(|_| Answer::ok("{}"));
    let posts = hook.posts(down + 2);
    let told: Vec<serde_json::Value> = posts[down..].iter().map(Asked::json).collect();
    println!("{told:#?}");
    assert_eq!((told[0]["subject"].as_str(), told[1]["subject"].as_str()), (Some("one"), Some("two")));
    for key in ["id", "incident", "at", "kind"] {
        assert_eq!(told[0][key], first[key], "the same {key} at every attempt, also after a restart");
    }
    wait_for("an empty queue", || (daemon.status()["channels"][0]["queued"] == 0).then_some(()));
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    assert_eq!(hook.asked().len(), down + 2, "delivered means delivered");
}

#[test]
fn retry_after_is_kept_and_a_lasting_refusal_parks_the_channel_with_its_alerts() {
    let mut count = 0;
    let hook = FakeHttp::start(move |_| {
        count += 1;
        if count == 1 { Answer::Say(429, vec!["retry-after: 3"], Vec::new()) } else { Answer::ok("") }
    });
    let gone = FakeHttp::start(|_| Answer::status(404, "no such hook"));
    let dir = TempDir::new();
    let config = format!(
        "{}[alert.gone]\nkind = \"webhook\"\nurl = \"{}\"\n",
        config(&hook),
        gone.url(&format!("/{}", SECRETS[2]))
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    vanish(&daemon, "one");
    let posts = hook.posts(2);
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(3), "{:?}", posts[1].at - posts[0].at);
    let broken = hook.wait(1, |asked| asked.json()["kind"] == "channel.broken");
    println!("{}", broken[0].text());
    assert!(!broken[0].text().contains(SECRETS[2]));
    let status = daemon.status();
    let channel = status["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == "gone").unwrap();
    assert_eq!((channel["state"].as_str(), channel["queued"].as_u64()), (Some("parked"), Some(1)), "{status}");
    gone.set(|_| Answer::ok(""));
    daemon.stop();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    wait_for("the parked alert after a restart", || {
        let asked = gone.asked();
        (about(&asked, "one").len() == 2).then_some(())
    });
    hook.wait(1, |asked| asked.json()["kind"] == "channel.mended");
}

#[test]
fn every_bad_answer_is_tried_again() {
    let answers =
        [Answer::status(500, ""), Answer::Drop, Answer::Raw(b"garbage\r\n\r\n".to_vec()), Answer::status(429, "")];
    let hooks = answers.map(|answer| {
        let mut first = Some(answer);
        FakeHttp::start(move |_| first.take().unwrap_or_else(|| Answer::ok("")))
    });
    let mut config = config(&hooks[0]);
    for (n, hook) in hooks.iter().enumerate().skip(1) {
        config += &format!("[alert.hook{n}]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/"));
    }
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    vanish(&daemon, "one");
    for hook in &hooks {
        let posts = hook.posts(2);
        assert_eq!(posts[0].json()["id"], posts[1].json()["id"]);
        let pause = posts[1].at - posts[0].at;
        println!("{pause:?}");
        assert!(pause >= Duration::from_millis(700), "{pause:?}");
    }
}

#[test]
#[ignore = "long: its pauses grow"]
fn bad_answers_one_after_the_other_are_tried_again_later_and_later() {
    let answers =
        [Answer::status(500, ""), Answer::Drop, Answer::Raw(b"garbage\r\n\r\n".to_vec()), Answer::status(429, "")];
    let mut count = 0;
    let hook = FakeHttp::start(move |_| {
        count += 1;
        answers.get(count - 1).cloned().unwrap_or_else(|| Answer::ok(""))
    });
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    vanish(&daemon, "one");
    let posts = hook.posts(5);
    assert!(posts.windows(2).all(|pair| pair[0].json()["id"] == pair[1].json()["id"]));
    let times: Vec<Duration> = posts.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    println!("{times:?}");
    assert!(times[0] >= Duration::from_millis(700) && times[3] >= Duration::from_secs(7), "{times:?}");
}

#[test]
fn a_feishu_error_in_a_200_is_no_success() {
    let feishu = FakeHttp::start(|_| Answer::ok(r#"{"code":19024,"msg":"Key Words Not Found"}"#));
    let dir = TempDir::new();
    let hook = feishu.url(&format!("/open-apis/bot/v2/hook/{}", SECRETS[2]));
    let config = format!(
        "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n[alert.feishu]\nwebhook = \"{hook}\"\nsecret = \"{}\"\n",
        SECRETS[1]
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let line = daemon.wait_line("19024");
    assert!(line.contains("feishu") && line.contains("eyword"), "{line}");
    // The log says it first.
    wait_for("a parked channel", || (daemon.status()["channels"][0]["state"] == "parked").then_some(()));
    let output = daemon.ask(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    feishu.set(|_| Answer::ok(r#"{"code":0}"#));
    assert_eq!(daemon.ask(&["test"]).status.code(), Some(0));
}

#[test]
fn a_command_gets_the_event_on_its_standard_input() {
    let dir = TempDir::new();
    let file = dir.join("told.json");
    let config = format!(
        "[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n[alert.command]\nargv = [\"sh\", \"-c\", \"cat > {0}.part && mv {0}.part {0}\"]\n",
        file.display()
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    daemon.ask(&["simulate", "interrupt"]);
    let told = wait_for("the file", || fs::read(&file).ok());
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((told["kind"].as_str(), told["test"].as_bool()), (Some("interrupt"), Some(true)), "{told}");
    println!("{told:#}");
}

#[test]
fn killed_at_any_moment_it_delivers_after_the_restart() {
    let round = |round: u64| {
        let hook = FakeHttp::start(|_| Answer::ok(""));
        let dir = TempDir::new();
        let mut daemon = Daemon::start(dir.path(), &config(&hook));
        let mut beater = Beater::new(daemon.ready(), KEY, "one");
        beater.period = 0.2;
        wait_for("the host on disk", || {
            beater.beat().unwrap();
            fs::read_dir(dir.join("state/hosts")).ok()?.next().map(drop)
        });
        beater.beat().unwrap();
        // The deadline is 400 ms after the beat: the kills fall around it, some milliseconds apart.
        std::thread::park_timeout(Duration::from_millis(380 + 8 * round));
        daemon.kill();
        let mut daemon = Daemon::start(dir.path(), &config(&hook));
        daemon.ready();
        hook.posts(1);
        wait_for("an empty queue", || (daemon.status()["channels"][0]["queued"] == 0).then_some(()));
        let all = hook.asked();
        // On a busy machine the second beat may come so late that the host was silent before it, too.
        let mut told: Vec<(String, String)> = Vec::new();
        for asked in &all {
            let event = asked.json();
            told.push((event["id"].to_string(), event["kind"].to_string()));
        }
        assert!(told.iter().all(|id| told.iter().filter(|other| *other == id).count() <= 2), "{told:#?}");
        let twice = (1..told.len()).filter(|at| told[..*at].contains(&told[*at])).count();
        assert!(twice <= 1 && told.last().is_some_and(|(_, kind)| kind == "\"offline\""), "{told:#?}");
        twice
    };
    let doubles: usize = std::thread::scope(|scope| {
        let rounds: Vec<_> = (0..12).map(|number| scope.spawn(move || round(number))).collect();
        rounds.into_iter().map(|round| round.join().unwrap()).sum()
    });
    println!("12 kills, {doubles} duplicates");
}

#[test]
fn a_host_heard_once_is_on_disk_at_once_and_survives_a_kill() {
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    let mut beater = Beater::new(daemon.ready(), KEY, "one");
    beater.period = 60.0;
    let start = Instant::now();
    beater.beat().unwrap();
    wait_for("the host on disk", || {
        let mut files = fs::read_dir(dir.join("state/hosts")).ok()?.flatten();
        files.any(|file| file.path().extension().is_some_and(|end| end == "json")).then_some(())
    });
    println!("on disk after {:?}", start.elapsed());
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    assert_eq!(daemon.status()["hosts"].as_array().unwrap().len(), 1);
}

/// Runs the daemon under strace with a fault in a system call; `None` where there is no strace.
fn with_fault(dir: &Path, config: &str, fault: &str) -> Option<Daemon> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("IC_NO_SKIP").is_none(), "strace is missing");
        eprintln!("SKIPPED: strace is missing, faults of the disk are not tried");
        return None;
    }
    let trace = dir.join("trace");
    Some(Daemon::start_with(dir, config, |child| {
        let args: Vec<_> = child.get_args().map(ToOwned::to_owned).collect();
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o"]).arg(trace).args(["-e", &format!("inject={fault}")]).arg(binary()).args(args);
        traced
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        *child = traced;
    }))
}

#[test]
fn a_disk_that_fails_or_hangs_delays_an_alert_by_a_second_at_most_and_is_said_once() {
    for fault in ["fsync:error=ENOSPC", "fsync:error=EIO", "fsync:delay_enter=20000000"] {
        let hook = FakeHttp::start(|_| Answer::ok(""));
        let dir = TempDir::new();
        let Some(mut daemon) = with_fault(dir.path(), &config(&hook), fault) else { return };
        daemon.ready();
        let start = Instant::now();
        vanish(&daemon, "one");
        vanish(&daemon, "two");
        let asked = wait_for("both alerts", || {
            let asked = hook.asked();
            let told = |name| asked.iter().filter(|asked| asked.tells("offline", name)).count() == 1;
            (told("one") && told("two")).then_some(asked)
        });
        println!("{fault}: told within {:?}", asked.last().unwrap().at - start);
        let unwritable = hook.wait(1, |asked| asked.json()["kind"] == "state.unwritable");
        assert_eq!(unwritable.len(), 1);
        assert!(daemon.status()["state"]["problem"].is_string());
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_said_and_alerts_go_out() {
    let hook = FakeHttp::start(|_| Answer::ok(""));
    let dir = TempDir::new();
    fs::write(dir.join("state"), "a file where a folder should be").unwrap();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    assert!(daemon.status()["state"]["problem"].is_string(), "{}", daemon.status());
    vanish(&daemon, "one");
    hook.wait(1, |asked| asked.json()["subject"] == "one");
}

#[test]
fn damaged_state_is_set_aside_and_told() {
    let hook = FakeHttp::start(|_| Answer::status(503, ""));
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    vanish(&daemon, "one");
    hook.posts(1);
    daemon.stop();
    let mut damaged = 0;
    for folder in ["state", "state/outbox", "state/hosts"] {
        for entry in fs::read_dir(dir.join(folder)).unwrap().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "json") {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                let _ = fs::remove_file(path.with_extension("json.old"));
                damaged += 1;
            }
        }
    }
    assert!(damaged >= 3, "{damaged}");
    hook.set(|_| Answer::ok(""));
    let mut daemon = Daemon::start(dir.path(), &config(&hook));
    daemon.ready();
    let told = hook.wait(1, |asked| asked.json()["kind"] == "state.damaged");
    println!("{}", told[0].text());
    vanish(&daemon, "two");
    hook.wait(1, |asked| asked.json()["subject"] == "two");
}

#[test]
fn tls_that_fails_is_a_reason_without_an_address() {
    // A server that knows no TLS.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/{}", plain.local_addr().unwrap(), SECRETS[2]);
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    fs::write(
        &file,
        format!("[keepalive.server]\nlisten = \"127.0.0.1:0\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n"),
    )
    .unwrap();
    let output = command().args(["test", "-c"]).arg(&file).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.to_lowercase().contains("tls") && !text.contains(SECRETS[2]), "{text}");
}

/// An address of its own, so that nobody else gets the port while nobody listens there.
#[test]
fn a_server_whose_channel_does_not_answer_doubts_itself_before_it_tells() {
    const REASON: &str = "this server's own channels fail as well";
    let place = std::net::SocketAddr::from(([127, 0, 44, 1], 0));
    let listener = std::net::TcpListener::bind(place).unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{place}/");
    let dir = TempDir::new();
    let config = format!("{}[alert.here]\nkind = \"log\"\n", config(&FakeHttp::feishu()));
    let start = config.find("url = ").unwrap();
    let end = start + config[start..].find('\n').unwrap();
    let config = [&config[..start], &format!("url = \"{url}\""), &config[end..]].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    // Told at its deadline, in vain.
    vanish(&daemon, "one");
    let line = daemon.wait_line("one");
    wait_for("a failure of the channel", || {
        let status = daemon.status();
        let hook = status["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == "hook")?.clone();
        (hook["state"] == "retrying").then_some(())
    });
    assert!(!daemon.output().contains("held back"), "{line}: {}", daemon.output());
    // Held, for no longer than its own patience.
    vanish(&daemon, "two");
    daemon.wait_line("1 hosts are late or silent together: held back for a while");
    daemon.wait_line("offline: two");
    let hook = FakeHttp::start_at(place, |_| Answer::ok(""));
    let told = |name: &'static str| hook.wait(1, |asked| asked.tells("offline", name)).remove(0);
    let (one, two) = (told("one"), told("two"));
    println!("{}\n{}", one.text(), two.text());
    assert!(!one.text().contains(REASON) && two.text().contains(REASON));
    // The channel answers: nothing is held any more.
    wait_for("an empty queue", || (daemon.status()["channels"][0]["queued"] == 0).then_some(()));
    vanish(&daemon, "three");
    assert!(!told("three").text().contains(REASON));
    assert_eq!(daemon.output().matches("held back").count(), 1, "{}", daemon.output());
    for name in ["one", "two", "three"] {
        let times = hook.asked().iter().filter(|asked| asked.tells("offline", name)).count();
        assert_eq!(times, 1, "{name}");
    }
}
