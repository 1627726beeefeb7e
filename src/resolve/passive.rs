//! What is known of addresses that are used anyway: who answered, who keeps failing. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Tick;
use crate::order::order;
use crate::resolve::streak::{PASSIVE, State, Streak};

/// Addresses that are remembered; the one unused for longest goes.
const MAX_ADDRESSES: usize = 256;
/// What was not used for so long is forgotten.
const IDLE: Duration = Duration::from_secs(6 * 3600);

/// The record of all addresses.
#[derive(Default, Debug)]
pub struct Passive {
    /// At most [`MAX_ADDRESSES`].
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    address: SocketAddr,
    streak: Streak,
    /// When it answered last.
    answered: Option<Tick>,
    /// The last attempt failed.
    failed: bool,
    used: Tick,
}

/// The addresses of a name in the order in which to try them.
#[derive(PartialEq, Eq, Debug)]
pub struct Choice {
    /// The one that answered last comes first, those that failed last time later.
    pub addresses: Vec<SocketAddr>,
    /// So many of them are up. The rest is passed over while one of these is left.
    pub up: usize,
}

impl Choice {
    /// The first `most` of them.
    #[must_use]
    pub fn first(mut self, most: usize) -> Choice {
        self.addresses.truncate(most);
        Choice { up: self.up.min(most), ..self }
    }

    /// Among how many the time that is left is shared at place `index`: those passed over get one share together.
    pub fn shares(&self, index: usize) -> u32 {
        let all = self.addresses.len();
        let left = if index < self.up { self.up - index + usize::from(all > self.up) } else { all - index };
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }
}

impl Passive {
    /// The order in which to try `addresses`.
    pub fn choose(&self, addresses: &[SocketAddr], now: Tick) -> Choice {
        let mut up = 0;
        let mut ranks = Vec::with_capacity(addresses.len());
        for address in addresses {
            let entry = self.find(*address, now);
            let state = entry.map_or(State::Up, |entry| entry.streak.state(now));
            up += usize::from(state == State::Up);
            let class = match state {
                State::Up => 0,
                State::Trial => 1,
                State::Down(_) => 2,
            };
            // What answered last has the greatest tick; what never did has none.
            let answered = entry.and_then(|entry| entry.answered).map_or(0, |tick| tick.0.saturating_neg());
            ranks.push((class, entry.is_some_and(|entry| entry.failed), answered));
        }
        let sorted = order(addresses.len(), &|a, b| ranks[a] < ranks[b]);
        Choice { addresses: sorted.into_iter().map(|index| addresses[index]).collect(), up }
    }

    /// An attempt to use place `index` of a choice begins: `false` if it is to be left out, because somebody else
    /// tries whether it is back. Where nothing is up, everything is tried.
    pub fn begin(&mut self, choice: &Choice, index: usize, now: Tick) -> bool {
        let Some(address) = choice.addresses.get(index) else { return false };
        let entry = self.entries.iter_mut().find(|entry| entry.address == *address);
        let taken = |entry: &mut Entry| {
            entry.streak.state(now) == State::Trial && !entry.streak.may_try(&PASSIVE, now) && choice.up > 0
        };
        !entry.is_some_and(taken)
    }

    /// How the attempt went that began at `begun`.
    pub fn outcome(&mut self, address: SocketAddr, begun: Tick, ended: Tick, good: bool) {
        self.entries.retain(|entry| ended.since(entry.used) < IDLE);
        let at = match self.entries.iter().position(|entry| entry.address == address) {
            Some(at) => at,
            None => {
                if self.entries.len() >= MAX_ADDRESSES
                    && let Some(oldest) = (0..self.entries.len()).min_by_key(|at| self.entries[*at].used)
                {
                    self.entries.swap_remove(oldest);
                }
                let streak = Streak::default();
                self.entries.push(Entry { address, streak, answered: None, failed: false, used: ended });
                self.entries.len() - 1
            }
        };
        let entry = &mut self.entries[at];
        entry.streak.outcome(&PASSIVE, begun, ended, good);
        entry.failed = !good;
        if good {
            entry.answered = Some(ended);
        }
        entry.used = ended;
    }

    /// Those of `addresses` that failed last time, while another one is better; none if there is no better one.
    pub fn passed_over(&self, addresses: &[SocketAddr], now: Tick) -> Vec<SocketAddr> {
        let bad = |address: &SocketAddr| {
            self.find(*address, now).is_some_and(|entry| entry.failed || entry.streak.state(now) != State::Up)
        };
        let (bad, good): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(bad);
        if good.is_empty() { Vec::new() } else { bad }
    }

    /// How it went with `addresses` since then, if any of them was used: well if one answered.
    pub fn since(&self, addresses: &[SocketAddr], then: Tick) -> Option<bool> {
        let used = |entry: &&Entry| addresses.contains(&entry.address) && entry.used > then;
        let mut used = self.entries.iter().filter(used).peekable();
        used.peek()?;
        Some(used.any(|entry| entry.answered.is_some_and(|answered| answered > then)))
    }

    fn find(&self, address: SocketAddr, now: Tick) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.address == address && now.since(entry.used) < IDLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Tick {
        Tick(secs * 1000)
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 9080))
    }

    fn play(record: &mut Passive, outcomes: &[(u8, i64, bool)]) {
        for (last, secs, good) in outcomes {
            record.outcome(address(*last), at(*secs), at(*secs), *good);
        }
    }

    fn order_at(record: &Passive, secs: i64) -> (Vec<u8>, usize) {
        let choice = record.choose(&[address(1), address(2), "[2001:db8::3]:9080".parse().unwrap()], at(secs));
        let last = |address: &SocketAddr| match address {
            SocketAddr::V4(v4) => v4.ip().octets()[3],
            SocketAddr::V6(_) => 3,
        };
        (choice.addresses.iter().map(last).collect(), choice.up)
    }

    #[test]
    fn the_one_that_answered_last_comes_first_and_those_that_fail_last() {
        let mut record = Passive::default();
        assert_eq!(order_at(&record, 0), (vec![1, 2, 3], 3), "as the resolver says");
        play(&mut record, &[(1, 1, false), (2, 2, true)]);
        assert_eq!(order_at(&record, 3), (vec![2, 3, 1], 3));
        assert_eq!(record.passed_over(&[address(1), address(2)], at(3)), [address(1)], "not down, but the last choice");
        play(&mut record, &[(1, 3, false), (1, 4, false)]);
        assert_eq!(order_at(&record, 5), (vec![2, 3, 1], 2), "down");
        let all = [address(1), address(2)];
        assert_eq!(record.passed_over(&all, at(5)), [address(1)]);
        assert_eq!(record.passed_over(&all[..1], at(5)), [], "a lonely address is never passed over");
        play(&mut record, &[(1, 70, true), (1, 71, true)]);
        assert_eq!(order_at(&record, 72), (vec![1, 2, 3], 3));
    }

    #[test]
    fn how_it_went_since_then() {
        let mut record = Passive::default();
        let since = |record: &Passive, then: i64| record.since(&[address(1), address(2)], at(then));
        play(&mut record, &[(3, 1, true)]);
        assert_eq!(since(&record, 0), None, "another's");
        play(&mut record, &[(1, 1, false), (1, 2, false)]);
        assert_eq!((since(&record, 1), since(&record, 2)), (Some(false), None));
        play(&mut record, &[(2, 3, true), (1, 4, false)]);
        assert_eq!((since(&record, 2), since(&record, 3)), (Some(true), Some(false)));
    }

    #[test]
    fn where_all_are_down_all_are_tried() {
        let mut record = Passive::default();
        for secs in 0..3 {
            play(&mut record, &[(1, secs, false), (2, secs, false)]);
        }
        let all = [address(1), address(2)];
        let choice = record.choose(&all, at(3));
        assert_eq!(choice, Choice { addresses: all.to_vec(), up: 0 });
        assert!((0..2).all(|index| record.begin(&choice, index, at(3))));
        assert!((0..2).all(|index| record.begin(&choice, index, at(63))));
        assert!((0..2).all(|index| record.begin(&choice, index, at(63))), "by every caller");
        assert_eq!(record.passed_over(&all, at(3)), []);
    }

    #[test]
    fn one_caller_tries_whether_an_address_is_back() {
        let mut record = Passive::default();
        play(&mut record, &[(1, 0, false), (1, 1, false), (1, 2, false), (2, 3, true)]);
        let choice = record.choose(&[address(1), address(2)], at(70));
        assert_eq!(choice, Choice { addresses: vec![address(2), address(1)], up: 1 });
        assert!(record.begin(&choice, 0, at(70)) && record.begin(&choice, 0, at(70)));
        assert!(record.begin(&choice, 1, at(70)) && !record.begin(&choice, 1, at(70)));
        assert!(!record.begin(&choice, 2, at(70)));
    }

    #[test]
    fn those_passed_over_share_one_share() {
        let choice = Choice { addresses: (0..5).map(address).collect(), up: 3 };
        let shares: Vec<u32> = (0..5).map(|index| choice.shares(index)).collect();
        assert_eq!(shares, [4, 3, 2, 2, 1]);
        assert_eq!(Choice { addresses: vec![address(1)], up: 1 }.shares(0), 1);
    }

    /// Whatever happened before: every address has its place, a lonely one is used, and of several one at least.
    #[test]
    fn nobody_is_left_without_an_address() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for round in 0..200 {
            let (mut record, mut now, mut running) = (Passive::default(), Tick(0), Vec::new());
            for _ in 0..200 {
                now = now + Duration::from_millis(below(40_000));
                let from = below(5) as u8;
                let some: Vec<SocketAddr> = (from..=from + below(4) as u8).map(address).collect();
                let most = 1 + below(8) as usize;
                let choice = record.choose(&some, now).first(most);
                assert_eq!(choice.addresses.len(), some.len().min(most), "round {round}");
                assert!(choice.addresses.iter().all(|address| some.contains(address)), "round {round}");
                let tried: Vec<bool> = (0..most).map(|index| record.begin(&choice, index, now)).collect();
                assert!(tried[0], "round {round} at {now:?}: {choice:?}");
                let shares: u32 = choice.shares(0);
                assert!(shares >= 1 && shares as usize <= choice.addresses.len(), "{choice:?}");
                running.push((choice.addresses[below(choice.addresses.len() as u64) as usize], now));
                if below(2) == 0 {
                    let (address, begun) = running.swap_remove(below(running.len() as u64) as usize);
                    record.outcome(address, begun, now, below(3) == 0);
                }
                let bad = record.passed_over(&some, now);
                assert!(bad.len() < some.len(), "round {round}: all of {some:?} are passed over");
            }
        }
    }

    #[test]
    fn it_forgets() {
        let mut record = Passive::default();
        for secs in 0..3 {
            play(&mut record, &[(1, secs, false)]);
        }
        assert_eq!(order_at(&record, 6 * 3600 + 1), (vec![2, 3, 1], 2));
        assert_eq!(order_at(&record, 6 * 3600 + 2), (vec![1, 2, 3], 3));
        for n in 0..1000_u16 {
            record.outcome(SocketAddr::from(([10, 0, 0, 1], n)), at(5), at(5), true);
        }
        assert_eq!(record.entries.len(), MAX_ADDRESSES);
        play(&mut record, &[(1, 9 * 3600, true)]);
        assert_eq!(record.entries.len(), 1);
    }
}
