//! What a beat says: the body of line 3 and of line 4 of protocol 2. Times are milliseconds here, seconds on the wire.

use std::time::Duration;

use crate::clock::millis;
use crate::event::{Field, Id, Kind, Severity};
use crate::json::{Writer, decimal};
use crate::keepalive::leaf::{Leaf, Slot, fields, fill, walk};
use crate::readings::Readings;

/// Notices carried by one beat.
pub const MAX_NOTICES: usize = 8;
/// Facts of a notice that are read.
const MAX_FACTS: usize = 16;

/// The body of line 3.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Beat or goodbye.
    pub ev: Ev,
    /// Announced period.
    pub per: i64,
    /// Boot id of the host.
    pub boot: String,
    /// Time since the host booted.
    pub up: i64,
    /// Id of the daemon's run: new at every start.
    pub run: String,
    /// Time since the daemon started.
    pub age: i64,
    /// Grows by one per attempt within a run.
    pub seq: u64,
    /// After how long a goodbye is overdue (`ev` = `bye`).
    pub back_in: Option<i64>,
    /// Why the host says goodbye: `stop`, `rename`, `leave` (for good).
    pub reason: Option<String>,
    /// What the host has to tell.
    pub data: Data,
}

impl Report {
    /// A report that says no more than it must.
    pub fn bare(ev: Ev, period: Duration) -> Report {
        Report {
            ev,
            per: millis(period),
            boot: String::new(),
            up: 0,
            run: String::new(),
            age: 0,
            seq: 0,
            back_in: None,
            reason: None,
            data: Data::default(),
        }
    }

    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let ev = match self.ev {
            Ev::Beat => "beat",
            Ev::Bye => "bye",
            Ev::Result => "result",
        };
        out.open('{').key("ev").text(ev);
        for (key, time) in
            [("per", Some(self.per)), ("up", Some(self.up)), ("age", Some(self.age)), ("back_in", self.back_in)]
        {
            seconds(&mut out, key, time);
        }
        for (key, text) in
            [("boot", &*self.boot), ("run", &self.run), ("reason", self.reason.as_deref().unwrap_or_default())]
        {
            if !text.is_empty() {
                out.key(key).text(text);
            }
        }
        out.key("seq").uint(self.seq);
        if self.data != Data::default() {
            out.key("data").open('{');
            if !self.data.notices.is_empty() {
                out.key("notices").open('[');
                self.data.notices.iter().for_each(|notice| notice.write(&mut out));
                out.close(']');
            }
            if let Some(readings) = &self.data.readings {
                readings.write(&mut out);
            }
            if let Some((key, json)) = &self.data.work {
                out.key(key).raw(json);
            }
            out.close('}');
        }
        out.close('}');
        out.into_bytes()
    }

    /// Reads a body. Notices of a kind that this version does not know are left out, and readings that cannot be true:
    /// the beat must count all the same.
    pub fn read(body: &[u8]) -> Option<Report> {
        let (mut ev, mut per, mut boot, mut up, mut run) = (None, None, None, None, None);
        let (mut age, mut seq, mut back_in, mut reason) = (None, None, None, None);
        let mut slots = [
            ("ev", Slot::Text(&mut ev)),
            ("per", Slot::Millis(&mut per)),
            ("boot", Slot::Text(&mut boot)),
            ("up", Slot::Millis(&mut up)),
            ("run", Slot::Text(&mut run)),
            ("age", Slot::Millis(&mut age)),
            ("seq", Slot::Count(&mut seq)),
            ("back_in", Slot::Millis(&mut back_in)),
            ("reason", Slot::Text(&mut reason)),
        ];
        let (mut notices, mut readings) = (Notices::default(), Readings::default());
        let mut take = |path: &str, leaf: Leaf<'_>| {
            if let Some(path) = path.strip_prefix("data/notices/*") {
                return notices.take(path, leaf);
            }
            if let Some(path) = path.strip_prefix("data/") {
                readings.take(path, leaf);
            }
            fill(&mut slots, path, leaf)
        };
        if body.first() != Some(&b'{') || !walk(body, &mut take) {
            return None;
        }
        let ev = match &*ev? {
            "beat" => Ev::Beat,
            "bye" => Ev::Bye,
            "result" => Ev::Result,
            _ => return None,
        };
        Some(Report {
            ev,
            per: per?,
            boot: boot.unwrap_or_default(),
            up: up.unwrap_or_default(),
            run: run.unwrap_or_default(),
            age: age.unwrap_or_default(),
            seq: seq.unwrap_or_default(),
            back_in,
            reason,
            data: Data { notices: notices.finish(), readings: readings.some(), work: None },
        })
    }
}

/// Beat or goodbye.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ev {
    /// The host lives.
    Beat,
    /// The host stops on purpose.
    Bye,
    /// The result of a job, in an exchange of its own. It is no sign of life.
    Result,
}

/// What the host has to tell.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Data {
    /// Notices of its cloud, the oldest first, at most [`MAX_NOTICES`].
    pub notices: Vec<Notice>,
    /// How it is doing.
    pub readings: Option<Readings>,
    /// What its agent says, as a key and JSON: `work`, or with a result `done`. Whoever may get jobs has it read by
    /// [`crate::keepalive::work`] from the whole body.
    pub work: Option<(&'static str, String)>,
}

/// An event of the host, as its beat carries it. Times are relative, because clocks differ.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// The event's id, the same on the host's own channels.
    pub id: Id,
    /// Its incident.
    pub incident: Id,
    /// What its cloud said: `interrupt`, `maintenance`, `blind`, ….
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// Time since it happened.
    pub age: i64,
    /// Time until the instance goes; negative once it is past.
    pub left: Option<i64>,
    /// The host has a channel of its own and tells it.
    pub told: bool,
    /// One of those channels took it.
    pub delivered: bool,
    /// Text facts: instance, region and the like; `lead` and `duration` in seconds. Fields that a later version added
    /// are left out.
    pub facts: Vec<(Field, String)>,
}

impl Notice {
    fn write(&self, out: &mut Writer) {
        identity(out, self.id, self.incident, self.kind, self.severity);
        seconds(out, "age", Some(self.age));
        seconds(out, "left", self.left);
        out.key("told").flag(self.told).key("delivered").flag(self.delivered);
        facts(out, &self.facts);
        out.close('}');
    }
}

/// Begins an object with what events are known by.
pub fn identity(out: &mut Writer, id: Id, incident: Id, kind: Kind, severity: Severity) {
    out.open('{').key("id").text(&id.to_string()).key("incident").text(&incident.to_string());
    out.key("kind").text(kind.name()).key("severity").text(severity.name());
}

/// Writes text facts under the key `facts`.
pub fn facts(out: &mut Writer, facts: &[(Field, String)]) {
    out.key("facts").open('[');
    for (field, text) in facts {
        out.open('[').text(field.name()).text(text).close(']');
    }
    out.close(']');
}

/// Notices while they are read.
#[derive(Default)]
struct Notices {
    done: Vec<Notice>,
    id: Option<String>,
    incident: Option<String>,
    kind: Option<String>,
    severity: Option<String>,
    age: Option<i64>,
    left: Option<i64>,
    told: Option<bool>,
    delivered: Option<bool>,
    facts: Vec<(Option<Field>, String)>,
    /// Place within a fact; beyond 2 in one that is not read.
    place: usize,
}

impl Notices {
    /// `path` is what follows the array's own.
    fn take(&mut self, path: &str, leaf: Leaf<'_>) -> bool {
        let mut slots = [
            ("/id", Slot::Text(&mut self.id)),
            ("/incident", Slot::Text(&mut self.incident)),
            ("/kind", Slot::Text(&mut self.kind)),
            ("/severity", Slot::Text(&mut self.severity)),
            ("/age", Slot::Millis(&mut self.age)),
            ("/left", Slot::Millis(&mut self.left)),
            ("/told", Slot::Flag(&mut self.told)),
            ("/delivered", Slot::Flag(&mut self.delivered)),
        ];
        match (path, leaf) {
            ("", Leaf::Open) => self.next(),
            ("/facts/*", Leaf::Open) if self.facts.len() < MAX_FACTS => {
                self.facts.push((None, String::new()));
                self.place = 0;
            }
            ("/facts/*", Leaf::Open) => self.place = 3,
            ("/facts/*/*", Leaf::Text(text)) => {
                let Some(last) = self.facts.last_mut() else { return false };
                match self.place {
                    0 => last.0 = Field::parse(text),
                    1 => last.1.push_str(text),
                    2 => return false,
                    _ => {}
                }
                self.place += 1;
            }
            ("" | "/facts/*" | "/facts/*/*", _) => return false,
            _ => return fill(&mut slots, path, leaf),
        }
        true
    }

    /// Closes a notice. One that lacks something, or is of an unknown kind, is left out.
    fn next(&mut self) {
        let done = std::mem::take(&mut self.done);
        let raw = std::mem::replace(self, Notices { done, ..Notices::default() });
        let known = || {
            Some(Notice {
                id: Id::parse(&raw.id?)?,
                incident: Id::parse(&raw.incident?)?,
                kind: Kind::parse(&raw.kind?)?,
                severity: Severity::parse(&raw.severity?)?,
                age: raw.age?,
                left: raw.left,
                told: raw.told?,
                delivered: raw.delivered.unwrap_or_default(),
                facts: raw.facts.into_iter().filter_map(|(field, text)| Some((field?, text))).collect(),
            })
        };
        if self.done.len() < MAX_NOTICES
            && let Some(notice) = known()
        {
            self.done.push(notice);
        }
    }

    fn finish(mut self) -> Vec<Notice> {
        self.next();
        self.done
    }
}

/// The body of line 4.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    /// Whether the beat counts.
    pub ok: bool,
    /// `name-taken`, `name-invalid`, `period-invalid`, `full`, `stale`, `malformed`.
    pub err: Option<String>,
    /// After how long the server wants the next beat.
    pub next: Option<i64>,
    /// For how long this host's work stays its own.
    pub lease: Option<i64>,
}

impl Reply {
    /// The body of a reply: how soon the next beat is wanted and how long the work stays the host's, or why the beat
    /// does not count; and as JSON, if there is any, what the agent is to do.
    pub fn to_json(granted: Result<(i64, i64), &str>, work: &str) -> Vec<u8> {
        let mut out = Writer::default();
        out.open('{').key("ok").flag(granted.is_ok());
        match granted {
            Ok((next, lease)) => {
                seconds(&mut out, "next", Some(next));
                seconds(&mut out, "lease", Some(lease));
                if !work.is_empty() {
                    out.key("work").raw(work);
                }
            }
            Err(code) => {
                out.key("err").text(code);
            }
        }
        out.close('}');
        out.into_bytes()
    }

    /// Reads a body.
    pub fn read(body: &[u8]) -> Option<Reply> {
        let (mut ok, mut err, mut next, mut lease) = (None, None, None, None);
        let mut slots = [
            ("ok", Slot::Flag(&mut ok)),
            ("err", Slot::Text(&mut err)),
            ("next", Slot::Millis(&mut next)),
            ("lease", Slot::Millis(&mut lease)),
        ];
        fields(body, &mut slots).then_some(())?;
        Some(Reply { ok: ok?, err, next, lease })
    }
}

/// Writes milliseconds as seconds with three decimals, if there are any.
#[inline(never)]
fn seconds(out: &mut Writer, key: &str, ms: Option<i64>) {
    let Some(ms) = ms else { return };
    out.key(key).raw(&decimal(ms, 3));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_says_does_not_cost_the_beat() {
        let text = r#"{"ev":"beat","per":30,"data":{"probes":[1],"notices":[
            {"id":"0000000000000001","incident":"0000000000000002","kind":"eclipse","severity":"info","age":1,"told":true},
            {"id":"0000000000000001","incident":"0000000000000002","kind":"interrupt","severity":"critical","age":1,
             "left":-3.5,"told":false,"facts":[["instance","i-1"],["orbit","low"]],"more":[["x"]]}]}}"#;
        let report = Report::read(text.as_bytes()).unwrap();
        let [notice] = &report.data.notices[..] else { panic!("{report:?}") };
        assert_eq!((notice.kind, notice.left, notice.delivered), (Kind::Interrupt, Some(-3500), false));
        assert_eq!(notice.facts, [(Field::Instance, "i-1".to_owned())]);
        assert_eq!(Report::read(&report.to_json()), Some(report));
    }

    #[test]
    fn reports_and_replies_survive_the_wire() {
        let report =
            Report { back_in: Some(-7), up: 86_400_500, seq: u64::MAX, ..Report::bare(Ev::Bye, Duration::ZERO) };
        let text = r#"{"ev":"bye","per":0.000,"up":86400.500,"age":0.000,"back_in":-0.007,"seq":18446744073709551615}"#;
        assert_eq!(String::from_utf8(report.to_json()).unwrap(), text);
        assert_eq!(Report::read(text.as_bytes()), Some(report));
        let full = Reply { ok: false, err: Some("full".into()), next: None, lease: None };
        let good = Reply { ok: true, err: None, next: Some(300), lease: Some(120_000) };
        for (granted, text, reply) in [
            (Ok((300, 120_000)), r#"{"ok":true,"next":0.300,"lease":120.000}"#, good),
            (Err("full"), r#"{"ok":false,"err":"full"}"#, full),
        ] {
            assert_eq!(String::from_utf8(Reply::to_json(granted, "")).unwrap(), text);
            assert_eq!(Reply::read(text.as_bytes()), Some(reply));
        }
    }

    #[test]
    fn notices_are_bounded_and_of_the_right_shape() {
        let report = |notices: &str| {
            Report::read(format!(r#"{{"ev":"beat","per":1,"data":{{"notices":{notices}}}}}"#).as_bytes())
        };
        let one = |facts: &str| {
            format!(
                r#"{{"id":"0000000000000001","incident":"0000000000000002","kind":"interrupt","severity":"info","age":0,"told":true,"facts":{facts}}}"#
            )
        };
        let many = vec![one("[]"); 50].join(",");
        assert_eq!(report(&format!("[{many}]")).unwrap().data.notices.len(), MAX_NOTICES);
        let facts = format!("[{}]", vec![r#"["instance","i","x"]"#; MAX_FACTS + 5].join(","));
        assert_eq!(report(&format!("[{}]", one(&facts))), None, "a fact has a name and a value");
        let facts = facts.replace(r#","x"]"#, "]");
        assert_eq!(report(&format!("[{}]", one(&facts))).unwrap().data.notices[0].facts.len(), MAX_FACTS);
        for wrong in ["[1]", r#"[{"id":1}]"#, r#"[{"facts":[[1]]}]"#, r#"[{"facts":["x"]}]"#] {
            assert_eq!(report(wrong), None, "{wrong}");
        }
        assert_eq!(report(r#"[{}, {"id":"x"}]"#).unwrap().data.notices, []);
    }
}
