//! Questions to name servers and their answers (RFC 1035, 4). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::probe::what::Record;

/// Bytes of the header.
const HEADER: usize = 12;
/// Bytes of a label, and of a name with the lengths of its labels.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 255;
/// The Internet.
const CLASS: u16 = 1;
/// Flags of the second and the third pair of bytes: it is an answer, the kind of question, it is cut off, recursion is
/// wished, the code.
const ANSWER: u16 = 0x8000;
const KIND: u16 = 0x7800;
const CUT: u16 = 0x0200;
const RECURSE: u16 = 0x0100;
const CODE: u16 = 0x000f;

/// What an answer says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// The name has these addresses; there may be none.
    Found(Vec<IpAddr>),
    /// There was more than fits.
    Cut,
    /// The server will not or cannot: 2 server failure, 3 no such name, 5 refused.
    Code(u16),
    /// It is damaged.
    Garbage,
}

fn kind_of(record: Record) -> u16 {
    match record {
        Record::A => 1,
        Record::Aaaa => 28,
    }
}

/// The question for `name`; `None` if it is no name.
pub fn question(id: u16, name: &str, record: Record) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(HEADER + MAX_NAME + 4);
    for number in [id, RECURSE, 1, 0, 0, 0] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=MAX_LABEL).contains(&usize::from(*len)))?;
        out.push(len);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    if out.len() > HEADER + MAX_NAME {
        return None;
    }
    for number in [kind_of(record), CLASS] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    Some(out)
}

/// What `packet` answers to `question`; `None` if it answers another one, or none.
pub fn answer(question: &[u8], record: Record, packet: &[u8]) -> Option<Said> {
    let (header, asked) = question.split_at_checked(HEADER)?;
    let mut rest = packet;
    let head = take(&mut rest, HEADER)?;
    let flags = u16::from_be_bytes([head[2], head[3]]);
    let repeated = take(&mut rest, asked.len())?;
    let one = head[4..6] == [0, 1];
    if head[..2] != header[..2] || flags & (ANSWER | KIND) != ANSWER || !one || !repeated.eq_ignore_ascii_case(asked) {
        return None;
    }
    Some(match flags & CODE {
        0 if flags & CUT != 0 => Said::Cut,
        0 => addresses(rest, record, u16::from_be_bytes([head[6], head[7]])).map_or(Said::Garbage, Said::Found),
        code => Said::Code(code),
    })
}

/// The addresses among `count` records; `None` if there are fewer or they are damaged.
fn addresses(mut rest: &[u8], record: Record, count: u16) -> Option<Vec<IpAddr>> {
    let mut found = Vec::new();
    // Each takes eleven bytes at least, so a packet holds no endless number of them.
    for _ in 0..count {
        skip_name(&mut rest)?;
        let fixed = take(&mut rest, 10)?;
        let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let data = take(&mut rest, usize::from(number(8)))?;
        if number(0) == kind_of(record) && number(2) == CLASS {
            let address = match record {
                Record::A => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
                Record::Aaaa => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
            };
            found.push(address);
        }
    }
    Some(found)
}

/// Leaves out a name. Where it points to is of no interest, so nothing is followed.
fn skip_name(rest: &mut &[u8]) -> Option<()> {
    loop {
        match take(rest, 1)?[0] {
            0 => return Some(()),
            len @ 1..=0x3f => take(rest, usize::from(len)).map(drop)?,
            0xc0.. => return take(rest, 1).map(drop),
            _ => return None,
        }
    }
}

fn take<'p>(rest: &mut &'p [u8], len: usize) -> Option<&'p [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u16 = 0xbeef;

    /// An answer to `question` with these flags and records: type, class and data of each.
    fn packet(question: &[u8], flags: u16, records: &[(u16, u16, &[u8])]) -> Vec<u8> {
        let mut out = question.to_vec();
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        out[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, class, data) in records {
            out.extend_from_slice(&[0xc0, 12]);
            out.extend_from_slice(&kind.to_be_bytes());
            out.extend_from_slice(&class.to_be_bytes());
            out.extend_from_slice(&[0, 0, 0, 60]);
            out.extend_from_slice(&(data.len() as u16).to_be_bytes());
            out.extend_from_slice(data);
        }
        out
    }

    fn ask(record: Record) -> Vec<u8> {
        question(ID, "www.Example.com", record).unwrap()
    }

    #[test]
    fn a_question_is_what_the_rfc_says() {
        let want = b"\xbe\xef\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07Example\x03com\x00\x00\x01\x00\x01";
        assert_eq!(ask(Record::A), want);
        assert_eq!(question(ID, "www.Example.com.", Record::A).unwrap(), want, "a dot at the end");
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        assert!(question(ID, &long, Record::Aaaa).is_some());
        for name in ["", ".", "a..b", ".a", &"a".repeat(64), &[long.as_str(), "d"].concat()] {
            assert_eq!(question(ID, name, Record::A), None, "{name}");
        }
    }

    #[test]
    fn answers_are_read() {
        let asked = ask(Record::A);
        let cname: (u16, u16, &[u8]) = (5, 1, b"\x04host\xc0\x10");
        let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let good = packet(&asked, 0x8180, &[cname, (1, 1, &[192, 0, 2, 1]), (28, 1, &v6), (1, 1, &[192, 0, 2, 2])]);
        let found = Said::Found(vec![IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
        assert_eq!(answer(&asked, Record::A, &good), Some(found));
        let mut shouted = good.clone();
        shouted[12..asked.len() - 4].make_ascii_uppercase();
        assert!(answer(&asked, Record::A, &shouted).is_some(), "the case of the name does not count");
        let aaaa = ask(Record::Aaaa);
        let found = answer(&aaaa, Record::Aaaa, &packet(&aaaa, 0x8180, &[(28, 1, &v6)]));
        assert_eq!(found, Some(Said::Found(vec!["2001:db8::1".parse().unwrap()])));
        for (flags, records, want) in [
            (0x8180, &[][..], Said::Found(Vec::new())),
            (0x8180, &[cname], Said::Found(Vec::new())),
            (0x8180, &[(1, 3, &[1, 2, 3, 4][..])], Said::Found(Vec::new())),
            (0x8183, &[], Said::Code(3)),
            (0x8182, &[], Said::Code(2)),
            (0x8380, &[], Said::Cut),
            (0x8180, &[(1, 1, &[1, 2, 3][..])], Said::Garbage),
            (0x8180, &[(1, 1, &v6[..])], Said::Garbage),
        ] {
            assert_eq!(answer(&asked, Record::A, &packet(&asked, flags, records)), Some(want), "{flags:x}");
        }
        let mut short = good.clone();
        short.truncate(good.len() - 1);
        assert_eq!(answer(&asked, Record::A, &short), Some(Said::Garbage));
        let mut more = good;
        more[6..8].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(answer(&asked, Record::A, &more), Some(Said::Garbage));
    }

    #[test]
    fn what_answers_another_question_is_passed_over() {
        let asked = ask(Record::A);
        let good = packet(&asked, 0x8180, &[(1, 1, &[192, 0, 2, 1])]);
        assert!(answer(&asked, Record::A, &good).is_some());
        // Its id, that it is an answer, its kind, how many questions, the name, the type, the class.
        for (at, bit) in
            [(0, 1), (1, 1), (2, 0x80), (2, 0x08), (5, 1), (13, 1), (asked.len() - 3, 2), (asked.len() - 1, 2)]
        {
            let mut other = good.clone();
            other[at] ^= bit;
            assert_eq!(answer(&asked, Record::A, &other), None, "{at}");
        }
        for len in 0..asked.len() {
            assert_eq!(answer(&asked, Record::A, &good[..len]), None);
        }
        assert_eq!(answer(&asked, Record::A, &asked), None, "the question itself, sent back");
        assert_eq!(answer(&[], Record::A, &good), None);
    }

    /// Whatever the bytes: an end, no panic, and no more addresses than fit.
    #[test]
    fn damaged_answers_do_no_harm() {
        let asked = ask(Record::A);
        let good =
            packet(&asked, 0x8180, &[(5, 1, b"\x04host\xc0\x10"), (1, 1, &[192, 0, 2, 1]), (1, 1, &[1, 1, 1, 1])]);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |n: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % n as u64) as usize
        };
        let mut kinds = [0; 3];
        for _ in 0..200_000 {
            let mut bad = good.clone();
            for _ in 0..1 + below(5) {
                match below(3) {
                    0 => bad.truncate(below(bad.len() + 1)),
                    1 => bad.push(below(256) as u8),
                    _ if bad.is_empty() => {}
                    // More often behind the question than in it.
                    _ => {
                        let at = (asked.len() * (below(4) + 1) / 4 + below(bad.len())) % bad.len();
                        bad[at] = below(256) as u8;
                    }
                }
            }
            match answer(&asked, Record::A, &bad) {
                None => kinds[0] += 1,
                Some(Said::Found(found)) => {
                    assert!(found.len() * 15 <= bad.len());
                    kinds[1] += 1;
                }
                Some(_) => kinds[2] += 1,
            }
        }
        assert!(kinds.iter().all(|count| *count > 1000), "{kinds:?}");
    }
}
