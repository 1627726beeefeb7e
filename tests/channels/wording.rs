//! Templates, room and languages.

use interrupt_callback::alert::channel::compose::{Composed, Markup, Room, Style, Unit, compose};
use interrupt_callback::config::{self, Env};
use interrupt_callback::zone::Zone;

use super::sheet::{NOW, notice, plan, ready, recovery};
use crate::common::daemon::command;
use crate::common::{TempDir, wait_for};

const HOOK: &str = "[alert.hook]\nkind = \"webhook\"\nurl = \"https://h.example/x\"\n";

fn body(text: &str) -> serde_json::Value {
    serde_json::from_slice(&ready(&plan(text), &notice("web-1@vm")).body.unwrap()).unwrap()
}

/// As a service with Markdown and little room would have it.
fn little(text: &str) -> Composed {
    let room = |max| Room { unit: Unit::Chars, max };
    let style = Style { markup: Markup::Discord, title: room(40), body: room(90), joined: false, newline: "\n" };
    compose(&plan(text), &style, &notice("web_1@vm"), &NOW, &Zone::utc())
}

#[test]
fn a_webhook_has_the_title_that_the_file_wants() {
    assert_eq!(body(HOOK)["title"], "web-1@vm will be reclaimed in 4 min 50 s");
    let own = [HOOK, "prefix = \"[ic]\"\ntitle = \"{name}: {seconds_left} s left, {status}\"\n"].concat();
    assert_eq!(body(&own)["title"], "[ic] web-1: 290 s left, firing");
    let request = [&*own, "body = { t = \"{title}\", left = \"{time_left}\" }"].concat();
    assert_eq!(body(&request)["t"], "[ic] web-1: 290 s left, firing");
    assert_eq!(body(&request)["left"], "4 min 50 s");
}

#[test]
fn alarm_and_recovery_begin_with_the_prefix_whatever_the_template() {
    let plan = plan(&[HOOK, "prefix = \"[ic]\"\ntitle = \"{kind} {duration}\"\n"].concat());
    for (message, title) in [(notice("x"), "[ic] interrupt "), (recovery("x"), "[ic] online 5 min")] {
        let body: serde_json::Value = serde_json::from_slice(&ready(&plan, &message).body.unwrap()).unwrap();
        assert_eq!(body["title"], title);
    }
}

#[test]
fn a_template_is_told_with_what_there_is_room_for() {
    let own = "[alert.log]\ntitle = \"**{host}**\"\nbody = \"__{kind}__\\n{text}\"";
    let said = little(own);
    assert_eq!(said.title, "**web\\_1@vm**");
    assert_eq!(said.body, "__interrupt__\nTime: 2026-11-21 02:00:00 +00:00\n… 1 line cut\nid 3fa20000");
    // A template that leaves no room at all gives way to the usual words.
    let long = ["[alert.log]\nbody = \"", &"-".repeat(200), "{text}\""].concat();
    assert_eq!(little(&long).body, "Time: 2026-11-21 02:00:00 +00:00\n… 1 line cut\nid 3fa20000");
}

#[test]
fn a_mistake_in_a_template_is_found_when_the_file_is_read() {
    let problems = |text: &str| {
        let problems = config::parse(&[HOOK, text].concat(), "c.toml", &Env::new(true, &[])).unwrap_err();
        problems.iter().map(|problem| problem.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(problems("title = \"{hots} is {kind}\""), ["\"{hots}\" is no field; did you mean \"{host}\"?"]);
    let unknown = problems("title = \"{wonderful}\"");
    assert!(unknown[0].starts_with("\"{wonderful}\" is no field; fields are title, text, kind, "), "{unknown:?}");
    for field in ["status", "time_left", "seconds_left", "name", "deadline", "last_beat", "duration"] {
        assert!(unknown[0].contains(field), "{field}: {unknown:?}");
    }
    assert_eq!(problems(&["title = \"", &"x".repeat(257), "\""].concat()), ["is longer than 256 bytes"]);
}

#[test]
fn a_command_gets_the_title_and_text_that_the_file_wants() {
    let dir = TempDir::new();
    let out = dir.join("out");
    let config = dir.join("config.toml");
    let script = "printf '%s|%s|%s' \\\"$IC_TITLE\\\" \\\"$IC_TEXT\\\" \\\"$IC_STATUS\\\" > \\\"$0\\\"";
    let text = format!(
        "[keepalive.server]\nkey = \"0123456789abcdef\"\n[alert.run]\nkind = \"command\"\ntitle = \"{{kind}}!\"\n\
         body = \"<{{severity}}>\\n{{host}}\"\nargv = [\"sh\", \"-c\", \"{script}\", \"{}\"]\n",
        out.display()
    );
    std::fs::write(&config, text).unwrap();
    let run = command().arg("-c").arg(&config).arg("test").output().unwrap();
    let said = wait_for("what the command was given", || std::fs::read_to_string(&out).ok());
    assert!(said.starts_with("[TEST] test!|<info>\n"), "{said} {run:?}");
    assert!(said.ends_with("|firing"), "{said}");
}
