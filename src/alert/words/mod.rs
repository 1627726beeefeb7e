//! The words of messages: one table per language.

mod en;
mod zh;

use std::time::Duration;

use crate::alert::clean::expand;
use crate::config::plan::Language;
use crate::event::{Field, Kind};

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
    /// "core" and "cores" behind a load, if not these.
    pub cores: &'static str,
    /// What this program says in English, in this language.
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

    /// `text` in this language if it, or what stands after its last colon, is known.
    pub fn phrase(&self, text: &str) -> String {
        let start = text.rfind(": ").map_or(0, |at| at + 2);
        for from in [0, start] {
            if let Some((_, said)) = self.phrases.iter().find(|(known, _)| *known == &text[from..]) {
                return [&text[..from], said].concat();
            }
        }
        text.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Language; 2] = [Language::En, Language::Zh];

    #[test]
    fn spans() {
        for (secs, en, zh) in [
            (0, "0 s", "0 秒"),
            (45, "45 s", "45 秒"),
            (290, "4 min 50 s", "4 分 50 秒"),
            (300, "5 min", "5 分钟"),
            (720, "12 min", "12 分钟"),
            (4320, "1 h 12 min", "1 小时 12 分钟"),
            (3605, "1 h", "1 小时"),
            (93_600, "1 d 2 h", "1 天 2 小时"),
            (86_400 * 30, "30 d", "30 天"),
        ] {
            assert_eq!(en::WORDS.span(Duration::from_secs(secs)), en);
            assert_eq!(zh::WORDS.span(Duration::from_secs(secs)), zh);
        }
        assert_eq!(en::WORDS.span(Duration::MAX).split(' ').count(), 4);
    }

    #[test]
    fn every_label_and_kind_has_its_own_words() {
        for language in BOTH {
            let words = words(language);
            for about in [Kind::Interrupt, Kind::InterruptWithdrawn, Kind::Offline] {
                for (n, field) in Field::ALL.iter().enumerate() {
                    assert!(!words.label(about, *field).is_empty(), "{field:?}");
                    for other in &Field::ALL[..n] {
                        assert_ne!(words.label(about, *field), words.label(about, *other), "{field:?} {other:?}");
                    }
                }
            }
            for (n, kind) in Kind::ALL.iter().enumerate() {
                for text in &words.kind(*kind)[..2] {
                    assert!(!text.is_empty(), "{kind:?}");
                }
                for other in &Kind::ALL[..n] {
                    assert_ne!(words.kind(*kind)[0], words.kind(*other)[0], "{kind:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn what_this_program_says_is_translated() {
        for (text, zh) in [
            ("release", "释放"),
            ("100.100.100.200: no answer in time", "100.100.100.200: 超时未应答"),
            ("h: code 1: no connection: x", "h: code 1: no connection: x"),
            ("release:", "release:"),
            ("", ""),
        ] {
            assert_eq!((en::WORDS.phrase(text), zh::WORDS.phrase(text)), (text.to_owned(), zh.to_owned()));
        }
    }

    #[test]
    fn every_title_names_the_subject_and_every_beginning_has_an_end() {
        for language in BOTH {
            for kind in Kind::ALL {
                let [_, title, over] = words(language).kind(*kind);
                assert!(title.contains("{who}"), "{kind:?}");
                let begins = kind.phase() == crate::event::Phase::Begin;
                assert_eq!(over.contains("{who}"), begins, "{kind:?}");
            }
        }
    }
}
