//! Reading the configuration again, on SIGHUP and by command, while everything runs on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use log::Level;
use serde_json::Value;

use crate::alert::pending::After;
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE};
use crate::clock;
use crate::config::plan::Plan;
use crate::config::{self, Env, Problem, Source};
use crate::control::Answer;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};
use crate::run::board::Board;
use crate::run::notify::notify;
use crate::run::parts::Parts;
use crate::run::threads::{CONFIG_STACK, Stop, lock, spawn};
use crate::zone::Zone;

/// Name of the small state.
pub const STATE_NAME: &str = "config";
const STOPPING: &str = "the daemon is stopping";

/// Reads the file again and has the parts follow it, one reload at a time.
pub struct Reloader {
    source: Source,
    env: Env,
    stop: Stop,
    board: Arc<Board>,
    /// Held by the reload under way: since when the file is known to be wrong, with the incident.
    rejected: Mutex<Option<(Id, Moment)>>,
    /// A signal has come whose reload has not begun to read.
    asked: AtomicBool,
    parts: Mutex<Parts>,
}

impl Reloader {
    /// One for parts that run with what `source` said. `state` is the small state of the last run: a wrong file that
    /// it has told of is none any more.
    pub fn new(
        source: Source,
        env: Env,
        stop: Stop,
        board: Arc<Board>,
        parts: Parts,
        state: Option<&Value>,
    ) -> Reloader {
        let mut rejected = state.and_then(read);
        let me = parts.me.clone();
        let (asked, parts) = (AtomicBool::default(), Mutex::new(parts));
        let reloader = Reloader { source, env, stop, board, rejected: Mutex::default(), asked, parts };
        reloader.mended(&me, &mut rejected);
        reloader
    }

    /// What runs. Nobody waits for anything under this lock.
    pub fn parts(&self) -> MutexGuard<'_, Parts> {
        lock(&self.parts)
    }

    /// SIGHUP came. A storm of them makes one reload, and at most one more after it.
    pub fn signal(self: &Arc<Self>) {
        if self.asked.swap(true, Ordering::SeqCst) {
            return;
        }
        let reloader = self.clone();
        let run = move || {
            if let Err(why) = reloader.reload() {
                log::warn!("not reloaded: {why}");
            }
        };
        // The main thread stays free for the signals that end the program: a file system may hang.
        if let Err(error) = spawn("reload", CONFIG_STACK, run) {
            self.asked.store(false, Ordering::SeqCst);
            log::warn!("not reloaded: {error}");
        }
    }

    /// Reads the file and applies it. The answer names what changed, or every problem of a file that is wrong: then
    /// nothing changes. Needs [`CONFIG_STACK`].
    ///
    /// # Errors
    /// At the end of the program.
    pub fn reload(&self) -> Answer {
        let mut rejected = lock(&self.rejected);
        self.asked.store(false, Ordering::SeqCst);
        if self.stop.is_stopped() {
            return Err(STOPPING.to_owned());
        }
        notify(&["RELOADING=1\nMONOTONIC_USEC=", &clock::monotonic_usec().to_string()].concat());
        let answer = match self.read() {
            Ok((plan, zone)) => self.accept(plan, zone, &mut rejected),
            Err(problems) => self.reject(&problems, &mut rejected),
        };
        notify("READY=1");
        Ok(answer)
    }

    fn read(&self) -> Result<(Plan, Zone), Vec<Problem>> {
        let plan = config::load(&self.source, &self.env)?;
        let file = || self.source.path.display().to_string();
        let alone = |key: &str, text: String| vec![Problem { file: file(), line: 0, key: key.to_owned(), text }];
        if let Some(why) = plan.idle() {
            return Err(alone("", why.to_owned()));
        }
        match Zone::load(plan.timezone.as_deref()) {
            Ok(zone) => Ok((plan, zone)),
            Err(error) => Err(alone("timezone", error.to_string())),
        }
    }

    fn accept(&self, plan: Plan, zone: Zone, rejected: &mut Option<(Id, Moment)>) -> (u8, String) {
        let mut parts = self.parts();
        if self.stop.is_stopped() {
            return (EXIT_FAILURE, [STOPPING, "\n"].concat());
        }
        let mut text = String::new();
        if let Some(old) = parts.plan() {
            warnings(old, &plan, &mut text);
        }
        let mut said = String::new();
        let applied = parts.apply(plan, zone, &mut said);
        let me = parts.me.clone();
        drop(parts);
        if said.is_empty() {
            said.push_str("nothing changed");
        }
        say(Level::Info, &["reloaded: ", &said], &mut text);
        self.mended(&me, rejected);
        match applied {
            Ok(()) => (0, text),
            Err(error) => {
                let parts = ["not all of it could be put in force: ", &error.to_string(), "; reload again"];
                say(Level::Error, &parts, &mut text);
                (EXIT_FAILURE, text)
            }
        }
    }

    fn reject(&self, problems: &[Problem], rejected: &mut Option<(Id, Moment)>) -> (u8, String) {
        let mut text = String::new();
        for problem in problems {
            say(Level::Error, &[&problem.to_string()], &mut text);
        }
        log::error!("the configuration is wrong: the old one stays in force");
        if let (None, Some(first)) = (&rejected, problems.first()) {
            let now = clock::now();
            let me = self.parts().me.clone();
            let incident = Id::of(&[b"config", me.as_bytes(), &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
            let colon = if first.key.is_empty() { "" } else { ": " };
            let line = if first.line > 0 { [":", &first.line.to_string()].concat() } else { String::new() };
            let event = Event::new(Kind::ConfigRejected, incident, &*me, Moment::at(now.tick, &now))
                .with_text(Field::Path, [&first.file, &*line].concat())
                .with_text(Field::Reason, [&first.key, colon, &first.text].concat())
                .with(Field::Count, Fact::Number(i64::try_from(problems.len()).unwrap_or(i64::MAX)));
            let begun = Some((incident, Moment::at(now.tick, &now)));
            if self.board.post(Some(event), saved(begun)) {
                *rejected = begun;
            }
        }
        (EXIT_CONFIG, text)
    }

    /// A good file is in force. Without room for that it stays untold, and the next good reload tells it.
    fn mended(&self, me: &str, rejected: &mut Option<(Id, Moment)>) {
        let Some((incident, since)) = *rejected else { return };
        let now = clock::now();
        let mut event = Event::new(Kind::ConfigAccepted, incident, me, Moment::at(now.tick, &now))
            .with_text(Field::Path, self.source.path.display().to_string());
        if let Some(since) = since.tick(&now) {
            event = event.with(Field::Duration, Fact::Span(now.tick.since(since)));
        }
        if self.board.post(Some(event), saved(None)) {
            *rejected = None;
        }
    }
}

/// The small state: which wrong file was told of.
fn saved(rejected: Option<(Id, Moment)>) -> After {
    let mut out = Writer::default();
    out.open('{');
    if let Some((incident, since)) = rejected {
        since.write(out.key("incident").uint(incident.0).key("since"));
    }
    out.close('}');
    After::Small { name: STATE_NAME.to_owned(), json: out.into_string() }
}

fn read(state: &Value) -> Option<(Id, Moment)> {
    Some((Id(json::uint(state, "incident")?), Moment::read(state.get("since")?)?))
}

/// What is unwise about the new plan and was not said before, and what does not change while the program runs.
fn warnings(old: &Plan, new: &Plan, text: &mut String) {
    for (key, same) in [
        ("log", old.log == new.log),
        ("state_dir", old.state_dir.as_os_str() == new.state_dir.as_os_str()),
        ("control", old.control.as_os_str() == new.control.as_os_str()),
    ] {
        if !same {
            say(Level::Warn, &["warning: ", key, " needs a restart to change"], text);
        }
    }
    for warning in &new.warnings {
        if !old.warnings.contains(warning) {
            say(Level::Warn, &["warning: ", warning], text);
        }
    }
}

/// Says a line in the log and in the answer.
#[inline(never)]
fn say(level: Level, parts: &[&str], text: &mut String) {
    let line = parts.concat();
    log::log!(level, "{line}");
    text.push_str(&line);
    text.push('\n');
}
