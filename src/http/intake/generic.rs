//! What a script posts to be told. Pure.

use crate::alert::message::said;
use crate::event::{Id, Severity};
use crate::keepalive::leaf::{Leaf, walk};
use crate::run::send::Said;

/// Channels that can be named.
const MAX_CHANNELS: usize = 64;
/// Bytes of `id`, and of the name of a channel.
const MAX_WORD: usize = 128;

/// Reads `{"title": …}`, besides with `text`, `severity`, `channels` and `id`. `who` sends it: the same `id` of another is
/// another one. `fresh` is its id, if it has none.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8], who: &str, fresh: Id) -> Result<Said, String> {
    let mut said =
        Said { id: fresh, severity: Severity::Info, channels: Vec::new(), title: String::new(), body: String::new() };
    let mut wrong = None;
    let whole = walk(bytes, &mut |path, leaf| {
        if let Err(why) = take(&mut said, who, path, leaf) {
            wrong = Some([path, if path.is_empty() { "" } else { ": " }, why].concat());
        }
        wrong.is_none()
    });
    match wrong {
        // A key may be of any length, and hold anything.
        Some(why) => Err(crate::alert::clean::clean(&why, 200)),
        None if !whole => Err("this is no JSON".to_owned()),
        None if said::headline(&said.title).is_empty() => Err("title: is missing or empty".to_owned()),
        None => Ok(said),
    }
}

fn take(said: &mut Said, who: &str, path: &str, leaf: Leaf<'_>) -> Result<(), &'static str> {
    match (path, leaf) {
        ("", Leaf::Open) | ("channels", Leaf::Open) => {}
        ("", _) => return Err("this must be an object"),
        ("title", Leaf::Text(text)) => text.clone_into(&mut said.title),
        ("text", Leaf::Text(text)) => text.clone_into(&mut said.body),
        ("severity", Leaf::Text(text)) => {
            said.severity = Severity::parse(text).ok_or("must be info, warning or critical")?;
        }
        ("id", Leaf::Text(text)) if !(1..=MAX_WORD).contains(&text.len()) => return Err("has 1 to 128 bytes"),
        ("id", Leaf::Text(text)) => said.id = Id::of(&[b"generic", who.as_bytes(), text.as_bytes()]),
        ("channels/*", Leaf::Text(text)) if said.channels.len() < MAX_CHANNELS && text.len() <= MAX_WORD => {
            said.channels.push(text.to_owned());
        }
        ("channels" | "channels/*", _) => return Err("must be a list of at most 64 names of channels"),
        ("title" | "text" | "severity" | "id", Leaf::Null) => {}
        ("title" | "text" | "severity" | "id", _) => return Err("must be text"),
        _ => return Err("unknown key; keys here are title, text, severity, channels, id"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Result<Said, String> {
        read(text.as_bytes(), "ci", Id(7))
    }

    #[test]
    fn what_is_sent_is_read() {
        let all = sent(r#"{"title":"a","text":"b\nc","severity":"critical","channels":["ops","mail"],"id":"build-7"}"#);
        let all = all.unwrap();
        assert_eq!((all.title.as_str(), all.body.as_str(), all.severity), ("a", "b\nc", Severity::Critical));
        assert_eq!(all.channels, ["ops", "mail"]);
        let same = sent(r#"{"id":"build-7","title":"other"}"#).unwrap();
        assert_eq!((same.id, same.severity), (all.id, Severity::Info));
        assert_ne!(read(br#"{"id":"build-7","title":"a"}"#, "other", Id(7)).unwrap().id, all.id);
        assert_eq!(sent(r#"{"title":"a","text":null}"#).unwrap().id, Id(7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("{{\"title\":\"a\",\"id\":\"{}\"}}", "x".repeat(129));
        let key = format!("{{\"{}\":1}}", "k\\n".repeat(9000));
        let many = format!("{{\"title\":\"a\",\"channels\":[{}]}}", vec!["\"x\""; 65].join(","));
        for (text, why) in [
            ("", "this is no JSON"),
            ("{\"title\":\"a\"", "this is no JSON"),
            ("{\"title\":\"a\"} x", "this is no JSON"),
            ("[]", "title: is missing or empty"),
            ("5", "this must be an object"),
            ("{}", "title: is missing or empty"),
            ("{\"title\":\" \\n \"}", "title: is missing or empty"),
            ("{\"title\":5}", "title: must be text"),
            ("{\"title\":{\"a\":1}}", "title: must be text"),
            ("{\"title\":\"a\",\"severity\":\"high\"}", "severity: must be info, warning or critical"),
            ("{\"title\":\"a\",\"body\":\"b\"}", "body: unknown key"),
            ("{\"title\":\"a\",\"id\":\"\"}", "id: has 1 to 128 bytes"),
            (&long, "id: has 1 to 128 bytes"),
            ("{\"title\":\"a\",\"channels\":\"ops\"}", "channels: must be a list"),
            ("{\"title\":\"a\",\"channels\":[1]}", "channels/*: must be a list"),
            (&many, "channels/*: must be a list"),
            (&key, "k k k"),
        ] {
            let said = sent(text).unwrap_err();
            assert!(said.starts_with(why) && said.len() <= 200 && !said.contains('\n'), "{text:.60}: {said}");
        }
    }
}
