//! What the last run left in the state directory. Nothing in it is fatal: what is damaged is set aside and named.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::alert::finished::Finished;
use crate::alert::incident::Incidents;
use crate::alert::outbox::{Restored, saving};
use crate::alert::pending::After;
use crate::alert::record::{Mark, Saved};
use crate::alert::standing::Standing;
use crate::json::{self, Writer};
use crate::keepalive::hosts::SHARDS;
use crate::run::state;
use crate::run::store::with_suffix;

/// Bytes of one state file; a larger one is damaged.
const MAX_FILE: u64 = 8 * 1024 * 1024;
/// Files of the outbox that are looked at.
const MAX_OUTBOX: usize = 4096;
/// Damaged and poisonous events that are kept for a person to see.
const MAX_BAD: usize = 20;
/// Damaged files that are named; the rest are `more`.
const MAX_NAMED: usize = 20;

/// The name of a part of the roster below the state directory.
pub fn shard_name(number: usize) -> String {
    format!("hosts/{number:02}.json")
}

/// The name of a small state below the state directory.
pub fn small_name(name: &str) -> String {
    format!("{name}.json")
}

/// A small state such as that of `spot`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Small {
    /// The change that made it.
    pub seq: u64,
    /// Its content as JSON.
    pub json: String,
}

impl Small {
    /// Its file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("seq").uint(self.seq).key("json").text(&self.json).close('}');
        out.into_bytes()
    }

    fn read(value: &Value) -> Option<Small> {
        Some(Small { seq: json::uint(value, "seq")?, json: json::text(value, "json")?.to_owned() })
    }
}

/// Everything that was on disk.
#[derive(Debug, Default)]
pub struct Loaded {
    /// For the desk. The roster and others find in its records, which are in order, changes newer than their own.
    pub outbox: Restored,
    /// For the desk: the channels by name.
    pub channels: Vec<(String, Standing)>,
    /// Small states by name, as new as the outbox knows them.
    pub small: Vec<(String, Small)>,
    /// Parts of the roster: number and content, as valid as the caller's check says.
    pub hosts: Vec<(usize, Vec<u8>)>,
    /// Files that were damaged, below the state directory.
    pub damaged: Vec<String>,
    /// The number of the last change known here.
    pub last_seq: u64,
    /// What the agent held: of a server's jobs, of a queue's.
    #[cfg(feature = "jobs")]
    pub journals: [Option<Vec<u8>>; 2],
    /// The files of the book of jobs: name and content.
    #[cfg(feature = "jobs")]
    pub book: Vec<(String, Vec<u8>)>,
}

impl Loaded {
    /// The small state of that name.
    pub fn small(&self, name: &str) -> Option<&Small> {
        self.small.iter().find(|(known, _)| known == name).map(|(_, small)| small)
    }

    /// The same, read.
    pub fn json(&self, name: &str) -> Option<Value> {
        json::read(self.small(name)?.json.as_bytes())
    }
}

/// Reads the directory; `small` names the small states, `hosts_ok` says whether a part of the roster can be read.
pub fn load(dir: &Path, small: &[&str], hosts_ok: fn(&[u8]) -> bool) -> Loaded {
    let mut files = Files { dir: dir.to_path_buf(), damaged: Vec::new() };
    let mut loaded = Loaded::default();
    let outbox = &mut loaded.outbox;
    files.outbox(outbox);
    files.json("finished.json", &mut |value| {
        outbox.finished = Finished::read(value)?;
        Some(())
    });
    files.json("incidents.json", &mut |value| {
        outbox.incidents = Incidents::read(value)?;
        Some(())
    });
    files.json("digests.json", &mut |value| {
        outbox.digests = saving::read_digests(value)?;
        Some(())
    });
    files.json("channels.json", &mut |value| {
        let mut channels = Vec::new();
        for channel in value.as_array()? {
            channels.push(Standing::read(channel)?);
        }
        loaded.channels = channels;
        Some(())
    });
    loaded.last_seq = outbox.finished.seq;
    for name in small {
        let mut newest = None;
        files.json(&small_name(name), &mut |value| {
            newest = Some(Small::read(value)?);
            Some(())
        });
        let mut from_outbox = false;
        for record in &outbox.records {
            if let After::Small { name: changed, json } = &record.after
                && changed == name
                && newest.as_ref().is_none_or(|small| small.seq < record.seq)
            {
                newest = Some(Small { seq: record.seq, json: json.clone() });
                from_outbox = true;
            }
        }
        if let Some(small) = newest {
            loaded.last_seq = loaded.last_seq.max(small.seq);
            if from_outbox {
                outbox.small.push(((*name).to_owned(), small.clone()));
            }
            loaded.small.push(((*name).to_owned(), small));
        }
    }
    if let Some(record) = outbox.records.last() {
        loaded.last_seq = loaded.last_seq.max(record.seq);
    }
    for number in 0..SHARDS {
        if let Some(bytes) = files.checked(&shard_name(number), &mut |bytes| hosts_ok(bytes)) {
            loaded.hosts.push((number, bytes));
        }
    }
    #[cfg(feature = "jobs")]
    work(&mut files, &mut loaded);
    loaded.damaged = files.damaged;
    loaded
}

#[cfg(feature = "jobs")]
fn work(files: &mut Files, loaded: &mut Loaded) {
    use crate::agent::{desk, hands};
    use crate::jobs::{book, book::SHEETS, saved};
    loaded.journals =
        [desk::JOURNAL, desk::QUEUE_JOURNAL].map(|file| files.checked(file, &mut |bytes| hands::is_journal(bytes)));
    for number in 0..SHEETS {
        let file = saved::file(number);
        if let Some(bytes) = files.checked(&file, &mut |bytes| saved::read_runs(bytes).is_some()) {
            loaded.book.push((file, bytes));
        }
    }
    if let Some(bytes) = files.checked(book::NOTES, &mut |bytes| book::read_notes(bytes).is_some()) {
        loaded.book.push((book::NOTES.to_owned(), bytes));
    }
    let fired = ["jobs/", saved::FIRED].concat();
    if let Some(bytes) = files.checked(&fired, &mut |bytes| saved::read_jobs(bytes).is_some()) {
        loaded.book.push((fired, bytes));
    }
}

struct Files {
    dir: PathBuf,
    damaged: Vec<String>,
}

impl Files {
    /// Has `take` take the content of `file`, or what was kept of its last generation; `None` from it means damage.
    fn json(&mut self, file: &str, take: &mut dyn FnMut(&Value) -> Option<()>) {
        self.checked(file, &mut |bytes| json::read(bytes).is_some_and(|value| take(&value).is_some()));
    }

    /// The content of `file` if `ok` says so, else that of `FILE.old`.
    #[inline(never)]
    fn checked(&mut self, file: &str, ok: &mut dyn FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
        let path = self.dir.join(file);
        match read(&path) {
            Ok(bytes) if ok(&bytes) => return Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => {
                self.damaged(file);
                self.move_to(&path, &with_suffix(&path, ".bad"));
            }
        }
        read(&with_suffix(&path, ".old")).ok().filter(|bytes| ok(bytes))
    }

    fn damaged(&mut self, file: &str) {
        match self.damaged.len() {
            0..MAX_NAMED => self.damaged.push(file.to_owned()),
            MAX_NAMED => self.damaged.push("more".to_owned()),
            _ => {}
        }
    }

    fn move_to(&self, from: &Path, to: &Path) {
        if let Err(error) = fs::rename(from, to) {
            log::warn!("{}: cannot be set aside: {error}", from.strip_prefix(&self.dir).unwrap_or(from).display());
        }
    }

    fn outbox(&mut self, into: &mut Restored) {
        for name in list(&self.dir.join("outbox")) {
            let file = format!("outbox/{name}");
            if name.ends_with(".tmp") {
                // Cut off before it was whole: what it replaces still stands.
                self.remove(&file);
            } else if name.ends_with(".try") {
                self.event_file(&file, &mut |value| {
                    into.marks.push(Mark::read(value)?);
                    Some(())
                });
            } else if let Some(seq) = name.strip_suffix(".json").and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
                self.event_file(&file, &mut |value| {
                    let saved = Saved::read(value).filter(|saved| saved.seq == seq)?;
                    let place = into.records.partition_point(|record| record.seq < seq);
                    into.records.insert(place, saved);
                    Some(())
                });
            }
        }
        self.bound_bad();
    }

    fn event_file(&mut self, file: &str, take: &mut dyn FnMut(&Value) -> Option<()>) {
        let path = self.dir.join(file);
        let value = read(&path).ok().and_then(|bytes| json::read(&bytes));
        if value.and_then(|value| take(&value)).is_none() {
            self.damaged(file);
            let bad = self.dir.join("outbox/bad");
            if let Err(error) = state::make(&bad) {
                log::debug!("outbox/bad: {error}");
            }
            self.move_to(&path, &bad.join(path.file_name().unwrap_or_default()));
        }
    }

    fn bound_bad(&self) {
        let mut names = list(&self.dir.join("outbox/bad"));
        while names.len() > MAX_BAD {
            let oldest = (0..names.len()).min_by_key(|place| &names[*place]).unwrap_or_default();
            self.remove(&format!("outbox/bad/{}", names.swap_remove(oldest)));
        }
    }

    fn remove(&self, file: &str) {
        if let Err(error) = fs::remove_file(self.dir.join(file)) {
            log::debug!("{file}: {error}");
        }
    }
}

fn list(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).take(MAX_OUTBOX).collect()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(ErrorKind::InvalidData.into());
    }
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
