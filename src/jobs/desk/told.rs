//! What is told of jobs: the event for people, the line for the log.

use std::time::Duration;

use crate::agent::allow::URL;
use crate::alert::channel::http::host_of;
use crate::alert::clean::clean;
use crate::clock::Now;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::jobs::book::News;
use crate::jobs::run::{Notify, Run, State};
use crate::keepalive::work::Done;

/// Bytes of a reason in the log.
const MAX_WHY: usize = 300;
/// Bytes of a job's name or message in a message.
const MAX_NAME: usize = 100;

/// Runs that one message of a move names.
const MAX_NAMED: usize = 20;

/// What a run is called: its job, or its message.
pub fn name_of(run: &Run) -> &str {
    if run.job.is_empty() { run.what.text() } else { &run.job }
}

/// The event that tells of it, if anybody wants to know.
pub fn event(news: &News, me: &str, now: &Now) -> Option<Event> {
    let at = Moment::at(now.tick, now);
    match news {
        News::Ended(run) => {
            let kind = match run.state {
                State::Succeeded => Kind::JobDone,
                State::Failed => Kind::JobFailed,
                State::Expired => Kind::JobExpired,
                State::Lost => Kind::JobLost,
                State::Cancelled => Kind::JobCancelled,
                State::Waiting | State::Queued | State::Sent | State::Running => return None,
            };
            let bad = matches!(run.state, State::Failed | State::Expired | State::Lost);
            let told = match run.terms.notify {
                Notify::Always => true,
                Notify::Failure => bad,
                Notify::Never => false,
            };
            let subject = if run.host.is_empty() { me } else { &run.host };
            // The same for a repetition after a restart: it is known and dropped then.
            let mut event = Event::new(kind, run.key.id, subject, run.since).with_text(Field::Job, short(name_of(run)));
            event = event.with_text(Field::Run, run.key.id.to_string());
            if let Some(done) = &run.done {
                if let Some(code) = done.code {
                    event = event.with(Field::ExitCode, Fact::Number(code.into()));
                }
                if done.took > 0 {
                    event = event.with(Field::Duration, Fact::Span(Duration::from_millis(done.took.unsigned_abs())));
                }
                event = event.with_text(Field::Reason, done.why.clone()).with_text(Field::Output, done.out.clone());
            }
            told.then_some(event)
        }
        News::Moved { from, runs } => {
            let list: Vec<String> = runs
                .iter()
                .take(MAX_NAMED)
                .map(|(_, name, to)| [&*short(name), " → ", if to.is_empty() { "?" } else { to }].concat())
                .collect();
            let more = if runs.len() > MAX_NAMED { ", …" } else { "" };
            let parts: Vec<Vec<u8>> = runs.iter().map(|(id, ..)| id.0.to_be_bytes().to_vec()).collect();
            // Each time is an incident of its own.
            let time = now.wall.0.to_be_bytes();
            let mut hashed: Vec<&[u8]> = vec![b"moved", from.as_bytes(), &time];
            hashed.extend(parts.iter().map(|part| &**part));
            let event = Event::new(Kind::JobMoved, Id::of(&hashed), from.clone(), at);
            Some(
                event.with(Field::Count, Fact::Number(runs.len() as i64)).with_text(Field::Job, list.join(", ") + more),
            )
        }
        News::Skipped { job, why } => {
            let id = Id::of(&[b"skipped", job.as_bytes(), &now.wall.0.to_be_bytes()]);
            Some(
                Event::new(Kind::JobSkipped, id, me, at)
                    .with_text(Field::Job, short(job))
                    .with_text(Field::Reason, &**why),
            )
        }
    }
}

/// A line for the log.
pub fn said(news: &News) -> String {
    match news {
        News::Ended(run) => {
            let why = run.done.as_ref().map(Done::words).filter(|words| words != run.state.name());
            let why = why.map(|why| ["; ", &clean(&why, MAX_WHY)].concat()).unwrap_or_default();
            let host = if run.host.is_empty() { "" } else { " on " };
            [
                "job ",
                &short(name_of(run)),
                " (",
                &run.key.id.to_string(),
                ")",
                host,
                &run.host,
                ": ",
                run.state.name(),
                &why,
            ]
            .concat()
        }
        News::Moved { from, runs } => [&runs.len().to_string(), " jobs left ", from].concat(),
        News::Skipped { job, why } => ["job ", job, " is left out until one of its runs can begin: ", why].concat(),
    }
}

/// A name or a message, fit for a log and for people. Of an address only the host: the rest may be a password.
fn short(text: &str) -> String {
    match text.split_once(' ') {
        Some((URL, url)) => [URL, " ", &clean(host_of(url.trim_start()), MAX_NAME)].concat(),
        _ => clean(text, MAX_NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_told() {
        for (text, want) in [
            ("url https://me:pw@example.com/hooks/token?x=1", "url example.com"),
            ("url  http://[::1]:80/token", "url ::1"),
            ("backup db", "backup db"),
            ("url", "url"),
        ] {
            assert_eq!(short(text), want);
        }
    }
}
