//! Which figures there are.

use std::sync::Mutex;

use super::Figures;
use crate::alert::retry::ChannelState;
use crate::clock::{Tick, millis};
use crate::event::Moment;
use crate::json::decimal;
use crate::keepalive::host::{Cause, Host, Standing};
use crate::order::order;
use crate::probe;
use crate::readings::Readings;
use crate::resource;
use crate::run::status::Status;
use crate::run::threads::lock;
use crate::spot::tracker::SpotState;

/// Hosts with figures of their own, those that are not up first.
const MAX_HOSTS: usize = 2000;

/// The clock was set if it moved by so many milliseconds.
const CLOCK_SET: u64 = 5000;

/// All of them.
pub fn text(status: &Status<'_>, memory: Option<u64>) -> String {
    let mut out = Figures::default();
    out.family("ic_build_info", "The version of this daemon.").sample(&[("version", env!("CARGO_PKG_VERSION"))], "1");
    out.family("ic_well", "Whether nothing is down, broken or announced: what the command status ends with.");
    out.flag(&[], status.well());
    if status.now.wall.is_set() {
        static STARTED: Mutex<Option<i64>> = Mutex::new(None);
        out.family("process_start_time_seconds", "When this daemon started, in seconds since 1970.");
        let started = status.now.wall.0.saturating_sub(millis(status.running));
        out.seconds(&[], steady(&mut lock(&STARTED), started));
    }
    if let Some(memory) = memory {
        out.family("process_resident_memory_bytes", "Memory that this daemon has.").sample(&[], &memory.to_string());
    }
    if status.server.is_some() {
        hosts(&mut out, status);
    }
    out.family("ic_silences", "Silences by command that are in force.").count(&[], status.silences.len());
    monitors(&mut out, status);
    spot(&mut out, status);
    channels(&mut out, status);
    callbacks(&mut out, status);
    probes(&mut out, status);
    agents(&mut out, status);
    if let Some(jobs) = &status.jobs {
        out.family("ic_jobs", "Runs of jobs; of those that failed, those of the last day.");
        for (state, count) in [("running", jobs.running), ("waiting", jobs.waiting), ("failed", jobs.failed)] {
            out.count(&[("state", state)], count);
        }
    }
    out.into_text()
}

/// The same as before, unless the clock was set: a change means a restart to those who read it, and two clocks never agree
/// to the millisecond.
pub fn steady(known: &mut Option<i64>, ms: i64) -> i64 {
    match *known {
        Some(before) if before.abs_diff(ms) < CLOCK_SET => before,
        _ => *known.insert(ms),
    }
}

fn agents(out: &mut Figures, status: &Status<'_>) {
    out.family("ic_agent_up", "Whether the agent asks for jobs over HTTP; none before it first did.");
    for agent in status.agents.iter().filter(|agent| agent.state != "unseen") {
        out.flag(&[("agent", &agent.name)], agent.state == "online");
    }
    out.family("ic_agent_jobs", "Jobs of the agent by state.");
    for agent in &status.agents {
        for (state, count) in [("running", agent.running), ("queued", agent.queued), ("delayed", agent.delayed)] {
            out.count(&[("agent", &agent.name), ("state", state)], count);
        }
    }
}

/// A figure of a host, if it is known.
type Of = fn(&Readings) -> Option<String>;

const READINGS: [(&str, &str, Of); 4] = [
    ("ic_host_load1", "Load average of the last minute.", |all| Some(decimal(all.load?.into(), 2))),
    ("ic_host_memory_used_ratio", "Part of its memory in use.", |all| Some(decimal(all.memory?.into(), 2))),
    ("ic_host_disk_used_ratio", "Part of its fullest disk in use.", |all| Some(decimal(all.disk?.into(), 2))),
    ("ic_host_temperature_celsius", "Its highest temperature.", |all| Some(decimal(all.temperature?.into(), 1))),
];

fn hosts(out: &mut Figures, status: &Status<'_>) {
    out.family("ic_hosts", "Hosts by state.");
    for state in [Standing::Up, Standing::Offline, Standing::Stopped, Standing::Reclaimed] {
        let count = status.hosts.iter().filter(|(_, host)| host.standing == state).count();
        out.count(&[("state", state.name())], count);
    }
    let is_up = |host: &Host| host.standing == Standing::Up;
    let mut listed: Vec<(&str, &Host)> = Vec::new();
    for up in [false, true] {
        let room = MAX_HOSTS - listed.len();
        let these = status.hosts.iter().filter(|(_, host)| is_up(host) == up).take(room);
        listed.extend(these.map(|(name, host)| (&**name, host)));
    }
    out.family("ic_hosts_left_out", "Hosts without figures of their own here, because they are too many.");
    out.count(&[], status.hosts.len() - listed.len());
    out.family("ic_host_up", "Whether the host beats.");
    for (name, host) in &listed {
        out.flag(&[("host", name)], is_up(host));
    }
    out.family("ic_host_last_beat_age_seconds", "Time since its last beat.");
    for (name, host) in &listed {
        // One that is only expected never beat.
        if host.cause != Cause::Expected || is_up(host) {
            out.seconds(&[("host", name)], age(status, host.last));
        }
    }
    for (family, help, of) in READINGS {
        out.family(family, help);
        for (name, host) in &listed {
            // What a host that is silent last said is not how it is.
            if let Some(value) = host.readings.as_deref().filter(|_| is_up(host)).and_then(of) {
                out.sample(&[("host", name)], &value);
            }
        }
    }
}

fn monitors(out: &mut Figures, status: &Status<'_>) {
    out.family("ic_monitor_failures", "Beats to this server that failed in a row.");
    for monitor in &status.monitors {
        out.count(&[("monitor", &monitor.label)], monitor.failures as usize);
    }
    out.family("ic_monitor_last_answer_age_seconds", "Time since this server last answered.");
    for monitor in &status.monitors {
        if let Some(last) = monitor.last {
            out.seconds(&[("monitor", &monitor.label)], age(status, last));
        }
    }
}

fn spot(out: &mut Figures, status: &Status<'_>) {
    let Some(spot) = &status.spot else { return };
    let labels = [("cloud", spot.cloud.name())];
    let notice = matches!(spot.state, SpotState::Notice { .. });
    out.family("ic_spot_notice", "Whether the cloud has announced that it takes this instance.").flag(&labels, notice);
    let blind = matches!(spot.state, SpotState::Blind { .. });
    out.family("ic_spot_blind", "Whether the cloud's metadata service cannot be seen.").flag(&labels, blind);
    if let SpotState::Notice { until: Some(until), .. } = spot.state {
        out.family("ic_spot_deadline_timestamp_seconds", "When the cloud takes this instance, in seconds since 1970.");
        out.seconds(&labels, until.0);
    }
}

fn channels(out: &mut Figures, status: &Status<'_>) {
    let channels = &status.desk.channels;
    out.family("ic_channel_up", "Whether the channel is well: neither failing nor waiting for a person.");
    for channel in channels {
        out.flag(&[("channel", &channel.name)], channel.state == ChannelState::Well);
    }
    out.family("ic_channel_queued_events", "Events that the channel is still to be told of.");
    for channel in channels {
        out.count(&[("channel", &channel.name)], channel.queued);
    }
    out.family("ic_channel_lost_events_total", "Events that the channel was not told of: given up or dropped.");
    for channel in channels {
        out.count(&[("channel", &channel.name)], channel.lost as usize);
    }
    out.family("ic_channel_last_delivery_age_seconds", "Time since the channel last took a message.");
    for channel in channels {
        if let Some(tick) = channel.last_delivered.and_then(|moment: Moment| moment.tick(&status.now)) {
            out.seconds(&[("channel", &channel.name)], age(status, tick));
        }
    }
    out.family("ic_outbox_events", "Events that some channel is still to be told of.").count(&[], status.desk.events);
    out.family("ic_outbox_unsaved_events", "Those of them that are in memory only.").count(&[], status.desk.unsaved);
    out.family("ic_state_writable", "Whether the state directory can be written to.");
    out.flag(&[], status.desk.unwritable.is_none());
}

fn callbacks(out: &mut Figures, status: &Status<'_>) {
    out.family("ic_callback_running", "Whether the callback runs.");
    for callback in &status.callbacks {
        out.flag(&[("callback", &callback.name)], callback.running.is_some());
    }
    out.family("ic_callback_waiting_events", "Events that wait for the callback.");
    for callback in &status.callbacks {
        out.count(&[("callback", &callback.name)], callback.waiting);
    }
}

fn probes(out: &mut Figures, status: &Status<'_>) {
    out.family("ic_probe_up", "The judgement on the probe; none as long as nothing is known.");
    for probe in &status.probes {
        if probe.state != probe::State::Unknown {
            out.flag(&[("probe", &probe.name), ("kind", probe.kind)], probe.state == probe::State::Up);
        }
    }
    out.family("ic_probe_duration_seconds", "How long its last look took.");
    for probe in &status.probes {
        if let Some(took) = probe.took {
            out.seconds(&[("probe", &probe.name)], millis(took));
        }
    }
    out.family("ic_probe_last_result_age_seconds", "Time since its last result.");
    for probe in &status.probes {
        if let Some(last) = probe.last {
            out.seconds(&[("probe", &probe.name)], age(status, last));
        }
    }
    out.family("ic_resource_high", "Whether the resource is beyond its limit; none as long as nothing is known.");
    let all = &status.resources;
    // A host may beat under this daemon's own name: the same sample twice would be no figures at all.
    let key = |at: usize| (&*all[at].host, &*all[at].resource);
    let high = |at: usize| all[at].state == resource::State::High;
    let sorted = order(all.len(), &|a, b| (key(a), !high(a)) < (key(b), !high(b)));
    let (mut before, mut count) = (None, 0);
    for at in sorted {
        let (host, resource) = key(at);
        if all[at].state != resource::State::Unknown && before != Some((host, resource)) && count < 2 * MAX_HOSTS {
            (before, count) = (Some((host, resource)), count + 1);
            out.flag(&[("host", host), ("resource", resource)], high(at));
        }
    }
}

/// Milliseconds since `tick`.
fn age(status: &Status<'_>, tick: Tick) -> i64 {
    millis(status.now.tick.since(tick))
}
