//! The part of a judgment that a roll acts on and records.

use serde::{Deserialize, Serialize};
use turnout_judge::Verdict;

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
