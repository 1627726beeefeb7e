//! Fields in braces: `{title}` in an address, a header or a body becomes what it stands for.

use std::time::Duration;

use serde_json::Value;

use crate::alert::clean::clean;
use crate::alert::json::{Head, time};
use crate::alert::message::{MAX_FACT, Text};
use crate::alert::words::words;
use crate::alert::{Form, Message};
use crate::clock::Now;
use crate::config::plan::Language;
use crate::config::template::fields as names;
use crate::event::{Fact, Field, Phase};
use crate::json::Writer;
use crate::zone::Zone;

/// Names and values of all fields.
pub type Fields = Vec<(&'static str, String)>;

/// What can stand in braces: `title`, `text`, `kind`, `severity`, `subject`, `host` (the subject), `name` (the host up to
/// its `@`), `at`, `time` (the same as people read it), `status` (`firing` or `resolved`), `seconds_left` and `time_left`
/// (until `deadline`), `id`, `incident` and the name of every [`Field`]. Times are RFC 3339, spans are in words; what is
/// not known is empty.
pub fn fields(message: &Message, text: &Text, language: Language, now: &Now, zone: &Zone) -> Fields {
    let head = Head::of(message);
    let over =
        message.form != Form::Digest && message.members.last().is_some_and(|last| last.kind.phase() == Phase::End);
    let left = head.facts.iter().find(|(name, _)| *name == Field::Deadline).and_then(|(_, fact)| left(fact, now));
    let mut fields = vec![
        ("title", text.title.clone()),
        ("text", text.body()),
        ("kind", head.kind.to_owned()),
        ("severity", head.severity.name().to_owned()),
        ("subject", head.subject.clone()),
        ("name", head.subject.split_once('@').map_or(&*head.subject, |(name, _)| name).to_owned()),
        ("host", head.subject),
        ("at", time(head.at.as_ref(), now, zone).unwrap_or_default()),
        ("time", head.at.and_then(|at| Some(zone.human(at.wall(now)?))).unwrap_or_default()),
        ("status", if over { "resolved" } else { "firing" }.to_owned()),
        ("seconds_left", left.map(|left| left.as_secs().to_string()).unwrap_or_default()),
        ("time_left", left.map(|left| words(language).span(left)).unwrap_or_default()),
        ("id", message.id.to_string()),
        ("incident", head.incident.to_string()),
    ];
    for field in Field::ALL {
        let value = match head.facts.iter().find(|(name, _)| name == field).map(|(_, fact)| *fact) {
            Some(Fact::Text(text)) => clean(text, MAX_FACT),
            Some(Fact::Number(number)) => number.to_string(),
            Some(Fact::Span(length)) => words(language).span(*length),
            Some(Fact::Time(moment)) => time(Some(moment), now, zone).unwrap_or_default(),
            None if *field == Field::Count && message.form == Form::Digest => message.members.len().to_string(),
            None => String::new(),
        };
        fields.push((field.name(), value));
    }
    fields
}

/// What is left until `deadline`; zero if it has passed.
fn left(deadline: &Fact, now: &Now) -> Option<Duration> {
    let Fact::Time(deadline) = deadline else { return None };
    Some(deadline.tick(now)?.since(now.tick))
}

/// How a value gets into its place.
pub type Add = fn(&mut String, &str);

/// `template` with its fields replaced, each value added by `add`.
pub fn expand(template: &str, fields: &Fields, mut add: Add) -> String {
    crate::alert::clean::expand(template, fields, &mut add)
}

/// `tree` as JSON with every string expanded; keys stay. In a `row` of the program's own, members that hold a field that
/// is empty are left out, and strings that begin with `#` become numbers.
pub fn expand_json(tree: &Value, fields: &Fields, row: bool, out: &mut Writer) {
    match tree {
        Value::String(text) => match text.strip_prefix('#').filter(|_| row) {
            Some(number) => out.raw(&expand(number, fields, plain)),
            None => out.text(&expand(text, fields, plain)),
        },
        Value::Array(items) => {
            out.open('[');
            for item in items {
                expand_json(item, fields, row, out);
            }
            out.close(']')
        }
        Value::Object(map) => {
            out.open('{');
            for (key, item) in map {
                if !row || item.as_str().is_none_or(|text| is_whole(text, fields)) {
                    expand_json(item, fields, row, out.key(key));
                }
            }
            out.close('}')
        }
        Value::Null => out.raw("null"),
        Value::Bool(flag) => out.flag(*flag),
        Value::Number(number) => out.raw(&number.to_string()),
    };
}

/// Whether no field in `template` is empty.
pub fn is_whole(template: &str, fields: &Fields) -> bool {
    names(template)
        .all(|name| fields.iter().find(|(known, _)| *known == name).is_none_or(|(_, value)| !value.is_empty()))
}

/// As it is.
pub fn plain(out: &mut String, text: &str) {
    out.push_str(text);
}

/// Everything but unreserved characters (RFC 3986, 2.3) as `%XX`.
pub fn percent_encoded(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            for c in [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]] {
                out.push(char::from(c));
            }
        }
    }
}

/// `text` so that it may stand in an address.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    percent_encoded(&mut out, text);
    out
}

/// Printable ASCII, as a header may hold; anything else becomes `?`.
pub fn header_safe(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::alert::message::Line;
    use crate::clock::{Boot, Tick, Wall};
    use crate::event::{Event, Id, Kind, Moment};

    fn fields() -> Fields {
        vec![("title", "a \"b\" {text}\n失".to_owned()), ("text", "T".to_owned()), ("zone", String::new())]
    }

    #[test]
    fn fields_are_replaced_once_and_the_rest_stays() {
        for (template, expanded) in [
            ("", ""),
            ("plain", "plain"),
            ("{text}", "T"),
            ("<{text}{text}>", "<TT>"),
            ("{title}", "a \"b\" {text}\n失"),
            ("{zone}|", "|"),
            ("{nobody} {Text} { text }", "{nobody} {Text} { text }"),
            ("{{text}}", "{T}"),
            ("{text", "{text"),
            ("}{", "}{"),
        ] {
            assert_eq!(expand(template, &fields(), plain), expanded, "{template}");
        }
        assert_eq!(expand("?q={title}", &fields(), percent_encoded), "?q=a%20%22b%22%20%7Btext%7D%0A%E5%A4%B1");
        assert_eq!(header_safe(&expand("x: {title}", &fields(), plain)), "x: a \"b\" {text}??");
    }

    #[test]
    fn every_field_is_there_once() {
        let now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };
        let event = Event::new(Kind::Online, Id(1), "x\u{202e}", Moment::at(now.tick, &now))
            .with(Field::Duration, Fact::Span(Duration::from_secs(300)))
            .with(Field::LastBeat, Fact::Time(Moment::at(Tick(0), &now)));
        let shown = |form, members: Vec<Event>| {
            let message = Message { id: Id(255), form, members: members.into_iter().map(Arc::new).collect() };
            let text =
                Text { title: "t".to_owned(), lines: ["a", "b"].map(|line| Line::plain(line.to_owned())).to_vec() };
            super::fields(&message, &text, Language::Zh, &now, &Zone::utc())
        };
        let one = shown(Form::One, vec![event.clone()]);
        assert_eq!(one.len(), 14 + Field::ALL.len());
        for (name, value) in [
            ("title", "t"),
            ("text", "a\nb"),
            ("kind", "online"),
            ("severity", "info"),
            ("subject", "x\u{FFFD}"),
            ("host", "x\u{FFFD}"),
            ("at", "2026-11-21T02:00:00+00:00"),
            ("id", "00000000000000ff"),
            ("incident", "0000000000000001"),
            ("duration", "5 分钟"),
            ("last_beat", "2026-11-20T16:00:00+00:00"),
            ("count", ""),
            ("name", "x\u{FFFD}"),
            ("time", "2026-11-21 02:00:00 +00:00"),
            ("status", "resolved"),
            ("seconds_left", ""),
        ] {
            let values: Vec<&str> = one.iter().filter(|(known, _)| *known == name).map(|(_, v)| &**v).collect();
            assert_eq!(values, [value], "{name}");
        }
        let digest = shown(Form::Digest, vec![event.clone(), event]);
        assert!(digest.contains(&("count", "2".to_owned())) && digest.contains(&("kind", "digest".to_owned())));
    }

    #[test]
    fn what_is_left_is_counted_down() {
        let now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };
        for (ahead, seconds, words) in [(290_400, "290", "4 min 50 s"), (0, "0", "0 s"), (-5000, "0", "0 s")] {
            let event = Event::new(Kind::Interrupt, Id(1), "web@vm", Moment::at(now.tick, &now))
                .with(Field::Deadline, Fact::Time(Moment::at(Tick(now.tick.0 + ahead), &now)));
            let message = Message { id: Id(255), form: Form::One, members: vec![Arc::new(event)] };
            let text = Text { title: String::new(), lines: Vec::new() };
            let fields = super::fields(&message, &text, Language::En, &now, &Zone::utc());
            for (name, value) in [
                ("seconds_left", seconds),
                ("time_left", words),
                ("name", "web"),
                ("host", "web@vm"),
                ("status", "firing"),
            ] {
                assert!(fields.contains(&(name, value.to_owned())), "{name}: {fields:?}");
            }
        }
    }

    #[test]
    fn values_cannot_leave_their_string() {
        let tree = serde_json::json!({"{text}": ["{title}", 1.5, -3, null, [], {"x": "{text}!", "y": {}}, true]});
        let mut out = Writer::default();
        expand_json(&tree, &fields(), false, &mut out);
        assert_eq!(
            out.into_string(),
            "{\"{text}\":[\"a \\\"b\\\" {text}\\n失\",1.5,-3,null,[],{\"x\":\"T!\",\"y\":{}},true]}"
        );
    }
}
