//! Zone files and rules: anything may stand in /etc/localtime and in TZ. Each process has a file of its own; a
//! folder in memory makes it fast.

#![no_main]

mod edit;

use std::sync::OnceLock;

use std::path::PathBuf;

use interrupt_callback::clock::Wall;
use interrupt_callback::zone::Zone;
use libfuzzer_sys::fuzz_target;

const YEAR: i64 = 31_556_952_000;

fn use_it(zone: &Zone) {
    for year in [i64::MIN / YEAR, -1, 0, 51, 57, 68, 200, 8000, i64::MAX / YEAR] {
        let text = zone.rfc3339(Wall(year * YEAR + 86_400_123));
        assert_eq!(text.len(), "2026-11-21T10:00:00+08:00".len(), "{text}");
        zone.human(Wall(year * YEAR));
    }
}

/// RFC 8536: a header, a block for old readers, the same with 64 bits, and a rule.
fn sound() -> &'static [Vec<u8>] {
    static SOUND: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let block = |wide: bool| {
            let mut block = b"TZif2".to_vec();
            block.extend([0; 15]);
            for count in [0_u32, 0, 0, 2, 2, 8] {
                block.extend(count.to_be_bytes());
            }
            for time in [1_000_000_000_i64, 1_100_000_000] {
                let bytes = time.to_be_bytes();
                block.extend(if wide { &bytes[..] } else { &bytes[4..] });
            }
            block.extend([0, 1]);
            for (offset, summer, name) in [(3600_i32, 0, 0), (7200, 1, 4)] {
                block.extend(offset.to_be_bytes());
                block.extend([summer, name]);
            }
            block.extend(b"CET\0CES\0");
            block
        };
        let rule = b"\nCET-1CEST,M3.5.0,M10.5.0/3\n".to_vec();
        vec![[block(false), block(true), rule].concat(), b"CET-1CEST,M3.5.0,M10.5.0/3".to_vec(), b"+08:00".to_vec()]
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let document = if which & 0x80 == 0 { bytes.to_vec() } else { edit::edited(sound(), bytes) };
    let bytes = &document[..];
    if let Ok(text) = std::str::from_utf8(bytes) {
        if !text.starts_with('/')
            && let Ok(zone) = Zone::load(Some(text))
        {
            use_it(&zone);
        }
    }
    // The system's zone, which TZ names: `TZ=:/dev/shm/ic-fuzz-zone`.
    if let Some(path) = std::env::var_os("TZ").and_then(|tz| Some(PathBuf::from(tz.to_str()?.strip_prefix(':')?))) {
        std::fs::write(&path, bytes).expect("a file that can be written");
        use_it(&Zone::load(None).expect("the system's zone"));
    }
});
