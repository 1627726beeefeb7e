use super::*;
use crate::alert::hours::Hours;
use crate::alert::retry::GIVE_UP_AFTER;
use crate::clock::Wall;
use crate::config::plan::Quiet;
use crate::zone::Zone;

/// [`at`] 0 is 08:00:00 UTC: 22:00 of that day.
const TEN: i64 = 14 * HOUR;
/// 07:00 of the next.
const SEVEN: i64 = 23 * HOUR;

fn nightly(per_minute: Option<u32>) -> Backlog {
    assert_eq!(Zone::utc().local(at(0).wall).1, 8 * 60);
    let hours = Hours::new(Quiet { from: 22 * 60, to: 7 * 60 }, Zone::utc());
    let pace = Pace::new(Some(Tick(0)), None, Tick(0));
    Backlog::new(pace, Bucket::new(per_minute, Tick(0)), Jitter::new(3), Some(hours))
}

/// The end of a critical incident.
fn add_end(backlog: &mut Backlog, seq: u64, kind: Kind, incident: u64, ms: i64) {
    let offer = Offer { pressing: true, ..offer(seq, event(kind, incident, "nas"), &at(ms)) };
    backlog.push(offer, &at(ms));
}

fn seqs(next: Next) -> Option<Vec<u64>> {
    if let Next::Attempt(attempt) = next { Some(attempt.seqs) } else { None }
}

#[test]
fn what_is_not_critical_waits_for_the_morning_and_goes_in_one_digest() {
    let mut backlog = nightly(None);
    let night = TEN + 1;
    add(&mut backlog, 1, Kind::Rebooted, 1, night);
    add(&mut backlog, 2, Kind::Lost, 2, night);
    add(&mut backlog, 3, Kind::Blind, 3, night);
    assert!(matches!(backlog.next(&at(night)), Next::Wait(until) if until == Tick(SEVEN)));
    add(&mut backlog, 4, Kind::Offline, 4, night);
    assert_eq!(tried(&mut backlog, night, &Verdict::Delivered).1.seqs, [4], "critical");
    add_end(&mut backlog, 5, Kind::Online, 4, night + HOUR);
    assert_eq!(tried(&mut backlog, night + HOUR, &Verdict::Delivered).1.seqs, [5], "its end");
    add(&mut backlog, 6, Kind::Seeing, 3, night + HOUR);
    assert!(backlog.expired(&at(SEVEN - 1)).is_empty());
    let (ms, digest) = attempt(&mut backlog, night + HOUR);
    assert_eq!((ms, digest.seqs, digest.message.form), (SEVEN, vec![1, 2, 3, 6], Form::Digest));
}

#[test]
fn one_alone_is_no_digest_and_what_is_over_is_one_message() {
    let mut backlog = nightly(None);
    add(&mut backlog, 1, Kind::Rebooted, 1, TEN);
    assert_eq!(attempt(&mut backlog, TEN).1.message.form, Form::One);
    let mut backlog = nightly(None);
    add(&mut backlog, 1, Kind::Flapping, 1, TEN);
    add(&mut backlog, 2, Kind::Steady, 1, TEN + HOUR);
    let (ms, over) = attempt(&mut backlog, TEN);
    assert_eq!((ms, over.message.form), (SEVEN, Form::Over));
}

#[test]
fn the_beginning_of_the_night_holds_back_what_waits_already() {
    let mut backlog = nightly(None);
    add(&mut backlog, 1, Kind::Rebooted, 1, TEN - 1000);
    tried(&mut backlog, TEN - 1000, &CHANNEL_DOWN);
    add(&mut backlog, 2, Kind::Rebooted, 2, TEN + 1000);
    let (ms, digest) = attempt(&mut backlog, TEN);
    assert_eq!((ms, digest.seqs), (SEVEN, vec![1, 2]));
}

/// What was told as `stopped` and is overdue is told as `offline`, under the same incident.
#[test]
fn what_is_critical_takes_along_what_came_before_it() {
    let mut backlog = nightly(None);
    add(&mut backlog, 1, Kind::Stopped, 1, TEN);
    add(&mut backlog, 2, Kind::Stopped, 2, TEN);
    assert_eq!(seqs(backlog.next(&at(TEN))), None);
    add(&mut backlog, 3, Kind::Offline, 1, TEN + 1000);
    for seq in [1, 3] {
        assert_eq!(tried(&mut backlog, TEN + 1000, &Verdict::Delivered).1.seqs, [seq]);
    }
    assert_eq!(attempt(&mut backlog, TEN + 1000).0, SEVEN);
}

#[test]
fn a_digest_with_something_critical_in_it_passes_as_a_whole() {
    let mut backlog = nightly(None);
    for (seq, kind, incident) in [(1, Kind::Rebooted, 7), (2, Kind::Rebooted, 1), (3, Kind::Offline, 2)] {
        let group = (seq > 1).then_some(Id(9));
        backlog.push(Offer { group, ..offer(seq, event(kind, incident, "x"), &at(TEN - 1)) }, &at(TEN));
    }
    let (ms, digest) = attempt(&mut backlog, TEN);
    assert!(ms < TEN + 10_000);
    assert_eq!(digest.seqs, [2, 3]);
}

#[test]
fn a_restart_in_the_night_or_after_it_keeps_them_together_and_none_expires_unheard() {
    let mut backlog = nightly(None);
    for seq in 1..=3 {
        let offer = Offer {
            queued: Moment::at(Tick(TEN + 60_000), &at(TEN)),
            ..offer(seq, event(Kind::Rebooted, seq, "x"), &at(0))
        };
        backlog.push(offer, &at(SEVEN + HOUR));
    }
    assert_eq!(seqs(backlog.next(&at(SEVEN + HOUR))), None, "more may come");
    assert_eq!(attempt(&mut backlog, SEVEN + HOUR).1.seqs, [1, 2, 3]);
    assert!(backlog.expired(&at(SEVEN - 1)).is_empty());
    let end = at(SEVEN).tick + GIVE_UP_AFTER;
    assert!(backlog.expired(&at(end.0 - 1)).is_empty());
    assert_eq!(backlog.expired(&at(end.0)), [1, 2, 3]);
}

#[test]
fn other_hours_do_not_scatter_what_the_old_ones_held_back() {
    let mut backlog = nightly(None);
    for seq in 1..=3 {
        backlog.push(Offer { held: true, ..offer(seq, event(Kind::Rebooted, seq, "x"), &at(0)) }, &at(0));
    }
    add(&mut backlog, 4, Kind::Rebooted, 4, 100);
    assert_eq!(tried(&mut backlog, 100, &Verdict::Delivered).1.seqs, [4]);
    assert_eq!(tried(&mut backlog, 100, &Verdict::Delivered).1.seqs, [1, 2, 3]);
}

#[test]
fn a_step_of_the_clock_ends_the_night() {
    let mut backlog = nightly(None);
    let unset = Now { wall: Wall(0), ..at(TEN + 500) };
    add(&mut backlog, 1, Kind::Rebooted, 1, TEN);
    assert_eq!(seqs(backlog.next(&at(TEN))), None);
    assert_eq!(seqs(backlog.next(&unset)), Some(vec![1]), "nobody knows that it is night");
}

/// A week with random events, a channel that fails at times, and a rate: all is told, in order within its incident, and
/// nothing but what is critical (or belongs to it) at night.
#[test]
fn a_random_week() {
    for seed in 1..40 {
        let mut chance = Jitter::new(seed);
        let mut backlog = nightly(Some(20));
        let (mut ms, mut seq, mut told) = (0, 0, Vec::new());
        let mut kinds = Vec::new();
        while ms < 7 * 24 * HOUR || !backlog.is_empty() {
            if ms < 7 * 24 * HOUR && chance.below(3) > 0 {
                seq += 1;
                let kind = [Kind::Rebooted, Kind::Lost, Kind::Offline, Kind::Stopped][chance.below(4) as usize];
                kinds.push(kind);
                add(&mut backlog, seq, kind, u64::from(chance.below(20)), ms);
            }
            for _ in 0..5 {
                let Next::Attempt(attempt) = backlog.next(&at(ms)) else { break };
                let minute = Zone::utc().local(at(ms).wall).1;
                let night = !(7 * 60..22 * 60).contains(&minute);
                let loud = |event: &Arc<Event>| event.severity == Severity::Critical;
                let incident = attempt.message.members[0].incident;
                let later = backlog.entries.iter().any(|entry| entry.incident == incident && entry.offer.pressing);
                assert!(!night || later || attempt.message.members.iter().any(loud), "{seed}: {attempt:?} at {minute}");
                if chance.below(4) == 0 {
                    backlog.verdict(&attempt, &CHANNEL_DOWN, &at(ms));
                } else {
                    told.extend(attempt.seqs.iter().copied());
                    backlog.verdict(&attempt, &Verdict::Delivered, &at(ms));
                }
            }
            assert!(backlog.expired(&at(ms)).is_empty());
            ms += i64::from(chance.below(1_800_000));
        }
        assert_eq!(told.len() as u64, seq);
        told.sort_unstable();
        assert!(told.iter().zip(1..).all(|(told, seq)| *told == seq), "{seed}: one twice");
    }
}
