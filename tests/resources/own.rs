//! What this machine is short of.

use std::fs;
use std::io::Write;
use std::process::Command;

use super::{channel, hook, names, only, reload, standing, state, told};
use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, wrap};
use crate::common::http::FakeHttp;
use crate::common::{SECRETS, TempDir, wait_for};

/// More than nothing is always in use, and not everything.
const ALWAYS: &str = "memory = { high = 1, clear = 0 }\n";
const NEVER: &str = "memory = { high = 100, clear = 99 }\n";

#[test]
fn what_is_high_is_told_once_also_after_a_crash_and_so_is_its_end() {
    let (hook, feishu, dir) = (hook(), FakeHttp::feishu(), TempDir::new());
    let bot = format!(
        "[alert.feishu]\nwebhook = \"{}\"\nsecret = \"{}\"\n",
        feishu.url(&format!("/{}", SECRETS[2])),
        SECRETS[1]
    );
    let config = |memory: &str| ["name = \"nas\"\n", &only(&["memory"]), memory, &channel(&hook), &bot].concat();
    let mut daemon = Daemon::start(dir.path(), &config(ALWAYS));
    daemon.wait_line("ready");
    let me = format!("nas@{}", daemon.name());
    hook.wait(1, |asked| asked.tells("resource.high", &me));
    let memory = standing(&daemon, &me, "memory").unwrap();
    assert_eq!((&memory["state"], &memory["limit"]), (&"high".into(), &"1 %".into()), "{memory}");
    let table = daemon.ask(&["status"]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    println!("{text}");
    assert!(text.contains("resources: 0 normal, 1 high, 0 unknown") && text.contains("RESOURCE"), "{text}");
    assert_eq!(table.status.code(), Some(1), "something is not well");
    feishu.wait(1, |asked| asked.text().contains("内存"));
    for channel in ["hook", "feishu"] {
        let line = format!("{channel}: told resource.high");
        wait_for("it is known to be told", || daemon.output().contains(&line).then_some(()));
    }
    for _ in 0..2 {
        daemon.kill();
        daemon = Daemon::start(dir.path(), &config(ALWAYS));
        daemon.wait_line("ready");
        wait_for("a look", || (state(&daemon, &me, "memory")? == "high").then_some(()));
    }
    assert!(reload(dir.path(), &config(NEVER)).contains("resources"));
    hook.wait(1, |asked| asked.tells("resource.normal", &me));
    let both = told(&hook);
    assert_eq!(names(&hook), [format!("resource.high {me} memory"), format!("resource.normal {me} memory")]);
    let [(_, high), (_, normal)] = &both[..] else { panic!("{both:?}") };
    println!("{high}\n{normal}");
    assert_eq!((&high["incident"], &high["facts"]["limit"]), (&normal["incident"], &"1 %".into()));
    assert!(high["facts"]["since"].is_string() && normal["facts"]["duration"].is_number(), "{high} {normal}");
    assert_eq!((&high["severity"], &normal["severity"]), (&"warning".into(), &"info".into()));
    wait_for("it is normal", || (state(&daemon, &me, "memory")? == "normal").then_some(()));
    assert_eq!(daemon.ask(&["status"]).status.code(), Some(0));
    // Beyond the limit again: that is another incident.
    reload(dir.path(), &config(ALWAYS));
    let again = wait_for("another message", || told(&hook).get(2).cloned());
    assert_eq!((&*again.0, again.1["incident"] == high["incident"]), (&*format!("resource.high {me} memory"), false));
    // What is not watched any more ends without a word, and stays so.
    reload(dir.path(), &["name = \"nas\"\n", &only(&[]), "uptime = \"3650d\"\n", &channel(&hook), &bot].concat());
    wait_for("it is gone", || state(&daemon, &me, "memory").is_none().then_some(()));
    assert_eq!(daemon.stop().code(), Some(0));
    assert_eq!(names(&hook).len(), 3);
}

#[test]
fn a_folder_that_is_not_there_is_unknown_and_not_silently_well() {
    let dir = TempDir::new();
    let slip = dir.join("not-mounted");
    let config = format!("{}disks = [\"/\", {slip:?}]\n", only(&["disk"]));
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    let (me, name) = (daemon.name(), format!("disk {}", slip.display()));
    wait_for("the folder", || (state(&daemon, &me, &name)? == "unknown").then_some(()));
    let table = String::from_utf8(daemon.ask(&["status"]).stdout).unwrap();
    assert!(table.contains("1 unknown") && table.contains(&name), "{table}");
    fs::create_dir(&slip).unwrap();
    // It is on a device that is watched already.
    wait_for("it counts there", || state(&daemon, &me, &name).is_none().then_some(()));
}

#[test]
fn what_lasts_too_short_is_told_nobody() {
    let (hook, dir) = (hook(), TempDir::new());
    let config = |memory: &str| [&*only(&["memory"]), memory, &channel(&hook)].concat();
    let mut daemon = Daemon::start(dir.path(), &config("memory = { high = 1, for = \"1h\" }\n"));
    daemon.wait_line("ready");
    let me = daemon.name();
    wait_for("two looks", || {
        let memory = standing(&daemon, &me, "memory")?;
        (memory["state"] == "normal").then_some(())
    });
    reload(dir.path(), &config("memory = { high = 1, for = \"2s\" }\n"));
    let high = hook.wait(1, |asked| asked.tells("resource.high", &me));
    assert_eq!(high.len(), 1);
    // Without anything to watch the rest of the program goes on.
    let gone = reload(
        dir.path(),
        &["provider = \"AliCloud\"\n[spot]\nendpoint = \"http://127.0.0.1:9\"\n", &channel(&hook)].concat(),
    );
    assert!(gone.contains("resources gone"), "{gone}");
    wait_for("nothing is shown", || daemon.status()["resources"].is_null().then_some(()));
    assert_eq!(names(&hook).len(), 1);
}

/// Runs the daemon with a small file system of its own at `state`; `None` where that cannot be had.
fn on_small_disk(dir: &TempDir, config: &str) -> Option<Daemon> {
    let state = dir.join("state");
    fs::create_dir_all(&state).unwrap();
    let script = "mount -t tmpfs -o size=2m,mode=700 none \"$1\" && shift && exec \"$@\"";
    for user in [&["--user", "--map-root-user"][..], &[]] {
        let words =
            [&["unshare"], user, &["--mount", "--", "sh", "-c", script, "sh", state.to_str().unwrap()]].concat();
        let probe = Command::new(words[0]).args(&words[1..]).arg("true").output();
        if probe.is_ok_and(|output| output.status.success()) {
            return Some(Daemon::start_with(dir.path(), config, |command| wrap(command, &words)));
        }
    }
    assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no mount namespaces");
    eprintln!("SKIPPED: no mount namespaces, no disk is filled");
    None
}

#[test]
#[ignore = "long: it waits for limits"]
fn a_full_disk_is_told_while_the_daemon_logs_and_stores_on_it() {
    let (hook, dir) = (hook(), TempDir::new());
    let state_dir = dir.join("state");
    let config = [
        "name = \"nas\"\n[keepalive]\ngrace = 0\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nnum = 1\nkey = \"",
        SECRETS[0],
        "\"\n",
        &only(&["disk", "inodes"]),
        &format!("disks = [{:?}, \"/does/not/exist\"]\n", state_dir),
        &channel(&hook),
    ]
    .concat();
    let Some(mut daemon) = on_small_disk(&dir, &config) else { return };
    let server = daemon.ready();
    let me = format!("nas@{}", daemon.name());
    let disk = format!("disk {}", state_dir.display());
    wait_for("the disk is known", || (state(&daemon, &me, &disk)? == "normal").then_some(()));
    // It cannot run short of what it has not, and nobody is told; but it shows.
    wait_for("the other", || (state(&daemon, &me, "disk /does/not/exist")? == "unknown").then_some(()));
    let full = format!("/proc/{}/root{}/full", daemon.pid(), state_dir.display());
    let mut file = fs::File::create(&full).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    let high = hook.wait(1, |asked| asked.tells("resource.high", &me));
    let message = high[0].json();
    println!("{message}");
    assert_eq!((&message["facts"]["resource"], &message["facts"]["value"]), (&(&*disk).into(), &"100 %".into()));
    // It lives, and what happens meanwhile is told although nothing can be stored.
    let mut beater = Beater::new(server, SECRETS[0], "gone");
    beater.period = 0.2;
    beater.beat().unwrap();
    hook.wait(1, |asked| asked.tells("offline", "gone"));
    hook.wait(1, |asked| asked.json()["kind"] == "state.unwritable");
    assert!(daemon.status()["state"]["problem"].is_string());
    fs::remove_file(&full).unwrap();
    let normal = hook.wait(1, |asked| asked.tells("resource.normal", &me));
    assert_eq!(normal[0].json()["incident"], message["incident"]);
    assert_eq!(names(&hook), [format!("resource.high {me} {disk}"), format!("resource.normal {me} {disk}")]);
    assert_eq!(told(&hook)[1].1["facts"]["limit"], "90 %");
    hook.wait(1, |asked| asked.json()["kind"] == "state.writable");
    assert_eq!(daemon.stop().code(), Some(0));
}
