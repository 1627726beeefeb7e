use std::os::unix::ffi::OsStringExt;

use std::time::Duration;

use super::*;
use crate::event::Severity;

fn parsed(line: &str) -> Result<Args, String> {
    parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
}

#[test]
fn commands() {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let names = |names: &[&str]| Command::Test { names: named(names), kind: Sample::Of(Kind::Test) };
    let of = |kind| Command::Test { names: Vec::new(), kind };
    let send = |title: &str, body: &str| SendArgs {
        title: title.to_owned(),
        body: body.to_owned(),
        severity: Severity::Info,
        channels: Vec::new(),
        wait: Duration::from_secs(10),
    };
    let loud = |wait, names: &[&str]| SendArgs {
        severity: Severity::Critical,
        wait: Duration::from_secs(wait),
        channels: named(names),
        ..send("t", "-")
    };
    let silence = |glob: &str, lasts| Command::Silence { glob: glob.to_owned(), lasts };
    for (line, config, command) in [
        ("", None, Command::Run),
        ("run", None, Command::Run),
        ("--config a.toml", Some("a.toml"), Command::Run),
        ("-c a.toml check", Some("a.toml"), Command::Check),
        ("check --config=a.toml", Some("a.toml"), Command::Check),
        ("test", None, names(&[])),
        ("test ops -c x mail", Some("x"), names(&["ops", "mail"])),
        ("test -- -c", None, names(&["-c"])),
        ("test --kind offline", None, of(Sample::Of(Kind::Offline))),
        ("test --kind=digest", None, of(Sample::Digest)),
        ("send t", None, Command::Send(send("t", ""))),
        ("send t b", None, Command::Send(send("t", "b"))),
        ("send -- -t -b", None, Command::Send(send("-t", "-b"))),
        ("send --severity critical t - --wait 0", None, Command::Send(loud(0, &[]))),
        ("send --severity=critical t - --channel a --channel=b --channel a --wait 2m", None, {
            Command::Send(loud(120, &["a", "b"]))
        }),
        ("status", None, Command::Status { json: false, watch: None }),
        #[cfg(feature = "probes")]
        ("status --watch", None, Command::Status { json: false, watch: Some(Duration::from_secs(2)) }),
        #[cfg(feature = "probes")]
        ("--watch status", None, Command::Status { json: false, watch: Some(Duration::from_secs(2)) }),
        #[cfg(feature = "probes")]
        ("status --watch 5", None, Command::Status { json: false, watch: Some(Duration::from_secs(5)) }),
        #[cfg(feature = "probes")]
        ("status --watch=1m", None, Command::Status { json: false, watch: Some(Duration::from_secs(60)) }),
        ("--json status", None, Command::Status { json: true, watch: None }),
        ("simulate interrupt", None, Command::Simulate(Kind::Interrupt)),
        ("simulate offline", None, Command::Simulate(Kind::Offline)),
        ("simulate online", None, Command::Simulate(Kind::Online)),
        ("keygen", None, Command::Keygen),
        ("spot", None, Command::Spot),
        ("forget web*", None, Command::Forget("web*".to_owned())),
        ("leave", None, Command::Leave),
        ("silence web*", None, silence("web*", Lasts::Open)),
        ("silence --for 90m nas", None, silence("nas", Lasts::For(Duration::from_secs(5400)))),
        ("silence nas --for=30", None, silence("nas", Lasts::For(Duration::from_secs(30)))),
        ("silence nas --until-healthy", None, silence("nas", Lasts::UntilHealthy)),
        ("unsilence web*", None, Command::Unsilence("web*".to_owned())),
        ("reload -c x", Some("x"), Command::Reload),
        ("history", None, Command::History { glob: String::new(), json: false }),
        ("history nas --json", None, Command::History { glob: "nas".to_owned(), json: true }),
        ("note backup", None, Command::Note("backup".to_owned())),
        ("help", None, Command::Help),
        ("help status", None, Command::Help),
        ("status -h", None, Command::Help),
        ("--version", None, Command::Version),
        ("version", None, Command::Version),
    ] {
        assert_eq!(parsed(line), Ok(Args { config: config.map(PathBuf::from), command }), "{line}");
    }
}

#[test]
fn mistakes() {
    for (line, want) in [
        ("stauts", "unknown command \"stauts\", did you mean \"status\"?"),
        ("frobnicate", "unknown command \"frobnicate\""),
        ("--confg x", "unknown option \"--confg\", did you mean \"--config\"?"),
        ("-x", "unknown option \"-x\""),
        ("run --conf=x", "unknown option \"--conf=x\", did you mean \"--config\"?"),
        ("-c", "option -c needs a file"),
        ("--config", "option --config needs a file"),
        ("--config=", "option --config needs a file"),
        ("-c a -c b", "option --config is given twice"),
        ("check now", "check takes no argument \"now\""),
        ("simulate", "an argument is missing: interrupt, offline or online"),
        ("simulate ofline", "unknown exercise \"ofline\", did you mean \"offline\"?"),
        ("simulate blind", "unknown exercise \"blind\"; there are interrupt, offline, online"),
        ("simulate flapping", "unknown exercise \"flapping\"; there are interrupt, offline, online"),
        ("simulate offline now", "simulate takes no argument \"now\""),
        ("forget", "an argument is missing: the name of a host, or a pattern such as \"web*\""),
        ("forget a b", "forget takes no argument \"b\"; put a pattern in quotes"),
        ("check --json", "check takes no option --json"),
        ("silence", "an argument is missing: the name of a host, or a pattern such as \"web*\""),
        ("silence nas --for", "option --for needs a time"),
        ("silence nas --for 0", "--for \"0\" is out of range; it goes from 1s to 366d"),
        ("silence nas --for 400d", "--for \"400d\" is out of range; it goes from 1s to 366d"),
        (
            "silence nas --for 2hours",
            "--for \"2hours\" is not a duration; write seconds as a number, or text such as \"500ms\", \"30s\", \
             \"5m\", \"2h\", \"15d\"",
        ),
        ("silence nas --for 2h --until-healthy", "--for and --until-healthy do not go together"),
        ("silence a b", "silence takes no argument \"b\"; put a pattern in quotes"),
        ("unsilence nas --for 2h", "unsilence takes no option --for"),
        ("forget nas --until-healthy", "forget takes no option --until-healthy"),
        ("history a b", "history takes no argument \"b\"; put a pattern in quotes"),
        ("send", "an argument is missing: a title in quotes"),
        ("send a b c", "send takes no argument \"c\"; put title and body in quotes"),
        ("send a --severity loud", "unknown severity \"loud\""),
        ("send a --severity citical", "unknown severity \"citical\", did you mean \"critical\"?"),
        ("send a --severity", "option --severity needs info, warning or critical"),
        ("send a --wait 2h", "--wait \"2h\" is out of range; it goes from 0s to 1h"),
        ("status --channel a", "status takes no option --channel"),
        ("send a --kind offline", "send takes no option --kind"),
        ("test --kind ofline", "unknown kind \"ofline\", did you mean \"offline\"?"),
        ("note", "an argument is missing: a text in quotes"),
        ("reload now", "reload takes no argument \"now\""),
    ] {
        assert_eq!(parsed(line), Err(format!("{want}; see interrupt-callback help")), "{line}");
    }
    for (words, want) in [
        (["forget", "a\nb"], "\"a\\nb\" is no name of a host: it has 1 to 128 bytes and no control characters"),
        (["silence", "a\nb"], "\"a\\nb\" is no name of a host: it has 1 to 128 bytes and no control characters"),
        (["note", "a\nb"], "a note is one line"),
        (["note", &"x".repeat(201)], "a note has at most 200 bytes"),
    ] {
        let told = parse(words.map(OsString::from)).unwrap_err().to_string();
        assert_eq!(told, format!("{want}; see interrupt-callback help"));
    }
    let odd = OsString::from_vec(vec![b'a', 0xff]);
    assert_eq!(
        parse([odd.clone()]).unwrap_err().to_string(),
        "argument \"a\u{fffd}\" is not UTF-8; see interrupt-callback help"
    );
    assert_eq!(parse(["-c".into(), odd.clone()]).unwrap().config, Some(odd.clone().into()));
    let joined = OsString::from_vec([b"--config=", odd.as_encoded_bytes()].concat());
    assert_eq!(parse([joined]).unwrap().config, Some(odd.into()));
}

#[test]
fn the_help_names_everything() {
    for word in COMMANDS.iter().chain(&OPTIONS) {
        assert!(HELP.contains(word), "{word}");
    }
    for kind in SIMULATED {
        assert!(HELP.contains(kind.name()));
    }
    assert!(HELP.lines().all(|line| line.len() <= 80));
}
