//! What the program runs on: complete and validated. The file's own shape stays in the neighbouring modules.

mod bot;
mod callback;
mod channel;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::event::Kind;
use crate::keepalive::uri::Uri;
use crate::secret::Secret;
use crate::spot::service::Service;
pub use bot::{BotPlan, BotService, BotStyle, Button, Mention};
pub use callback::{Act, CallbackPlan, Reported, RunPlan, User};
pub use channel::{
    ChannelKind, ChannelPlan, EmailPlan, Language, Method, Quiet, Security, ServicePlan, Template, WebhookPlan,
};

/// Everything the file, the environment and the defaults say together.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first half of this host's name; may be empty.
    pub name: String,
    /// `timezone`: `"+08:00"`, a POSIX TZ rule or a zone name; `None` for the system's.
    pub timezone: Option<String>,
    /// `log`: an env_logger filter.
    pub log: String,
    /// `language`: of the status page; channels have their own.
    pub language: Language,
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
    /// What may run here on demand of others.
    #[cfg(feature = "jobs")]
    pub agent: Option<crate::agent::AgentPlan>,
    /// What is given out or called, in the order of the file.
    #[cfg(feature = "jobs")]
    pub jobs: Vec<crate::jobs::JobPlan>,
    /// What is looked at, in the order of the file.
    #[cfg(feature = "probes")]
    pub probes: Vec<Arc<crate::probe::ProbePlan>>,
    /// What this machine, and as a server every host, may not run short of.
    #[cfg(feature = "probes")]
    pub resource: Option<crate::resource::ResourcePlan>,
    /// The HTTP listener.
    #[cfg(feature = "status")]
    pub http: Option<Arc<crate::http::HttpPlan>>,
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
        // A URL is called, and a queue is asked, without a heartbeat.
        #[cfg(feature = "jobs")]
        if !self.jobs.is_empty() || self.agent.as_ref().is_some_and(|agent| agent.queue.is_some()) {
            return None;
        }
        #[cfg(feature = "status")]
        if self.http.is_some() {
            return None;
        }
        #[cfg(feature = "probes")]
        if !self.probes.is_empty() || self.resource.is_some() {
            return None;
        }
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
