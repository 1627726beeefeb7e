//! JSON that others wrote, leaf by leaf: one reader for all that is said over the wire. It builds nothing itself, so
//! what it costs is what its caller keeps.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What stands at one place of a text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Leaf<'a> {
    /// An object or an array begins; its members follow.
    Open,
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number of no sign.
    Count(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(&'a str),
}

impl Leaf<'_> {
    /// A number of seconds as milliseconds, rounded; a number beyond all time as the greatest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the cast saturates")]
    pub fn millis(&self) -> Option<i64> {
        let secs = match self {
            Leaf::Count(number) => *number as f64,
            Leaf::Number(number) => *number,
            _ => return None,
        };
        Some((secs * 1000.0 + 0.5_f64.copysign(secs)) as i64)
    }
}

/// Shows `take` every leaf with its path: the keys from the outermost in, joined by `/`, and `*` for a place in an
/// array. `false` if the text is no JSON, is nested deeper than 128, or `take` does not like a leaf.
pub fn walk(text: &[u8], take: &mut dyn FnMut(&str, Leaf<'_>) -> bool) -> bool {
    let mut from = serde_json::Deserializer::from_slice(text);
    let mut walk = Walk { path: String::new(), take };
    walk.deserialize(&mut from).is_ok() && from.end().is_ok()
}

/// Where the value of a key goes.
pub enum Slot<'a> {
    /// Any string.
    Text(&'a mut Option<String>),
    /// A whole number of no sign.
    Count(&'a mut Option<u64>),
    /// Seconds, kept as milliseconds.
    Millis(&'a mut Option<i64>),
    /// `true` or `false`.
    Flag(&'a mut Option<bool>),
}

impl Slot<'_> {
    /// Puts a leaf there; `false` if it has another shape, or there is one already. `null` is nothing.
    pub fn fill(&mut self, leaf: Leaf<'_>) -> bool {
        match (self, leaf) {
            (_, Leaf::Null) => {}
            (Slot::Text(slot @ None), Leaf::Text(text)) => **slot = Some(text.to_owned()),
            (Slot::Count(slot @ None), Leaf::Count(number)) => **slot = Some(number),
            (Slot::Flag(slot @ None), Leaf::Flag(flag)) => **slot = Some(flag),
            (Slot::Millis(slot @ None), leaf) => {
                **slot = leaf.millis();
                return slot.is_some();
            }
            _ => return false,
        }
        true
    }
}

/// Puts the leaf at `path` into its slot, if it has one. What stands outside of any object is none.
pub fn fill(slots: &mut [(&str, Slot<'_>)], path: &str, leaf: Leaf<'_>) -> bool {
    match slots.iter_mut().find(|(name, _)| *name == path) {
        Some((_, slot)) => slot.fill(leaf),
        None => !path.is_empty() || leaf == Leaf::Open,
    }
}

/// Fills `slots` from an object; `false` if it is none, or a slot does not take its value.
pub fn fields(text: &[u8], slots: &mut [(&str, Slot<'_>)]) -> bool {
    text.first() == Some(&b'{') && walk(text, &mut |path, leaf| fill(slots, path, leaf))
}

struct Walk<'t> {
    path: String,
    take: &'t mut dyn FnMut(&str, Leaf<'_>) -> bool,
}

impl Walk<'_> {
    #[inline(never)]
    fn leaf<E: Error>(&mut self, leaf: Leaf<'_>) -> Result<(), E> {
        if (self.take)(&self.path, leaf) { Ok(()) } else { Err(E::custom("")) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'_> {
    type Value = ();

    fn expecting(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.leaf(Leaf::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.leaf(Leaf::Count(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "whole numbers below zero are seconds, not counts")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.leaf(Leaf::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.leaf(Leaf::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.leaf(Leaf::Text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.leaf(Leaf::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.leaf::<A::Error>(Leaf::Open)?;
        let outer = self.path.len();
        Key(&mut self.path).push("*");
        while members.next_element_seed(&mut *self)?.is_some() {}
        self.path.truncate(outer);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.leaf::<A::Error>(Leaf::Open)?;
        let outer = self.path.len();
        while members.next_key_seed(Key(&mut self.path))?.is_some() {
            members.next_value_seed(&mut *self)?;
            self.path.truncate(outer);
        }
        Ok(())
    }
}

/// Goes to the end of a path.
struct Key<'p>(&'p mut String);

impl Key<'_> {
    fn push(self, key: &str) {
        if !self.0.is_empty() {
            self.0.push('/');
        }
        self.0.push_str(key);
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        // No key can be taken for a path, for a place in an array or for the outside.
        self.push(if key.is_empty() || key.contains(['/', '*']) { "?" } else { key });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_come_with_their_paths() {
        let text = br#"{"a":[1,{"b":"x\n"},[]],"c/d":null,"":-2,"*":0.5,"e":{"f":true}}"#;
        let mut seen = Vec::new();
        assert!(walk(text, &mut |path, leaf| {
            seen.push(format!("{path} {leaf:?}"));
            true
        }));
        let leaves = "Open|a Open|a/* Count(1)|a/* Open|a/*/b Text(\"x\\n\")|a/* Open|? Null|? Number(-2.0)\
                      |? Number(0.5)|e Open|e/f Flag(true)";
        assert_eq!(seen.join("|").trim_start(), leaves);
    }

    #[test]
    fn what_does_not_fit_is_no_object() {
        for (text, expected) in [
            (&br#"{"t":"x","n":1,"x":[{}]}"#[..], Some((Some("x"), Some(1000)))),
            (br#"{"n":-0.0005,"t":null}"#, Some((None, Some(-1)))),
            (br#"{"n":1e300}"#, Some((None, Some(i64::MAX)))),
            (br#"{"t":"x","t":"x"}"#, None),
            (br#"{"t":1}"#, None),
            (br#"{"t":["x"]}"#, None),
            (br#"{"n":"1"}"#, None),
            (br#"{"n":1e999}"#, None),
            (br#"{"t":"x"}}"#, None),
            (br#"["x"]"#, None),
            (b"", None),
        ] {
            let (mut t, mut n) = (None, None);
            let fits = fields(text, &mut [("t", Slot::Text(&mut t)), ("n", Slot::Millis(&mut n))]);
            assert_eq!(fits.then_some((t.as_deref(), n)), expected, "{}", String::from_utf8_lossy(text));
        }
    }
}
