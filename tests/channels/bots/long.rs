//! What is long is cut to what each service takes.

use std::sync::Arc;

use interrupt_callback::alert::{Form, Message};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use serde_json::Value;

use super::{SHEETS, body};
use crate::channels::sheet::{NOW, plan, ready};

/// Twenty long lines, in which each byte becomes two in JSON.
fn digest() -> Message {
    let event = |n: u64| {
        let name = format!("{n}{}", "\"\\失*<".repeat(60));
        let at = Moment::at(NOW.tick, &NOW);
        Event::new(Kind::Offline, Id(n), name, at).with(Field::LastBeat, Fact::Time(at))
    };
    Message {
        id: Id(0x3fa2_0000_0000_0001),
        form: Form::Digest,
        members: (0..20).map(|n| Arc::new(event(n))).collect(),
    }
}

/// One event with facts of 100 KiB.
fn heavy() -> Message {
    let long = "\"\\<*&失".repeat(10_000);
    let mut event = Event::new(Kind::Offline, Id(1), long.clone(), Moment::at(NOW.tick, &NOW));
    for field in Field::ALL {
        event = event.with_text(*field, long.clone());
    }
    Message { id: Id(0x3fa2_0000_0000_0001), form: Form::One, members: vec![Arc::new(event)] }
}

fn text(body: &Value, path: &str) -> String {
    body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[test]
fn nothing_is_longer_than_the_service_takes() {
    for (sheet, head, more) in SHEETS {
        let plan = plan(&[*head, more].concat());
        for (what, message) in [("digest", digest()), ("heavy", heavy())] {
            let ready = ready(&plan, &message);
            let sent = body(&ready);
            let all = ready.body.unwrap();
            assert!(all.len() <= 20_000, "{sheet} {what}: {} bytes", all.len());
            assert!(text(&sent, "/text/content").len() <= 2048 || !sheet.starts_with("wecom"), "{sheet} {what}");
            assert!(text(&sent, "/markdown/content").len() <= 4096, "{sheet} {what}");
            assert!(text(&sent, "/text").encode_utf16().count() <= 4096, "{sheet} {what}");
            assert!(String::from_utf8(all).unwrap().contains("id 3fa20000"), "{sheet} {what}: the id stays");
        }
    }
}
