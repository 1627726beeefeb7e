//! Resources: what this machine is short of, what hosts are short of, and a disk that is full.

#![cfg(feature = "probes")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

mod hosts;
mod own;

use std::fs;
use std::path::Path;

use crate::common::SECRETS;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use interrupt_callback::control;
use serde_json::Value;

/// Everything is off but what a test adds.
const OFF: &str = "[resource]\ninterval = 1\nfor = \"0s\"\n";

/// All resources but these, switched off.
fn only(names: &[&str]) -> String {
    let all = ["load", "memory", "disk", "inodes", "fds", "temperature"];
    let off = all.iter().filter(|name| !names.contains(name));
    [OFF.to_owned(), off.map(|name| format!("{name} = false\n")).collect()].concat()
}

fn hook() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok(""))
}

fn channel(hook: &FakeHttp) -> String {
    format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url(&format!("/{}", SECRETS[2])))
}

/// What was told of resources: kind, subject, resource; each with its message. One that a crash cut off before it was
/// known to be delivered comes again under its id, and counts once.
fn told(hook: &FakeHttp) -> Vec<(String, Value)> {
    let mut told: Vec<(String, Value)> = Vec::new();
    for message in hook.asked().iter().map(Asked::json) {
        let members = message["members"].as_array().cloned().unwrap_or_default();
        assert!(members.is_empty(), "told one by one: {message}");
        let again = told.iter().any(|(_, other)| other["id"] == message["id"]);
        if message["kind"].as_str().unwrap().starts_with("resource.") && !again {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let parts = [text(&message["kind"]), text(&message["subject"]), text(&message["facts"]["resource"])];
            told.push((parts.join(" "), message));
        }
    }
    told
}

fn names(hook: &FakeHttp) -> Vec<String> {
    told(hook).into_iter().map(|(name, _)| name).collect()
}

/// What `status` says of one resource.
fn standing(daemon: &Daemon, host: &str, resource: &str) -> Option<Value> {
    let status = daemon.status();
    let all = status["resources"].as_array()?;
    all.iter().find(|one| one["host"] == *host && one["resource"] == *resource).cloned()
}

fn state(daemon: &Daemon, host: &str, resource: &str) -> Option<String> {
    Some(standing(daemon, host, resource)?["state"].as_str()?.to_owned())
}

/// Replaces the daemon's file and has it read.
fn reload(dir: &Path, config: &str) -> String {
    let dirs = format!("state_dir = {:?}\ncontrol = {:?}\n", dir.join("state"), dir.join("run/control"));
    fs::write(dir.join("next.toml"), dirs + config).unwrap();
    fs::rename(dir.join("next.toml"), dir.join("config.toml")).unwrap();
    let (code, text) = control::ask(&dir.join("run/control"), "reload").unwrap();
    assert_eq!(code, 0, "{text}");
    text
}
