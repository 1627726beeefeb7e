//! How much a service takes, as it counts.

use super::markup::Markup;
use crate::alert::channel::template::{Add, plain};

/// What a service counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Bytes of UTF-8 inside a string of JSON: for services that count the whole body of a request.
    Json,
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
}

impl Unit {
    /// How many of them `text` has.
    pub fn size(self, text: &str) -> usize {
        match self {
            Unit::Bytes => text.len(),
            Unit::Json => text.bytes().map(in_json).sum(),
            Unit::Chars => text.chars().count(),
            Unit::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }
}

/// What `byte` needs in a string that [`crate::json::quote`] wrote.
fn in_json(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' => 2,
        0..b' ' => 6,
        _ => 1,
    }
}

/// How much a service takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// What it counts.
    pub unit: Unit,
    /// How many of them.
    pub max: usize,
}

impl Room {
    /// Whether `text` fits.
    pub fn holds(self, text: &str) -> bool {
        self.unit.size(text) <= self.max
    }

    /// What is left beside `text`.
    pub fn less(self, text: &str) -> Room {
        Room { max: self.max.saturating_sub(self.unit.size(text)), ..self }
    }
}

/// Bytes of one character with all that belongs to it. Real ones are smaller.
const MAX_CLUSTER: usize = 64;
/// Ends what was cut.
const MARK: &str = "…";

/// `head` as it stands and `text` escaped after it; if that is more than `room`, as much of it as fits, with `…` at its
/// end. What belongs together (an escape, a letter and its accents, the parts of an emoji) is not torn apart.
pub fn fit(markup: Markup, head: &str, text: &str, room: Room) -> String {
    let add = markup.add();
    let mut out = head.to_owned();
    add(&mut out, text);
    if room.holds(&out) {
        return out;
    }
    let mark = if room.holds(MARK) { MARK } else { "" };
    let mut left = room.less(mark).max;
    out.clear();
    // Where the last character with all that belongs to it begins, and whether the next one belongs to it too.
    let (mut start, mut joined) = (0, true);
    let verbatim = head.chars().map(|c| (c, plain as Add));
    for (c, add) in verbatim.chain(text.chars().map(|c| (c, add))) {
        let before = out.len();
        if !joined && !is_mark(c) || before - start > MAX_CLUSTER {
            start = before;
        }
        add(&mut out, c.encode_utf8(&mut [0; 4]));
        match left.checked_sub(room.unit.size(&out[before..])) {
            Some(rest) => left = rest,
            None => {
                out.truncate(start);
                break;
            }
        }
        joined = c == '\u{200D}';
    }
    out.push_str(mark);
    out
}

/// Whether `c` changes the character before it: an accent, a variation, a skin tone, a joiner.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{0300}'..='\u{036F}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{200D}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FE20}'..='\u{FE2F}'
            | '\u{1F3FB}'..='\u{1F3FF}'
    )
}
