//! Leases of before a crash.

use super::*;

#[test]
fn a_lease_of_before_a_crash_is_waited_for_whatever_the_roster_says_after_it() {
    for (known, longer, wait) in [(true, false, 100), (true, true, 5000), (false, false, 600), (false, true, 5000)] {
        let mut server = Server::new(&[job("a", Terms { failover: true, ..Terms::default() })], &["w", "x"]);
        server.lease = Duration::from_secs(100);
        ["w", "x"].iter().for_each(|host| drop(server.beat(host, &[], 0)));
        let id = server.ask("a", 1);
        let was = server.run(id).host;
        let key = server.taken(id, 2);
        if longer {
            // Its period has become longer, or `num`.
            let says = Says { takes: Vec::new(), runs: vec![Held { key, phase: Phase::Running }] };
            let beat = Beat { boot: "boot", run: "run", seq: 99, lease: Duration::from_secs(5000) };
            server.book.heard(&was, &beat, &says, &at(3));
        }
        // The crash: with another configuration, or without a roster, after which the host is not heard any more.
        let (_, sheets) = server.book.sheets(&at(3));
        let mut book = Book::default();
        for sheet in sheets {
            assert!(book.restore(&sheet.file, &sheet.bytes.unwrap(), &at(10)));
        }
        book.define(&[job("a", Terms { failover: true, ..Terms::default() })], "me", &at(10));
        server.book = book;
        server.hosts.retain_mut(|host| {
            (host.up, host.lease_over) = (host.name != was, at(11).tick);
            known || host.name != was
        });
        server.beat(if was == "w" { "x" } else { "w" }, &[], 10);
        server.step(10 + wait - 1);
        assert_eq!((server.run(id).host, server.run(id).key), (was.clone(), key), "{known} {longer}");
        server.step(10 + wait);
        assert!(server.run(id).host != was && server.run(id).key.epoch > key.epoch, "{known} {longer}");
    }
}

#[test]
fn nothing_is_offered_under_a_lease_that_is_not_on_disk() {
    let mut server = Server::new(&[job("a", Terms::default())], &["w"]);
    let id = server.ask("a", 1);
    let longer = |server: &mut Server, seq, secs| {
        let beat = Beat { boot: "boot", run: "run", seq, lease: Duration::from_secs(200) };
        server.book.heard("w", &beat, &Says { takes: vec!["work".to_owned()], runs: Vec::new() }, &at(secs)).offers
    };
    assert!(longer(&mut server, 50, 2).is_empty());
    server.step(2);
    let offers = longer(&mut server, 51, 3);
    assert!(offers.iter().any(|offer| offer.key.id == id), "{offers:?}");
}

#[test]
fn a_lease_that_was_granted_before_a_shorter_one_is_waited_for() {
    let mut server = Server::new(&[job("a", Terms { failover: true, ..Terms::default() })], &["w", "x"]);
    server.lease = Duration::from_secs(5000);
    ["w", "x"].iter().for_each(|host| drop(server.beat(host, &[], 0)));
    // A reload with a lower num.
    server.lease = Duration::from_secs(100);
    ["w", "x"].iter().for_each(|host| drop(server.beat(host, &[], 1)));
    let id = server.ask("a", 2);
    let was = server.run(id).host;
    let _ = server.taken(id, 3);
    let (_, sheets) = server.book.sheets(&at(4));
    let mut book = Book::default();
    for sheet in sheets {
        assert!(book.restore(&sheet.file, &sheet.bytes.unwrap(), &at(10)));
    }
    book.define(&[job("a", Terms { failover: true, ..Terms::default() })], "me", &at(10));
    server.book = book;
    server.hosts.retain(|host| host.name != was);
    server.beat(if was == "w" { "x" } else { "w" }, &[], 10);
    server.step(5000);
    assert_eq!(server.run(id).host, was, "its host has a lease until 5000 s");
    server.step(5010);
    assert_ne!(server.run(id).host, was);
}
