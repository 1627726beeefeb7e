//! What happened lately: the last incidents, for the command `history`.

use serde_json::Value;

use crate::alert::clean::clean;
use crate::alert::route::glob_matches;
use crate::clock::{Now, millis};
use crate::event::{Event, Fact, Field, Id, Kind, Moment, Phase};
use crate::json::{self, Writer};
use crate::run::load::Small;

/// Name of the small state that holds it.
pub const STATE_NAME: &str = "history";
/// Incidents that are remembered.
pub const MAX_INCIDENTS: usize = 100;
/// Bytes of its file.
pub const MAX_BYTES: usize = 64 * 1024;
/// Bytes of a subject: a host's name has at most 128.
const SUBJECT: usize = 128;

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incident {
    /// Its id.
    pub id: Id,
    /// What began it, or what happened if it has no end of its own.
    pub kind: Kind,
    /// To whom.
    pub subject: String,
    /// Which probe, resource or job of theirs; may be empty.
    pub part: String,
    /// When it began.
    pub began: Moment,
    /// When it ended; `None` while it lasts, and for what has no end.
    pub ended: Option<Moment>,
}

impl Incident {
    /// Whether it has begun and not ended.
    pub fn lasts(&self) -> bool {
        self.ended.is_none() && self.kind.phase() == Phase::Begin
    }

    /// How long it lasted, in milliseconds; `None` without an end, or if nobody can know.
    pub fn duration(&self, now: &Now) -> Option<i64> {
        let (began, ended) = (self.began.tick(now)?, self.ended?.tick(now)?);
        Some(millis(ended.since(began)))
    }
}

/// The last incidents, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    incidents: Vec<Incident>,
    /// The last change that is in what was saved of it.
    pub seq: u64,
    /// It must be saved.
    dirty: bool,
}

impl History {
    /// Takes in what is told. Exercises do not count, nor what scripts say, which could push out everything else; the same event twice counts once.
    pub fn note(&mut self, event: &Event) {
        if event.test || matches!(event.kind, Kind::Test | Kind::Message) {
            return;
        }
        let phase = event.kind.phase();
        // A silence began with the last beat, as its end says too, not when it was noticed.
        let began = match event.fact(if phase == Phase::End { Field::Since } else { Field::LastBeat }) {
            Some(Fact::Time(began)) => Some(*began),
            _ => None,
        };
        let known = self.incidents.iter_mut().rev().find(|incident| incident.id == event.incident);
        match (known, phase) {
            (Some(known), Phase::End) => {
                if known.ended.is_some() {
                    return;
                }
                known.ended = Some(event.at);
                known.began = began.unwrap_or(known.began);
            }
            // What a stop became when it was overdue. A changed notice is the same one.
            (Some(known), Phase::Begin) if known.lasts() && known.kind != event.kind => known.kind = event.kind,
            // A reminder, or an event that comes again after a crash.
            (Some(_), Phase::Begin | Phase::Single) => return,
            (None, Phase::End) if event.kind == Kind::NoticeDropped => return,
            (None, _) => {
                if self.incidents.len() >= MAX_INCIDENTS {
                    self.incidents.remove(0);
                }
                self.incidents.push(Incident {
                    id: event.incident,
                    kind: event.kind,
                    subject: clean(&event.subject, SUBJECT).to_string(),
                    part: match event.fact(Field::Probe).or(event.fact(Field::Resource)).or(event.fact(Field::Job)) {
                        Some(Fact::Text(part)) => clean(part, SUBJECT),
                        _ => String::new(),
                    },
                    began: began.unwrap_or(event.at),
                    ended: (phase == Phase::End).then_some(event.at),
                });
            }
        }
        self.dirty = true;
    }

    /// The incidents of a name or glob, the oldest first; all of them if it is empty.
    pub fn of(&self, glob: &str) -> Vec<&Incident> {
        let mut of = Vec::new();
        for incident in &self.incidents {
            if glob.is_empty() || glob_matches(glob, &incident.subject) {
                of.push(incident);
            }
        }
        of
    }

    /// What must be saved of it as of change number `seq`, if anything.
    pub fn to_save(&mut self, seq: u64, now: &Now) -> Option<Small> {
        std::mem::take(&mut self.dirty).then(|| {
            self.seq = seq;
            Small { seq, json: self.to_json(now) }
        })
    }

    /// As state, in at most [`MAX_BYTES`] of a small state's file: if need be without the oldest.
    fn to_json(&self, now: &Now) -> String {
        let mut first = 0;
        loop {
            let mut out = Writer::default();
            out.open('[');
            for incident in self.incidents.iter().skip(first) {
                incident.write(now, &mut out);
            }
            out.close(']');
            let text = out.into_string();
            // It stands as text in its file, where each of these takes two bytes.
            let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
            if text.len() + escaped + FILE_FRAME <= MAX_BYTES || first >= self.incidents.len() {
                return text;
            }
            first += 1 + self.incidents.len() / 10;
        }
    }

    /// Reads what [`History::to_save`] gave.
    pub fn read(small: &Small) -> Option<History> {
        let mut history = History { seq: small.seq, ..History::default() };
        for incident in json::read(small.json.as_bytes())?.as_array()?.iter().take(MAX_INCIDENTS) {
            // What another version knew is left out.
            history.incidents.extend(Incident::read(incident));
        }
        Some(history)
    }
}

/// Bytes of a small state's file around its content.
const FILE_FRAME: usize = 64;

impl Incident {
    fn write(&self, now: &Now, out: &mut Writer) {
        out.open('{').key("id").text(&self.id.to_string()).key("kind").text(self.kind.name());
        out.key("subject").text(&self.subject);
        if !self.part.is_empty() {
            out.key("part").text(&self.part);
        }
        out.key("began");
        self.began.refreshed(now).write(out);
        if let Some(ended) = self.ended {
            ended.refreshed(now).write(out.key("ended"));
        }
        out.close('}');
    }

    fn read(value: &Value) -> Option<Incident> {
        let ended = match value.get("ended") {
            Some(ended) => Some(Moment::read(ended)?),
            None => None,
        };
        Some(Incident {
            id: Id::parse(json::text(value, "id")?)?,
            kind: Kind::parse(json::text(value, "kind")?)?,
            subject: json::text(value, "subject")?.to_owned(),
            part: json::text(value, "part").unwrap_or_default().to_owned(),
            began: Moment::read(value.get("began")?)?,
            ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Tick, Wall};

    fn now(ms: i64) -> Now {
        Now { tick: Tick(ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
    }

    fn event(kind: Kind, incident: u64, subject: &str, ms: i64) -> Event {
        Event::new(kind, Id(incident), subject, Moment::at(Tick(ms), &now(ms)))
    }

    fn rows(history: &History) -> Vec<(u64, &'static str, Option<i64>)> {
        history
            .of("")
            .into_iter()
            .map(|incident| (incident.id.0, incident.kind.name(), incident.duration(&now(0))))
            .collect()
    }

    #[test]
    fn beginnings_ends_and_what_stands_alone() {
        let mut history = History::default();
        for (kind, incident, ms) in [
            (Kind::Offline, 1, 1000),
            (Kind::Offline, 1, 1000),
            (Kind::Interrupt, 2, 2000),
            (Kind::Interrupt, 2, 2500),
            (Kind::Reminder, 1, 3000),
            (Kind::Online, 1, 4000),
            (Kind::Online, 1, 5000),
            (Kind::Rebooted, 3, 5000),
            (Kind::Stopped, 4, 6000),
            (Kind::Offline, 4, 7000),
            (Kind::Forgotten, 4, 9000),
            (Kind::Test, 5, 9000),
            (Kind::Maintenance, 9, 9100),
            (Kind::NoticeDropped, 9, 9200),
            (Kind::NoticeDropped, 10, 9300),
        ] {
            history.note(&event(kind, incident, "nas", ms));
        }
        let since = Fact::Time(Moment::at(Tick(500), &now(500)));
        history.note(&event(Kind::Online, 6, "old", 9500).with(Field::Since, since.clone()));
        history.note(&event(Kind::Offline, 8, "web", 9500).with(Field::LastBeat, since.clone()));
        history.note(&event(Kind::Online, 8, "web", 9700).with(Field::Since, since));
        let mut exercise = event(Kind::Offline, 7, "nas", 9600);
        exercise.test = true;
        history.note(&exercise);
        assert_eq!(
            rows(&history),
            [
                (1, "offline", Some(3000)),
                (2, "interrupt", None),
                (3, "rebooted", None),
                (4, "offline", Some(3000)),
                (9, "maintenance", Some(100)),
                (6, "online", Some(9000)),
                (8, "offline", Some(9200))
            ]
        );
        assert_eq!(history.of("n?s").len(), 5);
        let lasting: Vec<u64> =
            history.of("").into_iter().filter(|incident| incident.lasts()).map(|i| i.id.0).collect();
        assert_eq!(lasting, [2]);
    }

    #[test]
    fn a_probe_has_its_name() {
        let mut history = History::default();
        for (kind, field) in [(Kind::ProbeDown, Field::Probe), (Kind::ResourceHigh, Field::Resource)] {
            history.note(&event(kind, field as u64, "nas", 1000).with_text(field, "web"));
        }
        history.note(&event(Kind::Offline, 9, "nas", 1000));
        let read = History::read(&history.to_save(1, &now(2000)).unwrap()).unwrap();
        let parts: Vec<&str> = read.of("nas").into_iter().map(|incident| &*incident.part).collect();
        assert_eq!(parts, ["web", "web", ""]);
    }

    #[test]
    fn the_last_hundred_survive_and_fit_their_file() {
        let mut history = History::default();
        let subject = "\"\\".repeat(100);
        for n in 0..=MAX_INCIDENTS as u64 {
            history.note(&event(Kind::Offline, n, if n % 2 == 0 { "nas@home" } else { "vps" }, n as i64));
        }
        history.note(&event(Kind::Online, 50, "x", 90_000));
        assert_eq!(history.of("").len(), MAX_INCIDENTS);
        let next_boot = Now { boot: Boot(8), tick: Tick(10), wall: Wall(1_800_009_000_000) };
        let small = history.to_save(700, &now(99_000)).unwrap();
        assert_eq!(history.to_save(701, &now(99_000)), None, "nothing has changed");
        let read = History::read(&small).unwrap();
        assert_eq!(read.seq, 700);
        let of_fifty = read.of("nas@home").into_iter().find(|incident| incident.id == Id(50)).unwrap();
        assert_eq!(of_fifty.duration(&next_boot), Some(89_950));
        assert_eq!(of_fifty.began.wall(&next_boot), Some(Wall(1_800_000_000_050)));
        assert_eq!(rows(&read), rows(&history));

        for n in 0..MAX_INCIDENTS as u64 {
            history.note(&event(Kind::MonitorUnreachable, 1000 + n, &subject, i64::MAX / 4));
            history.note(&event(Kind::MonitorReachable, 1000 + n, &subject, i64::MAX / 4));
        }
        let small = history.to_save(u64::MAX, &now(99_000)).unwrap();
        let file = small.to_json();
        let read = History::read(&small).unwrap();
        println!("{} bytes, {} incidents", file.len(), read.of("").len());
        assert!(file.len() <= MAX_BYTES);
        let last = |history: &History| history.of("").last().unwrap().id;
        assert_eq!(last(&read), last(&history), "the newest stay");
        assert!(read.of("").len() >= MAX_INCIDENTS / 2);
        assert_eq!(History::read(&Small { seq: 1, json: "{}".to_owned() }), None);
    }
}
