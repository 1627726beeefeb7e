use super::*;
use crate::clock::{Boot, Wall};
use crate::event::Phase;
use crate::resource::what::COUNT;

const LIMIT: Limit = Limit { high: 90, clear: 80, hold: Duration::from_secs(60), rest: Duration::from_secs(30) };
const ME: &str = "vps@tokyo";
const OWN: Source<'static> = Source { host: None, patience: Duration::from_secs(90) };

fn at(secs: i64) -> Now {
    Now { tick: Tick(secs * 1000), wall: Wall(1_800_000_000_000 + secs * 1000), boot: Boot(7) }
}

fn nas() -> Source<'static> {
    Source { host: Some("nas"), ..OWN }
}

/// One look at these, and what it told.
fn look(book: &mut Book, secs: i64, seen: &[(Source<'_>, What, &str, Option<i64>)]) -> Vec<Event> {
    book.begin();
    for (source, what, place, value) in seen {
        book.observe(*source, *what, place, (*value, Tick(secs * 1000)), &LIMIT);
    }
    book.sweep();
    tell(book, secs)
}

fn tell(book: &mut Book, secs: i64) -> Vec<Event> {
    let mut told = Vec::new();
    while let Some(due) = book.due(ME, &at(secs)) {
        // Whoever restores what is saved with it knows just what this book knows then.
        let json = due.json.clone();
        told.push(book.commit(due));
        assert_eq!(Book::restore(&json, &at(secs)).write(usize::MAX, None, &at(secs)), json);
    }
    told
}

fn kinds(told: &[Event]) -> Vec<Kind> {
    told.iter().map(|event| event.kind).collect()
}

fn shown(event: &Event) -> Vec<String> {
    let fact = |(field, fact): &(Field, Fact)| match fact {
        Fact::Text(text) => format!("{}={text}", field.name()),
        Fact::Span(span) => format!("{}={}", field.name(), span.as_secs()),
        Fact::Time(moment) => format!("{}@{}", field.name(), moment.tick.0 / 1000),
        Fact::Number(number) => format!("{}={number}", field.name()),
    };
    event.facts.iter().map(fact).collect()
}

#[test]
fn this_machine_is_told_once_and_so_is_its_end() {
    let mut book = Book::default();
    let mut told = Vec::new();
    for secs in (0..=300).step_by(30) {
        let disk = if secs < 120 { 95 } else { 70 };
        let seen = [(OWN, What::Disk, "/", Some(50)), (OWN, What::Disk, "/var", Some(disk))];
        told.extend(look(&mut book, secs, &seen));
    }
    let [high, normal] = &told[..] else { panic!("{told:?}") };
    assert_eq!((high.kind, &*high.subject, high.at.tick), (Kind::ResourceHigh, ME, Tick(60_000)));
    assert_eq!(shown(high), ["resource=disk /var", "value=95 %", "limit=90 %", "since@0"]);
    assert_eq!((normal.kind, normal.incident), (Kind::ResourceNormal, high.incident));
    assert_eq!(shown(normal), ["resource=disk /var", "value=70 %", "limit=90 %", "duration=120"]);
    assert!(book.begun().is_empty());
    let standings = book.standings("me");
    assert_eq!(standings.len(), 2);
    assert!(standings.iter().all(|standing| standing.state == State::Normal && standing.host == "me"));
}

#[test]
fn a_restart_neither_repeats_nor_loses_the_end() {
    let mut book = Book::default();
    let mut json = String::new();
    for secs in [0, 60] {
        book.begin();
        book.observe(OWN, What::Memory, "", (Some(97), Tick(secs * 1000)), &LIMIT);
        book.observe(nas(), What::Disk, "/srv", (Some(99), Tick(secs * 1000)), &LIMIT);
        book.sweep();
        while let Some(due) = book.due(ME, &at(secs)) {
            json = due.json.clone();
            book.commit(due);
        }
    }
    let begun = book.begun();
    assert_eq!(begun.len(), 1, "only what is of this machine is carried");
    assert_eq!(super::begun(&json, &at(70)), [begun[0].id]);
    // Once in the same boot, once in the next one, which began an hour later.
    let reboot = Now { tick: Tick(5000), wall: Wall(at(3600).wall.0), boot: Boot(8) };
    for (now, lasted) in [(at(70), 30), (reboot, 3560)] {
        let mut book = Book::restore(&json, &now);
        assert_eq!(book.begun(), begun);
        let secs = now.tick.0 / 1000;
        let both = |disk| [(OWN, What::Memory, "", Some(98)), (nas(), What::Disk, "/srv", disk)];
        book.begin();
        for (source, what, place, value) in both(None) {
            book.observe(source, what, place, (value, now.tick), &LIMIT);
        }
        book.sweep();
        assert!(book.due(ME, &now).is_none(), "it is known");
        let states: Vec<State> = book.standings(ME).iter().map(|standing| standing.state).collect();
        assert_eq!(states, [State::High, State::Unknown]);
        let mut told = Vec::new();
        for later in [0, 30] {
            let now = Now {
                tick: now.tick + Duration::from_secs(later),
                wall: Wall(now.wall.0 + 1000 * later as i64),
                ..now
            };
            book.begin();
            for (source, what, place, value) in both(Some(10)) {
                book.observe(source, what, place, (value, Tick((secs + later as i64) * 1000)), &LIMIT);
            }
            book.sweep();
            while let Some(due) = book.due(ME, &now) {
                told.push(book.commit(due));
            }
        }
        assert_eq!(kinds(&told), [Kind::ResourceNormal]);
        assert_eq!(&*told[0].subject, "nas");
        let duration = Fact::Span(Duration::from_secs(if lasted == 30 { 70 } else { 3600 }));
        assert_eq!(told[0].fact(Field::Duration), Some(&duration));
    }
    for damaged in ["", "[]", "{}", r#"{"open":[7,{},{"what":"memory"}]}"#, &json[..json.len() / 2]] {
        assert!(Book::restore(damaged, &at(0)).is_empty(), "{damaged}");
    }
}

#[test]
fn a_host_that_is_down_is_unknown_and_its_incident_stands() {
    let mut book = Book::default();
    let plan = ResourcePlan {
        interval: Duration::from_secs(30),
        disks: None,
        hosts: Vec::new(),
        limits: [Some(LIMIT); COUNT],
    };
    let disk = |value| [(nas(), What::Disk, "/srv", value)];
    assert_eq!(look(&mut book, 0, &disk(Some(50))), []);
    assert!(!book.knows("nas"), "what is enough is not kept");
    assert_eq!(look(&mut book, 30, &disk(Some(95))), []);
    assert!(book.knows("nas") && book.standings(ME).is_empty());
    let told = look(&mut book, 90, &disk(Some(96)));
    assert_eq!(kinds(&told), [Kind::ResourceHigh]);
    assert_eq!(shown(&told[0]), ["resource=disk /srv", "value=96 %", "limit=90 %", "since@30", "server=vps@tokyo"]);
    for secs in [120, 1000, 5000] {
        book.begin();
        book.lose("nas", &plan);
        book.sweep();
        assert_eq!(tell(&mut book, secs), []);
        let standing = &book.standings(ME)[0];
        assert_eq!((standing.state, &*standing.value, standing.since), (State::Unknown, "", Some(Tick(90_000))));
    }
    // Fresh readings decide, and the folder that was told stays.
    assert_eq!(look(&mut book, 5030, &[(nas(), What::Disk, "/", Some(95))]), []);
    assert_eq!(look(&mut book, 5060, &disk(Some(50))), []);
    let told = look(&mut book, 5090, &disk(Some(50)));
    assert_eq!(kinds(&told), [Kind::ResourceNormal]);
    assert_eq!(told[0].fact(Field::Duration), Some(&Fact::Span(Duration::from_secs(5030))));
    assert_eq!(look(&mut book, 5120, &disk(Some(50))), []);
    assert!(book.is_empty());
}

#[test]
fn what_is_watched_no_longer_ends_without_a_word() {
    let mut book = Book::default();
    for secs in [0, 60] {
        look(&mut book, secs, &[(OWN, What::Memory, "", Some(97)), (nas(), What::Disk, "", Some(99))]);
    }
    let told = look(&mut book, 90, &[]);
    assert_eq!(kinds(&told), [Kind::NoticeDropped; 2]);
    assert!(book.is_empty());
    assert_eq!(look(&mut book, 120, &[]), []);
}

#[test]
fn what_is_held_back_is_told_later_and_what_has_no_room_waits() {
    let mut book = Book::default();
    let seen = [(nas(), What::Disk, "", Some(99)), (OWN, What::Memory, "", Some(99))];
    look(&mut book, 0, &seen);
    book.begin();
    for (source, what, place, value) in seen {
        book.observe(source, what, place, (value, Tick(60_000)), &LIMIT);
    }
    book.sweep();
    let due = book.due(ME, &at(60)).unwrap();
    assert!(due.own, "this machine first");
    book.hold(&due);
    assert_eq!(kinds(&tell(&mut book, 60)), [Kind::ResourceHigh]);
    assert_eq!(book.standings(ME)[0].state, State::High, "whoever asks sees it");
    let told = look(&mut book, 90, &seen);
    assert_eq!((kinds(&told), &*told[0].subject), (vec![Kind::ResourceHigh], ME));
    // One that is normal before it could be told is told nobody.
    let names: Vec<String> = (0..200).map(|n| format!("h{n:03}")).collect();
    let of = |value| -> Vec<(Source<'_>, What, &str, Option<i64>)> {
        let all = names.iter().map(|name| (Source { host: Some(name), ..OWN }, What::Memory, "", value));
        all.chain(seen).collect()
    };
    look(&mut book, 120, &of(Some(95)));
    let told = look(&mut book, 180, &of(Some(95)));
    assert_eq!(told.len(), MAX_OPEN - 2);
    look(&mut book, 210, &of(Some(5)));
    let ends = look(&mut book, 240, &of(Some(5)));
    assert_eq!(ends.len(), MAX_OPEN - 2);
    assert!(ends.iter().all(|event| event.kind.phase() == Phase::End));
    look(&mut book, 270, &of(Some(5)));
    assert_eq!(book.entries.len(), 2);
}

#[test]
fn judgements_are_bounded_and_found_by_their_host() {
    let mut book = Book::default();
    book.begin();
    for n in (0..5000).rev() {
        let name = format!("h{n}");
        let source = Source { host: Some(&name), ..OWN };
        book.observe(source, What::Memory, "", (Some(95), Tick(0)), &LIMIT);
    }
    book.sweep();
    assert_eq!(book.entries.len(), MAX_ENTRIES);
    assert!(book.entries.is_sorted_by_key(|entry| entry.host.clone()));
    assert!(book.knows("h4999") && !book.knows("h1") && !book.knows(""));
}

/// Random looks with restarts and reboots between: a beginning and an end take turns, each once.
#[test]
fn beginnings_and_ends_take_turns() {
    let mut random = 0xfeed_5eed_1234_5678_u64;
    let mut below = move |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let (mut book, mut saved) = (Book::default(), String::new());
    let mut open: Vec<(String, Id)> = Vec::new();
    let (mut begun, mut ended) = (0, 0);
    let mut levels = [50_i64; 4];
    for secs in (0..400_000).step_by(30) {
        if below(50) == 0 {
            book = Book::restore(&saved, &at(secs));
        }
        book.begin();
        for (n, level) in levels.iter_mut().enumerate() {
            *level = if below(20) == 0 { below(101) as i64 } else { (*level + below(7) as i64 - 3).clamp(0, 100) };
            let value = (below(8) > 0).then_some(*level);
            let source = if n < 2 { OWN } else { nas() };
            let what = if n % 2 == 0 { What::Memory } else { What::Swap };
            book.observe(source, what, "", (value, Tick(secs * 1000)), &LIMIT);
        }
        book.sweep();
        while let Some(due) = book.due(ME, &at(secs)) {
            if below(4) == 0 {
                break;
            }
            saved.clone_from(&due.json);
            let event = book.commit(due);
            let key = format!("{} {}", event.subject, shown(&event)[0]);
            let known = open.iter().position(|(other, _)| *other == key);
            match event.kind {
                Kind::ResourceHigh => {
                    assert_eq!(known, None, "{key}");
                    open.push((key, event.incident));
                    begun += 1;
                }
                Kind::ResourceNormal => {
                    let (_, incident) = open.swap_remove(known.expect("an end before its beginning"));
                    assert_eq!(incident, event.incident);
                    ended += 1;
                }
                _ => panic!("{event:?}"),
            }
        }
    }
    println!("{begun} beginnings, {ended} ends");
    assert!(begun > 50 && ended > 50);
}
