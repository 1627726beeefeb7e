//! Channels that are data: what each sends, and what each answer means.

mod answers;
pub mod live;

use std::sync::Arc;

use interrupt_callback::alert::channel::presets::PRESETS;
use interrupt_callback::alert::channel::{self, ChannelState};
use interrupt_callback::alert::{Form, Message, Verdict};
use interrupt_callback::clock::Wall;
use interrupt_callback::config::plan::ChannelPlan;
use interrupt_callback::event::{Event, Id, Kind, Moment, Severity};
use interrupt_callback::zone::Zone;

use super::sheet::{NOW, class, judged, message, notice, plan, ready, recovery};

/// Every row with its own keys. `ADDRESS` stands for a server or the beginning of an address, `TOKEN` for a secret.
pub const ROWS: &[(&str, &str)] = &[
    ("slack", "url = \"ADDRESS/services/T0/B0/TOKEN\""),
    ("discord", "url = \"ADDRESS/api/webhooks/1/TOKEN\""),
    ("teams", "url = \"ADDRESS/workflows/1/triggers/manual/paths/invoke?sp=%2Ftriggers%2Fmanual%2Frun&sig=TOKEN\""),
    ("matrix", "server = \"ADDRESS\"\ntoken = \"TOKEN\"\nroom = \"!room:example.org\""),
    ("bark", "server = \"ADDRESS\"\ndevice_key = \"TOKEN\""),
    ("ntfy", "server = \"ADDRESS/\"\ntopic = \"alerts\"\ntoken = \"TOKEN\""),
    ("gotify", "server = \"ADDRESS/gotify\"\ntoken = \"TOKEN\""),
    ("pushover", "server = \"ADDRESS\"\ntoken = \"TOKEN\"\nuser = \"user-key\""),
    ("serverchan", "server = \"ADDRESS\"\nkey = \"TOKEN\""),
    ("pushplus", "server = \"ADDRESS\"\ntoken = \"TOKEN\""),
    ("letserverrun", "server = \"ADDRESS\"\ntoken = \"TOKEN\""),
    ("pagerduty", "server = \"ADDRESS\"\nrouting_key = \"TOKEN\""),
    ("healthchecks", "url = \"ADDRESS/TOKEN?create=1\""),
];

pub fn config(row: &str, address: &str, token: &str) -> String {
    let (name, keys) = ROWS.iter().find(|(name, _)| *name == row).unwrap();
    let keys = keys.replace("ADDRESS", address).replace("TOKEN", token);
    format!("[alert.{name}]\n{keys}\n")
}

fn row(name: &str) -> ChannelPlan {
    plan(&config(name, "http://10.0.0.1", "the-token"))
}

fn body(plan: &ChannelPlan, message: &Message) -> String {
    String::from_utf8(ready(plan, message).body.unwrap()).unwrap()
}

fn digest(kinds: &[(Kind, u64)]) -> Message {
    let event = |(kind, incident): &(Kind, u64)| {
        Arc::new(Event::new(*kind, Id(*incident), format!("h{incident}"), Moment::at(NOW.tick, &NOW)))
    };
    Message { id: Id(77), form: Form::Digest, members: kinds.iter().map(event).collect() }
}

#[test]
fn every_row_is_looked_at() {
    let names: Vec<&str> = PRESETS.iter().map(|row| row.name).collect();
    assert_eq!(ROWS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
}

#[test]
fn each_sends_what_its_service_reads() {
    for (name, _) in ROWS {
        let plan = row(name);
        super::sheet::golden(name, &ready(&plan, &notice("web-1@vm")));
        super::sheet::golden(&[name, "-end"].concat(), &ready(&plan, &recovery("web-1@vm")));
    }
}

/// The addresses of the services themselves.
#[cfg(feature = "tls")]
#[test]
fn servers_need_not_be_named() {
    for (keys, url) in [
        ("[alert.bark]\ndevice_key = \"k\"", "https://api.day.app/push"),
        ("[alert.ntfy]\ntopic = \"t\"", "https://ntfy.sh/"),
        ("[alert.pushover]\ntoken = \"t\"\nuser = \"u\"", "https://api.pushover.net/1/messages.json"),
        ("[alert.serverchan]\nkey = \"SCT1tAb\"", "https://sctapi.ftqq.com/SCT1tAb.send"),
        ("[alert.serverchan]\nkey = \"sctp123tAb\"", "https://123.push.ft07.com/send/sctp123tAb.send"),
        ("[alert.serverchan]\nkey = \"sctp123tAb\"\nserver = \"http://10.0.0.1\"", "http://10.0.0.1/sctp123tAb.send"),
        ("[alert.pushplus]\ntoken = \"t\"", "https://www.pushplus.plus/send"),
        ("[alert.letserverrun]\ntoken = \"t\"", "https://api.letserver.run/message/warning"),
        ("[alert.letserverrun]\ntoken = \"t\"\napi = \"user\"", "https://api.letserver.run/message/warning"),
        (
            "[alert.letserverrun]\ntoken = \"t\"\napi = \"agent\"\nmessage = \"auto\"",
            "https://api.letserver.run/agent/message/auto",
        ),
        ("[alert.pagerduty]\nrouting_key = \"k\"", "https://events.pagerduty.com/v2/enqueue"),
    ] {
        assert_eq!(ready(&plan(keys), &notice("x")).url, url, "{keys}");
    }
    let lark = plan("[alert.lark]\nwebhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/x\"\nsecret = \"\"");
    assert!(body(&lark, &notice("x")).contains("\"en_us\""), "Feishu's rule, in English");
}

/// What no service says, but something on the way may.
const STRANGE: &[(u16, &str, &str)] = &[
    (200, "<html>login</html>", "unknown"),
    (202, "\n<!doctype html>", "unknown"),
    (200, "{\"code\":20", "unknown"),
    (302, "<html>portal</html>", "broken"),
    (502, "<html>bad gateway</html>", "channel"),
    (503, "", "channel"),
];

#[test]
fn every_answer_has_its_verdict() {
    for (name, status, answer, expected) in answers::ANSWERS {
        let plan = row(name);
        let verdict = judged(&plan, &ready(&plan, &notice("x")), *status, &[], answer);
        assert_eq!(class(&verdict), *expected, "{name} {status} {answer}: {verdict:?}");
    }
    for (name, _) in ROWS {
        let plan = row(name);
        for (status, answer, expected) in STRANGE {
            // Neither of these looks into a 200.
            if *answer == "{\"code\":20" && ["teams", "slack", "healthchecks"].contains(name) {
                continue;
            }
            let verdict = judged(&plan, &ready(&plan, &notice("x")), *status, &[], answer);
            assert_eq!(class(&verdict), *expected, "{name} {status} {answer}: {verdict:?}");
        }
    }
}

/// The same language in the file: the answers that every service of this kind may give.
#[test]
fn webhooks_say_what_a_success_is() {
    let keys =
        "ok = \"200 code=0\"\nretry = [\"code=11232\", \"msg~'too many'\"]\ngive_up = \"code=40058\"\nwait = \"wait\"";
    let hook = plan(&format!("[alert.webhook]\nurl = \"http://10.0.0.1/the-token\"\n{keys}"));
    let plain = plan("[alert.webhook]\nurl = \"http://10.0.0.1/the-token\"");
    for (status, body, expected, without) in [
        (200, r#"{"code":0}"#, "delivered", "delivered"),
        (200, r#"{"code":"0"}"#, "delivered", "delivered"),
        (200, r#"{"StatusCode":0}"#, "unknown", "delivered"),
        (200, r#"{"code":19021,"StatusCode":0}"#, "broken", "delivered"),
        (200, r#"{"code":9499,"msg":"too many request"}"#, "channel", "delivered"),
        (200, r#"{"code":11232}"#, "channel", "delivered"),
        (200, r#"{"code":40058,"msg":"too long"}"#, "given up", "delivered"),
        (200, "{}", "unknown", "delivered"),
        (200, "not json", "unknown", "delivered"),
        (200, "<html>login</html>", "unknown", "delivered"),
        (200, "", "unknown", "delivered"),
        (201, r#"{"code":0}"#, "broken", "delivered"),
        (302, "", "broken", "broken"),
        (400, r#"{"code":11232}"#, "channel", "message"),
        (429, "", "channel", "channel"),
    ] {
        for (plan, expected) in [(&hook, expected), (&plain, without)] {
            let verdict = judged(plan, &ready(plan, &notice("x")), status, &[], body);
            assert_eq!(class(&verdict), expected, "{status} {body}: {verdict:?}");
        }
    }
    let verdict = judged(&hook, &ready(&hook, &notice("x")), 200, &[], r#"{"code":11232,"wait":5}"#);
    assert!(matches!(verdict, Verdict::Retry { after: Some(wait), .. } if wait.as_secs() == 5), "{verdict:?}");
}

#[test]
fn the_wait_is_the_services_own() {
    for (name, status, headers, answer, ms) in [
        ("discord", 429, &[][..], r#"{"retry_after":64.57}"#, Some(64_570)),
        ("discord", 429, &[("retry-after", "65")][..], r#"{"retry_after":64.57}"#, Some(65_000)),
        ("matrix", 429, &[][..], r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}"#, Some(2500)),
        ("pushplus", 200, &[][..], r#"{"code":900}"#, Some(600_000)),
        ("pagerduty", 429, &[][..], "", Some(60_000)),
        ("pagerduty", 429, &[("retry-after", "Sat, 21 Nov 2026 02:05:00 GMT")][..], "", Some(300_000)),
        ("pushover", 500, &[][..], "", Some(5000)),
        ("slack", 429, &[("retry-after", "30")][..], "", Some(30_000)),
        ("ntfy", 429, &[][..], r#"{"code":42901}"#, None),
    ] {
        let plan = row(name);
        match judged(&plan, &ready(&plan, &notice("x")), status, headers, answer) {
            Verdict::Retry { after, .. } => assert_eq!(after.map(|wait| wait.as_millis()), ms, "{name} {answer}"),
            verdict => panic!("{name}: {verdict:?}"),
        }
    }
}

#[test]
fn reasons_say_what_to_mend_and_no_secret() {
    for (name, status, answer, says) in [
        ("bark", 400, r#"{"code":400,"message":"failed to get [the-token] device token"}"#, "copy it from the app"),
        ("gotify", 401, r#"{"error":"the-token"}"#, "of an application"),
        ("discord", 404, "no /api/webhooks/1/the-token", "was removed"),
        ("healthchecks", 200, "OK (not found)", "is the address right?"),
        ("teams", 404, "no sig=the-token", "the workflow is off"),
        ("pushover", 400, r#"{"user":"invalid","x":"user-key the-token","status":0}"#, "the user key is wrong"),
    ] {
        let plan = row(name);
        let Verdict::Broken(why) = judged(&plan, &ready(&plan, &notice("x")), status, &[], answer) else {
            panic!("{name} is not parked");
        };
        assert!(why.starts_with(&format!("10.0.0.1: HTTP {status}: ")) && why.contains(says), "{why}");
        assert!(!why.contains("the-token") && !why.contains("user-key"), "{why}");
    }
}

#[test]
fn severity_and_phase_have_their_words() {
    let at = Moment::at(NOW.tick, &NOW);
    let told = |name: &str, kind, severity| {
        let event = Event { severity, ..Event::new(kind, Id(0xabcd), "x", at) };
        let ready = ready(&row(name), &message(event));
        [ready.url, "\n".to_owned(), String::from_utf8(ready.body.unwrap()).unwrap()].concat()
    };
    for (name, kind, severity, words) in [
        ("ntfy", Kind::Offline, Severity::Critical, "\"priority\":5,\"tags\":[\"rotating_light\"]"),
        ("ntfy", Kind::Blind, Severity::Warning, "\"priority\":4,\"tags\":[\"warning\"]"),
        ("ntfy", Kind::Test, Severity::Info, "\"priority\":3,\"tags\":[\"information_source\"]"),
        ("ntfy", Kind::Online, Severity::Info, "\"priority\":3,\"tags\":[\"white_check_mark\"]"),
        ("bark", Kind::Offline, Severity::Critical, "\"level\":\"critical\""),
        ("bark", Kind::Blind, Severity::Warning, "\"level\":\"timeSensitive\""),
        ("bark", Kind::Online, Severity::Info, "\"level\":\"active\""),
        ("pushover", Kind::Offline, Severity::Critical, "&priority=1"),
        ("pushover", Kind::Blind, Severity::Warning, "&priority=0"),
        ("pushover", Kind::Online, Severity::Info, "&priority=-1"),
        ("gotify", Kind::Offline, Severity::Critical, "\"priority\":8"),
        ("gotify", Kind::Blind, Severity::Warning, "\"priority\":5"),
        ("gotify", Kind::Test, Severity::Info, "\"priority\":2"),
        ("pagerduty", Kind::Offline, Severity::Critical, "\"event_action\":\"trigger\""),
        ("pagerduty", Kind::Lost, Severity::Warning, "\"event_action\":\"trigger\""),
        ("pagerduty", Kind::Online, Severity::Info, "\"event_action\":\"resolve\""),
        ("pagerduty", Kind::Online, Severity::Info, "\"dedup_key\":\"000000000000abcd\""),
        ("healthchecks", Kind::Offline, Severity::Critical, "/the-token/fail?create=1\n"),
        ("healthchecks", Kind::Test, Severity::Info, "/the-token/log?create=1\n"),
        ("healthchecks", Kind::Online, Severity::Info, "/the-token?create=1\n"),
        ("letserverrun", Kind::Blind, Severity::Warning, "/message/warning\n"),
        ("letserverrun", Kind::Online, Severity::Info, "/message/info\n"),
    ] {
        let told = told(name, kind, severity);
        assert!(told.contains(words), "{words} in {told}");
    }
}

#[test]
fn several_events_have_one_phase() {
    let hook = row("healthchecks");
    for (kinds, url) in [
        (&[(Kind::Offline, 1), (Kind::Offline, 2)][..], "/fail"),
        (&[(Kind::Offline, 1), (Kind::Online, 1), (Kind::Offline, 2)], "/fail"),
        (&[(Kind::Online, 1), (Kind::Offline, 1)], "/fail"),
        (&[(Kind::Offline, 1), (Kind::Online, 1), (Kind::Online, 2)], ""),
        (&[(Kind::Lost, 1), (Kind::Rebooted, 2)], "/log"),
    ] {
        assert_eq!(ready(&hook, &digest(kinds)).url, format!("http://10.0.0.1/the-token{url}?create=1"));
    }
    let over = Message { form: Form::Over, ..digest(&[(Kind::Offline, 1), (Kind::Online, 1)]) };
    assert!(ready(&hook, &over).url.ends_with("/the-token?create=1"));
    assert!(body(&row("ntfy"), &over).contains("\"priority\":3"), "what is over wakes nobody");
    let duty = row("pagerduty");
    let prepared = |message: &Message| channel::prepare(&duty, message, &ChannelState::default(), &NOW, &Zone::utc());
    assert_eq!(prepared(&over), None, "each incident is kept by itself");
    assert_eq!(prepared(&digest(&[(Kind::Offline, 1), (Kind::Offline, 2)])), None);
    let left = prepared(&digest(&[(Kind::Offline, 1)])).unwrap().body.unwrap();
    assert!(String::from_utf8_lossy(&left).contains(r#""dedup_key":"0000000000000001""#), "its own incident");
}

#[test]
fn an_attempt_that_comes_twice_is_one_message() {
    let matrix = row("matrix");
    let url = ready(&matrix, &notice("x")).url;
    let room = "http://10.0.0.1/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/3fa2000000000001";
    assert_eq!(url, room);
    let later = interrupt_callback::clock::Now { wall: Wall(NOW.wall.0 + 60_000), ..NOW };
    let again = channel::prepare(&matrix, &notice("x"), &ChannelState::default(), &later, &Zone::utc()).unwrap();
    assert_eq!(again.url, room);
}

#[test]
fn the_barest_message_has_a_text() {
    for (name, _) in ROWS {
        let plan = row(name);
        let bare = Message { form: Form::Minimal, ..notice("web-1") };
        let body = body(&plan, &bare);
        assert!(body.matches("interrupt").count() > 0, "{name}: {body}");
        assert!(!body.contains("\"\"") && !body.contains("message=&"), "{name}: {body}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let nasty = "a\"\\</b>&'{title}{id}\n@everyone <@all> ${x} `*_~|[l](http://x)#%26=+\u{202e}失";
    for (name, _) in ROWS {
        let plan = row(name);
        let told = ready(&plan, &notice(nasty));
        let good = ready(&plan, &notice("good"));
        assert_eq!((told.method, &told.url, told.headers), (good.method, &good.url, good.headers), "{name}");
        let body = String::from_utf8(told.body.unwrap()).unwrap();
        assert!(!body.contains("000000000000abcd`") && !body.contains('\u{202e}'), "{name}: {body}");
        match body.starts_with('{') {
            true => {
                let parsed = serde_json::from_str::<serde_json::Value>(&body);
                let pattern = serde_json::from_slice::<serde_json::Value>(&good.body.unwrap()).unwrap();
                let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
                assert_eq!(keys(&parsed.unwrap()), keys(&pattern), "{name}");
            }
            false if *name == "pushover" => {
                assert_eq!(body.split('&').count(), 5, "{body}");
                assert!(body.split('&').all(|pair| pair.split('=').count() == 2), "{body}");
            }
            false => assert_eq!(*name, "healthchecks"),
        }
    }
    // What each would read as markup.
    assert!(!body(&row("slack"), &notice(nasty)).contains("<@all>"));
    for (escaped, place) in
        [("discord", "/content"), ("serverchan", "/desp"), ("teams", "/attachments/0/content/body/0/text")]
    {
        let json: serde_json::Value = serde_json::from_str(&body(&row(escaped), &notice(nasty))).unwrap();
        let text = json.pointer(place).unwrap().as_str().unwrap();
        assert!(!text.contains("http://x"), "{text}");
    }
    assert!(body(&row("discord"), &notice(nasty)).contains(r#""allowed_mentions":{"parse":[]}"#));
}
