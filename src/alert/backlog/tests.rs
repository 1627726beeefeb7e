use super::*;
use crate::alert::testing::{at, event};
use crate::event::{Fact, Field, Kind, Severity};

const CHANNEL_DOWN: Verdict =
    Verdict::Retry { why: String::new(), after: None, channel: true, answered: false, sent: true };
const NO_CONNECTION: Verdict =
    Verdict::Retry { why: String::new(), after: None, channel: true, answered: false, sent: false };
const SERVER_ERROR: Verdict =
    Verdict::Retry { why: String::new(), after: None, channel: true, answered: true, sent: true };
const REFUSED: Verdict = Verdict::Retry { why: String::new(), after: None, channel: false, answered: true, sent: true };
const HOUR: i64 = 3_600_000;

fn backlog(per_minute: Option<u32>) -> Backlog {
    Backlog::new(Pace::new(None, None, Tick(0)), Bucket::new(per_minute, Tick(0)), Jitter::new(3), None)
}

fn offer(seq: u64, event: Event, now: &Now) -> Offer {
    Offer {
        seq,
        pressing: event.severity == Severity::Critical,
        event: Arc::new(event),
        queued: Moment::at(now.tick, now),
        starts: 0,
        held: false,
        group: None,
        revoked: Arc::default(),
    }
}

fn add(backlog: &mut Backlog, seq: u64, kind: Kind, incident: u64, ms: i64) {
    backlog.push(offer(seq, event(kind, incident, "nas"), &at(ms)), &at(ms));
}

/// The next attempt, waiting for it as long as need be: when, and what.
fn attempt(backlog: &mut Backlog, mut ms: i64) -> (i64, Attempt) {
    for _ in 0..10 {
        match backlog.next(&at(ms)) {
            Next::Attempt(attempt) => return (ms, attempt),
            Next::Wait(until) => {
                assert!(until.0 > ms, "waits for the past");
                ms = until.0;
            }
            Next::Idle => break,
        }
    }
    panic!("nothing to do");
}

fn tried(backlog: &mut Backlog, ms: i64, verdict: &Verdict) -> (i64, Attempt, Fate) {
    let (ms, attempt) = attempt(backlog, ms);
    let fate = backlog.verdict(&attempt, verdict, &at(ms));
    (ms, attempt, fate)
}

#[test]
fn order_is_kept_through_an_outage() {
    let mut backlog = backlog(None);
    for seq in 1..=5 {
        add(&mut backlog, seq, Kind::Offline, seq, 0);
    }
    let mut ms = 0;
    for fails in 0..12 {
        let (then, attempt, fate) = tried(&mut backlog, ms, &CHANNEL_DOWN);
        assert_eq!((attempt.seqs.as_slice(), fate), ([1].as_slice(), Fate::Kept), "failure {fails}");
        assert!(fails == 0 || then > ms);
        ms = then;
    }
    let order: Vec<u64> = (0..5).map(|_| tried(&mut backlog, ms + HOUR, &Verdict::Delivered).1.seqs[0]).collect();
    assert_eq!(order, [1, 2, 3, 4, 5]);
    assert!(backlog.is_empty());
}

#[test]
fn a_message_that_fails_while_others_pass_is_on_its_own() {
    let mut backlog = backlog(None);
    for seq in 1..=3 {
        add(&mut backlog, seq, Kind::Offline, seq, 0);
    }
    let mut ms = 0;
    let mut passed = Vec::new();
    for _ in 0..8 {
        let (then, attempt) = attempt(&mut backlog, ms);
        ms = then;
        let poison = attempt.seqs[0] == 1;
        let verdict = if poison { SERVER_ERROR } else { Verdict::Delivered };
        backlog.verdict(&attempt, &verdict, &at(ms));
        if !poison {
            passed.push(attempt.seqs[0]);
        }
    }
    assert_eq!(passed, [2, 3]);
    assert!(ms < 60_000, "others waited {ms} ms");
    assert_eq!(*backlog.pace().state(), crate::alert::retry::ChannelState::Well);
}

#[test]
fn a_refusal_is_the_messages_own_and_keeps_the_order_of_its_incident() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Interrupt, 1, -HOUR);
    add(&mut backlog, 2, Kind::Interrupt, 1, -HOUR);
    add(&mut backlog, 3, Kind::Offline, 3, 0);
    assert_eq!(tried(&mut backlog, 0, &REFUSED).1.seqs, [1]);
    assert_eq!(tried(&mut backlog, 0, &Verdict::Delivered).1.seqs, [3]);
    let (ms, again, _) = tried(&mut backlog, 0, &Verdict::Delivered);
    assert_eq!(again.seqs, [1]);
    assert!(ms >= 800, "{ms}");
    assert_eq!(tried(&mut backlog, ms, &Verdict::Delivered).1.seqs, [2]);
}

#[test]
fn an_interrupt_wakes_the_channel_and_is_tried_every_three_seconds_until_its_deadline() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    let hour = Verdict::Retry {
        why: String::new(),
        after: Some(Duration::from_secs(3600)),
        channel: true,
        answered: true,
        sent: true,
    };
    tried(&mut backlog, 0, &hour);
    let interrupt =
        event(Kind::Interrupt, 2, "spot").with(Field::Deadline, Fact::Time(Moment::at(Tick(30_000), &at(0))));
    backlog.push(offer(2, interrupt, &at(10_000)), &at(10_000));
    let mut times = Vec::new();
    let mut ms = 10_000;
    while ms < 30_000 {
        let (then, attempt, _) = tried(&mut backlog, ms, &hour);
        times.push((then, attempt.seqs[0]));
        ms = then + 1;
    }
    assert_eq!(times, [(10_000, 2), (15_000, 2), (20_000, 2), (25_000, 2), (3_600_000, 1)]);
}

#[test]
fn an_interrupt_without_a_wish_is_tried_every_three_seconds() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Interrupt, 1, 0);
    let times: Vec<i64> = (0..4)
        .scan(0, |ms, _| {
            *ms = tried(&mut backlog, *ms, &CHANNEL_DOWN).0;
            Some(*ms)
        })
        .collect();
    assert_eq!(times, [0, 3000, 6000, 9000]);
}

#[test]
fn a_parked_channel_is_tried_hourly_and_once_for_an_interrupt() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    let broken = Verdict::Broken("sign".into());
    assert_eq!(tried(&mut backlog, 0, &broken).0, 0);
    add(&mut backlog, 2, Kind::Interrupt, 2, 60_000);
    let (ms, woken, _) = tried(&mut backlog, 60_000, &broken);
    assert_eq!((ms, woken.seqs), (60_000, vec![2]));
    let (ms, _, _) = tried(&mut backlog, 60_000, &CHANNEL_DOWN);
    assert_eq!(ms, 60_000 + HOUR);
    assert!(backlog.pace().is_parked());
    let (ms, first, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((ms, first.seqs), (60_000 + 2 * HOUR, vec![1]));
    assert!(!backlog.pace().is_parked());
}

#[test]
fn a_beginning_and_its_end_go_as_one_unless_one_is_under_way() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    tried(&mut backlog, 0, &CHANNEL_DOWN);
    add(&mut backlog, 2, Kind::Online, 1, 10);
    let (_, over, _) = tried(&mut backlog, 10, &Verdict::Delivered);
    assert_eq!((over.message.form, over.seqs), (Form::Over, vec![1, 2]));
    assert_eq!(over.message.id, over.message.members[1].id);

    add(&mut backlog, 3, Kind::Offline, 2, 10_000);
    let (ms, begin) = attempt(&mut backlog, 10_000);
    add(&mut backlog, 4, Kind::Online, 2, ms);
    backlog.verdict(&begin, &Verdict::Delivered, &at(ms));
    let (_, end, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((end.message.form, end.seqs), (Form::One, vec![4]));
}

#[test]
fn what_does_not_fit_the_rate_is_folded_and_frozen() {
    let mut backlog = backlog(Some(4));
    for seq in 1..=150 {
        add(&mut backlog, seq, Kind::Offline, seq, 0);
    }
    assert_eq!(tried(&mut backlog, 0, &Verdict::Delivered).1.seqs.len(), 1 + 99, "the only free token is a digest");
    let (ms, digest, _) = tried(&mut backlog, 0, &CHANNEL_DOWN);
    assert_eq!((digest.message.form, digest.seqs.len()), (Form::Digest, 50));
    assert!(ms > 0, "it waits for a token too");
    add(&mut backlog, 200, Kind::Offline, 200, ms);
    let (ms, again, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((again.message.id, again.seqs), (digest.message.id, digest.seqs));
    assert_eq!(tried(&mut backlog, ms, &Verdict::Delivered).1.seqs, [200]);
}

#[test]
fn a_digest_refused_for_good_is_sent_one_by_one() {
    let mut backlog = backlog(Some(1));
    for seq in 1..=3 {
        add(&mut backlog, seq, Kind::Offline, seq, 0);
    }
    let (_, digest, fate) = tried(&mut backlog, 0, &Verdict::GiveUp("too large".into()));
    assert_eq!((digest.seqs.len(), fate), (3, Fate::Unfolded));
    let mut ms = 0;
    for seq in 1..=3 {
        let (then, one, _) = tried(&mut backlog, ms, &Verdict::Delivered);
        assert_eq!((one.message.form, one.seqs), (Form::One, vec![seq]));
        assert!(then >= ms + 60_000);
        ms = then;
    }
}

#[test]
fn a_suspect_goes_alone_and_in_the_barest_words() {
    let mut backlog = backlog(Some(1));
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    let suspect = Offer { starts: 2, ..offer(2, event(Kind::Offline, 2, "x"), &at(0)) };
    backlog.push(suspect, &at(0));
    add(&mut backlog, 3, Kind::Offline, 3, 0);
    let (ms, digest, _) = tried(&mut backlog, 0, &Verdict::Delivered);
    assert_eq!(digest.seqs, [1, 3]);
    let (_, alone, _) = tried(&mut backlog, ms, &Verdict::Delivered);
    assert_eq!((alone.message.form, alone.seqs), (Form::Minimal, vec![2]));
}

#[test]
fn a_step_of_the_clock_makes_all_due_and_a_revoked_event_is_let_go() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    for ms in [0, 2000, 10_000, 30_000] {
        tried(&mut backlog, ms, &CHANNEL_DOWN);
    }
    assert!(matches!(backlog.next(&at(31_000)), Next::Wait(_)));
    backlog.hurry(&at(31_000));
    assert_eq!(attempt(&mut backlog, 31_000).0, 31_000);
    let revoked = offer(2, event(Kind::Offline, 2, "x"), &at(0));
    revoked.revoked.store(true, Ordering::Relaxed);
    backlog.push(revoked, &at(31_000));
    backlog.expired(&at(400 * HOUR));
    assert!(matches!(backlog.next(&at(400 * HOUR)), Next::Idle));
}

#[test]
fn a_beginning_waits_as_long_as_its_end() {
    let mut backlog = backlog(None);
    add(&mut backlog, 1, Kind::Offline, 1, 0);
    add(&mut backlog, 2, Kind::Offline, 2, 0);
    tried(&mut backlog, 0, &SERVER_ERROR);
    add(&mut backlog, 3, Kind::Online, 1, 23 * HOUR);
    assert_eq!(backlog.expired(&at(24 * HOUR - 1)), [0u64; 0]);
    assert_eq!(backlog.expired(&at(24 * HOUR)), [2]);
    assert_eq!(backlog.expired(&at(47 * HOUR)), [1, 3]);
}

#[test]
fn days_of_chance_deliver_or_give_up_everything_once_and_in_order() {
    for seed in 1..=30 {
        let mut chance = Jitter::new(seed);
        let mut backlog = backlog((seed % 2 == 0).then_some(3 + seed));
        let (mut ms, mut seq) = (0i64, 0u64);
        let mut ended: Vec<u64> = Vec::new();
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..1500 {
            for _ in 0..chance.below(3).min(u32::from(ms < 72 * HOUR)) {
                seq += 1;
                let incident = if chance.below(2) == 0 { open.pop() } else { None };
                let kind = match incident {
                    Some(_) => Kind::Online,
                    None if chance.below(5) == 0 => Kind::Interrupt,
                    None => Kind::Offline,
                };
                open.extend(incident.is_none().then_some(seq));
                add(&mut backlog, seq, kind, incident.unwrap_or(seq), ms);
            }
            ended.extend(backlog.expired(&at(ms)));
            match backlog.next(&at(ms)) {
                Next::Attempt(attempt) => {
                    let verdict = match chance.below(8) {
                        0 => CHANNEL_DOWN,
                        1 => SERVER_ERROR,
                        2 => REFUSED,
                        3 if chance.below(10) == 0 => Verdict::GiveUp("x".into()),
                        4 if chance.below(10) == 0 => Verdict::Broken("x".into()),
                        _ => Verdict::Delivered,
                    };
                    let fate = backlog.verdict(&attempt, &verdict, &at(ms));
                    if matches!(fate, Fate::Delivered | Fate::GaveUp(_)) {
                        ended.extend(&attempt.seqs);
                    }
                }
                Next::Wait(until) => {
                    assert!(until.0 > ms);
                    ms = until.0.min(ms + i64::from(chance.below(600_000)) + 1);
                }
                Next::Idle => ms += i64::from(chance.below(3_600_000)) + 1,
            }
        }
        while !backlog.is_empty() {
            ms += 24 * HOUR;
            ended.extend(backlog.expired(&at(ms)));
        }
        let mut all = ended.clone();
        all.sort_unstable();
        assert_eq!(all, (1..=seq).collect::<Vec<_>>(), "seed {seed}");
    }
}

mod groups;
mod night;

#[test]
fn who_takes_one_event_at_a_time_gets_no_digest_and_loses_no_try() {
    let mut backlog = backlog(Some(1)).apart(true);
    for seq in 1..=3 {
        let mut frozen = offer(seq, event(Kind::Offline, seq, "nas"), &at(0));
        frozen.group = Some(Id(9));
        backlog.push(frozen, &at(0));
    }
    add(&mut backlog, 4, Kind::Online, 1, 0);
    let broken = Verdict::Broken("key".into());
    let (ms, first, _) = tried(&mut backlog, 0, &broken);
    assert_eq!((ms, first.message.form, first.seqs), (0, Form::One, vec![1]), "nothing waits for company");
    // The try of the hour is a message that the service can take.
    let mut told = Vec::new();
    let mut ms = HOUR;
    for _ in 0..4 {
        let (then, attempt, fate) = tried(&mut backlog, ms, &Verdict::Delivered);
        assert_eq!((attempt.message.form, fate), (Form::One, Fate::Delivered));
        told.extend(attempt.seqs);
        ms = then;
    }
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3, 4]);
    assert!(backlog.is_empty());
}
