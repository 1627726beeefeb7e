//! Local time with its offset from UTC, for people.
//!
//! A reader of our own instead of a package: in the static binary for x86-64 it weighs 7 KB, where tz-rs with its adapter
//! weighed 21 KB (the whole binary lost 14.8 KB) and chrono was put at 78 KB. Held against tz-rs on the 1,198 zone files
//! of Debian's tzdata, every 11 hours from 1811 to 2160, it gave the same offsets.

mod rule;

pub use rule::civil;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use crate::clock::Wall;
use crate::zone::rule::Rule;

/// Bytes of a zone file; the largest has a few thousand.
const MAX_ZONE_FILE: u64 = 64 * 1024;
/// Bytes of a rule or a zone's name.
const MAX_TEXT: usize = 256;
/// Where zone files are.
const ZONE_FOLDER: &str = "/usr/share/zoneinfo";
/// The largest offset that RFC 3339 can write: 23:59.
const MAX_OFFSET: i64 = 24 * 3600 - 60;
/// 0000-01-01 and 9999-12-31T23:59:59 in seconds since 1970: what RFC 3339 can write.
const YEARS: (i64, i64) = (-62_167_219_200, 253_402_300_799);

/// The rules of a time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Times of change in seconds since 1970, in order, and the seconds east of UTC from then on.
    changes: Vec<(i64, i64)>,
    /// Seconds east of UTC before the first change.
    first: i64,
    /// What holds after the last change; without it the last change holds on.
    rule: Option<Rule>,
}

/// Why there is no such zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ZoneError {
    /// Neither an offset nor a rule nor the name of a zone file.
    Unknown,
    /// There is such a zone file, but it cannot be read.
    Damaged,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ZoneError::Unknown => {
                "is no time zone known here; write \"+08:00\", a rule such as \"CST-8\", \
                 or a name under /usr/share/zoneinfo"
            }
            ZoneError::Damaged => "names a zone file that cannot be read",
        })
    }
}

impl std::error::Error for ZoneError {}

impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone::fixed(0)
    }

    fn fixed(offset: i64) -> Zone {
        Zone { changes: Vec::new(), first: offset, rule: None }
    }

    /// The zone `timezone`: `"+08:00"`, `"UTC"`, a POSIX TZ rule, or the name of a zone file. `None` is the system's:
    /// `TZ`, else `/etc/localtime`, else OpenWrt's `/etc/TZ`, else UTC; what of these cannot be read is passed over.
    ///
    /// # Errors
    /// When `timezone` is given and is none of these.
    pub fn load(timezone: Option<&str>) -> Result<Zone, ZoneError> {
        match timezone {
            Some(text) => from_text(text, Path::new(ZONE_FOLDER)),
            None => Ok(system(std::env::var("TZ").ok().as_deref(), Path::new("/"))),
        }
    }

    /// `wall` as `2026-11-21T10:00:00+08:00` (RFC 3339), held within the years 0 to 9999.
    pub fn rfc3339(&self, wall: Wall) -> String {
        self.write(wall, "T", "")
    }

    /// `wall` as `2026-11-21 10:00:00 +08:00`.
    pub fn human(&self, wall: Wall) -> String {
        self.write(wall, " ", " ")
    }

    fn write(&self, wall: Wall, before_time: &str, before_offset: &str) -> String {
        let utc = wall.secs().clamp(YEARS.0, YEARS.1);
        // Offsets are written in minutes, so they are used in minutes: time and offset together are exact.
        let offset = self.offset(utc).clamp(-MAX_OFFSET, MAX_OFFSET) / 60;
        let local = (utc + offset * 60).clamp(YEARS.0, YEARS.1);
        let (year, month, day) = civil(local.div_euclid(86_400));
        let time = local.rem_euclid(86_400);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let (offset_hour, offset_minute) = (offset / 60, offset % 60);
        format!(
            "{year:04}-{month:02}-{day:02}{before_time}{hour:02}:{minute:02}:{second:02}\
             {before_offset}{sign}{offset_hour:02}:{offset_minute:02}"
        )
    }

    /// Days since 1970 and minutes since midnight, by the local clock.
    pub fn local(&self, wall: Wall) -> (i64, u16) {
        let utc = wall.secs().clamp(YEARS.0, YEARS.1);
        let minutes = (utc + self.offset(utc)).div_euclid(60);
        (minutes.div_euclid(1440), minutes.rem_euclid(1440) as u16)
    }

    /// Seconds east of UTC at `utc`, which is in seconds since 1970.
    pub fn offset(&self, utc: i64) -> i64 {
        let past = self.changes.partition_point(|(at, _)| *at <= utc);
        match &self.rule {
            Some(rule) if past == self.changes.len() => rule.offset(utc),
            _ => past.checked_sub(1).map_or(self.first, |last| self.changes[last].1),
        }
    }
}

/// The system's zone, with `root` in place of `/`.
fn system(tz: Option<&str>, root: &Path) -> Zone {
    let folder = root.join(ZONE_FOLDER.trim_start_matches('/'));
    match tz.map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
        Some("") => return Zone::utc(),
        Some(path) if path.starts_with('/') => {
            if let Some(Ok(zone)) = from_file(Path::new(path)) {
                return zone;
            }
        }
        Some(text) => {
            if let Ok(zone) = from_text(text, &folder) {
                return zone;
            }
        }
        None => {}
    }
    if let Some(Ok(zone)) = from_file(&root.join("etc/localtime")) {
        return zone;
    }
    let rule = read(&root.join("etc/TZ")).and_then(|bytes| String::from_utf8(bytes).ok());
    rule.and_then(|rule| from_text(rule.trim(), &folder).ok()).unwrap_or_else(Zone::utc)
}

fn from_text(text: &str, folder: &Path) -> Result<Zone, ZoneError> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(ZoneError::Unknown);
    }
    if text == "UTC" || text == "Z" {
        return Ok(Zone::utc());
    }
    if let Some(zone) = fixed(text) {
        return Ok(zone);
    }
    // The name before the rule, as in libc: EST5EDT is both.
    let inside = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
    if inside && let Some(zone) = from_file(&folder.join(text)) {
        return zone;
    }
    Rule::parse(text).map(|rule| Zone { rule: Some(rule), ..Zone::utc() }).ok_or(ZoneError::Unknown)
}

/// `+08:00`, `-05:30`.
fn fixed(text: &str) -> Option<Zone> {
    let (sign, digits) = match text.as_bytes() {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = digits else { return None };
    let number = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = (number(h1, h2)?, number(m1, m2)?);
    // Clocks go from -12:00 to +14:00.
    (hours <= 14 && minutes <= 59).then(|| Zone::fixed(sign * (hours * 3600 + minutes * 60)))
}

/// A zone file; `None` if there is none.
fn from_file(path: &Path) -> Option<Result<Zone, ZoneError>> {
    Some(from_bytes(&read(path)?).ok_or(ZoneError::Damaged))
}

/// The content of a zone file (RFC 9636): from version 2 on a second block with times of 64 bits, and a rule for the
/// time after them. Leap seconds are passed over.
fn from_bytes(bytes: &[u8]) -> Option<Zone> {
    let mut rest = bytes;
    let mut block = Block::read(&mut rest, 4)?;
    let mut rule = None;
    if block.version > 0 {
        block = Block::read(&mut rest, 8)?;
        let footer = rest.strip_prefix(b"\n")?;
        let end = footer.iter().position(|b| *b == b'\n')?;
        if end > 0 {
            rule = Some(Rule::parse(std::str::from_utf8(&footer[..end]).ok()?)?);
        }
    }
    let types = block.types.chunks_exact(6);
    let offsets: Vec<i64> = types.map(|kind| big_endian(&kind[..4])).collect();
    let mut changes: Vec<(i64, i64)> = Vec::with_capacity(block.kinds.len());
    for (time, kind) in block.times.chunks_exact(block.width).zip(block.kinds) {
        let at = big_endian(time);
        if changes.last().is_some_and(|(last, _)| *last >= at) {
            return None;
        }
        changes.push((at, *offsets.get(usize::from(*kind))?));
    }
    Some(Zone { changes, first: *offsets.first()?, rule })
}

/// One block of a zone file.
struct Block<'a> {
    /// 0 for the first version, else its digit.
    version: u8,
    /// Bytes of a time.
    width: usize,
    times: &'a [u8],
    /// For each time the number of its type.
    kinds: &'a [u8],
    /// Of each the seconds east of UTC in four bytes, and two more.
    types: &'a [u8],
}

impl<'a> Block<'a> {
    /// Takes a header and what it announces off `rest`.
    fn read(rest: &mut &'a [u8], width: usize) -> Option<Block<'a>> {
        let header = split(rest, 44)?;
        let version = *header.strip_prefix(b"TZif")?.first()?;
        let mut counts = [0; 6];
        for (count, bytes) in counts.iter_mut().zip(header[20..].chunks_exact(4)) {
            *count = usize::try_from(big_endian(bytes)).ok().filter(|count| *count <= MAX_ZONE_FILE as usize)?;
        }
        let [ut, standard, leaps, times, types, letters] = counts;
        let block = Block {
            version,
            width,
            times: split(rest, times * width)?,
            kinds: split(rest, times)?,
            types: split(rest, types * 6)?,
        };
        split(rest, letters + leaps * (width + 4) + standard + ut)?;
        Some(block)
    }
}

fn split<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

/// A number with a sign.
fn big_endian(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|b| *b >= 0x80);
    bytes.iter().fold(-i64::from(negative), |number, b| number << 8 | i64::from(*b))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_ZONE_FILE + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_ZONE_FILE).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// 2026-11-21T02:00:00Z.
    const NOVEMBER: Wall = Wall(1_795_226_400_999);
    /// 2026-07-01T00:00:00Z.
    const JULY: Wall = Wall(1_782_864_000_000);

    fn zone(text: &str) -> Zone {
        from_text(text, Path::new("/nonexistent")).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn offsets_and_rules() {
        for (text, november, july) in [
            ("UTC", "2026-11-21T02:00:00+00:00", "2026-07-01T00:00:00+00:00"),
            ("+08:00", "2026-11-21T10:00:00+08:00", "2026-07-01T08:00:00+08:00"),
            ("-05:30", "2026-11-20T20:30:00-05:30", "2026-06-30T18:30:00-05:30"),
            ("-00:30", "2026-11-21T01:30:00-00:30", "2026-06-30T23:30:00-00:30"),
            ("CST-8", "2026-11-21T10:00:00+08:00", "2026-07-01T08:00:00+08:00"),
            ("<+0545>-5:45", "2026-11-21T07:45:00+05:45", "2026-07-01T05:45:00+05:45"),
            ("GMT0", "2026-11-21T02:00:00+00:00", "2026-07-01T00:00:00+00:00"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-21T03:00:00+01:00", "2026-07-01T02:00:00+02:00"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-11-20T21:00:00-05:00", "2026-06-30T20:00:00-04:00"),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2026-11-21T04:00:00+02:00", "2026-07-01T03:00:00+03:00"),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-11-21T00:00:00-02:00", "2026-06-30T23:00:00-01:00"),
        ] {
            assert_eq!(zone(text).rfc3339(NOVEMBER), november, "{text}");
            assert_eq!(zone(text).rfc3339(JULY), july, "{text}");
        }
        assert_eq!(zone("+08:00").human(NOVEMBER), "2026-11-21 10:00:00 +08:00");
    }

    #[test]
    fn no_zones() {
        let long = "A".repeat(300);
        for text in [
            "",
            "+8",
            "+08",
            "+0800",
            "+15:00",
            "+08:60",
            "+0a:00",
            "Mars/Base",
            "CST",
            "../UTC",
            "/etc/localtime",
            ":UTC",
            "CST-8\n",
            "EST5EDT",
            "密-8",
            &long,
            "\0",
        ] {
            assert_eq!(from_text(text, Path::new("/nonexistent")).unwrap_err(), ZoneError::Unknown, "{text:?}");
        }
    }

    /// A zone file without rule: its version, then times and offsets in hours.
    fn zone_file(version: u8, width: usize, changes: &[(i64, u8)], footer: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for width in if version == 0 { vec![4] } else { vec![4, width] } {
            bytes.extend_from_slice(&[b"TZif", &[version][..], &[0; 15]].concat());
            let number = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
            bytes.extend([0, 0, 0, changes.len(), 3, 4].iter().flat_map(|n| number(*n)));
            bytes.extend(changes.iter().flat_map(|(at, _)| at.to_be_bytes()[8 - width..].to_vec()));
            bytes.extend(changes.iter().map(|(_, kind)| *kind));
            for hours in [0, 1, -2] {
                bytes.extend_from_slice(&i32::to_be_bytes(hours * 3600));
                bytes.extend_from_slice(&[0, 0]);
            }
            bytes.extend_from_slice(b"ABC\0");
        }
        bytes.extend_from_slice(footer.as_bytes());
        bytes
    }

    #[test]
    fn zone_files() {
        let changes = [(-100, 2), (50, 1), (200, 0)];
        let old = from_bytes(&zone_file(0, 4, &changes, "")).unwrap();
        let new = from_bytes(&zone_file(b'2', 8, &changes, "\nCST-8\n")).unwrap();
        for (utc, hours, hours_by_rule) in [(-101, 0, 0), (-100, -2, -2), (49, -2, -2), (50, 1, 1), (200, 0, 8)] {
            assert_eq!((old.offset(utc), new.offset(utc)), (hours * 3600, hours_by_rule * 3600), "{utc}");
        }
        let no_rule = from_bytes(&zone_file(b'3', 8, &changes[..2], "\n\n")).unwrap();
        assert_eq!(no_rule.offset(i64::MAX), 3600);
        let whole = zone_file(b'2', 8, &changes, "\nCST-8\n");
        for len in 0..whole.len() {
            assert!(from_bytes(&whole[..len]).is_none(), "{len}");
        }
        for (changes, footer) in [
            (&[(50, 1), (50, 2)][..], "\n\n"),
            (&[(50, 3)], "\n\n"),
            (&[], "\nnonsense\n"),
            (&[], "\nCST-8"),
            (&[], ""),
        ] {
            assert!(from_bytes(&zone_file(b'2', 8, changes, footer)).is_none(), "{changes:?} {footer:?}");
        }
        // Whatever stands in it, it is read or refused, and used without a panic.
        let mut seed = 0x1Cu64;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 40) as usize % bytes.len();
                bytes[at] = (seed >> 33) as u8;
            }
            if let Some(zone) = from_bytes(&bytes) {
                assert_eq!(zone.rfc3339(NOVEMBER).len(), 25);
            }
        }
    }

    #[test]
    fn total_for_every_time() {
        for zone in [zone("UTC"), zone("+14:00"), zone("-12:00"), zone("EST5EDT,M3.2.0,M11.1.0")] {
            for wall in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
                assert_eq!(zone.rfc3339(Wall(wall)).len(), 25, "{wall}");
            }
        }
        assert_eq!(zone("UTC").rfc3339(Wall(i64::MIN)), "0000-01-01T00:00:00+00:00");
        assert_eq!(zone("+08:00").rfc3339(Wall(i64::MAX)), "9999-12-31T23:59:59+08:00");
        assert_eq!(zone("UTC").rfc3339(Wall(-1)), "1969-12-31T23:59:59+00:00");
    }

    #[test]
    fn the_systems_zone() {
        let root = std::env::temp_dir().join(format!("ic-zone-{}", std::process::id()));
        let etc = root.join("etc");
        fs::create_dir_all(&etc).unwrap();
        fs::create_dir_all(root.join("usr/share/zoneinfo/Asia")).unwrap();
        let file = |rule: &str, path: &str| {
            let bytes = zone_file(b'2', 8, &[], &format!("\n{rule}\n"));
            fs::write(root.join(path), bytes).unwrap();
        };
        let hour = |tz: Option<&str>| system(tz, &root).human(NOVEMBER)[20..].to_owned();

        assert_eq!(hour(None), "+00:00");
        fs::write(etc.join("TZ"), "CST-8\n").unwrap();
        assert_eq!(hour(None), "+08:00");
        file("JST-9", "etc/localtime");
        assert_eq!(hour(None), "+09:00");
        file("CST-8", "usr/share/zoneinfo/Asia/Shanghai");
        assert_eq!(hour(Some("Asia/Shanghai")), "+08:00");
        assert_eq!(hour(Some(":Asia/Shanghai")), "+08:00");
        assert_eq!(hour(Some("EST5")), "-05:00");
        assert_eq!(hour(Some("")), "+00:00");
        assert_eq!(hour(Some(":/nonexistent")), "+09:00");
        assert_eq!(hour(Some("Asia")), "+09:00");
        assert_eq!(hour(Some(root.join("usr/share/zoneinfo/Asia/Shanghai").to_str().unwrap())), "+08:00");
        fs::write(etc.join("localtime"), "garbage").unwrap();
        assert_eq!(hour(None), "+08:00");
        fs::write(root.join("usr/share/zoneinfo/Bad"), vec![b'x'; 70_000]).unwrap();
        fs::write(root.join("usr/share/zoneinfo/Worse"), "TZif2").unwrap();
        let folder = root.join("usr/share/zoneinfo");
        assert_eq!(from_text("Bad", &folder).unwrap_err(), ZoneError::Unknown);
        assert_eq!(from_text("Worse", &folder).unwrap_err(), ZoneError::Damaged);
        fs::remove_dir_all(&root).unwrap();
    }
}
