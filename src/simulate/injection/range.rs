//! Sums up one number of several trials.

use serde::Serialize;

/// A number of several trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The median. Of an even number of trials, the upper one of the middle two.
    pub median: u64,
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Range {
    /// Sums up numbers; `None` if there are none.
    pub(super) fn of(numbers: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut numbers: Vec<u64> = numbers.into_iter().collect();
        numbers.sort_unstable();
        Some(Self {
            median: *numbers.get(numbers.len() / 2)?,
            least: *numbers.first()?,
            most: *numbers.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed_up() {
        let of = |numbers: &[u64]| {
            let range = Range::of(numbers.iter().copied());
            range.map(|range| (range.least, range.median, range.most))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5]), Some((5, 5, 5)));
        assert_eq!(of(&[9, 1]), Some((1, 9, 9)));
        assert_eq!(of(&[9, 1, 4]), Some((1, 4, 9)));
    }
}
