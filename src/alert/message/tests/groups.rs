//! What came together is read as one thing.

use super::*;

fn of(kind: Kind, incident: u64, name: &str, at: i64) -> Event {
    Event { group: Some(Id(7)), ..Event::new(kind, Id(incident), name, ago(at)) }
}

fn silent(n: u64) -> Event {
    of(Kind::Offline, n, &format!("w{n}"), 2)
        .with(Field::LastBeat, Fact::Time(ago(120 + n as i64)))
        .with(Field::Duration, Fact::Span(Duration::from_secs(118)))
        .with_text(Field::Address, format!("192.0.2.{n}"))
        .with_text(Field::Server, "vps@tokyo")
        .with_text(Field::Hint, "look at this server's network first")
}

fn back(n: u64) -> Event {
    of(Kind::Online, n, &format!("w{n}"), 1).with(Field::Duration, Fact::Span(Duration::from_secs(300)))
}

#[test]
fn hosts_that_fell_silent_together() {
    let members = || vec![silent(1), silent(2)];
    assert_eq!(
        shown(&message(Form::Digest, members()), Language::En, "[ic]"),
        "[ic] 2 hosts silent together: w1, w2\n\
         w1 is offline (Last heartbeat: 2026-11-21 01:57:59 +00:00)\n\
         w2 is offline (Last heartbeat: 2026-11-21 01:57:58 +00:00)\n\
         What to do: look at this server's network first\nNoticed by: vps@tokyo\nid 3fa20000"
    );
    assert_eq!(
        shown(&message(Form::Digest, members()), Language::Zh, ""),
        "2 台主机同时失联：w1，w2\n\
         w1 失联（最后心跳：2026-11-21 01:57:59 +00:00）\n\
         w2 失联（最后心跳：2026-11-21 01:57:58 +00:00）\n\
         处理建议：请先检查本监控端的网络\n告警来源：vps@tokyo\nid 3fa20000"
    );
}

#[test]
fn the_reason_of_a_host_that_was_never_heard_of_is_its_own() {
    let unheard = of(Kind::Offline, 3, "printer", 2)
        .with(Field::Since, Fact::Time(ago(250)))
        .with_text(Field::Reason, "it was expected and never heard of");
    assert_eq!(
        shown(&message(Form::Digest, vec![silent(1), unheard]), Language::En, ""),
        "2 hosts silent together: w1, printer\n\
         w1 is offline (Last heartbeat: 2026-11-21 01:57:59 +00:00)\n\
         printer is offline (it was expected and never heard of)\n\
         What to do: look at this server's network first\nNoticed by: vps@tokyo\nid 3fa20000"
    );
}

#[test]
fn a_crowd_is_named_in_part() {
    let crowd = |of: fn(u64) -> Event| message(Form::Digest, (1..=50).map(of).collect());
    let text = render(&crowd(silent), Language::En, "", &NOW, &Zone::utc());
    assert_eq!(text.title, "50 hosts silent together: w1, w2, w3, w4, w5 … and 45 more");
    assert_eq!(text.lines.len(), MAX_DIGEST_LINES + 4);
    assert_eq!(text.lines[MAX_DIGEST_LINES].whole(), "… and 30 more");
    let text = render(&crowd(back), Language::En, "", &NOW, &Zone::utc());
    assert_eq!(text.title, "50 hosts are back: w1, w2, w3, w4, w5 … and 45 more");
    assert_eq!(text.lines[0].whole(), "2026-11-21 01:59:59 +00:00 w1 is back after 5 min");
    let text = render(&crowd(back), Language::Zh, "", &NOW, &Zone::utc());
    assert_eq!(text.title, "50 台主机已恢复：w1，w2，w3，w4，w5 …… 另有 45 台");
    assert_eq!(text.lines[0].whole(), "2026-11-21 01:59:59 +00:00 w1 已恢复，中断 5 分钟");
}

#[test]
fn each_reason_is_told_once_and_those_that_came_back_are_counted() {
    let deaf = "this server could not listen for a while";
    let with = |n, reason: &str| silent(n).with_text(Field::Reason, reason).with(Field::Count, Fact::Number(3));
    let members = vec![with(1, deaf), with(2, ""), with(3, deaf), with(4, "it said goodbye and is overdue")];
    let text = shown(&message(Form::Digest, members.clone()), Language::En, "");
    assert_eq!(text.matches(deaf).count(), 1, "{text}");
    assert!(text.contains("\nReason: it said goodbye and is overdue\n"), "{text}");
    assert!(text.contains("\nBack meanwhile: 3\n"), "{text}");
    assert!(shown(&message(Form::Digest, members), Language::Zh, "").contains("\n期间已恢复：3\n"));
}

#[test]
fn what_happened_to_one_host_has_the_title_of_its_first() {
    let flapping = of(Kind::Flapping, 1, "nas", 1).with(Field::Count, Fact::Number(5));
    let online = of(Kind::Online, 2, "nas", 1).with(Field::Duration, Fact::Span(Duration::from_secs(60)));
    assert_eq!(
        shown(&message(Form::Digest, vec![flapping, online]), Language::En, ""),
        "nas is flapping (5 changes)\n2026-11-21 01:59:59 +00:00 nas is flapping (5 changes)\n\
         2026-11-21 01:59:59 +00:00 nas is back after 1 min\nid 3fa20000"
    );
    let steady = of(Kind::Steady, 1, "nas", 1).with_text(Field::State, "offline");
    let offline = of(Kind::Offline, 2, "nas", 1).with(Field::LastBeat, Fact::Time(ago(600)));
    assert_eq!(
        shown(&message(Form::Digest, vec![steady, offline]), Language::Zh, ""),
        "nas 状态已稳定：失联\n2026-11-21 01:59:59 +00:00 nas 状态已稳定：失联\n\
         nas 失联（最后心跳：2026-11-21 01:50:00 +00:00）\nid 3fa20000"
    );
}

#[test]
fn what_only_the_rate_put_together_is_counted_by_kind() {
    let other = |event: Event| Event { group: None, ..event };
    for members in [vec![silent(1), other(silent(2))], vec![other(silent(1)), other(silent(2))]] {
        let text = shown(&message(Form::Digest, members), Language::En, "");
        assert!(text.starts_with("2 alerts: 2 × offline\n2026-11-21 01:59:58 +00:00 w1 is offline\n"), "{text}");
    }
    let gone = Event { kind: Kind::Forgotten, ..back(1) };
    let text = shown(&message(Form::Digest, vec![silent(1), silent(2), gone]), Language::En, "");
    assert!(
        text.starts_with("3 alerts: 2 × offline, 1 × no longer watched\nw1 was offline for 5 min and is no longer"),
        "{text}"
    );
}

#[test]
fn names_from_strangers_keep_a_title_short() {
    let nasty = |n: u64| Event { subject: format!("a\nb\u{202e}{{n}}{}", "失".repeat(200)), ..silent(n) };
    for language in BOTH {
        let text = render(&message(Form::Digest, (1..=100).map(nasty).collect()), language, "", &NOW, &Zone::utc());
        assert!(text.title.len() < 512 && text.title.contains("{n}"), "{}", text.title);
        assert!(!text.title.contains(['\n', '\u{202e}']), "{}", text.title);
    }
}

/// The end of a silence is told with the group `group` of ends.
fn back_later(n: u64) -> Event {
    Event { group: Some(Id(8)), ..back(n) }
}

#[test]
fn a_crowd_that_is_back_before_it_was_told_is_one_thing() {
    let members = || vec![silent(1), silent(2), back_later(2), back_later(1)];
    assert_eq!(
        shown(&message(Form::Digest, members()), Language::En, "[ic]"),
        "[ic] 2 hosts were silent together, all are back: w1, w2\n\
         w1 was offline for 5 min (From: 2026-11-21 01:57:59 +00:00, To: 2026-11-21 01:59:59 +00:00)\n\
         w2 was offline for 5 min (From: 2026-11-21 01:57:58 +00:00, To: 2026-11-21 01:59:59 +00:00)\n\
         What to do: look at this server's network first\nNoticed by: vps@tokyo\nid 3fa20000"
    );
    assert_eq!(
        shown(&message(Form::Digest, members()), Language::Zh, ""),
        "2 台主机曾同时失联，均已恢复：w1，w2\n\
         w1 曾失联 5 分钟（开始：2026-11-21 01:57:59 +00:00，结束：2026-11-21 01:59:59 +00:00）\n\
         w2 曾失联 5 分钟（开始：2026-11-21 01:57:58 +00:00，结束：2026-11-21 01:59:59 +00:00）\n\
         处理建议：请先检查本监控端的网络\n告警来源：vps@tokyo\nid 3fa20000"
    );
    let crowd = (1..=50).flat_map(|n| [silent(n), back_later(n)]).collect();
    let text = render(&message(Form::Digest, crowd), Language::En, "", &NOW, &Zone::utc());
    assert_eq!(text.title, "50 hosts were silent together, all are back: w1, w2, w3, w4, w5 … and 45 more");
    assert_eq!((text.lines.len(), &*text.lines[MAX_DIGEST_LINES].whole()), (MAX_DIGEST_LINES + 4, "… and 30 more"));
}

#[test]
fn a_crowd_of_which_some_are_back_names_those_that_are_not() {
    let mut members: Vec<Event> = (1..=9).map(silent).collect();
    members.insert(3, Event { kind: Kind::Reminder, ..silent(2) });
    members.push(back_later(2));
    members.push(back_later(3));
    let text = shown(&message(Form::Digest, members.clone()), Language::En, "");
    let reminded = members.remove(3);
    assert!(
        text.starts_with("9 hosts were silent together, 2 back, still silent: w1, w4, w5, w6, w7 … and 2 more\n"),
        "{text}"
    );
    assert!(text.contains("\nw3 was offline for 5 min (From: 2026-11-21 01:57:57 +00:00, To: "), "{text}");
    assert!(text.contains("\nw4 is offline (Last heartbeat: 2026-11-21 01:57:56 +00:00)\n"), "{text}");
    assert_eq!(text.matches("w2").count(), 1, "what is over is one line: {text}");
    let text = shown(&message(Form::Digest, members.clone()), Language::Zh, "");
    assert!(
        text.starts_with("9 台主机曾同时失联，其中 2 台已恢复，仍失联：w1，w4，w5，w6，w7 …… 另有 2 台\n"),
        "{text}"
    );
    members.push(reminded);
    let text = shown(&message(Form::Digest, members), Language::En, "");
    assert!(text.starts_with("12 alerts: "), "{text}");
}
