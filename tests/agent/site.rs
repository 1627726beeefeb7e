//! A server and its agents, each with a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::daemon::Daemon;
use crate::common::{TempDir, wait_for};

/// A key of a host's own.
pub fn key(n: usize) -> String {
    format!("planted-key-0123456789-{n}")
}

pub fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// What a host is called.
pub fn name(n: usize) -> String {
    format!("w{n}@{}", hostname())
}

/// The heartbeat part of a server for so many hosts.
pub fn server_config(hosts: usize, listen: &str, more: &str) -> String {
    let mut text = format!(
        "name = \"srv\"\n[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"{listen}\"\nkey = \"planted-key-0123456789\"\nnum = 10\n"
    );
    for n in 0..hosts {
        text.push_str(&format!("[keepalive.server.users.w{n}]\nkey = \"{}\"\nhost = \"{}\"\n", key(n), name(n)));
    }
    text + more
}

/// An agent that beats every second and takes `allow`.
pub fn agent_config(n: usize, port: u16, allow: &str) -> String {
    format!(
        "name = \"w{n}\"\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"ic://w{n}:{}@127.0.0.1:{port}\"\n\
         [agent]\nserver = \"srv@{}\"\n{allow}",
        key(n),
        hostname()
    )
}

/// The usual allow-list: a program that writes to `log` when it begins and ends.
pub fn allow(log: &Path) -> String {
    let script = log.with_extension("sh");
    // Each line goes into the file with one write.
    let text = format!(
        "#!/bin/sh\necho \"begin $1 $IC_RUN $(cut -d' ' -f1 /proc/uptime)\" >> {0}\nsleep $2\n\
         echo \"end $1 $IC_RUN $(cut -d' ' -f1 /proc/uptime)\" >> {0}\necho done $1\nexit ${{3:-0}}\n",
        log.display()
    );
    if !script.exists() {
        fs::write(&script, text).unwrap();
    }
    format!(
        "most = 8\n[[agent.command]]\nprefix = \"work\"\nrun = [\"/bin/sh\", {script:?}]\n\
         [[agent.shortcut]]\nmessage = \"boom\"\nshell = \"echo boom >&2; exit 7\"\n"
    )
}

pub struct Site {
    pub dir: TempDir,
    pub server: Daemon,
    pub agents: Vec<Daemon>,
    pub server_config: String,
    pub agent_configs: Vec<String>,
}

impl Site {
    /// A server with `more` in its file, and agents with the usual allow-list and `add`, all of them known.
    pub fn start(hosts: usize, more: &str, add: &str) -> Site {
        let dir = TempDir::new();
        let mut server = Daemon::start(&dir.join("srv"), &server_config(hosts, "127.0.0.1:0", more));
        let port = server.ready().port();
        let server_config = server_config(hosts, &format!("127.0.0.1:{port}"), more);
        let mut site = Site { dir, server, agents: Vec::new(), server_config, agent_configs: Vec::new() };
        let allow = allow(&site.log());
        for n in 0..hosts {
            // Keys of the agent itself stand before its entries.
            let list = if add.starts_with('[') { allow.clone() + add } else { [add, &allow].concat() };
            let config = agent_config(n, port, &list);
            site.agents.push(Daemon::start(&site.dir.join(format!("w{n}")), &config));
            site.agent_configs.push(config);
        }
        for n in 0..hosts {
            site.agents[n].wait_line("beating to");
            site.known(n);
        }
        site
    }

    /// Waits until the server knows what an agent takes: it refuses what none does.
    pub fn known(&self, n: usize) {
        wait_for("what it takes", || {
            let asked = self.server.ask(&["job", "add", "--on", &name(n), "not listed"]);
            String::from_utf8_lossy(&asked.stderr).contains("does not list").then_some(())
        });
    }

    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The lines of the log of all runs: begin or end, what, run, when in hundredths of a second.
    pub fn deeds(&self) -> Vec<(bool, String, String, u64)> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let mut deeds = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let when = words[3].replace('.', "").parse().unwrap();
            deeds.push((words[0] == "begin", words[1].to_owned(), words[2].to_owned(), when));
        }
        deeds
    }

    pub fn restart_server(&mut self) {
        self.server = Daemon::start(&self.dir.join("srv"), &self.server_config);
        self.server.ready();
    }

    pub fn restart_agent(&mut self, n: usize) {
        self.agents[n] = Daemon::start(&self.dir.join(format!("w{n}")), &self.agent_configs[n]);
        self.agents[n].wait_line("beating to");
    }

    /// Adds a job: its ids.
    pub fn add(&self, args: &[&str]) -> Vec<String> {
        let output = self.server.ask(&[&["job"], args].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    /// All runs of the server's log of jobs, as JSON.
    pub fn log_of(&self, id: &str) -> Value {
        let output = self.server.ask(&["job", "log", "--json", id]);
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The state of a run; empty if it is not known.
    pub fn state(&self, id: &str) -> String {
        let runs = self.server.ask(&["job", "log", "--json", id]);
        let text = String::from_utf8_lossy(&runs.stdout).into_owned();
        state_in(&text, id)
    }

    /// Waits until a run is in one of these states.
    pub fn wait_state(&self, id: &str, states: &[&str]) -> String {
        let mut last = String::new();
        crate::common::wait_within(std::time::Duration::from_secs(60), &format!("{id} to be {states:?}"), || {
            last = self.state(id);
            states.contains(&&*last).then(|| last.clone())
        })
    }
}

fn state_in(text: &str, id: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return String::new() };
    find(&value, id).and_then(|run| run["state"].as_str()).unwrap_or_default().to_owned()
}

/// The object with that id, wherever it is.
pub fn find<'a>(value: &'a Value, id: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) if object.get("run").and_then(Value::as_str) == Some(id) => Some(value),
        Value::Object(object) => object.values().find_map(|value| find(value, id)),
        Value::Array(array) => array.iter().find_map(|value| find(value, id)),
        _ => None,
    }
}
