//! What holds for every kind of channel in every style.

use std::sync::Arc;
use std::time::Duration;

use interrupt_callback::alert::channel::{self, ChannelState, Tools, prepare};
use interrupt_callback::alert::{Form, Message, Verdict};
use interrupt_callback::config::{self, Env};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::Stop;
use interrupt_callback::zone::Zone;

use super::hostile::{CHANNELS, OWN, decoded, hostile, texts};
use super::sheet::{NOW, golden, notice, plan, ready, recovery};
use crate::common::TempDir;

/// Kinds that speak no HTTP: `email` is looked at in its own tests, `command` here, `log` is one line of a log.
const OTHERS: [&str; 3] = ["email", "command", "log"];

/// What the configuration knows in the place of a word that it does not know.
fn known(text: &str) -> Vec<String> {
    let problems = config::parse(text, "c.toml", &Env::new(true, &[])).unwrap_err();
    let list = problems.iter().find_map(|problem| problem.text.split_once("\"zzzzzzzzzz\" is not known; known are "));
    list.map(|(_, names)| names.split(", ").map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn every_kind_and_style_is_looked_at() {
    let kinds = known("[alert.x]\nkind = \"zzzzzzzzzz\"");
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds.iter().filter(|kind| !OTHERS.contains(&kind.as_str())) {
        let rows: Vec<&str> = CHANNELS
            .iter()
            .map(|(section, _)| *section)
            .filter(|section| section.starts_with(&format!("[alert.{kind}]\n")))
            .collect();
        assert!(rows.iter().any(|row| !row.contains("style = ")), "{kind}: no row");
        for style in known(&format!("[alert.{kind}]\nstyle = \"zzzzzzzzzz\"")).iter().skip(1) {
            let named = format!("style = \"{style}\"");
            assert!(rows.iter().any(|row| row.contains(&named)), "{kind}: no row with {named}");
        }
    }
    assert_eq!(known("[alert.dingtalk]\nstyle = \"zzzzzzzzzz\""), ["text", "markdown"], "styles are found");
}

fn host(n: u64, kind: Kind) -> Arc<Event> {
    let moment = Moment::at(NOW.tick, &NOW);
    let mut event = Event::new(kind, Id(n), format!("worker-{n:02}@shenzhen"), moment);
    event = match kind {
        Kind::Online => event.with(Field::Duration, Fact::Span(Duration::from_secs(300))),
        _ => event.with(Field::LastBeat, Fact::Time(moment)),
    };
    Arc::new(event)
}

fn message(form: Form, members: Vec<Arc<Event>>) -> Message {
    Message { id: Id(0x3fa2_0000_0000_0001), form, members }
}

/// An alarm, its recovery, both in one, and several at a time.
fn messages() -> Vec<Message> {
    let many = |kind| (1..=20).map(|n| host(n, kind)).collect();
    vec![
        message(Form::One, vec![host(1, Kind::Offline)]),
        message(Form::One, vec![host(1, Kind::Online)]),
        message(Form::One, vec![host(1, Kind::Interrupt)]),
        message(Form::Over, vec![host(1, Kind::Offline), host(1, Kind::Online)]),
        message(Form::Minimal, vec![host(1, Kind::Offline)]),
        message(Form::Digest, many(Kind::Offline)),
        message(Form::Digest, many(Kind::Online)),
    ]
}

/// Bots that want a keyword look for it in what they are sent, and would drop just the all-clear.
#[test]
fn everything_begins_with_the_prefix() {
    for (section, _) in CHANNELS {
        for own in OWN {
            if own.starts_with("\nbody") && section.starts_with("[alert.webhook]") {
                continue;
            }
            let prefix = if own.contains("prefix") { "" } else { "\nprefix = \"[ic]\"" };
            let plan = plan(&[section, own, prefix].concat());
            let mut all = messages();
            let long = Event::new(Kind::Offline, Id(1), "失".repeat(50_000), Moment::at(NOW.tick, &NOW));
            all.push(message(Form::One, vec![Arc::new(long.with_text(Field::Reason, "<".repeat(50_000)))]));
            for message in all {
                let Some(ready) = prepare(&plan, &message, &ChannelState::default(), &NOW, &Zone::utc()) else {
                    continue;
                };
                let mut shown = texts(&ready);
                if shown.is_empty() {
                    shown.extend(decoded(&ready.url).split(['=', '&']).map(str::to_owned));
                }
                let begins = |text: &String| text.trim_start_matches("### ").starts_with("[ic] ");
                assert!(shown.iter().any(begins), "{section}{own} {:?}: {shown:?}", message.form);
            }
        }
    }
}

#[test]
fn twenty_hosts_are_told_of_in_one_message() {
    for (section, _) in CHANNELS {
        let plan = plan(section);
        for message in &messages()[5..] {
            let Some(ready) = prepare(&plan, message, &ChannelState::default(), &NOW, &Zone::utc()) else { continue };
            let shown = texts(&ready).join("\n") + &decoded(&ready.url);
            println!("== {section}\n{shown}\n");
            let told = (1..=20).filter(|n| shown.contains(&format!("worker-{n:02}@shenzhen"))).count();
            let cut = shown.contains("lines cut") || shown.contains("已省略");
            assert!(told == 20 || told >= 10 && cut, "{told} in {shown}");
            assert!(shown.contains("3fa20000"), "{shown}");
        }
    }
}

/// Each way in which a webhook can be asked; the other kinds have theirs in their own tests.
#[test]
fn the_requests_of_webhooks_are_as_written_down() {
    let rows = CHANNELS.iter().filter(|(section, _)| section.starts_with("[alert.webhook]"));
    let names = ["webhook", "webhook-json", "webhook-text", "webhook-get"];
    assert_eq!(rows.clone().count(), names.len());
    for ((section, _), name) in rows.zip(names) {
        let plan = plan(&[section, "\nprefix = \"[ic]\""].concat());
        golden(name, &ready(&plan, &notice("web-1@vm")));
        golden(&[name, "-end"].concat(), &ready(&plan, &recovery("web-1@vm")));
    }
}

#[test]
fn every_kind_has_its_requests_written_down() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/channels/golden");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        names.push(file.unwrap().file_name().into_string().unwrap());
    }
    for kind in known("[alert.x]\nkind = \"zzzzzzzzzz\"") {
        // A program is given what a webhook is sent; the log is for people.
        let begins = |name: &&String| name.starts_with(&kind);
        let count = names.iter().filter(begins).count();
        assert!(count >= 2 || ["command", "log"].contains(&&*kind), "{kind}: {count} files");
    }
}

/// What others wrote reaches a program as values of variables and as JSON, whatever it is.
#[test]
fn a_program_gets_hostile_text_as_text() {
    let dir = TempDir::new();
    let script = "cat > input; printf %s \\\"$IC_HOST\\\" > host; printf %s \\\"$IC_REASON\\\" > reason; env -0 > env";
    let script = format!("cd '{}' && {{ {script}; }}", dir.path().display());
    let plan = plan(&format!("[alert.command]\nargv = [\"sh\", \"-c\", \"{script}\"]"));
    for text in hostile() {
        let event = Event::new(Kind::Offline, Id(1), &*text, Moment::at(NOW.tick, &NOW));
        let event = event.with_text(Field::Reason, &*text);
        let fetch = channel::fetch(&plan, Arc::new(Resolver::default()));
        let tools = Tools { fetch: &fetch, zone: &Zone::utc(), stop: &Stop::default() };
        let message = message(Form::One, vec![Arc::new(event)]);
        let verdict = channel::attempt(&plan, &message, &tools, &mut ChannelState::default());
        assert_eq!(verdict, Verdict::Delivered, "{text:.80?}");
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
        let input = read("input");
        let json: serde_json::Value = serde_json::from_str(&input).unwrap();
        assert_eq!(input.lines().count(), 1, "{input:.300}");
        assert_eq!((json["kind"].as_str(), json["id"].as_str()), (Some("offline"), Some("3fa2000000000001")));
        let plain: String = text.chars().take_while(|c| !c.is_control()).take(40).collect();
        for name in ["host", "reason"] {
            let value = read(name);
            assert!(!value.chars().any(char::is_control) && value.len() < 1024, "{name}: {value:?}");
            let same = value.replace('\u{FFFD}', "").starts_with(&plain.replace(['\u{202e}', '\u{2028}'], ""));
            assert!(same || plain.contains(['\u{202e}', '\u{2028}']), "{name}: {value:?} {plain:?}");
        }
        let own = read("env").split('\0').filter(|pair| pair.starts_with("X-Injected")).count();
        assert_eq!(own, 0);
    }
}
