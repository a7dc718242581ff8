//! Hashes for finding equal values quickly. Values with equal hashes are always compared, so a
//! collision cannot make two values equal.

/// An odd number without a pattern: the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a change of any bit over all bits.
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(GOLDEN);
    let word = (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ word >> 32
}

/// Adds a value to the hash of those before it.
pub(crate) fn then(before: u64, next: u64) -> u64 {
    mix(before.rotate_left(5) ^ next)
}

pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut hash = GOLDEN;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(GOLDEN);
        hash ^= hash >> 32;
    }
    // At most seven bytes, with their number above them.
    let mut last = u64::try_from(tail.len()).unwrap_or_default();
    for byte in tail {
        last = last << 8 | u64::from(*byte);
    }
    mix(hash ^ last)
}
