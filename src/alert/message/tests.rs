use std::sync::Arc;

use super::*;
use crate::clock::{Boot, Tick, Wall};
use crate::event::Id;

const BOTH: [Language; 2] = [Language::En, Language::Zh];
/// 2026-11-21 02:00:00 UTC, ten hours after the boot.
const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };

fn ago(secs: i64) -> Moment {
    Moment::at(Tick(NOW.tick.0 - secs * 1000), &NOW)
}

fn message(form: Form, members: Vec<Event>) -> Message {
    Message { id: Id(0x3fa2_0000_0000_0001), form, members: members.into_iter().map(Arc::new).collect() }
}

fn shown(message: &Message, language: Language, prefix: &str) -> String {
    let text = render(message, language, prefix, &NOW, &Zone::utc());
    format!("{}\n{}", text.title, text.body())
}

fn one(event: Event) -> Message {
    message(Form::One, vec![event])
}

fn notice() -> Event {
    Event::new(Kind::Interrupt, Id(1), "web-1@vm", ago(2))
        .with(Field::Deadline, Fact::Time(ago(-290)))
        .with_text(Field::Instance, "i-1")
}

#[test]
fn a_notice_says_what_who_and_how_long() {
    assert_eq!(
        shown(&one(notice()), Language::En, ""),
        "web-1@vm will be reclaimed in 4 min 50 s\nTime: 2026-11-21 01:59:58 +00:00\n\
         Deadline: 2026-11-21 02:04:50 +00:00 (in 4 min 50 s)\nInstance: i-1\nid 3fa20000"
    );
    assert_eq!(
        shown(&one(notice()), Language::Zh, "告警"),
        "告警 web-1@vm 将在 4 分 50 秒后被回收\n时间：2026-11-21 01:59:58 +00:00\n\
         回收时间：2026-11-21 02:04:50 +00:00（4 分 50 秒后）\n实例：i-1\nid 3fa20000"
    );
}

#[test]
fn alarm_and_recovery_begin_alike() {
    let online = Event::new(Kind::Online, Id(1), "nas@home", ago(1))
        .with(Field::Duration, Fact::Span(Duration::from_secs(4320)));
    assert_eq!(
        shown(&one(online.clone()), Language::En, "[ic]"),
        "[ic] nas@home is back after 1 h 12 min\nTime: 2026-11-21 01:59:59 +00:00\nid 3fa20000"
    );
    assert!(shown(&one(online.clone()), Language::Zh, "").starts_with("nas@home 已恢复，中断 1 小时 12 分钟\n"));
    let exercise = Event { test: true, ..online };
    assert!(shown(&one(exercise.clone()), Language::En, "[ic]").starts_with("[ic] [TEST] nas@home is back"));
    assert!(shown(&one(exercise), Language::Zh, "").starts_with("【测试】nas@home 已恢复"));
}

#[test]
fn a_late_alert_says_so() {
    let offline = |secs| one(Event::new(Kind::Offline, Id(1), "nas@home", ago(secs)));
    assert!(
        shown(&offline(60), Language::En, "").starts_with("nas@home is offline\nTime: 2026-11-21 01:59:00 +00:00\n")
    );
    assert_eq!(
        shown(&offline(7200), Language::En, ""),
        "nas@home is offline (delayed by 2 h)\nTime: 2026-11-21 00:00:00 +00:00 (2 h ago, delayed)\nid 3fa20000"
    );
    assert!(shown(&offline(7200), Language::Zh, "").contains("时间：2026-11-21 00:00:00 +00:00（2 小时前，延迟送达）"));
}

#[test]
fn what_is_over_is_told_in_the_past_tense() {
    let begin = Event::new(Kind::Offline, Id(1), "nas@home", ago(4300))
        .with(Field::LastBeat, Fact::Time(ago(4320)))
        .with_text(Field::Address, "192.0.2.7");
    let end = Event::new(Kind::Online, Id(1), "nas@home", ago(0));
    let over = message(Form::Over, vec![begin, end.clone()]);
    assert_eq!(
        shown(&over, Language::En, ""),
        "nas@home was offline for 1 h 12 min\nFrom: 2026-11-21 00:48:00 +00:00\nTo: 2026-11-21 02:00:00 +00:00\n\
         Address: 192.0.2.7\nid 3fa20000"
    );
    assert!(shown(&over, Language::Zh, "").starts_with("nas@home 曾失联 1 小时 12 分钟\n开始：2026-11-21 00:48:00"));
    assert!(shown(&message(Form::Over, vec![end]), Language::En, "").starts_with("nas@home is back\n"));
}

#[test]
fn a_digest_counts_and_is_bounded() {
    let offline = |n: i64| Event::new(Kind::Offline, Id(1), format!("w{n}"), ago(30 - n));
    let mut members: Vec<Event> = (0..24).map(offline).collect();
    members.push(notice());
    let text = render(&message(Form::Digest, members), Language::En, "[ic]", &NOW, &Zone::utc());
    assert_eq!(text.title, "[ic] 25 alerts: 24 × offline, 1 × reclaim notice");
    assert_eq!(text.lines.len(), 22);
    assert_eq!(text.lines[0].whole(), "2026-11-21 01:59:30 +00:00 w0 is offline");
    assert_eq!(text.lines[20].whole(), "… and 5 more");
    let many = Kind::ALL.iter().map(|kind| Event::new(*kind, Id(1), "x", ago(1))).collect();
    let text = shown(&message(Form::Digest, many), Language::Zh, "");
    let (all, rest) = (Kind::ALL.len(), Kind::ALL.len() - 4);
    let title = format!("{all} 条告警：1 × 回收通知，1 × 回收撤销，1 × 失联，1 × 恢复，…… 另有 {rest} 条\n");
    assert!(text.starts_with(&title), "{text}");
    let exercise = [Kind::Offline, Kind::Test].map(|kind| Event::new(kind, Id(1), "x", ago(1))).to_vec();
    let text = shown(&message(Form::Digest, exercise), Language::Zh, "");
    assert!(text.contains(" 【测试】来自 x"), "{text}");
}

#[test]
fn a_clock_that_was_never_set_is_no_date() {
    let early = Now { tick: Tick(600_000), wall: Wall(600_000), boot: Boot(7) };
    let event = Event::new(Kind::Offline, Id(1), "nas@home", Moment::at(Tick(570_000), &early))
        .with(Field::LastBeat, Fact::Time(Moment { about: true, ..Moment::at(Tick(480_000), &early) }))
        .with(Field::Since, Fact::Time(Moment { boot: Boot(1), ..Moment::at(Tick(1), &early) }));
    let text = render(&one(event), Language::En, "", &early, &Zone::utc());
    assert_eq!(
        text.lines[..3].iter().map(Line::whole).collect::<Vec<_>>(),
        [
            "Time: 30 s ago (clock not set)",
            "Last heartbeat: about 2 min ago (clock not set)",
            "Since: unknown (clock not set)"
        ]
    );
}

#[test]
fn the_barest_form_is_kind_subject_id() {
    let text = render(&message(Form::Minimal, vec![notice()]), Language::Zh, "[ic]", &NOW, &Zone::utc());
    assert_eq!(text.title, "[ic] interrupt web-1@vm 3fa2000000000001");
    assert!(text.lines.is_empty());
}

#[test]
fn everything_can_be_said_and_nothing_breaks_a_line() {
    let nasty = "a\nb\u{202e}\0\u{2028}\"<at>\\";
    for language in BOTH {
        for kind in Kind::ALL {
            let mut event = Event::new(*kind, Id(1), format!("{nasty}{}", "失".repeat(999)), ago(90));
            for field in Field::ALL {
                event = event.with_text(*field, format!("{nasty}{}", "x".repeat(9999)));
            }
            for form in [Form::One, Form::Over, Form::Digest, Form::Minimal] {
                let text = render(&message(form, vec![event.clone(); 2]), language, nasty, &NOW, &Zone::utc());
                for line in text.lines.iter().map(Line::whole).chain([text.title.clone()]) {
                    assert!(!line.is_empty() && line.len() < 1024, "{kind:?} {line}");
                    assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}')), "{line}");
                }
            }
        }
    }
}

#[test]
fn a_withdrawal_says_what_was_due() {
    let event = Event::new(Kind::InterruptWithdrawn, Id(1), "web-1@vm", ago(2))
        .with_text(Field::Provider, "AliCloud")
        .with(Field::Deadline, Fact::Time(ago(-290)))
        .with(Field::Duration, Fact::Span(Duration::from_secs(10)))
        .with_text(Field::Reason, "its time passed more than 15 minutes ago, and this host is still here");
    assert_eq!(
        shown(&one(event.clone()), Language::En, ""),
        "reclaim of web-1@vm was withdrawn\nTime: 2026-11-21 01:59:58 +00:00\nCloud: AliCloud\n\
         Was due: 2026-11-21 02:04:50 +00:00 (in 4 min 50 s)\nNotice stood for: 10 s\n\
         Reason: its time passed more than 15 minutes ago, and this host is still here\nid 3fa20000"
    );
    assert_eq!(
        shown(&one(event), Language::Zh, ""),
        "web-1@vm 的回收通知已撤销\n时间：2026-11-21 01:59:58 +00:00\n云厂商：阿里云\n\
         原定回收：2026-11-21 02:04:50 +00:00（4 分 50 秒后）\n通知持续：10 秒\n\
         原因：原定时间已过 15 分钟以上，本机仍在\nid 3fa20000"
    );
}

#[test]
fn a_silence_is_said_once() {
    let event = Event::new(Kind::Offline, Id(1), "nas@home", ago(2))
        .with(Field::LastBeat, Fact::Time(ago(127)))
        .with(Field::Duration, Fact::Span(Duration::from_secs(125)));
    assert_eq!(
        shown(&one(event), Language::En, ""),
        "nas@home is offline\nTime: 2026-11-21 01:59:58 +00:00\n\
         Last heartbeat: 2026-11-21 01:57:53 +00:00 (2 min 7 s ago)\nid 3fa20000"
    );
}

mod groups;
mod kinds;
