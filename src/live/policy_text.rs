//! Halts and resumes a policy in its text: sets `halted` and the revision, and changes nothing else.
//!
//! A policy may have megabytes, and a halt is urgent, so one pass finds the fields without parsing the values of
//! others.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use turnout_core::Revision;

use crate::halted_revision::halted_revision;
use crate::halts::Halts;

/// The text of a policy, with its revision and what it halts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyText<'p> {
    pub(crate) text: Cow<'p, str>,
    pub(crate) revision: Revision,
    pub(crate) halts: Halts,
}

/// The text is not a JSON object, or a field has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAPolicy;

impl<'p> PolicyText<'p> {
    pub(crate) fn read(text: &'p str) -> Result<Self, NotAPolicy> {
        let fields = Fields::read(text)?;
        Ok(Self {
            text: Cow::Borrowed(text),
            revision: fields.revision(text)?,
            halts: fields.halts(&fields.rollouts())?,
        })
    }

    /// Returns the same policy with these halts and no others. If the policy halts exactly these itself, it returns the
    /// text as it is. Each halted rollout must be in the policy.
    pub(crate) fn with_halts(text: &'p str, wanted: &Halts) -> Result<Self, NotAPolicy> {
        let fields = Fields::read(text)?;
        if fields.0.is_empty() {
            return Err(NotAPolicy);
        }
        let own = fields.revision(text)?;
        let rollouts = fields.rollouts();
        let halts = fields.halts(&rollouts)?;
        if halts == *wanted {
            return Ok(Self {
                text: Cow::Borrowed(text),
                revision: own,
                halts,
            });
        }
        let revision = halted_revision(own.as_str(), text, &halts, wanted);
        let mut edits = Vec::new();
        if halts.everyone != wanted.everyone {
            edits.push(fields.edit(text, text, "halted", word(wanted.everyone))?);
        }
        edits.push(fields.edit(text, text, "revision", &format!("\"{revision}\""))?);
        for name in halts.rollouts.symmetric_difference(&wanted.rollouts) {
            let rollout = rollouts.iter().find(|rollout| rollout.name == *name);
            let Rollout { raw, fields, .. } = rollout.ok_or(NotAPolicy)?;
            edits.push(fields.edit(text, raw, "halted", word(wanted.rollouts.contains(name)))?);
        }
        Ok(Self {
            text: Cow::Owned(edited(text, edits)?),
            revision,
            halts: wanted.clone(),
        })
    }
}

/// Returns the names of a policy's rollouts, in order.
pub(crate) fn rollout_names(text: &str) -> Vec<String> {
    let rollouts = Fields::read(text).map_or(Vec::new(), |fields| fields.rollouts());
    rollouts.into_iter().map(|rollout| rollout.name).collect()
}

fn word(halted: bool) -> &'static str {
    match halted {
        true => "true",
        false => "false",
    }
}

/// Replaces parts of a text.
fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> Result<String, NotAPolicy> {
    edits.sort_by_key(|(span, _)| span.start);
    let mut edited = String::with_capacity(text.len().saturating_add(100));
    let mut taken = 0;
    for (span, value) in edits {
        edited.push_str(text.get(taken..span.start).ok_or(NotAPolicy)?);
        edited.push_str(&value);
        taken = span.end;
    }
    edited.push_str(text.get(taken..).ok_or(NotAPolicy)?);
    Ok(edited)
}

/// Returns the position of a part of a text.
fn span(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(start..start.saturating_add(part.len()))
}

/// A rollout of a policy.
struct Rollout<'p> {
    name: String,
    raw: &'p str,
    fields: Fields<'p>,
}

/// The fields of a policy in order, with unparsed values.
struct Fields<'p>(Vec<(Cow<'p, str>, &'p RawValue)>);

impl<'p> Fields<'p> {
    fn read(text: &'p str) -> Result<Self, NotAPolicy> {
        serde_json::from_str(text).map_err(|_| NotAPolicy)
    }

    fn raw(&self, name: &str) -> Option<&'p str> {
        let mut fields = self.0.iter();
        let field = fields.find(|(field, _)| field == name);
        field.map(|(_, value)| value.get())
    }

    /// Returns the edit that gives a field of an object a new value. A new field comes first.
    fn edit(
        &self,
        text: &str,
        object: &str,
        name: &str,
        value: &str,
    ) -> Result<(Range<usize>, String), NotAPolicy> {
        if let Some(raw) = self.raw(name) {
            return Ok((span(text, raw).ok_or(NotAPolicy)?, value.to_owned()));
        }
        let start = span(text, object).ok_or(NotAPolicy)?.start;
        let brace = object.find('{').ok_or(NotAPolicy)?;
        let first = start.saturating_add(brace).saturating_add(1);
        Ok((first..first, format!("\"{name}\":{value},")))
    }

    /// Returns the rollouts that have a name. Others are not valid, so no proxy runs them.
    fn rollouts(&self) -> Vec<Rollout<'p>> {
        let rollouts = self.raw("rollouts").map(serde_json::from_str);
        let rollouts: Vec<&RawValue> = rollouts.and_then(Result::ok).unwrap_or_default();
        let named = rollouts.into_iter().filter_map(|rollout| {
            let raw = rollout.get();
            let fields = Fields::read(raw).ok()?;
            let name = serde_json::from_str(fields.raw("name")?).ok()?;
            Some(Rollout { name, raw, fields })
        });
        named.collect()
    }

    fn halts(&self, rollouts: &[Rollout<'p>]) -> Result<Halts, NotAPolicy> {
        let mut halted = BTreeSet::new();
        for rollout in rollouts {
            if rollout.fields.is_halted()? {
                halted.insert(rollout.name.clone());
            }
        }
        Ok(Halts {
            everyone: self.is_halted()?,
            rollouts: halted,
        })
    }

    fn is_halted(&self) -> Result<bool, NotAPolicy> {
        match self.raw("halted") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(NotAPolicy),
        }
    }

    fn revision(&self, text: &str) -> Result<Revision, NotAPolicy> {
        let Some(raw) = self.raw("revision") else {
            return Ok(Revision::of_text(text));
        };
        let given: String = serde_json::from_str(raw).map_err(|_| NotAPolicy)?;
        Revision::from_name(&given).ok_or(NotAPolicy)
    }
}

impl<'de: 'p, 'p> Deserialize<'de> for Fields<'p> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, _>()? {
                    fields.push((name.0, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The name of a field, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'p>(#[serde(borrow)] Cow<'p, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, everyone: bool, rollouts: &[&str]) -> Result<(String, String), NotAPolicy> {
        let halts = Halts {
            everyone,
            rollouts: rollouts.iter().map(|name| (*name).to_owned()).collect(),
        };
        let text = PolicyText::with_halts(text, &halts)?;
        Ok((text.text.to_string(), text.revision.to_string()))
    }

    /// Also checks that the text has the halts that it was given.
    fn halted(text: &str, halted: bool) -> (String, String) {
        let (text, revision) = with(text, halted, &[]).unwrap();
        let read = PolicyText::read(&text).unwrap();
        assert_eq!(
            (read.halts.everyone, read.revision.as_str()),
            (halted, &*revision)
        );
        (text, revision)
    }

    #[test]
    fn a_rollout_is_halted_and_resumed_and_nothing_else_changes() {
        let policy = "{\"revision\": \"r\", \"rollouts\": [ { \"name\" : \"a\" },\n\t{\"x\": {\"name\": \"a\"}, \"halted\" : false, \"name\": \"b\"}]}";
        let (text, revision) = with(policy, false, &["a"]).unwrap();
        let expected = policy
            .replace("[ { ", "[ {\"halted\":true, ")
            .replace("\"r\"", "\"r+halted.a\"");
        assert_eq!((&text, &*revision), (&expected, "r+halted.a"));
        let (text, revision) = with(policy, true, &["a", "b"]).unwrap();
        let expected = policy
            .replace("[ { ", "[ {\"halted\":true, ")
            .replace(": false", ": true")
            .replace("\"r\"", "\"r-halted+halted.a.b\"")
            .replacen('{', "{\"halted\":true,", 1);
        assert_eq!((&text, &*revision), (&expected, "r-halted+halted.a.b"));
        let read = PolicyText::read(&text).unwrap();
        assert_eq!(
            read.halts.rollouts.into_iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
        // Back, from the text alone.
        assert_eq!(with(&text, false, &["b"]).unwrap().1, "r+halted.b");
        assert_eq!(with(&text, false, &[]).unwrap().1, "r");
        assert_eq!(
            with(policy, false, &[]).unwrap(),
            (policy.into(), "r".into())
        );
        assert_eq!(with(policy, false, &["c"]), Err(NotAPolicy));
        assert_eq!(rollout_names(policy), ["a", "b"]);
    }

    #[test]
    fn one_field_and_the_revision_change_and_nothing_else() {
        let policy = "{ \"revision\" : \"r1\",\n  \"version\": 1,\t\"x\": \"{halted\" }\n";
        let (text, revision) = halted(policy, true);
        assert_eq!(
            text,
            "{\"halted\":true, \"revision\" : \"r1-halted\",\n  \"version\": 1,\t\"x\": \"{halted\" }\n"
        );
        assert_eq!(revision, "r1-halted");
        let (resumed, revision) = halted(&text, false);
        assert_eq!(resumed, policy.replacen('{', "{\"halted\":false,", 1));
        assert_eq!(revision, "r1");
    }

    #[test]
    fn a_value_that_is_there_is_replaced() {
        let policy = r#"{"halted" :  false , "rollouts": [{"halted": true}], "revision": "a"}"#;
        let (text, _) = halted(policy, true);
        assert_eq!(
            text,
            r#"{"halted" :  true , "rollouts": [{"halted": true}], "revision": "a-halted"}"#
        );
        assert_eq!(halted(policy, false), (policy.into(), "a".into()));
    }

    #[test]
    fn a_policy_that_came_halted_is_resumed() {
        let (text, revision) = halted(r#"{"halted":true,"revision":"a"}"#, false);
        assert_eq!(revision, "a-resumed");
        assert_eq!(halted(&text, true).1, "a");
    }

    #[test]
    fn a_revision_that_gets_too_long_is_a_hash() {
        let policy = format!(r#"{{"revision":"{}"}}"#, "r".repeat(60));
        let (text, revision) = halted(&policy, true);
        assert_eq!(revision.len(), 16);
        assert!(
            text.contains(&format!("\"revision\":\"{revision}\"")),
            "{text}"
        );
    }

    #[test]
    fn a_field_may_be_written_with_escapes() {
        let (text, _) = halted(r#"{"h\u0061lted": false, "revision": "\u0061"}"#, true);
        assert_eq!(text, r#"{"h\u0061lted": true, "revision": "a-halted"}"#);
    }

    #[test]
    fn what_is_no_policy_is_not_edited() {
        for text in [
            "",
            "[]",
            "{",
            "{} {}",
            r#"{"halted": 1}"#,
            r#"{"revision": 7}"#,
            r#"{"revision": "a b"}"#,
            r#"{"rollouts": [{"name": "a", "halted": 1}]}"#,
        ] {
            assert_eq!(with(text, true, &[]), Err(NotAPolicy), "{text}");
        }
        // Not a policy, but valid JSON.
        assert_eq!(with("{}", true, &[]), Err(NotAPolicy));
    }
}
