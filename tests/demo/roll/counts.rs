//! What the guards of all proxies have counted.

use std::collections::BTreeMap;

use crate::plan::{COMPARED, ROLLOUT};

/// The requests of one arm, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) all: u64,
    pub(crate) errors: u64,
}

/// The requests that the guards compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) v1: Arm,
    pub(crate) v2: Arm,
}

impl Counts {
    /// Picks the counters of the rollout out of Envoy's statistics.
    pub(crate) fn of(stats: &BTreeMap<String, u64>) -> Self {
        let of = |arm: &str, kind: &str| {
            let name = format!("wasmcustom.turnout.guard.{ROLLOUT}.{COMPARED}.{arm}.{kind}");
            stats.get(&name).copied().unwrap_or_default()
        };
        let arm = |arm: &str| Arm {
            all: of(arm, "all"),
            errors: of(arm, "errors"),
        };
        Self {
            v1: arm("v1"),
            v2: arm("v2"),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    pub(crate) fn since(self, before: Self) -> Self {
        self.zip(before, u64::saturating_sub)
    }

    fn zip(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        let arm = |one: Arm, other: Arm| Arm {
            all: both(one.all, other.all),
            errors: both(one.errors, other.errors),
        };
        Self {
            v1: arm(self.v1, other.v1),
            v2: arm(self.v2, other.v2),
        }
    }
}
