//! Golden vectors, and lines that are none.

use std::io::Write as _;

use std::collections::HashMap;

use std::net::Shutdown;

use super::fake::*;
use interrupt_callback::config::plan::Auth;
use interrupt_callback::keepalive::answer::Outcome;
use interrupt_callback::keepalive::beat::Ev;
use interrupt_callback::keepalive::v1;
use interrupt_callback::keepalive::wire::{self, First, Keys, Second};

/// Blocks of `name = value` lines.
fn vectors(text: &'static str) -> Vec<HashMap<&'static str, &'static str>> {
    let body = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let blocks = body.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    let pair = |line: &&'static str| {
        let (name, value) = line.split_once(" =").unwrap_or_else(|| panic!("{line}"));
        (name, value.strip_prefix(' ').unwrap_or(value))
    };
    blocks.map(|block| block.iter().map(pair).collect()).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn protocol_2_golden_vectors() {
    let cases = vectors(include_str!("../vectors/wire-v2.txt"));
    assert!(cases.len() >= 6);
    for case in cases {
        let text = |name: &str| case[name].as_bytes().to_vec();
        let nonce = |name: &str| unhex(case[name]).try_into().unwrap();
        let keys = Keys::new(&unhex(case["key_hex"]));
        let (line1, line2) = (text("line1"), text("line2"));
        let sealed = |body: &str, mac: &str| [text(body), b"\t".to_vec(), text(mac)].concat();
        let (line3, line4) = (sealed("body3", "mac1"), sealed("body4", "mac2"));
        let with_lf = |line: &[u8]| [line, b"\n"].concat();

        // What is said.
        assert_eq!(wire::hello(case["user"], case["name"], &nonce("cn_hex")), with_lf(&line1));
        assert_eq!(wire::challenge(case["srv"], &nonce("sn_hex")), with_lf(&line2));
        assert_eq!(keys.seal_report(&line1, &line2, text("body3")), with_lf(&line3), "{}", case["case"]);
        assert_eq!(keys.seal_reply(&line1, &line2, &line3, text("body4")), with_lf(&line4));
        // What is heard.
        let First::Hello(hello) = wire::read_first(&line1) else { panic!("{}", case["line1"]) };
        assert_eq!((&*hello.user, &*hello.name), (case["user"], case["name"]));
        assert_eq!(wire::read_second(&line2), Second::Challenge(case["srv"].into()));
        assert_eq!(keys.open_report(&line1, &line2, &line3), Some(case["body3"].as_bytes()));
        assert_eq!(keys.open_reply(&line1, &line2, &line3, &line4), Some(case["body4"].as_bytes()));
        assert!(wire::read_report(case["body3"].as_bytes()).is_some());
        assert!(wire::read_reply(case["body4"].as_bytes()).is_some());
        // Reflected lines, another direction, another key.
        assert_eq!(keys.open_reply(&line1, &line2, &line3, &line3), None);
        assert_eq!(keys.open_report(&line1, &line2, &line4), None);
        assert_eq!(keys.open_report(&line2, &line1, &line3), None);
        assert_eq!(Keys::new(b"hellp").open_report(&line1, &line2, &line3), None);
        // One bit, anywhere.
        for bit in 0..8 * line1.len().max(line2.len()).max(line3.len()).max(line4.len()) {
            let flipped = |line: &[u8]| {
                let mut line = line.to_vec();
                line.get_mut(bit / 8).map(|byte| *byte ^= 1 << (bit % 8)).map(|()| line)
            };
            for (one, two, three) in [
                flipped(&line1).map(|l| (l, line2.clone(), line3.clone())),
                flipped(&line2).map(|l| (line1.clone(), l, line3.clone())),
                flipped(&line3).map(|l| (line1.clone(), line2.clone(), l)),
            ]
            .into_iter()
            .flatten()
            {
                assert_eq!(keys.open_report(&one, &two, &three), None, "bit {bit}");
                assert_eq!(keys.open_reply(&one, &two, &three, &line4), None, "bit {bit}");
            }
            if let Some(four) = flipped(&line4) {
                assert_eq!(keys.open_reply(&line1, &line2, &line3, &four), None, "bit {bit}");
            }
        }
    }
}

/// Lines that were cut, mixed and garbled at random end in an answer, not in a panic.
#[test]
fn no_bytes_upset_the_codecs() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let keys = Keys::new(b"hello");
    let seeds: Vec<&[u8]> = [include_str!("../vectors/wire-v2.txt"), include_str!("../vectors/wire-v1.txt")]
        .into_iter()
        .flat_map(vectors)
        .flat_map(|case| case.into_values().map(str::as_bytes))
        .collect();
    for _ in 0..20_000 {
        let (one, two) = (seeds[below(seeds.len())], seeds[below(seeds.len())]);
        let mut line = [&one[..below(one.len() + 1)], &two[below(two.len() + 1)..]].concat();
        for _ in 0..below(4) {
            let (at, byte) = (below(line.len() + 1), [b'\t', b'"', b'{', b'\\', 0xff, 0][below(6)]);
            line.insert(at, byte);
        }
        wire::read_first(&line);
        wire::read_second(&line);
        wire::read_report(&line);
        wire::read_reply(&line);
        assert_eq!(keys.open_report(one, two, &line), None);
        assert_eq!(keys.open_reply(one, two, one, &line), None);
        v1::read_answer(&line);
        let _ = v1::read_message(&line);
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push(b'\n'),
            ('\\', Some('r')) => out.push(b'\r'),
            ('\\', Some('t')) => out.push(b'\t'),
            ('\\', Some('x')) => out.extend(unhex(&chars.by_ref().take(2).collect::<String>())),
            ('\\', other) => panic!("escape {other:?}"),
            (c, _) => out.extend(c.to_string().bytes()),
        }
    }
    out
}

#[test]
fn protocol_1_golden_vectors() {
    let fake = Fake::start(Auth::Permissive, GRANTED);
    for case in vectors(include_str!("../vectors/wire-v1.txt")) {
        let mut socket = fake.dial();
        socket.write_all(&unescape(case["in"])).unwrap();
        if case.contains_key("eof") {
            socket.shutdown(Shutdown::Write).unwrap();
        }
        let answer = String::from_utf8(read_all(&socket)).unwrap();
        assert_eq!(answer, case["out"].replace("NAME", "vps@tokyo"), "{}", case["case"]);
        let (result, ear) = fake.result();
        let counts = case["out"].contains("see you");
        assert_eq!(matches!(result, Ok(Outcome::Counted(_))), counts, "{}", case["case"]);
        assert_eq!(ear.heard.len(), usize::from(counts));
        for (user, name, protocol, report) in ear.heard {
            assert!(user == "default" && (name == "cli@vm" || name == "arr@host"));
            assert_eq!((protocol, report.ev, report.per), (1, Ev::Beat, 30_000));
        }
    }
}
