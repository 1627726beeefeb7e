//! A message as JSON: the default body of a webhook and the standard input of a command.
//!
//! `{"id","incident","kind","severity","subject","at","title","text","facts":{…}}`, in this order; then
//! `"test":true` for an exercise, and `"members":[{"id","incident","kind","subject","at"}]` if several events are
//! told as one. Times are RFC 3339 with offset, or null if the clock was never set; spans are seconds. A beginning
//! and its end told as one have kind and time of the end, and the facts of both. A digest has the kind `digest`
//! and the number of its members as the fact `count`. All are as severe as the worst of their members.

use std::time::Duration;

use crate::alert::clean::clean;
use crate::alert::message::{MAX_FACT, MAX_SUBJECT, Text, is_test, merged, said};
use crate::alert::{Form, Message};
use crate::clock::{Now, millis};
use crate::event::{Event, Fact, Field, Id, Moment, Severity};
use crate::json::Writer;
use crate::zone::Zone;

/// Members that are listed; a digest's count is in its facts.
pub const MAX_MEMBERS: usize = 200;

/// What a message is about as a whole.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The incident; for a digest its own id.
    pub incident: Id,
    /// The kind's name, or `digest`.
    pub kind: &'static str,
    /// The worst of its members.
    pub severity: Severity,
    /// The subject that all members share; empty if there is none.
    pub subject: String,
    /// When it happened; for a digest the first of it.
    pub at: Option<Moment>,
    /// Facts in order; empty for a digest.
    pub facts: Vec<(Field, &'a Fact)>,
    /// Part of an exercise.
    pub test: bool,
}

impl Head<'_> {
    /// The head of `message`. What is over has the kind of its end.
    pub fn of(message: &Message) -> Head<'_> {
        let members: Vec<&Event> = message.members.iter().map(|event| &**event).collect();
        let shared = |subject: &str| members.iter().all(|event| event.subject == subject);
        let mut head = Head {
            incident: message.id,
            kind: "digest",
            severity: members.iter().map(|event| event.severity).max().unwrap_or(Severity::Info),
            subject: String::new(),
            at: members.first().map(|event| event.at),
            facts: Vec::new(),
            test: is_test(&members),
        };
        if let Some(first) = members.first().filter(|event| shared(&event.subject)) {
            head.subject = clean(&first.subject, MAX_SUBJECT);
        }
        let (Some(begin), Some(end)) = (members.first(), members.last()) else { return head };
        match message.form {
            Form::Digest => {}
            Form::One => {
                head.facts = begin.facts.iter().map(|(field, fact)| (*field, fact)).collect();
                (head.kind, head.incident) = (begin.kind.name(), begin.incident);
            }
            Form::Over => {
                head.facts = merged(begin, end);
                (head.kind, head.incident, head.at) = (end.kind.name(), end.incident, Some(end.at));
            }
            Form::Minimal => {
                (head.kind, head.incident, head.at) = (begin.kind.name(), begin.incident, None);
            }
        }
        head
    }
}

/// `message` as JSON, with `text` as its title and text.
pub fn document(message: &Message, text: &Text, now: &Now, zone: &Zone) -> String {
    let head = Head::of(message);
    let mut out = Writer::default();
    out.open('{');
    known(&mut out, &message.id, &head.incident, head.kind);
    out.key("severity").text(head.severity.name()).key("subject").text(&head.subject).key("at");
    moment(&mut out, head.at.as_ref(), now, zone);
    out.key("title").text(&text.title).key("text").text(&text.body()).key("facts").open('{');
    for (field, fact) in &head.facts {
        out.key(field.name());
        match fact {
            Fact::Text(text) if *field == Field::Message => {
                out.text(&said::body(text));
            }
            Fact::Text(text) => {
                out.text(&clean(text, MAX_FACT));
            }
            Fact::Number(number) => {
                out.int(*number);
            }
            Fact::Span(span) => {
                out.raw(&seconds(*span));
            }
            Fact::Time(time) => moment(&mut out, Some(time), now, zone),
        }
    }
    if message.form == Form::Digest {
        out.key(Field::Count.name()).uint(message.members.len() as u64);
    }
    out.close('}');
    if head.test {
        out.key("test").flag(true);
    }
    if matches!(message.form, Form::Digest | Form::Over) {
        out.key("members").open('[');
        for event in message.members.iter().take(MAX_MEMBERS) {
            out.open('{');
            known(&mut out, &event.id, &event.incident, event.kind.name());
            out.key("subject").text(&clean(&event.subject, MAX_SUBJECT)).key("at");
            moment(&mut out, Some(&event.at), now, zone);
            out.close('}');
        }
        out.close(']');
    }
    out.close('}');
    out.into_string()
}

fn known(out: &mut Writer, id: &Id, incident: &Id, kind: &str) {
    out.key("id").text(&id.to_string()).key("incident").text(&incident.to_string()).key("kind").text(kind);
}

/// Seconds with as many decimals as there are, at most three.
fn seconds(span: Duration) -> String {
    let ms = millis(span);
    let mut text = (ms / 1000).to_string();
    if ms % 1000 > 0 {
        text.push('.');
        text.push_str(&(1000 + ms % 1000).to_string()[1..]);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// `moment` as RFC 3339; `None` if the clock was never set.
pub fn time(moment: Option<&Moment>, now: &Now, zone: &Zone) -> Option<String> {
    Some(zone.rfc3339(moment?.wall(now)?))
}

fn moment(out: &mut Writer, moment: Option<&Moment>, now: &Now, zone: &Zone) {
    match time(moment, now, zone) {
        Some(time) => out.text(&time),
        None => out.raw("null"),
    };
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::message::render;
    use crate::clock::{Boot, Tick, Wall};
    use crate::config::plan::Language;
    use crate::event::Kind;

    const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };

    fn shown(form: Form, members: &[Event]) -> String {
        let members = members.iter().cloned().map(Arc::new).collect();
        let message = Message { id: Id(0xff), form, members };
        let zone = Zone::utc();
        document(&message, &render(&message, Language::En, "[ic]", &NOW, &zone), &NOW, &zone)
    }

    fn online() -> Event {
        let mut event = Event::new(Kind::Online, Id(1), "nas@home", Moment::at(NOW.tick, &NOW))
            .with(Field::Duration, Fact::Span(Duration::from_millis(4_320_500)))
            .with(Field::Count, Fact::Number(-3))
            .with(Field::LastBeat, Fact::Time(Moment::at(Tick(0), &NOW)))
            .with_text(Field::Reason, "\"quoted\"");
        event.id = Id(2);
        event
    }

    #[test]
    fn one_event() {
        assert_eq!(
            shown(Form::One, &[online()]),
            concat!(
                r#"{"id":"00000000000000ff","incident":"0000000000000001","kind":"online","severity":"info","#,
                r#""subject":"nas@home","at":"2026-11-21T02:00:00+00:00","title":"[ic] nas@home is back after 1 h 12 min","#,
                r#""text":"Time: 2026-11-21 02:00:00 +00:00\nCount: -3\nLast heartbeat: 2026-11-20 16:00:00 +00:00 (10 h ago)\n"#,
                r#"Reason: \"quoted\"\nid 00000000","facts":{"duration":4320.5,"count":-3,"#,
                r#""last_beat":"2026-11-20T16:00:00+00:00","reason":"\"quoted\""}}"#
            )
        );
    }

    #[test]
    fn what_is_over_lists_its_members() {
        let mut begin = Event::new(Kind::Offline, Id(1), "nas@home", Moment::at(Tick(0), &NOW));
        (begin.id, begin.test) = (Id(3), true);
        let end = Event { test: true, ..online() };
        let text = shown(Form::Over, &[begin, end]);
        assert!(
            text.contains(r#""kind":"online","severity":"critical","subject":"nas@home","at":"2026-11-21T02:00"#),
            "{text}"
        );
        assert!(
            text.ends_with(concat!(
                r#""test":true,"members":[{"id":"0000000000000003","incident":"0000000000000001","kind":"offline","#,
                r#""subject":"nas@home","at":"2026-11-20T16:00:00+00:00"},{"id":"0000000000000002","#,
                r#""incident":"0000000000000001","kind":"online","subject":"nas@home","at":"2026-11-21T02:00:00+00:00"}]}"#
            )),
            "{text}"
        );
    }

    #[test]
    fn a_digest_is_bounded() {
        let other = Event::new(Kind::Offline, Id(1), "x", Moment::at(Tick(0), &NOW));
        let mut all = vec![other; 300];
        all[0].subject = "y".to_owned();
        let text = shown(Form::Digest, &all);
        assert!(
            text.contains(r#""incident":"00000000000000ff","kind":"digest","severity":"critical","subject":"","#),
            "{text}"
        );
        assert!(text.contains(r#""facts":{"count":300}"#), "{text}");
        assert_eq!(text.matches(r#""kind":"offline""#).count(), MAX_MEMBERS);
    }

    #[test]
    fn the_barest_form_has_no_facts_and_an_unset_clock_no_time() {
        assert!(shown(Form::Minimal, &[online()]).contains(r#""at":null,"#));
        assert!(shown(Form::Minimal, &[online()]).ends_with(r#""text":"","facts":{}}"#));
        let event = Event { at: Moment { boot: Boot(1), wall: Wall(5), ..online().at }, ..online() };
        assert!(shown(Form::One, &[event]).contains(r#""at":null,"#));
    }

    #[test]
    fn whatever_strangers_say_it_is_json() {
        let nasty = "a\n\"\\\u{202e}\0</script>\u{2028}失";
        for kind in Kind::ALL {
            let event = Event::new(*kind, Id(1), nasty, online().at).with_text(Field::Reason, nasty);
            for form in [Form::One, Form::Over, Form::Digest, Form::Minimal] {
                let text = shown(form, &[event.clone(), event.clone()]);
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert!(!value["subject"].as_str().unwrap().contains(['\u{202e}', '\n', '\0']), "{text}");
            }
        }
    }
}
