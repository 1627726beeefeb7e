//! Whether this daemon works.

use std::time::Duration;

use crate::clock;
use crate::http::{Request, Response, Site};
use crate::run::threads::lock;

/// How long the watchdog may not turn, which it does at least once a second, and the alert desk may owe an answer: it waits
/// for nobody.
const STUCK: Duration = Duration::from_secs(10);

/// `ok`, or a word for each part that does not work.
pub fn healthz(site: &Site, _: &Request<'_>) -> Response {
    let Some(answers) = site.answers() else { return Response::starting() };
    let watches = answers.reloader.parts().server().is_some();
    let mut text = String::new();
    if watches && site.stuck(clock::tick()) > STUCK {
        text.push_str("watchdog\n");
    }
    if site.owed(&answers.to_desk, clock::tick()) > STUCK {
        text.push_str("desk\n");
    }
    if lock(&answers.desk).unwritable.is_some() {
        text.push_str("state\n");
    }
    match text.is_empty() {
        true => Response::text(200, "ok\n"),
        false => Response::text(503, &text),
    }
}
