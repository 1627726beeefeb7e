use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use serde_json::Value;

use super::*;
use crate::config::plan::Reported;
use crate::http::{EventPlan, HttpPlan, Scopes, WebAgent};
use crate::run::board::{Board, State as BoardState};
use crate::run::state::testing::Folder;
use crate::run::store::{self, Folders};
use crate::run::threads::Stop;
use crate::secret::Secret;

/// A site with two agents, whose state is in a folder.
struct Place {
    site: Site,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    _folder: Folder,
}

fn plan(allow_query_token: bool) -> HttpPlan {
    let agent = |name: &str| WebAgent {
        name: name.to_owned(),
        alias: [name, "2"].concat(),
        token: Secret::new([name, "-token-0123456789"].concat()),
        notify: Reported::Always,
    };
    HttpPlan {
        listen: Vec::new(),
        tokens: Vec::new(),
        basic: None,
        allow_query_token,
        pings: Vec::new(),
        events: EventPlan::default(),
        agents: vec![agent("a"), agent("b")],
    }
}

impl Place {
    fn new() -> Place {
        let (folder, stop, site) = (Folder::default(), Stop::default(), Site::default());
        let (to_desk, _) = sync_channel(9);
        let folders = Folders { state: folder.path().into(), runtime: folder.path().join("run"), lock: None };
        let (to_store, store) = store::start(folders, to_desk.clone()).unwrap();
        let board = Arc::new(Board::new(BoardState::default(), to_desk));
        let (desk, thread) = desk::start(&plan(false).agents, None, board, to_store, stop.clone()).unwrap();
        site.follow(Some(Arc::new(plan(false))));
        site.employ(desk);
        Place { site, stop, threads: vec![thread, store], _folder: folder }
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        self.ask_with(method, path, &[("authorization", &["Bearer ", token].concat())], body)
    }

    fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (scopes, who, body) = (Scopes::default(), "ci", body.as_bytes());
        let request = Request { method, path, query, headers: &headers, body, peer, scopes, who };
        let answer = match path.split('/').nth(1) {
            Some("agent") => agent,
            Some("message") => message,
            Some("job") => job,
            _ => status,
        };
        let response = answer(&self.site, &request);
        assert_eq!(response.denied, response.status == 401);
        assert_eq!(response.headers.iter().any(|(name, _)| *name == "Allow"), response.status == 405);
        assert_eq!(response.body.is_empty(), response.status < 400 && response.status != 200, "{response:?}");
        if response.body.is_empty() {
            return (response.status, Value::Null);
        }
        assert_eq!(response.kind, "application/json");
        (response.status, crate::json::read(&response.body).unwrap())
    }

    fn refused(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let (status, answer) = self.ask(method, path, token, body);
        assert!(!answer["message"].as_str().unwrap_or_default().is_empty() || status < 400, "{answer}");
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.stop();
        self.site.agents().unwrap().wake();
        // They write to the last.
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

const A: &str = "a-token-0123456789";
const B: &str = "b-token-0123456789";

#[test]
fn only_an_unknown_token_is_unauthorized() {
    let place = Place::new();
    for (headers, status, key) in [
        (vec![], 400, "BadRequest"),
        (vec![("authorization", "")], 400, "BadRequest"),
        (vec![("authorization", A)], 400, "BadRequest"),
        (vec![("authorization", "Basic YTpi")], 400, "BadRequest"),
        (vec![("authorization", "Bearer ")], 400, "BadRequest"),
        (vec![("authorization", "Bearer a-token-012345678")], 401, "Unauthorized"),
        (vec![("authorization", "Bearer a-token-01234567890")], 401, "Unauthorized"),
        (vec![("authorization", "Bearer  a-token-0123456789")], 401, "Unauthorized"),
        (vec![("authorization", "Bearer a")], 401, "Unauthorized"),
        (vec![("AUTHORIZATION", "bEARER a-token-0123456789")], 204, ""),
    ] {
        let (found, answer) = place.ask_with("GET", "/agent/job", &headers, "");
        assert_eq!((found, answer["error"].as_str().unwrap_or_default()), (status, key), "{headers:?}");
    }
    // Own trouble: agents would end for good if it were a 401.
    let empty = Site::default();
    let headers: [(&str, &[u8]); 1] = [("authorization", b"Bearer x")];
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (path, scopes) = ("/agent/job", Scopes::default());
    let request = Request { method: "GET", path, query: "", headers: &headers, body: b"", peer, scopes, who: "" };
    assert_eq!(agent(&empty, &request).status, 503);
    empty.follow(Some(Arc::new(plan(false))));
    let headers: [(&str, &[u8]); 1] = [("authorization", b"Bearer a-token-0123456789")];
    assert_eq!(agent(&empty, &Request { headers: &headers, ..request }).status, 503);
}

#[test]
fn paths_and_methods() {
    let place = Place::new();
    for (method, path, status, key) in [
        ("GET", "/agent/", 404, "NotFound"),
        ("GET", "/agent/jobs", 404, "NotFound"),
        ("GET", "/agent/job/", 404, "NotFound"),
        ("HEAD", "/agent/job", 405, "MethodNotAllowed"),
        ("POST", "/agent/job", 405, "MethodNotAllowed"),
        ("PUT", "/agent/jobs/x", 404, "NotFound"),
        ("PUT", "/agent/jobs/x/explode", 404, "NotFound"),
        ("PUT", "/agent/jobs/x/y/succeed", 404, "NotFound"),
        ("POST", "/agent/jobs/x/succeed", 405, "MethodNotAllowed"),
        ("PUT", "/agent/jobs/x/succeed", 404, "JobNotFound"),
        ("PUT", "/agent/jobs//fail", 404, "JobNotFound"),
        ("PUT", "/agent/jobs/%2e%2e/running", 404, "JobNotFound"),
        ("GET", "/agent/job/add", 405, "MethodNotAllowed"),
        ("POST", "/agent/job/add", 400, "InvalidMessage"),
        ("POST", "/agent/job/delayed", 400, "InvalidMessage"),
        ("POST", "/agent/text", 404, "NotFound"),
        ("POST", "/agent/auto", 404, "NotFound"),
        ("POST", "/agent/message/kf", 404, "NotFound"),
        ("POST", "/agent/message/loud", 404, "NotFound"),
        ("GET", "/agent/message/info", 405, "MethodNotAllowed"),
        // Not before the daemon is up.
        ("POST", "/agent/message/info", 503, "ServerError"),
        ("POST", "/agent/kf", 503, "ServerError"),
        ("POST", "/agent/warning", 503, "ServerError"),
        ("POST", "/message/kf", 404, "NotFound"),
        ("POST", "/message/", 404, "NotFound"),
        ("GET", "/message/info", 405, "MethodNotAllowed"),
        ("PUT", "/message/info", 405, "MethodNotAllowed"),
        ("POST", "/job/delete", 404, "NotFound"),
        ("GET", "/job/add", 405, "MethodNotAllowed"),
        ("GET", "/status", 204, ""),
    ] {
        assert_eq!(place.refused(method, path, A, ""), (status, key.to_owned()), "{method} {path}");
    }
    place.site.follow(Some(Arc::new(plan(true))));
    place.ask("GET", "/agent/job", A, "");
    assert_eq!(place.ask("GET", "/job/add?token=x&msg=a2+date%20%2Du", "", "").0, 201);
    assert_eq!(place.ask("GET", "/agent/job", A, "").1["message"], "date -u");
    assert_eq!(place.ask("HEAD", "/job/add?msg=a2+date", "", "").0, 405);
}

#[test]
fn a_job_from_the_script_to_its_result() {
    let place = Place::new();
    let add = |body: &str| place.refused("POST", "/job/add", "", body);
    for (body, status, key) in [
        ("", 400, "InvalidMessage"),
        ("{}", 400, "InvalidMessage"),
        ("{\"message\":\" \"}", 400, "InvalidMessage"),
        ("{\"message\":\"c date\"}", 404, "AgentNotFound"),
        ("{\"message\":\"a date\"}", 400, "InvalidAgent"),
        ("{\"message\":7}", 400, "BadRequest"),
        ("message=a date", 400, "BadRequest"),
    ] {
        assert_eq!(place.refused("POST", "/agent/job/add", B, body), (status, key.to_owned()), "{body}");
    }
    assert_eq!(place.ask("GET", "/agent/job", A, ""), (204, Value::Null));
    assert_eq!(add("{\"message\":\"a\"}"), (400, "InvalidMessage".to_owned()));
    assert_eq!(add("{\"message\":\" a2 \\n date \\t -u  \"}"), (201, String::new()));
    assert_eq!(place.refused("POST", "/agent/job/add", B, "{\"message\":\"a second\"}"), (201, String::new()));
    let (status, job) = place.ask("GET", "/agent/job", A, "");
    assert_eq!((status, job["message"].as_str(), job.as_object().unwrap().len()), (200, Some("date -u"), 2));
    let id = job["id"].as_str().unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let put = |token, verb: &str, body| place.refused("PUT", &["/agent/jobs/", id, "/", verb].concat(), token, body);
    assert_eq!(put(B, "succeed", "{}"), (404, "JobNotFound".to_owned()));
    assert_eq!(put(A, "running", ""), (204, String::new()));
    assert_eq!(put(A, "succeed", "{\"result\":[]}"), (400, "BadRequest".to_owned()));
    assert_eq!(put(A, "succeed", ""), (204, String::new()));
    assert_eq!(put(A, "fail", "{\"result\":\"x\"}"), (400, "JobFinished".to_owned()));
    assert_eq!(place.ask("GET", "/agent/job", A, "").1["message"], "second");
    let big = ["{\"result\":\"", &"失".repeat(200_000), "\"}"].concat();
    assert_eq!(put(A, "succeed", &big), (400, "JobFinished".to_owned()));
}

#[test]
fn delays_as_the_service_takes_them() {
    let place = Place::new();
    for (body, status, key) in [
        (r#"{"message":"x","duration":"1h30m"}"#, 201, ""),
        (r#"{"message":"x","minutes":5}"#, 201, ""),
        (r#"{"message":"x","days":15,"hours":1,"callback":"https://example.com/hook"}"#, 201, ""),
        (r#"{"message":"x","duration":"-1s","days":3,"callback":"disable"}"#, 201, ""),
        (r#"{"message":"x","duration":"15d"}"#, 400, "InvalidDuration"),
        (r#"{"message":"x","duration":"5"}"#, 400, "InvalidDuration"),
        (r#"{"message":"x"}"#, 400, "InvalidDuration"),
        (r#"{"message":"x","days":0}"#, 400, "InvalidDuration"),
        (r#"{"message":"x","days":9223372036854775807}"#, 400, "InvalidDuration"),
        (r#"{"message":"x","days":4000}"#, 400, "InvalidDuration"),
        (r#"{"message":"x","days":"soon"}"#, 400, "BadRequest"),
        (r#"{"message":"","minutes":5}"#, 400, "InvalidMessage"),
        (r#"{"minutes":5}"#, 400, "InvalidMessage"),
    ] {
        assert_eq!(place.refused("POST", "/agent/job/delayed", A, body), (status, key.to_owned()), "{body}");
    }
    // What was due at once is there.
    assert_eq!(place.ask("GET", "/agent/job", A, "").0, 200);
    assert_eq!(place.ask("GET", "/agent/job", A, "").0, 204);
    assert_eq!(place.ask("GET", "/agent/job", B, "").0, 204);
}

#[test]
fn a_repeated_key_does_nothing_again() {
    let place = Place::new();
    place.ask("GET", "/agent/job", A, "");
    let add = |key: &str, who: &str, body: &str| {
        let bearer = ["Bearer ", who].concat();
        let headers = [("authorization", &*bearer), ("Idempotency-Key", key)];
        place.ask_with("POST", "/agent/job/add", &headers, body).0
    };
    let waiting = || {
        let mut count = 0;
        while place.ask("GET", "/agent/job", A, "").0 == 200 {
            count += 1;
        }
        count
    };
    assert_eq!(add("k1", A, "{\"message\":\"nobody x\"}"), 404, "a failure is no end");
    for _ in 0..3 {
        assert_eq!(add("k1", A, "{\"message\":\"a x\"}"), 201);
    }
    assert_eq!(waiting(), 1);
    assert_eq!(add("k1", B, "{\"message\":\"a x\"}"), 201, "another one's key");
    assert_eq!(add("k2", A, "{\"message\":\"a x\"}"), 201);
    assert_eq!((add("", A, "{\"message\":\"a x\"}"), add("", A, "{\"message\":\"a x\"}")), (201, 201));
    assert_eq!(waiting(), 4);
    assert_eq!(add(&"k".repeat(257), A, "{\"message\":\"a x\"}"), 400);
}
