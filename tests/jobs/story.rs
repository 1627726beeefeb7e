//! Single stories, step by step.

use interrupt_callback::jobs::book::{News, Told};
use interrupt_callback::jobs::run::{On, State, Terms};
use interrupt_callback::jobs::{New, Where};

use super::world::{GRACE, LEASE, PERIOD, World, any, job};

fn once(message: &str, on: Where, world: &World) -> New {
    New::Once { message: message.to_owned(), on, due: world.clock().wall }
}

fn defined(name: &str) -> New {
    New::Defined { name: name.to_owned(), on: None }
}

#[test]
fn a_job_runs_once_and_its_result_arrives() {
    let mut world = World::new(1, 2, Vec::new());
    world.pass(2 * PERIOD);
    let id = world.ask(&once("work a", any(), &world)).unwrap()[0];
    world.pass(100_000);
    let run = world.run(id);
    assert_eq!((run.state, world.deeds.len()), (State::Succeeded, 1), "{run:?}");
    let idle = world.hosts.iter().all(|host| host.hands.as_ref().unwrap().says().runs.is_empty());
    assert!(idle, "the agent has forgotten it once it was acknowledged");
    assert!(world.news.iter().any(|news| matches!(news, News::Ended(run) if run.key.id == id)));
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let mut world = World::new(1, 1, Vec::new());
    world.pass(2 * PERIOD);
    let host = |name: &str| Where::One(On::Host(name.to_owned()));
    for (new, why) in [
        (once("work", host("nobody"), &world), "no host is called \"nobody\""),
        (once("play", host("w0@lan"), &world), "\"w0@lan\" does not list this message"),
        (defined("none"), "there is no job \"none\""),
        (once("work", Where::All("x*".to_owned()), &world), "no host that could get it is alive"),
    ] {
        assert_eq!(world.ask(&new).unwrap_err(), why);
    }
    world.hosts[0].cut = true;
    world.pass(LEASE + GRACE + STEP_UP);
    assert_eq!(world.ask(&once("work", host("w0@lan"), &world)).unwrap_err(), "\"w0@lan\" is not alive");
}

const STEP_UP: i64 = 2000;

#[test]
fn a_fenced_run_moves_when_its_host_is_cut_off_and_never_overlaps() {
    let terms = Terms { failover: true, ..Terms::default() };
    let mut world = World::new(3, 2, vec![job("train", any(), terms)]);
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    let id = world.ask(&defined("train")).unwrap()[0];
    world.pass(3 * PERIOD);
    let first = world.deeds[0].host;
    world.hosts[first].cut = true;
    world.pass(LEASE + GRACE + 4 * PERIOD);
    assert_eq!(world.deeds.len(), 2, "{:?}", world.deeds);
    let (old, new) = (&world.deeds[0], &world.deeds[1]);
    assert_ne!(old.host, new.host);
    assert!(old.to.unwrap() + GRACE <= new.from + STEP_UP, "{old:?} {new:?}");
    world.hosts[first].cut = false;
    world.pass(1_000_000);
    assert_eq!((world.run(id).state, world.deeds.len()), (State::Succeeded, 2));
    assert!(world.news.iter().any(|news| matches!(news, News::Note(note) if matches!(&note.what, Told::Moved { runs, .. } if runs[0].0 == "train"))));
}

#[test]
fn a_lease_of_before_a_crash_is_kept_by_a_server_that_grants_shorter_ones() {
    let terms = Terms { failover: true, ..Terms::default() };
    let mut world = World::new(3, 2, vec![job("train", any(), terms)]);
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    world.ask(&defined("train")).unwrap();
    world.pass(3 * PERIOD);
    let first = world.deeds[0].host;
    world.kill_server();
    world.hosts[first].cut = true;
    world.lease = LEASE / 3;
    world.start_server();
    world.pass(LEASE + GRACE + 4 * PERIOD);
    assert_eq!(world.deeds.len(), 2, "{:?}", world.deeds);
    let (old, new) = (&world.deeds[0], &world.deeds[1]);
    assert!(old.host != new.host && old.to.unwrap() <= new.from, "{old:?} {new:?}");
}

#[test]
fn an_announced_reclaim_moves_a_run_once_its_host_has_let_go() {
    let terms = Terms { failover: true, ..Terms::default() };
    let mut world = World::new(5, 2, vec![job("train", any(), terms)]);
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    world.ask(&defined("train")).unwrap();
    world.pass(3 * PERIOD);
    let first = world.deeds[0].host;
    world.hosts[first].leaving = true;
    world.pass(4 * PERIOD);
    assert_eq!(world.deeds.len(), 2, "{:?}", world.deeds);
    assert!(world.deeds[0].to.unwrap() <= world.deeds[1].from);
    assert_ne!(world.deeds[0].host, world.deeds[1].host);
}

#[test]
fn a_suspended_host_starts_nothing_and_ends_what_is_fenced_when_it_wakes() {
    let terms = Terms { failover: true, ..Terms::default() };
    let mut world = World::new(7, 2, vec![job("train", any(), terms)]);
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    world.ask(&defined("train")).unwrap();
    world.pass(3 * PERIOD);
    let first = world.deeds[0].host;
    world.hosts[first].asleep = true;
    world.pass(LEASE + GRACE + 4 * PERIOD);
    assert_eq!(world.deeds.len(), 2);
    world.hosts[first].asleep = false;
    world.step();
    assert!(world.deeds[0].to.is_some(), "it is ended before anything else happens on that host");
}

#[test]
fn what_was_perhaps_run_is_lost_and_not_run_again() {
    let mut world = World::new(9, 1, Vec::new());
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    let id = world.ask(&once("work", any(), &world)).unwrap()[0];
    world.pass(3 * PERIOD);
    world.kill_agent(0);
    world.start_agent(0);
    world.pass(4 * PERIOD);
    assert_eq!((world.run(id).state, world.deeds.len()), (State::Lost, 1));
}

#[test]
fn a_run_is_ended_on_request() {
    let mut world = World::new(11, 1, Vec::new());
    world.takes = (600_000, 0);
    world.pass(2 * PERIOD);
    let id = world.ask(&once("work", any(), &world)).unwrap()[0];
    world.pass(3 * PERIOD);
    let now = world.clock();
    assert_eq!(world.book.as_mut().unwrap().cancel(&id.to_string(), &now), Ok(1));
    world.pass(4 * PERIOD);
    assert_eq!(world.run(id).state, State::Cancelled);
    assert!(world.deeds[0].to.is_some() && !world.deeds[0].finished);
    assert!(world.book.as_mut().unwrap().cancel(&id.to_string(), &now).is_err());
}

#[test]
fn nothing_is_offered_that_is_not_on_disk() {
    let mut world = World::new(13, 1, Vec::new());
    world.pass(2 * PERIOD);
    world.disk_fails = true;
    let id = world.ask(&once("work", any(), &world)).unwrap()[0];
    world.pass(6 * PERIOD);
    assert!(world.deeds.is_empty());
    world.disk_fails = false;
    world.pass(6 * PERIOD);
    assert_eq!(world.run(id).state, State::Succeeded);
}
