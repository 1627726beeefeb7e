//! A server that holds the key and means harm: what it can have an agent do.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use interrupt_callback::keepalive::wire::{self, Keys};
use interrupt_callback::keepalive::work::{Done, Says};
use serde_json::{Value, json};

use super::common::daemon::Daemon;
use super::common::{SOON, TempDir, wait_within};
use super::site::{agent_config, hostname, key};

/// What it heard: how many beats, what agents said, results.
type Ears = (usize, Vec<Says>, Vec<Done>);

/// Says whatever it likes, with a good MAC.
struct Hostile {
    at: SocketAddr,
    heard: Arc<Mutex<Ears>>,
}

impl Hostile {
    /// `reply` makes the body of the answer to a beat of that number.
    fn start(mut reply: impl FnMut(usize, &[Done]) -> String + Send + 'static) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new((0, Vec::new(), Vec::new())));
        let inside = heard.clone();
        std::thread::spawn(move || {
            let keys = Keys::new(key(0).as_bytes());
            for stream in listener.incoming().flatten() {
                let _ = exchange(&stream, &keys, &inside, &mut reply);
            }
        });
        Hostile { at, heard }
    }

    fn wait(&self, what: &str, fits: impl Fn(&Ears) -> bool) {
        wait_within(2 * SOON, what, || fits(&self.heard.lock().unwrap()).then_some(()));
    }
}

fn exchange(
    stream: &TcpStream,
    keys: &Keys,
    heard: &Mutex<Ears>,
    reply: &mut dyn FnMut(usize, &[Done]) -> String,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SOON))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = |out: &mut Vec<u8>| reader.read_until(b'\n', out).map(|_| out.pop());
    let (mut line1, mut line3) = (Vec::new(), Vec::new());
    line(&mut line1)?;
    let challenge = wire::challenge(&format!("srv@{}", hostname()), &[7; 16]);
    (&*stream).write_all(&challenge)?;
    line(&mut line3)?;
    let line2 = challenge.trim_ascii_end();
    let Some(body) = keys.open_report(&line1, line2, &line3) else { return Ok(()) };
    let answer = {
        let mut heard = heard.lock().unwrap();
        heard.0 += 1;
        heard.1.extend(Says::read(body));
        heard.2.extend(Done::read(body));
        reply(heard.0, &heard.2)
    };
    let line4 = keys.seal_reply(&line1, line2, &line3, answer.into());
    (&*stream).write_all(&line4)
}

fn offer(n: usize, message: &str) -> Value {
    json!({"id": format!("{n:016x}"), "ep": 1, "at": 1, "job": "", "message": message, "left": 600_000, "fenced": n.is_multiple_of(2), "prepare": []})
}

fn body(offers: &[Value], acks: &[String]) -> String {
    json!({"ok": true, "next": 1000, "lease": 30_000, "work": {"offers": offers, "cancel": [], "back": [], "acks": acks}})
        .to_string()
}

/// Messages that try to be more than words. All would make the file.
fn corpus(canary: &Path) -> Vec<String> {
    let file = canary.display();
    let mut corpus = Vec::new();
    for text in [
        "; touch F",
        "$(touch F)",
        "`touch F`",
        "| touch F",
        "&& touch F",
        "\ntouch F",
        "\0touch F",
        "-c touch${IFS}F",
        "--help;touch F",
        "../../bin/touch F",
        "say ../../x",
        "say -n",
        "say --output=F",
        "sh -c 'touch F'",
        "touch F",
        "/bin/touch F",
        "boom;touch F",
        "boom\n",
        "boom touch F",
        "url http://127.0.0.1:1/F",
        "url file://F",
        "say $(touch F)",
        "say `touch F`",
        "say ;touch F",
        "say {what}",
        "give $(touch F) b",
        "give ;touch F",
        "give -x b",
        "say\ttouch F",
        "\u{202e}touch F",
        "say > F",
        "help; touch F",
        "{IFS}",
        "IC_RUN=1 touch F",
    ] {
        corpus.push(text.replace('F', &file.to_string()));
    }
    corpus
}

/// An allow-list of which nothing makes the file.
fn list(out: &Path) -> String {
    let script = out.with_extension("args.sh");
    fs::write(&script, format!("#!/bin/sh\nprintf '%s\\n' \"$# $*\" >> {}\n", out.display())).unwrap();
    format!(
        "most = 16\nurls = [\"http://127.0.0.1:1/only/\"]\n[[agent.shortcut]]\nmessage = \"boom\"\nshell = \"true\"\n\
         [[agent.command]]\nprefix = \"say\"\nrun = [\"/bin/sh\", {script:?}]\n\
         [[agent.template]]\nname = \"give\"\nparameters = [\"what\", \"to\"]\nrun = [\"/bin/sh\", {script:?}, \"{{what}}\", \"{{to}}\"]\n"
    )
}

#[test]
fn a_hostile_server_has_nothing_run_that_is_not_listed() {
    let dir = TempDir::new();
    let (canary, out) = (dir.join("canary"), dir.join("out"));
    let corpus = corpus(&canary);
    let count = corpus.len();
    let offers: Vec<Value> = corpus.iter().enumerate().map(|(n, text)| offer(n + 1, text)).collect();
    let hostile = Hostile::start(move |beat, done| {
        let from = beat / 2 * 4 % count;
        let acks: Vec<String> = done.iter().rev().take(16).map(|done| done.key.id.to_string()).collect();
        body(&offers[from..(from + 4).min(count)], &acks)
    });
    let config = agent_config(0, hostile.at.port(), &list(&out));
    let mut agent = Daemon::start(&dir.join("w0"), &config);
    hostile.wait("all results", |(_, _, done)| {
        (1..=count).filter(|n| done.iter().any(|done| done.key.id.0 == *n as u64)).count() == count
    });
    assert!(!canary.exists(), "{}", agent.output());
    let said = fs::read_to_string(&out).unwrap();
    println!("what ran, with its words:\n{said}");
    // No word came apart, and none that is an option or leads upwards came through.
    assert!(said.lines().all(|line| !line.contains(" -") && !line.contains("..")), "{said}");
    let heard = hostile.heard.lock().unwrap();
    let refused = heard.2.iter().filter(|done| done.words().starts_with("refused")).count();
    println!("{count} messages, {refused} refusals");
    // It listed names and no command lines.
    assert!(
        heard.1.iter().all(|says| says.takes == ["boom", "say …", "give <what> <to>", "url http://127.0.0.1:1/only/…"])
    );
}

#[test]
fn a_client_without_an_agent_runs_nothing_whatever_it_is_told() {
    let dir = TempDir::new();
    let out = dir.join("out");
    let offers: Vec<Value> = (1..8).map(|n| offer(n, "boom")).collect();
    let hostile = Hostile::start(move |_, _| body(&offers, &[]));
    let with = agent_config(0, hostile.at.port(), &list(&out));
    let config = with.split("[agent]").next().unwrap().to_owned();
    let mut agent = Daemon::start(&dir.join("w0"), &config);
    hostile.wait("some beats", |(beats, ..)| *beats >= 4);
    // One that serves another server alone says nothing to this one.
    let other = with.replace("server = \"srv@", "server = \"other@");
    let mut second = Daemon::start(&dir.join("w1"), &other);
    second.wait_line("beating to");
    let beats = hostile.heard.lock().unwrap().0;
    hostile.wait("more beats", |heard| heard.0 >= beats + 6);
    let heard = hostile.heard.lock().unwrap();
    assert!(heard.1.is_empty() && heard.2.is_empty());
    assert!(!agent.output().contains("begins") && !second.output().contains("begins"));
}

#[test]
fn replies_of_noise_with_a_good_mac_end_nothing() {
    let dir = TempDir::new();
    let canary = dir.join("canary");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let good = body(&[offer(1, "say x"), offer(2, "nothing")], &["0000000000000001".to_owned()]);
    let canary_text = canary.display().to_string();
    let hostile = Hostile::start(move |beat, _| {
        let mut chance = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as usize % below
        };
        let mut bytes = good.clone().into_bytes();
        for _ in 0..chance(6) {
            let at = chance(bytes.len());
            match chance(4) {
                0 => bytes[at] = b"\"{}[],:0-9e\\u"[chance(13)],
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let piece = bytes[at..(at + chance(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let text = [&*canary_text, "-1", "1e999", "18446744073709551616", "null", "\u{7f}"][chance(6)];
                    bytes.splice(at..at, text.bytes());
                }
            }
        }
        if beat.is_multiple_of(7) {
            return json!({"ok": true, "next": -5, "lease": i64::MAX, "work": {"offers": [{"id": "0000000000000009", "ep": 4_294_967_295_u32, "at": 0, "job": "", "message": "say y", "left": i64::MIN, "timeout": -1}], "cancel": "x"}}).to_string();
        }
        String::from_utf8_lossy(&bytes).replace(['\n', '\t'], " ")
    });
    let config = agent_config(0, hostile.at.port(), &list(&dir.join("out"))).replace("period = 1", "period = 0.2");
    let mut agent = Daemon::start(&dir.join("w0"), &config);
    hostile.wait("many beats", |(beats, ..)| *beats >= 60);
    assert!(!canary.exists());
    assert!(!agent.output().contains("panicked"));
    println!("{} beats, VmRSS {} kB", hostile.heard.lock().unwrap().0, agent.proc_status("VmRSS"));
    assert!(agent.stop().success());
}
