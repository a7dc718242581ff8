//! LaunchDarkly's rollouts: variations with weights.

use serde_json::Value;

use super::{BUCKETS, LONGEST_TEXT, NAME, Reader, USER};
use crate::bucketing::{Allocation, Bucketing, V2Range};
use crate::error::ImportResult;
use crate::located_value::LocatedValue;
use crate::object_reader::ObjectReader;
use crate::quote::quote;
use crate::variations::Treatment;

/// The largest integer that a double stores exactly. A policy has larger seeds as strings.
const LARGEST_EXACT: u64 = 0x1F_FFFF_FFFF_FFFF;

impl<'a> Reader<'a, '_> {
    /// The allocation of a rule or the fallthrough, which serves a variation or a rollout.
    pub(super) fn allocation(&mut self, served: &mut ObjectReader<'a>) -> ImportResult<Allocation> {
        let variation = served.get("variation");
        let rollout = served.get("rollout");
        match (variation, rollout) {
            (Some(index), _) => Ok(Allocation::from(self.treatment(&index)?)),
            (None, Some(rollout)) => self.rollout(&rollout),
            // LaunchDarkly then returns the default value in the code.
            (None, None) => {
                self.flag.reject(
                    served.at(),
                    "a rule without a variation or a rollout is not supported",
                    self.notes,
                );
                Ok(Allocation::V1)
            }
        }
    }

    fn rollout(&mut self, value: &LocatedValue<'a>) -> ImportResult<Allocation> {
        let mut rollout = value.object()?;
        let kind = rollout.non_empty_string("contextKind")?;
        let is_experiment = match rollout.non_empty_string("kind")? {
            None | Some("rollout") => false,
            Some("experiment") => true,
            Some(other) => {
                let message = format!("a rollout of the kind {} is not supported", quote(other));
                self.flag
                    .reject(&rollout.at_field("kind"), &message, self.notes);
                false
            }
        };
        let by = rollout
            .non_empty_string("bucketBy")?
            .filter(|_| !is_experiment)
            .unwrap_or("key");
        let seed = rollout.integer("seed")?;
        if is_experiment {
            self.flag
                .require_fields(&rollout, &["seed"], NAME, self.notes);
        }
        let mut ranges = Vec::new();
        let mut last = Treatment::V1;
        for variation in rollout.items("variations")? {
            let mut variation = variation.object()?;
            last = self.treatment(&variation.require("variation")?)?;
            ranges.push((last, variation.require("weight")?.integer_up_to(BUCKETS)?));
            variation.finish(&["_id", "untracked"], self.notes);
        }
        if ranges.is_empty() {
            self.flag.reject(
                rollout.at(),
                "a rollout without variations is not supported",
                self.notes,
            );
        }
        rollout.finish(&["experimentAllocation", "_version"], self.notes);
        let range = V2Range::new(&ranges, BUCKETS, last);
        if !matches!(range, V2Range::Empty | V2Range::Full) {
            if !self.account.is(kind, by) {
                let message = format!(
                    "accounts are bucketed by {} of the kind {}, but the account is {}",
                    quote(by),
                    quote(kind.unwrap_or(USER)),
                    self.account.name()
                );
                self.flag.reject(value.at(), &message, self.notes);
                return Ok(Allocation::V1);
            }
            let is_valid = |text: &str| (1..=LONGEST_TEXT).contains(&text.len());
            if seed.is_none() && !(is_valid(self.flag.key) && is_valid(self.salt)) {
                self.flag.reject(
                    value.at(),
                    "the flag's key or salt is empty or too long for a policy",
                    self.notes,
                );
                return Ok(Allocation::V1);
            }
        }
        let fields = match seed {
            Some(seed) if seed.unsigned_abs() > LARGEST_EXACT => {
                vec![("seed", Value::from(seed.to_string()))]
            }
            Some(seed) => vec![("seed", Value::from(seed))],
            None => vec![
                ("flag_key", Value::from(self.flag.key)),
                ("salt", Value::from(self.salt)),
            ],
        };
        let allocation = range.allocation(|is_v2_last| Bucketing {
            tool: "launchdarkly",
            fields: fields.clone(),
            buckets: BUCKETS,
            is_v2_last,
        });
        Ok(allocation.unwrap_or_else(|| {
            self.notes.add_branch_loss(
                value.at(),
                "v2 is between other variations, and a policy supports v2 only at an end of the bucket range, so the rule is skipped",
                "before the export, move v2 to an end of the rollout if its accounts may change",
            );
            Allocation::V1
        }))
    }
}
