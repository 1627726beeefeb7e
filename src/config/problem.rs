//! What is wrong with a configuration, and where.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::Path;

use crate::config::env::Env;
use crate::order::order;

/// Problems that are listed; of the rest only the number is told.
pub const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong, or unwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, or empty if it is not about a file.
    pub file: String,
    /// Line in that file, from 1; 0 if it is about no line.
    pub line: usize,
    /// Key path, or the name of an environment variable; may be empty.
    pub key: String,
    /// What is wrong, in one line, without any secret.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = if self.line > 0 { [&self.line.to_string(), ":"].concat() } else { String::new() };
        let after_file = if self.file.is_empty() { "" } else { ":" };
        let before_key = if self.file.is_empty() { "" } else { " " };
        let after_key = if self.key.is_empty() { "" } else { ": " };
        for part in [&self.file, after_file, &line, before_key, &self.key, after_key, &self.text] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// Collects problems and warnings while a file is read.
pub struct Report<'a> {
    /// The environment that the file is read in.
    pub env: &'a Env,
    /// How the file is called in messages.
    file: &'a str,
    text: &'a str,
    /// The file holds a secret in plain text.
    pub holds_secret: Cell<bool>,
    /// Keys that were asked for, and where their tables are in memory.
    pub asked: RefCell<Vec<(usize, &'static str)>>,
    problems: RefCell<Vec<(usize, Problem)>>,
    warnings: RefCell<Vec<(usize, Problem)>>,
    unlisted: Cell<usize>,
}

/// Stands for "about no place in the file".
pub const NOWHERE: usize = usize::MAX;

impl<'a> Report<'a> {
    /// A report on `text`, which is called `file`.
    pub fn new(file: &'a str, text: &'a str, env: &'a Env) -> Report<'a> {
        Report {
            env,
            file,
            text,
            holds_secret: Cell::default(),
            asked: RefCell::default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
            unlisted: Cell::default(),
        }
    }

    /// The folder of the file: relative names of secret files start there.
    pub fn folder(&self) -> &Path {
        Path::new(self.file).parent().unwrap_or(Path::new(""))
    }

    /// The line, from 1, of byte `at`; 0 for [`NOWHERE`].
    pub fn line(&self, at: usize) -> usize {
        match self.text.as_bytes().get(..at) {
            Some(before) => 1 + before.iter().filter(|b| **b == b'\n').count(),
            None => 0,
        }
    }

    /// Something that must be mended: byte `at` of the file, key path, what.
    #[inline(never)]
    pub fn problem(&self, at: usize, key: &str, text: &str) {
        if self.is_full() {
            self.unlisted.set(self.unlisted.get() + 1);
        } else {
            self.problems.borrow_mut().push((at, self.entry(at, key, text)));
        }
    }

    /// Something that is allowed but unwise.
    #[inline(never)]
    pub fn warn(&self, at: usize, key: &str, text: &str) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_PROBLEMS {
            warnings.push((at, self.entry(at, key, text)));
        }
    }

    /// Something wrong with environment variable `name`.
    pub fn env_problem(&self, name: &str, text: String) {
        let problem = Problem { file: String::new(), line: 0, key: name.to_owned(), text };
        self.problems.borrow_mut().push((NOWHERE, problem));
    }

    fn entry(&self, at: usize, key: &str, text: &str) -> Problem {
        Problem { file: self.file.to_owned(), line: self.line(at), key: key.to_owned(), text: text.to_owned() }
    }

    /// Whether further problems are only counted.
    pub fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MAX_PROBLEMS
    }

    /// Problems and warnings in the order of the file.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        let (mut problems, warnings) = (in_order(&self.problems.take()), in_order(&self.warnings.take()));
        if self.unlisted.get() > 0 {
            let text = format!("{} more problems", self.unlisted.get());
            problems.push(Problem { file: self.file.to_owned(), line: 0, key: String::new(), text });
        }
        (problems, warnings)
    }
}

fn in_order(found: &[(usize, Problem)]) -> Vec<Problem> {
    let sorted = order(found.len(), &|a, b| found[a].0 < found[b].0);
    sorted.into_iter().map(|index| found[index].1.clone()).collect()
}

/// `text` in quotes, shortened and escaped, for a message.
pub fn quoted(text: &str) -> String {
    /// Characters of a value that a message repeats.
    const MAX_SHOWN: usize = 60;
    let mut shown = String::from("\"");
    for (index, c) in text.chars().enumerate() {
        if index == MAX_SHOWN {
            shown.push('…');
            break;
        }
        match c {
            '"' => shown.push_str("\\\""),
            // Format characters (bidi) are escaped too, printable ones of any script are not.
            c if c.is_control() || c.escape_debug().len() > 2 => shown.extend(c.escape_debug()),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_with_what_is_known() {
        let problem = |file: &str, line, key: &str| Problem {
            file: file.to_owned(),
            line,
            key: key.to_owned(),
            text: "bad".to_owned(),
        };
        assert_eq!(problem("a.toml", 3, "x.y").to_string(), "a.toml:3: x.y: bad");
        assert_eq!(problem("a.toml", 3, "").to_string(), "a.toml:3: bad");
        assert_eq!(problem("a.toml", 0, "").to_string(), "a.toml: bad");
        assert_eq!(problem("", 0, "SERVER_PORT").to_string(), "SERVER_PORT: bad");
    }

    #[test]
    fn quoting_is_short_and_harmless() {
        assert_eq!(quoted("密 it's"), "\"密 it's\"");
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\c""#);
        assert_eq!(quoted("a\n\u{1b}[31m\u{202e}"), "\"a\\n\\u{1b}[31m\\u{202e}\"");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), 63);
    }

    #[test]
    fn the_rest_is_counted() {
        let env = Env::default();
        let report = Report::new("f", "a\nb\n", &env);
        for _ in 0..MAX_PROBLEMS + 5 {
            report.problem(2, "k", "bad");
        }
        let (problems, _) = report.finish();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems[0].to_string(), "f:2: k: bad");
        assert_eq!(problems[MAX_PROBLEMS].to_string(), "f: 5 more problems");
    }
}
