//! The watchdog's decisions: who is known, who is silent, what is to be told.
//!
//! A host's deadline is `num × its announced period + grace` after its last beat. Everything here is plain
//! computation on the time that is passed in; changes to be told go into [`Pending`], and a change that finds no
//! room there does not happen yet: the host stays due and the next scan comes back to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::pending::{After, Pending};
use crate::clock::{Now, Tick, millis};
use crate::config::plan::ServerPlan;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::keepalive::beat::{Ev, Notice};
use crate::keepalive::heard::{Granted, Heard, Note, Refusal, name_is_valid};
use crate::keepalive::host::{Host, Record, Standing, fnv};
use crate::keepalive::hosts::Hosts;
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
/// Announced periods that make sense, in seconds.
const PERIODS: std::ops::RangeInclusive<f64> = 0.1..=86_400.0;
/// The longest stop a goodbye may announce, in seconds: 30 days.
const MAX_BACK_IN: f64 = 30.0 * 86_400.0;

/// The rules of a server.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How the server calls itself.
    pub server: Arc<str>,
    /// Beats that may be missed.
    pub num: u32,
    /// Added to `num` periods.
    pub grace: Duration,
    /// Whether a goodbye is told.
    pub tell_stopped: bool,
    /// After how long a silent host is forgotten.
    pub forget: Duration,
}

impl Rules {
    /// The rules of `plan` for a server called `server`.
    pub fn new(plan: &ServerPlan, server: &str) -> Rules {
        Rules {
            server: server.into(),
            num: plan.num,
            grace: plan.grace,
            tell_stopped: plan.tell_stopped,
            forget: plan.forget,
        }
    }

    /// D: how long a host with `period` may be silent.
    pub fn patience(&self, period: Duration) -> Duration {
        period.saturating_mul(self.num).saturating_add(self.grace)
    }
}

/// Everything the server knows of its hosts.
pub struct Roster {
    rules: Rules,
    hosts: Hosts,
    /// No host is due before; what lies beyond is found by the next scan.
    next_due: Tick,
    told_full: bool,
    told_old: Vec<Id>,
}

impl Default for Roster {
    fn default() -> Roster {
        Roster::new(Rules {
            server: "".into(),
            num: 4,
            grace: Duration::from_secs(5),
            tell_stopped: false,
            forget: FORGET_GONE,
        })
    }
}

impl Roster {
    /// An empty roster.
    pub fn new(rules: Rules) -> Roster {
        Roster { rules, hosts: Hosts::default(), next_due: Tick(i64::MIN), told_full: false, told_old: Vec::new() }
    }

    /// Puts back a host that was read from disk, unless a newer record is there already. Its deadline is the later
    /// of the old one and `min(D, 2 min + grace)` from now, since nobody listened meanwhile.
    pub fn restore(&mut self, name: Box<str>, mut host: Host, now: &Now) {
        if self.hosts.get(&name).is_some_and(|known| known.seq >= host.seq) || self.hosts.len() >= MAX_HOSTS {
            return;
        }
        if matches!(host.standing, Standing::Up | Standing::Stopped) {
            let patience = self.rules.patience(host.period()).min(RESTART_GRACE + self.rules.grace);
            host.deadline = host.deadline.max(now.tick + patience);
            // Its record may be older than its last beat; the file of last-beat times says more.
            host.about = true;
        }
        self.hosts.remove(&name);
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
            if host.standing == Standing::Up && last > host.last {
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
        if !PERIODS.contains(&report.per) {
            return Err(Refusal::PeriodInvalid);
        }
        let period = Duration::from_secs_f64(report.per);
        let run = if report.run.is_empty() { 0 } else { fnv(report.run.as_bytes()) };
        let note = match self.hosts.get(heard.name) {
            None if report.ev == Ev::Bye => Note::Nothing,
            None if self.hosts.len() >= MAX_HOSTS => {
                self.tell_full(now, pending);
                return Err(Refusal::Full);
            }
            None => self.welcome(heard, period, run, now),
            Some(host) if !may_speak(host, heard) => return Err(Refusal::NameTaken),
            // An attempt that was overtaken, or a goodbye of an earlier run: answered, but it changes nothing.
            Some(host) if run != 0 && run == host.run && report.seq <= host.run_seq => Note::Nothing,
            Some(host) if report.ev == Ev::Bye && run != host.run => Note::Nothing,
            Some(_) if report.ev == Ev::Bye => self.farewell(heard, now, pending),
            Some(_) => self.again(heard, period, run, now, pending),
        };
        self.carried(heard, now, pending);
        let hosts_there = self.hosts.at(heard.from.ip());
        Ok(Granted { next: period, lease: period.saturating_mul(self.rules.num), hosts_there, note })
    }

    fn insert(&mut self, name: Box<str>, host: Host) {
        self.next_due = self.next_due.min(host.deadline);
        self.hosts.insert(name, host);
    }

    fn welcome(&mut self, heard: &Heard<'_>, period: Duration, run: u64, now: &Now) -> Note {
        let deadline = now.tick + self.rules.patience(period);
        let host = Host {
            seq: 0,
            incident: self.silence(heard.name, now),
            user: user(heard),
            from: heard.from,
            protocol: heard.protocol,
            standing: Standing::Up,
            since: now.tick,
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
        let incident = self.silence(heard.name, now);
        let boot = fnv(heard.report.boot.as_bytes());
        let (patience, lease) = (self.rules.patience(period), period.saturating_mul(self.rules.num));
        let server = self.rules.server.clone();
        let Some(host) = self.hosts.get_mut(heard.name) else { return Note::Nothing };
        let mut save = host.from.ip() != heard.from.ip() || host.protocol != heard.protocol || host.run != run;
        let moved = (host.from.ip(), heard.from.ip());
        let restarted = host.run != run && run != 0;
        if host.standing == Standing::Up {
            let gap = u32::try_from(millis(now.tick.since(host.last))).unwrap_or(u32::MAX);
            host.worst_gap = host.worst_gap.max(gap);
        }
        let event = back.then(|| told::online(heard.name, host, &server, now));
        if back {
            host.incident = incident;
            host.standing = Standing::Up;
            host.since = now.tick;
            save = true;
        }
        host.user = user(heard);
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
            commit(heard.name, host, event, now, pending);
        }
        let deadline = host.deadline;
        self.hosts.moved(moved.0, moved.1);
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
        if report.reason.as_deref() == Some("leave") {
            return if self.leave(heard.name, "it left for good", now, pending) { Note::Left } else { Note::Nothing };
        }
        let (grace, tell) = (self.rules.grace, self.rules.tell_stopped);
        let server = self.rules.server.clone();
        let Some(host) = self.hosts.get_mut(heard.name) else { return Note::Nothing };
        host.run_seq = report.seq;
        if host.standing != Standing::Up {
            return Note::Nothing;
        }
        let back_in = report.back_in.filter(|secs| secs.is_finite()).unwrap_or(600.0).clamp(0.0, MAX_BACK_IN);
        let event = tell.then(|| told::stopped(heard.name, host, Duration::from_secs_f64(back_in), &server, now));
        if event.is_some() && !pending.has_room() {
            return Note::Nothing;
        }
        host.standing = Standing::Stopped;
        host.since = now.tick;
        host.last = now.tick;
        host.deadline = now.tick + Duration::from_secs_f64(back_in) + grace;
        if let Some(event) = event {
            commit(heard.name, host, event, now, pending);
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
        let foreign: Vec<bool> = notices.iter().map(|notice| self.is_foreign(heard.name, notice)).collect();
        let Some(host) = self.hosts.get_mut(heard.name) else { return };
        let mut changed = false;
        for (notice, _) in notices.iter().zip(foreign).filter(|(_, foreign)| !foreign) {
            changed |= told::take_in(host, notice, now);
        }
        changed |= tell_carried(heard.name, host, &server, now, pending);
        let due = told::next_due(host);
        self.next_due = due.map_or(self.next_due, |due| self.next_due.min(due));
        if changed {
            self.hosts.mark(heard.name);
        }
    }

    /// Whether another host carries the same event or incident: then somebody copies, and the first one counts.
    fn is_foreign(&self, name: &str, notice: &Notice) -> bool {
        let known = self.hosts.get(name).is_some_and(|host| host.carried.iter().any(|own| own.id == notice.id));
        !known
            && self.hosts.iter().any(|(other, host)| {
                **other != *name
                    && host.carried.iter().any(|own| own.id == notice.id || own.incident == notice.incident)
            })
    }

    /// Tells what is due and says when to come again.
    pub fn scan(&mut self, now: &Now, pending: &mut Pending) -> Tick {
        let latest = now.tick + MAX_SCAN_GAP;
        if now.tick < self.next_due {
            return self.next_due.min(latest);
        }
        let mut next = Tick(i64::MAX);
        let mut due: Vec<(Tick, Box<str>)> = Vec::new();
        for (name, host) in self.hosts.iter() {
            let at = told::next_due(host).map_or(host.deadline, |carried| carried.min(host.deadline));
            if at <= now.tick { due.push((at, name.clone())) } else { next = next.min(at) }
        }
        due.sort();
        for (_, name) in due {
            if !pending.has_room() {
                next = now.tick + FULL_PAUSE;
                break;
            }
            next = next.min(self.settle(&name, now, pending));
        }
        self.next_due = next;
        next.min(latest)
    }

    /// Tells what is due of one host and returns when it is due next.
    fn settle(&mut self, name: &str, now: &Now, pending: &mut Pending) -> Tick {
        let rules = self.rules.clone();
        let Some(host) = self.hosts.get_mut(name) else { return Tick(i64::MAX) };
        let mut changed = tell_carried(name, host, &rules.server, now, pending);
        let mut gone = false;
        if host.deadline <= now.tick && pending.has_room() {
            changed = true;
            match host.standing {
                Standing::Up | Standing::Stopped => {
                    let overdue = host.standing == Standing::Stopped;
                    let reclaimed = !overdue && host.goes_as_announced();
                    let told = if reclaimed { Told::Reclaimed } else { Told::Offline { overdue } };
                    let event = told::silent(name, host, told, &rules.server, now);
                    if !overdue {
                        host.since = host.last;
                    }
                    host.standing = if reclaimed { Standing::Reclaimed } else { Standing::Offline };
                    let keep = if reclaimed || overdue { FORGET_GONE } else { rules.forget };
                    host.deadline = now.tick + keep;
                    commit(name, host, event, now, pending);
                }
                Standing::Offline | Standing::Reclaimed => gone = true,
            }
        }
        let due = told::next_due(host).map_or(host.deadline, |carried| carried.min(host.deadline));
        if changed {
            self.hosts.mark(name);
        }
        if gone {
            self.leave(name, "it was silent for long", now, pending);
            return Tick(i64::MAX);
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
        self.told_full = false;
        true
    }

    /// A protocol 1 beat with the right key came although protocol 1 is refused: tells it once per name.
    pub fn refused_old(&mut self, name: &str, from: SocketAddr, now: &Now, pending: &mut Pending) {
        /// Names told of; later ones are left to the log.
        const MAX_TOLD: usize = 64;
        let incident = Id::of(&[b"protocol 1", name.as_bytes()]);
        if !name_is_valid(name) || self.told_old.contains(&incident) || self.told_old.len() >= MAX_TOLD {
            return;
        }
        let event = Event::new(Kind::Refused, incident, name, Moment::at(now.tick, now))
            .with_text(Field::Reason, "it speaks protocol 1, which shows the key on the wire")
            .with_text(Field::Address, from.ip().to_string())
            .with_text(Field::Hint, "update it, or allow it with auth = \"permissive\" in [keepalive.server]");
        if pending.push(Some(event), After::Nothing).is_some() {
            self.told_old.push(incident);
        }
    }

    fn tell_full(&mut self, now: &Now, pending: &mut Pending) {
        if self.told_full {
            return;
        }
        let at = Moment::at(now.tick, now);
        let event = Event::new(Kind::Refused, Id::of(&[b"full"]), &*self.rules.server, at)
            .with_text(Field::Reason, "the roster is full")
            .with(Field::Count, Fact::Number(i64::try_from(MAX_HOSTS).unwrap_or(i64::MAX)))
            .with_text(Field::Hint, "take hosts off with the command forget");
        self.told_full = pending.push(Some(event), After::Nothing).is_some();
    }

    /// The id of a silence in the up-period that begins now.
    fn silence(&self, name: &str, now: &Now) -> Id {
        Id::of(&[
            b"silence",
            self.rules.server.as_bytes(),
            name.as_bytes(),
            &now.boot.0.to_be_bytes(),
            &now.tick.0.to_be_bytes(),
        ])
    }
}

/// Puts a change of `host` and its event into the queue, which must have room.
fn commit(name: &str, host: &mut Host, event: Event, now: &Now, pending: &mut Pending) {
    host.seq = pending.next_seq();
    let record = Some(Box::new(Record::of(host, now)));
    pending
        .push(Some(event), After::Host { name: name.to_owned(), record })
        .expect("the caller saw that there is room");
}

/// Tells those carried events whose turn it is; true if anything changed.
fn tell_carried(name: &str, host: &mut Host, server: &str, now: &Now, pending: &mut Pending) -> bool {
    let mut changed = false;
    while pending.has_room()
        && let Some(event) = told::due(name, host, server, now)
    {
        commit(name, host, event, now, pending);
        changed = true;
    }
    changed
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
