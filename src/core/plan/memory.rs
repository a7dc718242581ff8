//! What a plan holds in memory, about.

use crate::plan::request_match::When;
use crate::plan::shadow_plan::ShadowPlan;

use super::{Plan, Rollout, Rule, Serve};

/// What a rollout takes without its lists: itself, its counters, and its names in them.
const ROLLOUT: usize = 8_192;
const RULE: usize = 512;
/// An item of a list: itself, what it is compiled to, and what an allocation takes besides.
const ITEM: usize = 256;

impl Plan {
    /// The bytes that the plan holds, and those that whoever runs it holds for each of its rollouts. `text` is
    /// the length of the policy without packed accounts: of each text in it the plan has a copy or two.
    #[must_use]
    pub fn held_bytes(&self, text: usize) -> usize {
        let rollouts = self.rollouts.iter().map(rollout);
        let rollouts = rollouts.fold(text.saturating_mul(2), usize::saturating_add);
        self.segments.held_bytes().saturating_add(rollouts)
    }

    /// The bytes that one callback may need for a moment, beyond what it holds before and after: to compare
    /// two answers, to read headers, to decode. 0 where nothing is shadowed.
    #[must_use]
    pub fn working_bytes(&self) -> usize {
        let shadows = self.rollouts.iter().filter_map(|it| it.shadow.as_ref());
        shadows
            .map(ShadowPlan::working_bytes)
            .max()
            .unwrap_or_default()
    }
}

fn rollout(rollout: &Rollout) -> usize {
    let matches = &rollout.matches;
    let items = matches.hosts.len().saturating_add(matches.headers.len());
    let items = rollout
        .shadow
        .iter()
        .map(shadow)
        .fold(items, usize::saturating_add);
    let rules = rollout.rules.iter().map(rule);
    rules
        .fold(ROLLOUT, usize::saturating_add)
        .saturating_add(items.saturating_mul(ITEM))
}

fn rule(rule: &Rule) -> usize {
    let steps = match &rule.serve {
        Serve::V1 => 0,
        Serve::V2 { accounts, .. } => accounts.steps().len(),
    };
    let items = steps.saturating_add(when(&rule.when));
    RULE.saturating_add(items.saturating_mul(ITEM))
}

fn when(when: &When) -> usize {
    when.headers.len().saturating_add(when.regions.len())
}

/// The items of its lists. Options of the comparison count twice: how often each was of use is counted.
fn shadow(shadow: &ShadowPlan) -> usize {
    let compare = &shadow.compare;
    let options = [
        compare.ignore.len(),
        compare.unordered.len(),
        compare.tolerance.len(),
        compare.maps.len(),
    ];
    let lists = [
        shadow.methods.len(),
        shadow.strip_headers.len(),
        shadow.rewrite.headers.len(),
        shadow.routes.len(),
        shadow.reveal.len(),
        compare.headers.len(),
        when(&shadow.when),
    ];
    let all = options.into_iter().chain(options).chain(lists);
    all.fold(0, usize::saturating_add)
}
