//! A queue on the web: what it gives out runs once, and hears how it went.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::site::allow;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SECRETS, TempDir, wait_for};

/// A service with these jobs; results fail so often before one is taken.
fn service(jobs: Vec<Value>, mut failures: u32) -> FakeHttp {
    let jobs = Arc::new(Mutex::new(jobs));
    FakeHttp::start(move |asked| {
        assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {}", SECRETS[1])));
        match (&*asked.method, &*asked.path) {
            ("GET", "/base/agent/job") => {
                let mut jobs = jobs.lock().unwrap();
                if jobs.is_empty() { Answer::status(204, "") } else { Answer::ok(&jobs.remove(0).to_string()) }
            }
            ("PUT", _) if failures > 0 => {
                failures -= 1;
                Answer::status(503, "later")
            }
            ("PUT", path) if path.contains("finished") => Answer::status(400, r#"{"error":"JobFinished"}"#),
            ("PUT", _) => Answer::status(204, ""),
            _ => Answer::status(404, ""),
        }
    })
}

fn config(service: &FakeHttp, allow: &str) -> String {
    format!(
        "name = \"q\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\n[agent]\n{allow}\
         [agent.queue]\nurl = \"{}\"\ntoken = \"{}\"\nevery = 1\n",
        SECRETS[0],
        service.url("/base"),
        SECRETS[1]
    )
}

fn told(service: &FakeHttp, path: &str) -> Vec<Asked> {
    let path = format!("/base/agent/jobs/{path}");
    service.wait(1, |asked| asked.method == "PUT" && asked.path == path)
}

#[test]
fn what_a_queue_gives_out_runs_once_and_is_told() {
    let dir = TempDir::new();
    let canary = dir.join("canary");
    let shell = format!("x; touch {0}; $(touch {0}) `touch {0}`", canary.display());
    let service = service(
        vec![
            json!({"id": "good1", "message": "work a 0"}),
            json!({"id": "bad1", "message": "boom"}),
            json!({"id": "evil1", "message": shell}),
            json!({"id": "../../admin", "message": "work b 0"}),
            json!({"id": 7, "message": ["x"]}),
            json!({"id": "help1", "message": "help"}),
            json!({"id": "finished1", "message": "work c 0"}),
            json!({"id": "good1", "message": "work a 0"}),
        ],
        2,
    );
    let log = dir.join("log");
    let mut daemon = Daemon::start(dir.path(), &config(&service, &allow(&log)));
    daemon.ready();
    assert_eq!(told(&service, "good1/succeed")[0].json()["result"], "done a");
    assert_eq!(told(&service, "bad1/fail")[0].json()["result"], "failed, exit code 7\nboom");
    assert!(told(&service, "evil1/fail")[0].json()["result"].as_str().unwrap().starts_with("refused: "));
    assert!(told(&service, "help1/succeed")[0].json()["result"].as_str().unwrap().starts_with("boom\nwork …"));
    told(&service, "finished1/succeed");
    assert!(daemon.status()["queue"]["answered"].is_number());
    let asked = service.asked().len();
    service.wait(asked + 3, |_| true);
    let begun = fs::read_to_string(&log).unwrap();
    assert_eq!(begun.lines().filter(|line| line.starts_with("begin a")).count(), 1, "{begun}");
    assert!(!begun.contains("begin b") && !canary.exists());
    assert!(service.asked().iter().all(|asked| !asked.path.contains("..")));
}

#[test]
fn what_ran_when_the_agent_was_killed_is_told_as_failed() {
    let dir = TempDir::new();
    let service = service(vec![json!({"id": "long1", "message": "work long 2"})], 0);
    let log = dir.join("log");
    let config = config(&service, &allow(&log));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    wait_for("its begin", || log.exists().then_some(()));
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let result = told(&service, "long1/fail")[0].json()["result"].as_str().unwrap().to_owned();
    assert!(result.contains("the agent was ended while it ran"), "{result}");
}

#[test]
fn a_wrong_token_is_said_once_and_asked_about_slowly() {
    let dir = TempDir::new();
    let service = FakeHttp::start(|_| Answer::status(401, r#"{"error":"Unauthorized"}"#));
    let mut daemon = Daemon::start(dir.path(), &config(&service, &allow(&dir.join("log"))));
    daemon.wait_line("it does not accept the token");
    let problem = || daemon.status()["queue"]["problem"].clone();
    wait_for("its problem", || (problem() == "it does not accept the token").then_some(()));
    // Two looks of the thread later.
    let until = std::time::Duration::from_secs(3);
    let bell = interrupt_callback::run::threads::Bell::default();
    bell.wait(until);
    assert_eq!(service.asked().len(), 1, "the next question comes after minutes");
    assert_eq!(daemon.output().matches("does not accept the token").count(), 1);
}
