//! One link, cut in every way.

#![expect(clippy::disallowed_methods, reason = "a test looks at the time from outside")]
#![expect(clippy::print_stdout, reason = "a test shows what was told, and when")]

use std::time::{Duration, Instant};

use super::net::{Site, lab};
use super::story::{BRISK, Pace, channel, count, duration, host, print, tells, told, wait_state, wait_told};
use crate::common::daemon::Daemon;
use crate::common::http::FakeHttp;
use crate::common::{TempDir, wait_for};

/// A server on the hub and a client in a site, which knows each other.
pub struct Pair {
    pub site: Site,
    pub hook: FakeHttp,
    pub server: Daemon,
    pub client: Daemon,
    _dirs: [TempDir; 2],
}

impl Pair {
    pub fn new(number: u8, pace: Pace, v6: bool) -> Pair {
        let (site, hook, dirs) = (Site::new(number), channel(), [TempDir::new(), TempDir::new()]);
        let mut server = Daemon::start(dirs[0].path(), &pace.server(&hook));
        let port = server.ready().port();
        if v6 {
            site.without_v4();
        }
        let mut client = site.daemon(dirs[1].path(), &pace.client("nas", site.hub(v6), port));
        client.wait_line("beating to");
        wait_state(&server, "nas", "up");
        Pair { site, hook, server, client, _dirs: dirs }
    }

    /// Cuts the link until the silence is told, and mends it until the recovery is told.
    fn cut(&mut self, what: &str, cut: fn(&Site), mend: fn(&Site)) {
        let start = Instant::now();
        cut(&self.site);
        let gone = wait_told(&self.hook, "offline");
        assert!(duration(&gone) >= BRISK.patience(), "{what}: told before the deadline: {}", gone.text());
        assert_eq!(host(&self.server, "nas").unwrap_or_default()["state"], "offline", "{what}");
        assert!(!told(&gone)[0].1.is_empty());
        mend(&self.site);
        let mended = Instant::now();
        let back = wait_told(&self.hook, "online");
        assert!(duration(&back) >= duration(&gone), "{what}: {}", back.text());
        // It goes on: two more beats, and nothing more is told.
        wait_for("two more beats", || {
            (mended.elapsed() > BRISK.period * 4 && host(&self.server, "nas")?["state"] == "up").then_some(())
        });
        print(&format!("{what}, mended after {:.3} s", mended.duration_since(start).as_secs_f64()), start, &self.hook);
        println!("  detected {:?} after the deadline", duration(&gone).saturating_sub(BRISK.patience()));
        assert_eq!(self.hook.asked().len(), 2, "{what}: {:#?}", self.hook.asked());
    }
}

type Change = fn(&Site);

const CUTS: [(&str, bool, Change, Change); 8] = [
    ("cut on the client's side", false, Site::cut_here, Site::mend_here),
    ("cut on the server's side", false, Site::cut_there, Site::mend_there),
    ("black hole: the server's address is gone", false, Site::take_the_hub_away, Site::mend_there),
    ("black hole: both directions", false, lose_all, Site::lose_nothing),
    ("only what the client sends is lost", false, Site::lose_what_it_sends, Site::lose_nothing),
    ("only what the server sends is lost", false, Site::lose_what_it_gets, Site::lose_nothing),
    ("IPv6 only, cut on the client's side", true, Site::cut_here, mend_v6),
    ("IPv6 only, black hole", true, lose_all, Site::lose_nothing),
];

fn lose_all(site: &Site) {
    site.lose_what_it_sends();
    site.lose_what_it_gets();
}

fn mend_v6(site: &Site) {
    site.mend_here();
    site.without_v4();
}

#[test]
fn every_cut_is_told_once_and_so_is_its_end() {
    lab(|| {
        let pairs = CUTS.map(|(_, v6, ..)| v6).into_iter().zip(1..).map(|(v6, number)| Pair::new(number, BRISK, v6));
        let pairs: Vec<Pair> = pairs.collect();
        std::thread::scope(|scope| {
            for (mut pair, (what, _, cut, mend)) in pairs.into_iter().zip(CUTS) {
                scope.spawn(move || pair.cut(what, cut, mend));
            }
        });
    });
}

#[test]
fn a_flapping_link_is_told_a_few_times_and_then_as_flapping() {
    lab(|| {
        let pace = Pace { period: Duration::from_millis(300), num: 2, grace: Duration::from_millis(400) };
        let pair = Pair::new(1, pace, false);
        let start = Instant::now();
        for round in 0..7 {
            pair.site.cut_here();
            wait_state(&pair.server, "nas", "offline");
            if round < 6 {
                pair.site.mend_here();
                wait_state(&pair.server, "nas", "up");
            }
        }
        println!("13 changes in {:?}", start.elapsed());
        wait_told(&pair.hook, "steady");
        print("seven cuts, the last one for good", start, &pair.hook);
        // Five changes within 12 × D: the fifth makes it flapping. Then nothing until 4 × D without a change.
        assert!(pair.hook.asked().len() <= 6, "{} messages", pair.hook.asked().len());
        assert_eq!(tells(&pair.hook, "flapping").len(), 1);
        assert_eq!(tells(&pair.hook, "steady").len(), 1);
        assert_eq!(count(&pair.server, "offline"), 1);
        drop(pair.client);
    });
}
