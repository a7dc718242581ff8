//! What became of a sampled request: each ends in exactly one of these.

use std::fmt;

/// One word for each way in which a sampled request ends, as in metrics and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Both versions answered the same.
    Equal,
    /// They did not.
    Different,
    /// They differ only where v1 does not agree with itself.
    Noise,
    /// They differ, and v1 answers the same request otherwise when it is asked by the filter: its
    /// route rewrites requests, or the request can be asked once only.
    Unrepeatable,
    /// They differ, and v1 could not be asked often enough to know whether it varies there.
    Unconfirmed,
    /// v2 did not answer in time.
    Timeout,
    /// v2 could not be asked, or broke off.
    V2Error,
    /// The request's body, or an answer's, is larger than what is kept.
    TooLarge,
    /// The answers are of a kind, or a shape, that cannot be compared.
    NotComparable,
    /// As much was under way, or held, as may be, by the policy, by the plugin's limit or by a circuit breaker.
    DroppedBusy,
    /// The client was still sending the request or reading v1's answer, or v1 still answering, when its time was
    /// over or others needed its room.
    DroppedSlow,
    /// Its method is not one of those to copy.
    SkippedMethod,
    /// It asks for another protocol.
    SkippedUpgrade,
    /// It asks for a part.
    SkippedRange,
    /// It has a condition, which may hold for one version and not for the other.
    SkippedConditional,
    /// It is a copy itself.
    SkippedCopy,
    /// There is no whole answer of v1: the user left, v1 broke off, or the proxy answered itself.
    SkippedAborted,
    /// v1 answered 429 or 503, which is about v1's load.
    SkippedV1Busy,
    /// v1 answered before it had the whole request.
    SkippedEarlyAnswer,
    /// The policy was replaced while the copy was under way.
    SkippedSwap,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 20] = [
        Self::Equal,
        Self::Different,
        Self::Noise,
        Self::Unrepeatable,
        Self::Unconfirmed,
        Self::Timeout,
        Self::V2Error,
        Self::TooLarge,
        Self::NotComparable,
        Self::DroppedBusy,
        Self::DroppedSlow,
        Self::SkippedMethod,
        Self::SkippedUpgrade,
        Self::SkippedRange,
        Self::SkippedConditional,
        Self::SkippedCopy,
        Self::SkippedAborted,
        Self::SkippedV1Busy,
        Self::SkippedEarlyAnswer,
        Self::SkippedSwap,
    ];

    /// As in metrics and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Noise => "noise",
            Self::Unrepeatable => "unrepeatable",
            Self::Unconfirmed => "unconfirmed",
            Self::Timeout => "timeout",
            Self::V2Error => "v2_error",
            Self::TooLarge => "too_large",
            Self::NotComparable => "not_comparable",
            Self::DroppedBusy => "dropped_busy",
            Self::DroppedSlow => "dropped_slow",
            Self::SkippedMethod => "skipped_method",
            Self::SkippedUpgrade => "skipped_upgrade",
            Self::SkippedRange => "skipped_range",
            Self::SkippedConditional => "skipped_conditional",
            Self::SkippedCopy => "skipped_copy",
            Self::SkippedAborted => "skipped_aborted",
            Self::SkippedV1Busy => "skipped_v1_busy",
            Self::SkippedEarlyAnswer => "skipped_early_answer",
            Self::SkippedSwap => "skipped_swap",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
