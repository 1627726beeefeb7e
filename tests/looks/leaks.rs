//! What looks leave behind: nothing; and what they say when this machine has run out of something. In processes of their
//! own, so that threads and descriptors can be counted.

use std::fs;
use std::net::{TcpListener, UdpSocket};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{LONG, SHORT, judged, seen, what};
use crate::common::http::{Answer, FakeHttp};
use crate::common::{alone, nobody, wait_for};

fn count(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn looks() -> (Vec<String>, [TcpListener; 1], UdpSocket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = nobody();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let lines = vec![
        format!("tcp = \"{open}\"\n"),
        format!("tcp = \"{closed}\"\n"),
        format!("http = \"http://{open}\"\n"),
        format!("http = \"http://{closed}\"\n"),
        format!("dns = \"a.example\"\nserver = \"{}\"\n", silent.local_addr().unwrap()),
        "dns = \"localhost\"\n".to_owned(),
        "icmp = \"127.0.0.1\"\n".to_owned(),
        "run = [\"sleep\", \"100\"]\n".to_owned(),
        "shell = \"exit 2\"\n".to_owned(),
    ];
    (lines, [listener], silent)
}

#[test]
fn nothing_is_left_behind() {
    if !alone("looks::leaks::nothing_is_left_behind") {
        return;
    }
    let (lines, _listener, _silent) = looks();
    let all = || {
        for lines in &lines {
            seen(&what(lines), SHORT / 4);
        }
    };
    all();
    let (threads, descriptors) = (count("/proc/self/task"), count("/proc/self/fd"));
    for _ in 0..3 {
        all();
    }
    // The thread of the last look-up may take a moment to end.
    wait_for("the end of all threads", || (count("/proc/self/task") <= threads).then_some(()));
    assert_eq!(count("/proc/self/fd"), descriptors);
}

#[test]
fn without_descriptors_nothing_is_said_of_others() {
    if !alone("looks::leaks::without_descriptors_nothing_is_said_of_others") {
        return;
    }
    let fake = FakeHttp::start(|_| Answer::ok(""));
    let (mut lines, _listener, _silent) = looks();
    lines.retain(|lines| !lines.contains("closed") && !lines.contains("icmp"));
    lines.push(format!("http = \"{}\"\n", fake.url("/")));
    lines.push("process = \"init\"\n".to_owned());
    let whats: Vec<_> = lines.iter().map(|lines| what(lines)).collect();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: limit.maximum }).unwrap();
    let outcomes: Vec<_> = whats.iter().map(|what| seen(what, SHORT)).collect();
    setrlimit(Resource::Nofile, limit).unwrap();
    for (lines, outcome) in lines.iter().zip(outcomes) {
        assert_eq!(outcome.good, None, "{lines}: {outcome:?}");
        assert!(outcome.detail.contains("os error 24"), "{lines}: {outcome:?}");
    }
    assert_eq!(judged(&lines[0], LONG).0, Some(true), "and later all is well again");
}
