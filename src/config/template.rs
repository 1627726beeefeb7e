//! Bodies, addresses and headers with fields in braces.

use serde_json::{Map, Value};
use toml::de::DeValue;

use crate::config::plan::Template;
use crate::config::problem::quoted;
use crate::config::table::{Item, integer};
use crate::config::units::nearest;
use crate::event::Field;
use crate::json;

/// Fields that a template may use besides the names of [`Field`].
pub const TEMPLATE_FIELDS: &[&str] = &[
    "title",
    "text",
    "kind",
    "severity",
    "status",
    "host",
    "name",
    "subject",
    "time",
    "at",
    "time_left",
    "seconds_left",
    "id",
    "incident",
];

/// What is said of an unknown field in what may be a secret: not which, since that could be a part of it.
pub const NO_FIELD: &str = "names a field in braces that does not exist; {host}, {title} and {text} do";

/// Whether `{name}` can be filled in.
pub fn is_template_field(name: &str) -> bool {
    TEMPLATE_FIELDS.contains(&name) || Field::parse(name).is_some()
}

fn template_fields() -> Vec<&'static str> {
    let mut fields = TEMPLATE_FIELDS.to_vec();
    fields.extend(Field::ALL.iter().map(|field| field.name()));
    fields
}

/// The names in braces in `text`: small letters and `_`; other braces are plain text.
pub fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|after| {
        let (name, _) = after.split_once('}')?;
        (!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).then_some(name)
    })
}

/// The first name in braces in `text` that cannot be filled in.
pub fn unknown_field(text: &str) -> Option<&str> {
    fields(text).find(|name| !is_template_field(name))
}

impl Item<'_> {
    /// Reports a field in `text` that is not known.
    fn check_fields(&self, text: &str) {
        let Some(name) = unknown_field(text) else { return };
        let shown = quoted(&["{", name, "}"].concat());
        let known = template_fields();
        self.bad::<()>(&match nearest(name, &known) {
            Some(near) => [&shown, " is no field; did you mean \"{", near, "}\"?"].concat(),
            None => [&shown, " is no field; fields are ", &known.join(", ")].concat(),
        });
    }

    /// A body: a table, or text. A table and text that is JSON are filled in leaf by leaf.
    pub fn template(&self) -> Option<Template> {
        let json = match self.value {
            DeValue::Table(_) => Some(self.json(self.value)?),
            _ => {
                let text = self.text()?;
                match json::read(text.as_bytes()) {
                    Some(json) => Some(json),
                    None => {
                        self.check_fields(text);
                        return Some(Template::Text(text.to_owned()));
                    }
                }
            }
        };
        json.map(|json| {
            self.check_leaves(&json);
            Template::Json(json)
        })
    }

    /// Words with fields in braces: at most `max` bytes, not blank, of control characters only those in `allowed`.
    pub fn words(&self, max: usize, allowed: &[char]) -> Option<String> {
        let text = self.text()?;
        if text.len() > max {
            return self.too_long(max).map(str::to_owned);
        }
        if text.trim().is_empty() {
            return self.bad("is empty; leave it out for the usual words");
        }
        if text.chars().any(|c| c.is_control() && !allowed.contains(&c)) {
            return self.bad("holds a control character");
        }
        self.check_fields(text);
        Some(text.to_owned())
    }

    fn check_leaves(&self, json: &Value) {
        match json {
            Value::String(text) => self.check_fields(text),
            Value::Array(list) => list.iter().for_each(|entry| self.check_leaves(entry)),
            Value::Object(map) => map.values().for_each(|entry| self.check_leaves(entry)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A value of the file as JSON. Its depth is bounded by that of the file, 80.
    fn json(&self, value: &DeValue<'_>) -> Option<Value> {
        Some(match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => match integer(number) {
                Some(number) => Value::Number(number.into()),
                None => return self.bad(&[number.as_str(), " is too large a number"].concat()),
            },
            // Both languages write fractions alike, but for a plus sign.
            DeValue::Float(number) => match json::read(number.as_str().trim_start_matches('+').as_bytes()) {
                Some(number) => number,
                None => return self.bad(&[number.as_str(), " does not exist in JSON"].concat()),
            },
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(date) => Value::String(date.to_string()),
            DeValue::Array(list) => {
                let mut values = Vec::with_capacity(list.len());
                for entry in list {
                    values.push(self.json(entry.get_ref())?);
                }
                Value::Array(values)
            }
            DeValue::Table(table) => {
                let mut map = Map::new();
                for (key, entry) in table {
                    map.insert(key.get_ref().to_string(), self.json(entry.get_ref())?);
                }
                Value::Object(map)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces() {
        assert_eq!(fields("{title}: {x y} {} {a{text} {Text} {kind").collect::<Vec<_>>(), ["title", "text"]);
        assert_eq!(unknown_field("{title} {titel} {x}"), Some("titel"));
        assert_eq!(unknown_field("{ \"a\": 1 } {duration}"), None);
    }

    #[test]
    fn names_do_not_collide() {
        for field in Field::ALL {
            assert!(!TEMPLATE_FIELDS.contains(&field.name()), "{}", field.name());
        }
    }
}
