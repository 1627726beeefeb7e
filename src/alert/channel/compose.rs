//! What a channel says: title and body of a message, escaped for the place they go to and cut to what the service takes.

use super::template::Add;
use crate::alert::Message;
use crate::alert::message::{Text, render};
use crate::clock::Now;
use crate::config::plan::ChannelPlan;
use crate::zone::Zone;

/// The language that a service reads in a text, in which nothing that others wrote may mean anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Markup {
    /// None.
    Plain,
    /// HTML, also that of Telegram: `& < > "` become entities.
    Html,
    /// Slack's mrkdwn: `& < >` become entities.
    Slack,
    /// Discord's Markdown: a backslash before what means something.
    Discord,
    /// Feishu and WeCom: `<` begins tags and mentions, and becomes the full-width one.
    Angle,
    /// Markdown in general: a backslash before what means something.
    Markdown,
}

/// What a service counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
}

/// How much a service takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// What it counts.
    pub unit: Unit,
    /// How many of them.
    pub max: usize,
}

/// How a channel wants its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Both parts are in it.
    pub markup: Markup,
    /// Room of the title.
    pub title: Room,
    /// Room of the body; with `joined` of both together.
    pub body: Room,
    /// The title is the first line of the body.
    pub joined: bool,
    /// Between two lines.
    pub newline: &'static str,
}

/// Both parts, escaped and cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Composed {
    /// One line.
    pub title: String,
    /// The rest; with [`Style::joined`] all.
    pub body: String,
    /// The message as it was rendered, neither escaped nor cut, for channels that show facts in a form of their own.
    pub text: Text,
}

impl Markup {
    /// How text gets into a place of this markup.
    pub fn add(self) -> Add {
        match self {
            Markup::Plain => super::template::plain,
            Markup::Html => html,
            Markup::Slack => slack,
            Markup::Discord | Markup::Markdown => markdown,
            Markup::Angle => angle,
        }
    }

    /// `text` escaped.
    pub fn escaped(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.add()(&mut out, text);
        out
    }
}

/// Title and body of `message` as they are true `now`.
pub fn compose(plan: &ChannelPlan, style: &Style, message: &Message, now: &Now, zone: &Zone) -> Composed {
    let text = render(message, plan.language, &plan.prefix, now, zone);
    let title = style.markup.escaped(&text.title);
    let lines: Vec<String> = text.lines.iter().map(|line| style.markup.escaped(&line.whole())).collect();
    let mut body = lines.join(style.newline);
    if style.joined {
        body = [&title, style.newline, &body].concat();
    }
    Composed { title, body, text }
}

fn entity(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if quotes => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

fn html(out: &mut String, text: &str) {
    entity(out, text, true);
}

fn slack(out: &mut String, text: &str) {
    entity(out, text, false);
}

fn markdown(out: &mut String, text: &str) {
    for c in text.chars() {
        if "\\`*_~|[]()<>#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

fn angle(out: &mut String, text: &str) {
    for c in text.chars() {
        out.push(if c == '<' { '＜' } else { c });
    }
}
