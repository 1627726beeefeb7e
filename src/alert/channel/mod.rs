//! Channels: what each kind sends, and what its answer means.

mod command;
mod feishu;
pub mod http;
mod log;
mod template;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use crate::alert::message::{Text, render};
use crate::alert::{Message, Verdict};
use crate::clock::{Now, Tick, Wall};
use crate::config::plan::{ChannelKind, ChannelPlan};
use crate::fetch::{Fetch, Limits};
use crate::resolve::Resolver;
use crate::run::threads::Stop;
use crate::zone::Zone;

/// For the connection, of an attempt's whole time.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer whose content decides; the services answer with some hundred.
const SERVICE_ANSWER: u64 = 16 * 1024;
/// Bytes of an answer of which only the status counts.
const ANY_ANSWER: u64 = 256 * 1024;
/// The own clock is trusted for signatures if it agrees so well with that of the service.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// What an attempt works with.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// The channel's own, made by [`fetch`].
    pub fetch: &'a Fetch,
    /// Local time.
    pub zone: &'a Zone,
    /// Ends what would last.
    pub stop: &'a Stop,
}

/// What a channel remembers from one attempt to the next.
#[derive(Clone, Default, Debug)]
pub struct ChannelState {
    /// The service's clock as it was last heard, and when. Kept against `CLOCK_BOOTTIME`, so that a step of the own
    /// wall clock does not spoil it.
    server: Option<(Tick, Wall)>,
}

impl ChannelState {
    /// The service said that it is `date`.
    pub fn hear(&mut self, date: Wall, now: &Now) {
        self.server = Some((now.tick, date));
    }

    /// The time of now as the service sees it: that of the own clock, unless it is more than a minute off.
    pub fn server_time(&self, now: &Now) -> Wall {
        let Some((tick, date)) = self.server else { return now.wall };
        let server = Wall(date.0.saturating_add(now.tick.0.saturating_sub(tick.0)));
        let off = Duration::from_millis(server.0.abs_diff(now.wall.0));
        if off > CLOCK_TOLERANCE { server } else { now.wall }
    }
}

/// The HTTP client of a channel.
pub fn fetch(plan: &ChannelPlan, resolver: Arc<Resolver>) -> Fetch {
    let body = match plan.kind {
        ChannelKind::Feishu { .. } => SERVICE_ANSWER,
        ChannelKind::Webhook(_) | ChannelKind::Command { .. } | ChannelKind::Log => ANY_ANSWER,
    };
    let limits = Limits { connect: plan.timeout.min(CONNECT), total: plan.timeout, body, proxy: true };
    Fetch::new(limits, resolver)
}

/// Sends `message` once. Takes as long as the plan's timeout at most, and a few seconds more if a command must be
/// killed.
pub fn attempt(plan: &ChannelPlan, message: &Message, tools: &Tools<'_>, state: &mut ChannelState) -> Verdict {
    match &plan.kind {
        ChannelKind::Feishu { webhook, secret } => feishu::attempt(plan, (webhook, secret), message, tools, state),
        ChannelKind::Webhook(hook) => webhook::attempt(plan, hook, message, tools),
        ChannelKind::Command { argv } => command::attempt(plan, argv, message, tools),
        ChannelKind::Log => log::attempt(plan, message, tools),
    }
}

fn rendered(plan: &ChannelPlan, message: &Message, now: &Now, zone: &Zone) -> Text {
    render(message, plan.language, &plan.prefix, now, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{self, Boot};
    use crate::config::plan::Language;
    use crate::event::{Event, Id, Kind, Moment, Severity};

    use crate::alert::Form;
    use crate::secret::Secret;

    /// A channel of `kind`.
    pub(super) fn plan(kind: ChannelKind) -> ChannelPlan {
        ChannelPlan {
            name: "ops".to_owned(),
            kind,
            language: Language::En,
            prefix: String::new(),
            min_severity: Severity::Info,
            only: Vec::new(),
            not: Vec::new(),
            hosts: Vec::new(),
            timeout: Duration::from_secs(10),
            per_minute: None,
        }
    }

    fn attempted(kind: ChannelKind) -> Verdict {
        let plan = plan(kind);
        let now = clock::now();
        let event = Arc::new(Event::new(Kind::Test, Id(1), "x@y", Moment::at(now.tick, &now)));
        let message = Message { id: event.id, form: Form::One, members: vec![event] };
        let fetch = fetch(&plan, Arc::new(Resolver::default()));
        let tools = Tools { fetch: &fetch, zone: &Zone::utc(), stop: &Stop::default() };
        attempt(&plan, &message, &tools, &mut ChannelState::default())
    }

    #[test]
    fn the_clock_of_the_service_counts_if_the_own_is_off() {
        let at = |tick, wall| Now { tick: Tick(tick), wall: Wall(wall), boot: Boot(1) };
        let mut state = ChannelState::default();
        assert_eq!(state.server_time(&at(0, 5000)), Wall(5000));
        state.hear(Wall(1_000_000), &at(10_000, 5000));
        assert_eq!(state.server_time(&at(12_000, 7000)), Wall(1_002_000));
        assert_eq!(state.server_time(&at(12_000, 1_003_000)), Wall(1_003_000), "the own clock was set meanwhile");
        assert_eq!(state.server_time(&at(12_000, 1_062_001)), Wall(1_002_000));
    }

    #[test]
    fn the_log_takes_everything() {
        assert_eq!(attempted(ChannelKind::Log), Verdict::Delivered);
    }

    #[test]
    fn a_command_reads_the_event_and_its_variables() {
        let script = r#"read -r json; case "$json" in *'"kind":"test"'*"$IC_SUBJECT"*) ;; *) exit 3;; esac
            [ "$IC_TITLE" = "[TEST] test message from x@y" ] || exit 4; [ "$#" = 0 ] || exit 5"#;
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        assert_eq!(attempted(ChannelKind::Command { argv }), Verdict::Delivered);
        let argv = vec!["/nonexistent/program".to_owned()];
        assert!(matches!(attempted(ChannelKind::Command { argv }), Verdict::Broken(_)));
    }

    #[test]
    fn no_reason_shows_an_address() {
        let url = "http://bot.invalid/hook/planted-token";
        let kind = ChannelKind::Feishu { webhook: Secret::new(url), secret: Secret::new("planted-secret") };
        let Verdict::Retry { why, channel: true, answered: false, sent: false, .. } = attempted(kind) else { panic!() };
        assert!(why.starts_with("bot.invalid: ") && !why.contains("planted"), "{why}");
    }
}
