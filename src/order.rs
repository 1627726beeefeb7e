//! Sorting without a copy of the standard library's sort for every type, each of which weighs four kilobytes.

/// The numbers from 0 to `len`, the things that they stand for in the order of `less`; equal ones stay as they were.
/// (Heapsort: no more than about `2 * len * log2(len)` comparisons, whatever the order was.)
pub fn order(len: usize, less: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..len).collect();
    let before = |a: usize, b: usize| less(a, b) || (a < b && !less(b, a));
    let sink = |heap: &mut [usize], mut top: usize| loop {
        let mut child = 2 * top + 1;
        if child + 1 < heap.len() && before(heap[child], heap[child + 1]) {
            child += 1;
        }
        if child >= heap.len() || !before(heap[top], heap[child]) {
            break;
        }
        heap.swap(top, child);
        top = child;
    };
    for step in (0..len + len / 2).rev() {
        // First every parent sinks to its place, then the largest goes to the end, one after the other.
        if step >= len {
            sink(&mut sorted, step - len);
        } else {
            sorted.swap(0, step);
            sink(&mut sorted[..step], 0);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_stable() {
        let mut seed = 1u64;
        for len in (0..70).chain([10_000]) {
            let keys: Vec<u64> = (0..len)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (seed >> 33) % (len as u64 / 2 + 1)
                })
                .collect();
            let mut want: Vec<usize> = (0..len).collect();
            want.sort_by_key(|index| keys[*index]);
            assert_eq!(order(len, &|a, b| keys[a] < keys[b]), want, "{len}");
        }
    }
}
