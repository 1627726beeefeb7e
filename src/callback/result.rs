//! What came of a callback, and the event that tells it.

use std::time::Duration;

use crate::alert::clean::{clean, quoted};
use crate::clock::Now;
use crate::config::plan::Reported;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};

/// Bytes of the beginning, and of the end, of the output that an event quotes.
const QUOTE: usize = 240;
/// Bytes of a reason.
const REASON: usize = 300;
/// Between the two.
const GAP: &str = " […] ";

/// Killed at its limit.
pub const LATE: &str = "not done in time, killed";
/// Killed at the end of the daemon.
pub const STOPPED: &str = "ended because the daemon stopped";
/// It ran, or was about to, when the daemon ended.
pub const UNKNOWN: &str = "unknown outcome: the daemon ended while it ran";
/// It waited when the daemon ended.
pub const NEVER_STARTED: &str = "not started: the daemon ended before its turn";
/// Too many events wait for it.
pub const CROWDED: &str = "not started: too many events wait for it";
/// The instance was to be gone before its turn came.
pub const EXPIRED: &str = "not started: the deadline passed before its turn";

/// Its program cannot be started and not be killed either.
pub const HANGS: &str = "it hangs and cannot be killed: does its disk answer?";

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The program by itself, with this code.
    Exit(i32),
    /// The program by a signal that did not come from here.
    Signal(i32),
    /// The address took the call.
    Called,
    /// Any other failure: one of the texts above, or what the system or the service says.
    Failed(String),
    /// The daemon ended first.
    Unknown,
}

impl Ending {
    /// Whether it did what it should.
    pub fn is_good(&self) -> bool {
        matches!(self, Ending::Exit(0) | Ending::Called)
    }

    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Ending::Exit(code) => ["exit code ", &code.to_string()].concat(),
            Ending::Signal(signal) => ["signal ", &signal.to_string()].concat(),
            Ending::Called => "called".to_owned(),
            Ending::Failed(why) => why.clone(),
            Ending::Unknown => UNKNOWN.to_owned(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Ending::Unknown => Kind::CallbackUnknown,
            ending if ending.is_good() => Kind::CallbackDone,
            _ => Kind::CallbackFailed,
        }
    }

    /// Whether `report` wants it told.
    pub fn is_told(&self, report: Reported) -> bool {
        match report {
            Reported::Always => true,
            Reported::Failure => !self.is_good(),
            Reported::Never => false,
        }
    }
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// How long it ran.
    pub took: Option<Duration>,
    /// The beginning of what it said, in one harmless line, without the values of its variables.
    pub head: String,
    /// The end of it.
    pub tail: String,
    /// Bytes between the two that were dropped.
    pub dropped: u64,
}

impl Outcome {
    /// One without output.
    pub fn of(ending: Ending, took: Option<Duration>) -> Outcome {
        Outcome { ending, took, head: String::new(), tail: String::new(), dropped: 0 }
    }

    /// What it said, shortened.
    pub fn excerpt(&self) -> String {
        let gap = if self.dropped > 0 { GAP } else { "" };
        let all = [&*self.head, gap, &self.tail].concat();
        if all.len() <= 2 * QUOTE {
            return all;
        }
        let first = (0..=QUOTE).rev().find(|at| all.is_char_boundary(*at)).unwrap_or_default();
        let last = (all.len() - QUOTE..=all.len()).find(|at| all.is_char_boundary(*at)).unwrap_or(all.len());
        [&all[..first], GAP, &all[last..]].concat()
    }
}

/// The beginning and the end of an output, each in one line without control characters and without `secrets`, also not
/// the half of one where something was dropped between the two.
pub fn said(head: &[u8], tail: &[u8], dropped: u64, secrets: &[String]) -> (String, String) {
    let clear = |bytes: &[u8]| quoted(&String::from_utf8_lossy(bytes), 2 * bytes.len(), secrets);
    if dropped == 0 {
        return (clear(&[head, tail].concat()), String::new());
    }
    let (mut head, mut tail) = (head, tail);
    for secret in secrets {
        let secret = secret.as_bytes();
        for len in (1..secret.len()).rev() {
            head = head.strip_suffix(&secret[..len]).unwrap_or(head);
            tail = tail.strip_prefix(&secret[secret.len() - len..]).unwrap_or(tail);
        }
    }
    (clear(head), clear(tail))
}

/// The event that tells of it; `host` is this host. It belongs to the incident of its cause, and one cause has one of
/// each kind and callback.
pub fn event(callback: &str, cause: &Event, outcome: &Outcome, host: &str, now: &Now) -> Event {
    let kind = outcome.ending.kind();
    let mut event = Event::new(kind, cause.incident, host, Moment::at(now.tick, now))
        .with_text(Field::Callback, callback)
        .with_text(Field::Cause, cause_of(cause));
    event.id = Id::of(&[b"callback", kind.name().as_bytes(), callback.as_bytes(), &cause.id.0.to_be_bytes()]);
    event.test = cause.test;
    match &outcome.ending {
        Ending::Exit(0) | Ending::Called => {}
        Ending::Exit(code) => event.facts.push((Field::ExitCode, Fact::Number((*code).into()))),
        Ending::Signal(signal) => event.facts.push((Field::Signal, Fact::Number((*signal).into()))),
        Ending::Failed(_) | Ending::Unknown => {
            event = event.with_text(Field::Reason, clean(&outcome.ending.words(), REASON));
        }
    }
    if let Some(took) = outcome.took {
        event.facts.push((Field::Duration, Fact::Span(took)));
    }
    event.with_text(Field::Output, outcome.excerpt())
}

/// An event in two words, for logs and messages.
pub fn cause_of(event: &Event) -> String {
    [event.kind.name(), " ", &clean(&event.subject, 128)].concat()
}

/// Whether `event` tells of a callback that such an event had started: it starts none, or two callbacks could go on
/// starting each other.
pub fn is_echo(event: &Event) -> bool {
    event.kind.is_of_callback()
        && matches!(event.fact(Field::Cause), Some(Fact::Text(cause)) if cause.starts_with("callback."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::{at, event as some};

    #[test]
    fn every_ending_has_its_kind_and_is_told_as_wanted() {
        for (ending, kind, words) in [
            (Ending::Exit(0), Kind::CallbackDone, "exit code 0"),
            (Ending::Called, Kind::CallbackDone, "called"),
            (Ending::Exit(3), Kind::CallbackFailed, "exit code 3"),
            (Ending::Signal(9), Kind::CallbackFailed, "signal 9"),
            (Ending::Failed(LATE.to_owned()), Kind::CallbackFailed, LATE),
            (Ending::Unknown, Kind::CallbackUnknown, UNKNOWN),
        ] {
            assert_eq!((ending.kind(), &*ending.words()), (kind, words));
            let told = [Reported::Always, Reported::Failure, Reported::Never].map(|report| ending.is_told(report));
            assert_eq!(told, [true, kind != Kind::CallbackDone, false], "{ending:?}");
        }
    }

    #[test]
    fn the_event_belongs_to_its_cause() {
        let mut cause = some(Kind::Interrupt, 7, "web\n1");
        cause.test = true;
        let outcome = Outcome { head: "a".into(), ..Outcome::of(Ending::Exit(3), Some(Duration::from_secs(2))) };
        let told = event("save", &cause, &outcome, "me", &at(5000));
        assert_eq!(
            (told.kind, told.incident, &*told.subject, told.test),
            (Kind::CallbackFailed, cause.incident, "me", true)
        );
        assert_eq!(told.fact(Field::Cause), Some(&Fact::Text("interrupt web 1".to_owned())));
        assert_eq!(told.fact(Field::ExitCode), Some(&Fact::Number(3)));
        assert_eq!(told.fact(Field::Output), Some(&Fact::Text("a".to_owned())));
        assert_eq!(event("save", &cause, &outcome, "me", &at(9000)).id, told.id, "a repetition is known as such");
        assert_ne!(event("copy", &cause, &outcome, "me", &at(5000)).id, told.id);
        assert!(!is_echo(&told));
        assert!(is_echo(&event("tell", &told, &outcome, "me", &at(5000))));
    }

    #[test]
    fn output_is_short_and_harmless() {
        let mut outcome = Outcome::of(Ending::Exit(1), None);
        assert_eq!(outcome.excerpt(), "");
        (outcome.head, outcome.tail) = ("first ".into(), "last".into());
        assert_eq!(outcome.excerpt(), "first last");
        outcome.dropped = 9;
        assert_eq!(outcome.excerpt(), "first  […] last");
        (outcome.head, outcome.tail) = ("失".repeat(2000), "联".repeat(2000));
        let text = outcome.excerpt();
        assert!(text.starts_with('失') && text.ends_with('联') && text.len() < 512, "{text}");
        let secrets = ["token-1".to_owned()];
        let said = |head: &[u8], tail: &[u8], dropped| said(head, tail, dropped, &secrets);
        assert_eq!(said(b"a\x1b[1m\xff\n\0 tok", b"en-1.", 0).0, "a\u{FFFD}[1m\u{FFFD} \u{FFFD} ***.");
        assert_eq!(said(b"token-1 x toke", b"oken-1 y", 9), ("*** x".to_owned(), "y".to_owned()));
    }
}
