use super::*;

const LIMIT: Limit = Limit { high: 90, clear: 80, hold: Duration::from_secs(60), rest: Duration::from_secs(30) };
const PATIENCE: Duration = Duration::from_secs(40);

/// A reading every ten seconds: a number, or `None` for one that failed. What turned when, in seconds.
fn play(watch: &mut Watch, from: i64, values: &[Option<i64>]) -> Vec<(i64, State)> {
    let mut turns = Vec::new();
    for (n, value) in values.iter().enumerate() {
        let secs = from + 10 * n as i64;
        let before = watch.is_high();
        match value {
            Some(value) => watch.observe(*value, Tick(secs * 1000), PATIENCE, &LIMIT),
            None => watch.lose(),
        }
        if watch.is_high() != before {
            turns.push((secs, watch.state()));
        }
    }
    turns
}

#[test]
fn what_is_high_for_long_enough_is_told_once_and_so_is_its_end() {
    let (low, mid, high) = (Some(50), Some(85), Some(95));
    let no = None;
    for (values, turns) in [
        (&[high; 6][..], &[][..]),
        (&[high; 7], &[(60, State::High)]),
        (&[Some(90); 30], &[(60, State::High)]),
        (&[Some(89); 30], &[]),
        // It swings around the limit.
        (&[high, high, high, high, high, high, mid, high, high, high, high, high, high], &[]),
        (&[high, high, high, high, high, high, high, mid, high, mid, high, mid], &[(60, State::High)]),
        // It goes below the lower one for less than a while, and then for a while.
        (
            &[high, high, high, high, high, high, high, low, low, low, mid, low, low, low, low],
            &[(60, State::High), (140, State::Normal)],
        ),
        (
            &[high, high, high, high, high, high, high, Some(80), Some(80), Some(80), Some(80)],
            &[(60, State::High), (100, State::Normal)],
        ),
        (&[high, high, high, high, high, high, high, Some(81), Some(81), Some(81), Some(81)], &[(60, State::High)]),
        // What is not known for a moment changes nothing, and decides nothing.
        (&[high, no, high, high, high, high, no, no, high], &[(80, State::High)]),
        (&[high, high, high, high, high, high, no, no, no, no, no, no, no, no], &[]),
        // For longer it does: nobody knows what was meanwhile.
        (&[high, high, high, high, high, high, no, no, no, no, no, no, high, high], &[]),
        (
            &[high, high, high, high, high, high, high, no, no, no, low, no, no, low],
            &[(60, State::High), (130, State::Normal)],
        ),
    ] {
        assert_eq!(play(&mut Watch::default(), 0, values), turns, "{values:?}");
    }
}

#[test]
fn a_state_has_a_beginning_and_may_be_unknown() {
    let mut watch = Watch::default();
    assert_eq!((watch.state(), watch.since(), watch.is_calm()), (State::Unknown, None, true));
    play(&mut watch, 0, &[Some(50), Some(95)]);
    assert_eq!((watch.state(), watch.since(), watch.is_calm()), (State::Normal, Some(Tick(0)), false));
    play(&mut watch, 20, &[Some(95); 6]);
    assert_eq!((watch.state(), watch.since(), watch.is_calm()), (State::High, Some(Tick(10_000)), false));
    play(&mut watch, 80, &[None]);
    assert_eq!((watch.state(), watch.since(), watch.is_high()), (State::Unknown, Some(Tick(70_000)), true));
    play(&mut watch, 90, &[Some(50); 4]);
    assert_eq!((watch.state(), watch.since(), watch.is_calm()), (State::Normal, Some(Tick(90_000)), true));
    let mut restored = Watch::restored(Tick(-5000));
    assert_eq!((restored.state(), restored.since(), restored.is_high()), (State::Unknown, Some(Tick(-5000)), true));
    assert_eq!(play(&mut restored, 0, &[Some(95), Some(95)]), []);
    assert_eq!((restored.state(), restored.began()), (State::High, Some(Tick(-5000))));
}

#[test]
fn the_same_reading_counts_once() {
    let mut watch = Watch::default();
    for _ in 0..100 {
        watch.observe(95, Tick(1000), PATIENCE, &LIMIT);
        assert_eq!(watch.state(), State::Normal);
    }
    let at_once = Limit { hold: Duration::ZERO, rest: Duration::ZERO, ..LIMIT };
    let mut watch = Watch::default();
    watch.observe(95, Tick(1000), PATIENCE, &at_once);
    assert_eq!((watch.state(), watch.since()), (State::High, Some(Tick(1000))));
    watch.observe(10, Tick(1000), PATIENCE, &at_once);
    assert_eq!(watch.state(), State::High);
    watch.observe(10, Tick(1001), PATIENCE, &at_once);
    assert_eq!(watch.state(), State::Normal);
}

#[test]
fn a_raised_limit_ends_it_and_a_lowered_one_begins_it() {
    let mut watch = Watch::restored(Tick(0));
    let raised = Limit { high: 99, clear: 97, ..LIMIT };
    for secs in [10, 20, 30, 40] {
        watch.observe(95, Tick(secs * 1000), PATIENCE, &raised);
    }
    assert_eq!((watch.state(), watch.since()), (State::Normal, Some(Tick(10_000))));
    assert_eq!(play(&mut watch, 50, &[Some(95); 7]), [(110, State::High)]);
}

/// Random values, gaps and limits against the definition, looked up in the whole past.
#[test]
fn never_two_highs_without_a_normal_between() {
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut below = move |n: i64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as i64
    };
    let (mut highs, mut normals) = (0, 0);
    for _ in 0..200 {
        let high = 20 + below(70);
        let limit = Limit {
            high,
            clear: high - 1 - below(15),
            hold: Duration::from_secs(below(100) as u64),
            rest: Duration::from_secs(below(60) as u64),
        };
        let (mut watch, mut past) = (Watch::default(), Vec::new());
        let (mut secs, mut level, mut was_high, mut turned) = (0, below(100), false, 0);
        for _ in 0..500 {
            secs += 1 + if below(30) == 0 { below(300) } else { below(20) };
            level = if below(15) == 0 { below(101) } else { (level + below(9) - 4).clamp(0, 100) };
            if below(10) == 0 {
                watch.lose();
                assert_eq!(watch.state(), State::Unknown);
                assert_eq!(watch.is_high(), was_high);
                continue;
            }
            watch.observe(level, Tick(secs * 1000), PATIENCE, &limit);
            past.push((secs, level));
            let time = if was_high { limit.rest } else { limit.hold };
            let speaks = |value: i64| if was_high { value <= limit.clear } else { value >= limit.high };
            // How long the readings since the last turn speak for the other state without a gap.
            let (mut first, mut last) = (None, secs);
            for (at, value) in past.iter().rev() {
                let gap = Duration::from_secs((last - at) as u64) > PATIENCE.max(time);
                if *at <= turned || !speaks(*value) || gap {
                    break;
                }
                (first, last) = (Some(*at), *at);
            }
            let must = first.is_some_and(|first| Duration::from_secs((secs - first) as u64) >= time);
            assert_eq!(watch.is_high() != was_high, must, "{limit:?} {past:?}");
            if must {
                assert_eq!(watch.since(), first.map(|first| Tick(first * 1000)));
                was_high = !was_high;
                turned = secs;
                highs += i32::from(was_high);
                normals += i32::from(!was_high);
            }
        }
    }
    println!("{highs} highs, {normals} normals");
    assert!(highs > 300 && normals > 200);
}
