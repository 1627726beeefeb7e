//! Replies of a hostile server that are noise under a good MAC: by the thousand through the client's own exchange into a
//! real agent, and fewer against whole daemons.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use interrupt_callback::agent::desk::{self, JOURNAL, Parts};
use interrupt_callback::clock::{self, tick};
use interrupt_callback::config::{self, Env};
use interrupt_callback::keepalive::ask::{Answered, BeatError, Target};
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::work::{Agent, MAX_IDS, Orders};
use interrupt_callback::run::store::{self, Folders};
use serde_json::{Value, json};

use super::enemies::{Hostile, body, list, offer, only_what_is_listed};
use super::site::{agent_config, hostname, name};
use crate::common::daemon::Daemon;
use crate::common::trace::watched;
use crate::common::{TempDir, wait_for, wait_within};

/// A source of replies.
struct Noise {
    seed: u64,
    canary: String,
    last: usize,
}

impl Noise {
    fn new(seed: u64, canary: &Path) -> Noise {
        Noise { seed, canary: canary.display().to_string(), last: 0 }
    }

    fn chance(&mut self, below: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as usize % below
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.chance(words.len())]
    }

    /// A message of words that are allowed, hostile, or both.
    fn message(&mut self) -> String {
        let mut message = self
            .of(&[
                "boom",
                "say",
                "give",
                "say a",
                "give a b",
                "url http://127.0.0.1:1/only/x",
                "help",
                "touch",
                "/bin/sh",
            ])
            .to_owned();
        for _ in 0..self.chance(3) {
            let canary = self.canary.clone();
            message.push_str(self.of(&["", " ", " ", " ", ";", "\n", "\t", "\0", "\u{85}"]));
            message.push_str(self.of(&[
                "a",
                "-c",
                "--",
                "$(touch F)",
                "`touch F`",
                "; touch F",
                "| touch F",
                "../F",
                "{what}",
                "%s",
                "\\",
                "\"",
                "'",
            ]));
            message = message.replace('F', &canary);
        }
        message
    }

    /// A reply, sound or not.
    fn reply(&mut self, acks: &[String]) -> String {
        let mut offers = Vec::new();
        for _ in 0..self.chance(4) {
            self.last += self.chance(3);
            let message = self.message();
            let mut offer = offer(self.last.max(1), &message);
            match self.chance(8) {
                0 => offer["left"] = json!([0_i64, -1, i64::MIN, i64::MAX][self.chance(4)]),
                1 => offer["timeout"] = json!([0_i64, -1, i64::MIN, i64::MAX][self.chance(4)]),
                2 => offer["prepare"] = json!([self.message(), self.message()]),
                3 => offer["job"] = json!(self.message()),
                4 => (offer["ep"], offer["at"]) = (json!(u32::MAX), json!(self.chance(3))),
                _ => {}
            }
            offers.push(offer);
        }
        let mut reply: Value = serde_json::from_str(&body(&offers, acks)).unwrap();
        for list in ["cancel", "back", "acks"] {
            if self.chance(6) == 0 {
                reply["work"][list] =
                    json!([format!("{:016x}", self.last), "x", -1, format!("{:016x}", self.chance(9))]);
            }
        }
        if self.chance(9) == 0 {
            reply["next"] = json!([-5_i64, 0, i64::MAX][self.chance(3)]);
            // A lease that was granted is kept: it must not end for what is tried later.
            reply["lease"] = json!([i64::MAX, 30_000][self.chance(2)]);
        }
        let mut bytes = reply.to_string().into_bytes();
        for _ in 0..[0, 0, 0, 1, 2, 6][self.chance(6)] {
            let at = self.chance(bytes.len());
            match self.chance(4) {
                0 => bytes[at] = b"\"{}[],:0-9e\\u"[self.chance(13)],
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let piece = bytes[at..(at + self.chance(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let text = [&*self.canary.clone(), "-1", "1e999", "18446744073709551616", "null", "\u{7f}"]
                        [self.chance(6)]
                    .to_owned();
                    bytes.splice(at..at, text.bytes());
                }
            }
        }
        String::from_utf8_lossy(&bytes).replace(['\n', '\t'], " ")
    }
}

fn acks(done: &[interrupt_callback::keepalive::work::Done]) -> Vec<String> {
    done.iter().rev().take(MAX_IDS).map(|done| done.key.id.to_string()).collect()
}

/// How many replies were refused as a whole, good without orders, and good with some.
#[derive(Default, Debug)]
struct Counts {
    bad: usize,
    idle: usize,
    orders: usize,
    offers: usize,
}

/// One exchange as a client makes it, with or without an agent.
fn exchange(target: &Target, at: SocketAddr, says: Option<String>, ev: Ev) -> Result<Answered, BeatError> {
    let mut report = Report::bare(ev, Duration::from_secs(1));
    report.data.work = says.map(|says| (if ev == Ev::Beat { "work" } else { "done" }, says));
    target.ask(at, &name(0), &mut report, tick() + Duration::from_secs(20))
}

#[test]
#[ignore = "long: thousands of replies"]
fn thousands_of_replies_of_noise_have_nothing_run_that_is_not_listed() {
    const REPLIES: usize = 6000;
    let dir = TempDir::new();
    let (canary, out) = (dir.join("canary"), dir.join("out"));
    let mut noise = Noise::new(0x9e37_79b9_7f4a_7c15, &canary);
    let hostile = Hostile::start(move |_, done| noise.reply(&acks(done)));
    let text = agent_config(0, hostile.at.port(), &list(&out));
    let plan = config::parse(&text, "c.toml", &Env::default()).unwrap_or_else(|why| panic!("{why:?}"));
    let target = Target::new(&plan.clients[0]);
    let server = format!("srv@{}", hostname());

    // Without an agent nothing of a reply is even looked at.
    let mut without = Counts::default();
    for _ in 0..REPLIES / 3 {
        match exchange(&target, hostile.at, None, Ev::Beat) {
            Ok(answered) => {
                assert!(answered.orders.is_none());
                without.idle += 1;
            }
            Err(_) => without.bad += 1,
        }
    }
    assert!(!out.exists() && !canary.exists());

    let (to_desk, _nobody) = sync_channel(9);
    let folders = Folders { state: dir.join("state"), runtime: dir.join("run"), lock: None };
    fs::create_dir_all(dir.join("state")).unwrap();
    let (to_store, _store) = store::start(folders, to_desk).unwrap();
    let parts = Parts { carry: Arc::default(), resolver: Arc::default(), stop: Default::default() };
    let stop = parts.stop.clone();
    let (agent, thread) = desk::start(&plan.agent.unwrap(), (JOURNAL, None), to_store, parts).unwrap();
    let (mut with, mut results) = (Counts::default(), 0);
    let began = clock::tick();
    for _ in 0..REPLIES {
        match exchange(&target, hostile.at, agent.says(&server).map(|says| says.to_json()), Ev::Beat) {
            Ok(answered) => {
                let mut orders = answered.orders.unwrap_or_default();
                // A guard is this very binary, which is another one here; whole daemons are tried below.
                orders.offers.iter_mut().for_each(|offer| offer.fenced = false);
                with.offers += orders.offers.len();
                *(if orders == Orders::default() { &mut with.idle } else { &mut with.orders }) += 1;
                agent.ordered(&answered.server, &orders, tick(), answered.lease);
            }
            Err(_) => with.bad += 1,
        }
        while let Some(done) = agent.result(&server) {
            results += 1;
            let _ = exchange(&target, hostile.at, Some(done.to_json()), Ev::Result);
        }
    }
    wait_for("the last runs", || (agent.running() == 0).then_some(()));
    stop.stop();
    agent.wake();
    thread.join().unwrap();
    let said = fs::read_to_string(&out).unwrap();
    assert!(!canary.exists());
    // A word count and the words, of which none is an option or leads upwards.
    for line in said.lines() {
        let (count, words) = line.split_once(' ').unwrap();
        let whole = if words.is_empty() { 0 } else { words.split(' ').count() };
        assert_eq!(count.parse(), Ok(whole), "{line}");
        assert!(!words.split(' ').any(|word| word.starts_with('-') || word.starts_with("../")), "{line}");
    }
    println!(
        "{} replies without an agent: {without:?}, 0 runs; {REPLIES} with one in {} ms: {with:?}, {results} results told, \
         {} runs of the listed script, 0 of anything else",
        REPLIES / 3,
        clock::tick().since(began).as_millis(),
        said.lines().count()
    );
    assert!(with.orders > REPLIES / 4 && with.bad > REPLIES / 20 && said.lines().count() > 30);
}

#[test]
fn replies_of_noise_end_no_daemon() {
    let dir = TempDir::new();
    let (canary, out) = (dir.join("canary"), dir.join("out"));
    let allow = list(&out);
    let mut daemons: Vec<(Hostile, Daemon)> = Vec::new();
    for n in 0..4 {
        let mut noise = Noise::new(0x1234_5678_9abc_def1 << n | 1, &canary);
        let hostile = Hostile::start(move |_, done| noise.reply(&acks(done)));
        let config = agent_config(0, hostile.at.port(), &allow).replace("period = 1", "period = 0.1");
        let home = dir.join(format!("w{n}"));
        // One of them is watched, which takes its time.
        let daemon = if n == 0 { watched(&home, &config) } else { Daemon::start(&home, &config) };
        daemons.push((hostile, daemon));
    }
    let beats = || daemons.iter().map(|(hostile, _)| hostile.heard.lock().unwrap().0).sum::<usize>();
    wait_within(Duration::from_secs(120), "many beats", || (beats() >= 1000).then_some(()));
    let (beats, results) =
        (beats(), daemons.iter().map(|(hostile, _)| hostile.heard.lock().unwrap().2.len()).sum::<usize>());
    let resident: Vec<u64> = daemons[1..].iter().map(|(_, daemon)| daemon.proc_status("VmHWM")).collect();
    println!("{beats} replies to 4 daemons, {results} results, VmHWM {resident:?} kB");
    for (n, (_, daemon)) in daemons.iter_mut().enumerate() {
        assert!(!daemon.output().contains("panicked"));
        if n > 0 {
            assert!(daemon.stop().success());
        }
    }
    assert!(!canary.exists());
    let started = only_what_is_listed(&dir.join("w0"), &out);
    assert!(started.is_none_or(|counts| counts.iter().sum::<usize>() > 5));
}
