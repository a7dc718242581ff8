//! One change of the policy, as the history keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};
use turnout_core::{EmittedHeaders, Inbound, MaxHeldBytes, RecordLevel};

use crate::installed::Plugin;
use crate::{max_held_bytes, record_level, written};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A policy was given.
    Apply,
    /// One of before was put in force again.
    Rollback,
    /// Everyone was sent to v1.
    Halt,
    /// That was taken back.
    Resume,
    /// Somebody else wrote `filter.json`; this is what a later command found.
    Found,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was about to be written. Such an entry stays where a command was killed.
    Begun,
    /// Written, and no proxy was asked.
    Written,
    /// Every proxy that was asked runs it.
    Accepted,
    /// Every proxy that answered refused it.
    Rejected,
    /// Some proxies run it, others refused it.
    Divided,
    /// No proxy refused it, and not all said in time that they run it.
    Unconfirmed,
}

impl What {
    /// As in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Found => "found",
        }
    }
}

impl Outcome {
    /// As in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Written => "written",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Divided => "divided",
            Self::Unconfirmed => "unconfirmed",
        }
    }

    /// Whether any proxy is known to have refused it: nothing goes back to such a policy.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Rejected | Self::Divided)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change. A file of the history is one of these, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1; each is larger than all before.
    pub sequence: u64,
    /// RFC 3339, in UTC.
    pub when: String,
    /// Who did it, as far as the system knows.
    pub who: Option<String>,
    /// What was done.
    pub what: What,
    /// Why, in their words.
    pub why: Option<String>,
    /// The revision that was put in force.
    pub revision: String,
    /// The same as a number, as the gauge shows it.
    pub number: u64,
    /// Whether everyone is on v1.
    pub halted: bool,
    /// Where the proxies find the filter.
    pub wasm: String,
    /// `strip` or `trust`.
    pub inbound: String,
    /// Which headers the proxies write. Older entries do not say it: all.
    #[serde(default, with = "written")]
    pub headers: EmittedHeaders,
    /// The level of their records in Envoy's log. It is `info` in older entries, which have no such field.
    #[serde(default, with = "record_level")]
    pub record_level: RecordLevel,
    /// How many bytes they hold in one worker at most. It is the default in older entries, which have no such
    /// field.
    #[serde(default, with = "max_held_bytes")]
    pub max_held_bytes: MaxHeldBytes,
    /// The policy's text, by its hash, as it was before it was halted or resumed.
    pub policy: String,
    /// The hash of `filter.json`.
    pub filter: String,
    /// The entry that a rollback goes back to.
    pub before: Option<u64>,
    /// Of a rollback: the entry that it went back to.
    pub back_to: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why proxies refused it.
    pub reasons: Vec<String>,
}

impl Entry {
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

    /// Whether both are states of one policy.
    pub(crate) fn is_state_of(&self, other: &Self) -> bool {
        self.policy == other.policy && self.plugin() == other.plugin()
    }

    /// Reads a file of the history. The error says what is wrong with it.
    pub(crate) fn read(text: &[u8], sequence: u64) -> Result<Self, String> {
        let entry: Self =
            serde_json::from_slice(text).map_err(|error| format!("it is damaged ({error})"))?;
        // What goes back always goes to earlier ones, so it comes to an end.
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

    fn entry(headers: Option<Value>) -> Result<Entry, String> {
        entry_with(&[("headers", headers)])
    }

    fn entry_with(given: &[(&str, Option<Value>)]) -> Result<Entry, String> {
        let mut entry = json!({
            "sequence": 1, "when": "", "who": null, "what": "apply", "why": null, "revision": "a",
            "number": 1, "halted": false, "wasm": "/f.wasm", "inbound": "trust", "policy": "p",
            "filter": "f", "before": null, "back_to": null, "outcome": "written", "reasons": [],
        });
        for (field, value) in given {
            let fields = entry.as_object_mut().unwrap();
            fields.extend(value.clone().map(|value| ((*field).into(), value)));
        }
        Entry::read(entry.to_string().as_bytes(), 1)
    }

    #[test]
    fn an_older_entry_says_nothing_of_headers_and_a_newer_one_always() {
        let older = entry(None).unwrap();
        assert_eq!(older.headers, EmittedHeaders::ALL);
        let newer = serde_json::to_value(&older).unwrap();
        assert_eq!(newer["headers"], json!(EmittedHeaders::WORDS));
        assert_eq!(entry(Some(json!(EmittedHeaders::WORDS))), Ok(older.clone()));

        let some = entry(Some(json!(["decision", "cluster"]))).unwrap();
        assert_eq!(some.plugin().headers, some.headers);
        let written = serde_json::to_value(&some).unwrap();
        assert_eq!(written["headers"], json!(["cluster", "decision"]));
        // Another proxy is to be told.
        assert!(!some.is_state_of(&older));
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
        assert!(!at_warn.is_state_of(&older));
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
        assert!(!less.is_state_of(&older));
        for bad in [json!("67108864"), json!(3), json!(null)] {
            let error = entry_with(&[("max_held_bytes", Some(bad))]).unwrap_err();
            assert!(error.starts_with("it is damaged ("), "{error}");
        }
    }
}
