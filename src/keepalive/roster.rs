//! The watchdog's decisions: who is known, who is silent, what is to be told.
//!
//! A host's deadline is `num × its announced period + grace` after its last beat. Everything here is plain
//! computation on the time that is passed in; changes to be told go into [`Pending`], and a change that finds no
//! room there does not happen yet: the host stays due and the next scan comes back to it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick, millis};
use crate::event::Id;
use crate::json::Writer;
use crate::keepalive::host::{Cause, Host, Standing};
use crate::keepalive::hosts::Hosts;
use crate::keepalive::pushed::Pushed;
use crate::keepalive::refusals::Refusals;
use crate::keepalive::rules::Rules;
use crate::keepalive::silences::{self, Lasts, Silences};
use crate::keepalive::suspicion::Suspicion;
use crate::keepalive::told;

/// Names a roster can hold.
pub const MAX_HOSTS: usize = 10_000;
/// After a restart of the server, hosts get at least this long (plus grace) to be heard again.
const RESTART_GRACE: Duration = Duration::from_secs(120);
/// A start so soon after the boot of this machine comes before its network may work.
const BOOTING: Tick = Tick(120_000);
/// What hosts get more after such a start.
const BOOT_GRACE: Duration = Duration::from_secs(60);
/// The longest stop that a goodbye may name.
const MAX_BACK_IN: Duration = Duration::from_secs(30 * 86_400);
/// Lines that wait for the log; later ones are left out.
const MAX_NEWS: usize = 64;

/// Everything the server knows of its hosts.
pub struct Roster {
    rules: Rules,
    hosts: Hosts,
    /// No host is due before; what lies beyond is found by the next scan.
    next_due: Tick,
    refusals: Refusals,
    silences: Silences,
    suspicion: Suspicion,
    pushed: Pushed,
    /// Somebody may push reclaims.
    pushes: bool,
    /// Whether that is to be saved, and when it was saved last.
    unsaved: bool,
    saved: Option<Tick>,
    /// When the last scan was, and when the next one was to come.
    scanned: Option<(Tick, Tick)>,
    /// For so long nobody could be heard since the last scan.
    deaf: Duration,
    /// Hosts that are expected and were not heard of yet, each with the time from which on that is told.
    expected: Vec<(Box<str>, Tick)>,
    /// At most so many hosts have readings.
    readings: usize,
    news: Vec<News>,
}

/// What a scan found, for the log: the roster itself does not write one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// A host is silent, for so long.
    Silent(Box<str>, Duration),
    /// So many hosts fell silent or are late together: what is to be told is held back.
    Held(u32),
    /// For so long this server did not run or could not listen: deadlines were moved.
    Deaf(Duration),
}

impl News {
    /// The line.
    pub fn text(&self) -> String {
        let secs = |time: &Duration| time.as_secs().to_string();
        match self {
            News::Silent(name, time) => [name, " is silent for ", &secs(time), " s"].concat(),
            News::Held(hosts) => {
                [&hosts.to_string(), " hosts are late or silent together: held back for a while"].concat()
            }
            News::Deaf(time) => ["could not listen for ", &secs(time), " s: hosts get that much longer"].concat(),
        }
    }
}

impl Default for Roster {
    fn default() -> Roster {
        Roster::new(Rules::default())
    }
}

impl Roster {
    /// An empty roster.
    pub fn new(rules: Rules) -> Roster {
        Roster {
            rules,
            hosts: Hosts::default(),
            next_due: Tick(i64::MIN),
            refusals: Refusals::default(),
            silences: Silences::default(),
            suspicion: Suspicion::default(),
            pushed: Pushed::default(),
            pushes: false,
            unsaved: false,
            saved: None,
            scanned: None,
            deaf: Duration::ZERO,
            expected: Vec::new(),
            readings: 0,
            news: Vec::new(),
        }
    }

    /// Goes on with other rules. Deadlines move by what the patience has changed, but none to before now; leases that
    /// were granted stay.
    pub fn reload(&mut self, rules: Rules, now: &Now) {
        let old = std::mem::replace(&mut self.rules, rules);
        let rules = &self.rules;
        self.hosts.each(&mut |_, host| {
            let (before, after) = (old.patience(host.period()), rules.patience(host.period()));
            if host.standing == Standing::Up && before != after {
                let moved = host.deadline.0.saturating_sub(millis(before)).saturating_add(millis(after));
                host.deadline = Tick(moved).max(now.tick.min(host.deadline));
            }
            // A host that was overdue goes after a day in any case.
            if host.standing == Standing::Offline && host.cause != Cause::Overdue {
                let moved = host.deadline.0.saturating_sub(millis(old.forget)).saturating_add(millis(rules.forget));
                host.deadline = Tick(moved).max(now.tick.min(host.deadline));
            }
            let starts = rules.remind.filter(|_| host.remind.is_none() && host.told.is_some());
            if host.standing == Standing::Offline && starts.is_some() {
                host.remind = starts.map(|step| (now.tick + step, step));
            }
            false
        });
        self.expected.retain(|(name, _)| self.rules.expect.iter().any(|expected| **expected == **name));
        self.expect(&old.expect, now.tick);
        self.next_due = Tick(i64::MIN);
    }

    /// Expects the hosts of the rules that are not in `known`, counting from `from`.
    fn expect(&mut self, known: &[String], from: Tick) {
        let due = from + self.rules.patience(self.rules.period).saturating_mul(2);
        for name in self.rules.expect.iter().filter(|name| !known.contains(name)) {
            self.expected.push((name.as_str().into(), due));
        }
    }

    /// For so long nobody could be heard: connections were not taken, or got no thread.
    pub fn deaf(&mut self, time: Duration) {
        self.deaf = self.deaf.saturating_add(time);
    }

    /// Whether all of this server's own channels (but `log`) get no answer: its network may be gone.
    pub fn channels_fail(&mut self, fail: bool) {
        self.suspicion.channels_fail = fail;
    }

    /// Takes what scans found since the last time, for the log.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn note(&mut self, news: News) {
        if self.news.len() < MAX_NEWS {
            self.news.push(news);
        }
    }

    /// The rules it goes by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Until when silences are held back.
    pub fn held(&self) -> Option<Tick> {
        self.suspicion.until()
    }

    /// The silences by command.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// Puts back the silences that were read from disk.
    pub fn restore_silences(&mut self, silences: Silences) {
        self.silences = silences;
    }

    /// Tells nothing of the hosts that `glob` names; `false` if there are too many silences, or no room to save it.
    pub fn silence(&mut self, glob: &str, lasts: Lasts, now: &Now, pending: &mut Pending) -> bool {
        pending.has_room() && self.silences.add(glob, lasts, now) && self.save_silences(pending)
    }

    /// Ends silences; what was held back and still stands is told by the next scan. `false` if there is none.
    pub fn unsilence(&mut self, glob: &str, pending: &mut Pending) -> bool {
        self.next_due = Tick(i64::MIN);
        pending.has_room() && self.silences.remove(glob) && self.save_silences(pending)
    }

    /// The host is heard again after it was not, or the probe of that name is up again, which ends a silence by command.
    pub fn healthy(&mut self, name: &str, pending: &mut Pending) {
        if self.silences.healthy(name) {
            self.save_silences(pending);
        }
    }

    fn save_silences(&self, pending: &mut Pending) -> bool {
        let mut out = Writer::default();
        self.silences.write(&mut out);
        let after = After::Small { name: silences::STATE_NAME.to_owned(), json: out.into_string() };
        pending.push(None, after).is_some()
    }

    /// Puts back a host that was read from disk, unless a newer record is there already. A silence that was found but
    /// not told is found again.
    pub fn restore(&mut self, name: Box<str>, mut host: Host, now: &Now) {
        match self.hosts.get(&name) {
            Some(known) if known.seq >= host.seq => return,
            None if self.hosts.len() >= MAX_HOSTS => return,
            _ => {}
        }
        let patience = self.rules.patience(host.period());
        if host.is_untold() && host.cause != Cause::Expected {
            let overdue = host.cause == Cause::Overdue;
            host.standing = if overdue { Standing::Stopped } else { Standing::Up };
            host.deadline = if overdue { now.tick } else { host.last };
            host.detected = None;
            if let Some(flapping) = &mut host.flapping {
                flapping.take_back();
            }
        }
        // A wrong clock before a reboot must not put a deadline off for years.
        match host.standing {
            Standing::Up => {
                host.deadline = host.deadline.max(host.last + patience).min(now.tick + patience);
                // Its record may be older than its last beat; the file of last-beat times says more.
                host.about = true;
            }
            Standing::Stopped => {
                host.deadline = host.deadline.min(now.tick + MAX_BACK_IN);
                host.about = true;
            }
            Standing::Offline | Standing::Reclaimed => {}
        }
        self.insert(name, host);
    }

    /// Takes off a host that had left the roster by change number `seq`.
    pub fn restore_left(&mut self, name: &str, seq: u64) {
        if self.hosts.get(name).is_some_and(|known| known.seq < seq) {
            self.hosts.remove(name);
        }
    }

    /// Moves a restored host's last beat on to `last`, which was saved apart.
    pub fn restore_beat(&mut self, hash: u64, last: Tick, about: bool) {
        let rules = &self.rules;
        for host in self.hosts.by_hash(hash) {
            if host.standing == Standing::Up && last >= host.last {
                // Two files of one beat may differ by what the wall clock was set between them.
                if last > host.last + Duration::from_secs(1) {
                    host.postponed = 0;
                }
                host.lease_end = host.lease_end.max(last + host.lease_end.since(host.last));
                host.last = last;
                host.about = about;
                host.deadline = host.deadline.max(last + rules.patience(host.period()));
            }
        }
    }

    /// All is restored and listening begins: nobody listened meanwhile, so hosts get time to be heard again. Their
    /// deadline is at least `min(D, 2 min + grace)` from now, and a minute later if this machine has just booted; see
    /// [`Host::postpone`]. Which beats were answered last may not be on disk, so every lease may last as long as one that
    /// was granted just now: nobody else does a host's work before.
    pub fn started(&mut self, now: &Now) {
        let rules = &self.rules;
        let booting = if now.tick < BOOTING { BOOT_GRACE } else { Duration::ZERO };
        self.hosts.each(&mut |_, host| {
            let patience = rules.patience(host.period());
            host.lease_end = host.lease_end.max(now.tick + host.period().saturating_mul(rules.num));
            let until = now.tick + patience.min(RESTART_GRACE + rules.grace) + booting;
            if let Some((remind, _)) = &mut host.remind {
                *remind = (*remind).max(until);
            }
            matches!(host.standing, Standing::Up | Standing::Stopped) && host.postpone(until, patience, now.tick)
        });
        self.expect(&[], now.tick + booting);
        self.next_due = Tick(i64::MIN);
    }

    /// The hosts.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The same, for whoever saves them.
    pub fn hosts_mut(&mut self) -> &mut Hosts {
        &mut self.hosts
    }

    fn insert(&mut self, name: Box<str>, host: Host) {
        self.next_due = self.next_due.min(host.deadline);
        self.hosts.insert(name, host);
    }

    /// Whether a silence or a window says that nothing begins to be told of `name`.
    pub fn covers(&self, name: &str, now: &Now) -> bool {
        self.silences.covers(name, now) || silences::in_window(&self.rules.windows, name, &self.rules.zone, now)
    }

    /// Takes a host off the roster; whoever was told of its silence is told of this end. `false` if it is not
    /// there or there is no room to say so.
    pub fn leave(&mut self, name: &str, why: &str, now: &Now, pending: &mut Pending) -> bool {
        let Some(host) = self.hosts.get(name) else { return false };
        let event = (host.begun || host.is_flapping()).then(|| told::forgotten(name, host, why, now));
        let after = After::Host { name: name.to_owned(), record: None };
        if pending.push(event, after).is_none() {
            return false;
        }
        self.hosts.remove(name);
        true
    }

    /// A beat with a right key was refused whatever is known here: over protocol 1, or by a user that speaks for
    /// `bound` alone. Tells it once.
    pub fn refused(&mut self, who: (&str, &str, SocketAddr), bound: Option<&str>, now: &Now, pending: &mut Pending) {
        self.refusals.out_of_hand(who, bound, now, pending);
    }

    /// The id of a silence in the up-period that begins now.
    fn incident(&self, name: &str, now: &Now) -> Id {
        told::incident(b"silence", name, &self.rules.server, now)
    }
}

mod hear;
pub mod push;
mod scan;
