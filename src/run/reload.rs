//! Reading the configuration again, on SIGHUP and by command, while everything runs on.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::Level;
use serde_json::Value;

use crate::alert::pending::After;
use crate::callback::privilege;
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
/// A command waits no longer than this for its reload: a file system may hang, a secret may come out of a slow pipe,
/// and the other commands wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon it sees the end of the program.
const LOOK: Duration = Duration::from_millis(200);

/// Reads the file again and has the parts follow it, one reload at a time.
pub struct Reloader {
    source: Source,
    env: Env,
    stop: Stop,
    board: Arc<Board>,
    /// Held by the reload under way: since when the file is known to be wrong, with the incident.
    rejected: Mutex<Option<(Id, Moment)>>,
    runs: Mutex<Runs>,
    /// Rung at the end of each.
    ended: Condvar,
    parts: Mutex<Parts>,
    /// What no reload changes: `log`, `state_dir` and `control` as the daemon was started with.
    fixed: Fixed,
}

/// Reloads, counted in the order in which they read.
#[derive(Default)]
struct Runs {
    begun: u64,
    ended: u64,
    /// One is ordered that has not begun to read: it will see whatever the file says by then.
    ordered: bool,
    /// What the last one came to.
    last: Option<Answer>,
}

#[derive(Default)]
struct Fixed {
    log: String,
    state_dir: PathBuf,
    control: PathBuf,
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
        let fixed = parts.plan().map(Fixed::of).unwrap_or_default();
        let (rejected_now, runs, ended) = (Mutex::default(), Mutex::default(), Condvar::new());
        let parts = Mutex::new(parts);
        let reloader = Reloader { source, env, stop, board, rejected: rejected_now, runs, ended, parts, fixed };
        reloader.mended(&me, &mut rejected);
        reloader
    }

    /// What runs. Nobody waits for anything under this lock.
    pub fn parts(&self) -> MutexGuard<'_, Parts> {
        lock(&self.parts)
    }

    /// SIGHUP came. A storm of them makes one reload, and at most one more after it.
    pub fn signal(self: &Arc<Self>) {
        if let Err(error) = self.order() {
            log::warn!("not reloaded: {error}");
        }
    }

    /// A command asks. The answer names what changed, or every problem of a file that is wrong: then nothing changes.
    ///
    /// # Errors
    /// At the end of the program, for want of a thread, or when the file is not read in time.
    pub fn ask(self: &Arc<Self>) -> Answer {
        let number = self.order().map_err(|error| ["not reloaded: ", &error.to_string()].concat())?;
        let until = clock::tick() + PATIENCE;
        let mut runs = lock(&self.runs);
        while runs.ended < number {
            let left = until.since(clock::tick());
            if self.stop.is_stopped() {
                return Err(STOPPING.to_owned());
            }
            if left.is_zero() {
                let why = "the configuration is still being read: does its file system hang, or does a secret come \
                           slowly? The log will say how it ends";
                return Err(why.to_owned());
            }
            (runs, _) = self.ended.wait_timeout(runs, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner);
        }
        runs.last.clone().unwrap_or_else(|| Err(STOPPING.to_owned()))
    }

    /// Has the file read in a thread of its own, since a file system may hang; at most one waits for another. Gives the
    /// number of the reload.
    fn order(self: &Arc<Self>) -> io::Result<u64> {
        let mut runs = lock(&self.runs);
        if !runs.ordered {
            let reloader = self.clone();
            spawn("reload", CONFIG_STACK, move || reloader.run())?;
            runs.ordered = true;
        }
        Ok(runs.begun + 1)
    }

    fn run(&self) {
        let mut rejected = lock(&self.rejected);
        {
            let mut runs = lock(&self.runs);
            runs.begun += 1;
            runs.ordered = false;
        }
        let answer = self.reload(&mut rejected);
        if let Err(why) = &answer {
            log::warn!("not reloaded: {why}");
        }
        let mut runs = lock(&self.runs);
        runs.ended += 1;
        runs.last = Some(answer);
        self.ended.notify_all();
    }

    fn reload(&self, rejected: &mut Option<(Id, Moment)>) -> Answer {
        if !self.say(&["RELOADING=1\nMONOTONIC_USEC=", &clock::monotonic_usec().to_string()].concat()) {
            return Err(STOPPING.to_owned());
        }
        let answer = match self.read() {
            Ok((plan, zone)) => self.accept(plan, zone, rejected),
            Err(problems) => self.reject(&problems, rejected),
        };
        self.say("READY=1");
        Ok(answer)
    }

    /// Says something to the service manager, but nothing after it was told of the end.
    fn say(&self, state: &str) -> bool {
        let _parts = self.parts();
        let stopped = self.stop.is_stopped();
        if !stopped {
            notify(state);
        }
        !stopped
    }

    fn read(&self) -> Result<(Plan, Zone), Vec<Problem>> {
        let plan = config::load(&self.source, &self.env)?;
        let file = || self.source.path.display().to_string();
        let alone = |key: &str, text: String| vec![Problem { file: file(), line: 0, key: key.to_owned(), text }];
        if let Some(why) = plan.idle() {
            return Err(alone("", why.to_owned()));
        }
        privilege::check(&plan).map_err(|why| alone("", why))?;
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
            self.warnings(old, &plan, &mut text);
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

    /// What is unwise about the new plan and was not said before, and what does not change while the program runs.
    fn warnings(&self, old: &Plan, new: &Plan, text: &mut String) {
        let Fixed { log, state_dir, control } = &self.fixed;
        let lost = "; until then commands do not find the daemon";
        for (key, same, lost) in [
            ("log", *log == new.log, ""),
            ("state_dir", state_dir.as_os_str() == new.state_dir.as_os_str(), ""),
            ("control", control.as_os_str() == new.control.as_os_str(), lost),
        ] {
            if !same {
                say(Level::Warn, &[key, " needs a restart to change", lost], text);
            }
        }
        for warning in &new.warnings {
            if !old.warnings.contains(warning) {
                say(Level::Warn, &[warning], text);
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

impl Fixed {
    fn of(plan: &Plan) -> Fixed {
        Fixed { log: plan.log.clone(), state_dir: plan.state_dir.clone(), control: plan.control.clone() }
    }
}

/// Says a line in the log and in the answer.
#[inline(never)]
fn say(level: Level, parts: &[&str], text: &mut String) {
    let line = parts.concat();
    log::log!(level, "{line}");
    // The log has the level beside it.
    text.push_str(if level == Level::Warn { "warning: " } else { "" });
    text.push_str(&line);
    text.push('\n');
}
