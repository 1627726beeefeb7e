//! What is said on the wire is read as it was said.

use super::*;

fn key(n: u64) -> Key {
    Key { id: Id(n), epoch: 2, attempt: 3 }
}

#[test]
fn what_is_said_is_read_as_it_was_said() {
    let says = Says {
        takes: vec!["restart web".to_owned(), "df …".to_owned()],
        runs: vec![Held { key: key(1), phase: Phase::Accepted }, Held { key: key(u64::MAX), phase: Phase::Running }],
    };
    let body = ["{\"ev\":\"beat\",\"data\":{\"work\":", &says.to_json(), "}}"].concat();
    assert_eq!(Says::read(body.as_bytes()), Some(says));
    assert_eq!(Says::read(b"{\"ev\":\"beat\"}"), None);
    let orders = Orders {
        offers: vec![Offer {
            key: key(7),
            job: "backup".to_owned(),
            message: "backup \"db\" \\ 失".to_owned(),
            left: 600_000,
            timeout: Some(5000),
            fenced: true,
            prepare: vec!["mount".to_owned()],
        }],
        cancel: vec![Id(1)],
        back: vec![Id(2)],
        acks: vec![Id(3), Id(4)],
    };
    let body = ["{\"ok\":true,\"work\":", &orders.to_json(), "}"].concat();
    assert_eq!(Orders::read(body.as_bytes()), Some(orders));
    assert_eq!(Orders::read(b"{\"ok\":true}"), None);
    let long = body.replace("backup\",\"message", &["x".repeat(200), "\",\"message".to_owned()].concat());
    assert_eq!(Orders::read(long.as_bytes()).unwrap().offers, []);
}

#[test]
fn a_result_is_cut_after_it_was_encoded() {
    for out in ["", "short", &"\u{1}".repeat(20_000), &"失".repeat(20_000)] {
        let done = Done {
            key: key(1),
            end: End::TimedOut,
            code: None,
            took: 7,
            out: out.to_owned(),
            why: "too long".to_owned(),
        };
        let json = done.to_json();
        assert!(json.len() <= MAX_RESULT);
        let read = Done::read(["{\"data\":{\"done\":", &json, "}}"].concat().as_bytes()).unwrap();
        assert!(out.ends_with(&read.out) && (out.len() > 4000) == (read.out.len() < out.len()));
        assert_eq!(read, Done { out: read.out.clone(), ..done });
    }
}
