//! Channels: what each kind sends, and what its answer means.

mod bot;
pub mod command;
pub mod compose;
mod dingtalk;
#[cfg(feature = "email")]
mod email;
mod feishu;
pub mod http;
mod log;
pub mod presets;
pub mod rule;
mod service;
mod telegram;
pub mod template;
mod webhook;
pub mod wecom;

use std::sync::Arc;
use std::time::Duration;

use crate::alert::clean::quoted;
use crate::alert::message::Text;
use crate::alert::{Message, Verdict};
use crate::clock::{self, Now, Tick, Wall};
use crate::config::plan::{ChannelKind, ChannelPlan};
use crate::fetch::{Answer, Fetch, FetchError, Limits, Request, Way};
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
    /// The id that a chat of Telegram has now, if it is another than that of the plan.
    chat: Option<String>,
    #[cfg(feature = "email")]
    email: email::Memory,
    /// Status of the last answer, and what it said, without secrets.
    pub answer: Option<(u16, String)>,
}

impl ChannelState {
    /// The service said that it is `date`.
    pub fn hear(&mut self, date: Wall, now: &Now) {
        self.server = Some((now.tick, date));
    }

    /// How far the own clock is ahead of that of the service, in milliseconds.
    pub fn ahead(&self, now: &Now) -> Option<i64> {
        let (tick, date) = self.server?;
        let passed = now.tick.0.saturating_sub(tick.0);
        Some(now.wall.0.saturating_sub(date.0.saturating_add(passed)))
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
        ChannelKind::Bot(_) => SERVICE_ANSWER,
        // Some repeat the message.
        ChannelKind::Service(_)
        | ChannelKind::Webhook(_)
        | ChannelKind::Email(_)
        | ChannelKind::Command { .. }
        | ChannelKind::Log => ANY_ANSWER,
    };
    let limits = Limits { connect: plan.timeout.min(CONNECT), total: plan.timeout, body, proxy: true };
    let way = Way { proxy: plan.proxy.as_ref(), ca: plan.ca_file.as_ref(), ..Way::default() };
    Fetch::by(way, limits, resolver)
}

/// Sends `message` once. Takes as long as the plan's timeout at most, and a few seconds more if a command must be
/// killed.
pub fn attempt(plan: &ChannelPlan, message: &Message, tools: &Tools<'_>, state: &mut ChannelState) -> Verdict {
    match &plan.kind {
        #[cfg(feature = "email")]
        ChannelKind::Email(email) => email::attempt(plan, email, message, tools, &mut state.email),
        #[cfg(not(feature = "email"))]
        ChannelKind::Email(_) => Verdict::GiveUp("this binary was built without e-mail".to_owned()),
        ChannelKind::Command { argv } => command::attempt(plan, argv, message, tools),
        ChannelKind::Log => log::attempt(plan, message, tools),
        ChannelKind::Bot(_) | ChannelKind::Service(_) | ChannelKind::Webhook(_) => {
            over_http(plan, message, tools, state)
        }
    }
}

/// The request that tells `message` through a channel that speaks HTTP; `None` for others, and for a message of several
/// events that the service wants one by one.
pub fn prepare(
    plan: &ChannelPlan,
    message: &Message,
    state: &ChannelState,
    now: &Now,
    zone: &Zone,
) -> Option<http::Ready> {
    match &plan.kind {
        ChannelKind::Bot(bot) => Some(bot::prepare(&bot::Told { plan, bot, message, now, zone }, state)),
        ChannelKind::Service(service) if service::is_apart(service, message) => None,
        ChannelKind::Service(service) => Some(service::prepare(plan, service, message, now, zone)),
        ChannelKind::Webhook(hook) => Some(webhook::prepare(plan, hook, message, now, zone)),
        ChannelKind::Email(_) | ChannelKind::Command { .. } | ChannelKind::Log => None,
    }
}

/// Whether the service of `plan` keeps each incident by itself and wants the events one by one.
pub fn is_apart(plan: &ChannelPlan) -> bool {
    matches!(&plan.kind, ChannelKind::Service(service) if service.preset.apart)
}

/// What `answer` to `ready` means.
pub fn judge(plan: &ChannelPlan, ready: &http::Ready, answer: &Answer, now: Wall) -> Verdict {
    match &plan.kind {
        ChannelKind::Bot(bot) => bot::verdict(bot, answer, now, ready),
        ChannelKind::Service(service) => service::verdict(service, answer, now, ready),
        ChannelKind::Webhook(hook) => webhook::verdict(hook, answer, now, ready),
        _ => http::refusal(answer, now, http::host_of(&ready.url), &ready.secrets).unwrap_or(Verdict::Delivered),
    }
}

fn over_http(plan: &ChannelPlan, message: &Message, tools: &Tools<'_>, state: &mut ChannelState) -> Verdict {
    let Some(ready) = prepare(plan, message, state, &clock::now(), tools.zone) else {
        // Given up, a message of several is tried again as one message each.
        return Verdict::GiveUp("this channel takes one event at a time".to_owned());
    };
    let headers: Vec<(&str, &str)> = ready.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let request = Request { method: ready.method, url: &ready.url, headers: &headers, body: ready.body.as_deref() };
    let host = http::host_of(&ready.url);
    match tools.fetch.send(&request) {
        // It may have been a success: it would be sent again and again, so a person must look.
        Err(FetchError::TooLarge) if matches!(plan.kind, ChannelKind::Webhook(_) | ChannelKind::Service(_)) => {
            Verdict::Broken([host, ": the answer is too large; is the address right?"].concat())
        }
        Err(error) => http::unanswered(error, host, tools.fetch.connected()),
        Ok(answer) => {
            let after = clock::now();
            if let Some(date) = http::date_of(&answer) {
                state.hear(date, &after);
            }
            if let ChannelKind::Bot(bot) = &plan.kind
                && let Some(chat) = bot::moved(bot, &answer)
            {
                state.chat = Some(chat.to_string());
            }
            let said = quoted(&String::from_utf8_lossy(&answer.body), http::MAX_QUOTE, &ready.secrets);
            state.answer = Some((answer.status, said));
            judge(plan, &ready, &answer, after.wall)
        }
    }
}

fn rendered(plan: &ChannelPlan, message: &Message, now: &Now, zone: &Zone) -> Text {
    compose::worded(plan, message, now, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;
    use crate::config::plan::{BotPlan, BotService, BotStyle, Language};
    use crate::event::{Event, Id, Kind, Moment};

    use crate::alert::Form;
    use crate::secret::Secret;

    /// A channel of `kind`.
    pub(super) fn plan(kind: ChannelKind) -> ChannelPlan {
        ChannelPlan::new("ops", kind, Language::En, Duration::from_secs(10))
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
        let kind = ChannelKind::Bot(BotPlan {
            name: "feishu",
            service: BotService::Feishu,
            url: Secret::new(url),
            secret: Secret::new("planted-secret"),
            style: BotStyle::Rich,
            at: Vec::new(),
            button: None,
            chat: String::new(),
            thread: None,
        });
        let Verdict::Retry { why, channel: true, answered: false, sent: false, .. } = attempted(kind) else { panic!() };
        assert!(why.starts_with("bot.invalid: ") && !why.contains("planted"), "{why}");
    }
}
