//! The machine, or this program, stands still while looks are under way.

use super::*;

/// Has the probe seen to be well, and begins another look: its number, and when it began.
fn begun(plan: &Arc<ProbePlan>) -> (Play, u32, Tick) {
    let mut play = Play::new(std::slice::from_ref(plan), &[]);
    play.run(1);
    play.secs += 59;
    for _ in 0..3 {
        play.secs += 1;
        let tick = now(play.secs).tick;
        play.step(tick);
        if let Some(look) = play.book.start(tick) {
            return (play, look.id, tick);
        }
    }
    panic!("no look");
}

fn end(play: &mut Play, (id, begun): (u32, Tick), good: bool) -> State {
    let outcome = Outcome { good: Some(good), took: SECOND, detail: "timeout".to_owned() };
    play.book.ended(id, begun, outcome, now(play.secs).tick);
    play.standing("a").state
}

#[test]
fn what_failed_meanwhile_says_nothing() {
    for (passive, stood, stepped, good, state) in [
        (false, 4, true, false, State::Up),
        (false, 4, false, false, State::Up),
        (false, 9, true, false, State::Up),
        (false, 9, false, false, State::Up),
        (false, 3600, true, false, State::Up),
        (false, 3600, false, false, State::Up),
        (false, 2, true, false, State::Down),
        (true, 9, true, false, State::Up),
    ] {
        let one =
            ProbePlan { passive, rule: Rule { max_fails: 1, ..plan("a", None).rule }, ..(*plan("a", None)).clone() };
        let (mut play, id, at) = begun(&Arc::new(one));
        play.secs += stood;
        let tick = now(play.secs).tick;
        if stepped {
            play.step(tick);
        }
        assert_eq!(end(&mut play, (id, at), good), state, "{passive} {stood} {stepped}");
        // It is looked at again at once; what fails then has failed.
        play.bad = vec!["a"];
        play.run(61);
        assert_eq!(play.standing("a").state, State::Down, "{passive} {stood} {stepped}");
        assert_eq!(play.events.len(), 1, "{stood} {stepped}");
    }
}
