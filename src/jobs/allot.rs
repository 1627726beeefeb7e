//! Which host gets which run.

/// A host that can be given work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Worker<'a> {
    /// Its name.
    pub name: &'a str,
    /// Runs that it has already.
    pub load: usize,
}

/// The worker that gets a run: the one with the fewest, and among those the one that a hash of run and name prefers, so
/// that equal hosts share and the choice is the same wherever it is made. `None` if there is none.
pub fn choose<'a>(run: u64, workers: &[Worker<'a>]) -> Option<&'a str> {
    let rank = |worker: &Worker<'_>| {
        let mut hash = crate::keepalive::host::fnv(worker.name.as_bytes()) ^ run;
        // FNV alone leaves names that differ in their last letter side by side.
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (worker.load, hash ^ hash >> 33)
    };
    let mut best: Option<&Worker<'a>> = None;
    for worker in workers {
        if best.is_none_or(|best| rank(worker) < rank(best)) {
            best = Some(worker);
        }
    }
    best.map(|worker| worker.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers<'a>(loads: &[(&'a str, usize)]) -> Vec<Worker<'a>> {
        loads.iter().map(|(name, load)| Worker { name, load: *load }).collect()
    }

    #[test]
    fn the_least_loaded_gets_it_and_equals_share() {
        assert_eq!(choose(1, &[]), None);
        assert_eq!(choose(1, &workers(&[("a", 3), ("b", 1), ("c", 2)])), Some("b"));
        let names: Vec<String> = (0..10).map(|n| format!("w{n}@lan")).collect();
        let equal: Vec<Worker<'_>> = names.iter().map(|name| Worker { name, load: 0 }).collect();
        let mut counts = [0; 10];
        for run in 0..1000_u64 {
            let run = run.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let chosen = choose(run, &equal).unwrap();
            let mut backwards = equal.clone();
            backwards.reverse();
            assert_eq!(choose(run, &backwards), Some(chosen), "the order does not matter");
            counts[names.iter().position(|name| name == chosen).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }
}
