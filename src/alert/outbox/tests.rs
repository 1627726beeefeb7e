use std::collections::BTreeMap;

use super::*;
use crate::alert::retry::Jitter;
use crate::alert::testing::{at, event};
use crate::json;

fn saved(bytes: &[u8]) -> Saved {
    Saved::read(&json::read(bytes).unwrap()).unwrap()
}

const ALL: &dyn Fn(usize, &Event) -> bool = &|_, _| true;

fn outbox() -> Outbox {
    Outbox::new(vec!["a".into(), "b".into()])
}

fn change(seq: u64, kind: Kind, incident: u64) -> Change {
    Change { seq, event: Some(event(kind, incident, "nas")), after: Default::default() }
}

fn admit(outbox: &mut Outbox, seq: u64, kind: Kind, incident: u64) -> bool {
    outbox.admit(change(seq, kind, incident), ALL, &at(0))
}

/// What a crash would leave: the files as they would be read again.
#[derive(Default)]
struct Disk(BTreeMap<String, Vec<u8>>);

impl Disk {
    /// Writes all there is to write, as one batch.
    fn save(&mut self, outbox: &mut Outbox, now: &Now) {
        loop {
            let files = outbox.writes(true, now);
            if files.is_empty() {
                break;
            }
            self.0.extend(files);
        }
        self.0.insert("incidents".into(), outbox.incidents.to_json());
        self.0.insert("finished".into(), outbox.finished.to_json());
        for file in outbox.removals() {
            self.0.remove(&file);
        }
        outbox.saved(true, now);
    }

    fn restart(&self, now: &Now) -> Outbox {
        let mut outbox = outbox();
        let read = |file: &str| self.0.get(file).and_then(|bytes| json::read(bytes));
        let files = self.0.iter().filter(|(file, _)| file.starts_with("outbox/"));
        let restored = Restored {
            records: files.map(|(_, bytes)| saved(bytes)).collect(),
            incidents: read("incidents").map(|value| Incidents::read(&value).unwrap()).unwrap_or_default(),
            finished: read("finished").map(|value| Finished::read(&value).unwrap()).unwrap_or_default(),
            ..Restored::default()
        };
        assert!(outbox.restore(restored, now).is_empty());
        outbox
    }
}

#[test]
fn an_event_waits_for_the_disk_but_at_most_a_second() {
    let mut outbox = outbox();
    assert!(admit(&mut outbox, 1, Kind::Offline, 1));
    assert_eq!(outbox.due(0, false, &at(999)), [0u64; 0]);
    assert_eq!(outbox.due(0, false, &at(1000)), [1]);
    assert_eq!(outbox.due(0, true, &at(0)), [1]);
    outbox.writes(false, &at(0));
    assert_eq!(outbox.due(0, false, &at(0)), [0u64; 0], "written is not saved");
    outbox.saved(true, &at(0));
    assert_eq!(outbox.due(0, false, &at(0)), [1]);
    assert!(admit(&mut outbox, 2, Kind::Interrupt, 2));
    assert_eq!(outbox.due(0, true, &at(0)), [2, 1], "interrupts first");
}

#[test]
fn a_failed_write_is_tried_again() {
    let mut outbox = outbox();
    admit(&mut outbox, 1, Kind::Offline, 1);
    assert_eq!(outbox.writes(false, &at(0)).len(), 1);
    assert_eq!(outbox.saved_seq(), 1);
    outbox.saved(false, &at(0));
    assert_eq!(outbox.saved_seq(), 0);
    assert_eq!(outbox.writes(false, &at(0)).len(), 1);
}

#[test]
fn a_batch_is_small_and_begins_with_interrupts() {
    let mut outbox = outbox();
    for seq in 1..=40 {
        admit(&mut outbox, seq, Kind::Offline, seq);
    }
    admit(&mut outbox, 41, Kind::Interrupt, 41);
    let first = outbox.writes(false, &at(0));
    assert_eq!((first.len(), first[0].0.as_str()), (MAX_BATCH_FILES, record::file_name(41).as_str()));
    assert_eq!(outbox.saved_seq(), MAX_BATCH_FILES as u64 - 1);
    outbox.saved(true, &at(0));
    assert_eq!(outbox.writes(false, &at(0)).len(), 41 - MAX_BATCH_FILES);
    assert_eq!(outbox.saved_seq(), 41);
}

#[test]
fn an_end_that_only_channels_of_the_past_would_hear_ends_its_incident() {
    let mut outbox = outbox();
    outbox.admit(change(1, Kind::Offline, 1), &|channel, _| channel == 0, &at(0));
    outbox.verdict(0, &[1], &Fate::Delivered, &at(0));
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    let incidents = Incidents::read(&json::read(&disk.0["incidents"]).unwrap()).unwrap();
    let mut other = Outbox::new(vec!["c".into()]);
    other.restore(Restored { incidents, ..Restored::default() }, &at(0));
    assert!(other.incidents.knows(Id(1), 1), "it is kept for a channel that comes back");
    assert!(!admit(&mut other, 2, Kind::Online, 1));
    assert!(!other.incidents.knows(Id(1), 1) && other.incidents.dirty);
}

#[test]
fn progress_is_written_once_others_lag_behind() {
    let mut outbox = outbox();
    admit(&mut outbox, 1, Kind::Offline, 1);
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    outbox.verdict(0, &[1], &Fate::Delivered, &at(100));
    assert!(!outbox.is_unsaved(&at(1099)));
    assert!(outbox.is_unsaved(&at(1100)));
    disk.save(&mut outbox, &at(1100));
    let again = disk.restart(&at(2000));
    assert_eq!((again.queued(0), again.queued(1)), (0, 1));
    outbox.verdict(1, &[1], &Fate::Delivered, &at(1200));
    assert!(outbox.is_unsaved(&at(1200)), "a finished event is removed at once");
    disk.save(&mut outbox, &at(1200));
    assert!(disk.restart(&at(2000)).is_empty());
}

#[test]
fn an_event_is_taken_once() {
    let mut outbox = outbox();
    assert!(admit(&mut outbox, 1, Kind::Offline, 1));
    assert!(!admit(&mut outbox, 2, Kind::Offline, 1));
    for channel in 0..2 {
        outbox.verdict(channel, &[1], &Fate::Delivered, &at(0));
    }
    assert!(!admit(&mut outbox, 3, Kind::Offline, 1));
    assert_eq!(outbox.finished.seq, 3);
}

#[test]
fn an_end_goes_where_its_beginning_went() {
    let mut outbox = outbox();
    assert!(!admit(&mut outbox, 1, Kind::Online, 9), "nobody was told");
    outbox.admit(change(2, Kind::Offline, 1), &|channel, _| channel == 1, &at(0));
    assert!(admit(&mut outbox, 3, Kind::Online, 1));
    assert_eq!((outbox.queued(0), outbox.queued(1)), (0, 2));
    let effect = outbox.verdict(1, &[2], &Fate::GaveUp("x".into()), &at(0));
    assert_eq!(effect.lost, 1);
    assert!(outbox.is_empty(), "the end went with its beginning");
    assert!(!outbox.incidents.knows(Id(1), 1));
}

#[test]
fn a_lost_change_of_a_told_incident_does_not_take_the_end_with_it() {
    let mut outbox = outbox();
    let mut changed = change(2, Kind::Interrupt, 1);
    changed.event.as_mut().unwrap().id = Id(77);
    admit(&mut outbox, 1, Kind::Interrupt, 1);
    outbox.admit(changed, ALL, &at(0));
    outbox.verdict(0, &[1], &Fate::Delivered, &at(0));
    admit(&mut outbox, 3, Kind::InterruptWithdrawn, 1);
    outbox.verdict(0, &[2], &Fate::GaveUp("x".into()), &at(0));
    assert_eq!(outbox.queued(0), 1);
}

#[test]
fn an_exercise_leaves_nothing_behind() {
    let mut outbox = outbox();
    for (seq, kind) in [(1, Kind::Offline), (2, Kind::Online)] {
        let mut change = change(seq, kind, 1);
        change.event.as_mut().unwrap().test = true;
        assert!(outbox.admit(change, ALL, &at(0)), "{kind:?}");
        outbox.verdict(0, &[seq], &Fate::Delivered, &at(0));
        outbox.verdict(1, &[seq], &Fate::Delivered, &at(0));
    }
    assert!(outbox.is_empty() && !outbox.finished.dirty && !outbox.incidents.dirty);
}

#[test]
fn beyond_the_cap_the_oldest_of_failing_channels_goes_and_interrupts_last() {
    let mut outbox = outbox();
    let only_b: &dyn Fn(usize, &Event) -> bool = &|channel, _| channel == 1;
    outbox.admit(change(1, Kind::Interrupt, 1), only_b, &at(0));
    outbox.admit(change(2, Kind::InterruptWithdrawn, 1), only_b, &at(0));
    outbox.admit(change(3, Kind::Stopped, 3), ALL, &at(0));
    outbox.admit(change(4, Kind::Stopped, 4), only_b, &at(0));
    outbox.admit(change(5, Kind::Online, 4), only_b, &at(0));
    for seq in 6..=MAX_EVENTS as u64 + 1 {
        outbox.admit(change(seq, Kind::Stopped, seq), only_b, &at(0));
    }
    assert_eq!(outbox.bound(&[false, true], &at(0)), [(1, 1)]);
    assert!(outbox.offer(4, 1).is_none() && outbox.offer(5, 1).is_none(), "an end goes with its beginning");
    assert!([1, 2, 3, 6].iter().all(|seq| outbox.offer(*seq, 1).is_some()));
    assert_eq!(outbox.len(), MAX_EVENTS - 1);
}

#[test]
fn the_cap_in_bytes_holds() {
    let mut outbox = outbox();
    for seq in 1..=40 {
        let mut change = change(seq, Kind::Stopped, seq);
        change.event.as_mut().unwrap().subject = "x".repeat(200_000);
        outbox.admit(change, ALL, &at(0));
        outbox.bound(&[false, false], &at(0));
        assert!(outbox.bytes <= MAX_BYTES);
    }
    assert!(outbox.len() >= 19);
}

#[test]
fn what_was_found_in_flight_three_times_is_set_aside() {
    let mut outbox = outbox();
    admit(&mut outbox, 1, Kind::Offline, 1);
    admit(&mut outbox, 2, Kind::Offline, 2);
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    let records: Vec<Saved> = [1, 2].iter().map(|seq| saved(&disk.0[&record::file_name(*seq)])).collect();
    for (count, poisoned) in [(1, 0), (2, 0), (3, 1)] {
        let marks = vec![Mark { channel: "a".into(), count, seqs: vec![1] }];
        let mut outbox = Outbox::new(vec!["a".into(), "b".into()]);
        let bad = outbox.restore(Restored { records: records.clone(), marks, ..Restored::default() }, &at(0));
        assert_eq!(bad.len(), poisoned);
        assert_eq!(outbox.offer(1, 0).map(|offer| offer.starts), (poisoned == 0).then_some(count));
        assert_eq!(outbox.offer(2, 0).unwrap().starts, 0);
        assert!(outbox.offer(1, 1).is_some());
    }
}

#[test]
fn a_digest_stays_the_same_over_a_restart() {
    let mut outbox = outbox();
    for seq in 1..=3 {
        admit(&mut outbox, seq, Kind::Offline, seq);
    }
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    outbox.frozen(0, &[1, 3], Some(Id(9)));
    assert!(outbox.digests_dirty);
    let records = (1..=3).map(|seq| saved(&disk.0[&record::file_name(seq)])).collect();
    let digests = saving::read_digests(&json::read(&outbox.digests_json()).unwrap()).unwrap();
    let mut again = Outbox::new(vec!["a".into(), "b".into()]);
    again.restore(Restored { records, digests, ..Restored::default() }, &at(0));
    let groups = |channel| [1, 2, 3].map(|seq| again.offer(seq, channel).unwrap().group);
    assert_eq!((groups(0), groups(1)), ([Some(Id(9)), None, Some(Id(9))], [None; 3]));
    again.verdict(0, &[1, 3], &Fate::Unfolded, &at(0));
    assert_eq!((again.offer(1, 0).unwrap().group, again.digests_json()), (None, b"[]".to_vec()));
}

#[test]
fn a_channel_that_is_gone_takes_its_progress_with_it() {
    let mut outbox = outbox();
    admit(&mut outbox, 1, Kind::Offline, 1);
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    let record = saved(&disk.0[&record::file_name(1)]);
    let mut other = Outbox::new(vec!["c".into()]);
    other.restore(Restored { records: vec![record], ..Restored::default() }, &at(0));
    assert!(other.is_empty());
    assert_eq!(other.removals(), [record::file_name(1)]);
}

/// One life of the daemon after the other on the same disk.
struct Lives {
    chance: Jitter,
    disk: Disk,
    outbox: Outbox,
    ms: i64,
    /// How often each pair of change and channel was told or given up.
    settled: BTreeMap<(u64, usize), u32>,
    /// Attempts whose outcome a crash wiped out.
    forgotten: u32,
}

impl Lives {
    /// The same message is refused at every attempt.
    fn is_refused(seq: u64, channel: usize) -> bool {
        (seq * 7 + channel as u64).is_multiple_of(10)
    }

    fn attempt(&mut self, channel: usize) {
        let now = at(self.ms);
        let Some(first) = self.outbox.due(channel, true, &now).into_iter().min() else {
            return;
        };
        let refused = Lives::is_refused(first, channel);
        let fate = if refused { Fate::GaveUp("x".into()) } else { Fate::Delivered };
        self.outbox.verdict(channel, &[first], &fate, &now);
        *self.settled.entry((first, channel)).or_default() += 1;
        if self.chance.below(10) == 0 {
            self.forgotten += 1;
            self.outbox = self.disk.restart(&now);
        } else {
            self.disk.save(&mut self.outbox, &now);
        }
    }
}

/// Events come, channels take or refuse them, and the program ends at any step: every pair of event and channel is
/// told or given up, once, but for those in flight at a crash; and an end goes where its beginning was told.
#[test]
fn nothing_is_lost_over_restarts_at_any_step() {
    for seed in 1..=12 {
        let (chance, disk) = (Jitter::new(seed), Disk::default());
        let mut lives = Lives { chance, disk, outbox: outbox(), ms: 0, settled: BTreeMap::new(), forgotten: 0 };
        let mut open: Vec<u64> = Vec::new();
        let mut sent: Vec<(u64, Option<u64>, u32)> = Vec::new();
        for seq in 1..=200 {
            lives.ms += 100;
            let ended = if lives.chance.below(2) == 0 { open.pop() } else { None };
            let (kind, incident) = ended.map_or((Kind::Offline, seq), |incident| (Kind::Online, incident));
            let to = lives.chance.below(3);
            let takes = move |channel: usize, _: &Event| to == 2 || channel == to as usize;
            lives.outbox.admit(change(seq, kind, incident), &takes, &at(lives.ms));
            lives.disk.save(&mut lives.outbox, &at(lives.ms));
            open.extend(ended.is_none().then_some(seq));
            sent.push((seq, ended, to));
            for _ in 0..lives.chance.below(4) {
                let channel = lives.chance.below(2) as usize;
                lives.attempt(channel);
            }
        }
        while !lives.outbox.is_empty() {
            lives.attempt(0);
            lives.attempt(1);
        }
        let mut pairs = 0;
        for (seq, ended, to) in &sent {
            for channel in 0..2 {
                let begin = ended.map_or(*seq, |begin| begin);
                let began = sent[begin as usize - 1].2;
                let routed = began == 2 || channel == began as usize;
                let wanted = routed && (ended.is_none() || !Lives::is_refused(begin, channel));
                let count = lives.settled.get(&(*seq, channel)).copied().unwrap_or(0);
                assert_eq!(count > 0, wanted, "seed {seed}: change {seq} {ended:?} {to} on {channel}: {count}");
                pairs += u32::from(wanted);
            }
        }
        let attempts: u32 = lives.settled.values().sum();
        assert_eq!(attempts, pairs + lives.forgotten, "seed {seed}: repeated more than what was in flight");
    }
}

mod groups;
mod said;
