//! State as JSON: a writer without types, and questions to what was read.
//!
//! For the program's own files only. Derived readers and writers cost several kilobytes a type; here one parser
//! ([`serde_json::Value`]) and one writer serve all of them. What others wrote is read into typed structs instead, or
//! with [`pick`].

use serde_json::Value;

use crate::keepalive::leaf::{Leaf, walk};

/// JSON under way. Commas come by themselves.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Begins an object (`{`) or an array (`[`).
    pub fn open(&mut self, bracket: char) -> &mut Writer {
        self.comma();
        self.0.push(bracket);
        self
    }

    /// Ends it (`}` or `]`).
    #[inline(never)]
    pub fn close(&mut self, bracket: char) -> &mut Writer {
        self.0.push(bracket);
        self
    }

    /// The key of what is written next.
    pub fn key(&mut self, name: &str) -> &mut Writer {
        self.text(name);
        self.0.push(':');
        self
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> &mut Writer {
        self.comma();
        quote(&mut self.0, text);
        self
    }

    /// A whole number.
    pub fn int(&mut self, number: i64) -> &mut Writer {
        self.comma();
        self.0.push_str(&number.to_string());
        self
    }

    /// A whole number that may not fit an `i64`.
    pub fn uint(&mut self, number: u64) -> &mut Writer {
        self.comma();
        self.0.push_str(&number.to_string());
        self
    }

    /// `true` or `false`.
    pub fn flag(&mut self, flag: bool) -> &mut Writer {
        self.raw(if flag { "true" } else { "false" })
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Writer {
        self.comma();
        self.0.push_str(json);
        self
    }

    fn comma(&mut self) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }
}

/// Appends `text` as a JSON string.
pub fn quote(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                out.push_str("\\u00");
                out.push(char::from(HEX[c as usize >> 4]));
                out.push(char::from(HEX[c as usize & 15]));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `number` with its last `places` digits after a point.
#[inline(never)]
pub fn decimal(number: i64, places: usize) -> String {
    let mut text = number.unsigned_abs().to_string();
    while text.len() <= places {
        text.insert(0, '0');
    }
    text.insert(text.len() - places, '.');
    if number < 0 {
        text.insert(0, '-');
    }
    text
}

/// Reads JSON of any shape; `None` if it is none, or nested deeper than 128.
pub fn read(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// The string under `key`.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// The whole number under `key`.
pub fn int(value: &Value, key: &str) -> Option<i64> {
    value.get(key)?.as_i64()
}

/// The whole number of no sign under `key`.
pub fn uint(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64()
}

/// Whether `true` stands under `key`.
pub fn flag(value: &Value, key: &str) -> bool {
    matches!(value.get(key), Some(Value::Bool(true)))
}

/// The array under `key`; empty if there is none.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A number, a text or a flag that others wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
}

/// What stands under each of `keys` in an object that others wrote: all else is skipped without being kept. `None` if
/// it is no object, or if something else than a scalar stands there.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "equal only if it is whole"
)]
pub fn pick(bytes: &[u8], keys: &[&str]) -> Option<Vec<Option<Scalar>>> {
    let mut picked = vec![None; keys.len()];
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let whole = is_object
        && walk(bytes, &mut |path, leaf| {
            let Some(at) = keys.iter().position(|key| *key == path) else { return true };
            let scalar = match leaf {
                Leaf::Text(text) => Some(Scalar::Text(text.to_owned())),
                Leaf::Count(number) => i64::try_from(number).ok().map(Scalar::Int),
                // Whole numbers below zero come like this.
                Leaf::Number(number) if number < 0.0 => {
                    let int = number as i64;
                    (int as f64 == number).then_some(Scalar::Int(int))
                }
                Leaf::Flag(flag) => Some(Scalar::Flag(flag)),
                Leaf::Null => Some(Scalar::Null),
                Leaf::Open | Leaf::Number(_) => None,
            };
            picked[at] = scalar;
            picked[at].is_some()
        });
    whole.then_some(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Writer::default();
        out.open('{').key("a").int(-5).key("b").text("x\"\\\n\u{1}é").key("c").open('[');
        out.flag(true).uint(u64::MAX).open('{').close('}').close(']').key("d").raw("null").close('}');
        let text = out.into_string();
        let value = read(text.as_bytes()).expect(&text);
        assert_eq!((int(&value, "a"), self::text(&value, "b")), (Some(-5), Some("x\"\\\n\u{1}é")));
        assert_eq!(list(&value, "c")[1].as_u64(), Some(u64::MAX));
        assert!(!flag(&value, "d") && list(&value, "none").is_empty());
    }

    #[test]
    fn scalars_of_others_are_picked() {
        let deep = format!("{{\"a\":1,\"x\":{}", "[".repeat(60_000));
        let int = |n| Some(Scalar::Int(n));
        for (text, picked) in [
            (r#"{"a":-1,"x":{"a":[2]},"b":"é\n","y":[[]]}"#, Some([int(-1), Some(Scalar::Text("é\n".to_owned()))])),
            (r#" {"b":null} "#, Some([None, Some(Scalar::Null)])),
            ("{}", Some([None, None])),
            (r#"{"a":1,"a":2}"#, Some([int(2), None])),
            (r#"{"a":true}"#, Some([Some(Scalar::Flag(true)), None])),
            (r#"{"a":{}}"#, None),
            (r#"{"a":1.5}"#, None),
            (r#"{"a":18446744073709551615}"#, None),
            (r#"{"a":1"#, None),
            (r#"{"a":1} x"#, None),
            ("[]", None),
            ("", None),
            (&deep, None),
        ] {
            assert_eq!(pick(text.as_bytes(), &["a", "b"]), picked.map(Vec::from), "{text:.60}");
        }
    }
}
