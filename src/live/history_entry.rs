//! One change of the policy, as an entry of the history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use turnout_core::{EmittedHeaders, Inbound, MaxHeldBytes, RecordLevel};

use crate::filter_file::Plugin;
use crate::halts::Halts;
use crate::policy_state::PolicyState;
use crate::{serde_emitted_headers, serde_max_held_bytes, serde_record_level};

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A policy was applied.
    Apply,
    /// An earlier policy became active again.
    Rollback,
    /// Everyone, or everyone in one rollout, was sent to v1.
    Halt,
    /// A halt ended.
    Resume,
    /// The guard of one rollout was re-armed.
    Rearm,
    /// Something else wrote `filter.json`, and a later command found it.
    Found,
}

/// The outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was about to be written. An entry keeps this outcome if the command was killed.
    Begun,
    /// Written, and no proxy was asked.
    Written,
    /// Every proxy that was asked runs it.
    Accepted,
    /// Every proxy that responded rejected it.
    Rejected,
    /// Some proxies run it, others rejected it. Older entries call it `divided`.
    #[serde(alias = "divided")]
    PartiallyApplied,
    /// No proxy rejected it, but not all confirmed in time that they run it.
    Unconfirmed,
}

impl Action {
    /// Returns the word in the history and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Rearm => "rearm",
            Self::Found => "found",
        }
    }
}

impl Outcome {
    /// Returns the word in the history and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Written => "written",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::PartiallyApplied => "partially_applied",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// Whether any proxy rejected it. A rollback never returns to such a policy.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Rejected | Self::PartiallyApplied)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change of the policy. Each JSON file in the history has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// Its number. The first entry has 1, and the numbers increase.
    pub sequence: u64,
    /// When it was done: RFC 3339, in UTC.
    pub when: String,
    /// Who did it, if known.
    pub who: Option<String>,
    /// What was done. Older entries call it `what`.
    #[serde(alias = "what")]
    pub action: Action,
    /// For a halt or resume of a single rollout, or a rearm, its name. Older entries have no such field.
    #[serde(default)]
    pub rollout: Option<String>,
    /// Why, in the words of that person.
    pub why: Option<String>,
    /// The revision that became active.
    pub revision: String,
    /// The number of the revision, as the gauge has it.
    pub number: u64,
    /// Whether everyone is on v1.
    pub halted: bool,
    /// The rollouts that have a halt of their own. Older entries have no such field.
    #[serde(default)]
    pub halted_rollouts: BTreeSet<String>,
    /// How many times each guard was re-armed, by the name of its rollout. A guard that never was is absent. Older
    /// entries have no such field.
    #[serde(default)]
    pub rearmed: BTreeMap<String, u64>,
    /// The path of the filter on the proxies.
    pub wasm: String,
    /// `strip` or `trust`.
    pub inbound: String,
    /// The headers that the proxies write. It is all of them in older entries, which have no such field.
    #[serde(default, with = "serde_emitted_headers")]
    pub headers: EmittedHeaders,
    /// The level of their records in Envoy's log. It is `info` in older entries, which have no such field.
    #[serde(default, with = "serde_record_level")]
    pub record_level: RecordLevel,
    /// The limit of bytes that one worker holds. It is the default in older entries, which have no such
    /// field.
    #[serde(default, with = "serde_max_held_bytes")]
    pub max_held_bytes: MaxHeldBytes,
    /// The hash of the policy's text from before a halt, resume or rearm.
    pub policy: String,
    /// The hash of `filter.json`.
    pub filter: String,
    /// The entry that a rollback returns to.
    pub before: Option<u64>,
    /// For a rollback, the entry that it returned to.
    pub back_to: Option<u64>,
    /// Its outcome.
    pub outcome: Outcome,
    /// Why proxies rejected it.
    pub reasons: Vec<String>,
}

impl HistoryEntry {
    pub(crate) fn plugin(&self) -> Plugin {
        Plugin {
            wasm: self.wasm.clone(),
            inbound: match self.inbound.as_str() {
                "trust" => Inbound::Trust,
                _ => Inbound::Strip,
            },
            headers: self.headers,
            record_level: self.record_level,
            max_held_bytes: self.max_held_bytes,
        }
    }

    /// What is halted in its policy.
    #[must_use]
    pub fn halts(&self) -> Halts {
        Halts {
            everyone: self.halted,
            rollouts: self.halted_rollouts.clone(),
        }
    }

    pub(crate) fn state(&self) -> PolicyState {
        PolicyState {
            halts: self.halts(),
            rearmed: self.rearmed.clone(),
        }
    }

    /// Whether both have the same policy and plugin settings, in any state.
    pub(crate) fn has_same_policy_as(&self, other: &Self) -> bool {
        self.policy == other.policy && self.plugin() == other.plugin()
    }

    /// Parses a file of the history. The error says what is wrong with it.
    pub(crate) fn read(text: &[u8], sequence: u64) -> Result<Self, String> {
        let entry: Self =
            serde_json::from_slice(text).map_err(|error| format!("it is damaged ({error})"))?;
        // Only references to earlier entries are valid, so following them ends.
        let is_earlier = |other: Option<u64>| other.is_none_or(|other| other < sequence);
        let is_known = matches!(entry.inbound.as_str(), "strip" | "trust");
        match entry.sequence == sequence && is_earlier(entry.before) && is_known {
            true => Ok(entry),
            false => Err("it is damaged (it contradicts itself)".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(headers: Option<Value>) -> Result<HistoryEntry, String> {
        entry_with(&[("headers", headers)])
    }

    fn entry_with(given: &[(&str, Option<Value>)]) -> Result<HistoryEntry, String> {
        let mut entry = json!({
            "sequence": 1, "when": "", "who": null, "action": "apply", "why": null, "revision": "a",
            "number": 1, "halted": false, "wasm": "/f.wasm", "inbound": "trust", "policy": "p",
            "filter": "f", "before": null, "back_to": null, "outcome": "written", "reasons": [],
        });
        for (field, value) in given {
            let fields = entry.as_object_mut().unwrap();
            fields.extend(value.clone().map(|value| ((*field).into(), value)));
        }
        HistoryEntry::read(entry.to_string().as_bytes(), 1)
    }

    #[test]
    fn an_older_entry_has_no_headers_and_a_newer_one_always_has() {
        let older = entry(None).unwrap();
        assert_eq!(older.headers, EmittedHeaders::ALL);
        let newer = serde_json::to_value(&older).unwrap();
        assert_eq!(newer["headers"], json!(EmittedHeaders::WORDS));
        assert_eq!(entry(Some(json!(EmittedHeaders::WORDS))), Ok(older.clone()));

        let some = entry(Some(json!(["decision", "cluster"]))).unwrap();
        assert_eq!(some.plugin().headers, some.headers);
        let written = serde_json::to_value(&some).unwrap();
        assert_eq!(written["headers"], json!(["cluster", "decision"]));
        // The proxies have to receive the change.
        assert!(!some.has_same_policy_as(&older));
        for bad in [
            json!(["decision"]),
            json!([]),
            json!("cluster"),
            json!(null),
        ] {
            let error = entry(Some(bad)).unwrap_err();
            assert!(error.starts_with("it is damaged ("), "{error}");
        }
    }

    #[test]
    fn an_older_entry_has_no_record_level_and_a_newer_one_always_has() {
        let older = entry(None).unwrap();
        assert_eq!(older.record_level, RecordLevel::Info);
        let newer = serde_json::to_value(&older).unwrap();
        assert_eq!(newer["record_level"], json!("info"));

        let at_warn = entry_with(&[("record_level", Some(json!("warn")))]).unwrap();
        assert_eq!(at_warn.plugin().record_level, RecordLevel::Warn);
        let written = serde_json::to_value(&at_warn).unwrap();
        assert_eq!(written["record_level"], json!("warn"));
        assert!(!at_warn.has_same_policy_as(&older));
        for bad in [json!("warning"), json!(3), json!(null)] {
            let error = entry_with(&[("record_level", Some(bad))]).unwrap_err();
            assert!(error.starts_with("it is damaged ("), "{error}");
        }
    }

    #[test]
    fn an_older_entry_has_no_limit_of_held_bytes_and_a_newer_one_always_has() {
        let older = entry(None).unwrap();
        assert_eq!(older.max_held_bytes, MaxHeldBytes::default());
        let newer = serde_json::to_value(&older).unwrap();
        assert_eq!(newer["max_held_bytes"], json!(67_108_864));

        let less = entry_with(&[("max_held_bytes", Some(json!(20_000_000)))]).unwrap();
        assert_eq!(less.plugin().max_held_bytes.get(), 20_000_000);
        assert!(!less.has_same_policy_as(&older));
        for bad in [json!("67108864"), json!(3), json!(null)] {
            let error = entry_with(&[("max_held_bytes", Some(bad))]).unwrap_err();
            assert!(error.starts_with("it is damaged ("), "{error}");
        }
    }

    #[test]
    fn an_older_entry_has_no_halted_or_rearmed_rollouts_and_a_newer_one_always_has() {
        let older = entry(None).unwrap();
        assert_eq!(older.halts(), Halts::default());
        let newer = serde_json::to_value(&older).unwrap();
        assert_eq!(
            (&newer["halted_rollouts"], &newer["rollout"]),
            (&json!([]), &json!(null))
        );
        assert_eq!((older.rearmed.len(), &newer["rearmed"]), (0, &json!({})));
        let some = entry_with(&[
            ("halted_rollouts", Some(json!(["a", "b"]))),
            ("rollout", Some(json!("a"))),
            ("rearmed", Some(json!({ "a": 2 }))),
        ]);
        let some = some.unwrap();
        assert_eq!(some.state().rearmed, [("a".to_owned(), 2)].into());
        assert_eq!(some.halts().rollouts.len(), 2);
        assert_eq!(some.rollout.as_deref(), Some("a"));
        // The policy is the same, only its state differs.
        assert!(some.has_same_policy_as(&older));
    }

    #[test]
    fn an_older_entry_has_the_field_what_and_the_outcome_divided() {
        let entry = |action: &str, outcome: &str| {
            let text = json!({
                "sequence": 1, "when": "", "who": null, action: "halt", "why": null, "revision": "a",
                "number": 1, "halted": true, "wasm": "/f.wasm", "inbound": "strip", "policy": "p",
                "filter": "f", "before": null, "back_to": null, "outcome": outcome, "reasons": [],
            });
            HistoryEntry::read(text.to_string().as_bytes(), 1)
        };
        let older = entry("what", "divided");
        assert_eq!(older, entry("action", "partially_applied"));
        assert_eq!(older.unwrap().action, Action::Halt);
    }
}
