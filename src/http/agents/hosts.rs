//! Jobs for hosts of the roster, from scripts that know only how to ask for `NAME JOB`.

use crate::agent::allow::MAX_MESSAGE;
use crate::clock;
use crate::http::agents::refusal::{NO_AGENT, Refusal};
use crate::jobs::run::On;
use crate::jobs::{New, Where};
use crate::keepalive::hosts::SHARDS;
use crate::run::answers::Answers;

/// Why the desk of jobs refuses is in its own words, in the log: whoever asks here learns no more than this.
const REFUSED: Refusal = Refusal(400, "InvalidAgent", "host cannot take this job now; the log of the server says why");
const MALFORMED: Refusal =
    Refusal(400, "InvalidMessage", "message has more than 1024 bytes, or holds a control character");
const AMBIGUOUS: Refusal = Refusal(404, "AgentNotFound", "several hosts have this name; write NAME@HOST");

/// Adds a job for the host `name`: its whole name, or what stands before the `@` if no other has that.
///
/// # Errors
/// When there is no such host, or it cannot get this job.
pub fn add(answers: &Answers, name: &str, message: &str) -> Result<(), Refusal> {
    if message.len() > MAX_MESSAGE || message.chars().any(char::is_control) {
        return Err(MALFORMED);
    }
    let desk = answers.reloader.parts().jobs().ok_or(NO_AGENT)?;
    let host = find(answers, name)?;
    let new = New::Once { message: message.to_owned(), on: Where::One(On::Host(host)), due: clock::wall() };
    desk.add(&new).map(drop).map_err(|why| {
        log::info!("a job that came over HTTP is refused: {why}");
        REFUSED
    })
}

fn find(answers: &Answers, name: &str) -> Result<String, Refusal> {
    if answers.board.lock().roster.hosts().get(name).is_some() {
        return Ok(name.to_owned());
    }
    let mut found: Option<String> = None;
    // A part at a time, so that the roster is never locked for long.
    for shard in 0..SHARDS {
        for (host, _) in answers.board.lock().roster.hosts().copy(shard) {
            if host.split_once('@').is_none_or(|(before, _)| before != name) {
                continue;
            }
            if found.replace(host.into()).is_some() {
                return Err(AMBIGUOUS);
            }
        }
    }
    found.ok_or(NO_AGENT)
}
