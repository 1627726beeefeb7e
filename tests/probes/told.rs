//! What is told, by whom, and how often.

use super::{Door, channel, hook, is, reload, settled, standing, told, wait_state};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::{SECRETS, TempDir, wait_for};

#[test]
fn one_down_and_one_up_over_two_restarts() {
    let (dir, hook, mut door) = (TempDir::new(), hook(), Door::open());
    let config = ["name = \"web\"\n", &channel(&hook), &door.probe("shop", "")].concat();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    wait_state(&daemon, "shop", "up");
    door.close();
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert_eq!((&down["kind"], &down["severity"]), (&"probe.down".into(), &"critical".into()));
    assert_eq!(down["facts"]["target"], door.address.to_string());
    assert!(down["subject"].as_str().unwrap().starts_with("web@"));
    assert!(down["title"].as_str().unwrap().ends_with(": shop"), "{}", down["title"]);
    let since = wait_state(&daemon, "shop", "down")["since"].clone();
    settled(dir.path());
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    assert_eq!(wait_state(&daemon, "shop", "down")["since"], since);
    daemon.stop();
    door.open_again();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    let up = hook.wait(1, |asked| asked.json()["kind"] == "probe.up").remove(0).json();
    println!("{up:#}");
    assert_eq!(up["incident"], down["incident"]);
    wait_state(&daemon, "shop", "up");
    let output = daemon.ask(&["status"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{table}");
    assert!(table.contains("PROBE") && table.contains("shop") && output.status.code() == Some(0), "{table}");
    assert!(is(&told(&hook), &[("probe.down", "shop"), ("probe.up", "shop")]), "{:?}", told(&hook));
}

#[test]
fn what_is_down_from_the_start_is_told_and_what_is_up_is_not() {
    let (dir, hook, mut closed, open) = (TempDir::new(), hook(), Door::open(), Door::open());
    closed.close();
    let probes = [open.probe("open", ""), closed.probe("closed", "severity = \"warning\"")].concat();
    let mut daemon = Daemon::start(dir.path(), &[&channel(&hook), &*probes].concat());
    daemon.wait_line("ready");
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert_eq!((&down["facts"]["probe"], &down["severity"]), (&"closed".into(), &"warning".into()));
    assert!(down["facts"]["reason"].as_str().unwrap().starts_with("it has not worked since it is watched; "), "{down}");
    wait_state(&daemon, "open", "up");
    assert_eq!(daemon.ask(&["status"]).status.code(), Some(1), "something is down");
    assert_eq!(hook.asked().len(), 1);
}

#[test]
fn a_probe_explains_another() {
    let (dir, hook, mut router, mut web) = (TempDir::new(), hook(), Door::open(), Door::open());
    let config = [channel(&hook), web.probe("web", "depends_on = \"router\""), router.probe("router", "")];
    let mut daemon = Daemon::start(dir.path(), &config.concat());
    daemon.wait_line("ready");
    wait_state(&daemon, "web", "up");
    wait_state(&daemon, "router", "up");
    web.close();
    router.close();
    hook.posts(1);
    wait_for("the explanation", || standing(&daemon, "web").filter(|web| web["because"] == "router"));
    web.open_again();
    router.open_again();
    hook.posts(2);
    wait_state(&daemon, "web", "up");
    assert!(is(&told(&hook), &[("probe.down", "router"), ("probe.up", "router")]), "{:?}", told(&hook));
    // Alone it is told.
    web.close();
    hook.posts(3);
    assert_eq!(told(&hook)[2], ("probe.down".to_owned(), "web".to_owned()));
}

#[test]
fn a_host_explains_a_probe_and_a_silence_keeps_one_quiet() {
    let (dir, hook, mut share, mut other) = (TempDir::new(), hook(), Door::open(), Door::open());
    let config = [
        "name = \"vps\"\n[keepalive]\ngrace = 1\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nnum = 2\nkey = \"",
        SECRETS[0],
        "\"\n",
        &channel(&hook),
        &share.probe("share", "depends_on = \"nas@home\""),
        &other.probe("other", ""),
    ];
    let mut daemon = Daemon::start(dir.path(), &config.concat());
    let server = daemon.ready();
    let mut nas = Beater::new(server, SECRETS[0], "nas@home");
    nas.period = 1.0;
    nas.beat().unwrap();
    wait_state(&daemon, "share", "up");
    wait_state(&daemon, "other", "up");
    let output = daemon.ask(&["silence", "other"]);
    assert!(output.status.success(), "{output:?}");
    share.close();
    other.close();
    // It beats no more: its silence is told, and nothing else.
    hook.posts(1);
    wait_for("the explanation", || standing(&daemon, "share").filter(|share| share["because"] == "nas@home"));
    wait_for("the silence", || standing(&daemon, "other").filter(|other| other["because"] == "silenced"));
    assert!(is(&told(&hook), &[("offline", "")]), "{:?}", told(&hook));
    let output = daemon.ask(&["unsilence", "other"]);
    assert!(output.status.success(), "{output:?}");
    hook.posts(2);
    assert!(is(&told(&hook)[1..], &[("probe.down", "other")]), "{:?}", told(&hook));
}

#[test]
fn a_reload_keeps_what_is_down_and_drops_what_is_gone() {
    let (dir, hook, mut one, mut two) = (TempDir::new(), hook(), Door::open(), Door::open());
    one.close();
    two.close();
    let config = |probes: &[String]| ["name = \"web\"\n", &channel(&hook), &probes.concat()].concat();
    let mut daemon = Daemon::start(dir.path(), &config(&[one.probe("one", ""), two.probe("two", "")]));
    daemon.wait_line("ready");
    hook.posts(2);
    reload(&daemon, dir.path(), &config(&[one.probe("one", "min_rises = 1"), two.probe("three", "")]));
    // The new one is told; the one that is gone ends without a word.
    hook.posts(3);
    wait_for("the end of the other", || {
        let history = daemon.ask(&["history", "--json"]);
        let rows: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
        let open = rows.as_array().unwrap().iter().filter(|row| row["ended"].is_null()).count();
        (open == 2).then_some(())
    });
    assert!(standing(&daemon, "two").is_none());
    one.open_again();
    hook.posts(4);
    let mut all = told(&hook);
    all[..2].sort();
    let want = [("probe.down", "one"), ("probe.down", "two"), ("probe.down", "three"), ("probe.up", "one")];
    assert!(is(&all, &want), "{all:?}");
}

#[test]
fn the_server_tells_for_a_host_without_channels() {
    let (a, b, hook, mut door) = (TempDir::new(), TempDir::new(), hook(), Door::open());
    let server = ["name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"", SECRETS[0], "\"\n"];
    let mut vps = Daemon::start(a.path(), &[&*server.concat(), &channel(&hook)].concat());
    let port = vps.ready().port();
    let uri = format!("ic://default:{}@127.0.0.1:{port}", SECRETS[0]);
    let config = format!(
        "name = \"web\"\n[keepalive]\nperiod = 1\n[keepalive.client]\nuri = \"{uri}\"\n{}",
        door.probe("shop", "")
    );
    let mut web = Daemon::start(b.path(), &config);
    web.wait_line("ready");
    wait_state(&web, "shop", "up");
    door.close();
    let down = hook.posts(1).remove(0).json();
    println!("{down:#}");
    assert!(down["subject"].as_str().unwrap().starts_with("web@"));
    assert_eq!((&down["kind"], &down["facts"]["probe"]), (&"probe.down".into(), &"shop".into()));
    // A restart of the host repeats nothing.
    web.kill();
    let mut web = Daemon::start(b.path(), &config);
    web.wait_line("ready");
    wait_state(&web, "shop", "down");
    door.open_again();
    let up = hook.posts(2).remove(1).json();
    println!("{up:#}");
    assert_eq!((&up["kind"], &up["incident"]), (&"probe.up".into(), &down["incident"]));
    assert!(!up["facts"]["duration"].is_null(), "{up:#}");
    assert_eq!(hook.asked().len(), 2);
}

#[test]
fn a_silence_until_healthy_ends_when_the_probe_is_up_again() {
    let (dir, hook, mut door) = (TempDir::new(), hook(), Door::open());
    let mut daemon = Daemon::start(dir.path(), &[channel(&hook), door.probe("shop", "")].concat());
    daemon.wait_line("ready");
    wait_state(&daemon, "shop", "up");
    assert!(daemon.ask(&["silence", "shop", "--until-healthy"]).status.success());
    door.close();
    wait_for("the silence", || standing(&daemon, "shop").filter(|shop| shop["because"] == "silenced"));
    door.open_again();
    wait_state(&daemon, "shop", "up");
    wait_for("its end", || daemon.status()["silences"].as_array()?.is_empty().then_some(()));
    door.close();
    hook.posts(1);
    assert!(is(&told(&hook), &[("probe.down", "shop")]), "{:?}", told(&hook));
}

/// Its beats say how the server is; the probe connects to nobody.
#[test]
fn a_passive_probe_reads_how_the_beats_went() {
    let (a, b, hook) = (TempDir::new(), TempDir::new(), hook());
    let server = |port: u16| {
        format!("name = \"vps\"\n[keepalive.server]\nlisten = \"127.0.0.1:{port}\"\nkey = \"{}\"\n", SECRETS[0])
    };
    let mut vps = Daemon::start(a.path(), &server(0));
    let address = vps.ready();
    let unused = Door::open();
    let config = format!(
        "name = \"nas\"\n{}[keepalive]\nperiod = 0.5\n[keepalive.client]\nuri = \"ic://default:{}@{address}\"\n\
         [[probe]]\nname = \"monitor\"\ntcp = \"{address}\"\npassive = true\nfast = 1\nmax_fails = 2\n\
         [[probe]]\nname = \"unused\"\ntcp = \"{}\"\npassive = true\nfast = 1\n",
        channel(&hook),
        SECRETS[0],
        unused.address
    );
    let mut nas = Daemon::start(b.path(), &config);
    nas.wait_line("ready");
    wait_state(&nas, "monitor", "up");
    vps.stop();
    let down = hook.wait(1, |asked| asked.json()["kind"] == "probe.down").remove(0).json();
    println!("{down:#}");
    assert_eq!(down["facts"]["probe"], "monitor");
    let mut vps = Daemon::start(a.path(), &server(address.port()));
    vps.ready();
    hook.wait(1, |asked| asked.json()["kind"] == "probe.up");
    let unused = standing(&nas, "unused").unwrap();
    assert!(unused["state"] == "unknown" && unused["last"].is_null(), "{unused}");
}
