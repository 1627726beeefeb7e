//! What a daemon costs the metadata service: at most one request per interval, besides tokens.

use std::time::Duration;

use interrupt_callback::clock;

use super::mock::Kind;
use super::{ALL, COMES, Cloud, answer, script};
use crate::common::TempDir;
use crate::common::daemon::Daemon;
use crate::common::http::{Answer, Asked, FakeHttp};

/// What a daemon asks a fake: requests for tokens, those until the first poll, and those from then on.
fn cost(name: &str, http: &FakeHttp, more: &str, first: &str, polls: usize) -> (usize, usize, Vec<Asked>) {
    let dir = TempDir::new();
    let config = format!(
        "provider = \"{name}\"\ninterval = 0.25\n[spot]\nendpoint = \"{}\"\n{more}\n[alert.log]\n",
        http.url("")
    );
    let mut daemon = Daemon::start(dir.path(), &config);
    daemon.wait_line("ready");
    http.wait(polls, |asked| asked.method == "GET" && asked.path.starts_with(first));
    drop(daemon);
    let (tokens, mut asked): (Vec<Asked>, Vec<Asked>) =
        http.asked().into_iter().partition(|asked| asked.method == "PUT");
    let begin = asked.iter().position(|asked| asked.path.starts_with(first)).unwrap();
    let rest = asked.split_off(begin);
    (tokens.len(), asked.len(), rest)
}

/// How many intervals these requests took. The first may have been seen late.
fn intervals(asked: &[Asked]) -> usize {
    let span = asked.last().unwrap().at - asked[0].at;
    usize::try_from(span.as_millis()).unwrap() / 250
}

/// What fits into so many intervals at one request for each, as seen from a machine that is busy with other tests: a
/// fifth more, which is less than one more in every three.
fn allowed(intervals: usize) -> usize {
    intervals * 6 / 5 + 3
}

#[test]
fn every_cloud_is_asked_at_most_once_per_interval() {
    std::thread::scope(|scope| {
        for (name, _, path, _) in ALL {
            for kind in [Kind::Interrupt, Kind::Maintenance] {
                scope.spawn(move || {
                    let cloud = Cloud::start(script(name, kind));
                    // An event that is to be acknowledged stands from the beginning.
                    cloud.set(COMES);
                    let (tokens, before, rest) = cost(name, &cloud.http, "acknowledge = true", path, 24);
                    println!(
                        "{name} {kind:?}: {tokens} tokens, {before} to learn, {} in {} intervals",
                        rest.len(),
                        intervals(&rest)
                    );
                    assert!(tokens <= 1 && before <= 7, "{name}: {tokens} {before}");
                    assert!(rest.len() <= allowed(intervals(&rest)), "{name}: {rest:#?}");
                });
            }
        }
    });
}

#[test]
#[ignore = "long: it counts requests for a while"]
fn nor_is_one_that_refuses_everything() {
    std::thread::scope(|scope| {
        for (name, _, path, _) in ALL {
            for status in [404, 401, 503] {
                scope.spawn(move || {
                    // A token is given each time, and worth nothing.
                    let http = FakeHttp::start(move |asked| match asked.method.as_str() {
                        "PUT" => Answer::ok("token"),
                        _ => Answer::Say(status, vec!["metadata-flavor: Google"], Vec::new()),
                    });
                    let (tokens, before, rest) = cost(name, &http, "", path, 8);
                    println!(
                        "{name} {status}: {tokens} tokens, {before} to learn, {} in {} intervals",
                        rest.len(),
                        intervals(&rest)
                    );
                    // The second token is that which is asked for when the first was refused, and what was refused is asked again.
                    assert!(tokens <= 2 && before <= 7, "{name} {status}: {tokens} {before}");
                    assert!(rest.len() <= allowed(intervals(&rest)) + tokens, "{name} {status}: {rest:#?}");
                });
            }
        }
    });
}

#[test]
fn a_service_that_is_asked_too_often_is_left_alone_for_a_while() {
    std::thread::scope(|scope| {
        for (name, _, path, _) in ALL {
            for (status, wish) in [(429, "retry-after: 1"), (503, "x-y: z")] {
                scope.spawn(move || {
                    let (script, mut refusals) = (script(name, Kind::Interrupt), 0);
                    let http = FakeHttp::start(move |asked| {
                        if asked.path.starts_with(path) && refusals < 5 {
                            refusals += 1;
                            return Answer::Say(status, vec!["metadata-flavor: Google", wish], Vec::new());
                        }
                        answer(&script, asked, clock::wall().secs(), Duration::ZERO)
                    });
                    let (.., rest) = cost(name, &http, "", path, 8);
                    let polls: Vec<&Asked> = rest.iter().filter(|asked| asked.path.starts_with(path)).collect();
                    let gap = |n: usize| polls[n + 1].at - polls[n].at;
                    println!("{name} {status}: {:?}", (0..6).map(gap).collect::<Vec<_>>());
                    // 1 s each where it says so; else 0.25 s twice, then 0.5, 1 and 2 s.
                    let least = if status == 429 { 4000 } else { 3000 };
                    let all = polls[5].at - polls[0].at;
                    assert!(all >= Duration::from_millis(least), "{name} {status}: {all:?}");
                });
            }
        }
    });
}
