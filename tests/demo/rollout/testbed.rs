//! The testbed of the demo: policies are steps, counters are decisions.

use support::demo;
use support::upstream::Upstream;

use crate::check::Counts;
use crate::steps::Step;

/// Two upstreams and Envoy.
pub(crate) type Testbed = demo::Testbed<Upstream>;

/// Starts everything with a first policy.
pub(crate) async fn start(first: &Step) -> Result<Testbed, String> {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    Ok(Testbed::start(v1, v2, &first.policy()?, |bootstrap| bootstrap).await)
}

/// Replaces the policy with the one of a step and returns when it is active.
pub(crate) async fn swap(testbed: &Testbed, step: &Step) -> Result<(), String> {
    let swapped = testbed.swap(&step.policy()?).await;
    swapped.map_err(|error| format!("step {:?}: {error}", step.title))
}

/// The decisions that the filter has counted since Envoy started.
pub(crate) async fn counts(testbed: &Testbed) -> Counts {
    testbed.counters("decisions.").await
}

/// The decisions that the filter has counted since an earlier count.
pub(crate) async fn counts_since(testbed: &Testbed, before: &Counts) -> Counts {
    let mut counts = counts(testbed).await;
    for (name, count) in &mut counts {
        *count -= before.get(name).copied().unwrap_or_default();
    }
    counts
}
