//! Who tells a notice: the host, or its server. Real daemons on both sides.

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};

const KEY: &str = SECRETS[0];

/// An Alibaba instance that is told to go in 290 s once `notice` is true.
fn alibaba(notice: bool) -> impl FnMut(&Asked) -> Answer + Send {
    let at = interrupt_callback::clock::Wall(interrupt_callback::clock::wall().0 + 290_000);
    let time = interrupt_callback::zone::Zone::utc().rfc3339(at).replace("+00:00", "Z");
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", _) => Answer::ok("token"),
        ("GET", "/latest/dynamic/instance-identity/document") => Answer::ok(
            r#"{"instance-id":"i-abc","zone-id":"z","region-id":"r","private-ipv4":"10.0.0.1","instance-type":"t"}"#,
        ),
        ("GET", path) if notice && path.ends_with("/spot/termination-time") => Answer::ok(&time),
        _ => Answer::status(404, ""),
    }
}

fn hook(fake: &FakeHttp) -> String {
    format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", fake.url(&format!("/{}", SECRETS[2])))
}

fn server(fake: &FakeHttp) -> String {
    format!(
        "name = \"vps\"\n[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 2\n{}",
        hook(fake)
    )
}

fn host(cloud: &FakeHttp, port: u16, channel: &str) -> String {
    format!(
        "name = \"web-1\"\nprovider = \"AliCloud\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"ic://default:{KEY}@127.0.0.1:{port}\"\n{channel}",
        cloud.url("")
    )
}

/// Seconds of the day in an RFC 3339 time.
fn seconds(at: &serde_json::Value) -> u32 {
    let time = at.as_str().and_then(|at| at.get(11..19)).unwrap_or_default();
    time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u32>().unwrap_or(0))
}

fn interrupts(fake: &FakeHttp) -> Vec<serde_json::Value> {
    fake.asked().iter().map(Asked::json).filter(|json| json["kind"] == "interrupt").collect()
}

/// Starts a server and a host, lets the notice come, and returns both with the host's daemon.
fn notice(told: &FakeHttp, channel: &str) -> (TempDir, TempDir, Daemon, Daemon, FakeHttp) {
    let (a, b) = (TempDir::new(), TempDir::new());
    let mut watcher = Daemon::start(a.path(), &server(told));
    let port = watcher.ready().port();
    let cloud = FakeHttp::start(alibaba(false));
    let mut web = Daemon::start(b.path(), &host(&cloud, port, channel));
    web.wait_line("(vps@");
    wait_for("a quiet cloud", || (web.status()["spot"]["state"] == "quiet").then_some(()));
    cloud.set(alibaba(true));
    (a, b, watcher, web, cloud)
}

#[test]
fn the_server_tells_once_for_a_host_without_channels() {
    let told = FakeHttp::start(|_| Answer::ok(""));
    let (_a, _b, watcher, mut web, cloud) = notice(&told, "");
    told.posts(1);
    let count = cloud.asked().len();
    cloud.wait(count + 10, |_| true);
    assert_eq!(interrupts(&told).len(), 1);
    let one = &interrupts(&told)[0];
    assert!(one["subject"].as_str().unwrap().starts_with("web-1@"), "{one:#}");
    assert_eq!(one["facts"]["instance"], "i-abc", "{one:#}");
    web.kill();
    told.wait(1, |asked| asked.json()["kind"] == "reclaimed");
    assert_eq!(watcher.status()["hosts"][0]["state"], "reclaimed");
}

#[test]
#[ignore = "long: the server waits 15 s for the host"]
fn with_channels_on_both_sides_it_is_told_once() {
    let told = FakeHttp::start(|_| Answer::ok(""));
    let (_a, _b, _watcher, _web, cloud) = notice(&told, &hook(&told));
    told.posts(1);
    // The server waits 15 s for the word that a channel took it; polls come every 0.2 s.
    let count = cloud.asked().len();
    cloud.wait(count + 85, |_| true);
    assert_eq!(interrupts(&told).len(), 1, "{:#?}", interrupts(&told));
}

#[test]
fn the_server_tells_for_a_host_that_died_before_it_could_with_the_original_time_and_ids() {
    let told = FakeHttp::start(|_| Answer::ok(""));
    let dead = FakeHttp::start(|_| Answer::Hang);
    let (_a, _b, watcher, mut web, _cloud) = notice(&told, &hook(&dead));
    let tried = dead.posts(1)[0].json();
    // The beat that carries it goes out at once; the next one would be the second after that.
    wait_for("a beat that carries it", || {
        let status = watcher.status();
        status["hosts"][0]["announced"].as_bool().unwrap_or(false).then_some(())
    });
    web.kill();
    told.wait(1, |asked| asked.json()["kind"] == "interrupt");
    let one = interrupts(&told).remove(0);
    for key in ["id", "incident"] {
        assert_eq!(one[key], tried[key], "{key}: {one:#}");
    }
    // The beat carries the age in milliseconds; a second may have turned between the two readings.
    let off = seconds(&one["at"]).abs_diff(seconds(&tried["at"]));
    assert!(off <= 1 || off >= 86_399, "{} against {}", one["at"], tried["at"]);
    told.wait(1, |asked| asked.json()["kind"] == "reclaimed");
    assert_eq!(interrupts(&told).len(), 1);
}
