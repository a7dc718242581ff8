//! A plan: the policy, compiled and valid by construction.

pub(crate) mod account_outcome;
pub(crate) mod changes;
mod memory;
pub(crate) mod path_match;
mod possible_decisions;
pub(crate) mod ramp;
pub(crate) mod request_match;
pub(crate) mod required_inputs;
pub(crate) mod rollout_index;
pub(crate) mod route_scope;
pub(crate) mod segments;
pub(crate) mod shadow_plan;
pub(crate) mod unsegmented;

use std::borrow::Cow;

use crate::bucketing::hash::Hash;
use crate::bucketing::{Fraction, Position, Salt};
use crate::decision::Treatment;
use crate::diagnostics::problem::Problem;
use crate::plan::ramp::Ramp;
use crate::plan::request_match::{RegionMatch, RequestMatch, When};
use crate::plan::rollout_index::RolloutIndex;
use crate::plan::segments::Segments;
use crate::plan::shadow_plan::ShadowPlan;
use crate::policy::time::Time;
use crate::proxy::decision_header::{self, Inbound};
use crate::proxy::revision::Revision;
use crate::request::Request;
use crate::request::account::{AccountId, Format};
use crate::request::account_sources::AccountSources;
use crate::request::headers::Headers;

/// So few rollouts are asked one after the other sooner than an index.
const FEW_ROLLOUTS: usize = 12;

/// What a policy decides. Made by [`Plan::from_json`], asked by [`decide`](crate::decide()).
#[derive(Debug)]
pub struct Plan {
    pub(crate) revision: Revision,
    pub(crate) account: AccountSources,
    pub(crate) segments: Segments,
    /// The names of the segments, in the order of the policy.
    pub(crate) segment_names: Vec<String>,
    pub(crate) halted: bool,
    /// The cluster that takes records.
    pub collector: Option<String>,
    pub(crate) rollouts: Vec<Rollout>,
    /// Of the rollouts.
    pub(crate) index: RolloutIndex,
}

/// One move from v1 to v2.
#[derive(Debug)]
pub struct Rollout {
    /// The rollout's place in the policy, from 0.
    pub index: usize,
    /// A DNS label: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
    pub name: String,
    /// The cluster of v1.
    pub v1: String,
    /// The cluster of v2.
    pub v2: String,
    /// How far the rollout has come.
    pub mode: Mode,
    pub(crate) matches: RequestMatch,
    pub(crate) salt: Salt,
    /// By which its accounts are drawn; requests are drawn by the salt.
    pub hash: Hash,
    /// What `x-turnout-decision` says of this rollout, v1 first.
    pub(crate) entries: [String; 2],
    pub(crate) rules: Vec<Rule>,
    /// What is copied to v2, in the modes that copy.
    pub shadow: Option<ShadowPlan>,
}

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everyone takes v1, and nothing is decided.
    Off,
    /// Everyone takes v1; what `Split` would decide is recorded.
    Dark,
    /// As `Dark`, and a sample of the requests is copied to v2.
    Shadow,
    /// Everyone takes what the rules decide.
    Split,
    /// Everyone takes v2.
    On,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) when: When,
    pub(crate) serve: Serve,
}

/// What a rule does with the accounts that it holds for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    V1,
    /// V2 to a part of the requests of a part of the accounts.
    V2 {
        accounts: Ramp,
        requests: Fraction,
    },
}

impl Plan {
    /// Reads a request from its headers, pseudo-headers included. `at` is when it is decided: that
    /// is where ramps are read.
    #[must_use]
    #[inline]
    pub fn request<'a>(&self, headers: Headers<'a>, inbound: Inbound, at: Time) -> Request<'a> {
        let mut request = Request::new(headers, inbound, at);
        self.account
            .read(headers, request.path, &mut request.account);
        request
    }

    /// Which version of the policy this is.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// What an account looks like.
    #[must_use]
    pub fn format(&self) -> Format {
        self.account.format
    }

    /// Whether everyone takes v1, in every rollout.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// The names of the segments, in the order of the policy.
    #[must_use]
    pub fn segment_names(&self) -> &[String] {
        &self.segment_names
    }

    /// Says in which region this proxy is; an empty name is none. Until then that is unknown, and a
    /// rule that names regions decides v1.
    pub fn set_region(&mut self, region: &str) {
        let region = Some(region).filter(|region| !region.is_empty());
        for rollout in &mut self.rollouts {
            let rules = rollout.rules.iter_mut().map(|rule| &mut rule.when);
            let shadow = rollout.shadow.iter_mut().map(|shadow| &mut shadow.when);
            rules.chain(shadow).for_each(|when| when.set_region(region));
        }
    }

    /// Whether some rule names regions, and it is unknown in which this proxy is.
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

    /// Whether some rule takes steps by itself, so that whoever decides has to know the time.
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

    /// A rollout by its name.
    ///
    /// # Errors
    /// What is wrong, and which name may have been meant.
    pub fn rollout(&self, name: &str) -> Result<&Rollout, Problem> {
        let found = self.rollouts.iter().find(|rollout| rollout.name == name);
        found.ok_or_else(|| {
            let known = self.rollouts.iter().map(|rollout| rollout.name.as_str());
            Problem::unknown_rollout(name, &known.collect::<Vec<_>>())
        })
    }

    /// The first rollout whose `match` holds has the request, unless that is in doubt: then none has it.
    pub(crate) fn rollout_of(&self, request: &Request<'_>) -> Option<&Rollout> {
        let found = self.first_match(request)?;
        self.ambiguity(found, request).is_none().then_some(found)
    }

    /// The first rollout whose `match` holds.
    pub(crate) fn first_match(&self, request: &Request<'_>) -> Option<&Rollout> {
        if self.rollouts.len() <= FEW_ROLLOUTS {
            return self
                .rollouts
                .iter()
                .find(|rollout| rollout.matches.holds(request));
        }
        let holds = |rollout: usize| {
            let rollout = self.rollouts.get(rollout);
            rollout.is_some_and(|rollout| rollout.matches.holds_on_its_hosts(request))
        };
        let found = self.index.first(request.host, request.path, holds);
        self.rollouts.get(found?)
    }
}

impl Mode {
    /// As in the policy.
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

    /// The version that answers the user where this is decided: in the modes `dark` and `shadow`
    /// always v1.
    #[must_use]
    pub const fn serves(self, decided: Treatment) -> Treatment {
        match self {
            Self::Dark | Self::Shadow => Treatment::V1,
            Self::Off | Self::Split | Self::On => decided,
        }
    }
}

impl Rollout {
    /// Where an account stands among those of this rollout.
    #[must_use]
    pub fn account_position(&self, account: &AccountId<'_>) -> Position {
        self.hash.position(account.as_slice())
    }

    /// The cluster that gives a treatment.
    #[must_use]
    pub fn cluster(&self, treatment: Treatment) -> &str {
        match treatment {
            Treatment::V1 => &self.v1,
            Treatment::V2 => &self.v2,
        }
    }

    /// The value of `x-turnout-decision` for the next hop: what earlier hops decided for other
    /// rollouts, if they are trusted, then what was served for this one.
    #[must_use]
    pub fn decision_header(&self, request: &Request<'_>, served: Treatment) -> Cow<'_, [u8]> {
        let [v1, v2] = &self.entries;
        let entry = match served {
            Treatment::V1 => v1,
            Treatment::V2 => v2,
        };
        decision_header::record(request.earlier_hops(), &self.name, entry)
    }
}
