//! Finds the active policy of a proxy in its configuration dump.
//!
//! The dump has the policy that the proxy received last, which it may have rejected. The filter's revision
//! gauge identifies the active one.

use std::collections::BTreeSet;
use std::io::Read;

use serde_json::Value;
use turnout_core::{Configuration, Plan};

use crate::config_dump::{PluginConfig, read_plugin_configs};

/// A search for the active policy, over the parts of a configuration dump.
#[derive(Debug, Default)]
pub struct PolicySearch {
    /// The revision number of the active policy, if the filter reports one.
    number: Option<u64>,
    plan: Option<Plan>,
    /// The revisions of all policies in use, including the active one.
    revisions: BTreeSet<String>,
    /// The revision of a policy that is not active.
    other: Option<String>,
    /// Whether there is a policy whose revision depends on a text that is not in the dump.
    has_unnamed: bool,
    has_invalid: bool,
    known: BTreeSet<String>,
}

/// What a dump has instead of the active policy.
#[derive(Debug, PartialEq, Eq)]
pub enum MissingPolicy {
    /// Other policies. This is the revision of one of them.
    Other(String),
    /// A policy in a `Struct`, without a `revision`.
    Unnamed,
    /// Only invalid configurations of the filter.
    Invalid,
    /// No configuration of the filter.
    Nothing,
}

impl PolicySearch {
    /// Starts a search for the policy with this revision number, or for any policy if it is `None`.
    #[must_use]
    pub fn new(number: Option<u64>) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Searches one part of a dump.
    ///
    /// # Errors
    /// If it is not JSON or cannot be read to its end. Policies found before that are kept.
    pub fn read(&mut self, part: impl Read) -> Result<(), serde_json::Error> {
        read_plugin_configs(part, &mut |configuration| {
            let is_used = configuration.is_used;
            // A sidecar has the same configuration in each of hundreds of listeners.
            if is_used && self.known.contains(&configuration.text) {
                return;
            }
            self.take(&configuration);
            if is_used {
                self.known.insert(configuration.text);
            }
        })
    }

    /// Whether no configuration of the filter was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_known = self.plan.is_some() || self.other.is_some();
        !(is_known || self.has_unnamed || self.has_invalid)
    }

    /// Returns the active policy, and the revisions of other policies in use.
    ///
    /// # Errors
    /// If the active policy was not found.
    pub fn found(self) -> Result<(Plan, Vec<String>), MissingPolicy> {
        let Some(plan) = self.plan else {
            return Err(match self.other {
                Some(_) | None if self.has_unnamed => MissingPolicy::Unnamed,
                Some(revision) => MissingPolicy::Other(revision),
                None if self.has_invalid => MissingPolicy::Invalid,
                None => MissingPolicy::Nothing,
            });
        };
        let active = plan.revision().as_str();
        let others = self.revisions.iter();
        let others = others.filter(|revision| *revision != active);
        let others = others.cloned().collect();
        Ok((plan, others))
    }

    fn take(&mut self, configuration: &PluginConfig) {
        let read = Configuration::from_json(configuration.text.as_bytes());
        let Ok(Configuration { plan, .. }) = read else {
            self.has_invalid = true;
            return;
        };
        let revision = plan.revision().as_str().to_owned();
        let is_active = self
            .number
            .is_none_or(|number| plan.revision().number() == number);
        if !is_active && configuration.is_struct && !has_revision(&configuration.text) {
            self.has_unnamed = true;
            return;
        }
        if configuration.is_used {
            self.revisions.insert(revision.clone());
        }
        match is_active {
            true if self.plan.is_none() => self.plan = Some(plan),
            true => {}
            false => self.other = Some(revision),
        }
    }
}

fn has_revision(configuration: &str) -> bool {
    let configuration: Value = serde_json::from_str(configuration).unwrap_or_default();
    configuration.pointer("/policy/revision").is_some()
}

/// Returns the region of the proxy's node from `/server_info`, or an empty string.
#[must_use]
pub fn node_region(server_info: &str) -> String {
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

    fn find(dump: &str, number: Option<u64>) -> Result<(Plan, Vec<String>), MissingPolicy> {
        let mut search = PolicySearch::new(number);
        let _ = search.read(dump.as_bytes());
        search.found()
    }

    #[test]
    fn the_active_policy_is_found_among_others() {
        let number = |revision| {
            turnout_core::Revision::from_name(revision)
                .unwrap()
                .number()
        };
        let structured: Value = serde_json::from_str(&policy("r2")).unwrap();
        // The settings of a proxy are next to its policy.
        let with_headers = |text: String| text.replacen('{', r#"{"headers":["cluster"],"#, 1);
        let dump = dump(&[
            json!(policy("r1")),
            json!("{\"policy\":1}"),
            structured,
            json!(with_headers(policy("r3"))),
        ]);
        for revision in ["r1", "r2", "r3"] {
            let (plan, others) = find(&dump, Some(number(revision))).unwrap();
            assert_eq!(plan.revision().as_str(), revision);
            assert_eq!(others.len(), 2, "{others:?}");
        }
        assert!(find(&dump, None).is_ok());
        assert!(matches!(find(&dump, Some(1)), Err(MissingPolicy::Other(_))));
    }

    /// The revision of such a policy is the hash of a text that Envoy makes out of the `Struct`.
    #[test]
    fn a_struct_without_revision_is_not_called_another_policy() {
        let text = policy("r").replace("\"revision\":\"r\",", "");
        let structured: Value = serde_json::from_str(&text).unwrap();
        let found = find(&dump(&[structured]), Some(1));
        assert!(matches!(found, Err(MissingPolicy::Unnamed)), "{found:?}");
        let found = find(&dump(&[json!(text)]), Some(1));
        assert!(matches!(found, Err(MissingPolicy::Other(_))), "{found:?}");
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
            assert!(matches!(found, Err(MissingPolicy::Nothing)), "{text:.20}");
        }
        let invalid = dump(&[json!("{\"policy\":{\"version\":7}}"), json!(3)]);
        assert!(matches!(find(&invalid, None), Err(MissingPolicy::Invalid)));
        let others = dump(&[json!("allow"), json!({ "rules": [] })]);
        assert!(matches!(find(&others, None), Err(MissingPolicy::Nothing)));
    }

    #[test]
    fn a_region_is_that_of_the_node() {
        let info = r#"{ "node": { "locality": { "region": "eu" } } }"#;
        assert_eq!(node_region(info), "eu");
        for nothing in ["", "{}", r#"{ "node": 7 }"#] {
            assert_eq!(node_region(nothing), "");
        }
    }
}
