//! The format.

use super::Figures;

#[test]
fn families_have_heads_once_and_labels_are_escaped() {
    let mut out = Figures::default();
    out.family("ic_empty", "Nothing.");
    out.family("ic_things", "Things.").count(&[], 3);
    out.family("ic_lost_events_total", "Lost.");
    out.flag(&[("host", "a\\b\"c\nd"), ("kind", "失")], true);
    out.seconds(&[("host", "e")], 12_034);
    let want = "# HELP ic_things Things.\n# TYPE ic_things gauge\nic_things 3\n\
                # HELP ic_lost_events_total Lost.\n# TYPE ic_lost_events_total counter\n\
                ic_lost_events_total{host=\"a\\\\b\\\"c\\nd\",kind=\"失\"} 1\nic_lost_events_total{host=\"e\"} 12.034\n";
    assert_eq!(out.into_text(), want);
}

#[test]
fn this_process_has_memory() {
    let bytes = super::resident().unwrap();
    assert!((1 << 18..1 << 34).contains(&bytes), "{bytes}");
}

#[test]
fn the_start_stays_where_it_was_until_the_clock_is_set() {
    let mut known = None;
    let seen = [1_800_000_000_000, 1_800_000_000_001, 1_799_999_999_000, 1_800_000_060_000, 1_800_000_060_001]
        .map(|ms| super::families::steady(&mut known, ms));
    assert_eq!(seen, [1_800_000_000_000, 1_800_000_000_000, 1_800_000_000_000, 1_800_000_060_000, 1_800_000_060_000]);
}
