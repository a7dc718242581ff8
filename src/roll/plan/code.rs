//! The codes of the problems that only a plan can have. A problem that a policy can have too has the policy's code.

use turnout_core::{Problem, Severity};

/// The kind of a problem of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanCode {
    /// A quiet time that never ends.
    AlwaysQuiet,
    /// A segment that is forbidden until the first step, so in no step.
    EarlyForbid,
    /// A quiet time whose `from` is its `to`.
    EmptyWindow,
    /// A time of day that is not `HH:MM`.
    MalformedClock,
    /// A URL of `notify` that is not valid.
    MalformedUrl,
    /// A step that is observed although the guard has nothing to compare in it.
    NoControl,
    /// A rollout without a guard.
    NoGuard,
    /// A rollout whose mode is not `split`.
    NotSplit,
    /// A step with the name of an earlier one.
    RepeatedStep,
    /// A rule that the rollout does not have.
    UnknownRule,
    /// A step that the plan does not have.
    UnknownStep,
    /// A time zone that the IANA database does not have.
    UnknownTimeZone,
    /// A `rule` in a step with `rules`, which replaces all rules.
    UselessRule,
    /// Warning: a ramp in the rules of a step, which moves accounts by itself.
    RampInStep,
    /// Warning: a bake with fewer requests than v2 needs to be healthy.
    ShortBake,
    /// Warning: a percentage that is lower than in the step before.
    ShrinkingStep,
    /// Warning: a step with the same rules as the step before.
    UnchangedStep,
}

impl PlanCode {
    /// All codes.
    pub const ALL: [Self; 17] = [
        Self::AlwaysQuiet,
        Self::EarlyForbid,
        Self::EmptyWindow,
        Self::MalformedClock,
        Self::MalformedUrl,
        Self::NoControl,
        Self::NoGuard,
        Self::NotSplit,
        Self::RepeatedStep,
        Self::UnknownRule,
        Self::UnknownStep,
        Self::UnknownTimeZone,
        Self::UselessRule,
        Self::RampInStep,
        Self::ShortBake,
        Self::ShrinkingStep,
        Self::UnchangedStep,
    ];

    /// Returns the code as tools see it. It stays the same when a message is reworded.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlwaysQuiet => "always-quiet",
            Self::EarlyForbid => "early-forbid",
            Self::EmptyWindow => "empty-window",
            Self::MalformedClock => "malformed-clock",
            Self::MalformedUrl => "malformed-url",
            Self::NoControl => "no-control",
            Self::NoGuard => "no-guard",
            Self::NotSplit => "not-split",
            Self::RepeatedStep => "repeated-step",
            Self::UnknownRule => "unknown-rule",
            Self::UnknownStep => "unknown-step",
            Self::UnknownTimeZone => "unknown-time-zone",
            Self::UselessRule => "useless-rule",
            Self::RampInStep => "ramp-in-step",
            Self::ShortBake => "short-bake",
            Self::ShrinkingStep => "shrinking-step",
            Self::UnchangedStep => "unchanged-step",
        }
    }

    /// Whether the plan cannot be used.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::RampInStep | Self::ShortBake | Self::ShrinkingStep | Self::UnchangedStep => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }

    /// Creates the problem. Both texts must be escaped for a terminal.
    pub(crate) fn problem(self, what: impl Into<String>, instead: impl Into<String>) -> Problem {
        Problem::of_document(self.severity(), self.as_str(), what.into(), instead.into())
    }
}
