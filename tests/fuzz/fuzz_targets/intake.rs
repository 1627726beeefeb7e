//! What others post: events of Alibaba Cloud in every form, messages of scripts, fields of agents.

#![no_main]

mod edit;

use std::net::IpAddr;
use std::sync::OnceLock;

use interrupt_callback::event::Id;
use interrupt_callback::http::agents::fields::{Fields, mended};
use interrupt_callback::http::agents::span;
use interrupt_callback::http::intake::alicloud::{self, Sent};
use interrupt_callback::http::intake::generic;
use interrupt_callback::http::{Request, Scopes};
use libfuzzer_sys::fuzz_target;

/// Bodies that are understood.
fn bodies() -> &'static [Vec<u8>] {
    static BODIES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BODIES.get_or_init(|| {
        [
            r#"{"eventTime":"20261121T100000.000+0800","name":"Instance:PreemptibleInstanceInterruption","regionId":"cn-hangzhou","status":"Normal","content":{"instanceId":"i-abc","action":"delete"},"resourceId":"acs:ecs:cn-hangzhou:1:instance/i-abc"}"#,
            "name=Instance%3APreemptibleInstanceInterruption&content=%7B%22instanceId%22%3A%22i-abc%22%7D&time=1795226400000",
            r#"{"title":"backup","text":"done","severity":"warning","channels":["feishu"],"id":"n-1"}"#,
            r#"{"name":"nas","message":"backup","delay":"1h 30m","id":"7","result":"ok"}"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let body = if how & 0x80 == 0 { bytes.to_vec() } else { edit::edited(bodies(), bytes) };
    match how % 4 {
        0 => {
            if let Some(Sent::Interrupt(interrupt)) = alicloud::body(&body) {
                assert!(!interrupt.instance.is_empty() && interrupt.instance.len() <= 64, "{interrupt:?}");
            }
        }
        1 => match generic::read(&body, "script", Id(7)) {
            Ok(said) => assert!(!said.title.trim().is_empty() && said.channels.len() <= 64),
            Err(why) => assert!(why.len() <= 256 && !why.chars().any(char::is_control), "{why}"),
        },
        2 => {
            let text = String::from_utf8_lossy(&body);
            let body = mended(&body).unwrap_or_else(|| body.clone());
            let request = Request {
                method: "POST",
                path: "/job/add",
                query: &text,
                headers: &[("Content-Type", b"application/json")],
                body: &body,
                peer: IpAddr::from([127, 0, 0, 1]),
                scopes: Scopes::default(),
                who: "",
            };
            if let Ok(mut fields) = Fields::read(&request, &["name", "message", "delay"]) {
                let _ = (fields.text(0), fields.int(2));
            }
        }
        _ => {
            if let Ok(text) = std::str::from_utf8(&body) {
                span::parse(text);
            }
        }
    }
});
