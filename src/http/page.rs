//! The status page: plain HTML, no script, nothing from elsewhere. Trouble stands first.

mod agents;
mod bars;
mod hosts;
pub mod html;
mod rest;
mod style;

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::alert::history::Incident;
use crate::alert::words::{Words, words};
use crate::clock::{Now, Tick, Wall};
use crate::config::plan::Language;
use crate::event::Moment;
use crate::http::days::Days;
use crate::http::{Request, Response, Site};
use crate::keepalive::host::Standing;
use crate::probe;
use crate::resource;
use crate::run::status::{Status, channel_words, spot_words};
use crate::run::threads::lock;
use crate::spot::tracker::SpotState;
use crate::zone::{Zone, civil};
use agents::OFFLINE;
use html::Html;

/// From one loading to the next, in seconds.
const REFRESH: &str = "10";
/// Rows of a table; those of hosts and probes in trouble come first.
pub const MAX_ROWS: usize = 500;
/// Pictures of days in a table.
pub const MAX_BARS: usize = 100;
/// What is shown in the browser's tab: a disc when all is well, a square when not.
const ICONS: [&str; 2] = [
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
     %3Ccircle cx='8' cy='8' r='7' fill='%233f9561'/%3E%3C/svg%3E",
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
     %3Crect x='1' y='1' width='14' height='14' rx='2' fill='%23c4202d'/%3E%3C/svg%3E",
];

/// The key of the page among the answers that are given again: no route has that number.
const KEY: usize = usize::MAX;

/// `/`; with `?hold` it does not load itself anew.
pub fn page(site: &Site, request: &Request<'_>) -> Response {
    let Some(answers) = site.answers() else { return Response::starting() };
    let page = site.cached(KEY, &mut || {
        let incidents = lock(&answers.history).of("").into_iter().cloned().collect();
        let language = answers.reloader.parts().plan().map_or(Language::En, |plan| plan.language);
        let days = &*site.days;
        let page = answers.show(&mut |status| Page { status, language, days, incidents: &incidents }.html());
        Response::new(200, "text/html; charset=utf-8", page).with("Content-Security-Policy", policy())
    });
    let page = Response::clone(&page);
    if request.query.split('&').any(|word| word == "hold") { page } else { page.with("Refresh", REFRESH) }
}

/// The browser may use this page's own style and icon, and nothing else.
fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(style::CSS.as_bytes()));
    let rest = "'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    ["default-src 'none'; style-src 'sha256-", &hash, rest].concat()
}

/// What a page is made of.
pub struct Page<'a> {
    /// How things are.
    pub status: &'a Status<'a>,
    /// The last incidents, the oldest first.
    pub incidents: &'a Vec<Incident>,
    /// Who was down when.
    pub days: &'a Mutex<Days>,
    /// What it speaks.
    pub language: Language,
}

impl Page<'_> {
    /// The whole page.
    pub fn html(&self) -> String {
        let mut out = Html::default();
        let (class, headline) = self.headline();
        out.raw("<!doctype html>\n<html lang=").raw(self.say("en", "zh-CN")).raw("><head><meta charset=utf-8>");
        out.raw("<meta name=viewport content=\"width=device-width,initial-scale=1\">");
        out.raw("<meta name=color-scheme content=\"light dark\"><meta name=robots content=noindex>");
        out.raw("<title>").text(&headline).raw(" · ").text(self.status.name).raw("</title>");
        out.raw("<link rel=icon href=\"").raw(ICONS[usize::from(class != "good")]).raw("\">");
        out.raw("<style>").raw(style::CSS).raw("</style></head><body>");
        out.raw(bars::PATTERNS).raw("<header><p class=of>").raw(self.say("Status of ", "状态："));
        out.tag("bdi", self.status.name).raw("</p>");
        out.tag(&["h1 class=", class].concat(), &headline);
        self.sums(&mut out);
        out.raw("</header><main>");
        // What it says of the cloud comes first if there is something to say.
        let quiet = self.status.spot.as_ref().is_none_or(|spot| spot.state == SpotState::Quiet);
        if !quiet {
            self.spot(&mut out);
        }
        self.hosts(&mut out);
        self.probes(&mut out);
        self.resources(&mut out);
        if quiet {
            self.spot(&mut out);
        }
        self.jobs(&mut out);
        self.agents(&mut out);
        self.links(&mut out);
        self.channels(&mut out);
        self.past(&mut out);
        out.raw("</main><footer>");
        self.foot(&mut out);
        out.raw("</footer></body></html>\n");
        out.into_string()
    }

    /// How things are in one sentence, and how bad that is.
    pub fn headline(&self) -> (&'static str, String) {
        let status = self.status;
        let hosts = status.hosts.iter().filter(|(_, host)| host.standing == Standing::Offline).count();
        let probes = status.probes.iter().filter(|probe| probe.state == probe::State::Down).count();
        let high = status.resources.iter().filter(|one| one.state == resource::State::High).count();
        let monitors = status.monitors.iter().filter(|monitor| monitor.failures > 0).count();
        let channels = status.desk.channels.iter().filter(|channel| channel_words(channel).1.is_some()).count();
        let spot = status.spot.as_ref().filter(|spot| !spot_words(&spot.state).1).map(|spot| &spot.state);
        let notice = spot.is_some_and(|state| matches!(state, SpotState::Notice { .. }));
        let agents = status.agents.iter().filter(|agent| agent.state == OFFLINE).count();
        let server = status.server.iter().flatten().chain(&status.web).filter(|port| port.error.is_some()).count();
        let queue = status.queue.as_ref().is_some_and(|queue| queue.problem.is_some());
        // How many, whether that is bad, and the words for one, for several, in Chinese.
        let troubles = [
            (usize::from(notice), true, ["reclaim of this machine is announced"; 2], "本机将被回收"),
            (hosts, true, ["{} host is down", "{} hosts are down"], "{} 台主机失联"),
            (agents, true, ["{} agent is offline", "{} agents are offline"], "{} 个代理端失联"),
            (probes, true, ["{} probe fails", "{} probes fail"], "{} 项探测失败"),
            (high, false, ["{} resource runs short", "{} resources run short"], "{} 项资源紧张"),
            (usize::from(spot.is_some() && !notice), false, ["reclaim notices cannot be read"; 2], "无法读取回收通知"),
            (channels, false, ["{} channel has trouble", "{} channels have trouble"], "{} 个通道异常"),
            (monitors, false, ["{} monitor does not answer", "{} monitors do not answer"], "{} 个监控端无应答"),
            (
                server,
                false,
                ["{} address cannot be listened on", "{} addresses cannot be listened on"],
                "{} 个监听地址异常",
            ),
            (usize::from(queue), false, ["no answer from the queue of jobs"; 2], "任务队列无应答"),
            (usize::from(status.desk.unwritable.is_some()), false, ["state cannot be saved"; 2], "状态无法保存"),
        ];
        let (mut text, mut class) = (String::new(), "good");
        for (count, bad, [one, many], chinese) in troubles {
            if count == 0 {
                continue;
            }
            class = if bad || class == "bad" { "bad" } else { "warn" };
            text.push_str(if text.is_empty() { "" } else { words(self.language).comma });
            let english = if count == 1 { one } else { many };
            // The number does not stand at the end of a line.
            text.push_str(&self.say(english, chinese).replace("{} ", &[&*count.to_string(), "\u{a0}"].concat()));
        }
        if text.is_empty() {
            return (class, self.say("All is well", "一切正常").to_owned());
        }
        let first = text.remove(0).to_ascii_uppercase();
        text.insert(0, first);
        (class, text)
    }

    fn foot(&self, out: &mut Html) {
        let status = self.status;
        out.raw("<p>").raw(self.say("As of ", "截至 ")).text(&status.zone.human(status.now.wall));
        out.raw(self.say(" · running for ", " · 已运行 ")).text(&self.words().span(status.running));
        out.raw(" · interrupt-callback ").raw(env!("CARGO_PKG_VERSION")).raw("</p>");
        out.raw("<nav aria-label=\"").raw(self.say("Refresh", "刷新")).raw("\"><p>");
        out.raw(self.say("Loads itself anew every 10 s: ", "每 10 秒自动刷新：")).raw("<a href=\"?hold\">");
        out.raw(self.say("hold still", "暂停")).raw("</a> · <a href=\".\">").raw(self.say("go on", "继续"));
        out.raw("</a></p></nav>");
    }

    fn words(&self) -> &'static Words {
        words(self.language)
    }

    fn chinese(&self) -> bool {
        self.language == Language::Zh
    }

    fn say(&self, english: &'static str, chinese: &'static str) -> &'static str {
        if self.chinese() { chinese } else { english }
    }

    /// A section with its heading, and a number beside it. One that says little takes half of the width.
    fn section(out: &mut Html, id: &str, name: &'static str, count: usize, half: bool) {
        out.raw(if half { "<section class=half aria-labelledby=" } else { "<section aria-labelledby=" })
            .raw(id)
            .raw("><h2 id=")
            .raw(id)
            .raw(">")
            .raw(name);
        if count > 0 {
            out.raw(" <small>").number(count).raw("</small>");
        }
        out.raw("</h2>");
    }

    /// The head of a table of four columns; an empty name is none.
    fn head(out: &mut Html, names: [&str; 4]) {
        out.raw("<table><thead><tr>");
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            out.raw("<th scope=col class=w").number(index + 1).raw(">").raw(name).raw("</th>");
        }
        out.raw("</tr></thead><tbody>");
    }

    /// The end of a table of which so many rows are not shown.
    fn tail(&self, out: &mut Html, more: usize) {
        out.raw("</tbody></table>");
        if more > 0 {
            let [before, after] = if self.chinese() { ["另有 ", " 项未显示"] } else { ["and ", " more"] };
            out.raw("<p class=of>").raw(before).number(more).raw(after).raw("</p>");
        }
    }

    /// A cell with a state: its colour is also a shape and a word.
    fn state(out: &mut Html, class: &str, word: &str) {
        out.raw("<span class=\"s ").raw(class).raw("\">").text(word).raw("</span>");
    }

    fn ago(&self, tick: Tick) -> String {
        let span = self.status.now.tick.since(tick);
        if span < Duration::from_secs(1) {
            return self.say("just now", "刚刚").to_owned();
        }
        self.words().distance[1].replace("{time}", &self.words().span(span))
    }

    /// A point in time to the minute, by the local clock; the footer says which that is.
    fn time(&self, out: &mut Html, moment: &Moment) {
        let Some(wall) = moment.wall(&self.status.now) else {
            out.raw(self.say("unknown time", "时间未知"));
            return;
        };
        let about = if moment.about { self.words().about } else { "" };
        out.raw(about).raw("<time datetime=\"").text(&self.status.zone.rfc3339(wall)).raw("\">");
        out.text(&minute(self.status.zone, wall)).raw("</time>");
    }

    /// The date of a day that lies so many days back.
    fn day(&self, ago: usize) -> String {
        let Now { wall, .. } = self.status.now;
        let today = self.status.zone.local(wall).0;
        let (year, month, day) = civil(today - i64::try_from(ago).unwrap_or(0));
        let two = |number: i64| [if number < 10 { "-0" } else { "-" }, &number.to_string()].concat();
        [year.to_string(), two(month), two(day)].concat()
    }
}

/// `2026-11-21 10:00`.
fn minute(zone: &Zone, wall: Wall) -> String {
    let mut text = zone.human(wall);
    text.truncate(16);
    text
}
