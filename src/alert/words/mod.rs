//! The words of messages: one table per language.

mod en;
mod zh;

use std::time::Duration;

use crate::alert::clean::expand;
use crate::config::plan::Language;
use crate::event::{Field, Kind};

/// Bytes of the longest text that is looked through for what this program says.
const MAX_PHRASE: usize = 1024;

/// One language. `{who}`, `{time}` and `{n}` stand for the subject, a span and a number.
pub struct Words {
    /// Every kind in a word or two, for the title of a digest; the first line of its message; and if something can
    /// end it, the first line once it is over.
    pub kinds: &'static [(Kind, [&'static str; 3])],
    /// The label of every fact.
    pub labels: &'static [(Field, &'static str)],
    /// Other labels in messages of some kinds.
    pub own_labels: &'static [(Kind, Field, &'static str)],
    /// First line of a notice whose time is still to come, and of one whose time has passed.
    pub reclaim: [&'static str; 2],
    /// Added to it if the notice was told before, and was another.
    pub changed: &'static str,
    /// Added to the first line of a notice that is over and was withdrawn.
    pub taken_back: &'static str,
    /// First line if one alert is lost, or `{n}` alerts.
    pub lost: [&'static str; 2],
    /// First line of a flapping host that changed `{n}` times.
    pub flapping: &'static str,
    /// Added to the first line of an end, and of what is over: how long it lasted.
    pub lasted: [&'static str; 2],
    /// Added to the first line of what is over if nobody waits for it any more.
    pub forgotten: &'static str,
    /// A day, an hour, a minute and a second; and a minute that seconds follow.
    pub units: [&'static str; 5],
    /// A span from now, and one ago.
    pub distance: [&'static str; 2],
    /// First line of a digest of `{n}` alerts of the kinds `{who}`.
    pub digest: &'static str,
    /// First line of a group of `{n}` hosts, `{who}`, to all of which the same happened.
    pub together: &'static [(Kind, &'static str)],
    /// First line of a group of `{n}` hosts that were silent, of which some are back.
    pub were_together: &'static str,
    /// Added to it: all are, namely `{who}`; or `{n}` are, and `{who}` are not.
    pub back_again: [&'static str; 2],
    /// Added to the names of hosts if `{n}` are left out.
    pub more_hosts: &'static str,
    /// `{n}` times the kind `{who}`.
    pub times: &'static str,
    /// `{n}` kinds or lines are left out.
    pub more: &'static str,
    /// `{n}` lines were cut because the service takes no more.
    pub cut: &'static str,
    /// One line was.
    pub cut_one: &'static str,
    /// Added to the title of an alert that comes so late.
    pub delayed_by: &'static str,
    /// Beside the time of such an alert.
    pub delayed: &'static str,
    /// Before a time that is not known exactly.
    pub about: &'static str,
    /// In place of a time whose clock was never set.
    pub unknown: &'static str,
    /// The same, beside a distance that is known.
    pub not_set: &'static str,
    /// Label of the time when it happened.
    pub time: &'static str,
    /// Label of the host, or whom else it is about.
    pub host: &'static str,
    /// Label of the people who are mentioned.
    pub on_call: &'static str,
    /// Labels of the beginning and the end of what is over.
    pub from_to: [&'static str; 2],
    /// At the front of what is part of an exercise.
    pub test: &'static str,
    /// Between a label and its value.
    pub colon: &'static str,
    /// Before and after a remark.
    pub brackets: [&'static str; 2],
    /// Between remarks and between kinds.
    pub comma: &'static str,
    /// Between sentences.
    pub semicolon: &'static str,
    /// "core" and "cores" behind a load, if not these.
    pub cores: &'static str,
    /// What this program says in English, in this language. `{}` stands for anything, in the same order in both; what is
    /// more special goes first.
    pub phrases: &'static [(&'static str, &'static str)],
}

/// The table of `language`.
pub fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &en::WORDS,
        Language::Zh => &zh::WORDS,
    }
}

impl Words {
    /// The three texts of `kind`.
    pub fn kind(&self, kind: Kind) -> &'static [&'static str; 3] {
        const NONE: [&str; 3] = [""; 3];
        self.kinds.iter().find(|(known, _)| *known == kind).map_or(&NONE, |(_, texts)| texts)
    }

    /// The label of `field` in a message of `kind`.
    pub fn label(&self, kind: Kind, field: Field) -> &'static str {
        let own = self.own_labels.iter().find(|(of, known, _)| (*of, *known) == (kind, field));
        let usual = || self.labels.iter().find(|(known, _)| *known == field).map_or("", |(_, label)| *label);
        own.map_or_else(usual, |(_, _, label)| label)
    }

    /// The text of `field`: in this language if it is of those that this program writes. Notes, names and paths stay.
    pub fn fact(&self, field: Field, text: &str) -> String {
        match field {
            Field::Provider | Field::Action | Field::Reason | Field::Hint | Field::State | Field::Resource => {
                self.phrase(text)
            }
            _ => text.to_owned(),
        }
    }

    /// `text` in this language as far as this program said it: all of it, what stands after a colon, a remark in
    /// brackets at its end, parts with semicolons between them. What others said stays.
    pub fn phrase(&self, text: &str) -> String {
        if self.phrases.is_empty() || text.len() > MAX_PHRASE {
            return text.to_owned();
        }
        if let Some(said) = self.sentence(text) {
            return said;
        }
        let (mut out, mut known) = (String::with_capacity(text.len()), false);
        for (n, part) in text.split("; ").enumerate() {
            let said = self.sentence(part);
            known |= said.is_some();
            out.push_str(if n == 0 { "" } else { self.semicolon });
            out.push_str(said.as_deref().unwrap_or(part));
        }
        if known { out } else { text.to_owned() }
    }

    fn sentence(&self, text: &str) -> Option<String> {
        let mut from = 0;
        loop {
            if let Some(said) = self.known(&text[from..], true) {
                return Some([&text[..from], &said].concat());
            }
            match text[from..].find(": ") {
                Some(at) => from += at + 2,
                None => break,
            }
        }
        let (before, remark) = text.strip_suffix(')')?.rsplit_once(" (")?;
        let [open, close] = self.brackets;
        let remark = self.known(remark, true)?;
        Some([&self.sentence(before).unwrap_or_else(|| before.to_owned()), open, &remark, close].concat())
    }

    /// `text` if it is one of the phrases. With `deeper` what stands in its holes may be one
    /// too.
    fn known(&self, text: &str, deeper: bool) -> Option<String> {
        for (known, said) in self.phrases {
            if *known == text {
                return Some((*said).to_owned());
            }
            let Some(holes) = holes(known, text) else { continue };
            let mut out = String::new();
            for (n, part) in said.split("{}").enumerate() {
                let hole = if n > 0 { holes.get(n - 1).copied().unwrap_or_default() } else { "" };
                let inner = if deeper { self.known(hole, false) } else { None };
                out.push_str(inner.as_deref().unwrap_or(hole));
                out.push_str(part);
            }
            return Some(out);
        }
        None
    }

    /// `template` filled in.
    pub fn fill(&self, template: &str, who: &str, time: Option<Duration>, n: i64) -> String {
        let time = time.map(|time| self.span(time)).unwrap_or_default();
        expand(template, &[("who", who.to_owned()), ("time", time), ("n", n.to_string())], &mut |out, value| {
            out.push_str(value);
        })
    }

    /// `d` rounded down to whole seconds as its two largest units out of days, hours, minutes and seconds, of which
    /// the second is left out if it is zero.
    pub fn span(&self, d: Duration) -> String {
        let secs = d.as_secs();
        let parts = [secs / 86_400, secs / 3600 % 24, secs / 60 % 60, secs % 60];
        let first = parts.iter().position(|part| *part > 0).unwrap_or(3);
        let second = parts.get(first + 1).filter(|part| **part > 0);
        let unit = if first == 2 && second.is_some() { 4 } else { first };
        let mut text = [&parts[first].to_string(), " ", self.units[unit]].concat();
        if let Some(second) = second {
            for part in [" ", &second.to_string(), " ", self.units[first + 1]] {
                text.push_str(part);
            }
        }
        text
    }
}

/// What stands in `text` where `pattern` has `{}`; `None` if it is another text, or if there are none.
fn holes<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let (begin, mut pattern) = pattern.split_once("{}")?;
    let mut rest = text.strip_prefix(begin)?;
    let mut holes = Vec::new();
    while let Some((piece, after)) = pattern.split_once("{}") {
        let (hole, tail) = rest.split_once(piece)?;
        holes.push(hole);
        (rest, pattern) = (tail, after);
    }
    holes.push(rest.strip_suffix(pattern)?);
    Some(holes)
}

#[cfg(test)]
mod tests;
