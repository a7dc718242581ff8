//! The evidence of random counts as one number, which is the same wherever it is computed. Both the guest and
//! `tests/mock/guard_digits.rs` contain this file.

use turnout_core::Fraction;
use turnout_core::guard::{
    Alpha, ArmCounts, Arms, Bounded, ErrorLimit, GuardCounts, GuardSettings, GuardTest, Ratio,
    SlowSettings,
};

/// Hashes all digits of the evidence of so many random tables of counts, each with random settings.
pub(crate) fn guard_digits(tables: u32) -> u64 {
    let mut random = Random(u64::from(tables));
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |number: u64| {
        for byte in number.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for _ in 0..tables {
        let test = GuardTest::new(&settings(&mut random));
        let counts = counts(&mut random);
        let evidence = test.evidence(&counts);
        let kinds = [evidence.errors, evidence.slow, evidence.limit];
        let logarithms = kinds.map(Option::unwrap_or_default);
        for logarithm in logarithms.into_iter().chain([evidence.total]) {
            add(logarithm.to_bits());
        }
        add(evidence.milli_log10());
        add(test.ln_threshold().to_bits());
        add(u64::from(test.is_enough(&evidence)));
        add(u64::from(test.imbalance(&counts).is_some()));
    }
    hash
}

fn settings(random: &mut Random) -> GuardSettings {
    GuardSettings {
        errors: bounded::<{ Ratio::LOWEST }, { Ratio::HIGHEST }>(random),
        slow: bounded::<{ Ratio::LOWEST }, { Ratio::HIGHEST }>(random)
            .map(|ratio| SlowSettings { over_ms: 1, ratio }),
        limit: bounded::<{ ErrorLimit::LOWEST }, { ErrorLimit::HIGHEST }>(random),
        alpha: bounded::<{ Alpha::LOWEST }, { Alpha::HIGHEST }>(random)
            .unwrap_or(GuardSettings::default().alpha),
        ..GuardSettings::default()
    }
}

/// Three of four times a number within bounds.
fn bounded<const LOWEST: u32, const HIGHEST: u32>(
    random: &mut Random,
) -> Option<Bounded<LOWEST, HIGHEST>> {
    let range = u64::from(HIGHEST.saturating_sub(LOWEST)).saturating_add(1);
    let number = u32::try_from(random.below(range)).ok()?;
    let is_set = random.below(4) > 0;
    Bounded::new(LOWEST.saturating_add(number)).filter(|_| is_set)
}

/// One to four strata, with errors in every order of magnitude.
fn counts(random: &mut Random) -> GuardCounts {
    let mut counts = GuardCounts::default();
    for _ in 0..=random.below(4) {
        let millionths = u32::try_from(random.below(1_000_001)).unwrap_or_default();
        let Some(requests) = Fraction::from_millionths(millionths) else {
            continue;
        };
        let mut arm = || {
            let all = 1_u64 << random.below(40);
            let [errors, slow] = [random.below(41), random.below(41)].map(|shift| all >> shift);
            ArmCounts { all, errors, slow }
        };
        let arms = Arms {
            v1: arm(),
            v2: arm(),
        };
        counts.add(requests, arms);
    }
    counts
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31))
            .checked_rem(bound)
            .unwrap_or_default()
    }
}
