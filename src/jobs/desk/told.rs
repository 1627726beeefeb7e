//! What is told of jobs: the event for people, the line for the log.

use std::time::Duration;

use crate::agent::allow::URL;
use crate::alert::channel::http::host_of;
use crate::alert::clean::clean;
use crate::event::{Event, Fact, Field, Kind};
use crate::jobs::book::{MAX_NAMED, News, Note, Told};
use crate::jobs::run::{Notify, Run, State};
use crate::keepalive::work::{Done, End};

/// Bytes of a reason in the log.
const MAX_WHY: usize = 300;
/// Bytes of a job's name or message in a message.
const MAX_NAME: usize = 100;

/// What a run is called: its job, or its message.
pub fn name_of(run: &Run) -> &str {
    if run.job.is_empty() { run.what.text() } else { &run.job }
}

/// What the end of a run is; `None` if it has not ended.
pub fn kind(state: State) -> Option<Kind> {
    Some(match state {
        State::Succeeded => Kind::JobDone,
        State::Failed => Kind::JobFailed,
        State::Expired => Kind::JobExpired,
        State::Lost => Kind::JobLost,
        State::Cancelled => Kind::JobCancelled,
        State::Waiting | State::Queued | State::Sent | State::Running => return None,
    })
}

/// Whose run it is: its host's, else this server's.
pub fn subject<'a>(run: &'a Run, me: &'a str) -> &'a str {
    if run.host.is_empty() { me } else { &run.host }
}

/// The event that tells of it, if anybody wants to know.
pub fn event(news: &News, me: &str) -> Option<Event> {
    match news {
        News::Ended(run) => {
            let kind = kind(run.state)?;
            let bad = matches!(run.state, State::Failed | State::Expired | State::Lost);
            let told = match run.terms.notify {
                Notify::Always => true,
                Notify::Failure => bad,
                Notify::Never => false,
            };
            // The same for a repetition after a restart: it is known and dropped then.
            let mut event =
                Event::new(kind, run.key.id, subject(run, me), run.since).with_text(Field::Job, short(name_of(run)));
            event = event.with_text(Field::Run, run.key.id.to_string());
            if let Some(done) = &run.done {
                // That of a refusal is between host and server.
                if let Some(code) = done.code.filter(|_| done.end != End::Refused) {
                    event = event.with(Field::ExitCode, Fact::Number(code.into()));
                }
                if done.took > 0 {
                    event = event.with(Field::Duration, Fact::Span(Duration::from_millis(done.took.unsigned_abs())));
                }
                event = event.with_text(Field::Reason, done.why.clone()).with_text(Field::Output, done.out.clone());
            }
            told.then_some(event)
        }
        News::Note(note) => Some(of_note(note, me)),
    }
}

fn of_note(note: &Note, me: &str) -> Event {
    match &note.what {
        Told::Moved { from, count, runs } => {
            let list: Vec<String> = runs
                .iter()
                .map(|(name, to)| [&*short(name), " → ", if to.is_empty() { "?" } else { to }].concat())
                .collect();
            let more = if *count > MAX_NAMED { ", …" } else { "" };
            Event::new(Kind::JobMoved, note.id, from.clone(), note.at)
                .with(Field::Count, Fact::Number(*count as i64))
                .with_text(Field::Job, list.join(", ") + more)
        }
        Told::Skipped { job, why } => Event::new(Kind::JobSkipped, note.id, me, note.at)
            .with_text(Field::Job, short(job))
            .with_text(Field::Reason, &**why),
    }
}

/// A line for the log.
pub fn said(news: &News) -> String {
    match news {
        News::Ended(run) => {
            let (state, words) = (run.state.name(), run.done.as_ref().map(Done::words).unwrap_or_default());
            let words = clean(&words, MAX_WHY);
            // "failed, exit code 3" says the state too.
            let how = match &*words {
                "" => state.to_owned(),
                words if words.starts_with(state) => words.to_owned(),
                words => [state, "; ", words].concat(),
            };
            let host = if run.host.is_empty() { "" } else { " on " };
            ["job ", &short(name_of(run)), " (", &run.key.id.to_string(), ")", host, &run.host, ": ", &how].concat()
        }
        News::Note(note) => match &note.what {
            Told::Moved { from, count, .. } => {
                [&*count.to_string(), if *count == 1 { " job" } else { " jobs" }, " left ", from].concat()
            }
            Told::Skipped { job, why } => ["job ", job, " is left out until one of its runs can begin: ", why].concat(),
        },
    }
}

/// A name or a message, fit for a log and for people. Of an address only the host: the rest may be a password.
pub fn short(text: &str) -> String {
    match text.split_once(' ') {
        Some((URL, url)) => [URL, " ", &clean(host_of(url.trim_start()), MAX_NAME)].concat(),
        _ => clean(text, MAX_NAME),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::message::render;
    use crate::alert::{Form, Message};
    use crate::clock::{Boot, Now, Tick, Wall};
    use crate::config::plan::Language;
    use crate::event::{Id, Moment};
    use crate::jobs::run::{On, Terms, What};
    use crate::keepalive::work::Key;
    use crate::zone::Zone;

    const NOW: Now = Now { tick: Tick(1000), wall: Wall(1_800_000_000_000), boot: Boot(1) };

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

    fn lost(why: &str) -> Run {
        let now = NOW;
        let key = Key { id: Id(7), epoch: 1, attempt: 1 };
        let done = Done { key, end: End::Unknown, code: None, took: 660_000, out: String::new(), why: why.to_owned() };
        Run {
            key,
            job: "train".to_owned(),
            what: What::Message("work".to_owned()),
            on: On::Any("*".to_owned()),
            terms: Terms::default(),
            made: now.wall,
            due: now.wall,
            state: State::Lost,
            since: Moment::at(now.tick, &now),
            free: Moment::at(now.tick, &now),
            host: "w1@lan".to_owned(),
            lease: std::time::Duration::ZERO,
            refused: Vec::new(),
            cancelled: false,
            ordered: None,
            back: false,
            boot: String::new(),
            done: Some(done),
            told: false,
            telling: 0,
        }
    }

    #[test]
    fn the_log_says_an_end_once() {
        let failed = |code| {
            let mut run = lost("");
            run.state = State::Failed;
            run.done = run.done.map(|done| Done { end: End::Failed, code, ..done });
            News::Ended(Box::new(run))
        };
        let line = |news: News| said(&news).split_once(": ").map(|(_, how)| how.to_owned()).unwrap();
        assert_eq!(line(failed(Some(3))), "failed, exit code 3");
        assert_eq!(line(failed(None)), "failed");
        assert_eq!(line(News::Ended(Box::new(lost("x")))), "lost; unknown: x");
    }

    #[test]
    fn why_a_run_was_lost_is_told_in_both_languages() {
        let now = NOW;
        let why = "w1@lan says that it still runs, beyond its time limit";
        let run = lost(why);
        let event = event(&News::Ended(Box::new(run)), "srv").unwrap();
        assert_eq!(event.kind, Kind::JobLost);
        for (language, reason) in [
            (Language::En, format!("Reason: {why}")),
            (Language::Zh, "原因：w1@lan 称其仍在运行，已超出时限".to_owned()),
        ] {
            let message = Message { id: event.id, form: Form::One, members: vec![Arc::new(event.clone())] };
            let text = render(&message, language, "[ic]", &now, &Zone::utc()).body();
            println!("{text}\n");
            assert!(text.contains(&reason), "{text}");
        }
    }
}
