//! Medians, spreads, percentiles, and how far a count is from what it should be.

use serde_json::{Value, json};

/// A number, with the least and the greatest that it is the median of.
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
    /// Not a number where there is none.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        // Between two values where it falls between them, as far as it is from either.
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

/// The least value that so many percent of the values do not exceed.
#[must_use]
pub fn percentile(values: &[u64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).map_or(f64::NAN, |value| *value as f64)
}

/// How far a drawn number is from the one expected. Where all or none are to be drawn, any other
/// number is infinitely far.
#[must_use]
pub fn standard_deviations(drawn: u64, of: u64, percent: u32) -> f64 {
    let share = f64::from(percent) / 100.0;
    let away = drawn as f64 - of as f64 * share;
    if away == 0.0 {
        return 0.0;
    }
    away / (of as f64 * share * (1.0 - share)).sqrt()
}
