//! What every row must keep.

use super::*;
use crate::alert::channel::rule::{Class, case, check, check_path};
use crate::config::template::{fields, is_template_field};
use crate::json;

#[test]
fn the_rows_are_sound() {
    for (place, row) in PRESETS.iter().enumerate() {
        let name = row.name;
        assert!(PRESETS[..place].iter().all(|other| other.name != name), "{name} is there twice");
        assert!(matches!(row.keys[0].what, What::Address | What::Server(_)), "{name} has no address");
        for line in row.cases.lines() {
            let (class, when, hint) = case(line);
            assert_eq!(check(when), Ok(()), "{name}: {line}");
            assert!(class != Class::GiveUp || line.starts_with("give_up "), "{name}: {line}");
            assert!(!hint.ends_with(['.', ' ']), "{name}: {line}");
        }
        assert!(row.cases.lines().any(|line| case(line).0 == Class::Ok), "{name} has no success");
        assert!(row.wait.is_empty() || check_path(row.wait).is_ok(), "{name}");
        let levels: Vec<Vec<&str>> = row.levels.lines().map(|line| line.split(' ').collect()).collect();
        for level in &levels {
            assert!(matches!(level.len(), 4 | 5) && !level.contains(&""), "{name}: {level:?}");
        }
        let body = match row.body {
            Body::Json(text) => {
                assert!(json::read(text.as_bytes()).is_some(), "{name}: {text}");
                text
            }
            Body::Form(text) | Body::Text(text) => text,
        };
        assert!(body.contains("{text}"), "{name} does not tell the text");
        assert!(row.style.joined || body.contains("{title}"), "{name} does not tell the title");
        assert!(row.header.is_empty() || row.header.contains(": "), "{name}");
        for text in [row.header, body, row.path] {
            for field in fields(text) {
                let known = row.keys.iter().any(|key| key.name == field)
                    || levels.iter().any(|level| level[0] == field)
                    || field == "source"
                    || is_template_field(field);
                assert!(known, "{name}: what is {{{field}}}?");
            }
        }
        for key in &row.keys[1..] {
            let used = ["{", key.name, "}"].concat();
            assert!(
                [row.header, body, row.path].iter().any(|text| text.contains(&used)),
                "{name} does not use {}",
                key.name
            );
        }
    }
}
