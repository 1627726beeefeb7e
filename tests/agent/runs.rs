//! Where jobs run, how they end, and what is heard of it.

use std::fs;

use super::site::{Site, find, name};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, FakeHttp};
use crate::common::wait_for;

/// Whether no such process runs.
pub fn gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Err(_) => true,
        Ok(stat) => stat.contains(") Z "),
    }
}

#[test]
fn a_job_runs_on_any_on_one_and_on_all() {
    let mut site = Site::start(3, "", "");
    let any = site.add(&["add", "--on", "any", "work", "any", "0"]);
    let one = site.add(&["add", "--on", &name(1), "work", "one", "0"]);
    let all = site.add(&["add", "--on", "all", "work", "all", "0"]);
    assert_eq!((any.len(), one.len(), all.len()), (1, 1, 3));
    for id in [&any, &one, &all].into_iter().flatten() {
        assert_eq!(site.wait_state(id, &["succeeded", "failed", "lost", "expired"]), "succeeded");
    }
    let run = site.log_of(&one[0]);
    let run = find(&run, &one[0]).unwrap().clone();
    println!("{run}");
    assert_eq!((run["host"].as_str(), run["output"].as_str()), (Some(&*name(1)), Some("done one\n")));
    let mut deeds: Vec<String> = site.deeds().into_iter().filter(|deed| deed.0).map(|deed| deed.1).collect();
    deeds.sort();
    assert_eq!(deeds, ["all", "all", "all", "any", "one"]);
    // Nobody is told of them, and they are in the history all the same: with the host, and what it was.
    let output = site.server.ask(&["history"]);
    let history = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{history}");
    for id in [&any, &one, &all].into_iter().flatten() {
        let line = history.lines().find(|line| line.ends_with(id.as_str())).unwrap();
        assert!(line.starts_with("job.done ") && line.contains(": work "), "{line}");
    }
    let output = site.server.ask(&["history", "--json", &name(1)]);
    let of_one = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(of_one.contains(one[0].as_str()) && !of_one.contains(&name(0)), "{of_one}");
    // The server's log says it in a few words.
    let line = site.server.wait_line(&format!("({}) on", one[0]));
    assert!(line.ends_with(&format!("{}: succeeded", name(1))), "{line}");
    // What cannot be is refused at once.
    for (args, why) in [
        (&["job", "add", "--on", "nobody@x", "work"][..], "no host is called"),
        (&["job", "add", "--on", &name(0), "reboot"], "does not list this message"),
        (&["job", "run", "none"], "there is no job"),
    ] {
        let output = site.server.ask(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
    }
}

#[test]
fn a_failed_job_is_tried_again_and_told_in_the_end() {
    let site = Site::start(
        1,
        "[[job]]\nname = \"bad\"\nmessage = \"work x 0 3\"\non = \"any\"\nretries = 2\nretry_every = 1\n\
         [[job]]\nname = \"slow\"\nmessage = \"work slow 600\"\non = \"any\"\ntimeout = 1\n",
        "",
    );
    let bad = site.add(&["run", "bad"]).remove(0);
    let slow = site.add(&["run", "slow"]).remove(0);
    assert_eq!(site.wait_state(&bad, &["failed", "succeeded", "lost"]), "failed");
    assert_eq!(site.deeds().iter().filter(|deed| deed.0 && deed.1 == "x").count(), 3);
    assert_eq!(site.wait_state(&slow, &["failed", "succeeded", "lost"]), "failed");
    let run = site.log_of(&slow);
    println!("{run}");
    assert!(run.to_string().contains("not done in time"), "{run}");
    let mut server = site.server;
    server.wait_line("job bad");
}

#[test]
fn a_running_job_is_ended_with_all_its_processes() {
    let add = |pid: &str| {
        format!("[[agent.shortcut]]\nmessage = \"tree\"\nshell = \"sleep 1234 & echo $$ $! > {pid}; wait\"\n")
    };
    let dir = crate::common::TempDir::new();
    let pids = dir.join("pids");
    let site = Site::start(1, "", &add(&pids.display().to_string()));
    let id = site.add(&["add", "--on", "any", "tree"]).remove(0);
    let text = wait_for("its processes", || fs::read_to_string(&pids).ok().filter(|text| text.ends_with('\n')));
    site.wait_state(&id, &["running"]);
    assert!(site.server.ask(&["job", "cancel", &id]).status.success());
    assert_eq!(site.wait_state(&id, &["cancelled", "failed", "succeeded", "lost"]), "cancelled");
    for pid in text.split_whitespace() {
        wait_for("its end", || gone(pid).then_some(()));
    }
}

#[test]
fn preparation_comes_first_and_its_failure_tries_another_host() {
    let dir = crate::common::TempDir::new();
    let out = dir.join("out");
    // It fails on the host whose marker is there.
    let add = format!(
        "[[agent.shortcut]]\nmessage = \"prepare\"\nshell = \"echo prepare $PPID >> {0}; test ! -e {0}.bad || {{ rm {0}.bad; exit 9; }}\"\n",
        out.display()
    );
    let site = Site::start(
        2,
        "[[job]]\nname = \"train\"\nmessage = \"work train 0\"\non = \"any\"\nprepare = [\"prepare\"]\nretry_every = 1\n",
        &add,
    );
    fs::write(out.with_extension("bad"), "").unwrap();
    let first = site.add(&["run", "train"]).remove(0);
    assert_eq!(site.wait_state(&first, &["succeeded", "failed", "lost"]), "succeeded");
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 2, "one host failed, the other did it");
    for _ in 0..3 {
        let id = site.add(&["run", "train"]).remove(0);
        assert_eq!(site.wait_state(&id, &["succeeded", "failed", "lost"]), "succeeded");
    }
    let prepared = fs::read_to_string(&out).unwrap();
    assert!(prepared.lines().count() <= 3, "once for each host: {prepared}");
    assert_eq!(site.deeds().iter().filter(|deed| deed.0).count(), 4);
}

#[test]
fn an_agent_comes_and_goes_with_the_file() {
    let mut site = Site::start(1, "", "");
    let id = site.add(&["add", "--on", "any", "work", "long", "3"]).remove(0);
    site.wait_state(&id, &["running"]);
    let file = site.dir.join("w0/config.toml");
    let text = fs::read_to_string(&file).unwrap();
    let reload = |agent: &Daemon, text: &str| {
        fs::write(&file, text).unwrap();
        let output = agent.ask(&["reload"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let without = reload(&site.agents[0], text.split("[agent]").next().unwrap());
    assert!(without.contains("agent gone"), "{without}");
    let with = reload(&site.agents[0], &text);
    assert!(with.contains("agent"), "{with}");
    assert_eq!(site.wait_state(&id, &["succeeded", "failed", "lost"]), "succeeded");
    // The end of the daemon does not wait for what goes on without it.
    let id = site.add(&["add", "--on", "any", "work", "left", "2"]).remove(0);
    site.wait_state(&id, &["running"]);
    assert!(site.agents[0].stop().success());
    site.restart_agent(0);
    assert_eq!(site.wait_state(&id, &["succeeded", "failed", "lost"]), "lost");
    wait_for("its end", || site.deeds().iter().any(|deed| !deed.0 && deed.1 == "left").then_some(()));
}

#[test]
fn schedules_fire_and_urls_are_called() {
    let api = FakeHttp::start(|asked| if asked.path == "/bad" { Answer::status(500, "") } else { Answer::ok("") });
    let more = format!(
        "[[job]]\nname = \"tick\"\nmessage = \"work tick 0\"\non = \"any\"\ncron = \"* * * * * *\"\n\
         [[job]]\nname = \"good\"\nurl = \"{}\"\n[[job]]\nname = \"bad\"\nurl = \"{}\"\nretries = 1\nretry_every = 1\n",
        api.url("/good"),
        api.url("/bad")
    );
    let site = Site::start(1, &more, "");
    let good = site.add(&["run", "good"]).remove(0);
    let bad = site.add(&["run", "bad"]).remove(0);
    assert_eq!(site.wait_state(&good, &["succeeded", "failed", "lost"]), "succeeded");
    assert_eq!(site.wait_state(&bad, &["succeeded", "failed", "lost"]), "failed");
    assert_eq!(api.asked().iter().filter(|asked| asked.path == "/bad").count(), 2);
    wait_for("three firings", || (site.deeds().iter().filter(|deed| deed.0).count() >= 3).then_some(()));
    let deeds = site.deeds();
    let ids: Vec<&String> = deeds.iter().filter(|deed| deed.0).map(|deed| &deed.2).collect();
    assert!(ids.iter().enumerate().all(|(n, id)| !ids[..n].contains(id)), "{ids:?}");
}
