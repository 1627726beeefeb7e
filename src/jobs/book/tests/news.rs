//! What is to be told is told, whatever breaks in between.

use super::*;

/// The book as it is on disk after a crash.
pub struct Disk(pub Vec<(String, Vec<u8>)>);

impl Disk {
    /// Writes the first `most` of the files that are to be written.
    pub fn write(&mut self, book: &mut Book, most: usize, secs: i64) {
        let (number, sheets) = book.sheets(&at(secs));
        let all = sheets.len();
        for sheet in sheets.into_iter().take(most) {
            self.0.retain(|(file, _)| *file != sheet.file);
            self.0.extend(sheet.bytes.map(|bytes| (sheet.file, bytes)));
        }
        book.saved(number, most >= all);
    }

    pub fn book(&self, jobs: &[JobPlan], secs: i64) -> Book {
        let mut book = Book::default();
        for (file, bytes) in &self.0 {
            assert!(book.restore(file, bytes, &at(secs)), "{file}");
        }
        book.define(jobs, "me", &at(secs));
        book
    }
}

#[test]
fn an_end_is_told_until_the_outbox_has_it() {
    let jobs = [job("a", Terms::default())];
    let mut server = Server::new(&jobs, &["w"]);
    let mut disk = Disk(Vec::new());
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.done(key, End::Failed, 3);
    let ended = |news: &[News]| news.iter().filter(|news| matches!(news, News::Ended(run) if run.key.id == id)).count();
    server.book.dirty = u64::MAX;
    assert_eq!(ended(&server.book.step(&server.hosts, &at(3), &Zone::utc()).news), 0, "first on disk");
    disk.write(&mut server.book, 99, 3);
    assert_eq!(ended(&server.book.step(&server.hosts, &at(3), &Zone::utc()).news), 1);
    // The queue was full.
    server.book.posted(id, None);
    assert_eq!(ended(&server.book.step(&server.hosts, &at(4), &Zone::utc()).news), 1);
    server.book.posted(id, Some(7));
    assert_eq!(ended(&server.book.step(&server.hosts, &at(5), &Zone::utc()).news), 0, "once is enough");
    // It is on its way, and not on disk yet: a crash takes it away.
    server.book.told(6);
    disk.write(&mut server.book, 99, 5);
    let mut again = disk.book(&jobs, 6);
    assert_eq!(ended(&again.step(&server.hosts, &at(6), &Zone::utc()).news), 1, "it is told again");
    // It is on disk.
    again.posted(id, Some(3));
    again.told(3);
    disk.write(&mut again, 99, 7);
    let mut last = disk.book(&jobs, 8);
    assert_eq!(ended(&last.step(&server.hosts, &at(8), &Zone::utc()).news), 0);
}

fn notes(news: &[News]) -> Vec<(Id, Told)> {
    let of = |news: &News| match news {
        News::Note(note) => Some((note.id, note.what.clone())),
        News::Ended(_) => None,
    };
    news.iter().filter_map(of).collect()
}

#[test]
fn a_move_and_what_was_left_out_are_told_after_a_crash_at_any_write() {
    let cron = "* * * * *";
    let often = JobPlan {
        cron: Some((cron.to_owned(), Schedule::parse(cron).unwrap())),
        overlap: Overlap::Skip,
        ..job("often", Terms::default())
    };
    let jobs = [job("a", Terms { failover: true, ..Terms::default() }), often];
    for writes in 0..8 {
        let mut server = Server::new(&jobs, &["w"]);
        let mut disk = Disk(Vec::new());
        server.ask("a", 1);
        let id = server.book.runs().next().unwrap().key.id;
        let a = server.taken(id, 2);
        server.step(60);
        let id = server.book.runs().find(|run| run.job == "often").unwrap().key.id;
        let often = server.taken(id, 61);
        server.beat("w", &[a, often], 62);
        (server.book.dirty, server.book.fired.0) = (u64::MAX, true);
        disk.write(&mut server.book, 99, 63);
        // The host goes, and the next firing is left out, in the same step.
        server.hosts = vec![host("w"), host("x")];
        (server.hosts[0].up, server.hosts[0].lease_over) = (false, at(100).tick);
        server.beat("x", &[], 119);
        assert_eq!(notes(&server.book.step(&server.hosts, &at(120), &Zone::utc()).news), [], "first on disk");
        disk.write(&mut server.book, writes, 120);
        let told = |mut book: Book| {
            let says = Says { takes: vec!["work".to_owned()], runs: Vec::new() };
            book.heard("x", &Beat { boot: "boot", run: "run", seq: 1, lease: Duration::ZERO }, &says, &at(121));
            let mut told = notes(&book.step(&server.hosts, &at(121), &Zone::utc()).news);
            Disk(Vec::new()).write(&mut book, 99, 121);
            told.append(&mut notes(&book.step(&server.hosts, &at(121), &Zone::utc()).news));
            let moved = told.iter().any(
                |(_, what)| matches!(what, Told::Moved { from, runs, .. } if from == "w" && runs[0] == ("a".into(), "x".into())),
            );
            let skipped = told.iter().any(|(_, what)| matches!(what, Told::Skipped { job, .. } if job == "often"));
            assert!(moved && skipped, "after {writes} writes: {told:?}");
            told
        };
        // The same every time that it is told.
        if writes > 0 {
            let before: Vec<Id> = told(disk.book(&jobs, 121)).iter().map(|(id, _)| *id).collect();
            let after = told(disk.book(&jobs, 122));
            assert!(before.iter().any(|id| after.iter().any(|(other, _)| other == id)));
        } else {
            told(disk.book(&jobs, 121));
        }
    }
}

#[test]
fn a_note_stays_until_the_outbox_has_it() {
    let jobs = [job("a", Terms { failover: true, ..Terms::default() })];
    let mut server = Server::new(&jobs, &["w"]);
    let id = server.ask("a", 1);
    server.taken(id, 2);
    server.hosts = vec![host("w"), host("x")];
    (server.hosts[0].up, server.hosts[0].lease_over) = (false, at(100).tick);
    server.beat("x", &[], 119);
    server.book.step(&server.hosts, &at(120), &Zone::utc());
    let mut disk = Disk(Vec::new());
    disk.write(&mut server.book, 99, 120);
    let told = notes(&server.book.step(&server.hosts, &at(120), &Zone::utc()).news);
    assert_eq!(told.len(), 1);
    for round in 0..3 {
        server.book.posted(told[0].0, None);
        assert_eq!(
            notes(&server.book.step(&server.hosts, &at(121), &Zone::utc()).news),
            told,
            "no room, round {round}"
        );
    }
    server.book.posted(told[0].0, Some(9));
    server.book.told(8);
    assert!(server.book.waits());
    server.book.told(9);
    disk.write(&mut server.book, 99, 130);
    assert!(disk.0.iter().all(|(file, _)| file != NOTES), "nothing is left of it");
    assert_eq!(notes(&disk.book(&jobs, 131).step(&server.hosts, &at(131), &Zone::utc()).news), []);
}

#[test]
fn a_disk_that_fails_keeps_nothing_from_being_told() {
    let mut server = Server::new(&[job("a", Terms::default())], &["w"]);
    let id = server.ask("a", 1);
    let key = server.taken(id, 2);
    server.done(key, End::Failed, 3);
    server.book.step(&server.hosts, &at(3), &Zone::utc());
    let (number, _) = server.book.sheets(&at(3));
    server.book.saved(number, false);
    let news = server.book.step(&server.hosts, &at(4), &Zone::utc()).news;
    assert!(matches!(&news[..], [News::Ended(run)] if run.key.id == id), "{news:?}");
    assert!(server.beat("w", &[key], 5).acks.is_empty(), "but the host keeps its result");
}

#[test]
fn ten_thousand_ends_are_told_bit_by_bit() {
    let mut server = Server::new(&[], &[]);
    server.hosts.push(host("w"));
    for n in 0..10_000 {
        let new = New::Once { message: "work".to_owned(), on: Where::One(On::Any("*".to_owned())), due: at(0).wall };
        server.book.add(&new, &server.hosts, &at(0), n + 1).unwrap();
    }
    server.book.step(&server.hosts, &at(1), &Zone::utc());
    server.book.step(&server.hosts, &at(700), &Zone::utc());
    let mut disk = Disk(Vec::new());
    disk.write(&mut server.book, 99, 700);
    let (mut told, mut rounds) = (0, 0);
    while told < 10_000 {
        let news = server.book.step(&server.hosts, &at(701), &Zone::utc()).news;
        assert!((1..=256).contains(&news.len()));
        // Half of it finds no room.
        for (n, news) in news.iter().enumerate() {
            server.book.posted(news.id(), (n % 2 == 0).then_some(5));
            told += usize::from(n % 2 == 0);
        }
        rounds += 1;
    }
    println!("{told} ends in {rounds} rounds");
    assert_eq!(told, 10_000);
}

#[test]
fn what_comes_after_a_note_does_not_hold_it_up() {
    let mut server = Server::new(&[], &[]);
    let mut disk = Disk(Vec::new());
    let mut told = Vec::new();
    for n in 0..10 {
        server.book.skipped(&format!("job{n}"), "why".to_owned(), &at(n));
        told.extend(notes(&server.book.step(&[], &at(n), &Zone::utc()).news));
        disk.write(&mut server.book, 99, n);
        assert_eq!(told.len() as i64, n, "each once it is on disk, whatever else is not");
    }
}
