//! What the tests of channels share: plans from configuration text, messages at a fixed time, golden requests.

#![allow(dead_code, reason = "each channel's tests use a part of this")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use interrupt_callback::alert::channel::http::Ready;
use interrupt_callback::alert::channel::{self, ChannelState};
use interrupt_callback::alert::{Form, Message, Verdict};
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::ChannelPlan;
use interrupt_callback::config::{self, Env};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use interrupt_callback::fetch::Answer;
use interrupt_callback::zone::Zone;

/// 2026-11-21 02:00:00 UTC.
pub const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };

/// The only channel in `[alert]` sections.
pub fn plan(text: &str) -> ChannelPlan {
    let env = Env::new(true, &[]);
    let text = ["[keepalive.server]\nkey = \"0123456789abcdef\"\n", text].concat();
    let mut plan = match config::parse(&text, "test.toml", &env) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems:#?}"),
    };
    assert_eq!(plan.channels.len(), 1);
    plan.channels.remove(0)
}

/// `event` alone.
pub fn message(event: Event) -> Message {
    Message { id: Id(0x3fa2_0000_0000_0001), form: Form::One, members: vec![Arc::new(event)] }
}

/// A reclaim notice of `subject` in 4 min 50 s.
pub fn notice(subject: &str) -> Message {
    let deadline = Moment::at_wall(Wall(NOW.wall.0 + 290_000), &NOW);
    let event = Event::new(Kind::Interrupt, Id(0xabcd), subject, Moment::at(NOW.tick, &NOW))
        .with(Field::Deadline, Fact::Time(deadline));
    message(event)
}

/// The recovery of `subject` after five minutes.
pub fn recovery(subject: &str) -> Message {
    let event = Event::new(Kind::Online, Id(0xabcd), subject, Moment::at(NOW.tick, &NOW))
        .with(Field::Duration, Fact::Span(std::time::Duration::from_secs(300)));
    message(event)
}

/// The request that tells `message`.
pub fn ready(plan: &ChannelPlan, message: &Message) -> Ready {
    channel::prepare(plan, message, &ChannelState::default(), &NOW, &Zone::utc()).unwrap()
}

/// What an answer of `status` and `body` to `ready` means.
pub fn judged(plan: &ChannelPlan, ready: &Ready, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    channel::judge(plan, ready, &Answer { status, headers, body: body.as_bytes().to_vec() }, NOW.wall)
}

/// A verdict in a word: who has to do something about it.
pub fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { answered: false, .. } => "unknown",
        Verdict::Retry { channel: true, .. } => "channel",
        Verdict::Retry { channel: false, .. } => "message",
        Verdict::Broken(_) => "broken",
        Verdict::GiveUp(_) => "given up",
    }
}

/// Compares `ready` with `golden/NAME.txt`. With `GOLDEN=write` in the environment a file that is not there is written.
pub fn golden(name: &str, ready: &Ready) {
    let mut text = format!("{} {}\n", ready.method, ready.url);
    for (name, value) in &ready.headers {
        let value = value.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(ready.body.as_deref().unwrap_or_default()));
    text.push('\n');
    same(name, &text);
}

/// Compares `text` with `golden/NAME.txt`, as [`golden`] does.
pub fn same(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/channels/golden").join(format!("{name}.txt"));
    match fs::read_to_string(&path) {
        Ok(kept) => assert_eq!(text, kept, "{name}"),
        Err(_) if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") => fs::write(&path, text).unwrap(),
        Err(error) => panic!("{}: {error}; the request is\n{text}", path.display()),
    }
}
