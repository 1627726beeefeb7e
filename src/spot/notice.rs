//! A notice from its first sight to its end: what is seen now against what was told. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Now, Tick, Wall};
use crate::event::{Event, Fact, Field, Kind, Moment};
use crate::json::{self, Writer};
use crate::spot::service::Notice;

/// A time that moved by more than this is told again.
const MOVED: Duration = Duration::from_secs(60);
/// A second change of the same notice is told no sooner than this after the first, and each further one after twice
/// the time, so that a service that answers by turns with two times does not fill the channels.
const CHANGE_PAUSE: Duration = Duration::from_secs(60);
/// The pause is doubled at most so often.
const MAX_DOUBLED: u32 = 6;
/// Quiet answers before a notice counts as withdrawn.
const QUIET_POLLS: u32 = 3;
/// They span at least this.
const QUIET_TIME: Duration = Duration::from_secs(15);
/// A notice lapses so long after its time: services leave past ones behind.
const LAPSE: Duration = Duration::from_secs(15 * 60);
/// If the service said "nothing" so lately, what it says now is new, whatever the clock makes of it.
const LATELY: Duration = Duration::from_secs(10 * 60);

/// The kind that ends `kind`, if that is one that clouds announce.
pub fn over(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Interrupt => Some(Kind::InterruptWithdrawn),
        Kind::Rebalance => Some(Kind::RebalanceOver),
        Kind::Maintenance => Some(Kind::MaintenanceOver),
        _ => None,
    }
}

/// A notice that was told and has not ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// What was told last; its incident and its kind are those of the notice.
    pub event: Event,
    /// Which topic of its service announces it.
    pub topic: usize,
    /// The cloud's own id of it.
    pub key: String,
    /// What the cloud will do.
    pub action: String,
    /// When, if it says so.
    pub deadline: Option<Wall>,
    /// When it was first seen.
    pub first: Moment,
    /// How often it has changed since.
    pub changes: u32,
    /// How many entries of the countdown have passed.
    pub counted: u32,
}

/// As state; see [`crate::json`].
impl Standing {
    /// Writes it.
    pub fn write(&self, out: &mut Writer) {
        self.event.write(out.open('{').key("event"));
        self.first.write(out.key("first"));
        out.key("action").text(&self.action).key("changes").uint(u64::from(self.changes));
        out.key("topic").uint(self.topic as u64).key("id").text(&self.key);
        out.key("counted").uint(u64::from(self.counted));
        if let Some(deadline) = self.deadline {
            out.key("deadline").int(deadline.0);
        }
        out.close('}');
    }

    /// Reads what [`Standing::write`] wrote.
    pub fn read(value: &Value) -> Option<Standing> {
        let small = |key| u32::try_from(json::uint(value, key)?).ok();
        Some(Standing {
            event: Event::read(value.get("event")?).filter(|event| over(event.kind).is_some())?,
            topic: small("topic")? as usize,
            key: json::text(value, "id")?.to_owned(),
            action: json::text(value, "action")?.to_owned(),
            deadline: json::int(value, "deadline").map(Wall),
            first: Moment::read(value.get("first")?)?,
            changes: small("changes")?,
            counted: small("counted")?,
        })
    }
}

impl Standing {
    /// Whether it is the notice `key` of `topic`.
    pub fn is(&self, topic: usize, kind: Kind, key: &str) -> bool {
        (self.topic, self.event.kind, &*self.key) == (topic, kind, key)
    }

    /// Whether `notice` differs so much that it is told, at `tick`.
    pub fn differs(&self, notice: &Notice, now: &Now) -> bool {
        let differs = self.action != notice.action
            || match (self.deadline, notice.deadline) {
                (Some(old), Some(new)) => Duration::from_millis(old.0.abs_diff(new.0)) > MOVED,
                // An event that has begun names no time any more.
                (old, new) => old.is_none() && new.is_some(),
            };
        let told = self.event.at.tick(now);
        let pause = match self.changes {
            0 => Duration::ZERO,
            changes => CHANGE_PAUSE * (1 << (changes - 1).min(MAX_DOUBLED)),
        };
        let paused = told.is_some_and(|told| now.tick.since(told) < pause);
        differs && !paused
    }

    /// How long before it such a notice usually comes, where no time is given.
    pub fn lead(&self) -> Option<Duration> {
        match self.event.fact(Field::Lead) {
            Some(Fact::Span(lead)) => Some(*lead),
            _ => None,
        }
    }

    fn age(&self, now: &Now) -> Duration {
        self.first.tick(now).map_or(Duration::MAX, |first| now.tick.since(first))
    }
}

/// What the service says of a notice at present.
pub struct Watch {
    /// Which topic of its service would announce it.
    pub topic: usize,
    /// Its kind.
    pub kind: Kind,
    /// The cloud's own id of it.
    pub key: String,
    current: Option<(Notice, Tick)>,
    quiets: u32,
    quiet_since: Tick,
    /// The last quiet answer that was not a lapsed notice.
    nothing: Option<Tick>,
    lapsed: bool,
    /// The lapsed time that the log has named.
    remarked: Option<Wall>,
}

impl Watch {
    /// A watch for what no answer has shown so far; the last good one came at `nothing`.
    pub fn new(topic: usize, kind: Kind, key: &str, nothing: Option<Tick>) -> Watch {
        Watch {
            topic,
            kind,
            key: key.to_owned(),
            current: None,
            quiets: 0,
            quiet_since: Tick(0),
            nothing,
            lapsed: false,
            remarked: None,
        }
    }

    /// Whether it is for the notice `key` of `topic`.
    pub fn is(&self, topic: usize, kind: Kind, key: &str) -> bool {
        (self.topic, self.kind, &*self.key) == (topic, kind, key)
    }

    /// Whether there is nothing to remember.
    pub fn is_idle(&self) -> bool {
        !self.key.is_empty() && self.current.is_none() && !self.lapsed
    }

    /// The service says that nothing is announced.
    pub fn quiet(&mut self, now: &Now) {
        self.nothing = Some(now.tick);
        self.lapsed = false;
        self.count(now);
    }

    /// The service announces `notice`. `standing` was told, `over` is the time of the notice that ended last.
    /// True if it is too old to be one and the log should say so.
    pub fn announced(&mut self, notice: &Notice, standing: Option<&Standing>, over: Option<Wall>, now: &Now) -> bool {
        // Maintenance goes on after its time; services say themselves when it is over.
        let can_lapse = self.kind == Kind::Interrupt;
        let Some(past) = notice.deadline.filter(|deadline| can_lapse && is_past(*deadline, now)) else {
            self.see(notice, now);
            return false;
        };
        let stale = match standing {
            Some(standing) => standing.age(now) >= LAPSE,
            None if self.current.is_some() => false,
            None => over == Some(past) || self.nothing.is_none_or(|nothing| now.tick.since(nothing) > LATELY),
        };
        if !stale {
            self.see(notice, now);
            return false;
        }
        self.lapsed = true;
        self.count(now);
        self.remarked.replace(past) != Some(past)
    }

    fn see(&mut self, notice: &Notice, now: &Now) {
        self.quiets = 0;
        self.lapsed = false;
        match &self.current {
            Some((seen, _)) if seen == notice => {}
            _ => self.current = Some((notice.clone(), now.tick)),
        }
    }

    fn count(&mut self, now: &Now) {
        if self.quiets == 0 {
            self.quiet_since = now.tick;
        }
        self.quiets = self.quiets.saturating_add(1);
        if self.is_gone(now) {
            self.current = None;
        }
    }

    /// What is announced, and since when.
    pub fn current(&self) -> Option<&(Notice, Tick)> {
        self.current.as_ref()
    }

    /// Whether quiet answers have lasted long enough to end a notice. Bad answers count for nothing.
    pub fn is_gone(&self, now: &Now) -> bool {
        self.quiets >= QUIET_POLLS && now.tick.since(self.quiet_since) >= QUIET_TIME
    }

    /// The first of the quiet answers.
    pub fn quiet_since(&self) -> Tick {
        self.quiet_since
    }

    /// Whether the notice is still there, and only its time is long past.
    pub fn has_lapsed(&self) -> bool {
        self.lapsed
    }
}

fn is_past(deadline: Wall, now: &Now) -> bool {
    now.wall.is_set() && now.wall.0.saturating_sub(deadline.0) > crate::clock::millis(LAPSE)
}
