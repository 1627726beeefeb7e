//! What an answer means: a small language that the rows of services and the webhooks of the file share.
//!
//! A condition is some terms with white space between them, all of which must hold:
//!
//! - `200`, `2xx`, `200,202`: the status is one of these;
//! - `id`: the answer is JSON with something but `null` there; `data.id` goes deeper, `list.*` into a list;
//! - `code=0`, `code=900,903`: one of these stands there, as a number, a text, `true` or `false`;
//! - `msg~busy`, `msg~"too many"`: the text there holds these words, whatever their case;
//! - `body=ok`, `body~"too many"`: the same of the whole answer, JSON or not.
//!
//! Quotes keep white space and commas together.

use std::time::Duration;

use super::http::{self, Ready};
use crate::alert::Verdict;
use crate::clock::Wall;
use crate::fetch::Answer;
use crate::keepalive::leaf::{Leaf, walk};

/// The longest wait that a service's own field is believed.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);
/// What stands for the whole answer in place of a path.
const BODY: &str = "body";

/// What an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A success.
    Ok,
    /// The channel is in trouble: try again, after so many seconds unless the service says how long; 0 for the usual.
    Retry(u16),
    /// A person must mend it.
    Broken,
    /// This message will never be taken.
    GiveUp,
}

/// What a service's answers mean.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Lines of a class, a condition, and after a tab perhaps what a person can do about it; the first that holds
    /// decides. Classes are `ok`, `retry`, `retry:60` (with the seconds), `broken`, `give_up`.
    pub cases: &'a str,
    /// Where the answer says for how many seconds it wants to be left alone; milliseconds if the name ends in `_ms`.
    pub wait: &'a str,
}

/// Class, condition and hint of a line.
pub fn case(line: &str) -> (Class, &str, &str) {
    let (line, hint) = line.split_once('\t').unwrap_or((line, ""));
    let (class, when) = line.split_once(' ').unwrap_or((line, ""));
    let (class, secs) = class.split_once(':').unwrap_or((class, ""));
    let class = match class {
        "ok" => Class::Ok,
        "retry" => Class::Retry(secs.parse().unwrap_or(0)),
        "broken" => Class::Broken,
        _ => Class::GiveUp,
    };
    (class, when, hint)
}

/// A part of a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Term<'a> {
    /// Empty for the status.
    path: &'a str,
    test: Test<'a>,
    /// Something stands there.
    seen: bool,
    met: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Test<'a> {
    /// One of these stands there.
    OneOf(&'a str),
    /// This stands there.
    Is(&'a str),
    /// The text there holds this.
    Holds(&'a str),
    /// Anything stands there.
    Present,
}

/// Checks a condition.
///
/// # Errors
/// What is wrong with it; the text does not repeat it.
pub fn check(when: &str) -> Result<(), &'static str> {
    terms(when).map(|_| ())
}

/// Checks the name of a place.
///
/// # Errors
/// What is wrong with it.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    match terms(path)?.as_slice() {
        [Term { test: Test::Present, .. }] => Ok(()),
        _ => Err("must name one place in the answer, such as \"retry_after\""),
    }
}

fn terms(when: &str) -> Result<Vec<Term<'_>>, &'static str> {
    let mut terms = Vec::new();
    let mut rest = when.trim_start();
    while !rest.is_empty() {
        let end = rest.find(['=', '~']).unwrap_or(rest.len());
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (path, test);
        if end > word || end == rest.len() {
            (path, rest) = rest.split_at(word);
            test = Test::Present;
        } else {
            let after = &rest[end + 1..];
            let holds = rest.as_bytes()[end] == b'~';
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, left) = match quote {
                Some(quote) => after[1..].split_once(quote).ok_or("lacks a closing quote")?,
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            if !left.is_empty() && !left.starts_with(char::is_whitespace) {
                return Err("has something right behind a closing quote");
            }
            if holds && value.is_empty() {
                return Err("looks for no words after ~");
            }
            if !holds && quote.is_none() && value.contains(',') && value.split(',').any(str::is_empty) {
                return Err("has an empty entry in a list");
            }
            path = &rest[..end];
            rest = left;
            test = match quote {
                _ if holds => Test::Holds(value),
                Some(_) => Test::Is(value),
                None => Test::OneOf(value),
            };
        }
        terms.push(term(path, test)?);
        rest = rest.trim_start();
    }
    if terms.is_empty() { Err("is empty") } else { Ok(terms) }
}

fn term<'a>(path: &'a str, test: Test<'a>) -> Result<Term<'a>, &'static str> {
    let term = |path, test| Term { path, test, seen: false, met: false };
    if test == Test::Present && path.starts_with(|c: char| c.is_ascii_digit()) {
        let status = |code: &str| {
            code.len() == 3 && (b'1'..=b'5').contains(&code.as_bytes()[0]) && {
                &code[1..] == "xx" || code.bytes().all(|b| b.is_ascii_digit())
            }
        };
        return if path.split(',').all(status) {
            Ok(term("", Test::OneOf(path)))
        } else {
            Err("has a status that does not exist; write 200, 2xx or 200,202")
        };
    }
    if path.is_empty() || path.split('.').any(str::is_empty) || path.contains(['"', '\'', ',', '/']) {
        return Err("has a term without the name of a place; terms are 200, id, code=0, msg~busy");
    }
    if path == BODY && test == Test::Present {
        return Err("says nothing of the body; write body=ok or body~ok");
    }
    Ok(term(path, test))
}

impl Term<'_> {
    fn look_at_status(&mut self, status: u16) {
        let status = status.to_string();
        if let Test::OneOf(list) = self.test {
            self.met = list.split(',').any(|code| code == status || (&code[1..] == "xx" && code[..1] == status[..1]));
        }
    }

    fn look(&mut self, leaf: Leaf<'_>) {
        self.seen |= leaf != Leaf::Null;
        self.met |= match self.test {
            Test::Present => leaf != Leaf::Null,
            Test::OneOf(list) => list.split(',').any(|value| equals(leaf, value)),
            Test::Is(value) => equals(leaf, value),
            Test::Holds(words) => match leaf {
                Leaf::Text(text) => text.to_ascii_lowercase().contains(&words.to_ascii_lowercase()),
                _ => false,
            },
        };
    }
}

#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "codes are small whole numbers")]
fn equals(leaf: Leaf<'_>, value: &str) -> bool {
    match leaf {
        Leaf::Text(text) => text == value,
        Leaf::Count(number) => value.parse() == Ok(number),
        Leaf::Number(number) => value.parse::<i64>().is_ok_and(|value| value as f64 == number),
        Leaf::Flag(flag) => value == if flag { "true" } else { "false" },
        Leaf::Null | Leaf::Open => false,
    }
}

/// What was found in an answer.
struct Found<'a> {
    /// The terms of all cases, each with the number of its case.
    terms: Vec<(usize, Term<'a>)>,
    /// The service's own wish.
    wait: Option<Duration>,
}

impl<'a> Found<'a> {
    fn new(rule: &Rule<'a>, answer: &Answer) -> Found<'a> {
        let mut found = Found { terms: Vec::new(), wait: None };
        for (number, line) in rule.cases.lines().enumerate() {
            for term in terms(case(line).1).unwrap_or_default() {
                found.terms.push((number, term));
            }
        }
        let whole = walk(&answer.body, &mut |path, leaf| {
            for (_, term) in &mut found.terms {
                if leads_to(path, term.path) {
                    term.look(leaf);
                }
            }
            if !rule.wait.is_empty() && leads_to(path, rule.wait) {
                found.wait = wait(rule.wait, leaf);
            }
            true
        });
        let body = String::from_utf8_lossy(&answer.body);
        for (_, term) in &mut found.terms {
            if !whole || matches!(term.path, "" | BODY) {
                (term.seen, term.met) = (false, false);
            }
            match term.path {
                "" => term.look_at_status(answer.status),
                BODY => {
                    term.look(Leaf::Text(body.trim()));
                    // A page is never what a service promised to say.
                    term.seen = !body.trim().is_empty() && !body.trim_start().starts_with('<');
                }
                _ => {}
            }
        }
        found
    }

    /// Whether the condition of case `number` holds.
    fn holds(&self, number: usize) -> bool {
        let mut terms = self.terms.iter().filter(|(case, _)| *case == number).peekable();
        terms.peek().is_some() && terms.all(|(_, term)| term.met)
    }

    /// Whether some term of case `number` is like that.
    fn has(&self, number: usize, like: fn(&Term<'_>) -> bool) -> bool {
        self.terms.iter().any(|(case, term)| *case == number && like(term))
    }
}

/// Whether `path`, as a walk tells it, is that of a condition.
fn leads_to(path: &str, place: &str) -> bool {
    path.split('/').eq(place.split('.'))
}

fn wait(name: &str, leaf: Leaf<'_>) -> Option<Duration> {
    let unit = if name.ends_with("_ms") { 1000 } else { 1 };
    let ms = u64::try_from(leaf.millis()?).ok()? / unit;
    Some(Duration::from_millis(ms).min(MAX_WAIT))
}

impl Rule<'_> {
    /// What `answer` to `ready` means. If no case holds: what its status says; of a 2xx that it is a refusal, if it
    /// has what successes are known by, else that something else than the service has answered. Without a case of
    /// success every 2xx is one.
    pub fn judge(&self, answer: &Answer, now: Wall, ready: &Ready) -> Verdict {
        let host = http::host_of(&ready.url);
        let mut refused = http::refusal(answer, now, host, &ready.secrets);
        let found = Found::new(self, answer);
        let after = http::retry_after(answer, now).or(found.wait);
        let why = |hint: &str| {
            let why = [host, ": HTTP ", &answer.status.to_string()].concat();
            let why = http::with_words(why, &answer.body, &ready.secrets);
            if hint.is_empty() { why } else { [&why, " (", hint, ")"].concat() }
        };
        let (mut known, mut seen) = (false, false);
        for (number, line) in self.cases.lines().enumerate() {
            let (class, _, hint) = case(line);
            if class == Class::Ok {
                known = true;
                seen |= found.has(number, |term| term.seen);
            }
            if !found.holds(number) {
                continue;
            }
            return match class {
                Class::Ok if found.has(number, |term| term.path.is_empty()) => Verdict::Delivered,
                Class::Ok => refused.unwrap_or(Verdict::Delivered),
                Class::Retry(secs) => {
                    let usual = (secs > 0).then(|| Duration::from_secs(secs.into()));
                    Verdict::Retry { why: why(hint), after: after.or(usual), channel: true, answered: true, sent: true }
                }
                Class::Broken => Verdict::Broken(why(hint)),
                Class::GiveUp => Verdict::GiveUp(why(hint)),
            };
        }
        match &mut refused {
            Some(Verdict::Retry { after: wish @ None, channel: true, .. }) => *wish = after,
            None if seen => return Verdict::Broken(why("")),
            None if known => return not_the_service(host),
            _ => {}
        }
        refused.unwrap_or(Verdict::Delivered)
    }
}

/// Something else has answered in place of the service.
pub fn not_the_service(host: &str) -> Verdict {
    let why = [host, ": the answer is not of this service; a login page of the network?"].concat();
    Verdict::Retry { why, after: None, channel: true, answered: false, sent: true }
}

#[cfg(test)]
mod tests;
