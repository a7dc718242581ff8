//! The policy that a proxy runs, found in the dump of its configuration.
//!
//! What stands there is what the proxy was given last, and it may have refused that. The number that
//! the filter tells says which one is in force; only that one is shown.

use std::collections::BTreeSet;
use std::io::Read;

use serde_json::Value;
use turnout_core::{Configuration, Plan};

use crate::dump;

/// What the parts of a dump say of the policy in force.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// What the filter says that it runs; nothing where it does not say that.
    number: Option<u64>,
    plan: Option<Plan>,
    /// The revisions of all policies in use, that in force too.
    revisions: BTreeSet<String>,
    /// The revision of one that is not in force.
    other: Option<String>,
    /// There is a policy whose revision follows from a text that the dump does not have.
    has_unnamed: bool,
    has_invalid: bool,
    known: BTreeSet<String>,
}

/// What there is instead of the policy in force.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It has policies, and this is the revision of one of them; another one is in force.
    Other(String),
    /// It has a policy as a `Struct`, which has no revision of its own.
    Unnamed,
    /// It has configurations of the filter, none of which is valid.
    Invalid,
    /// It has no configuration of the filter.
    Nothing,
}

impl Search {
    /// A search for the policy with a number; for any, if it is not known which one is in force.
    pub(crate) fn new(number: Option<u64>) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Looks through one part of a dump.
    ///
    /// # Errors
    /// Where it is no JSON, or cannot be read to its end. What was found until there is kept.
    pub(crate) fn read(&mut self, part: impl Read) -> Result<(), serde_json::Error> {
        dump::configurations(part, &mut |configuration| {
            let is_used = configuration.is_used;
            // Sidecars have the same one in each of hundreds of listeners.
            if is_used && self.known.contains(&configuration.text) {
                return;
            }
            self.take(&configuration);
            if is_used {
                self.known.insert(configuration.text);
            }
        })
    }

    /// Whether there was no configuration of the filter.
    pub(crate) fn is_empty(&self) -> bool {
        let is_known = self.plan.is_some() || self.other.is_some();
        !(is_known || self.has_unnamed || self.has_invalid)
    }

    /// The policy in force, and the revisions of other policies that are in use beside it.
    pub(crate) fn found(self) -> Result<(Plan, Vec<String>), Missing> {
        let Some(plan) = self.plan else {
            return Err(match self.other {
                Some(_) | None if self.has_unnamed => Missing::Unnamed,
                Some(revision) => Missing::Other(revision),
                None if self.has_invalid => Missing::Invalid,
                None => Missing::Nothing,
            });
        };
        let in_force = plan.revision().as_str();
        let others = self.revisions.iter();
        let others = others.filter(|revision| *revision != in_force);
        let others = others.cloned().collect();
        Ok((plan, others))
    }

    fn take(&mut self, configuration: &dump::Configuration) {
        let read = Configuration::from_json(configuration.text.as_bytes());
        let Ok(Configuration { plan, .. }) = read else {
            self.has_invalid = true;
            return;
        };
        let revision = plan.revision().as_str().to_owned();
        let is_in_force = self
            .number
            .is_none_or(|number| plan.revision().number() == number);
        if !is_in_force && configuration.is_struct && !says_revision(&configuration.text) {
            self.has_unnamed = true;
            return;
        }
        if configuration.is_used {
            self.revisions.insert(revision.clone());
        }
        match is_in_force {
            true if self.plan.is_none() => self.plan = Some(plan),
            true => {}
            false => self.other = Some(revision),
        }
    }
}

fn says_revision(configuration: &str) -> bool {
    let configuration: Value = serde_json::from_str(configuration).unwrap_or_default();
    configuration.pointer("/policy/revision").is_some()
}

/// The region of the proxy's node; empty where it has none.
pub(crate) fn region(server_info: &str) -> String {
    let info: Value = serde_json::from_str(server_info).unwrap_or_default();
    let region = info.pointer("/node/locality/region");
    let region = region.and_then(Value::as_str);
    region.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(revision: &str) -> String {
        format!(
            r#"{{"inbound":"strip","policy":{{"version":1,"revision":"{revision}","account":{{"from":[{{"header":"x-account-sid"}}],"format":"sid"}},"rollouts":[]}}}}"#
        )
    }

    fn dump(configurations: &[Value]) -> String {
        let filter = |configuration: &Value| json!({ "ecds_filter": { "typed_config": { "config": { "configuration": { "value": configuration } } } } });
        let filters: Vec<_> = configurations.iter().map(filter).collect();
        json!({ "configs": filters }).to_string()
    }

    fn find(dump: &str, number: Option<u64>) -> Result<(Plan, Vec<String>), Missing> {
        let mut search = Search::new(number);
        let _ = search.read(dump.as_bytes());
        search.found()
    }

    #[test]
    fn the_one_in_force_is_found_among_others() {
        let number = |revision| {
            turnout_core::Revision::from_name(revision)
                .unwrap()
                .number()
        };
        let structured: Value = serde_json::from_str(&policy("r2")).unwrap();
        // What a proxy writes stands beside its policy.
        let beside = |text: String| text.replacen('{', r#"{"headers":["cluster"],"#, 1);
        let dump = dump(&[
            json!(policy("r1")),
            json!("{\"policy\":1}"),
            structured,
            json!(beside(policy("r3"))),
        ]);
        for revision in ["r1", "r2", "r3"] {
            let (plan, others) = find(&dump, Some(number(revision))).unwrap();
            assert_eq!(plan.revision().as_str(), revision);
            assert_eq!(others.len(), 2, "{others:?}");
        }
        assert!(find(&dump, None).is_ok());
        assert!(matches!(find(&dump, Some(1)), Err(Missing::Other(_))));
    }

    /// The revision of such a policy is the hash of a text that Envoy makes out of the `Struct`.
    #[test]
    fn a_struct_without_revision_is_not_called_another_policy() {
        let text = policy("r").replace("\"revision\":\"r\",", "");
        let structured: Value = serde_json::from_str(&text).unwrap();
        let found = find(&dump(&[structured]), Some(1));
        assert!(matches!(found, Err(Missing::Unnamed)), "{found:?}");
        let found = find(&dump(&[json!(text)]), Some(1));
        assert!(matches!(found, Err(Missing::Other(_))), "{found:?}");
    }

    #[test]
    fn what_is_no_policy_is_none() {
        for text in [
            "",
            "[",
            "{}",
            "null",
            "{\"configs\":7}",
            &"[".repeat(100_000),
        ] {
            let found = find(text, None);
            assert!(matches!(found, Err(Missing::Nothing)), "{text:.20}");
        }
        let invalid = dump(&[json!("{\"policy\":{\"version\":7}}"), json!(3)]);
        assert!(matches!(find(&invalid, None), Err(Missing::Invalid)));
        let others = dump(&[json!("allow"), json!({ "rules": [] })]);
        assert!(matches!(find(&others, None), Err(Missing::Nothing)));
    }

    #[test]
    fn a_region_is_that_of_the_node() {
        let info = r#"{ "node": { "locality": { "region": "eu" } } }"#;
        assert_eq!(region(info), "eu");
        for nothing in ["", "{}", r#"{ "node": 7 }"#] {
            assert_eq!(region(nothing), "");
        }
    }
}
