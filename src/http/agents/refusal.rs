//! Why requests are refused: the statuses and keys are those of LetServerRun.

use crate::http::Response;
use crate::json::Writer;

/// Why a request is refused: the status, the key of the error, and what a person reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal(pub u16, pub &'static str, pub &'static str);

pub(super) const EMPTY: Refusal = Refusal(400, "InvalidMessage", "message is empty, or names an agent and no job");
pub(super) const TOO_LONG: Refusal = Refusal(400, "InvalidMessage", "message has more than 255 characters");
pub(super) const OFFLINE: Refusal = Refusal(400, "InvalidAgent", "target agent is offline or invalid");
pub(super) const NO_AGENT: Refusal = Refusal(404, "AgentNotFound", "no agent has this name");
pub(super) const NO_JOB: Refusal = Refusal(404, "JobNotFound", "no such job of this agent");
pub(super) const NOT_RUNNING: Refusal = Refusal(400, "JobNotFound", "job is not waiting for a result");
pub(super) const FINISHED: Refusal = Refusal(400, "JobFinished", "job has finished");
pub(super) const DURATION: Refusal =
    Refusal(400, "InvalidDuration", "duration is missing, malformed or over ten years");
pub(super) const FULL: Refusal = Refusal(503, "ServerError", "too many jobs have not ended");
pub(super) const NO_CLOCK: Refusal = Refusal(503, "ServerError", "clock of this host is not set yet");

pub(super) const STARTING: Refusal = Refusal(503, "ServerError", "server is starting or ending; try again");
pub(super) const NO_DISK: Refusal = Refusal(503, "ServerError", "server cannot save this now; try again");
pub(super) const UNDER_WAY: Refusal =
    Refusal(503, "ServerError", "a request with this Idempotency-Key is being done; try again");
pub(super) const NO_PATH: Refusal = Refusal(404, "NotFound", "no such path");
/// The method that a path takes is the last word.
pub(super) const NO_METHOD: [Refusal; 3] = [
    Refusal(405, "MethodNotAllowed", "use the method GET"),
    Refusal(405, "MethodNotAllowed", "use the method POST"),
    Refusal(405, "MethodNotAllowed", "use the method PUT"),
];
pub(super) const NO_SCOPE: Refusal =
    Refusal(403, "Forbidden", "this token may not do that; see scopes of [[http.token]]");
pub(super) const TOO_MANY: Refusal = Refusal(429, "TooManyRequests", "too many wrong tokens; try again later");
pub(super) const NO_HEADER: Refusal = Refusal(400, "BadRequest", "missing or malformed Authorization header");
pub(super) const LONG_KEY: Refusal = Refusal(400, "BadRequest", "header Idempotency-Key has more than 256 bytes");
pub(super) const UNKNOWN: Refusal = Refusal(401, "Unauthorized", "unknown token");

/// Why a request that no function has seen yet is refused with `status`, if its path is that of those agents and scripts:
/// they look for the same words there.
pub fn in_words(status: u16, path: &str, shown: bool) -> Option<Response> {
    if !["/agent/", "/message/", "/job/"].iter().any(|known| path.starts_with(known)) {
        return None;
    }
    let refusal = match status {
        401 if !shown => NO_HEADER,
        401 => UNKNOWN,
        403 => NO_SCOPE,
        429 => TOO_MANY,
        _ => STARTING,
    };
    Some(refusal.response())
}

impl Refusal {
    /// As the answer to a request.
    pub fn response(self) -> Response {
        let Refusal(status, key, text) = self;
        let mut out = Writer::default();
        out.open('{').key("error").text(key).key("message").text(text).close('}');
        let response = Response { denied: status == 401, ..Response::json(status, out.into_bytes()) };
        let method = text.rsplit(' ').next().unwrap_or_default();
        if status == 405 { response.with("Allow", method) } else { response }
    }
}
