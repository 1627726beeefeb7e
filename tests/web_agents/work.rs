//! This program as the agent of such a server, and jobs for the hosts of a roster.

use std::fs;

use super::site::{CI, Site, WEB1};
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir, wait_for};

fn agent(site: &Site, dir: &TempDir) -> String {
    format!(
        "name = \"q\"\n[agent]\n[[agent.shortcut]]\nmessage = \"greet\"\nshell = \"echo greet >> {0}; echo hello\"\n\
         [[agent.shortcut]]\nmessage = \"boom\"\nshell = \"echo boom >&2; exit 7\"\n\
         [[agent.shortcut]]\nmessage = \"slow\"\nshell = \"echo slow >> {0}; exec sleep 300\"\n\
         [agent.queue]\nurl = \"http://{1}\"\ntoken = \"{WEB1}\"\nevery = 1\n",
        dir.join("log").display(),
        site.web
    )
}

#[test]
fn our_own_agent_works_for_it() {
    let site = Site::start("", "");
    let dir = TempDir::new();
    let config = agent(&site, &dir);
    let mut agent = Daemon::start(dir.path(), &config);
    agent.wait_line("ready");
    wait_for("its first question", || (site.server.status()["agents"][0]["state"] == "online").then_some(()));
    let add = |text: &str| {
        let body = format!(r#"{{"message":"w {text}"}}"#);
        assert_eq!(site.ask("POST", "/job/add", CI, &body).status, 201);
    };
    add("greet");
    assert_eq!(site.told(1, "job.done")[0]["facts"]["output"], "hello");
    add("boom");
    let failed = &site.told(1, "job.failed")[0];
    assert_eq!(failed["facts"]["output"], "failed, exit code 7 boom");
    add("not listed");
    let refused = &site.told(2, "job.failed")[1];
    assert!(refused["facts"]["output"].as_str().unwrap().starts_with("refused: "), "{refused}");
    // The agent is killed in the middle: its next run tells it.
    add("slow");
    wait_for("its begin", || fs::read_to_string(dir.join("log")).unwrap_or_default().contains("slow").then_some(()));
    agent.kill();
    let mut agent = Daemon::start(dir.path(), &config);
    agent.wait_line("ready");
    let cut = &site.told(3, "job.failed")[2];
    assert!(cut["facts"]["output"].as_str().unwrap().contains("was ended while it ran"), "{cut}");
    assert_eq!(fs::read_to_string(dir.join("log")).unwrap(), "greet\nslow\n");
    assert!(agent.status()["queue"]["problem"].is_null());
}

#[test]
fn the_server_may_be_away_while_a_job_runs() {
    let mut site = Site::start("", "");
    // It comes back where its agent looks for it.
    let http = format!("listen = \"{}\"", site.web);
    site.server.kill();
    let dir = TempDir::new();
    let text = fs::read_to_string(site.dir.join("srv/config.toml")).unwrap();
    let text = text.replace("listen = \"127.0.0.1:0\"", &http);
    let text = text.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>();
    site.server = Daemon::start(&site.dir.join("srv"), &text);
    site.server.ready_web();
    let go = dir.join("go");
    let config = agent(&site, &dir)
        .replace("exec sleep 300", &format!("until [ -e {} ]; do sleep 0.1; done; echo ok", go.display()));
    let mut agent = Daemon::start(&dir.join("agent"), &config);
    agent.wait_line("ready");
    wait_for("its first question", || (site.server.status()["agents"][0]["state"] == "online").then_some(()));
    assert_eq!(site.ask("POST", "/job/add", CI, r#"{"message":"web1 slow"}"#).status, 201);
    wait_for("its begin", || dir.join("log").exists().then_some(()));
    site.server.kill();
    fs::write(&go, "").unwrap();
    site.server = Daemon::start(&site.dir.join("srv"), &text);
    site.server.ready_web();
    assert_eq!(site.told(1, "job.done")[0]["facts"]["output"], "ok");
    assert_eq!(fs::read_to_string(dir.join("log")).unwrap(), "slow\n");
}

#[test]
fn a_script_reaches_the_hosts_of_the_roster_and_an_agent_does_not() {
    let dir = TempDir::new();
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let users = format!(
        "[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{0}\"\nnum = 10\n\
         [keepalive.server.users.box]\nkey = \"{0}-box\"\nhost = \"box@{hostname}\"\n",
        SECRETS[0]
    );
    let mut site = Site::start("", &users);
    let line = site.server.output();
    let port: u16 = line
        .split("listening on 127.0.0.1:")
        .nth(1)
        .and_then(|rest| rest.split([';', ',', ' ', '\n']).next())
        .and_then(|port| port.parse().ok())
        .unwrap_or_else(|| panic!("{line}"));
    let config = format!(
        "name = \"box\"\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"ic://box:{}-box@127.0.0.1:{port}\"\n\
         [agent]\nserver = \"srv@{hostname}\"\n[[agent.shortcut]]\nmessage = \"greet you\"\nshell = \"echo hi >> {}\"\n",
        SECRETS[0],
        dir.join("log").display()
    );
    let mut host = Daemon::start(&dir.join("box"), &config);
    host.wait_line("ready");
    let add = |target: &str, job: &str, token: &str, path: &str| {
        site.outcome("POST", path, token, &format!(r#"{{"message":"{target} {job}"}}"#))
    };
    let whole = format!("box@{hostname}");
    wait_for("what it takes", || (add(&whole, "greet  you", CI, "/job/add").0 == 201).then_some(()));
    wait_for("its end", || dir.join("log").exists().then_some(()));
    assert_eq!(add("box", "greet you", CI, "/job/add").0, 201);
    wait_for("both", || (fs::read_to_string(dir.join("log")).unwrap() == "hi\nhi\n").then_some(()));
    for (target, job, token, path, want) in [
        ("box", "rm -rf /", CI, "/job/add", (400, "InvalidAgent")),
        ("box", "", CI, "/job/add", (400, "InvalidMessage")),
        ("box", "greet\\u0001 you", CI, "/job/add", (400, "InvalidMessage")),
        ("bo", "greet you", CI, "/job/add", (404, "AgentNotFound")),
        ("box@elsewhere", "greet you", CI, "/job/add", (404, "AgentNotFound")),
        ("box", "greet you", WEB1, "/agent/job/add", (404, "AgentNotFound")),
    ] {
        assert_eq!(add(target, job, token, path), (want.0, want.1.to_owned()), "{target} {job}");
    }
}
