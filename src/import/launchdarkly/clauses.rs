//! LaunchDarkly's clauses and segments: the accounts for which they hold.

use super::{NAME, Reader, USER};
use crate::account_set::{AccountSet, Condition};
use crate::error::ImportResult;
use crate::flag::note_skipped;
use crate::located_value::LocatedValue;
use crate::object_reader::ObjectReader;
use crate::quote::quote;

/// Fields of a segment without a meaning here. Exclusions only matter to segments with rules, which are
/// not supported.
const IGNORED_SEGMENT_FIELDS: &[&str] = &[
    "excluded",
    "excludedContexts",
    "generation",
    "key",
    "salt",
    "unboundedContextKind",
    "version",
];
/// Fields that LaunchDarkly always writes, even if they are empty.
const CLAUSE_FIELDS: &[&str] = &["attribute", "negate"];
const SEGMENT_FIELDS: &[&str] = &["included", "rules"];

impl<'a> Reader<'a, '_> {
    pub(super) fn clause(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut clause = value.object()?;
        self.flag
            .require_fields(&clause, CLAUSE_FIELDS, NAME, self.notes);
        let attribute = clause.string("attribute")?.unwrap_or_default();
        let operator = clause.require("op")?.string()?;
        let kind = clause.non_empty_string("contextKind")?;
        let values = clause.require("values")?;
        let is_negated = clause.boolean("negate")?.unwrap_or_default();
        clause.finish(&["_id"], self.notes);
        let condition = match operator {
            "segmentMatch" => self.segments(&values)?,
            "in" if self.account.is(kind, attribute) && values.strings().is_ok() => {
                Condition::known(AccountSet::within("", values.strings()?))
            }
            _ => {
                let message = format!(
                    "the operator {} on the attribute {} is not supported",
                    quote(operator),
                    quote(attribute)
                );
                note_skipped(value.at(), &message, self.notes);
                Condition::unknown()
            }
        };
        Ok(match is_negated {
            true => condition.not(),
            false => condition,
        })
    }

    /// The accounts in at least one of these segments.
    fn segments(&mut self, keys: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut any = Condition::known(AccountSet::within("", []));
        for key in keys.strings()? {
            any = any.or(&self.segment(key, keys)?);
        }
        Ok(any)
    }

    fn segment(&mut self, key: &'a str, keys: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let found = match &self.segments {
            Some(segments) => {
                let entries = segments.entries()?;
                entries.into_iter().find(|(name, _)| *name == key)
            }
            None => None,
        };
        let Some((_, value)) = found else {
            let message = format!("the segment {} is not in the file", quote(key));
            note_skipped(keys.at(), &message, self.notes);
            return Ok(Condition::unknown());
        };
        let mut segment = value.object()?;
        self.flag
            .require_fields(&segment, SEGMENT_FIELDS, NAME, self.notes);
        if segment.boolean("deleted")?.unwrap_or_default() {
            let message = format!("the segment {} is deleted", quote(key));
            note_skipped(&segment.at_field("deleted"), &message, self.notes);
            return Ok(Condition::unknown());
        }
        let rules = segment.items("rules")?;
        if segment.boolean("unbounded")?.unwrap_or_default() || !rules.is_empty() {
            let message = format!(
                "the segment {} has rules or accounts that are not in the file, which is not supported",
                quote(key)
            );
            note_skipped(value.at(), &message, self.notes);
            return Ok(Condition::unknown());
        }
        self.listed_accounts(key, segment)
    }

    /// The accounts that a segment lists.
    fn listed_accounts(
        &mut self,
        key: &str,
        mut segment: ObjectReader<'a>,
    ) -> ImportResult<Condition<'a>> {
        let mut accounts = Vec::new();
        let mut other_kinds = Vec::new();
        let mut take = |kind: &str, values: Vec<&'a str>| match self.account.is(Some(kind), "key") {
            true => accounts.extend(values),
            false if values.is_empty() => {}
            false => other_kinds.push(kind.to_owned()),
        };
        if let Some(users) = segment.get("included") {
            take(USER, users.strings()?);
        }
        for target in segment.items("includedContexts")? {
            let mut target = target.object()?;
            let kind = target.non_empty_string("contextKind")?.unwrap_or(USER);
            take(kind, target.require_strings("values")?);
            target.finish(&[], self.notes);
        }
        let at = segment.at().to_owned();
        segment.finish(IGNORED_SEGMENT_FIELDS, self.notes);
        let listed = Condition::known(AccountSet::within(key, accounts));
        let Some(kind) = other_kinds.first() else {
            return Ok(listed);
        };
        let message = format!(
            "the segment {} lists contexts of the kind {}, but the account is {}",
            quote(key),
            quote(kind),
            self.account.name()
        );
        note_skipped(&at, &message, self.notes);
        Ok(Condition::unknown())
    }
}
