//! WeCom group robots: text, or Markdown, which those who read along in WeChat do not see.

use super::bot::Told;
use super::compose::{Markup, Room, Style, Unit};
use crate::config::plan::{BotStyle, Mention};
use crate::json::Writer;

/// Bytes of a text.
const TEXT: Room = Room { unit: Unit::Bytes, max: 2048 };
/// Bytes of a Markdown text.
const MARKDOWN: usize = 4096;
/// Bytes of its title.
const TITLE: Room = Room { unit: Unit::Bytes, max: 512 };
/// Digits of a mobile number in China; user ids are seldom as long.
const MOBILE: usize = 11;

/// What is sent.
pub(super) fn body(told: &Told<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("msgtype");
    if told.bot.style == BotStyle::Text {
        out.text("text").key("text").open('{').key("content").text(&told.joined(Markup::Angle, TEXT).body);
        for (key, mobile) in [("mentioned_list", false), ("mentioned_mobile_list", true)] {
            let mut named = told.at().iter().filter(|mention| is_mobile(&mention.id) == mobile).peekable();
            if named.peek().is_some() {
                out.key(key).open('[');
                for mention in named {
                    out.text(id(mention));
                }
                out.close(']');
            }
        }
    } else {
        let mentions = told.mentions("\n", |out, mention| {
            for part in ["<@", id(mention).trim_start_matches('@'), ">"] {
                out.push_str(part);
            }
        });
        let marks = "### \n".len();
        let max = MARKDOWN.saturating_sub(TITLE.max + marks + mentions.len());
        let body = Room { unit: Unit::Bytes, max };
        let text = told.composed(&Style { markup: Markup::Wide, title: TITLE, body, joined: false, newline: "\n" });
        let text = ["### ", &text.title, "\n", &text.body, &mentions].concat();
        out.text("markdown").key("markdown").open('{').key("content").text(&text);
    }
    out.close('}').close('}');
    out.into_bytes()
}

/// Whether `id` is a telephone number, not a user id.
pub fn is_mobile(id: &str) -> bool {
    id.starts_with('+') || id.len() == MOBILE && id.bytes().all(|b| b.is_ascii_digit())
}

fn id(mention: &Mention) -> &str {
    if mention.id == "all" { "@all" } else { &mention.id }
}
