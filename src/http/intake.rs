//! Events from outside: of a cloud that takes an instance back, of scripts.

pub mod alicloud;
pub mod generic;

use std::sync::Mutex;
use std::time::Duration;

use self::alicloud::{Interrupt, Sent};
use crate::clock::{self, Now, Tick};
use crate::config::plan::Cloud;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::http::{Request, Response, Site, auth};
use crate::json::Writer;
use crate::keepalive::pushed::NOTICE;
use crate::keepalive::roster::push::Took;
use crate::keepalive::uri;
use crate::run::answers::Answers;
use crate::run::send::Refused;
use crate::run::threads::{Stop, lock};

/// What can be repeated at will is logged no more often.
const LOGGED: Duration = Duration::from_secs(60);
/// How long an answer waits until what was said is on disk; a disk that takes longer is not waited for.
const KEPT: Duration = Duration::from_secs(1);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);
/// An event that is further ahead than this is of a wrong clock.
const AHEAD: Duration = Duration::from_secs(3600);

/// `/event/alicloud/SECRET`: an event of CloudMonitor.
pub fn alicloud(site: &Site, request: &Request<'_>) -> Response {
    let Some(secret) = site.plan().and_then(|plan| plan.events.alicloud.clone()) else { return Response::not_found() };
    let sent = request.below("/event/alicloud/").and_then(uri::decode).unwrap_or_default();
    if !auth::is(&sent, &secret) {
        return Response { denied: true, ..Response::not_found() };
    }
    let read = match request.method {
        "POST" => alicloud::body(request.body),
        "GET" => alicloud::form(request.query),
        _ => return Response::text(405, "method not allowed\n").with("Allow", "GET, POST"),
    };
    let Some(answers) = site.answers() else { return Response::starting() };
    match read {
        None => problem(400, "this is no event of CloudMonitor"),
        Some(Sent::Other) => {
            say("HTTP: an event from Alibaba Cloud that is no reclaim is ignored");
            Response::text(200, "ignored\n")
        }
        Some(Sent::Interrupt(interrupt)) => announce(answers, &interrupt, &clock::now()),
    }
}

fn announce(answers: &Answers, interrupt: &Interrupt, now: &Now) -> Response {
    let (me, hold, own) = {
        let parts = answers.reloader.parts();
        let own = parts.spot().is_some_and(|spot| {
            let identity = &lock(spot).identity;
            identity.split([' ', ',']).any(|word| word == interrupt.instance)
        });
        (parts.me.clone(), parts.server().is_some(), own)
    };
    let at = interrupt.at.map(|at| Moment::at_wall(at, now)).filter(|at| {
        let known = now.wall.is_set() && at.wall.is_set();
        known && at.tick <= now.tick + AHEAD
    });
    let subject = if own { &me } else { &interrupt.instance };
    let event = event(interrupt, subject, &me, at, now);
    let (took, seq) = {
        let state = &mut *answers.board.lock();
        let took = state.roster.announced(event, at.map(|at| at.tick), hold, now, &mut state.pending);
        (took, state.pending.next_seq() - 1)
    };
    answers.board.wake();
    // The cloud does not say again what was taken.
    let wait = Stop::default();
    while took != Took::Full && answers.board.lock().pending.settled < seq && clock::tick() < now.tick + KEPT {
        wait.wait(LOOK);
    }
    let instance = &interrupt.instance;
    match took {
        Took::Full => return busy(),
        Took::Known => say(&["HTTP: Alibaba Cloud announces the reclaim of ", instance, ", which is known"].concat()),
        Took::Held | Took::Told => log::info!("HTTP: Alibaba Cloud announces the reclaim of {instance}"),
    }
    Response::text(200, "ok\n")
}

/// The reclaim, told by `me`.
fn event(interrupt: &Interrupt, subject: &str, me: &str, at: Option<Moment>, now: &Now) -> Event {
    let happened = at.unwrap_or_else(|| Moment::at(now.tick, now));
    let wall = happened.wall.0.to_be_bytes();
    // The same at every repetition, if the cloud says when it was.
    let incident = Id::of(&[b"pushed", interrupt.instance.as_bytes(), &wall]);
    let event = Event::new(Kind::Interrupt, incident, subject, happened)
        .with_text(Field::Provider, Cloud::AliCloud.name())
        .with_text(Field::Instance, interrupt.instance.as_str())
        .with_text(Field::Region, interrupt.region.as_str())
        .with_text(Field::Action, interrupt.action.as_str());
    let event = match at {
        Some(at) => {
            let end = Moment { about: true, ..Moment::at_wall(clock::Wall(at.wall.0 + clock::millis(NOTICE)), now) };
            event.with(Field::Deadline, Fact::Time(end))
        }
        None => event.with(Field::Lead, Fact::Span(NOTICE)),
    };
    let mut event = event.with_text(Field::Server, me);
    event.id = Id::of(&[b"pushed event", &incident.0.to_be_bytes()]);
    event
}

/// `/event/generic`: JSON in, a message out, as by `send`.
pub fn generic(site: &Site, request: &Request<'_>) -> Response {
    let Some(answers) = site.answers() else { return Response::starting() };
    let mut fresh = [0; 8];
    if getrandom::fill(&mut fresh).is_err() {
        return busy();
    }
    let said = match generic::read(request.body, request.who, Id(u64::from_be_bytes(fresh) >> 1)) {
        Ok(said) => said,
        Err(why) => return problem(400, &why),
    };
    match answers.accept(&said) {
        Ok(()) => {
            let mut out = Writer::default();
            out.open('{').key("id").text(&said.id.to_string()).close('}');
            Response::json(202, out.into_bytes())
        }
        Err(Refused::Never(why)) => problem(400, &why),
        Err(Refused::Later(_) | Refused::Ending) => busy(),
    }
}

fn busy() -> Response {
    problem(503, "too much waits to be told; try again").with("Retry-After", "5")
}

fn problem(status: u16, why: &str) -> Response {
    let name = if status == 400 { "bad_request" } else { "busy" };
    let mut out = Writer::default();
    out.open('{').key("error").text(name).key("message").text(why).close('}');
    Response::json(status, out.into_bytes())
}

/// Logs what is repeated at will.
fn say(line: &str) {
    static LAST: Mutex<Option<Tick>> = Mutex::new(None);
    let (now, mut last) = (clock::tick(), lock(&LAST));
    if last.is_none_or(|last| now.since(last) >= LOGGED) {
        *last = Some(now);
        log::info!("{line}");
    }
}
