//! Halts, resumes and re-arms a policy in its text: sets `halted`, `rearmed` and the revision, and changes nothing else.
//!
//! A policy may have megabytes, and a halt is urgent, so one pass finds the fields without parsing the values of
//! others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use turnout_core::Revision;

use crate::halts::Halts;
use crate::policy_state::{PolicyState, RearmCounts};
use crate::state_revision::state_revision;

/// The largest `rearmed` of a valid policy.
pub(crate) const MAX_REARMED: u64 = 1_000_000;

/// The text of a policy, with its revision, what it halts, and its guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyText<'p> {
    pub(crate) text: Cow<'p, str>,
    pub(crate) revision: Revision,
    pub(crate) halts: Halts,
    /// By the name of the rollout.
    pub(crate) guards: BTreeMap<String, Guard>,
}

/// The guard of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// How many times it was re-armed.
    pub(crate) rearmed: u64,
    /// Whether it sends requests to v1 once it has tripped, and does not only report.
    pub(crate) acts: bool,
}

/// The text is not a JSON object, or a field has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAPolicy;

impl<'p> PolicyText<'p> {
    pub(crate) fn read(text: &'p str) -> Result<Self, NotAPolicy> {
        let fields = Fields::read(text)?;
        Self::of_fields(text, &fields, &fields.rollouts())
    }

    fn of_fields(
        text: &'p str,
        fields: &Fields<'p>,
        rollouts: &[Rollout<'p>],
    ) -> Result<Self, NotAPolicy> {
        Ok(Self {
            text: Cow::Borrowed(text),
            revision: fields.revision(text)?,
            halts: fields.halts(rollouts)?,
            guards: guards(rollouts)?,
        })
    }

    pub(crate) fn state(&self) -> PolicyState {
        let guards = self.guards.iter();
        let rearmed = guards.map(|(rollout, guard)| (rollout.clone(), guard.rearmed));
        PolicyState {
            halts: self.halts.clone(),
            rearmed: rearmed.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Returns the greater count of each of its guards: its own, or the one in `found`.
    pub(crate) fn greater_rearmed(&self, found: &RearmCounts) -> RearmCounts {
        let guards = self.guards.iter();
        let counts = guards.map(|(rollout, guard)| {
            let found = found.get(rollout).copied().unwrap_or_default();
            (rollout.clone(), guard.rearmed.max(found.min(MAX_REARMED)))
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Returns those of these counts that differ from its own.
    pub(crate) fn changed_rearmed(&self, counts: &RearmCounts) -> RearmCounts {
        let own = |rollout: &String| self.guards.get(rollout).map(|guard| guard.rearmed);
        let counts = counts.iter();
        let changed = counts.filter(|(rollout, count)| own(rollout) != Some(**count));
        changed
            .map(|(rollout, count)| (rollout.clone(), *count))
            .collect()
    }

    /// Returns the rollouts whose guard sends requests to v1 once it has tripped: this rollout, or all that are not
    /// halted.
    pub(crate) fn acting_guards(&self, rollout: Option<&str>, halts: &Halts) -> Vec<String> {
        let guards = self.guards.iter().filter(|(name, guard)| {
            let is_wanted = rollout.map_or(!halts.rollouts.contains(*name), |one| one == *name);
            guard.acts && is_wanted
        });
        guards.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the same policy in this state. If it is in this state itself, it returns the text as it is. Each halted
    /// rollout must be in the policy, and each re-armed one must have a guard.
    pub(crate) fn with_state(text: &'p str, wanted: &PolicyState) -> Result<Self, NotAPolicy> {
        let fields = Fields::read(text)?;
        if fields.0.is_empty() {
            return Err(NotAPolicy);
        }
        let rollouts = fields.rollouts();
        let own = Self::of_fields(text, &fields, &rollouts)?;
        let state = own.state();
        if state == *wanted {
            return Ok(own);
        }
        let by_name = |name: &String| {
            let rollout = rollouts.iter().find(|rollout| rollout.name == *name);
            rollout.ok_or(NotAPolicy)
        };
        let revision = state_revision(own.revision.as_str(), text, &state, wanted);
        let mut edits = Vec::new();
        let (halts, halted) = (&state.halts, &wanted.halts);
        if halts.everyone != halted.everyone {
            edits.push(fields.edit(text, text, "halted", word(halted.everyone))?);
        }
        edits.push(fields.edit(text, text, "revision", &format!("\"{revision}\""))?);
        for name in halts.rollouts.symmetric_difference(&halted.rollouts) {
            let Rollout { raw, fields, .. } = by_name(name)?;
            edits.push(fields.edit(text, raw, "halted", word(halted.rollouts.contains(name)))?);
        }
        let mut guards = own.guards;
        let names = state.rearmed.keys().chain(wanted.rearmed.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let count = wanted.rearmed.get(name).copied().unwrap_or_default();
            let guard = guards.get_mut(name).ok_or(NotAPolicy)?;
            if guard.rearmed != count {
                guard.rearmed = count;
                let raw = by_name(name)?.fields.raw("guard").ok_or(NotAPolicy)?;
                let edit = Fields::read(raw)?.edit(text, raw, "rearmed", &count.to_string());
                edits.push(edit?);
            }
        }
        Ok(Self {
            text: Cow::Owned(edited(text, edits)?),
            revision,
            halts: wanted.halts.clone(),
            guards,
        })
    }
}

/// Returns the guards of rollouts. A `guard` that is not an object is not valid, so no proxy runs it.
fn guards(rollouts: &[Rollout<'_>]) -> Result<BTreeMap<String, Guard>, NotAPolicy> {
    let mut guards = BTreeMap::new();
    for Rollout { name, fields, .. } in rollouts {
        let fields = fields.raw("guard").map(Fields::read);
        if let Some(Ok(fields)) = fields {
            let guard = Guard {
                rearmed: fields.raw("rearmed").map_or(Ok(0), whole_number)?,
                acts: fields.raw("action") != Some("\"report\""),
            };
            guards.insert(name.clone(), guard);
        }
    }
    Ok(guards)
}

/// Parses a whole number, which may be written as `1`, `1.0` or `1e0`.
fn whole_number(raw: &str) -> Result<u64, NotAPolicy> {
    if let Ok(number) = raw.parse() {
        return Some(number)
            .filter(|number| *number <= MAX_REARMED)
            .ok_or(NotAPolicy);
    }
    let number: f64 = serde_json::from_str(raw).map_err(|_| NotAPolicy)?;
    // The text of a whole float has no fraction and no exponent.
    let whole = number.to_string().parse().map_err(|_| NotAPolicy)?;
    Some(whole)
        .filter(|number| *number <= MAX_REARMED)
        .ok_or(NotAPolicy)
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
        let comma = if self.0.is_empty() { "" } else { "," };
        Ok((first..first, format!("\"{name}\":{value}{comma}")))
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
        let state = PolicyState {
            halts: Halts {
                everyone,
                rollouts: rollouts.iter().map(|name| (*name).to_owned()).collect(),
            },
            rearmed: PolicyText::read(text)?.state().rearmed,
        };
        let text = PolicyText::with_state(text, &state)?;
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
    fn a_guard_is_rearmed_and_nothing_else_changes() {
        let policy = r#"{"revision": "r", "rollouts": [ {"name": "a", "guard": {} }, {"name": "b", "guard" : { "alpha": 0.1, "rearmed" : 2.0 } }, {"name": "c"}]}"#;
        let own = PolicyText::read(policy).unwrap();
        assert_eq!(own.guards.keys().collect::<Vec<_>>(), ["a", "b"]);
        let mut state = own.state();
        assert_eq!(state.rearmed, [("b".to_owned(), 2)].into());
        state.rearmed.insert("a".into(), 1);
        let once = PolicyText::with_state(policy, &state).unwrap();
        let expected = policy
            .replace("{} }", "{\"rearmed\":1} }")
            .replace("\"r\"", "\"r+rearmed.a.1\"");
        assert_eq!(once.text, expected);
        assert_eq!(PolicyText::read(&expected).unwrap().state(), state);
        state.rearmed.insert("b".into(), 3);
        state.halts.rollouts.insert("b".into());
        let both = PolicyText::with_state(policy, &state).unwrap();
        assert_eq!(both.revision.as_str(), "r+halted.b+rearmed.a.1.b.3");
        let expected = policy
            .replace("{} }", "{\"rearmed\":1} }")
            .replace("2.0", "3")
            .replace("{\"name\": \"b\"", "{\"halted\":true,\"name\": \"b\"")
            .replace("\"r\"", "\"r+halted.b+rearmed.a.1.b.3\"");
        assert_eq!(both.text, expected);
        // The text in the file is all that is left of the policy.
        state.halts.rollouts.clear();
        let back = PolicyText::with_state(&expected, &state).unwrap();
        assert_eq!(back.revision.as_str(), "r+rearmed.a.1.b.3");
        state.rearmed.insert("c".into(), 1);
        assert_eq!(PolicyText::with_state(policy, &state), Err(NotAPolicy));
    }

    #[test]
    fn a_guard_acts_unless_it_only_reports() {
        let policy = r#"{"rollouts": [{"name": "a", "guard": {"action": "report"}}, {"name": "b", "guard": {"action": "halt"}}, {"name": "c", "guard": null}]}"#;
        let guards = PolicyText::read(policy).unwrap().guards;
        let acting: Vec<_> = guards
            .into_iter()
            .map(|(name, guard)| (name, guard.acts))
            .collect();
        assert_eq!(acting, [("a".into(), false), ("b".into(), true)]);
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
            r#"{"rollouts": [{"name": "a", "guard": {"rearmed": -1}}]}"#,
            r#"{"rollouts": [{"name": "a", "guard": {"rearmed": 0.5}}]}"#,
            r#"{"rollouts": [{"name": "a", "guard": {"rearmed": 1e300}}]}"#,
            r#"{"rollouts": [{"name": "a", "guard": {"rearmed": "1"}}]}"#,
        ] {
            assert_eq!(with(text, true, &[]), Err(NotAPolicy), "{text}");
        }
        // Not a policy, but valid JSON.
        assert_eq!(with("{}", true, &[]), Err(NotAPolicy));
    }
}
