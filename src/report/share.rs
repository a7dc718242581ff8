//! Shares of a whole, and their formatting as percentages with three significant digits.

#![expect(clippy::float_arithmetic, reason = "shares are only printed and drawn")]

/// A share of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Share(f64);

impl Share {
    pub(crate) const fn new(ratio: f64) -> Self {
        Self(ratio)
    }

    /// The share that `part` is of `whole`. 0 of 0 is 0.
    pub(crate) fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self(0.0);
        }
        Self(to_float(part) / to_float(whole))
    }

    pub(crate) const fn ratio(self) -> f64 {
        self.0
    }

    pub(crate) fn percent(self) -> f64 {
        self.0 * 100.0
    }

    /// Formats the percentage, rounded to the nearest: `12.3`.
    pub(crate) fn round(self) -> String {
        self.rounded(f64::round)
    }

    /// Formats an upper bound in percent, never below the value.
    pub(crate) fn round_up(self) -> String {
        self.rounded(f64::ceil)
    }

    /// Formats a lower bound in percent, never above the value.
    pub(crate) fn round_down(self) -> String {
        self.rounded(f64::floor)
    }

    /// Formats the position in a chart of this width, whose right end is `whole`.
    pub(crate) fn position(self, whole: Self, width: u32) -> String {
        let ratio = if whole.0 > 0.0 { self.0 / whole.0 } else { 0.0 };
        let width = f64::from(width);
        format!("{:.1}", (ratio * width).clamp(0.0, width))
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }

    pub(crate) fn from_percent(percent: f64) -> Self {
        Self(percent / 100.0)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    pub(crate) const fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    pub(crate) const fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    fn rounded(self, round: fn(f64) -> f64) -> String {
        let percent = self.percent();
        let mut decimals = 1_usize;
        let mut scale = 10.0;
        let mut threshold = 10.0;
        while decimals < 9 && percent < threshold {
            decimals = decimals.saturating_add(1);
            scale *= 10.0;
            threshold /= 10.0;
        }
        let text = format!("{:.decimals$}", round(percent * scale) / scale);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Converts a count to the nearest float, which is exact up to 2^53.
pub(crate) fn to_float(count: u64) -> f64 {
    const HALF: f64 = 4_294_967_296.0;
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * HALF + f64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_three_significant_digits() {
        for (part, whole, expected) in [
            (0, 0, "0"),
            (0, 7, "0"),
            (1, 3, "33.3"),
            (1, 1, "100"),
            (1, 1_000, "0.1"),
            (123, 100_000, "0.123"),
            (1, 3_000_000, "0.0000333"),
        ] {
            assert_eq!(Share::of(part, whole).round(), expected);
        }
    }

    #[test]
    fn bounds_are_rounded_outwards() {
        let share = Share::new(0.000_998_079);
        assert_eq!(share.round_up(), "0.0999");
        assert_eq!(share.round_down(), "0.0998");
        assert_eq!(Share::new(0.001_000_078).round_up(), "0.101");
        assert_eq!(Share::new(0.001).round_up(), "0.1");
    }

    #[test]
    fn counts_become_floats() {
        assert!((to_float(4_294_967_296 + 5) - 4_294_967_301.0).abs() < 0.5);
        assert!((to_float(1 << 53) - 9_007_199_254_740_992.0).abs() < 0.5);
    }
}
