//! Many probes, and those that hang.

use super::*;

/// Some hang, and the others are looked at as ever.
#[test]
fn one_that_hangs_is_down_and_delays_nobody() {
    let all: Vec<_> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| plan(name, None)).collect();
    let mut play = Play::new(&all, &[]);
    let mut hung = Vec::new();
    for _ in 0..600 {
        play.secs += 1;
        let now = now(play.secs);
        play.step(now.tick);
        while let Some(look) = play.book.start(now.tick) {
            match &*look.plan.name {
                "a" | "b" | "c" | "d" => hung.push(look.id),
                _ => {
                    let outcome = Outcome { good: Some(true), took: SECOND, detail: String::new() };
                    play.book.ended(look.id, now.tick, outcome, now.tick);
                }
            }
        }
        play.tell(&now);
    }
    assert_eq!(hung.len(), 4, "never two looks at one thing");
    let told: Vec<_> = play.told.iter().map(|(_, kind, name)| (*kind, &**name)).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for name in ["e", "f"] {
        let standing = play.standing(name);
        assert!(standing.state == State::Up && standing.last.unwrap() > Tick((play.secs - 61) * 1000), "{standing:?}");
    }
    // It comes back late: that says nothing, but from then on it is looked at again.
    let late = Outcome { good: Some(true), took: SECOND, detail: String::new() };
    play.book.ended(hung[0], Tick(0), late, Tick(play.secs * 1000));
    assert_eq!(play.standing("a").state, State::Down);
    assert!(play.book.start(Tick(play.secs * 1000 + 1000)).is_some_and(|look| look.id == hung[0]));
}

/// Sixty that take all their time, four at a time: each is looked at once in two and a half minutes.
#[test]
fn what_is_crowded_out_is_down_all_the_same() {
    let names: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    let all: Vec<_> = names.iter().map(|name| plan(name, None)).collect();
    let mut play = Play::new(&all, &[]);
    let mut running: Vec<(i64, u32)> = Vec::new();
    for _ in 0..900 {
        play.secs += 1;
        let now = now(play.secs);
        play.step(now.tick);
        for (begun, id) in running.extract_if(.., |(begun, _)| *begun + 10 <= play.secs).collect::<Vec<_>>() {
            let outcome = Outcome { good: Some(false), took: SECOND * 10, detail: String::new() };
            play.book.ended(id, Tick(begun * 1000), outcome, now.tick);
        }
        while let Some(look) = play.book.start(now.tick) {
            running.push((play.secs, look.id));
        }
        assert!(running.len() <= 4);
        play.tell(&now);
    }
    assert_eq!(play.told.len(), 60);
}

/// A server tells no more than three failures of a host at a time: the others wait until there is room.
#[test]
fn where_a_server_tells_no_more_than_three_are_told_at_a_time() {
    let all: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].iter().map(|name| plan(name, None)).collect();
    let mut play = Play::new(&[], &[]);
    play.carried = true;
    play.define(&all, &[]);
    play.bad = vec!["a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(play.kinds(600).len(), 3);
    assert_eq!(play.standing("h").because.as_deref(), Some("its server tells three others"));
    play.bad.retain(|name| *name != "b" && *name != "h");
    let told = play.kinds(600);
    assert_eq!(told, [up("b"), down("d")]);
    play.carried = false;
    play.define(&all, &[]);
    assert_eq!(play.kinds(600).len(), 3);
}
