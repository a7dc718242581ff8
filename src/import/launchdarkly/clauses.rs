//! Clauses of LaunchDarkly's rules: which accounts they are about.

use super::{NAME, Reader, USER};
use crate::flag::leave_out;
use crate::node::{Node, Object, Read};
use crate::when::{Condition, When};
use crate::words::quoted;

/// Whom a segment excludes it would take by rules only.
const OF_SEGMENT: &[&str] = &[
    "excluded",
    "excludedContexts",
    "generation",
    "key",
    "salt",
    "unboundedContextKind",
    "version",
];
/// What LaunchDarkly writes of each clause and each segment, also where it is empty.
const OF_CLAUSE: &[&str] = &["attribute", "negate"];
const LISTS: &[&str] = &["included", "rules"];

impl<'a> Reader<'a, '_> {
    pub(super) fn clause(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        let mut clause = node.object()?;
        self.flag.expect(&clause, OF_CLAUSE, NAME, self.notes);
        let attribute = clause.text("attribute")?.unwrap_or_default();
        let operator = clause.need("op")?.text()?;
        let kind = clause.word("contextKind")?;
        let values = clause.need("values")?;
        let is_negated = clause.truth("negate")?.unwrap_or_default();
        clause.finish(&["_id"], self.notes);
        let condition = match operator {
            "segmentMatch" => self.segments(&values)?,
            "in" if self.account.is(kind, attribute) && values.texts().is_ok() => {
                Condition::known(When::within("", values.texts()?))
            }
            _ => {
                let what = format!(
                    "whether {} of the attribute {} holds is not known here",
                    quoted(operator),
                    quoted(attribute)
                );
                leave_out(node.at(), &what, self.notes);
                Condition::unknown()
            }
        };
        Ok(match is_negated {
            true => condition.not(),
            false => condition,
        })
    }

    /// In one of these segments.
    fn segments(&mut self, keys: &Node<'a>) -> Read<Condition<'a>> {
        let mut any = Condition::known(When::within("", []));
        for key in keys.texts()? {
            any = any.or(&self.segment(key, keys)?);
        }
        Ok(any)
    }

    fn segment(&mut self, key: &'a str, keys: &Node<'a>) -> Read<Condition<'a>> {
        let found = match &self.segments {
            Some(segments) => {
                let entries = segments.entries()?;
                entries.into_iter().find(|(name, _)| *name == key)
            }
            None => None,
        };
        let Some((_, node)) = found else {
            let what = format!("the segment {} is not in the file", quoted(key));
            leave_out(keys.at(), &what, self.notes);
            return Ok(Condition::unknown());
        };
        let mut segment = node.object()?;
        self.flag.expect(&segment, LISTS, NAME, self.notes);
        if segment.truth("deleted")?.unwrap_or_default() {
            let what = format!("the segment {} is deleted", quoted(key));
            leave_out(&segment.at_field("deleted"), &what, self.notes);
            return Ok(Condition::unknown());
        }
        let rules = segment.items("rules")?;
        if segment.truth("unbounded")?.unwrap_or_default() || !rules.is_empty() {
            let what = format!(
                "the segment {} has rules, or more accounts than it lists",
                quoted(key)
            );
            leave_out(node.at(), &what, self.notes);
            return Ok(Condition::unknown());
        }
        self.listed(key, segment)
    }

    /// The accounts that a segment lists.
    fn listed(&mut self, key: &str, mut segment: Object<'a>) -> Read<Condition<'a>> {
        let mut accounts = Vec::new();
        let mut others = Vec::new();
        let mut take = |kind: &str, values: Vec<&'a str>| match self.account.is(Some(kind), "key") {
            true => accounts.extend(values),
            false if values.is_empty() => {}
            false => others.push(kind.to_owned()),
        };
        if let Some(users) = segment.get("included") {
            take(USER, users.texts()?);
        }
        for target in segment.items("includedContexts")? {
            let mut target = target.object()?;
            let kind = target.word("contextKind")?.unwrap_or(USER);
            take(kind, target.need_texts("values")?);
            target.finish(&[], self.notes);
        }
        let at = segment.at().to_owned();
        segment.finish(OF_SEGMENT, self.notes);
        let listed = Condition::known(When::within(key, accounts));
        let Some(kind) = others.first() else {
            return Ok(listed);
        };
        let what = format!(
            "the segment {} lists contexts of the kind {}, and the account is {}",
            quoted(key),
            quoted(kind),
            self.account.name()
        );
        leave_out(&at, &what, self.notes);
        Ok(Condition::unknown())
    }
}
