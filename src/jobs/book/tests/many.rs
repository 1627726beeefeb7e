//! Many runs at once.

use super::*;
use crate::jobs::book::tests::news::Disk;

#[test]
fn a_page_is_what_is_copied_at_a_time() {
    let mut server = Server::new(&[], &["w"]);
    for n in 0..1000 {
        let new = New::Once { message: "work".to_owned(), on: Where::One(On::Any("*".to_owned())), due: at(n).wall };
        server.book.add(&new, &server.hosts, &at(0), n.unsigned_abs() + 1).unwrap();
    }
    let (mut copies, mut next, mut pages) = (Vec::new(), Some(Id(0)), 0);
    while let Some(from) = next {
        let looked = std::cell::Cell::new(0);
        let (page, more) = server.book.page(from, &|run| {
            looked.set(looked.get() + 1);
            run.due > at(499).wall
        });
        assert!(looked.get() <= PAGE);
        copies.extend(page);
        (next, pages) = (more, pages + 1);
    }
    let want: Vec<Run> = server.book.runs().filter(|run| run.due > at(499).wall).cloned().collect();
    assert_eq!((copies.len(), pages), (500, 4));
    assert_eq!(copies, want);
}

/// Adds so many in no order, restarts in the middle, and has them run: each once, in the order in which they are due.
fn delayed(all: i64) {
    let mut server = Server::new(&[], &[]);
    server.hosts.push(host("w"));
    let mut disk = Disk(Vec::new());
    let mut want: Vec<(Wall, Id)> = Vec::new();
    for n in 0..all {
        // Prime to all that is asked for: every second is somebody's.
        let due = at(3600 + n * 7919 % all).wall;
        let new = New::Once { message: format!("work {n}"), on: Where::One(On::Any("*".to_owned())), due };
        let id = server.book.add(&new, &server.hosts, &at(n / 1000), n.unsigned_abs() + 1).unwrap()[0];
        want.push((due, id));
    }
    want.sort();
    disk.write(&mut server.book, 99, 60);
    let bytes: usize = disk.0.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("{all} delayed runs: {bytes} bytes in {} files", disk.0.len());
    let mut began: Vec<(Wall, Id)> = Vec::new();
    let mut secs = 100;
    while secs < 3600 + all + 60 {
        if began.len() as i64 == all / 2 {
            server.book = disk.book(&[], secs);
        }
        secs += 10;
        loop {
            server.seq += 1;
            let says = Says { takes: vec!["work \u{2026}".to_owned()], runs: Vec::new() };
            let beat = Beat { boot: "boot", run: "run", seq: server.seq, lease: Duration::ZERO };
            let offers = server.book.heard("w", &beat, &says, &at(secs)).offers;
            for offer in &offers {
                let due = server.run(offer.key.id).due;
                assert!(at(secs).wall >= due, "before it is due");
                began.push((due, offer.key.id));
                let done = Done {
                    key: offer.key,
                    end: End::Succeeded,
                    code: Some(0),
                    took: 1,
                    out: String::new(),
                    why: String::new(),
                };
                server.book.done("w", &done, &at(secs));
            }
            for news in server.book.step(&server.hosts, &at(secs), &Zone::utc()).news {
                server.book.posted(news.id(), Some(0));
            }
            let waits = server.book.runs().any(|run| run.state == State::Queued);
            disk.write(&mut server.book, 99, secs);
            if offers.is_empty() && !waits {
                break;
            }
        }
    }
    assert_eq!(began.len(), want.len());
    let first = (0..want.len()).find(|at| began[*at] != want[*at]);
    assert_eq!(first, None, "in order, each once: {:?}", first.map(|at| (&began[at..][..4], &want[at..][..4])));
}

#[test]
fn a_thousand_delayed_runs_begin_in_order() {
    delayed(1000);
}

#[test]
#[ignore = "long"]
fn ten_thousand_delayed_runs_begin_in_order() {
    delayed(10_000);
}
