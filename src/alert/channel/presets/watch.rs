//! Services that keep the state of things: who is on call, which check is down.

use super::{Body, Preset, USUAL, What, apart, bytes, chars, joined, key};
use crate::alert::channel::compose::Markup;

/// <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>: the end of an incident resolves what its
/// beginning triggered, and an attempt that came twice joins the first. 120 a minute for each key.
pub const PAGERDUTY: Preset = Preset {
    name: "pagerduty",
    per_minute: Some(100),
    keys: &[key("server", What::Server("https://events.pagerduty.com")), key("routing_key", What::Secret)],
    path: "/v2/enqueue",
    body: Body::Json(concat!(
        r#"{"routing_key":"{routing_key}","event_action":"{action}","dedup_key":"{incident}","#,
        r#""payload":{"summary":"{title}","source":"{source}","severity":"{level}","timestamp":"{at}","#,
        r#""custom_details":{"text":"{text}"}}}"#
    )),
    style: apart(Markup::Plain, chars(1024), chars(10_000)),
    levels: "action trigger resolve trigger\n\
             level info warning critical info",
    apart: true,
    cases: "ok 202\n\
            retry:60 429\n\
            broken 400 body~routing_key\tthe routing_key is wrong\n\
            give_up 400",
    ..USUAL
};

/// <https://healthchecks.io/docs/http_api/>: 5 pings a minute for each check, of 10,000 bytes. Some versions answer 200
/// whether they know the check or not.
pub const HEALTHCHECKS: Preset = Preset {
    name: "healthchecks",
    per_minute: Some(5),
    keys: &[key("url", What::Address)],
    path: "{signal}",
    body: Body::Text("{text}"),
    style: joined(Markup::Plain, bytes(10_000)),
    levels: "signal /fail - /log",
    cases: "ok 200 body=OK\n\
            retry:60 200 body~'rate limited'\n\
            broken 200 body~'not found'\tthere is no such check: is the address right?\n\
            broken 404\tthere is no such check: is the address right?\n\
            broken 409\tseveral checks have this name",
    ..USUAL
};
