//! A daemon under strace: what it starts, and system calls that fail; and one from which something is taken away.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::daemon::{Daemon, wrap};

/// Whether a tool is there; what is not tried without it is said.
pub fn has(tool: &str, without: &str) -> bool {
    if Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        return true;
    }
    assert!(std::env::var_os("IC_NO_SKIP").is_none(), "{tool} is missing");
    eprintln!("SKIPPED: {tool} is missing: {without}");
    false
}

/// Starts a daemon of which [`programs`] will tell, or an ordinary one where there is no strace.
pub fn watched(dir: &Path, config: &str) -> Daemon {
    let there = has("strace", "canaries alone show what was run");
    fs::create_dir_all(dir).unwrap();
    let out = dir.join("trace").display().to_string();
    let words = ["strace", "-ff", "-qq", "--seccomp-bpf", "-s", "16384", "-e", "trace=execve,execveat", "-o", &out];
    Daemon::start_with(dir, config, |command| {
        if there {
            wrap(command, &words);
        }
    })
}

/// Starts a daemon one of whose system calls fails, such as `fsync:error=ENOSPC`; `None` where there is no strace.
pub fn failing(dir: &Path, config: &str, fault: &str) -> Option<Daemon> {
    if !has("strace", "faults of the system are not tried") {
        return None;
    }
    fs::create_dir_all(dir).unwrap();
    let (out, fault) = (dir.join("trace").display().to_string(), format!("inject={fault}"));
    let words = ["strace", "-f", "-qq", "-o", &out, "-e", &fault];
    Some(Daemon::start_with(dir, config, |command| wrap(command, &words)))
}

/// The command lines of all programs that a watched daemon and its children tried to start, itself not counted; `None`
/// if nobody watched. Bytes that are no plain text stand as strace writes them.
pub fn programs(dir: &Path) -> Option<Vec<Vec<String>>> {
    let mut all = Vec::new();
    let mut files = 0;
    for file in fs::read_dir(dir).unwrap().flatten() {
        if !file.file_name().to_string_lossy().starts_with("trace.") {
            continue;
        }
        files += 1;
        for line in fs::read_to_string(file.path()).unwrap().lines() {
            let Some(call) = line.strip_prefix("execve(\"") else {
                assert!(!line.starts_with("exec"), "{line}");
                continue;
            };
            let (path, rest) = call.split_once("\", [").unwrap_or_else(|| panic!("{line}"));
            let argv = words(rest);
            if argv.get(1).is_some_and(|word| word == "--config") {
                continue;
            }
            // Whatever it calls itself, this is what is started.
            all.push([&[path.to_owned()], &argv[1..]].concat());
        }
    }
    (files > 0).then_some(all)
}

/// The strings of a list, up to its end.
fn words(list: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match c {
            ']' => break,
            '"' => {
                let mut word = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => match chars.next().unwrap() {
                            quoted @ ('"' | '\\') => word.push(quoted),
                            'n' => word.push('\n'),
                            other => word.extend(['\\', other]),
                        },
                        c => word.push(c),
                    }
                }
                words.push(word);
            }
            _ => {}
        }
    }
    words
}

/// Sets a limit of a running process, such as `nofile=20:`. As its owner: root in a container may not.
pub fn limit(pid: i32, what: &str) {
    let owner = fs::metadata(format!("/proc/{pid}")).unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--{what}")]).uid(owner.uid()).gid(owner.gid());
    assert!(command.status().unwrap().success(), "{what}");
}

/// Leaves a process room for so many files besides those that it holds all the time.
pub fn leave_files(pid: i32, room: usize) {
    let open = || -> Vec<u32> {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        files.filter_map(|file| file.file_name().to_str()?.parse().ok()).collect()
    };
    let mut steady = open();
    for _ in 0..40 {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        let now = open();
        steady.retain(|number| now.contains(number));
    }
    let free = (0..).filter(|number| !steady.contains(number));
    let most = free.take(room + 1).last().unwrap();
    limit(pid, &format!("nofile={most}:"));
}
