//! What `status` shows: collected in one place, as JSON and as a table.

use std::time::Duration;

use crate::alert::message;
use crate::alert::retry::ChannelState;
use crate::alert::standing::{ChannelStatus, DeskStatus};
use crate::callback::rules;
use crate::clock::{Now, Tick, Wall, millis};
use crate::config::plan::{Language, Window};
use crate::event::Moment;
use crate::json::Writer;
use crate::keepalive::client::ClientStatus;
use crate::keepalive::host::{Host, Standing};
use crate::keepalive::ports::Listening;
use crate::keepalive::silences::{Ends, Silence, in_window};
use crate::order::order;
use crate::run::table::{Rows, line};
use crate::spot::SpotStatus;
use crate::spot::tracker::SpotState;
use crate::zone::Zone;

mod agents;
mod callback;
pub mod host;
mod jobs;
#[cfg(feature = "probes")]
mod probe;
mod queue;
#[cfg(feature = "probes")]
mod resource;
mod web;

pub use agents::WebAgent;
pub use jobs::Jobs;
pub use queue::Queue;

/// Everything at one moment.
pub struct Status<'a> {
    /// This host.
    pub name: &'a str,
    /// Where the state is kept.
    pub folder: &'a str,
    /// For times.
    pub zone: &'a Zone,
    /// The moment.
    pub now: Now,
    /// Since the start of the program.
    pub running: Duration,
    /// The heartbeat server's addresses, if it is one.
    pub server: Option<Vec<Listening>>,
    /// The HTTP listener's addresses.
    pub web: Vec<Listening>,
    /// Known hosts, in any order.
    pub hosts: Vec<(Box<str>, Host)>,
    /// What is silenced by command.
    pub silences: Vec<Silence>,
    /// When silences are not told.
    pub windows: Vec<Window>,
    /// Until when silences are held back, because the server doubts itself.
    pub held: Option<Tick>,
    /// The cloud.
    pub spot: Option<SpotStatus>,
    /// Heartbeat servers this host beats to.
    pub monitors: Vec<ClientStatus>,
    /// What is done about events.
    pub callbacks: Vec<rules::Standing>,
    /// The jobs that it gives out, if it does.
    pub jobs: Option<Jobs>,
    /// The queue that it asks for jobs, if it does.
    pub queue: Option<Queue>,
    /// The agents that ask over HTTP.
    pub agents: Vec<WebAgent>,
    /// What is looked at.
    #[cfg(feature = "probes")]
    pub probes: Vec<crate::probe::Standing>,
    /// What this machine and the hosts have of each resource that is watched.
    #[cfg(feature = "probes")]
    pub resources: Vec<crate::resource::Standing>,
    /// Alert channels and the outbox.
    pub desk: DeskStatus,
}

impl Status<'_> {
    /// Nothing is down, broken or standing.
    pub fn well(&self) -> bool {
        #[cfg(feature = "probes")]
        if self.is_failing() {
            return false;
        }
        self.hosts.iter().all(|(_, host)| host.standing != Standing::Offline)
            && self.server.iter().flatten().chain(&self.web).all(|port| port.error.is_none())
            && self.spot.as_ref().is_none_or(|spot| spot_words(&spot.state).1)
            && self.queue.as_ref().is_none_or(|queue| queue.problem.is_none())
            && self.agents.iter().all(|agent| agent.state != "offline")
            && self.monitors.iter().all(|monitor| monitor.failures == 0)
            && self.desk.channels.iter().all(|channel| channel_words(channel).1.is_none())
            && self.desk.unwritable.is_none()
    }

    /// Hosts in trouble first, then by name.
    fn hosts(&self) -> impl Iterator<Item = (&str, &Host)> {
        let key = |index: usize| (self.hosts[index].1.standing == Standing::Up, &self.hosts[index].0);
        let sorted = order(self.hosts.len(), &|a, b| key(a) < key(b));
        sorted.into_iter().map(|index| (&*self.hosts[index].0, &self.hosts[index].1))
    }

    fn time(&self, tick: Tick) -> Option<String> {
        Moment::at(tick, &self.now).wall(&self.now).map(|wall| self.zone.rfc3339(wall))
    }

    fn since(&self, tick: Tick) -> i64 {
        self.now.tick.0.saturating_sub(tick.0)
    }

    /// Whether it is silenced by command.
    pub fn is_silenced(&self, name: &str) -> bool {
        self.silences.iter().any(|silence| silence.covers(name, &self.now))
    }

    /// Whether it is in a window of maintenance.
    pub fn is_in_window(&self, name: &str) -> bool {
        in_window(&self.windows, name, self.zone, &self.now)
    }

    /// Where the server cannot listen, and why.
    pub fn server_problem(&self) -> Option<String> {
        web::problems(self.server.as_deref().unwrap_or_default())
    }

    /// Why nothing can be saved.
    pub fn state_problem(&self) -> Option<String> {
        let (why, _) = self.desk.unwritable.as_ref()?;
        Some(format!("{why}; {} alerts in memory only", self.desk.unsaved))
    }

    fn spot_detail(&self, state: &SpotState) -> String {
        let human = |wall: Option<Wall>| wall.map_or_else(|| "unknown time".to_owned(), |wall| self.zone.human(wall));
        match state {
            SpotState::Starting => "no good answer yet".to_owned(),
            SpotState::Quiet => String::new(),
            SpotState::Notice { until: Some(until), action, .. }
            | SpotState::Expected { until: Some(until), action, .. } => {
                let left = until.0.saturating_sub(self.now.wall.0);
                let left = match left {
                    _ if !self.now.wall.is_set() => String::new(),
                    0.. => [" (in ", &span_of(Duration::from_millis(left.unsigned_abs())), ")"].concat(),
                    _ => [" (", &ago(left.saturating_neg()), ")"].concat(),
                };
                [action.as_str(), if action.is_empty() { "at " } else { " at " }, &human(Some(*until)), &left].concat()
            }
            SpotState::Notice { lead, action, .. } | SpotState::Expected { lead, action, .. } => {
                let lead = lead.map(|lead| ["usually ", &span_of(lead), " after the notice"].concat());
                let comma = if lead.is_some() && !action.is_empty() { ", " } else { "" };
                [action.as_str(), comma, &lead.unwrap_or_default()].concat()
            }
            SpotState::Blind { since, why } => format!("since {}: {why}", human(since.wall(&self.now))),
        }
    }

    /// One object in one line. Times are RFC 3339, spans are seconds; what is not known is left out.
    pub fn json(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("well").flag(self.well()).key("name").text(self.name);
        out.key("version").text(env!("CARGO_PKG_VERSION"));
        seconds(&mut out, "running", millis(self.running));
        if let Some(ports) = &self.server {
            out.key("server").open('{').key("addresses").open('[');
            for port in ports {
                out.text(&address(port));
            }
            out.close(']');
            maybe(&mut out, "problem", self.server_problem().as_deref());
            out.close('}');
        }
        self.web_json(&mut out);
        out.key("hosts").open('[');
        for (name, host) in self.hosts() {
            self.host_json(&mut out, name, host);
        }
        out.close(']').key("silences").open('[');
        for silence in &self.silences {
            out.open('{').key("glob").text(&silence.glob);
            match silence.ends {
                Ends::Never => {}
                Ends::At(until) => maybe(&mut out, "until", self.time(until).as_deref()),
                Ends::Healthy => {
                    out.key("until_healthy").flag(true);
                }
            }
            out.close('}');
        }
        out.close(']');
        if let Some(held) = self.held {
            out.key("held").open('{').key("hosts").uint(self.untold());
            maybe(&mut out, "until", self.time(held).as_deref());
            out.close('}');
        }
        if let Some(spot) = &self.spot {
            out.key("spot").open('{').key("cloud").text(spot.cloud.name()).key("identity").text(&spot.identity);
            out.key("state")
                .text(spot_words(&spot.state).0)
                .key("detail")
                .text(&self.spot_detail(&spot.state))
                .close('}');
        }
        self.monitors_json(&mut out);
        out.key("channels").open('[');
        for channel in &self.desk.channels {
            let (state, problem) = channel_words(channel);
            out.open('{').key("name").text(&channel.name).key("queued").uint(channel.queued as u64);
            out.key("state").text(state);
            maybe(&mut out, "problem", problem);
            if let Some((count, until)) = channel.held {
                out.key("held").uint(count as u64);
                maybe(&mut out, "until", self.time(until).as_deref());
            }
            out.close('}');
        }
        out.close(']');
        self.callbacks_json(&mut out);
        #[cfg(feature = "probes")]
        {
            self.probes_json(&mut out);
            self.resources_json(&mut out);
        }
        #[cfg(not(feature = "probes"))]
        out.key("probes").open('[').close(']');
        self.jobs_json(&mut out);
        self.queue_json(&mut out);
        self.agents_json(&mut out);
        out.key("state").open('{').key("path").text(self.folder);
        maybe(&mut out, "problem", self.state_problem().as_deref());
        out.close('}').close('}');
        let mut text = out.into_string();
        text.push('\n');
        text
    }

    fn monitors_json(&self, out: &mut Writer) {
        out.key("monitors").open('[');
        for monitor in &self.monitors {
            out.open('{').key("uri").text(&monitor.label);
            maybe(out, "server", monitor.server.as_deref());
            if let Some(last) = monitor.last {
                seconds(out, "answered", self.since(last));
            }
            out.key("failures").uint(monitor.failures.into());
            maybe(out, "problem", monitor.error.as_deref());
            maybe(out, "farewell", monitor.farewell.as_deref());
            out.key("passed_over").open('[');
            for address in &monitor.passed_over {
                out.text(&address.to_string());
            }
            out.close(']').close('}');
        }
        out.close(']');
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let version = env!("CARGO_PKG_VERSION");
        line(&mut text, &[self.name, " (", version, "), running ", &span_of(self.running)]);
        if let Some(ports) = &self.server {
            let addresses: Vec<String> = ports.iter().map(address).collect();
            line(&mut text, &["listens on ", &addresses.join(", ")]);
            problem(&mut text, self.server_problem().as_deref());
        }
        self.web_line(&mut text);
        if let Some(spot) = &self.spot {
            let (state, name) = (spot_words(&spot.state).0, spot.cloud.name());
            let (who, detail) = (if spot.identity.is_empty() { "" } else { " " }, self.spot_detail(&spot.state));
            let comma = if detail.is_empty() { "" } else { ", " };
            line(&mut text, &[name, who, &spot.identity, ": ", state, comma, &detail]);
        }
        for monitor in &self.monitors {
            let server = monitor.server.as_deref().unwrap_or("not heard yet");
            let answered = match monitor.last {
                Some(last) => ["answered ", &ago(self.since(last))].concat(),
                None => "never answered".to_owned(),
            };
            match &monitor.farewell {
                Some(why) => line(&mut text, &["said goodbye to ", &monitor.label, " (", server, "): ", why]),
                None => line(&mut text, &["beats to ", &monitor.label, " (", server, "), ", &answered]),
            }
            problem(&mut text, monitor.error.as_deref());
            for address in &monitor.passed_over {
                line(&mut text, &["  passes over ", &address.to_string(), ", which did not answer"]);
            }
        }
        self.jobs_line(&mut text);
        self.queue_line(&mut text);
        line(&mut text, &["state in ", self.folder]);
        problem(&mut text, self.state_problem().as_deref());
        for silence in &self.silences {
            line(&mut text, &["silenced: ", &silence.glob, " ", &until(silence.ends, self.zone, &self.now)]);
        }
        if let Some(held) = self.held {
            let left = span_of(held.since(self.now.tick));
            let count = self.untold().to_string();
            let what = [&*count, if count == "1" { " silence" } else { " silences" }].concat();
            line(&mut text, &["held back: ", &what, ", for ", &left, " more: this server suspects its own network"]);
        }
        text.push('\n');
        let mut rows = Rows::new(&["CHANNEL", "STATE", "QUEUED", ""]);
        for channel in &self.desk.channels {
            let (state, problem) = channel_words(channel);
            let mut words = problem.unwrap_or_default().to_owned();
            if let Some((count, end)) = channel.held {
                let gap = if words.is_empty() { "" } else { "; " };
                let until = until(Ends::At(end), self.zone, &self.now);
                words.push_str(&[gap, "quiet hours hold back ", &count.to_string(), " ", &until].concat());
            }
            rows.row(&[&channel.name, state, &channel.queued.to_string(), &words]);
        }
        rows.columns(&mut text);
        self.callbacks_table(&mut text);
        #[cfg(feature = "probes")]
        {
            self.probes_table(&mut text);
            self.resources_table(&mut text);
        }
        self.agents_table(&mut text);
        if self.server.is_some() {
            text.push('\n');
            self.hosts_table(&mut text);
        }
        text
    }
}

/// The end of a silence in words.
pub fn until(ends: Ends, zone: &Zone, now: &Now) -> String {
    match ends {
        Ends::Never => "until unsilence".to_owned(),
        Ends::Healthy => "until it has been down and is back".to_owned(),
        // The two clocks are not read at one moment: to the nearest second.
        Ends::At(until) => match Moment::at(until, now).wall(now) {
            Some(wall) => ["until ", &zone.human(Wall(wall.0.saturating_add(500)))].concat(),
            None => ["for ", &span_of(until.since(now.tick))].concat(),
        },
    }
}

fn address(port: &Listening) -> String {
    port.bound.unwrap_or(port.wanted).to_string()
}

/// The name of a state of the cloud, and whether it is as it should be.
pub fn spot_words(state: &SpotState) -> (&'static str, bool) {
    match state {
        SpotState::Starting => ("starting", true),
        SpotState::Quiet => ("quiet", true),
        SpotState::Notice { .. } => ("notice", false),
        SpotState::Expected { kind, .. } => (kind.name(), true),
        SpotState::Blind { .. } => ("blind", false),
    }
}

/// The name of a channel's state, and what is wrong with it.
pub fn channel_words(channel: &ChannelStatus) -> (&'static str, Option<&str>) {
    match &channel.state {
        ChannelState::Well => ("ok", None),
        ChannelState::Retrying { why, .. } => ("retrying", Some(why)),
        ChannelState::Parked { why, .. } => ("parked", Some(why)),
    }
}

fn maybe(out: &mut Writer, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.key(key).text(text);
    }
}

/// Milliseconds as seconds with three decimals.
pub fn seconds(out: &mut Writer, key: &str, ms: i64) {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    out.key(key).raw(&format!("{sign}{}.{:03}", ms / 1000, ms % 1000));
}

/// A span to the nearest second: on a table one that is a moment too short must not read as the second before.
fn span_of(span: Duration) -> String {
    message::span(Language::En, span.saturating_add(Duration::from_millis(500)))
}

/// So many milliseconds ago.
fn ago(ms: i64) -> String {
    match Duration::from_millis(ms.max(0).unsigned_abs()) {
        span if span < Duration::from_secs(1) => "just now".to_owned(),
        span => [&*message::span(Language::En, span), " ago"].concat(),
    }
}

fn problem(text: &mut String, problem: Option<&str>) {
    if let Some(problem) = problem {
        line(text, &["  problem: ", problem]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_three_decimals() {
        let mut out = Writer::default();
        out.open('{');
        for (key, ms) in [("a", 0), ("b", 1500), ("c", -7), ("d", i64::MIN)] {
            seconds(&mut out, key, ms);
        }
        out.close('}');
        assert_eq!(out.into_string(), r#"{"a":0.000,"b":1.500,"c":-0.007,"d":-9223372036854775.808}"#);
    }
}
