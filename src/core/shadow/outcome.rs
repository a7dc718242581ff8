//! Outcomes: every sampled request ends in exactly one.

use std::fmt;

/// The outcome of a sampled request, in metrics and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The responses are equal.
    Equal,
    /// The responses differ.
    Different,
    /// They differ only where v1 differs from itself.
    Noise,
    /// They differ, and v1 responds differently when the filter repeats the request: its route rewrites
    /// requests, or the request can be sent only once.
    Unrepeatable,
    /// They differ, and v1 could not be called often enough to know whether it varies there.
    Unconfirmed,
    /// v2 did not respond in time.
    Timeout,
    /// v2 could not be reached, or broke off its response.
    V2Error,
    /// The body of the request or of a response exceeds the limit.
    TooLarge,
    /// The responses cannot be compared.
    NotComparable,
    /// A limit was reached: requests in flight, held bytes, or a circuit breaker.
    DroppedBusy,
    /// The request waited too long for its client or for v1, or had to make room for others.
    DroppedSlow,
    /// The policy does not shadow its method.
    SkippedMethod,
    /// It has an `upgrade` header.
    SkippedUpgrade,
    /// It is a range request.
    SkippedRange,
    /// It is conditional, and the condition may hold for one version only.
    SkippedConditional,
    /// It is itself a shadow request.
    SkippedShadowRequest,
    /// v1's response is incomplete: the user left, v1 broke off, or the proxy responded itself.
    SkippedAborted,
    /// v1 responded 429 or 503, which depends on v1's load.
    SkippedV1Busy,
    /// v1 responded before it had the whole request.
    SkippedEarlyResponse,
    /// The policy was replaced while the shadow request was in flight.
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
        Self::SkippedShadowRequest,
        Self::SkippedAborted,
        Self::SkippedV1Busy,
        Self::SkippedEarlyResponse,
        Self::SkippedSwap,
    ];

    /// The name in metrics and records.
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
            Self::SkippedShadowRequest => "skipped_shadow_request",
            Self::SkippedAborted => "skipped_aborted",
            Self::SkippedV1Busy => "skipped_v1_busy",
            Self::SkippedEarlyResponse => "skipped_early_response",
            Self::SkippedSwap => "skipped_swap",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
