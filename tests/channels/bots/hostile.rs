//! Names and messages of strangers stay text.

use interrupt_callback::event::{Event, Field, Id, Kind, Moment};
use serde_json::Value;

use super::{SHEETS, body};
use crate::channels::sheet::{NOW, message, plan, ready};

const NAMES: [&str; 8] = [
    "<at user_id=\"all\"></at>",
    "<at id=all></at>",
    "</b><font color=\"warning\">x</font>",
    "@all @13900000000 <@all>",
    "\"},{\"tag\":\"at\",\"user_id\":\"all\"},{\"x\":\"\\",
    "a\r\nb\u{2028}c\u{202e}d\u{0}",
    "[x](https://evil.example) **b** `c` _d_ ~e~ # f",
    "{title} {secret} ${x} %s",
];

/// Every text in `value`.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(map) => map.values().for_each(|item| texts(item, out)),
        _ => {}
    }
}

/// What `value` is made of, without its texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::Null,
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), shape(item))).collect(),
        value => value.clone(),
    }
}

#[test]
fn hostile_text_changes_nothing_but_the_text() {
    let told = |name: &str| {
        let event = Event::new(Kind::Offline, Id(1), name, Moment::at(NOW.tick, &NOW)).with_text(Field::Reason, name);
        message(event)
    };
    for (sheet, head, more) in SHEETS {
        let plan = plan(&[*head, more].concat());
        let mut usual = shape(&body(&ready(&plan, &told("x"))));
        for name in NAMES {
            let sent = body(&ready(&plan, &told(name)));
            let mut got = shape(&sent);
            for value in [&mut usual, &mut got] {
                // These follow the length of the text.
                value["entities"] = Value::Null;
                let fields = value.pointer_mut("/card/elements/0/fields").and_then(Value::as_array_mut);
                for field in fields.into_iter().flatten() {
                    field["is_short"] = Value::Null;
                }
            }
            assert_eq!(got, usual, "{sheet} {name:?}");
            let mut all = Vec::new();
            texts(&sent, &mut all);
            for text in all {
                assert!(!text.contains(['\r', '\0', '\u{202e}', '\u{2028}']), "{sheet}: {text:?}");
                // Only mentions of the file's own are tags; without any there is none.
                let live = sheet.starts_with("feishu") || sheet.starts_with("lark") || sheet.starts_with("wecom");
                if live && !sheet.contains("card") && !more.contains("at = ") {
                    assert!(!text.contains('<'), "{sheet}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn tags_of_cards_come_from_the_file_only() {
    for name in NAMES {
        let event = Event::new(Kind::Offline, Id(1), name, Moment::at(NOW.tick, &NOW)).with_text(Field::Reason, name);
        let sent = body(&ready(&super::of("feishu-card"), &message(event)));
        let fields = sent["card"]["elements"][0]["fields"].as_array().unwrap();
        let mut live = Vec::new();
        for field in fields.iter().filter(|field| field["text"]["tag"] == "lark_md") {
            live.push(field["text"]["content"].as_str().unwrap());
        }
        let tags: Vec<&&str> = live.iter().filter(|text| text.contains('<')).collect();
        assert_eq!(tags, [&"**值班**\n<at id=ou_ann></at><at email=bob@example.com></at>"], "{name:?}");
        assert!(!live.iter().any(|text| text.contains("evil")), "{live:?}");
        let url = sent["card"]["elements"][1]["actions"][0]["url"].as_str().unwrap();
        let host = url.strip_prefix("https://grafana.example.com/d/x?host=").unwrap();
        assert!(host.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~&=".contains(&b)), "{url}");
        assert_eq!(host.matches('&').count(), 1, "{url}");
    }
}

#[test]
fn mentions_of_text_are_the_files_own() {
    for (sheet, tag, own) in [("feishu-text-at", "<at", 2), ("wecom-markdown", "<@", 2)] {
        for name in NAMES {
            let event = Event::new(Kind::Offline, Id(1), name, Moment::at(NOW.tick, &NOW));
            let mut all = Vec::new();
            texts(&body(&ready(&super::of(sheet), &message(event))), &mut all);
            assert_eq!(all.concat().matches(tag).count(), own, "{sheet} {name:?}: {all:?}");
        }
    }
}

#[test]
fn nobody_is_mentioned_in_telegram_by_a_stranger() {
    let told = |more: &str, name: &str| {
        let plan = plan(&[super::TELEGRAM, more].concat());
        let event = Event::new(Kind::Offline, Id(1), name, Moment::at(NOW.tick, &NOW));
        body(&ready(&plan, &message(event)))["text"].as_str().unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(told("", "nas@home"), "nas@home is offline");
    assert_eq!(told("", "@durov (@durov) x-@durov"), "＠durov (＠durov) x-＠durov is offline");
    // Who mentions somebody himself wants it so.
    assert_eq!(told("prefix = \"@on_call_bob\"\n", "nas@home"), "@on_call_bob nas@home is offline");
}
