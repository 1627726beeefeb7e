//! What time brings: silences found and told, reminders, ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{MAX_HOSTS, News, RESTART_GRACE, Roster};
use crate::alert::pending::Pending;
use crate::clock::{Now, Tick, millis};
use crate::event::{Event, Id};
use crate::keepalive::host::{Cause, Host, Standing};
use crate::keepalive::hosts::Entry;
use crate::keepalive::rules::Rules;
use crate::keepalive::suspicion::{Census, GATHER, Verdict, late_at};
use crate::keepalive::told;

/// After how long a reclaimed host, or one that said goodbye and is overdue, is forgotten.
const FORGET_GONE: Duration = Duration::from_secs(24 * 3600);
/// The longest time between two scans.
const MAX_SCAN_GAP: Duration = Duration::from_secs(1);
/// A scan that comes so much later than it was to come: the server was stopped, suspended, or starved.
const FREEZE: Duration = Duration::from_secs(2);
/// When the queue of changes is full, the time until the next look.
const FULL_PAUSE: Duration = Duration::from_millis(50);
/// While a silence is covered, the time until the next look whether it still is.
const COVERED_LOOK: Duration = Duration::from_secs(5);
/// The longest time between two reminders.
const MAX_REMIND: Duration = Duration::from_secs(24 * 3600);
/// The most changes of one host at one scan: it is steady, and down.
const MOST_CHANGES: usize = 2;

/// Hosts, by their places, in the order of times.
type Queue = BinaryHeap<Reverse<(Tick, usize)>>;

/// What a scan leaves to be done once it has seen all hosts.
#[derive(Default)]
struct Rest {
    /// Reclaimed as announced.
    reclaimed: Vec<usize>,
    /// Silent for so long that they are forgotten.
    gone: Vec<Box<str>>,
    /// Silences were found that are not told.
    untold: bool,
}

impl Roster {
    /// Tells what is due and says when to come again.
    pub fn scan(&mut self, now: &Now, pending: &mut Pending) -> Tick {
        self.thaw(now);
        self.tell_pushed(now, pending);
        if now.tick >= self.next_due {
            self.next_due = self.look(now, pending);
        }
        let next = self.next_due.min(now.tick + MAX_SCAN_GAP);
        self.scanned = Some((now.tick, next));
        next
    }

    /// Moves deadlines by the time in which nobody could be heard: the whole time since the last scan, if this one
    /// comes late.
    fn thaw(&mut self, now: &Now) {
        let deaf = std::mem::take(&mut self.deaf);
        let Some((last, planned)) = self.scanned else { return };
        let gap = now.tick.since(last);
        let frozen = now.tick.since(planned) > FREEZE;
        let by = if frozen { gap } else { deaf.min(gap) };
        if by.is_zero() {
            return;
        }
        let (rules, mut moved) = (&self.rules, false);
        self.hosts.each(&mut |_, host| {
            let patience = rules.patience(host.period());
            if !matches!(host.standing, Standing::Up | Standing::Stopped) {
                // It may be back, and could not say so.
                if let Some((remind, _)) = host.remind.as_mut().filter(|_| frozen) {
                    *remind = (*remind).max(now.tick + patience.min(RESTART_GRACE + rules.grace));
                }
                return false;
            }
            // Who was heard meanwhile has lost only what came after.
            let by = by.min(now.tick.since(host.last));
            let late = late_at(host, patience, rules.grace);
            // Who was not late yet may have lost its next beat, and comes again after a while.
            let least = if late > last { by.min(host.period() + rules.grace) } else { Duration::ZERO };
            let until = (host.deadline + by).max(now.tick + least);
            let postponed = host.postpone(until, patience, now.tick);
            moved |= postponed;
            // Of the others the next beat comes before the next start.
            postponed && late <= now.tick
        });
        for (_, due) in &mut self.expected {
            due.0 = due.0.saturating_add(millis(by));
        }
        if frozen && moved {
            self.note(News::Deaf(by));
        }
    }

    /// Looks at all hosts and returns when to look again.
    fn look(&mut self, now: &Now, pending: &mut Pending) -> Tick {
        let mut next = Tick(i64::MAX);
        let (mut due, mut rest) = (Queue::new(), Rest::default());
        for (at, entry) in self.hosts.iter().enumerate() {
            let when = due_at(&entry.host, &self.rules);
            if when <= now.tick {
                due.push(Reverse((when, at)))
            } else {
                next = next.min(when)
            }
            rest.untold |= entry.host.is_untold() && !entry.host.is_flapping();
        }
        while let Some(Reverse((_, at))) = due.pop() {
            if pending.room() < MOST_CHANGES {
                next = now.tick + FULL_PAUSE;
                break;
            }
            next = next.min(self.settle(at, now, pending, &mut rest));
        }
        if !self.tell_reclaimed(&rest.reclaimed, now, pending) {
            next = now.tick + FULL_PAUSE;
        }
        next = next.min(self.miss(now, &mut rest));
        if rest.untold || self.suspicion.is_alert() {
            next = next.min(self.decide(now, pending));
        }
        for name in rest.gone {
            if !self.leave(&name, "it was silent for long", now, pending) {
                next = now.tick + FULL_PAUSE;
            }
        }
        next
    }

    /// Does what is due of one host and returns when it is due next.
    fn settle(&mut self, at: usize, now: &Now, pending: &mut Pending, rest: &mut Rest) -> Tick {
        // Of a silence that is only found here it does not matter yet.
        let matters = |host: &Host| host.is_flapping() || host.goes_as_announced() || host.remind.is_some();
        let covered = self.hosts.at(at).is_some_and(|entry| matters(&entry.host) && self.covers(&entry.name, now));
        let server = self.rules.server.clone();
        let Some(Entry { name, host }) = self.hosts.entry(at) else { return Tick(i64::MAX) };
        let patience = self.rules.patience(host.period());
        let mut changed = told::tell_carried(name, host, &server, now, pending);
        if pending.room() < MOST_CHANGES {
            return now.tick + FULL_PAUSE;
        }
        let mut found = None;
        if host.deadline <= now.tick {
            match host.standing {
                Standing::Up | Standing::Stopped => {
                    found = Some(News::Silent(name.clone(), now.tick.since(host.last)));
                    find(host, &self.rules, now);
                    if host.standing == Standing::Offline {
                        rest.untold = true;
                    } else if !covered && !host.is_flapping() {
                        rest.reclaimed.push(at);
                    }
                    changed = true;
                }
                Standing::Offline | Standing::Reclaimed => {
                    rest.gone.push(name.clone());
                    return Tick(i64::MAX);
                }
            }
        }
        if is_steady(host, patience, now.tick) {
            for event in steady(name, host, &self.rules, covered, now) {
                told::commit(name, host, event, now, pending);
            }
            // If it is down and that is not told, it is told once it is not covered any more.
            rest.untold |= host.is_untold();
            changed = true;
        }
        if let Some((when, step)) = host.remind.filter(|(when, _)| *when <= now.tick) {
            let step = step.saturating_mul(2).min(MAX_REMIND);
            host.remind = self.rules.remind.map(|_| (when.max(now.tick - step) + step, step));
            if host.remind.is_some() && !covered && pending.has_room() {
                let event = told::reminder(name, host, when, &server, now);
                told::commit(name, host, event, now, pending);
            }
            changed = true;
        }
        let due = due_at(host, &self.rules);
        if changed {
            let name = name.clone();
            self.hosts.mark(&name);
        }
        if let Some(news) = found {
            self.note(news);
        }
        due
    }

    /// Tells of those that went as announced; `false` if there is no room for all of them.
    fn tell_reclaimed(&mut self, found: &[usize], now: &Now, pending: &mut Pending) -> bool {
        let group = (found.len() > 1).then(|| self.group(b"reclaimed", now));
        let server = self.rules.server.clone();
        for at in found {
            let Some(Entry { name, host }) = self.hosts.entry(*at) else { continue };
            if !pending.has_room() {
                // It is found again by the next scan.
                host.standing = Standing::Up;
                host.deadline = now.tick;
                continue;
            }
            let event = told::silent(name, host, &server, now);
            tell(name, host, Event { group, ..event }, None, now, pending);
        }
        pending.has_room()
    }

    /// Decides whether silences that were found are told now, tells them, and returns when to look again.
    fn decide(&mut self, now: &Now, pending: &mut Pending) -> Tick {
        // It goes on as long as there is something to hold back. Asking that of one host is enough.
        let waits =
            |entry: &Entry| entry.host.is_untold() && !entry.host.is_flapping() && !self.covers(&entry.name, now);
        if let Some(until) = self.suspicion.held(now.tick)
            && self.hosts.iter().any(waits)
        {
            return until.min(now.tick + MAX_SCAN_GAP);
        }
        let (mut census, mut found, mut next) = (Census::default(), Queue::new(), Tick(i64::MAX));
        for (at, Entry { name, host }) in self.hosts.iter().enumerate() {
            let patience = self.rules.patience(host.period());
            if host.standing == Standing::Up && late_at(host, patience, self.rules.grace) <= now.tick {
                let counts = !host.is_flapping() && !host.goes_as_announced() && !self.covers(name, now);
                census.awaited += u32::from(counts);
                census.up += u32::from(counts);
            } else if host.standing == Standing::Up {
                census.up += 1;
            } else if host.standing == Standing::Stopped {
                census.overdue_soon |= host.deadline <= now.tick + GATHER && !self.covers(name, now);
            } else if host.is_untold() && !host.is_flapping() {
                if self.covers(name, now) {
                    next = now.tick + COVERED_LOOK;
                    continue;
                }
                let when = host.detected.unwrap_or(now.tick);
                census.found(when, patience, host.cause == Cause::Silence);
                found.push(Reverse((when, at)));
            }
        }
        let group = self.group(b"silent", now);
        let held = self.suspicion.holds();
        let verdict = self.suspicion.judge(&census, self.rules.hold, group, now.tick);
        match verdict {
            Verdict::Tell => next = next.min(self.tell_found(found, group, now, pending)),
            Verdict::Wait(until) => next = next.min(until).min(now.tick + MAX_SCAN_GAP),
            Verdict::Hold(until) => {
                if !held {
                    self.note(News::Held(census.awaited + census.silent));
                }
                next = next.min(until);
            }
        }
        // Who is late and beats again is seen at the next look.
        if self.suspicion.is_alert() { next.min(now.tick + MAX_SCAN_GAP) } else { next }
    }

    /// Tells silences in the order in which they were found, and returns when something of them is due next.
    fn tell_found(&mut self, mut found: Queue, group: Id, now: &Now, pending: &mut Pending) -> Tick {
        let mut next = Tick(i64::MAX);
        let (after, channels_fail) = (self.suspicion.after_hold, self.suspicion.channels_fail);
        let group = match after {
            Some(after) if after.silent > 1 => Some(after.group),
            _ => (found.len() > 1).then_some(group),
        };
        let remind = self.rules.remind.map(|step| (now.tick + step, step));
        let server = self.rules.server.clone();
        while let Some(Reverse((_, at))) = found.pop() {
            if !pending.has_room() {
                return now.tick + FULL_PAUSE;
            }
            let Some(Entry { name, host }) = self.hosts.entry(at) else { continue };
            let patience = self.rules.patience(host.period());
            if let Some(mut flapping) = host.flapping.take_if(|flapping| flapping.is_news(patience, now.tick)) {
                let event = told::flapping(name, host, &mut flapping, &server, now);
                host.flapping = Some(flapping);
                told::commit(name, host, Event { group, ..event }, now, pending);
            } else {
                let mut event = told::silent(name, host, &server, now);
                if let Some(after) = &after {
                    told::doubt(&mut event, channels_fail, after);
                }
                tell(name, host, Event { group, ..event }, remind, now, pending);
            }
            next = next.min(due_at(host, &self.rules));
            let name = name.clone();
            self.hosts.mark(&name);
        }
        next
    }

    /// Puts hosts on the roster that were expected and never heard of, as silent ones that are to be told; returns
    /// when the next is due.
    fn miss(&mut self, now: &Now, rest: &mut Rest) -> Tick {
        let mut next = Tick(i64::MAX);
        let mut missed = Vec::new();
        self.expected.retain(|(name, due)| {
            if *due <= now.tick {
                missed.push((name.clone(), *due));
                return false;
            }
            next = next.min(*due);
            true
        });
        for (name, due) in missed {
            if self.hosts.get(&name).is_some() || self.hosts.len() >= MAX_HOSTS {
                continue;
            }
            let since = due - self.rules.patience(self.rules.period).saturating_mul(2);
            let mut host = self.newcomer(&name, since, now);
            host.standing = Standing::Offline;
            host.cause = Cause::Expected;
            host.detected = Some(now.tick);
            host.deadline = now.tick + self.rules.forget;
            self.note(News::Silent(name.clone(), now.tick.since(since)));
            self.insert(name, host);
            rest.untold = true;
        }
        next
    }

    fn group(&self, what: &[u8], now: &Now) -> Id {
        told::incident(what, "", &self.rules.server, now)
    }
}

/// The host is silent as of now; who tells it, and when, is decided apart.
fn find(host: &mut Host, rules: &Rules, now: &Now) {
    let overdue = host.standing == Standing::Stopped;
    let reclaimed = !overdue && host.goes_as_announced();
    if !overdue {
        host.since = host.last;
    }
    host.standing = if reclaimed { Standing::Reclaimed } else { Standing::Offline };
    host.cause = if overdue { Cause::Overdue } else { Cause::Silence };
    host.detected = Some(now.tick);
    host.told = None;
    host.deadline = now.tick + if reclaimed || overdue { FORGET_GONE } else { rules.forget };
    let patience = rules.patience(host.period());
    host.flapping.get_or_insert_default().change(true, patience, now.tick);
}

/// Tells a silence. `remind` is when people are reminded of it.
fn tell(name: &str, host: &mut Host, event: Event, remind: Option<(Tick, Duration)>, now: &Now, pending: &mut Pending) {
    host.told = Some(now.tick);
    host.begun = true;
    host.group = event.group;
    host.remind = remind;
    told::commit(name, host, event, now, pending);
}

fn is_steady(host: &Host, patience: Duration, now: Tick) -> bool {
    host.flapping.as_ref().and_then(|flapping| flapping.steady_at(patience)).is_some_and(|at| at <= now)
}

/// The host flaps no more: the end of that, and its silence if it is down.
fn steady(name: &str, host: &mut Host, rules: &Rules, covered: bool, now: &Now) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(mut flapping) = host.flapping.take() else { return events };
    let incident = flapping.told.map(|(incident, _)| incident);
    events.extend(told::steady(name, host, &mut flapping, &rules.server, now));
    host.flapping = Some(flapping);
    if host.is_untold() && !covered {
        let event = told::silent(name, host, &rules.server, now);
        host.told = Some(now.tick);
        host.begun = true;
        host.group = incident;
        host.remind = rules.remind.map(|step| (now.tick + step, step));
        events.push(event);
        for event in &mut events {
            event.group = incident;
        }
    }
    events
}

/// When something of the host is due: its silence, its end, a reminder, or an event that it carried.
fn due_at(host: &Host, rules: &Rules) -> Tick {
    let steady = host.flapping.as_ref().and_then(|flapping| flapping.steady_at(rules.patience(host.period())));
    let remind = host.remind.map(|(when, _)| when);
    let due = told::due_at(host);
    due.min(steady.unwrap_or(due)).min(remind.unwrap_or(due))
}
