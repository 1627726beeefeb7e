//! How long hosts and probes were down on each of the last 90 days.
//!
//! It learns from what is told: an outage that nobody was told of, because it was silenced or part of a flapping, does
//! not count, and no exercise does.

use serde_json::Value;

use crate::clock::{Now, Tick};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};
use crate::json::{self, Writer};
use crate::run::load::Small;
use crate::zone::Zone;

/// Days that are shown, today among them.
pub const DAYS: usize = 90;
/// Hosts and probes that are remembered: those that were ever down. Beyond it those whose last outage is longest ago go.
pub const MAX_SUBJECTS: usize = 2000;
/// Bytes of the file.
pub const MAX_BYTES: usize = 256 * 1024;
/// Days kept of each. Not cut by the clock, which may be wrong for a while.
const MAX_KEPT: usize = 100;
/// Bytes of a name: those of a host have at most 128.
const MAX_NAME: usize = 128;
/// Seconds of the longest day: clocks were set back by an hour.
const LONGEST_DAY: u32 = 25 * 3600;
/// Seconds within which a day ends, wherever it is.
const DAY_ENDS: i64 = 27 * 3600;
/// The longest outage that is worth counting, in seconds.
const LONGEST: i64 = (MAX_KEPT as i64) * 86_400;
/// Bytes of a small state's file around its content.
const FILE_FRAME: usize = 64;

/// A host (`probe` is empty), or a probe of it.
#[derive(Clone, Debug)]
struct Subject {
    host: String,
    probe: String,
    /// Days since 1970 by the local clock, the oldest first, and seconds down.
    days: Vec<(i64, u32)>,
    /// The outage that lasts: its incident, and when it began.
    open: Option<(Id, Moment)>,
}

/// Who was down when.
#[derive(Clone, Debug)]
pub struct Days {
    zone: Zone,
    /// In the order of their names.
    subjects: Vec<Subject>,
    /// The first day of which anything is known.
    first: Option<i64>,
    /// The last change that is in what was saved of it.
    pub seq: u64,
    /// It must be saved.
    dirty: bool,
}

impl Default for Days {
    fn default() -> Days {
        Days::new(&Zone::utc())
    }
}

impl Days {
    /// Nobody was ever down. Days are those of `zone`.
    pub fn new(zone: &Zone) -> Days {
        Days { zone: zone.clone(), subjects: Vec::new(), first: None, seq: 0, dirty: false }
    }

    /// Days are those of `zone` from now on; those that are over stay as they are.
    pub fn follow(&mut self, zone: &Zone) {
        self.zone = zone.clone();
    }

    /// Takes in what is told. The same event twice counts once; an end without its beginning does not: a host that said
    /// goodbye was not down.
    pub fn note(&mut self, event: &Event, now: &Now) {
        let probe = match (event.kind, event.fact(Field::Probe)) {
            (Kind::Offline | Kind::Reclaimed | Kind::Online | Kind::Forgotten, _) => "",
            (Kind::ProbeDown | Kind::ProbeUp, Some(Fact::Text(name))) => name,
            _ => return,
        };
        if event.test || event.subject.len() > MAX_NAME || probe.len() > MAX_NAME {
            return;
        }
        let time = |field| match event.fact(field) {
            Some(Fact::Time(at)) => Some(*at),
            _ => None,
        };
        let found = self.find(&event.subject, probe);
        match (event.kind, found) {
            (Kind::Offline | Kind::Reclaimed | Kind::ProbeDown, found) => {
                let began = time(Field::LastBeat).or(time(Field::Since)).unwrap_or(event.at);
                let Some(at) = self.place(found, &event.subject, probe) else { return };
                // It is what people were told first, whatever it has become.
                self.subjects[at].open.get_or_insert((event.incident, began));
            }
            (_, Err(_)) => return,
            (Kind::Forgotten, Ok(at)) => {
                self.subjects.remove(at);
            }
            (_, Ok(at)) => {
                let Some((_, began)) = self.subjects[at].open.take() else { return };
                self.fold(at, time(Field::Since).unwrap_or(began), event.at, now);
            }
        }
        self.dirty = true;
    }

    /// Seconds down on each of the last [`DAYS`] days, today last; `None` for a day before anything was known. `down` is
    /// since when it is down, for an outage that nobody was told of: that counts as long as it lasts.
    pub fn of(&self, host: &str, probe: &str, down: Option<Tick>, now: &Now) -> Vec<Option<u32>> {
        let mut seconds = vec![None; DAYS];
        if !now.wall.is_set() {
            return seconds;
        }
        let oldest = day(&self.zone, now.wall.secs()) - DAYS as i64 + 1;
        let index = |day: i64| usize::try_from(day - oldest).ok().filter(|index| *index < DAYS);
        for (at, down) in seconds.iter_mut().enumerate() {
            let known = self.first.is_some_and(|first| first - oldest <= at as i64);
            *down = known.then_some(0);
        }
        let subject = self.find(host, probe).ok().map(|at| &self.subjects[at]);
        let mut add = |day: i64, more: u32| {
            if let Some(index) = index(day) {
                let sum = seconds[index].unwrap_or(0).saturating_add(more);
                seconds[index] = Some(sum.min(LONGEST_DAY));
            }
        };
        subject.into_iter().flat_map(|subject| &subject.days).for_each(|(day, down)| add(*day, *down));
        let open = subject.and_then(|subject| subject.open).map(|(_, began)| began);
        let open = open.or(down.map(|down| Moment::at(down, now)));
        if let Some((began, ended)) = open.and_then(|began| span(began, Moment::at(now.tick, now), now)) {
            spread(&self.zone, began, ended, &mut add);
        }
        seconds
    }

    fn find(&self, host: &str, probe: &str) -> Result<usize, usize> {
        self.subjects.binary_search_by(|known| (&*known.host, &*known.probe).cmp(&(host, probe)))
    }

    /// Where it is, or now is; `None` if there is no room.
    fn place(&mut self, found: Result<usize, usize>, host: &str, probe: &str) -> Option<usize> {
        let mut at = match found {
            Ok(at) => return Some(at),
            Err(at) => at,
        };
        if self.subjects.len() >= MAX_SUBJECTS {
            let gone = self.stalest()?;
            self.subjects.remove(gone);
            at -= usize::from(gone < at);
        }
        let (host, probe) = (host.to_owned(), probe.to_owned());
        self.subjects.insert(at, Subject { host, probe, days: Vec::new(), open: None });
        Some(at)
    }

    /// Who is not down, and was for the longest time.
    fn stalest(&self) -> Option<usize> {
        let mut stalest: Option<(i64, usize)> = None;
        for (at, subject) in self.subjects.iter().enumerate() {
            let last = subject.days.last().map_or(i64::MIN, |(day, _)| *day);
            if subject.open.is_none() && stalest.is_none_or(|(oldest, _)| last < oldest) {
                stalest = Some((last, at));
            }
        }
        stalest.map(|(_, at)| at)
    }

    fn fold(&mut self, at: usize, began: Moment, ended: Moment, now: &Now) {
        let days = &mut self.subjects[at].days;
        let Some((began, ended)) = span(began, ended, now) else { return };
        spread(&self.zone, began, ended, &mut |day, more| {
            match days.binary_search_by_key(&day, |(day, _)| *day) {
                Ok(at) => days[at].1 = days[at].1.saturating_add(more).min(LONGEST_DAY),
                Err(at) => days.insert(at, (day, more)),
            }
            if days.len() > MAX_KEPT {
                days.remove(0);
            }
        });
    }

    /// What must be saved of it as of change number `seq`, if anything.
    pub fn to_save(&mut self, seq: u64, now: &Now) -> Option<Small> {
        if self.first.is_none() && now.wall.is_set() {
            self.first = Some(day(&self.zone, now.wall.secs()));
            self.dirty = true;
        }
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.seq = seq;
        let mut json = self.to_json(now);
        // It stands as text in its file, where each of these takes two bytes.
        let size = |json: &str| json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        while size(&json) + FILE_FRAME > MAX_BYTES {
            for _ in 0..=self.subjects.len() / 10 {
                let Some(gone) = self.stalest().or_else(|| self.subjects.len().checked_sub(1)) else { break };
                self.subjects.remove(gone);
            }
            json = self.to_json(now);
        }
        Some(Small { seq, json })
    }

    fn to_json(&self, now: &Now) -> String {
        let mut out = Writer::default();
        out.open('{');
        if let Some(first) = self.first {
            out.key("first").int(first);
        }
        out.key("subjects").open('[');
        for subject in &self.subjects {
            out.open('{').key("host").text(&subject.host);
            if !subject.probe.is_empty() {
                out.key("probe").text(&subject.probe);
            }
            out.key("days").open('[');
            for (day, down) in &subject.days {
                out.int(*day).uint((*down).into());
            }
            out.close(']');
            if let Some((incident, began)) = subject.open {
                out.key("incident").text(&incident.to_string()).key("began");
                began.refreshed(now).write(&mut out);
            }
            out.close('}');
        }
        out.close(']').close('}');
        out.into_string()
    }

    /// Reads what [`Days::to_save`] gave.
    pub fn read(small: &Small, zone: &Zone) -> Option<Days> {
        let value = json::read(small.json.as_bytes())?;
        let mut days = Days { first: json::int(&value, "first"), seq: small.seq, ..Days::new(zone) };
        for saved in value.get("subjects")?.as_array()?.iter().take(MAX_SUBJECTS) {
            let subject = Subject::read(saved)?;
            if let Err(at) = days.find(&subject.host, &subject.probe) {
                days.subjects.insert(at, subject);
            }
        }
        Some(days)
    }
}

impl Subject {
    fn read(value: &Value) -> Option<Subject> {
        let open = match json::text(value, "incident") {
            Some(id) => Some((Id::parse(id)?, Moment::read(value.get("began")?)?)),
            None => None,
        };
        let mut days: Vec<(i64, u32)> = Vec::new();
        for pair in json::list(value, "days").chunks_exact(2).take(MAX_KEPT) {
            let (day, down) = (pair[0].as_i64()?, u32::try_from(pair[1].as_u64()?).ok()?);
            if days.last().is_none_or(|(last, _)| *last < day) {
                days.push((day, down.min(LONGEST_DAY)));
            }
        }
        let probe = json::text(value, "probe").unwrap_or_default().to_owned();
        Some(Subject { host: json::text(value, "host")?.to_owned(), probe, days, open })
    }
}

/// From when to when, in seconds since 1970; `None` if nobody can know, or if it is nothing.
fn span(began: Moment, ended: Moment, now: &Now) -> Option<(i64, i64)> {
    let (began, ended) = (began.wall(now)?.secs(), ended.wall(now)?.secs());
    (began < ended).then_some((began.max(ended - LONGEST), ended))
}

/// The local day that holds `utc`, in days since 1970.
fn day(zone: &Zone, utc: i64) -> i64 {
    (utc + zone.offset(utc)).div_euclid(86_400)
}

/// Cuts a time at every midnight.
fn spread(zone: &Zone, began: i64, ended: i64, add: &mut dyn FnMut(i64, u32)) {
    let mut at = began;
    while at < ended {
        let today = day(zone, at);
        // By halves, since nobody knows how long a day is.
        let (mut before, mut after) = (at, at + DAY_ENDS);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if day(zone, middle) == today {
                before = middle;
            } else {
                after = middle;
            }
        }
        let until = after.min(ended);
        add(today, u32::try_from(until - at).unwrap_or(0));
        at = until;
    }
}

#[cfg(test)]
mod tests;
