//! Agents and scripts that speak the HTTP API of LetServerRun: the paths, the answers and their errors are that service's,
//! so that what was written for it needs only another address.
//!
//! Agents have tokens of their own (`[[http.agent]]`), which open `/agent/…` and nothing else, and an agent can only
//! report its own jobs. Tokens of `[[http.token]]` open `/message/…` and `/job/…`. A 401 is given to an unknown token and
//! for no other reason: those agents end for good when they see one.
//!
//! A request with the header `Idempotency-Key` that is repeated within a day is answered as before, and done once.

pub mod book;
pub mod desk;
pub mod fields;
#[cfg(feature = "jobs")]
mod hosts;
mod message;
pub mod refusal;
pub mod span;
pub mod told;

use crate::clock;
use crate::event::{Id, Severity};
use crate::http::agents::book::{Book, State};
use crate::http::agents::desk::Desk;
use crate::http::agents::fields::Fields;
use crate::http::agents::refusal::{
    DURATION, EMPTY, LONG_KEY, NO_AGENT, NO_DISK, NO_HEADER, NO_METHOD, NO_PATH, Refusal, STARTING, UNKNOWN,
};
use crate::http::{Request, Response, Site, auth};
use crate::json::Writer;

/// Bytes of an `Idempotency-Key`.
const MAX_KEY: usize = 256;

/// What is said, and how much it matters; the first are those of the paths.
const SAYINGS: [(&str, Severity); 5] = [
    ("info", Severity::Info),
    ("warning", Severity::Warning),
    ("text", Severity::Info),
    ("auto", Severity::Info),
    ("kf", Severity::Info),
];

/// `/agent/…`, for those of `[[http.agent]]`.
pub fn agent(site: &Site, request: &Request<'_>) -> Response {
    agent_says(site, request).unwrap_or_else(Refusal::response)
}

/// `/message/…`, for tokens that may have people told.
pub fn message(site: &Site, request: &Request<'_>) -> Response {
    user_says(site, request).unwrap_or_else(Refusal::response)
}

/// `/job/add`, for tokens that may have jobs done.
pub fn job(site: &Site, request: &Request<'_>) -> Response {
    user_adds(site, request).unwrap_or_else(Refusal::response)
}

/// `/status`: that something answers here.
pub fn status(_: &Site, _: &Request<'_>) -> Response {
    Response::empty(204)
}

fn agent_says(site: &Site, request: &Request<'_>) -> Result<Response, Refusal> {
    let name = &*who(site, request)?;
    let desk = site.agents().ok_or(STARTING)?;
    let path = request.below("/agent/").unwrap_or_default();
    if path == "job" {
        only(request, "GET")?;
        return poll(desk, name);
    }
    // Whatever it says shows that it is there.
    desk.with(|book| book.hear(name, &clock::now()));
    if let Some((id, verb)) = path.strip_prefix("jobs/").and_then(|rest| rest.split_once('/')) {
        let state = match verb {
            "succeed" => State::Succeeded,
            "fail" => State::Failed,
            "running" => State::Running,
            _ => return Err(NO_PATH),
        };
        only(request, "PUT")?;
        return report(desk, name, (id, state), request);
    }
    match path {
        "job/add" => {
            only(request, "POST")?;
            add(site, desk, name, request, false)
        }
        "job/delayed" => {
            only(request, "POST")?;
            delay(desk, name, request)
        }
        _ => {
            let word = path.strip_prefix("message/").unwrap_or(path);
            // `kf` has one path, as has `text`.
            let (_, severity) = SAYINGS.iter().find(|(known, _)| *known == word).ok_or(NO_PATH)?;
            if (word == "kf") != (path == "kf") || path == "text" || path == "auto" {
                return Err(NO_PATH);
            }
            only(request, "POST")?;
            say(site, name, true, *severity, request)
        }
    }
}

fn user_says(site: &Site, request: &Request<'_>) -> Result<Response, Refusal> {
    let word = request.below("/message/").unwrap_or_default();
    let (_, severity) = SAYINGS[..4].iter().find(|(known, _)| *known == word).ok_or(NO_PATH)?;
    post(site, request)?;
    say(site, request.who, false, *severity, request)
}

fn user_adds(site: &Site, request: &Request<'_>) -> Result<Response, Refusal> {
    if request.path != "/job/add" {
        return Err(NO_PATH);
    }
    post(site, request)?;
    add(site, site.agents().ok_or(STARTING)?, request.who, request, true)
}

fn only(request: &Request<'_>, method: &str) -> Result<(), Refusal> {
    let refusal = NO_METHOD.iter().find(|refusal| refusal.2.ends_with(method));
    if request.method == method { Ok(()) } else { refusal.copied().map_or(Ok(()), Err) }
}

/// POST; GET too, if tokens may stand in the query.
fn post(site: &Site, request: &Request<'_>) -> Result<(), Refusal> {
    let plan = site.plan().ok_or(STARTING)?;
    if request.method == "GET" && plan.allow_query_token { Ok(()) } else { only(request, "POST") }
}

/// The name of the agent that asks.
fn who(site: &Site, request: &Request<'_>) -> Result<String, Refusal> {
    let header = request.header("authorization").unwrap_or_default();
    let (scheme, token) = header.split_once(' ').ok_or(NO_HEADER)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(NO_HEADER);
    }
    let plan = site.plan().ok_or(STARTING)?;
    let mut found = None;
    // All of them are looked at, so that the time tells nothing.
    for agent in &plan.agents {
        if auth::is(token, &agent.token) {
            found = Some(agent.name.clone());
        }
    }
    found.ok_or(UNKNOWN)
}

/// `GET /agent/job`.
fn poll(desk: &Desk, name: &str) -> Result<Response, Refusal> {
    let job = desk.with(|book| {
        let now = clock::now();
        book.hear(name, &now);
        book.pop(name, &now)
    });
    let Some((id, message)) = job else { return Ok(Response::empty(204)) };
    // What could be handed out again after a crash would run twice.
    if !desk.settle() {
        desk.with(|book| book.put_back(id));
        return Err(NO_DISK);
    }
    let mut out = Writer::default();
    out.open('{').key("id").text(&id.to_string()).key("message").text(&message).close('}');
    Ok(Response::json(200, out.into_bytes()))
}

/// `PUT /agent/jobs/ID/…`.
fn report(desk: &Desk, name: &str, (id, state): (&str, State), request: &Request<'_>) -> Result<Response, Refusal> {
    let result = match request.is_cut() {
        // How it ended counts, whatever can be read of what it printed.
        true => fields::mended(request.body).and_then(|body| {
            let whole = Request { body: &body, ..*request };
            Fields::read(&whole, &["result"]).and_then(|mut fields| fields.text(0)).ok()
        }),
        false => Some(Fields::read(request, &["result"])?.text(0)?),
    };
    let result = result.unwrap_or_default();
    desk.with(|book| book.report(name, id, state, &result, &clock::now()))?;
    // On a disk that fails it is told from memory.
    if state != State::Running && !desk.settle() {
        log::debug!("web agent {name}: a result is not on disk");
    }
    Ok(Response::empty(204))
}

/// `POST …/job/add`. Tokens of users reach the hosts of the roster too.
fn add(site: &Site, desk: &Desk, who: &str, request: &Request<'_>, hosts: bool) -> Result<Response, Refusal> {
    let field = if request.method == "GET" { "msg" } else { "message" };
    let text = Fields::read(request, &[field])?.text(0)?;
    let mut words = text.split_whitespace();
    let target = words.next().ok_or(EMPTY)?;
    let message = words.collect::<Vec<&str>>().join(" ");
    let key = key(request, who)?;
    once(desk, key, &mut || {
        let known = desk.with(|book| book.find(target).map(|agent| agent.name.clone()));
        match known {
            Some(agent) => {
                let id = chance()?;
                let now = clock::now();
                let added = desk.with(|book| book.add(&agent, &message, id, &now).map(|()| book.done(key, &now)));
                kept(desk, id, added)
            }
            None if hosts => elsewhere(site, target, &message),
            None => Err(NO_AGENT),
        }
    })
}

/// Does what is asked for, unless the key of the request says that it was done.
fn once(desk: &Desk, key: Option<Id>, work: &mut dyn FnMut() -> Result<(), Refusal>) -> Result<Response, Refusal> {
    let Some(key) = key else { return work().map(|()| Response::empty(201)) };
    if desk.with(|book| book.is_repeated(key, &clock::now()))? {
        return Ok(Response::empty(201));
    }
    let worked = work();
    desk.with(|book| book.ended(key, worked.is_ok(), &clock::now()));
    worked.map(|()| Response::empty(201))
}

/// Takes a job back that is not on disk, unless its agent has it already: then it is done.
fn kept(desk: &Desk, id: Id, added: Result<(), Refusal>) -> Result<(), Refusal> {
    added?;
    if !desk.settle() && desk.with(|book| book.withdraw(id)) { Err(NO_DISK) } else { Ok(()) }
}

#[cfg(feature = "jobs")]
fn elsewhere(site: &Site, host: &str, message: &str) -> Result<(), Refusal> {
    let answers = site.answers().ok_or(STARTING)?;
    if message.is_empty() {
        return Err(EMPTY);
    }
    hosts::add(answers, host, message)
}

#[cfg(not(feature = "jobs"))]
fn elsewhere(_: &Site, _: &str, _: &str) -> Result<(), Refusal> {
    Err(NO_AGENT)
}

/// `POST /agent/job/delayed`.
fn delay(desk: &Desk, name: &str, request: &Request<'_>) -> Result<Response, Refusal> {
    let mut fields = Fields::read(request, &["message", "duration", "callback", "minutes", "hours", "days"])?;
    let (message, duration, callback) = (fields.text(0)?, fields.text(1)?, fields.text(2)?);
    if message.trim().is_empty() {
        return Err(EMPTY);
    }
    let mut delay = span::parse(&duration);
    if duration.is_empty() {
        delay = Some(0);
        for (at, ms) in [(3, 60_000), (4, 3_600_000), (5, 86_400_000)] {
            let part = fields.int(at)?.checked_mul(ms);
            delay = delay.zip(part).and_then(|(sum, part)| sum.checked_add(part));
        }
        // Without any of them nobody knows when; zero must be written as a duration.
        if [3, 4, 5].iter().all(|at| fields.int(*at) == Ok(0)) {
            return Err(DURATION);
        }
    }
    let delay = delay.ok_or(DURATION)?;
    // The service calls this address. Here nobody has an address called who may only report jobs.
    if !callback.is_empty() && callback != "disable" {
        log::info!("web agent {name}: the callback of a delayed job is left out; its end is told as usual");
    }
    let key = key(request, name)?;
    once(desk, key, &mut || {
        let (id, now) = (chance()?, clock::now());
        let quiet = callback == "disable";
        let delay = |book: &mut Book| book.delay(name, &message, delay, quiet, id, &now);
        let added = desk.with(|book| delay(book).map(|()| book.done(key, &now)));
        kept(desk, id, added)
    })
}

/// `POST …/message/…`.
fn say(site: &Site, who: &str, is_agent: bool, severity: Severity, request: &Request<'_>) -> Result<Response, Refusal> {
    let answers = site.answers().ok_or(STARTING)?;
    let field = if request.method == "GET" { "msg" } else { "message" };
    // `color` is the channels' own business.
    let mut fields = Fields::read(request, &[field, "source", "color"])?;
    let (text, source) = (fields.text(0)?, fields.text(1)?);
    // An agent speaks for itself alone.
    let source = if is_agent || source.trim().is_empty() { who } else { &*source };
    let id = key(request, who)?.map_or_else(chance, Ok)?;
    message::tell(answers, source, severity, &text, id)?;
    Ok(Response::empty(if is_agent { 202 } else { 201 }))
}

/// What a request has in common with its repetitions, if it says so.
fn key(request: &Request<'_>, who: &str) -> Result<Option<Id>, Refusal> {
    match request.header("idempotency-key").filter(|key| !key.is_empty()) {
        Some(key) if key.len() > MAX_KEY => Err(LONG_KEY),
        Some(key) => Ok(Some(Id::of(&[b"web request", who.as_bytes(), request.path.as_bytes(), key.as_bytes()]))),
        None => Ok(None),
    }
}

/// An id that nobody else has.
fn chance() -> Result<Id, Refusal> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| STARTING)?;
    Ok(Id(u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests;
