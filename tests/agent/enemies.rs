//! A server that holds the key and means harm: what it can have an agent do.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use interrupt_callback::keepalive::wire::{self, Keys};
use interrupt_callback::keepalive::work::{Done, Says};
use serde_json::{Value, json};

use super::site::{agent_config, hostname, key};
use crate::common::daemon::Daemon;
use crate::common::trace::{programs, watched};
use crate::common::{SOON, TempDir, wait_within};

/// What it heard: how many beats, what agents said, results.
pub type Ears = (usize, Vec<Says>, Vec<Done>);

/// Says whatever it likes, with a good MAC.
pub struct Hostile {
    pub at: SocketAddr,
    pub heard: Arc<Mutex<Ears>>,
}

impl Hostile {
    /// `reply` makes the body of the answer to a beat of that number.
    pub fn start(mut reply: impl FnMut(usize, &[Done]) -> String + Send + 'static) -> Hostile {
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

    pub fn wait(&self, what: &str, fits: impl Fn(&Ears) -> bool) {
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

pub fn offer(n: usize, message: &str) -> Value {
    json!({"id": format!("{n:016x}"), "ep": 1, "at": 1, "job": "", "message": message, "left": 600_000, "fenced": n.is_multiple_of(2), "prepare": []})
}

pub fn body(offers: &[Value], acks: &[String]) -> String {
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
        "say %s%n%x",
        "give `touch F` --",
        "give -- touch",
        "say \u{85}touch F",
        "say\u{2028}touch F",
        "sh F",
        "env touch F",
        "guard-run touch F",
        "/proc/self/exe guard-run touch F",
    ] {
        corpus.push(text.replace('F', &file.to_string()));
    }
    corpus.push("say ".to_owned() + &";touch${IFS}x".repeat(76));
    corpus.push("say ".to_owned() + &"x".repeat(1020));
    corpus.push("say ".to_owned() + &"x".repeat(1021));
    corpus.push("say".to_owned() + &" $(touch)".repeat(100));
    corpus
}

/// An allow-list of which nothing makes the file.
pub fn list(out: &Path) -> String {
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
    let (canary, out, home) = (dir.join("canary"), dir.join("out"), dir.join("w0"));
    let corpus = corpus(&canary);
    let mut offers: Vec<Value> = corpus.iter().enumerate().map(|(n, text)| offer(n + 1, text)).collect();
    // The same as what is to come first, and as the name of a job.
    for (n, text) in corpus.iter().enumerate().filter(|(_, text)| text.len() <= 128) {
        let mut hidden = offer(corpus.len() + n + 1, "boom");
        (hidden["prepare"], hidden["job"]) = (json!(["boom", text]), json!(text));
        offers.push(hidden);
    }
    let ids: Vec<String> = offers.iter().map(|offer| offer["id"].as_str().unwrap().to_owned()).collect();
    let count = offers.len();
    let hostile = Hostile::start(move |_, done| {
        let open = offers.iter().filter(|offer| !done.iter().any(|done| offer["id"] == done.key.id.to_string()));
        let acks: Vec<String> = done.iter().rev().take(16).map(|done| done.key.id.to_string()).collect();
        body(&open.take(4).cloned().collect::<Vec<_>>(), &acks)
    });
    let config = agent_config(0, hostile.at.port(), &list(&out)).replace("period = 1", "period = 0.3");
    let mut agent = watched(&home, &config);
    hostile.wait("all results", |(_, _, done)| {
        ids.iter().filter(|id| done.iter().any(|done| done.key.id.to_string() == **id)).count() == count
    });
    assert!(!canary.exists(), "{}", agent.output());
    let said = fs::read_to_string(&out).unwrap();
    println!("what ran, with its words:");
    said.lines().for_each(|line| println!("{line:.100}"));
    // No word came apart, and none that is an option or leads upwards came through.
    assert!(said.lines().all(|line| !line.contains(" -") && !line.contains("..")), "{said}");
    let heard = hostile.heard.lock().unwrap();
    // A result may be told twice.
    let refused = ids
        .iter()
        .filter(|id| heard.2.iter().any(|done| done.key.id.to_string() == **id && done.words().starts_with("refused")));
    println!("{count} messages, {} refusals", refused.count());
    // It listed names and no command lines.
    assert!(
        heard.1.iter().all(|says| says.takes == ["boom", "say …", "give <what> <to>", "url http://127.0.0.1:1/only/…"])
    );
    drop(heard);
    if let Some(counts) = only_what_is_listed(&home, &out) {
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
}

/// How often the system was asked to start the shortcut of [`list`], its script, and guards of them, if anybody watched;
/// nothing else was.
pub fn only_what_is_listed(home: &Path, out: &Path) -> Option<[usize; 3]> {
    let programs = programs(home)?;
    let script = out.with_extension("args.sh").display().to_string();
    let mut counts = [0; 3];
    for program in &programs {
        let words: Vec<&str> = program.iter().map(String::as_str).collect();
        let listed = |words: &[&str]| match words {
            ["/bin/sh", "-c", "true"] => Some(0),
            ["/bin/sh", path, ..] if *path == script => Some(1),
            _ => None,
        };
        match (listed(&words), &words[..]) {
            (Some(which), _) => counts[which] += 1,
            (None, ["/proc/self/exe", "guard-run", rest @ ..]) if listed(rest).is_some() => counts[2] += 1,
            _ => panic!("{program:?} was started"),
        }
    }
    println!(
        "{} programs were started: shortcut {}, scripts {}, guards {}",
        programs.len(),
        counts[0],
        counts[1],
        counts[2]
    );
    Some(counts)
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
