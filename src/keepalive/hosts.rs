//! The client map: hosts by name, in parts that are saved and copied one at a time.

use std::net::IpAddr;
use std::ops::Range;

use crate::clock::{Now, Tick};
use crate::keepalive::host::{Host, Shard, Standing, fnv};

/// Parts in which the roster is saved and copied: at most some 200 hosts each.
pub const SHARDS: usize = 64;

/// A host and its name.
pub struct Entry {
    /// Its name.
    pub name: Box<str>,
    /// What is known of it.
    pub host: Host,
}

/// Hosts by name: a list in the order of the hashes of the names, whose upper bits are the number of the part.
pub struct Hosts {
    entries: Vec<(u64, Box<Entry>)>,
    dirty: [bool; SHARDS],
}

impl Default for Hosts {
    fn default() -> Hosts {
        Hosts { entries: Vec::new(), dirty: [false; SHARDS] }
    }
}

impl Hosts {
    /// What is known of `name`.
    pub fn get(&self, name: &str) -> Option<&Host> {
        let at = self.find(name).ok()?;
        self.entries.get(at).map(|(_, entry)| &entry.host)
    }

    /// The same, to change it; see [`Hosts::mark`].
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Host> {
        let at = self.find(name).ok()?;
        self.entry(at).map(|entry| &mut entry.host)
    }

    /// The host at a place in [`Hosts::iter`].
    pub fn at(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at).map(|(_, entry)| &**entry)
    }

    /// The same, to change it.
    pub fn entry(&mut self, at: usize) -> Option<&mut Entry> {
        self.entries.get_mut(at).map(|(_, entry)| &mut **entry)
    }

    /// Hosts known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no host is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where each host that is up beats from.
    pub fn sources(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.iter().filter(|entry| entry.host.standing == Standing::Up).map(|entry| (entry.host.from.ip(), 1))
    }

    /// All hosts.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| &**entry)
    }

    /// Hands out every host to change; a host for which `change` says so must be saved.
    pub fn each(&mut self, change: &mut dyn FnMut(&str, &mut Host) -> bool) {
        for (hash, entry) in &mut self.entries {
            if change(&entry.name, &mut entry.host)
                && let Some(dirty) = self.dirty.get_mut(part_of(*hash))
            {
                *dirty = true;
            }
        }
    }

    /// The hosts whose name has this hash: one, but for chance.
    pub fn by_hash(&mut self, hash: u64) -> impl Iterator<Item = &mut Host> {
        let first = self.first(hash);
        let same = self.entries.iter_mut().skip(first).take_while(move |(other, _)| *other == hash);
        same.map(|(_, entry)| &mut entry.host)
    }

    /// A copy of one part, for whoever writes it down or shows it.
    pub fn copy(&self, shard: usize) -> Vec<(Box<str>, Host)> {
        self.part(shard).iter().map(|(_, entry)| (entry.name.clone(), entry.host.clone())).collect()
    }

    /// Shows every host of one part.
    pub fn see(&self, shard: usize, look: &mut dyn FnMut(&str, &Host)) {
        self.part(shard).iter().for_each(|(_, entry)| look(&entry.name, &entry.host));
    }

    /// Hash of the name and last beat of each host that is up in one part.
    pub fn beats(&self, shard: usize) -> Vec<(u64, Tick)> {
        let up = self.part(shard).iter().filter(|(_, entry)| entry.host.standing == Standing::Up);
        up.map(|(hash, entry)| (*hash, entry.host.last)).collect()
    }

    /// Takes the next part that must be saved, unless a record in it has changed after change number `saved`:
    /// then its event must be saved first.
    pub fn take_dirty(&mut self, saved: u64, now: &Now) -> Option<Shard> {
        let clean = |number: &usize| {
            self.dirty.get(*number) == Some(&true)
                && self.part(*number).iter().all(|(_, entry)| entry.host.seq <= saved)
        };
        let number = (0..SHARDS).find(clean)?;
        self.set_dirty(number, false);
        Some(Shard::new(number, self.copy(number), now))
    }

    /// A part could not be saved: it is due again.
    pub fn put_back_dirty(&mut self, number: usize) {
        self.set_dirty(number, true);
    }

    /// Adds a host, in place of one of the same name.
    pub fn insert(&mut self, name: Box<str>, host: Host) {
        self.mark(&name);
        let hash = hash(&name);
        match self.find(&name) {
            Ok(at) => {
                if let Some(entry) = self.entry(at) {
                    entry.host = host;
                }
            }
            Err(at) => self.entries.insert(at, (hash, Box::new(Entry { name, host }))),
        }
    }

    /// Takes a host off.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.find(name) {
            self.entries.remove(at);
            self.mark(name);
        }
    }

    /// A host changed in a way that must be saved.
    pub fn mark(&mut self, name: &str) {
        self.set_dirty(part_of(hash(name)), true);
    }

    fn set_dirty(&mut self, number: usize, is: bool) {
        if let Some(dirty) = self.dirty.get_mut(number) {
            *dirty = is;
        }
    }

    /// Where a host is, or where it belongs.
    #[inline(never)]
    fn find(&self, name: &str) -> Result<usize, usize> {
        let hash = hash(name);
        let mut at = self.first(hash);
        while let Some((_, entry)) = self.entries.get(at).filter(|(other, _)| *other == hash) {
            if *entry.name == *name {
                return Ok(at);
            }
            at += 1;
        }
        Err(at)
    }

    /// The first place with a hash of at least `hash`.
    #[inline(never)]
    fn first(&self, hash: u64) -> usize {
        self.entries.partition_point(|(other, _)| *other < hash)
    }

    fn part(&self, shard: usize) -> &[(u64, Box<Entry>)] {
        let from = |shard: usize| shard as u64 * (1 << (64 - SHARDS.ilog2()));
        let end = if shard + 1 < SHARDS { self.first(from(shard + 1)) } else { self.entries.len() };
        let range: Range<usize> = self.first(from(shard))..end;
        self.entries.get(range).unwrap_or_default()
    }
}

/// FNV with its bits mixed once more: names that differ only in the last letters go to different parts, too.
fn hash(name: &str) -> u64 {
    let hash = fnv(name.as_bytes());
    (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn part_of(hash: u64) -> usize {
    usize::try_from(hash >> (64 - SHARDS.ilog2())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_spread_over_the_parts() {
        let mut counts = [0; SHARDS];
        for n in 0..10_000 {
            counts[part_of(hash(&format!("web-{n}@rack-{}", n % 40)))] += 1;
        }
        assert!(counts.iter().all(|count| (80..256).contains(count)), "{counts:?}");
    }
}
