//! The desk: takes changes from the board, has them saved, and hands them to the channels. Nothing it does waits for
//! a disk or a network; its only wait is for the next message or deadline.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::alert::clean::clean;
use crate::alert::history::{self, History};
use crate::alert::line::{Channel, Line};
use crate::alert::outbox::{Outbox, Restored};
use crate::alert::pending::{After, Change};
use crate::alert::record::{self, Mark};
use crate::alert::save::{Failure, Saver, earliest};
use crate::alert::sender::{DRAIN, MOST_WAITING, Report};
use crate::alert::standing::{DeskStatus, Standing};
use crate::alert::{Parcel, notes, route};
use crate::callback::dispatch::Callbacks;
use crate::clock::{self, Now, Tick};
use crate::config::plan::ChannelKind;
use crate::event::{Event, Id, Kind};
#[cfg(feature = "status")]
use crate::http::days::Days;
use crate::run::board::Board;
use crate::run::load::Small;
#[cfg(feature = "status")]
use crate::run::parts::DAYS_STATE;
use crate::run::threads::{Bell, SMALL_STACK, Stop, lock, spawn};

/// Changes taken from the board under one lock.
const TAKE: usize = 256;
/// Messages read before changes are looked at again.
const READ: usize = 256;
/// Bytes of a subject in a log line.
const SUBJECT: usize = 200;
/// The longest wait: parts of the roster become due without a message.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When a full queue of a sender is tried again.
const OFFER_AGAIN: Duration = Duration::from_millis(200);
/// From one `state.unwritable` to the next: a disk that comes and goes is told once.
const DISK_NOTE_EVERY: Duration = Duration::from_secs(3600);
/// After the stop: when the last files must be written.
const LAST_SAVE: Duration = Duration::from_millis(3300);

/// What the desk is made of.
pub struct Parts {
    /// Where changes come from.
    pub board: Arc<Board>,
    /// Its messages.
    pub inbox: Receiver<Parcel>,
    /// The other end of `inbox`, for the senders.
    pub desk: SyncSender<Parcel>,
    /// The store.
    pub store: SyncSender<Parcel>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// What the last run left to be told.
    pub restored: Restored,
    /// The last incidents. Kept current.
    pub history: Arc<Mutex<History>>,
    /// Who was down when. Kept current.
    #[cfg(feature = "status")]
    pub days: Arc<Mutex<Days>>,
    /// What is remembered of the channels.
    pub standings: Vec<(String, Standing)>,
    /// The state directory, for people.
    pub folder: String,
    /// Why it cannot be written to, if it was found so at the start.
    pub unwritable: Option<String>,
    /// Ends it, together with a [`Board::wake`].
    pub stop: Stop,
    /// Kept current.
    pub status: Arc<Mutex<DeskStatus>>,
    /// Called with the id of an event that a channel other than `log` took.
    pub delivered: Box<dyn FnMut(Id) + Send>,
    /// They hear of every event that is told here or by its host, as it comes.
    pub callbacks: Option<Arc<Callbacks>>,
    /// For spreading attempts.
    pub chance: u32,
}

/// Starts the senders and the desk. The thread ends at most 3.4 s after the stop and drops its way to the store.
///
/// # Errors
/// When the system has no room for another thread.
pub fn start(parts: Parts) -> io::Result<JoinHandle<()>> {
    let mut desk = Desk::new(parts, &clock::now())?;
    spawn("alert-desk", SMALL_STACK, move || desk.run())
}

struct Desk {
    board: Arc<Board>,
    inbox: Receiver<Parcel>,
    lines: Vec<Line>,
    outbox: Outbox,
    saver: Saver,
    history: Arc<Mutex<History>>,
    #[cfg(feature = "status")]
    days: Arc<Mutex<Days>>,
    /// What the desk has to tell itself, until the board has room.
    own: Vec<Event>,
    /// The other end of `inbox`, for the senders.
    desk: SyncSender<Parcel>,
    /// Senders that were started.
    senders: usize,
    chance: u32,
    folder: String,
    stop: Stop,
    status: Arc<Mutex<DeskStatus>>,
    delivered: Box<dyn FnMut(Id) + Send>,
    callbacks: Option<Arc<Callbacks>>,
    /// Who waits for the state of the callbacks to be on disk.
    records: Vec<Bell>,
    /// Some sender's queue was full.
    crowded: bool,
    /// When a failing disk was last told.
    disk_told: Option<Tick>,
    /// What the roster was last told of the channels: all of them fail.
    channels_fail: bool,
}

impl Desk {
    fn new(parts: Parts, now: &Now) -> io::Result<Desk> {
        let mut lines = Vec::new();
        for channel in parts.channels {
            let standing = parts.standings.iter().find(|(name, _)| *name == channel.plan.name);
            lines.push(Line::new(channel, standing.map(|(_, standing)| standing.clone()).unwrap_or_default()));
        }
        let mut saver = Saver::new(parts.store, now);
        let mut outbox = Outbox::new(lines.iter().map(|line| line.plan.name.clone()).collect());
        let mut restored = parts.restored;
        for (name, small) in std::mem::take(&mut restored.small) {
            saver.small(name, small);
        }
        // What was saved, but not yet in the history, when the last run ended.
        let known = lock(&parts.history).seq;
        for record in restored.records.iter().filter(|record| record.seq > known) {
            lock(&parts.history).note(&record.event);
        }
        #[cfg(feature = "status")]
        for record in &restored.records {
            let mut days = lock(&parts.days);
            if record.seq > days.seq {
                days.note(&record.event, now);
            }
        }
        change::say_removed(&restored, &lines);
        for (channel, seq, bytes) in outbox.restore(restored, now) {
            saver.put(format!("outbox/bad/{seq:016x}.json"), bytes);
            lines[channel].losses.add(1, "ended the program three times", now.tick);
        }
        let mut desk = Desk {
            board: parts.board,
            inbox: parts.inbox,
            lines,
            outbox,
            saver,
            history: parts.history,
            #[cfg(feature = "status")]
            days: parts.days,
            own: Vec::new(),
            desk: parts.desk,
            senders: 0,
            chance: parts.chance,
            folder: parts.folder,
            stop: parts.stop,
            status: parts.status,
            delivered: parts.delivered,
            callbacks: parts.callbacks,
            records: Vec::new(),
            crowded: false,
            disk_told: None,
            channels_fail: false,
        };
        if let Some(why) = parts.unwritable {
            desk.saver.fail(why, now);
            desk.disk_fails(now);
        }
        for line in &mut desk.lines {
            desk.senders += 1;
            line.start(desk.senders, desk.chance, &desk.desk, now)?;
        }
        desk.show(now);
        Ok(desk)
    }

    fn run(&mut self) {
        while !self.stop.is_stopped() {
            self.work(false);
            self.wait(LOOK_EVERY);
        }
        let stopped = clock::tick();
        self.note(true, &clock::now());
        // The senders finish what they hold, and hold what they can get.
        while self.lines.iter().any(|line| !line.ended) && clock::tick() < stopped + DRAIN {
            self.work(false);
            if !self.has_pending() && !self.outbox.has_unoffered() {
                self.lines.iter_mut().for_each(|line| line.offers = None);
            }
            self.wait((stopped + DRAIN).since(clock::tick()));
        }
        self.lines.iter_mut().for_each(|line| line.offers = None);
        self.outbox.revoke_all();
        self.unmark();
        self.saver.hurry(&clock::now());
        let failing = self.saver.fails();
        while clock::tick() < stopped + LAST_SAVE {
            self.work(true);
            if !self.has_pending() && !self.acts() && self.saver.is_done(&self.outbox) {
                break;
            }
            self.wait((stopped + LAST_SAVE).since(clock::tick()));
            // A disk that failed before gets one more chance, one that fails now none.
            if self.saver.fails() && (!failing || !self.saver.is_busy()) {
                break;
            }
        }
        if self.outbox.unsaved() > 0 {
            log::warn!("{} alerts are lost: they could be neither told nor saved", self.outbox.unsaved());
        }
    }

    fn has_pending(&self) -> bool {
        !self.own.is_empty() || !self.board.lock().pending.is_empty()
    }

    /// Does what is due; `all` at the end of the program, when nothing is put off.
    fn work(&mut self, all: bool) {
        let now = clock::now();
        self.note(false, &now);
        self.take(&now);
        self.record();
        let failed = self.saver.fails();
        let lines = &self.lines;
        let standings = || show::standings_json(lines);
        self.saver.step(&mut self.outbox, &self.board, &standings, all, &now);
        if !failed {
            self.disk_fails(&now);
        }
        self.saver.settle(&self.outbox, &self.board);
        self.offer(&now);
        self.look_at_the_channels();
        self.show(&now);
    }

    /// Waits for the next message or deadline, at most `most`, and takes messages in.
    fn wait(&mut self, most: Duration) {
        let now = clock::now();
        let wait = self.deadline(&now).map_or(most, |at| at.since(now.tick).min(most));
        let Ok(first) = self.inbox.recv_timeout(wait) else {
            return;
        };
        let now = clock::now();
        self.hear(first, &now);
        for _ in 0..READ {
            let Ok(next) = self.inbox.try_recv() else {
                return;
            };
            self.hear(next, &now);
        }
    }

    fn deadline(&self, now: &Now) -> Option<Tick> {
        // What is ready but did not fit is a matter of `crowded`.
        let unready = self.outbox.ready_at(self.saver.fails()).filter(|at| *at > now.tick);
        let mut next = earliest(unready, self.saver.deadline(&self.outbox, now));
        next = earliest(next, self.crowded.then(|| now.tick + OFFER_AGAIN));
        next = earliest(next, self.has_pending().then_some(now.tick));
        for line in &self.lines {
            next = earliest(next, line.losses.due());
        }
        next
    }

    /// Takes changes from the board, its own ones first put there.
    fn take(&mut self, now: &Now) {
        let (changes, overheard): (Vec<Change>, Vec<Event>) = {
            let mut state = self.board.lock();
            while !self.own.is_empty() && state.pending.has_room() {
                state.pending.push(Some(self.own.remove(0)), After::Nothing);
            }
            (state.pending.take(TAKE), state.pending.take_overheard())
        };
        for event in &overheard {
            log::info!("{}, told by its host", said(event, ": "));
            self.act(event, None);
        }
        self.outbox.incidents.expire(now.tick);
        for change in changes {
            if let After::Small { name, json } = &change.after {
                self.saver.small(name.clone(), Small { seq: change.seq, json: json.clone() });
            }
            if let Some(event) = &change.event {
                log::info!("{}", said(event, ": "));
                self.act(event, Some(change.seq));
                lock(&self.history).note(event);
                #[cfg(feature = "status")]
                lock(&self.days).note(event, now);
            }
            let lines = &self.lines;
            let takes = |channel: usize, event: &Event| route::takes(&lines[channel].plan, event);
            if !self.outbox.admit(change, &takes, now) {
                continue;
            }
            let failing: Vec<bool> = self.lines.iter().map(Line::is_failing).collect();
            for (channel, count) in self.outbox.bound(&failing, now) {
                self.lines[channel].losses.add(count, "more alerts than the outbox holds", now.tick);
            }
        }
        if let Some(small) = lock(&self.history).to_save(self.outbox.finished.seq, now) {
            self.saver.small(history::STATE_NAME.to_owned(), small);
        }
        #[cfg(feature = "status")]
        if let Some(small) = lock(&self.days).to_save(self.outbox.finished.seq, now) {
            self.saver.small(DAYS_STATE.to_owned(), small);
        }
    }

    fn offer(&mut self, now: &Now) {
        self.crowded = false;
        for (channel, line) in self.lines.iter_mut().enumerate() {
            let Some(offers) = &line.offers else {
                continue;
            };
            for seq in self.outbox.due(channel, self.saver.fails(), now) {
                let Some(offer) = self.outbox.offer(seq, channel) else {
                    continue;
                };
                if offer.event.kind != Kind::Interrupt && line.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
                    self.crowded = true;
                    break;
                }
                // Counted first: the sender may be quicker than this thread.
                line.waiting.fetch_add(1, Ordering::Relaxed);
                match offers.try_send(Parcel::Offer(offer)) {
                    Ok(()) => self.outbox.offered(seq, channel),
                    Err(refused) => {
                        line.waiting.fetch_sub(1, Ordering::Relaxed);
                        self.crowded |= matches!(refused, TrySendError::Full(_));
                        break;
                    }
                }
            }
        }
    }

    fn hear(&mut self, message: Parcel, now: &Now) {
        match message {
            Parcel::Pending | Parcel::Offer(_) | Parcel::Batch(_) => {}
            Parcel::Stored { batch, result } => {
                let failed = self.saver.fails();
                let over = self.saver.stored(batch, result, &mut self.outbox, &self.board, now);
                if let Some(Failure { since, incident, .. }) = over {
                    log::info!("state directory {} can be written again", self.folder);
                    self.own.push(notes::writable(incident, &self.folder, since, now));
                } else if !failed {
                    self.disk_fails(now);
                }
            }
            Parcel::Attempting { channel, seqs, group, marked } => {
                let Some(channel) = self.place(channel) else {
                    // Its channel is gone: what it still tells, nobody waits for.
                    marked.ring();
                    return;
                };
                self.outbox.frozen(channel, &seqs, group);
                let line = &mut self.lines[channel];
                // On a failing or slow disk nobody waits for a mark, and without its event it would say nothing.
                if self.saver.is_slow(now) || !self.outbox.is_written(&seqs) {
                    marked.ring();
                } else if let Some(first) = seqs.first() {
                    let before = self.outbox.starts(channel, &seqs);
                    let file = record::mark_name(*first, &line.plan.name);
                    let mark = Mark { channel: line.plan.name.clone(), count: before.saturating_add(1), seqs };
                    self.saver.mark(file.clone(), mark.to_json(), Some(marked));
                    line.mark = Some((file, Mark { count: before, ..mark }));
                }
            }
            Parcel::Verdict(report) => self.verdict(&report, now),
            Parcel::Ended(channel) => {
                if let Some(channel) = self.place(channel) {
                    self.lines[channel].ended = true;
                    self.lines[channel].offers = None;
                    self.succeed(channel, now);
                }
            }
            Parcel::Asked(inquiry) => inquiry.answer(self.account(inquiry.id, now)),
            Parcel::Record(saved) => self.records.push(saved),
            Parcel::Channels { channels, all } => self.change(channels, all, now),
        }
    }

    fn verdict(&mut self, report: &Report, now: &Now) {
        let Some(channel) = self.place(report.channel) else {
            return;
        };
        let line = &mut self.lines[channel];
        if report.attempted
            && let Some((file, _)) = line.mark.take()
        {
            self.saver.unmark(file);
        }
        let effect = self.outbox.verdict(channel, &report.seqs, &report.fate, now);
        if line.heard(report, &effect, now, &mut self.own) {
            self.saver.channels_dirty = true;
        }
        if line.plan.kind != ChannelKind::Log {
            for event in &effect.told {
                log::info!("{}: told {}", line.plan.name, said(event, " "));
                (self.delivered)(event.id);
            }
        }
    }

    fn note(&mut self, end: bool, now: &Now) {
        for line in &mut self.lines {
            self.own.extend(line.losses.note(&line.plan.name, end, now));
        }
    }

    /// Tells the roster whether nobody at all can be reached: then this server may be the one that is cut off.
    fn look_at_the_channels(&mut self) {
        let mut own = self.lines.iter().filter(|line| line.plan.kind != ChannelKind::Log).peekable();
        let fail = own.peek().is_some() && own.all(Line::is_unanswered);
        if fail != self.channels_fail {
            self.channels_fail = fail;
            self.board.lock().roster.channels_fail(fail);
        }
    }
}

/// An event in a log line. It names hosts, which strangers named.
fn said(event: &Event, colon: &str) -> String {
    let test = if event.test { "TEST " } else { "" };
    format!("{test}{}{colon}{} (incident {})", event.kind.name(), clean(&event.subject, SUBJECT), event.incident)
}

mod change;
mod disk;
mod show;

#[cfg(test)]
mod tests;
