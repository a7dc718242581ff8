//! Formats ratios, evidence and durations.

#![expect(clippy::float_arithmetic, reason = "output only")]

use std::f64::consts::LOG10_E;

use turnout_core::Fraction;
use turnout_core::guard::{Alpha, RatioEstimate};
use turnout_text::thousands;

const BAR_CELLS: usize = 20;

/// Describes evidence, a natural logarithm, as a power of ten. It is rounded down, so that it reaches the threshold only
/// if the evidence has.
pub(crate) fn evidence(ln: f64, ln_threshold: f64) -> String {
    if ln * LOG10_E < 0.1 {
        return "no evidence".to_owned();
    }
    let threshold = tenths(ln_threshold + 1e-9);
    let threshold = threshold.strip_suffix(".0").unwrap_or(&threshold);
    format!("evidence 10^{} of 10^{threshold}", tenths(ln))
}

/// The decimal logarithm, rounded down to tenths.
fn tenths(ln: f64) -> String {
    format!("{:.1}", (ln * LOG10_E * 10.0).floor() / 10.0)
}

/// Formats how much of the needed evidence there is, as a bar.
pub(crate) fn bar(ln: f64, ln_threshold: f64) -> String {
    let cells = (1..BAR_CELLS.saturating_add(1)).map(|cell| {
        let needed = ln_threshold * (cell as f64 / BAR_CELLS as f64);
        if ln >= needed { '█' } else { '░' }
    });
    cells.collect()
}

/// Formats a ratio with two or three digits: `0.53`, `12`, `1,200`.
pub(crate) fn ratio(ratio: f64) -> String {
    match ratio {
        0.0 => "0".to_owned(),
        ..0.01 => "<0.01".to_owned(),
        0.01..9.995 => format!("{ratio:.2}"),
        9.995..99.95 => format!("{ratio:.1}"),
        99.95..1e15 => thousands(whole(ratio)),
        _ => "more than 10^15".to_owned(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the ratio is positive and less than 10^15"
)]
fn whole(ratio: f64) -> u64 {
    ratio.round() as u64
}

/// Describes a ratio with its interval. `fails` is `fails` or `is slow`.
pub(crate) fn ratio_in_words(estimate: &RatioEstimate, fails: &str, alpha: Alpha) -> String {
    let RatioEstimate {
        ratio: most_likely,
        low,
        high,
    } = *estimate;
    let confidence = confidence(alpha);
    let [low_words, high_words] = [low, high].map(ratio);
    match most_likely {
        None => format!("unknown, because neither v1 nor v2 {fails}"),
        Some(0.0) => format!(
            "only v1 {fails}: v2 {fails} at most {high_words} times as often, with {confidence} % confidence"
        ),
        Some(f64::INFINITY) => format!(
            "only v2 {fails}: at least {low_words} times as often as v1, with {confidence} % confidence"
        ),
        Some(most_likely) => {
            let high_words = match high {
                f64::INFINITY => "any number".to_owned(),
                _ => high_words,
            };
            format!(
                "v2 {fails} {} times as often as v1: between {low_words} and {high_words}, with {confidence} % \
                 confidence",
                ratio(most_likely)
            )
        }
    }
}

/// The confidence of an interval, in percent.
fn confidence(alpha: Alpha) -> String {
    let millionths = 1_000_000_u32.saturating_sub(alpha.get());
    let percent = Fraction::from_millionths(millionths.saturating_mul(100));
    percent
        .map(|percent| percent.to_string())
        .unwrap_or_default()
}

/// Formats a number of seconds in one or two units: `7 s`, `3 min`, `2 h 5 min`, `9 d`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        172_800..315_576_000 => format!("{} d", thousands(seconds / 86_400)),
        _ => "more than 10 years".to_owned(),
    }
}
