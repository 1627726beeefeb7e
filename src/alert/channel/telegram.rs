//! Telegram bots: plain text with a title that is bold by its place, so that nothing needs escaping.

use super::bot::{Told, Tone};
use super::compose::{Markup, Room, Unit};
use crate::json::Writer;

/// UTF-16 code units of a text, without what formats it.
const TEXT: Room = Room { unit: Unit::Utf16, max: 4096 };

/// What is sent to `chat`. What is good to know arrives silently.
pub(super) fn body(told: &Told<'_>, chat: &str) -> Vec<u8> {
    let text = told.joined(Markup::Plain, TEXT).body;
    let title = text.split('\n').next().unwrap_or_default().encode_utf16().count();
    let mut out = Writer::default();
    out.open('{').key("chat_id").text(chat);
    if let Some(thread) = told.bot.thread {
        out.key("message_thread_id").int(i64::from(thread));
    }
    out.key("text").text(&text);
    out.raw(r#""entities":[{"type":"bold","offset":0,"length":"#).uint(title as u64).close('}').close(']');
    out.key("disable_notification").flag(!Tone::of(told.message).is_loud());
    out.raw(r#""link_preview_options":{"is_disabled":true}"#).close('}');
    out.into_bytes()
}
