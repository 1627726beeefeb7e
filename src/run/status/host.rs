//! What `status` shows of a host.

use std::time::Duration;

use super::{Status, ago, maybe, seconds, span_of};
use crate::clock::Tick;
use crate::json::{Writer, decimal};
use crate::keepalive::host::{Cause, Host, Standing};
use crate::run::table::Rows;

const HEAD: [&str; 11] =
    ["HOST", "STATE", "LAST BEAT", "DEADLINE", "WORST GAP", "ADDRESS", "LOAD", "MEMORY", "DISK", "UPTIME", "REMARKS"];

impl Status<'_> {
    /// How many silences were found, are not told, and would be.
    pub(super) fn untold(&self) -> u64 {
        self.hosts.iter().filter(|(name, host)| self.is_held(name, host)).count() as u64
    }

    /// Whether its silence was found, is not told, and would be.
    pub fn is_held(&self, name: &str, host: &Host) -> bool {
        host.is_untold() && !host.is_flapping() && !self.is_silenced(name) && !self.is_in_window(name)
    }

    pub(super) fn host_json(&self, out: &mut Writer, name: &str, host: &Host) {
        out.open('{').key("name").text(name).key("state").text(host.standing.name());
        let heard = !is_unheard(host);
        let times = [
            ("since", Some(host.since)),
            ("told", host.told),
            ("remind", host.remind.map(|(when, _)| when)),
            ("last_beat", heard.then_some(host.last)),
        ];
        for (key, tick) in times {
            maybe(out, key, tick.and_then(|tick| self.time(tick)).as_deref());
        }
        let spans = [
            ("silent", self.since(host.last)),
            ("deadline", -self.since(host.deadline)),
            ("postponed", host.postponed.into()),
            ("worst_gap", host.worst_gap.into()),
            ("period", host.period.into()),
            ("uptime", crate::clock::millis(host.uptime)),
        ];
        for (key, ms) in spans {
            if ms != 0 || !matches!(key, "postponed" | "uptime") {
                seconds(out, key, ms);
            }
        }
        if heard {
            out.key("address").text(&host.from.ip().to_canonical().to_string());
            out.key("protocol").uint(host.protocol.into());
            out.key("user").text(host.user.as_deref().unwrap_or("default"));
        }
        for (key, is) in [
            ("old_key", host.old_key),
            ("announced", is_announced(host)),
            ("silenced", self.is_silenced(name)),
            ("window", self.is_in_window(name)),
            ("flapping", host.is_flapping()),
            ("held", self.is_held(name, host)),
        ] {
            if is {
                out.key(key).flag(true);
            }
        }
        if let Some(jobs) = self.jobs_of(name) {
            out.key("jobs").uint(jobs as u64);
        }
        if let Some(readings) = &host.readings {
            readings.write(out);
        }
        out.close('}');
    }

    pub(super) fn hosts_table(&self, text: &mut String) {
        if self.hosts.is_empty() {
            return text.push_str("no host has been heard of yet\n");
        }
        let mut rows = Rows::new(&HEAD);
        for (name, host) in self.hosts() {
            self.host_row(&mut rows, name, host);
        }
        rows.columns(text);
    }

    fn host_row(&self, rows: &mut Rows, name: &str, host: &Host) {
        let none = || "-".to_owned();
        let what = match host.standing {
            Standing::Up => "in ",
            Standing::Stopped => "overdue in ",
            Standing::Offline | Standing::Reclaimed => "forgotten in ",
        };
        let left = host.deadline.since(self.now.tick);
        let deadline = if left.is_zero() { "now".to_owned() } else { [what, &span_of(left)].concat() };
        let unheard = is_unheard(host);
        let percent = |percent: u32| [&*percent.to_string(), " %"].concat();
        let readings = host.readings.as_deref();
        let number = |number: Option<u32>| number.map_or_else(none, percent);
        let span = |span: Duration| if span.is_zero() { none() } else { span_of(span) };
        rows.row(&[
            name,
            if is_announced(host) { "up, to be reclaimed" } else { host.standing.name() },
            &if unheard { "never".to_owned() } else { ago(self.since(host.last)) },
            &deadline,
            &span(Duration::from_millis(host.worst_gap.into())),
            &if unheard { none() } else { host.from.ip().to_canonical().to_string() },
            &readings.and_then(|all| all.load).map_or_else(none, |load| decimal(load.into(), 2)),
            &number(readings.and_then(|all| all.memory)),
            &number(readings.and_then(|all| all.disk)),
            &span(host.uptime),
            &self.remarks(name, host),
        ]);
    }

    fn remarks(&self, name: &str, host: &Host) -> String {
        let ago_of = |tick: Tick| ago(self.since(tick));
        let told = host.told.map(|told| ["told ", &ago_of(told)].concat());
        let remind = host.remind.map(|(when, _)| ["reminder in ", &span_of(when.since(self.now.tick))].concat());
        let postponed = Duration::from_millis(host.postponed.into());
        let moved = (host.standing == Standing::Up && !postponed.is_zero())
            .then(|| ["postponed by ", &span_of(postponed)].concat());
        let heat = host.readings.as_deref().and_then(|all| all.temperature);
        let heat = heat.map(|tenths| [&*decimal(tenths.into(), 1), " °C"].concat());
        let note = host.readings.as_deref().map(|all| &*all.note).filter(|note| !note.is_empty());
        let quoted = note.map(|note| ["\"", note, "\""].concat());
        let jobs =
            self.jobs_of(name).map(|jobs| [&*jobs.to_string(), if jobs == 1 { " job" } else { " jobs" }].concat());
        let mut remarks = String::new();
        let all = [
            self.is_silenced(name).then_some("silenced"),
            self.is_in_window(name).then_some("in a window"),
            host.is_flapping().then_some("flapping"),
            self.is_held(name, host).then_some("not told yet"),
            told.as_deref(),
            remind.as_deref(),
            moved.as_deref(),
            host.old_key.then_some("old key"),
            (host.protocol == 1 && !is_unheard(host)).then_some("key in clear"),
            jobs.as_deref(),
            heat.as_deref(),
            quoted.as_deref(),
        ];
        for remark in all.into_iter().flatten() {
            remarks.push_str(if remarks.is_empty() { "" } else { ", " });
            remarks.push_str(remark);
        }
        remarks
    }
}

/// Whether it beats, and its cloud has announced that it will go.
pub fn is_announced(host: &Host) -> bool {
    host.standing == Standing::Up && host.announced.is_some() && host.goes_as_announced()
}

/// It is on the roster because it was expected.
pub fn is_unheard(host: &Host) -> bool {
    host.standing == Standing::Offline && host.cause == Cause::Expected
}
