//! The end of the daemon, and of what it left behind; other users; PID 1.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{file, gone, head, hook, told};
use crate::common::beat::Beater;
use crate::common::daemon::{Daemon, wrap};
use crate::common::http::Answer;
use crate::common::{SECRETS, TempDir, wait_for};
use interrupt_callback::callback::rules::MAX_HEARD;
use interrupt_callback::control::ask;

#[test]
fn what_ran_when_the_daemon_was_killed_is_told_once_as_unknown() {
    let (hook, dir) = (hook(), TempDir::new());
    let pid = dir.join("pid");
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"long\"\non = [\"offline\", \"interrupt\"]\nsimulate = true\ntimeout = 3000\n\
             shell = \"echo $$ >> {}; exec sleep 1003\"\n\
             [[callback]]\nname = \"next\"\non = [\"offline\"]\nafter = \"long\"\nsimulate = true\nshell = \"true\"\n",
            pid.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let running = file(&pid, "\n");
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let unknown = told(&hook, "callback.unknown", 1).remove(0);
    assert_eq!(unknown["facts"]["callback"], "long");
    assert_eq!(unknown["facts"]["reason"], "unknown outcome: the daemon ended while it ran");
    assert_eq!(unknown["incident"], told(&hook, "offline", 1)[0]["incident"]);
    let never = told(&hook, "callback.failed", 1).remove(0);
    assert_eq!(never["facts"]["reason"], "not started: the daemon ended before its turn");
    for _ in 0..2 {
        daemon.kill();
        daemon = Daemon::start(dir.path(), &config);
        daemon.ready();
        assert!(daemon.ask(&["simulate", "online"]).status.code().is_some());
    }
    wait_for("a state that is saved", || {
        let state = fs::read_to_string(dir.join("state/callbacks.json")).ok()?;
        state.contains(r#"\"jobs\":[]"#).then_some(())
    });
    assert!(daemon.stop().success());
    assert_eq!(told(&hook, "callback.unknown", 1).len(), 1, "told once");
    assert_eq!(fs::read_to_string(&pid).unwrap(), running, "started once");
    Command::new("kill").args(["-9", running.trim()]).status().unwrap();
}

#[test]
fn an_event_that_was_not_acted_upon_is_made_up_for_and_no_other() {
    let (hook, dir) = (hook(), TempDir::new());
    hook.set(|_| Answer::Hang);
    let out = dir.join("out");
    let config = head(&hook)
        + &format!(
            "[[callback]]\non = [\"offline\"]\nhosts = [\"victim\"]\nreport = \"never\"\nshell = \"echo x >> {}\"\n",
            out.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    let mut victim = Beater::new(daemon.ready(), SECRETS[0], "victim");
    victim.period = 0.5;
    victim.beat().unwrap();
    daemon.wait_line("callback callback-1: exit code 0");
    daemon.kill();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert_eq!(daemon.status()["callbacks"][0]["waiting"], 0);
    daemon.kill();
    assert!(!daemon.output().contains("starts"), "it was started before");
    assert_eq!(file(&out, "\n"), "x\n");
    // As if the daemon had ended after the alert was saved and before the callback was.
    for name in ["callbacks.json", "callbacks.json.old"] {
        let _ = fs::remove_file(dir.join("state").join(name));
    }
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("callback callback-1: exit code 0");
    assert_eq!(file(&out, "\n"), "x\nx\n");
    // Some event must be answered for the daemon to end at once.
    hook.set(|_| Answer::ok(""));
    assert!(daemon.stop().success());
}

#[test]
fn at_the_end_of_the_daemon_a_callback_goes_on_or_ends() {
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    let callback = |name: &str, stop: &str| {
        format!(
            "[[callback]]\nname = \"{name}\"\non = [\"offline\"]\nsimulate = true\non_stop = \"{stop}\"\ntimeout = 3000\n\
             shell = \"echo $$ > {0}.{name}; while ! test -e {0}.go; do echo words; sleep 0.1; done; head -c 1M /dev/zero; echo end > {0}.{name}.end; sleep 0.1\"\n",
            out.display()
        )
    };
    let config = head(&hook) + &callback("leave", "leave") + &callback("kill", "kill");
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let pids = ["leave", "kill"].map(|name| file(&dir.join(format!("out.{name}")), "\n"));
    assert!(daemon.stop().success());
    assert!(gone(&pids[1]), "killed with the daemon");
    assert!(!gone(&pids[0]), "goes on");
    // It can still say whatever it likes, and does not die of it.
    fs::write(dir.join("out.go"), "").unwrap();
    assert_eq!(file(&dir.join("out.leave.end"), "\n"), "end\n");
    wait_for("its end", || gone(&pids[0]).then_some(()));
    assert!(!dir.join("out.kill.end").exists());
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    let unknown = told(&hook, "callback.unknown", 1).remove(0);
    assert_eq!(unknown["facts"]["callback"], "leave");
    let killed = told(&hook, "callback.failed", 1).remove(0);
    assert_eq!(
        (&killed["facts"]["callback"], &killed["facts"]["reason"]),
        (&"kill".into(), &"ended because the daemon stopped".into())
    );
}

/// Whether this is root, which the tests of users need.
#[expect(clippy::print_stdout, reason = "what is skipped is said")]
fn root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        println!("SKIPPED: users can be changed by root alone");
    }
    is
}

#[test]
fn another_user_has_its_own_groups_alone() {
    if !root() {
        return;
    }
    let (hook, dir) = (hook(), TempDir::new());
    let config = head(&hook)
        + "[[callback]]\non = [\"offline\"]\nsimulate = true\nuser = \"65534:65534\"\nshell = \"id -u; id -g; id -G; touch /ic-canary\"\n";
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    let failed = told(&hook, "callback.failed", 1).remove(0);
    let output = failed["facts"]["output"].as_str().unwrap();
    assert!(output.starts_with("65534 65534 65534 touch: "), "{output}");
}

#[test]
fn a_user_that_cannot_be_become_is_an_error_at_the_start() {
    if !root() {
        return;
    }
    let dir = TempDir::new();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let kinds = [("callback", "on = [\"offline\"]\n"), ("probe", "")];
    for (what, more) in kinds.into_iter().filter(|(what, _)| *what == "callback" || cfg!(feature = "probes")) {
        let at = dir.join(what);
        fs::create_dir_all(&at).unwrap();
        chown(&at, Some(65534), Some(65534)).unwrap();
        let config =
            [&*head(&hook()), "[[", what, "]]\nname = \"x\"\nuser = \"0:0\"\nshell = \"true\"\n", more].concat();
        let mut daemon = Daemon::start_with(&at, &config, |command| {
            command.uid(65534).gid(65534);
        });
        daemon.wait_line(&[what, " x: the daemon is not root"].concat());
        assert_eq!(daemon.wait_exit().code(), Some(77), "{what}");
    }
}

#[test]
fn the_first_process_reaps_orphans() {
    let unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let probe = Command::new(unshare[0]).args(&unshare[1..]).arg("true").status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("SKIPPED: no process namespaces here");
        return;
    }
    let (hook, dir) = (hook(), TempDir::new());
    let out = dir.join("out");
    // Its grandchild has a session of its own, ends later, and nobody waits for it but PID 1.
    let config = head(&hook)
        + &format!(
            "[[callback]]\non = [\"offline\"]\nsimulate = true\nshell = \"setsid sh -c 'exec >/dev/null; sleep 0.2; echo $$ > {0}; exit 0' & wait; exit 7\"\n\
             [[callback]]\non = [\"online\"]\nsimulate = true\nshell = \"(setsid sh -c 'exec >/dev/null 2>&1; sleep 0.2; echo $$ > {0}.orphan' &) ; exit 0\"\n",
            out.display()
        );
    let mut daemon = Daemon::start_with(dir.path(), &config, |command| wrap(command, &unshare));
    daemon.ready();
    assert!(daemon.ask(&["simulate", "offline"]).status.success());
    assert_eq!(told(&hook, "callback.failed", 1)[0]["facts"]["exit_code"], 7, "its own children keep their codes");
    assert!(daemon.ask(&["simulate", "online"]).status.success());
    told(&hook, "callback.done", 1);
    file(&dir.join("out.orphan"), "\n");
    // Those whose parent is the only child of unshare.
    let zombies = || {
        let ps = Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat="]).output().unwrap();
        let text = String::from_utf8_lossy(&ps.stdout).into_owned();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let outer = daemon.pid().to_string();
        let first = rows.iter().find(|row| row[1] == outer).unwrap_or_else(|| panic!("{text}"))[0];
        rows.iter().filter(|row| row[1] == first && row[2].starts_with('Z')).count()
    };
    wait_for("a zombie", || (zombies() > 0).then_some(()));
    wait_for("no zombie", || (zombies() == 0).then_some(()));
    assert!(!daemon.output().contains("panicked"));
}

/// Says `count` things to the daemon and returns their ids.
fn say(daemon: &Daemon, control: &Path, from: usize, count: usize) {
    for number in from..from + count {
        let said = format!(r#"{{"id":"{number:016x}","severity":"info","channels":[],"title":"t{number}","body":""}}"#);
        let (_, text) = ask(control, &format!("send {said}")).unwrap_or_else(|why| panic!("{why:?}"));
        assert!(text.contains("queued"), "{text} {}", daemon.pid());
    }
}

#[test]
fn more_events_than_are_remembered_start_nothing_twice() {
    let (hook, dir) = (hook(), TempDir::new());
    hook.set(|_| Answer::Hang);
    let out = dir.join("out");
    let config = head(&hook)
        + &format!(
            "[[callback]]\non = [\"message\"]\nreport = \"never\"\nshell = \"echo $IC_INCIDENT >> {}\"\n",
            out.display()
        );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    say(&daemon, &dir.join("run/control"), 1, MAX_HEARD + 20);
    wait_for("the callbacks' end", || {
        let status = &daemon.status()["callbacks"][0];
        (status["waiting"] == 0 && status["running"].is_null()).then_some(())
    });
    wait_for("a state that is saved", || {
        let state = fs::read_to_string(dir.join("state/callbacks.json")).ok()?;
        (state.contains(r#"\"jobs\":[]"#) && state.contains(&format!("{}]", MAX_HEARD + 20))).then_some(())
    });
    daemon.kill();
    let ran = fs::read_to_string(&out).unwrap();
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.ready();
    say(&daemon, &dir.join("run/control"), 1000, 1);
    wait_for("the new one", || (fs::read_to_string(&out).unwrap() != ran).then_some(()));
    let after = fs::read_to_string(&out).unwrap();
    assert_eq!(after.lines().count(), ran.lines().count() + 1, "{after}");
    assert!(!daemon.output().contains("too many events"), "{}", daemon.output());
    daemon.kill();
}
