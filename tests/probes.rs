//! Probes and pings of the real daemon: what is told, what explains what, and what survives a restart.

#![cfg(feature = "probes")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod enemies;
#[cfg(feature = "status")]
mod pings;
mod still;
mod told;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::wait_for;
use serde_json::Value;

/// A port that can be open or closed.
struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
}

impl Door {
    fn open() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Door { address: listener.local_addr().unwrap(), listener: Some(listener) }
    }

    fn close(&mut self) {
        self.listener = None;
    }

    fn open_again(&mut self) {
        self.listener = Some(wait_for("the port", || TcpListener::bind(self.address).ok()));
    }

    /// A `[[probe]]` of it that is quick to judge.
    fn probe(&self, name: &str, more: &str) -> String {
        format!(
            "[[probe]]\nname = \"{name}\"\ntcp = \"{}\"\ninterval = 1\ntimeout = 1\nmax_fails = 2\nfail_timeout = 60\n{more}\n",
            self.address
        )
    }
}

fn hook() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok("ok"))
}

fn channel(hook: &FakeHttp) -> String {
    format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/hook"))
}

/// Has `daemon` follow `config` from now on.
fn reload(daemon: &Daemon, dir: &Path, config: &str) {
    let (state, control) = (dir.join("state"), dir.join("run/control"));
    let dirs = format!("state_dir = {state:?}\ncontrol = {control:?}\n");
    std::fs::write(dir.join("config.toml"), dirs + config).unwrap();
    let output = daemon.ask(&["reload"]);
    assert!(output.status.success(), "{output:?}");
}

/// What `status` says of the probe.
fn standing(daemon: &Daemon, name: &str) -> Option<Value> {
    let status = daemon.status();
    let found = status["probes"].as_array()?.iter().find(|probe| probe["name"] == name)?.clone();
    Some(found)
}

/// Waits until the probe stands there, and was looked at in this run.
fn wait_state(daemon: &Daemon, name: &str, state: &str) -> Value {
    wait_for(&format!("{name} {state}"), || {
        standing(daemon, name).filter(|found| found["state"] == state && !found["last"].is_null())
    })
}

/// Waits until nothing waits to be told: what is killed sooner tells it once more, with the same id.
fn settled(dir: &Path) {
    wait_for("an empty outbox", || {
        let mut files = std::fs::read_dir(dir.join("state/outbox")).ok()?.flatten();
        files.all(|file| file.file_type().is_ok_and(|kind| kind.is_dir())).then_some(())
    });
}

/// Kind and probe of all that was told, but for that of a daemon that was started often.
fn told(hook: &FakeHttp) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for message in hook.asked().iter().map(Asked::json) {
        assert!(message["members"].is_null(), "{message:#}");
        if message["kind"] == "restarts" {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told.push((text(&message["kind"]), text(&message["facts"]["probe"])));
    }
    told
}

fn is(told: &[(String, String)], want: &[(&str, &str)]) -> bool {
    told.iter().map(|(kind, name)| (&**kind, &**name)).eq(want.iter().copied())
}
