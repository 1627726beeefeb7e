//! How the rarer kinds read.

use super::*;

fn of(kind: Kind) -> Event {
    Event::new(kind, Id(1), "nas", ago(1))
}

fn lasting(kind: Kind, secs: u64) -> Event {
    of(kind).with(Field::Duration, Fact::Span(Duration::from_secs(secs)))
}

#[test]
fn titles() {
    let steady = |state: &str| of(Kind::Steady).with_text(Field::State, state);
    for (event, en, zh) in [
        (lasting(Kind::Reminder, 10_800), "nas is still offline after 3 h", "nas 仍失联，中断 3 小时"),
        (of(Kind::Reminder), "nas is still offline", "nas 仍失联"),
        (of(Kind::Rebooted), "nas was rebooted unexpectedly", "nas 意外重启"),
        (
            of(Kind::Flapping).with(Field::Count, Fact::Number(5)),
            "nas is flapping (5 changes)",
            "nas 反复上下线（5 次变化）",
        ),
        (of(Kind::Flapping), "nas is flapping", "nas 反复上下线"),
        (steady("up"), "nas is steady again: up", "nas 状态已稳定：在线"),
        (steady("offline"), "nas is steady again: offline", "nas 状态已稳定：失联"),
        (of(Kind::Steady), "nas is steady again", "nas 状态已稳定"),
        (of(Kind::Duplicate), "two machines call themselves nas", "两台机器使用了同一名称 nas"),
        (of(Kind::MonitorUnreachable), "nas cannot reach its monitor", "nas 无法连接监控端"),
        (
            lasting(Kind::MonitorReachable, 900),
            "nas reaches its monitor again after 15 min",
            "nas 已能连接监控端，中断 15 分钟",
        ),
        (of(Kind::MonitorForged), "nas: its monitor is not genuine", "nas：应答的不是它的监控端"),
        (
            of(Kind::ConfigRejected),
            "nas: the changed configuration is wrong, the old one stays in force",
            "nas：新配置有误，沿用旧配置",
        ),
        (of(Kind::ConfigAccepted), "nas: the changed configuration is in force", "nas：新配置已生效"),
        (
            of(Kind::Restarts),
            "nas: the daemon was started three times within 10 minutes",
            "nas：守护进程 10 分钟内启动了三次",
        ),
    ] {
        for (language, title) in [(Language::En, en), (Language::Zh, zh)] {
            assert_eq!(render(&one(event.clone()), language, "", &NOW, &Zone::utc()).title, title);
        }
    }
}

#[test]
fn an_end_says_once_how_long_it_was_and_how_things_stand() {
    let steady = lasting(Kind::Steady, 3600)
        .with(Field::Count, Fact::Number(9))
        .with_text(Field::State, "offline")
        .with(Field::Since, Fact::Time(ago(600)));
    assert_eq!(
        shown(&one(steady.clone()), Language::En, ""),
        "nas is steady again: offline\nTime: 2026-11-21 01:59:59 +00:00\nFlapped for: 1 h\nChanges: 9\n\
         Since: 2026-11-21 01:50:00 +00:00 (10 min ago)\nid 3fa20000"
    );
    assert_eq!(
        shown(&one(steady.clone()), Language::Zh, ""),
        "nas 状态已稳定：失联\n时间：2026-11-21 01:59:59 +00:00\n波动时长：1 小时\n变化次数：9\n\
         起始时间：2026-11-21 01:50:00 +00:00（10 分钟前）\nid 3fa20000"
    );
    let begin = of(Kind::Flapping).with(Field::Count, Fact::Number(5));
    let text = shown(&message(Form::Over, vec![begin, steady]), Language::En, "");
    assert!(text.starts_with("nas was flapping for 1 h\nFrom: "), "{text}");
    assert!(text.contains("\nState: offline\n") && text.contains("\nChanges: 9\n"), "{text}");
    let still = lasting(Kind::Reminder, 60).with(Field::LastBeat, Fact::Time(ago(61)));
    assert_eq!(shown(&one(still), Language::En, "").matches("1 min").count(), 2, "no line of its own");
}

#[test]
fn hints_are_translated() {
    for hint in [
        "look at this server's network first",
        "this server's own channels fail as well",
        "this server could not listen for a while",
        "it was expected and never heard of",
        "it was rebooted",
        "it was given another name",
        "give every host a name of its own",
        "give this host another user, or change host in [keepalive.server.users]",
        "it speaks protocol 1, which shows the key on the wire",
        "update it, or allow it with auth = \"permissive\" in [keepalive.server]",
        "it was seen with protocol 2 already: update it, or forget it",
        "the roster is full",
        "take hosts off with the command forget",
        "server not genuine: it does not hold the key",
        "give every host a name of its own, or forget the old one",
    ] {
        let text = shown(&one(of(Kind::Duplicate).with_text(Field::Hint, hint)), Language::Zh, "");
        assert!(!text.contains(hint), "{text}");
    }
}

#[test]
fn cores_are_counted_in_the_language() {
    for (load, zh) in [("1.45 (2 cores)", "1.45 (2 核)"), ("0.20 (1 core)", "0.20 (1 核)"), ("0.20", "0.20")] {
        let event = of(Kind::Offline).with_text(Field::Load, load);
        assert!(shown(&one(event.clone()), Language::En, "").contains(&format!("\nLoad: {load}\n")));
        let text = shown(&one(event), Language::Zh, "");
        assert!(text.contains(&format!("\n负载：{zh}\n")), "{text}");
    }
}

#[test]
fn a_time_to_come_is_told_to_the_nearest_second() {
    let ahead = Moment::at(Tick(NOW.tick.0 + 299_700), &NOW);
    let text = shown(&one(of(Kind::Interrupt).with(Field::Deadline, Fact::Time(ahead))), Language::En, "");
    assert!(text.starts_with("nas will be reclaimed in 5 min\n"), "{text}");
}
