//! Events that came together, from their files to one message.

use super::*;
use crate::alert::backlog::{Attempt, Backlog, Next};
use crate::alert::limit::Bucket;
use crate::alert::retry::Pace;
use crate::alert::{Form, Message};

fn grouped(outbox: &mut Outbox, seq: u64, kind: Kind, incident: u64, now: &Now) {
    let mut change = change(seq, kind, incident);
    change.event.as_mut().unwrap().group = Some(Id(7));
    assert!(outbox.admit(change, ALL, now));
}

/// Hands channel 0 what is due, and waits for what it would send.
fn attempt(outbox: &mut Outbox, mut ms: i64) -> (i64, Attempt) {
    let pace = Pace::new(None, None, Tick(0));
    let mut backlog = Backlog::new(pace, Bucket::new(None, Tick(0)), Jitter::new(1), None);
    for seq in outbox.due(0, false, &at(ms)) {
        backlog.push(outbox.offer(seq, 0).unwrap(), &at(ms));
    }
    loop {
        match backlog.next(&at(ms)) {
            Next::Attempt(attempt) => {
                outbox.frozen(0, &attempt.seqs, attempt.group);
                return (ms, attempt);
            }
            Next::Wait(until) => ms = until.0,
            Next::Idle => panic!("nothing to tell"),
        }
    }
}

#[test]
fn a_group_waits_for_its_last_file() {
    let mut outbox = outbox();
    for seq in 1..=MAX_BATCH_FILES as u64 + 1 {
        grouped(&mut outbox, seq, Kind::Offline, seq, &at(0));
    }
    admit(&mut outbox, 90, Kind::Offline, 90);
    assert_eq!(outbox.writes(false, &at(0)).len(), MAX_BATCH_FILES);
    outbox.saved(true, &at(0));
    assert_eq!(outbox.due(0, false, &at(999)), [0u64; 0]);
    assert_eq!(outbox.due(0, false, &at(1000)).len(), MAX_BATCH_FILES + 2, "the disk had its time");
    outbox.writes(false, &at(0));
    outbox.saved(true, &at(0));
    assert_eq!(outbox.due(0, false, &at(0)).len(), MAX_BATCH_FILES + 2);
}

#[test]
fn a_group_is_the_same_message_after_a_restart() {
    let mut outbox = outbox();
    for seq in 1..=50 {
        grouped(&mut outbox, seq, Kind::Offline, seq, &at(0));
    }
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    let (_, first) = attempt(&mut outbox, 0);
    disk.save(&mut outbox, &at(600));
    let digests = saving::read_digests(&json::read(&outbox.digests_json()).unwrap()).unwrap();
    // A beginning came while the program was ending: not in that message, whatever its group.
    grouped(&mut outbox, 51, Kind::Offline, 51, &at(600));
    disk.save(&mut outbox, &at(600));

    let records = |disk: &Disk| {
        let files = disk.0.iter().filter(|(file, _)| file.starts_with("outbox/"));
        files.map(|(_, bytes)| saved(bytes)).collect()
    };
    let mut again = Outbox::new(vec!["a".into(), "b".into()]);
    again.restore(Restored { records: records(&disk), digests, ..Restored::default() }, &at(1000));
    let (_, second) = attempt(&mut again, 1000);
    let ids = |message: &Message| message.members.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!((second.seqs.len(), second.message.id), (50, first.message.id));
    assert_eq!(ids(&second.message), ids(&first.message));
    again.verdict(0, &second.seqs, &Fate::Delivered, &at(2000));
    assert_eq!(attempt(&mut again, 2000).1.seqs, [51]);
}

#[test]
fn ends_left_behind_go_together_in_the_next_run() {
    let mut outbox = outbox();
    for seq in 1..=50 {
        grouped(&mut outbox, seq, Kind::Offline, seq, &at(0));
        outbox.verdict(0, &[seq], &Fate::Delivered, &at(0));
    }
    let mut disk = Disk::default();
    for n in 0..50 {
        let now = at(80 * n as i64);
        grouped(&mut outbox, 51 + n, Kind::Online, 1 + n, &now);
        disk.save(&mut outbox, &now);
    }
    let mut again = disk.restart(&at(60_000));
    let (ms, back) = attempt(&mut again, 60_000);
    assert_eq!((back.seqs.len(), back.message.members[0].group), (50, Some(Id(7))));
    assert!(ms < 61_000, "they had waited before: {ms}");
}

#[test]
fn what_nobody_saw_before_a_restart_is_told_with_its_ends_after_it() {
    let mut outbox = outbox();
    for seq in 1..=8 {
        grouped(&mut outbox, seq, Kind::Offline, seq, &at(0));
    }
    let mut disk = Disk::default();
    disk.save(&mut outbox, &at(0));
    let digests = |outbox: &Outbox| saving::read_digests(&json::read(&outbox.digests_json()).unwrap()).unwrap().len();
    let (_, first) = attempt(&mut outbox, 0);
    assert_eq!(digests(&outbox), 8, "while it is tried a kill may hide that it was seen");
    outbox.digests_dirty = false;
    outbox.verdict(0, &first.seqs, &Fate::Unfolded, &at(1000));
    assert_eq!((digests(&outbox), outbox.digests_dirty), (0, true));
    for seq in 9..=16 {
        grouped(&mut outbox, seq, Kind::Online, seq - 8, &at(2000));
    }
    disk.save(&mut outbox, &at(2000));
    let mut again = disk.restart(&at(60_000));
    let (_, all) = attempt(&mut again, 60_000);
    assert_eq!((all.seqs.len(), all.message.form), (16, Form::Digest));
}
