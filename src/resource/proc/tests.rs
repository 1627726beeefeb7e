use super::*;

#[test]
fn load_averages() {
    for (text, hundredths) in [
        ("0.52 0.58 0.59 1/497 12345\n", Some(52)),
        ("0.00 0.01 0.05 1/31 1\n", Some(0)),
        ("128.07 1.00 1.00 1/1 1", Some(12_807)),
        ("100000.00", Some(10_000_000)),
        ("100000.01", None),
        ("99999999999999999999.00 ", None),
        ("184467440737095516.15 ", None),
        ("0.5 0 0", None),
        ("0.123", None),
        ("+1.00", None),
        ("-1.00", None),
        ("nan", None),
        ("1.é", None),
        ("", None),
    ] {
        assert_eq!(load(text), hundredths, "{text}");
    }
}

#[test]
fn cores_that_are_on() {
    for (text, count) in [
        ("0\n", Some(1)),
        ("0-3\n", Some(4)),
        ("0-3,5,7-8", Some(7)),
        ("3-0", None),
        ("0-18446744073709551615", None),
        ("0-99999", None),
        ("", None),
        ("x", None),
        ("0-", None),
    ] {
        assert_eq!(cores(text), count, "{text}");
    }
}

#[test]
fn memory_in_use() {
    let new = "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    4560000 kB\nBuffers: 1 kB\n";
    let old = "MemTotal:  59000 kB\nMemFree: 10000 kB\nBuffers: 2000 kB\nCached: 12000 kB\nSwapCached: 7 kB\n";
    for (text, used) in [
        (new, Some(43)),
        (old, Some(60)),
        ("MemTotal: 100 kB\nMemAvailable: 500 kB\n", Some(0)),
        ("MemTotal: 100 kB\nMemAvailable: 0 kB\n", Some(100)),
        ("MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n", Some(100)),
        ("MemTotal: 0 kB\nMemAvailable: 0 kB\n", None),
        ("MemTotal: 184467440737095516150 kB\nMemAvailable: 1 kB\n", None),
        ("MemTotal: 100 kB\nMemFree: 1 kB\n", None),
        ("MemTotal:\nMemAvailable:\n", None),
        ("", None),
    ] {
        assert_eq!(memory(text), used, "{text}");
    }
}

#[test]
fn temperatures() {
    for (text, tenths) in [
        ("48500\n", Some(485)),
        ("48549", Some(485)),
        ("48550", Some(486)),
        ("0\n", Some(0)),
        ("-5200\n", Some(-52)),
        ("-273000\n", None),
        ("255000\n", None),
        ("9223372036854775807", None),
        ("99999999999999999999", None),
        ("--5", None),
        ("-", None),
        ("", None),
        ("48.5", None),
    ] {
        assert_eq!(temperature(text), tenths, "{text}");
    }
}

#[test]
fn parts() {
    for (part, whole, of_hundred) in [
        (0, 10, Some(0)),
        (1, 1000, Some(1)),
        (710, 1000, Some(71)),
        (711, 1000, Some(72)),
        (10, 10, Some(100)),
        (20, 10, Some(100)),
        (u64::MAX, u64::MAX, Some(100)),
        (u64::MAX / 2, u64::MAX, Some(50)),
        (1 << 56, 1 << 56, Some(100)),
        (0, 0, None),
    ] {
        assert_eq!(percent(part, whole), of_hundred, "{part} of {whole}");
    }
}

#[test]
fn swap_in_use() {
    for (text, used) in [
        ("SwapTotal: 1000 kB\nSwapFree: 250 kB\n", Some(75)),
        ("SwapCached: 9 kB\nSwapTotal: 1000 kB\nSwapFree: 1000 kB\n", Some(0)),
        ("SwapTotal: 1000 kB\nSwapFree: 5000 kB\n", Some(0)),
        ("SwapTotal: 0 kB\nSwapFree: 0 kB\n", None),
        ("SwapTotal: 1000 kB\n", None),
        ("SwapFree: 1000 kB\n", None),
        ("SwapTotal: -1 kB\nSwapFree: 0 kB\n", None),
        ("", None),
    ] {
        assert_eq!(swap(text), used, "{text}");
    }
}

#[test]
fn open_files() {
    for (text, used) in [
        ("950\t0\t1000\n", Some(95)),
        ("1234\t0\t9223372036854775807\n", Some(1)),
        ("0 0 1000", Some(0)),
        ("2000 0 1000", Some(100)),
        ("1 0 0", None),
        ("1 0", None),
        ("99999999999999999999 0 1", None),
        ("-1 0 1", None),
        ("", None),
    ] {
        assert_eq!(fds(text), used, "{text}");
    }
}

#[test]
fn uptimes() {
    for (text, seconds) in [
        ("350735.47 234388.90\n", Some(350_735)),
        ("0.00 0.00", Some(0)),
        ("350735 1", None),
        ("350735.x 1", None),
        ("-1.00 1", None),
        ("99999999999.00 1", None),
        ("18446744073709551616.00 1", None),
        ("", None),
    ] {
        assert_eq!(uptime(text), seconds, "{text}");
    }
}

const NET: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 2 1000 1000 0 0 0 0 1 2 1000 1000 0 0 0 0
  eth0: 1 2 3 40 0 0 0 0 1 2 500 6000 0 0 0 0
wlan0:1 2 10000 0 7 7 7 7 1 2 0 0 7 7 7 7
";

#[test]
fn counters_are_read() {
    for (text, cpu) in [
        ("cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1\n", Some((81, 531))),
        ("cpu  10 20 30 400\n", Some((60, 460))),
        ("cpu  10 20 30\n", None),
        ("cpu0 10 20 30 400\n", None),
        ("cpu  10 20 30 18446744073709551615\n", None),
        ("cpu  10 20 30 -4\n", None),
        ("intr 1\n", None),
        ("", None),
    ] {
        assert_eq!(Counters::read(Some(text), None).cpu, cpu, "{text}");
    }
    let only_lo = "    lo: 1 2 1000 1000 0 0 0 0 1 2 1000 1000 0 0 0 0\n";
    for (text, sum) in [
        (NET, Some(16_543)),
        (only_lo, None),
        ("  eth0: 1 2 -3 4 5 6 7 8 9 10 11 12", None),
        ("  eth0: 1 2 18446744073709551615 4 5 6 7 8 9 10 11 12", None),
        ("  eth0: 1 2 99999999999999999999 4", None),
        ("eth0 1 2 3 4", None),
        ("", None),
    ] {
        assert_eq!(Counters::read(None, Some(text)).errors, sum, "{text}");
    }
    assert_eq!(Counters::read(None, None), Counters::default());
}

#[test]
fn counters_are_told_by_their_difference() {
    let counters = |busy, all, errors| Counters { cpu: Some((busy, all)), errors: Some(errors) };
    let before = counters(1000, 5000, 100);
    for (now, ms, cpu, errors) in [
        (counters(1250, 6000, 125), 10_000, Some(25), Some(250)),
        (counters(2000, 6000, 100), 1000, Some(100), Some(0)),
        (counters(1000, 6000, 101), 60_000, Some(0), Some(1)),
        (counters(1001, 5009, 100), 50, None, Some(0)),
        (counters(999, 6000, 99), 1000, None, None),
        (counters(1000, 4999, 100), 0, None, None),
        (counters(3000, 6000, u64::MAX), 1000, Some(100), None),
        (Counters::default(), 1000, None, None),
    ] {
        assert_eq!(now.since(&before, ms), (cpu, errors), "{now:?}");
    }
    assert_eq!(before.since(&Counters::default(), 1000), (None, None));
}

/// Bytes of any kind, and good texts with some bytes changed.
#[test]
fn garbage_is_harmless() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let samples = [
        "0.52 0.58 0.59 1/497 1",
        "0-3,5",
        "MemTotal: 8 kB\nMemAvailable: 4 kB\nSwapTotal: 8 kB\nSwapFree: 2 kB",
        "-48500",
        "cpu  10 20 30 400 50 6 7 8 9 9\n",
        NET,
        "950\t0\t1000\n",
        "350735.47 1.0",
    ];
    for _ in 0..20_000 {
        let mut bytes = samples[below(samples.len() as u64) as usize].as_bytes().to_vec();
        for _ in 0..1 + below(6) {
            let at = below(bytes.len() as u64) as usize;
            match below(3) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes.insert(at, b"0123456789.-,:\n "[below(16) as usize]),
                _ => bytes.extend_from_within(..at),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let seen = (load(&text), cores(&text), memory(&text), temperature(&text));
        let counters = Counters::read(Some(&text), Some(&text));
        let more = (swap(&text), fds(&text), uptime(&text), counters.since(&Counters::default(), 1000));
        assert!(more.0.max(more.1).is_none_or(|percent| percent <= 100), "{text}: {more:?}");
        assert!(seen.2.is_none_or(|memory| memory <= 100), "{text}: {seen:?}");
        assert!(seen.3.is_none_or(|tenths| (-600..=2000).contains(&tenths)), "{text}: {seen:?}");
    }
}
