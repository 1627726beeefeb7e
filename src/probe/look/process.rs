//! Whether a process runs, found by its name or by its pid file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Seen, bad};

/// Processes that are looked at; a machine with more has other worries.
const MAX_PROCESSES: usize = 65_536;
/// Bytes of a name that the kernel keeps (`TASK_COMM_LEN` of Linux without the zero at the end).
const MAX_COMM: usize = 15;
/// Bytes of a command line that are read: enough for the path of a program.
const MAX_LINE: u64 = 4096;
/// Bytes of a pid file.
const MAX_PID_FILE: u64 = 64;

/// Which process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// One of that name: the program's, without its folder, or what the process calls itself.
    Name(String),
    /// The one whose number stands in this file.
    PidFile(PathBuf),
}

/// No process of that name.
pub const NONE: &str = "no such process";
/// The pid file is not there.
pub const NO_FILE: &str = "its pid file is not there";
/// Something else stands in it.
pub const NO_NUMBER: &str = "its pid file holds no number";

/// Processes of other users are hidden: the first one is.
pub const HIDDEN: &str =
    "this host hides processes from the daemon: ProtectProc=default in its unit, or hidepid=0, changes that";

/// Looks for it in `proc`, which is `/proc`. One that has ended and is not yet reaped does not run.
pub fn look(which: &Which, proc: &Path) -> Seen {
    let looked = match which {
        Which::Name(name) => by_name(name, proc),
        Which::PidFile(file) => by_file(file, proc),
    };
    // There always is a first one.
    let seen = looked.and_then(|seen| Ok((seen, stat(&proc.join("1"))?.is_some())));
    match seen {
        Ok(((Some(false), why), false)) if why != NO_FILE && why != NO_NUMBER => (None, HIDDEN.to_owned()),
        Ok((seen, _)) => seen,
        Err(error) => (None, error.to_string()),
    }
}

fn by_name(name: &str, proc: &Path) -> io::Result<Seen> {
    let (mut count, mut first) = (0_usize, String::new());
    for entry in fs::read_dir(proc)?.flatten().take(MAX_PROCESSES) {
        let Ok(pid) = entry.file_name().into_string() else { continue };
        if pid.bytes().all(|byte| byte.is_ascii_digit()) && is_called(name, &entry.path())? {
            count += 1;
            first = pid;
        }
    }
    Ok(match count {
        0 => bad(NONE),
        1 => (Some(true), ["pid ", &first].concat()),
        _ => (Some(true), [&count.to_string(), " processes"].concat()),
    })
}

/// Whether the process of this folder runs and has this name.
fn is_called(name: &str, folder: &Path) -> io::Result<bool> {
    let Some((comm, true)) = stat(folder)? else { return Ok(false) };
    if comm == name.as_bytes() && name.len() < MAX_COMM {
        return Ok(true);
    }
    let line = read(&folder.join("cmdline"), MAX_LINE)?.unwrap_or_default();
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let program = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // A kernel thread has no command line: as much of its name as there is must do.
    Ok(program == name.as_bytes() || (line.is_empty() && comm == name.as_bytes()[..name.len().min(MAX_COMM)]))
}

fn by_file(file: &Path, proc: &Path) -> io::Result<Seen> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(file).is_ok_and(|meta| meta.is_file()) {
        return Ok(bad(NO_FILE));
    }
    let Some(bytes) = read(file, MAX_PID_FILE)? else { return Ok(bad(NO_FILE)) };
    let text = String::from_utf8_lossy(&bytes);
    let pid = text.split_whitespace().next().unwrap_or_default();
    if pid.is_empty() || pid.len() > 10 || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(bad(NO_NUMBER));
    }
    Ok(match stat(&proc.join(pid))? {
        Some((_, true)) => (Some(true), ["pid ", pid].concat()),
        _ => bad(["process ", pid, " of its pid file does not run"].concat()),
    })
}

/// What a process calls itself, and whether it runs; `None` if it is gone. From `/proc/PID/stat`:
/// `1234 (a (b) c) S 1 …` (proc(5)).
fn stat(folder: &Path) -> io::Result<Option<(Vec<u8>, bool)>> {
    let Some(bytes) = read(&folder.join("stat"), MAX_LINE)? else { return Ok(None) };
    let open = bytes.iter().position(|byte| *byte == b'(');
    let close = bytes.iter().rposition(|byte| *byte == b')');
    let (Some(open), Some(close)) = (open, close) else { return Ok(None) };
    let comm = bytes.get(open + 1..close).unwrap_or_default().to_vec();
    let runs = bytes.get(close + 2).is_some_and(|state| !matches!(state, b'Z' | b'X' | b'x'));
    Ok(Some((comm, runs)))
}

/// The beginning of a file; `None` if it cannot be had, since it is gone or another user's. An error means that this
/// program has run out of something.
fn read(file: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if crate::callback::exec::is_passing(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(proc: &Path, pid: &str, comm: &str, state: char, line: &str) {
        fs::create_dir_all(proc.join(pid)).unwrap();
        fs::write(proc.join(pid).join("stat"), [pid, " (", comm, ") ", &state.to_string(), " 1 1 1"].concat()).unwrap();
        fs::write(proc.join(pid).join("cmdline"), line.replace(' ', "\0")).unwrap();
    }

    #[test]
    fn by_name_and_by_pid_file() {
        let root = std::env::temp_dir().join(["ic-process-look-", &std::process::id().to_string()].concat());
        let proc = root.join("proc");
        for (pid, comm, state, line) in [
            ("1", "init", 'S', "/sbin/init"),
            ("12", "nginx", 'S', "nginx: master"),
            ("13", "nginx", 'S', "nginx: worker"),
            ("20", "sshd", 'Z', ""),
            ("21", "odd (x) y", 'R', "odd"),
            ("30", "a-very-long-nam", 'S', "/opt/a-very-long-name -x"),
            ("31", "main", 'D', "/usr/bin/renamed"),
            ("40", "kworker/0:1-eve", 'I', ""),
        ] {
            process(&proc, pid, comm, state, line);
        }
        fs::create_dir_all(proc.join("99")).unwrap();
        fs::write(proc.join("version"), "Linux").unwrap();
        for (name, want) in [
            ("init", (Some(true), "pid 1")),
            ("nginx", (Some(true), "2 processes")),
            ("sshd", (Some(false), NONE)),
            ("odd (x) y", (Some(true), "pid 21")),
            ("a-very-long-name", (Some(true), "pid 30")),
            ("a-very-long-nam", (Some(false), NONE)),
            ("a-very-long-name-of-another", (Some(false), NONE)),
            ("renamed", (Some(true), "pid 31")),
            ("kworker/0:1-events", (Some(true), "pid 40")),
            ("99", (Some(false), NONE)),
        ] {
            let seen = look(&Which::Name(name.to_owned()), &proc);
            assert_eq!((seen.0, &*seen.1), want, "{name}");
        }
        let file = root.join("pid");
        let by_file = || look(&Which::PidFile(file.clone()), &proc);
        assert_eq!(by_file(), (Some(false), NO_FILE.to_owned()));
        for (text, want) in [
            ("12\n", (Some(true), "pid 12")),
            (" 12 extra\n", (Some(true), "pid 12")),
            ("20\n", (Some(false), "process 20 of its pid file does not run")),
            ("77\n", (Some(false), "process 77 of its pid file does not run")),
            ("../1", (Some(false), NO_NUMBER)),
            ("", (Some(false), NO_NUMBER)),
            ("99999999999999", (Some(false), NO_NUMBER)),
        ] {
            fs::write(&file, text).unwrap();
            let seen = by_file();
            assert_eq!((seen.0, &*seen.1), want, "{text:?}");
        }
        // Where others' processes are hidden, the own ones are still seen.
        fs::remove_dir_all(proc.join("1")).unwrap();
        fs::write(&file, "77").unwrap();
        let hidden = (None, HIDDEN.to_owned());
        assert_eq!((look(&Which::Name("sshd".to_owned()), &proc), by_file()), (hidden.clone(), hidden));
        assert_eq!(look(&Which::Name("nginx".to_owned()), &proc).0, Some(true));
        fs::write(&file, "").unwrap();
        assert_eq!(by_file(), (Some(false), NO_NUMBER.to_owned()));
        assert_eq!(look(&Which::Name("init".to_owned()), &root.join("none")).0, None, "without /proc nothing is known");
        fs::remove_dir_all(&root).unwrap();
    }
}
