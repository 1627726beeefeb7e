//! The answers to `send` and `sent`: what scripts say goes the way of every alert.

use std::sync::mpsc::TrySendError;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::inquiry::{Account, Inquiry, Progress};
use crate::alert::message::said;
use crate::alert::pending::After;
use crate::alert::route;
use crate::cli::EXIT_QUEUED;
use crate::clock::{self, Now, Tick};
use crate::config::problem::quoted;
use crate::control::{Answer, ENDING, UNDECIDED, UNSAVED};
use crate::event::{Event, Field, Id, Kind, Moment, Severity};
use crate::json::{self, Writer};
use crate::keepalive::silences::Ends;
use crate::run::answers::Answers;
use crate::run::status::until;
use crate::run::threads::Stop;

/// How long the desk may take to answer: it waits for nobody.
const ASK: Duration = Duration::from_secs(1);
/// How long an answer waits until the message survives the end of the program: a disk that takes longer is told without.
const KEPT: Duration = Duration::from_millis(1500);
/// What is said of a message that the daemon has taken, and keeps over its end.
const ENDS: &str = "queued: the daemon is ending\n";
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);

/// What somebody says, on its way from the command to an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Chosen by the command, so that it can ask twice and is told once.
    pub id: Id,
    /// How much it matters.
    pub severity: Severity,
    /// The names of the only channels that are to tell it; all that take such things if there are none.
    pub channels: Vec<String>,
    /// A line.
    pub title: String,
    /// More lines; may be empty.
    pub body: String,
}

impl Said {
    /// As the argument of `send`: one line.
    pub fn write(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("id").text(&self.id.to_string()).key("severity").text(self.severity.name());
        out.key("channels").open('[');
        for name in &self.channels {
            out.text(name);
        }
        out.close(']')
            .key("title")
            .text(&said::headline(&self.title))
            .key("body")
            .text(&said::body(&self.body))
            .close('}');
        out.into_string()
    }

    /// Reads what [`Said::write`] wrote.
    pub fn read(argument: &str) -> Option<Said> {
        let value = json::read(argument.as_bytes())?;
        let mut channels = Vec::new();
        for name in json::list(&value, "channels") {
            channels.push(name.as_str()?.to_owned());
        }
        Some(Said {
            id: Id::parse(json::text(&value, "id")?)?,
            severity: Severity::parse(json::text(&value, "severity")?)?,
            channels,
            title: json::text(&value, "title")?.to_owned(),
            body: json::text(&value, "body")?.to_owned(),
        })
    }

    /// The event; `host` says it.
    pub fn event(&self, host: &str, now: &Now) -> Event {
        let mut event = Event::new(Kind::Message, self.id, host, Moment::at(now.tick, now))
            .with_text(Field::Headline, said::headline(&self.title))
            .with_text(Field::Message, said::body(&self.body))
            .with_text(Field::Channel, self.channels.join(","));
        (event.id, event.severity) = (self.id, self.severity);
        event
    }

    /// Why nobody can be told, if that is so: `takes` says of each known channel whether it takes the event.
    pub fn refusal(&self, takes: &[(&str, bool)]) -> Option<String> {
        for name in &self.channels {
            if !takes.iter().any(|(known, _)| known == name) {
                return Some(["there is no channel ", &quoted(name), " in the configuration"].concat());
            }
        }
        (!takes.iter().any(|(_, takes)| *takes)).then(|| {
            let severity = self.severity.name();
            ["no channel takes a message of severity ", severity, "; name one with --channel"].concat()
        })
    }
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Nobody would tell it.
    Never(String),
    /// Too much waits.
    Later(&'static str),
    /// The daemon ends, or is too busy.
    Ending,
}

impl Answers {
    /// What [`Said::write`] wrote.
    pub fn send(&mut self, argument: &str) -> Answer {
        let said = Said::read(argument).filter(|said| !said::headline(&said.title).is_empty());
        let said = said.ok_or("what is to be sent cannot be read")?;
        let now = clock::now();
        match self.enter(&said, &now) {
            Ok(()) => {}
            Err(Refused::Ending) => return ending(),
            Err(Refused::Never(why)) => return Err(why),
            Err(Refused::Later(why)) => return Err(why.to_owned()),
        }
        let wait = Stop::default();
        loop {
            let Some(account) = self.inquire(said.id) else {
                // At its end the desk saves all that it has taken.
                let taken = self.board.lock().pending.is_empty();
                return if taken { Ok((UNDECIDED, ENDS.to_owned())) } else { ending() };
            };
            if account.known && (account.kept || clock::tick() >= now.tick + KEPT) {
                return Ok(self.told(&account));
            }
            if clock::tick() >= now.tick + KEPT + KEPT {
                return Err("it was not taken in time; try again".to_owned());
            }
            wait.wait(LOOK);
        }
    }

    /// Has a message told that came another way, unless it is known; waits until it is kept, if that does not take long.
    ///
    /// # Errors
    /// When it was not taken.
    pub fn accept(&self, said: &Said) -> Result<(), Refused> {
        let now = clock::now();
        self.enter(said, &now)?;
        let wait = Stop::default();
        while clock::tick() < now.tick + KEPT && self.inquire(said.id).is_some_and(|account| !account.kept) {
            wait.wait(LOOK);
        }
        Ok(())
    }

    fn enter(&self, said: &Said, now: &Now) -> Result<(), Refused> {
        let account = self.inquire(said.id).ok_or(Refused::Ending)?;
        if account.known {
            return Ok(());
        }
        let event = {
            let parts = self.reloader.parts();
            let event = said.event(&parts.me, now);
            let plans = parts.plan().map_or(&[][..], |plan| &plan.channels);
            let takes: Vec<(&str, bool)> = plans.iter().map(|plan| (&*plan.name, route::takes(plan, &event))).collect();
            match said.refusal(&takes) {
                Some(why) => return Err(Refused::Never(why)),
                None => event,
            }
        };
        if !account.room {
            return Err(Refused::Later("too many messages of this kind wait to be told already; status says why"));
        }
        if !self.board.post(Some(event), After::Nothing) {
            return Err(Refused::Later("too many changes wait; try again"));
        }
        Ok(())
    }

    /// The id of what was sent.
    pub fn sent(&self, argument: &str) -> Answer {
        let id = Id::parse(argument).ok_or("that is no id")?;
        // At its end the desk saves all that it has taken.
        let Some(account) = self.inquire(id) else { return Ok((UNDECIDED, ENDS.to_owned())) };
        // It was on disk. What is not there any more was done with, and the end of that run came before that was saved.
        Ok(self.told(&account))
    }

    /// What the desk knows; `None` if it has ended, or does not get to it.
    pub(crate) fn inquire(&self, id: Id) -> Option<Account> {
        let inquiry = Inquiry::new(id);
        let until = clock::tick() + ASK;
        let wait = Stop::default();
        while let Err(refused) = self.to_desk.try_send(Parcel::Asked(inquiry.clone())) {
            if matches!(refused, TrySendError::Disconnected(_)) || clock::tick() >= until {
                return None;
            }
            wait.wait(LOOK);
        }
        inquiry.wait(ASK)
    }

    fn told(&self, account: &Account) -> (u8, String) {
        let zone = self.reloader.parts().zone.clone();
        let (code, text) = lines(account, &|end| until(Ends::At(end), &zone, &clock::now()));
        (if code == UNDECIDED && !account.kept { UNSAVED } else { code }, text)
    }
}

fn ending() -> Answer {
    Ok((ENDING, "the daemon is ending, or too busy\n".to_owned()))
}

/// The command's exit code, and a line for each channel. [`UNDECIDED`] as long as that may change soon.
fn lines(account: &Account, until: &dyn Fn(Tick) -> String) -> (u8, String) {
    if account.ways.is_empty() {
        return (0, "done with, before the daemon was last started or long ago\n".to_owned());
    }
    let (mut text, mut code) = (String::new(), 0);
    for (name, progress) in &account.ways {
        let (said, why, own) = match progress {
            Progress::Told => (": delivered", String::new(), 0),
            Progress::Gone(why) => (": refused: ", why.clone(), 1),
            Progress::Due => (": queued", String::new(), UNDECIDED),
            Progress::Failing(why) => (": queued: ", why.clone(), UNDECIDED),
            Progress::Parked(why) => (": queued until somebody mends it: ", why.clone(), EXIT_QUEUED),
            Progress::Held(end) => (": quiet hours hold it back ", until(*end), EXIT_QUEUED),
        };
        // In the order of these codes the larger says more.
        code = code.max(own);
        text.push_str(&[name, said, &why, "\n"].concat());
    }
    (code, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::at;

    fn said(title: &str, body: &str) -> Said {
        let channels = vec!["ops".to_owned(), "mail".to_owned()];
        Said { id: Id(5), severity: Severity::Warning, channels, title: title.to_owned(), body: body.to_owned() }
    }

    #[test]
    fn what_is_said_is_one_line_and_comes_back_whole() {
        let one = said("a \"title\"", "one\n\ntwo \\ three");
        let line = one.write();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(Said::read(&line), Some(one.clone()));
        let event = one.event("nas@home", &at(0));
        let again = one.event("nas@home", &at(9000));
        assert_eq!((event.id, event.incident, event.severity), (again.id, Id(5), Severity::Warning));
        for junk in ["", "{", "{}", "[]", "{\"id\":\"5\"}", "{\"id\":7}"] {
            assert_eq!(Said::read(junk), None, "{junk}");
        }
    }

    #[test]
    fn the_longest_fits_a_request() {
        let all = Said { channels: vec!["\"".repeat(32); 64], ..said(&"\"".repeat(9999), &"\"\n".repeat(99_999)) };
        println!("{}", all.write().len());
        assert!(all.write().len() + "send \n".len() < 24 * 1024);
        let all = said(&"\"".repeat(9999), &"\\".repeat(99_999));
        assert!(all.write().len() + "send \n".len() < 24 * 1024);
    }

    #[test]
    fn a_channel_that_is_not_there_is_refused_and_so_is_what_nobody_takes() {
        let named = said("t", "");
        assert!(named.refusal(&[("ops", true)]).unwrap().contains("\"mail\""));
        assert_eq!(named.refusal(&[("ops", true), ("mail", true), ("x", false)]), None);
        let any = Said { channels: Vec::new(), ..said("t", "") };
        assert!(any.refusal(&[("ops", false)]).unwrap().contains("severity warning"));
        assert_eq!(any.refusal(&[("ops", false), ("x", true)]), None);
    }

    #[test]
    fn the_code_says_what_is_still_to_come() {
        use Progress::{Due, Failing, Gone, Held, Parked, Told};
        let why = || "why".to_owned();
        for (ways, code) in [
            (vec![Told, Told], 0),
            (vec![Told, Gone(why())], 1),
            (vec![Due, Gone(why())], UNDECIDED),
            (vec![Told, Failing(why())], UNDECIDED),
            (vec![Told, Parked(why())], 75),
            (vec![Held(Tick(0)), Gone(why())], 75),
            (vec![Held(Tick(0)), Due], UNDECIDED),
            (vec![], 0),
        ] {
            let named = ways.iter().map(|way| ("ops".to_owned(), way.clone())).collect();
            let account = Account { ways: named, ..Account::default() };
            let (said, text) = lines(&account, &|_| "until 07:00".to_owned());
            assert_eq!(said, code, "{ways:?}");
            assert_eq!(text.lines().count(), ways.len().max(1));
        }
    }
}
