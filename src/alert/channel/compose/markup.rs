//! Languages in which a service reads a text, and how to say something in them that means nothing but itself.

use crate::alert::channel::template::{Add, plain};

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
    /// Text of Feishu and WeCom: `<` begins tags and mentions, and becomes the full-width one.
    Angle,
    /// Markdown that is not known to have escapes (DingTalk, WeCom, Feishu's cards): what begins something in it becomes
    /// its full-width twin.
    Wide,
    /// Markdown that has escapes (ServerChan): a backslash before what means something.
    Markdown,
    /// The Markdown of Teams' adaptive cards: U+034F, which nobody sees, before what means something.
    Card,
}

/// Parts words from each other and shows nothing (WORD JOINER).
const JOINER: char = '\u{2060}';
/// Keeps characters from being taken together, and shows nothing (COMBINING GRAPHEME JOINER).
const GRAPHEME_JOINER: char = '\u{034F}';

impl Markup {
    /// How text gets into a place of this markup. It looks at what stands there already.
    pub fn add(self) -> Add {
        match self {
            Markup::Plain => plain,
            Markup::Html => html,
            Markup::Slack => slack,
            Markup::Discord => discord,
            Markup::Angle => angle,
            Markup::Wide => wide,
            Markup::Markdown => markdown,
            Markup::Card => card,
        }
    }

    /// `text` escaped.
    pub fn escaped(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.add()(&mut out, text);
        out
    }

    /// Whether a part of the owner's prefix could make a text invalid. Elsewhere it stands as it was written, because
    /// keyword bots look for it.
    pub(super) fn breaks(self) -> bool {
        matches!(self, Markup::Html | Markup::Slack)
    }
}

fn html(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("&quot;"),
            // Telegram mentions whoever has that name.
            '@' if !after_word(out) => out.extend(['@', JOINER]),
            c => entity(out, c),
        }
    }
}

fn slack(out: &mut String, text: &str) {
    for c in text.chars() {
        entity(out, c);
    }
}

fn entity(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => unlinked(out, c),
    }
}

/// Adds `c` so that no address that can be clicked comes of it.
fn unlinked(out: &mut String, c: char) {
    if c == '/' && out.ends_with(':') {
        out.push(JOINER);
    }
    out.push(c);
}

fn angle(out: &mut String, text: &str) {
    for c in text.chars() {
        if c == '<' { out.push('＜') } else { unlinked(out, c) }
    }
}

fn wide(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' | '[' | '*' | '~' | '`' => out.extend(twin(c)),
            '#' | '>' | '-' | '+' if line_start(out) => out.extend(twin(c)),
            // Addresses begin with a number and a point, too.
            ' ' if after_list(out) => out.extend([JOINER, ' ']),
            c => unlinked(out, c),
        }
    }
}

/// The full-width form of a character of ASCII.
fn twin(c: char) -> Option<char> {
    char::from_u32(u32::from(c) + 0xFEE0)
}

fn card(out: &mut String, text: &str) {
    for c in text.chars() {
        let live = match c {
            '*' | '[' | '~' | '`' | '<' | '\\' => true,
            '_' => !after_word(out),
            '#' | '>' | '-' | '+' => line_start(out),
            ' ' => after_list(out),
            '/' => out.ends_with(':'),
            _ => false,
        };
        if live {
            out.push(GRAPHEME_JOINER);
        }
        out.push(c);
    }
}

fn markdown(out: &mut String, text: &str) {
    backslashed(out, text, "\\`*_~|[]<>&");
}

fn discord(out: &mut String, text: &str) {
    backslashed(out, text, "\\`*_~|[]<>");
}

fn backslashed(out: &mut String, text: &str, live: &str) {
    for c in text.chars() {
        let escape = match c {
            '#' | '-' | '+' | '=' => line_start(out),
            '.' | ')' => after_number(out) || out.ends_with("www"),
            '/' => out.ends_with(':'),
            c => live.contains(c),
        };
        if escape {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Whether only spaces stand on the last line of `out`.
fn line_start(out: &str) -> bool {
    let rest = out.trim_end_matches(' ');
    rest.is_empty() || rest.ends_with('\n')
}

/// Whether the last line of `out` is a number, as before the point of a numbered list.
fn after_number(out: &str) -> bool {
    let rest = out.trim_end_matches(|c: char| c.is_ascii_digit());
    rest.len() < out.len() && line_start(rest)
}

/// Whether a space would make a numbered list of the last line of `out`.
fn after_list(out: &str) -> bool {
    out.strip_suffix(['.', ')']).is_some_and(after_number)
}

/// Other letters than these count as none, which at worst makes plain what is plain already: the table of all of them is
/// two kilobytes.
fn after_word(out: &str) -> bool {
    out.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || ('\u{4e00}'..='\u{9fff}').contains(&c))
}
