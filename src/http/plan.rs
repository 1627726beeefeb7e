//! What `[http]` says: complete and validated.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::plan::Reported;
use crate::secret::Secret;

/// `[http]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpPlan {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// `[[http.token]]`: who may do what.
    pub tokens: Vec<Token>,
    /// `[http.basic]`: a user with a password, for browsers; may read.
    pub basic: Option<Basic>,
    /// Whether a token may stand in the query: it then stands in the logs of every proxy on the way.
    pub allow_query_token: bool,
    /// `[[http.ping]]`.
    pub pings: Vec<PingPlan>,
    /// `[http.event]`.
    pub events: EventPlan,
    /// `[[http.agent]]`.
    pub agents: Vec<WebAgent>,
}

impl HttpPlan {
    /// Whether this machine may read without a token: nobody else reaches it, and nothing was set up to read with.
    pub fn is_open(&self) -> bool {
        self.basic.is_none()
            && !self.tokens.iter().any(|token| token.scopes.has(Scope::Read))
            && self.listen.iter().all(|address| address.ip().to_canonical().is_loopback())
    }
}

/// One `[[http.token]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// How it is called in logs and messages.
    pub name: String,
    /// What is sent after `Bearer`.
    pub token: Secret,
    /// What it opens.
    pub scopes: Scopes,
}

/// `[http.basic]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// What a token opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// To look: the page, metrics, status.
    Read,
    /// To have people told.
    Message,
    /// To have jobs done.
    Job,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Message, Scope::Job];
    /// Their names, in the same order.
    pub const NAMES: [&str; 3] = ["read", "message", "job"];
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Scopes(u8);

impl Scopes {
    /// Adds one.
    #[must_use]
    pub fn with(self, scope: Scope) -> Scopes {
        Scopes(self.0 | 1 << scope as u8)
    }

    /// Whether it is in it.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }
}

/// One `[[http.ping]]`: something that reports itself, and is missed when it does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingPlan {
    /// Its name: unique among probes and pings.
    pub name: String,
    /// Stands in the path.
    pub token: Secret,
    /// From one ping to the next.
    pub period: Duration,
    /// Added to it before the ping counts as missing.
    pub grace: Duration,
}

/// `[http.event]`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EventPlan {
    /// Stands in the path of `/event/alicloud/…`; none: that path is not there.
    pub alicloud: Option<Secret>,
}

/// One `[[http.agent]]`: asks for jobs over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebAgent {
    /// Its name.
    pub name: String,
    /// Another name for it; may be empty.
    pub alias: String,
    /// What it sends after `Bearer`.
    pub token: Secret,
    /// Which ends of its jobs are told.
    pub notify: Reported,
}
