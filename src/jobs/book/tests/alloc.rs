//! Which host gets what, over random lives of a roster.

use super::*;

fn chance(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) % below
}

/// Hosts come, go and announce that they go; nothing is ever finished. After each step every run is where it may be,
/// loads differ as little as they can without a move, nothing moved without need, and epochs only grew.
fn live(seed: u64) -> (usize, usize) {
    let mut seed = seed;
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut server = Server::new(&[], &names);
    let (mut steps, mut moves) = (0, 0);
    let mut before: Vec<(Id, String, u32)> = Vec::new();
    for secs in 1..400 {
        let n = chance(&mut seed, 6) as usize;
        let host = &mut server.hosts[n];
        match chance(&mut seed, 8) {
            0 => (host.up, host.lease_over) = (false, at(secs + 20).tick),
            1 | 2 => (host.up, host.lease_over, host.leaving) = (true, Tick(i64::MAX), false),
            3 => host.leaving = true,
            _ => {
                let on =
                    if chance(&mut seed, 4) == 0 { On::Host(names[n].to_owned()) } else { On::Any("*".to_owned()) };
                let new = New::Once { message: "work".to_owned(), on: Where::One(on), due: at(secs).wall };
                let _ = server.book.add(&new, &server.hosts, &at(secs), secs.unsigned_abs());
            }
        }
        let said = server.step(secs).news;
        steps += 1;
        let host = |name: &str| server.hosts.iter().find(|host| host.name == name).unwrap();
        let may = |name: &str| host(name).up && !host(name).leaving;
        for (id, was, epoch) in &before {
            let run = server.run(*id);
            assert!(run.key.epoch >= *epoch, "an epoch shrank: {run:?}");
            if run.host == *was || run.state.is_final() {
                assert!(run.key.epoch == *epoch || run.state.is_final() || was.is_empty() || run.host == *was);
                continue;
            }
            if !was.is_empty() {
                moves += 1;
                let gone = !host(was).up && at(secs).tick >= host(was).lease_over;
                assert!(matches!(run.on, On::Any(_)) || gone, "moved from its one host: {run:?}");
                assert!(gone || host(was).leaving, "moved without need from {was}: {run:?}");
                let named = said
                    .iter()
                    .any(|news| matches!(news, News::Note(Note { what: Told::Moved { from, .. }, .. }) if from == was));
                assert!(named || matches!(run.on, On::Host(_)), "nobody was told of {run:?} leaving {was}");
            }
        }
        let mut loads: Vec<(&str, usize)> = Vec::new();
        for name in names {
            loads.push((name, server.book.runs().filter(|run| !run.state.is_final() && run.host == name).count()));
        }
        for run in server.book.runs().filter(|run| !run.state.is_final()) {
            let was = before.iter().find(|(id, ..)| *id == run.key.id).map_or("", |(_, was, _)| was);
            let fresh = !run.host.is_empty() && was != run.host;
            if fresh && matches!(run.on, On::Any(_)) {
                assert!(may(&run.host), "given to {}: {run:?}", run.host);
                // It got the least loaded one: but for what has to be there, that has at most one more than any other.
                let load = |name: &str| loads.iter().find(|(other, _)| *other == name).unwrap().1;
                let least = names.iter().filter(|name| may(name)).map(|name| load(name)).min().unwrap();
                let bound = |other: &&Run| other.host == run.host && other.on == On::Host(run.host.clone());
                let bound = server.book.runs().filter(bound).count();
                assert!(load(&run.host) <= least + 1 + bound, "{loads:?} {run:?}");
            }
            if run.host.is_empty() && matches!(run.on, On::Any(_)) {
                let room =
                    names.iter().any(|name| may(name) && loads.iter().any(|(other, n)| other == name && *n < 64));
                assert!(!room, "a host is free: {loads:?} {run:?}");
            }
        }
        let open = server.book.runs().filter(|run| !run.state.is_final());
        before = open.map(|run| (run.key.id, run.host.clone(), run.key.epoch)).collect();
    }
    (steps, moves)
}

#[test]
fn runs_go_where_they_may_and_move_only_when_they_must() {
    let (mut steps, mut moves) = (0, 0);
    for seed in 1..13_u64 {
        let (some, moved) = live(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (steps, moves) = (steps + some, moves + moved);
    }
    println!("{steps} steps, {moves} moves");
    assert!(moves > 100);
}
