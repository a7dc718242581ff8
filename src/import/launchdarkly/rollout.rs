//! What a rule of LaunchDarkly's serves: a variation, or a rollout of them.

use serde_json::Value;

use super::{ALL, LONGEST, NAME, Reader, USER};
use crate::draw::{Draw, Place, Serve};
use crate::node::{Node, Object, Read};
use crate::treatment::Treatment;
use crate::words::quoted;

/// A larger seed is a text in a policy.
const EXACT: u64 = 0x1F_FFFF_FFFF_FFFF;

impl<'a> Reader<'a, '_> {
    /// What a rule or the fallthrough serves: a variation, or a rollout.
    pub(super) fn serve(&mut self, served: &mut Object<'a>) -> Read<Serve> {
        let variation = served.get("variation");
        let rollout = served.get("rollout");
        match (variation, rollout) {
            (Some(index), _) => Ok(match self.treatment(&index)? {
                Treatment::V1 => Serve::V1,
                Treatment::V2 => Serve::V2,
            }),
            (None, Some(rollout)) => self.rollout(&rollout),
            // LaunchDarkly gives the code's own value then.
            (None, None) => {
                self.flag.refuse(
                    served.at(),
                    "this serves neither a variation nor a rollout",
                    self.notes,
                );
                Ok(Serve::V1)
            }
        }
    }

    fn rollout(&mut self, node: &Node<'a>) -> Read<Serve> {
        let mut rollout = node.object()?;
        let kind = rollout.word("contextKind")?;
        let is_experiment = match rollout.word("kind")? {
            None | Some("rollout") => false,
            Some("experiment") => true,
            Some(other) => {
                let what = format!("a rollout of the kind {} is not known", quoted(other));
                self.flag
                    .refuse(&rollout.at_field("kind"), &what, self.notes);
                false
            }
        };
        let by = rollout
            .word("bucketBy")?
            .filter(|_| !is_experiment)
            .unwrap_or("key");
        let seed = rollout.whole("seed")?;
        if is_experiment {
            self.flag.expect(&rollout, &["seed"], NAME, self.notes);
        }
        let mut pieces = Vec::new();
        let mut last = Treatment::V1;
        for variation in rollout.items("variations")? {
            let mut variation = variation.object()?;
            last = self.treatment(&variation.need("variation")?)?;
            pieces.push((last, variation.need("weight")?.parts(ALL)?));
            variation.finish(&["_id", "untracked"], self.notes);
        }
        if pieces.is_empty() {
            self.flag
                .refuse(rollout.at(), "this serves no variation", self.notes);
        }
        rollout.finish(&["experimentAllocation", "_version"], self.notes);
        let place = Place::of(&pieces, ALL, last);
        if !matches!(place, Place::Nowhere | Place::Everywhere) {
            if !self.account.is(kind, by) {
                let what = format!(
                    "accounts are drawn by {} of the kind {}, and the account is {}",
                    quoted(by),
                    quoted(kind.unwrap_or(USER)),
                    self.account.name()
                );
                self.flag.refuse(node.at(), &what, self.notes);
                return Ok(Serve::V1);
            }
            let is_hashed = |text: &str| (1..=LONGEST).contains(&text.len());
            if seed.is_none() && !(is_hashed(self.flag.key) && is_hashed(self.salt)) {
                self.flag.refuse(
                    node.at(),
                    "the flag's key or salt is empty, or too long for a policy",
                    self.notes,
                );
                return Ok(Serve::V1);
            }
        }
        let fields = match seed {
            Some(seed) if seed.unsigned_abs() > EXACT => {
                vec![("seed", Value::from(seed.to_string()))]
            }
            Some(seed) => vec![("seed", Value::from(seed))],
            None => vec![
                ("flag_key", Value::from(self.flag.key)),
                ("salt", Value::from(self.salt)),
            ],
        };
        let serve = place.serve(|is_last| Draw {
            tool: "launchdarkly",
            fields: fields.clone(),
            all: ALL,
            is_last,
        });
        Ok(serve.unwrap_or_else(|| {
            self.notes.lost_of_branch(
                node.at(),
                "v2 is between other variations, and only one at an end of LaunchDarkly's range can be kept:",
                "move v2 to one end of the rollout before the export, if its accounts may change",
            );
            Serve::V1
        }))
    }
}
