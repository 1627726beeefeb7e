//! Events from outside, at the real binary.

#![cfg(feature = "status")]
#![allow(clippy::disallowed_methods, reason = "tests start threads, read clocks and dial")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::common::ask::{Reply, ask};
use crate::common::daemon::{Daemon, run};
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};
use interrupt_callback::clock::{Wall, wall};
use interrupt_callback::zone::Zone;

const KEY: &str = SECRETS[0];
const PATH: &str = "/event/alicloud/planted-hook-token";
const JSON: &str = "application/json";

fn hook(fake: &FakeHttp) -> String {
    format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", fake.url("/x"))
}

fn web() -> String {
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[http.event]\nalicloud = \"{}\"\n\
         [[http.token]]\nname = \"ci\"\ntoken = \"{KEY}\"\nscopes = [\"message\"]\n",
        SECRETS[2]
    )
}

fn server() -> String {
    format!("[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{KEY}\"\nnum = 2\n")
}

/// `yyyy-MM-ddTHH:mm:ssZ`, so many seconds from now.
fn time(secs: i64) -> String {
    Zone::utc().rfc3339(Wall(wall().0 + secs * 1000)).replace("+00:00", "Z")
}

/// The full form, said so many seconds ago.
fn event(instance: &str, ago: i64) -> String {
    let time = time(-ago).replace(['-', ':'], "").replace('Z', ".926+0000");
    format!(
        r#"{{"ver":"1.0","id":"2256A988","product":"ECS","resourceId":"acs:ecs:cn-shanghai:1:instance/{instance}",
        "level":"WARN","name":"Instance:PreemptibleInstanceInterruption","userId":"1","eventTime":"{time}",
        "regionId":"cn-hangzhou","content":{{"instanceId":"{instance}","action":"delete"}},"status":"Normal"}}"#
    )
}

fn post(web: SocketAddr, path: &str, body: &str) -> Reply {
    ask(web, "POST", path, &[("Content-Type", JSON)], body.as_bytes())
}

fn told(fake: &FakeHttp, kind: &str) -> Vec<serde_json::Value> {
    fake.asked().iter().map(Asked::json).filter(|json| json["kind"] == kind).collect()
}

/// Has a message told, after which all that was to be told before it is.
fn settle(web: SocketAddr, fake: &FakeHttp, id: &str) {
    let body = format!("{{\"title\":\"settle {id}\",\"id\":\"{id}\"}}");
    let reply = ask(web, "POST", "/event/generic", &[("Authorization", &format!("Bearer {KEY}"))], body.as_bytes());
    assert_eq!(reply.status, 202, "{reply:?}");
    fake.wait(1, |asked| asked.json()["title"].as_str().is_some_and(|title| title.contains(&format!("settle {id}"))));
}

#[test]
fn a_push_is_told_once_also_after_a_restart() {
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let config = ["name = \"vps\"\n", &web(), &hook(&fake)].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    let at = daemon.ready_web();
    let body = event("i-abcdef", 20);
    assert_eq!(post(at, PATH, &body).status, 200);
    let message = fake.wait(1, |asked| asked.json()["kind"] == "interrupt")[0].json();
    assert_eq!((message["subject"].as_str(), message["severity"].as_str()), (Some("i-abcdef"), Some("critical")));
    let facts = &message["facts"];
    assert_eq!((facts["provider"].as_str(), facts["region"].as_str()), (Some("AliCloud"), Some("cn-hangzhou")));
    assert_eq!((facts["instance"].as_str(), facts["action"].as_str()), (Some("i-abcdef"), Some("release")));
    assert!(facts["deadline"].as_str().is_some(), "{message}");
    assert_eq!(post(at, PATH, &body).status, 200);
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config);
    let at = daemon.ready_web();
    // The short form says nothing of when it was.
    let short = body.replace("\"eventTime\"", "\"some\"");
    assert_eq!(post(at, PATH, &short).status, 200);
    assert_eq!(post(at, PATH, &body).status, 200);
    let form = format!("{PATH}?data={}", body.bytes().map(|b| format!("%{b:02x}")).collect::<String>());
    assert_eq!(ask(at, "GET", &form, &[], b"").status, 200);
    assert_eq!(post(at, PATH, &event("i-other", 0)).status, 200);
    fake.wait(2, |asked| asked.json()["kind"] == "interrupt");
    settle(at, &fake, "1");
    assert_eq!(told(&fake, "interrupt").len(), 2);
    assert!(daemon.stop().success());
}

#[test]
fn what_is_no_reclaim_or_no_event_or_has_no_secret() {
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let mut daemon = Daemon::start(dir.path(), &["name = \"vps\"\n", &web(), &hook(&fake)].concat());
    let at = daemon.ready_web();
    let body = event("i-abcdef", 0);
    for (path, body, status) in [
        (PATH, body.replace("PreemptibleInstanceInterruption", "StateChange"), 200),
        (PATH, "{\"alert\":{\"alertStatus\":\"RESOLVED\"}}".to_owned(), 200),
        (PATH, "hello".to_owned(), 400),
        (PATH, String::new(), 400),
        (PATH, "[".repeat(60_000), 400),
        ("/event/alicloud/planted-hook-toke", body.clone(), 404),
        ("/event/alicloud/", body.clone(), 404),
        ("/event/alicloud", body.clone(), 404),
        ("/event/alicloud/planted-hook-token/x", body.clone(), 404),
    ] {
        let reply = post(at, path, &body);
        assert_eq!(reply.status, status, "{path} {body:.60}: {reply:?}");
    }
    let large = post(at, PATH, &"x".repeat(70_000));
    assert_eq!(large.status, 413, "{large:?}");
    assert_eq!(ask(at, "PUT", PATH, &[], b"{}").status, 405);
    settle(at, &fake, "1");
    assert!(told(&fake, "interrupt").is_empty());
    let output = daemon.output();
    assert_eq!(output.matches("is ignored").count(), 1, "{output}");
    assert_eq!(output.matches("wrong token").count(), 1, "{output}");
    assert!(daemon.stop().success());
    // Without the key there is no such path, and nobody is blamed for asking.
    let dir = TempDir::new();
    let mut daemon = Daemon::start(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"\n");
    let at = daemon.ready_web();
    for _ in 0..20 {
        assert_eq!(post(at, PATH, &body).status, 404);
    }
    assert!(daemon.stop().success());
}

/// An instance at Alibaba that is told to go once `notice` is true.
fn alibaba(notice: bool) -> impl FnMut(&Asked) -> Answer + Send {
    let time = time(290);
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", _) => Answer::ok("token"),
        ("GET", "/latest/dynamic/instance-identity/document") => Answer::ok(
            r#"{"instance-id":"i-abc","zone-id":"z","region-id":"r","private-ipv4":"10.0.0.1","instance-type":"t"}"#,
        ),
        ("GET", path) if notice && path.ends_with("/spot/termination-time") => Answer::ok(&time),
        _ => Answer::status(404, ""),
    }
}

fn spot(cloud: &FakeHttp) -> String {
    format!("provider = \"AliCloud\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n", cloud.url(""))
}

fn host(cloud: &FakeHttp, port: u16) -> String {
    let uri = format!("ic://default:{KEY}@127.0.0.1:{port}");
    format!("name = \"web-1\"\n{}[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"{uri}\"\n", spot(cloud))
}

/// The instance beats to the server that gets the push: in both orders, with the server started anew in between.
#[test]
fn the_own_notice_and_the_push_are_one() {
    for pushed_first in [true, false] {
        let (a, b) = (TempDir::new(), TempDir::new());
        let fake = FakeHttp::start(|_| Answer::ok(""));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = server().replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
        let config = ["name = \"vps\"\n", &server, &web(), &hook(&fake)].concat();
        let mut watcher = Daemon::start(a.path(), &config);
        let mut at = watcher.ready_web();
        let cloud = FakeHttp::start(alibaba(false));
        let mut instance = Daemon::start(b.path(), &host(&cloud, port));
        instance.wait_line("(vps@");
        let body = event("i-abc", 2);
        if pushed_first {
            assert_eq!(post(at, PATH, &body).status, 200);
        } else {
            cloud.set(alibaba(true));
            fake.wait(1, |asked| asked.json()["kind"] == "interrupt");
        }
        assert!(watcher.stop().success());
        watcher = Daemon::start(a.path(), &config);
        at = watcher.ready_web();
        if pushed_first {
            cloud.set(alibaba(true));
            fake.wait(1, |asked| asked.json()["kind"] == "interrupt");
        }
        assert_eq!(post(at, PATH, &body).status, 200);
        settle(at, &fake, "1");
        let found = told(&fake, "interrupt");
        assert_eq!(found.len(), 1, "pushed first {pushed_first}: {found:#?}");
        assert_eq!(found[0]["subject"].as_str(), Some(&*format!("web-1@{}", watcher.name())));
        assert!(watcher.stop().success() && instance.stop().success());
    }
}

/// The cloud does not repeat what was taken.
#[test]
fn a_kill_after_the_answer_loses_no_reclaim() {
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let config = ["name = \"vps\"\n", &web(), &hook(&fake)].concat();
    for round in 0..8 {
        let mut daemon = Daemon::start(dir.path(), &config);
        let at = daemon.ready_web();
        let instance = format!("i-{round}");
        assert_eq!(post(at, PATH, &event(&instance, 2)).status, 200);
        daemon.kill();
        let mut daemon = Daemon::start(dir.path(), &config);
        daemon.ready_web();
        fake.wait(1, |asked| asked.text().contains(&instance));
        assert!(daemon.stop().success());
    }
}

/// The instance itself gets the push.
#[test]
#[ignore = "long: it waits until a reclaim is told that was held back"]
fn the_instance_may_get_the_push_itself() {
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let cloud = FakeHttp::start(alibaba(false));
    let config = ["name = \"web-1\"\n", &spot(&cloud), &web(), &hook(&fake)].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    let at = daemon.ready_web();
    let me = format!("web-1@{}", daemon.name());
    wait_for("the name of the instance", || daemon.status()["spot"].to_string().contains("i-abc").then_some(()));
    assert_eq!(post(at, PATH, &event("i-abc", 2)).status, 200);
    let pushed = fake.wait(1, |asked| asked.json()["kind"] == "interrupt")[0].json();
    assert_eq!(pushed["subject"].as_str(), Some(&*me));
    cloud.set(alibaba(true));
    wait_for("the own notice", || (daemon.status()["spot"]["state"] == "notice").then_some(()));
    settle(at, &fake, "1");
    // The cloud takes it back: the end of what people know.
    cloud.set(alibaba(false));
    let end = fake.wait(1, |asked| asked.json()["kind"] == "interrupt.withdrawn")[0].json();
    assert_eq!(end["incident"], pushed["incident"]);
    assert_eq!(told(&fake, "interrupt").len(), 1);
    assert!(daemon.stop().success());
}

#[test]
fn scripts_post_messages() {
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let config = ["name = \"vps\"\n", &web(), &hook(&fake), "min_severity = \"warning\"\n"].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    let at = daemon.ready_web();
    let bearer = format!("Bearer {KEY}");
    let say = |body: &str| ask(at, "POST", "/event/generic", &[("Authorization", &bearer)], body.as_bytes());
    let body = r#"{"title":"backup failed","text":"disk full\nsee log","severity":"critical","id":"night-7"}"#;
    let first = say(body);
    assert_eq!(first.status, 202, "{first:?}");
    let message = fake.wait(1, |_| true)[0].json();
    assert_eq!((message["kind"].as_str(), message["severity"].as_str()), (Some("message"), Some("critical")));
    assert!(message["title"].as_str().unwrap().contains("backup failed"), "{message}");
    assert_eq!(message["id"], first.json()["id"], "{message}");
    assert_eq!(say(body).json()["id"], first.json()["id"], "the same again");
    for (body, why) in [
        ("{}", "title: is missing or empty"),
        ("no", "this is no JSON"),
        (r#"{"title":"a","channels":["mail"]}"#, "there is no channel \"mail\""),
        (r#"{"title":"a"}"#, "no channel takes a message of severity info"),
    ] {
        let reply = say(body);
        let json = reply.json();
        assert_eq!((reply.status, json["error"].as_str()), (400, Some("bad_request")), "{reply:?}");
        assert!(json["message"].as_str().unwrap().starts_with(why), "{json}");
    }
    assert_eq!(post(at, "/event/generic", body).status, 401, "without a token");
    assert!(daemon.stop().success());
    let mut daemon = Daemon::start(dir.path(), &config);
    let at = daemon.ready_web();
    let reply = ask(at, "POST", "/event/generic", &[("Authorization", &bearer)], body.as_bytes());
    assert_eq!((reply.status, &reply.json()["id"]), (202, &first.json()["id"]), "and after a restart");
    let other = body.replace("night-7", "night-8");
    let reply = ask(at, "POST", "/event/generic", &[("Authorization", &bearer)], other.as_bytes());
    assert_eq!(reply.status, 202);
    fake.wait(2, |_| true);
    assert_eq!(fake.asked().len(), 2);
    assert!(daemon.stop().success());
}

#[test]
fn the_secret_must_be_one() {
    let dir = TempDir::new();
    let file = dir.join("c.toml");
    for (secret, code, said) in [
        ("\"\"", 78, "is empty"),
        ("\"a/b-and-more-of-it\"", 78, "stands in an address"),
        ("\"short\"", 0, "has fewer than 16 bytes"),
        ("\"planted-hook-token\"", 0, ""),
    ] {
        std::fs::write(&file, format!("[http]\nlisten = \"127.0.0.1:0\"\n[http.event]\nalicloud = {secret}\n"))
            .unwrap();
        let output = run(&["--config", file.to_str().unwrap(), "check"]);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.code() == Some(code) && text.contains(said), "{secret}: {text}");
    }
}

/// The function that forwards events, with the sample of the instructions.
#[test]
fn the_function_forwards() {
    let python = |args: &[&str]| Command::new("python3").args(args).stdin(Stdio::null()).output();
    if python(&["--version"]).is_err() {
        println!("SKIPPED: no python3 here");
        return;
    }
    let dir = TempDir::new();
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let mut daemon = Daemon::start(dir.path(), &["name = \"vps\"\n", &web(), &hook(&fake)].concat());
    let at = daemon.ready_web();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/alicloud");
    let call = |base: &str, secret: &str| {
        let code = "import sys; sys.path.insert(0, sys.argv[1]); import index; \
                    print(index.handler(open(sys.argv[1] + '/event.json', 'rb').read(), None))";
        let output = Command::new("python3")
            .args(["-B", "-c", code, folder])
            .env("IC_URL", base)
            .env("IC_SECRET", secret)
            .env("IC_RETRIES", "1")
            .env("IC_PAUSE", "0.01")
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let base = format!("http://{at}");
    let (ok, said) = call(&base, SECRETS[2]);
    assert!(ok, "{said}");
    let message = fake.wait(1, |asked| asked.json()["kind"] == "interrupt")[0].json();
    assert_eq!(message["facts"]["instance"].as_str(), Some("i-abcdef"), "{message}");
    let (ok, said) = call(&base, "planted-wrong-token-of-16");
    assert!(!ok && said.contains("404") && !said.contains("planted"), "{said}");
    // Nobody is there, then somebody is.
    let (ok, said) = call("http://127.0.0.1:1", SECRETS[2]);
    assert!(!ok && !said.contains("planted"), "{said}");
    let busy = FakeHttp::start({
        let mut n = 0;
        move |_| {
            n += 1;
            Answer::status(if n == 1 { 503 } else { 200 }, "")
        }
    });
    let (ok, said) = call(&busy.url(""), SECRETS[2]);
    assert!(ok && busy.asked().len() == 2, "{said}");
    assert!(daemon.stop().success());
}
