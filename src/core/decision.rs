//! What is decided, and why: the words of decisions.

use std::fmt;

use crate::plan::Rollout;

/// A treatment and its reason.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'p> {
    /// The rollout that has the request; `None` when no rollout matches.
    pub rollout: Option<&'p Rollout>,
    /// What was decided. In the modes `dark` and `shadow` it is recorded, but not
    /// [`served`](Self::served).
    pub treatment: Treatment,
    /// Why.
    pub reason: Reason,
    /// The rule that decided, from 0.
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

    pub(crate) fn by_rule(self, index: usize) -> Self {
        Self {
            rule: Some(index),
            ..self
        }
    }

    /// The version that answers the user: in the modes `dark` and `shadow` always v1.
    #[must_use]
    pub fn served(&self) -> Treatment {
        self.rollout.map_or(self.treatment, |rollout| {
            rollout.mode.serves(self.treatment)
        })
    }
}

/// The version that a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// What was there before.
    V1,
    /// What is being rolled out.
    V2,
}

/// Why a request takes its treatment: the first step of the precedence that applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No rollout matches the request.
    NoRollout,
    /// The policy is halted.
    Halted,
    /// The rollout is off.
    Off,
    /// A trusted earlier hop has decided.
    Inbound,
    /// The rollout is on.
    On,
    /// The request names no account.
    NoAccount,
    /// The request names an account that is none.
    MalformedAccount,
    /// A rule would hold, if this proxy were in one of the regions that it names; and this proxy does
    /// not say where it is.
    NoRegion,
    /// A rule holds, and its treatment is taken.
    Rule,
    /// A rule holds, but not for this part of the accounts.
    OutsideAccounts,
    /// A rule holds, but not for this part of the account's requests.
    OutsideRequests,
    /// No rule holds.
    Default,
}

impl Treatment {
    /// Both, v1 first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// `v1` or `v2`, as on the wire.
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
    pub const ALL: [Self; 12] = [
        Self::NoRollout,
        Self::Halted,
        Self::Off,
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

    /// As in metrics and access logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRollout => "no_rollout",
            Self::Halted => "halted",
            Self::Off => "off",
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

    /// The treatments that this reason is ever given for.
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
