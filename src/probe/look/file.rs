//! Whether a file is there, fresh, and of the right size.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::{Seen, bad};
use crate::clock::Wall;
use crate::config::units::show_span;

/// What a file has to be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FileRules {
    /// It must not be there; nothing else counts then.
    pub absent: bool,
    /// So long after it was written last it is too old.
    pub max_age: Option<Duration>,
    /// Bytes that it must have.
    pub min_size: Option<u64>,
    /// Bytes beyond which it is too large.
    pub max_size: Option<u64>,
}

/// It is there and should not be.
pub const THERE: &str = "it is there";
/// It is not there.
pub const NOT_THERE: &str = "it is not there";
/// Its age cannot be told.
const NO_CLOCK: &str = "the clock of this host is not set";

/// Looks at the file. On a file system that hangs it hangs too.
pub fn look(path: &Path, rules: &FileRules, now: Wall) -> Seen {
    let meta = match fs::metadata(path) {
        Ok(_) if rules.absent => return bad(THERE),
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return if rules.absent { (Some(true), NOT_THERE.to_owned()) } else { bad(NOT_THERE) };
        }
        Err(error) => return bad(error.to_string()),
    };
    let size = meta.len();
    let bytes = [&size.to_string(), " bytes"].concat();
    if rules.min_size.is_some_and(|least| size < least) {
        return bad(["it is too small: ", &bytes].concat());
    }
    if rules.max_size.is_some_and(|most| size > most) {
        return bad(["it is too large: ", &bytes].concat());
    }
    let Some(most) = rules.max_age else { return (Some(true), bytes) };
    if !now.is_set() {
        return (None, NO_CLOCK.to_owned());
    }
    // One from the future is new.
    let age = Duration::from_secs(u64::try_from(now.secs().saturating_sub(meta.mtime())).unwrap_or(0));
    let old = ["written ", &rounded(age), " ago"].concat();
    if age > most { bad(["it is too old: ", &old].concat()) } else { (Some(true), [&bytes, ", ", &*old].concat()) }
}

/// An age that people can read: the largest unit of which there are two, rounded down.
fn rounded(age: Duration) -> String {
    let secs = age.as_secs();
    let unit = [86_400, 3600, 60].into_iter().find(|unit| secs >= 2 * unit).unwrap_or(1);
    show_span(Duration::from_secs(secs - secs % unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_fresh_and_of_the_right_size() {
        let path = std::env::temp_dir().join(["ic-file-look-", &std::process::id().to_string()].concat());
        let written = |rules: &FileRules, later: i64| {
            let mtime = fs::metadata(&path).map_or(1_800_000_000, |meta| meta.mtime());
            look(&path, rules, Wall((mtime + later) * 1000))
        };
        let rules = FileRules::default();
        let absent = FileRules { absent: true, ..rules.clone() };
        assert_eq!(written(&rules, 0), (Some(false), NOT_THERE.to_owned()));
        assert_eq!(written(&absent, 0).0, Some(true));
        assert_eq!(look(&path.join("below"), &rules, Wall(0)).0, Some(false));
        fs::write(&path, "12345").unwrap();
        assert_eq!(written(&absent, 0), (Some(false), THERE.to_owned()));
        for (rules, later, want) in [
            (rules.clone(), 0, (Some(true), "5 bytes")),
            (FileRules { min_size: Some(5), max_size: Some(5), ..rules.clone() }, 0, (Some(true), "5 bytes")),
            (FileRules { min_size: Some(6), ..rules.clone() }, 0, (Some(false), "it is too small: 5 bytes")),
            (FileRules { max_size: Some(4), ..rules.clone() }, 0, (Some(false), "it is too large: 5 bytes")),
            (
                FileRules { max_age: Some(Duration::from_secs(60)), ..rules.clone() },
                60,
                (Some(true), "5 bytes, written 1m ago"),
            ),
            (
                FileRules { max_age: Some(Duration::from_secs(60)), ..rules.clone() },
                61,
                (Some(false), "it is too old: written 61s ago"),
            ),
            (
                FileRules { max_age: Some(Duration::from_secs(60)), ..rules.clone() },
                185 * 86_400 + 20_430,
                (Some(false), "it is too old: written 185d ago"),
            ),
            (
                FileRules { max_age: Some(Duration::ZERO), ..rules.clone() },
                -90,
                (Some(true), "5 bytes, written 0s ago"),
            ),
            (FileRules { max_age: Some(Duration::ZERO), ..rules }, -1_800_000_000, (None, NO_CLOCK)),
        ] {
            let seen = written(&rules, later);
            assert_eq!((seen.0, &*seen.1), want, "{rules:?}");
        }
        fs::remove_file(&path).unwrap();
    }
}
