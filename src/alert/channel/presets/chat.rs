//! Chat rooms.

use super::{Body, Preset, USUAL, What, apart, bytes, chars, joined, key, room};
use crate::alert::channel::compose::{Markup, Style, Unit};

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>: one message a second, answered by the
/// two letters `ok`. Mattermost and Discord (`…/slack`) take the same.
pub const SLACK: Preset = Preset {
    name: "slack",
    per_minute: Some(50),
    keys: &[key("url", What::Address)],
    body: Body::Json(r#"{"text":"{title}","attachments":[{"color":"{color}","text":"{text}"}]}"#),
    style: apart(Markup::Slack, chars(500), chars(3000)),
    levels: "color #3498db #f39c12 #e74c3c #2ecc71",
    cases: "ok 2xx body=ok\n\
            retry 429\n\
            give_up body=invalid_payload\n\
            give_up body=no_text\n\
            broken 2xx,4xx body~archived\tthe channel is archived\n\
            broken 2xx,4xx body~channel\tthe webhook's channel does not take it\n\
            broken 2xx,4xx body~prohibited\tan administrator forbids it\n\
            broken 2xx,4xx body~invalid_token\tthe webhook was removed, or its address is wrong\n\
            broken 403,404,410\tthe webhook was removed, or its address is wrong",
    ..USUAL
};

/// <https://discord.com/developers/docs/resources/webhook>: without `wait` a message that was not saved gives no
/// error. An address that answers 404 must not be used again: addresses that do are banned.
pub const DISCORD: Preset = Preset {
    name: "discord",
    per_minute: Some(30),
    keys: &[key("url", What::Address)],
    path: "?wait=true",
    body: Body::Json(concat!(
        r##"{"content":"{title}","embeds":[{"description":"{text}","color":"#{color}"}],"##,
        r#""allowed_mentions":{"parse":[]}}"#
    )),
    style: apart(Markup::Discord, room(Unit::Utf16, 500), room(Unit::Utf16, 4000)),
    levels: "color 3447003 15965202 15158332 3066993",
    cases: "ok 200 id\n\
            ok 204\n\
            broken 401,403,404\tthe webhook was removed, or its address is wrong",
    wait: "retry_after",
    ..USUAL
};

/// A workflow "when a webhook request is received" that posts the card. Version 1.2 of cards is shown by every client.
/// 202 says only that the flow was started. The connectors of old answered 200 with the words of an error.
pub const TEAMS: Preset = Preset {
    name: "teams",
    per_minute: Some(30),
    keys: &[key("url", What::Address)],
    body: Body::Json(concat!(
        r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"#,
        r#""content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","#,
        r#""version":"1.2","body":[{"type":"TextBlock","text":"{title}","wrap":true,"weight":"Bolder","#,
        r#""color":"{color}"},{"type":"TextBlock","text":"{text}","wrap":true}]}}]}"#
    )),
    style: Style { newline: "\n\n", ..apart(Markup::Card, bytes(500), bytes(10_000)) },
    levels: "color Default Warning Attention Good",
    cases: "retry:60 body~'HTTP error 429'\n\
            ok 200,202\n\
            broken 401,403,404,410\tthe workflow is off, or its address is wrong",
    ..USUAL
};

/// <https://spec.matrix.org/latest/client-server-api/#sending-events-to-a-room>: the same transaction id at every
/// attempt makes one message of them. Notices (`m.notice`) would ring nowhere.
pub const MATRIX: Preset = Preset {
    name: "matrix",
    per_minute: Some(30),
    keys: &[key("server", What::Server("")), key("token", What::Secret), key("room", What::Secret)],
    method: "PUT",
    path: "/_matrix/client/v3/rooms/{room}/send/m.room.message/{id}",
    header: "Authorization: Bearer {token}",
    body: Body::Json(r#"{"msgtype":"m.text","body":"{text}","m.mentions":{}}"#),
    style: joined(Markup::Plain, bytes(20_000)),
    cases: "ok 200 event_id\n\
            retry errcode=M_LIMIT_EXCEEDED\n\
            broken errcode=M_UNKNOWN_TOKEN,M_MISSING_TOKEN\tthe token is wrong or has expired\n\
            broken errcode=M_FORBIDDEN\tthe user is not in the room, or may not write there\n\
            give_up errcode=M_TOO_LARGE",
    wait: "retry_after_ms",
    ..USUAL
};
