//! What a request was told is done, is done: whatever becomes of the daemon a moment later.

use std::time::{Duration, Instant};

use super::site::{CI, Site, WEB1, WEB2};

#[test]
fn a_kill_after_each_answer_loses_and_repeats_nothing() {
    let mut site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    for text in ["first", "second"] {
        assert_eq!(site.ask("POST", "/job/add", CI, &format!(r#"{{"message":"web1 {text}"}}"#)).status, 201);
        site.server.kill();
        site.restart();
    }
    let (id, message) = site.pop(WEB1);
    assert_eq!(message, "first");
    site.server.kill();
    site.restart();
    // It was handed out: it does not come again, and its result is taken.
    let (next, message) = site.pop(WEB1);
    assert_eq!(message, "second");
    assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204);
    let path = |id: &str, verb: &str| format!("/agent/jobs/{id}/{verb}");
    assert_eq!(site.outcome("PUT", &path(&id, "succeed"), WEB2, "{}"), (404, "JobNotFound".to_owned()));
    assert_eq!(site.ask("PUT", &path(&id, "succeed"), WEB1, r#"{"result":"one"}"#).status, 204);
    site.server.kill();
    site.restart();
    assert_eq!(site.outcome("PUT", &path(&id, "fail"), WEB1, "{}"), (400, "JobFinished".to_owned()));
    assert_eq!(site.ask("PUT", &path(&next, "fail"), WEB1, r#"{"result":"two"}"#).status, 204);
    let failed = site.told(1, "job.failed");
    let done = site.told(1, "job.done");
    // Told again it would have the same id.
    assert!(done.iter().all(|event| event["id"] == done[0]["id"] && event["facts"]["output"] == "one"), "{done:?}");
    assert!(failed.iter().all(|event| event["id"] == failed[0]["id"]), "{failed:?}");
}

#[test]
fn a_delayed_job_fires_after_a_restart_and_not_before_its_time() {
    let mut site = Site::start("", "");
    let body = r#"{"message":"later","duration":"4s","callback":"https://192.0.2.1/hook"}"#;
    let asked = Instant::now();
    assert_eq!(site.ask("POST", "/agent/job/delayed", WEB1, body).status, 201);
    site.server.wait_line("callback of a delayed job is left out");
    site.server.kill();
    site.restart();
    let (id, message) = site.pop(WEB1);
    println!("after {:?}", asked.elapsed());
    assert_eq!(message, "later");
    assert!(asked.elapsed() >= Duration::from_millis(3900), "{:?}", asked.elapsed());
    assert_eq!(site.ask("PUT", &format!("/agent/jobs/{id}/succeed"), WEB1, r#"{"result":"x"}"#).status, 204);
    assert_eq!(site.told(1, "job.done")[0]["facts"]["job"], "later");
}

#[test]
fn what_the_disk_does_not_take_is_refused() {
    let site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    assert_eq!(site.ask("POST", "/job/add", CI, r#"{"message":"web1 x"}"#).status, 201);
    // A folder in the place of the file: even root cannot write it.
    let file = site.dir.join("srv/state/agents.json.tmp");
    std::fs::create_dir(&file).unwrap();
    for (method, path, token, body) in [
        ("POST", "/job/add", CI, r#"{"message":"web1 y"}"#),
        ("POST", "/agent/job/delayed", WEB1, r#"{"message":"z","minutes":1}"#),
        ("GET", "/agent/job", WEB1, ""),
    ] {
        assert_eq!(site.outcome(method, path, token, body), (503, "ServerError".to_owned()), "{path}");
    }
    std::fs::remove_dir(&file).unwrap();
    let (_, message) = crate::common::wait_for("the disk", || {
        let reply = site.ask("GET", "/agent/job", WEB1, "");
        (reply.status == 200).then(|| (0, reply.json()["message"].as_str().unwrap().to_owned()))
    });
    assert_eq!(message, "x");
    assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204, "what was refused is not there");
}

/// Three minutes of silence.
#[test]
#[ignore = "long"]
fn an_agent_that_falls_silent_is_told_and_told_back() {
    let site = Site::start("", "");
    site.ask("GET", "/agent/job", WEB1, "");
    assert_eq!(site.ask("POST", "/job/add", CI, r#"{"message":"web1 stale"}"#).status, 201);
    let silent = |kind: &str| {
        crate::common::wait_within(Duration::from_secs(300), kind, || {
            let told = site.hook.asked().iter().any(|asked| asked.tells(kind, "web1"));
            told.then_some(())
        });
    };
    silent("offline");
    silent("job.expired");
    assert_eq!(site.outcome("POST", "/job/add", CI, r#"{"message":"web1 x"}"#), (400, "InvalidAgent".to_owned()));
    assert_eq!(site.ask("GET", "/agent/job", WEB1, "").status, 204);
    let back = &site.told(1, "online")[0];
    println!("{back}");
    assert!(back["facts"]["duration"].is_number() || back["facts"]["duration"].is_string(), "{back}");
}
