//! Events that came together go together.

use super::super::unit::{GATHER, GATHER_ENDS};
use super::*;
use crate::keepalive::told::group_of_ends;

const GATHERED: i64 = GATHER.as_millis() as i64;
const ENDS_GATHERED: i64 = GATHER_ENDS.as_millis() as i64;

fn of(group: u64, kind: Kind, incident: u64) -> Event {
    Event { group: Some(Id(group)), ..event(kind, incident, "nas") }
}

/// The end of incident number `incident`, which began in `group`.
fn back(group: u64, incident: u64) -> Event {
    Event { group: Some(group_of_ends(Id(group))), ..event(Kind::Online, incident, "nas") }
}

fn join(backlog: &mut Backlog, seq: u64, event: Event, ms: i64) {
    backlog.push(offer(seq, event, &at(ms)), &at(ms));
}

#[test]
fn fifty_silences_are_one_message_and_fifty_recoveries_another() {
    let mut backlog = backlog(None);
    for seq in 1..=50 {
        join(&mut backlog, seq, of(7, Kind::Offline, seq), if seq <= 25 { 0 } else { 400 });
    }
    let (ms, silent, _) = tried(&mut backlog, 400, &Verdict::Delivered);
    assert_eq!((ms, silent.seqs.len(), silent.message.form), (400 + GATHERED, 50, Form::Digest));
    assert!(matches!(backlog.next(&at(ms)), Next::Idle));
    for n in 0..50 {
        let ms = 10_000 + 80 * n as i64;
        join(&mut backlog, 51 + n, of(7, Kind::Online, 1 + n), ms);
        assert!(matches!(backlog.next(&at(ms)), Next::Wait(_)), "at {ms}");
    }
    let (ms, back, _) = tried(&mut backlog, 14_000, &Verdict::Delivered);
    assert_eq!((ms, back.seqs.len()), (10_000 + ENDS_GATHERED, 50));
    assert!(backlog.is_empty());
}

#[test]
fn what_comes_too_late_goes_by_itself_and_strangers_are_not_waited_for() {
    let mut backlog = backlog(None);
    join(&mut backlog, 1, of(7, Kind::Offline, 1), 0);
    join(&mut backlog, 2, of(8, Kind::Offline, 2), 0);
    join(&mut backlog, 3, of(7, Kind::Offline, 3), 0);
    add(&mut backlog, 4, Kind::Offline, 4, 0);
    assert_eq!(tried(&mut backlog, 0, &Verdict::Delivered).1.seqs, [4]);
    let (ms, seven, _) = tried(&mut backlog, 0, &Verdict::Delivered);
    assert_eq!((ms, seven.seqs), (GATHERED, vec![1, 3]));
    let (_, eight, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((eight.message.form, eight.seqs), (Form::One, vec![2]));
    join(&mut backlog, 5, of(7, Kind::Offline, 5), ms);
    let (_, late, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((late.message.form, late.seqs), (Form::One, vec![5]));
}

#[test]
fn members_that_trickle_in_are_waited_for_so_long_and_no_longer() {
    let mut backlog = backlog(None);
    for seq in 1..=40 {
        let ms = 300 * (seq as i64 - 1);
        join(&mut backlog, seq, of(7, Kind::Offline, seq), ms);
        if let Next::Attempt(attempt) = backlog.next(&at(ms)) {
            assert_eq!((attempt.seqs.len(), ms), (18, 5100));
            return;
        }
    }
    panic!("waited for ever");
}

#[test]
fn more_than_a_message_holds_goes_in_two() {
    let mut backlog = backlog(None);
    for seq in 1..=130 {
        join(&mut backlog, seq, of(7, Kind::Offline, seq), 0);
    }
    let sizes = [0; 2].map(|_| tried(&mut backlog, 0, &Verdict::Delivered).1.seqs.len());
    assert_eq!((sizes, backlog.is_empty()), ([MAX_MEMBERS, 30], true));
}

#[test]
fn an_interrupt_waits_for_nobody() {
    let mut backlog = backlog(None);
    join(&mut backlog, 1, of(7, Kind::Interrupt, 1), 0);
    join(&mut backlog, 2, of(7, Kind::Interrupt, 2), 0);
    join(&mut backlog, 3, of(7, Kind::Offline, 3), 0);
    let (ms, urgent, _) = tried(&mut backlog, 0, &Verdict::Delivered);
    assert_eq!((ms, urgent.seqs), (0, vec![1, 2]));
    assert_eq!(tried(&mut backlog, 0, &Verdict::Delivered).0, GATHERED);
}

#[test]
fn a_mixed_group_waits_as_its_beginnings_do() {
    let mut backlog = backlog(None);
    join(&mut backlog, 1, of(7, Kind::Steady, 1), 0);
    join(&mut backlog, 2, of(7, Kind::Offline, 2), 0);
    let (ms, both, _) = tried(&mut backlog, 0, &Verdict::Delivered);
    assert_eq!((ms, both.seqs, both.message.form), (GATHERED, vec![1, 2], Form::Digest));
}

#[test]
fn what_is_over_before_it_was_told_is_one_line_alone_and_two_in_company() {
    let mut backlog = backlog(None);
    join(&mut backlog, 1, of(7, Kind::Offline, 1), 0);
    join(&mut backlog, 2, of(8, Kind::Online, 1), 100);
    let (_, over, _) = tried(&mut backlog, 100, &Verdict::Delivered);
    assert_eq!((over.message.form, over.seqs), (Form::Over, vec![1, 2]));
    join(&mut backlog, 3, of(7, Kind::Offline, 3), 9000);
    join(&mut backlog, 4, of(7, Kind::Offline, 4), 9000);
    join(&mut backlog, 5, of(8, Kind::Online, 3), 9100);
    let (_, both, _) = tried(&mut backlog, 9100, &Verdict::Delivered);
    assert_eq!((both.message.form, both.seqs), (Form::Digest, vec![3, 4, 5]));
}

#[test]
fn a_group_is_frozen_at_its_first_attempt() {
    let mut backlog = backlog(None);
    for seq in 1..=3 {
        join(&mut backlog, seq, of(7, Kind::Offline, seq), 0);
    }
    let (ms, first, _) = tried(&mut backlog, 0, &CHANNEL_DOWN);
    join(&mut backlog, 4, of(7, Kind::Offline, 4), ms);
    let (ms, again, _) = tried(&mut backlog, ms, &Verdict::GiveUp("too large".into()));
    assert_eq!((again.message.id, &again.seqs), (first.message.id, &first.seqs));
    let order: Vec<Vec<u64>> = (0..4).map(|_| tried(&mut backlog, ms, &Verdict::Delivered).1.seqs).collect();
    assert_eq!(order, [[1], [2], [3], [4]], "refused as a whole, each goes by itself");
}

#[test]
fn a_group_that_nobody_can_have_seen_is_told_with_its_ends() {
    let mut backlog = backlog(None);
    for seq in 1..=8 {
        join(&mut backlog, seq, of(7, Kind::Offline, seq), 0);
    }
    let (mut ms, mut ids) = (0, Vec::new());
    for _ in 0..3 {
        let (at, silent, fate) = tried(&mut backlog, ms, &NO_CONNECTION);
        assert_eq!((silent.seqs.len(), silent.mark, fate), (8, true, Fate::Unfolded));
        ids.push(silent.message.id);
        ms = at;
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the same members are the same message");
    // They come back one after the other, while the channel could be tried again.
    for seq in 9..=15 {
        ms += 300;
        join(&mut backlog, seq, back(7, seq - 8), ms);
        assert!(matches!(backlog.next(&at(ms)), Next::Wait(_)), "at {ms}");
    }
    let (ms, most, fate) = tried(&mut backlog, ms, &CHANNEL_DOWN);
    assert_eq!((most.message.form, most.seqs.len(), fate), (Form::Digest, 15, Fate::Kept));
    assert_ne!(most.message.id, ids[0]);
    join(&mut backlog, 16, back(7, 8), ms);
    let (ms, again, fate) = tried(&mut backlog, ms, &NO_CONNECTION);
    assert_eq!((again.message.id, again.seqs.len(), fate), (most.message.id, 15, Fate::Kept), "it may have been seen");
    assert_eq!(tried(&mut backlog, ms, &Verdict::Delivered).1.seqs.len(), 15);
    assert_eq!(tried(&mut backlog, ms, &Verdict::Delivered).1.seqs, [16]);
    assert!(backlog.is_empty());
}

#[test]
fn a_hundred_that_are_back_fit_one_message() {
    for (hosts, messages) in [(100, vec![200]), (150, vec![200, 100])] {
        let mut backlog = backlog(None);
        for seq in 1..=hosts {
            join(&mut backlog, seq, of(7, Kind::Offline, seq), 0);
        }
        let (ms, silent, _) = tried(&mut backlog, 0, &NO_CONNECTION);
        assert_eq!(silent.seqs.len(), MAX_MEMBERS);
        for seq in 1..=hosts {
            join(&mut backlog, hosts + seq, back(7, seq), ms + seq as i64 * 10);
        }
        let sizes: Vec<usize> =
            messages.iter().map(|_| tried(&mut backlog, ms, &Verdict::Delivered).1.seqs.len()).collect();
        assert_eq!((sizes, backlog.is_empty()), (messages, true));
    }
}

#[test]
fn a_message_of_the_last_run_may_have_been_seen() {
    let mut backlog = backlog(None);
    for seq in 1..=3 {
        let frozen = Offer { group: Some(Id(9)), ..offer(seq, of(7, Kind::Offline, seq), &at(0)) };
        backlog.push(frozen, &at(0));
    }
    let (ms, _, fate) = tried(&mut backlog, 0, &NO_CONNECTION);
    assert_eq!(fate, Fate::Kept);
    join(&mut backlog, 4, back(7, 1), ms);
    let (_, again, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((again.message.id, again.seqs), (Id(9), vec![1, 2, 3]));
}

/// By itself it is not frozen: what is over is told as that, whatever became of its beginning.
#[test]
fn one_host_that_is_back_is_one_message() {
    for verdict in [NO_CONNECTION, CHANNEL_DOWN] {
        let mut backlog = backlog(None);
        join(&mut backlog, 1, of(7, Kind::Offline, 1), 0);
        let (ms, _, fate) = tried(&mut backlog, 0, &verdict);
        assert_eq!(fate, Fate::Kept);
        join(&mut backlog, 2, of(8, Kind::Online, 1), ms);
        let (_, over, _) = tried(&mut backlog, ms, &Verdict::Delivered);
        assert_eq!((over.message.form, over.seqs), (Form::Over, vec![1, 2]));
    }
}

#[test]
fn a_message_of_the_last_run_waits_for_all_its_members() {
    let mut backlog = backlog(None);
    for (seq, ms) in [(1, 0), (2, 200), (3, 600)] {
        let frozen = Offer { group: Some(Id(9)), ..offer(seq, event(Kind::Offline, seq, "x"), &at(0)) };
        backlog.push(frozen, &at(ms));
        assert!(matches!(backlog.next(&at(ms)), Next::Wait(_)));
    }
    let (_, all, _) = tried(&mut backlog, 600, &Verdict::Delivered);
    assert_eq!((all.message.id, all.seqs), (Id(9), vec![1, 2, 3]));
}

#[test]
fn at_the_end_of_the_program_what_has_come_goes_at_once() {
    let mut backlog = backlog(None);
    join(&mut backlog, 1, of(7, Kind::Online, 1), 0);
    join(&mut backlog, 2, of(7, Kind::Online, 2), 1000);
    backlog.close();
    let (ms, both, _) = tried(&mut backlog, 1000, &Verdict::Delivered);
    assert_eq!((ms, both.seqs), (1000, vec![1, 2]));
}

/// Hosts fall silent and come back in crowds on a channel that fails as it likes: all is told or given up once, in
/// the order of each incident, and the first attempt of a group has all of it, unless the rate mixes groups.
#[test]
fn crowds_of_chance_are_told_once_and_whole() {
    for seed in 1..=8 {
        let mut chance = Jitter::new(seed);
        let limit = (seed > 6).then_some(3);
        let mut backlog = backlog(limit);
        let (mut ms, mut seq) = (0i64, 0u64);
        let mut groups: Vec<(u64, Vec<u64>)> = Vec::new();
        let mut open: Vec<u64> = Vec::new();
        let (mut ended, mut incidents): (Vec<u64>, Vec<u64>) = (Vec::new(), vec![0]);
        while groups.len() < 60 || !backlog.is_empty() {
            if groups.len() < 60 && chance.below(3) == 0 {
                let group = groups.len() as u64 + 1;
                let mut members = Vec::new();
                let back = chance.below(2) == 0;
                for _ in 0..=chance.below(40) {
                    let begun = if back { open.pop() } else { None };
                    let kind = if begun.is_some() { Kind::Online } else { Kind::Offline };
                    seq += 1;
                    open.extend(begun.is_none().then_some(seq));
                    incidents.push(begun.unwrap_or(seq));
                    members.push(seq);
                    ms += i64::from(chance.below(10));
                    join(&mut backlog, seq, of(group, kind, begun.unwrap_or(seq)), ms);
                }
                // An end whose beginning waits goes with that.
                let all = members.iter().all(|seq| incidents[*seq as usize] == *seq);
                groups.push((group, if all { members } else { Vec::new() }));
            }
            let over = backlog.expired(&at(ms));
            ended.extend(&over);
            match backlog.next(&at(ms)) {
                Next::Attempt(attempt) => {
                    for (group, members) in &mut groups {
                        if members.iter().any(|seq| attempt.seqs.contains(seq)) {
                            let whole = members.iter().all(|seq| attempt.seqs.contains(seq));
                            assert!(whole || limit.is_some(), "seed {seed}: {group}");
                            members.clear();
                        }
                    }
                    let verdict = match chance.below(6) {
                        0 if chance.below(2) == 0 => NO_CONNECTION,
                        0 => CHANNEL_DOWN,
                        1 => REFUSED,
                        2 if chance.below(4) == 0 => Verdict::GiveUp("x".into()),
                        _ => Verdict::Delivered,
                    };
                    if matches!(backlog.verdict(&attempt, &verdict, &at(ms)), Fate::Delivered | Fate::GaveUp(_)) {
                        ended.extend(&attempt.seqs);
                    }
                }
                Next::Wait(until) => ms = until.0.min(ms + i64::from(chance.below(4000)) + 1),
                Next::Idle => ms += i64::from(chance.below(60_000)) + 1,
            }
        }
        for (place, seq) in ended.iter().enumerate() {
            let later = &ended[place + 1..];
            let of = |seq: u64| incidents[seq as usize];
            assert!(!later.iter().any(|other| of(*other) == of(*seq) && other <= seq), "seed {seed}: {seq}");
        }
        assert_eq!(ended.len() as u64, seq, "seed {seed}");
    }
}
