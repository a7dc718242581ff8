//! The accounts of the demo, in three segments: the same ones in every run.

use xxhash_rust::xxh3::xxh3_128;

/// What kind of customer an account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Regular,
    BigCustomers,
    HighVisibility,
}

impl Segment {
    pub(crate) const ALL: [Self; 3] = [Self::Regular, Self::BigCustomers, Self::HighVisibility];

    /// As on the screen.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::BigCustomers => "big-customers",
            Self::HighVisibility => "hvc",
        }
    }

    /// As in the policy. Regular accounts are in none of its segments.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Regular => None,
            Self::BigCustomers | Self::HighVisibility => Some(self.title()),
        }
    }

    /// How many accounts it has.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Regular => 3_000,
            Self::BigCustomers => 40,
            Self::HighVisibility => 10,
        }
    }

    /// How many requests each of its accounts sends in a step.
    pub(crate) const fn requests_each(self) -> usize {
        match self {
            Self::Regular => 4,
            Self::BigCustomers => 60,
            Self::HighVisibility => 160,
        }
    }

    /// The SIDs of its accounts.
    pub(crate) fn sids(self) -> impl Iterator<Item = String> {
        (0..self.size()).map(move |number| sid(&format!("{} {number}", self.title())))
    }
}

fn sid(seed: &str) -> String {
    format!("AC{:032x}", xxh3_128(seed.as_bytes()))
}
