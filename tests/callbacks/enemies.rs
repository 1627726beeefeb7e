//! Programs that do not do as they should, and strangers who choose their words.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail wherever it wants to, and shows why")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]

use std::fs;
use std::time::{Duration, Instant};

use interrupt_callback::control::ask;
use serde_json::{Value, json};

use super::{count, file, gone, head, hook};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::trace::{programs, watched};
use crate::common::{SECRETS, SOON, TempDir, wait_for, wait_within};

/// The programs that do as they should not, one of which prints so many bytes.
fn misbehave(size: u64) {
    let (hook, dir) = (hook(), TempDir::new());
    let pids = dir.join("pids");
    let programs = [
        // Forks a sleeping grandchild, which holds its output, and waits for it.
        ("forks", format!("sleep 1000 & echo $! >> {}; wait", pids.display())),
        // Ends at once, but not what it leaves behind.
        ("leaves", format!("sleep 1001 & echo $! >> {}; exit 0", pids.display())),
        ("prints", format!("head -c {size} /dev/zero | tr '\\\\0' x")),
        ("prints-on", "yes".to_owned()),
        ("ignores", format!("trap '' TERM; echo $$ >> {}; while :; do sleep 1; done", pids.display())),
        ("sleeps", "exec sleep 1002".to_owned()),
        ("stops", format!("echo $$ >> {}; kill -STOP $$", pids.display())),
    ];
    let mut config = head(&hook);
    for (name, line) in &programs {
        let time = if *name == "prints" { 300 } else { 2 };
        config += &format!(
            "[[callback]]\nname = \"{name}\"\non = [\"offline\"]\nhosts = [\"victim\"]\ntimeout = {time}\nshell = \"{line}\"\n"
        );
    }
    config += "[[callback]]\nname = \"missing\"\non = [\"offline\"]\nhosts = [\"victim\"]\nrun = [\"/nonexistent/program\"]\n";
    config += "[[callback]]\nname = \"nowhere\"\non = [\"offline\"]\nhosts = [\"victim\"]\nrun = [\"true\"]\ndir = \"/nonexistent\"\n";
    let mut daemon = Daemon::start(dir.path(), &config);
    let server = daemon.ready();
    let before = daemon.proc_status("VmHWM");
    let host = |name: &str, period: f64| {
        let mut host = Beater::new(server, SECRETS[0], name);
        host.period = period;
        host.beat().unwrap();
        host
    };
    // One beats all the time; the others fall silent, each with a deadline of its own.
    let (mut steady, mut last) = (host("steady", 2.0), Instant::now());
    let mut beats = |what: &str, done: &dyn Fn() -> bool| {
        wait_within(10 * SOON, what, || {
            if last.elapsed() > Duration::from_millis(300) {
                last = Instant::now();
                steady.beat().unwrap();
            }
            done().then_some(())
        });
    };
    host("victim", 0.5);
    daemon.wait_line("callback sleeps: starts");
    let begun = Instant::now();
    let others = [("other-1", 0.5), ("other-2", 1.5), ("other-3", 2.5)];
    for (name, period) in others {
        host(name, period);
    }
    let told =
        |name: &str| hook.asked().into_iter().find(|asked| asked.path == "/hook" && asked.tells("offline", name));
    beats("the silences beside it", &|| others.iter().all(|(name, _)| told(name).is_some()));
    let mut before_it = begun;
    for (name, period) in others {
        let (at, deadline) = (told(name).unwrap().at, (2.0 * period + 1.0) * 1000.0);
        println!("{name}: deadline after {deadline} ms, told after {} ms", (at - begun).as_millis());
        assert!(at >= before_it, "in the order of their deadlines");
        before_it = at;
    }
    beats("seven failures", &|| count(&hook, "callback.failed") == 7);
    beats("two successes", &|| count(&hook, "callback.done") == 2);
    println!("steady beat {} times", steady.seq);
    let status = daemon.status();
    assert!(!hook.asked().iter().any(|asked| asked.path == "/hook" && asked.tells("offline", "steady")));
    as_they_should(&status, size);
    let pids = fs::read_to_string(&pids).unwrap();
    assert_eq!(pids.lines().count(), 4);
    for pid in pids.lines() {
        wait_for("the end of all", || gone(pid).then_some(()));
    }
    let grown = daemon.proc_status("VmHWM") - before;
    println!("{size} bytes were printed; peak memory grew by {grown} kB over {before} kB");
    assert!(grown < 8 * 1024, "{grown} kB");
}

/// How each of them ended, and what is kept of what it said.
fn as_they_should(status: &Value, size: u64) {
    println!("CALLBACK   TOOK     DROPPED     RESULT");
    for callback in status["callbacks"].as_array().unwrap() {
        let (name, last) = (callback["name"].as_str().unwrap(), &callback["last"]);
        let (took, dropped) = (last["took"].as_f64().unwrap_or(0.0), last["output_dropped"].as_u64().unwrap_or(0));
        println!("{name:<9}  {took:>5.2} s  {dropped:>10}  {}", last["result"].as_str().unwrap());
    }
    let of = |name: &str| {
        let found = status["callbacks"].as_array().unwrap().iter().find(|callback| callback["name"] == name);
        found.unwrap()["last"].clone()
    };
    for name in ["forks", "prints-on", "ignores", "sleeps", "stops"] {
        assert_eq!(of(name)["result"], "not done in time, killed", "{name}");
    }
    assert_eq!(of("leaves")["result"], "exit code 0");
    assert!(of("missing")["result"].as_str().unwrap().starts_with("/nonexistent/program: "), "{}", of("missing"));
    assert!(of("nowhere")["result"].as_str().unwrap().starts_with("/nonexistent: "), "{}", of("nowhere"));
    for output in ["output", "output_end"] {
        assert_eq!(of("prints")[output], "x".repeat(4096));
    }
    assert_eq!(of("prints")["output_dropped"], size - 2 * 4096);
}

#[test]
fn whatever_a_program_does_it_is_dead_at_its_limit_and_told() {
    misbehave(64 << 20);
}

#[test]
#[ignore = "long"]
fn a_program_that_prints_a_gigabyte_takes_no_memory() {
    misbehave(1 << 30);
}

/// Who chooses his words so that somebody else's shell might run them.
const HOSTILE: [&str; 13] = [
    "a; touch CANARY",
    "$(touch CANARY)",
    "`touch CANARY`",
    "--help",
    "-rf",
    "a' ; touch CANARY #",
    "a\" && touch CANARY || \"",
    "| touch CANARY",
    "{title}%s%n${IC_TITLE}",
    "%s%s%s%s%n%n%n",
    "$(exec touch CANARY)`exec touch CANARY`;exec touch CANARY",
    "-c touch CANARY",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

#[test]
fn words_of_strangers_stay_words() {
    let (hook, dir) = (hook(), TempDir::new());
    let (out, canary) = (dir.join("out"), dir.join("canary"));
    let config = head(&hook)
        + &format!(
            "[[callback]]\nname = \"line\"\non = [\"interrupt\"]\nenv = {{ OUT = {out:?} }}\n\
             shell = \"printf '%s|%s|' \\\"$IC_HOST\\\" \\\"$IC_INSTANCE_ID\\\" >> \\\"$OUT\\\"; cat >> \\\"$OUT\\\"\"\n\
             [[callback]]\nname = \"words\"\non = [\"interrupt\"]\nrun = [\"env\"]\n\
             [[callback]]\nname = \"call\"\non = [\"interrupt\"]\nurl = \"{}\"\nheaders = {{ X-Who = \"{{host}}\" }}\nbody = \"{{instance}}\"\n",
            hook.url("/call?who={host}"),
        );
    let said = "printf '%s|' \"$IC_TITLE\" \"$IC_TEXT\" >> \"$OUT.said\"";
    let config = config
        + &format!(
            "[[callback]]\nname = \"said\"\non = [\"message\"]\nenv = {{ OUT = {out:?} }}\nshell = {}\n",
            json!(said)
        );
    let mut daemon = watched(dir.path(), &config);
    let server = daemon.ready();
    for (number, words) in HOSTILE.iter().enumerate() {
        let words = words.replace("CANARY", canary.to_str().unwrap());
        let mut host = Beater::new(server, SECRETS[0], &words.replace(['"', '\\'], "'"));
        host.run = format!("run {number}");
        host.beat().unwrap();
        let mut report = host.report();
        let nasty = format!("{words}\n{words}\r\0{words}");
        report["data"] = json!({"notices": [{"id": format!("{:016x}", number + 1), "incident": format!("{:016x}", number + 100),
            "kind": "interrupt", "severity": "critical", "age": 0, "left": 600, "told": false,
            "facts": [["instance", nasty], ["action", nasty]]}]});
        host.say(&report).unwrap();
    }
    wait_for("their ends", || (count(&hook, "callback.done") == 3 * HOSTILE.len()).then_some(()));
    let text = file(&out, "\n");
    for words in HOSTILE {
        let words = words.replace("CANARY", canary.to_str().unwrap()).replace(['"', '\\'], "'");
        assert!(text.contains(&format!("{words}|")), "{words}\n{text}");
    }
    assert_eq!(text.lines().count(), HOSTILE.len(), "nobody can begin a line: {text}");
    let calls = hook.wait(HOSTILE.len(), |asked| asked.path.starts_with("/call?who="));
    for call in calls {
        assert!(call.header("x-who").is_some() && call.headers.len() < 12, "{call:?}");
        assert!(!call.path.contains([' ', '$', '`', ';', '"']), "{call:?}");
    }
    // What is said to the daemon, at any length, with a zero byte.
    for (number, words) in HOSTILE.iter().enumerate() {
        let words = words.replace("CANARY", canary.to_str().unwrap());
        let body = format!("{words}\n\0{}", words.repeat(5000 / words.len()));
        let message = json!({"id": format!("{:016x}", number + 1000), "severity": "info", "channels": [], "title": words, "body": body});
        let (_, answer) = ask(&dir.join("run/control"), &format!("send {message}")).unwrap();
        assert!(answer.contains("queued") || answer.contains("delivered"), "{answer}");
        wait_for("its end", || (count(&hook, "callback.done") > 3 * HOSTILE.len() + number).then_some(()));
    }
    let text = fs::read_to_string(out.with_extension("said")).unwrap();
    for words in HOSTILE {
        let words = words.replace("CANARY", canary.to_str().unwrap());
        assert!(text.contains(&format!("{words}|")), "{words}\n{text}");
    }
    assert!(!canary.exists(), "something was run");
    let Some(programs) = programs(dir.path()) else { return };
    let mut counts = [0; 4];
    for program in &programs {
        let words: Vec<&str> = program.iter().map(String::as_str).collect();
        let which = match words[..] {
            ["/bin/sh", "-c", line] if line.starts_with("printf '%s|%s|' \"$IC_HOST\"") => 0,
            ["/bin/sh", "-c", line] if line == said => 1,
            // Looked for in every folder of PATH.
            [path] if path.ends_with("/cat") => 2,
            [path] if path.ends_with("/env") => 3,
            _ => panic!("{program:?} was started"),
        };
        counts[which] += 1;
    }
    println!(
        "{} attempts to start a program: lines {} and {}, cat {}, env {}",
        programs.len(),
        counts[0],
        counts[1],
        counts[2],
        counts[3]
    );
    assert!(counts[..2] == [HOSTILE.len(); 2] && counts[2] >= HOSTILE.len() && counts[3] >= HOSTILE.len());
}
