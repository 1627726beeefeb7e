//! `test`: one marked message through every channel, without a daemon, in the words of any kind of alert.

use std::process::ExitCode;
use std::sync::Arc;

use crate::alert::channel::{self, ChannelState, http};
use crate::alert::{Form, Message, Verdict, route};
use crate::cli::args::Sample;
use crate::cli::attempt::{self, Outcome};
use crate::cli::causes::{Known, causes};
use crate::cli::samples::sample;
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE, fail, say};
use crate::clock::{self, Now};
use crate::config::plan::{ChannelKind, ChannelPlan, Plan};
use crate::config::problem::quoted;
use crate::config::url;
use crate::event::{Id, Kind};
use crate::run::identity::identity;
use crate::zone::Zone;

/// Where the HTTP client looks for a proxy, in this order.
const PROXIES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Sends through the channels in `names`, or through all of them, and prints what became of it.
pub fn run(plan: &Plan, names: &[String], kind: Sample) -> ExitCode {
    if let Some(name) = names.iter().find(|name| plan.channels.iter().all(|channel| channel.name != **name)) {
        return fail(EXIT_FAILURE, &["there is no channel ", &quoted(name), " in the configuration"]);
    }
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    let now = clock::now();
    let message = message(kind, &identity(&plan.name), &now);
    let chosen = |channel: &&ChannelPlan| names.is_empty() || names.contains(&channel.name);
    let channels: Vec<&ChannelPlan> = plan.channels.iter().filter(chosen).collect();
    // The place of the log is the daemon's; here it is the terminal.
    let sent: Vec<&ChannelPlan> = channels.iter().copied().filter(|plan| plan.kind != ChannelKind::Log).collect();
    // A service that keeps each incident by itself never gets a digest.
    let single = |plan: &&ChannelPlan| message.form == Form::Digest && channel::is_apart(plan);
    let (apart, others): (Vec<&ChannelPlan>, Vec<&ChannelPlan>) = sent.into_iter().partition(single);
    let mut outcomes = attempt::all(&others, &message, &zone);
    outcomes.extend(attempt::all(&apart, &first_of(&message), &zone));
    let mut all = true;
    for plan in channels {
        let outcome = outcomes.iter().position(|outcome| outcome.name == plan.name).map(|at| outcomes.remove(at));
        let delivered = outcome.unwrap_or(Outcome {
            name: plan.name.clone(),
            verdict: Verdict::Delivered,
            state: ChannelState::default(),
        });
        all &= delivered.verdict == Verdict::Delivered;
        say(&report(plan, &delivered, &message, &zone));
    }
    if all { ExitCode::SUCCESS } else { EXIT_FAILURE.into() }
}

/// The first member of a message, by itself.
fn first_of(message: &Message) -> Message {
    let members: Vec<_> = message.members.iter().take(1).cloned().collect();
    Message { id: members.first().map_or(message.id, |event| event.id), form: Form::One, members }
}

fn message(kind: Sample, host: &str, now: &Now) -> Message {
    let kind = match kind {
        Sample::Of(kind) => kind,
        Sample::Digest => {
            let members: Vec<_> = Kind::ALL.iter().map(|kind| Arc::new(sample(*kind, host, now))).collect();
            let id = Id::of(&[b"digest", &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
            return Message { id, form: Form::Digest, members };
        }
    };
    attempt::alone(sample(kind, host, now))
}

/// A line on what became of it, one on what the service said, and what is likely to be wrong.
fn report(plan: &ChannelPlan, outcome: &Outcome, message: &Message, zone: &Zone) -> String {
    let (_, line) = attempt::words(&outcome.verdict);
    let mut text = [&outcome.name, ": ", &line, "\n"].concat();
    let mut add = |words: &[&str]| {
        text.push_str("  ");
        text.push_str(&words.concat());
        text.push('\n');
    };
    if let Some((status, said)) = &outcome.state.answer {
        let colon = if said.is_empty() { "" } else { ": " };
        add(&["the service answered HTTP ", &status.to_string(), colon, said]);
    }
    let now = clock::now();
    let known = Known {
        why: match &outcome.verdict {
            Verdict::Delivered => "",
            Verdict::Retry { why, .. } | Verdict::Broken(why) | Verdict::GiveUp(why) => why,
        },
        ahead: outcome.state.ahead(&now),
        unset: !now.wall.is_set(),
        prefix: &plan.prefix,
        ..of_the_way(plan, message, &now, zone)
    };
    for cause in causes(&known) {
        add(&[&cause]);
    }
    let event = &message.members[0];
    if message.form == Form::One && event.kind != Kind::Test && !route::takes(plan, event) {
        add(&["in earnest it is not told here: min_severity, only, not or hosts say so"]);
    }
    text
}

/// What can be told of the way to a service.
fn of_the_way(plan: &ChannelPlan, message: &Message, now: &Now, zone: &Zone) -> Known<'static> {
    let mut known = Known::default();
    let Some(ready) = channel::prepare(plan, message, &ChannelState::default(), now, zone) else {
        return known;
    };
    known.plain = url::parse(&ready.url).is_ok_and(|url| !url.tls && !url.private);
    let shown = |url: &str| [http::host_of(if url.contains("://") { url } else { "" }), ""].concat();
    if let Some(proxy) = &plan.proxy {
        known.proxy = Some((shown(proxy.reveal()), ""));
    } else if let Some((name, url)) = PROXIES.iter().find_map(|name| Some((*name, std::env::var(name).ok()?))) {
        known.proxy = Some((shown(&url), name));
    }
    known
}
