//! `send`: tells people something, through the daemon if it runs, else directly.

use std::io::stdin;
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::alert::message::said::MAX_BODY;
use crate::alert::route;
use crate::cli::args::SendArgs;
use crate::cli::attempt::{self, Outcome};
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE, EXIT_QUEUED, fail, problems, remote};
use crate::clock::{self, Tick};
use crate::config::plan::ChannelKind;
use crate::config::{self, Env, Source};
use crate::control::{self, AskError, ENDING, UNDECIDED, UNSAVED};
use crate::event::Id;
use crate::run::identity::identity;
use crate::run::send::Said;
use crate::run::threads::Stop;
use crate::zone::Zone;

/// From one question to the daemon to the next.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long a daemon that ends, or breaks off, is asked to take it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for the end of standard input; what has come by then is sent.
const INPUT: Duration = Duration::from_secs(3600);

/// Sends it. Exits with 0 if all channels took it, 75 if the daemon keeps it to be told, 1 if it was refused.
pub fn run(source: &Source, env: &Env, send: &SendArgs) -> ExitCode {
    let body = if send.body == "-" { input(clock::tick() + INPUT) } else { send.body.clone() };
    let mut id = [0; 8];
    if let Err(error) = getrandom::fill(&mut id) {
        return fail(EXIT_FAILURE, &["no random bytes: ", &error.to_string()]);
    }
    let said = Said {
        id: Id(u64::from_be_bytes(id)),
        severity: send.severity,
        channels: send.channels.clone(),
        title: send.title.clone(),
        body,
    };
    let socket = match remote::socket(source, env) {
        Ok(socket) => socket,
        Err(found) => return problems(&found),
    };
    let started = clock::tick();
    let until = started + send.wait;
    let mut request = ["send ", &said.write()].concat();
    // What the daemon last said of it, once it has it on its disk; or once it has it.
    let (mut taken, mut held): (Option<String>, Option<String>) = (None, None);
    loop {
        match (control::ask(&socket, &request), &taken) {
            (Ok((UNDECIDED, text)), _) => taken = Some(text),
            (Ok((UNSAVED, text)), _) => held = Some(text),
            // It ends, and may begin again; asked twice, it tells it once.
            (Ok((ENDING, _)) | Err(AskError::Broken(_)), None) if clock::tick() < started + PATIENCE => {}
            (Ok((code, text)), _) if code != ENDING => return remote::tell(code, &text),
            (Err(AskError::NoDaemon(_)), None) => return directly(source, env, &said),
            // It was stopped, or is being started again: what it has taken is on its disk.
            (Ok(_) | Err(AskError::NoDaemon(_) | AskError::Broken(_)), Some(_)) => {}
            (Ok(_), None) => return fail(EXIT_FAILURE, &["the daemon is ending, or too busy; try again"]),
            (Err(error), _) => return remote::refuse(&socket, &error, EXIT_FAILURE, ""),
        }
        if let Some(text) = taken.as_ref().or(held.as_ref()).filter(|_| clock::tick() >= until) {
            return remote::tell(EXIT_QUEUED, text);
        }
        if taken.is_some() {
            request = ["sent ", &said.id.to_string()].concat();
        }
        Stop::default().wait(ASK_EVERY);
    }
}

/// Standard input up to its end, its first bytes as text. All of it is read, so that who writes it is not killed.
fn input(until: Tick) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    let input = stdin();
    loop {
        let left = until.since(clock::tick());
        let wait = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: 0 };
        let mut fds = [PollFd::new(&input, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(0) => break,
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) | Err(_) => {}
        }
        match rustix::io::read(&input, &mut chunk) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) | Err(_) => break,
            // One byte more than fits shows that something was cut.
            Ok(read) => kept.extend_from_slice(&chunk[..read.min((MAX_BODY + 1).saturating_sub(kept.len()))]),
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Without a daemon: one attempt through each channel. Nothing is kept, so quiet hours are not heeded.
fn directly(source: &Source, env: &Env, said: &Said) -> ExitCode {
    let plan = match config::load(source, env) {
        Ok(plan) => plan,
        Err(found) => return problems(&found),
    };
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    let event = said.event(&identity(&plan.name), &clock::now());
    // The log is the daemon's.
    let takes = |channel: &config::plan::ChannelPlan| channel.kind != ChannelKind::Log && route::takes(channel, &event);
    let known: Vec<(&str, bool)> = plan.channels.iter().map(|channel| (&*channel.name, takes(channel))).collect();
    if let Some(why) = said.refusal(&known) {
        return fail(EXIT_FAILURE, &["no daemon runs, and ", &why]);
    }
    let channels: Vec<_> = plan.channels.iter().filter(|channel| takes(channel)).collect();
    let mut code = 0;
    let mut text = String::new();
    for Outcome { name, verdict, .. } in attempt::all(&channels, &attempt::alone(event), &zone) {
        let (delivered, line) = attempt::words(&verdict);
        if !delivered {
            code = EXIT_FAILURE;
        }
        text.push_str(&[&name, ": ", &line, "\n"].concat());
    }
    remote::tell(code, &text)
}
