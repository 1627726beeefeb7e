//! The rehearsal of a reclaim, from the notice of the cloud to the work that goes on elsewhere.

use std::fs;
use std::time::Instant;

use interrupt_callback::clock::{self, Wall};
use interrupt_callback::zone::Zone;

use super::site::{Site, name};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};
use crate::common::{wait_for, wait_within};

/// What daemons say and what is seen of them, with milliseconds since the beginning.
struct Steps {
    began: Instant,
    lines: Vec<(u128, &'static str, String)>,
    /// How many lines of each daemon are known.
    known: [usize; 3],
}

impl Steps {
    /// What was said before is not meant.
    fn new(site: &mut Site) -> Steps {
        let mut steps = Steps { began: Instant::now(), lines: Vec::new(), known: [0; 3] };
        steps.look(site);
        steps.lines.clear();
        steps.began = Instant::now();
        steps
    }

    fn look(&mut self, site: &mut Site) {
        let [first, second] = &mut site.agents[..] else { panic!("two hosts") };
        for (at, (who, daemon)) in [("server", &mut site.server), ("w0", first), ("w1", second)].into_iter().enumerate()
        {
            let said = daemon.output();
            for line in said.lines().skip(self.known[at]) {
                self.lines.push((self.began.elapsed().as_millis(), who, line.trim().to_owned()));
            }
            self.known[at] = said.lines().count();
        }
    }

    fn note(&mut self, what: &str) {
        self.lines.push((self.began.elapsed().as_millis(), "test", what.to_owned()));
    }

    fn find(&self, who: &str, words: &[&str]) -> Option<u128> {
        let fits = |line: &str| words.iter().all(|word| line.contains(word));
        self.lines.iter().find(|(_, whose, line)| *whose == who && fits(line)).map(|(ms, ..)| *ms)
    }

    fn last(&self) -> u128 {
        self.lines.iter().map(|(ms, ..)| *ms).max().unwrap_or_default()
    }

    fn print(&self) {
        for (ms, who, line) in &self.lines {
            println!("{ms:>6}  {who:<6}  {line}");
        }
    }
}

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

/// Each step stands in a log, by the minute in which somebody looks for it, with its run or incident.
fn each_step_is_said(steps: &Steps, ids: &[String]) {
    let moved = ids.iter().find(|id| steps.find("w0", &["job ", id, "ended after"]).is_some()).expect("its end");
    for (who, words) in [
        ("w0", &["interrupt: ", "(incident "][..]),
        ("w0", &["callback save: starts ", " ms after interrupt ", "(incident "]),
        ("w0", &["callback save: exit code 0 after ", "(incident "]),
        ("w0", &["callback call: called after ", "(incident "]),
        ("w0", &["hook: told interrupt ", "(incident "]),
        ("w0", &["job ", moved, "ended after", "handed back, another host is to run it"]),
        ("w1", &["job ", moved, "begins"]),
        ("server", &["interrupt: ", "(incident ", "told by its host"]),
        ("server", &["1 job left "]),
        ("server", &["job.moved: ", "(incident "]),
        ("server", &["hook: told job.moved ", "(incident "]),
    ] {
        assert!(steps.find(who, words).is_some(), "{who} does not say {words:?}");
    }
    let once =
        steps.lines.iter().filter(|(_, who, line)| *who == "server" && line.contains("told by its host")).count();
    assert_eq!(once, 1, "it is told once");
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
    // Nobody has it while it is between two hosts.
    let host = |site: &Site, id: &str| {
        let log = site.log_of(id);
        super::site::find(&log, id).and_then(|run| run["host"].as_str()).unwrap_or_default().to_owned()
    };
    let on_first = ids.iter().filter(|id| host(&site, id) == name(0)).count();
    assert_eq!(on_first, 1, "two hosts share two jobs");

    let mut steps = Steps::new(&mut site);
    cloud.set(alibaba(true));
    let mut step = |site: &mut Site, what: &str, done: &dyn Fn(&Site) -> bool| {
        wait_within(crate::common::SOON * 2, what, || {
            steps.look(site);
            done(site).then_some(())
        });
        steps.note(what);
    };
    let text = || fs::read_to_string(&saved).unwrap_or_default();
    step(&mut site, "the callback has saved a file", &|_| text().ends_with('\n'));
    step(&mut site, "the webhook is called", &|_| api.asked().iter().any(|asked| asked.method == "POST"));
    let told =
        |path: &str, kind: &str| hook.asked().iter().any(|asked| asked.path == path && asked.tells(kind, &name(0)));
    step(&mut site, "the alert has come", &|_| told("/host", "interrupt"));
    step(&mut site, "the server knows", &|site| {
        let table = site.server.ask(&["status"]).stdout;
        String::from_utf8_lossy(&table).contains("to be reclaimed")
    });
    step(&mut site, "the job has begun on the other host", &|site| {
        ids.iter().all(|id| host(site, id) == name(1)) && site.deeds().len() == 3
    });
    step(&mut site, "the move is told", &|_| told("/server", "job.moved"));
    println!("{} s were left when the callback began; ms after the notice:", text().trim());
    steps.print();
    assert!(steps.last() < 80_000, "all of it before the deadline");
    each_step_is_said(&steps, &ids);
    assert!(site.server.ask(&["job", "cancel", "one"]).status.success());
    assert!(site.server.ask(&["job", "cancel", "two"]).status.success());
    for id in &ids {
        assert_eq!(site.wait_state(id, &["cancelled", "lost", "failed", "succeeded"]), "cancelled");
    }
}
