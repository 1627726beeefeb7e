//! Protocol 1, the original program's: one line out, one JSON object back, close. A pure codec.
//!
//! The key travels in clear, so this is for hosts that cannot do better yet. The shapes are those that the original
//! was seen to send and take; its answer held the server's key, ours does not, and its clients do not miss it.

use hmac::Mac as _;

use crate::json::Writer;
use crate::keepalive::leaf::{Slot, fields, fill, walk};
use crate::keepalive::wire::{HmacSha256, hmac};
use crate::readings;
use crate::secret::Secret;

/// Most bytes of a message without its LF. That many bytes without an LF are a message too.
pub const MESSAGE: usize = 1024;
/// Most bytes of an answer that the client reads.
pub const ANSWER: usize = 4096;
/// What a client says of itself that has nothing to say.
const ALIVE: &str = "I am active";
/// Answer to what is no message.
pub const INVALID: &[u8] = b"invalid message";
/// Answer to a wrong key.
pub const UNAUTHORIZED: &[u8] = b"unauthorized";

/// A message whose key is not checked yet.
pub struct Message {
    key: Option<String>,
    /// The host that lives.
    pub name: String,
    /// What it says of itself; empty if it says only that it lives.
    pub note: String,
}

/// Why there is no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoMessage {
    /// Not UTF-8: the original closes without an answer.
    NotText,
    /// Anything else: the answer is [`INVALID`].
    Invalid,
}

/// Reads a message without its LF: an object, or an array in the order key, name, msg.
///
/// # Errors
/// When it is none.
pub fn read_message(line: &[u8]) -> Result<Message, NoMessage> {
    std::str::from_utf8(line).map_err(|_| NoMessage::NotText)?;
    let (mut key, mut name, mut msg) = (None, None, None);
    let mut slots = [("key", Slot::Text(&mut key)), ("name", Slot::Text(&mut name)), ("msg", Slot::Text(&mut msg))];
    let mut place = 0;
    let read = walk(line, &mut |path, leaf| {
        if path != "*" {
            return fill(&mut slots, path, leaf);
        }
        place += 1;
        slots.get_mut(place - 1).is_some_and(|(_, slot)| slot.fill(leaf))
    });
    match name {
        Some(name) if read => Ok(Message { key, name, note: note(msg) }),
        _ => Err(NoMessage::Invalid),
    }
}

fn note(msg: Option<String>) -> String {
    readings::note(&msg.filter(|msg| msg != ALIVE).unwrap_or_default())
}

/// The server's answer to a beat that counts. It ends with the connection, not with an LF.
pub fn answer(identity: &str) -> Vec<u8> {
    texts(&[("name", identity), ("msg", "see you next period")])
}

fn texts(texts: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{');
    for (key, text) in texts {
        out.key(key).text(text);
    }
    out.close('}');
    out.into_bytes()
}

/// Compares keys in constant time, whatever their lengths: both sides are hashed with a random key first.
pub struct KeyCheck {
    state: HmacSha256,
    right: [[u8; 32]; 2],
}

impl KeyCheck {
    /// Takes the key as it stands and as the original's URL parser sends it; `random` is new at every start.
    pub fn new(key: &Secret, encoded: &Secret, random: &[u8]) -> KeyCheck {
        let state = hmac(random);
        let tag = |key: &Secret| state.clone().chain_update(key.reveal()).finalize().into_bytes().into();
        let right = [tag(key), tag(encoded)];
        KeyCheck { state, right }
    }

    /// Whether the message has the right key. An absent key is an empty one.
    pub fn passes(&self, message: &Message) -> bool {
        let given = self.state.clone().chain_update(message.key.as_deref().unwrap_or_default());
        // Both are looked at, so that the time tells nothing.
        let [plain, encoded] = self.right.map(|right| given.clone().verify_slice(&right).is_ok());
        plain | encoded
    }
}

/// The client's message, with its LF. A note for which there is no room stays behind.
pub fn message(key: &Secret, name: &str, note: &str) -> Vec<u8> {
    let line = |msg| texts(&[("key", key.reveal()), ("name", name), ("msg", msg)]);
    let mut said = line(if note.is_empty() { ALIVE } else { note });
    if said.len() > MESSAGE {
        said = line(ALIVE);
    }
    said.push(b'\n');
    said
}

/// What a server of protocol 1 answered. The answer itself holds the key and is never shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The beat counts; the server's name, which nothing proves.
    Name(String),
    /// Wrong key.
    Unauthorized,
    /// Not understood.
    Invalid,
    /// Nothing that a server of protocol 1 says.
    Foreign,
}

/// Reads everything that came until the end of the stream.
pub fn read_answer(bytes: &[u8]) -> Answer {
    let mut name = None;
    match bytes {
        INVALID => Answer::Invalid,
        UNAUTHORIZED => Answer::Unauthorized,
        _ if fields(bytes, &mut [("name", Slot::Text(&mut name))]) => name.map_or(Answer::Foreign, Answer::Name),
        _ => Answer::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> KeyCheck {
        KeyCheck::new(&Secret::new("密 key"), &Secret::new("%E5%AF%86%20key"), &[3; 32])
    }

    #[test]
    fn messages() {
        let ok = |name: &'static str, passes| Ok((name, passes));
        type Case<'a> = (&'a [u8], Result<(&'a str, bool), NoMessage>);
        let cases: &[Case] = &[
            ("{\"key\":\"密 key\",\"name\":\"cli@vm\",\"msg\":\"I am active\"}".as_bytes(), ok("cli@vm", true)),
            (b"{\"key\":\"%E5%AF%86%20key\",\"name\":\"cli@vm\"}\r", ok("cli@vm", true)),
            (b"{\"key\":\"%e5%af%86%20key\",\"name\":\"cli@vm\"}", ok("cli@vm", false)),
            (b" {\"name\":\"n\",\"more\":{\"a\":[1]},\"msg\":null} ", ok("n", false)),
            ("[\"密 key\",\"arr@host\",\"msg\"]".as_bytes(), ok("arr@host", true)),
            (b"[null,\"arr@host\"]", ok("arr@host", false)),
            (b"{\"key\":\"a\",\"key\":\"a\",\"name\":\"n\"}", Err(NoMessage::Invalid)),
            (b"{\"key\":\"a\"}", Err(NoMessage::Invalid)),
            (b"{\"name\":7}", Err(NoMessage::Invalid)),
            (b"{\"name\":\"n\"}{", Err(NoMessage::Invalid)),
            (b"GET / HTTP/1.1\r", Err(NoMessage::Invalid)),
            (b"", Err(NoMessage::Invalid)),
            (b"\xff\xfe", Err(NoMessage::NotText)),
        ];
        for (line, expected) in cases {
            let read = read_message(line);
            let got = read.as_ref().map(|m| (&*m.name, check().passes(m))).map_err(|e| *e);
            assert_eq!(got, *expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_note_travels_as_the_message_if_it_fits() {
        let key = Secret::new("k");
        let said = |note: &str| read_message(message(&key, "n", note).trim_ascii_end()).unwrap().note;
        assert_eq!((said(""), said("backup \"runs\"")), (String::new(), "backup \"runs\"".to_owned()));
        let long = Secret::new("k".repeat(900));
        let line = message(&long, "n", &"x".repeat(200));
        assert_eq!(read_message(line.trim_ascii_end()).unwrap().note, "");
        let foreign = "{\"name\":\"n\",\"msg\":\"a\\nb\\u202e\"}";
        assert_eq!(read_message(foreign.as_bytes()).unwrap().note, "a b\u{FFFD}");
    }

    #[test]
    fn an_empty_key_is_open_to_messages_without_one() {
        let open = KeyCheck::new(&Secret::default(), &Secret::default(), &[3; 32]);
        assert!(open.passes(&read_message(b"{\"name\":\"n\"}").unwrap()));
        assert!(!open.passes(&read_message(b"{\"name\":\"n\",\"key\":\"x\"}").unwrap()));
    }

    #[test]
    fn answers() {
        let name = |name: &str| Answer::Name(name.into());
        let cases: &[(&[u8], Answer)] = &[
            (b"{\"key\":\"k\",\"name\":\"s@v\",\"msg\":\"see you next period\"}", name("s@v")),
            (b"{\"name\":\"s@v\",\"new\":1}\r\n", name("s@v")),
            (b"invalid message", Answer::Invalid),
            (b"unauthorized", Answer::Unauthorized),
            (b"unauthorized\n", Answer::Foreign),
            (b"{\"key\":\"k\"}", Answer::Foreign),
            (b"[\"s@v\"]", Answer::Foreign),
            (b"", Answer::Foreign),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read_answer(bytes), *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
