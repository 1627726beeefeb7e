//! Asks a metadata service: no proxy, no redirects, two seconds a request, with a token where there is one.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::channel::http;
use crate::clock::{self, Tick};
use crate::fetch::{Answer, Fetch, FetchError, Limits, Request, host_of};
use crate::resolve::Resolver;
use crate::spot::azure;
use crate::spot::identity::Learner;
use crate::spot::pause::Pause;
use crate::spot::service::{Reading, Service, TokenRules, Topic, WRONG_CLOUD, Why, answers, text_of};
use crate::spot::token::{LIFE, Token};

/// For the connection.
const CONNECT: Duration = Duration::from_secs(1);
/// For one request.
pub const TOTAL: Duration = Duration::from_secs(2);
/// For one poll: a token refused or renewed, and the question itself.
const POLL: Duration = Duration::from_secs(6);
/// Bytes of an answer.
const BODY: u64 = 64 * 1024;

/// More than the longest time for which a service was asked to hold a request.
const HELD: Duration = Duration::from_secs(10);
/// The longest time for which a request is held, and the longest wait for a first answer.
const LONGEST: Duration = Duration::from_secs(130);
/// Bytes of the mark of a value that a service holds requests for.
const MAX_ETAG: usize = 64;

/// A metadata service and the way to it.
pub struct Metadata {
    service: &'static Service,
    base: String,
    fetch: Fetch,
    token: Token,
    /// The value seen last of the topic that is waited for.
    etag: String,
    /// Whether a topic was answered.
    answered: bool,
    pause: Pause,
}

impl Metadata {
    /// The service at `endpoint`, or at its own address.
    pub fn new(service: &'static Service, endpoint: Option<String>, resolver: Arc<Resolver>) -> Metadata {
        let limits = Limits { connect: CONNECT, total: LONGEST, body: BODY, proxy: false };
        let base = endpoint.unwrap_or_else(|| service.base.to_owned());
        let fetch = Fetch::new(limits, resolver);
        let (token, pause) = (Token::default(), Pause::default());
        Metadata { service, base, fetch, token, etag: String::new(), answered: false, pause }
    }

    /// Where it is.
    pub fn host(&self) -> &str {
        host_of(&self.base)
    }

    /// What `topic` announces to the machine of the name `me`. A service that can is asked to hold the request for
    /// `hold`, or until something changes; not at all if that is zero.
    pub fn poll(&mut self, topic: &Topic, me: &str, hold: Duration) -> Reading {
        let mut path = topic.path.to_owned();
        let mut most = TOTAL;
        if let Some(first) = self.service.first.filter(|_| !self.answered) {
            most = first;
        }
        if topic.waits && !self.etag.is_empty() && !hold.is_zero() {
            let hold = hold.clamp(Duration::from_secs(1), LONGEST - HELD);
            most = hold + HELD;
            for part in ["?wait_for_change=true&last_etag=", &self.etag, "&timeout_sec=", &hold.as_secs().to_string()] {
                path.push_str(part);
            }
        }
        match self.get_within(&path, clock::tick() + POLL + most, most) {
            Ok(answer) => self.classify(topic, me, &answer),
            Err(error) => {
                self.etag.clear();
                Reading::Unknown(self.why(error))
            }
        }
    }

    /// How it stands with the service's wish to be asked less often.
    pub fn pause(&self) -> &Pause {
        &self.pause
    }

    fn classify(&mut self, topic: &Topic, me: &str, answer: &Answer) -> Reading {
        if !self.service.proves(answer) {
            let name = self.service.cloud.name();
            let text = [topic.name(), ": the answer does not come from ", name].concat();
            return Reading::Unknown(Why { text, hint: WRONG_CLOUD });
        }
        self.answered = true;
        if topic.waits {
            let fit = |etag: &&str| etag.len() <= MAX_ETAG && etag.bytes().all(|b| b.is_ascii_alphanumeric());
            self.etag = answer.header("etag").filter(fit).unwrap_or_default().to_owned();
        }
        match (topic.classify)(answer, me) {
            Reading::NeedToken => {
                let mut text = answers(topic.name(), answer.status);
                if self.service.token.is_some() {
                    let refused = self.token.shown(clock::tick()).is_some();
                    text.push_str(", and the service ");
                    text.push_str(if refused { "refuses its own token" } else { "gives no token" });
                }
                Reading::Unknown(Why { text, hint: self.service.silence })
            }
            reading => reading,
        }
    }

    /// Lets the event `id` of Azure begin: the status of the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn acknowledge(&self, id: &str) -> Result<u16, FetchError> {
        let body = azure::acknowledgement(id);
        let answer = self.ask("POST", azure::EVENTS, None, Some(body.as_bytes()), clock::tick() + TOTAL, TOTAL);
        answer.map(|answer| answer.status)
    }

    /// Why there was no answer.
    pub fn why(&self, error: FetchError) -> Why {
        let hint = match error {
            FetchError::Resolve | FetchError::Connect | FetchError::Timeout => self.service.silence,
            FetchError::BadUrl => "[spot] endpoint is scheme and host, such as http://100.100.100.200",
            _ => "",
        };
        Why { text: [self.host(), ": ", error.text()].concat(), hint }
    }

    /// Asks what `learner` still wants to know, until `end` or until `stop`, each time before a request; a fault ends it
    /// for this time.
    pub fn learn(&mut self, learner: &mut Learner, end: Tick, stop: &mut dyn FnMut(&Learner) -> bool) {
        while let Some(path) = learner.next() {
            if stop(learner) || clock::tick() >= end {
                break;
            }
            let more = match self.get(path, end) {
                Ok(answer) => learner.hear(&answer),
                Err(error) => {
                    learner.unanswered(self.why(error));
                    false
                }
            };
            if !more {
                break;
            }
        }
    }

    /// Reads `path`. A token is had first where one is due, and once more if it is refused.
    ///
    /// # Errors
    /// When there is no whole answer by `end`.
    pub fn get(&mut self, path: &str, end: Tick) -> Result<Answer, FetchError> {
        self.get_within(path, end, TOTAL)
    }

    fn get_within(&mut self, path: &str, end: Tick, most: Duration) -> Result<Answer, FetchError> {
        let answer = self.get_with_token(path, end, most)?;
        self.pause.heard(answer.status, http::retry_after(&answer, clock::wall()));
        Ok(answer)
    }

    fn get_with_token(&mut self, path: &str, end: Tick, most: Duration) -> Result<Answer, FetchError> {
        let service = self.service;
        let Some(rules) = &service.token else { return self.ask("GET", path, None, None, end, most) };
        let due = self.token.is_due(clock::tick());
        if due {
            self.renew(rules, end);
        }
        let answer = self.ask("GET", path, self.shown(rules), None, end, most)?;
        let refused = !due && matches!(answer.status, 401 | 403);
        if refused && self.token.refused(clock::tick()) && self.renew(rules, end) {
            return self.ask("GET", path, self.shown(rules), None, end, most);
        }
        Ok(answer)
    }

    fn renew(&mut self, rules: &TokenRules, end: Tick) -> bool {
        let life = LIFE.as_secs().to_string();
        let answer = self.ask("PUT", rules.path, Some((rules.ttl_header, &life)), Some(b""), end, TOTAL).ok();
        let answer = answer.as_ref().map(|answer| (answer.status, text_of(&answer.body)));
        self.token.answered(answer, clock::tick())
    }

    fn shown(&self, rules: &TokenRules) -> Option<(&'static str, &str)> {
        self.token.shown(clock::tick()).map(|token| (rules.header, token.reveal()))
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        header: Option<(&str, &str)>,
        body: Option<&[u8]>,
        end: Tick,
        most: Duration,
    ) -> Result<Answer, FetchError> {
        let left = end.since(clock::tick());
        if left.is_zero() {
            return Err(FetchError::Timeout);
        }
        let url = [&self.base, path].concat();
        // No cloud has both.
        let header = header.or(self.service.header);
        self.fetch.send_within(&Request { method, url: &url, headers: header.as_slice(), body }, left.min(most))
    }
}
