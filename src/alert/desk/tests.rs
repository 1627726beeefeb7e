use std::sync::mpsc::{RecvTimeoutError, sync_channel};

use super::*;
use crate::alert::outbox::Restored;
use crate::alert::pending::Pending;
use crate::alert::testing::{event, plan};
use crate::alert::{Form, Message, Verdict};
use crate::config::plan::ChannelPlan;
use crate::event::{Kind, Phase};
use crate::run::board::State;
use crate::run::load::{self, Loaded};
use crate::run::state::testing::Folder;
use crate::run::store::{self, Folders};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running desk on a folder, with channels that answer what the test says.
struct Daemon {
    board: Arc<Board>,
    to_desk: SyncSender<Parcel>,
    stop: Stop,
    status: Arc<Mutex<DeskStatus>>,
    thread: Option<JoinHandle<()>>,
    store: Option<JoinHandle<()>>,
    delivered: Receiver<Id>,
}

type Answer = Box<dyn FnMut(&Message) -> Verdict + Send>;

impl Daemon {
    fn start(folder: &Folder, channels: Vec<(&str, Answer)>) -> Daemon {
        let (desk, inbox) = sync_channel(256);
        let folders = Folders { state: folder.path().join("state"), runtime: folder.path().join("run"), lock: None };
        let (to_store, thread) = store::start(folders, desk.clone()).unwrap();
        let loaded = load::load(&folder.path().join("state"), &["spot"], |bytes| crate::json::read(bytes).is_some());
        Daemon { store: Some(thread), ..Daemon::on(to_store, desk, inbox, loaded, channels) }
    }

    fn on(
        store: SyncSender<Parcel>,
        desk: SyncSender<Parcel>,
        inbox: Receiver<Parcel>,
        loaded: Loaded,
        channels: Vec<(&str, Answer)>,
    ) -> Daemon {
        let state = State { pending: Pending::after(loaded.last_seq), ..State::default() };
        let board = Arc::new(Board::new(state, desk.clone()));
        let (stop, status) = (Stop::default(), Arc::new(Mutex::new(DeskStatus::default())));
        let (tell, delivered) = sync_channel(1024);
        let to_desk = desk.clone();
        let thread = start(Parts {
            history: Arc::default(),
            #[cfg(feature = "status")]
            days: Arc::default(),
            callbacks: None,
            board: Arc::clone(&board),
            inbox,
            desk,
            store,
            channels: channels
                .into_iter()
                .map(|(name, deliver)| Channel { plan: plan_of(name), deliver, hours: None })
                .collect(),
            restored: Restored { ..loaded.outbox },
            standings: loaded.channels,
            folder: "state".into(),
            unwritable: None,
            stop: stop.clone(),
            status: Arc::clone(&status),
            delivered: Box::new(move |id| tell.try_send(id).unwrap()),
            chance: 1,
        })
        .unwrap();
        Daemon { board, to_desk, stop, status, thread: Some(thread), store: None, delivered }
    }

    fn post(&self, kind: Kind, incident: u64) {
        assert!(self.board.post(Some(event(kind, incident, "nas")), After::Nothing));
    }

    fn end(mut self) {
        self.stop.stop();
        self.board.wake();
        self.thread.take().unwrap().join().unwrap();
        if let Some(store) = self.store.take() {
            store.join().unwrap();
        }
    }

    fn wait_status(&self, what: &str, ok: impl Fn(&DeskStatus) -> bool) {
        let stop = Stop::default();
        for _ in 0..2000 {
            if ok(&lock(&self.status)) {
                return;
            }
            stop.wait(Duration::from_millis(10));
        }
        panic!("never: {what}: {:?}", lock(&self.status));
    }
}

/// Everything goes to every channel, but to `notes` only what the desk says of lost alerts.
fn plan_of(name: &str) -> ChannelPlan {
    let mut plan = plan(name);
    if name == "notes" {
        plan.only = vec![Kind::Lost];
    }
    plan
}

/// A channel that passes what it takes to the test.
fn taking() -> (Answer, Receiver<Message>) {
    let (sent, received) = sync_channel(1024);
    let answer = move |message: &Message| {
        sent.try_send(message.clone()).unwrap();
        Verdict::Delivered
    };
    (Box::new(answer), received)
}

fn down() -> Answer {
    Box::new(|_| Verdict::Retry {
        why: "connection refused".into(),
        after: None,
        channel: true,
        answered: false,
        sent: false,
    })
}

fn outbox_files(folder: &Folder) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder.path().join("state/outbox")) else {
        return Vec::new();
    };
    files.flatten().map(|file| file.file_name().into_string().unwrap()).collect()
}

#[test]
fn what_a_dead_channel_did_not_take_is_told_after_a_restart_and_only_once() {
    let folder = Folder::default();
    let (healthy, took) = taking();
    let daemon = Daemon::start(&folder, vec![("a", down()), ("b", healthy)]);
    daemon.post(Kind::Offline, 1);
    daemon.post(Kind::Stopped, 2);
    for kind in [Kind::Offline, Kind::Stopped] {
        assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, kind);
        daemon.delivered.recv_timeout(PATIENCE).unwrap();
    }
    daemon.end();
    assert_eq!(outbox_files(&folder).len(), 2, "in-flight marks are gone after a clean end");

    let (back, a) = taking();
    let (healthy, b) = taking();
    let daemon = Daemon::start(&folder, vec![("a", back), ("b", healthy)]);
    for kind in [Kind::Offline, Kind::Stopped] {
        assert_eq!(a.recv_timeout(PATIENCE).unwrap().members[0].kind, kind);
    }
    daemon.post(Kind::Online, 1);
    for channel in [&a, &b] {
        assert_eq!(channel.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Online);
    }
    daemon.wait_status("all told", |status| status.events == 0);
    daemon.end();
    assert_eq!(outbox_files(&folder), [""; 0]);

    let (quiet, a) = taking();
    let daemon = Daemon::start(&folder, vec![("a", quiet)]);
    daemon.post(Kind::Offline, 1);
    daemon.post(Kind::Stopped, 3);
    assert_eq!(a.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Stopped, "a repeated event is dropped");
    daemon.end();
}

#[test]
fn the_event_is_on_disk_before_it_is_told() {
    let folder = Folder::default();
    let dir = folder.path().join("state/outbox");
    let (sent, seen) = sync_channel(8);
    let look = move |_: &Message| {
        let mut names: Vec<_> = std::fs::read_dir(&dir).unwrap().flatten().map(|file| file.path()).collect();
        names.sort();
        sent.try_send(names).unwrap();
        Verdict::Delivered
    };
    let daemon = Daemon::start(&folder, vec![("a", Box::new(look))]);
    daemon.post(Kind::Offline, 1);
    let names = seen.recv_timeout(PATIENCE).unwrap();
    let ends: Vec<_> = names.iter().map(|name| name.extension().unwrap().to_str().unwrap()).collect();
    assert_eq!(ends, ["try", "json"], "{names:?}");
    let state = folder.path().join("state/incidents.json");
    assert!(state.exists(), "who is told is saved before they are");
    daemon.wait_status("told", |status| status.events == 0);
    daemon.end();
}

#[test]
fn a_store_that_hangs_delays_an_alert_by_a_second_and_is_told_once() {
    let (desk, inbox) = sync_channel(256);
    let (store, batches) = sync_channel(8);
    let (answer, took) = taking();
    let daemon = Daemon::on(store, desk.clone(), inbox, Loaded::default(), vec![("a", answer)]);
    let before = clock::tick();
    daemon.post(Kind::Interrupt, 1);
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Interrupt);
    assert!(clock::tick() >= before + Duration::from_secs(1), "it did not wait for the disk at all");
    let Parcel::Batch(batch) = batches.recv_timeout(PATIENCE).unwrap() else { panic!("no batch") };
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::StateUnwritable);
    daemon.post(Kind::Offline, 2);
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Offline);
    desk.send(Parcel::Stored { batch: batch.number, result: Ok(()) }).unwrap();
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::StateWritable);
    assert!(took.try_recv().is_err());
    // From now on the disk is quick, so that the end is too.
    let quick = move || {
        while let Ok(Parcel::Batch(batch)) = batches.recv() {
            desk.send(Parcel::Stored { batch: batch.number, result: Ok(()) }).unwrap();
        }
    };
    let quick = spawn("quick", SMALL_STACK, quick).unwrap();
    daemon.end();
    quick.join().unwrap();
}

#[test]
fn an_interrupt_passes_a_queue_that_is_full() {
    let folder = Folder::default();
    let (release, blocked) = sync_channel::<()>(1);
    let (mut answer, took) = taking();
    let hang: Answer = Box::new(move |message| match blocked.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("never released"),
        _ => answer(message),
    });
    let daemon = Daemon::start(&folder, vec![("a", hang)]);
    let saved = |count| move |status: &DeskStatus| status.channels[0].queued == count && status.unsaved == 0;
    for incident in 1..=100 {
        daemon.post(Kind::Stopped, incident);
    }
    daemon.wait_status("100 wait", saved(100));
    daemon.post(Kind::Interrupt, 200);
    daemon.wait_status("101 wait", saved(101));
    drop(release);
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Stopped, "that was under way");
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Interrupt);
    for _ in 2..=100 {
        assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Stopped);
    }
    daemon.end();
}

#[test]
fn a_disk_that_fails_is_told_once_and_alerts_go_on() {
    let folder = Folder::default();
    std::fs::write(folder.path().join("state"), "in the way").unwrap();
    let (answer, took) = taking();
    let daemon = Daemon::start(&folder, vec![("a", answer)]);
    for incident in 1..=3 {
        daemon.post(Kind::Offline, incident);
    }
    let mut kinds: Vec<Kind> = (0..4).map(|_| took.recv_timeout(PATIENCE).unwrap().members[0].kind).collect();
    kinds.sort_by_key(|kind| kind.name());
    assert_eq!(kinds, [Kind::Offline, Kind::Offline, Kind::Offline, Kind::StateUnwritable]);
    daemon.wait_status("unwritable", |status| status.unwritable.is_some() && status.events == 0);
    daemon.end();
    assert!(took.try_recv().is_err());
}

#[test]
fn a_channel_that_hangs_delays_no_other() {
    let folder = Folder::default();
    let (release, blocked) = sync_channel::<()>(1);
    let hang: Answer = Box::new(move |_| match blocked.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("never released"),
        _ => Verdict::Delivered,
    });
    let (answer, took) = taking();
    let daemon = Daemon::start(&folder, vec![("a", hang), ("b", answer)]);
    for incident in 1..=100 {
        daemon.post(Kind::Stopped, incident);
    }
    for _ in 1..=100 {
        took.recv_timeout(PATIENCE).unwrap();
    }
    daemon.wait_status("100 wait", |status| status.channels[0].queued == 100 && status.channels[1].queued == 0);
    drop(release);
    daemon.wait_status("all told", |status| status.events == 0);
    daemon.end();
}

#[test]
fn a_broken_channel_is_told_once_by_the_others_also_over_a_restart_and_mended_once() {
    let folder = Folder::default();
    let broken = || -> Answer { Box::new(|_| Verdict::Broken("sign".into())) };
    let (answer, took) = taking();
    let daemon = Daemon::start(&folder, vec![("a", broken()), ("b", answer)]);
    daemon.post(Kind::Offline, 1);
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Offline);
    let told = took.recv_timeout(PATIENCE).unwrap();
    assert_eq!(told.members[0].kind, Kind::ChannelBroken);
    daemon.end();

    let (answer, took) = taking();
    let daemon = Daemon::start(&folder, vec![("a", broken()), ("b", answer)]);
    daemon.post(Kind::Offline, 2);
    assert_eq!(took.recv_timeout(PATIENCE).unwrap().members[0].kind, Kind::Offline);
    daemon.end();
    assert!(took.try_recv().is_err());

    let (answer, took) = taking();
    let (mended, a) = taking();
    let daemon = Daemon::start(&folder, vec![("a", mended), ("b", answer)]);
    let end = took.recv_timeout(PATIENCE).unwrap();
    assert_eq!((end.members[0].kind, end.members[0].kind.phase()), (Kind::ChannelMended, Phase::End));
    assert_eq!(end.members[0].incident, told.members[0].incident);
    assert_eq!(a.recv_timeout(PATIENCE).unwrap().form, Form::One);
    daemon.wait_status("all told", |status| status.events == 0);
    daemon.end();
}

#[test]
fn a_small_state_is_saved_and_comes_back() {
    let folder = Folder::default();
    let daemon = Daemon::start(&folder, vec![("a", down())]);
    let after = After::Small { name: "spot".into(), json: "{\"n\":1}".into() };
    assert!(daemon.board.post(None, after));
    daemon.end();
    let loaded = load::load(&folder.path().join("state"), &["spot"], |bytes| crate::json::read(bytes).is_some());
    assert_eq!(loaded.small("spot").unwrap().json, "{\"n\":1}");
    assert_eq!(loaded.last_seq, 1);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else if file.path().extension().is_none_or(|end| end != "tmp") {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

#[test]
fn an_event_that_ends_the_program_goes_in_bare_words_and_is_then_set_aside() {
    let mut folder = Folder::default();
    for start in 1..=3 {
        let next = Folder::default();
        let (from, to) = (folder.path().to_path_buf(), next.path().to_path_buf());
        let (sent, seen) = sync_channel(8);
        // What a crash in the middle of the attempt would leave.
        let crash = move |message: &Message| {
            copy(&from, &to);
            sent.try_send(message.clone()).unwrap();
            // The crash is in the copy; this run is to end soon, without another attempt.
            Verdict::Broken("x".into())
        };
        let daemon = Daemon::start(&folder, vec![("a", Box::new(crash)), ("notes", taking().0)]);
        if start == 1 {
            daemon.post(Kind::Offline, 1);
        }
        let form = if start == 3 { Form::Minimal } else { Form::One };
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap().form, form, "start {start}");
        daemon.end();
        folder = next;
    }
    let (answer, a) = taking();
    let (others, b) = taking();
    let daemon = Daemon::start(&folder, vec![("a", answer), ("notes", others)]);
    let lost = b.recv_timeout(PATIENCE).unwrap();
    assert_eq!((lost.members[0].kind, lost.members[0].subject.as_str()), (Kind::Lost, "a"));
    daemon.wait_status("set aside", |status| status.events == 0);
    daemon.end();
    assert!(a.try_recv().is_err());
    assert!(folder.path().join("state/outbox/bad/0000000000000001.json").exists());
}

#[test]
fn a_kill_at_any_attempt_repeats_only_that_one() {
    let folder = Folder::default();
    let snapshots: Arc<Mutex<Vec<Folder>>> = Arc::default();
    let (from, kept) = (folder.path().to_path_buf(), Arc::clone(&snapshots));
    let kill = move |_: &Message| {
        let snapshot = Folder::default();
        copy(&from, snapshot.path());
        lock(&kept).push(snapshot);
        Verdict::Delivered
    };
    let daemon = Daemon::start(&folder, vec![("a", Box::new(kill))]);
    for incident in 1..=5 {
        daemon.post(Kind::Offline, incident);
        daemon.delivered.recv_timeout(PATIENCE).unwrap();
        // The next event comes once this one is off the disk.
        daemon.wait_status("removed", |status| status.events == 0 && outbox_files(&folder).is_empty());
    }
    daemon.end();
    for snapshot in std::mem::take(&mut *lock(&snapshots)) {
        let (answer, took) = taking();
        let daemon = Daemon::start(&snapshot, vec![("a", answer)]);
        took.recv_timeout(PATIENCE).unwrap();
        daemon.wait_status("told", |status| status.events == 0);
        daemon.end();
        assert!(took.try_recv().is_err());
    }
}

mod changes;
