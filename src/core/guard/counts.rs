//! The integers that the test needs: requests, errors and slow requests by stratum and arm.

use crate::bucketing::Fraction;
use crate::decision::Treatment;

/// One value for each arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arms<T> {
    /// Of the requests that took v1.
    pub v1: T,
    /// Of the requests that took v2.
    pub v2: T,
}

/// What became of the requests of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmCounts {
    /// Requests. Those with the same request id count once.
    pub all: u64,
    /// Request ids with an error.
    pub errors: u64,
    /// Request ids with a slow request.
    pub slow: u64,
}

/// The counts of one stratum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StratumCounts {
    /// The percentage of its requests that take v2.
    pub requests: Fraction,
    /// The counts of both arms.
    pub arms: Arms<ArmCounts>,
}

/// The counts of one rollout: of a worker, a proxy, or many proxies. Counts are added before anything is computed
/// from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardCounts {
    /// In the order of the percentages, so that sums of floating-point numbers do not depend on where the counts
    /// come from.
    strata: Vec<StratumCounts>,
}

impl<T> Arms<T> {
    /// The value of an arm.
    #[must_use]
    pub const fn get(&self, arm: Treatment) -> &T {
        match arm {
            Treatment::V1 => &self.v1,
            Treatment::V2 => &self.v2,
        }
    }

    /// The value of an arm, to change it.
    pub const fn get_mut(&mut self, arm: Treatment) -> &mut T {
        match arm {
            Treatment::V1 => &mut self.v1,
            Treatment::V2 => &mut self.v2,
        }
    }

    /// Applies a function to both values.
    pub fn map<U>(self, mut apply: impl FnMut(T) -> U) -> Arms<U> {
        Arms {
            v1: apply(self.v1),
            v2: apply(self.v2),
        }
    }

    /// Combines the values of each arm.
    pub fn zip<U, V>(self, other: Arms<U>, mut apply: impl FnMut(T, U) -> V) -> Arms<V> {
        Arms {
            v1: apply(self.v1, other.v1),
            v2: apply(self.v2, other.v2),
        }
    }
}

impl ArmCounts {
    /// Adds two counts.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            all: self.all.saturating_add(other.all),
            errors: self.errors.saturating_add(other.errors),
            slow: self.slow.saturating_add(other.slow),
        }
    }
}

impl GuardCounts {
    /// Adds counts to a stratum.
    pub fn add(&mut self, requests: Fraction, arms: Arms<ArmCounts>) {
        let found = self
            .strata
            .binary_search_by_key(&requests.millionths(), |stratum| {
                stratum.requests.millionths()
            });
        match found {
            Ok(index) => {
                if let Some(stratum) = self.strata.get_mut(index) {
                    stratum.arms = stratum.arms.zip(arms, ArmCounts::plus);
                }
            }
            Err(index) => self.strata.insert(index, StratumCounts { requests, arms }),
        }
    }

    /// Adds the counts of another worker or proxy.
    pub fn add_all(&mut self, other: &Self) {
        for stratum in &other.strata {
            self.add(stratum.requests, stratum.arms);
        }
    }

    /// Subtracts errors that must not count.
    pub(super) fn subtract_errors(&mut self, requests: Fraction, errors: Arms<u64>) {
        let key = requests.millionths();
        let mut strata = self.strata.iter_mut();
        if let Some(stratum) = strata.find(|stratum| stratum.requests.millionths() == key) {
            stratum.arms = stratum.arms.zip(errors, |counts, errors| ArmCounts {
                errors: counts.errors.saturating_sub(errors),
                ..counts
            });
        }
    }

    /// The strata, in the order of their percentages.
    #[must_use]
    pub fn strata(&self) -> &[StratumCounts] {
        &self.strata
    }

    /// The counts of v2 in all strata together.
    pub(super) fn v2(&self) -> ArmCounts {
        let strata = self.strata.iter();
        strata.fold(ArmCounts::default(), |sum, stratum| {
            sum.plus(stratum.arms.v2)
        })
    }
}
