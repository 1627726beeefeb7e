//! One attempt through each of several channels, without a daemon, at the same time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::{Form, Message, Verdict};
use crate::clock;
use crate::config::plan::ChannelPlan;
use crate::event::Event;
use crate::resolve::Resolver;
use crate::run::threads::{HTTP_STACK, Stop, lock, spawn};
use crate::zone::Zone;

/// Beyond a channel's own deadline: a command that must be killed takes some seconds.
const GRACE: Duration = Duration::from_secs(10);
/// How often the end of the threads is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// What became of an attempt.
pub struct Outcome {
    /// The channel.
    pub name: String,
    /// What its service made of it.
    pub verdict: Verdict,
    /// What was heard from it.
    pub state: ChannelState,
}

/// A message of one event.
pub fn alone(event: Event) -> Message {
    Message { id: event.id, form: Form::One, members: vec![Arc::new(event)] }
}

/// Sends `message` through `channels`, each in a thread of its own, in the order in which they were given.
pub fn all(channels: &[&ChannelPlan], message: &Message, zone: &Zone) -> Vec<Outcome> {
    let resolver = Arc::new(Resolver::default());
    let mut outcomes = Vec::new();
    for plan in channels {
        let place = Arc::new(Mutex::new(None));
        let (inside, own, message) = (place.clone(), (*plan).clone(), message.clone());
        let (resolver, zone) = (resolver.clone(), zone.clone());
        let thread = spawn("attempt", HTTP_STACK, move || {
            let fetch = channel::fetch(&own, resolver);
            let mut state = ChannelState::default();
            let tools = Tools { fetch: &fetch, zone: &zone, stop: &Stop::default() };
            let verdict = channel::attempt(&own, &message, &tools, &mut state);
            *lock(&inside) = Some((verdict, state));
        });
        outcomes.push((plan, clock::tick() + plan.timeout + GRACE, place, thread));
    }
    let mut done = Vec::with_capacity(outcomes.len());
    for (plan, until, place, thread) in outcomes {
        let lost = match thread {
            Ok(thread) => {
                while !thread.is_finished() && clock::tick() < until {
                    std::thread::park_timeout(LOOK);
                }
                "no answer in time".to_owned()
            }
            Err(error) => ["no thread for it: ", &error.to_string()].concat(),
        };
        let nothing = Verdict::Retry { why: lost, after: None, channel: true, answered: false, sent: false };
        let (verdict, state) = lock(&place).take().unwrap_or((nothing, ChannelState::default()));
        done.push(Outcome { name: plan.name.clone(), verdict, state });
    }
    done
}

/// Whether it was delivered, and the verdict in words.
pub fn words(verdict: &Verdict) -> (bool, String) {
    let (text, why) = match verdict {
        Verdict::Delivered => return (true, "delivered".to_owned()),
        Verdict::Retry { why, .. } => ("not now: ", why),
        Verdict::Broken(why) => ("refused until somebody mends it: ", why),
        Verdict::GiveUp(why) => ("refused this message: ", why),
    };
    (false, [text, why].concat())
}
