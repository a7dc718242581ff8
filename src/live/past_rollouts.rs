//! The names of rollouts in past policies.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::directory::Directory;
use crate::error::Error;

#[derive(Deserialize)]
struct Policy {
    rollouts: Vec<Rollout>,
}

#[derive(Deserialize)]
struct Rollout {
    name: String,
}

impl Directory {
    /// Returns the names of the rollouts of every policy in the history.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub fn past_rollouts(&self) -> Result<BTreeSet<String>, Error> {
        let history = self.history()?;
        let texts = history.texts().iter();
        let policies = texts.filter_map(|hash| {
            let text = history.text(hash).ok()?;
            serde_json::from_str::<Policy>(&text).ok()
        });
        let rollouts = policies.flat_map(|policy| policy.rollouts);
        Ok(rollouts.map(|rollout| rollout.name).collect())
    }
}
