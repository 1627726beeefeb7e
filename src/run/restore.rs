//! From what the last run left on disk to the state of this one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::alert::pending::After;
use crate::clock::Now;
use crate::keepalive::host::Shard;
use crate::keepalive::roster::Roster;
use crate::keepalive::rules::Rules;
use crate::keepalive::watchdog::{BEATS_FILE, restore_beats};
use crate::run::load::Loaded;

/// Bytes of the file of last-beat times: 10,000 lines of some 35.
const MAX_BEATS: u64 = 1024 * 1024;

/// Whether a file is a part of the roster.
pub fn is_shard(bytes: &[u8]) -> bool {
    Shard::parse(bytes).is_ok()
}

/// The roster as it was, and the number of the last change that it knows of.
pub fn roster(loaded: &Loaded, rules: Rules, state: &Path, runtime: &Path, now: &Now) -> (Roster, u64) {
    let mut roster = Roster::new(rules);
    let mut last = loaded.last_seq;
    for (_, bytes) in &loaded.hosts {
        let Ok(shard) = Shard::parse(bytes) else { continue };
        for (name, host) in shard.restore(now) {
            last = last.max(host.seq);
            roster.restore(name, host, now);
        }
    }
    // What was told before the roster was saved, in the order in which it happened.
    for record in &loaded.outbox.records {
        match &record.after {
            After::Host { name, record: Some(saved) } => {
                roster.restore(name.as_str().into(), (**saved).clone().restore(now), now);
            }
            After::Host { name, record: None } => roster.restore_left(name, record.seq),
            After::Nothing | After::Small { .. } => {}
        }
    }
    for (folder, coarse) in [(state, true), (runtime, false)] {
        if let Some(bytes) = read(&folder.join(BEATS_FILE))
            && !restore_beats(&mut roster, &bytes, coarse, now)
        {
            log::warn!("{}: damaged, last beats may be off", folder.join(BEATS_FILE).display());
        }
    }
    (roster, last)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BEATS).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
