//! `test`: one marked message through every channel, without a daemon.

use std::process::ExitCode;
use std::sync::Arc;

use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::{Form, Message, Verdict};
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE, fail, say};
use crate::clock;
use crate::config::plan::{ChannelKind, ChannelPlan, Plan};
use crate::config::problem::quoted;
use crate::event::{Event, Id, Kind, Moment};
use crate::resolve::Resolver;
use crate::run::identity::identity;
use crate::run::threads::Stop;
use crate::zone::Zone;

/// Sends through the channels in `names`, or through all of them, and prints a line each.
pub fn run(plan: &Plan, names: &[String]) -> ExitCode {
    if let Some(name) = names.iter().find(|name| plan.channels.iter().all(|channel| channel.name != **name)) {
        return fail(EXIT_FAILURE, &["there is no channel ", &quoted(name), " in the configuration"]);
    }
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    let now = clock::now();
    let incident = Id::of(&[b"test", &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
    let mut event = Event::new(Kind::Test, incident, identity(&plan.name), Moment::at(now.tick, &now));
    event.test = true;
    let message = Message { id: event.id, form: Form::One, members: vec![Arc::new(event)] };
    let resolver = Arc::new(Resolver::default());
    let mut all = true;
    for channel in plan.channels.iter().filter(|channel| names.is_empty() || names.contains(&channel.name)) {
        let verdict = match channel.kind {
            // Its place is the daemon's log; here it is the terminal.
            ChannelKind::Log => Verdict::Delivered,
            _ => attempt(channel, &message, &resolver, &zone),
        };
        let (text, why) = match verdict {
            Verdict::Delivered => (": delivered", String::new()),
            Verdict::Retry { why, .. } => (": not now: ", why),
            Verdict::Broken(why) => (": refused until somebody mends it: ", why),
            Verdict::GiveUp(why) => (": refused this message: ", why),
        };
        all &= text == ": delivered";
        say(&[&channel.name, text, &why, "\n"].concat());
    }
    if all { ExitCode::SUCCESS } else { EXIT_FAILURE.into() }
}

fn attempt(channel: &ChannelPlan, message: &Message, resolver: &Arc<Resolver>, zone: &Zone) -> Verdict {
    let fetch = channel::fetch(channel, resolver.clone());
    let tools = Tools { fetch: &fetch, zone, stop: &Stop::default() };
    channel::attempt(channel, message, &tools, &mut ChannelState::default())
}
