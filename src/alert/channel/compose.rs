//! What a channel says: title and body of a message, in the channel's own words if it has any, escaped for the place they
//! go to and cut to what the service takes.

mod markup;
mod room;
#[cfg(test)]
mod tests;

use super::template::{Fields, fields};
use crate::alert::clean::{clean, expand};
use crate::alert::message::{Line, Text, lead, render};
use crate::alert::words::{Words, words};
use crate::alert::{Form, Message};
use crate::clock::Now;
use crate::config::plan::ChannelPlan;
use crate::zone::Zone;
pub use markup::Markup;
pub use room::{Room, Unit, fit};

/// Bytes that a value in a template may have, and to which all of them are cut, one after another, while the result has
/// no room.
const VALUES: [usize; 5] = [usize::MAX, 256, 64, 24, 8];
/// Bytes of the first line of a body, one after another, while not even that has room.
const FIRST_LINES: [usize; 8] = [448, 320, 224, 160, 112, 80, 48, 24];

/// How a channel wants its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Both parts are in it.
    pub markup: Markup,
    /// Room of the title; with `joined` in the unit of the body.
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
    /// The rest; with [`Style::joined`] all. Never empty if there is room for the title.
    pub body: String,
    /// The same, neither escaped nor cut, for channels that show facts in a form of their own, or a title without markup
    /// above a body that has one (cut with [`fit`]). The lines of a template have no labels.
    pub text: Text,
}

/// Title and body of `message` as they are true `now`.
pub fn compose(plan: &ChannelPlan, style: &Style, message: &Message, now: &Now, zone: &Zone) -> Composed {
    let script = Script::new(plan, message, now, zone);
    let text = script.text();
    let mut room = style.title;
    if style.joined {
        // The id must have a place below it.
        let id = script.lines.last().map(|id| style.markup.escaped(id)).unwrap_or_default();
        let above = style.body.less(&id).less(style.newline);
        let above = if above.max * 2 > style.body.max { above } else { style.body };
        room.max = room.max.min(above.max);
    }
    let title = script.title(style.markup, room);
    let room = if style.joined { style.body.less(&title).less(style.newline) } else { style.body };
    let body = script.body(style, &text.title, room);
    let body = match (body.is_empty(), style.joined) {
        (false, true) => [&title, style.newline, &body].concat(),
        (true, true) => title.clone(),
        // Some services refuse a message without a body.
        (true, false) => script.title(style.markup, style.body),
        (false, false) => body,
    };
    Composed { title, body, text }
}

/// The words of `message`, where `plan` has templates in these, neither escaped nor cut.
pub fn worded(plan: &ChannelPlan, message: &Message, now: &Now, zone: &Zone) -> Text {
    Script::new(plan, message, now, zone).text()
}

/// A message in the usual words, and the templates that apply to it.
struct Script<'a> {
    words: &'static Words,
    /// What every title begins with.
    lead: String,
    usual: Text,
    /// The lines of `usual`.
    lines: Vec<String>,
    fields: Fields,
    title: Option<&'a str>,
    body: Option<&'a str>,
}

impl<'a> Script<'a> {
    /// A digest is told in a template only if that shows what is special in it: a name of a host and the like are empty.
    /// The barest form of a message, which is for those that made the program fail, uses none.
    fn new(plan: &'a ChannelPlan, message: &Message, now: &Now, zone: &Zone) -> Script<'a> {
        let usual = render(message, plan.language, &plan.prefix, now, zone);
        let own = |template: &'a Option<String>, all: &[&str]| {
            template.as_deref().filter(|template| match message.form {
                Form::One | Form::Over => true,
                Form::Digest => all.iter().any(|field| template.contains(field)),
                Form::Minimal => false,
            })
        };
        let (title, body) = (own(&plan.title, &["{title}", "{text}"]), own(&plan.body, &["{text}"]));
        let some = title.is_some() || body.is_some();
        Script {
            words: words(plan.language),
            lead: lead(message, plan.language, &plan.prefix),
            lines: usual.lines.iter().map(Line::whole).collect(),
            fields: if some { fields(message, &usual, plan.language, now, zone) } else { Vec::new() },
            usual,
            title,
            body,
        }
    }

    /// The usual title without what every title begins with.
    fn bare(&self) -> &str {
        self.usual.title.strip_prefix(&*self.lead).unwrap_or(&self.usual.title)
    }

    fn text(&self) -> Text {
        let mut text = self.usual.clone();
        if let Some(own) = self.own_title(Markup::Plain, usize::MAX) {
            text.title = [&self.lead, &*own].concat();
        }
        let Some(body) = self.body else { return text };
        let own = self.filled(body, Markup::Plain, "\n", &text.title, &self.lines.join("\n"), usize::MAX);
        if !own.trim().is_empty() {
            text.lines.clear();
            for line in own.split('\n').filter(|line| !line.trim().is_empty()) {
                text.lines.push(Line::plain(clean(line, usize::MAX)));
            }
        }
        text
    }

    fn title(&self, markup: Markup, room: Room) -> String {
        let (head, begin) = if markup.breaks() { ("", &*self.lead) } else { (&*self.lead, "") };
        for cap in VALUES {
            let Some(own) = self.own_title(markup, cap) else { break };
            let title = [head, &markup.escaped(begin), &own].concat();
            if room.holds(&title) {
                return title;
            }
        }
        fit(markup, head, &[begin, self.bare()].concat(), room)
    }

    /// The title's template filled in; `None` if there is none, or if nothing comes of it.
    fn own_title(&self, markup: Markup, cap: usize) -> Option<String> {
        let own = self.filled(self.title?, markup, " ", self.bare(), &short(&self.lines.join(" "), cap), cap);
        (!own.trim().is_empty()).then_some(own)
    }

    /// As much of the body as `room` takes; empty if that is nothing.
    fn body(&self, style: &Style, title: &str, room: Room) -> String {
        let Style { markup, newline, .. } = *style;
        if let Some(template) = self.body {
            for cap in VALUES {
                let own = self.longest(room, &|text| self.filled(template, markup, newline, title, text, cap));
                if !own.trim().is_empty() {
                    return own;
                }
            }
        }
        self.longest(room, &|text| {
            let mut out = String::with_capacity(text.len());
            lines(&mut out, text, markup, newline);
            out
        })
    }

    /// What `show` makes of the usual body, of which whole lines are left out from the end until it fits `room`. The id
    /// stays.
    fn longest(&self, room: Room, show: &dyn Fn(&str) -> String) -> String {
        let Some((id, lines)) = self.lines.split_last() else { return String::new() };
        let shortened = |kept: &[String]| {
            let gone = (lines.len() - kept.len()) as i64;
            let note = self.words.fill(if gone == 1 { self.words.cut_one } else { self.words.cut }, "", None, gone);
            let mut text = kept.join("\n");
            for line in [if gone > 0 { &note } else { "" }, id] {
                if !line.is_empty() && !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(line);
            }
            text
        };
        let fits = |text: &str| Some(show(text)).filter(|shown| room.holds(shown));
        for gone in 0..lines.len() {
            if let Some(shown) = fits(&shortened(&lines[..lines.len() - gone])) {
                return shown;
            }
        }
        for cap in FIRST_LINES {
            if let Some(first) = lines.first().filter(|first| first.len() > cap)
                && let Some(shown) = fits(&shortened(&[short(first, cap)]))
            {
                return shown;
            }
        }
        fits(id).unwrap_or_default()
    }

    /// `template` with its fields filled in, each value but `text` of at most `cap` bytes.
    fn filled(&self, template: &str, markup: Markup, newline: &str, title: &str, text: &str, cap: usize) -> String {
        let mut values = Vec::with_capacity(self.fields.len());
        for (name, value) in &self.fields {
            let value = match *name {
                "title" => short(title, cap),
                "text" => text.to_owned(),
                _ => short(value, cap),
            };
            values.push((*name, value));
        }
        expand(&template.replace('\n', newline), &values, &mut |out, value| lines(out, value, markup, newline))
    }
}

/// Adds `text` escaped, with `newline` between its lines.
fn lines(out: &mut String, text: &str, markup: Markup, newline: &str) {
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push_str(newline);
        }
        markup.add()(out, line);
    }
}

/// `text` of at most `cap` bytes.
fn short(text: &str, cap: usize) -> String {
    fit(Markup::Plain, "", text, Room { unit: Unit::Bytes, max: cap })
}
