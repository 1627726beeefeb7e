//! Messages in WeChat.

use super::{Body, Choices, Preset, USUAL, What, apart, bytes, chars, joined, key};
use crate::alert::channel::compose::{Markup, Style};
use crate::config::plan::Language;

/// <https://github.com/easychen/serverchan-sdk>: both generations, which the key tells apart. A line break in its
/// Markdown takes an empty line. The code 1024 says that the same was told within a minute.
pub const SERVERCHAN: Preset = Preset {
    name: "serverchan",
    language: Language::Zh,
    keys: &[
        key("server", What::Server("https://sctapi.ftqq.com")),
        key("key", What::Telling(&["sctp", "t", "https://{}.push.ft07.com/send"])),
    ],
    path: "/{key}.send",
    body: Body::Json(r#"{"title":"{title}","desp":"{text}"}"#),
    style: Style { newline: "\n\n", ..joined(Markup::Markdown, chars(5000)) },
    plain_title: 32,
    cases: "ok 200 code=0\n\
            ok 200 errno=0,1024\n\
            retry 408,429\n\
            retry 5xx\n\
            broken code\tis the key right, and are the messages of the day not used up?",
    ..USUAL
};

/// <https://www.pushplus.plus/doc/>: 200 says that it will be sent. Who calls too often is blocked.
pub const PUSHPLUS: Preset = Preset {
    name: "pushplus",
    language: Language::Zh,
    per_minute: Some(5),
    keys: &[
        key("server", What::Server("https://www.pushplus.plus")),
        key("token", What::Secret),
        key("topic", What::Optional),
    ],
    path: "/send",
    body: Body::Json(r#"{"token":"{token}","title":"{title}","content":"{text}","template":"txt","topic":"{topic}"}"#),
    style: apart(Markup::Plain, chars(100), chars(10_000)),
    cases: "ok 200 code=200\n\
            retry:600 code=900\n\
            retry:60 code=903\n\
            broken code=905\tis the topic right?\n\
            broken code=907\tthe token is wrong\n\
            broken code=908\tthe account is blocked\n\
            give_up code=909\n\
            broken code=912\tthe account's messages are used up",
    ..USUAL
};

/// <https://github.com/hack-fan/skadi-doc>: 201 for a user's message, 202 for an agent's, which is only queued. A
/// hundred templates (info, warning) a day; text is dropped silently unless somebody wrote to the account lately.
pub const LETSERVERRUN: Preset = Preset {
    name: "letserverrun",
    language: Language::Zh,
    per_minute: Some(5),
    keys: &[
        key("server", What::Server("https://api.letserver.run")),
        key("token", What::Secret),
        key("api", What::Choice(&Choices { names: &["user", "agent"], words: &["", "/agent"] })),
        key("message", What::Choice(&Choices { names: MESSAGES, words: MESSAGES })),
    ],
    path: "{api}/message/{message}",
    header: "Authorization: Bearer {token}",
    body: Body::Json(r#"{"message":"{text}","source":"{source}"}"#),
    style: joined(Markup::Plain, bytes(2000)),
    levels: "message info warning warning info",
    cases: "ok 201,202\n\
            retry:600 429\n\
            broken 401\tthe token is wrong or has expired: send \"token\" to the account\n\
            broken 400\tis the token whole?",
    ..USUAL
};

const MESSAGES: &[&str] = &["info", "warning", "text", "auto"];
