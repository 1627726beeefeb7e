//! Calls of URLs by an agent, which nobody can take back: how long they may take, and what is said of one that was under
//! way when its run had to end.

use std::path::Path;

use super::fence::holder;
use super::site::{Site, find, name};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{SOON, TempDir, wait_for, wait_within};

const ENDS: [&str; 5] = ["succeeded", "failed", "expired", "cancelled", "lost"];
const UNDER_WAY: &str = "unknown: the call was under way when it had to end: perhaps it was heard";

/// A service that answers well once `go` exists.
fn slow(go: &Path) -> impl FnMut(&Asked) -> Answer + Send + use<> {
    let go = go.to_owned();
    move |asked| match &*asked.path {
        "/hooks/slow" => {
            wait_within(3 * SOON, "the word to answer", || go.exists().then_some(()));
            Answer::ok("done after all")
        }
        "/hooks/hang" => Answer::Hang,
        "/hooks/drip" => Answer::Drip,
        "/hooks/bad" => Answer::status(500, "no"),
        _ => Answer::ok("heard"),
    }
}

fn calls(api: &FakeHttp, path: &str) -> usize {
    // What is being answered is not listed yet.
    api.asked().iter().filter(|asked| asked.path == path).count()
}

fn urls(api: &FakeHttp, more: &str) -> String {
    format!("urls = [\"{}\"]\n{more}", api.url("/hooks/"))
}

/// The state of a run and how it ended.
fn end(site: &Site, id: &str) -> (String, String) {
    let state = site.wait_state(id, &ENDS);
    let log = site.log_of(id);
    let run = find(&log, id).unwrap();
    println!("{run}");
    (state, run["result"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_call_has_its_time_and_no_more() {
    let dir = TempDir::new();
    let api = FakeHttp::start(slow(&dir.join("go")));
    let site = Site::start(1, "", &urls(&api, "timeout = 2\n"));
    for (path, state, result) in [
        ("/hooks/good", "succeeded", "succeeded"),
        ("/hooks/bad", "failed", "failed: HTTP 500"),
        ("/hooks/hang", "failed", "failed: no answer in time"),
        ("/hooks/drip", "failed", "failed: no answer in time"),
    ] {
        let id = site.add(&["add", "--on", "any", "url", &api.url(path)]).remove(0);
        assert_eq!(end(&site, &id), (state.to_owned(), result.to_owned()), "{path}");
        assert_eq!(calls(&api, path), 1, "{path}");
    }
}

#[test]
fn a_call_that_is_cancelled_under_way_is_no_success() {
    let dir = TempDir::new();
    let go = dir.join("go");
    let api = FakeHttp::start(slow(&go));
    let mut site = Site::start(1, "", &urls(&api, ""));
    let id = site.add(&["add", "--on", "any", "url", &api.url("/hooks/slow")]).remove(0);
    site.wait_state(&id, &["running"]);
    site.agents[0].wait_line("begins");
    assert!(site.server.ask(&["job", "cancel", &id]).status.success());
    assert_eq!(end(&site, &id), ("lost".to_owned(), UNDER_WAY.to_owned()));
    let line = site.agents[0].wait_line(&id);
    println!("{line}");
    assert!(line.contains("ended after") && line.ends_with(UNDER_WAY), "{line}");
    // The answer comes all the same.
    std::fs::write(&go, "").unwrap();
    wait_for("the answer", || (calls(&api, "/hooks/slow") == 1).then_some(()));
    let next = site.add(&["add", "--on", "any", "url", &api.url("/hooks/good")]).remove(0);
    assert_eq!(end(&site, &next).0, "succeeded");
    assert_eq!(end(&site, &id).0, "lost");
    assert!(!site.agents[0].output().contains(&format!("{id} ended after 0 ms: succeeded")));
}

#[test]
#[ignore = "long: it waits for calls"]
fn calls_that_were_given_up_are_bounded_and_end() {
    let dir = TempDir::new();
    let api = FakeHttp::start(slow(&dir.join("go")));
    let site = Site::start(1, "", &urls(&api, "timeout = 12\n"));
    let threads = site.agents[0].proc_status("Threads");
    let ids: Vec<String> =
        (0..8).map(|_| site.add(&["add", "--on", "any", "url", &api.url("/hooks/hang")]).remove(0)).collect();
    for id in &ids {
        site.wait_state(id, &["running"]);
        assert!(site.server.ask(&["job", "cancel", id]).status.success());
    }
    for id in &ids {
        assert_eq!(site.wait_state(id, &ENDS), "lost");
    }
    println!("{threads} threads before, {} with 8 calls given up", site.agents[0].proc_status("Threads"));
    let call = || {
        let id = site.add(&["add", "--on", &name(0), "url", &api.url("/hooks/good")]).remove(0);
        end(&site, &id)
    };
    assert_eq!(call(), ("failed".to_owned(), "refused: too many calls that were given up are under way".to_owned()));
    // They have their time, like all others.
    wait_for("room", || (call().0 == "succeeded").then_some(()));
    wait_for("the end of all", || (site.agents[0].proc_status("Threads") == threads).then_some(()));
}

#[test]
fn a_call_whose_lease_ends_under_way_is_no_success() {
    let dir = TempDir::new();
    let go = dir.join("go");
    let api = FakeHttp::start(slow(&go));
    let job = format!(
        "[[job]]\nname = \"call\"\nmessage = \"url {}\"\non = \"any\"\nfailover = true\nidempotent = true\n",
        api.url("/hooks/slow")
    );
    let mut site = Site::start(2, &job, &urls(&api, ""));
    let id = site.add(&["run", "call"]).remove(0);
    site.wait_state(&id, &["running"]);
    let first = holder(&site, &id);
    // It hangs, and its answer comes while it does.
    site.agents[first].signal("STOP");
    wait_within(2 * SOON, "the other host", || (holder(&site, &id) != first).then_some(()));
    site.wait_state(&id, &["running"]);
    std::fs::write(&go, "").unwrap();
    assert_eq!(end(&site, &id), ("succeeded".to_owned(), "succeeded".to_owned()));
    wait_for("both answers", || (calls(&api, "/hooks/slow") == 2).then_some(()));
    site.agents[first].signal("CONT");
    let line = site.agents[first].wait_line("ended after");
    println!("{line}");
    assert!(line.ends_with(UNDER_WAY), "{line}");
    assert_eq!(holder(&site, &id), 1 - first, "its word counts no more");
}

#[test]
fn a_call_that_is_under_way_at_the_end_of_the_agent_is_lost() {
    let dir = TempDir::new();
    let api = FakeHttp::start(slow(&dir.join("go")));
    let mut site = Site::start(1, "", &urls(&api, ""));
    let id = site.add(&["add", "--on", "any", "url", &api.url("/hooks/hang")]).remove(0);
    site.wait_state(&id, &["running"]);
    assert!(site.agents[0].stop().success());
    println!("{}", site.agents[0].output());
    site.agents[0] = Daemon::start(&site.dir.join("w0"), &site.agent_configs[0]);
    println!("{}", site.agents[0].wait_line(&format!("job {id}: unknown: ")));
    let (state, result) = end(&site, &id);
    assert!(state == "lost" && result.starts_with("unknown: "), "{state} {result}");
}
