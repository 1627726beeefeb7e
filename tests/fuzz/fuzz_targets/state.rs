//! Files of the state directory, damaged in any way, up to the roster and the outbox made of them.

#![no_main]

mod edit;

use std::sync::OnceLock;

use interrupt_callback::alert::finished::Finished;
use interrupt_callback::alert::incident::Incidents;
use interrupt_callback::alert::outbox::{Outbox, Restored, saving};
use interrupt_callback::alert::pending::{After, Pending};
use interrupt_callback::alert::record::{Mark, Record, Saved, Way};
use interrupt_callback::alert::standing::Standing;
use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::Cloud;
use interrupt_callback::event::{Event, Field, Id, Kind, Moment, Severity};
use interrupt_callback::json;
use interrupt_callback::keepalive::beat::{Ev, Notice, Report};
use interrupt_callback::keepalive::heard::Heard;
use interrupt_callback::keepalive::host::Shard;
use interrupt_callback::keepalive::roster::Roster;
use interrupt_callback::keepalive::rules::Rules;
use interrupt_callback::keepalive::silences::Silences;
use interrupt_callback::keepalive::watchdog::restore_beats;
use interrupt_callback::spot::identity::Identity;
use interrupt_callback::spot::service::{self, Reading};
use interrupt_callback::spot::tracker::{self, Tracker};
use libfuzzer_sys::fuzz_target;

const NOW: Now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000), boot: Boot(7) };

/// What was restored works: it is scanned, saved and read again.
fn work(mut roster: Roster) {
    let mut pending = Pending::default();
    roster.scan(&NOW, &mut pending);
    let later = Now { tick: Tick(NOW.tick.0 + 10_000_000_000), ..NOW };
    roster.scan(&later, &mut pending);
    pending.take(usize::MAX);
    while let Some(shard) = roster.hosts_mut().take_dirty(u64::MAX, &later) {
        assert!(Shard::parse(&shard.to_json()).is_ok());
    }
}

/// A roster that has seen much.
fn busy() -> (Roster, Vec<(u64, Option<Event>, After)>) {
    let (mut roster, mut pending) = (Roster::new(Rules::default()), Pending::default());
    let mut now = NOW;
    for (number, name) in ["nas@home", "web-1", "web-2", "old"].into_iter().enumerate() {
        let mut report = Report::bare(Ev::Beat, std::time::Duration::from_secs(1 << number));
        (report.boot, report.run, report.seq, report.up) = ("boot".into(), "run".into(), 1, 100_000);
        report.data.notices.push(Notice {
            id: Id(number as u64),
            incident: Id(10 + number as u64),
            kind: Kind::Interrupt,
            severity: Severity::Critical,
            age: 10,
            left: Some(300_000),
            told: number % 2 == 0,
            delivered: false,
            facts: vec![(Field::Instance, "i-1".into())],
        });
        let from = ([192, 0, 2, 7], 4000).into();
        let heard = Heard { user: "default", name, from, protocol: 2, old_key: false, report: &report };
        roster.hear(&heard, &now, &mut pending).expect("a good beat");
    }
    now.tick = Tick(now.tick.0 + 15_000);
    roster.scan(&now, &mut pending);
    let changes = pending.take(usize::MAX).into_iter().map(|change| (change.seq, change.event, change.after));
    (roster, changes.collect())
}

/// For each kind of file some sound ones.
fn sound(kind: usize) -> &'static [Vec<u8>] {
    static SOUND: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    let all = SOUND.get_or_init(|| {
        let (mut roster, changes) = busy();
        let mut shards = Vec::new();
        while let Some(shard) = roster.hosts_mut().take_dirty(u64::MAX, &NOW) {
            shards.push(shard.to_json());
        }
        let frame = shards[0].split(|byte| *byte == b'[').next().expect("a head").to_vec();
        let beats = [b"{\"boot\":7,\"tick\":1000000,\"wall\":1800000000000}\n-123456789 990000\n".to_vec(), frame];
        let names = ["feishu".to_owned(), "hook".to_owned()];
        let record = |(seq, event, after): (u64, Option<Event>, After)| {
            let event = event.unwrap_or_else(|| Event::new(Kind::Blind, Id(3), "nas", Moment::at(NOW.tick, &NOW)));
            Record::new(seq, event, after, vec![Way::new(0), Way::new(1)], &NOW).to_json(&names, &NOW)
        };
        let records: Vec<Vec<u8>> = changes.into_iter().map(record).collect();
        let (mut finished, mut incidents) = (Finished::default(), Incidents::default());
        incidents.adopt(&names);
        for id in 1..5 {
            finished.push(Id(id), Kind::Offline);
            incidents.begin(Id(id), id, 3, None);
            incidents.told(Id(id), 1);
        }
        let mark = Mark { channel: "hook".into(), count: 1, seqs: vec![1, 2] };
        let small =
            vec![mark.to_json(), br#"[["hook",1,2]]"#.to_vec(), br#"{"name":"hook","why":"x","incident":1}"#.to_vec()];
        let mut tracker = Tracker::restore(Cloud::AliCloud, "nas", None, &NOW);
        let notice = service::Notice::new(Kind::Interrupt, "release", "x");
        let notice = service::Notice { deadline: Some(Wall(1_800_000_300_000)), ..notice };
        tracker.observe(0, &Reading::one(notice), &NOW);
        let spot = tracker.due(&Identity::default(), &NOW).expect("a notice").json().into_bytes();
        let afters = records.clone();
        vec![
            shards,
            beats.to_vec(),
            records,
            vec![finished.to_json()],
            vec![incidents.to_json()],
            small,
            vec![spot],
            vec![br#"{"a":"x","text":1,"b":[{}]}"#.to_vec()],
            afters,
        ]
    });
    &all[kind]
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let kind = usize::from(which % 9);
    // Half of the time anything, half of the time something that was sound once.
    let document = if which & 0x80 == 0 { bytes.to_vec() } else { edit::edited(sound(kind), bytes) };
    let bytes = &document[..];
    let mut roster = Roster::new(Rules::default());
    match kind {
        0 => {
            let Ok(shard) = Shard::parse(bytes) else { return };
            for (name, host) in shard.restore(&NOW) {
                roster.restore(name, host, &NOW);
            }
            work(roster);
        }
        1 => {
            restore_beats(&mut roster, bytes, true, &NOW);
        }
        2 => {
            let mut restored = Restored::default();
            for line in bytes.split(|byte| *byte == b'\n') {
                let Some(value) = json::read(line) else { continue };
                let Some(saved) = Saved::read(&value) else { continue };
                if let After::Host { name, record: Some(record) } = &saved.after {
                    roster.restore(name.as_str().into(), (**record).clone().restore(&NOW), &NOW);
                }
                let place = restored.records.partition_point(|record| record.seq < saved.seq);
                if restored.records.get(place).is_none_or(|record| record.seq != saved.seq) {
                    restored.records.insert(place, saved);
                }
            }
            Outbox::new(vec!["feishu".into(), "hook".into()]).restore(restored, &NOW);
            work(roster);
        }
        3 => {
            let Some(finished) = json::read(bytes).as_ref().and_then(Finished::read) else { return };
            assert!(json::read(&finished.to_json()).as_ref().and_then(Finished::read).is_some());
        }
        4 => {
            let Some(incidents) = json::read(bytes).as_ref().and_then(Incidents::read) else { return };
            assert!(json::read(&incidents.to_json()).as_ref().and_then(Incidents::read).is_some());
        }
        5 => {
            let Some(value) = json::read(bytes) else { return };
            Mark::read(&value);
            saving::read_digests(&value);
            Standing::read(&value);
            Silences::read(&value, &NOW);
        }
        6 => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            tracker::standing(text);
            let tracker = Tracker::restore(Cloud::AliCloud, "nas", Some(text), &NOW);
            tracker.state();
        }
        7 => {
            json::pick(bytes, &["a", "b", "text"]);
        }
        _ => {
            let Some(value) = json::read(bytes) else { return };
            After::read(&value);
        }
    }
});
