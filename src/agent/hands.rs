//! What an agent holds: runs that go on, and results that its server does not have yet. Pure; its edges are in
//! [`crate::agent`].
//!
//! A run that is taken is written to the journal before it is started, and its key is never taken again. What stands in
//! the journal as running when the program starts has an unknown outcome: it may have done all of its work, or nothing.

mod journal;

use std::time::Duration;

use crate::agent::allow::{AllowPlan, Answer, Start};
use crate::alert::clean::clean;
use crate::clock::{Now, Tick};
use crate::event::Id;
use crate::keepalive::work::{Done, End, Held, Key, LATER, MAX_IDS, MAX_TAKES, Offer, Orders, Phase, Says};

/// Keys that are remembered.
const MAX_SEEN: usize = 1000;
/// Jobs whose preparation is remembered.
const MAX_PREPARED: usize = 256;
/// From one telling of a result to the next, while the server does not acknowledge it.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// What is fenced is ended so long before the lease is over: from SIGTERM to SIGKILL it may take two seconds.
const FENCE_MARGIN: Duration = Duration::from_secs(3);
/// A longer lease is not believed.
const MAX_LEASE: Duration = Duration::from_secs(86_400);
/// The guard of a run ends it so long before the lease is over, if the agent has not.
const GUARD_MARGIN: Duration = Duration::from_millis(500);
/// Bytes of output of all results together; that of the oldest goes first.
const MAX_OUT: usize = 64 * 1024;
/// Bytes of a name in the log.
const MAX_NAME: usize = 64;
/// Why nothing is taken without a journal.
const UNWRITTEN: &str = "this host cannot write to its state directory";
/// Why a run is refused that would begin with a call.
const CALL_FIRST: &str = "prepare: only programs can come first, no call of a URL";
/// Why a run was ended for which nobody asked.
const OVER: &str = "the lease was over, another host may run it";
/// Why one was ended for which its server asked.
const HANDED_BACK: &str = "handed back, another host is to run it";
/// How often leases are looked at while there is a run that must end with them.
const WATCH_FENCED: Duration = Duration::from_millis(200);

/// What an agent holds.
#[derive(Default, Debug)]
pub struct Hands {
    allow: AllowPlan,
    most: usize,
    held: Vec<Hold>,
    /// The oldest first.
    seen: Vec<Key>,
    /// Jobs that were prepared since this program started.
    prepared: Vec<String>,
    /// What was not begun, as far as that has not been said.
    refused: Vec<(Key, String)>,
    /// Until when this host's work is its own.
    lease: Tick,
    /// Number of the last change, and of the last one that is on disk.
    changed: u64,
    saved: u64,
}

/// A run that is held.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hold {
    key: Key,
    job: String,
    fenced: bool,
    /// It calls a URL.
    calls: bool,
    /// The change with which it came, or ended.
    since: u64,
    /// When it was last told.
    told: Option<Tick>,
    step: Step,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// It is to be started once the journal is on disk, and not after this time.
    Taken(Box<Begin>, Tick),
    /// It runs.
    Running,
    /// It is to end, and why, in words where that is not plain.
    Ending(End, &'static str),
    /// It has ended.
    Ended(Box<Done>),
}

/// What is to be started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begin {
    /// Which.
    pub key: Key,
    /// What it is called in the log: the name of its job, or the first word of its message.
    pub name: String,
    /// What comes first, each with its message.
    pub prepare: Vec<(String, Start)>,
    /// What then.
    pub work: Work,
    /// It must be over when this host's lease is.
    pub fenced: bool,
}

/// What a run does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// It runs a program.
    Run(Start),
    /// It calls a URL, for so long at most.
    Call(String, Duration),
}

impl Hands {
    /// The hands of an agent with this allow-list, which holds what the journal of its last run says. `false` if the
    /// journal is damaged.
    pub fn new(allow: AllowPlan, most: usize, journal: Option<&[u8]>) -> (Hands, bool) {
        let mut hands = Hands { allow, most, changed: 1, ..Hands::default() };
        let good = journal.is_none_or(|bytes| hands.restore(bytes));
        (hands, good)
    }

    /// The configuration has changed. What runs goes on.
    pub fn allow(&mut self, allow: AllowPlan, most: usize) {
        (self.allow, self.most) = (allow, most);
    }

    /// What the server ordered in its answer to a beat that was sent at `sent`, and how long this host's work stays its
    /// own from then on.
    pub fn ordered(&mut self, orders: &Orders, sent: Tick, lease: Duration, now: &Now) {
        self.lease = self.lease.max(sent + lease.min(MAX_LEASE));
        let known = self.held.len();
        self.held.retain(|hold| !(matches!(hold.step, Step::Ended(_)) && orders.acks.contains(&hold.key.id)));
        if self.held.len() < known {
            self.changed += 1;
        }
        for (ids, back) in [(&orders.cancel, false), (&orders.back, true)] {
            for id in ids {
                self.end_on_request(*id, back);
            }
        }
        for offer in &orders.offers {
            self.offered(offer, sent, now);
        }
    }

    /// What to start now, if anything. Each is given once.
    pub fn begin(&mut self, now: &Now) -> Option<Begin> {
        loop {
            let (saved, lease) = (self.saved, self.lease);
            let ready = |hold: &&mut Hold| hold.since <= saved && matches!(hold.step, Step::Taken(..));
            let hold = self.held.iter_mut().find(ready)?;
            let Step::Taken(begin, until) = std::mem::replace(&mut hold.step, Step::Running) else { return None };
            let margin = if begin.fenced { FENCE_MARGIN } else { Duration::ZERO };
            if now.tick < until && now.tick + margin < lease {
                return Some(*begin);
            }
            let (key, why) = (hold.key, if now.tick < until { "the lease was over" } else { "it came too late" });
            self.not_begun(Done { code: Some(LATER), ..refusal(key, why) });
        }
    }

    /// What became of a run: how it ended, and that in a few words.
    pub fn ended(&mut self, mut done: Done) -> (End, String) {
        let Some(hold) = self.held.iter_mut().find(|hold| hold.key == done.key) else {
            return (done.end, done.words());
        };
        match hold.step {
            Step::Ended(_) => return (done.end, done.words()),
            // What was killed ended because of that, unless it was quicker, or nobody can say.
            Step::Ending(end, why) if !matches!(done.end, End::Succeeded | End::Unknown) => {
                (done.end, done.code, done.why) = (end, None, why.to_owned())
            }
            Step::Ending(..) | Step::Taken(..) | Step::Running => {}
        }
        self.changed += 1;
        let how = (done.end, done.words());
        (hold.since, hold.told, hold.step) = (self.changed, None, Step::Ended(Box::new(done)));
        let mut room = MAX_OUT;
        for hold in self.held.iter_mut().rev() {
            if let Step::Ended(done) = &mut hold.step {
                if done.out.len() > room {
                    done.out = String::new();
                }
                room -= done.out.len();
            }
        }
        how
    }

    /// The preparation of a job was done, and need not be done again.
    pub fn prepared(&mut self, key: Key) {
        let job = self.held.iter().find(|hold| hold.key == key).map(|hold| hold.job.clone());
        if let Some(job) = job.filter(|job| !job.is_empty() && !self.prepared.contains(job)) {
            if self.prepared.len() >= MAX_PREPARED {
                self.prepared.remove(0);
            }
            self.prepared.push(job);
        }
    }

    /// The runs that must be ended now: the server asks for it, or the lease is over. Asked again, they are still there
    /// until they have ended.
    pub fn to_end(&mut self, now: &Now) -> Vec<Key> {
        let mut keys = Vec::new();
        for hold in &mut self.held {
            if hold.step == Step::Running && hold.fenced && now.tick + FENCE_MARGIN >= self.lease {
                hold.step = Step::Ending(End::Fenced, OVER);
            }
            if matches!(hold.step, Step::Ending(..)) {
                keys.push(hold.key);
            }
        }
        keys
    }

    /// Ends all that must be over when the lease is, which is over: another server grants its own.
    pub fn end_fenced(&mut self) {
        self.lease = Tick::default();
        for hold in self.held.iter_mut().filter(|hold| hold.fenced) {
            if hold.step == Step::Running {
                hold.step = Step::Ending(End::Fenced, OVER);
            }
        }
    }

    /// Until when the guards of fenced runs let them go on, and which those are.
    pub fn lease(&self) -> (Tick, Vec<Key>) {
        let fenced = self.held.iter().filter(|hold| hold.fenced).map(|hold| hold.key);
        (self.lease - GUARD_MARGIN, fenced.collect())
    }

    /// When [`Hands::to_end`] is to be asked next, if nothing else happens.
    pub fn look_again(&self) -> Option<Duration> {
        let fenced = |hold: &Hold| hold.fenced && matches!(hold.step, Step::Running | Step::Taken(..));
        self.held.iter().any(fenced).then_some(WATCH_FENCED)
    }

    /// What was answered without being begun since this was last asked, with a few words about each.
    pub fn refused(&mut self) -> Vec<(Key, String)> {
        std::mem::take(&mut self.refused)
    }

    /// The name of the job of a run.
    pub fn job(&self, key: Key) -> Option<String> {
        self.held.iter().find(|hold| hold.key == key).map(|hold| hold.job.clone())
    }

    /// What nobody knows the end of, with a few words.
    pub fn cut_off(&self) -> Vec<(Key, String)> {
        let mut runs = Vec::new();
        for hold in &self.held {
            if let Step::Ended(done) = &hold.step
                && done.end == End::Unknown
            {
                runs.push((hold.key, done.words()));
            }
        }
        runs
    }

    /// What has not ended, with the names of the jobs, and whether there is room for more.
    pub fn active(&self) -> (Vec<(Key, String)>, bool) {
        let active: Vec<&Hold> = self.held.iter().filter(|hold| !matches!(hold.step, Step::Ended(_))).collect();
        let room = active.len() < self.most && self.held.len() < MAX_IDS;
        (active.iter().map(|hold| (hold.key, hold.job.clone())).collect(), room)
    }

    /// What to say in a beat.
    pub fn says(&self) -> Says {
        let mut takes = Vec::new();
        let mut room = MAX_TAKES.1;
        for entry in self.allow.help_lines() {
            if takes.len() >= MAX_TAKES.0 || entry.len() > room {
                break;
            }
            room -= entry.len();
            takes.push(entry);
        }
        let phase = |hold: &Hold| if matches!(hold.step, Step::Taken(..)) { Phase::Accepted } else { Phase::Running };
        Says { takes, runs: self.held.iter().map(|hold| Held { key: hold.key, phase: phase(hold) }).collect() }
    }

    /// A result to tell, if one is due.
    pub fn result(&mut self, now: &Now) -> Option<Done> {
        for hold in self.held.iter_mut().filter(|hold| hold.since <= self.saved) {
            let Step::Ended(done) = &hold.step else { continue };
            if hold.told.is_none_or(|told| now.tick.since(told) >= TELL_AGAIN) {
                hold.told = Some(now.tick);
                return Some((**done).clone());
            }
        }
        None
    }

    /// Whether nothing runs or is about to.
    pub fn is_idle(&self) -> bool {
        self.held.iter().all(|hold| matches!(hold.step, Step::Ended(_)))
    }

    /// The journal as it must be on disk, and a number for [`Hands::saved`]; `None` if it is there already.
    pub fn journal(&self) -> Option<(u64, Vec<u8>)> {
        (self.saved < self.changed).then(|| (self.changed, self.write()))
    }

    /// The journal of that number is on disk.
    pub fn saved(&mut self, number: u64) {
        self.saved = self.saved.max(number);
    }

    /// The journal is not on disk. What has ended is told all the same: a crash before it is acknowledged would only make
    /// it unknown. `fails`: the disk is not just slow, and what is not written there is begun elsewhere. Whether there is
    /// something new to tell.
    pub fn unwritten(&mut self, fails: bool) -> bool {
        let saved = self.saved;
        let unsaved = |hold: &&Hold| hold.since > saved && matches!(hold.step, Step::Taken(..));
        let taken: Vec<Key> = self.held.iter().filter(unsaved).map(|hold| hold.key).collect();
        for key in taken.into_iter().filter(|_| fails) {
            self.not_begun(refusal(key, UNWRITTEN));
        }
        let mut news = false;
        for hold in self.held.iter_mut().filter(|hold| hold.since > saved && matches!(hold.step, Step::Ended(_))) {
            (hold.since, news) = (0, true);
        }
        news
    }

    /// A run ends before it was begun.
    fn not_begun(&mut self, done: Done) {
        let (key, (_, words)) = (done.key, self.ended(done));
        if self.refused.len() < MAX_IDS {
            self.refused.push((key, words));
        }
    }

    /// `back`: another host is to do it, if this one has not.
    fn end_on_request(&mut self, id: Id, back: bool) {
        let Some(hold) = self.held.iter_mut().find(|hold| hold.key.id == id) else { return };
        match &hold.step {
            Step::Taken(..) => {
                let key = hold.key;
                self.not_begun(Done { end: End::Cancelled, ..refusal(key, if back { HANDED_BACK } else { "" }) });
            }
            // Nobody would know whether a call was heard: it ends soon by itself.
            Step::Running if back && hold.calls => {}
            Step::Running => hold.step = Step::Ending(End::Cancelled, if back { HANDED_BACK } else { "" }),
            Step::Ending(..) | Step::Ended(_) => {}
        }
    }

    fn offered(&mut self, offer: &Offer, sent: Tick, now: &Now) {
        let key = offer.key;
        let newer = |seen: &Key| (seen.epoch, seen.attempt) < (key.epoch, key.attempt);
        // While an earlier attempt of it is still here, the next one waits for its next offer.
        if self.seen.iter().any(|seen| seen.id == key.id && !newer(seen))
            || self.held.iter().any(|hold| hold.key.id == key.id)
        {
            return;
        }
        let active = self.held.iter().filter(|hold| !matches!(hold.step, Step::Ended(_))).count();
        // More than a beat can name, or more than may run: it is offered again.
        if self.held.len() >= MAX_IDS || active >= self.most {
            return;
        }
        let until = sent + Duration::from_millis(u64::try_from(offer.left).unwrap_or(0));
        let judged = self.judge(offer);
        self.changed += 1;
        let step = match judged {
            Ok(begin) if now.tick < until => Step::Taken(Box::new(begin), until),
            Ok(_) => Step::Ended(Box::new(Done { code: Some(LATER), ..refusal(key, "it came too late") })),
            Err(done) => Step::Ended(Box::new(done)),
        };
        if let Step::Ended(done) = &step
            && self.refused.len() < MAX_IDS
        {
            self.refused.push((key, done.words()));
        }
        let calls = matches!(&step, Step::Taken(begin, _) if matches!(begin.work, Work::Call(..)));
        let (job, fenced) = (offer.job.clone(), offer.fenced);
        self.held.push(Hold { key, job, fenced, calls, since: self.changed, told: None, step });
        self.seen.retain(|seen| seen.id != key.id);
        if self.seen.len() >= MAX_SEEN {
            self.seen.remove(0);
        }
        self.seen.push(key);
    }

    /// What an offer comes to here.
    fn judge(&self, offer: &Offer) -> Result<Begin, Done> {
        let key = offer.key;
        let wanted = offer.timeout.and_then(|timeout| u64::try_from(timeout).ok()).map(Duration::from_millis);
        // The host's own limit is the longest.
        let limit = |own: Duration| wanted.map_or(own, |wanted| wanted.min(own));
        let work = match self.allow.answer(&offer.message) {
            Answer::Run(start) => Work::Run(Start { timeout: limit(start.timeout), ..start }),
            Answer::Call(url, timeout) => Work::Call(url, limit(timeout)),
            Answer::Say(out) => return Err(Done { end: End::Succeeded, code: Some(0), out, ..refusal(key, "") }),
            Answer::Refuse(why) => return Err(refusal(key, &why)),
        };
        let mut prepare = Vec::new();
        if !self.prepared.contains(&offer.job) {
            for message in &offer.prepare {
                match self.allow.answer(message) {
                    Answer::Run(start) => prepare.push((message.clone(), start)),
                    Answer::Say(_) => {}
                    Answer::Call(..) => return Err(refusal(key, CALL_FIRST)),
                    Answer::Refuse(why) => return Err(refusal(key, &["prepare: ", &why].concat())),
                }
            }
        }
        let first = offer.message.split_whitespace().next().unwrap_or_default();
        let name = clean(if offer.job.is_empty() { first } else { &offer.job }, MAX_NAME);
        Ok(Begin { key, name, prepare, work, fenced: offer.fenced })
    }
}

/// Whether this is the journal of an agent.
pub fn is_journal(bytes: &[u8]) -> bool {
    Hands::default().restore(bytes)
}

/// The result of a run that has not begun.
fn refusal(key: Key, why: &str) -> Done {
    Done { key, end: End::Refused, code: None, took: 0, out: String::new(), why: why.to_owned() }
}

#[cfg(test)]
mod tests;
