//! Lists of announced events, as AWS and Azure give them. Pure.

use crate::keepalive::leaf::{Leaf, walk};

/// Events of one list that are looked at.
const MAX_EVENTS: usize = 16;
/// Bytes that are kept of a text.
const MAX_TEXT: usize = 200;

/// Where the events of a list stand, and what of them is read.
pub struct Shape {
    /// Path of the list; empty if the document itself is one.
    pub list: &'static str,
    /// Keys of an event whose texts are kept.
    pub keys: [&'static str; 5],
    /// Key of a list of the machines that an event is about; empty if there is none.
    pub machines: &'static str,
}

/// An event of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// The texts under [`Shape::keys`]; empty where there is none.
    pub texts: [String; 5],
    /// How many machines it is about.
    pub machines: u32,
    /// Whether one of them has the name that was asked for.
    pub is_mine: bool,
}

/// The events of `body`. `me` is the name of this machine. `None` if it is no such list, or is cut off.
pub fn read(body: &[u8], shape: &Shape, me: &str) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut is_list, mut skipped) = (false, false);
    let begins = if shape.list.is_empty() { b'[' } else { b'{' };
    let whole = body.trim_ascii_start().first() == Some(&begins)
        && walk(body, &mut |path, leaf| {
            let Some(inner) = path.strip_prefix(shape.list) else { return true };
            let inner = inner.strip_prefix('/').unwrap_or(inner);
            match (inner, leaf) {
                ("", Leaf::Open) => is_list = true,
                // It should be a list and is something else.
                ("", _) => return false,
                ("*", Leaf::Open) => {
                    skipped = entries.len() >= MAX_EVENTS;
                    if !skipped {
                        entries.push(Entry::default());
                    }
                }
                (_, Leaf::Text(text)) if !skipped => {
                    if let Some(entry) = entries.last_mut() {
                        keep(entry, inner, text, shape, me);
                    }
                }
                _ => {}
            }
            true
        });
    (whole && is_list).then_some(entries)
}

fn keep(entry: &mut Entry, path: &str, text: &str, shape: &Shape, me: &str) {
    let Some(key) = path.strip_prefix("*/") else { return };
    if !shape.machines.is_empty() && key.strip_suffix("/*") == Some(shape.machines) {
        entry.machines = entry.machines.saturating_add(1);
        entry.is_mine |= text.eq_ignore_ascii_case(me);
    } else if let Some(at) = shape.keys.iter().position(|known| *known == key) {
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text[..end.unwrap_or(0)].clone_into(&mut entry.texts[at]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Shape = Shape { list: "", keys: ["Id", "Code", "", "", ""], machines: "" };
    const INNER: Shape = Shape { list: "Events", keys: ["Id", "", "", "", ""], machines: "Resources" };

    #[test]
    fn lists_are_read_and_nothing_else_is_one() {
        let ids = |body: &str, shape: &Shape| {
            read(body.as_bytes(), shape, "vm_3").map(|list| {
                list.iter().map(|e| format!("{}{}{}", e.texts[0], e.machines, e.is_mine)).collect::<Vec<_>>()
            })
        };
        let some = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(ids("[]", &PLAIN), some(&[]));
        assert_eq!(ids(r#" [{"Id":"a","x":{"Id":"q"}},{"Id":7},{}]"#, &PLAIN), some(&["a0false", "0false", "0false"]));
        for bad in ["", "{}", "null", "\"[]\"", "[", r#"[{"Id":"a"}"#, "[] x", "<html>[]</html>"] {
            assert_eq!(ids(bad, &PLAIN), None, "{bad}");
        }
        let events = r#"{"DocumentIncarnation":1,"Events":[{"Resources":["vm_1","VM_3"],"Id":"a"},{"Id":"b","Resources":["vm_33"]}]}"#;
        assert_eq!(ids(events, &INNER), some(&["a2true", "b1false"]));
        assert_eq!(ids(r#"{"DocumentIncarnation":1,"Events":[]}"#, &INNER), some(&[]));
        for bad in ["", "{}", "[]", r#"{"Events":null}"#, r#"{"Events":"x"}"#, r#"{"EventsX":[]}"#, &events[..80]] {
            assert_eq!(ids(bad, &INNER), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = format!("[{}{{}}]", r#"{"Id":"é"},"#.repeat(999));
        assert_eq!(read(many.as_bytes(), &PLAIN, "").unwrap().len(), MAX_EVENTS);
        let long = format!(r#"[{{"Id":"{}"}}]"#, "é".repeat(999));
        assert!(read(long.as_bytes(), &PLAIN, "").unwrap()[0].texts[0].len() <= MAX_TEXT);
    }
}
