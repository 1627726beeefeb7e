//! Beats and goodbyes.

use std::time::Duration;

use super::{MAX_BACK_IN, MAX_HOSTS, Roster};
use crate::alert::pending::Pending;
use crate::clock::{Now, Tick, millis};
use crate::event::{Id, Kind};
use crate::keepalive::beat::{Ev, Notice};
use crate::keepalive::heard::{Granted, Heard, Note, Refusal, name_is_valid};
use crate::keepalive::host::{Carried, Cause, Host, Standing, fnv};
use crate::keepalive::presence::{self, Life};
use crate::keepalive::told;
use crate::readings::Readings;

/// Announced periods that make sense, in milliseconds: 0.1 s to a day.
const PERIODS: std::ops::RangeInclusive<u32> = 100..=86_400_000;
/// The stop of a goodbye that names none.
const BACK_IN: Duration = Duration::from_secs(600);
/// Hosts that carry notices; beyond that the oldest make room.
const MAX_CARRIERS: usize = 2000;
/// Hosts whose readings are kept; beyond that those heard longest ago lose theirs.
const MAX_READINGS: usize = 2000;
/// The most changes that one beat brings: back, flapping, the end of a silence by command.
const MOST_CHANGES: usize = 3;

impl Roster {
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
        let (run, boot) = (run(heard), fnv(report.boot.as_bytes()));
        let lease = period.saturating_mul(self.rules.num);
        let granted = |note| Ok(Granted { next: period, lease, note });
        let note = match self.hosts.get(heard.name) {
            None if report.ev == Ev::Bye => Note::Nothing,
            None if self.hosts.len() >= MAX_HOSTS => {
                self.refusals.full(&self.rules.server, now, pending);
                return Err(Refusal::Full);
            }
            None => {
                self.insert(heard.name.into(), self.newcomer(heard.name, now.tick, now));
                self.expected.retain(|(name, _)| **name != *heard.name);
                self.take_in(heard, period, now);
                self.healthy(heard.name, pending);
                Note::New
            }
            Some(host) if !may_speak(host, heard) => {
                self.refusals.taken(host, heard, now, pending);
                return Err(Refusal::NameTaken);
            }
            // An attempt that was overtaken, or a goodbye of an earlier run: answered, but it changes nothing.
            Some(host) if run != 0 && run == host.run && report.seq <= host.run_seq => return granted(Note::Nothing),
            Some(host) if report.ev == Ev::Bye && run != host.run => return granted(Note::Nothing),
            Some(_) if report.ev == Ev::Bye => self.farewell(heard, now, pending),
            Some(host) => match presence::judge(host, (boot, report.up), (run, report.age), now.tick) {
                Life::Former => return granted(Note::Nothing),
                Life::Duplicate => {
                    self.refusals.duplicate(host, heard, now, pending);
                    return Err(Refusal::NameTaken);
                }
                life => self.again(heard, period, life, now, pending),
            },
        };
        self.carried(heard, now, pending);
        granted(note)
    }

    /// A record of a host of which nothing is known.
    pub(super) fn newcomer(&self, name: &str, since: Tick, now: &Now) -> Host {
        Host {
            seq: 0,
            incident: self.incident(name, now),
            user: None,
            from: ([0; 4], 0).into(),
            protocol: 1,
            standing: Standing::Up,
            since,
            detected: None,
            cause: Cause::Silence,
            told: None,
            begun: false,
            group: None,
            remind: None,
            postponed: 0,
            flapping: None,
            last: since,
            about: false,
            deadline: since,
            lease_end: since,
            period: u32::try_from(millis(self.rules.period)).unwrap_or(u32::MAX),
            worst_gap: 0,
            boot: 0,
            run: 0,
            run_seq: 0,
            announced: None,
            carried: Vec::new(),
            old_key: false,
            readings: None,
            uptime: Duration::ZERO,
            former: (0, Tick(0)),
        }
    }

    /// A beat of a known host that counts.
    fn again(&mut self, heard: &Heard<'_>, period: Duration, life: Life, now: &Now, pending: &mut Pending) -> Note {
        let (name, server) = (heard.name, self.rules.server.clone());
        let Some(host) = self.hosts.get(name) else { return Note::Nothing };
        let (was, begun) = (host.standing, host.begun);
        let sudden = life == Life::Rebooted && !presence::was_expected_to_go(host);
        let news = sudden && !begun && !host.is_flapping();
        let patience = self.rules.patience(period);
        if was == Standing::Up && !news {
            if let Some(flapping) = self.hosts.get_mut(name).and_then(|host| host.flapping.as_mut()).filter(|_| sudden)
            {
                flapping.bounce(patience, now.tick);
            }
            self.take_in(heard, period, now);
            return match life {
                Life::Rebooted => Note::Rebooted,
                Life::Restarted => Note::Restarted,
                Life::Same | Life::Former | Life::Duplicate => Note::Nothing,
            };
        }
        if pending.room() < MOST_CHANGES {
            // The beat waits with the change: the host beats again, and by then there may be room.
            if let Some(host) = self.hosts.get_mut(name) {
                host.lease_end = host.lease_end.max(now.tick + period.saturating_mul(self.rules.num));
            }
            return Note::Nothing;
        }
        let silent = matches!(was, Standing::Offline | Standing::Reclaimed);
        let held = host.is_untold() && self.suspicion.holds();
        let covered = self.covers(name, now);
        let incident = self.incident(name, now);
        let Some(host) = self.hosts.get_mut(name) else { return Note::Nothing };
        let mut online = begun.then(|| told::online(name, host, &server, now));
        if let Some(event) = online.as_mut().filter(|_| life == Life::Rebooted) {
            told::because(event, told::REBOOTED);
        }
        let mut rebooted = (news && !covered).then(|| told::rebooted(name, host, &server, now));
        if was == Standing::Up {
            host.flapping.get_or_insert_default().bounce(patience, now.tick);
        } else {
            rise(host, incident, now);
        }
        let mut flaps = None;
        if let Some(flapping) = host.flapping.as_mut().filter(|_| was != Standing::Up) {
            if held {
                flapping.take_back();
            } else {
                flapping.change(false, patience, now.tick);
            }
        }
        if let Some(mut flapping) = host.flapping.take() {
            if flapping.is_news(patience, now.tick) && (silent || begun || news) && !covered {
                rebooted = None;
                let mut event = told::flapping(name, host, &mut flapping, &server, now);
                if let Some(online) = &mut online {
                    let group = online.group.unwrap_or(event.incident);
                    (online.group, event.group) = (Some(group), Some(group));
                }
                flaps = Some(event);
            }
            host.flapping = Some(flapping);
        }
        self.suspicion.back += u32::from(held);
        self.take_in(heard, period, now);
        self.hosts.mark(name);
        let back = online.is_some();
        if let Some(host) = self.hosts.get_mut(name) {
            for event in [online, flaps, rebooted].into_iter().flatten() {
                told::commit(name, host, event, now, pending);
            }
        }
        self.healthy(name, pending);
        match was {
            Standing::Up => Note::Rebooted,
            Standing::Offline | Standing::Reclaimed if !back => Note::Recovered,
            _ => Note::Back,
        }
    }

    /// Notes what a beat says of its host.
    fn take_in(&mut self, heard: &Heard<'_>, period: Duration, now: &Now) {
        let report = heard.report;
        let (patience, lease) = (self.rules.patience(period), period.saturating_mul(self.rules.num));
        let (boot, run) = (fnv(report.boot.as_bytes()), run(heard));
        let Some(host) = self.hosts.get_mut(heard.name) else { return };
        let user = user(heard);
        let save = host.from.ip() != heard.from.ip()
            || host.user != user
            || host.protocol != heard.protocol
            || host.run != run
            || host.old_key != heard.old_key
            || host.period() != period
            || host.postponed != 0;
        let gap = u32::try_from(millis(now.tick.since(host.last))).unwrap_or(u32::MAX);
        if host.since <= host.last {
            host.worst_gap = host.worst_gap.max(gap);
        }
        if host.run != run {
            host.former = (host.run, now.tick);
        }
        host.user = user;
        host.from = heard.from;
        host.protocol = heard.protocol;
        host.old_key = heard.old_key;
        host.last = now.tick;
        host.about = false;
        host.postponed = 0;
        host.deadline = now.tick + patience;
        host.lease_end = host.lease_end.max(now.tick + lease);
        host.period = u32::try_from(millis(period)).unwrap_or(u32::MAX);
        host.run = run;
        host.run_seq = report.seq;
        host.uptime = Duration::from_millis(report.up.max(0).unsigned_abs());
        if host.boot != boot {
            host.boot = boot;
            host.announced = None;
        }
        let gains = host.readings.is_none();
        if let Some(readings) = &report.data.readings {
            host.readings = Some(Box::new(readings.clone()));
            self.readings += usize::from(gains);
        } else if let Some(old) = &mut host.readings {
            // What it measured is old; what it said of itself stands.
            **old = Readings { note: std::mem::take(&mut old.note), ..Readings::default() };
        }
        self.next_due = self.next_due.min(host.deadline);
        if save {
            self.hosts.mark(heard.name);
        }
        if self.readings > MAX_READINGS {
            self.drop_readings();
        }
    }

    /// Drops the readings of those that were heard longest ago: an eighth of the time between the first and the last,
    /// so that not every beat looks at all hosts.
    fn drop_readings(&mut self) {
        let (mut first, mut last, mut count) = (Tick(i64::MAX), Tick(i64::MIN), 0);
        for entry in self.hosts.iter().filter(|entry| entry.host.readings.is_some()) {
            first = first.min(entry.host.last);
            last = last.max(entry.host.last);
            count += 1;
        }
        self.readings = count;
        if count <= MAX_READINGS {
            return;
        }
        let until = first + last.since(first) / 8;
        self.hosts.each(&mut |_, host| {
            if host.last <= until && host.readings.take().is_some() {
                count -= 1;
            }
            false
        });
        self.readings = count;
    }

    fn farewell(&mut self, heard: &Heard<'_>, now: &Now, pending: &mut Pending) -> Note {
        let report = heard.report;
        let why = match report.reason.as_deref() {
            Some("leave") => "it left for good",
            Some("rename") => "it was given another name",
            _ => "",
        };
        if !why.is_empty() {
            return if self.leave(heard.name, why, now, pending) { Note::Left } else { Note::Nothing };
        }
        let (grace, patience) =
            (self.rules.grace, self.rules.patience(Duration::from_millis(report.per.unsigned_abs())));
        let tell = self.rules.tell_stopped && !self.covers(heard.name, now);
        let server = self.rules.server.clone();
        let Some(host) = self.hosts.get_mut(heard.name) else { return Note::Nothing };
        if host.standing != Standing::Up && !host.is_untold() {
            host.run_seq = report.seq;
            return Note::Nothing;
        }
        let back_in = report.back_in.and_then(|time| u64::try_from(time).ok());
        let back_in = back_in.map_or(BACK_IN, Duration::from_millis).min(MAX_BACK_IN);
        if tell && !pending.has_room() {
            return Note::Nothing;
        }
        host.run_seq = report.seq;
        // A goodbye that is told is a change like a silence.
        let mut event = (tell && !host.is_flapping()).then(|| told::stopped(heard.name, host, back_in, &server, now));
        if tell {
            host.flapping.get_or_insert_default().change(true, patience, now.tick);
        } else if let Some(flapping) = &mut host.flapping {
            flapping.change(false, patience, now.tick);
        }
        if let Some(mut flapping) = host.flapping.take() {
            if tell && flapping.is_news(patience, now.tick) {
                event = Some(told::flapping(heard.name, host, &mut flapping, &server, now));
            }
            host.flapping = Some(flapping);
        }
        host.standing = Standing::Stopped;
        host.detected = None;
        host.since = now.tick;
        host.last = now.tick;
        host.about = false;
        host.postponed = 0;
        host.deadline = now.tick + back_in + grace;
        if let Some(event) = event {
            host.begun = event.kind == Kind::Stopped;
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
        let adopted = self.adopt(notices, now);
        let notices = adopted.as_deref().unwrap_or(notices);
        let server = self.rules.server.clone();
        let takes = self.hosts.get_mut(heard.name).is_some_and(|host| told::makes_room(host, notices, now));
        let foreign = if takes { self.foreign(heard.name, notices) } else { u32::MAX };
        let Some(host) = self.hosts.get_mut(heard.name) else { return };
        let mut changed = false;
        for (index, notice) in notices.iter().enumerate() {
            let known = host.carried.len();
            let news = told::take_in(host, notice, foreign >> index & 1 == 0, now);
            // That it was delivered is no second event.
            if host.carried.len() > known && notice.told {
                told::overheard(heard.name, host, &server, now, pending);
            }
            changed |= news;
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
}

/// The host is up again, in an up-period of its own.
fn rise(host: &mut Host, incident: Id, now: &Now) {
    host.incident = incident;
    host.standing = Standing::Up;
    host.since = now.tick;
    host.detected = None;
    host.cause = Cause::Silence;
    host.told = None;
    host.begun = false;
    host.group = None;
    host.remind = None;
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

/// The hash of the run; 0 for protocol 1.
fn run(heard: &Heard<'_>) -> u64 {
    if heard.report.run.is_empty() { 0 } else { fnv(heard.report.run.as_bytes()) }
}
