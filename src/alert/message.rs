//! From a message to the text that a person reads, perhaps at three in the morning: what and who first, then facts.

mod group;

use std::time::Duration;

use crate::alert::clean::clean;
use crate::alert::words::{Words, words};
use crate::alert::{Form, Message};
use crate::clock::Now;
use crate::config::plan::Language;
use crate::event::{Event, Fact, Field, Kind, Moment, Phase};
use crate::zone::Zone;

/// Bytes of a subject or a prefix that are shown. Host names have at most 128.
pub const MAX_SUBJECT: usize = 256;
/// Bytes of a text fact that are shown.
pub const MAX_FACT: usize = 512;
/// Facts of one event that are shown; more than any source has.
const MAX_FACTS: usize = 32;
/// Members of a digest that get a line of their own.
const MAX_DIGEST_LINES: usize = 20;
/// Bytes of one name among several in a title, and of a state.
const MAX_TITLE_NAME: usize = 64;
/// Kinds that the title of a digest counts.
const MAX_DIGEST_KINDS: usize = 4;
/// Hexadecimal digits of the id that are shown, enough to spot a message that came twice.
const ID_DIGITS: usize = 8;
/// An alert that is sent so long after it happened says so.
const LATE: Duration = Duration::from_secs(60);

/// A rendered message. Neither title nor lines hold line breaks, control or bidi characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// What happened, and to whom.
    pub title: String,
    /// Facts, and the id as the last line.
    pub lines: Vec<Line>,
}

/// A line of a message: a fact with its label, or words alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Empty for words alone.
    pub label: &'static str,
    /// What stands between label and words; empty without a label.
    pub colon: &'static str,
    /// The value, or the words.
    pub text: String,
}

impl Line {
    /// Words alone.
    pub fn plain(text: String) -> Line {
        Line { label: "", colon: "", text }
    }

    /// Label and value in one.
    pub fn whole(&self) -> String {
        [self.label, self.colon, &self.text].concat()
    }
}

impl Text {
    /// All lines but the title.
    pub fn body(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(Line::whole).collect();
        lines.join("\n")
    }
}

/// The words of `message` as they are true `now`. Every title begins with `prefix`.
pub fn render(message: &Message, language: Language, prefix: &str, now: &Now, zone: &Zone) -> Text {
    let voice = Voice { words: words(language), now, zone };
    let members: Vec<&Event> = message.members.iter().map(|event| &**event).collect();
    let mut id = message.id.to_string();
    let (title, lines) = match (message.form, &members[..]) {
        (_, []) => (id, Vec::new()),
        (Form::Minimal, [event, ..]) => {
            ([event.kind.name(), " ", &clean(&event.subject, MAX_SUBJECT), " ", &id].concat(), Vec::new())
        }
        (form, members) => {
            let (title, mut lines) = match (form, members) {
                (Form::Digest, members) if members.len() > 1 => voice.digest(members),
                (Form::Over, [begin, .., end]) => voice.over(begin, end),
                (_, members) => voice.one(members[0]),
            };
            id.truncate(ID_DIGITS);
            lines.push(Line::plain(["id ", &id].concat()));
            (title, lines)
        }
    };
    Text { title: [lead(message, language, prefix), title].concat(), lines }
}

/// What every title of `message` begins with: `prefix`, and the mark of an exercise.
pub fn lead(message: &Message, language: Language, prefix: &str) -> String {
    let members: Vec<&Event> = message.members.iter().map(|event| &**event).collect();
    let test = if is_test(&members) { words(language).test } else { "" };
    let prefix = clean(prefix, MAX_SUBJECT);
    let gap = if prefix.is_empty() || prefix.ends_with(' ') { "" } else { " " };
    [&prefix, gap, test].concat()
}

/// A duration in words.
pub fn span(language: Language, d: Duration) -> String {
    words(language).span(d)
}

/// Whether all of `members` are part of an exercise.
pub fn is_test(members: &[&Event]) -> bool {
    !members.is_empty() && members.iter().all(|event| event.test || event.kind == Kind::Test)
}

/// The facts of beginning and end together, those of the end first.
pub fn merged<'a>(begin: &'a Event, end: &'a Event) -> Vec<(Field, &'a Fact)> {
    let mut facts: Vec<(Field, &Fact)> = Vec::with_capacity(begin.facts.len() + end.facts.len());
    for (field, fact) in end.facts.iter().chain(&begin.facts) {
        if !facts.iter().any(|(known, _)| known == field) {
            facts.push((*field, fact));
        }
    }
    facts
}

/// What a digest says in one line: an event, with its end if that is in the digest as well.
type Row<'a> = (&'a Event, Option<&'a Event>);

/// The lines of a digest. What is over is one line, whatever was told of it in between.
fn rows<'a>(members: &[&'a Event]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(members.len());
    for event in members {
        let begun = |(begin, end): &Row<'_>| {
            end.is_none() && begin.incident == event.incident && begin.kind.phase() == Phase::Begin
        };
        let place = if event.kind.phase() == Phase::End { rows.iter().position(begun) } else { None };
        match place {
            None => rows.push((event, None)),
            Some(place) => {
                rows[place].1 = Some(event);
                // Such as a reminder.
                rows.retain(|(other, end)| end.is_some() || other.incident != event.incident);
            }
        }
    }
    rows
}

/// Who speaks: a language, at a moment, somewhere.
struct Voice<'a> {
    words: &'static Words,
    now: &'a Now,
    zone: &'a Zone,
}

impl Voice<'_> {
    fn one(&self, event: &Event) -> (String, Vec<Line>) {
        let mut title = self.title(event);
        let mut remarks = String::new();
        if let Some((late, false)) = self.distance(&event.at)
            && late > LATE
        {
            title.push_str(&self.words.fill(self.words.delayed_by, "", Some(late), 0));
            remarks = [&self.apart((late, false)), self.words.comma, self.words.delayed].concat();
        }
        let mut lines = said::lines(event);
        lines.push(self.line(self.words.time, self.time(&event.at, &remarks)));
        let mut facts = Vec::new();
        for (field, fact) in &event.facts {
            if !tells(event.kind, *field) {
                facts.push((*field, fact));
            }
        }
        self.facts(event.kind, &facts, &mut lines);
        (title, lines)
    }

    fn over(&self, begin: &Event, end: &Event) -> (String, Vec<Line>) {
        let mut facts = merged(begin, end);
        let mut from = begin.at;
        for field in [Field::LastBeat, Field::Since] {
            if let Some((_, Fact::Time(moment))) = facts.iter().find(|(known, _)| *known == field) {
                from = *moment;
            }
        }
        let [_, title, past] = self.words.kind(begin.kind);
        let past = if past.is_empty() { title } else { past };
        let mut title = self.words.fill(past, &clean(&begin.subject, MAX_SUBJECT), None, 0);
        if begin.kind == Kind::Interrupt {
            if end.kind == Kind::InterruptWithdrawn {
                title.push_str(self.words.taken_back);
            }
        } else if let Some(lasted) = lasted(end).or_else(|| Some(end.at.tick(self.now)?.since(from.tick(self.now)?))) {
            title.push_str(&self.words.fill(self.words.lasted[1], "", Some(lasted), 0));
        }
        if end.kind == Kind::Forgotten {
            title.push_str(self.words.forgotten);
        }
        let [first, last] = self.words.from_to;
        let mut lines = vec![self.line(first, self.time(&from, "")), self.line(last, self.time(&end.at, ""))];
        facts.retain(|(field, _)| !matches!(field, Field::Since | Field::LastBeat | Field::Duration));
        self.facts(end.kind, &facts, &mut lines);
        (title, lines)
    }

    fn digest(&self, members: &[&Event]) -> (String, Vec<Line>) {
        let rows = rows(members);
        let group = rows[0].0.group;
        let together = group.is_some() && rows.iter().all(|(event, _)| event.group == group);
        let title = if together { self.together(&rows) } else { None };
        let mark = !is_test(members);
        let mut lines = Vec::new();
        for (event, end) in said::worst(&rows, MAX_DIGEST_LINES) {
            let test = if mark && is_test(&[event]) { self.words.test } else { "" };
            lines.push(Line::plain(self.row(event, end, together, test)));
        }
        if rows.len() > MAX_DIGEST_LINES {
            let more = (rows.len() - MAX_DIGEST_LINES) as i64;
            lines.push(Line::plain(self.words.fill(self.words.more, "", None, more)));
        }
        if together {
            self.shared(members, &mut lines);
        }
        (title.unwrap_or_else(|| self.counted(members)), lines)
    }

    /// One line of a digest; `mark` goes before its title.
    fn row(&self, event: &Event, end: Option<&Event>, together: bool, mark: &str) -> String {
        let [open, close] = self.words.brackets;
        let title = self.title(event) + &said::excerpt(event);
        // All are told at one time: what differs is since when.
        match (end, event.fact(Field::LastBeat)) {
            (Some(end), _) => {
                let (title, lines) = self.over(event, end);
                [mark, &title, open, &lines[0].whole(), self.words.comma, &lines[1].whole(), close].concat()
            }
            (None, Some(Fact::Time(last))) if together && matches!(event.kind, Kind::Offline | Kind::Reminder) => {
                let last = self.line(self.words.label(event.kind, Field::LastBeat), self.time(last, "")).whole();
                [mark, &title, open, &last, close].concat()
            }
            (None, None) if together && matches!(event.kind, Kind::Offline | Kind::Reminder) => {
                match event.fact(Field::Reason) {
                    Some(Fact::Text(reason)) => {
                        let reason = clean(&self.words.phrase(reason), MAX_FACT);
                        [mark, &title, open, &reason, close].concat()
                    }
                    _ => [&self.time(&event.at, ""), " ", mark, &title].concat(),
                }
            }
            _ => [&self.time(&event.at, ""), " ", mark, &title].concat(),
        }
    }

    /// The title of anything else: how many of which kind.
    fn counted(&self, members: &[&Event]) -> String {
        let mut counts: Vec<(Kind, usize)> = Vec::new();
        for event in members {
            match counts.iter_mut().find(|(kind, _)| *kind == event.kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((event.kind, 1)),
            }
        }
        let mut kinds = String::new();
        let mut rest = members.len();
        for (kind, count) in counts.iter().take(MAX_DIGEST_KINDS) {
            let separator = if kinds.is_empty() { "" } else { self.words.comma };
            kinds.push_str(separator);
            kinds.push_str(&self.words.fill(self.words.times, self.words.kind(*kind)[0], None, *count as i64));
            rest -= count;
        }
        if rest > 0 {
            kinds.push_str(self.words.comma);
            kinds.push_str(&self.words.fill(self.words.more, "", None, rest as i64));
        }
        self.words.fill(self.words.digest, &kinds, None, members.len() as i64)
    }

    fn title(&self, event: &Event) -> String {
        if let Some(title) = said::title(event, self.words) {
            return title;
        }
        let (mut template, mut span, mut number) = (self.words.kind(event.kind)[1], None, 0);
        match (event.kind, event.fact(Field::Deadline), event.fact(Field::Count)) {
            (Kind::Interrupt, Some(Fact::Time(deadline)), _) => {
                if let Some((apart, ahead)) = self.distance(deadline) {
                    (template, span) = (self.words.reclaim[usize::from(!ahead)], Some(apart));
                }
            }
            (Kind::Lost, _, Some(Fact::Number(count))) => {
                (template, number) = (self.words.lost[usize::from(*count != 1)], *count);
            }
            (Kind::Flapping, _, Some(Fact::Number(count))) => (template, number) = (self.words.flapping, *count),
            _ => {}
        }
        let mut title = self.words.fill(template, &clean(&event.subject, MAX_SUBJECT), span, number);
        if event.kind == Kind::Interrupt && event.fact(Field::OldDeadline).is_some() {
            title.push_str(self.words.changed);
        }
        if ends_with_span(event.kind)
            && let Some(lasted) = lasted(event)
        {
            title.push_str(&self.words.fill(self.words.lasted[0], "", Some(lasted), 0));
        }
        if let Some(last) = named(event.kind)
            && let Some(Fact::Text(state)) = event.fact(last)
        {
            title = [&title, self.words.colon, &clean(&self.words.phrase(state), MAX_TITLE_NAME)].concat();
        }
        title
    }

    /// Adds a line for each of `facts`, which belong to a message of `kind`.
    fn facts(&self, kind: Kind, facts: &[(Field, &Fact)], lines: &mut Vec<Line>) {
        for (field, fact) in facts.iter().take(MAX_FACTS) {
            let value = match fact {
                Fact::Text(load) if *field == Field::Load => self.load(&clean(load, MAX_FACT)),
                Fact::Text(text) => clean(&self.words.fact(*field, text), MAX_FACT),
                Fact::Number(number) => number.to_string(),
                Fact::Span(span) => self.words.span(*span),
                Fact::Time(moment) => {
                    self.time(moment, &self.distance(moment).map(|apart| self.apart(apart)).unwrap_or_default())
                }
            };
            lines.push(self.line(self.words.label(kind, *field), value));
        }
    }

    /// A load such as `0.52 (4 cores)`, whose number of cores wants the word of the language.
    fn load(&self, text: &str) -> String {
        match text.split_once(" core") {
            Some((count, _)) if !self.words.cores.is_empty() => [count, " ", self.words.cores, ")"].concat(),
            _ => text.to_owned(),
        }
    }

    fn line(&self, label: &'static str, text: String) -> Line {
        Line { label, colon: self.words.colon, text }
    }

    /// Local time with `remarks` in brackets. If the clock was never set, the distance takes its place.
    fn time(&self, moment: &Moment, remarks: &str) -> String {
        let about = if moment.about { self.words.about } else { "" };
        let (text, remarks) = match (moment.wall(self.now), self.distance(moment)) {
            (Some(wall), _) => (self.zone.human(wall), remarks),
            (None, Some(apart)) => (self.apart(apart), self.words.not_set),
            (None, None) => return self.words.unknown.to_owned(),
        };
        let [open, close] = if remarks.is_empty() { ["", ""] } else { self.words.brackets };
        [about, &text, open, remarks, close].concat()
    }

    /// How far `moment` is from now, and whether it is still to come.
    fn distance(&self, moment: &Moment) -> Option<(Duration, bool)> {
        let (tick, now) = (moment.tick(self.now)?, self.now.tick);
        // To the nearest second, or five minutes to go would read as 4 min 59 s.
        let half = if tick > now { 500 } else { 0 };
        Some((Duration::from_millis(tick.0.abs_diff(now.0).saturating_add(half)), tick > now))
    }

    fn apart(&self, (span, ahead): (Duration, bool)) -> String {
        self.words.fill(self.words.distance[usize::from(!ahead)], "", Some(span), 0)
    }
}

/// Whether a message of `kind` already tells `field`.
fn tells(kind: Kind, field: Field) -> bool {
    match field {
        // The last beat says it of a silence.
        Field::Duration => ends_with_span(kind) || matches!(kind, Kind::Offline | Kind::Reclaimed),
        Field::Count => matches!(kind, Kind::Lost | Kind::Flapping),
        Field::Headline | Field::Message | Field::Channel => kind == Kind::Message,
        _ => named(kind) == Some(field),
    }
}

/// The fact at the end of the title of `kind`.
fn named(kind: Kind) -> Option<Field> {
    match kind {
        Kind::Steady => Some(Field::State),
        Kind::ProbeDown | Kind::ProbeUp => Some(Field::Probe),
        Kind::ResourceHigh | Kind::ResourceNormal => Some(Field::Resource),
        kind if kind.is_of_callback() => Some(Field::Callback),
        _ => None,
    }
}

/// Whether the title of `kind` says how long it lasted.
fn ends_with_span(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Online
            | Kind::Reminder
            | Kind::MonitorReachable
            | Kind::ProbeUp
            | Kind::ResourceNormal
            | Kind::Seeing
            | Kind::ChannelMended
            | Kind::StateWritable
    )
}

fn lasted(event: &Event) -> Option<Duration> {
    if let Some(Fact::Span(span)) = event.fact(Field::Duration) { Some(*span) } else { None }
}

pub mod said;

#[cfg(test)]
mod tests;
