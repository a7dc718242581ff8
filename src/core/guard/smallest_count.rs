//! The smallest count at which a test has enough.

/// Returns the smallest count from 1 to `most` that is enough; `None` if `most` is not. Whatever is above an enough
/// count must be enough too.
pub fn smallest_count(most: u64, is_enough: impl Fn(u64) -> bool) -> Option<u64> {
    if !is_enough(most) {
        return None;
    }
    let (mut too_few, mut enough) = (0_u64, most);
    while too_few.saturating_add(1) < enough {
        let middle = too_few.midpoint(enough);
        match is_enough(middle) {
            true => enough = middle,
            false => too_few = middle,
        }
    }
    Some(enough)
}
