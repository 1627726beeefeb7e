use super::*;

const RULE: Rule = Rule { max_fails: 3, window: Duration::from_secs(180), min_rises: 2 };

fn at(secs: i64) -> Tick {
    Tick(secs * 1000)
}

/// The states after each of `outcomes` (`F`, `S`, and `-` for what could not be told), one every `step` seconds:
/// `?`, `U`, `D`.
fn play(rule: &Rule, outcomes: &str, step: i64) -> String {
    let mut watch = Watch::default();
    let mut states = String::new();
    for (n, outcome) in outcomes.chars().enumerate() {
        let good = match outcome {
            'S' => Some(true),
            'F' => Some(false),
            _ => None,
        };
        let before = watch.state();
        let changed = watch.outcome(rule, good, at(n as i64 * step));
        assert_eq!(changed, before != watch.state(), "{outcomes} at {n}");
        states.push(match watch.state() {
            State::Unknown => '?',
            State::Up => 'U',
            State::Down => 'D',
        });
    }
    states
}

#[test]
fn rise_and_fall() {
    let one = Rule { max_fails: 1, min_rises: 1, ..RULE };
    for (rule, outcomes, states) in [
        (&RULE, "FFSFFF", "??UDDD"),
        (&RULE, "SSSS", "UUUU"),
        (&RULE, "SFSFSF", "UUUUUD"),
        (&RULE, "FFF", "??D"),
        (&RULE, "F-F-F", "????D"),
        (&RULE, "---", "???"),
        (&RULE, "SFFFSFSFSS", "UUUDDDDDDU"),
        (&RULE, "SFFFS-S", "UUUDDDU"),
        (&RULE, "SFFFSSF", "UUUDDUU"),
        (&RULE, "SFFFSSFFF", "UUUDDUUUD"),
        (&one, "SFSF", "UDUD"),
        (&one, "F", "D"),
    ] {
        assert_eq!(play(rule, outcomes, 30), states, "{outcomes}");
    }
    // Beyond the window they do not add up.
    assert_eq!(play(&RULE, "SFFFFFF", 91), "UUUUUUU");
    assert_eq!(play(&RULE, "SFFFFFF", 90), "UUUDDDD", "the last moment of the window counts");
}

#[test]
fn the_edge_of_the_window() {
    for (third, down) in [(180_000, true), (180_001, false)] {
        let mut watch = Watch::default();
        watch.outcome(&RULE, Some(true), Tick(-5));
        watch.outcome(&RULE, Some(false), Tick(0));
        watch.outcome(&RULE, Some(false), Tick(179_999));
        assert_eq!(watch.outcome(&RULE, Some(false), Tick(third)), down, "{third}");
        assert_eq!(watch.since(), Some(Tick(if down { 0 } else { -5 })), "the first failure that counts");
    }
}

#[test]
fn it_is_looked_at_faster_while_the_judgement_may_change() {
    let mut watch = Watch::default();
    assert!(!watch.in_transition(&RULE, at(0)));
    let mut step = |good, secs| {
        watch.outcome(&RULE, Some(good), at(secs));
        watch.in_transition(&RULE, at(secs))
    };
    assert!(!step(true, 0) && step(false, 10) && step(true, 20) && step(true, 190));
    assert!(!step(true, 191), "forgotten");
    assert!(step(false, 200) && step(false, 201) && !step(false, 202) && step(true, 203) && !step(true, 204));
}

#[test]
fn one_that_never_worked() {
    let mut watch = Watch::default();
    for n in 0..3 {
        watch.outcome(&RULE, Some(false), at(n));
    }
    assert!(watch.state() == State::Down && !watch.worked());
    for n in 3..5 {
        watch.outcome(&RULE, Some(true), at(n));
    }
    assert!(watch.state() == State::Up && watch.worked());
}

#[test]
fn judged_anew_while_it_is_down() {
    let mut watch = Watch::restored(State::Down, at(0), true);
    assert!(watch.is_judged(&RULE));
    watch.judge_anew();
    for (good, judged) in [(false, false), (false, false), (true, false), (false, false), (false, false), (false, true)]
    {
        watch.outcome(&RULE, Some(good), at(1));
        assert_eq!(watch.is_judged(&RULE), judged);
    }
    assert_eq!((watch.state(), watch.since()), (State::Down, Some(at(0))));
}

/// Whatever comes: never two downs without an up between, no up but after a down or at first, and the same outcomes at
/// the same times give the same states.
#[test]
fn downs_and_ups_alternate() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    for round in 0..500 {
        let rule = Rule {
            max_fails: 1 + below(5) as usize,
            window: Duration::from_secs(1 + below(200)),
            min_rises: 1 + below(4) as u32,
        };
        let (mut watch, mut twin, mut now, mut last) = (Watch::default(), Watch::default(), Tick(0), None);
        let (mut downs, mut ups) = (0, 0);
        for _ in 0..300 {
            now = now + Duration::from_millis(below(60_000));
            let good = [Some(true), Some(false), Some(false), None][below(4) as usize];
            let changed = watch.outcome(&rule, good, now);
            assert_eq!(twin.outcome(&rule, good, now), changed);
            // Asking changes nothing.
            twin.in_transition(&rule, now + Duration::from_secs(below(1000)));
            assert_eq!(twin, watch, "round {round}");
            if changed {
                let state = watch.state();
                assert_ne!(last, Some(state), "round {round}");
                assert!(watch.since() <= Some(now));
                (downs, ups) = (downs + u32::from(state == State::Down), ups + u32::from(state == State::Up));
                last = Some(state);
            }
            assert!(watch.fails.len() < rule.max_fails);
        }
        assert!(downs <= ups + 1 && ups <= downs + 1, "round {round}: {downs} downs, {ups} ups");
    }
}

/// The rule in other words, each time from all that ever came: how many failures lie within the window, and how many
/// successes stand at the end.
#[test]
fn it_judges_as_the_rule_says() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let mut changes = [0; 3];
    for round in 0..400 {
        let window = 1000 * (1 + below(60) as i64);
        let (fails, rises) = (1 + below(5) as usize, 1 + below(4) as usize);
        let rule =
            Rule { max_fails: fails, window: Duration::from_millis(window.unsigned_abs()), min_rises: rises as u32 };
        let (mut watch, mut state) = (Watch::default(), State::Unknown);
        // What came since it fell or rose last, but for what could not be told.
        let mut came: Vec<(i64, bool)> = Vec::new();
        let mut time = 0;
        for _ in 0..200 {
            // Often the very edge of the window.
            time += [0, 1, window, window + 1, below(20_000) as i64, window / fails as i64][below(6) as usize];
            let good = [Some(true), Some(false), Some(false), None][below(4) as usize];
            let changed = watch.outcome(&rule, good, Tick(time));
            let before = state;
            if let Some(good) = good {
                came.push((time, good));
                let within = came.iter().filter(|(at, good)| !good && time - at <= window);
                let row = came.iter().rev().take_while(|(_, good)| *good).count();
                state = match before {
                    State::Unknown if good => State::Up,
                    State::Down if row >= rises => State::Up,
                    State::Up | State::Unknown if !good && within.clone().count() >= fails => State::Down,
                    _ => before,
                };
                if before != state {
                    let first = within.clone().map(|(at, _)| *at).min();
                    let since = if state == State::Down { first } else { Some(time) };
                    assert_eq!(watch.since(), since.map(Tick), "round {round}");
                    changes[state as usize] += 1;
                }
                if before != state && before != State::Unknown || state == State::Down && before == State::Unknown {
                    came.clear();
                }
            }
            assert_eq!(
                (watch.state(), changed),
                (state, before != state),
                "round {round} at {time}: {rule:?} {came:?}"
            );
        }
    }
    assert!(changes[State::Up as usize] > 2000 && changes[State::Down as usize] > 2000, "{changes:?}");
}
