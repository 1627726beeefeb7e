//! The watchdog's decisions: who is known, who is silent, what is to be told.
//!
//! A host's deadline is `num × its announced period + grace` after its last beat. Everything here is plain
//! computation on the time that is passed in; changes to be told go into [`Pending`], and a change that finds no
//! room there does not happen yet: the host stays due and the next scan comes back to it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick, millis};
use crate::event::Id;
use crate::json::Writer;
use crate::keepalive::beat::{Ev, Notice};
use crate::keepalive::heard::{Granted, Heard, Note, Refusal, name_is_valid};
use crate::keepalive::host::{Carried, Host, Standing, fnv};
use crate::keepalive::hosts::{Entry, Hosts};
use crate::keepalive::refusals::Refusals;
use crate::keepalive::rules::Rules;
use crate::keepalive::silences::{self, Lasts, Silences};
use crate::keepalive::told::{self, Told};

/// Names a roster can hold.
pub const MAX_HOSTS: usize = 10_000;
/// After how long a reclaimed host, or one that said goodbye and is overdue, is forgotten.
const FORGET_GONE: Duration = Duration::from_secs(24 * 3600);
/// After a restart of the server, hosts get at least this long (plus grace) to be heard again.
const RESTART_GRACE: Duration = Duration::from_secs(120);
/// The longest time between two scans.
const MAX_SCAN_GAP: Duration = Duration::from_secs(1);
/// When the queue of changes is full, the time until the next look.
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// Announced periods that make sense, in milliseconds: 0.1 s to a day.
const PERIODS: std::ops::RangeInclusive<u32> = 100..=86_400_000;
/// The stop of a goodbye that names none, and the longest one it may name, in milliseconds: 10 minutes, 30 days.
const BACK_IN: (i64, i64) = (600_000, 30 * 86_400_000);

/// Hosts that carry notices; beyond that the oldest make room.
const MAX_CARRIERS: usize = 2000;

/// Everything the server knows of its hosts.
pub struct Roster {
    rules: Rules,
    hosts: Hosts,
    /// No host is due before; what lies beyond is found by the next scan.
    next_due: Tick,
    refusals: Refusals,
    silences: Silences,
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
        }
    }

    /// Goes on with other rules.
    pub fn reload(&mut self, rules: Rules, _now: &Now) {
        self.rules = rules;
    }

    /// For so long nobody could be heard: connections were not taken, or got no thread.
    pub fn deaf(&mut self, _time: Duration) {}

    /// Whether all of this server's own channels (but `log`) get no answer: its network may be gone.
    pub fn channels_fail(&mut self, _fail: bool) {}

    /// The rules it goes by.
    pub fn rules(&self) -> &Rules {
        &self.rules
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
        pending.has_room() && self.silences.remove(glob) && self.save_silences(pending)
    }

    fn save_silences(&self, pending: &mut Pending) -> bool {
        let mut out = Writer::default();
        self.silences.write(&mut out);
        let after = After::Small { name: silences::STATE_NAME.to_owned(), json: out.into_string() };
        pending.push(None, after).is_some()
    }

    /// Puts back a host that was read from disk, unless a newer record is there already. Its deadline is the later
    /// of the old one and `min(D, 2 min + grace)` from now, since nobody listened meanwhile.
    pub fn restore(&mut self, name: Box<str>, mut host: Host, now: &Now) {
        match self.hosts.get(&name) {
            Some(known) if known.seq >= host.seq => return,
            None if self.hosts.len() >= MAX_HOSTS => return,
            _ => {}
        }
        let most = match host.standing {
            Standing::Up => Some(self.rules.patience(host.period())),
            Standing::Stopped => Some(Duration::from_millis(BACK_IN.1.unsigned_abs())),
            Standing::Offline | Standing::Reclaimed => None,
        };
        if let Some(most) = most {
            // A wrong clock before a reboot must not put a deadline off for years.
            let least = self.rules.patience(host.period()).min(RESTART_GRACE + self.rules.grace);
            host.deadline = host.deadline.min(now.tick + most).max(now.tick + least);
            // Its record may be older than its last beat; the file of last-beat times says more.
            host.about = true;
        }
        self.insert(name, host);
    }

    /// The hosts.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The same, for whoever saves them.
    pub fn hosts_mut(&mut self) -> &mut Hosts {
        &mut self.hosts
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
                host.last = last;
                host.about = about;
                host.deadline = host.deadline.max(last + rules.patience(host.period()));
            }
        }
    }

    /// Takes in a beat or goodbye.
    ///
    /// # Errors
    /// When it does not count; nothing changed then, but an alert may be pending.
    pub fn hear(&mut self, heard: &Heard<'_>, now: &Now, pending: &mut Pending) -> Result<Granted, Refusal> {
        let report = heard.report;
        if !name_is_valid(heard.name) {
            return Err(Refusal::NameInvalid);
        }
        let Some(period) = u32::try_from(report.per).ok().filter(|period| PERIODS.contains(period)) else {
            return Err(Refusal::PeriodInvalid);
        };
        let period = Duration::from_millis(period.into());
        let run = if report.run.is_empty() { 0 } else { fnv(report.run.as_bytes()) };
        let lease = period.saturating_mul(self.rules.num);
        let granted = |note| Ok(Granted { next: period, lease, note });
        let note = match self.hosts.get(heard.name) {
            None if report.ev == Ev::Bye => Note::Nothing,
            None if self.hosts.len() >= MAX_HOSTS => {
                self.refusals.full(&self.rules.server, now, pending);
                return Err(Refusal::Full);
            }
            None => self.welcome(heard, period, run, now),
            Some(host) if !may_speak(host, heard) => {
                self.refusals.taken(host, heard, now, pending);
                return Err(Refusal::NameTaken);
            }
            // An attempt that was overtaken, or a goodbye of an earlier run: answered, but it changes nothing.
            Some(host) if run != 0 && run == host.run && report.seq <= host.run_seq => return granted(Note::Nothing),
            Some(host) if report.ev == Ev::Bye && run != host.run => return granted(Note::Nothing),
            Some(_) if report.ev == Ev::Bye => self.farewell(heard, now, pending),
            Some(_) => self.again(heard, period, run, now, pending),
        };
        self.carried(heard, now, pending);
        granted(note)
    }

    fn insert(&mut self, name: Box<str>, host: Host) {
        self.next_due = self.next_due.min(host.deadline);
        self.hosts.insert(name, host);
    }

    fn welcome(&mut self, heard: &Heard<'_>, period: Duration, run: u64, now: &Now) -> Note {
        let deadline = now.tick + self.rules.patience(period);
        let host = Host {
            seq: 0,
            incident: self.incident(heard.name, now),
            user: user(heard),
            old_key: heard.old_key,
            from: heard.from,
            protocol: heard.protocol,
            standing: Standing::Up,
            since: now.tick,
            told: None,
            last: now.tick,
            about: false,
            deadline,
            lease_end: now.tick + period.saturating_mul(self.rules.num),
            period: period_ms(period),
            worst_gap: 0,
            boot: fnv(heard.report.boot.as_bytes()),
            run,
            run_seq: heard.report.seq,
            announced: None,
            carried: Vec::new(),
        };
        self.insert(heard.name.into(), host);
        Note::New
    }

    fn again(&mut self, heard: &Heard<'_>, period: Duration, run: u64, now: &Now, pending: &mut Pending) -> Note {
        let back = self.hosts.get(heard.name).is_some_and(|host| host.standing != Standing::Up);
        if back && !pending.has_room() {
            // The beat waits with the change: the host beats again, and by then there may be room.
            return Note::Nothing;
        }
        let incident = back.then(|| self.incident(heard.name, now));
        let boot = fnv(heard.report.boot.as_bytes());
        let (patience, lease) = (self.rules.patience(period), period.saturating_mul(self.rules.num));
        let server = self.rules.server.clone();
        let Some(host) = self.hosts.get_mut(heard.name) else { return Note::Nothing };
        let user = user(heard);
        let moved = host.from.ip() != heard.from.ip() || host.user != user || host.old_key != heard.old_key;
        let mut save = moved || host.protocol != heard.protocol || host.run != run;
        let restarted = host.run != run && run != 0;
        if host.standing == Standing::Up {
            let gap = u32::try_from(millis(now.tick.since(host.last))).unwrap_or(u32::MAX);
            host.worst_gap = host.worst_gap.max(gap);
        }
        let event = back.then(|| told::online(heard.name, host, &server, now));
        if let Some(incident) = incident {
            host.incident = incident;
            host.standing = Standing::Up;
            host.since = now.tick;
            host.told = None;
            save = true;
        }
        host.user = user;
        host.old_key = heard.old_key;
        host.from = heard.from;
        host.protocol = heard.protocol;
        host.last = now.tick;
        host.about = false;
        host.deadline = now.tick + patience;
        host.lease_end = host.lease_end.max(now.tick + lease);
        host.period = period_ms(period);
        host.run = run;
        host.run_seq = heard.report.seq;
        if host.boot != boot {
            host.boot = boot;
            host.announced = None;
        }
        if let Some(event) = event {
            told::commit(heard.name, host, event, now, pending);
        }
        let deadline = host.deadline;
        self.next_due = self.next_due.min(deadline);
        if save {
            self.hosts.mark(heard.name);
        }
        if back {
            Note::Back
        } else if restarted {
            Note::Restarted
        } else {
            Note::Nothing
        }
    }

    fn farewell(&mut self, heard: &Heard<'_>, now: &Now, pending: &mut Pending) -> Note {
        let report = heard.report;
        if matches!(report.reason.as_deref(), Some("leave" | "rename")) {
            return if self.leave(heard.name, "it left for good", now, pending) { Note::Left } else { Note::Nothing };
        }
        let (grace, tell) = (self.rules.grace, self.rules.tell_stopped);
        let server = self.rules.server.clone();
        let Some(host) = self.hosts.get_mut(heard.name) else { return Note::Nothing };
        host.run_seq = report.seq;
        if host.standing != Standing::Up {
            return Note::Nothing;
        }
        let back_in = report.back_in.unwrap_or(BACK_IN.0).clamp(0, BACK_IN.1).unsigned_abs();
        let back_in = Duration::from_millis(back_in);
        let event = tell.then(|| told::stopped(heard.name, host, back_in, &server, now));
        if event.is_some() && !pending.has_room() {
            return Note::Nothing;
        }
        host.standing = Standing::Stopped;
        host.since = now.tick;
        host.last = now.tick;
        host.deadline = now.tick + back_in + grace;
        if let Some(event) = event {
            told::commit(heard.name, host, event, now, pending);
        }
        let deadline = host.deadline;
        self.next_due = self.next_due.min(deadline);
        self.hosts.mark(heard.name);
        Note::Stopped
    }

    /// Takes in what the beat carries, and tells what the host cannot tell itself.
    fn carried(&mut self, heard: &Heard<'_>, now: &Now, pending: &mut Pending) {
        let notices = &heard.report.data.notices;
        let run = fnv(heard.report.run.as_bytes());
        if notices.is_empty() || self.hosts.get(heard.name).is_none_or(|host| host.run != run) {
            return;
        }
        let server = self.rules.server.clone();
        let takes = self.hosts.get_mut(heard.name).is_some_and(|host| told::makes_room(host, notices, now));
        let foreign = if takes { self.foreign(heard.name, notices) } else { u32::MAX };
        let Some(host) = self.hosts.get_mut(heard.name) else { return };
        let mut changed = false;
        for (index, notice) in notices.iter().enumerate() {
            changed |= told::take_in(host, notice, foreign >> index & 1 == 0, now);
        }
        changed |= told::tell_carried(heard.name, host, &server, now, pending);
        self.next_due = self.next_due.min(told::due_at(host));
        if changed {
            self.hosts.mark(heard.name);
        }
    }

    /// Which notices (a bit for each) belong to somebody else: another host carries the same event or incident, or
    /// the incident is a silence. Then somebody copies, and the first one counts. All of them, if too many hosts carry
    /// notices already; whoever has none that matters any more makes room first.
    fn foreign(&mut self, name: &str, notices: &[Notice]) -> u32 {
        let mut foreign = 0;
        let (mut carriers, mut oldest) = (0, None);
        for (at, entry) in self.hosts.iter().enumerate() {
            let host = &entry.host;
            let own = *entry.name == *name;
            for (index, notice) in notices.iter().enumerate() {
                let same = |carried: &Carried| carried.id == notice.id || carried.incident == notice.incident;
                if host.incident == notice.incident || (!own && host.carried.iter().any(same)) {
                    foreign |= 1 << index;
                }
            }
            if !own && let Some(last) = host.carried.last() {
                carriers += 1;
                if host.carried.iter().all(|carried| carried.done) {
                    oldest = oldest.min(Some((last.heard, at))).or(Some((last.heard, at)));
                }
            }
        }
        if carriers >= MAX_CARRIERS {
            match oldest.and_then(|(_, at)| self.hosts.entry(at)) {
                Some(entry) => {
                    entry.host.carried.clear();
                    let name = entry.name.clone();
                    self.hosts.mark(&name);
                }
                None => return u32::MAX,
            }
        }
        foreign
    }

    /// Tells what is due and says when to come again.
    pub fn scan(&mut self, now: &Now, pending: &mut Pending) -> Tick {
        let latest = now.tick + MAX_SCAN_GAP;
        if now.tick < self.next_due {
            return self.next_due.min(latest);
        }
        let mut next = Tick(i64::MAX);
        let mut due = BinaryHeap::new();
        for (at, entry) in self.hosts.iter().enumerate() {
            let when = told::due_at(&entry.host);
            if when <= now.tick { due.push(Reverse((when, at))) } else { next = next.min(when) }
        }
        let mut gone = Vec::new();
        while let Some(Reverse((_, at))) = due.pop() {
            if !pending.has_room() {
                next = now.tick + FULL_PAUSE;
                break;
            }
            next = next.min(self.settle(at, now, pending, &mut gone));
        }
        for name in gone {
            if !self.leave(&name, "it was silent for long", now, pending) {
                next = now.tick + FULL_PAUSE;
            }
        }
        self.next_due = next;
        next.min(latest)
    }

    /// Tells what is due of one host and returns when it is due next. What is to leave goes to `gone`.
    fn settle(&mut self, at: usize, now: &Now, pending: &mut Pending, gone: &mut Vec<Box<str>>) -> Tick {
        let (server, forget) = (self.rules.server.clone(), self.rules.forget);
        let Some(Entry { name, host }) = self.hosts.entry(at) else { return Tick(i64::MAX) };
        let mut changed = told::tell_carried(name, host, &server, now, pending);
        if host.deadline <= now.tick && pending.has_room() {
            let overdue = host.standing == Standing::Stopped;
            let reclaimed = !overdue && host.goes_as_announced();
            match host.standing {
                Standing::Up | Standing::Stopped => {
                    let told = if reclaimed { Told::Reclaimed } else { Told::Offline { overdue } };
                    let event = told::silent(name, host, told, &server, now);
                    if !overdue {
                        host.since = host.last;
                    }
                    host.standing = if reclaimed { Standing::Reclaimed } else { Standing::Offline };
                    let keep = if reclaimed || overdue { FORGET_GONE } else { forget };
                    host.deadline = now.tick + keep;
                    host.told = Some(now.tick);
                    told::commit(name, host, event, now, pending);
                    changed = true;
                }
                Standing::Offline | Standing::Reclaimed => {
                    gone.push(name.clone());
                    return Tick(i64::MAX);
                }
            }
        }
        let due = told::due_at(host);
        if changed {
            let name = name.clone();
            self.hosts.mark(&name);
        }
        due
    }

    /// Takes a host off the roster; whoever was told of its silence is told of this end. `false` if it is not
    /// there or there is no room to say so.
    pub fn leave(&mut self, name: &str, why: &str, now: &Now, pending: &mut Pending) -> bool {
        let Some(host) = self.hosts.get(name) else { return false };
        let event = (host.standing != Standing::Up).then(|| told::forgotten(name, host, why, now));
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
        Id::of(&[
            b"silence",
            self.rules.server.as_bytes(),
            name.as_bytes(),
            &now.boot.0.to_be_bytes(),
            &now.tick.0.to_be_bytes(),
        ])
    }
}

/// Whether this user and protocol may speak for `host`. A named user may take a name from `default`, never back;
/// a name once seen with protocol 2 is refused over protocol 1.
fn may_speak(host: &Host, heard: &Heard<'_>) -> bool {
    let same = host.user == user(heard) || host.user.is_none();
    same && heard.protocol >= host.protocol
}

fn user(heard: &Heard<'_>) -> Option<Box<str>> {
    (heard.user != "default").then(|| heard.user.into())
}

fn period_ms(period: Duration) -> u32 {
    u32::try_from(period.as_millis()).unwrap_or(u32::MAX)
}
