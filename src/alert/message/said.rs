//! What scripts say with `send`: its bounds, and its place in a message.

use super::{Line, MAX_SUBJECT, Row};
use crate::alert::clean::{clean, cut};
use crate::alert::words::Words;
use crate::event::{Event, Fact, Field, Kind, Severity};

/// Bytes of a headline.
pub const MAX_HEADLINE: usize = 256;
/// Bytes of what follows it: most services take less, and cut it for themselves.
pub const MAX_BODY: usize = 8 * 1024;
/// Lines of it.
pub const MAX_LINES: usize = 200;
/// Bytes of one line of it.
const MAX_LINE: usize = 1000;
/// Bytes of it that stand in a digest.
const MAX_EXCERPT: usize = 160;

/// `text` in one line, as a headline.
pub fn headline(text: &str) -> String {
    clean(text.trim(), MAX_HEADLINE)
}

/// `text` as a body: its lines stay lines, each made harmless; what is beyond the bounds is cut and marked with `…`.
pub fn body(text: &str) -> String {
    let mut out = String::new();
    for (count, line) in text.trim_end().split('\n').enumerate() {
        if count == MAX_LINES || out.len() > MAX_BODY {
            out.push_str("\n…");
            break;
        }
        if count > 0 {
            out.push('\n');
        }
        out.push_str(&clean(line.trim_end_matches('\r'), MAX_LINE));
    }
    cut(out, MAX_BODY)
}

fn text(event: &Event, field: Field) -> Option<&str> {
    if event.kind != Kind::Message {
        return None;
    }
    if let Some(Fact::Text(text)) = event.fact(field) { Some(text) } else { None }
}

/// Who says what; `None` for what is no such message.
pub(super) fn title(event: &Event, words: &Words) -> Option<String> {
    let said = headline(text(event, Field::Headline)?);
    Some([&clean(&event.subject, MAX_SUBJECT), words.colon, &said].concat())
}

/// Its lines.
pub(super) fn lines(event: &Event) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text(event, Field::Message).map(body).unwrap_or_default().lines() {
        // Not every service takes an empty paragraph.
        lines.push(Line::plain(if line.is_empty() { " " } else { line }.to_owned()));
    }
    lines
}

/// What a digest says of them: the first, and that there is more.
pub(super) fn excerpt(event: &Event) -> String {
    let Some(body) = text(event, Field::Message) else { return String::new() };
    let mut full = body.lines().filter(|line| !line.trim().is_empty());
    match (full.next(), full.next()) {
        (None, _) => String::new(),
        (Some(first), more) => {
            let end = if more.is_some() { " …" } else { "" };
            [": ", &clean(first.trim(), MAX_EXCERPT), end].concat()
        }
    }
}

/// Those of `rows` that a digest shows if it cannot show all: the most severe, in the order in which they happened.
pub(super) fn worst<'a>(rows: &[Row<'a>], most: usize) -> Vec<Row<'a>> {
    let mut room = most;
    let mut shown = vec![false; rows.len()];
    for severity in [Severity::Critical, Severity::Warning, Severity::Info] {
        for (row, shown) in rows.iter().zip(&mut shown) {
            if room > 0 && row.0.severity == severity {
                *shown = true;
                room -= 1;
            }
        }
    }
    rows.iter().zip(shown).filter(|(_, shown)| *shown).map(|(row, _)| *row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::event;

    #[test]
    fn lines_stay_lines_and_bounds_are_kept() {
        for (said, kept) in [
            ("", ""),
            ("a\nb\n\n", "a\nb"),
            ("a\r\n\tb\u{202e}\0", "a\n b\u{FFFD}\u{FFFD}"),
            ("\n\na", "\n\na"),
            ("失败", "失败"),
        ] {
            assert_eq!(body(said), kept, "{said:?}");
        }
        let many = body(&"line\n".repeat(10_000));
        assert!(many.ends_with("line\n…") && many.lines().count() == MAX_LINES + 1, "{many}");
        let long = body(&["失".repeat(4000), "x".to_owned()].concat());
        assert!(long.len() <= MAX_BODY && long.ends_with('…'), "{}", long.len());
        assert!(body(&"失\n".repeat(190).repeat(30)).len() <= MAX_BODY);
        assert_eq!(headline(" a\nb "), "a b");
        assert!(headline(&"x".repeat(1000)).len() <= MAX_HEADLINE);
    }

    #[test]
    fn a_digest_shows_the_worst_and_the_beginning_of_what_was_said() {
        let said = event(Kind::Message, 1, "nas").with_text(Field::Message, "\nfirst\nsecond");
        assert_eq!(excerpt(&said), ": first …");
        assert_eq!(excerpt(&event(Kind::Message, 1, "nas").with_text(Field::Message, "only")), ": only");
        assert_eq!(excerpt(&event(Kind::Offline, 1, "nas").with_text(Field::Message, "x")), "");
        let offline = event(Kind::Offline, 2, "web");
        let mut rows: Vec<Row<'_>> = vec![(&said, None); 30];
        rows.push((&offline, None));
        let shown = worst(&rows, 20);
        assert_eq!(shown.len(), 20);
        assert_eq!(shown.last().unwrap().0.kind, Kind::Offline);
        assert_eq!(worst(&rows, 99).len(), 31);
    }
}
