//! Feishu and Lark custom bots: text, the seed's `post`, or an interactive card.

use super::bot::{ROOM, Told, Tone};
use super::compose::{Markup, worded};
use super::template::{expand, fields, percent_encoded};
use crate::alert::clean::cut;
use crate::alert::json::Head;
use crate::alert::message::{Line, Text};
use crate::alert::words::{Words, words};
use crate::config::plan::{BotStyle, Language, Mention};
use crate::json::Writer;

/// Bytes of a body; the service takes 20 KB and does not say which.
const MAX_BODY: usize = 20_000;
/// Bytes of a title, and of a line.
const TITLE: usize = 2000;
/// Bytes of a button's link; a longer one is left out, for what is too large is refused as a whole.
const MAX_LINK: usize = 2048;
/// Bytes of a value that may stand in half the width of a card.
const SHORT: usize = 64;

/// What is sent, at most 20 KB; `sign` are signature and time.
pub(super) fn body(told: &Told<'_>, sign: Option<(&str, &str)>) -> Vec<u8> {
    if told.bot.style == BotStyle::Text {
        let mentions = told.mentions("\n", |out, mention| {
            for part in ["<at user_id=\"", &mention.id, "\">", &safe(&mention.name), "</at>"] {
                out.push_str(part);
            }
        });
        let mut out = Writer::default();
        let text = told.joined(Markup::Angle, ROOM).body + &mentions;
        out.raw(r#"{"content":{"text":"#).text(&text).close('}').raw(r#""msg_type":"text""#);
        return signed(out, sign);
    }
    let mut text = worded(told.plan, told.message, told.now, told.zone);
    text.title = cut(text.title, TITLE);
    // Only a template of the user's own has longer ones.
    for line in &mut text.lines {
        line.text = cut(std::mem::take(&mut line.text), TITLE);
    }
    // A post without a paragraph is not known to be taken.
    if text.lines.is_empty() {
        text.lines.push(Line::plain(text.title.clone()));
    }
    let write = if told.bot.style == BotStyle::Card { card } else { post };
    let words = words(told.plan.language);
    let mut dropped = 0;
    loop {
        let body = signed(write(told, &text), sign);
        // The last line is the id; it stays, below the note that takes the place of what was cut.
        let noted = usize::from(dropped > 0);
        if body.len() <= MAX_BODY || text.lines.len() < 2 + noted {
            return body;
        }
        let last = text.lines.len() - 2;
        text.lines.remove(last - noted);
        dropped += 1;
        let note = Line::plain(words.fill(words.cut, "", None, dropped));
        if noted == 0 {
            text.lines.insert(last, note);
        } else {
            text.lines[last - 1] = note;
        }
    }
}

fn signed(mut out: Writer, sign: Option<(&str, &str)>) -> Vec<u8> {
    if let Some((sign, stamp)) = sign {
        // The timestamp is text: so say the service's own samples.
        out.key("sign").text(sign).key("timestamp").text(stamp);
    }
    out.close('}');
    out.into_bytes()
}

/// `<` begins live markup such as a mention of everybody.
fn safe(text: &str) -> String {
    Markup::Angle.escaped(text)
}

/// One paragraph for each line.
fn post(told: &Told<'_>, text: &Text) -> Writer {
    let key = match told.plan.language {
        Language::En => "en_us",
        Language::Zh => "zh_cn",
    };
    let mut out = Writer::default();
    out.raw(r#"{"content":{"post":{"#).key(key).open('{').key("title").text(&safe(&text.title));
    out.raw(r#""content":["#);
    for line in &text.lines {
        out.raw(r#"[{"tag":"text","text":"#).text(&safe(&line.whole())).close('}').close(']');
    }
    if !told.at().is_empty() {
        out.open('[');
        for Mention { id, name } in told.at() {
            out.raw(r#"{"tag":"at","user_id":"#).text(id);
            if !name.is_empty() {
                out.key("user_name").text(name);
            }
            out.close('}');
        }
        out.close(']');
    }
    out.close(']').close('}').close('}').close('}').raw(r#""msg_type":"post""#);
    out
}

/// JSON 1.0 of cards, which every client shows.
fn card(told: &Told<'_>, text: &Text) -> Writer {
    let colour = match Tone::of(told.message) {
        Tone::Critical => "red",
        Tone::Warning => "orange",
        Tone::Over => "green",
        Tone::Info | Tone::Test => "blue",
    };
    let words = words(told.plan.language);
    let mut out = Writer::default();
    out.raw(r#"{"card":{"config":{"wide_screen_mode":true},"header":{"template":"#).text(colour);
    plain(out.key("title"), &text.title).close('}').raw(r#""elements":[{"tag":"div","fields":["#);
    let host = Head::of(told.message).subject;
    // A body of the user's own, which has no labels, says what it wants to say.
    if !host.is_empty() && text.lines.iter().any(|line| !line.label.is_empty()) {
        field(&mut out, words.host, &host);
    }
    for (place, line) in text.lines.iter().enumerate() {
        // The last line is the id.
        if place + 1 == text.lines.len() {
            on_call(&mut out, words, told.at());
        }
        field(&mut out, line.label, &line.text);
    }
    out.close(']').close('}');
    if let Some(button) = &told.bot.button {
        let fields = fields(told.message, text, told.plan.language, told.now, told.zone);
        let url = expand(button.url.reveal(), &fields, percent_encoded);
        if url.len() <= MAX_LINK {
            out.raw(r#"{"tag":"action","actions":[{"tag":"button","type":"primary","url":"#).text(&url);
            plain(out.key("text"), &button.text).close('}').close(']').close('}');
        }
    }
    out.close(']').close('}').raw(r#""msg_type":"interactive""#);
    out
}

fn plain<'w>(out: &'w mut Writer, text: &str) -> &'w mut Writer {
    out.raw(r#"{"tag":"plain_text","content":"#).text(text).close('}')
}

/// A value below its label, which is bold if the value can stand in Markdown without meaning anything there.
fn field(out: &mut Writer, label: &str, value: &str) {
    let short = !label.is_empty() && value.len() <= SHORT;
    out.raw(r#"{"is_short":"#).flag(short).key("text");
    if label.is_empty() {
        plain(out, value);
    } else if value.contains(['*', '_', '~', '`', '[', ']', '<', '>', '&', '\\', '#', '$', '|']) {
        plain(out, &[label, "\n", value].concat());
    } else {
        markdown(out, &["**", label, "**\n", value].concat());
    }
    out.close('}');
}

fn markdown(out: &mut Writer, text: &str) {
    out.raw(r#"{"tag":"lark_md","content":"#).text(text).close('}');
}

fn on_call(out: &mut Writer, words: &Words, at: &[Mention]) {
    if at.is_empty() {
        return;
    }
    let mut text = ["**", words.on_call, "**\n"].concat();
    for Mention { id, .. } in at {
        let key = if id.contains('@') { "email" } else { "id" };
        for part in ["<at ", key, "=", id, "></at>"] {
            text.push_str(part);
        }
    }
    out.raw(r#"{"is_short":false,"text":"#);
    markdown(out, &text);
    out.close('}');
}
