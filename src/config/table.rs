//! A reader for the file's tables: it hands out typed values by key, notes which keys were asked for, and reports
//! the rest as unknown.

use std::time::Duration;

use toml::de::{DeInteger, DeTable, DeValue};

use crate::config::problem::{Report, quoted};
use crate::config::units::{decimal, nearest, parse_span, show_span};

/// Longest text of a value, in bytes, unless its key says otherwise.
pub const MAX_TEXT: usize = 4096;
/// Longest key that a message repeats as it stands, in bytes.
const MAX_KEY: usize = 64;
/// Longest word that a message repeats if it looks like none of those that belong there, in bytes. The names of
/// channels and the like are shorter; what is longer may be a secret that slipped one line up or down.
const MAX_WORD: usize = 32;

/// A table that is being read. Its key path is looked for only when there is something to say about it: a path carried
/// along would have to be made and dropped for every key.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// Where problems go.
    pub report: &'a Report<'a>,
    /// Byte of the file where it begins.
    pub at: usize,
    root: &'a DeTable<'a>,
    entries: &'a DeTable<'a>,
}

/// A value with its place.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Where problems go.
    pub report: &'a Report<'a>,
    /// Byte of the file where its key stands.
    pub at: usize,
    /// The value itself.
    pub value: &'a DeValue<'a>,
    root: &'a DeTable<'a>,
    /// Where what its key path leads to is in memory.
    place: usize,
}

fn place<T>(of: &T) -> usize {
    std::ptr::from_ref(of) as usize
}

/// Extends `path` to what is at `place`; `false` if that is not among `entries`.
fn find(entries: &DeTable<'_>, place: usize, path: &mut String) -> bool {
    let found = entries.iter().any(|(name, value)| {
        let len = path.len();
        push_key(path, name.get_ref());
        let found = find_in(value.get_ref(), place, path);
        if !found {
            path.truncate(len);
        }
        found
    });
    found || self::place(entries) == place
}

fn find_in(value: &DeValue<'_>, place: usize, path: &mut String) -> bool {
    self::place(value) == place
        || match value {
            DeValue::Table(entries) => find(entries, place, path),
            DeValue::Array(list) => list.iter().any(|entry| find_in(entry.get_ref(), place, path)),
            _ => false,
        }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare && key.len() <= MAX_KEY { path.push_str(key) } else { path.push_str(&quoted(key)) }
}

impl<'a> Table<'a> {
    /// The whole file.
    pub fn root(report: &'a Report<'a>, entries: &'a DeTable<'a>) -> Table<'a> {
        Table { report, at: 0, root: entries, entries }
    }

    /// The value of `key`, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.report.asked.borrow_mut().push((place(self.entries), key));
        let (name, value) = self.entries.get_key_value(key)?;
        Some(self.entry(name.span().start, value.get_ref()))
    }

    fn entry(&self, at: usize, value: &'a DeValue<'a>) -> Item<'a> {
        Item { report: self.report, at, value, root: self.root, place: place(value) }
    }

    /// The value of `key`; a problem if it is not there.
    #[inline(never)]
    pub fn need(&mut self, key: &'static str, hint: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.missing(key, hint);
        }
        item
    }

    /// Reports that `key` is missing.
    pub fn missing(&self, key: &str, hint: &str) {
        self.report.problem(self.at, &self.child(key), &["missing", hint].concat());
    }

    /// The duration under `key`, if there is a good one from the first to the second of `range`.
    #[inline(never)]
    pub fn span(&mut self, key: &'static str, range: (Duration, Duration)) -> Option<Duration> {
        self.get(key)?.span(range)
    }

    /// The whole number under `key`, if there is a good one from `min` to `max`.
    #[inline(never)]
    pub fn whole(&mut self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        self.get(key)?.whole(min, max)
    }

    /// Which of `names` stands under `key`, if one of them does.
    #[inline(never)]
    pub fn choice(&mut self, key: &'static str, names: &[&str]) -> Option<usize> {
        self.get(key)?.choice(names)
    }

    /// The table under `key`, if it is there.
    #[inline(never)]
    pub fn table(&mut self, key: &'static str) -> Option<Table<'a>> {
        self.get(key)?.table()
    }

    /// All entries with their names, for tables whose keys are names of the user's own.
    pub fn named(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> {
        self.entries.iter().map(|(name, value)| (&**name.get_ref(), self.entry(name.span().start, value.get_ref())))
    }

    /// The table as a value, to report something about it.
    pub fn item(&self) -> Item<'a> {
        const NOTHING: &DeValue<'static> = &DeValue::Boolean(false);
        Item { place: place(self.entries), ..self.entry(self.at, NOTHING) }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        let asked = self.report.asked.borrow();
        let mut known: Vec<&str> = Vec::new();
        for (table, key) in asked.iter() {
            if *table == place(self.entries) && !known.contains(key) {
                known.push(key);
            }
        }
        for (name, _) in self.entries {
            let key: &str = name.get_ref();
            if known.contains(&key) {
                continue;
            }
            // What is only counted needs no text.
            if self.report.is_full() {
                self.report.problem(0, "", "");
                continue;
            }
            let text = match nearest(key, &known) {
                Some(near) => ["unknown key; did you mean \"", near, "\"?"].concat(),
                None => ["unknown key; keys here are ", &known.join(", ")].concat(),
            };
            self.report.problem(name.span().start, &self.child(key), &text);
        }
    }

    /// The path of `key` in this table, whether it is there or not.
    pub fn child(&self, key: &str) -> String {
        let mut path = self.item().path();
        push_key(&mut path, key);
        path
    }
}

impl<'a> Item<'a> {
    /// Reports a problem with this value; `None` so that it can end a reader.
    pub fn bad<T>(&self, text: &str) -> Option<T> {
        self.tell(text);
        None
    }

    // What is the same for all types stands in functions without one, here and below.
    #[inline(never)]
    fn tell(&self, text: &str) {
        self.report.problem(self.at, &self.path(), text);
    }

    /// Reports something unwise about this value.
    #[inline(never)]
    pub fn warn(&self, text: &str) {
        self.report.warn(self.at, &self.path(), text);
    }

    /// Key path; empty for the whole file.
    fn path(&self) -> String {
        let mut path = String::new();
        find(self.root, self.place, &mut path);
        path
    }

    /// Reports that the value should be `expected`.
    pub fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        self.tell_type(expected);
        None
    }

    #[inline(never)]
    fn tell_type(&self, expected: &str) {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.tell(&["must be ", expected, ", not ", found].concat());
    }

    /// Text of at most [`MAX_TEXT`] bytes.
    #[inline(never)]
    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) if text.len() <= MAX_TEXT => Some(text),
            DeValue::String(_) => self.too_long(MAX_TEXT),
            _ => self.wrong_type("text in quotes"),
        }
    }

    /// One line of text of at most `max` bytes, without control characters.
    #[inline(never)]
    pub fn line(&self, max: usize) -> Option<&'a str> {
        let text = self.text()?;
        if text.len() > max {
            return self.too_long(max);
        }
        if text.chars().any(char::is_control) { self.bad("holds a control character") } else { Some(text) }
    }

    #[inline(never)]
    pub(super) fn too_long<'t>(&self, max: usize) -> Option<&'t str> {
        self.bad(&["is longer than ", &max.to_string(), " bytes"].concat())
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A whole number from `min` to `max`.
    pub fn whole(&self, min: u32, max: u32) -> Option<u32> {
        match self.value {
            DeValue::Integer(number) => {
                let found = integer(number).and_then(|number| u32::try_from(number).ok());
                match found.filter(|number| (min..=max).contains(number)) {
                    Some(number) => Some(number),
                    None => self.out_of_range(&number.to_string(), &min.to_string(), &max.to_string()),
                }
            }
            _ => self.wrong_type("a whole number"),
        }
    }

    #[inline(never)]
    fn out_of_range<T>(&self, shown: &str, min: &str, max: &str) -> Option<T> {
        self.bad(&[shown, " is out of range; it goes from ", min, " to ", max].concat())
    }

    /// A duration from `min` to `max`: a number of seconds, or text with a unit.
    pub fn span(&self, (min, max): (Duration, Duration)) -> Option<Duration> {
        let (span, shown) = match self.value {
            DeValue::Integer(number) => {
                let seconds = integer(number).and_then(|seconds| u64::try_from(seconds).ok());
                (seconds.map(Duration::from_secs), number.to_string())
            }
            DeValue::Float(number) => (decimal(number.as_str(), 1000), number.as_str().to_owned()),
            DeValue::String(text) => match parse_span(text) {
                Ok(span) => (Some(span), quoted(text)),
                Err(why) => return self.bad(&[&quoted(text), " ", why].concat()),
            },
            _ => return self.wrong_type("a number of seconds, or text such as \"30s\""),
        };
        match span.filter(|span| (min..=max).contains(span)) {
            Some(span) => Some(span),
            None => self.out_of_range(&shown, &show_span(min), &show_span(max)),
        }
    }

    /// Which of `names` it is, as an index.
    pub fn choice(&self, names: &[&str]) -> Option<usize> {
        let text = self.text()?;
        let index = names.iter().position(|name| *name == text);
        if index.is_none() {
            self.unknown(text, names);
        }
        index
    }

    /// Reports that `text` is none of `names`.
    pub fn unknown(&self, text: &str, names: &[&str]) {
        let text = match nearest(text, names) {
            Some(near) => [&quoted(text), " is not known; did you mean \"", near, "\"?"].concat(),
            None if text.len() > MAX_WORD => ["is not known; known are ", &names.join(", ")].concat(),
            None => [&quoted(text), " is not known; known are ", &names.join(", ")].concat(),
        };
        self.bad::<()>(&text);
    }

    /// The entries of a list of at most `max`.
    #[inline(never)]
    pub fn list(&self, max: usize) -> Option<Vec<Item<'a>>> {
        match self.value {
            DeValue::Array(list) if list.len() <= max => Some(
                list.iter().map(|entry| Item { value: entry.get_ref(), at: entry.span().start, ..*self }).collect(),
            ),
            DeValue::Array(list) => self.too_many(list.len(), "entries", max),
            _ => self.wrong_type("a list"),
        }
    }

    /// Reports that there are more than `max` of something.
    pub fn too_many<T>(&self, len: usize, what: &str, max: usize) -> Option<T> {
        self.bad(&format!("has {len} {what}, at most {max} are allowed"))
    }

    /// A table, to be read further.
    pub fn table(self) -> Option<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => Some(Table { report: self.report, at: self.at, root: self.root, entries }),
            _ => self.wrong_type("a table"),
        }
    }
}

/// A whole number of the file, whatever its radix.
pub fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
