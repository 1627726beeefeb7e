//! What the SDK of these agents sends, byte for byte as Go's net/http writes it, over one connection that it keeps.

use super::site::{CI, Site, WEB1};
use crate::common::SECRETS;
use crate::common::ask::{Asker, get};
use crate::common::daemon::Daemon;

/// `path` with the headers in Go's order: it names the content of a GET, too.
fn go(method: &str, path: &str, body: Option<&str>) -> String {
    let length = body.map(|body| format!("Content-Length: {}\r\n", body.len())).unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:9081\r\nUser-Agent: Go-http-client/1.1\r\n{length}\
         Authorization: Bearer {WEB1}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n{}",
        body.unwrap_or_default()
    )
}

#[test]
fn a_recorded_exchange() {
    let site = Site::start("", "");
    let mut sdk = Asker::new(site.web);
    let mut say = |method: &str, path: &str, body: Option<&str>| {
        sdk.send(go(method, path, body).as_bytes());
        sdk.reply(method).unwrap()
    };
    let empty = say("GET", "/agent/job", None);
    assert_eq!((empty.status, empty.header("content-length")), (204, None));
    assert_eq!(say("POST", "/agent/job/add", Some(r#"{"message":"web1 date -u"}"#)).status, 201);
    let job = say("GET", "/agent/job", None);
    assert_eq!((job.status, job.header("content-type")), (200, Some("application/json")));
    assert_eq!((job.json().as_object().unwrap().len(), job.json()["message"].as_str()), (2, Some("date -u")));
    let id = job.json()["id"].as_str().unwrap().to_owned();
    let put = |verb: &str| format!("/agent/jobs/{id}/{verb}");
    assert_eq!(say("PUT", &put("running"), Some(r#"{"result":"half"}"#)).status, 204);
    assert_eq!(say("PUT", &put("succeed"), Some("{\"result\":\"\\u003cb\\u003e done\\n\"}")).status, 204);
    let again = say("PUT", &put("succeed"), Some(r#"{"result":"done"}"#));
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("JobFinished")));
    assert_eq!(say("POST", "/agent/message/warning", Some(r#"{"message":"disk is full"}"#)).status, 202);
    assert_eq!(say("POST", "/agent/kf", Some(r#"{"message":"hello"}"#)).status, 202);
    let wrong = say("POST", "/agent/job/add", Some(r#"{"message":"nobody date"}"#));
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (404, Some("AgentNotFound")));
    // No body at all, and an empty one.
    for body in [None, Some("")] {
        assert_eq!(site.outcome("POST", "/job/add", CI, r#"{"message":"w job"}"#).0, 201);
        let next = say("GET", "/agent/job", None).json()["id"].as_str().unwrap().to_owned();
        assert_eq!(say("PUT", &format!("/agent/jobs/{next}/fail"), body).status, 204);
    }
    assert_eq!(say("GET", "/status", None).status, 204);

    let done = &site.told(1, "job.done")[0];
    assert_eq!((&done["subject"], &done["facts"]["job"]), (&"web1".into(), &"date -u".into()));
    assert_eq!((&done["facts"]["output"], &done["facts"]["run"]), (&"<b> done".into(), &id.clone().into()));
    assert_eq!(site.told(2, "job.failed").len(), 2);
    let told = site.told(2, "message");
    let warning = told.iter().find(|event| event["severity"] == "warning").unwrap();
    assert_eq!((&warning["subject"], &warning["facts"]["headline"]), (&"web1".into(), &"disk is full".into()));
}

/// It is reported once: if it were refused, a job that went well would be told as lost.
#[test]
fn a_long_result_is_cut_and_not_lost() {
    let site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    let mut sdk = Asker::new(site.web);
    for (verb, result) in
        [("succeed", "失\\n".repeat(1_000_000)), ("fail", format!("e\",\"x\":\"{}", "y".repeat(70_000)))]
    {
        assert_eq!(site.outcome("POST", "/job/add", CI, r#"{"message":"w job"}"#).0, 201);
        let id = site.pop(WEB1).0;
        let body = format!("{{\"result\":\"{result}\"}}");
        sdk.send(go("PUT", &format!("/agent/jobs/{id}/{verb}"), Some(&body)).as_bytes());
        assert_eq!(sdk.reply("PUT").unwrap().status, 204);
    }
    let done = &site.told(1, "job.done")[0];
    assert!(done["facts"]["output"].as_str().unwrap().starts_with("失 失"), "{done}");
    assert_eq!(site.told(1, "job.failed")[0]["facts"]["output"], "e");
    // Nobody else may send so much.
    let long = format!("{{\"message\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(site.ask("POST", "/agent/message/info", WEB1, &long).status, 413);
}

#[test]
fn only_a_wrong_token_is_told_so_and_guessing_is_counted() {
    let mut site = Site::start("", "");
    assert_eq!(site.outcome("GET", "/agent/job", WEB1, ""), (204, String::new()));
    // A user's token is no agent's, and the other way round.
    assert_eq!(site.outcome("GET", "/agent/job", CI, ""), (401, "Unauthorized".to_owned()));
    assert_eq!(site.ask("POST", "/job/add", WEB1, r#"{"message":"web1 x"}"#).status, 401);
    let mut last = 0;
    for n in 0..30 {
        last = site.ask("GET", "/agent/job", &format!("planted-wrong-token-{n}"), "").status;
    }
    assert_eq!(last, 429);
    assert_eq!(site.ask("GET", "/status", "", "").status, 204);
    let lines = site.server.output();
    assert_eq!(lines.matches("wrong token").count(), 1, "{lines}");
    assert!(!lines.contains("planted-wrong-token"));
}

#[test]
fn status_shows_them() {
    let site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    site.ask("POST", "/job/add", CI, r#"{"message":"w x"}"#);
    let agents = site.server.status()["agents"].clone();
    assert_eq!((&agents[0]["name"], &agents[0]["state"]), (&"web1".into(), &"online".into()), "{agents}");
    assert_eq!((&agents[0]["queued"], &agents[1]["state"]), (&1.into(), &"unseen".into()), "{agents}");
    let table = String::from_utf8(site.server.ask(&["status"]).stdout).unwrap();
    assert!(table.contains("AGENT") && table.contains("web1") && table.contains("unseen"), "{table}");
    let figures = get(site.web, "/metrics", SECRETS[0]).text();
    for line in ["ic_agent_up{agent=\"web1\"} 1", "ic_agent_jobs{agent=\"web1\",state=\"queued\"} 1"] {
        assert!(figures.lines().any(|found| found == line), "no {line} in\n{figures}");
    }
    assert!(!figures.contains("ic_agent_up{agent=\"web2\"}"), "nobody knows yet");
    // Polls leave the disk alone.
    let file = site.dir.join("srv/state/agents.json");
    let written = |site: &Site| {
        site.ask("GET", "/agent/job", WEB1, "");
        std::fs::metadata(&file).unwrap().modified().unwrap()
    };
    written(&site);
    let before = written(&site);
    for _ in 0..50 {
        assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204);
    }
    assert_eq!(written(&site), before);
    let _ = Daemon::pid(&site.server);
}
