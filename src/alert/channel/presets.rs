//! Channels that are data: a row says what a service wants to be told, and what it answers.
//!
//! Sources: the vendors' pages named at the rows. Where a vendor says nothing of a limit, the row's is a guess on the
//! safe side.

mod chat;
mod phone;
mod watch;
mod wechat;

use super::compose::{Markup, Room, Style, Unit};
use crate::config::plan::Language;

/// One service.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name in `kind`.
    pub name: &'static str,
    /// The language it speaks unless told otherwise.
    pub language: Language,
    /// Messages a minute that the service takes.
    pub per_minute: Option<u32>,
    /// Its own keys in the file; the first is the address.
    pub keys: &'static [Key],
    /// `POST` or `PUT`.
    pub method: &'static str,
    /// What follows the address: a path, a query, or nothing. Values are percent-encoded into it.
    pub path: &'static str,
    /// A header besides the usual ones; empty for none.
    pub header: &'static str,
    /// What is sent.
    pub body: Body,
    /// How `{title}` and `{text}` are written.
    pub style: Style,
    /// Characters of a `{title}` that stands outside of the markup; 0 if it stands within.
    pub plain_title: usize,
    /// Fields that depend on what is told, one a line: a name, and its words. Four are for info, warning, critical and
    /// for an end; three for a beginning, for an end, and for what stands alone. `-` is an empty word.
    pub levels: &'static str,
    /// It keeps incidents of its own: a message of several events is taken apart.
    pub apart: bool,
    /// What its answers mean; see [`super::rule::Rule`].
    pub cases: &'static str,
    /// Where they say how long to wait.
    pub wait: &'static str,
}

/// No two rows have the same name.
impl PartialEq for Preset {
    fn eq(&self, other: &Preset) -> bool {
        self.name == other.name
    }
}

impl Eq for Preset {}

/// A key of a row.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// What stands there.
    pub what: What,
}

/// What stands under a key.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// The whole address, which is a secret. Required.
    Address,
    /// The address of a server, and the usual one; required if there is none.
    Server(&'static str),
    /// One line of ASCII that nobody may see. Required.
    Secret,
    /// The same, but it need not be there.
    Optional,
    /// A secret that names the server as well, if it begins with the first text, digits and the second: in the third
    /// `{}` becomes the digits.
    Telling(&'static [&'static str; 3]),
    /// One of these.
    Choice(&'static Choices),
}

/// Names, and in the same order what each stands for.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// As in the file.
    pub names: &'static [&'static str],
    /// As in the row's templates.
    pub words: &'static [&'static str],
}

/// What is sent. Besides the keys and levels of the row the fields are `{title}`, `{text}`, `{source}` (who is meant)
/// and those of [`super::template::fields`]. What holds a field that is empty is left out: a header, a pair of a form,
/// a member of an object.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// JSON; fields are replaced inside the strings. One that begins with `#` becomes a number.
    Json(&'static str),
    /// Pairs as in a query.
    Form(&'static str),
    /// Text.
    Text(&'static str),
}

const fn key(name: &'static str, what: What) -> Key {
    Key { name, what }
}

const fn room(unit: Unit, max: usize) -> Room {
    Room { unit, max }
}

const fn bytes(max: usize) -> Room {
    room(Unit::Bytes, max)
}

const fn chars(max: usize) -> Room {
    room(Unit::Chars, max)
}

/// Title and body in places of their own.
const fn apart(markup: Markup, title: Room, body: Room) -> Style {
    Style { markup, title, body, joined: false, newline: "\n" }
}

/// Both in one place.
const fn joined(markup: Markup, room: Room) -> Style {
    Style { markup, title: room, body: room, joined: true, newline: "\n" }
}

/// What most rows share.
const USUAL: Preset = Preset {
    name: "",
    language: Language::En,
    per_minute: None,
    keys: &[],
    method: "POST",
    path: "",
    header: "",
    body: Body::Text("{text}"),
    style: apart(Markup::Plain, bytes(250), bytes(2000)),
    plain_title: 0,
    levels: "",
    apart: false,
    cases: "",
    wait: "",
};

/// All of them.
pub const PRESETS: &[Preset] = &[
    chat::SLACK,
    chat::DISCORD,
    chat::TEAMS,
    chat::MATRIX,
    phone::BARK,
    phone::NTFY,
    phone::GOTIFY,
    phone::PUSHOVER,
    wechat::SERVERCHAN,
    wechat::PUSHPLUS,
    wechat::LETSERVERRUN,
    watch::PAGERDUTY,
    watch::HEALTHCHECKS,
];

#[cfg(test)]
mod tests;
