//! Numbers that look random and depend only on a seed, so that a simulation can be repeated.

use turnout_core::Fraction;

/// The seed of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seed(u64);

/// What a number is for. The numbers of two purposes are independent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    RequestId,
    Account,
    Error,
    Slow,
}

impl Seed {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }

    /// The number of a request.
    pub(super) fn number(self, purpose: Purpose, request: u64) -> u64 {
        let seed = mix(self.0) ^ (purpose as u64);
        mix(mix(seed) ^ request)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(super) fn below(self, purpose: Purpose, request: u64, bound: u64) -> u64 {
        let product = u128::from(self.number(purpose, request)).saturating_mul(bound.into());
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// Whether something happens that has this probability.
    pub(super) fn happens(self, purpose: Purpose, request: u64, probability: Fraction) -> bool {
        let whole = Fraction::ALL.millionths();
        self.below(purpose, request, whole.into()) < probability.millionths().into()
    }
}

/// One step of `SplitMix64`.
const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_as_frequent_as_their_probability() {
        for (percentage, expected) in [
            ("0", 0..=0),
            ("0.1", 70..=130),
            ("5", 4_800..=5_200),
            ("100", 100_000..=100_000),
        ] {
            let probability = Fraction::from_percentage(percentage).unwrap();
            for seed in [0, 1, u64::MAX] {
                let happens =
                    |request: &u64| Seed::new(seed).happens(Purpose::Error, *request, probability);
                let count = (0..100_000).filter(happens).count();
                assert!(
                    expected.contains(&count),
                    "{percentage} %, seed {seed}: {count}"
                );
            }
        }
    }

    #[test]
    fn purposes_and_seeds_are_independent() {
        let half = Fraction::from_percentage("50").unwrap();
        let both = |one: (u64, Purpose), other: (u64, Purpose)| {
            let happens =
                |(seed, purpose), request| Seed::new(seed).happens(purpose, request, half);
            let both =
                (0..10_000).filter(|request| happens(one, *request) && happens(other, *request));
            both.count()
        };
        for (one, other) in [
            ((1, Purpose::Error), (1, Purpose::Slow)),
            ((1, Purpose::Error), (1, Purpose::RequestId)),
            ((1, Purpose::Error), (2, Purpose::Error)),
            ((1, Purpose::Error), (2, Purpose::Slow)),
        ] {
            let count = both(one, other);
            assert!(
                (2_300..=2_700).contains(&count),
                "{one:?}, {other:?}: {count}"
            );
        }
    }

    #[test]
    fn a_number_is_below_its_bound() {
        for bound in [0_u64, 1, 3, u64::MAX] {
            for request in 0..100 {
                let number = Seed::new(7).below(Purpose::Account, request, bound);
                assert!(number < bound.max(1), "{number} of {bound}");
            }
        }
    }
}
