//! Simulated weeks of living hosts: nobody is ever told silent.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use interrupt_callback::alert::pending::Pending;
use interrupt_callback::event::Event;
use interrupt_callback::keepalive::beat::Report;
use interrupt_callback::keepalive::heard::Heard;
use interrupt_callback::keepalive::roster::Roster;

use super::random::Rng;
use super::world::*;

/// How the network treats hosts.
struct Network {
    /// Longest time there and back.
    rtt: u64,
    /// Longest burst in which nothing gets through, and the mean time between two of one host; none if 0.
    burst: (u64, u64),
    /// Longest stall of the server, and the mean time between two; none if 0.
    stall: (u64, u64),
}

/// A host as the client beats: 0–10 % early, never late, counted from start to start; what fails is tried again after
/// 1, 2, 4, 8 s, at most a quarter of the period apart. An attempt fails after half of the period, 5 to 15 s.
struct Client {
    start: i64,
    pause: i64,
    burst: (i64, i64),
    report: Report,
}

struct Run {
    rng: Rng,
    per: i64,
    network: Network,
    /// The server stands still from then to then.
    stall: (i64, i64),
    clients: Vec<Client>,
    roster: Roster,
    pending: Pending,
    told: Vec<Event>,
    /// The original program's counters: beats set them to `num`, every period takes one away.
    counters: Vec<u32>,
    alarms: u32,
}

impl Run {
    fn new(seed: u64, num: u32, per: i64, hosts: usize, network: Network) -> Run {
        let mut rng = Rng(seed);
        let clients = (0..hosts).map(|_| Client {
            start: rng.ms(u64::try_from(per).unwrap()),
            pause: 0,
            burst: (0, 0),
            report: Report { per, ..report(0) },
        });
        let clients = clients.collect();
        Run {
            rng,
            per,
            network,
            stall: (0, 0),
            clients,
            roster: Roster::new(rules(num)),
            pending: Pending::default(),
            told: Vec::new(),
            counters: vec![num; hosts],
            alarms: 0,
        }
    }

    fn go(&mut self, num: u32, until: i64) {
        let names: Vec<String> = (0..self.clients.len()).map(|host| format!("h{host}")).collect();
        let mut due: BinaryHeap<Reverse<(i64, usize)>> =
            self.clients.iter().enumerate().map(|(host, client)| Reverse((client.start, host))).collect();
        let (mut scan, mut patrol) = (0, self.per);
        while let Some(Reverse((now, host))) = due.pop().filter(|Reverse((now, _))| *now < until) {
            self.stalls(now);
            while scan.min(patrol) <= now {
                if (self.stall.0..self.stall.1).contains(&scan) {
                    scan = self.stall.1;
                    continue;
                }
                if scan <= patrol {
                    scan = self.roster.scan(&at(scan), &mut self.pending).0 - START;
                    self.told.extend(self.pending.take(usize::MAX).into_iter().filter_map(|change| change.event));
                } else {
                    patrol += self.per;
                    self.patrol();
                }
            }
            let (arrives, next) = self.attempt(host, now);
            if arrives {
                self.counters[host] = num;
                let report = &self.clients[host].report;
                let from = "192.0.2.7:1".parse().unwrap();
                let heard = Heard { user: "default", name: &names[host], from, protocol: 2, old_key: false, report };
                self.roster.hear(&heard, &at(now), &mut self.pending).unwrap();
            }
            due.push(Reverse((next, host)));
        }
    }

    fn stalls(&mut self, now: i64) {
        let (longest, apart) = self.network.stall;
        if longest > 0 && now >= self.stall.1 {
            let begins = now + self.rng.ms(2 * apart);
            self.stall = (begins, begins + self.rng.ms(longest));
        }
    }

    fn patrol(&mut self) {
        for counter in &mut self.counters {
            if *counter > 0 {
                *counter -= 1;
                self.alarms += u32::from(*counter == 0);
            }
        }
    }

    /// An attempt that reaches the server, or does not, at `now`: whether it does, and when the next one will be there.
    fn attempt(&mut self, host: usize, now: i64) -> (bool, i64) {
        let there = self.rng.ms(self.network.rtt / 2 + 1);
        let early = self.rng.ms(u64::try_from(self.per / 10).unwrap() + 1);
        let (longest, apart) = self.network.burst;
        let client = &mut self.clients[host];
        if longest > 0 && now >= client.burst.1 {
            let begins = client.burst.1.max(now) + self.rng.ms(2 * apart);
            let ends = begins + 1000 + self.rng.ms(longest - 1000);
            // The first burst of a host lies ahead, too.
            client.burst = (begins, ends);
        }
        let patience = (self.per / 2).clamp(5000, 15_000);
        if (self.stall.0..self.stall.1).contains(&now) && self.stall.1 - now <= patience {
            // It waits in the backlog.
            return (false, self.stall.1);
        }
        client.report.seq += 1;
        if [client.burst, self.stall].iter().any(|(from, to)| (*from..*to).contains(&now)) {
            client.pause = (client.pause * 2).clamp(1000, 8000).min(self.per / 4);
            client.start += patience + client.pause;
        } else {
            client.pause = 0;
            client.start += self.per - early;
        }
        (client.pause == 0, (client.start + there).max(now + 1))
    }
}

#[test]
fn without_loss_nobody_is_told_whatever_the_period() {
    for num in [1, 2] {
        for (per, minutes) in
            [(1000, 60), (2500, 120), (10_000, 600), (30_000, 1440), (60_000, 2880), (600_000, 20_000)]
        {
            let mut run = Run::new(u64::from(num), num, per, 20, Network { rtt: 100, burst: (0, 0), stall: (0, 0) });
            run.go(num, minutes * 60_000);
            assert_eq!(run.told, [], "num {num}, every {per} ms");
        }
    }
}

#[test]
fn a_server_that_stands_still_now_and_then_tells_nothing_of_the_living() {
    for per in [1000, 10_000, 30_000, 60_000] {
        for stall in [(5000, 20_000), (60_000, 120_000), (3_600_000, 600_000)] {
            let network = Network { rtt: 1000, burst: (0, 0), stall };
            let mut run = Run::new(3, 2, per, 20, network);
            run.go(2, 2000 * per.max(10_000));
            assert_eq!(run.told, [], "every {per} ms, stalls {stall:?}");
        }
    }
}

fn lossy(days: i64) {
    // 37 s at most, 19 s on average, every 1,900 s: 1 % of the time.
    let network = Network { rtt: 2000, burst: (37_000, 1_900_000), stall: (0, 0) };
    let mut run = Run::new(7, 3, 30_000, 200, network);
    run.go(3, days * 86_400_000);
    eprintln!("{days} days: {} false alarms by counters, {} by deadlines", run.alarms, run.told.len());
    assert_eq!(run.told, []);
    assert!(run.alarms > 0, "the same traffic must be hard for counters");
}

#[test]
fn three_days_of_two_hundred_hosts_with_loss_in_bursts_tell_nothing() {
    lossy(3);
}

#[test]
#[ignore = "long"]
fn thirty_days_of_two_hundred_hosts_with_loss_in_bursts_tell_nothing() {
    lossy(30);
}
