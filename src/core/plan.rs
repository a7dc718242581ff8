//! A plan: a compiled policy, valid by construction.

pub(crate) mod account_outcome;
pub(crate) mod allocation;
pub(crate) mod changes;
pub(crate) mod guard_plan;
mod memory;
pub(crate) mod path_match;
mod possible_decisions;
pub(crate) mod ramp;
pub(crate) mod request_match;
pub(crate) mod required_inputs;
pub(crate) mod rollout_index;
pub(crate) mod route_scope;
pub(crate) mod segment_lookup;
pub(crate) mod shadow_plan;
pub(crate) mod unsegmented;

use std::borrow::Cow;

use crate::bucketing::hash::Hash;
use crate::bucketing::{Fraction, Position, Salt};
use crate::decision::Treatment;
use crate::diagnostics::problem::Problem;
use crate::plan::guard_plan::GuardPlan;
use crate::plan::ramp::Ramp;
use crate::plan::request_match::{RegionMatch, RequestMatch, When};
use crate::plan::rollout_index::RolloutIndex;
use crate::plan::segment_lookup::Segments;
use crate::plan::shadow_plan::ShadowPlan;
use crate::policy::time::Time;
use crate::proxy::decision_header::{self, Inbound};
use crate::proxy::revision::Revision;
use crate::request::Request;
use crate::request::account_id::{AccountId, Format};
use crate::request::account_sources::AccountSources;
use crate::request::headers::Headers;

/// Up to this many rollouts, a linear scan is faster than the index.
const LINEAR_SCAN_MAX: usize = 12;

/// A compiled policy: built by [`Plan::from_json`], evaluated by [`decide`](crate::decide()).
#[derive(Debug)]
pub struct Plan {
    pub(crate) revision: Revision,
    pub(crate) account: AccountSources,
    pub(crate) segments: Segments,
    /// The names of the segments, in the order of the policy.
    pub(crate) segment_names: Vec<String>,
    pub(crate) halted: bool,
    /// The cluster that shadow records are sent to.
    pub collector: Option<String>,
    pub(crate) rollouts: Vec<Rollout>,
    /// Finds candidate rollouts by host and path prefix.
    pub(crate) index: RolloutIndex,
}

/// One move from v1 to v2.
#[derive(Debug)]
pub struct Rollout {
    /// The index of the rollout in the policy.
    pub index: usize,
    /// A DNS label: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
    pub name: String,
    /// The cluster of v1.
    pub v1: String,
    /// The cluster of v2.
    pub v2: String,
    /// How far the rollout has progressed.
    pub mode: Mode,
    /// Whether `halted` is set in the rollout.
    pub(crate) halts_itself: bool,
    /// Whether the policy or the rollout is halted. It is computed once, because each decision needs it.
    pub(crate) is_halted: bool,
    /// The requests that the rollout selects.
    pub(crate) matches: RequestMatch,
    pub(crate) salt: Salt,
    /// Hash used to bucket accounts. Requests are always bucketed by the salt.
    pub hash: Hash,
    /// The entries of this rollout in `x-turnout-decision`, for v1 and for v2.
    pub(crate) entries: [String; 2],
    pub(crate) rules: Vec<Rule>,
    /// The policy's `shadow`, if the mode can shadow requests.
    pub shadow: Option<ShadowPlan>,
    /// The policy's `guard`, if the mode is `split` or `on`.
    pub guard: Option<GuardPlan>,
}

/// How far a rollout has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everyone gets v1, and the rules are not evaluated.
    Off,
    /// Everyone gets v1; the decision that `Split` would make is recorded.
    Dark,
    /// Like `Dark`, and a sample of the requests is shadowed to v2.
    Shadow,
    /// The rules decide who gets v2.
    Split,
    /// Everyone gets v2.
    On,
}

/// A condition, and what the rule serves to the requests for which the condition holds.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) when: When,
    pub(crate) serve: Serve,
}

/// The treatment that a rule serves, with its allocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    V1,
    /// V2 for a percentage of the requests of a percentage of the accounts, and v1 for the others.
    V2 {
        accounts: Ramp,
        requests: Fraction,
    },
}

impl Plan {
    /// Reads a request from its headers, which include pseudo-headers. `at` is the time of the decision, which
    /// selects the step of each ramp.
    #[must_use]
    #[inline]
    pub fn request<'a>(&self, headers: Headers<'a>, inbound: Inbound, at: Time) -> Request<'a> {
        let mut request = Request::new(headers, inbound, at);
        self.account
            .read(headers, request.path, &mut request.account);
        request
    }

    /// The revision of the policy.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The format of accounts.
    #[must_use]
    pub fn format(&self) -> Format {
        self.account.format
    }

    /// Whether the policy is halted: everyone gets v1 in every rollout.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// The names of the segments, in the order of the policy.
    #[must_use]
    pub fn segment_names(&self) -> &[String] {
        &self.segment_names
    }

    /// Sets the region of this proxy. While it is unset or empty, the region is unknown, and a rule that names
    /// regions decides v1.
    pub fn set_region(&mut self, region: &str) {
        let region = Some(region).filter(|region| !region.is_empty());
        for rollout in &mut self.rollouts {
            let rules = rollout.rules.iter_mut().map(|rule| &mut rule.when);
            let shadow = rollout.shadow.iter_mut().map(|shadow| &mut shadow.when);
            rules.chain(shadow).for_each(|when| when.set_region(region));
        }
    }

    /// Whether some rule names regions and the region of this proxy is unknown.
    #[must_use]
    pub fn needs_region(&self) -> bool {
        let mut rollouts = self.rollouts.iter();
        rollouts.any(|rollout| {
            let rules = rollout.rules.iter().map(|rule| &rule.when);
            let shadow = rollout.shadow.iter().map(|shadow| &shadow.when);
            rules
                .chain(shadow)
                .any(|when| when.region == RegionMatch::Unknown)
        })
    }

    /// Whether some rule has a ramp, so that its decisions depend on the time.
    #[must_use]
    pub fn has_ramps(&self) -> bool {
        let mut rules = self.rollouts.iter().flat_map(|rollout| &rollout.rules);
        rules.any(|rule| match &rule.serve {
            Serve::V1 => false,
            Serve::V2 { accounts, .. } => accounts.has_steps(),
        })
    }

    /// The rollouts in the order of the policy.
    #[must_use]
    pub fn rollouts(&self) -> &[Rollout] {
        &self.rollouts
    }

    /// Finds a rollout by its name.
    ///
    /// # Errors
    /// If no rollout has this name. The error suggests a similar one.
    pub fn rollout(&self, name: &str) -> Result<&Rollout, Problem> {
        let found = self.rollouts.iter().find(|rollout| rollout.name == name);
        found.ok_or_else(|| {
            let known = self.rollouts.iter().map(|rollout| rollout.name.as_str());
            Problem::unknown_rollout(name, &known.collect::<Vec<_>>())
        })
    }

    /// Returns the rollout that a request belongs to: the first one whose `match` holds, or none if the request
    /// is ambiguous.
    pub(crate) fn rollout_of(&self, request: &Request<'_>) -> Option<&Rollout> {
        let found = self.first_match(request)?;
        self.ambiguity(found, request).is_none().then_some(found)
    }

    /// Returns the first rollout whose `match` holds.
    pub(crate) fn first_match(&self, request: &Request<'_>) -> Option<&Rollout> {
        if self.rollouts.len() <= LINEAR_SCAN_MAX {
            return self
                .rollouts
                .iter()
                .find(|rollout| rollout.matches.holds(request));
        }
        let holds = |rollout: usize| {
            let rollout = self.rollouts.get(rollout);
            rollout.is_some_and(|rollout| rollout.matches.holds_without_host(request))
        };
        let found = self.index.find_first(request.host, request.path, holds);
        self.rollouts.get(found?)
    }
}

impl Mode {
    /// The name in the policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Dark => "dark",
            Self::Shadow => "shadow",
            Self::Split => "split",
            Self::On => "on",
        }
    }

    /// Returns the treatment that the user gets for a decision. In the modes `dark` and `shadow` it is always
    /// v1.
    #[must_use]
    pub const fn serves(self, decided: Treatment) -> Treatment {
        match self {
            Self::Dark | Self::Shadow => Treatment::V1,
            Self::Off | Self::Split | Self::On => decided,
        }
    }
}

impl Rollout {
    /// The bucket position of an account in this rollout.
    #[must_use]
    pub fn account_position(&self, account: &AccountId<'_>) -> Position {
        self.hash.position(account.as_slice())
    }

    /// Whether every request of the rollout gets v1, because the policy or the rollout is halted.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// Whether `halted` is set in the rollout, and not only in the policy.
    #[must_use]
    pub fn halts_itself(&self) -> bool {
        self.halts_itself
    }

    /// The cluster of a treatment.
    #[must_use]
    pub fn cluster(&self, treatment: Treatment) -> &str {
        match treatment {
            Treatment::V1 => &self.v1,
            Treatment::V2 => &self.v2,
        }
    }

    /// Builds the value of `x-turnout-decision` for the next hop: the decisions of trusted earlier hops for
    /// other rollouts, and then the treatment that was served for this one.
    #[must_use]
    pub fn decision_header(&self, request: &Request<'_>, served: Treatment) -> Cow<'_, [u8]> {
        let [v1, v2] = &self.entries;
        let entry = match served {
            Treatment::V1 => v1,
            Treatment::V2 => v2,
        };
        decision_header::append(request.trusted_headers(), &self.name, entry)
    }
}
