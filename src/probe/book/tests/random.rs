//! Whatever fails, whenever it is restarted or reloaded, and whether there is room to tell.

use super::*;

/// Of each incident one beginning and one end, in this order; of one probe never two beginnings without an end between;
/// no end without a beginning; and once all is well, nothing stands.
#[test]
fn never_two_downs_without_an_up_between() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let names = ["a", "b", "c", "d"];
    let all =
        [plan("a", None), plan("b", probe("a")), plan("c", probe("b")), plan("d", Some(Parent::Host("*".into())))];
    let rule = [PingRule { name: "p".to_owned(), period: SECOND * 300, grace: SECOND * 60 }];
    let (mut downs, mut restarts) = (0, 0);
    for round in 0..60 {
        let mut play = Play::new(&all, &rule);
        let mut with = all.to_vec();
        for _ in 0..40 {
            play.bad = names.into_iter().filter(|_| below(3) == 0).collect();
            play.world.silenced = if below(5) == 0 { vec!["a".to_owned()] } else { Vec::new() };
            let last = (below(3) > 0).then_some(Tick(play.secs * 1000));
            play.world.hosts = vec![("*".to_owned(), Above { down: last.is_none(), last, deadline: last })];
            play.full = below(4) == 0;
            match below(12) {
                0 => {
                    restarts += 1;
                    play.restart(&with, &rule);
                }
                1 => {
                    with.clone_from(&all.to_vec());
                    with.retain(|_| below(4) > 0);
                    play.define(&with, &rule);
                }
                2 => play.secs += below(4000) as i64,
                _ => {}
            }
            let what = [Pinged::Good, Pinged::Begun, Pinged::Failed(None), Pinged::Failed(Some(9))][below(4) as usize];
            if below(2) == 0 {
                play.book.pinged("p", what, String::new(), Tick(play.secs * 1000));
            }
            play.run(1 + below(200) as i64);
        }
        (play.bad, play.full) = (Vec::new(), false);
        play.world.silenced.clear();
        play.book.pinged("p", Pinged::Good, String::new(), Tick(play.secs * 1000));
        play.run(300);
        assert_eq!(play.book.standing(), [], "round {round}");
        let mut open: Vec<(Id, Option<Fact>)> = Vec::new();
        let mut over: Vec<Id> = Vec::new();
        for event in &play.events {
            let name = event.fact(Field::Probe).cloned();
            if event.kind == Kind::ProbeDown {
                assert!(!open.iter().any(|(_, known)| *known == name), "round {round}: {name:?} twice");
                assert!(!over.contains(&event.incident), "round {round}: an incident begins once");
                open.push((event.incident, name));
                downs += 1;
            } else {
                let at = open.iter().position(|(incident, _)| *incident == event.incident);
                open.remove(at.unwrap_or_else(|| panic!("round {round}: {event:?} ends nothing")));
                over.push(event.incident);
            }
        }
        assert!(open.is_empty(), "round {round}: {open:?}");
    }
    println!("{downs} downs, {restarts} restarts");
    assert!(downs > 300 && restarts > 50);
}

/// State that was damaged in any way is read as far as it goes, and what was made of it works.
#[test]
fn damaged_state_does_no_harm() {
    let rule = [PingRule { name: "p".to_owned(), period: SECOND * 300, grace: SECOND * 60 }];
    let all = [plan("a", None), plan("b", probe("a"))];
    let mut play = Play::new(&all, &rule);
    play.bad = vec!["a", "b"];
    play.book.pinged("p", Pinged::Good, String::new(), Tick(play.secs * 1000));
    play.run(600);
    let whole = play.saved.clone();
    assert!(whole.contains("told") && whole.contains("good"), "{whole}");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let mut read = 0;
    for _ in 0..3000 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] = b"0123456789-[]{},\"eE"[below(19)],
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"90-\""[below(4)]),
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let Some(value) = json::read(text.as_bytes()) else { continue };
        read += 1;
        ids(&value);
        play.saved = text;
        play.restart(&all, &rule);
        play.run(3);
    }
    assert!(read > 300, "{read}");
}
