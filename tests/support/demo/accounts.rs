//! The accounts of the demos, in three segments. They are the same in every run.

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

/// The kind of customer that an account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// In no segment of the policy.
    Regular,
    /// `big-customers`.
    BigCustomers,
    /// `hvc`.
    HighVisibility,
}

impl Segment {
    /// All segments.
    pub const ALL: [Self; 3] = [Self::Regular, Self::BigCustomers, Self::HighVisibility];

    /// The name on the screen.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::BigCustomers => "big-customers",
            Self::HighVisibility => "hvc",
        }
    }

    /// The name in the policy. Regular accounts are in no segment.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Regular => None,
            Self::BigCustomers | Self::HighVisibility => Some(self.title()),
        }
    }

    /// The number of its accounts.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Regular => 3_000,
            Self::BigCustomers => 40,
            Self::HighVisibility => 10,
        }
    }

    /// The number of requests that each account sends in a step.
    #[must_use]
    pub const fn requests_each(self) -> usize {
        match self {
            Self::Regular => 4,
            Self::BigCustomers => 60,
            Self::HighVisibility => 160,
        }
    }

    /// The SIDs of its accounts.
    pub fn sids(self) -> impl Iterator<Item = String> {
        (0..self.size()).map(move |number| sid(&format!("{} {number}", self.title())))
    }
}

/// `envoy/policy.json` with these accounts in its segments.
#[must_use]
pub fn policy() -> Value {
    let text = crate::envoy::file("policy.json");
    let mut policy: Value = serde_json::from_str(&text).expect("a policy");
    for segment in Segment::ALL {
        if let Some(name) = segment.name() {
            let sids: Vec<String> = segment.sids().collect();
            policy["segments"][name]["accounts"] = json!(sids);
        }
    }
    policy
}

fn sid(seed: &str) -> String {
    format!("AC{:032x}", xxh3_128(seed.as_bytes()))
}
