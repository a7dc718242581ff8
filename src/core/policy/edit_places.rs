//! Finds the parts of a policy's text that a change of a rollout's rules edits.

use std::ops::Range;

use crate::diagnostics::location::Span;
use crate::policy::document::{RawAccounts, RawRollout, RawRule};
use crate::policy::json::Located;
use crate::policy::parsed_policy::ParsedPolicy;

/// The places in a policy's text at which the rules of one rollout and the revision can be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditPlaces {
    /// The whole policy, from its opening brace.
    pub policy: Range<usize>,
    /// The value of `revision`, with its quotes.
    pub revision: Option<Range<usize>>,
    /// The whole rollout, from its opening brace.
    pub rollout: Range<usize>,
    /// The value of `rules`, from its opening bracket.
    pub rules: Option<Range<usize>>,
    /// Each rule. A rule that cannot be read is `None`.
    pub each_rule: Vec<Option<RulePlaces>>,
}

/// The places of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePlaces {
    /// The whole rule, from its opening brace.
    pub rule: Range<usize>,
    /// The value of `accounts`.
    pub accounts: Option<Range<usize>>,
    /// The value of `requests`.
    pub requests: Option<Range<usize>>,
}

impl ParsedPolicy<'_> {
    /// Returns the places of the rollout with this name; `None` if the policy has none.
    #[must_use]
    pub fn edit_places(&self, rollout: &str) -> Option<EditPlaces> {
        let policy = self.document.as_ref()?;
        let rollouts = policy.rollouts.value()?.value.iter().flatten();
        let has_name = |found: &&Located<RawRollout<'_>>| {
            let name = found.value.name.value();
            name.is_some_and(|name| name.value == rollout)
        };
        let found = rollouts.into_iter().find(has_name)?;
        let rules = found.value.rules.value();
        let each_rule = rules.map_or(Vec::new(), |rules| {
            let each = rules.value.iter();
            each.map(|rule| rule.as_ref().map(rule_places)).collect()
        });
        Some(EditPlaces {
            policy: range(self.reader.whole_span()),
            revision: policy.revision.value().map(|text| range(text.span)),
            rollout: range(found.span),
            rules: rules.map(|rules| range(rules.span)),
            each_rule,
        })
    }
}

fn rule_places(rule: &Located<RawRule<'_>>) -> RulePlaces {
    let accounts = rule.value.accounts.value().map(|accounts| match accounts {
        RawAccounts::Percentage(number) => range(number.span),
        RawAccounts::Ramp(steps) => range(steps.span),
    });
    RulePlaces {
        rule: range(rule.span),
        accounts,
        requests: rule.value.requests.value().map(|number| range(number.span)),
    }
}

fn range(span: Span) -> Range<usize> {
    span.start..span.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_the_value_in_the_text() {
        let text = r#" { "revision" : "r1", "rollouts": [ {"name": "a"}, { "rules": [{ "accounts": [ {} ] }, 7, {"requests" : 5.0 }], "name": "b" } ] } "#;
        let policy = ParsedPolicy::parse(text);
        let places = policy.edit_places("b").unwrap();
        let at = |range: &Range<usize>| text.get(range.clone()).unwrap();
        assert_eq!(at(&places.policy), text.trim());
        assert_eq!(places.revision.as_ref().map(at), Some("\"r1\""));
        assert!(at(&places.rollout).starts_with("{ \"rules\""));
        assert!(at(&places.rules.unwrap()).starts_with("[{ \"accounts\""));
        let [Some(first), None, Some(last)] = &places.each_rule[..] else {
            panic!("{:?}", places.each_rule)
        };
        assert_eq!(first.accounts.as_ref().map(at), Some("[ {} ]"));
        assert_eq!(last.requests.as_ref().map(at), Some("5.0"));
        assert_eq!(at(&last.rule), "{\"requests\" : 5.0 }");
        let without = policy.edit_places("a").unwrap();
        assert_eq!((without.rules, without.each_rule), (None, Vec::new()));
        assert_eq!(policy.edit_places("c"), None);
        assert_eq!(ParsedPolicy::parse("[").edit_places("a"), None);
    }
}
