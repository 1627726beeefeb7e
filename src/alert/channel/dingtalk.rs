//! DingTalk custom robots: text, or Markdown with mentions in the text as well.

use super::bot::{ROOM, Told};
use super::compose::{Markup, Room, Style, Unit};
use crate::config::plan::{BotStyle, Mention};
use crate::json::Writer;

/// Bytes of the title, which the phone's notification shows.
const TITLE: Room = Room { unit: Unit::Bytes, max: 500 };

/// What is sent.
pub(super) fn body(told: &Told<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("msgtype");
    if told.bot.style == BotStyle::Text {
        out.text("text").key("text").open('{').key("content").text(&told.joined(Markup::Plain, ROOM).body);
    } else {
        let style = Style { markup: Markup::Wide, title: TITLE, body: ROOM, joined: false, newline: "\n\n" };
        let text = told.composed(&style);
        let shown = told.composed(&Style { markup: Markup::Plain, ..style });
        let mentions = told.mentions("\n\n", |out, mention| {
            out.push('@');
            out.push_str(&mention.id);
        });
        let text = ["### ", &text.title, "\n\n", &text.body, &mentions].concat();
        out.text("markdown").key("markdown").open('{').key("title").text(&shown.title).key("text").text(&text);
    }
    let all = |mention: &Mention| mention.id == "all";
    out.close('}').key("at").open('{').key("atMobiles").open('[');
    for mention in told.at().iter().filter(|mention| !all(mention)) {
        out.text(&mention.id);
    }
    out.close(']').key("isAtAll").flag(told.at().iter().any(all)).close('}').close('}');
    out.into_bytes()
}
