//! The requests of the client: those of `support::bench::request`, for various accounts.

use support::bench::policy::ACCOUNTS;
use support::bench::{open_loop, request};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::upstream::Version;

/// Accounts with this number or a higher one are in no segment.
pub(crate) const OUTSIDE: u32 = 1_000_000;

/// The requests of one client process.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    /// Selects the accounts.
    pub(crate) seed: u64,
    /// The number of these accounts that are in the segment.
    pub(crate) segment: u32,
}

impl Traffic {
    /// The account of a request. Half of the requests are for accounts of the segment.
    pub(crate) fn account(self, number: u32) -> u32 {
        let drawn = xxh3_64_with_seed(&number.to_le_bytes(), self.seed);
        let (is_outside, drawn) = (drawn % 2 == 1, drawn / 2);
        // A remainder is smaller than its divisor, so it fits.
        match is_outside {
            true => OUTSIDE + (drawn % u64::from(ACCOUNTS)) as u32,
            false => (drawn % u64::from(self.segment.max(1))) as u32,
        }
    }
}

impl open_loop::Traffic for Traffic {
    fn request(&self, number: u32, into: &mut Vec<u8>) {
        request::write(self.account(number), into);
    }

    fn check(&self, number: u32, response: &[u8]) -> Result<(), String> {
        let wrong = |what| format!("request {number}: {what}");
        Version::of(response).map(|_| ()).map_err(wrong)
    }
}
