//! What a host says of itself in its beats.

use crate::alert::clean::{clean, cut};
use crate::event::{Event, Fact, Field};
use crate::json::{Writer, decimal};
use crate::keepalive::leaf::Leaf;

/// Bytes of a note.
pub const MAX_NOTE: usize = 200;
/// Bytes of the folder of a disk.
pub const MAX_PLACE: usize = 64;
/// Highest load average that is believed, in hundredths.
pub const MAX_LOAD: i64 = 10_000_000;
/// Most cores that are believed.
pub const MAX_CORES: i64 = 65_536;
/// Temperatures that are believed, in tenths of a degree Celsius: sensors that are not there say -273 or 255.
pub const TEMPERATURES: (i64, i64) = (-600, 2000);
/// Most network errors that are believed, in hundredths per second.
pub const MAX_ERRORS: i64 = 100_000_000;

/// What a host says of itself in its beats. What it cannot know is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Readings {
    /// Load average of the last minute, in hundredths.
    pub load: Option<u32>,
    /// Cores.
    pub cores: Option<u32>,
    /// Memory in use, in percent.
    pub memory: Option<u32>,
    /// Use of the fullest disk, in percent.
    pub disk: Option<u32>,
    /// The highest temperature, in tenths of a degree Celsius.
    pub temperature: Option<i32>,
    /// Time that the processors did not idle, in percent.
    pub cpu: Option<u32>,
    /// Swap in use, in percent.
    pub swap: Option<u32>,
    /// Use of the inodes of the disk with the fewest, in percent.
    pub inodes: Option<u32>,
    /// Open files, in percent of what the kernel allows.
    pub fds: Option<u32>,
    /// Packets that were broken or dropped, in hundredths per second.
    pub errors: Option<u32>,
    /// The folder of the fullest disk, at most [`MAX_PLACE`] bytes; empty if it is not known.
    pub place: String,
    /// It checks itself.
    pub checks: bool,
    /// What was last said of it, at most 200 bytes.
    pub note: String,
}

/// Makes a note fit: one line without control characters, at most [`MAX_NOTE`] bytes.
pub fn note(text: &str) -> String {
    clean(text.trim(), MAX_NOTE)
}

impl Readings {
    /// Whether there is anything to say.
    pub fn some(self) -> Option<Readings> {
        (self != Readings::default()).then_some(self)
    }

    /// Adds what is known to `event` as facts.
    pub fn add_to(&self, event: &mut Event) {
        let percent = |percent: u32| [&*percent.to_string(), " %"].concat();
        let load = self.load.map(|load| {
            let load = decimal(load.into(), 2);
            match self.cores {
                Some(1) => [&*load, " (1 core)"].concat(),
                Some(cores) => [&*load, " (", &cores.to_string(), " cores)"].concat(),
                None => load,
            }
        });
        let texts = [
            (Field::Load, load),
            (Field::Memory, self.memory.map(percent)),
            (Field::Disk, self.disk.map(percent)),
            (Field::Temperature, self.temperature.map(|tenths| [&*decimal(tenths.into(), 1), " °C"].concat())),
            (Field::Note, (!self.note.is_empty()).then(|| self.note.clone())),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                event.facts.push((field, Fact::Text(text)));
            }
        }
    }
}

/// On the wire: members of `data`. `res` holds numbers: `load` (average of a minute), `cores`; `mem`, `disk` (the fullest),
/// `cpu`, `swap`, `inodes`, `fds` (percent in use); `temp` (degrees Celsius), `neterr` (packets per second); besides `at`,
/// the folder of the fullest disk, and `chk`, which is true of a host that checks itself. `note` is a text. At most 900
/// bytes, since no text holds control characters.
impl Readings {
    /// Writes them as `"res":{…},"note":"…"`; nothing that is not known.
    pub fn write(&self, out: &mut Writer) {
        let whole = |number: Option<u32>| number.map(|number| number.to_string());
        let numbers = [
            ("load", self.load.map(|load| decimal(load.into(), 2))),
            ("cores", whole(self.cores)),
            ("mem", whole(self.memory)),
            ("disk", whole(self.disk)),
            ("temp", self.temperature.map(|tenths| decimal(tenths.into(), 1))),
            ("cpu", whole(self.cpu)),
            ("swap", whole(self.swap)),
            ("inodes", whole(self.inodes)),
            ("fds", whole(self.fds)),
            ("neterr", self.errors.map(|hundredths| decimal(hundredths.into(), 2))),
            ("chk", self.checks.then(|| "true".to_owned())),
        ];
        if numbers.iter().any(|(_, number)| number.is_some()) {
            out.key("res").open('{');
            for (key, number) in numbers {
                if let Some(number) = number {
                    out.key(key).raw(&number);
                }
            }
            if !self.place.is_empty() {
                out.key("at").text(&clean(&self.place, MAX_PLACE));
            }
            out.close('}');
        }
        if !self.note.is_empty() {
            out.key("note").text(&cut(self.note.clone(), MAX_NOTE));
        }
    }

    /// Takes in what stands at `path` below `data`. What is no reading, or cannot be true, is left out: it must not cost
    /// the beat.
    pub fn take(&mut self, path: &str, leaf: Leaf<'_>) {
        match (path, leaf) {
            ("note", Leaf::Text(text)) => self.note = note(text),
            ("res/at", Leaf::Text(text)) => self.place = clean(text, MAX_PLACE),
            ("res/chk", Leaf::Flag(checks)) => self.checks = checks,
            _ => {}
        }
        let Some(thousandths) = leaf.millis() else { return };
        let within = |unit: i64, least: i64, most: i64| {
            let number = (thousandths.saturating_add(unit / 2)).div_euclid(unit);
            (least..=most).contains(&number).then_some(number)
        };
        let count = |unit, least, most| within(unit, least, most).and_then(|number| u32::try_from(number).ok());
        match path {
            "res/load" => self.load = count(10, 0, MAX_LOAD),
            "res/cores" => self.cores = count(1000, 1, MAX_CORES),
            "res/mem" => self.memory = count(1000, 0, 100),
            "res/disk" => self.disk = count(1000, 0, 100),
            "res/cpu" => self.cpu = count(1000, 0, 100),
            "res/swap" => self.swap = count(1000, 0, 100),
            "res/inodes" => self.inodes = count(1000, 0, 100),
            "res/fds" => self.fds = count(1000, 0, 100),
            "res/neterr" => self.errors = count(10, 0, MAX_ERRORS),
            "res/temp" => {
                let (least, most) = TEMPERATURES;
                self.temperature = within(100, least, most).and_then(|number| i32::try_from(number).ok());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Now, Tick, Wall};
    use crate::event::{Id, Kind, Moment};
    use crate::keepalive::beat::Report;
    use crate::keepalive::leaf::walk;

    fn full() -> Readings {
        Readings {
            load: Some(52),
            cores: Some(4),
            memory: Some(43),
            disk: Some(71),
            temperature: Some(485),
            note: "backup runs".to_owned(),
            ..Readings::default()
        }
    }

    fn written(readings: &Readings) -> String {
        let mut out = Writer::default();
        readings.write(out.open('{'));
        out.close('}');
        out.into_string()
    }

    fn read(text: &str) -> Readings {
        let mut readings = Readings::default();
        let all = walk(text.as_bytes(), &mut |path, leaf| {
            readings.take(path, leaf);
            true
        });
        assert!(all, "{text}");
        readings
    }

    #[test]
    fn they_survive_the_wire() {
        let text = r#"{"res":{"load":0.52,"cores":4,"mem":43,"disk":71,"temp":48.5},"note":"backup runs"}"#;
        assert_eq!(written(&full()), text);
        assert_eq!(read(text), full());
        assert_eq!(written(&Readings::default()), "{}");
        assert_eq!(Readings::default().some(), None);
        let more = Readings {
            disk: Some(97),
            cpu: Some(12),
            swap: Some(3),
            inodes: Some(44),
            fds: Some(1),
            errors: Some(1250),
            place: "/srv/数据".to_owned(),
            checks: true,
            ..Readings::default()
        };
        let text =
            r#"{"res":{"disk":97,"cpu":12,"swap":3,"inodes":44,"fds":1,"neterr":12.50,"chk":true,"at":"/srv/数据"}}"#;
        assert_eq!((&*written(&more), &read(text)), (text, &more));
        let checks = Readings { checks: true, ..Readings::default() };
        assert_eq!(
            (&*written(&checks), read(r#"{"res":{"chk":true}}"#).some()),
            (r#"{"res":{"chk":true}}"#, Some(checks))
        );
        let cold = Readings { temperature: Some(-5), load: Some(120_007), ..Readings::default() };
        assert_eq!(written(&cold), r#"{"res":{"load":1200.07,"temp":-0.5}}"#);
        assert_eq!(read(&written(&cold)), cold);
    }

    #[test]
    fn what_cannot_be_is_left_out_and_costs_nothing() {
        for text in [
            r#"{"res":{"load":-1,"cores":0,"mem":101,"disk":-1,"temp":1e9}}"#,
            r#"{"res":{"load":"1","cores":[4],"mem":{"a":1},"disk":true,"temp":null},"note":7}"#,
            r#"{"res":{"load":1e300,"cores":18446744073709551615,"mem":1e300,"disk":-1e300,"temp":-1e300}}"#,
            r#"{"res":[1,2],"note":["x"]}"#,
            r#"{"res":7,"note":{"note":"x"}}"#,
            r#"{"res":{"orbit":1,"more":{"load":1}}}"#,
            r#"{"res":{"cpu":101,"swap":-1,"inodes":1e9,"fds":"1","neterr":-0.1,"at":7,"chk":1}}"#,
            r#"{"res":{"cpu":[1],"neterr":1e300,"at":["/"],"chk":"true"}}"#,
        ] {
            assert_eq!(read(text), Readings::default(), "{text}");
        }
        let rounded = read(r#"{"res":{"load":1.996,"cores":3.7,"mem":99.6,"disk":0.4,"temp":-0.26,"fan":[1]}}"#);
        assert_eq!((rounded.load, rounded.cores, rounded.memory), (Some(200), Some(4), Some(100)));
        assert_eq!((rounded.disk, rounded.temperature), (Some(0), Some(-3)));
    }

    #[test]
    fn readings_never_cost_a_beat() {
        let text =
            r#"{"ev":"beat","per":30,"data":{"res":{"load":"high","mem":43,"fan":[1]},"note":"ok","res":7,"x":{}}}"#;
        let readings = Readings { memory: Some(43), note: "ok".to_owned(), ..Readings::default() };
        let report = Report::read(text.as_bytes()).unwrap();
        assert_eq!(report.data.readings, Some(readings));
        assert_eq!(Report::read(&report.to_json()), Some(report));
    }

    #[test]
    fn a_note_is_one_short_line() {
        let hostile = "\u{1b}[31m\u{202e}a\nb";
        assert_eq!(note(hostile), "\u{FFFD}[31m\u{FFFD}a b");
        assert_eq!(read(&format!("{{\"note\":\"{}\"}}", "失".repeat(500))).note.len(), 198);
        let long = "\"\\".repeat(5000);
        let most = Readings {
            load: Some(10_000_000),
            cores: Some(65_536),
            memory: Some(100),
            disk: Some(100),
            temperature: Some(-599),
            cpu: Some(100),
            swap: Some(100),
            inodes: Some(100),
            fds: Some(100),
            errors: Some(4_000_000_000),
            place: long.clone(),
            checks: true,
            note: long,
        };
        assert!(written(&most).len() < 900, "{}", written(&most).len());
        let read = read(&written(&most));
        assert!(read.note.len() <= MAX_NOTE && read.place.len() <= MAX_PLACE);
    }

    #[test]
    fn facts_are_short_texts() {
        let now = Now { tick: Tick(0), wall: Wall(0), boot: Boot(0) };
        let facts = |readings: &Readings| {
            let mut event = Event::new(Kind::Offline, Id(1), "nas@home", Moment::at(Tick(0), &now));
            readings.add_to(&mut event);
            let fact = |(field, fact): &(Field, Fact)| match fact {
                Fact::Text(text) => format!("{}={text}", field.name()),
                Fact::Number(_) | Fact::Span(_) | Fact::Time(_) => panic!("no text"),
            };
            event.facts.iter().map(fact).collect::<Vec<_>>().join("; ")
        };
        let all = "load=0.52 (4 cores); memory=43 %; disk=71 %; temperature=48.5 °C; note=backup runs";
        assert_eq!(facts(&full()), all);
        let few = Readings { load: Some(7), cores: Some(1), temperature: Some(-123), ..Readings::default() };
        assert_eq!(facts(&few), "load=0.07 (1 core); temperature=-12.3 °C");
        assert_eq!(facts(&Readings { cores: Some(4), ..Readings::default() }), "");
        assert_eq!(facts(&Readings { load: Some(123_456), ..Readings::default() }), "load=1234.56");
    }
}
