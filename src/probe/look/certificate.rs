//! Until when a certificate is good: a walk through its DER (RFC 5280, 4.1) to that one field. Pure.

use crate::clock::Wall;
use crate::spot::timestamp;

/// Tags of DER (X.690, 8).
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, which may be left out.
const VERSION: u8 = 0xa0;

/// The end of the validity of `der`; `None` if it is no certificate.
pub fn not_after(der: &[u8]) -> Option<Wall> {
    let certificate = of(SEQUENCE, &mut &*der)?;
    let mut fields = of(SEQUENCE, &mut &*certificate)?;
    if fields.first() == Some(&VERSION) {
        of(VERSION, &mut fields)?;
    }
    // Serial number, algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        of(tag, &mut fields)?;
    }
    let mut validity = of(SEQUENCE, &mut fields)?;
    value(&mut validity)?;
    let (tag, time) = value(&mut validity)?;
    let digits = std::str::from_utf8(time).ok()?;
    let (century, rest) = match tag {
        // Two digits of the year: from 50 on it is one of the last century (RFC 5280, 4.1.2.5.1).
        UTC_TIME if time.len() == 13 => (if time[0] >= b'5' { "19" } else { "20" }, digits),
        GENERALIZED_TIME if time.len() == 15 => digits.split_at_checked(2)?,
        _ => return None,
    };
    let part = |from: usize| rest.get(from..from + 2);
    let (year, month, day, hour, minute) = (part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    timestamp::utc(&[century, year, "-", month, "-", day, "T", hour, ":", minute, ":", rest.get(10..)?].concat())
}

fn of<'d>(wanted: u8, rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    value(rest).filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
}

/// Takes the next tag and its content off `rest`.
fn value<'d>(rest: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (&[tag, short], mut after) = rest.split_first_chunk()?;
    let len = match short {
        ..=0x7f => usize::from(short),
        // The length of the length. No certificate takes more than three bytes.
        0x81..=0x83 => {
            let (bytes, more) = after.split_at_checked(usize::from(short - 0x80))?;
            after = more;
            bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(len)?;
    *rest = after;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32, names: usize) -> Vec<u8> {
        let names: Vec<String> = (0..names).map(|n| format!("host{n}.example")).collect();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 2, 3));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_found() {
        // The figures are those of `date -u -d … +%s`; from 2050 on the other form of time is used.
        for (year, names, secs) in
            [(2026, 1, 1_770_076_800), (2049, 100, 2_495_923_200), (2050, 1, 2_527_459_200), (2999, 3, 32_474_995_200)]
        {
            assert_eq!(not_after(&certificate(year, names)), Some(Wall(secs * 1000)), "{year}");
        }
    }

    /// Whatever the bytes: an answer, and never one from beyond their end.
    #[test]
    fn damaged_ones_do_no_harm() {
        let good = certificate(2026, 40);
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |n: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % n as u64) as usize
        };
        for len in 0..good.len() {
            assert_eq!(not_after(&good[..len]), None, "{len}");
        }
        let mut read = 0;
        for _ in 0..100_000 {
            let mut bad = good.clone();
            for _ in 0..1 + below(4) {
                // The field is in the first part.
                bad[below(160)] = below(256) as u8;
            }
            read += usize::from(not_after(&bad).is_some());
        }
        assert!(read > 1000 && read < 100_000, "{read}");
        for junk in [&[][..], &[0x30], &[0x30, 0x84, 0, 0, 0, 0], &[0x30, 0x83, 0xff, 0xff, 0xff], &[0x30, 0x80]] {
            assert_eq!(not_after(junk), None);
        }
    }
}
