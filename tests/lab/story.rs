//! What a test of the lab is made of: a server, clients, and what was told when.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail wherever it wants to, and shows why")]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, wait_for};

pub const KEY: &str = SECRETS[0];

/// Period, `num` and grace.
#[derive(Clone, Copy)]
pub struct Pace {
    pub period: Duration,
    pub num: u32,
    pub grace: Duration,
}

/// Quick, but not so quick that a busy machine looks like a dead one.
pub const BRISK: Pace = Pace { period: Duration::from_millis(500), num: 3, grace: Duration::from_millis(500) };

impl Pace {
    /// D of the design: how long a host may be silent.
    pub fn patience(&self) -> Duration {
        self.period * self.num + self.grace
    }

    pub fn server(&self, hook: &FakeHttp) -> String {
        format!(
            "name = \"vps\"\n[keepalive]\ngrace = {}\n[keepalive.server]\nlisten = \"[::]:0\"\nkey = \"{KEY}\"\nnum = {}\n\
            [alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n",
            self.grace.as_secs_f64(),
            self.num,
            hook.url("/")
        )
    }

    pub fn client(&self, name: &str, server: IpAddr, port: u16) -> String {
        let host = if server.is_ipv6() { format!("[{server}]") } else { server.to_string() };
        self.client_of(name, &host, port)
    }

    pub fn client_of(&self, name: &str, host: &str, port: u16) -> String {
        format!(
            "name = \"{name}\"\n[keepalive]\nperiod = {}\n[keepalive.client]\nuri = \"ic://default:{KEY}@{host}:{port}\"\n",
            self.period.as_secs_f64()
        )
    }
}

/// A channel that takes everything.
pub fn channel() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok(""))
}

/// The host whose name begins with `name@`, in `status`.
pub fn host(daemon: &Daemon, name: &str) -> Option<Value> {
    let status = daemon.status();
    let hosts = status["hosts"].as_array()?;
    hosts.iter().find(|host| host["name"].as_str().unwrap().starts_with(&format!("{name}@"))).cloned()
}

pub fn wait_state(daemon: &Daemon, name: &str, state: &str) {
    wait_for(&format!("{name} {state}"), || (host(daemon, name)?["state"] == state).then_some(()));
}

/// Hosts whose state is `state`.
pub fn count(daemon: &Daemon, state: &str) -> usize {
    daemon.status()["hosts"].as_array().unwrap().iter().filter(|host| host["state"] == state).count()
}

/// What a message tells: of each of its events kind and subject. A message about one has no members.
pub fn told(asked: &Asked) -> Vec<(String, String)> {
    let json = asked.json();
    let of = |json: &Value| (json["kind"].as_str().unwrap().to_owned(), json["subject"].as_str().unwrap().to_owned());
    match json["members"].as_array() {
        Some(members) => members.iter().map(of).collect(),
        None => vec![of(&json)],
    }
}

/// Messages that tell `kind` of somebody.
pub fn tells(hook: &FakeHttp, kind: &str) -> Vec<Asked> {
    hook.asked().into_iter().filter(|asked| told(asked).iter().any(|(told, _)| told == kind)).collect()
}

pub fn wait_told(hook: &FakeHttp, kind: &str) -> Asked {
    hook.wait(1, |asked| told(asked).iter().any(|(told, _)| told == kind)).remove(0)
}

/// How long it lasted, by the event's own clock.
pub fn duration(asked: &Asked) -> Duration {
    let json = asked.json();
    Duration::from_secs_f64(json["facts"]["duration"].as_f64().unwrap_or_else(|| panic!("no duration in {json}")))
}

/// Prints what was told, and when, counted from `start`.
pub fn print(what: &str, start: Instant, hook: &FakeHttp) {
    println!("{what}:");
    for asked in hook.asked() {
        let at = asked.at.saturating_duration_since(start).as_secs_f64();
        let json = asked.json();
        println!("  {at:+7.3} s  {}", json["title"].as_str().unwrap_or_default());
        println!("             {}", json["text"].as_str().unwrap_or_default().replace('\n', " | "));
    }
}
