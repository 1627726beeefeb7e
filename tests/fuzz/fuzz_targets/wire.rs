//! Every line that a stranger or an impostor can send, to the server and to the client.

#![no_main]

mod edit;

use std::sync::OnceLock;

use interrupt_callback::keepalive::beat::Reply;
use interrupt_callback::keepalive::uri::Uri;
use interrupt_callback::keepalive::wire::{self, First, Keys};
use interrupt_callback::keepalive::{heard, v1};
use interrupt_callback::secret::Secret;
use libfuzzer_sys::fuzz_target;

/// What stands in the golden vectors: lines, bodies, messages.
fn vectors() -> &'static [Vec<u8>] {
    static VECTORS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    VECTORS.get_or_init(|| {
        let texts = [include_str!("../../vectors/wire-v2.txt"), include_str!("../../vectors/wire-v1.txt")];
        let values = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(" = "));
        values.map(|(_, value)| value.as_bytes().to_vec()).collect()
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let document = if which & 0x80 == 0 { bytes.to_vec() } else { edit::edited(vectors(), bytes) };
    let bytes = &document[..];
    match which % 8 {
        0 => {
            if let First::Hello(hello) = wire::read_first(bytes) {
                let again = wire::hello(&hello.user, &hello.name, &[7; 16]);
                let First::Hello(read) = wire::read_first(again.trim_ascii_end()) else { panic!("{hello:?}") };
                assert_eq!((read.user, read.name), (hello.user, hello.name));
            }
        }
        1 => drop(wire::read_second(bytes)),
        2 => {
            if let Some(report) = wire::read_report(bytes) {
                let written = report.to_json();
                let read = wire::read_report(&written).expect("what it wrote itself");
                assert_eq!(read.to_json(), written);
            }
        }
        3 => if let Some(Reply { .. }) = wire::read_reply(bytes) {},
        4 => {
            if let Ok(message) = v1::read_message(bytes) {
                let check = v1::KeyCheck::new(&Secret::new("key"), &Secret::new("%6Bey"), b"random");
                check.passes(&message);
            }
            v1::read_answer(bytes);
        }
        5 => {
            // Three lines and their keys: whatever is opened was sealed.
            let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
            let mut line = || lines.next().unwrap_or_default();
            let (key, one, two, three) = (line(), line(), line(), line());
            let keys = Keys::new(key);
            assert!(keys.open_report(one, two, three).is_none() && keys.open_reply(one, two, three, three).is_none());
            let sealed = keys.seal_report(one, two, three.to_vec());
            let opened = keys.open_report(one, two, sealed.strip_suffix(b"\n").expect("a line"));
            // A body holds no raw TAB.
            assert_eq!(opened, (!three.contains(&b'\t')).then_some(three));
        }
        6 => {
            if let Ok(text) = std::str::from_utf8(bytes)
                && let Ok(uri) = Uri::parse(text)
            {
                assert!(uri.label().starts_with("ic://"));
            }
        }
        _ => {
            if let Ok(name) = std::str::from_utf8(bytes)
                && heard::name_is_valid(name)
            {
                assert!(name.len() <= 128 && !name.contains(['\n', '\t', '\0']));
            }
        }
    }
});
