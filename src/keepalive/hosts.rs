//! The client map: hosts by name, in parts that are saved and copied one at a time.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::clock::{Now, Tick};
use crate::keepalive::host::{Host, Shard, Standing, fnv};

/// Parts in which the roster is saved and copied: at most some 200 hosts each.
pub const SHARDS: usize = 64;

/// Hosts by name.
pub struct Hosts {
    shards: [HashMap<Box<str>, Host>; SHARDS],
    dirty: [bool; SHARDS],
    count: usize,
    /// Hosts per source of connections.
    sources: HashMap<IpAddr, usize>,
}

impl Default for Hosts {
    fn default() -> Hosts {
        Hosts {
            shards: std::array::from_fn(|_| HashMap::new()),
            dirty: [false; SHARDS],
            count: 0,
            sources: HashMap::new(),
        }
    }
}

impl Hosts {
    /// What is known of `name`.
    pub fn get(&self, name: &str) -> Option<&Host> {
        self.shards[shard_of(name)].get(name)
    }

    /// The same, to change it; see [`Hosts::mark`].
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Host> {
        self.shards[shard_of(name)].get_mut(name)
    }

    /// Hosts known.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no host is known.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many hosts beat from each source: an IPv4 address, or the first address of an IPv6 /64.
    pub fn sources(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.sources.iter().map(|(source, hosts)| (*source, *hosts))
    }

    /// How many hosts beat from the source of `ip`.
    pub fn at(&self, ip: IpAddr) -> usize {
        self.sources.get(&source(ip)).copied().unwrap_or(0)
    }

    /// All hosts with their names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Box<str>, &Host)> {
        self.shards.iter().flatten()
    }

    /// The hosts whose name has this hash: one, but for chance.
    pub fn by_hash(&mut self, hash: u64) -> impl Iterator<Item = &mut Host> {
        let part = self.shards[shard_of_hash(hash)].iter_mut();
        part.filter(move |(name, _)| fnv(name.as_bytes()) == hash).map(|(_, host)| host)
    }

    /// A copy of one part, for whoever writes it down or shows it.
    pub fn copy(&self, shard: usize) -> Vec<(Box<str>, Host)> {
        self.shards[shard].iter().map(|(name, host)| (name.clone(), host.clone())).collect()
    }

    /// Hash of the name and last beat of each host that is up in one part.
    pub fn beats(&self, shard: usize) -> impl Iterator<Item = (u64, Tick)> {
        let up = self.shards[shard].iter().filter(|(_, host)| host.standing == Standing::Up);
        up.map(|(name, host)| (fnv(name.as_bytes()), host.last))
    }

    /// Takes the next part that must be saved, unless a record in it has changed after change number `saved`:
    /// then its event must be saved first.
    pub fn take_dirty(&mut self, saved: u64, now: &Now) -> Option<Shard> {
        let clean = |(number, dirty): (usize, &bool)| {
            (*dirty && self.shards[number].values().all(|host| host.seq <= saved)).then_some(number)
        };
        let number = self.dirty.iter().enumerate().find_map(clean)?;
        self.dirty[number] = false;
        Some(Shard::new(number, self.copy(number), now))
    }

    /// A part could not be saved: it is due again.
    pub fn put_back_dirty(&mut self, number: usize) {
        self.dirty[number] = true;
    }

    /// Adds a host that is not there yet.
    pub fn insert(&mut self, name: Box<str>, host: Host) {
        *self.sources.entry(source(host.from.ip())).or_insert(0) += 1;
        self.mark(&name);
        self.shards[shard_of(&name)].insert(name, host);
        self.count += 1;
    }

    /// Takes a host off.
    pub fn remove(&mut self, name: &str) {
        if let Some(host) = self.shards[shard_of(name)].remove(name) {
            self.count -= 1;
            self.mark(name);
            self.left(source(host.from.ip()));
        }
    }

    /// A host's beats come from another address.
    pub fn moved(&mut self, old: IpAddr, new: IpAddr) {
        let (old, new) = (source(old), source(new));
        if old != new {
            *self.sources.entry(new).or_insert(0) += 1;
            self.left(old);
        }
    }

    fn left(&mut self, source: IpAddr) {
        if let Some(hosts) = self.sources.get_mut(&source) {
            *hosts -= 1;
            if *hosts == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// A host changed in a way that must be saved.
    pub fn mark(&mut self, name: &str) {
        self.dirty[shard_of(name)] = true;
    }
}

fn shard_of(name: &str) -> usize {
    shard_of_hash(fnv(name.as_bytes()))
}

fn shard_of_hash(hash: u64) -> usize {
    usize::try_from((hash ^ hash >> 32) % SHARDS as u64).expect("a remainder below 64")
}

/// An IPv4 address (mapped ones unmapped), or the first address of an IPv6 /64.
fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
    }
}
