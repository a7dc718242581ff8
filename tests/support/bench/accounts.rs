//! Accounts by number: as many as one wants, the same ones in every process.

use turnout_core::{AccountListBuilder, Format};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The SID of an account. They are spread over the whole range of SIDs, as real ones are.
#[must_use]
pub fn sid(number: u32) -> String {
    let [high, low] = [0, 1].map(|seed| xxh3_64_with_seed(&number.to_le_bytes(), seed));
    format!("AC{high:016x}{low:016x}")
}

/// The accounts of these numbers as `turnout pack` packs them.
#[must_use]
pub fn packed(numbers: std::ops::Range<u32>) -> String {
    let mut gathered = AccountListBuilder::new(Format::Sid);
    for number in numbers {
        gathered.push(number.into(), sid(number).as_bytes());
    }
    gathered.pack().unwrap_or_default()
}
