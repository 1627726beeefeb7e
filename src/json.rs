//! State as JSON: a writer without types, and questions to what was read.
//!
//! For the program's own files only. Derived readers and writers cost several kilobytes a type; here one parser
//! ([`serde_json::Value`]) and one writer serve all of them. What others wrote is read into typed structs instead, or
//! with [`pick`].

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

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

/// A number or a text that others wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// `null`.
    Null,
}

/// What stands under each of `keys` in an object that others wrote: all else is skipped without being kept. `None` if
/// it is no object, or if something else than a scalar stands there.
pub fn pick(bytes: &[u8], keys: &[&str]) -> Option<Vec<Option<Scalar>>> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let picked = Pick(keys).deserialize(&mut json).ok()?;
    json.end().ok().map(|()| picked)
}

struct Pick<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Vec<Option<Scalar>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Vec<Option<Scalar>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut picked = vec![None; self.0.len()];
        while let Some(key) = map.next_key::<String>()? {
            match self.0.iter().position(|known| *known == key) {
                Some(at) => picked[at] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(picked)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Scalar, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                i64::try_from(number).map(Scalar::Int).map_err(|_| E::custom("too large"))
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
        }
        json.deserialize_any(Any)
    }
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
