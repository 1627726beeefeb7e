use std::sync::mpsc::{Receiver, sync_channel};

use super::*;
use crate::alert::pending::{After, Change};
use crate::alert::testing::{at, event};
use crate::run::board::State;

/// A saver with a write on its way since the time 0, and the store that does not answer.
fn writing() -> (Saver, Outbox, Board, Receiver<Parcel>) {
    let (store, batches) = sync_channel(8);
    let board = Board::new(State::default(), sync_channel(1).0);
    let (mut saver, mut outbox) = (Saver::new(store, &at(0)), Outbox::new(Vec::new()));
    saver.channels_dirty = true;
    step(&mut saver, &mut outbox, &board, 0);
    assert!(saver.is_busy() && batches.try_recv().is_ok());
    (saver, outbox, board, batches)
}

fn step(saver: &mut Saver, outbox: &mut Outbox, board: &Board, ms: i64) {
    saver.step(outbox, board, &|| b"[]".to_vec(), false, &at(ms));
}

#[test]
fn a_disk_that_does_not_answer_for_so_long_fails() {
    let (mut saver, mut outbox, board, _batches) = writing();
    for ms in (1000..5000).step_by(1000) {
        step(&mut saver, &mut outbox, &board, ms);
        assert!(!saver.fails(), "{ms}");
    }
    step(&mut saver, &mut outbox, &board, 5000);
    assert!(saver.fails());
}

#[test]
fn time_in_which_the_desk_did_not_run_is_not_the_disks() {
    for stop in [3000, 7000, 3_600_000] {
        let (mut saver, mut outbox, board, _batches) = writing();
        // At most two seconds of the stop count.
        for ms in [stop, stop + 1000, stop + 2999] {
            step(&mut saver, &mut outbox, &board, ms);
            assert!(!saver.fails(), "stopped for {stop} ms, at {ms}");
        }
        step(&mut saver, &mut outbox, &board, stop + 3000);
        assert!(saver.fails(), "stopped for {stop} ms: a disk that hangs is still found");
    }
}

#[test]
fn a_queue_that_was_full_before_a_stop_is_not_the_disks_fault_either() {
    let (store, _batches) = sync_channel(0);
    let board = Board::new(State::default(), sync_channel(1).0);
    let (mut saver, mut outbox) = (Saver::new(store, &at(0)), Outbox::new(Vec::new()));
    saver.channels_dirty = true;
    step(&mut saver, &mut outbox, &board, 0);
    step(&mut saver, &mut outbox, &board, 60_000);
    assert!(!saver.fails());
    // The state is written every five seconds.
    for ms in (61_000..=65_000).step_by(1000) {
        step(&mut saver, &mut outbox, &board, ms);
    }
    assert!(saver.fails());
}

#[test]
fn a_small_state_comes_after_all_that_it_says_is_told() {
    let (store, batches) = sync_channel(8);
    let board = Board::new(State::default(), sync_channel(1).0);
    let (mut saver, mut outbox) = (Saver::new(store, &at(0)), Outbox::new(vec!["a".to_owned()]));
    for seq in 1..=50 {
        let event = Some(event(Kind::Message, seq, "x"));
        outbox.admit(Change { seq, event, after: After::Nothing }, &|_, _| true, &at(0));
    }
    saver.small("book".to_owned(), Small { seq: 50, json: "{}".to_owned() });
    saver.record("book", Bell::default());
    let (mut events, mut books) = (0, 0);
    for _ in 0..3 {
        step(&mut saver, &mut outbox, &board, 0);
        let Ok(Parcel::Batch(batch)) = batches.try_recv() else { break };
        for job in &batch.jobs {
            let Job::Put { file, .. } = job else { continue };
            events += usize::from(file.starts_with("outbox/"));
            books += usize::from(file == "book.json");
            assert!(events == 50 || books == 0, "{file} after {events} events");
        }
        saver.stored(batch.number, Ok(()), &mut outbox, &board, &at(0));
    }
    assert_eq!((events, books), (50, 2), "what is waited for, and with the rest of the state");
}

#[test]
fn what_somebody_waits_for_is_written_before_its_time_and_counts_once_it_is_on_disk() {
    let (mut saver, mut outbox, board, batches) = writing();
    saver.stored(1, Ok(()), &mut outbox, &board, &at(0));
    let mut say = |seq, wanted, ms, result: Result<(), String>| {
        outbox.admit(Change { seq, event: None, after: After::Nothing }, &|_, _| true, &at(ms));
        saver.small("history".to_owned(), Small { seq, json: "{}".to_owned() });
        saver.small("probes".to_owned(), Small { seq, json: "{}".to_owned() });
        board.lock().pending.wanted = wanted;
        saver.settle(&outbox, &board);
        let due = saver.deadline(&outbox, &at(ms)).is_some_and(|due| due <= at(ms).tick);
        step(&mut saver, &mut outbox, &board, ms);
        let mut files = 0;
        if let Ok(Parcel::Batch(batch)) = batches.try_recv() {
            files = batch.jobs.len();
            saver.settle(&outbox, &board);
            let before = board.lock().pending.kept;
            assert!(before < seq, "{before} while {seq} is under way");
            saver.stored(batch.number, result, &mut outbox, &board, &at(ms));
        }
        assert_eq!(due, files > 0, "{ms}");
        saver.settle(&outbox, &board);
        let pending = &board.lock().pending;
        (files, pending.kept, pending.fails)
    };
    assert_eq!(say(1, 0, 1000, Ok(())), (0, 0, false), "nobody waits");
    assert_eq!(say(2, 2, 1000, Ok(())), (1, 2, false), "that alone");
    assert_eq!(say(3, 3, 1400, Ok(())), (0, 2, false), "not again and again");
    assert_eq!(say(4, 3, 1500, Err("full".to_owned())), (1, 2, true), "it is not on disk");
    assert_eq!(say(5, 5, 11_500, Ok(())), (2, 5, false), "all, after their time");
    assert_eq!(say(6, 5, 12_500, Ok(())), (0, 5, false), "nobody waits any more");
}

/// Somebody waits all the time, for a minute.
#[test]
fn whoever_can_ping_does_not_wear_out_the_flash() {
    let (mut saver, mut outbox, board, batches) = writing();
    saver.stored(1, Ok(()), &mut outbox, &board, &at(0));
    let (mut alone, mut all) = (Vec::new(), 0);
    for seq in 1..=600 {
        let now = at(seq as i64 * 100);
        outbox.admit(Change { seq, event: None, after: After::Nothing }, &|_, _| true, &now);
        for name in ["history", "probes"] {
            saver.small(name.to_owned(), Small { seq, json: "{}".to_owned() });
        }
        board.lock().pending.wanted = seq;
        saver.settle(&outbox, &board);
        saver.step(&mut outbox, &board, &|| b"[]".to_vec(), false, &now);
        if let Ok(Parcel::Batch(batch)) = batches.try_recv() {
            match batch.jobs.len() {
                1 => alone.push(seq),
                _ => all += 1,
            }
            saver.stored(batch.number, Ok(()), &mut outbox, &board, &now);
        }
    }
    assert_eq!(all, 12, "as ever");
    assert_eq!(alone[..5], [1, 6, 11, 16, 21]);
    assert!(alone.len() == 10 && alone[5..].windows(2).all(|two| two[1] - two[0] >= 99), "{alone:?}");
}
