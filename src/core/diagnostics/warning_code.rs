//! The codes of warnings: one stable word for each kind, also for allowing the kind.

/// The kind of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningCode {
    /// A rule that decides no request.
    UnreachableRule,
    /// A rollout that gets no request.
    UnreachableRollout,
    /// A rollout that keeps requests on v1, before a wider one that may send similar requests to v2.
    FallThrough,
    /// An account source that never decides.
    UnreachableSource,
    /// A segment that no rule uses.
    UnusedSegment,
    /// Accounts in two segments that the rules of a rollout treat differently.
    OverlappingSegments,
    /// An account that a segment lists twice.
    RepeatedAccount,
    /// An account that looks mistyped.
    SuspiciousAccount,
    /// A split that sends everyone to v2.
    SplitToAll,
    /// A split that sends no one to v2.
    SplitToNone,
    /// A percentage of 0.
    ZeroPercent,
    /// A ramp with a step below the one before.
    FallingRamp,
    /// A region that one list names twice.
    RepeatedRegion,
    /// A policy, or a rollout, that is halted.
    Halted,
    /// A rollout whose v1 and v2 are the same cluster.
    SameCluster,
    /// A mode that skips a step, compared with the older policy.
    SkippedMode,
    /// Accounts that get new buckets, compared with the older policy.
    Rebucketed,
    /// A rollout that only the older policy has.
    RemovedRollout,
    /// Requests that a running proxy changes after the filter, so that shadow requests differ from them.
    RewrittenRequest,
    /// A rollout that no route of a running proxy serves.
    UnroutedRollout,
    /// Shadowed requests that may hold more memory than a worker does by default.
    HeldBytes,
    /// A guard that has no control to compare some requests of v2 with.
    GuardWithoutControl,
    /// A guard that needs many errors of v2 to trip.
    GuardTooSlowToTrip,
    /// A guard that trips too easily, or too late.
    GuardAlpha,
    /// Two Turnout filters in one HTTP filter chain of a running proxy.
    TwoTurnouts,
    /// More rules and segments than lint can compare.
    NotExamined,
}

impl WarningCode {
    /// All codes.
    pub const ALL: [Self; 26] = [
        Self::UnreachableRule,
        Self::UnreachableRollout,
        Self::FallThrough,
        Self::UnreachableSource,
        Self::UnusedSegment,
        Self::OverlappingSegments,
        Self::RepeatedAccount,
        Self::SuspiciousAccount,
        Self::SplitToAll,
        Self::SplitToNone,
        Self::ZeroPercent,
        Self::FallingRamp,
        Self::RepeatedRegion,
        Self::Halted,
        Self::SameCluster,
        Self::SkippedMode,
        Self::Rebucketed,
        Self::RemovedRollout,
        Self::RewrittenRequest,
        Self::UnroutedRollout,
        Self::HeldBytes,
        Self::GuardWithoutControl,
        Self::GuardTooSlowToTrip,
        Self::GuardAlpha,
        Self::TwoTurnouts,
        Self::NotExamined,
    ];

    /// The code as a word, for example `unreachable-rule`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreachableRule => "unreachable-rule",
            Self::UnreachableRollout => "unreachable-rollout",
            Self::FallThrough => "fall-through",
            Self::UnreachableSource => "unreachable-source",
            Self::UnusedSegment => "unused-segment",
            Self::OverlappingSegments => "overlapping-segments",
            Self::RepeatedAccount => "repeated-account",
            Self::SuspiciousAccount => "suspicious-account",
            Self::SplitToAll => "split-to-all",
            Self::SplitToNone => "split-to-none",
            Self::ZeroPercent => "zero-percent",
            Self::FallingRamp => "falling-ramp",
            Self::RepeatedRegion => "repeated-region",
            Self::Halted => "halted",
            Self::SameCluster => "same-cluster",
            Self::SkippedMode => "skipped-mode",
            Self::Rebucketed => "rebucketed",
            Self::RemovedRollout => "removed-rollout",
            Self::RewrittenRequest => "rewritten-request",
            Self::UnroutedRollout => "unrouted-rollout",
            Self::HeldBytes => "held-bytes",
            Self::GuardWithoutControl => "guard-without-control",
            Self::GuardTooSlowToTrip => "guard-too-slow-to-trip",
            Self::GuardAlpha => "guard-alpha",
            Self::TwoTurnouts => "two-turnouts",
            Self::NotExamined => "not-examined",
        }
    }
}
