//! Programs that say how something is, processes, and files.

use std::fs;
use std::time::Duration;

use interrupt_callback::clock::tick;
use interrupt_callback::probe::look::{Tools, look};
use interrupt_callback::run::threads::{HTTP_STACK, Stop, spawn};

use super::{LONG, SHORT, judged, seen, tools, what};
use crate::common::{TempDir, wait_for};

#[test]
fn exit_codes_are_judged() {
    for (line, good, detail) in [
        ("echo 'DISK OK | /=1MB'; echo more", Some(true), "DISK OK"),
        ("true", Some(true), ""),
        ("echo DISK WARNING; exit 1", Some(false), "DISK WARNING"),
        ("echo >&2 on standard error; exit 2", Some(false), "on standard error"),
        ("exit 2", Some(false), "exit code 2"),
        ("echo cannot look; exit 3", None, "cannot look"),
        ("kill -KILL $$", Some(false), "signal 9"),
    ] {
        assert_eq!(judged(&format!("shell = \"{line}\"\n"), LONG), (good, detail.to_owned()), "{line}");
    }
    let (good, detail) = judged("run = [\"/nowhere/plug-in\"]\n", LONG);
    assert_eq!((good, detail.as_str()), (Some(false), "/nowhere/plug-in: No such file or directory (os error 2)"));
}

#[test]
fn a_program_has_its_own_environment_and_place() {
    let dir = TempDir::new();
    let lines = format!(
        "shell = \"echo $PWD ${{HOME-none}} $TOKEN\"\ndir = \"{}\"\nenv = {{ TOKEN = \"planted-hook-token\" }}\n",
        dir.path().display()
    );
    let (good, detail) = judged(&lines, LONG);
    assert_eq!((good, detail), (Some(true), format!("{} none ***", dir.path().display())));
}

#[test]
fn much_is_said_and_little_is_kept() {
    let (good, detail) = judged("shell = \"head -c 5000000 /dev/zero | tr '\\\\0' x\"\n", LONG);
    assert!(
        good == Some(true) && detail.starts_with("xxx") && detail.ends_with('…') && detail.len() <= 200,
        "{detail}"
    );
}

#[test]
fn one_that_does_not_end_is_killed_with_its_children() {
    let dir = TempDir::new();
    let file = dir.join("pid");
    let lines = format!("shell = \"trap '' TERM; sleep 1000 & echo $! >{}; wait; sleep 1000\"\n", file.display());
    let outcome = seen(&what(&lines), SHORT);
    assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), "not done in time, killed"));
    let pid = fs::read_to_string(file).unwrap();
    wait_for("the end of the child", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn the_end_of_the_daemon_ends_it() {
    let stop = Stop::default();
    let tools = Tools { stop: stop.clone(), ..tools() };
    let begun = tick();
    let running =
        spawn("look", HTTP_STACK, move || look(&what("run = [\"sleep\", \"1000\"]\n"), &tools, LONG)).unwrap();
    stop.stop();
    let outcome = running.join().unwrap();
    assert!(outcome.good.is_none() && tick().since(begun) < LONG, "{outcome:?}");
}

#[test]
fn processes_and_files() {
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(judged("process = \"no-such-process-here\"\n", LONG), (Some(false), "no such process".to_owned()));
    let dir = TempDir::new();
    let file = dir.join("x.pid");
    fs::write(&file, std::process::id().to_string()).unwrap();
    let lines = format!("pid_file = \"{}\"\n", file.display());
    assert_eq!(judged(&lines, LONG), (Some(true), format!("pid {}", std::process::id())), "{own}");
    let lines = |more: &str| format!("file = \"{}\"\n{more}", file.display());
    assert_eq!(judged(&lines("max_age = \"1h\"\nmin_size = 1\nmax_size = \"1k\"\n"), LONG).0, Some(true));
    assert_eq!(judged(&lines("min_size = \"1k\"\n"), LONG).0, Some(false));
    assert_eq!(judged(&lines("absent = true\n"), LONG).0, Some(false));
    fs::remove_file(&file).unwrap();
    assert_eq!(judged(&lines(""), LONG).0, Some(false));
    assert_eq!(judged(&lines("absent = true\n"), Duration::from_secs(1)).0, Some(true));
}
