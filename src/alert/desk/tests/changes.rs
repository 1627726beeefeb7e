//! Channels that change while alerts are pending.

use super::*;
use crate::config::plan::ChannelKind;

impl Daemon {
    fn change(&self, channels: Vec<(ChannelPlan, Answer)>, all: bool) {
        let channels = channels.into_iter().map(|(plan, deliver)| Channel { plan, deliver, hours: None }).collect();
        self.to_desk.send(Parcel::Channels { channels, all }).unwrap();
    }

    fn wait_queued(&self, queued: &[(&str, usize)]) {
        self.wait_status("queued", |status| {
            let now: Vec<_> = status.channels.iter().map(|channel| (channel.name.as_str(), channel.queued)).collect();
            now == queued
        });
    }
}

fn never() -> Answer {
    Box::new(|_| panic!("an unchanged channel has got a new sender"))
}

/// The plan of that name, which differs from [`plan_of`].
fn other(name: &str) -> ChannelPlan {
    ChannelPlan { kind: ChannelKind::Command { argv: vec!["false".to_owned()] }, ..plan_of(name) }
}

fn next(took: &Receiver<Message>) -> (Kind, Id) {
    let message = took.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.members.len(), 1, "{message:?}");
    (message.members[0].kind, message.members[0].incident)
}

/// A channel that says when it has begun, and goes on when it is let.
fn gated() -> (Answer, Receiver<Id>, SyncSender<Verdict>) {
    let ((begun, begins), (let_go, gate)) = (sync_channel(8), sync_channel(8));
    let answer = move |message: &Message| {
        begun.send(message.members[0].incident).unwrap();
        gate.recv_timeout(PATIENCE).unwrap()
    };
    (Box::new(answer), begins, let_go)
}

#[test]
fn pending_alerts_follow_their_channel_to_its_new_place_and_ends_their_beginnings() {
    let folder = Folder::default();
    let (stays, b) = taking();
    let daemon = Daemon::start(&folder, vec![("a", down()), ("b", stays), ("c", down())]);
    daemon.post(Kind::Offline, 1);
    assert_eq!(next(&b), (Kind::Offline, Id(1)));
    daemon.wait_queued(&[("a", 1), ("b", 0), ("c", 1)]);
    // The places of all change, a is gone, c works with something else.
    let ((now, c), (new, d)) = (taking(), taking());
    daemon.change(vec![(other("c"), now), (plan_of("d"), new), (plan_of("b"), never())], false);
    assert_eq!(next(&c), (Kind::Offline, Id(1)));
    daemon.wait_queued(&[("c", 0), ("d", 0), ("b", 0)]);
    daemon.post(Kind::Online, 1);
    assert_eq!((next(&c), next(&b)), ((Kind::Online, Id(1)), (Kind::Online, Id(1))));
    daemon.post(Kind::Offline, 2);
    assert_eq!(next(&d), (Kind::Offline, Id(2)), "it was not told of what began before it came");
    assert_eq!((next(&c), next(&b)), ((Kind::Offline, Id(2)), (Kind::Offline, Id(2))));
    daemon.wait_status("all told", |status| status.events == 0);
    assert!(c.try_recv().is_err() && b.try_recv().is_err() && d.try_recv().is_err());
    daemon.end();
    assert_eq!(outbox_files(&folder), [""; 0]);
}

#[test]
fn what_the_old_sender_is_telling_is_not_told_again() {
    for (verdict, again) in [
        (Verdict::Delivered, false),
        (Verdict::Retry { why: "x".into(), after: None, channel: true, answered: true, sent: true }, true),
    ] {
        let folder = Folder::default();
        let (old, begins, let_go) = gated();
        let daemon = Daemon::start(&folder, vec![("a", old)]);
        daemon.post(Kind::Offline, 1);
        assert_eq!(begins.recv_timeout(PATIENCE).unwrap(), Id(1));
        daemon.post(Kind::Offline, 2);
        daemon.wait_queued(&[("a", 2)]);
        let (new, took) = taking();
        // Changed twice before the first sender could end; another channel comes before it.
        daemon.change(vec![(other("0"), down()), (other("a"), never())], false);
        daemon.change(vec![(other("0"), never()), (plan_of("a"), new)], false);
        daemon.wait_queued(&[("0", 0), ("a", 2)]);
        daemon.post(Kind::Offline, 3);
        daemon.wait_queued(&[("0", 1), ("a", 3)]);
        assert!(took.try_recv().is_err(), "the old one has not ended");
        let_go.send(verdict).unwrap();
        let mut told: Vec<u64> = (0..2 + usize::from(again)).map(|_| next(&took).1.0).collect();
        told.sort_unstable();
        assert_eq!(told, if again { vec![1, 2, 3] } else { vec![2, 3] });
        daemon.wait_queued(&[("0", 1), ("a", 0)]);
        daemon.end();
        assert!(took.try_recv().is_err() && begins.try_recv().is_err());
    }
}

#[test]
fn a_late_verdict_of_a_channel_that_is_gone_hits_no_other() {
    let folder = Folder::default();
    let (old, begins, let_go) = gated();
    let daemon = Daemon::start(&folder, vec![("a", old), ("b", down())]);
    daemon.post(Kind::Offline, 1);
    begins.recv_timeout(PATIENCE).unwrap();
    daemon.wait_queued(&[("a", 1), ("b", 1)]);
    // b takes the place of a, and one of a's name comes anew.
    let (new, took) = taking();
    daemon.change(vec![(plan_of("b"), never())], false);
    daemon.change(vec![(plan_of("b"), never()), (plan_of("a"), new)], false);
    daemon.wait_queued(&[("b", 1), ("a", 0)]);
    let_go.send(Verdict::Delivered).unwrap();
    daemon.post(Kind::Offline, 2);
    assert_eq!(next(&took), (Kind::Offline, Id(2)));
    daemon.wait_queued(&[("b", 2), ("a", 0)]);
    assert!(daemon.delivered.recv_timeout(PATIENCE).is_ok());
    assert!(daemon.delivered.try_recv().is_err(), "only the new one took something");
    daemon.end();
}

#[test]
fn a_channel_that_waits_for_a_person_is_tried_at_once() {
    let folder = Folder::default();
    let broken: Answer = Box::new(|_| Verdict::Broken("sign".into()));
    let (answer, told) = taking();
    let daemon = Daemon::start(&folder, vec![("a", broken), ("b", answer)]);
    daemon.post(Kind::Offline, 1);
    assert_eq!((next(&told).0, next(&told).0), (Kind::Offline, Kind::ChannelBroken));
    let (mended, took) = taking();
    daemon.change(vec![(plan_of("a"), mended), (plan_of("b"), never())], false);
    assert_eq!(next(&took), (Kind::Offline, Id(1)));
    assert_eq!(next(&told).0, Kind::ChannelMended);
    // What all channels work with has changed, such as the time zone.
    let ((a, took), (b, told)) = (taking(), taking());
    daemon.change(vec![(plan_of("a"), a), (plan_of("b"), b)], true);
    daemon.post(Kind::Stopped, 2);
    assert_eq!((next(&took).0, next(&told).0), (Kind::Stopped, Kind::Stopped));
    daemon.end();
}
