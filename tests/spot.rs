//! A real daemon against a fake metadata service and a fake Feishu.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads clocks and fails by panicking")]

use std::time::{Duration, Instant};

use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const DOCUMENT: &str = r#"{"zone-id":"cn-hangzhou-i","instance-id":"i-bp67acfmxazb4ph","region-id":"cn-hangzhou",
"private-ipv4":"172.16.101.10","instance-type":"ecs.g7.large","serial-number":"x","owner-account-id":"1"}"#;
const TIME_PATH: &str = "/latest/meta-data/instance/spot/termination-time";

/// An Alibaba instance whose notice is `notice`.
fn alibaba(asked: &Asked, notice: &Answer) -> Answer {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/latest/api/token") => Answer::ok("token-of-the-day"),
        ("GET", "/latest/dynamic/instance-identity/document") => Answer::ok(DOCUMENT),
        ("GET", TIME_PATH) => notice.clone(),
        _ => Answer::status(404, "not found"),
    }
}

fn quiet() -> Answer {
    Answer::status(404, "<html>404</html>")
}

/// `seconds` from now, as the cloud writes it.
fn notice(seconds: i64) -> Answer {
    let now = interrupt_callback::clock::wall().secs();
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{}", now + seconds), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .unwrap();
    Answer::ok(std::str::from_utf8(&output.stdout).unwrap().trim())
}

fn config(cloud: &FakeHttp, feishu: &FakeHttp) -> String {
    let hook = feishu.url(&format!("/open-apis/bot/v2/hook/{}", SECRETS[2]));
    format!(
        "name = \"web-1\"\nprovider = \"AliCloud\"\ninterval = 0.5\ntimezone = \"+08:00\"\n[spot]\nendpoint = \"{}\"\n[alert.feishu]\nwebhook = \"{hook}\"\nsecret = \"{}\"\n",
        cloud.url(""),
        SECRETS[1]
    )
}

fn signed(asked: &Asked) {
    let body = asked.json();
    let timestamp = body["timestamp"].as_str().expect("text");
    let key = format!("{timestamp}\n{}", SECRETS[1]);
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().finalize().into_bytes();
    assert_eq!(body["sign"], base64::engine::general_purpose::STANDARD.encode(mac));
}

fn polls(cloud: &FakeHttp) -> Vec<Asked> {
    cloud.asked().into_iter().filter(|asked| asked.path == TIME_PATH).collect()
}

#[test]
fn a_notice_is_told_once_and_signed() {
    told_once(false);
}

#[test]
#[ignore = "long: a withdrawal needs 15 quiet seconds"]
fn a_notice_that_is_withdrawn_is_told_as_that() {
    told_once(true);
}

/// A notice, a restart, and `withdrawn` or not its end.
#[expect(clippy::print_stdout, reason = "a test shows what it measured")]
fn told_once(withdrawn: bool) {
    let cloud = FakeHttp::start(|asked| alibaba(asked, &quiet()));
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let config = config(&cloud, &feishu);
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    cloud.wait(3, |asked| asked.path == TIME_PATH);
    assert!(feishu.asked().is_empty());
    let time = notice(290);
    let (turned, standing) = (Instant::now(), time.clone());
    cloud.set(move |asked| alibaba(asked, &standing));
    let told = feishu.posts(1).remove(0);
    let seen = polls(&cloud).into_iter().find(|asked| asked.at > turned).unwrap();
    println!("told {:?} after the poll that saw it: {}", told.at - seen.at, told.text());
    signed(&told);
    for part in ["web-1@", "i-bp67acfmxazb4ph", "cn-hangzhou", "ecs.g7.large", "172.16.101.10", "+08:00"] {
        assert!(told.text().contains(part), "{part} in {}", told.text());
    }
    let count = polls(&cloud).len();
    cloud.wait(count + 4, |asked| asked.path == TIME_PATH);
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    let count = polls(&cloud).len();
    cloud.wait(count + 4, |asked| asked.path == TIME_PATH);
    assert_eq!(feishu.asked().len(), 1, "told once, also across a restart");
    assert_eq!(daemon.status()["spot"]["state"], "notice");
    if !withdrawn {
        return;
    }
    cloud.set(|asked| alibaba(asked, &Answer::status(500, "broken")));
    let count = polls(&cloud).len();
    cloud.wait(count + 4, |asked| asked.path == TIME_PATH);
    cloud.set(|asked| alibaba(asked, &quiet()));
    let since = Instant::now();
    let posts = feishu.posts(2);
    println!("withdrawn after {:?}: {}", posts[1].at - since, posts[1].text());
    assert!(posts[1].at - since >= Duration::from_secs(14), "a withdrawal needs 15 quiet seconds");
    assert!(posts[1].text().contains("撤销"), "{}", posts[1].text());
    signed(&posts[1]);
    cloud.set(move |asked| alibaba(asked, &time));
    assert_eq!(feishu.posts(3).len(), 3, "seen again after that, told again");
}

#[test]
fn nothing_but_a_time_is_a_notice() {
    let feishu = FakeHttp::feishu();
    let other = FakeHttp::start(|_| notice(290));
    let redirect = format!("location: {}\r\n", other.url(TIME_PATH));
    let redirect = format!("HTTP/1.1 302 X\r\n{redirect}content-length: 0\r\n\r\n").into_bytes();
    let answers = [
        ("HTML", Answer::ok("<html><body>2026-11-21T10:00:00Z please log in</body></html>")),
        ("empty", Answer::ok("")),
        ("500", Answer::status(500, "2026-11-21T10:00:00Z")),
        ("redirect", Answer::Raw(redirect)),
        ("slow body", Answer::Drip),
        ("hang", Answer::Hang),
        ("1 MiB", Answer::Say(200, Vec::new(), vec![b'2'; 1 << 20])),
        ("hung up", Answer::Drop),
        ("not HTTP", Answer::Raw(b"2026-11-21T10:00:00Z\r\n\r\n".to_vec())),
        ("word", Answer::ok("none")),
    ];
    std::thread::scope(|scope| {
        for (what, answer) in answers {
            let feishu = &feishu;
            scope.spawn(move || {
                let cloud = FakeHttp::start(move |asked| alibaba(asked, &answer));
                let dir = TempDir::new();
                let mut daemon = Daemon::start(dir.path(), &config(&cloud, feishu));
                daemon.wait_line("ready");
                cloud.wait(3, |asked| asked.path == TIME_PATH);
                assert_eq!(daemon.status()["spot"]["state"], "starting", "{what}");
            });
        }
    });
    assert_eq!(feishu.asked().len(), 0, "{:?}", feishu.asked());
    assert_eq!(other.asked().len(), 0, "redirects are not followed");
}

#[test]
fn the_hardened_mode_gets_its_token_and_a_new_one_when_it_is_refused() {
    let mut good = "first";
    let cloud = FakeHttp::start(move |asked| {
        if asked.method == "PUT" {
            let ttl = asked.header("x-aliyun-ecs-metadata-token-ttl-seconds").expect("a lifetime");
            assert_eq!(ttl, "21600");
            return Answer::ok(good);
        }
        match asked.header("x-aliyun-ecs-metadata-token") {
            Some("first") if good == "first" => {
                if asked.path == TIME_PATH {
                    good = "second";
                }
                alibaba(asked, &quiet())
            }
            Some("second") => alibaba(asked, &notice(280)),
            _ => Answer::status(403, "denied"),
        }
    });
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&cloud, &feishu));
    daemon.wait_line("ready");
    let told = feishu.posts(1).remove(0);
    assert!(told.text().contains("i-bp67acfmxazb4ph"), "{}", told.text());
    let puts = cloud.asked().iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(puts, 2, "one token, and one more after the refusal");
}

#[test]
fn a_tencent_time_is_read_as_utc_plus_8() {
    let when = interrupt_callback::clock::wall().secs() + 120 + 8 * 3600;
    let output =
        std::process::Command::new("date").args(["-u", "-d", &format!("@{when}"), "+%Y-%m-%d %H:%M:%S"]).output();
    let time = String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned();
    let body = time.clone();
    let cloud = FakeHttp::start(move |asked| match asked.path.as_str() {
        "/latest/meta-data/spot/termination-time" => Answer::ok(&body),
        "/latest/meta-data/instance-id" => Answer::ok("ins-5b1pyn3w"),
        "/latest/meta-data/placement/region" => Answer::ok("ap-guangzhou"),
        "/latest/meta-data/placement/zone" => Answer::ok("ap-guangzhou-3"),
        "/latest/meta-data/instance/instance-type" => Answer::ok("S5.MEDIUM2"),
        "/latest/meta-data/local-ipv4" => Answer::ok("10.0.0.5"),
        _ => Answer::status(404, ""),
    });
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let config = config(&cloud, &feishu).replace("AliCloud", "TencentCloud");
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    let told = feishu.posts(1).remove(0);
    println!("{}", told.text());
    assert!(told.text().contains(&format!("{time} +08:00")), "{time} in {}", told.text());
    assert!(told.text().contains("ins-5b1pyn3w"));
}

#[test]
#[ignore = "long: blindness is told after 60 s"]
fn a_wrong_provider_is_said_once_and_seeing_again_too() {
    let cloud = FakeHttp::start(|_| Answer::status(404, ""));
    let feishu = FakeHttp::feishu();
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), &config(&cloud, &feishu));
    daemon.wait_line("ready");
    let start = Instant::now();
    let blind = wait_for_post(&feishu, 1, Duration::from_secs(90));
    assert!(start.elapsed() >= Duration::from_secs(59));
    println!("{}", blind.text());
    assert!(blind.text().contains("AliCloud") || blind.text().contains("阿里云"), "{}", blind.text());
    assert_eq!(daemon.status()["spot"]["state"], "blind");
    cloud.set(|asked| alibaba(asked, &quiet()));
    println!("{}", wait_for_post(&feishu, 2, Duration::from_secs(30)).text());
    assert_eq!(daemon.status()["spot"]["state"], "quiet");
    assert_eq!(feishu.asked().len(), 2);
}

fn wait_for_post(feishu: &FakeHttp, count: usize, within: Duration) -> Asked {
    let until = Instant::now() + within;
    while feishu.asked().len() < count && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    wait_for("a post", || feishu.asked().get(count - 1).cloned())
}
