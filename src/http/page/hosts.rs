//! The hosts and the probes on the page.

use std::time::Duration;

use super::html::Html;
use super::{MAX_BARS, MAX_ROWS, Page};
use crate::json::decimal;
use crate::keepalive::host::{Host, Standing};
use crate::order::order;
use crate::probe;
use crate::run::status::host::{is_announced, is_unheard};
use crate::run::threads::lock;

impl Page<'_> {
    /// How many of what there are, in a line.
    pub(super) fn sums(&self, out: &mut Html) {
        let status = self.status;
        let hosts = |standing| status.hosts.iter().filter(|(_, host)| host.standing == standing).count();
        let probes = |state| status.probes.iter().filter(|probe| probe.state == state).count();
        let silenced = status.hosts.iter().filter(|(name, _)| status.is_silenced(name)).count();
        let mut sums = Html::default();
        for (count, name) in [
            (hosts(Standing::Up), self.say("hosts up", "台主机在线")),
            (hosts(Standing::Offline), self.say("offline", "台失联")),
            (hosts(Standing::Stopped), self.say("stopped", "台已停止")),
            (hosts(Standing::Reclaimed), self.say("reclaimed", "台已回收")),
            (silenced, self.say("silenced", "台已静默")),
            (probes(probe::State::Up), self.say("probes well", "项探测正常")),
            (probes(probe::State::Down), self.say("probes fail", "项探测失败")),
        ] {
            if count > 0 {
                sums.raw("<li><b>").number(count).raw("</b> ").raw(name).raw("</li>");
            }
        }
        let sums = sums.into_string();
        if !sums.is_empty() {
            out.raw("<ul class=sum>").raw(&sums).raw("</ul>");
        }
    }

    /// Trouble first, then by name.
    pub(super) fn hosts(&self, out: &mut Html) {
        let hosts = &self.status.hosts;
        if self.status.server.is_none() && hosts.is_empty() {
            return;
        }
        Self::section(out, "hosts", self.say("Hosts", "主机"), hosts.len(), false);
        if hosts.is_empty() {
            out.tag("p", self.say("No host has been heard of yet.", "尚未收到任何主机的心跳。")).raw("</section>");
            return;
        }
        let key = |index: usize| (rank(&hosts[index].1), &hosts[index].0);
        let sorted = order(hosts.len(), &|a, b| key(a) < key(b));
        let [host, state, beat, days] = if self.chinese() {
            ["主机", "状态", "最后心跳与读数", "最近 90 天"]
        } else {
            ["Host", "State", "Last beat, readings", "Last 90 days"]
        };
        Self::head(out, [host, state, beat, days]);
        for (row, index) in sorted.into_iter().take(MAX_ROWS).enumerate() {
            let (name, host) = &hosts[index];
            self.host(out, name, host, row < MAX_BARS);
        }
        self.tail(out, hosts.len().saturating_sub(MAX_ROWS));
        out.raw("</section>");
    }

    fn host(&self, out: &mut Html, name: &str, host: &Host, bars: bool) {
        let heard = !is_unheard(host);
        out.raw("<tr><th scope=row>").tag("bdi", name);
        if heard {
            out.tag("small", &host.from.ip().to_canonical().to_string());
        }
        out.raw("</th><td class=b>");
        let (class, word) = self.standing(host);
        Self::state(out, class, word);
        for (is, word) in [
            (self.status.is_silenced(name), self.say("silenced", "已静默")),
            (self.status.is_in_window(name), self.say("in a window", "维护时段内")),
            (host.is_flapping(), self.say("flapping", "反复上下线")),
            (self.status.is_held(name, host), self.say("not told yet", "尚未通知")),
        ] {
            if is {
                out.tag("small", word);
            }
        }
        if let Some(told) = host.told.filter(|_| host.standing != Standing::Up) {
            let [before, after] = if self.chinese() { ["", "已通知"] } else { ["told ", ""] };
            out.tag("small", &[before, &self.ago(told), after].concat());
        }
        out.raw("</td><td class=c>");
        self.signs(out, name, host, heard);
        out.raw("</td><td class=e>");
        if bars {
            let is_down = matches!(host.standing, Standing::Offline | Standing::Reclaimed);
            let days = lock(self.days).of(name, "", is_down.then_some(host.since), &self.status.now);
            self.bars(out, &days);
        }
        out.raw("</td></tr>");
    }

    fn standing(&self, host: &Host) -> (&'static str, &'static str) {
        match host.standing {
            Standing::Up if is_announced(host) => ("warn", self.say("to be reclaimed", "将被回收")),
            Standing::Up => ("good", self.say("up", "在线")),
            Standing::Offline => ("bad", self.say("offline", "失联")),
            Standing::Stopped => ("rest", self.say("stopped", "已停止")),
            Standing::Reclaimed => ("rest", self.say("reclaimed", "已回收")),
        }
    }

    /// Its last beat, what it says of itself, and its jobs.
    fn signs(&self, out: &mut Html, name: &str, host: &Host, heard: bool) {
        let beat = if heard { self.ago(host.last) } else { self.say("never", "从未").to_owned() };
        out.raw("<span class=k>").raw(self.say("last beat ", "最后心跳 ")).raw("</span>").text(&beat);
        // What it said before it went is old.
        let up = host.standing == Standing::Up;
        let readings = host.readings.as_deref().filter(|_| up);
        let percent = |number: u32| [&*number.to_string(), " %"].concat();
        let jobs = self.status.jobs_of(name);
        let uptime = (up && !host.uptime.is_zero()).then(|| self.words().span(host.uptime));
        let mut line = String::new();
        for (label, value) in [
            (self.say("load ", "负载 "), readings.and_then(|all| all.load).map(|load| decimal(load.into(), 2))),
            (self.say("memory ", "内存 "), readings.and_then(|all| all.memory).map(percent)),
            (self.say("disk ", "磁盘 "), readings.and_then(|all| all.disk).map(percent)),
            ("", readings.and_then(|all| all.temperature).map(|t| [&*decimal(t.into(), 1), " °C"].concat())),
            (self.say("uptime ", "开机 "), uptime),
            (self.say("jobs ", "任务 "), jobs.map(|jobs| jobs.to_string())),
        ] {
            if let Some(value) = value {
                line.push_str(if line.is_empty() { "" } else { " · " });
                // It breaks between them only.
                line.push_str(&[label, &value].concat().replace(' ', "\u{a0}"));
            }
        }
        if !line.is_empty() {
            out.tag("small", &line);
        }
        if let Some(all) = host.readings.as_deref().filter(|all| !all.note.is_empty()) {
            out.raw("<small class=why><bdi>").text(&all.note).raw("</bdi></small>");
        }
    }

    /// Those that fail first, then by name.
    pub(super) fn probes(&self, out: &mut Html) {
        let probes = &self.status.probes;
        if probes.is_empty() {
            return;
        }
        Self::section(out, "probes", self.say("Probes", "探测"), probes.len(), false);
        let [name, state, last, days] = if self.chinese() {
            ["探测", "状态", "最近结果", "最近 90 天"]
        } else {
            ["Probe", "State", "Last result", "Last 90 days"]
        };
        Self::head(out, [name, state, last, days]);
        let rank = |state| match state {
            probe::State::Down => 0,
            probe::State::Unknown => 1,
            probe::State::Up => 2,
        };
        let key = |index: usize| (rank(probes[index].state), &probes[index].name);
        let sorted = order(probes.len(), &|a, b| key(a) < key(b));
        for (row, index) in sorted.into_iter().take(MAX_ROWS).enumerate() {
            self.probe(out, &probes[index], row < MAX_BARS);
        }
        self.tail(out, probes.len().saturating_sub(MAX_ROWS));
        out.raw("</section>");
    }

    fn probe(&self, out: &mut Html, probe: &probe::Standing, bars: bool) {
        out.raw("<tr><th scope=row>").tag("bdi", &probe.name).raw("<small>").text(probe.kind).raw(" ");
        out.tag("bdi", &probe.target).raw("</small></th><td class=b>");
        let (class, word) = match probe.state {
            probe::State::Unknown => ("rest", self.say("unknown", "未知")),
            probe::State::Up => ("good", self.say("up", "正常")),
            probe::State::Down => ("bad", self.say("down", "失败")),
        };
        Self::state(out, class, word);
        if let Some(since) = probe.since {
            let span = self.words().span(self.status.now.tick.since(since));
            out.tag("small", &[self.say("for ", "已持续 "), &span].concat());
        }
        out.raw("</td><td class=c>");
        match probe.last {
            Some(last) => out.text(&self.ago(last)),
            None => out.raw(self.say("none yet", "尚无")),
        };
        if let Some(took) = probe.took {
            out.raw(self.say(" in ", "，耗时 ")).text(&short(took));
        }
        if !probe.detail.is_empty() {
            out.tag("small class=why", &probe.detail);
        }
        if let Some(because) = &probe.because {
            out.raw("<small>").raw(self.say("because of ", "起因：")).tag("bdi", because).raw("</small>");
        }
        out.raw("</td><td class=e>");
        if bars {
            let since = probe.since.filter(|_| probe.state == probe::State::Down);
            let days = lock(self.days).of(self.status.name, &probe.name, since, &self.status.now);
            self.bars(out, &days);
        }
        out.raw("</td></tr>");
    }
}

/// Trouble first.
fn rank(host: &Host) -> u8 {
    match host.standing {
        Standing::Offline => 0,
        Standing::Up if is_announced(host) => 1,
        Standing::Reclaimed => 2,
        Standing::Stopped => 3,
        Standing::Up => 4,
    }
}

/// `35 ms`, `1.2 s`.
fn short(took: Duration) -> String {
    match crate::clock::millis(took) {
        ms @ 0..1000 => [&*ms.to_string(), " ms"].concat(),
        ms => [&*decimal(ms / 100, 1), " s"].concat(),
    }
}
