//! What is shown: figures for Prometheus, the state as JSON, health.

use std::io::Write;
use std::process::{Command, Stdio};

use super::crowd;
use crate::common::ask::{Asker, get};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::FakeHttp;
use crate::common::{SECRETS, TempDir, wait_for};

const KEY: &str = SECRETS[0];

/// What `promtool check metrics` says; `None` without that tool.
fn promtool(text: &str) -> Option<(bool, String)> {
    let tool = std::env::var_os("IC_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let child = Command::new(tool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(why) => {
            assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no promtool: {why}");
            println!("SKIPPED: promtool (Debian package prometheus) is missing: {why}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn figures_are_what_prometheus_wants() {
    let dir = TempDir::new();
    let hook = FakeHttp::feishu();
    let config = format!(
        "name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\n\
         [keepalive.client]\nuri = \"ic://default:x@127.0.0.1:9\"\n\
         [alert.feishu]\nwebhook = \"{}\"\nsecret = \"\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        hook.url("/hook")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    let web = daemon.ready_web();
    let server = daemon.status()["server"]["addresses"][0].as_str().unwrap().parse().unwrap();
    let mut nas = Beater::new(server, KEY, "nas");
    let mut report = nas.report();
    report["data"] = serde_json::json!({"res": {"load": 1.25, "mem": 43, "disk": 7, "temp": -3.5}});
    nas.say(&report).unwrap();
    daemon.ask(&["silence", "nas"]);
    let text = wait_for("the host", || {
        let reply = get(web, "/metrics", "");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = reply.text();
        text.contains("ic_host_up{host=\"nas\"} 1\n").then_some(text)
    });
    for line in [
        "# TYPE ic_build_info gauge",
        "ic_hosts{state=\"up\"} 1",
        "ic_hosts{state=\"reclaimed\"} 0",
        "ic_hosts_left_out 0",
        "ic_host_up{host=\"nas\"} 1",
        "ic_host_load1{host=\"nas\"} 1.25",
        "ic_host_memory_used_ratio{host=\"nas\"} 0.43",
        "ic_host_temperature_celsius{host=\"nas\"} -3.5",
        "ic_silences 1",
        "ic_channel_up{channel=\"feishu\"} 1",
        "ic_channel_queued_events{channel=\"feishu\"} 0",
        "# TYPE ic_channel_lost_events_total counter",
        "ic_channel_lost_events_total{channel=\"feishu\"} 0",
        "ic_state_writable 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    for family in ["process_start_time_seconds ", "process_resident_memory_bytes ", "ic_monitor_failures{"] {
        assert!(text.lines().any(|line| line.starts_with(family)), "no {family} in\n{text}");
    }
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut unique = heads.clone();
    unique.dedup();
    assert_eq!(heads, unique);
    println!("{} bytes of figures, {} families", text.len(), heads.len());
    if let Some((good, said)) = promtool(&text) {
        assert!(good && said.is_empty(), "{said}\n{text}");
    }
    assert!(daemon.stop().success());
}

/// 10,000 hosts would be expensive to show at every request.
#[test]
fn what_costs_much_is_made_once_a_second() {
    let dir = TempDir::new();
    let (mut daemon, web) = crowd(&dir, 100);
    let mut asker = Asker::new(web);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..90 {
        let running = asker.ask("GET", "/api/status", &[], b"").json()["running"].to_string();
        if seen.last() != Some(&running) {
            seen.push(running);
        }
    }
    let first: f64 = seen[0].parse().unwrap();
    let last: f64 = seen[seen.len() - 1].parse().unwrap();
    println!("90 requests, {} answers made within {:.3} s", seen.len(), last - first);
    // One at the beginning, and one for each second.
    assert!(seen.len() as f64 <= last - first + 1.001, "{seen:?}");
    assert_eq!(get(web, "/api/status", "").json()["hosts"].as_array().unwrap().len(), 100);
    assert!(daemon.stop().success());
}

#[test]
fn health_has_a_word_for_what_is_broken() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let web = daemon.ready_web();
    assert_eq!(get(web, "/healthz", "").text(), "ok\n");
    // A file in the place of the folder: what is written next fails, for root too.
    let state = dir.join("state/outbox");
    let _ = std::fs::remove_dir_all(&state);
    std::fs::write(&state, "").unwrap();
    daemon.ask(&["simulate", "offline"]);
    let reply = wait_for("the word", || Some(get(web, "/healthz", "")).filter(|reply| reply.status != 200));
    assert_eq!((reply.status, &*reply.text()), (503, "state\n"));
}
