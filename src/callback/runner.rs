//! One run of a callback: a program or a request, until it ends or its time is up.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::channel::command::variables;
use crate::alert::channel::http::{MIN_TOKEN, longest_first};
use crate::alert::channel::template::fields;
use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::message::render;
use crate::alert::{Form, Message, Verdict, json};
use crate::callback::exec::{self, Apart, End, Leash, Limits, Program};
use crate::callback::limit::deadline;
use crate::callback::result::{Ending, LATE, Outcome, STOPPED, said};
use crate::callback::rules::Start;
use crate::clock::{self, Now, Tick, tick};
use crate::config::plan::{Act, CallbackPlan, ChannelKind, ChannelPlan, RunPlan, WebhookPlan};
use crate::event::{Event, Fact, Field, Kind};
use crate::resolve::Resolver;
use crate::run::threads::Stop;
use crate::zone::Zone;

/// Bytes of the beginning and of the end of the output that are kept.
const KEEP: usize = 4096;
/// From one attempt to start a program to the next, if the system has no room for it.
const AGAIN: Duration = Duration::from_millis(500);
/// For one attempt of a request.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Seconds between attempts; the last one goes on.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];
/// The longest pause for an interrupt, whatever the service wishes.
const PAUSE_OF_INTERRUPT: Duration = Duration::from_secs(3);
/// Where programs are looked for, unless `env` or `pass` has a `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a run works with.
pub struct Surroundings {
    /// Names.
    pub resolver: Arc<Resolver>,
    /// Local time.
    pub zone: Zone,
    /// The end of the daemon.
    pub stop: Stop,
}

/// Runs it until `until` at the latest, and some seconds more if it must be killed. `None`: it goes on without the
/// daemon, which ends.
pub fn run(start: &Start, until: Tick, leash: &Leash, around: &Surroundings) -> Option<Outcome> {
    let began = tick();
    let mut outcome = match &start.plan.act {
        Act::Run(program) => self::program(start, program, until, leash, around)?,
        Act::Call { hook, retries } => Outcome::of(call(start, hook, *retries, until, leash, around), None),
    };
    outcome.took = Some(tick().since(began));
    Some(outcome)
}

fn program(start: &Start, plan: &RunPlan, until: Tick, leash: &Leash, around: &Surroundings) -> Option<Outcome> {
    let now = clock::now();
    let message = message(&start.event);
    let text = render(&message, start.plan.language, "", &now, &around.zone);
    let input = json::document(&message, &text, &now, &around.zone) + "\n";
    let mut envs = base(plan);
    envs.extend(variables(fields(&message, &text, start.plan.language, &now, &around.zone)));
    envs.extend(more(&start.event, until, &now));
    for (_, value) in &mut envs {
        // The system takes no zero byte: what a stranger said must not keep the program from starting.
        if value.contains('\0') {
            *value = value.replace('\0', "");
        }
    }
    let apart = Apart { dir: &plan.dir, user: plan.user.as_ref(), outlives: plan.outlives };
    let program = Program { argv: &plan.argv, envs: &envs, apart: Some(apart) };
    let ran = loop {
        let limits = Limits { time: leash.cut(until).since(tick()), keep: KEEP };
        let ran = exec::run_on(&program, input.as_bytes(), &limits, leash, &around.stop);
        let passing = matches!(&ran.end, End::Failed(error) if exec::is_passing(error));
        if !passing || leash.cut(until).since(tick()) <= AGAIN || around.stop.wait(AGAIN) {
            break ran;
        }
    };
    let ending = match ran.end {
        End::Exit(code) => Ending::Exit(code),
        End::Signal(signal) => Ending::Signal(signal),
        End::TimedOut => Ending::Failed(LATE.to_owned()),
        End::Stopped if plan.outlives => return None,
        End::Stopped => Ending::Failed(STOPPED.to_owned()),
        End::Failed(error) => {
            // The system does not say which of the two it misses.
            let missing = error.kind() == ErrorKind::NotFound && !plan.dir.is_dir();
            let dir = plan.dir.to_string_lossy();
            let what = if missing { &*dir } else { &plan.argv[0] };
            Ending::Failed([what, ": ", &error.to_string()].concat())
        }
    };
    let secrets = secrets(plan);
    let (head, tail) = said(&ran.head, &ran.tail, ran.dropped, &secrets);
    Some(Outcome { ending, took: None, head, tail, dropped: ran.dropped })
}

/// Variables that have nothing to do with the event.
pub fn base(plan: &RunPlan) -> Vec<(String, String)> {
    let mut envs = vec![("PATH".to_owned(), PATH.to_owned())];
    if let Some(user) = &plan.user {
        for (name, value) in [("HOME", &user.home), ("USER", &user.name), ("LOGNAME", &user.name)] {
            if !value.is_empty() {
                envs.push((name.to_owned(), value.clone()));
            }
        }
    }
    for (name, value) in plan.pass.iter().chain(&plan.env) {
        envs.push((name.clone(), value.reveal().to_owned()));
    }
    envs
}

/// Variables besides those that every program gets which is told an event.
fn more(event: &Event, until: Tick, now: &Now) -> Vec<(String, String)> {
    let left = deadline(event, now).map(|deadline| deadline.since(now.tick).as_secs().to_string());
    let instance = match event.fact(Field::Instance) {
        Some(Fact::Text(instance)) => crate::alert::clean::clean(instance, 128),
        _ => String::new(),
    };
    [
        ("IC_EVENT", event.kind.name().to_owned()),
        ("IC_SECONDS_LEFT", left.unwrap_or_default()),
        ("IC_TIME_LIMIT", until.since(now.tick).as_secs().to_string()),
        ("IC_INSTANCE_ID", instance),
        ("IC_TEST", if event.test { "1" } else { "" }.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Values that no text shows, the longest first. Short ones would riddle every text.
pub fn secrets(plan: &RunPlan) -> Vec<String> {
    let mut secrets = Vec::new();
    for (_, value) in &plan.env {
        for line in value.reveal().lines().filter(|line| line.len() >= MIN_TOKEN) {
            secrets.push(line.to_owned());
        }
    }
    longest_first(secrets)
}

fn message(event: &Arc<Event>) -> Message {
    Message { id: event.id, form: Form::One, members: vec![event.clone()] }
}

/// Makes attempts until one succeeds, a person must mend something, or the time or the retries are used up.
fn call(
    start: &Start,
    hook: &WebhookPlan,
    retries: Option<u32>,
    until: Tick,
    leash: &Leash,
    around: &Surroundings,
) -> Ending {
    let (event, mut failures) = (&start.event, 0);
    let mut why = LATE.to_owned();
    loop {
        let left = leash.cut(until).since(tick());
        if left.is_zero() {
            return Ending::Failed(why);
        }
        let plan = as_channel(&start.plan, hook, left.min(ATTEMPT));
        let fetch = channel::fetch(&plan, around.resolver.clone());
        let tools = Tools { fetch: &fetch, zone: &around.zone, stop: &around.stop };
        let wish = match channel::attempt(&plan, &message(event), &tools, &mut ChannelState::default()) {
            Verdict::Delivered => return Ending::Called,
            Verdict::Broken(why) | Verdict::GiveUp(why) => return Ending::Failed(why),
            Verdict::Retry { why: next, after, .. } => {
                why = next;
                after
            }
        };
        if retries.is_some_and(|retries| failures >= retries) {
            return Ending::Failed(why);
        }
        let usual = Duration::from_secs(PAUSES[usize::try_from(failures).unwrap_or(usize::MAX).min(PAUSES.len() - 1)]);
        let mut pause = wish.unwrap_or(usual);
        if event.kind == Kind::Interrupt {
            pause = pause.min(PAUSE_OF_INTERRUPT);
        }
        failures = failures.saturating_add(1);
        if pause >= leash.cut(until).since(tick()) {
            return Ending::Failed(why);
        }
        if around.stop.wait(pause) {
            return Ending::Failed(STOPPED.to_owned());
        }
    }
}

/// A webhook channel that says what the callback says.
fn as_channel(plan: &CallbackPlan, hook: &WebhookPlan, timeout: Duration) -> ChannelPlan {
    let kind = ChannelKind::Webhook(hook.clone());
    ChannelPlan { min_severity: plan.min_severity, ..ChannelPlan::new(&plan.name, kind, plan.language, timeout) }
}
