//! Telegram bots: plain text with a title that is bold by its place, so that nothing needs escaping.

use super::bot::{Told, Tone};
use super::compose::{Markup, Room, Unit};
use crate::json::Writer;

/// UTF-16 code units of a text, without what formats it.
const TEXT: Room = Room { unit: Unit::Utf16, max: 4096 };

/// What is sent to `chat`. What is good to know arrives silently.
pub(super) fn body(told: &Told<'_>, chat: &str) -> Vec<u8> {
    let mut text = told.joined(Markup::Plain, TEXT).body;
    let plan = told.plan;
    if ![Some(&plan.prefix), plan.title.as_ref(), plan.body.as_ref()].iter().flatten().any(|own| own.contains('@')) {
        text = without_mentions(&text);
    }
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

/// `text` in which nobody is mentioned, and which is as long: `@` at the beginning of a word is that of a user's name. What
/// is no ASCII counts as no word: tables of letters cost kilobytes.
fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        out.push(if c == '@' && !inside { '＠' } else { c });
        inside = c.is_ascii_alphanumeric() || c == '_';
    }
    out
}
