//! The position of an account or request, on which percentages decide, and the salt that hashes to it.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The bucket position of an account or request: a hash that is uniform between 0 and 2⁶⁴ − 1. With another
/// tool's hash, an account has a position in that tool's smaller range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// The lowest position, which every percentage above 0 includes.
    pub const FIRST: Self = Self(0);

    /// The highest position, which only 100 % includes. A request without an id has it.
    pub const LAST: Self = Self(u64::MAX);
}

/// The salt of a rollout, as four seeds that make its buckets for accounts, requests, shadow requests and
/// noise independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt {
    accounts: u64,
    requests: u64,
    shadow: u64,
    noise: u64,
}

impl Salt {
    /// Derives the seeds. `salt` is the rollout's `salt`, or else its name.
    #[must_use]
    pub fn new(salt: &str) -> Self {
        let seed = |purpose: &str| xxh3_64([salt, purpose].concat().as_bytes());
        Self {
            accounts: seed("/accounts"),
            requests: seed("/requests"),
            shadow: seed("/shadow"),
            noise: seed("/noise"),
        }
    }

    /// The position of an account, by its bytes: for a SID the 34 ASCII bytes.
    #[must_use]
    pub fn account(&self, account: &[u8]) -> Position {
        Position(xxh3_64_with_seed(account, self.accounts))
    }

    /// The position of a request, by its `x-request-id`.
    #[must_use]
    pub fn request(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.requests))
    }

    /// The position of a request for sampling into shadowing, by its `x-request-id`.
    #[must_use]
    pub fn shadow(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.shadow))
    }

    /// The position of a sampled request for a second request to v1, by its `x-request-id`.
    #[must_use]
    pub fn noise(&self, id: &[u8]) -> Position {
        Position(xxh3_64_with_seed(id, self.noise))
    }
}
