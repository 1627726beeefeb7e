use super::*;

fn sh(script: &str, input: &[u8], limits: Limits) -> Outcome {
    let argv = ["sh", "-c", script].map(str::to_owned);
    run(&argv, input, &[("IC_X".to_owned(), "y z".to_owned())], &limits, &Stop::default())
}

const LONG: Limits = Limits { time: Duration::from_secs(60), keep: 64 };
const SHORT: Limits = Limits { time: Duration::from_millis(300), keep: 64 };

#[test]
fn input_output_environment_and_code() {
    let outcome = sh("cat; echo \"$IC_X\" >&2; exit 3", b"in\n", LONG);
    assert!(matches!(outcome.end, End::Exit(3)), "{outcome:?}");
    assert_eq!(outcome.head, b"in\ny z\n");
    assert!(matches!(sh("kill -9 $$", b"", LONG).end, End::Signal(9)));
}

#[test]
fn what_cannot_start_says_why() {
    for (program, passing) in [("/nonexistent", false), ("/", false), ("", false)] {
        let outcome = run(&[program.to_owned()], b"", &[], &LONG, &Stop::default());
        let End::Failed(error) = outcome.end else { panic!("{program}") };
        assert_eq!(is_passing(&error), passing, "{error}");
    }
    assert!(matches!(run(&[], b"", &[], &LONG, &Stop::default()).end, End::Failed(_)));
    assert!(is_passing(&io::Error::from(Errno::MFILE)) && is_passing(&io::Error::from(Errno::AGAIN)));
}

#[test]
fn a_program_that_reads_nothing_or_says_much_holds_nobody_up() {
    let large = vec![b'x'; 300_000];
    assert!(matches!(sh("exit 0", &large, LONG).end, End::Exit(0)));
    assert!(matches!(sh("sleep 60", &large, SHORT).end, End::TimedOut));
    let outcome = sh("cat", &large, LONG);
    assert!(matches!(outcome.end, End::Exit(0)));
    assert_eq!((outcome.head.len(), outcome.tail.len(), outcome.dropped), (64, 64, 300_000 - 128));
    assert!(matches!(sh("yes", b"", SHORT).end, End::TimedOut));
}

#[test]
fn the_beginning_and_the_end_are_kept() {
    let outcome = sh("echo first; seq 1 99; echo last", b"", LONG);
    assert!(outcome.head.starts_with(b"first\n1\n"), "{outcome:?}");
    assert!(outcome.tail.ends_with(b"99\nlast\n"), "{outcome:?}");
}

#[test]
fn the_whole_group_dies_at_the_deadline() {
    let script = "trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done";
    let outcome = sh(script, b"", Limits { time: Duration::from_secs(3), keep: 64 });
    assert!(matches!(outcome.end, End::TimedOut), "{outcome:?}");
    let pid: i32 = str::from_utf8(&outcome.head).unwrap().trim().parse().unwrap();
    let gone = |pid: i32| match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.contains(") Z "),
    };
    let until = tick() + Duration::from_secs(10);
    while !gone(pid) && tick() < until {
        Stop::default().wait(Duration::from_millis(10));
    }
    assert!(gone(pid), "a grandchild outlived the kill");
}

#[test]
fn a_grandchild_that_keeps_the_output_open_is_not_waited_for() {
    let before = tick();
    let outcome = sh("sleep 30 & echo $!; exit 0", b"", LONG);
    assert!(matches!(outcome.end, End::Exit(0)) && !outcome.head.is_empty(), "{outcome:?}");
    assert!(tick().since(before) < Duration::from_secs(20));
    let pid = str::from_utf8(&outcome.head).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn the_end_of_the_program_ends_a_run() {
    let stop = Stop::default();
    stop.stop();
    let argv = ["sleep", "60"].map(str::to_owned);
    assert!(matches!(run(&argv, b"", &[], &LONG, &stop).end, End::Stopped));
}

fn apart(script: &str, outlives: bool, leash: &Leash, stop: &Stop) -> Outcome {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    let envs = [("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("IC_X".to_owned(), "y".to_owned())];
    let apart = Apart { dir: Path::new("/usr"), user: None, outlives };
    let limits = Limits { keep: 4096, ..LONG };
    run_on(&Program { argv: &argv, envs: &envs, apart: Some(apart) }, b"in", &limits, leash, stop)
}

fn is_gone(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn apart_there_is_nothing_of_the_daemon() {
    let outcome = apart("pwd; cat; echo; env", false, &Leash::default(), &Stop::default());
    assert!(matches!(outcome.end, End::Exit(0)), "{outcome:?}");
    let said = String::from_utf8(outcome.head).unwrap();
    let mut lines = said.lines();
    assert_eq!((lines.next(), lines.next()), (Some("/usr"), Some("in")));
    for line in lines {
        let name = line.split('=').next().unwrap();
        assert!(["PATH", "IC_X", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name), "{line}");
    }
}

#[test]
fn apart_the_group_ends_with_its_program() {
    for redirected in ["", " >/dev/null 2>&1"] {
        let script = format!("trap '' TERM; sleep 60{redirected} & echo $!; exit 5");
        let outcome = apart(&script, false, &Leash::default(), &Stop::default());
        assert!(matches!(outcome.end, End::Exit(5)), "{outcome:?}");
        let pid = str::from_utf8(&outcome.head).unwrap().trim().to_owned();
        let until = tick() + Duration::from_secs(10);
        while !is_gone(&pid) && tick() < until {
            Stop::default().wait(Duration::from_millis(10));
        }
        assert!(is_gone(&pid), "{redirected}");
    }
}

#[test]
fn a_leash_can_only_be_shortened() {
    let leash = Leash::default();
    assert_eq!(leash.cut(Tick(50)), Tick(50));
    leash.shorten(Tick(30));
    leash.shorten(Tick(40));
    assert_eq!((leash.cut(Tick(50)), leash.cut(Tick(20))), (Tick(30), Tick(20)));
    leash.shorten(tick());
    let outcome = apart("exec sleep 60", false, &leash, &Stop::default());
    assert!(matches!(outcome.end, End::TimedOut), "{outcome:?}");
}
