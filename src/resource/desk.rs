//! The thread that looks at this machine and, as a server, at what hosts say of themselves, and tells what is high.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::book::{Book, Source, limited};
use super::gauge::Gauge;
use super::what::{What, values};
use super::{ResourcePlan, Standing};
use crate::alert::pending::After;
use crate::alert::route::glob_matches;
use crate::clock;
use crate::event::{Id, Phase};
use crate::keepalive::carry::{Carry, MAX_OWN};
use crate::keepalive::host::{self, Host};
use crate::keepalive::hosts::SHARDS;
use crate::keepalive::rules::Rules;
use crate::run::board::Board;
use crate::run::parts::RESOURCES_STATE;
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};

/// Without anything to look at the thread waits for so long, or until it is rung.
const IDLE: Duration = Duration::from_secs(3600);
/// What was told nobody for want of room is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// A look that is late by less than this is no gap.
const LATE: Duration = Duration::from_secs(30);

/// What the configuration says.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// `None`: nothing is looked at any more.
    pub plan: Option<ResourcePlan>,
    /// How this host is called.
    pub me: String,
    /// It tells its own.
    pub tells: bool,
    /// It checks its hosts.
    pub serves: bool,
}

/// What it works with.
pub struct Parts {
    /// Where events go, and the hosts.
    pub board: Arc<Board>,
    /// Where those of this machine go besides.
    pub carry: Arc<Carry>,
    /// Reads this machine.
    pub gauge: Arc<Gauge>,
    /// The end of the program.
    pub stop: Stop,
}

/// The judgements, and the way to the thread.
pub struct Desk {
    book: Mutex<Book>,
    setting: Mutex<Setting>,
    bell: Bell,
    parts: Parts,
}

/// Starts the thread. `saved` is the state saved last under [`RESOURCES_STATE`], of which `delivered` were taken by a
/// channel.
///
/// # Errors
/// When the system has no room for a thread.
pub fn start(
    setting: Setting,
    saved: Option<&str>,
    delivered: &[Id],
    parts: Parts,
) -> io::Result<(Arc<Desk>, JoinHandle<()>)> {
    let book = saved.map(|saved| Book::restore(saved, &clock::now())).unwrap_or_default();
    for event in book.begun() {
        parts.carry.put(&event, setting.tells);
        if delivered.contains(&event.id) {
            parts.carry.delivered(event.id);
        }
    }
    let desk = Desk { book: Mutex::new(book), setting: Mutex::new(setting), bell: Bell::default(), parts };
    desk.set_gauge();
    let desk = Arc::new(desk);
    let own = Arc::clone(&desk);
    Ok((desk, spawn("resources", SMALL_STACK, move || own.run())?))
}

impl Desk {
    /// Goes on by `setting`.
    pub fn reload(&self, setting: Setting) {
        *lock(&self.setting) = setting;
        self.set_gauge();
        self.bell.ring();
    }

    /// Has the thread look up, such as at the end of the program.
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// Where the resources stand.
    pub fn standings(&self) -> Vec<Standing> {
        let me = lock(&self.setting).me.clone();
        lock(&self.book).standings(&me)
    }

    fn set_gauge(&self) {
        let setting = lock(&self.setting);
        let plan = setting.plan.as_ref();
        self.parts.gauge.set(plan.and_then(|plan| plan.disks.as_deref()), plan.is_some());
    }

    fn run(&self) {
        while !self.parts.stop.is_stopped() {
            let setting = lock(&self.setting).clone();
            let begun = clock::tick();
            let all = self.look(&setting);
            let interval = setting.plan.as_ref().map_or(IDLE, |plan| plan.interval);
            let until = begun + if all { interval } else { RETRY };
            self.bell.wait(until.since(clock::tick()));
        }
    }

    /// Looks at everything once and tells what there is to tell; `false` if there was no room for all of it.
    fn look(&self, setting: &Setting) -> bool {
        // Before any lock: it may take a moment.
        let plan = setting.plan.as_ref();
        let sample = plan.map(|plan| {
            let fresh = plan.interval / 2;
            (plan, self.parts.gauge.sample(fresh, plan.interval.saturating_mul(2) + LATE))
        });
        let mut book = lock(&self.book);
        book.begin();
        if let Some((plan, sample)) = sample {
            let source = Source { host: None, patience: plan.interval.saturating_mul(2) + LATE };
            for (what, limit, value) in limited(plan, &values(&sample.readings, sample.uptime)) {
                if !matches!(what, What::Disk | What::Inodes) {
                    book.observe(source, what, "", (value, sample.at), limit);
                }
            }
            for disk in &sample.disks {
                for (what, value) in [(What::Disk, disk.space.used), (What::Inodes, disk.space.inodes)] {
                    if let Some(limit) = plan.limit(what) {
                        if disk.space.missing {
                            book.show(what, &disk.path, limit);
                        }
                        book.observe(source, what, &disk.path, (value.map(i64::from), disk.at), limit);
                    }
                }
            }
            if setting.serves {
                self.look_at_hosts(&mut book, plan);
            }
        }
        book.sweep();
        self.tell(&mut book, setting)
    }

    /// A part of the roster at a time, which is some 200 hosts.
    fn look_at_hosts(&self, book: &mut Book, plan: &ResourcePlan) {
        for shard in 0..SHARDS {
            let roster = &self.parts.board.lock().roster;
            roster.hosts().see(shard, &mut |name, host| judge(book, plan, roster.rules(), name, host));
        }
    }

    fn tell(&self, book: &mut Book, setting: &Setting) -> bool {
        loop {
            let now = clock::now();
            let Some(mut due) = book.due(&setting.me, &now) else { return true };
            let (event, json) = (due.event.clone(), std::mem::take(&mut due.json));
            let begins = due.event.kind.phase() == Phase::Begin;
            let crowded = due.own && begins && book.begun().len() >= MAX_OWN;
            let mut state = self.parts.board.lock();
            // The same silences and windows as for the silence of a host. And what no server would hear of waits.
            let covered = begins && state.roster.covers(&due.event.subject, &now);
            if covered || (crowded && !setting.tells) {
                book.hold(&due);
                continue;
            }
            let after = After::Small { name: RESOURCES_STATE.to_owned(), json };
            let posted = state.pending.push(Some(event), after).is_some();
            drop(state);
            self.parts.board.wake();
            if !posted {
                return false;
            }
            let own = due.own;
            let event = book.commit(due);
            if own {
                self.parts.carry.put(&event, setting.tells);
            }
        }
    }
}

/// Takes in what a host last said. One that checks itself tells itself.
fn judge(book: &mut Book, plan: &ResourcePlan, rules: &Rules, name: &str, host: &Host) {
    let readings = host.readings.as_deref();
    if readings.is_some_and(|readings| readings.checks) {
        return;
    }
    let known = book.knows(name);
    let values = readings.filter(|_| host.standing == host::Standing::Up).map(|all| values(all, host.uptime));
    let beyond = |values| limited(plan, values).any(|(_, limit, value)| value.is_some_and(|value| value >= limit.high));
    let wanted = || plan.hosts.is_empty() || plan.hosts.iter().any(|glob| glob_matches(glob, name));
    if !(known || values.as_ref().is_some_and(beyond)) || !wanted() {
        return;
    }
    let Some(values) = values else { return book.lose(name, plan) };
    let source = Source { host: Some(name), patience: rules.patience(host.period()) };
    for (what, limit, value) in limited(plan, &values) {
        let place = readings.filter(|_| what == What::Disk).map_or("", |all| &*all.place);
        book.observe(source, what, place, (value, host.last), limit);
    }
}

#[cfg(test)]
mod tests;
