//! Estimates the memory that a plan needs, for the filter's byte budget.

use crate::guard::RolloutGuard;
use crate::plan::request_match::When;
use crate::plan::shadow_plan::ShadowPlan;

use super::{Plan, Rollout, Rule, Serve};

/// The bytes of a rollout without its lists: the rollout itself, its counters, and the names of the counters.
const ROLLOUT_BYTES: usize = 8_192;
/// The bytes of a rule without its lists.
const RULE_BYTES: usize = 512;
/// The bytes of a list item: its text, its compiled form, and the overhead of an allocation.
const ITEM_BYTES: usize = 256;

impl Plan {
    /// Estimates the bytes that the plan holds, including the counters and the guard that the filter keeps for each
    /// rollout.
    /// `text_len` is the length of the policy without packed accounts. It counts twice, because the plan may
    /// hold two copies of a text.
    #[must_use]
    pub fn held_bytes(&self, text_len: usize) -> usize {
        let rollouts = self.rollouts.iter().map(rollout_bytes);
        let rollouts = rollouts.fold(text_len.saturating_mul(2), usize::saturating_add);
        self.segments.held_bytes().saturating_add(rollouts)
    }

    /// Estimates the bytes that one callback may need temporarily, to read headers and to decode and compare
    /// two responses. 0 if nothing is shadowed.
    #[must_use]
    pub fn working_bytes(&self) -> usize {
        let shadows = self.rollouts.iter().filter_map(|it| it.shadow.as_ref());
        shadows
            .map(ShadowPlan::working_bytes)
            .max()
            .unwrap_or_default()
    }
}

fn rollout_bytes(rollout: &Rollout) -> usize {
    let matches = &rollout.matches;
    let items = matches.hosts.len().saturating_add(matches.headers.len());
    let items = rollout
        .shadow
        .iter()
        .map(shadow_items)
        .fold(items, usize::saturating_add);
    let rules = rollout.rules.iter().map(rule_bytes);
    // The guard is allocated for a moment, so that its size is known in one place.
    let guard = RolloutGuard::new(rollout).map_or(0, |guard| guard.guard().held_bytes());
    rules
        .fold(ROLLOUT_BYTES, usize::saturating_add)
        .saturating_add(items.saturating_mul(ITEM_BYTES))
        .saturating_add(guard)
}

fn rule_bytes(rule: &Rule) -> usize {
    let steps = match &rule.serve {
        Serve::V1 => 0,
        Serve::V2 { accounts, .. } => accounts.steps().len(),
    };
    let items = steps.saturating_add(when_items(&rule.when));
    RULE_BYTES.saturating_add(items.saturating_mul(ITEM_BYTES))
}

/// The number of list items of a condition.
fn when_items(when: &When) -> usize {
    when.headers.len().saturating_add(when.regions.len())
}

/// The number of list items of a shadow plan. Comparison options count twice, because the filter counts how
/// often each of them applied.
fn shadow_items(shadow: &ShadowPlan) -> usize {
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
        when_items(&shadow.when),
    ];
    let all = options.into_iter().chain(options).chain(lists);
    all.fold(0, usize::saturating_add)
}
