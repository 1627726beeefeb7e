//! Asks a metadata service: no proxy, no redirects, two seconds a request, with a token where there is one.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::fetch::{Answer, Fetch, FetchError, Limits, Request, host_of};
use crate::resolve::Resolver;
use crate::spot::service::{Reading, Service, TokenRules, Why, answers, text_of};
use crate::spot::token::{LIFE, Token};

/// For the connection.
const CONNECT: Duration = Duration::from_secs(1);
/// For one request.
pub const TOTAL: Duration = Duration::from_secs(2);
/// For one poll: a token refused or renewed, and the question itself.
const POLL: Duration = Duration::from_secs(6);
/// Bytes of an answer.
const BODY: u64 = 64 * 1024;

/// A metadata service and the way to it.
pub struct Metadata {
    service: &'static Service,
    base: String,
    fetch: Fetch,
    token: Token,
}

impl Metadata {
    /// The service at `endpoint`, or at its own address.
    pub fn new(service: &'static Service, endpoint: Option<String>, resolver: Arc<Resolver>) -> Metadata {
        let limits = Limits { connect: CONNECT, total: TOTAL, body: BODY, proxy: false };
        let base = endpoint.unwrap_or_else(|| service.base.to_owned());
        Metadata { service, base, fetch: Fetch::new(limits, resolver), token: Token::default() }
    }

    /// Asks whether the instance will go.
    pub fn poll(&mut self) -> Reading {
        match self.get(self.service.notice, clock::tick() + POLL) {
            Ok(answer) => match (self.service.classify)(&answer) {
                Reading::NeedToken => {
                    let mut text = answers("termination-time", answer.status);
                    if self.service.token.is_some() {
                        let refused = self.token.shown(clock::tick()).is_some();
                        text.push_str(", and the service ");
                        text.push_str(if refused { "refuses its own token" } else { "gives no token" });
                    }
                    Reading::Unknown(Why { text, hint: self.service.silence })
                }
                reading => reading,
            },
            Err(error) => Reading::Unknown(self.why(error)),
        }
    }

    /// Why there was no answer.
    pub fn why(&self, error: FetchError) -> Why {
        let hint = match error {
            FetchError::Resolve | FetchError::Connect | FetchError::Timeout => self.service.silence,
            FetchError::BadUrl => "[spot] endpoint is scheme and host, such as http://100.100.100.200",
            FetchError::Tls | FetchError::Protocol | FetchError::TooLarge => "",
        };
        Why { text: [host_of(&self.base), ": ", error.text()].concat(), hint }
    }

    /// Reads `path`. A token is had first where one is due, and once more if it is refused.
    ///
    /// # Errors
    /// When there is no whole answer by `end`.
    pub fn get(&mut self, path: &str, end: Tick) -> Result<Answer, FetchError> {
        let service = self.service;
        let Some(rules) = &service.token else { return self.ask("GET", path, None, end) };
        let due = self.token.is_due(clock::tick());
        if due {
            self.renew(rules, end);
        }
        let answer = self.ask("GET", path, self.shown(rules), end)?;
        if !due && matches!(answer.status, 401 | 403) && self.renew(rules, end) {
            return self.ask("GET", path, self.shown(rules), end);
        }
        Ok(answer)
    }

    fn renew(&mut self, rules: &TokenRules, end: Tick) -> bool {
        let life = LIFE.as_secs().to_string();
        let answer = self.ask("PUT", rules.path, Some((rules.ttl_header, &life)), end).ok();
        let answer = answer.as_ref().map(|answer| (answer.status, text_of(&answer.body)));
        self.token.answered(answer, clock::tick())
    }

    fn shown(&self, rules: &TokenRules) -> Option<(&'static str, &str)> {
        self.token.shown(clock::tick()).map(|token| (rules.header, token.reveal()))
    }

    fn ask(&self, method: &str, path: &str, header: Option<(&str, &str)>, end: Tick) -> Result<Answer, FetchError> {
        let left = end.since(clock::tick());
        if left.is_zero() {
            return Err(FetchError::Timeout);
        }
        let url = [&self.base, path].concat();
        let body = (method == "PUT").then_some(b"".as_slice());
        self.fetch.send_within(&Request { method, url: &url, headers: header.as_slice(), body }, left.min(TOTAL))
    }
}
