//! Medians, spreads, percentiles, and deviations of counts.

use serde_json::{Value, json};

/// A median, with the extremes and the quartiles.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
    /// Half of the values are between this and `upper`.
    pub lower: f64,
    pub upper: f64,
}

impl Spread {
    /// NaN if there are no values.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        // Interpolates between two values.
        let quartile = |quarters: usize| {
            let (place, rest) = (last * quarters / 4, last * quarters % 4);
            let (below, above) = (at(place), at((place + 1).min(last)));
            below + (above - below) * rest as f64 / 4.0
        };
        Self {
            median: quartile(2),
            least: at(0),
            greatest: at(last),
            lower: quartile(1),
            upper: quartile(3),
        }
    }

    /// For a file of all numbers.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "median": self.median,
            "min": self.least,
            "max": self.greatest,
            "lower_quartile": self.lower,
            "upper_quartile": self.upper,
        })
    }
}

/// The smallest value that is not below so many percent of the values.
#[must_use]
pub fn percentile(values: &[u64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).map_or(f64::NAN, |value| *value as f64)
}

/// The deviation of a count from its expected value, in standard deviations. If all or none are expected, any
/// other count is infinitely far away.
#[must_use]
pub fn standard_deviations(drawn: u64, of: u64, percent: u32) -> f64 {
    let share = f64::from(percent) / 100.0;
    let away = drawn as f64 - of as f64 * share;
    if away == 0.0 {
        return 0.0;
    }
    away / (of as f64 * share * (1.0 - share)).sqrt()
}
