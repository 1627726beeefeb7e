//! Many hosts fall silent at once: whose network is it?

#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]
#![expect(clippy::print_stdout, reason = "a test shows what was told, and when")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::net::{Site, lab, run};
use super::story::{BRISK, Pace, count, print, told};
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, FakeHttp};
use crate::common::{TempDir, wait_within};

/// Fifty daemons start and recover in it.
const LONG: Duration = Duration::from_secs(90);
/// For fifty clients on two processors.
const CALM: Pace = Pace { period: Duration::from_secs(1), num: 3, grace: Duration::from_secs(1) };

/// Where the channel is: on the hub, beyond the server's uplink.
const CHANNEL: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

/// A server in site 1, its clients in site 2, and its channel on the hub.
struct World {
    server_site: Site,
    client_site: Site,
    hook: FakeHttp,
    server: Daemon,
    clients: Vec<(Daemon, TempDir)>,
    _dir: TempDir,
}

impl World {
    fn new(clients: usize, pace: Pace) -> World {
        let (server_site, client_site, dir) = (Site::new(1), Site::new(2), TempDir::new());
        place_of_the_channel("add");
        let hook = FakeHttp::start_at(SocketAddr::new(CHANNEL.into(), 0), |_| Answer::ok(""));
        let mut server = server_site.daemon(dir.path(), &pace.server(&hook));
        let port = server.ready().port();
        let start = |number| {
            let dir = TempDir::new();
            let config = pace.client(&format!("c{number}"), server_site.own(false), port);
            (client_site.daemon(dir.path(), &config), dir)
        };
        let clients: Vec<_> = (0..clients).map(start).collect();
        let world = World { server_site, client_site, hook, server, clients, _dir: dir };
        world.wait_up();
        world
    }

    fn wait_up(&self) {
        wait_within(LONG, "all up", || (count(&self.server, "up") == self.clients.len()).then_some(()));
    }

    /// Until `time` after `start`, with all that may happen meanwhile.
    fn wait_until(&self, start: Instant, time: Duration) {
        wait_within(LONG, "the time", || (start.elapsed() >= time).then_some(()));
    }
}

/// The channel is cut off with the server, and can be reached again once the hosts are heard: at the usual periods its
/// back-off is at minutes by then, and the hosts are first.
fn uplink_cut_for_three_deadlines(clients: usize, pace: Pace) {
    let world = World::new(clients, pace);
    assert_eq!(world.hook.asked().len(), 0, "{:#?}", world.hook.asked());
    let start = Instant::now();
    world.server_site.cut_here();
    place_of_the_channel("del");
    world.wait_until(start, pace.patience() * 3);
    world.server_site.mend_here();
    let mended = Instant::now();
    world.wait_up();
    place_of_the_channel("add");
    wait_within(LONG, "what was queued", || {
        (world.server.status()["channels"][0]["queued"] == 0 && mended.elapsed() > pace.patience() * 2).then_some(())
    });
    let lasted = mended - start;
    print(&format!("the server's own uplink cut for {lasted:?}, {clients} clients"), start, &world.hook);
    assert!(world.hook.asked().len() <= 1, "{} messages", world.hook.asked().len());
}

/// Adds or deletes the address at which the channel listens; without it a connection fails at once.
fn place_of_the_channel(change: &str) {
    run(&["ip", "addr", change, &format!("{CHANNEL}/32"), "dev", "lo"]);
}

fn cut_for_good(clients: usize, pace: Pace) {
    let world = World::new(clients, pace);
    assert_eq!(world.hook.asked().len(), 0, "{:#?}", world.hook.asked());
    let start = Instant::now();
    world.client_site.lose_what_it_sends();
    wait_within(LONG, "all offline", || (count(&world.server, "offline") == clients).then_some(()));
    wait_within(LONG, "a message", || (!world.hook.asked().is_empty()).then_some(()));
    let quiet = Instant::now();
    world.wait_until(quiet, pace.patience());
    print(&format!("{clients} clients cut for good, the channel works"), start, &world.hook);
    let asked = world.hook.asked();
    assert_eq!(asked.len(), 1, "one message");
    let mut subjects: Vec<String> =
        told(&asked[0]).into_iter().filter(|(kind, _)| kind == "offline").map(|(_, who)| who).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), clients, "it names all: {}", asked[0].text());
    // The last beats came up to a period and an exchange before the cut; held once, for another D.
    let soonest = pace.patience() * 2 - pace.period * 2;
    assert!(asked[0].at - start >= soonest, "told after {:?}, held until {soonest:?}", asked[0].at - start);
    world.client_site.lose_nothing();
    world.wait_up();
    let back = || world.hook.asked().iter().flat_map(told).filter(|(kind, _)| kind == "online").count();
    wait_within(LONG, "all told to be back", || (back() >= clients).then_some(()));
    println!("all are back, in {} messages", world.hook.asked().len() - 1);
}

#[test]
fn the_loss_of_its_own_uplink_is_at_most_one_message() {
    lab(|| uplink_cut_for_three_deadlines(8, BRISK));
}

#[test]
#[ignore = "long: fifty daemons"]
fn the_loss_of_its_own_uplink_is_at_most_one_message_with_fifty_clients() {
    lab(|| uplink_cut_for_three_deadlines(50, CALM));
}

#[test]
fn many_hosts_silent_for_good_are_one_message() {
    lab(|| cut_for_good(8, BRISK));
}

#[test]
#[ignore = "long: fifty daemons"]
fn fifty_hosts_silent_for_good_are_one_message() {
    lab(|| cut_for_good(50, CALM));
}
