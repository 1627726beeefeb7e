//! The rehearsal of a reclaim, from the notice of the cloud to the work that goes on elsewhere.

use std::fs;
use std::time::Instant;

use interrupt_callback::clock::{self, Wall};
use interrupt_callback::zone::Zone;

use super::common::daemon::Daemon;
use super::common::http::{Answer, Asked, FakeHttp};
use super::common::{wait_for, wait_within};
use super::site::{Site, name};

/// An Alibaba instance that is told to go in 90 s once `notice` is true.
fn alibaba(notice: bool) -> impl FnMut(&Asked) -> Answer + Send {
    let time = Zone::utc().rfc3339(Wall(clock::wall().0 + 90_000)).replace("+00:00", "Z");
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", _) => Answer::ok("token"),
        ("GET", "/latest/dynamic/instance-identity/document") => Answer::ok(
            r#"{"instance-id":"i-abc","zone-id":"z","region-id":"r","private-ipv4":"10.0.0.1","instance-type":"t"}"#,
        ),
        ("GET", path) if notice && path.ends_with("/spot/termination-time") => Answer::ok(&time),
        _ => Answer::status(404, ""),
    }
}

#[test]
fn a_reclaim_is_told_saved_called_and_its_jobs_move_before_the_deadline() {
    let (cloud, hook, api) =
        (FakeHttp::start(alibaba(false)), FakeHttp::start(|_| Answer::ok("")), FakeHttp::start(|_| Answer::ok("")));
    let job = |name: &str| {
        format!("[[job]]\nname = \"{name}\"\nmessage = \"work {name} 600\"\non = \"any\"\nfailover = true\n")
    };
    let alert = format!("[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n", hook.url("/server"));
    let mut site = Site::start(2, &(job("one") + &job("two") + &alert), "");
    // The first host learns of its cloud and of what to do.
    assert!(site.agents[0].stop().success());
    let saved = site.dir.join("saved");
    let config = site.agent_configs[0].replacen(
        "[keepalive]",
        &format!("provider = \"AliCloud\"\ninterval = 0.2\n[spot]\nendpoint = \"{}\"\n[keepalive]", cloud.url("")),
        1,
    ) + &format!(
        "[alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\n[[callback]]\nname = \"save\"\non = [\"interrupt\"]\n\
         shell = \"echo $IC_SECONDS_LEFT > {}\"\n[[callback]]\nname = \"call\"\non = [\"interrupt\"]\nurl = \"{}\"\n",
        hook.url("/host"),
        saved.display(),
        api.url("/replace")
    );
    site.agents[0] = Daemon::start(&site.dir.join("w0"), &config);
    site.agents[0].wait_line("beating to");
    wait_for("a quiet cloud", || (site.agents[0].status()["spot"]["state"] == "quiet").then_some(()));
    site.known(0);
    let ids = [site.add(&["run", "one"]).remove(0), site.add(&["run", "two"]).remove(0)];
    for id in &ids {
        site.wait_state(id, &["running"]);
    }
    wait_for("both to begin", || (site.deeds().len() == 2).then_some(()));
    let host =
        |site: &Site, id: &str| super::site::find(&site.log_of(id), id).unwrap()["host"].as_str().unwrap().to_owned();
    let on_first = ids.iter().filter(|id| host(&site, id) == name(0)).count();
    assert_eq!(on_first, 1, "two hosts share two jobs");

    cloud.set(alibaba(true));
    let began = Instant::now();
    let mut figures = Vec::new();
    let mut step = |what: &str| figures.push(format!("{what}: {} ms", began.elapsed().as_millis()));
    wait_for("the file", || fs::read_to_string(&saved).ok().filter(|text| text.ends_with('\n')));
    step("saved");
    api.posts(1);
    step("webhook called");
    hook.wait(1, |asked| asked.path == "/host" && asked.tells("interrupt", &name(0)));
    step("alert sent");
    wait_for("the server to know", || {
        let table = site.server.ask(&["status"]).stdout;
        String::from_utf8_lossy(&table).contains("to be reclaimed").then_some(())
    });
    step("server knows");
    wait_within(super::common::SOON * 2, "the jobs to move", || {
        (ids.iter().all(|id| host(&site, id) == name(1)) && site.deeds().len() == 3).then_some(())
    });
    step("job moved and begun elsewhere");
    hook.wait(1, |asked| asked.path == "/server" && asked.tells("job.moved", &name(0)));
    step("move told");
    println!("{}", figures.join("\n"));
    assert!(began.elapsed().as_secs() < 90, "all of it before the deadline");
    for line in site.agents[0].output().lines().chain(site.server.output().lines()) {
        if ["callback", "job"].iter().any(|word| line.contains(word)) {
            println!("{line}");
        }
    }
    assert!(site.server.ask(&["job", "cancel", "one"]).status.success());
    assert!(site.server.ask(&["job", "cancel", "two"]).status.success());
    for id in &ids {
        assert_eq!(site.wait_state(id, &["cancelled", "lost", "failed", "succeeded"]), "cancelled");
    }
}
