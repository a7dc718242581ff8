//! Lists the parts of a request that a policy's decisions depend on, so that a replayed log can be checked
//! for missing fields.

use std::collections::BTreeSet;

use crate::bucketing::Fraction;
use crate::plan::request_match::HeaderMatch;
use crate::plan::{Plan, Rollout, Serve};
use crate::request::account_sources::Source;

/// The request attributes that the decisions of a policy depend on, apart from the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredInputs<'p> {
    /// Whether any `match` has hosts.
    pub host: bool,
    /// Whether any `match` has a path.
    pub path: bool,
    /// Whether any `match` has methods.
    pub method: bool,
    /// Whether any rule has a `requests` percentage between 0 and 100, which buckets requests by their ids.
    pub request_id: bool,
    /// The headers that some `match` or rule tests.
    pub headers: BTreeSet<&'p str>,
    /// The headers that some `match` tests. They decide which rollout a request belongs to.
    pub match_headers: BTreeSet<&'p str>,
    /// Whether any rule names regions.
    pub region: bool,
    /// The first header in `account.from`, if there is one.
    pub account_header: Option<&'p str>,
    /// Whether any path template is in `account.from`.
    pub account_path: bool,
}

impl Plan {
    /// Whether another revision of the policy has the same account sources.
    #[must_use]
    pub fn same_account_sources(&self, other: &Self) -> bool {
        self.account.from == other.account.from
    }

    /// Returns the request attributes that the decisions depend on.
    #[must_use]
    pub fn required_inputs(&self) -> RequiredInputs<'_> {
        let mut inputs = RequiredInputs::default();
        for rollout in &self.rollouts {
            inputs.host |= !rollout.matches.hosts.is_empty();
            inputs.path |= rollout.matches.path.is_some();
            inputs.method |= !rollout.matches.methods.is_empty();
            inputs
                .headers
                .extend(header_names(&rollout.matches.headers));
            inputs
                .match_headers
                .extend(header_names(&rollout.matches.headers));
            let mut rules = rollout.rules.iter();
            inputs.region |= rules.any(|rule| !rule.when.regions.is_empty());
            inputs.headers.extend(rollout.rule_headers());
            inputs.request_id |= rollout.rules.iter().any(|rule| match rule.serve {
                Serve::V1 => false,
                Serve::V2 { requests, .. } => ![Fraction::NONE, Fraction::ALL].contains(&requests),
            });
        }
        for source in &self.account.from {
            match source {
                Source::Header(name) if inputs.account_header.is_none() => {
                    inputs.account_header = Some(name);
                }
                Source::Path(_) => inputs.account_path = true,
                Source::Header(_) | Source::BasicAuthUsername => {}
            }
        }
        inputs
    }
}

impl Rollout {
    /// Returns the names of the headers that the rules test.
    pub fn rule_headers(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| header_names(&rule.when.headers))
    }

    /// Whether the rollout in another revision of the policy buckets accounts and requests in the same way.
    #[must_use]
    pub fn same_bucketing(&self, other: &Self) -> bool {
        self.hash == other.hash && self.salt == other.salt
    }

    /// Whether the rollout in another revision of the policy has the same `match`.
    #[must_use]
    pub fn same_match(&self, other: &Self) -> bool {
        self.matches == other.matches
    }
}

fn header_names(headers: &[HeaderMatch]) -> impl Iterator<Item = &str> {
    headers.iter().map(|header| header.name.as_str())
}
