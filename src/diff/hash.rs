//! HashCache that are equal for what is equal. What has equal hashes is always compared besides, so
//! nothing is taken for equal because of them.

/// An odd number without a pattern: the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a change of any bit over all of them.
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(GOLDEN);
    let word = (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ word >> 32
}

/// What comes after something else.
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
    // Seven bytes at most, with their number above them.
    let mut last = u64::try_from(tail.len()).unwrap_or_default();
    for byte in tail {
        last = last << 8 | u64::from(*byte);
    }
    mix(hash ^ last)
}
