use super::*;
use crate::clock::{Boot, Tick};
use crate::jobs::run::{On, Terms};
use crate::keepalive::work::{Done, Key};

#[test]
fn what_is_added_by_hand() {
    let now = Now { tick: Tick(5), wall: Wall(1_796_083_200_000), boot: Boot(1) };
    let zone = Zone::load(Some("+08:00")).unwrap();
    let any = || Where::One(On::Any("*".to_owned()));
    let once = |on: Where, due: i64| New::Once { message: "df -h".to_owned(), on, due: Wall(due) };
    for (rest, want) in [
        ("any\tnow\tdf -h", Ok(once(any(), 1_796_083_200_000))),
        ("all:web*\tin 1500\tdf -h", Ok(once(Where::All("web*".to_owned()), 1_796_083_201_500))),
        ("a@b\tat 2026-12-01 08:30\tdf -h", Ok(once(Where::One(On::Host("a@b".to_owned())), 1_796_085_000_000))),
        (
            "any\tevery 0 2 * * *\tdf -h",
            Ok(New::Every { message: "df -h".to_owned(), on: any(), cron: "0 2 * * *".to_owned() }),
        ),
        ("any\tat 2026-12-01 08:00\tdf", Err("2026-12-01 08:00:00 +08:00 is over")),
        ("any\tat 2126-12-01 08:00\tdf", Err("2126-12-01 08:00:00 +08:00 is more than ten years off")),
        ("any\tat noon\tdf", Err("\"noon\" is no time; write \"2026-12-01 02:00\"")),
        ("any\tin -1\tdf", Err("--in \"-1\" is out of range")),
        ("any\tin 99999999999999999999\tdf", Err("--in \"99999999999999999999\" is out of range")),
        ("any\tevery 61 * * * *\tdf", Err("--every the minute \"61\" goes from 0 to 59")),
        ("any\tsoon\tdf", Err("job add does not know when \"soon\" is")),
        ("any\tnow\t", Err("\"\" is too long, empty, or holds a control character")),
        ("any\tnow\ta\tb", Err("\"a\\tb\" is too long, empty, or holds a control character")),
        ("any:\tnow\tdf", Err("a host's name has 1 to 128 bytes and no control characters")),
        ("web*\tnow\tdf", Err("\"web*\" is a pattern; write \"any:web*\" or \"all:web*\"")),
        ("any\tnow", Err("job add: where, when or what is missing")),
    ] {
        assert_eq!(new(rest, &zone, &now), want.map_err(str::to_owned), "{rest}");
    }
    let unset = Now { wall: Wall(5), ..now };
    assert!(new("any\tin 5\tdf", &zone, &unset).unwrap_err().starts_with("the clock of this host is not set"));
    assert!(new("any\tnow\tdf", &zone, &unset).is_ok());
}

const NOW: Now = Now { tick: Tick(900_000), wall: Wall(1_796_083_200_000), boot: Boot(1) };

fn run(id: u64, job: &str, state: State, host: &str) -> Run {
    Run {
        key: Key { id: Id(id), epoch: 1, attempt: 2 },
        job: job.to_owned(),
        what: What::Message("df -h".to_owned()),
        on: On::Any("web*".to_owned()),
        terms: Terms::default(),
        made: NOW.wall,
        due: NOW.wall,
        state,
        since: crate::event::Moment::at(NOW.tick, &NOW),
        free: crate::event::Moment::at(NOW.tick, &NOW),
        host: host.to_owned(),
        lease: std::time::Duration::ZERO,
        refused: Vec::new(),
        cancelled: false,
        ordered: None,
        back: false,
        boot: String::new(),
        done: None,
        told: false,
        telling: 0,
    }
}

fn failed() -> Run {
    let done = Done {
        key: Key { id: Id(2), epoch: 1, attempt: 2 },
        end: End::Failed,
        code: Some(3),
        took: 65_000,
        out: "one\ntwo\u{1b}[31m\n".to_owned(),
        why: String::new(),
    };
    Run { done: Some(done), ..run(2, "disk", State::Failed, "web-1\nx") }
}

#[test]
fn tables() {
    let zone = Zone::utc();
    assert_eq!(list(&[], &[], &zone, &NOW), "no jobs\n");
    assert_eq!(log_table(&[], None, &[], &zone, &NOW), "no runs yet\n");
    let waits = Run { cancelled: true, ..run(1, "", State::Queued, "") };
    assert_eq!(
        list(&[], &[waits, failed()], &zone, &NOW),
        "RUN               JOB    ON        STATE   SINCE                       DUE                         TOOK       REMARKS\n\
         0000000000000001  df -h  any:web*  queued  2026-12-01 00:00:00 +00:00  2026-12-01 00:00:00 +00:00  -          attempt 2, to be ended\n\
         0000000000000002  disk   web-1 x   failed  2026-12-01 00:00:00 +00:00  2026-12-01 00:00:00 +00:00  1 min 5 s  attempt 2, failed, exit code 3\n"
    );
    assert_eq!(
        log_table(&[failed()], Some(Id(2)), &[], &zone, &NOW),
        "run      0000000000000002\n\
         job      disk\n\
         message  df -h\n\
         on       any:web*\n\
         host     web-1 x\n\
         state    failed\n\
         since    2026-12-01 00:00:00 +00:00\n\
         made     2026-12-01 00:00:00 +00:00\n\
         due      2026-12-01 00:00:00 +00:00\n\
         attempt  2\n\
         took     1 min 5 s\n\
         result   failed, exit code 3\n\
         \n\
         one\n\
         two [31m\n"
    );
}

#[test]
fn json() {
    let (_, text) = log_json(&[failed()], &[], &Zone::utc(), &NOW).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let run = &value[0];
    assert_eq!((run["run"].as_str(), run["state"].as_str()), (Some("0000000000000002"), Some("failed")));
    assert_eq!((run["took"].as_f64(), run["exit_code"].as_i64()), (Some(65.0), Some(3)));
    assert_eq!(run["output"].as_str(), Some("one\ntwo\u{1b}[31m\n"));
    assert_eq!((run["on"].as_str(), run["attempt"].as_u64()), (Some("any:web*"), Some(2)));
    assert_eq!(run["due"].as_str(), Some("2026-12-01T00:00:00+00:00"));
    let value: serde_json::Value = serde_json::from_str(&list_json(&[], &[failed()], &Zone::utc(), &NOW)).unwrap();
    assert_eq!((value["jobs"].as_array().unwrap().len(), value["runs"].as_array().unwrap().len()), (0, 1));
}

#[test]
fn an_end_that_is_not_on_disk_is_shown_as_such() {
    let zone = Zone::utc();
    for id in [None, Some(Id(2))] {
        assert!(log_table(&[failed()], id, &[Id(2)], &zone, &NOW).contains("not on disk yet"));
    }
    assert!(log_json(&[failed()], &[Id(2)], &zone, &NOW).unwrap().1.contains("\"on_disk\":false"));
}

#[test]
fn more_than_an_answer_holds_is_left_out_and_said() {
    let message = "\"".repeat(MAX_MESSAGE);
    let long = |id: u64| Run { what: What::Message(message.clone()), ..run(id, "", State::Waiting, "") };
    let many: Vec<Run> = (0..8_000).map(long).collect();
    let text = list_json(&[], &many, &Zone::utc(), &NOW);
    assert!(text.len() < 13 << 20, "{}", text.len());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shown = value["runs"].as_array().unwrap().len() as u64;
    assert!(shown > 4_000 && shown + value["left_out"].as_u64().unwrap() == 8_000, "{shown}");
    assert!(log_json(&many, &[], &Zone::utc(), &NOW).unwrap_err().contains("more than one answer holds"));
}

#[test]
fn what_is_not_known_is_said() {
    assert_eq!(known_as("", Vec::new(), false).map(|runs| runs.len()), Ok(0));
    assert_eq!(known_as("disk", Vec::new(), true).map(|runs| runs.len()), Ok(0));
    for which in ["disk", "0000000000000001"] {
        assert_eq!(
            known_as(which, Vec::new(), false),
            Err(["there is no run or job called ", &quoted(which)].concat())
        );
    }
}
