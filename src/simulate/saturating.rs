//! Counters that stop at the largest number.

pub(crate) fn increase(count: &mut u64) {
    add(count, 1);
}

pub(crate) fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}
