//! Jobs on the wire: what an agent says in its beats, and what its server orders in the replies.
//!
//! In line 3, `data.work` holds `{"takes": […], "runs": [{"id","ep","at","st"}]}`; a report with `ev` = `result` holds
//! `data.done` = `{"id","ep","at","end","code","took","out","why"}` instead. In line 4, `work` holds
//! `{"offers": […], "cancel": [id…], "back": [id…], "acks": [id…]}`. Times in all of these are whole milliseconds.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Tick;
use crate::event::Id;
use crate::json::{self, Writer};

/// Offers in one reply.
pub const MAX_OFFERS: usize = 8;
/// Ids in one list of a reply, and runs in one beat.
pub const MAX_IDS: usize = 16;
/// Entries of `takes`, and bytes of all of them together.
pub const MAX_TAKES: (usize, usize) = (64, 2048);
/// Bytes of a result once it is encoded.
pub const MAX_RESULT: usize = 12 * 1024;

/// The `code` of a refusal that passes, such as too many open files: `EX_TEMPFAIL` of `sysexits.h`. Without it the host
/// does not take the run at all.
pub const LATER: i32 = 75;

/// Bytes of a job's name in an offer: an agent remembers many.
const MAX_NAME: usize = 128;

/// Which attempt of which run, under which assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// The run: the same wherever and however often it is tried.
    pub id: Id,
    /// Grows with every assignment to a host; what belongs to an older one counts no more.
    pub epoch: u32,
    /// Which attempt, from 1 on.
    pub attempt: u32,
}

/// What an agent says in a beat.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Says {
    /// What it takes: a shortcut as it stands; a command as `NAME …`; a template as `NAME <a> <b>` (the lines of its
    /// help); a URL prefix as `url PREFIX`.
    pub takes: Vec<String>,
    /// The runs that it holds and that its server does not know as ended.
    pub runs: Vec<Held>,
}

/// A run that an agent holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which.
    pub key: Key,
    /// How far it is.
    pub phase: Phase,
}

/// How far an agent is with a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It is written down and will be started.
    Accepted,
    /// It runs, or has ended and its result is not acknowledged.
    Running,
}

/// What became of a run at an agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// Which.
    pub key: Key,
    /// How it ended.
    pub end: End,
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub took: i64,
    /// The last of its output, cut at a character.
    pub out: String,
    /// Why, if that is not plain: one line.
    pub why: String,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Exit code 0.
    Succeeded,
    /// Another exit code, a signal of its own, or it could not be started.
    Failed,
    /// It ran into its time limit and was killed.
    TimedOut,
    /// It was killed, or not begun, because the server asked for that.
    Cancelled,
    /// It was killed because the lease was over; somebody else may run it.
    Fenced,
    /// This host does not take it: not listed, not allowed; or, with the code [`LATER`], not now. It has not begun.
    Refused,
    /// The agent was ended while it ran: perhaps it did all, perhaps nothing.
    Unknown,
}

/// What a server orders.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Orders {
    /// To be run, the most urgent first; at most [`MAX_OFFERS`].
    pub offers: Vec<Offer>,
    /// To be ended if they run, dropped if not.
    pub cancel: Vec<Id>,
    /// To be handed back: not begun if they have not, ended if they have.
    pub back: Vec<Id>,
    /// Results that the server has on disk; the agent forgets them.
    pub acks: Vec<Id>,
}

/// A run that is offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Which.
    pub key: Key,
    /// The job's name; empty for one that was asked for by hand. `prepare` is done once for each.
    pub job: String,
    /// What the allow-list is asked with.
    pub message: String,
    /// How much longer it may be started, counted from the sending of the beat that this answers.
    pub left: i64,
    /// How long it may run, if the job says so.
    pub timeout: Option<i64>,
    /// It is to be killed when this host's lease is over.
    pub fenced: bool,
    /// Messages to be run before the job's first run on this host.
    pub prepare: Vec<String>,
}

/// The beat in which an agent says something.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    /// The host's boot id.
    pub boot: &'a str,
    /// The run of its daemon.
    pub run: &'a str,
    /// Number of the report in that run.
    pub seq: u64,
    /// How long its work stays its own by the answer.
    pub lease: Duration,
}

/// The agent of this host, as its heartbeat clients see it. Nothing in it waits.
pub trait Agent: Send + Sync {
    /// What to say in a beat to the server that calls itself `server` (empty before its first answer); `None` if it has
    /// nothing to do with this agent.
    fn says(&self, server: &str) -> Option<Says>;

    /// A result to tell that server in an exchange of its own, if one is due. It is due again after a while, until the
    /// server has acknowledged it.
    fn result(&self, server: &str) -> Option<Done>;

    /// What the server ordered in its answer to a beat that was sent at `sent`, and how long this host's work stays its
    /// own from then on.
    fn ordered(&self, server: &str, orders: &Orders, sent: Tick, lease: Duration);

    /// The client of this thread ends: another one may speak for the agent at once.
    fn leaves(&self);
}

/// What gives out jobs, as the connections of the server see it. Nothing in it waits for a disk.
pub trait Giver: Send + Sync {
    /// What the agent of `host` says, and what it is answered. Only for hosts whose user key is bound to them.
    fn heard(&self, host: &str, beat: &Beat<'_>, says: &Says) -> Orders;

    /// A beat of such a host came without a word of an agent.
    fn mute(&self, host: &str);

    /// The result of a run of `host`.
    fn done(&self, host: &str, done: &Done);
}

impl Says {
    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut out = Writer::default();
        out.open('{').key("takes").open('[');
        for entry in self.takes.iter().take(MAX_TAKES.0) {
            out.text(entry);
        }
        out.close(']').key("runs").open('[');
        for held in self.runs.iter().take(MAX_IDS) {
            write_key(held.key, &mut out);
            out.key("st").text(if held.phase == Phase::Accepted { "accepted" } else { "running" }).close('}');
        }
        out.close(']').close('}');
        out.into_string()
    }

    /// Reads it from the body of a line 3.
    pub fn read(body: &[u8]) -> Option<Says> {
        let body = json::read(body)?;
        let work = body.get("data")?.get("work")?;
        let mut says = Says::default();
        let mut room = MAX_TAKES.1;
        for entry in json::list(work, "takes").iter().take(MAX_TAKES.0) {
            let entry = entry.as_str()?;
            room = room.checked_sub(entry.len())?;
            says.takes.push(entry.to_owned());
        }
        for held in json::list(work, "runs").iter().take(MAX_IDS) {
            let accepted = json::text(held, "st")? == "accepted";
            let phase = if accepted { Phase::Accepted } else { Phase::Running };
            says.runs.push(Held { key: read_key(held)?, phase });
        }
        Some(says)
    }
}

impl Done {
    /// In a few words: how it ended.
    pub fn words(&self) -> String {
        let end = ENDS.iter().find(|(_, end)| *end == self.end).map_or("", |(name, _)| *name);
        match (self.code, &*self.why) {
            (Some(code), "") if code != 0 => [end, ", exit code ", &code.to_string()].concat(),
            (_, "") => end.to_owned(),
            (_, why) => [end, ": ", why].concat(),
        }
    }

    /// As JSON of at most [`MAX_RESULT`] bytes; what is too much of the output is left out at its beginning.
    pub fn to_json(&self) -> String {
        let mut done = self.clone();
        loop {
            let mut out = Writer::default();
            write_done(&done, &mut out);
            let text = out.into_string();
            if text.len() <= MAX_RESULT || done.out.is_empty() {
                return text;
            }
            let mut from = done.out.len().min(text.len() - MAX_RESULT);
            while !done.out.is_char_boundary(from) {
                from += 1;
            }
            done.out.drain(..from);
        }
    }

    /// Reads it from the body of a line 3.
    pub fn read(body: &[u8]) -> Option<Done> {
        read_done(json::read(body)?.get("data")?.get("done")?)
    }
}

impl Orders {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.cancel.is_empty() && self.back.is_empty() && self.acks.is_empty()
    }

    /// Whether one more offer goes into the reply: at most [`MAX_OFFERS`], of [`MAX_RESULT`] bytes together.
    pub fn has_room(&self, offer: &Offer) -> bool {
        let used: usize = self.offers.iter().map(Offer::size).sum();
        self.offers.len() < MAX_OFFERS && used + offer.size() <= MAX_RESULT
    }

    /// As JSON. What [`Orders::has_room`] has no room for is left out.
    pub fn to_json(&self) -> String {
        let mut out = Writer::default();
        out.open('{');
        for (key, ids) in [("cancel", &self.cancel), ("back", &self.back), ("acks", &self.acks)] {
            out.key(key).open('[');
            for id in ids.iter().take(MAX_IDS) {
                out.text(&id.to_string());
            }
            out.close(']');
        }
        out.key("offers").open('[');
        let mut room = MAX_RESULT;
        for offer in self.offers.iter().take(MAX_OFFERS) {
            let mut one = Writer::default();
            offer.write(&mut one);
            let one = one.into_string();
            if one.len() <= room {
                room -= one.len();
                out.raw(&one);
            }
        }
        out.close(']').close('}');
        out.into_string()
    }

    /// Reads them from the body of a line 4. What is not understood is left out; what is understood was ordered.
    pub fn read(body: &[u8]) -> Option<Orders> {
        let body = json::read(body)?;
        let work = body.get("work")?;
        let ids = |key| {
            let ids = json::list(work, key).iter().take(MAX_IDS);
            ids.filter_map(|id| Id::parse(id.as_str()?)).collect()
        };
        let offers = json::list(work, "offers").iter().take(MAX_OFFERS).filter_map(Offer::read).collect();
        Some(Orders { offers, cancel: ids("cancel"), back: ids("back"), acks: ids("acks") })
    }
}

impl Offer {
    fn size(&self) -> usize {
        let mut out = Writer::default();
        self.write(&mut out);
        out.into_string().len()
    }

    fn write(&self, out: &mut Writer) {
        write_key(self.key, out);
        out.key("job").text(&self.job).key("message").text(&self.message).key("left").int(self.left);
        if let Some(timeout) = self.timeout {
            out.key("timeout").int(timeout);
        }
        out.key("fenced").flag(self.fenced).key("prepare").open('[');
        for message in &self.prepare {
            out.text(message);
        }
        out.close(']').close('}');
    }

    fn read(value: &Value) -> Option<Offer> {
        let prepare = json::list(value, "prepare").iter().map(|message| Some(message.as_str()?.to_owned()));
        Some(Offer {
            key: read_key(value)?,
            job: json::text(value, "job").filter(|job| job.len() <= MAX_NAME)?.to_owned(),
            message: json::text(value, "message")?.to_owned(),
            left: json::int(value, "left")?,
            timeout: json::int(value, "timeout"),
            fenced: json::flag(value, "fenced"),
            prepare: prepare.collect::<Option<Vec<String>>>()?,
        })
    }
}

/// Begins an object with the key of a run.
pub fn write_key(key: Key, out: &mut Writer) {
    out.open('{').key("id").text(&key.id.to_string());
    out.key("ep").uint(u64::from(key.epoch)).key("at").uint(u64::from(key.attempt));
}

/// Reads what [`write_key`] wrote.
pub fn read_key(value: &Value) -> Option<Key> {
    Some(Key {
        id: Id::parse(json::text(value, "id")?)?,
        epoch: u32::try_from(json::uint(value, "ep")?).ok()?,
        attempt: u32::try_from(json::uint(value, "at")?).ok()?,
    })
}

/// Names of [`End`] on the wire and in files.
const ENDS: [(&str, End); 7] = [
    ("succeeded", End::Succeeded),
    ("failed", End::Failed),
    ("timeout", End::TimedOut),
    ("cancelled", End::Cancelled),
    ("fenced", End::Fenced),
    ("refused", End::Refused),
    ("unknown", End::Unknown),
];

/// A result.
pub fn write_done(done: &Done, out: &mut Writer) {
    write_key(done.key, out);
    let name = ENDS.iter().find(|(_, end)| *end == done.end).map_or("", |(name, _)| name);
    out.key("end").text(name).key("took").int(done.took);
    if let Some(code) = done.code {
        out.key("code").int(i64::from(code));
    }
    for (key, text) in [("out", &done.out), ("why", &done.why)] {
        if !text.is_empty() {
            out.key(key).text(text);
        }
    }
    out.close('}');
}

/// Reads what [`write_done`] wrote.
pub fn read_done(value: &Value) -> Option<Done> {
    let text = |key| json::text(value, key).unwrap_or_default().to_owned();
    let end = json::text(value, "end")?;
    Some(Done {
        key: read_key(value)?,
        end: ENDS.iter().find(|(name, _)| *name == end)?.1,
        code: json::int(value, "code").and_then(|code| i32::try_from(code).ok()),
        took: json::int(value, "took")?,
        out: text("out"),
        why: text("why"),
    })
}

#[cfg(test)]
mod tests;
