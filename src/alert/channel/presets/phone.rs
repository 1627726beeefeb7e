//! Notifications on phones.

use super::{Body, Preset, USUAL, What, apart, bytes, chars, key};
use crate::alert::channel::compose::Markup;

/// <https://github.com/Finb/bark-server/blob/master/docs/API_V2.md>: Apple takes 4096 bytes with everything. A message
/// with the same id takes the place of the one before: the recovery that of the alarm.
pub const BARK: Preset = Preset {
    name: "bark",
    keys: &[
        key("server", What::Server("https://api.day.app")),
        key("device_key", What::Secret),
        key("authorization", What::Optional),
    ],
    path: "/push",
    header: "Authorization: {authorization}",
    body: Body::Json(concat!(
        r#"{"device_key":"{device_key}","title":"{title}","body":"{text}","level":"{level}","id":"{incident}","#,
        r#""group":"interrupt-callback","isArchive":"1"}"#
    )),
    style: apart(Markup::Plain, bytes(250), bytes(2500)),
    levels: "level active timeSensitive critical active",
    cases: "ok 200 code=200\n\
            broken 2xx,4xx message~device\tthis server does not know the device_key: copy it from the app\n\
            broken 418\tthe server wants a password: set authorization = \"Basic …\"\n\
            give_up 5xx message~payloadtoolarge\tthe message is too long for a phone",
    ..USUAL
};

/// <https://docs.ntfy.sh/publish/#publish-as-json>: 4096 bytes; what is longer becomes an attachment. 60 at once, then
/// one every 5 s, and 250 a day at ntfy.sh.
pub const NTFY: Preset = Preset {
    name: "ntfy",
    per_minute: Some(12),
    keys: &[key("server", What::Server("https://ntfy.sh")), key("topic", What::Secret), key("token", What::Optional)],
    path: "/",
    header: "Authorization: Bearer {token}",
    body: Body::Json(concat!(
        r#"{"topic":"{topic}","title":"{title}","message":"{text}","#,
        r##""priority":"#{priority}","tags":["{tag}"]}"##
    )),
    style: apart(Markup::Plain, bytes(250), bytes(4000)),
    levels: "priority 3 4 5 3\n\
             tag information_source warning rotating_light white_check_mark",
    cases: "ok 200 id\n\
            broken code=42908\tthe messages of the day are used up\n\
            broken code=42909\ttoo many attempts with a wrong token\n\
            broken code=40009\tno topic can have that name\n\
            broken 401\tthe token is wrong\n\
            broken 403\tthe topic is not open to this token, or wants one\n\
            give_up code=40024,41303",
    ..USUAL
};

/// <https://github.com/gotify/server/blob/master/docs/spec.json>: from 8 on it makes a sound.
pub const GOTIFY: Preset = Preset {
    name: "gotify",
    keys: &[key("server", What::Server("")), key("token", What::Secret)],
    path: "/message",
    header: "X-Gotify-Key: {token}",
    body: Body::Json(r##"{"title":"{title}","message":"{text}","priority":"#{priority}"}"##),
    style: apart(Markup::Plain, chars(250), chars(10_000)),
    levels: "priority 2 5 8 2",
    cases: "ok 200 id\n\
            broken 401,403\tthe token is wrong; it must be that of an application, not of a client",
    ..USUAL
};

/// <https://pushover.net/api>: refused messages must not be sent again, and not sooner than after 5 s when it is in
/// trouble. 429 says that the messages of the month are used up.
pub const PUSHOVER: Preset = Preset {
    name: "pushover",
    keys: &[
        key("server", What::Server("https://api.pushover.net")),
        key("token", What::Secret),
        key("user", What::Secret),
    ],
    path: "/1/messages.json",
    body: Body::Form("token={token}&user={user}&title={title}&message={text}&priority={priority}"),
    style: apart(Markup::Plain, chars(250), chars(1024)),
    levels: "priority -1 0 1 -1",
    cases: "ok 200 status=1\n\
            broken user=invalid\tthe user key is wrong\n\
            broken token=invalid\tthe token of the application is wrong\n\
            broken 429\tthe messages of the month are used up\n\
            give_up 4xx status=0\n\
            retry:5 5xx",
    ..USUAL
};
