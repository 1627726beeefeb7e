//! What the program runs on: complete and validated. The file's own shape stays in the neighbouring modules.

mod bot;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::channel::presets::Preset;
use crate::event::{Kind, Severity};
use crate::fetch::roots::CaFile;
use crate::keepalive::uri::Uri;
use crate::secret::Secret;
use crate::spot::service::Service;
pub use bot::{BotPlan, BotService, BotStyle, Button, Mention};

/// Everything the file, the environment and the defaults say together.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first half of this host's name; may be empty.
    pub name: String,
    /// `timezone`: `"+08:00"`, a POSIX TZ rule or a zone name; `None` for the system's.
    pub timezone: Option<String>,
    /// `log`: an env_logger filter.
    pub log: String,
    /// The cloud to poll; `None` for `LocalHost`.
    pub spot: Option<SpotPlan>,
    /// The heartbeat server, if any.
    pub server: Option<ServerPlan>,
    /// Heartbeat servers to beat to; one entry per URI.
    pub clients: Vec<ClientPlan>,
    /// Whom to tell that the watchdog turns.
    pub upstream: Option<UpstreamPlan>,
    /// Alert channels, in the order of their names. Never empty: `log` when none is configured.
    pub channels: Vec<ChannelPlan>,
    /// What is done about events, in the order of the file.
    pub callbacks: Vec<Arc<CallbackPlan>>,
    /// Where the outbox, the roster and the notices are kept.
    pub state_dir: PathBuf,
    /// Where the control socket and the last-beat times are kept: the folder of `control`.
    pub runtime_dir: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// What is allowed but unwise, one line each.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether any channel of this host's own reaches people (all but `log`).
    pub fn tells(&self) -> bool {
        self.channels.iter().any(|channel| channel.kind != ChannelKind::Log)
    }

    /// If there is nothing to do: what to say, and what to add.
    pub fn idle(&self) -> Option<&'static str> {
        (self.spot.is_none() && self.server.is_none() && self.clients.is_empty()).then_some(
            "nothing to do: set provider = \"AliCloud\" or another cloud to hear the cloud's notices, \
             add [keepalive.server] to watch other hosts, or [keepalive.client] with a uri to be watched",
        )
    }
}

/// A cloud whose notices can be heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cloud {
    /// Alibaba Cloud ECS.
    AliCloud,
    /// Tencent Cloud CVM.
    TencentCloud,
    /// Amazon EC2.
    Aws,
    /// Google Compute Engine.
    GoogleCloud,
    /// Microsoft Azure.
    Azure,
    /// Huawei Cloud ECS.
    HuaweiCloud,
    /// Volcengine, and BytePlus.
    Volcengine,
}

impl Cloud {
    /// All clouds.
    pub const ALL: [Cloud; 7] = [
        Cloud::AliCloud,
        Cloud::TencentCloud,
        Cloud::Aws,
        Cloud::GoogleCloud,
        Cloud::Azure,
        Cloud::HuaweiCloud,
        Cloud::Volcengine,
    ];
    /// Their names, in the same order.
    pub const NAMES: [&str; 7] =
        ["AliCloud", "TencentCloud", "AWS", "GoogleCloud", "Azure", "HuaweiCloud", "Volcengine"];

    /// Its name in `provider = "…"`.
    pub fn name(self) -> &'static str {
        Cloud::NAMES[self as usize]
    }
}

/// `provider`, `interval` and `[spot]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpotPlan {
    /// Which cloud.
    pub cloud: Cloud,
    /// From one poll to the next.
    pub interval: Duration,
    /// Base URL in place of the cloud's own, without a trailing slash.
    pub endpoint: Option<String>,
    /// Whether recommendations to move away are told.
    pub rebalance: bool,
    /// Whether maintenance is told.
    pub maintenance: bool,
    /// Whether the cloud is told that it may go ahead with maintenance once that was told.
    pub acknowledge: bool,
    /// When a notice is told again: times before its deadline.
    pub countdown: Vec<Duration>,
}

impl SpotPlan {
    /// The plan for `cloud` with every default.
    pub fn new(cloud: Cloud) -> SpotPlan {
        SpotPlan {
            cloud,
            interval: Service::of(cloud).interval,
            endpoint: None,
            rebalance: true,
            maintenance: true,
            acknowledge: false,
            countdown: Vec::new(),
        }
    }

    /// Whether notices of `kind` are told.
    pub fn wants(&self, kind: Kind) -> bool {
        match kind {
            Kind::Rebalance => self.rebalance,
            Kind::Maintenance => self.maintenance,
            _ => true,
        }
    }
}

/// What is done with the original program's one-line protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Auth {
    /// It is refused.
    Enforce,
    /// It is accepted.
    Permissive,
}

/// `[keepalive.server]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerPlan {
    /// Addresses to listen on. `[::]` stands for both families.
    pub listen: Vec<SocketAddr>,
    /// Key of the user `default`.
    pub key: Secret,
    /// A key of that user that is still accepted while hosts change over.
    pub old_key: Option<Secret>,
    /// Beats that may be missed.
    pub num: u32,
    /// Added to `num` periods before a host counts as silent.
    pub grace: Duration,
    /// `keepalive.period`: the period of hosts that do not announce one (protocol 1).
    pub period: Duration,
    /// Whether protocol 1 is accepted.
    pub auth: Auth,
    /// Whether a goodbye is told.
    pub tell_stopped: bool,
    /// After how long a silent host is taken off the roster.
    pub forget: Duration,
    /// Users with keys of their own.
    pub users: Vec<UserPlan>,
    /// The longest time for which a silence of many hosts at once is held back; zero for never.
    pub hold: Duration,
    /// From an outage to its first reminder; every further one comes after twice the time, at most a day.
    pub remind: Option<Duration>,
    /// Hosts that are told if they are never heard of.
    pub expect: Vec<String>,
    /// When silences are not told.
    pub windows: Vec<Window>,
}

/// One `[[window]]`: a span of local time on some days of the week.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    /// Globs, one of which the host must match; all hosts if there are none.
    pub hosts: Vec<String>,
    /// The days on which it begins: bit 0 is Monday.
    pub days: u8,
    /// Minutes from midnight to its beginning …
    pub from: u16,
    /// … and to its end, on the next day if that is not later.
    pub to: u16,
}

/// `[keepalive.upstream]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamPlan {
    /// Asked with GET.
    pub url: Secret,
    /// From one request to the next.
    pub period: Duration,
}

/// `[keepalive.server.users.NAME]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserPlan {
    /// As in `ic://NAME:key@host`.
    pub name: String,
    /// Its key.
    pub key: Secret,
    /// A key that is still accepted while hosts change over.
    pub old_key: Option<Secret>,
    /// The only host name this user may beat for.
    pub host: Option<String>,
}

/// One URI of `[keepalive.client]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientPlan {
    /// Where to beat to.
    pub uri: Uri,
    /// From one beat to the next.
    pub period: Duration,
    /// 2, or 1 for the original program.
    pub protocol: u8,
    /// The only name that the server may give itself.
    pub server_name: Option<String>,
    /// How long a stop is meant to last.
    pub back_in: Duration,
}

/// The language of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// One `[alert.NAME]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelPlan {
    /// NAME.
    pub name: String,
    /// What it is, with what only that kind has.
    pub kind: ChannelKind,
    /// The language it speaks.
    pub language: Language,
    /// First words of every message, alarm and recovery alike: keyword bots look for them.
    pub prefix: String,
    /// The least severity it takes.
    pub min_severity: Severity,
    /// If not empty, the only kinds it takes.
    pub only: Vec<Kind>,
    /// Kinds it does not take.
    pub not: Vec<Kind>,
    /// If not empty, globs (`*`, `?`) one of which the subject must match.
    pub hosts: Vec<String>,
    /// One attempt's deadline.
    pub timeout: Duration,
    /// Messages a minute; `None` without limit.
    pub per_minute: Option<u32>,
    /// Template of the title, in place of the usual one.
    pub title: Option<String>,
    /// Template of the body, in place of the usual one.
    pub body: Option<String>,
    /// When it holds back what is not critical.
    pub quiet: Option<Quiet>,
    /// The proxy it goes through, in place of the environment's, `""` for none; it may hold a password.
    pub proxy: Option<Secret>,
    /// The authorities it trusts, in place of the usual ones.
    pub ca_file: Option<CaFile>,
}

impl ChannelPlan {
    /// A channel with every default.
    pub fn new(name: &str, kind: ChannelKind, language: Language, timeout: Duration) -> ChannelPlan {
        ChannelPlan {
            name: name.to_owned(),
            kind,
            language,
            prefix: String::new(),
            min_severity: Severity::Info,
            only: Vec::new(),
            not: Vec::new(),
            hosts: Vec::new(),
            timeout,
            per_minute: None,
            title: None,
            body: None,
            quiet: None,
            proxy: None,
            ca_file: None,
        }
    }
}

/// Quiet hours of a channel: what is not critical waits for their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// Minutes from midnight, local time, to their beginning …
    pub from: u16,
    /// … and to their end, on the next day if that is not later.
    pub to: u16,
}

/// What a channel is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChannelKind {
    /// A bot of a chat service.
    Bot(BotPlan),
    /// One of [`crate::alert::channel::presets`].
    Service(ServicePlan),
    /// E-mail.
    Email(EmailPlan),
    /// Any HTTP endpoint.
    Webhook(WebhookPlan),
    /// A program that gets the event as JSON on its standard input.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// The log.
    Log,
}

impl ChannelKind {
    /// Its name in `kind = "…"`.
    pub fn name(&self) -> &'static str {
        match self {
            ChannelKind::Bot(bot) => bot.name,
            ChannelKind::Service(service) => service.preset.name,
            ChannelKind::Email(_) => "email",
            ChannelKind::Webhook(_) => "webhook",
            ChannelKind::Command { .. } => "command",
            ChannelKind::Log => "log",
        }
    }
}

/// A channel that is data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePlan {
    /// Its row.
    pub preset: &'static Preset,
    /// Values of the row's own keys, in their order.
    pub values: Vec<Option<Secret>>,
}

/// `kind = "email"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmailPlan {
    /// Name or address of the SMTP server, without brackets.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The sender's name; may be empty.
    pub from_name: String,
    /// The sender's address. Addresses are ASCII and hold nothing that means something to SMTP or in a header.
    pub from: String,
    /// Addresses it goes to; at least one.
    pub to: Vec<String>,
    /// What this machine calls itself to the server; `None` for its host name, if that has a domain.
    pub hello: Option<String>,
}

/// How an SMTP connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// From the first byte.
    Tls,
    /// After `STARTTLS`, which the server must offer.
    StartTls,
    /// Not at all.
    None,
}

/// `kind = "webhook"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookPlan {
    /// Where to; fields in braces are percent-encoded into it.
    pub url: Secret,
    /// `POST`, `PUT` or `GET`.
    pub method: Method,
    /// Header names and values; values may hold fields in braces.
    pub headers: Vec<(String, Secret)>,
    /// What to send; `None` for the event as JSON.
    pub body: Option<Template>,
    /// What its answers mean, besides what their status says: cases of a [`crate::alert::channel::rule::Rule`].
    pub answers: String,
    /// Where an answer says for how long it wants to be left alone; may be empty.
    pub wait: String,
}

/// An HTTP method that a webhook may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`, without a body.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// A body with fields in braces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Template {
    /// Fields are replaced inside the string leaves, so that nothing needs escaping.
    Json(serde_json::Value),
    /// Fields are replaced in plain text.
    Text(String),
}

/// One `[[callback]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallbackPlan {
    /// Its name; no two share one.
    pub name: String,
    /// The kinds of events that start it; at least one.
    pub on: Vec<Kind>,
    /// If not empty, globs one of which the subject must match.
    pub hosts: Vec<String>,
    /// The least severity that starts it.
    pub min_severity: Severity,
    /// What it does.
    pub act: Act,
    /// The language of the words that it is given.
    pub language: Language,
    /// How long it may take; `None` for the usual time, or what an `interrupt` leaves.
    pub timeout: Option<Duration>,
    /// When its end is told.
    pub report: Reported,
    /// From the end of one run to the beginning of the next; zero for none.
    pub cooldown: Duration,
    /// The callback whose run on the same event must be over first.
    pub after: Option<String>,
    /// Whether an exercise (`simulate`) starts it.
    pub simulate: bool,
}

/// What a callback does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Runs a program.
    Run(RunPlan),
    /// Calls an address.
    Call {
        /// The request.
        hook: WebhookPlan,
        /// Attempts after the first; `None` for as many as the time allows.
        retries: Option<u32>,
    },
}

/// `run` or `shell` of a callback, with what the program is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunPlan {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where it runs.
    pub dir: PathBuf,
    /// As whom; `None` for the daemon's own user.
    pub user: Option<User>,
    /// Variables of the file. Their values are not shown.
    pub env: Vec<(String, Secret)>,
    /// Variables that are handed on from the daemon's own environment.
    pub pass: Vec<(String, Secret)>,
    /// Whether it goes on when the daemon ends.
    pub outlives: bool,
}

/// A user of this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Login name; the number if there is none.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory; empty if unknown.
    pub home: String,
}

/// When the end of a callback is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// Each time.
    Always,
    /// When it failed.
    Failure,
    /// It stands in the log alone.
    Never,
}
