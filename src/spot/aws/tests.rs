use super::*;

fn at(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into() }
}

/// What no document of this service says.
const ODD: [(u16, &str); 9] = [
    (200, ""),
    (200, "<html><body>log in 2026-05-01T18:02:00Z</body></html>"),
    (200, "null"),
    (200, "\"terminate\""),
    (200, r#"{"action":"terminate","time":"2026-05-01T18:02:0"#),
    (500, r#"{"action":"terminate","time":"2026-05-01T18:02:00Z"}"#),
    (503, ""),
    (302, r#"{"noticeTime":"2026-05-01T17:55:00Z"}"#),
    (429, "[]"),
];

#[test]
fn odd_answers_say_nothing() {
    for topic in SERVICE.topics {
        for (status, body) in ODD {
            assert!(matches!((topic.classify)(&at(status, body), ""), Reading::Unknown(_)), "{} {body}", topic.path);
        }
        assert_eq!((topic.classify)(&at(404, "<html>404 - Not Found</html>"), ""), Reading::QUIET);
        for status in [401, 403] {
            assert_eq!((topic.classify)(&at(status, "<html>"), ""), Reading::NeedToken);
        }
    }
}

#[test]
fn interruptions() {
    let time = Some(Wall(1_505_722_920_000));
    for (body, action, deadline) in [
        (r#"{"action":"terminate","time":"2017-09-18T08:22:00Z"}"#, "terminate", time),
        (r#"{"action": "stop", "time": "2017-09-18T08:22:00Z"}"#, "stop", time),
        (r#"{"action":"hibernate","time":"2017-09-18T08:22:00Z","x":[]}"#, "hibernate", time),
        (r#"{"action":"melt","time":"2017-09-18T08:22:00Z"}"#, "", time),
        (r#"{"action":"stop","time":"soon"}"#, "stop", None),
    ] {
        let want = Notice { deadline, ..Notice::new(Kind::Interrupt, action, body) };
        assert_eq!(instance_action(&at(200, body), ""), Reading::one(want));
    }
    for body in [r#"{"action":"stop"}"#, r#"{"time":"2017-09-18T08:22:00Z"}"#, r#"{"action":"x","time":"x"}"#, "{}"] {
        assert!(matches!(instance_action(&at(200, body), ""), Reading::Unknown(_)), "{body}");
    }
}

#[test]
fn recommendations() {
    let want = Reading::one(Notice::new(Kind::Rebalance, "", "2026-05-01T17:55:00Z"));
    assert_eq!(rebalance(&at(200, r#"{"noticeTime":"2026-05-01T17:55:00Z"}"#), ""), want);
    for body in ["{}", r#"{"noticeTime":"soon"}"#, r#"{"noticeTime":1}"#, "2026-05-01T17:55:00Z"] {
        assert!(matches!(rebalance(&at(200, body), ""), Reading::Unknown(_)), "{body}");
    }
}

#[test]
fn lifecycle_states() {
    for word in ["InService", "Detached", "Standby", "Warmed:Terminated", "Warmed:Stopped", "InService\n"] {
        assert_eq!(lifecycle(&at(200, word), ""), Reading::QUIET, "{word}");
    }
    let Reading::Notices(notices) = lifecycle(&at(200, "Terminated"), "") else { unreachable!() };
    assert_eq!((notices[0].kind, notices[0].action, notices[0].deadline), (Kind::Interrupt, "terminate", None));
    for word in ["terminated", "Terminated!", "Warmed"] {
        assert!(matches!(lifecycle(&at(200, word), ""), Reading::Unknown(_)), "{word}");
    }
}

fn event(id: &str, code: &str, state: &str, time: &str) -> String {
    let times = if time.is_empty() { String::new() } else { format!(r#""NotBefore":"{time}","#) };
    format!(
        r#"{{{times}"Code":"{code}","Description":"scheduled reboot","EventId":"{id}","NotAfter":"21 Jan 2019 09:17:23 GMT","State":"{state}"}}"#
    )
}

#[test]
fn maintenance() {
    assert_eq!(scheduled(&at(200, "[]"), ""), Reading::QUIET);
    let body = format!(
        "[{},{},{},{},{}]",
        event("instance-event-1", "system-reboot", "active", "21 Jan 2019 09:00:43 GMT"),
        event("instance-event-2", "instance-stop", "canceled", "21 Jan 2019 09:00:43 GMT"),
        event("instance-event-3", "instance-stop", "completed", "21 Jan 2019 09:00:43 GMT"),
        event("instance-event-4", "instance-retirement", "active", "1 Feb 2019 00:00:00 GMT"),
        event("instance-event-5", "brand-new", "active", ""),
    );
    let Reading::Notices(notices) = scheduled(&at(200, &body), "") else { unreachable!() };
    let short: Vec<_> =
        notices.iter().map(|n| (&*n.key, n.action, n.severity, n.deadline.map(Wall::secs), &*n.about)).collect();
    assert_eq!(
        short,
        [
            ("instance-event-1", "host reboot", Severity::Warning, Some(1_548_061_243), "scheduled reboot"),
            ("instance-event-4", "retire", Severity::Critical, Some(1_548_979_200), "scheduled reboot"),
            ("instance-event-5", "maintenance", Severity::Warning, None, "scheduled reboot"),
        ]
    );
    for end in 1..body.len() {
        assert!(matches!(scheduled(&at(200, &body[..end]), ""), Reading::Unknown(_)), "cut at {end}");
    }
}
