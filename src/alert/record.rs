//! An event with its progress on each channel, in memory and as a file of the outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::alert::backlog::Offer;
use crate::alert::pending::After;
use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Id, Kind, Moment, Phase};
use crate::json::{self, Writer};

/// How far an event is on one channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Still to be told.
    Due,
    /// Told.
    Told,
    /// Given up or dropped.
    Gone,
}

/// Their keys in files.
const STEPS: [(&str, Step); 3] = [("due", Step::Due), ("told", Step::Told), ("gone", Step::Gone)];

/// A file of the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    /// The change's number.
    pub seq: u64,
    /// Since when it waits.
    pub queued: Moment,
    /// What to tell.
    pub event: Event,
    /// What the state says once it is told.
    pub after: After,
    /// Progress by channel name.
    pub channels: Vec<(String, Step)>,
}

impl Saved {
    /// Reads what [`Record::to_json`] wrote.
    pub fn read(value: &Value) -> Option<Saved> {
        let mut channels = Vec::new();
        for (key, step) in STEPS {
            for name in json::list(value, key) {
                channels.push((name.as_str()?.to_owned(), step));
            }
        }
        Some(Saved {
            seq: json::uint(value, "seq")?,
            queued: Moment::read(value.get("queued")?)?,
            event: Event::read(value.get("event")?)?,
            after: After::read(value.get("after")?)?,
            channels,
        })
    }
}

/// The in-flight mark of an attempt, which stands beside the outbox files while it lasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The channel.
    pub channel: String,
    /// Starts in a row, this one included, in which these events were attempted.
    pub count: u8,
    /// The members of the message.
    pub seqs: Vec<u64>,
}

impl Mark {
    /// Its file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("channel").text(&self.channel).key("count").uint(self.count.into()).key("seqs").open('[');
        for seq in &self.seqs {
            out.uint(*seq);
        }
        out.close(']').close('}');
        out.into_bytes()
    }

    /// Reads its file.
    pub fn read(value: &Value) -> Option<Mark> {
        let mut seqs = Vec::new();
        for seq in json::list(value, "seqs") {
            seqs.push(seq.as_u64()?);
        }
        let count = u8::try_from(json::uint(value, "count")?).ok()?;
        Some(Mark { channel: json::text(value, "channel")?.to_owned(), count, seqs })
    }
}

/// The name of an event's file below the state directory.
pub fn file_name(seq: u64) -> String {
    format!("outbox/{seq:016x}.json")
}

/// The name of an in-flight mark below the state directory. Names of channels may hold any character.
pub fn mark_name(seq: u64, channel: &str) -> String {
    format!("outbox/{seq:016x}.{}.try", Id::of(&[channel.as_bytes()]))
}

/// The way of an event to one channel.
#[derive(Debug)]
pub struct Way {
    /// Index of the channel.
    pub channel: usize,
    /// How far it is.
    pub step: Step,
    /// The sender has it.
    pub offered: bool,
    /// Starts in a row at which it was found in flight.
    pub starts: u8,
    /// The digest it was frozen into.
    pub group: Option<Id>,
    /// Quiet hours held it back at a sender that is gone.
    pub held: bool,
    /// Why it was given up, for who asks.
    pub why: Option<Box<str>>,
    revoked: Arc<AtomicBool>,
}

impl Way {
    /// A way at its beginning.
    pub fn new(channel: usize) -> Way {
        Way {
            channel,
            step: Step::Due,
            offered: false,
            starts: 0,
            group: None,
            held: false,
            why: None,
            revoked: Arc::default(),
        }
    }

    /// Takes it back from the sender, to be offered to another one.
    pub fn take_back(&mut self) {
        self.revoke();
        self.revoked = Arc::default();
        self.offered = false;
    }

    /// Makes the sender let go of it; it stays to be told by the next run.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
    }
}

/// An event of the outbox.
#[derive(Debug)]
pub struct Record {
    /// The change's number.
    pub seq: u64,
    /// What to tell.
    pub event: Arc<Event>,
    /// What the state says once it is told.
    pub after: After,
    /// Since when it waits.
    pub queued: Moment,
    /// When it came in during this run.
    pub taken: Tick,
    /// It passes quiet hours: it is critical, or the end of what was.
    pub pressing: bool,
    /// Its channels.
    pub ways: Vec<Way>,
    /// About the size of its file in bytes.
    pub size: usize,
    /// A file of it exists, perhaps with older progress.
    pub written: bool,
    /// A file of it is being written.
    pub writing: bool,
    /// Since when it differs from its file.
    pub dirty: Option<Tick>,
}

impl Record {
    /// One that came in now.
    pub fn new(seq: u64, event: Event, after: After, ways: Vec<Way>, now: &Now) -> Record {
        Record {
            seq,
            event: Arc::new(event),
            after,
            queued: Moment::at(now.tick, now),
            taken: now.tick,
            pressing: false,
            ways,
            size: 0,
            written: false,
            writing: false,
            dirty: Some(now.tick),
        }
    }

    /// The way to `channel` if it is still to be told there.
    pub fn due_way(&self, channel: usize) -> Option<&Way> {
        self.ways.iter().find(|way| way.channel == channel && way.step == Step::Due)
    }

    /// The same, to be changed.
    pub fn due_way_mut(&mut self, channel: usize) -> Option<&mut Way> {
        self.ways.iter_mut().find(|way| way.channel == channel && way.step == Step::Due)
    }

    /// Whether this is its event's place in an incident.
    pub fn is(&self, phase: Phase) -> bool {
        self.event.kind.phase() == phase
    }

    /// Whether it goes before all others.
    pub fn is_interrupt(&self) -> bool {
        self.event.kind == Kind::Interrupt
    }

    /// What goes first: interrupts, then all else that happens, then what scripts say.
    pub fn rank(&self) -> u8 {
        match self.event.kind {
            Kind::Interrupt => 0,
            Kind::Message => 2,
            _ => 1,
        }
    }

    /// Whether a sender is still to be given it.
    pub fn is_unoffered(&self) -> bool {
        self.ways.iter().any(|way| way.step == Step::Due && !way.offered)
    }

    /// Ends the way to `channel`; false if it was ended already. If it ends untold the sender lets go of it.
    pub fn settle(&mut self, channel: usize, step: Step, now: &Now) -> bool {
        let Some(way) = self.due_way_mut(channel) else {
            return false;
        };
        way.step = step;
        if step == Step::Gone {
            way.revoke();
        }
        self.dirty.get_or_insert(now.tick);
        true
    }

    /// What goes to the sender of `channel`.
    pub fn offer(&self, channel: usize) -> Option<Offer> {
        let way = self.due_way(channel)?;
        Some(Offer {
            seq: self.seq,
            event: Arc::clone(&self.event),
            queued: self.queued,
            starts: way.starts,
            pressing: self.pressing,
            held: way.held,
            group: way.group,
            revoked: Arc::clone(&way.revoked),
        })
    }

    /// Its file, with wall times as they are known now; `names` are those of the channels.
    #[inline(never)]
    pub fn to_json(&self, names: &[String], now: &Now) -> Vec<u8> {
        let mut out = Writer::default();
        self.queued.refreshed(now).write(out.open('{').key("seq").uint(self.seq).key("queued"));
        refreshed(&self.event, now).write(out.key("event"));
        self.after.write(out.key("after"));
        for (key, step) in STEPS {
            out.key(key).open('[');
            for way in self.ways.iter().filter(|way| way.step == step) {
                out.text(&names[way.channel]);
            }
            out.close(']');
        }
        out.close('}');
        out.into_bytes()
    }
}

/// Whether `event` belongs to an exercise, which leaves nothing behind.
pub fn is_exercise(event: &Event) -> bool {
    event.test || event.kind == Kind::Test
}

fn refreshed(event: &Event, now: &Now) -> Event {
    let mut event = event.clone();
    event.at = event.at.refreshed(now);
    for (_, fact) in &mut event.facts {
        if let Fact::Time(moment) = fact {
            *moment = moment.refreshed(now);
        }
    }
    event
}
