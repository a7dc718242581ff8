//! Halts and resumes a policy in its text: sets `halted` and the revision, and changes nothing else.
//!
//! A policy may have megabytes, and a halt is urgent, so one pass finds the fields without parsing their
//! values.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use turnout_core::Revision;

const HALTED: &str = "-halted";
const RESUMED: &str = "-resumed";

/// The text of a policy, with its revision and whether it is halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyText<'p> {
    pub(crate) text: Cow<'p, str>,
    pub(crate) revision: Revision,
    pub(crate) halted: bool,
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
            halted: fields.halted()?,
        })
    }

    /// Returns the same policy, halted or resumed. The revision changes from `r1` to `r1-halted` and back; that
    /// of a policy that was applied halted, from `r2` to `r2-resumed` and back.
    pub(crate) fn with_halted(text: &'p str, halted: bool) -> Result<Self, NotAPolicy> {
        let fields = Fields::read(text)?;
        if fields.0.is_empty() {
            return Err(NotAPolicy);
        }
        let own = fields.revision(text)?;
        if fields.halted()? == halted {
            return Ok(Self {
                text: Cow::Borrowed(text),
                revision: own,
                halted,
            });
        }
        let word = if halted { "true" } else { "false" };
        let revision = toggled_revision(own.as_str(), halted)
            .unwrap_or_else(|| Revision::of_text(&format!("{word} {text}")));
        let quoted = format!("\"{revision}\"");
        let edited = fields.with(text, [("halted", word), ("revision", &quoted)])?;
        Ok(Self {
            text: Cow::Owned(edited),
            revision,
            halted,
        })
    }
}

/// Returns the revision of the same policy halted or resumed, or `None` if it would be too long.
pub(crate) fn toggled_revision(revision: &str, halted: bool) -> Option<Revision> {
    let (added, removed) = match halted {
        true => (HALTED, RESUMED),
        false => (RESUMED, HALTED),
    };
    let before = revision.strip_suffix(removed).and_then(Revision::from_name);
    before.or_else(|| Revision::from_name(&[revision, added].concat()))
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

    /// Returns the position of a field's value in the text.
    fn span(&self, text: &str, name: &str) -> Option<Range<usize>> {
        let raw = self.raw(name)?;
        let start = raw.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        Some(start..start.saturating_add(raw.len()))
    }

    /// Returns the text with new values for these top-level fields. A new field comes first.
    fn with(&self, text: &str, new: [(&str, &str); 2]) -> Result<String, NotAPolicy> {
        let first = text.find('{').ok_or(NotAPolicy)?.saturating_add(1);
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for (name, value) in new {
            edits.push(match self.span(text, name) {
                Some(span) => (span, value.to_owned()),
                None => (first..first, format!("\"{name}\":{value},")),
            });
        }
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

    fn halted(&self) -> Result<bool, NotAPolicy> {
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

    fn halted(text: &str, halted: bool) -> (String, String) {
        let text = PolicyText::with_halted(text, halted).unwrap();
        (text.text.to_string(), text.revision.to_string())
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
        ] {
            assert_eq!(
                PolicyText::with_halted(text, true),
                Err(NotAPolicy),
                "{text}"
            );
        }
        // Not a policy, but valid JSON.
        assert_eq!(PolicyText::with_halted("{}", true), Err(NotAPolicy));
    }
}
