//! How it goes with one heartbeat server, for `status` and the log.

use std::net::SocketAddr;

use crate::clock::Tick;
use crate::config::plan::ClientPlan;
use crate::keepalive::ask::BeatError;

/// What `status` shows of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientStatus {
    /// `ic://user@host:port`.
    pub label: String,
    /// What the server calls itself.
    pub server: Option<String>,
    /// When the last answered beat was sent.
    pub last: Option<Tick>,
    /// Failures since then.
    pub failures: u32,
    /// The last failure, if it is not over.
    pub error: Option<String>,
    /// Why it said goodbye and beats no more.
    pub farewell: Option<String>,
    /// Addresses of its name that failed when they were tried last, while there is a better one.
    pub passed_over: Vec<SocketAddr>,
}

/// A line for the log.
#[derive(PartialEq, Eq, Debug)]
pub enum Line {
    /// As it should be.
    Info(String),
    /// Not so.
    Warn(String),
}

impl ClientStatus {
    /// Before the first beat.
    pub fn new(plan: &ClientPlan) -> ClientStatus {
        ClientStatus {
            label: plan.uri.label(),
            server: None,
            last: None,
            failures: 0,
            error: None,
            farewell: None,
            passed_over: Vec::new(),
        }
    }

    /// Takes in an answer to a beat sent at `sent`; what is new is logged.
    pub fn answered(&mut self, server: &str, sent: Tick) -> Option<Line> {
        let label = &self.label;
        let line = match &self.server {
            Some(old) if old != server => {
                Some(Line::Warn(format!("the server at {label} calls itself {server} now, not {old} any more")))
            }
            Some(_) if self.failures > 0 => {
                Some(Line::Info(format!("beating to {label} ({server}) again after {} failures", self.failures)))
            }
            Some(_) => None,
            None => Some(Line::Info(format!("beating to {label} ({server})"))),
        };
        if self.server.as_deref() != Some(server) {
            self.server = Some(server.to_owned());
        }
        self.last = Some(sent);
        self.failures = 0;
        self.error = None;
        line
    }

    /// Takes in a failure; the first one is logged.
    pub fn failed(&mut self, error: &BeatError) -> Option<Line> {
        self.failures = self.failures.saturating_add(1);
        let text = error.to_string();
        let line = (self.failures == 1)
            .then(|| Line::Warn(format!("cannot beat to {}: {text}; will keep trying", self.label)));
        self.error = Some(text);
        line
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keepalive::uri::Uri;
    use crate::keepalive::wire::Hint;
    use crate::secret::Secret;

    #[test]
    fn the_log_says_changes_and_no_key() {
        let key = Secret::new("hunter2");
        let uri = Uri { user: "u".into(), key: key.clone(), key_as_written: key, host: "::1".into(), port: 9080 };
        let plan = ClientPlan {
            uri,
            period: Duration::from_secs(30),
            protocol: 2,
            server_name: None,
            back_in: Duration::from_secs(600),
        };
        let mut status = ClientStatus::new(&plan);
        let denied = BeatError::Hinted(Hint::Denied);
        let info = |text: &str| Some(Line::Info(text.to_owned()));
        let warn = |text: &str| Some(Line::Warn(text.to_owned()));
        let why = "denied: the server does not accept this user and key";
        assert_eq!(status.failed(&denied), warn(&format!("cannot beat to ic://u@[::1]:9080: {why}; will keep trying")));
        assert_eq!(status.failed(&denied), None);
        assert_eq!((status.failures, status.error.as_deref()), (2, Some(why)));
        assert_eq!(status.answered("s", Tick(1)), info("beating to ic://u@[::1]:9080 (s)"));
        assert_eq!(status.answered("s", Tick(2)), None);
        assert!(status.failed(&denied).is_some());
        assert_eq!(status.answered("s", Tick(3)), info("beating to ic://u@[::1]:9080 (s) again after 1 failures"));
        let changed = "the server at ic://u@[::1]:9080 calls itself t now, not s any more";
        assert_eq!(status.answered("t", Tick(4)), warn(changed));
        assert_eq!((status.error, status.last, status.failures), (None, Some(Tick(4)), 0));
    }
}
