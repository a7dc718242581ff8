//! The rollout that is judged.

use turnout_core::guard::GuardSettings;
use turnout_core::{Fraction, Plan, Rollout, Treatment};

/// What the judge needs to know of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRollout {
    /// Its name.
    pub name: String,
    /// The settings of its guard.
    pub settings: GuardSettings,
    /// What its policy has; `None` if there are only counts.
    pub policy: Option<RolloutOfPolicy>,
}

/// What a policy has of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutOfPolicy {
    /// Whether everyone takes v1, because the policy or the rollout is halted.
    pub is_halted: bool,
    /// The strata of the requests that the guard compares, in the order of their percentages.
    pub strata: Vec<Fraction>,
    /// The clusters of v1 and v2.
    pub clusters: [RolloutCluster; 2],
}

/// A cluster of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutCluster {
    /// Its name in the policy.
    pub name: String,
    /// Each rollout of the policy that sends requests to this cluster, with the decided treatment for which it does.
    pub users: Vec<(String, Treatment)>,
}

impl JudgedRollout {
    /// Reads a rollout of a policy; `None` if it has no guard.
    #[must_use]
    pub fn of_policy(plan: &Plan, rollout: &Rollout) -> Option<Self> {
        let cluster = |name: &str| {
            let rollouts = plan.rollouts().iter();
            let users = rollouts.flat_map(|rollout| {
                let decided = Treatment::ALL.into_iter();
                let is_sent =
                    |decided: &Treatment| rollout.cluster(rollout.mode.serves(*decided)) == name;
                let decided = decided.filter(is_sent);
                decided.map(|treatment| (rollout.name.clone(), treatment))
            });
            RolloutCluster {
                name: name.to_owned(),
                users: users.collect(),
            }
        };
        Some(Self {
            name: rollout.name.clone(),
            settings: rollout.guard.as_ref()?.settings,
            policy: Some(RolloutOfPolicy {
                is_halted: rollout.is_halted(),
                strata: rollout.guard_strata(),
                clusters: [cluster(&rollout.v1), cluster(&rollout.v2)],
            }),
        })
    }

    /// A rollout of which only counts are known, with the settings of `"guard": {}`.
    #[must_use]
    pub fn of_counts(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            settings: GuardSettings::default(),
            policy: None,
        }
    }
}

impl RolloutCluster {
    /// Whether a rollout sends the requests of this treatment to the cluster.
    pub(crate) fn is_used_by(&self, rollout: &str, treatment: Treatment) -> bool {
        let mut users = self.users.iter();
        users.any(|(user, of)| user == rollout && *of == treatment)
    }
}
