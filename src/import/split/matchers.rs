//! Split's matchers: the accounts for which a condition holds.

use super::{NAME, Reader};
use crate::account_set::{AccountSet, Condition};
use crate::error::ImportResult;
use crate::flag::note_skipped;
use crate::located_value::LocatedValue;
use crate::object_reader::ObjectReader;
use crate::quote::quote;

/// Fields that Split always writes, even if they are empty.
const GROUP_FIELDS: &[&str] = &["combiner", "matchers"];
const MATCHER_FIELDS: &[&str] = &["keySelector", "negate"];

/// The data of matchers. Each kind of matcher uses one of these fields, and the others are empty.
const MATCHER_DATA: &[&str] = &[
    "betweenMatcherData",
    "betweenStringMatcherData",
    "booleanMatcherData",
    "dependencyMatcherData",
    "stringMatcherData",
    "unaryNumericMatcherData",
    "userDefinedLargeSegmentMatcherData",
    "userDefinedRuleBasedSegmentMatcherData",
    "userDefinedSegmentMatcherData",
    "whitelistMatcherData",
];

impl<'a> Reader<'a, '_> {
    pub(super) fn matchers(&mut self, group: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut group = group.object()?;
        self.flag
            .require_fields(&group, GROUP_FIELDS, NAME, self.notes);
        let mut all = Condition::always();
        let matchers = group.items("matchers")?;
        for matcher in &matchers {
            all = all.and(&self.matcher(matcher)?);
        }
        let combiner = group.non_empty_string("combiner")?.unwrap_or("AND");
        let unknown = match (combiner, matchers.is_empty()) {
            ("AND", false) => None,
            ("AND", true) => Some(String::from(
                "a condition without matchers is not supported",
            )),
            (other, _) => Some(format!("the combiner {} is not supported", quote(other))),
        };
        if let Some(message) = unknown {
            note_skipped(group.at(), &message, self.notes);
            all = Condition::unknown();
        }
        group.finish(&[], self.notes);
        Ok(all)
    }

    fn matcher(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut matcher = value.object()?;
        self.flag
            .require_fields(&matcher, MATCHER_FIELDS, NAME, self.notes);
        let kind = matcher.require("matcherType")?.string()?;
        let is_negated = matcher.boolean("negate")?.unwrap_or_default();
        let attribute = match matcher.get("keySelector") {
            Some(selector) => {
                let mut selector = selector.object()?;
                self.flag
                    .require_fields(&selector, &["attribute"], NAME, self.notes);
                let attribute = selector.non_empty_string("attribute")?;
                selector.finish(&["trafficType"], self.notes);
                attribute
            }
            None => None,
        };
        let condition = match (kind, attribute) {
            ("ALL_KEYS", None) => Condition::always(),
            ("WHITELIST", None) => {
                let mut data = matcher.require("whitelistMatcherData")?.object()?;
                let keys = data.require_strings("whitelist")?;
                data.finish(&[], self.notes);
                Condition::known(AccountSet::within("", keys))
            }
            (kind, attribute) => {
                let segment = segment_of(&mut matcher)?;
                let matcher_is = match (attribute, segment) {
                    (Some(attribute), _) => {
                        format!("{} on the attribute {} is", quote(kind), quote(attribute))
                    }
                    (None, Some(name)) => {
                        format!(
                            "{} with {}, whose keys are not in the file, is",
                            quote(kind),
                            quote(name)
                        )
                    }
                    (None, None) => format!("{} is", quote(kind)),
                };
                let message = format!("the matcher {matcher_is} not supported");
                note_skipped(value.at(), &message, self.notes);
                Condition::unknown()
            }
        };
        // A supported matcher with data of another kind is reported.
        let mut known = Vec::new();
        for name in MATCHER_DATA {
            if !condition.is_known || matcher.get(name).is_none_or(|data| data.is_zero()) {
                known.push(*name);
            }
        }
        matcher.finish(&known, self.notes);
        Ok(match is_negated {
            true => condition.not(),
            false => condition,
        })
    }
}

/// The segment that a matcher refers to.
fn segment_of<'a>(matcher: &mut ObjectReader<'a>) -> ImportResult<Option<&'a str>> {
    for (name, field) in [
        ("userDefinedSegmentMatcherData", "segmentName"),
        ("userDefinedLargeSegmentMatcherData", "largeSegmentName"),
        ("userDefinedRuleBasedSegmentMatcherData", "segmentName"),
    ] {
        if let Some(data) = matcher.get(name)
            && let Some(segment) = data.object()?.non_empty_string(field)?
        {
            return Ok(Some(segment));
        }
    }
    Ok(None)
}
