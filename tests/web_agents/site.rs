//! A server with agents, users, and a webhook that hears what is told.

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::ask::{Reply, ask};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};

/// The agents' tokens, and that of a script that may do everything.
pub const WEB1: &str = "planted-sign-secret";
pub const WEB2: &str = "planted-sign-secret-of-web2";
pub const CI: &str = SECRETS[2];

pub struct Site {
    pub dir: TempDir,
    pub hook: FakeHttp,
    pub server: Daemon,
    pub web: SocketAddr,
    config: String,
}

impl Site {
    /// One with `more` at the end of its file, and `http` in its `[http]`.
    pub fn start(http: &str, more: &str) -> Site {
        let hook = FakeHttp::start(|_| Answer::ok("{}"));
        let config = config(&hook, http, more);
        let dir = TempDir::new();
        let mut server = Daemon::start(&dir.join("srv"), &config);
        let web = server.ready_web();
        Site { dir, hook, server, web, config }
    }

    /// Starts it again; it listens elsewhere.
    pub fn restart(&mut self) {
        self.server = Daemon::start(&self.dir.join("srv"), &self.config);
        self.web = self.server.ready_web();
    }

    pub fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
        ask(self.web, method, path, &headers, body.as_bytes())
    }

    /// The status, and the key of the error.
    pub fn outcome(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let reply = self.ask(method, path, token, body);
        let key = if reply.body.is_empty() { Value::Null } else { reply.json()["error"].clone() };
        (reply.status, key.as_str().unwrap_or_default().to_owned())
    }

    /// Asks as an agent until there is a job: its id and message.
    pub fn pop(&self, token: &str) -> (String, String) {
        wait_for("a job", || {
            let reply = self.ask("GET", "/agent/job", token, "");
            if reply.status == 204 {
                return None;
            }
            assert_eq!(reply.status, 200, "{reply:?}");
            let text = |key: &str| reply.json()[key].as_str().unwrap().to_owned();
            Some((text("id"), text("message")))
        })
    }

    /// What was told of `kind`: the facts, once so many were.
    pub fn told(&self, count: usize, kind: &str) -> Vec<Value> {
        let of = |asked: &Asked| -> Vec<Value> {
            let message = asked.json();
            let members = message["members"].as_array().cloned().unwrap_or_else(|| vec![message.clone()]);
            members.into_iter().filter(|event| event["kind"] == kind).collect()
        };
        wait_for(kind, || {
            let told: Vec<Value> = self.hook.asked().iter().flat_map(of).collect();
            (told.len() >= count).then_some(told)
        })
    }
}

pub fn config(hook: &FakeHttp, http: &str, more: &str) -> String {
    format!(
        "name = \"srv\"\n[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n{http}\n\
         [[http.agent]]\nname = \"web1\"\nalias = \"w\"\ntoken = \"{WEB1}\"\n\
         [[http.agent]]\nname = \"web2\"\ntoken = \"{WEB2}\"\nnotify = \"failure\"\n\
         [[http.token]]\nname = \"ci\"\ntoken = \"{CI}\"\nscopes = [\"message\", \"job\"]\n\
         [[http.token]]\nname = \"look\"\ntoken = \"{}\"\nscopes = [\"read\"]\n{more}",
        hook.url("/hook"),
        SECRETS[0]
    )
}
