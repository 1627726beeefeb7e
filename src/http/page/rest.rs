//! What else is on the page: the cloud, resources, jobs, monitors, channels, the last incidents.

use std::time::Duration;

use super::html::Html;
use super::{MAX_ROWS, Page};
use crate::clock::{Wall, millis};
use crate::event::{Field, Kind, Phase};
use crate::order::order;
use crate::resource::State;
use crate::run::status::channel_words;
use crate::spot::tracker::SpotState;

/// Incidents that are shown.
const MAX_PAST: usize = 50;

impl Page<'_> {
    /// What the cloud says.
    pub(super) fn spot(&self, out: &mut Html) {
        let Some(spot) = &self.status.spot else { return };
        Self::section(out, "cloud", self.say("Reclaim notices", "回收通知"), 0, spot.state == SpotState::Quiet);
        let (class, word) = match &spot.state {
            SpotState::Starting => ("rest", self.say("no answer yet", "尚无应答")),
            SpotState::Quiet => ("good", self.say("none", "无")),
            SpotState::Notice { .. } => ("bad", self.say("will be reclaimed", "将被回收")),
            SpotState::Expected { kind, .. } => ("warn", self.words().kind(*kind)[0]),
            SpotState::Blind { .. } => ("warn", self.say("cannot be read", "无法读取")),
        };
        out.raw("<p>");
        Self::state(out, class, word);
        out.raw(" ");
        match &spot.state {
            SpotState::Starting | SpotState::Quiet => {}
            SpotState::Notice { until, action, lead } | SpotState::Expected { until, action, lead, .. } => {
                out.text(&self.words().fact(Field::Action, action)).raw(" ");
                if let Some(until) = until {
                    self.deadline(out, *until);
                } else if let Some(lead) = lead {
                    out.raw(self.words().label(Kind::Interrupt, Field::Lead)).raw(self.words().colon);
                    out.text(&self.words().span(*lead));
                }
            }
            SpotState::Blind { since, why } => {
                out.raw(self.say("since ", "自 "));
                self.time(out, since);
                out.raw(self.words().colon).text(&self.words().phrase(why));
            }
        }
        out.raw("</p><p class=of>").raw(spot.cloud.name()).raw(" ").tag("bdi", &spot.identity).raw("</p></section>");
    }

    /// When the cloud will act, and how far off that is.
    fn deadline(&self, out: &mut Html, until: Wall) {
        let now = self.status.now.wall;
        out.raw("<b>").text(&self.status.zone.human(until)).raw("</b>");
        if now.is_set() {
            let left = until.0.saturating_sub(now.0);
            let span = self.words().span(Duration::from_millis(left.unsigned_abs()));
            let [open, close] = self.words().brackets;
            let far = self.words().distance[usize::from(left < 0)].replace("{time}", &span);
            out.raw(open).text(&far).raw(close);
        }
    }

    /// Those that run short, the others as a number.
    pub(super) fn resources(&self, out: &mut Html) {
        let all = &self.status.resources;
        if all.is_empty() {
            return;
        }
        let count = |state| all.iter().filter(|one| one.state == state).count();
        let high = count(State::High);
        Self::section(out, "resources", self.say("Resources", "资源"), 0, high == 0);
        if high > 0 {
            let names =
                if self.chinese() { ["主机", "资源", "当前值", ""] } else { ["Host", "Resource", "Value", ""] };
            Self::head(out, names);
            let key = |index: usize| (all[index].state != State::High, &all[index].host, &all[index].resource);
            let sorted = order(all.len(), &|a, b| key(a) < key(b));
            for one in sorted.into_iter().take(high.min(MAX_ROWS)).map(|index| &all[index]) {
                out.raw("<tr><th scope=row>").tag("bdi", &one.host).raw("</th><td class=b>");
                Self::state(out, "warn", &one.resource);
                out.raw("</td><td>").text(&one.value).raw("<small>").raw(self.say("limit ", "阈值 "));
                out.text(&one.limit);
                if let Some(since) = one.since {
                    let span = self.words().span(self.status.now.tick.since(since));
                    out.raw(self.say(", for ", "，已持续 ")).text(&span);
                }
                out.raw("</small></td></tr>");
            }
            self.tail(out, high.saturating_sub(MAX_ROWS));
        }
        out.raw("<p class=of>").number(count(State::Normal)).raw(self.say(" normal", " 项正常"));
        if count(State::Unknown) > 0 {
            out.raw(self.say(", ", "，")).number(count(State::Unknown)).raw(self.say(" unknown", " 项未知"));
        }
        out.raw("</p></section>");
    }

    /// How many there are, and who runs them.
    pub(super) fn jobs(&self, out: &mut Html) {
        let queue = self.status.queue.as_ref();
        let jobs = self.status.jobs.as_ref().filter(|jobs| jobs.running + jobs.waiting + jobs.failed > 0);
        if jobs.is_none() && queue.is_none() {
            return;
        }
        Self::section(out, "jobs", self.say("Jobs", "任务"), 0, true);
        if let Some(jobs) = jobs {
            out.raw("<p>").number(jobs.running).raw(self.say(" running, ", " 项运行中，")).number(jobs.waiting);
            out.raw(self.say(" waiting, ", " 项等待，")).number(jobs.failed);
            out.raw(self.say(" failed in the last day", " 项在一天内失败")).raw("</p>");
        }
        if let Some(queue) = queue {
            let answered = queue.last.map(|last| self.ago(last));
            let answered = answered.as_deref().unwrap_or_else(|| self.say("never", "从未"));
            out.raw("<p>").raw(self.say("The queue answered ", "队列最近应答：")).text(answered);
            self.problem(out, queue.problem.as_deref());
            out.raw("</p>");
        }
        out.raw("</section>");
    }

    /// The servers this host beats to, and where it listens, if there is trouble; and the state that cannot be saved.
    pub(super) fn links(&self, out: &mut Html) {
        let (server, state) = (self.status.server_problem(), self.status.state_problem());
        let monitors = &self.status.monitors;
        if server.is_none() && state.is_none() && monitors.is_empty() {
            return;
        }
        Self::section(out, "self", self.say("This host", "本机"), 0, true);
        for (name, problem) in
            [(self.say("Listening", "监听"), &server), (self.say("Saving the state", "保存状态"), &state)]
        {
            if problem.is_some() {
                out.raw("<p>").raw(name);
                self.problem(out, problem.as_deref());
                out.raw("</p>");
            }
        }
        for monitor in monitors {
            out.raw("<p>").raw(self.say("Beats to ", "心跳发往 ")).tag("bdi", &monitor.label);
            let answered = monitor.last.map(|last| self.ago(last));
            let answered = answered.as_deref().unwrap_or_else(|| self.say("never", "从未"));
            out.raw(self.say(", answered ", "，最近应答：")).text(answered);
            self.problem(out, monitor.error.as_deref());
            out.raw("</p>");
        }
        out.raw("</section>");
    }

    fn problem(&self, out: &mut Html, problem: Option<&str>) {
        if let Some(problem) = problem {
            out.raw(" ");
            Self::state(out, "warn", self.say("trouble", "异常"));
            out.raw(" ").text(&self.words().phrase(problem));
        }
    }

    /// Those with trouble.
    pub(super) fn channels(&self, out: &mut Html) {
        let all = &self.status.desk.channels;
        if all.is_empty() {
            return;
        }
        Self::section(out, "channels", self.say("Alert channels", "告警通道"), 0, true);
        let mut well = 0;
        for channel in all {
            let (state, problem) = channel_words(channel);
            let Some(problem) = problem else {
                well += 1;
                continue;
            };
            out.raw("<p>");
            let word = if state == "parked" {
                self.say("waits for you", "待处理")
            } else {
                self.say("is tried again", "重试中")
            };
            Self::state(out, "warn", word);
            out.raw(" <b>").text(&channel.name).raw("</b>: ").text(&self.words().phrase(problem));
            out.raw(self.say("; alerts waiting: ", "；待发告警：")).number(channel.queued).raw("</p>");
        }
        out.raw("<p class=of>");
        match (all.len(), self.chinese()) {
            (1, false) if well == 1 => drop(out.raw("It works")),
            (count, false) if well == count => drop(out.raw("All ").number(count).raw(" work")),
            (count, false) => drop(out.number(well).raw(" of ").number(count).raw(" work")),
            (count, true) => drop(out.raw("共 ").number(count).raw(" 个，").number(well).raw(" 个正常")),
        }
        out.raw("</p></section>");
    }

    /// The newest first.
    pub(super) fn past(&self, out: &mut Html) {
        Self::section(out, "past", self.say("Recent incidents", "最近事件"), 0, false);
        if self.incidents.is_empty() {
            out.tag("p", self.say("None yet.", "暂无。")).raw("</section>");
            return;
        }
        let [what, who, began, lasted] =
            if self.chinese() { ["事件", "对象", "开始", "持续"] } else { ["What", "Who", "Began", "Lasted"] };
        Self::head(out, [what, who, began, lasted]);
        let now = &self.status.now;
        for incident in self.incidents.iter().rev().take(MAX_PAST) {
            out.raw("<tr><th scope=row>").text(self.words().kind(incident.kind)[0]).raw("</th><td class=c>");
            out.tag("bdi", &incident.subject);
            if !incident.part.is_empty() {
                out.tag("small", &incident.part);
            }
            out.raw("</td><td>");
            self.time(out, &incident.began);
            out.raw("</td><td class=b>");
            let so_far = || Some(millis(now.tick.since(incident.began.tick(now)?)));
            let span = |ms: i64| match ms {
                ..1000 => self.say("under 1 s", "不到 1 秒").to_owned(),
                ms => self.words().span(Duration::from_millis(ms.unsigned_abs())),
            };
            match (incident.lasts(), incident.duration(now)) {
                (true, _) => {
                    let so_far = so_far().map(span).unwrap_or_default();
                    Self::state(out, "warn", &[self.say("lasts ", "已持续 "), &so_far].concat());
                }
                (false, Some(ms)) => drop(out.text(&span(ms))),
                (false, None) if incident.kind.phase() == Phase::Single => drop(out.raw("–")),
                (false, None) => drop(out.raw(self.say("unknown", "未知"))),
            }
            out.raw("</td></tr>");
        }
        self.tail(out, 0);
        out.raw("</section>");
    }
}
