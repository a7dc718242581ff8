//! Medians, percentiles, and ratios of what was measured in the same round.

use serde_json::{Value, json};

use crate::round::Round;
use crate::variants::Variant;

/// All rounds of one variant.
pub(crate) struct Series {
    pub(crate) variant: Variant,
    pub(crate) rounds: Vec<Round>,
    /// At the end of the last round.
    pub(crate) memory_kib: u64,
}

/// A number, with the least and the greatest that it is the median of.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Series {
    pub(crate) fn new(variant: &Variant) -> Self {
        Self {
            variant: *variant,
            rounds: Vec::new(),
            memory_kib: 0,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.variant.name,
            "memory_kib": self.memory_kib,
            "rounds": self.rounds,
        })
    }
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self {
            // Of an even number of values the middle of the two in the middle.
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            least: at(0),
            greatest: at(last),
        }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "median": self.median, "min": self.least, "max": self.greatest })
    }
}

/// The least value that so many percent of the values do not exceed.
pub(crate) fn percentile(values: &[u64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).map_or(f64::NAN, |value| *value as f64)
}

/// How far a drawn number is from the one expected. Where all or none are to be drawn, any other
/// number is infinitely far.
pub(crate) fn standard_deviations(drawn: u64, of: u64, percent: u32) -> f64 {
    let share = f64::from(percent) / 100.0;
    let away = drawn as f64 - of as f64 * share;
    if away == 0.0 {
        return 0.0;
    }
    away / (of as f64 * share * (1.0 - share)).sqrt()
}
