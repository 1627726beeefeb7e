use super::*;
use crate::run::threads::{SMALL_STACK, spawn};

/// The sample of the debugger, and of the instructions that this path was ordered with.
const SHORT: &str = r#"{"product":"ECS","resourceId":"acs:ecs:cn-shanghai:1331602849963181:instance/i-abcdef","level":"WARN",
    "instanceName":"instanceName","regionId":"cn-hangzhou","name":"Instance:PreemptibleInstanceInterruption",
    "content":{"instanceId":"i-abcdef","action":"delete"},"status":"Normal"}"#;
const SUBSCRIPTION: &str = r#"{"severity":"WARN","strategyName":"my-policy","userId":"1331602849963181","time":1777658400000,
    "subscription":{"conditions":[{"field":"source","op":"EQ","value":"SYS_EVENT"}],"relation":"AND"},
    "alert":{"alertStatus":"TRIGGERED","source":"SYS_EVENT","product":"ECS","eventType":"StatusNotification",
    "eventName":"Instance:PreemptibleInstanceInterruption","arn":"acs:ecs:cn-hangzhou:1331602849963181:instance/i-abcdef",
    "dedupId":"d","timestamp":1777658401000,"eventContentMap":{"instanceId":"i-abcdef","action":"delete"},
    "eventRawContent":"{\"instanceId\":\"i-abcdef\",\"action\":\"delete\"}",
    "meta":{"sysEventMeta":{"regionId":"cn-hangzhou","level":"WARN","name":"Instance:PreemptibleInstanceInterruption",
    "eventTime":"20260502T020200.000+0800","status":"Normal"}}}}"#;

/// 2026-05-01T18:02:00Z
const AT: i64 = 1_777_658_520_000;

fn interrupt(at: Option<i64>) -> Option<Sent> {
    let [instance, action, region] = ["i-abcdef", "release", "cn-hangzhou"].map(str::to_owned);
    Some(Sent::Interrupt(Interrupt { instance, action, region, at: at.map(Wall) }))
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The members of an object as a form: those that are no texts as JSON.
fn as_form(json: &str) -> String {
    let value = crate::json::read(json.as_bytes()).unwrap();
    let field = |(key, value): (&String, &serde_json::Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", encode(key), encode(&text))
    };
    value.as_object().unwrap().iter().map(field).collect::<Vec<_>>().join("&")
}

#[test]
fn every_form_is_read() {
    assert_eq!(body(SHORT.as_bytes()), interrupt(None));
    let full =
        SHORT.replacen('{', r#"{"ver":"1.0","id":"2256A988","userId":"1","eventTime":"20260501T180200.926Z","#, 1);
    assert_eq!(body(full.as_bytes()), interrupt(Some(AT)));
    assert_eq!(body(SUBSCRIPTION.as_bytes()), interrupt(Some(AT)));
    for (json, at) in [(SHORT, None), (&full, Some(AT)), (SUBSCRIPTION, Some(AT))] {
        assert_eq!(form(&format!("data={}", encode(json))), interrupt(at), "in the query");
        assert_eq!(body(as_form(json).as_bytes()), interrupt(at), "as a form");
        let bridge =
            format!("{{\"id\":\"45ef4dewdwe1\",\"source\":\"acs.ecs\",\"type\":\"ecs:{NAME}\",\"data\":{json}}}");
        assert_eq!(body(bridge.as_bytes()), interrupt(at), "in an envelope");
    }
    let bridge = format!(
        r#"{{"type":"ecs:{NAME}","time":"2026-05-01T18:02:00Z","aliyunregionid":"cn-hangzhou",
        "data":{{"instanceId":"i-abcdef","action":"delete"}}}}"#
    );
    assert_eq!(body(bridge.as_bytes()), interrupt(Some(AT)));
    let text = SHORT.replace(
        r#"{"instanceId":"i-abcdef","action":"delete"}"#,
        r#""{\"instanceId\":\"i-abcdef\",\"action\":\"delete\"}""#,
    );
    assert_ne!(text, SHORT);
    assert_eq!(body(text.as_bytes()), interrupt(None), "content as text");
    assert_eq!(body(text.replace("\"content\"", "\"Content\"").as_bytes()), interrupt(None));
    let bare = SHORT.replace(r#""instanceId":"i-abcdef","#, "");
    assert_eq!(body(bare.as_bytes()), interrupt(None), "the name of the resource");
}

#[test]
fn what_is_something_else_is_nothing() {
    for text in [
        SHORT.replace("PreemptibleInstanceInterruption", "StateChange"),
        SHORT.replace("Normal", "Failed"),
        SUBSCRIPTION.replace("TRIGGERED", "RESOLVED"),
        "{}".to_owned(),
        r#"{"alertName":"cpu","alertState":"ALERT","curValue":"95"}"#.to_owned(),
    ] {
        assert_eq!(body(text.as_bytes()), Some(Sent::Other), "{text}");
    }
    assert_eq!(body(b"alertName=cpu&alertState=ALERT&signature=x%3D"), Some(Sent::Other));
    for text in ["", "[]", "hello", "{", &SHORT[..SHORT.len() - 1], "\u{feff}{}", "a"] {
        assert_eq!(body(text.as_bytes()), None, "{text}");
    }
    assert_eq!(body(&[0xff, b'=']), None);
    let nobody = SHORT.replace("i-abcdef", "../x y");
    assert_eq!(body(nobody.as_bytes()), None, "the event, but of which instance?");
}

#[test]
fn times_are_read() {
    for text in [
        "20260501T180200.000Z",
        "20260502T020200.926+0800",
        "20260501T180200Z",
        "2026-05-01T18:02:00Z",
        "2026-05-02T02:02:00+08:00",
        "2026-05-01T18:02:00.123Z",
        "20260501T143200-0330",
    ] {
        assert_eq!(moment(text), Some(Wall(AT)), "{text}");
    }
    for text in [
        "",
        "T",
        "20260501",
        "20260501T18",
        "20261301T180200Z",
        "20260501T180200+8",
        "é0260501T180200Z",
        "2026é01T180200Z",
    ] {
        assert_eq!(moment(text), None, "{text}");
    }
    assert_eq!(millis(Leaf::Count(1_777_658_520)), None, "seconds");
    assert_eq!(millis(Leaf::Text("1777658520000")), Some(Wall(AT)));
}

/// The deepest and the most nested input, on the stack of a connection.
#[test]
fn depth_costs_no_stack_and_texts_in_texts_end() {
    let mut nested = SHORT.to_owned();
    for _ in 0..6 {
        nested = format!("{{\"data\":{}}}", serde_json::Value::String(nested));
    }
    let deep = [&"{\"data\":".repeat(127), "1", &"}".repeat(127)].concat();
    let inner = |text: &str| format!("{{\"data\":{}}}", serde_json::Value::String(text.to_owned()));
    let worst = inner(&inner(&inner(&deep)));
    let many = format!("data={}", encode(&"{".repeat(20_000)));
    let run = move || {
        assert_eq!(body(nested.as_bytes()), Some(Sent::Other), "deeper than anybody nests");
        assert_eq!(body(worst.as_bytes()), Some(Sent::Other));
        assert_eq!(form(&many), Some(Sent::Other));
        assert_eq!(body("[".repeat(60_000).as_bytes()), None);
    };
    spawn("parser", SMALL_STACK, run).unwrap().join().unwrap();
}

/// Whatever the bytes: no panic, and words that are words.
#[test]
fn damaged_ones_do_no_harm() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let forms = [SHORT.to_owned(), SUBSCRIPTION.to_owned(), as_form(SUBSCRIPTION), format!("data={}", encode(SHORT))];
    let mut found = 0;
    for round in 0..20_000 {
        let mut bytes = forms[round % forms.len()].clone().into_bytes();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, below(256) as u8),
                _ => bytes[at] = below(256) as u8,
            }
        }
        if let Some(Sent::Interrupt(interrupt)) = body(&bytes) {
            assert!((1..=MAX_WORD).contains(&interrupt.instance.len()), "{interrupt:?}");
            assert!(interrupt.region.len() <= MAX_WORD && interrupt.action.len() <= MAX_WORD, "{interrupt:?}");
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}
