//! Which rollouts `turnout judge` judges.

use std::collections::BTreeSet;

use turnout_judge::JudgedRollout;
use turnout_text::{excerpt_for_terminal, join_list, nearest};

use super::observe::Observed;

/// Returns the rollouts with these names, or all if there are no names.
pub(super) fn rollouts(
    names: &[String],
    observed: &Observed,
) -> Result<Vec<JudgedRollout>, String> {
    let Some(plan) = &observed.policy else {
        return of_counts(names, observed);
    };
    if names.is_empty() {
        let rollouts = plan.rollouts().iter();
        let rollouts = rollouts.filter_map(|rollout| JudgedRollout::of_policy(plan, rollout));
        let rollouts: Vec<_> = rollouts.collect();
        return match rollouts.is_empty() {
            true => Err(
                "no rollout of the policy has a guard that compares requests; add `\"guard\": {}` to a rollout in \
                 mode `split`"
                    .into(),
            ),
            false => Ok(rollouts),
        };
    }
    let names: BTreeSet<&String> = names.iter().collect();
    let rollouts = names.into_iter().map(|name| {
        let rollout = plan.rollout(name);
        let rollout = rollout.map_err(|problem| format!("{problem}; {}", problem.help()))?;
        JudgedRollout::of_policy(plan, rollout).ok_or_else(|| {
            format!(
                "the rollout `{name}` has no guard that compares requests; add `\"guard\": {{}}` to it, in mode `split`"
            )
        })
    });
    rollouts.collect()
}

/// Returns the rollouts that the counts have, because there is no policy.
fn of_counts(names: &[String], observed: &Observed) -> Result<Vec<JudgedRollout>, String> {
    let counts = observed.observation.counters.guard_counts();
    let proxies = observed.observation.proxies.iter().flatten();
    let guards = proxies.flat_map(|proxy| proxy.guards.keys().map(String::as_str));
    let known: BTreeSet<&str> = counts.keys().copied().chain(guards).collect();
    if known.is_empty() {
        return Err(
            "found no counts of a guard; a rollout of the policy needs a `guard`, and Envoy's `stats_matcher` must \
             not exclude wasmcustom.turnout"
                .into(),
        );
    }
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if let Some(unknown) = names.difference(&known).next() {
        let found = excerpt_for_terminal(unknown, 80);
        let instead = match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&&str> = known.iter().collect();
                format!("there are counts of {}", join_list(&known, "and"))
            }
        };
        return Err(format!(
            "there are no counts of a rollout `{found}`; {instead}"
        ));
    }
    let chosen = if names.is_empty() { known } else { names };
    Ok(chosen.into_iter().map(JudgedRollout::of_counts).collect())
}
