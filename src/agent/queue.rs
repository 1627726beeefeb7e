//! A queue on the web in the manner of LetServerRun: asked for jobs, told what became of them.
//!
//! `GET /agent/job` takes one job out of the queue, so whatever it answers is written to a journal before it is started.
//! The question is also the sign of life: after three minutes without one such a service drops what waits. Each result is
//! told until the service has taken it, or says that the job is over for it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::agent::QueuePlan;
use crate::agent::desk::Desk;
use crate::clock::{Tick, tick};
use crate::event::Id;
use crate::fetch::{Answer, Fetch, Limits, Request};
use crate::json::{self, Writer};
use crate::keepalive::work::{Done, End, Key, Offer};
use crate::resolve::Resolver;
use crate::run::status::Queue as Standing;
use crate::run::threads::{Bell, HTTP_STACK, Stop, lock, spawn};

/// For one request.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(10), total: Duration::from_secs(15), body: 16 * 1024, proxy: true };
/// How long a job may wait for its start: then the service takes it for expired.
const START_WITHIN: Duration = Duration::from_secs(600);
/// From one sign that a job runs to the next, for the same reason.
const RUNNING: Duration = Duration::from_secs(300);
/// From one question to the next while nothing more can be taken: what comes all the same is refused.
const FULL: Duration = Duration::from_secs(150);
/// After a refusal that a person must mend.
const REFUSED: Duration = Duration::from_secs(300);
/// After too many requests, if the service does not say how long; and the longest that is believed.
const TOO_MANY: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// The longest pause after other failures.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest wait while there is no queue in the configuration.
const REST: Duration = Duration::from_secs(60);
/// Characters of a result.
const MAX_RESULT: usize = 1024;
/// Bytes of a job's id.
const MAX_ID: usize = 64;

/// The thread that asks.
pub struct Queue {
    plan: Mutex<Option<QueuePlan>>,
    desk: Arc<Desk>,
    bell: Bell,
    standing: Mutex<Standing>,
    resolver: Arc<Resolver>,
    stop: Stop,
}

/// What the thread remembers.
#[derive(Default)]
struct Turn {
    /// Not before this time is anything asked or told.
    pause: Tick,
    /// The next question.
    ask: Tick,
    /// Failures in a row.
    failures: u32,
    /// What runs, and when that was last said.
    running: Vec<(Key, Tick)>,
}

/// What an answer means.
enum Heard {
    /// It was taken.
    Well(Answer),
    /// The service does not know of this job any more, or has its end.
    Over,
    /// It failed, and nothing is to be asked for a while.
    Pause,
}

/// Starts the thread. `bell` rings when there is news of a run of `desk`. Nobody need wait for the thread: what it must
/// not forget is in the journal of `desk`.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(desk: Arc<Desk>, bell: Bell, resolver: Arc<Resolver>, stop: Stop) -> io::Result<Arc<Queue>> {
    let (plan, standing) = (Mutex::default(), Mutex::default());
    let queue = Arc::new(Queue { plan, desk, bell, standing, resolver, stop });
    let inside = Arc::clone(&queue);
    spawn("queue", HTTP_STACK, move || inside.work())?;
    Ok(queue)
}

impl Queue {
    /// The configuration has changed; without a plan nothing is asked.
    pub fn reload(&self, plan: Option<&QueuePlan>) {
        *lock(&self.plan) = plan.cloned();
        self.bell.ring();
    }

    /// Wakes the thread at the end of the program.
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// How it goes.
    pub fn standing(&self) -> Standing {
        lock(&self.standing).clone()
    }

    fn work(&self) {
        let fetch = Fetch::new(LIMITS, Arc::clone(&self.resolver));
        let mut turn = Turn::default();
        let mut before = None;
        while !self.stop.is_stopped() {
            let plan = lock(&self.plan).clone();
            if plan != before {
                (turn.pause, turn.ask, turn.failures) = (Tick::default(), Tick::default(), 0);
                before.clone_from(&plan);
            }
            let wait = match plan {
                Some(plan) => self.turn(&plan, &fetch, &mut turn),
                None => REST,
            };
            self.bell.wait(wait);
        }
    }

    /// Tells what there is to tell, and asks if that is due: how long to wait for the next turn.
    fn turn(&self, plan: &QueuePlan, fetch: &Fetch, turn: &mut Turn) -> Duration {
        while tick() >= turn.pause && !self.stop.is_stopped() {
            let Some((id, done)) = self.desk.due() else { break };
            let verb = if done.end == End::Succeeded { "succeed" } else { "fail" };
            match self.put(plan, fetch, &id, verb, &result(&done), turn) {
                Heard::Well(_) | Heard::Over => self.desk.ack(done.key.id),
                Heard::Pause => {}
            }
        }
        let (active, room) = self.desk.active();
        turn.running.retain(|(key, _)| active.iter().any(|(other, _)| other == key));
        for (key, id) in &active {
            let last = match turn.running.iter().find(|(other, _)| other == key) {
                Some((_, last)) => *last,
                None => {
                    turn.running.push((*key, tick()));
                    continue;
                }
            };
            if tick().since(last) >= RUNNING && tick() >= turn.pause {
                // Whether it was heard does not matter: it is said again.
                self.put(plan, fetch, id, "running", "running", turn);
                turn.running.iter_mut().filter(|(other, _)| other == key).for_each(|(_, last)| *last = tick());
            }
        }
        if tick() >= turn.ask.max(turn.pause) && !self.stop.is_stopped() {
            turn.ask = tick() + if room { plan.every } else { plan.every.max(FULL) };
            self.ask(plan, fetch, room, turn);
        }
        turn.ask.max(turn.pause).since(tick()).min(plan.every)
    }

    fn ask(&self, plan: &QueuePlan, fetch: &Fetch, room: bool, turn: &mut Turn) {
        let Heard::Well(answer) = self.send(plan, fetch, "GET", "/agent/job", None, turn) else { return };
        if answer.status == 204 || answer.body.is_empty() {
            return;
        }
        let job = json::read(&answer.body);
        let text = |key: &str| job.as_ref().and_then(|job| json::text(job, key)).unwrap_or_default().to_owned();
        let (id, message) = (text("id"), text("message"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=MAX_ID).contains(&id.len()) || !id.bytes().all(plain) {
            log::warn!("the queue answers with a job that has no good id; it is left out");
            return;
        }
        if !room {
            self.put(plan, fetch, &id, "fail", "busy: as many jobs as may run are running", turn);
            return;
        }
        self.desk.take(&Offer {
            key: Key { id: Id::of(&[b"queue", id.as_bytes()]), epoch: 1, attempt: 1 },
            job: id,
            message,
            left: crate::clock::millis(START_WITHIN),
            timeout: None,
            fenced: false,
            prepare: Vec::new(),
        });
    }

    fn put(&self, plan: &QueuePlan, fetch: &Fetch, id: &str, verb: &str, text: &str, turn: &mut Turn) -> Heard {
        let mut body = Writer::default();
        body.open('{').key("result").text(text).close('}');
        self.send(plan, fetch, "PUT", &["/agent/jobs/", id, "/", verb].concat(), Some(&body.into_bytes()), turn)
    }

    fn send(
        &self,
        plan: &QueuePlan,
        fetch: &Fetch,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        turn: &mut Turn,
    ) -> Heard {
        let url = [plan.url.reveal(), path].concat();
        let bearer = ["Bearer ", plan.token.reveal()].concat();
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        let headers = &headers[..if body.is_some() { 2 } else { 1 }];
        let (why, pause) = match fetch.send(&Request { method, url: &url, headers, body }) {
            Ok(answer) if (200..300).contains(&answer.status) => {
                turn.failures = 0;
                self.well();
                return Heard::Well(answer);
            }
            Ok(answer) => match answer.status {
                // Of one job alone: it was told before, or it is too old for the service.
                400 | 404 if method == "PUT" && is_over(&answer) => return Heard::Over,
                429 => {
                    let wish = answer.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
                    ("too many requests".to_owned(), wish.unwrap_or(TOO_MANY.0).clamp(plan.every, TOO_MANY.1))
                }
                401 | 403 => ("it does not accept the token".to_owned(), REFUSED),
                status @ 400..500 => (["HTTP ", &status.to_string()].concat(), REFUSED),
                status => (["HTTP ", &status.to_string()].concat(), later(plan.every, turn)),
            },
            Err(error) => (error.to_string(), later(plan.every, turn)),
        };
        self.badly(&why);
        turn.pause = tick() + pause;
        Heard::Pause
    }

    fn well(&self) {
        let mut standing = lock(&self.standing);
        standing.last = Some(tick());
        let mended = standing.problem.take();
        drop(standing);
        if mended.is_some() {
            log::info!("the queue answers again");
        }
    }

    /// Said once, however often it happens.
    fn badly(&self, why: &str) {
        let before = lock(&self.standing).problem.replace(why.to_owned());
        if before.as_deref() != Some(why) {
            log::warn!("the queue of [agent.queue]: {why}");
        }
    }
}

/// The pause after a failure that passes by itself.
fn later(every: Duration, turn: &mut Turn) -> Duration {
    let doubled = every.saturating_mul(2_u32.pow(turn.failures.min(6)));
    turn.failures = turn.failures.saturating_add(1);
    doubled.min(LONGEST.max(every))
}

/// Whether a refusal of a result says that no other will be taken.
fn is_over(answer: &Answer) -> bool {
    let error = json::read(&answer.body);
    let error = error.as_ref().and_then(|error| json::text(error, "error")).unwrap_or_default();
    answer.status == 404 || error == "JobFinished" || error == "JobNotFound"
}

/// What a person reads of a result: its end, if it is too long.
fn result(done: &Done) -> String {
    let text = match (done.end, done.out.trim_end()) {
        (_, "") => done.words(),
        (End::Succeeded, out) => out.to_owned(),
        (_, out) => [&done.words(), "\n", out].concat(),
    };
    let excess = text.chars().count().saturating_sub(MAX_RESULT);
    text.chars().skip(excess).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_short_and_say_how_it_went() {
        let done = |end, out: &str, why: &str| Done {
            key: Key { id: Id(1), epoch: 1, attempt: 1 },
            end,
            code: None,
            took: 0,
            out: out.to_owned(),
            why: why.to_owned(),
        };
        assert_eq!(result(&done(End::Succeeded, "", "")), "succeeded");
        assert_eq!(result(&done(End::Succeeded, "a\nb\n", "")), "a\nb");
        assert_eq!(result(&done(End::Refused, "", "no")), "refused: no");
        assert_eq!(result(&done(End::Failed, "x", "")), "failed\nx");
        let long = result(&done(End::Succeeded, &"失".repeat(3000), ""));
        assert_eq!(long.chars().count(), MAX_RESULT);
    }

    #[test]
    fn only_what_is_over_for_the_service_is_forgotten() {
        let answer = |status, body: &str| Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        for (status, body, over) in [
            (404, "", true),
            (400, r#"{"error":"JobFinished","message":"x"}"#, true),
            (400, r#"{"error":"JobNotFound"}"#, true),
            (400, r#"{"error":"UnavailableAgent"}"#, false),
            (400, "<html>", false),
        ] {
            assert_eq!(is_over(&answer(status, body)), over, "{status} {body}");
        }
    }
}
