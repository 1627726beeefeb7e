//! A real daemon against the mock of every cloud's metadata service, and the command `spot`.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

#[path = "../contrib/mock-cloud/clouds.rs"]
#[expect(dead_code, reason = "the mock has more options than are used here")]
pub mod mock;

mod carried;
mod cost;
mod look;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{TempDir, wait_for};
use interrupt_callback::clock;
use mock::{CLOUDS, Kind, Request, Script};

/// A notice comes at this time of the mock, and goes at the second.
const COMES: Duration = Duration::from_secs(100);
const GOES: Duration = Duration::from_secs(200);

/// A metadata service whose time the test sets.
struct Cloud {
    http: FakeHttp,
    time: Arc<Mutex<Duration>>,
}

fn script(name: &str, kind: Kind) -> Script {
    let cloud = CLOUDS.iter().find(|cloud| cloud.name == name).unwrap();
    let (after, withdraw) = (COMES, Some(GOES - COMES));
    Script { cloud, kind, after, withdraw, lead: cloud.lead, hardened: false, error: None }
}

fn answer(script: &Script, asked: &Asked, start: i64, time: Duration) -> Answer {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let headers = asked.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    let request = Request { method: asked.method.clone(), path: path.to_owned(), query: query.to_owned(), headers };
    let response = script.answer(&request, start, time);
    let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", response.status, response.body.len());
    for (name, value) in &response.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    Answer::Raw(format!("{text}\r\n{}", response.body).into_bytes())
}

impl Cloud {
    fn start(script: Script) -> Cloud {
        let time = Arc::new(Mutex::new(Duration::ZERO));
        // The notice comes now, as far as its time is concerned.
        let (start, inside) = (clock::wall().secs() - i64::try_from(COMES.as_secs()).unwrap(), Arc::clone(&time));
        let http = FakeHttp::start(move |asked| answer(&script, asked, start, *inside.lock().unwrap()));
        Cloud { http, time }
    }

    fn set(&self, time: Duration) {
        *self.time.lock().unwrap() = time;
    }

    fn config(&self, name: &str, hook: &FakeHttp, more: &str) -> String {
        format!(
            "name = \"web\"\nprovider = \"{name}\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n{more}\n[alert.webhook]\nurl = \"{}\"\n",
            self.http.url(""),
            hook.url("/hook")
        )
    }
}

fn hook() -> FakeHttp {
    FakeHttp::start(|_| Answer::ok(""))
}

/// The polls of `path`.
fn polls(cloud: &Cloud, path: &str) -> usize {
    cloud.http.asked().iter().filter(|asked| asked.path.starts_with(path)).count()
}

fn more_polls(cloud: &Cloud, path: &str, n: usize) {
    let count = polls(cloud, path);
    cloud.http.wait(count + n, |asked| asked.path.starts_with(path));
}

/// Cloud, what of its identity must be told, path of its notice, whether it names a time.
const ALL: [(&str, &str, &str, bool); 7] = [
    ("AliCloud", "i-bp67acfmxazb4ph", "/latest/meta-data/instance/spot/termination-time", true),
    ("TencentCloud", "ins-5b1pyn3w", "/latest/meta-data/spot/termination-time", true),
    ("AWS", "i-0123456789abcdef0", "/latest/meta-data/spot/instance-action", true),
    ("GoogleCloud", "4520031799277581759", "/computeMetadata/v1/instance/preempted", false),
    ("Azure", "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "/metadata/scheduledevents", true),
    ("HuaweiCloud", "d8e02d56-2648-49a3-bf97-6be8f1204f38", "/openstack/latest/spot/instance-action", true),
    ("Volcengine", "i-3tiefmkskq3vj0", "/latest/spot_instance_termination_time", true),
];

#[test]
fn every_cloud_from_quiet_to_a_notice_and_back() {
    std::thread::scope(|scope| {
        for (name, id, path, has_time) in ALL {
            scope.spawn(move || {
                let (cloud, hook, dir) = (Cloud::start(script(name, Kind::Interrupt)), hook(), TempDir::new());
                let mut daemon = Daemon::start(dir.path(), &cloud.config(name, &hook, ""));
                daemon.wait_line("ready");
                more_polls(&cloud, path, 3);
                wait_for("quiet", || (daemon.status()["spot"]["state"] == "quiet").then_some(()));
                assert_eq!(hook.asked().len(), 0, "{name}: {:?}", hook.asked());
                cloud.set(COMES);
                let told = hook.posts(1).remove(0).text();
                println!("{name}: {told}");
                assert!(told.contains("\"interrupt\"") && told.contains(id) && told.contains(name), "{name}: {told}");
                assert_eq!(told.contains("deadline"), has_time, "{name}: {told}");
                let status = daemon.status();
                assert_eq!(status["spot"]["state"], "notice");
                let detail = status["spot"]["detail"].as_str().unwrap();
                assert_eq!(detail.contains("(in "), has_time, "{name}: {detail}");
                more_polls(&cloud, path, 4);
                cloud.set(GOES);
                let told = hook.posts(2).remove(1).text();
                assert!(told.contains("interrupt.withdrawn") && told.contains(id), "{name}: {told}");
                assert_eq!(hook.asked().len(), 2, "{name}");
            });
        }
    });
}

#[test]
fn maintenance_and_rebalancing_are_kinds_of_their_own() {
    std::thread::scope(|scope| {
        for (name, kind, told_kind) in [
            ("AWS", Kind::Rebalance, "rebalance"),
            ("AWS", Kind::Maintenance, "maintenance"),
            ("GoogleCloud", Kind::Maintenance, "maintenance"),
            ("Azure", Kind::Maintenance, "maintenance"),
        ] {
            scope.spawn(move || {
                let (cloud, hook, dir) = (Cloud::start(script(name, kind)), hook(), TempDir::new());
                cloud.set(COMES);
                let mut daemon = Daemon::start(dir.path(), &cloud.config(name, &hook, ""));
                let told = hook.posts(1).remove(0).text();
                println!("{name}: {told}");
                assert!(told.contains(&format!("\"{told_kind}\"")), "{name}: {told}");
                daemon.wait_line("ready");
                let status = wait_for("the status", || {
                    Some(daemon.status()).filter(|status| status["spot"]["state"] == told_kind)
                });
                assert_eq!(status["well"], true, "nothing is down: {status}");
                assert!(hook.asked().iter().all(|asked| !asked.text().contains("myvmss_7")));
            });
        }
    });
}

#[test]
fn only_what_is_wanted_is_asked_for() {
    let (cloud, hook, dir) = (Cloud::start(script("AWS", Kind::Rebalance)), hook(), TempDir::new());
    cloud.set(COMES);
    let more = "rebalance = false\nmaintenance = true";
    let mut daemon = Daemon::start(dir.path(), &cloud.config("AWS", &hook, more));
    daemon.wait_line("ready");
    more_polls(&cloud, "/latest/meta-data/events/maintenance/scheduled", 3);
    let asked = cloud.http.asked();
    let path = |part: &str| asked.iter().filter(|asked| asked.path.contains(part)).count();
    assert_eq!((path("rebalance"), hook.asked().len()), (0, 0));
    let polls = path("meta-data/");
    assert!(path("instance-action") * 4 >= polls * 3 - 8, "the interrupt has three turns of four: {asked:#?}");
}

#[test]
fn tokens_are_shown_where_they_are_needed() {
    for name in ["AliCloud", "AWS", "HuaweiCloud"] {
        let (hook, dir) = (hook(), TempDir::new());
        let cloud = Cloud::start(Script { hardened: true, ..script(name, Kind::Interrupt) });
        cloud.set(COMES);
        let _daemon = Daemon::start(dir.path(), &cloud.config(name, &hook, ""));
        assert!(hook.posts(1)[0].text().contains("\"interrupt\""), "{name}");
        assert!(cloud.http.asked().iter().all(|asked| asked.header("x-forwarded-for").is_none()));
    }
}

#[test]
fn azure_is_told_to_go_ahead_only_if_the_owner_wants_that() {
    for (more, posts) in [("", 0), ("acknowledge = true", 1)] {
        let (cloud, hook, dir) = (Cloud::start(script("Azure", Kind::Maintenance)), hook(), TempDir::new());
        cloud.set(COMES);
        let mut daemon = Daemon::start(dir.path(), &cloud.config("Azure", &hook, more));
        daemon.wait_line("ready");
        hook.posts(1);
        more_polls(&cloud, "/metadata/scheduledevents", 3);
        let asked: Vec<Asked> = cloud.http.asked().into_iter().filter(|asked| asked.method == "POST").collect();
        assert_eq!(asked.len(), posts, "{asked:#?}");
        if let Some(post) = asked.first() {
            assert_eq!(post.text(), r#"{"StartRequests":[{"EventId":"myvmss_3-602d9444-d2cd-49c7"}]}"#);
            assert_eq!(post.path, "/metadata/scheduledevents?api-version=2020-07-01");
        }
    }
}

#[test]
fn the_first_answer_of_azure_may_take_long() {
    let (dir, hook, script, mut slow) = (TempDir::new(), hook(), script("Azure", Kind::Interrupt), true);
    let http = FakeHttp::start(move |asked| {
        if asked.path.starts_with("/metadata/scheduledevents") && std::mem::take(&mut slow) {
            let end = clock::tick() + Duration::from_secs(4);
            wait_for("the feature", || (clock::tick() >= end).then_some(()));
        }
        answer(&script, asked, clock::wall().secs() - 100, COMES)
    });
    let config = format!(
        "provider = \"Azure\"\n[spot]\nendpoint = \"{}\"\n[alert.webhook]\nurl = \"{}\"\n",
        http.url(""),
        hook.url("/hook")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    hook.posts(1);
    let asked = http.asked();
    let first = asked.iter().filter(|asked| asked.path.starts_with("/metadata/scheduledevents")).count();
    assert!(first <= 2 && !daemon.output().contains("no good answer"), "{asked:#?}");
}

#[test]
fn a_second_alert_comes_when_the_time_is_near() {
    let (hook, dir) = (hook(), TempDir::new());
    let cloud = Cloud::start(Script { lead: Duration::from_secs(7), ..script("AWS", Kind::Interrupt) });
    cloud.set(COMES);
    let _daemon = Daemon::start(dir.path(), &cloud.config("AWS", &hook, "countdown = [3]"));
    let posts = hook.posts(2);
    let incidents: Vec<String> = posts.iter().map(|post| post.json()["incident"].to_string()).collect();
    assert_eq!(incidents[0], incidents[1], "{posts:#?}");
    assert!(posts[1].text().contains("\"interrupt\""), "{}", posts[1].text());
}

#[test]
fn google_holds_the_request_until_something_changes() {
    let (hook, dir) = (hook(), TempDir::new());
    let state = Arc::new(Mutex::new((Duration::ZERO, false)));
    let (inside, script) = (Arc::clone(&state), script("GoogleCloud", Kind::Interrupt));
    let http = FakeHttp::start(move |asked| {
        let now = || inside.lock().unwrap().0;
        if asked.path.contains("wait_for_change=true") {
            assert!(asked.path.contains("last_etag=c0ffee00&timeout_sec=20") || now() >= COMES, "{}", asked.path);
            inside.lock().unwrap().1 = true;
            wait_for("a change", || (now() >= COMES).then_some(()));
        }
        answer(&script, asked, 0, now())
    });
    let config = format!(
        "provider = \"GoogleCloud\"\n[spot]\nendpoint = \"{}\"\n[alert.webhook]\nurl = \"{}\"\n",
        http.url(""),
        hook.url("/hook")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    wait_for("a held request", || state.lock().unwrap().1.then_some(()));
    let count = http.asked().len();
    state.lock().unwrap().0 = COMES;
    assert!(hook.posts(1)[0].text().contains("lead"));
    let asked = http.asked();
    assert!(
        asked[count].path.contains("wait_for_change=true"),
        "by the answer to the request that was held: {asked:#?}"
    );
}

#[test]
fn google_is_asked_again_soon_after_a_failure() {
    let (dir, script, mut failures) = (TempDir::new(), script("GoogleCloud", Kind::Interrupt), 0);
    let http = FakeHttp::start(move |asked| {
        if asked.path.ends_with("/preempted") && failures < 2 {
            failures += 1;
            return Answer::Say(503, vec!["metadata-flavor: Google"], Vec::new());
        }
        answer(&script, asked, 0, Duration::ZERO)
    });
    let config = format!("provider = \"GoogleCloud\"\n[spot]\nendpoint = \"{}\"\n", http.url(""));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("preempted answers 503");
    wait_for("quiet", || (daemon.status()["spot"]["state"] == "quiet").then_some(()));
}
