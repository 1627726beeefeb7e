use super::*;
use crate::clock::{Boot, Wall};
use crate::event::{Phase, Severity};

const LABEL: &str = "ic://default@vps:9080";

fn at(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(1_800_000_000_000 + secs * 1000), boot: Boot(7) }
}

fn tick(secs: i64) -> Tick {
    Tick(secs * 1000)
}

/// Fails every `step` seconds from `from` on; the second at which it is first to be told.
fn told_at(outage: &mut Outage, from: i64, step: i64, luck: u8, until: i64) -> Option<i64> {
    let mut secs = from;
    while secs <= until {
        if outage.failed(tick(secs), tick(secs), luck).is_some() {
            return Some(secs);
        }
        secs += step;
    }
    None
}

#[test]
fn three_failures_and_ten_to_fifteen_minutes() {
    for (step, luck, told) in [
        (30, 0, Some(600)),
        (1, 0, Some(600)),
        (30, 255, Some(900)),
        (30, 102, Some(720)),
        // Far apart there are few of them.
        (60, 0, Some(600)),
        (90, 0, Some(630)),
    ] {
        assert_eq!(told_at(&mut Outage::default(), 0, step, luck, 2000), told, "every {step} s, luck {luck}");
    }
    let mut twice = Outage::default();
    assert_eq!(twice.failed(tick(0), tick(80), 0), None);
    assert_eq!(twice.failed(tick(0), tick(3000), 0), None, "two failures are not three");
}

#[test]
fn the_luck_of_an_outage_is_drawn_once() {
    let mut outage = Outage::default();
    outage.failed(tick(0), tick(0), 255);
    assert_eq!(told_at(&mut outage, 30, 30, 0, 2000), Some(900));
}

#[test]
fn an_answer_begins_anew_and_is_remembered() {
    let mut outage = Outage::default();
    assert_eq!(told_at(&mut outage, 0, 30, 0, 590), None);
    outage.answered(tick(595));
    assert_eq!(told_at(&mut outage, 600, 30, 0, 1190), None);
    assert_eq!(outage.failed(tick(1200), tick(1201), 0), Some(tick(600)));
    assert_eq!(outage.failed(tick(1210), tick(1215), 0), Some(tick(600)), "as long as nobody took it");
    assert_eq!(outage.last(), Some(tick(595)));
}

#[test]
fn a_suspend_is_no_outage() {
    let mut outage = Outage::default();
    assert_eq!(told_at(&mut outage, 0, 30, 0, 120), None);
    // Eight hours later the network is not there yet.
    assert_eq!(told_at(&mut outage, 28_800, 10, 0, 29_000), None);
    assert_eq!(told_at(&mut outage, 29_010, 10, 0, 30_000), Some(29_190), "120 s before, 90 for the gap, 390 after");
}

#[test]
fn an_outage_is_told_once_and_ended_once() {
    let book = Book::default();
    assert!(book.reachable("nas@home", LABEL, &at(5)).is_none(), "what was not told does not end");
    let due = book.unreachable("nas@home", LABEL, tick(100), Some(tick(70)), "timed out", &at(700)).unwrap();
    let event = &due.event;
    assert_eq!(
        (event.kind, event.severity, event.subject.as_str()),
        (Kind::MonitorUnreachable, Severity::Info, "nas@home")
    );
    assert_eq!(event.fact(Field::Monitor), Some(&Fact::Text(LABEL.to_owned())));
    assert_eq!(event.fact(Field::Reason), Some(&Fact::Text("timed out".to_owned())));
    assert_eq!(event.fact(Field::Since), Some(&Fact::Time(Moment::at(tick(70), &at(700)))));
    // Nobody took it: it stays due, as the same incident.
    let again = book.unreachable("nas@home", LABEL, tick(100), Some(tick(70)), "refused", &at(710)).unwrap();
    assert_eq!(again.event.incident, event.incident);
    // Told: not again, not even by the next run, which knows another beginning.
    let book = Book::read(&due.book.to_json());
    assert_eq!(book, due.book);
    assert!(book.unreachable("nas@home", LABEL, tick(800), None, "timed out", &at(1500)).is_none());
    let other = book.unreachable("nas@home", "ic://default@other:9080", tick(800), None, "x", &at(1500)).unwrap();
    assert_ne!(other.event.incident, event.incident);
    assert_eq!(other.event.fact(Field::Since), None, "it never answered");
    // The end, in the next boot even.
    let later = Now { tick: tick(30), boot: Boot(8), ..at(3670) };
    let end = other.book.reachable("nas@home", LABEL, &later).unwrap();
    assert_eq!((end.event.kind.phase(), end.event.incident), (Phase::End, event.incident));
    assert_eq!(end.event.fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(3600))));
    assert!(end.book.reachable("nas@home", LABEL, &later).is_none());
    assert!(end.book.reachable("nas@home", "ic://default@other:9080", &later).is_some());
}

#[test]
fn what_was_told_of_a_server_that_left_the_configuration_ends() {
    let other = "ic://default@other:9080";
    let told = Book::default().unreachable("nas@home", LABEL, tick(100), None, "timed out", &at(700)).unwrap();
    let from = SocketAddr::from(([192, 0, 2, 7], 9080));
    let both = told.book.unreachable("nas@home", other, tick(100), None, "timed out", &at(700)).unwrap().book;
    let book = both.forged("nas@home", LABEL, Told::NoKey, from, "no key", &at(710)).unwrap().book;
    assert!(book.gone("nas@home", &[LABEL.to_owned(), other.to_owned()], &at(800)).is_none());
    let end = book.gone("nas@home", &[other.to_owned()], &at(4300)).unwrap();
    assert_eq!((end.event.kind, end.event.kind.phase()), (Kind::Forgotten, Phase::End));
    assert_eq!(end.event.incident, told.event.incident);
    assert_eq!(end.event.fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(4200))));
    assert_eq!(end.book.0.len(), 2, "a forgery has no end");
    assert!(end.book.gone("nas@home", &[other.to_owned()], &at(4300)).is_none());
    assert!(end.book.gone("nas@home", &[], &at(4300)).is_some());
}

#[test]
fn a_forgery_is_told_once_a_day() {
    let from = SocketAddr::from(([192, 0, 2, 7], 9080));
    let forged = |book: &Book, what, secs| book.forged("nas@home", LABEL, what, from, "no key", &at(secs));
    let day = 24 * 3600;
    let first = forged(&Book::default(), Told::NoKey, 10).unwrap();
    assert_eq!((first.event.kind, first.event.severity), (Kind::MonitorForged, Severity::Warning));
    assert_eq!(first.event.fact(Field::Address), Some(&Fact::Text("192.0.2.7".to_owned())));
    let book = Book::read(&first.book.to_json());
    assert!(forged(&book, Told::NoKey, 10 + day - 1).is_none());
    let other = forged(&book, Told::Renamed, 20).unwrap();
    assert_ne!(other.event.id, first.event.id);
    let next = forged(&other.book, Told::NoKey, 10 + day).unwrap();
    assert_ne!(next.event.incident, first.event.incident);
    assert_eq!(next.book.0.len(), 2);
    assert!(other.book.reachable("nas@home", LABEL, &at(30)).is_none());
}

#[test]
fn the_book_has_a_cap_and_survives_damage() {
    let mut book = Book::default();
    for n in 0..200 {
        book = book.unreachable("me", &format!("ic://u@h{n}:1"), tick(n), None, "", &at(n)).unwrap().book;
    }
    assert_eq!((book.0.len(), book.0[0].label.as_str()), (MAX_TOLD, "ic://u@h136:1"));
    let half = "{\"told\":[{\"monitor\":\"a\"},7,{\"monitor\":\"b\",\"what\":\"no-key\",\"incident\":\"00000000000000aa\",\"since\":[7,1,2,false]}]}";
    assert_eq!(Book::read(half).0.len(), 1);
    for damaged in ["", "[]", "{\"told\":7}", "\u{0}"] {
        assert_eq!(Book::read(damaged), Book::default());
    }
}
