//! What others wrote arrives as text, in every channel.

use std::sync::Arc;

use interrupt_callback::alert::channel::http::Ready;
use interrupt_callback::alert::channel::{ChannelState, prepare};
use interrupt_callback::alert::{Form, Message};
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use interrupt_callback::zone::Zone;
use serde_json::Value;

use super::sheet::{NOW, plan};
use crate::common::beat::Beater;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, FakeHttp};
use crate::common::{SECRETS, TempDir};

/// A channel: its section, and what may stand in no text of it, because it would mean something there.
pub type Row = (&'static str, &'static [&'static str]);

/// Every kind of channel that speaks HTTP, one row for each way it can speak.
pub const CHANNELS: &[Row] = &[
    ("[alert.feishu]\nwebhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/tok\"\nsecret = \"demo\"", &["<"]),
    ("[alert.webhook]\nurl = \"https://h.example/x\"", &[]),
    (
        "[alert.webhook]\nurl = \"https://h.example/{subject}?t={title}\"\nmethod = \"PUT\"\n\
         headers = { X-Title = \"{title}\", X-Host = \"{host}\" }\nbody = { text = \"{title}: {text}\", list = [\"{hint}\"] }",
        &[],
    ),
    ("[alert.webhook]\nurl = \"https://h.example/x\"\nbody = \"{title}: {text}\"", &[]),
    ("[alert.webhook]\nurl = \"https://h.example/x?t={title}&m={text}\"\nmethod = \"GET\"", &[]),
    // Bots.
    (
        "[alert.feishu]\nwebhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/tok\"\nsecret = \"demo\"\nstyle = \"text\"",
        &["<"],
    ),
    (
        "[alert.feishu]\nwebhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/tok\"\nsecret = \"demo\"\nstyle = \"card\"",
        &[],
    ),
    ("[alert.dingtalk]\ntoken = \"tok-0123\"\nsecret = \"SECdemo\"", &[]),
    (
        "[alert.dingtalk]\ntoken = \"tok-0123\"\nsecret = \"SECdemo\"\nstyle = \"markdown\"",
        &["<", "**b", "[click](", "://evil"],
    ),
    ("[alert.lark]\nwebhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/tok\"\nsecret = \"\"", &["<"]),
    (
        "[alert.lark]\nwebhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/tok\"\nsecret = \"\"\nstyle = \"text\"",
        &["<"],
    ),
    (
        "[alert.lark]\nwebhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/tok\"\nsecret = \"\"\nstyle = \"card\"",
        &[],
    ),
    ("[alert.wecom]\nkey = \"tok-0123\"", &["<"]),
    ("[alert.wecom]\nkey = \"tok-0123\"\nstyle = \"markdown\"", &["<", "**b", "[click](", "://evil"]),
    ("[alert.telegram]\ntoken = \"123456:AAH-tok-0123\"\nchat_id = -1001234567890", &[]),
    // Presets.
    ("[alert.slack]\nurl = \"https://h.example/services/T0/B0/TOKEN\"", &["<!", "<@", "<b", "</b"]),
    ("[alert.discord]\nurl = \"https://h.example/api/webhooks/1/TOKEN\"", &["**b", "://evil"]),
    ("[alert.teams]\nurl = \"https://h.example/workflows/1/x?sig=TOKEN\"", &["**b", " [click](", "://evil"]),
    ("[alert.matrix]\nserver = \"https://h.example\"\ntoken = \"TOKEN\"\nroom = \"!room:example.org\"", &[]),
    ("[alert.bark]\nserver = \"https://h.example\"\ndevice_key = \"TOKEN\"", &[]),
    ("[alert.ntfy]\nserver = \"https://h.example/\"\ntopic = \"alerts\"\ntoken = \"TOKEN\"", &[]),
    ("[alert.gotify]\nserver = \"https://h.example/gotify\"\ntoken = \"TOKEN\"", &[]),
    ("[alert.pushover]\nserver = \"https://h.example\"\ntoken = \"TOKEN\"\nuser = \"user-key\"", &[]),
    ("[alert.serverchan]\nserver = \"https://h.example\"\nkey = \"TOKEN\"", &["**b", "[click](", "://evil"]),
    ("[alert.pushplus]\nserver = \"https://h.example\"\ntoken = \"TOKEN\"", &[]),
    ("[alert.letserverrun]\nserver = \"https://h.example\"\ntoken = \"TOKEN\"", &[]),
    ("[alert.pagerduty]\nserver = \"https://h.example\"\nrouting_key = \"TOKEN\"", &[]),
    ("[alert.healthchecks]\nurl = \"https://h.example/uuid\"", &[]),
];

/// The same channels in words of their own; the last, with a body, not for those whose body is the request.
pub const OWN: [&str; 4] = [
    "",
    "\ntitle = \"{host} {kind}: {title}\"",
    "\nprefix = \"[ic]\"\ntitle = \"{text}\"",
    "\nbody = \"{host}\\n{text}\\n{reason}\"",
];

pub fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "\"quoted\" 'so' \\back\\",
        "first\nsecond\r\nX-Injected: yes",
        "</b><script>alert(1)</script><at user_id=\"all\"></at>",
        "@all @everyone @here <!channel> <@U123> <@all>",
        "${x} $(id) `id` {title} {text} {{host}}",
        "left\u{202e}right\u{2066}\u{200f}",
        "nul\0bell\u{7}esc\u{1b}[31m",
        "**bold** _it_ ~~no~~ [click](http://evil.example) ![i](http://evil.example/i.png)",
        "# head\n- item\n> quote\n1. one\n```\ncode\n```",
        "http://evil.example/?a=b&c=d #tag %0d%0a %s %n",
        "\u{2028}line\u{2029}para\u{85}next",
        "失联👩\u{200D}💻e\u{301}",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(100 * 1024));
    texts.push("失".repeat(50 * 1024));
    texts.push("\"".repeat(100 * 1024));
    texts.push("<".repeat(100 * 1024));
    texts
}

fn messages(text: &str) -> Vec<Message> {
    let event = |kind: Kind| {
        Event::new(kind, Id(0xabcd), text, Moment::at(NOW.tick, &NOW))
            .with(Field::LastBeat, Fact::Time(Moment::at(NOW.tick, &NOW)))
            .with_text(Field::Reason, text)
            .with_text(Field::Hint, text)
            .with_text(Field::Note, text)
    };
    let of = |form, kinds: &[Kind]| Message {
        id: Id(0x3fa2_0000_0000_0001),
        form,
        members: kinds.iter().map(|kind| Arc::new(event(*kind))).collect(),
    };
    let many = [Kind::Offline; 30];
    vec![
        of(Form::One, &[Kind::Interrupt]),
        of(Form::One, &[Kind::ChannelBroken]),
        of(Form::Over, &[Kind::Offline, Kind::Online]),
        of(Form::Digest, &[Kind::Offline, Kind::Interrupt]),
        of(Form::Digest, &many),
        of(Form::Minimal, &[Kind::Offline]),
    ]
}

/// Every text in the body of `ready`, which must be what its content type says.
pub fn texts(ready: &Ready) -> Vec<String> {
    let Some(body) = &ready.body else { return Vec::new() };
    let body = String::from_utf8(body.clone()).unwrap();
    let kind = ready.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.map_or("", |(_, value)| value.as_str());
    if kind.starts_with("application/json") {
        let mut texts = Vec::new();
        leaves(&serde_json::from_str(&body).unwrap(), &mut texts);
        texts
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        body.split('&').map(|pair| decoded(pair.split_once('=').unwrap().1)).collect()
    } else {
        vec![body]
    }
}

fn leaves(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|entry| leaves(entry, out)),
        Value::Object(map) => map.values().for_each(|entry| leaves(entry, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// What a reader sees of `text` apart from the marks of punctuation that escapes add or change.
fn seen(text: &str) -> String {
    let text = [("&lt;", ""), ("&gt;", ""), ("&quot;", ""), ("&amp;", "")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    text.chars().filter(|c| c.is_alphanumeric() && !('！'..='～').contains(c)).collect()
}

/// A title that stands outside of the markup of the text.
fn outside(section: &str, ready: &Ready) -> Option<String> {
    let place = match section {
        _ if section.starts_with("[alert.dingtalk]") => "/markdown/title",
        _ if section.starts_with("[alert.serverchan]") => "/title",
        _ => return None,
    };
    let body: Value = serde_json::from_slice(ready.body.as_deref()?).ok()?;
    Some(body.pointer(place)?.as_str()?.to_owned())
}

/// Checks what is sent; false if nothing is, because the service wants the events of `message` one by one.
fn check(row: &Row, own: &str, text: &str, message: &Message) -> bool {
    let (section, live) = row;
    let plan = plan(&[section, own].concat());
    let Some(ready) = prepare(&plan, message, &ChannelState::default(), &NOW, &Zone::utc()) else { return false };
    let about = || format!("{section}{own} {:.80?} {:?}", text, message.form);
    assert!(
        ready.url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)),
        "{} {}",
        about(),
        ready.url
    );
    for (name, value) in &ready.headers {
        assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{} {name}: {value}", about());
    }
    let texts = texts(&ready);
    // What a phone shows of a message in Markdown is none.
    let outside = outside(section, &ready);
    for shown in &texts {
        let control = |c: &char| (c.is_control() && *c != '\n') || ('\u{202A}'..='\u{202E}').contains(c);
        assert!(!shown.chars().any(|c| control(&c)), "{} {shown:.200}", about());
        for mark in live.iter().filter(|_| Some(shown) != outside.as_ref()) {
            assert!(!shown.contains(mark), "{}: {mark} in {shown:.200}", about());
        }
    }
    // What stands where a body would be is in the address.
    let all = if texts.is_empty() { decoded(&ready.url) } else { texts.join("\n") };
    let begin: String = seen(&text.replace(|c: char| c.is_control(), " ")).chars().take(20).collect();
    assert!(seen(&all).contains(&begin), "{}: {begin} is not in {all:.300}", about());
    assert!(ready.url.len() + ready.body.as_ref().map_or(0, Vec::len) < 64 * 1024, "{}", about());
    true
}

#[test]
fn what_others_wrote_is_text_everywhere() {
    for row in CHANNELS {
        for own in OWN {
            if own.starts_with("\nbody") && row.0.starts_with("[alert.webhook]") {
                continue;
            }
            // Long texts are cut before a template sees them.
            for text in hostile().into_iter().filter(|text| own.is_empty() || text.len() < 1024) {
                let sent = messages(&text).iter().filter(|message| check(row, own, &text, message)).count();
                assert!(sent >= 3, "{}", row.0);
            }
        }
    }
}

/// Names that a heartbeat server takes: at most 128 bytes without control and bidi characters.
#[test]
fn a_hostile_name_is_told_as_it_is() {
    let fake = FakeHttp::start(|_| Answer::ok(r#"{"code":0}"#));
    let dir = TempDir::new();
    let config = format!(
        "[keepalive]\ngrace = \"300ms\"\n[keepalive.server]\nlisten = \"127.0.0.1:0\"\nkey = \"{}\"\nnum = 2\n\
         [alert.hook]\nkind = \"webhook\"\nurl = \"{}\"\ntitle = \"{{host}} is {{kind}}\"\n\
         [alert.chat]\nkind = \"feishu\"\nwebhook = \"{}\"\nsecret = \"\"\n",
        SECRETS[0],
        fake.url("/hook"),
        fake.url("/chat"),
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    let name = "</b>\"@all${x}{title}<at user_id=\"all\"></at>\\'`id`%0a@\u{9999}";
    // The beater puts it into its JSON as it stands.
    let raw = name.replace('\\', "\\\\").replace('"', "\\\"");
    let mut beater = Beater::new(daemon.ready(), SECRETS[0], &raw);
    beater.period = 0.2;
    beater.beat().unwrap();
    let told = fake.wait(1, |asked| asked.path == "/hook" && asked.tells("offline", name));
    assert_eq!(told[0].json()["title"], format!("{name} is offline"));
    let chat = fake.wait(1, |asked| asked.path == "/chat" && asked.text().contains("失联"));
    let title = &chat[0].json()["content"]["post"]["zh_cn"]["title"];
    assert_eq!(*title, format!("{} 失联", name.replace('<', "＜")));
}
