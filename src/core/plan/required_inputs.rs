//! What of a request a policy looks at, so that a request that is known in part can be judged.

use std::collections::BTreeSet;

use crate::bucketing::Fraction;
use crate::plan::request_match::HeaderMatch;
use crate::plan::{Plan, Rollout, Serve};
use crate::request::account_sources::Source;

/// What the decisions of a policy depend on, beside the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredInputs<'p> {
    /// Some `match` names hosts.
    pub host: bool,
    /// Some `match` names paths.
    pub path: bool,
    /// Some `match` names methods.
    pub method: bool,
    /// Some rule takes a part of the requests, so that it draws by their ids.
    pub request_id: bool,
    /// The headers that some `match` or rule asks for.
    pub headers: BTreeSet<&'p str>,
    /// Those of them that some `match` asks for, so that they tell rollouts apart.
    pub match_headers: BTreeSet<&'p str>,
    /// Some rule names regions.
    pub region: bool,
    /// The header that names the account, where one does.
    pub account_header: Option<&'p str>,
    /// The path may name the account.
    pub account_path: bool,
}

impl Plan {
    /// Whether another version of the policy looks for accounts in the same places.
    #[must_use]
    pub fn same_account_sources(&self, other: &Self) -> bool {
        self.account.from == other.account.from
    }

    /// What the decisions depend on.
    #[must_use]
    pub fn required_inputs(&self) -> RequiredInputs<'_> {
        let mut wants = RequiredInputs::default();
        for rollout in &self.rollouts {
            wants.host |= !rollout.matches.hosts.is_empty();
            wants.path |= rollout.matches.path.is_some();
            wants.method |= !rollout.matches.methods.is_empty();
            wants.headers.extend(names(&rollout.matches.headers));
            wants.match_headers.extend(names(&rollout.matches.headers));
            let mut rules = rollout.rules.iter();
            wants.region |= rules.any(|rule| !rule.when.regions.is_empty());
            wants.headers.extend(rollout.rule_headers());
            wants.request_id |= rollout.rules.iter().any(|rule| match rule.serve {
                Serve::V1 => false,
                Serve::V2 { requests, .. } => ![Fraction::NONE, Fraction::ALL].contains(&requests),
            });
        }
        for source in &self.account.from {
            match source {
                Source::Header(name) if wants.account_header.is_none() => {
                    wants.account_header = Some(name);
                }
                Source::Path(_) => wants.account_path = true,
                Source::Header(_) | Source::BasicAuthUsername => {}
            }
        }
        wants
    }
}

impl Rollout {
    /// The headers that its rules ask for.
    pub fn rule_headers(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| names(&rule.when.headers))
    }

    /// Whether another rollout, of another version of the policy, draws accounts and requests alike.
    #[must_use]
    pub fn same_bucketing(&self, other: &Self) -> bool {
        self.hash == other.hash && self.salt == other.salt
    }

    /// Whether another one, of another version of the policy, has the same `match`.
    #[must_use]
    pub fn same_match(&self, other: &Self) -> bool {
        self.matches == other.matches
    }
}

fn names(headers: &[HeaderMatch]) -> impl Iterator<Item = &str> {
    headers.iter().map(|header| header.name.as_str())
}
