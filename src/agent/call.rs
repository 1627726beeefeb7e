//! A run that calls a URL. The request has a thread of its own, so that its run ends when it must: at the end of the
//! lease, when it is cancelled, when the program ends. What was sent cannot be taken back; that is what its result says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::agent::desk::lines;
use crate::callback::exec::Leash;
use crate::clock::{Tick, millis, tick};
use crate::fetch::{self, Fetch, Request};
use crate::keepalive::work::{Done, End, Key};
use crate::resolve::Resolver;
use crate::run::threads::{Bell, HTTP_STACK, Stop, lock, spawn};

/// For the connection, of the whole time.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of the answer that are read.
const MAX_ANSWER: u64 = 64 * 1024;
/// From one look whether it must end to the next.
const LOOK: Duration = Duration::from_millis(100);
/// Requests that were given up and go on until their time is over; beyond that none is sent.
const MAX_GIVEN_UP: usize = 8;
/// Why a call is not made.
const TOO_MANY: &str = "too many calls that were given up are under way";
/// Why a run ends whose request was under way.
const UNDER_WAY: &str = "the call was under way when it had to end: perhaps it was heard";

/// Requests whose runs have ended before them.
static GIVEN_UP: Mutex<usize> = Mutex::new(0);

/// What became of a request: nothing yet, its result, or that nobody waits for that any more.
enum Fate {
    Open,
    Ended(Done),
    GivenUp,
}

/// Calls `url`, in `timeout` at most and no longer than `leash` allows: every 2xx is a success.
pub fn call(key: Key, url: &str, timeout: Duration, leash: &Leash, resolver: &Arc<Resolver>, stop: &Stop) -> Done {
    let began = tick();
    let not_begun = |why: String| Done { key, end: End::Refused, code: None, took: 0, out: String::new(), why };
    if leash.is_over() {
        return not_begun("it had to end before the call was made".to_owned());
    }
    if *lock(&GIVEN_UP) >= MAX_GIVEN_UP {
        return not_begun(TOO_MANY.to_owned());
    }
    let (shared, bell) = (Arc::new(Mutex::new(Fate::Open)), Bell::default());
    let (inside, rings, url, resolver) = (Arc::clone(&shared), bell.clone(), url.to_owned(), Arc::clone(resolver));
    let thread = spawn("call", HTTP_STACK, move || {
        let done = request(key, &url, timeout, began, resolver);
        let mut fate = lock(&inside);
        match *fate {
            Fate::GivenUp => *lock(&GIVEN_UP) -= 1,
            Fate::Open | Fate::Ended(_) => *fate = Fate::Ended(done),
        }
        drop(fate);
        rings.ring();
    });
    if let Err(error) = thread {
        return not_begun(["no thread for it: ", &error.to_string()].concat());
    }
    while matches!(*lock(&shared), Fate::Open) && !leash.is_over() && !stop.is_stopped() {
        bell.wait(LOOK);
    }
    let fate = &mut *lock(&shared);
    match fate {
        Fate::Ended(done) if !leash.is_over() => return done.clone(),
        Fate::Open => {
            *fate = Fate::GivenUp;
            *lock(&GIVEN_UP) += 1;
        }
        Fate::Ended(_) | Fate::GivenUp => {}
    }
    let took = millis(tick().since(began));
    Done { end: End::Unknown, took, ..not_begun(UNDER_WAY.to_owned()) }
}

fn request(key: Key, url: &str, timeout: Duration, began: Tick, resolver: Arc<Resolver>) -> Done {
    let limits = fetch::Limits { connect: timeout.min(CONNECT), total: timeout, body: MAX_ANSWER, proxy: true };
    let request = Request { method: "GET", url, headers: &[], body: None };
    let (end, out, why) = match Fetch::new(limits, resolver).send(&request) {
        Ok(answer) => {
            let good = (200..300).contains(&answer.status);
            let why = if good { String::new() } else { ["HTTP ", &answer.status.to_string()].concat() };
            (if good { End::Succeeded } else { End::Failed }, lines(&answer.body), why)
        }
        Err(error) => (End::Failed, String::new(), error.to_string()),
    };
    Done { key, end, code: None, took: millis(tick().since(began)), out, why }
}
