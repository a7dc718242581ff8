//! The part of a judgment that a roll acts on and records.

use std::f64::consts::LOG10_E;

use serde::{Deserialize, Serialize};
use turnout_core::Treatment;
use turnout_judge::{Judgment, Reason, Verdict};

/// The part of a judgment that a roll acts on and records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepJudgment {
    /// The verdict.
    #[serde(with = "verdict")]
    pub verdict: Verdict,
    /// Why, as a sentence.
    pub text: String,
    /// The requests that v2 has served and that were compared, since the counts of the step began.
    pub v2_requests: u64,
    /// How long they have been counted, in seconds, by the clocks of the proxies.
    pub observed_seconds: u64,
    /// The natural logarithm of the evidence that v2 is worse.
    pub log_evidence: f64,
    /// The natural logarithm of the evidence that v2 is good enough.
    pub health_evidence: f64,
    /// The natural logarithm of the evidence that is enough.
    pub log_threshold: f64,
    /// How many times as often v2 fails as v1. `None` if that is unknown.
    pub ratio: Option<f64>,
    /// The lower end of the interval of the ratio.
    pub ratio_low: f64,
    /// The upper end. `None` if it is unbounded.
    pub ratio_high: Option<f64>,
    /// The requests of v2 that HEALTHY still needs, if that is known.
    pub needed_requests: Option<u64>,
    /// How long they take at the present rate, in seconds.
    pub needed_seconds: Option<u64>,
}

impl StepJudgment {
    /// Takes what a roll needs from a judgment.
    #[must_use]
    pub fn of(judgment: &Judgment) -> Self {
        let strata = judgment.counts.strata().iter();
        let of_v2 = strata.map(|stratum| stratum.arms.get(Treatment::V2).all);
        let ratio = &judgment.ratio;
        let mut step = Self {
            verdict: judgment.verdict,
            text: String::new(),
            v2_requests: of_v2.fold(0, u64::saturating_add),
            observed_seconds: judgment.observed_seconds,
            log_evidence: finite(judgment.evidence.total),
            health_evidence: finite(judgment.health.total),
            log_threshold: judgment.ln_threshold,
            ratio: ratio.ratio.filter(|ratio| ratio.is_finite()),
            ratio_low: finite(ratio.low),
            ratio_high: Some(ratio.high).filter(|high| high.is_finite()),
            needed_requests: judgment.needed.map(|needed| needed.v2_requests),
            needed_seconds: judgment.needed.and_then(|needed| needed.seconds),
        };
        step.text = match judgment.reasons.first() {
            Some(Reason::Healthy | Reason::WeakEvidence | Reason::StrongEvidence) | None => {
                step.evidence()
            }
            Some(reason) => reason.sentence().trim_end_matches('.').to_owned(),
        };
        step
    }

    /// Describes the evidence in a sentence without a full stop.
    fn evidence(&self) -> String {
        let ratio = match (self.ratio, self.ratio_high) {
            (None, Some(high)) => format!("v2 fails at most {high:.2} times as often as v1"),
            (None, None) if self.ratio_low > 0.0 => {
                let low = self.ratio_low;
                format!("v2 fails at least {low:.2} times as often as v1")
            }
            (None, None) => "neither v1 nor v2 fails".to_owned(),
            (Some(ratio), high) => {
                let high =
                    high.map_or_else(|| "any number".to_owned(), |high| format!("{high:.2}"));
                let low = self.ratio_low;
                format!("v2 fails {ratio:.2} times as often as v1 ({low:.2} to {high})")
            }
        };
        format!(
            "evidence of health 10^{}, of a regression 10^{}, of 10^{} needed; {ratio}",
            tenths(self.health_evidence),
            tenths(self.log_evidence),
            tenths(self.log_threshold)
        )
    }
}

/// The largest number that JSON has, instead of an infinite one.
const fn finite(number: f64) -> f64 {
    number.clamp(f64::MIN, f64::MAX)
}

/// Returns a natural logarithm as a decimal one, rounded down to tenths, so that it reaches the threshold only if the
/// evidence has.
#[expect(clippy::float_arithmetic, reason = "output only")]
fn tenths(ln: f64) -> String {
    let tenths = (ln * LOG10_E * 10.0 + 1e-9).floor() / 10.0;
    format!("{tenths:.1}")
}

/// A verdict as JSON has it.
mod verdict {
    use serde::{Deserialize, Deserializer, Serializer};
    use turnout_judge::Verdict;

    const ALL: [Verdict; 4] = [
        Verdict::Healthy,
        Verdict::NotEnoughData,
        Verdict::Invalid,
        Verdict::Regressed,
    ];

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is that of serde"
    )]
    pub(crate) fn serialize<S: Serializer>(
        verdict: &Verdict,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(verdict.as_json())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Verdict, D::Error> {
        let word = String::deserialize(deserializer)?;
        let verdict = ALL.into_iter().find(|verdict| verdict.as_json() == word);
        verdict.ok_or_else(|| serde::de::Error::custom("expected a verdict"))
    }
}
