//! Protocol 2 on the wire: a pure codec, and in this text its specification.
//!
//! # Specification
//!
//! One TCP connection carries one exchange of four lines, two from each side, and is closed after it. There is no
//! clock and no stored counter in it: what makes an exchange fresh are 16 random bytes from each side.
//!
//! ```text
//! line 1  C→S  {"v":2,"user":"default","name":"nas@home","cn":"<16 random bytes, base64>"} LF
//! line 2  S→C  {"v":2,"srv":"vps@tokyo","sn":"<16 random bytes, base64>"} LF
//! line 3  C→S  {"ev":"beat","per":30,"boot":"…","up":86400,"run":"…","age":3600,"seq":17,"data":{…}} TAB mac1 LF
//! line 4  S→C  {"ok":true,"next":30,"lease":120} TAB mac2 LF
//! ```
//!
//! **Lines.** A line ends in one LF (0x0A); a CR is not part of the ending. Lines 1 and 2 have at most 1,024 bytes
//! ([`LINE_1`]), lines 3 and 4 at most 16,384 ([`LINE_3`]), each with its LF. What stands before the LF, or in lines
//! 3 and 4 before the **last** TAB (0x09), is the body: one JSON object (RFC 8259) in UTF-8 that begins with `{` and
//! holds no raw TAB and no raw LF. Unknown keys are ignored; a key that occurs twice makes the body invalid. A side
//! sends each of its lines with one write and does not wait for more before sending (`TCP_NODELAY`). The whole
//! exchange has 5 s at the server.
//!
//! **Base64** is the standard alphabet with padding (RFC 4648, section 4), without white space. 16 bytes are 24
//! characters, a MAC's 32 bytes are 44.
//!
//! **Line 1.** `v` is the number 2. `user` is the user name of `ic://user:key@host:port`. `name` is the host that
//! lives: 1 to 128 bytes without control or bidi characters. `cn` is new in every exchange.
//!
//! **Line 2.** `srv` is the server's own name, under the same rules as `name`. `sn` is new in every exchange, and the
//! server reads line 3 only after it sent it. Instead of line 2 and instead of line 4 the server may send a refusal,
//! one of three constant lines without a MAC:
//!
//! ```text
//! {"v":2,"err":"denied"}     unknown user, wrong MAC, or a line that breaks these rules
//! {"v":2,"err":"version"}    line 1 is not protocol 2
//! {"v":2,"err":"busy"}       no room at the moment
//! ```
//!
//! Anybody between the two can send these, so a client takes them as a hint for people and for nothing else. A user
//! that the server does not know is answered with line 2 and refused at line 3, exactly like a wrong key.
//!
//! **Keys.** K is the key of the user as bytes: the percent-decoded text of the URI, in UTF-8, of any length.
//!
//! ```text
//! K1 = HMAC-SHA256(key = K, message = "ic2 c2s")
//! K2 = HMAC-SHA256(key = K, message = "ic2 s2c")
//! ```
//!
//! **MACs.** With f(x) = the length of x in bytes as 4 bytes big-endian, followed by x, and `‖` for concatenation:
//!
//! ```text
//! mac1 = base64(HMAC-SHA256(K1, f(line 1) ‖ f(line 2) ‖ f(body of line 3)))
//! mac2 = base64(HMAC-SHA256(K2, f(line 1) ‖ f(line 2) ‖ f(line 3) ‖ f(body of line 4)))
//! ```
//!
//! Lines stand in it byte by byte as they were sent, without their LF; line 3 with its TAB and mac1. Neither side
//! serialises a line again. MACs are compared in constant time, and before the body is parsed.
//!
//! **Line 3.** `ev` is `beat` or `bye`. `per` is the announced period in seconds, `up` and `age` are seconds since the
//! host booted and since its daemon started, `boot` and `run` name the boot and the daemon's run, `seq` grows by one
//! per attempt within a run. A `bye` may hold `reason` (`stop`, `rename`, `leave`) and `back_in` (seconds). `data` is
//! an object; [`crate::keepalive::beat`] lists what it may hold. Only `ev` and `per` are required.
//!
//! **Line 4.** `ok` tells whether the beat counts. If it does: `next`, the seconds after which the server wants the
//! next beat, at least 1 unless `per` is shorter, and never above `per`; and `lease`, the seconds for which the host's work stays its own,
//! counted by the host from the sending of line 3. If it does not: `err`, one of `name-taken`, `name-invalid`,
//! `period-invalid`, `full`, `stale`, `malformed`.
//!
//! A client takes a beat as answered only if mac2 is right; anything else means that the server is not genuine.
//!
//! **What it gives.** The key is never on the wire; recorded lines are useless, because the other side's random bytes
//! differ; lines sent back to their sender fail, because each direction has its own key; a relay to a server of
//! another name shows, because `srv` is under both MACs. **What it does not give:** secrecy of names and figures, and
//! any difference between two hosts that share a key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::json::Writer;
use crate::keepalive::beat::{Reply, Report};
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::leaf::{Slot, fields};

/// Most bytes of lines 1 and 2, with their LF.
pub const LINE_1: usize = 1024;
/// Most bytes of lines 3 and 4, with their LF.
pub const LINE_3: usize = 16 * 1024;
/// Bytes of `cn` and of `sn`.
pub const NONCE: usize = 16;

/// HMAC-SHA256 with its key taken in.
pub type HmacSha256 = Hmac<Sha256>;

/// An HMAC state for `key`, which may have any length.
pub fn hmac(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// A refusal that stands instead of line 2 or line 4, without a MAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Unknown user, wrong MAC or a malformed line.
    Denied,
    /// Line 1 is not protocol 2.
    Version,
    /// No room at the moment.
    Busy,
}

impl Hint {
    /// The whole line, with its LF.
    pub fn line(self) -> &'static [u8] {
        match self {
            Hint::Denied => b"{\"v\":2,\"err\":\"denied\"}\n",
            Hint::Version => b"{\"v\":2,\"err\":\"version\"}\n",
            Hint::Busy => b"{\"v\":2,\"err\":\"busy\"}\n",
        }
    }
}

/// The content of line 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Whose key it uses.
    pub user: String,
    /// The host that lives. Not checked yet: that waits for the MAC.
    pub name: String,
}

/// What a first line turns out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum First {
    /// Line 1 of protocol 2.
    Hello(Hello),
    /// A later protocol.
    OtherVersion,
    /// Says that it is protocol 2 and is not.
    Malformed,
    /// No protocol that has a version: protocol 1, or anything.
    Unversioned,
}

/// What a second line turns out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Second {
    /// The server's name.
    Challenge(String),
    /// A refusal.
    Refused(Hint),
    /// Neither.
    Malformed,
}

/// Line 1, with its LF.
pub fn hello(user: &str, name: &str, cn: &[u8; NONCE]) -> Vec<u8> {
    line(&[("user", user), ("name", name), ("cn", &STANDARD.encode(cn))])
}

/// Line 2, with its LF.
pub fn challenge(srv: &str, sn: &[u8; NONCE]) -> Vec<u8> {
    line(&[("srv", srv), ("sn", &STANDARD.encode(sn))])
}

fn line(texts: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Writer::default();
    out.open('{').key("v").uint(2);
    for (key, text) in texts {
        out.key(key).text(text);
    }
    out.close('}');
    let mut line = out.into_bytes();
    line.push(b'\n');
    line
}

/// Reads a first line (without its LF).
pub fn read_first(line: &[u8]) -> First {
    let (mut v, mut user, mut name, mut cn) = (None, None, None, None);
    let mut slots = [
        ("v", Slot::Count(&mut v)),
        ("user", Slot::Text(&mut user)),
        ("name", Slot::Text(&mut name)),
        ("cn", Slot::Text(&mut cn)),
    ];
    if !fields(line, &mut slots) {
        return First::Unversioned;
    }
    match (v, user, name) {
        (None, ..) => First::Unversioned,
        (Some(2), Some(user), Some(name)) if !user.is_empty() && is_fresh(line, cn.as_deref()) => {
            First::Hello(Hello { user, name })
        }
        (Some(2), ..) => First::Malformed,
        (Some(_), ..) => First::OtherVersion,
    }
}

/// Reads a second line (without its LF). A refusal may also stand instead of the fourth.
pub fn read_second(line: &[u8]) -> Second {
    let (mut v, mut srv, mut sn, mut err) = (None, None, None, None);
    let mut slots = [
        ("v", Slot::Count(&mut v)),
        ("srv", Slot::Text(&mut srv)),
        ("sn", Slot::Text(&mut sn)),
        ("err", Slot::Text(&mut err)),
    ];
    if !fields(line, &mut slots) || v != Some(2) {
        return Second::Malformed;
    }
    match (err.as_deref().unwrap_or_default(), srv) {
        ("denied", _) => Second::Refused(Hint::Denied),
        ("version", _) => Second::Refused(Hint::Version),
        ("busy", _) => Second::Refused(Hint::Busy),
        ("", Some(srv)) if name_is_valid(&srv) && is_fresh(line, sn.as_deref()) => Second::Challenge(srv),
        _ => Second::Malformed,
    }
}

/// Reads the body of line 3. Call it after the MAC was found right.
pub fn read_report(body: &[u8]) -> Option<Report> {
    Report::read(body)
}

/// Reads the body of line 4. Call it after the MAC was found right.
pub fn read_reply(body: &[u8]) -> Option<Reply> {
    Reply::read(body)
}

/// Whether `nonce` is one, and the line it came in is made as it should be.
fn is_fresh(line: &[u8], nonce: Option<&str>) -> bool {
    let mut bytes = [0; NONCE + 2];
    let right = |text: &str| text.len() == 24 && STANDARD.decode_slice(text, &mut bytes) == Ok(NONCE);
    !line.contains(&b'\t') && nonce.is_some_and(right)
}

/// K1 and K2 of one key, ready for use.
#[derive(Clone)]
pub struct Keys {
    up: HmacSha256,
    down: HmacSha256,
}

impl Keys {
    /// Derives K1 and K2 from K.
    pub fn new(key: &[u8]) -> Keys {
        let derive = |label: &[u8]| hmac(&hmac(key).chain_update(label).finalize().into_bytes());
        Keys { up: derive(b"ic2 c2s"), down: derive(b"ic2 s2c") }
    }

    /// Line 3 with its LF, of the lines before it (without LF) and its body.
    pub fn seal_report(&self, line1: &[u8], line2: &[u8], body: Vec<u8>) -> Vec<u8> {
        seal(&self.up, &[line1, line2], body)
    }

    /// The body of line 3 (`line`, without LF) if its MAC is right.
    pub fn open_report<'a>(&self, line1: &[u8], line2: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
        open(&self.up, &[line1, line2], line)
    }

    /// Line 4 with its LF, of the lines before it (without LF) and its body.
    pub fn seal_reply(&self, line1: &[u8], line2: &[u8], line3: &[u8], body: Vec<u8>) -> Vec<u8> {
        seal(&self.down, &[line1, line2, line3], body)
    }

    /// The body of line 4 (`line`, without LF) if its MAC is right.
    pub fn open_reply<'a>(&self, line1: &[u8], line2: &[u8], line3: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
        open(&self.down, &[line1, line2, line3], line)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<keys>")
    }
}

fn seal(key: &HmacSha256, before: &[&[u8]], mut body: Vec<u8>) -> Vec<u8> {
    let tag = mac(key, before, &body).finalize().into_bytes();
    body.push(b'\t');
    body.extend_from_slice(STANDARD.encode(tag).as_bytes());
    body.push(b'\n');
    body
}

fn open<'a>(key: &HmacSha256, before: &[&[u8]], line: &'a [u8]) -> Option<&'a [u8]> {
    let tab = line.iter().rposition(|byte| *byte == b'\t')?;
    let (body, text) = (line.get(..tab)?, line.get(tab + 1..)?);
    // Two bytes of room beyond a tag: 44 characters could stand for up to 33.
    let mut tag = [0; 34];
    if text.len() != 44 || STANDARD.decode_slice(text, &mut tag) != Ok(32) || body.contains(&b'\t') {
        return None;
    }
    mac(key, before, body).verify_slice(tag.get(..32)?).ok().map(|()| body)
}

fn mac(key: &HmacSha256, before: &[&[u8]], body: &[u8]) -> HmacSha256 {
    let mut mac = key.clone();
    for part in before.iter().chain([&body]) {
        mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const CN: &str = "AAECAwQFBgcICQoLDA0ODw==";

    #[test]
    fn first_lines() {
        let ok = |user: &str, name: &str| First::Hello(Hello { user: user.into(), name: name.into() });
        let cases: &[(String, First)] = &[
            (format!(r#"{{"v":2,"user":"default","name":"a@b","cn":"{CN}"}}"#), ok("default", "a@b")),
            (format!(r#"{{"cn":"{CN}","later":[{{}}],"name":"","user":"u","v":2}}"#), ok("u", "")),
            (format!(r#"{{"v":3,"user":"u","name":"n","cn":"{CN}"}}"#), First::OtherVersion),
            (format!(r#"{{"v":2,"user":"u","name":"n","cn":"{CN}="}}"#), First::Malformed),
            (format!("{{\"v\":2,\t\"user\":\"u\",\"name\":\"n\",\"cn\":\"{CN}\"}}"), First::Malformed),
            (r#"{"v":2,"user":"u","name":"n","cn":"AAECAwQFBgcICQoLDA0O"}"#.into(), First::Malformed),
            (r#"{"v":2}"#.into(), First::Malformed),
            (format!(r#"{{"v":2,"v":2,"user":"u","name":"n","cn":"{CN}"}}"#), First::Unversioned),
            (format!(r#"[2,"u","n","{CN}"]"#), First::Unversioned),
            (r#"{"key":"k","name":"n","msg":"m"}"#.into(), First::Unversioned),
            (r#"{"v":1e999}"#.into(), First::Unversioned),
            (r#"{"v":-2}"#.into(), First::Unversioned),
            (format!(r#"{{"v":2,"x":{}"#, "[".repeat(900)), First::Unversioned),
            (String::new(), First::Unversioned),
        ];
        for (line, first) in cases {
            assert_eq!(read_first(line.as_bytes()), *first, "{line}");
        }
    }

    #[test]
    fn second_lines() {
        let challenge = challenge("vps@东京", &[7; NONCE]);
        assert_eq!(read_second(&challenge[..challenge.len() - 1]), Second::Challenge("vps@东京".into()));
        for hint in [Hint::Denied, Hint::Version, Hint::Busy] {
            assert_eq!(read_second(hint.line().trim_ascii_end()), Second::Refused(hint));
        }
        for line in [
            "",
            "{}",
            "unauthorized",
            r#"{"v":2}"#,
            r#"{"v":2,"err":"?"}"#,
            r#"{"v":1,"err":"busy"}"#,
            r#"{"v":2,"srv":"a\nb","sn":"AAECAwQFBgcICQoLDA0ODw=="}"#,
            r#"{"v":2,"srv":"a","sn":"AAEC"}"#,
        ] {
            assert_eq!(read_second(line.as_bytes()), Second::Malformed, "{line}");
        }
    }

    #[test]
    fn a_body_with_a_tab_or_without_a_mac_does_not_open() {
        let keys = Keys::new(b"k");
        let sealed = keys.seal_report(b"1", b"2", b"{\t}".to_vec());
        assert_eq!(keys.open_report(b"1", b"2", sealed.trim_ascii_end()), None);
        for line in [&b""[..], b"\t", b"{}", b"{}\t", b"\xff\t\xff", b"{}\tAAAA"] {
            assert_eq!(keys.open_report(b"1", b"2", line), None);
        }
    }

    #[test]
    fn numbers_beyond_any_number_are_no_report() {
        for per in ["1e999", "-1e999", "NaN", "inf", "\"30\"", "null"] {
            assert_eq!(read_report(format!(r#"{{"ev":"beat","per":{per}}}"#).as_bytes()), None, "{per}");
        }
        assert!(read_report(br#"{"ev":"beat","per":30}"#).is_some());
        assert!(read_report(br#"["beat",30]"#).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Keys::new(b"hunter2")), "<keys>");
    }
}
