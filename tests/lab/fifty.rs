//! Fifty links, each cut once: how exactly is the silence noticed?

use std::time::Duration;

use super::net::{Site, lab};
use super::story::{Pace, channel, count, duration, told};
use crate::common::daemon::Daemon;
use crate::common::{TempDir, wait_within};

const PACE: Pace = Pace { period: Duration::from_millis(500), num: 2, grace: Duration::from_millis(300) };
const LINKS: u8 = 50;
const LONG: Duration = Duration::from_secs(90);

#[test]
#[ignore = "long: fifty cuts, one after the other"]
fn fifty_cuts_are_noticed_at_their_deadlines() {
    lab(|| {
        let (hook, dir) = (channel(), TempDir::new());
        let mut server = Daemon::start(dir.path(), &PACE.server(&hook));
        let port = server.ready().port();
        let start = |number| {
            let (site, dir) = (Site::new(number), TempDir::new());
            let config = PACE.client(&format!("c{number}"), site.hub(false), port);
            (site.daemon(dir.path(), &config), site, dir)
        };
        let clients: Vec<_> = (1..=LINKS).map(start).collect();
        wait_within(LONG, "all up", || (count(&server, "up") == usize::from(LINKS)).then_some(()));
        let cuts = [Site::cut_here, Site::cut_there, Site::lose_what_it_sends, Site::lose_what_it_gets];
        let mut errors = Vec::new();
        for (number, (_, site, _)) in (1..=LINKS).zip(&clients) {
            cuts[usize::from(number) % cuts.len()](site);
            let who = format!("c{number}@");
            let asked = hook.wait(1, |asked| {
                told(asked).iter().any(|(kind, subject)| kind == "offline" && subject.starts_with(&who))
            });
            if told(&asked[0]).len() > 1 {
                println!("{who} was told together with others, which hides its time");
                continue;
            }
            let lasted = duration(&asked[0]);
            assert!(lasted >= PACE.patience(), "{who} before its deadline: {lasted:?}");
            errors.push(lasted.saturating_sub(PACE.patience()).as_millis());
        }
        errors.sort_unstable();
        let at = |percent: usize| errors[(errors.len() - 1) * percent / 100];
        println!(
            "{} cuts: event time after num × period + grace (ms): min {}, median {}, p95 {}, max {}",
            errors.len(),
            at(0),
            at(50),
            at(95),
            at(100)
        );
        let others = hook.asked().iter().filter(|asked| told(asked).iter().any(|(kind, _)| kind != "offline")).count();
        assert_eq!((errors.len() >= 40, others), (true, 0), "{:#?}", hook.asked());
    });
}
