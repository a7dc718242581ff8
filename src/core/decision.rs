//! A decision: its treatment and its reason, with their names on the wire.

use std::fmt;

use crate::plan::Rollout;

/// A treatment and its reason.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'p> {
    /// The rollout that the request belongs to; `None` if no rollout matches.
    pub rollout: Option<&'p Rollout>,
    /// The treatment that was decided. In the modes `dark` and `shadow` it is recorded, but not
    /// [`served`](Self::served).
    pub treatment: Treatment,
    /// The step of the precedence list that decided.
    pub reason: Reason,
    /// The index of the rule that decided; `None` if another step did.
    pub rule: Option<usize>,
}

impl<'p> Decision<'p> {
    pub(crate) fn new(rollout: Option<&'p Rollout>, treatment: Treatment, reason: Reason) -> Self {
        Self {
            rollout,
            treatment,
            reason,
            rule: None,
        }
    }

    pub(crate) fn with_rule(self, index: usize) -> Self {
        Self {
            rule: Some(index),
            ..self
        }
    }

    /// The treatment that the user gets. In the modes `dark` and `shadow` it is always v1.
    #[must_use]
    pub fn served(&self) -> Treatment {
        self.rollout.map_or(self.treatment, |rollout| {
            rollout.mode.serves(self.treatment)
        })
    }
}

/// Which of the two clusters of a rollout serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// The existing implementation.
    V1,
    /// The implementation that is being rolled out.
    V2,
}

/// Why a request gets its treatment: the first step of the precedence list that applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No rollout matches the request.
    NoRollout,
    /// The policy or the rollout is halted.
    Halted,
    /// The rollout is off.
    Off,
    /// The rollout's guard has found that v2 is worse, or suspects it for the moment.
    Guard,
    /// The rollout's guard has found that v2 is worse for this account, or suspects it for the moment.
    GuardAccount,
    /// A trusted earlier hop has decided this rollout.
    Inbound,
    /// The rollout is on.
    On,
    /// The request has no account.
    NoAccount,
    /// The request has a malformed account.
    MalformedAccount,
    /// A rule names regions and otherwise holds, and the region of this proxy is unknown.
    NoRegion,
    /// A rule holds, and its allocation includes the request.
    Rule,
    /// A rule holds, but its `accounts` percentage excludes the account.
    OutsideAccounts,
    /// A rule holds, but its `requests` percentage excludes the request.
    OutsideRequests,
    /// No rule holds.
    Default,
}

impl Treatment {
    /// Both treatments, v1 first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The name on the wire: `v1` or `v2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|treatment| treatment.as_str().as_bytes() == text)
    }
}

impl Reason {
    /// Every reason, in the order of precedence.
    pub const ALL: [Self; 14] = [
        Self::NoRollout,
        Self::Halted,
        Self::Off,
        Self::Guard,
        Self::GuardAccount,
        Self::Inbound,
        Self::On,
        Self::NoAccount,
        Self::MalformedAccount,
        Self::NoRegion,
        Self::Rule,
        Self::OutsideAccounts,
        Self::OutsideRequests,
        Self::Default,
    ];

    /// The name in metrics and access logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRollout => "no_rollout",
            Self::Halted => "halted",
            Self::Off => "off",
            Self::Guard => "guard",
            Self::GuardAccount => "guard_account",
            Self::Inbound => "inbound",
            Self::On => "on",
            Self::NoAccount => "no_account",
            Self::MalformedAccount => "malformed_account",
            Self::NoRegion => "no_region",
            Self::Rule => "rule",
            Self::OutsideAccounts => "outside_accounts",
            Self::OutsideRequests => "outside_requests",
            Self::Default => "default",
        }
    }

    /// The treatments that decisions with this reason can have.
    #[must_use]
    pub const fn treatments(self) -> &'static [Treatment] {
        match self {
            Self::Rule | Self::Inbound => &Treatment::ALL,
            Self::On => &[Treatment::V2],
            _ => &[Treatment::V1],
        }
    }
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
