//! Formats judgments as JSON. The names are a contract, see docs/reference.md.

use serde_json::{Value, json};
use turnout_core::guard::{ArmCounts, GuardState, RatioEstimate};

use crate::{JudgedProxy, JudgedStratum, Judgment};

/// Formats judgments as a JSON document with the member `rollouts`.
///
/// Floating-point numbers have as many digits as identify them, so two judgments of the same counts are the same text.
#[must_use]
pub fn to_json(judgments: &[Judgment]) -> String {
    let rollouts: Vec<Value> = judgments.iter().map(Judgment::to_json_value).collect();
    format!("{:#}\n", json!({ "rollouts": rollouts }))
}

impl Judgment {
    /// Returns the judgment as a JSON object.
    #[must_use]
    pub fn to_json_value(&self) -> Value {
        let reasons = self.reasons.iter();
        let reasons =
            reasons.map(|reason| json!({ "code": reason.code(), "text": reason.sentence() }));
        let warnings = self.warnings.iter();
        let warnings =
            warnings.map(|warning| json!({ "code": warning.code(), "text": warning.sentence() }));
        let slow = self.slow_ratio.as_ref();
        json!({
            "rollout": self.rollout,
            "verdict": self.verdict.as_json(),
            "reasons": reasons.collect::<Vec<_>>(),
            "warnings": warnings.collect::<Vec<_>>(),
            "observed_seconds": self.observed_seconds,
            "log_evidence": self.evidence.total,
            "log_evidence_errors": self.evidence.errors,
            "log_evidence_slow": self.evidence.slow,
            "log_evidence_limit": self.evidence.limit,
            "log_threshold": self.ln_threshold,
            "ratio": ratio(&self.ratio),
            "ratio_low": self.ratio.low,
            "ratio_high": finite(self.ratio.high),
            "slow_ratio": slow.and_then(ratio),
            "slow_ratio_low": slow.map(|slow| slow.low),
            "slow_ratio_high": slow.and_then(|slow| finite(slow.high)),
            "health_evidence": self.health.total,
            "health_evidence_errors": self.health.errors,
            "health_evidence_slow": self.health.slow,
            "health_evidence_limit": self.health.limit,
            "excess_millionths": self.excess.millionths(),
            "needed": self.needed.map(|needed| json!({
                "v2_requests": needed.v2_requests,
                "seconds": needed.seconds,
            })),
            "strata": self.strata.iter().map(stratum).collect::<Vec<_>>(),
            "worst_stratum_millionths": self.worst_stratum.map(|worst| worst.millionths()),
            "proxies": self.proxies.as_ref().map(|proxies| {
                proxies.iter().map(proxy).collect::<Vec<_>>()
            }),
            "coverage": self.coverage.map(|coverage| json!({
                "decided": coverage.decided,
                "served": coverage.served,
            })),
        })
    }
}

/// JSON has no infinity.
fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}

fn ratio(estimate: &RatioEstimate) -> Option<f64> {
    estimate.ratio.and_then(finite)
}

fn stratum(stratum: &JudgedStratum) -> Value {
    json!({
        "requests_millionths": stratum.requests.millionths(),
        "v1": arm(stratum.arms.v1),
        "v2": arm(stratum.arms.v2),
        "log_evidence": stratum.ln_evidence,
        "is_balanced": stratum.is_balanced,
    })
}

fn arm(counts: ArmCounts) -> Value {
    let ArmCounts { all, errors, slow } = counts;
    json!({ "all": all, "errors": errors, "slow": slow })
}

fn proxy(proxy: &JudgedProxy) -> Value {
    json!({
        "proxy": proxy.name,
        "missing": proxy.missing,
        "revision_number": proxy.revision_number,
        "state": proxy.state.map(GuardState::as_str),
        "restarts": proxy.restarts,
    })
}
