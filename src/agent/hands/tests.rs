//! Single rules of the agent; whole stories are in `tests/jobs`.

use super::*;
use crate::agent::allow::{Entry, Shape};
use crate::clock::{Boot, Wall};

fn at(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(0), boot: Boot(1) }
}

fn hands(journal: Option<&[u8]>) -> Hands {
    let entry = Entry {
        name: "work".to_owned(),
        shape: Shape::Shortcut,
        argv: vec!["work".to_owned()],
        dir: None,
        timeout: None,
    };
    let urls = vec!["http://127.0.0.1/".to_owned()];
    let allow = AllowPlan { entries: vec![entry], urls, timeout: Duration::from_secs(60) };
    let (hands, good) = Hands::new(allow, 4, journal);
    assert!(good);
    hands
}

fn key(id: u64, epoch: u32) -> Key {
    Key { id: Id(id), epoch, attempt: 1 }
}

fn offer(key: Key, fenced: bool) -> Offer {
    Offer {
        key,
        job: "job".to_owned(),
        message: "work".to_owned(),
        left: 600_000,
        timeout: None,
        fenced,
        prepare: Vec::new(),
    }
}

fn orders(offers: Vec<Offer>) -> Orders {
    Orders { offers, ..Orders::default() }
}

fn save(hands: &mut Hands) -> Vec<u8> {
    let (number, bytes) = hands.journal().unwrap();
    hands.saved(number);
    bytes
}

fn done(key: Key, out: &str) -> Done {
    Done { key, end: End::Succeeded, code: Some(0), took: 1, out: out.to_owned(), why: String::new() }
}

const LEASE: Duration = Duration::from_secs(30);

#[test]
fn nothing_starts_before_it_is_written_down_or_after_the_lease() {
    let mut hands = hands(None);
    hands.ordered(&orders(vec![offer(key(1, 1), false), offer(key(2, 1), true)]), at(0).tick, LEASE, &at(0));
    assert_eq!(hands.begin(&at(1)), None);
    save(&mut hands);
    assert_eq!(hands.begin(&at(1)).unwrap().key, key(1, 1));
    assert_eq!(hands.begin(&at(28)), None, "a fenced one needs time to end");
    save(&mut hands);
    assert_eq!(hands.result(&at(28)).unwrap().why, "the lease was over");
    assert!(hands.to_end(&at(1000)).is_empty(), "what is not fenced goes on");
}

#[test]
fn what_is_fenced_ends_with_the_lease_and_no_lease_lasts_for_ever() {
    let mut hands = hands(None);
    hands.ordered(&orders(vec![offer(key(1, 1), true)]), at(0).tick, Duration::MAX, &at(0));
    save(&mut hands);
    hands.begin(&at(1)).unwrap();
    let day = 86_400;
    assert!(hands.to_end(&at(day - 4)).is_empty());
    assert_eq!(hands.to_end(&at(day - 3)), [key(1, 1)]);
    assert_eq!(hands.ended(Done { end: End::TimedOut, ..done(key(1, 1), "") }).1, ["fenced: ", OVER].concat());
}

#[test]
fn a_key_is_taken_once_and_a_newer_one_when_the_older_is_forgotten() {
    let mut first = hands(None);
    first.ordered(&orders(vec![offer(key(1, 1), false)]), at(0).tick, LEASE, &at(0));
    let bytes = save(&mut first);
    let mut hands = hands(Some(&bytes));
    save(&mut hands);
    assert_eq!(hands.result(&at(1)).unwrap().end, End::Unknown);
    hands.ordered(&orders(vec![offer(key(1, 2), false)]), at(2).tick, LEASE, &at(2));
    assert_eq!(hands.says().runs.len(), 1, "the older one is still held");
    let acks = Orders { acks: vec![Id(1)], ..orders(vec![offer(key(1, 1), false)]) };
    hands.ordered(&acks, at(3).tick, LEASE, &at(3));
    assert!(hands.says().runs.is_empty());
    hands.ordered(&orders(vec![offer(key(1, 2), false)]), at(4).tick, LEASE, &at(4));
    assert_eq!(hands.says().runs[0].key, key(1, 2));
    assert_eq!(hands.job(key(1, 2)).as_deref(), Some("job"));
}

#[test]
fn results_keep_so_much_output_and_their_job_over_a_restart() {
    let mut first = hands(None);
    for id in 1..=4 {
        first.ordered(&orders(vec![offer(key(id, 1), false)]), at(0).tick, LEASE, &at(0));
        save(&mut first);
        first.begin(&at(1)).unwrap();
        first.ended(done(key(id, 1), &"x".repeat(20_000)));
    }
    let bytes = save(&mut first);
    let mut hands = hands(Some(&bytes));
    save(&mut hands);
    let told: Vec<usize> = (0..4).map(|_| hands.result(&at(1)).unwrap().out.len()).collect();
    assert_eq!(told, [0, 20_000, 20_000, 20_000], "that of the oldest goes first");
    assert_eq!(hands.job(key(1, 1)).as_deref(), Some("job"));
    assert_eq!(hands.active(), (Vec::new(), true));
}

#[test]
fn damage_is_seen() {
    for journal in ["", "[", r#"{"seen":[1],"held":[]}"#, r#"{"seen":[],"held":[{"id":"x"}]}"#] {
        assert!(!is_journal(journal.as_bytes()), "{journal}");
    }
    assert!(is_journal(br#"{"seen":[],"held":[]}"#));
}

#[test]
fn the_lease_of_one_server_is_none_of_another() {
    let mut hands = hands(None);
    hands.ordered(&orders(vec![offer(key(1, 1), true)]), at(0).tick, Duration::from_secs(300), &at(0));
    save(&mut hands);
    hands.begin(&at(1)).unwrap();
    hands.end_fenced();
    assert_eq!(hands.to_end(&at(2)), [key(1, 1)]);
    assert_eq!(hands.ended(Done { end: End::Failed, ..done(key(1, 1), "") }).1, ["fenced: ", OVER].concat());
    hands.ordered(&orders(vec![offer(key(2, 1), true)]), at(3).tick, LEASE, &at(3));
    save(&mut hands);
    hands.begin(&at(4)).unwrap();
    assert_eq!(hands.to_end(&at(30)), [key(2, 1)]);
}

#[test]
fn what_is_refused_is_said_once() {
    let mut hands = hands(None);
    let other = Offer { message: "reboot".to_owned(), ..offer(key(1, 1), false) };
    hands.ordered(&orders(vec![other.clone(), offer(key(2, 1), false)]), at(0).tick, LEASE, &at(0));
    hands.ordered(&orders(vec![other]), at(1).tick, LEASE, &at(1));
    let said = hands.refused();
    assert!(said.len() == 1 && said[0].0 == key(1, 1) && said[0].1.starts_with("refused: \"reboot\""), "{said:?}");
    assert!(hands.refused().is_empty());
    let cancel = Orders { cancel: vec![Id(2)], ..Orders::default() };
    hands.ordered(&cancel, at(2).tick, LEASE, &at(2));
    assert_eq!(hands.refused(), [(key(2, 1), "cancelled".to_owned())]);
    hands.ordered(&orders(vec![offer(key(3, 1), false)]), at(3).tick, LEASE, &at(3));
    let back = Orders { back: vec![Id(3)], ..Orders::default() };
    hands.ordered(&back, at(3).tick, LEASE, &at(3));
    assert_eq!(hands.refused(), [(key(3, 1), ["cancelled: ", HANDED_BACK].concat())]);
}

#[test]
fn without_a_journal_nothing_is_begun_and_all_is_told() {
    let mut hands = hands(None);
    hands.ordered(&orders(vec![offer(key(1, 1), false)]), at(0).tick, LEASE, &at(0));
    save(&mut hands);
    hands.begin(&at(0)).unwrap();
    // From now on the disk is slow, then it fails.
    hands.ordered(&orders(vec![offer(key(2, 1), false)]), at(1).tick, LEASE, &at(1));
    hands.ended(done(key(1, 1), "x"));
    assert_eq!(hands.result(&at(1)), None);
    assert!(hands.unwritten(false));
    assert_eq!(hands.result(&at(1)).unwrap().key, key(1, 1), "its end is no secret");
    assert!(!hands.unwritten(false), "nothing new");
    assert_eq!((hands.begin(&at(2)), hands.active().0.len()), (None, 1), "the other one waits");
    assert!(hands.unwritten(true));
    assert_eq!(hands.begin(&at(2)), None);
    let told = hands.result(&at(2)).unwrap();
    assert_eq!((told.key, told.end, &*told.why), (key(2, 1), End::Refused, UNWRITTEN));
    assert_eq!(hands.refused().len(), 1, "and it is in the log");
    // Later it works, and the key is not taken again.
    save(&mut hands);
    let acks = Orders { acks: vec![Id(1), Id(2)], ..orders(vec![offer(key(2, 1), false), offer(key(2, 2), false)]) };
    hands.ordered(&acks, at(3).tick, LEASE, &at(3));
    save(&mut hands);
    assert_eq!(hands.begin(&at(3)).unwrap().key, key(2, 2));
}

#[test]
fn a_call_under_way_is_not_handed_back_and_may_be_unknown() {
    let mut hands = hands(None);
    let call = |id| Offer { message: "url http://127.0.0.1/x".to_owned(), ..offer(key(id, 1), true) };
    hands.ordered(&orders(vec![call(1), offer(key(2, 1), true)]), at(0).tick, LEASE, &at(0));
    save(&mut hands);
    while hands.begin(&at(0)).is_some() {}
    let back = Orders { back: vec![Id(1), Id(2)], ..Orders::default() };
    hands.ordered(&back, at(1).tick, LEASE, &at(1));
    assert_eq!(hands.to_end(&at(1)), [key(2, 1)]);
    let cancel = Orders { cancel: vec![Id(1)], ..Orders::default() };
    hands.ordered(&cancel, at(2).tick, LEASE, &at(2));
    assert_eq!(hands.to_end(&at(2)), [key(1, 1), key(2, 1)]);
    let unknown = Done { end: End::Unknown, why: "under way".to_owned(), ..done(key(1, 1), "") };
    assert_eq!(hands.ended(unknown), (End::Unknown, "unknown: under way".to_owned()));
}

#[test]
fn what_cannot_come_first_is_refused_and_not_left_out() {
    let mut hands = hands(None);
    let first = |id, message: &str| Offer { prepare: vec![message.to_owned()], ..offer(key(id, 1), false) };
    let offers = vec![first(1, "url http://127.0.0.1/x"), first(2, "reboot"), first(3, "work")];
    hands.ordered(&orders(offers), at(0).tick, LEASE, &at(0));
    let said: Vec<String> = hands.refused().into_iter().map(|(_, words)| words).collect();
    assert!(said.len() == 2 && said[0].ends_with(CALL_FIRST) && said[1].starts_with("refused: prepare: "), "{said:?}");
    save(&mut hands);
    assert_eq!(hands.begin(&at(1)).unwrap().prepare.len(), 1);
}

/// Whatever the disk does and whenever the agent is killed: a run is on disk before it begins, begins once, and not after
/// anything was told of it.
#[test]
fn with_any_disk_nothing_begins_twice_or_after_its_end_was_told() {
    let mut seed = 0x1C_u64;
    let mut below = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let mut counts = [0; 5];
    for _ in 0..100 {
        let (mut disk, mut slow) = (None::<Vec<u8>>, None);
        let (mut running, mut begun, mut told): (Vec<Key>, Vec<Key>, Vec<Key>) = Default::default();
        let mut hands = hands(None);
        for secs in 0..1000 {
            let now = at(secs);
            let key =
                Key { id: Id(below(12)), epoch: 1 + below(1 + secs as u64 / 9) as u32, attempt: 1 + below(3) as u32 };
            match below(10) {
                0..=2 if !told.contains(&key) => {
                    hands.ordered(&orders(vec![offer(key, below(2) == 0)]), now.tick, LEASE, &now);
                }
                3 => {
                    let ids = vec![key.id];
                    let acks = told.iter().rev().take(3).map(|key| key.id).collect();
                    let orders = match below(4) {
                        0 => Orders { cancel: ids, ..Orders::default() },
                        1 => Orders { back: ids, ..Orders::default() },
                        _ => Orders { acks, ..Orders::default() },
                    };
                    hands.ordered(&orders, now.tick, LEASE, &now);
                }
                // The disk takes it, at once or in the end; or it does not.
                4 | 5 => match (slow.take().or_else(|| hands.journal()), below(4)) {
                    (Some(_), 0) => {
                        hands.unwritten(true);
                        counts[0] += 1;
                    }
                    (Some(written), 1) => {
                        slow = Some(written);
                        hands.unwritten(below(3) == 0);
                    }
                    (Some((number, bytes)), _) => {
                        disk = Some(bytes);
                        hands.saved(number);
                    }
                    (None, _) => {}
                },
                6 => {
                    while let Some(begin) = hands.begin(&now) {
                        let known = Hands::new(AllowPlan::default(), 4, disk.as_deref()).0;
                        assert!(known.seen.contains(&begin.key), "it is not on disk");
                        assert!(!begun.contains(&begin.key) && !told.contains(&begin.key), "{begin:?}");
                        begun.push(begin.key);
                        running.push(begin.key);
                        counts[1] += 1;
                    }
                }
                7 if !running.is_empty() => {
                    let key = running.swap_remove(below(running.len() as u64) as usize);
                    hands.ended(done(key, "x"));
                }
                8 => {
                    if let Some(done) = hands.result(&now) {
                        assert!(!running.contains(&done.key), "it goes on");
                        counts[2] += 1;
                        counts[3] += usize::from(done.why == UNWRITTEN);
                        told.push(done.key);
                    }
                }
                9 if below(20) == 0 => {
                    hands = self::hands(disk.as_deref());
                    (slow, running) = (None, Vec::new());
                    counts[4] += 1;
                }
                _ => {}
            }
        }
    }
    let [failed, begun, told, unwritten, kills] = counts;
    println!(
        "{failed} failed writes, {kills} kills, {begun} runs begun, {told} results, {unwritten} refused for the disk"
    );
    assert!(counts.iter().all(|count| *count > 100));
}
