//! An event of every kind with facts as they really are, so that `test` says what an alert will say.

use std::time::Duration;

use crate::clock::Now;
use crate::event::{Event, Fact, Field, Id, Kind, Moment};

use Field as F;
use Kind as K;

/// What the cloud's notices tell of an instance.
const INSTANCE: [Field; 4] = [F::Provider, F::Instance, F::Zone, F::InstanceType];

/// Which facts go with an event of each kind, besides [`INSTANCE`].
const FACTS: &[(Kind, &[Field])] = &[
    (K::Interrupt, &[F::Deadline, F::Action]),
    (K::InterruptWithdrawn, &[F::Deadline, F::Duration]),
    (K::Offline, &[F::LastBeat, F::Server, F::Note]),
    (K::Online, &[F::Duration, F::Since, F::Server]),
    (K::Stopped, &[F::BackBy, F::Server]),
    (K::Reclaimed, &[F::LastBeat, F::Server]),
    (K::Forgotten, &[F::Since, F::Reason]),
    (K::Reminder, &[F::Duration, F::LastBeat, F::Server]),
    (K::Rebooted, &[F::LastBeat, F::Uptime, F::Server]),
    (K::Flapping, &[F::Count, F::Server]),
    (K::Steady, &[F::State, F::Count, F::Duration]),
    (K::Duplicate, &[F::Address, F::OtherAddress]),
    (K::MonitorUnreachable, &[F::Monitor, F::Since, F::Reason]),
    (K::MonitorReachable, &[F::Monitor, F::Duration]),
    (K::MonitorForged, &[F::Monitor, F::Reason]),
    (K::Blind, &[F::Since, F::Reason]),
    (K::Seeing, &[F::Duration]),
    (K::Rebalance, &[F::Since]),
    (K::RebalanceOver, &[F::Duration]),
    (K::Maintenance, &[F::Deadline, F::Action]),
    (K::MaintenanceOver, &[F::Deadline, F::Duration]),
    (K::Refused, &[F::Address, F::Reason]),
    (K::ChannelBroken, &[F::Channel, F::Reason]),
    (K::ChannelMended, &[F::Channel, F::Duration]),
    (K::Lost, &[F::Channel, F::Count, F::Reason]),
    (K::StateUnwritable, &[F::Reason]),
    (K::StateWritable, &[F::Duration]),
    (K::StateDamaged, &[F::Path]),
    (K::ConfigRejected, &[F::Path, F::Count, F::Reason]),
    (K::ConfigAccepted, &[F::Path]),
    (K::Restarts, &[F::Count, F::Hint]),
    (K::NoticeDropped, &[F::Reason]),
    (K::Message, &[F::Headline, F::Message]),
    (K::CallbackDone, &[F::Callback, F::Cause, F::ExitCode, F::Duration]),
    (K::CallbackFailed, &[F::Callback, F::Cause, F::Signal, F::Duration, F::Output]),
    (K::CallbackUnknown, &[F::Callback, F::Cause]),
    (K::JobDone, &[F::Job, F::Run, F::ExitCode, F::Duration]),
    (K::JobFailed, &[F::Job, F::Run, F::Duration, F::Reason, F::Output]),
    (K::JobExpired, &[F::Job, F::Run, F::Reason]),
    (K::JobLost, &[F::Job, F::Run, F::Reason]),
    (K::JobCancelled, &[F::Job, F::Run]),
    (K::JobMoved, &[F::Count, F::Job]),
    (K::JobSkipped, &[F::Job, F::Reason]),
    (K::ProbeDown, &[F::Probe, F::Target, F::Since, F::Reason]),
    (K::ProbeUp, &[F::Probe, F::Target, F::Since, F::Duration]),
    (K::ResourceHigh, &[F::Resource, F::Value, F::Limit, F::Since]),
    (K::ResourceNormal, &[F::Resource, F::Value, F::Limit, F::Duration]),
    (K::Test, &[]),
];

/// An event of `kind` as it happens to `host`, marked as an exercise.
pub fn sample(kind: Kind, host: &str, now: &Now) -> Event {
    let incident = Id::of(&[b"test", kind.name().as_bytes(), &now.boot.0.to_be_bytes(), &now.tick.0.to_be_bytes()]);
    let mut event = Event::new(kind, incident, host, Moment::at(now.tick, now));
    event.test = true;
    let of_instance = matches!(
        kind,
        K::Interrupt | K::InterruptWithdrawn | K::Rebalance | K::RebalanceOver | K::Maintenance | K::MaintenanceOver
    );
    let fields = FACTS.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, fields)| fields);
    for field in INSTANCE.iter().filter(|_| of_instance).chain(fields) {
        event = event.with(*field, fact(kind, *field, now));
    }
    event
}

fn fact(kind: Kind, field: Field, now: &Now) -> Fact {
    let ago = |secs| Fact::Time(Moment::at(now.tick - Duration::from_secs(secs), now));
    let ahead = |secs| Fact::Time(Moment::at(now.tick + Duration::from_secs(secs), now));
    let text = match field {
        F::Deadline if matches!(kind, K::Interrupt | K::Maintenance) => return ahead(300),
        F::Deadline => return ago(60),
        F::OldDeadline | F::BackBy => return ahead(600),
        F::LastBeat => return ago(125),
        F::Since => return ago(750),
        F::Duration => return Fact::Span(Duration::from_secs(750)),
        F::Lead => return Fact::Span(Duration::from_secs(300)),
        F::Uptime => return Fact::Span(Duration::from_secs(42)),
        F::Count => return Fact::Number(5),
        F::ExitCode => return Fact::Number(0),
        F::Signal => return Fact::Number(9),
        F::Callback => "save",
        F::Job => "backup",
        F::Run => "3fa2c81e5b7d9046",
        F::Cause => "interrupt web-1@example",
        F::Output => "tar: /mnt/share: No space left on device",
        F::Provider => "AliCloud",
        F::Instance => "i-bp1example0000000001",
        F::Region => "cn-hangzhou",
        F::Zone => "cn-hangzhou-h",
        F::InstanceType => "ecs.g7.large",
        F::Address => "192.0.2.10",
        F::OtherAddress => "198.51.100.7",
        F::Action => "release",
        F::Server => "monitor@example",
        F::Channel => "ops",
        F::Path => "/etc/ic/config.toml",
        F::Monitor => "ic://monitor.example:9080",
        F::State => "up",
        F::Load => "0.52 (4 cores)",
        F::Memory => "61 %",
        F::Disk => "83 %",
        F::Temperature => "54 °C",
        F::Probe => "web",
        F::Target => "https://www.example.com/health",
        F::Resource => "disk /var",
        F::Value => "96 %",
        F::Limit => "90 %",
        F::Hint => "its log says why it ended",
        F::Note => "backup runs until 04:00",
        F::Headline => "backup failed",
        F::Message => "rsync: connection unexpectedly closed\nexit code 12",
        F::Reason if kind == K::StateUnwritable => "No space left on device (os error 28)",
        F::Reason if kind == K::ConfigRejected => "line 12: keepalive.server.num: must be a whole number",
        F::Reason => "no answer in time",
    };
    Fact::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::render;
    use crate::alert::testing::at;
    use crate::alert::{Form, Message};
    use crate::config::plan::Language;
    use crate::zone::Zone;
    use std::sync::Arc;

    #[test]
    fn every_kind_has_one_whose_words_are_complete() {
        let now = at(36_000_000);
        for kind in Kind::ALL {
            assert!(FACTS.iter().any(|(known, _)| known == kind), "{kind:?} has no sample");
            let event = sample(*kind, "web-1@example", &now);
            for language in [Language::En, Language::Zh] {
                let message = Message { id: event.id, form: Form::One, members: vec![Arc::new(event.clone())] };
                let text = render(&message, language, "[ic]", &now, &Zone::utc());
                println!("{}\n{}\n", text.title, text.body());
                let mark = if language == Language::En { "[ic] [TEST] " } else { "[ic] 【测试】" };
                assert!(text.title.starts_with(mark) && text.title.contains("web-1@example"), "{}", text.title);
                assert!(!text.title.contains(['{', '}']), "{}", text.title);
                for line in &text.lines {
                    let free = line.text.starts_with("id ") || *kind == Kind::Message;
                    assert!((free || !line.label.is_empty()) && !line.text.is_empty(), "{kind:?}: {line:?}");
                }
            }
        }
    }
}
