use super::*;
use crate::alert::outbox::said::MAX_MESSAGES;

/// Message number `seq`, as severe as can be.
fn say(outbox: &mut Outbox, seq: u64) -> bool {
    let mut event = event(Kind::Message, seq, "nas");
    event.severity = Severity::Critical;
    outbox.admit(Change { seq, event: Some(event), after: Default::default() }, ALL, &at(0))
}

#[test]
fn messages_have_half_of_the_room_and_go_before_what_happens() {
    let mut outbox = outbox();
    for seq in 1..=MAX_MESSAGES as u64 {
        assert!(outbox.has_room_for_message(), "{seq}");
        assert!(say(&mut outbox, seq));
    }
    assert!(!outbox.has_room_for_message());
    for seq in 501..=1003 {
        admit(&mut outbox, seq, Kind::Rebooted, seq);
    }
    let lost = outbox.bound(&[true, true], &at(0));
    assert_eq!(lost.len(), 2 * 3);
    let left: Vec<u64> = outbox.records.iter().map(|record| record.seq).take(2).collect();
    assert_eq!(left, [4, 5], "the oldest messages are gone");
    assert!(outbox.has_room_for_message());
    // A channel that works is not robbed for one that fails.
    let mut outbox = outbox_of_one_failing();
    assert_eq!(outbox.bound(&[true, false], &at(0)), [(0, 1)]);
    assert_eq!(outbox.find(event(Kind::Message, 1, "nas").id).map(|record| record.seq), Some(1));
}

/// A message for both channels, and more of what happened for the first than there is room.
fn outbox_of_one_failing() -> Outbox {
    let mut outbox = outbox();
    say(&mut outbox, 1);
    for seq in 2..=MAX_EVENTS as u64 + 1 {
        outbox.admit(change(seq, Kind::Rebooted, seq), &|channel, _| channel == 0, &at(0));
    }
    outbox
}

#[test]
fn what_happened_is_offered_first() {
    let mut outbox = outbox();
    say(&mut outbox, 1);
    admit(&mut outbox, 2, Kind::Rebooted, 2);
    admit(&mut outbox, 3, Kind::Interrupt, 3);
    assert_eq!(outbox.due(0, true, &at(0)), [3, 2, 1]);
}

#[test]
fn what_became_of_a_message_can_be_asked() {
    let (mut outbox, mut disk) = (outbox(), Disk::default());
    let id = event(Kind::Message, 1, "nas").id;
    assert!(outbox.ended(id).is_none() && outbox.find(id).is_none());
    say(&mut outbox, 1);
    disk.save(&mut outbox, &at(0));
    assert!(outbox.find(id).is_some_and(|record| record.written));
    outbox.verdict(0, &[1], &Fate::Delivered, &at(0));
    outbox.verdict(1, &[1], &Fate::GaveUp("too large".to_owned()), &at(0));
    let ways = [("a".to_owned(), None), ("b".to_owned(), Some("too large".to_owned()))];
    assert_eq!(outbox.ended(id), Some(&ways[..]));
    disk.save(&mut outbox, &at(0));
    let mut again = disk.restart(&at(0));
    assert_eq!(again.ended(id), Some(&[][..]), "known, but not how it ended");
    assert!(!say(&mut again, 1), "not told twice");
}

/// The beginning is told; a restart later comes its end.
#[test]
fn the_end_of_what_was_critical_presses_after_a_restart_too() {
    for (begin, end, presses) in [(Kind::Offline, Kind::Online, true), (Kind::Blind, Kind::Seeing, false)] {
        let (mut outbox, mut disk) = (outbox(), Disk::default());
        admit(&mut outbox, 1, begin, 1);
        for channel in 0..2 {
            assert_eq!(outbox.offer(1, channel).map(|offer| offer.pressing), Some(presses));
            outbox.verdict(channel, &[1], &Fate::Delivered, &at(0));
        }
        disk.save(&mut outbox, &at(0));
        let mut outbox = disk.restart(&at(0));
        admit(&mut outbox, 2, end, 1);
        assert_eq!(outbox.offer(2, 0).map(|offer| offer.pressing), Some(presses), "{end:?}");
        disk.save(&mut outbox, &at(0));
        assert_eq!(disk.restart(&at(0)).offer(2, 0).map(|offer| offer.pressing), Some(presses), "{end:?}");
        assert_eq!(outbox.held(0), usize::from(!presses));
    }
}
